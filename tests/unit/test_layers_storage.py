"""Model files: what is saved comes back; what is damaged or hostile is refused, saying why."""

from __future__ import annotations

import json
import os
import struct
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save as to_bytes

import limen

X = np.random.default_rng(0).normal(size=(5, 4))


def full_model(dtype: str = "float32") -> limen.Model:
    """One of everything that a file can hold."""
    swish = limen.activation("x * sigmoid(beta * x)", name="my swish", beta=1.5)
    layers = [
        limen.Linear(4, 6),
        limen.Activation("swiglu"),
        limen.Linear(3, 3, bias=False),
        limen.Activation(swish, learnable=("beta",)),
        limen.Activation(limen.get("relu", at_kinks=0.0)),
        limen.Activation(limen.get("relu", at_kinks={0.0: 0.5})),
        limen.Activation(limen.get("heaviside").surrogate("arctan")),
        limen.Activation(limen.softmax),
    ]
    return limen.Model(layers, seed=7, dtype=dtype)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_there_and_back(path: Path, dtype: str) -> None:
    model = full_model(dtype)
    beta = model.layers[3].learnable["beta"]  # type: ignore[attr-defined]
    beta.value = 0.3
    model.save(path)
    loaded = limen.load(path)
    assert repr(loaded) == repr(model)
    assert (loaded.seed, loaded.dtype) == (7, model.dtype)
    np.testing.assert_array_equal(loaded.forward(X), model.forward(X))
    np.testing.assert_array_equal(loaded.backward(X[:, :3]), model.backward(X[:, :3]))
    for mine, theirs in zip(model.parameters(), loaded.parameters(), strict=True):
        assert (mine.name, mine.value.dtype) == (theirs.name, theirs.value.dtype)
        np.testing.assert_array_equal(mine.value, theirs.value)
    functions = [layer.function for layer in loaded.layers if hasattr(layer, "function")]
    assert functions[2].at_kinks == 0.0
    assert functions[3].at_kinks == {0.0: 0.5}
    assert functions[4].surrogate_function.formula == limen.get("arctan").formula


def test_a_file_does_not_need_what_was_registered(path: Path) -> None:
    limen.Model([limen.Activation(lambda x: limen.silu(x) + limen.tanh(x))]).save(path)
    with_text = json.loads(description(path)["limen"])["layers"][0]["function"]["formula"]
    assert "silu" not in with_text


def test_saving_is_whole_or_not_at_all(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full_model().save(path)
    before = path.read_bytes()

    def fail(*args: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        full_model("float64").save(path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_a_diverged_model_is_not_saved(path: Path) -> None:
    model = full_model()
    model.layers[0].weight.value[0, 0] = np.nan
    with pytest.raises(ValueError, match=r"0\.weight holds NaN"):
        model.save(path)
    assert not path.exists()


def test_what_could_not_be_read_is_not_written(path: Path) -> None:
    long = limen.activation(lambda x: sum(n * limen.tanh(x - n) for n in range(1, 700)))
    assert len(long.formula) > 10_000
    with pytest.raises(limen.FileError, match="layer 0, function: formula refused: a formula of"):
        limen.Model([limen.Activation(long)]).save(path)
    assert not path.exists()


def test_places_that_cannot_be_saved_to_are_named(path: Path) -> None:
    model = limen.Model([limen.Linear(2, 1)])
    with pytest.raises(FileNotFoundError, match=r"no such folder .*: '.*nowhere'"):
        model.save(path.parent / "nowhere" / path.name)
    with pytest.raises(IsADirectoryError, match=f"{path.parent}'"):
        model.save(path.parent)
    assert not list(path.parent.iterdir())


def test_a_path_may_be_bytes_and_is_no_number(path: Path) -> None:
    limen.Model([limen.Linear(2, 1)]).save(path)
    assert limen.load(bytes(path)).layers[0].inputs == 2
    with pytest.raises(TypeError, match="not int"):
        limen.load(0)


def test_a_missing_file_is_an_os_error(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        limen.load(path)


# Damaged and hostile files.


def small_model() -> limen.Model:
    swish = limen.activation("x * sigmoid(beta * x)", name="swish", beta=1.0)
    return limen.Model([limen.Linear(2, 3), limen.Activation(swish), limen.Linear(3, 1)])


def description(path: Path) -> dict[str, str]:
    content = path.read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + size])["__metadata__"]  # type: ignore[no-any-return]


def written(path: Path, change: Any = None, arrays: Any = None, text: str | None = None) -> None:
    """A file of `small_model`, with its description or arrays changed."""
    model = small_model()
    model.save(path)
    record = json.loads(description(path)["limen"])
    tensors = {p.name: p.value for p in model.parameters()}
    if change:
        change(record)
    if arrays:
        arrays(tensors)
    path.write_bytes(to_bytes(tensors, {"limen": json.dumps(record) if text is None else text}))


def refused(path: Path, message: str) -> None:
    start = time.perf_counter()
    with pytest.raises(limen.FileError, match=message) as caught:
        limen.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value)) < 2000
    assert time.perf_counter() - start < 2.0


