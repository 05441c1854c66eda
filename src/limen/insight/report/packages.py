"""The packages of the extra `report`, loaded when a report is written."""

from __future__ import annotations

import importlib
from typing import Any

from limen.errors import MissingPackageError

__all__ = ["needed"]


def needed(module: str) -> Any:
    """A module of the extra `report`.

    Raises:
        MissingPackageError: if it is not installed; says what installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingPackageError(
            f'a report needs {error.name or module}: pip install "limen[report]"'
        ) from error
