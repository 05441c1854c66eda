"""Model files: safetensors for the arrays, JSON text for the layers and their formulas.

Nothing in a file is executable: formulas are text for limen's own parser, and everything is
checked before it is used. A file that is damaged, or made to do harm, is a `FileError`.

The description is the metadata entry "limen":

    {"version": 1, "dtype": "float32", "seed": 0, "layers": [
        {"kind": "Linear", "inputs": 64, "outputs": 32, "bias": true},
        {"kind": "Activation", "function": {"formula": "x * sigmoid(beta * x)", ...},
         "learnable": ["beta"]},
        {"kind": "Activation", "vector": "softmax"}]}

and the arrays are called as the parameters are: "0.weight", "0.bias", "1.beta".
"""

from __future__ import annotations

import errno
import json
import os
import struct
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from limen.errors import FileError, LimenError
from limen.layers.activation import Activation
from limen.layers.arrays import MODEL_DTYPES
from limen.layers.layer import Layer
from limen.layers.linear import Linear
from limen.layers.model import Model
from limen.record import Record, describe_function, restore_function
from limen.vector import VECTOR_FUNCTIONS, VectorFunction

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["load", "save"]

_VERSION = 1
_KEY = "limen"
# Far above any model of Linear and Activation layers, far below what strains a machine.
_LARGEST_HEADER = 4 * 1024**2
_MOST_LAYERS = 10_000
_SAFETENSORS_NAMES = {"float32": "F32", "float64": "F64"}


def save(model: Model, path: str | PathLike[str]) -> None:
    """Write `model` to `path`, whole or not at all.

    Args:
        model: its layers, formulas, parameter values, dtype and seed are kept; what flowed
            through it and the optimizer are not.
        path: a file to write or replace; ".safetensors" is the usual ending.

    Raises:
        ValueError: when a parameter holds NaN or infinity, which `load` would refuse.
        FileError: when a formula is longer than the parser takes, so that `load` would refuse it.
    """
    from safetensors.numpy import save as to_bytes

    arrays = {}
    for parameter in model.parameters():
        if not np.isfinite(parameter.value).all():
            raise ValueError(f"save: {parameter.name} holds NaN or infinity; the model diverged")
        arrays[parameter.name] = np.ascontiguousarray(parameter.value).reshape(parameter.shape)
    description = {
        "version": _VERSION,
        "dtype": model.dtype.name,
        "seed": model.seed,
        "layers": [_describe(layer) for layer in model.layers],
    }
    text = json.dumps(description, allow_nan=False)
    _layers(_description({_KEY: text}))  # what is written can be read
    _write_whole(Path(os.path.realpath(path)), to_bytes(arrays, metadata={_KEY: text}))


def load(path: str | PathLike[str]) -> Model:
    """Read a model that `model.save` wrote.

    Args:
        path: the file.

    Returns:
        The model, with the same layers, values, dtype and seed.

    Raises:
        FileError: saying what is wrong with the file.
        OSError: when it cannot be read at all.

    Example:
        >>> import limen, tempfile
        >>> model = limen.Model([limen.Linear(2, 3), limen.Activation("mish")])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(f"{folder}/model.safetensors")
        ...     again = limen.load(f"{folder}/model.safetensors")
        >>> (again.predict([1.0, 2.0]) == model.predict([1.0, 2.0])).all()
        np.True_
    """
    path = os.fsdecode(path)  # never a number, which `open` would take for a file that is open
    try:
        return _load(path)
    except FileError as error:
        raise FileError(f"{path}: {error}") from error.__cause__


def _load(path: str) -> Model:
    from safetensors import SafetensorError, safe_open

    _check_header(path)
    try:
        with safe_open(path, framework="numpy") as file:
            record = _description(file.metadata())
            dtype = record.choice("dtype", MODEL_DTYPES)
            seed = record.integer("seed", smallest=0, largest=2**64 - 1)
            layers = _layers(record)
            record.finished()
            _fill(layers, file, dtype)
    except SafetensorError as error:
        raise FileError(f"damaged safetensors file: {error}") from error
    try:
        return Model(layers, seed=seed, dtype=dtype)
    except LimenError as error:
        raise FileError(f"its layers do not fit: {error}") from error