def test_truncated_anywhere(path: Path) -> None:
    small_model().save(path)
    content = path.read_bytes()
    for length in [0, 5, 8, 9, 100, 400, len(content) // 2, len(content) - 4, len(content) - 1]:
        path.write_bytes(content[:length])
        refused(path, "truncated|damaged")
    path.write_bytes(content + b"\0")
    refused(path, "damaged")


@pytest.mark.parametrize("claim", [2**63, 2**40, 5 * 1024**2])
def test_giant_header(path: Path, claim: int) -> None:
    path.write_bytes(struct.pack("<Q", claim) + b"{}" * 100)
    refused(path, "header claims .* more than the 4,194,304")


def test_noise(path: Path) -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        path.write_bytes(struct.pack("<Q", 64) + random.bytes(200))
        refused(path, "damaged")
    small_model().save(path)
    content = bytearray(path.read_bytes())
    (header,) = struct.unpack("<Q", content[:8])
    for at in random.integers(8, 8 + header, 100):  # any broken byte of the header
        damaged = content.copy()
        damaged[at] ^= 1 << int(random.integers(0, 7))
        path.write_bytes(damaged)
        with suppress(limen.FileError):  # and no other error
            limen.load(path)  # a changed digit of a formula may be a good file still


def layer(index: int, **entries: Any) -> Any:
    return lambda record: record["layers"][index].update(entries)


def function(**entries: Any) -> Any:
    return lambda record: record["layers"][1]["function"].update(entries)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.update(version=2), "format version 2; this limen reads version 1"),
        (lambda r: r.update(dtype="float16"), "'dtype' must be one of float32, float64"),
        (lambda r: r.update(seed=-1), "'seed' must be a whole number"),
        (lambda r: r.update(seed=True), "'seed' must be a whole number"),
        (lambda r: r.update(layers={}), "'layers' must be a list"),
        (lambda r: r.update(layers=[]), "do not fit: Model: expected at least one layer|unknown"),
        (lambda r: r.update(layers=[{}] * 10_001), "at most 10,000"),
        (lambda r: r.update(extra=1), "unknown entries 'extra'"),
        (lambda r: r.pop("seed"), "lacks 'seed'"),
        (
            layer(0, kind="Conv2d"),
            "layer 0: 'kind' must be one of Linear, Activation, found 'Conv2d'",
        ),
        (layer(0, kind=["Linear"]), "'kind' must be"),
        (layer(0, inputs=0), "layer 0: 'inputs' must be a whole number from 1"),
        (layer(0, inputs=2.0), "'inputs' must be"),
        (layer(0, inputs=10**15), "'inputs' must be"),
        (layer(0, inputs=10**9, outputs=10**9), r"array 0\.weight: expected shape"),
        (layer(0, bias=1), "'bias' must be true or false"),
        (layer(0, bias=False), r"unknown arrays: 0\.bias"),
        (layer(0, hook="os.system"), "layer 0: unknown entries 'hook'"),
        (layer(1, vector="hardmax"), "'vector' must be one of softmax"),
        (layer(1, learnable=["gamma"]), "swish has no parameter 'gamma'"),
        (layer(1, learnable=["beta"]), r"lacks arrays: 1\.beta"),
        (layer(1, learnable="beta"), "'learnable' must be a list of texts"),
        (layer(1, function="relu"), "layer 1, function: expected an object, found 'relu'"),
        (function(formula="__import__('os')"), "layer 1, function: formula refused"),
        (function(formula="x.__class__"), "formula refused"),
        (function(formula="x *"), "formula refused"),
        (function(formula="x * sqrt(-1)"), "formula refused"),
        (function(formula="(" * 50_000), "formula refused"),
        (function(formula="x" * 200_000), "'formula' must be text of at most 100,000"),
        (function(formula="x * sigmoid(other * x)"), "formula refused"),
        (function(formula=3), "'formula' must be text"),
        (function(name="\x1b[2J"), "'name' holds control characters"),
        (function(inputs=["gate", "value"]), "its formula has the inputs x, not gate, value"),
        (function(parameters={"beta": float("nan")}), "not JSON: NaN is not a number"),
        (function(parameters={"beta": None}), "'parameters' must be an object of finite numbers"),
        (function(parameters={"beta": 10**400}), "'parameters' must be"),
        (function(parameters={"beta": True}), "'parameters' must be"),
        (function(parameters={"beta; import os": 1.0}), "formula refused"),
        (function(parameters={}), "formula refused"),
        (function(at_kinks="0"), "'at_kinks' must be"),
        (function(at_kinks=[[0.0]]), "'at_kinks' must be"),
        (function(at_kinks=[[0.0, None]]), "'at_kinks' must be"),
        (function(surrogate=3), "expected an object, found 3"),
        (function(surrogate={}), "layer 1, function, surrogate: lacks 'name'"),
    ],
)
def test_hostile_descriptions(path: Path, change: Any, message: str) -> None:
    written(path, change)
    refused(path, message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("[]", "expected an object, found a list"),
        ("[" * 100_000, "not JSON"),
        ('{"version": 1e999}', "'version' must be a whole number"),
        ('{"version": ' + "9" * 10_000 + "}", "version|not JSON"),
        ("null", "expected an object"),
    ],
    ids=["empty", "list", "deep", "infinite", "long number", "null"],
)
def test_hostile_json(path: Path, text: str, message: str) -> None:
    written(path, text=text)
    refused(path, message)


