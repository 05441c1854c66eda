"""The picture of one function: where to look, what is drawn, and in which files."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import limen
from limen import picture
from limen.errors import LimenError


def test_the_window_holds_every_feature() -> None:
    assert picture.window(limen.get("relu")) == (-4.0, 4.0)
    low, high = picture.window(limen.get("relu6"))
    assert low < 0
    assert high > 6
    assert picture.window(limen.get("sine"))[1] == pytest.approx(2 * np.pi)


def test_a_jump_ends_the_line_and_a_kink_does_not() -> None:
    step = picture.curve(limen.get("heaviside"), -1.0, 1.0)
    assert np.isnan(step.y).sum() == 1
    assert not np.isnan(step.dy).any()
    relu = picture.curve(limen.get("relu"), -1.0, 1.0)
    assert not np.isnan(relu.y).any()
    assert np.isnan(relu.dy).sum() == 1


def test_a_curve_meets_its_kinks() -> None:
    c = picture.curve(limen.get("hardtanh"), -3.0, 3.0, count=50)
    assert {-1.0, 1.0} <= set(c.x)
    assert np.all(np.diff(c.x) >= 0)


def test_the_frame_is_never_taller_than_wide() -> None:
    c = picture.curve(limen.get("exponential"), -4.0, 4.0)
    bottom, top = picture.frame(c)
    assert bottom < 0
    assert 4 < top < 5


@pytest.mark.parametrize("name", ["silu", "heaviside", "sine", "swiglu", "exponential"])
def test_svg_is_well_formed_and_runs_nothing(name: str) -> None:
    f = limen.get(name)
    c = picture.curve(f, *picture.window(f), count=161)
    text = picture.svg(c.x, c.y, c.dy)
    root = ElementTree.fromstring(text)
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags == {"svg", "path"}
    assert "nan" not in text.partition(">")[2]
    assert len(text) < 10_000


def test_asymptotes() -> None:
    assert picture.asymptotes(limen.get("tanh")) == [(0.0, -1.0, -1.0), (0.0, 1.0, 1.0)]
    level, slant = picture.asymptotes(limen.get("silu"))
    assert level == (0.0, 0.0, -1.0)
    assert slant == pytest.approx((1.0, 0.0, 1.0), abs=1e-6)
    assert picture.asymptotes(limen.get("sine")) == []
    assert picture.asymptotes(limen.get("relu_squared"))[1:] == []


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml")])
@pytest.mark.parametrize("name", ["mish", "heaviside", "swiglu"])
def test_save(tmp_path: Path, name: str, suffix: str, start: bytes) -> None:
    path = tmp_path / f"{name}{suffix}"
    picture.save(limen.get(name), path)
    assert path.read_bytes().startswith(start)


def test_a_format_matplotlib_lacks_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(LimenError, match=r"mish\.docx"):
        picture.save(limen.get("mish"), tmp_path / "mish.docx")


def test_plot_marks_extremum_and_kinks() -> None:
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    assert picture.plot(limen.get("silu"), axes) is axes
    assert [text.get_text() for text in axes.texts] == ["(-1.278, -0.2785)"]
    hardtanh = picture.plot(limen.get("hardtanh"), Figure().subplots())
    rings = [line for line in hardtanh.lines if line.get_markerfacecolor() == "white"]
    assert sorted(float(line.get_xdata()[0]) for line in rings) == [-1.0, 1.0]


def test_svg_draws_up_as_up() -> None:
    c = picture.curve(limen.get("tanh"), -4.0, 4.0, count=11)
    root = ElementTree.fromstring(picture.svg(c.x, c.y, c.dy, width=100, height=50))
    value = root.findall("{*}path")[1].attrib["d"]
    places = [tuple(map(float, place.split())) for place in value[1:].split("L")]
    assert places[0] == pytest.approx((0, 47), abs=2)
    assert places[-1] == pytest.approx((100, 3), abs=2)


def test_a_surrogate_is_named_beside_its_curve() -> None:
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    picture.plot(limen.get("heaviside").surrogate("arctan"), axes)
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["heaviside", "heaviside′, that of arctan"]