def _check_header(path: str) -> None:
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(8)
    if len(start) < 8:
        raise FileError(f"truncated: a safetensors file has at least 8 bytes, this one {size}")
    (header,) = struct.unpack("<Q", start)
    if header > _LARGEST_HEADER:
        raise FileError(
            f"its header claims {header:,} bytes, more than the {_LARGEST_HEADER:,} a limen model "
            "may have; not a model file, or a hostile one"
        )
    if 8 + header > size:
        raise FileError(f"truncated: its header claims {header:,} bytes, the file has {size:,}")


def _description(metadata: dict[str, str] | None) -> Record:
    text = (metadata or {}).get(_KEY)
    if text is None:
        raise FileError(f'not a limen model: no "{_KEY}" entry in its metadata')
    record = Record.parse(text, "description")
    version = record.integer("version", smallest=0, largest=2**31)
    if version != _VERSION:
        raise FileError(f"format version {version}; this limen reads version {_VERSION}")
    return record


def _layers(record: Record) -> list[Layer]:
    return [_restore(layer) for layer in record.records("layers", most=_MOST_LAYERS)]


def _describe(layer: Layer) -> dict[str, Any]:
    if isinstance(layer, Linear):
        sizes = {"inputs": layer.inputs, "outputs": layer.outputs}
        return {"kind": "Linear", **sizes, "bias": layer.bias is not None}
    if not isinstance(layer, Activation):
        raise TypeError(f"save: {layer.place} is of a kind that model files do not hold")
    if isinstance(layer.function, VectorFunction):
        return {"kind": "Activation", "vector": layer.function.name}
    function = describe_function(layer.function)
    return {"kind": "Activation", "function": function, "learnable": list(layer.learnable)}


def _restore(record: Record) -> Layer:
    kind = record.choice("kind", ("Linear", "Activation"))
    layer: Layer
    if kind == "Linear":
        inputs = record.integer("inputs", smallest=1, largest=2**40)
        outputs = record.integer("outputs", smallest=1, largest=2**40)
        layer = Linear(inputs, outputs, bias=record.boolean("bias"))
    elif record.has("vector"):
        layer = Activation(VECTOR_FUNCTIONS[record.choice("vector", tuple(VECTOR_FUNCTIONS))])
    else:
        function = restore_function(record.record("function"))
        try:
            layer = Activation(function, learnable=record.texts("learnable"))
        except LimenError as error:
            raise FileError(f"{record.place}: {error}") from error
    record.finished()
    return layer


def _fill(layers: list[Layer], file: Any, dtype: str) -> None:
    """Give every parameter its array; names, shapes and dtypes are checked before any is read."""
    expected = {
        f"{index}.{parameter.name}": parameter
        for index, layer in enumerate(layers)
        for parameter in layer.parameters()
    }
    found = set(file.keys())
    for what, names in (("lacks", expected.keys() - found), ("has unknown", found - set(expected))):
        if names:
            raise FileError(f"{what} arrays: {', '.join(sorted(names)[:8])}")
    for name, parameter in expected.items():
        entry = file.get_slice(name)
        if tuple(entry.get_shape()) != parameter.shape:
            raise FileError(
                f"array {name}: expected shape {parameter.shape}, found {tuple(entry.get_shape())}"
            )
        if entry.get_dtype() != _SAFETENSORS_NAMES[dtype]:
            raise FileError(f"array {name}: expected {dtype}, found {entry.get_dtype()}")
        array = file.get_tensor(name)
        if not np.isfinite(array).all():
            raise FileError(f"array {name} holds NaN or infinity")
        parameter.value = array


def _write_whole(path: Path, content: bytes) -> None:
    """Write beside `path`, then move into place: a reader sees the old file or the new one."""
    if not path.parent.is_dir():
        raise FileNotFoundError(
            errno.ENOENT, "there is no such folder to save to", str(path.parent)
        )
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "a model is saved to a file, not to", str(path))
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        with open(beside, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