@pytest.mark.parametrize("extreme", [np.finfo(float).max, -np.finfo(float).max, 5e-324, -0.0])
def test_numbers_at_the_ends_of_binary64_come_back(path: Path, extreme: np.float64) -> None:
    function = limen.activation("where(x < a, a, x)", a=extreme).with_kinks({extreme: extreme})
    limen.Model([limen.Activation(function)]).save(path)
    (layer,) = limen.load(path).layers
    assert isinstance(layer, limen.Activation)
    assert repr(layer.function.parameters) == repr({"a": float(extreme)})
    assert layer.function.at_kinks == {extreme: extreme}


def test_endless_surrogates(path: Path) -> None:
    def nest(record: Any) -> None:
        own = record["layers"][1]["function"]
        for _ in range(30):
            own["surrogate"] = {**own, "surrogate": None}
            own = own["surrogate"]

    written(path, nest)
    refused(path, "surrogates inside each other")


def put(name: str, array: Any) -> Any:
    return lambda arrays: arrays.update({name: array})


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (put("0.weight", np.zeros((2, 3), np.float32)), r"expected shape \(3, 2\), found \(2, 3\)"),
        (put("0.weight", np.zeros((3, 2))), r"array 0\.weight: expected float32, found F64"),
        (put("0.weight", np.zeros((3, 2), np.int32)), "expected float32, found I32"),
        (put("0.weight", np.full((3, 2), np.nan, np.float32)), r"array 0\.weight holds NaN"),
        (put("2.bias", np.full(1, np.inf, np.float32)), r"array 2\.bias holds NaN or infinity"),
        (put("9.weight", np.zeros(1, np.float32)), r"has unknown arrays: 9\.weight"),
        (lambda arrays: arrays.pop("2.bias"), r"lacks arrays: 2\.bias"),
    ],
    ids=["shape", "dtype", "integers", "nan", "infinity", "extra", "missing"],
)
def test_hostile_arrays(path: Path, arrays: Any, message: str) -> None:
    written(path, arrays=arrays)
    refused(path, message)


def test_layers_that_do_not_fit(path: Path) -> None:
    def widen(arrays: Any) -> None:
        arrays["2.weight"] = np.zeros((1, 4), np.float32)

    written(path, layer(2, inputs=4), widen)
    refused(path, r"its layers do not fit: .*layer 2, Linear\(4, 1\), expects 4 inputs")


def test_other_safetensors_files(path: Path) -> None:
    path.write_bytes(to_bytes({"a": np.zeros(3)}))
    refused(path, "not a limen model")
    path.write_bytes(to_bytes({"a": np.zeros(3)}, {"format": "pt"}))
    refused(path, "not a limen model")
