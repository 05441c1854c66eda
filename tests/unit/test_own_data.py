"""A user's own data: what is read, and what is refused with its place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limen.errors import DtypeError, LimenError, ShapeError, UnknownNameError
from limen.insight.comparing.data import load
from limen.insight.comparing.own import checked_pair, read

TABLE = "width,height,kind\n" + "".join(f"{k},{k * k},{'ab'[k % 2]}\n" for k in range(20))


def written(folder: Path, text: str) -> Path:
    path = folder / "own.csv"
    path.write_text(text)
    return path


def test_a_table_with_a_header(tmp_path: Path) -> None:
    x, y = read(written(tmp_path, TABLE))
    assert x.shape == (20, 2)
    assert x[3].tolist() == [3.0, 9.0]
    assert y.tolist() == [0, 1] * 10


@pytest.mark.parametrize("target", ["kind", "1"])
def test_any_column_may_be_the_class(target: str, tmp_path: Path) -> None:
    text = "kind,a\n" + "no,1.5\nyes,-2\n" * 5
    x, y = read(written(tmp_path, text), target)
    assert x[:2].tolist() == [[1.5], [-2.0]]
    assert y[:2].tolist() == [0, 1]


def test_a_table_without_a_header(tmp_path: Path) -> None:
    x, y = read(written(tmp_path, "1,2,7\n3,4,9\n" * 4))
    assert x[:2].tolist() == [[1, 2], [3, 4]]
    assert y[:2].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n1,x\n,y\n" * 1, "line 3: column 'a' is missing"),
        ("a,b\n1,x\nred,y\n", "line 3: column 'a' is 'red'"),
        ("a,b\n1,x\n1_0,y\n", "line 3: column 'a' is '1_0'"),
        ("a,b\n1,x\ninf,y\n", "line 3: column 'a' is 'inf'"),
        ("a,b\n1,x\n1,2,y\n", "line 3: 3 columns, expected 2"),
        ("a,b\n1,x\n2,\n", "line 3: the class is missing"),
        ("a,b\n1,0.5\n2,1.5\n", "cut them into ranges"),
        ("a,b\n1,x\n2,x\n", "1 class; expected"),
        ("a,b\n1,x\n2,y\n", "class 'x' has 1 samples"),
        ("a\n1\n", "at least two columns"),
        ("", "at least two columns"),
        ("a,b\n" + "'" * 200_000 + ",x\n", "field larger than"),
    ],
)
def test_what_is_no_data_is_refused_with_its_place(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(LimenError, match=says):
        read(written(tmp_path, text))


def test_a_column_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="it has: width, height, kind"):
        read(written(tmp_path, TABLE), "colour")


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_end_in_our_errors(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    for suffix in (".csv", ".npy", ".npz"):
        path = tmp_path_factory.mktemp("own") / f"own{suffix}"
        path.write_bytes(data)
        with pytest.raises(LimenError):
            read(path)


def test_numpy_files(tmp_path: Path) -> None:
    x, y = np.random.default_rng(0).normal(size=(12, 3)), np.arange(12) % 2
    np.savez(tmp_path / "own.npz", x=x, y=y)
    np.save(tmp_path / "own.npy", np.column_stack([x, y]))
    for name in ("own.npz", "own.npy"):
        inputs, classes = read(tmp_path / name)
        assert np.array_equal(inputs, x)
        assert np.array_equal(classes, y)


def test_a_pickle_in_a_numpy_file_is_not_opened(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (pytest.fail, ("it was opened",))

    np.save(tmp_path / "own.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    with pytest.raises(LimenError, match="no plain NumPy file"):
        read(tmp_path / "own.npy")
    np.savez(tmp_path / "own.npz", x=np.array([Bomb()], dtype=object), y=np.zeros(1))
    with pytest.raises(LimenError, match="no plain NumPy file"):
        read(tmp_path / "own.npz")


def test_arrays_that_do_not_go_together() -> None:
    with pytest.raises(ShapeError):
        checked_pair(np.zeros((3, 2)), np.zeros(4), "the arrays")
    with pytest.raises(LimenError, match="sample 1, feature 0, is nan"):
        checked_pair([[0.0], [np.nan]], [0, 1], "the arrays")
    with pytest.raises(LimenError, match="not all numbers"):
        checked_pair([["a"]], [0], "the arrays")


def test_masked_numbers_are_never_taken_for_numbers() -> None:
    x = np.ma.array([[0.0], [1.0]], mask=[[True], [False]])
    with pytest.raises(DtypeError, match="the arrays: x has masked elements"):
        checked_pair(x, [0, 1], "the arrays")
    with pytest.raises(DtypeError, match="the arrays: y has masked elements"):
        checked_pair([[0.0], [1.0]], np.ma.array([0, 1], mask=[0, 1]), "the arrays")


@pytest.mark.parametrize("largest", [1e300, 1e308])
def test_numbers_that_no_scale_fits_are_refused_before_any_training(largest: float) -> None:
    steps = np.linspace(-1.0, 1.0, 40)
    x = np.stack([steps, largest * steps], axis=1)
    with pytest.raises(LimenError, match="arrays: the numbers of feature 1 are too large"):
        load((x, [0, 1] * 20))


def test_a_pair_is_two() -> None:
    x, y = [[0.0], [1.0]] * 20, [0, 1] * 20
    assert load([x, y]).digest == load((x, y)).digest
    with pytest.raises(ShapeError, match="expected a pair of arrays, inputs and classes, given 3"):
        load((x, y, y))


def test_own_data_are_split_and_scaled_like_the_others(tmp_path: Path) -> None:
    data = load(str(written(tmp_path, TABLE)))
    assert (len(data.train_inputs), len(data.test_inputs), data.classes) == (15, 5, 2)
    assert np.allclose(data.train_inputs.mean(0), 0, atol=1e-6)
    assert data.digest == load(str(tmp_path / "own.csv")).digest
    assert data.digest != load("moons").digest
