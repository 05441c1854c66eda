"""The report as text: what it says, what it escapes, and what its policy admits."""

from __future__ import annotations

import gzip
import json
import re
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import sha256
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from limen.errors import LimenError, MissingPackageError, OrderError
from limen.insight.report import render, report, sketches
from limen.insight.report.view import number, share, view

pytest.importorskip("plotly")
pytest.importorskip("jinja2")

Make = Callable[..., Any]

FINDING = ("serious", "layer 3", "61 dead", "blocked since step 300", "a smaller learning rate")


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "–"), (float("nan"), "–"), (np.float32("nan"), "–"), (0.0, "0"), (1.23456, "1.23"),
     (-2e-7, "−2e−07"), (float("-inf"), "−∞"), (12345.0, "1.23e+04")],
)  # fmt: skip
def test_numbers_in_three_digits(value: float | None, said: str) -> None:
    assert number(value) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "–"), (0.0, "0%"), (1.0, "100%"), (1e-6, "<0.1%"), (0.99999, ">99.9%"),
     (0.004, "0.4%"), (0.61, "61%"), (0.958, "95.8%")],
)  # fmt: skip
def test_a_share_is_never_rounded_to_nothing_or_all(value: float | None, said: str) -> None:
    assert share(value) == said


def test_the_diagnosis_comes_first_and_points_to_its_layer(observed: Make) -> None:
    text = render(observed(findings=(FINDING,)))
    places = [text.index(part) for part in ("61 dead", 'id="overview"', 'id="layer-0"')]
    assert places == sorted(places)
    assert '<a href="#layer-1">layer 3</a>' in text
    assert "Nothing was found" not in text


def test_a_healthy_network_is_told_so(observed: Make) -> None:
    assert "Nothing was found" in render(observed())


def test_a_finding_about_no_layer_in_particular(observed: Make) -> None:
    text = render(observed(findings=(("note", "", "Few inputs", "40 seen", "more"),)))
    assert re.search(r'class="severity">\s*Note\s*</p>', text)


def test_what_came_with_the_model_is_escaped(observed: Make) -> None:
    evil = "<script>alert(1)</script>\"'{{ 7 * 7 }}"
    seen = observed(
        names=((evil, evil), ("layer 3", "mish")), findings=((evil, evil, evil, evil, evil),)
    )
    text = render(seen, title=evil)
    assert "<script>alert" not in text
    assert "49" not in re.findall(r"<h3[^>]*>(.*?)</h3>", text)[0]
    assert evil in unescape(re.findall(r"<h1>(.*?)</h1>", text)[0])
    assert text.count("<script") == 2 + text.count('type="application/json"')


def test_the_policy_admits_two_scripts_by_their_hashes(observed: Make) -> None:
    text = render(observed())
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    policy = unescape(policy)
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.S)
    (packed,) = re.findall(r'id="plotly">([^<]*)</script>', text)
    admitted = [script.encode(), gzip.decompress(b64decode(packed))]
    hashes = [f"'sha256-{b64encode(sha256(each).digest()).decode()}'" for each in admitted]
    assert re.findall(r"script-src ([^;]*);", policy) == [" ".join(hashes)]
    assert policy.startswith("default-src 'none'; ")
    assert b"plotly.js" in admitted[1][:100]


def test_the_page_is_about_two_megabytes_and_the_same_each_time(observed: Make) -> None:
    text = render(observed())
    assert len(text.encode()) < 2.3e6
    assert text == render(observed())


def test_a_figure_holds_the_quantiles(observed: Make) -> None:
    seen = observed()
    text = render(seen)
    (data,) = re.findall(r'id="layer-1-figure-data">(.*?)</script>', text, re.S)
    traces = json.loads(data)["data"]
    medians = [trace["y"] for trace in traces if trace["name"] == "median"]
    for drawn, what in zip(medians, ("pre_activation", "activation"), strict=True):
        expected = [getattr(moment, what)[2] for moment in seen.layers[1].history]
        np.testing.assert_allclose(drawn, expected, rtol=1e-4)
    assert traces[-1]["y"] == pytest.approx([m.blocked for m in seen.layers[1].history], rel=1e-4)


def test_numbers_that_are_not_finite_are_gaps(observed: Make) -> None:
    seen = observed()
    seen.layers[0].history[2].activation = (float("nan"),) * 4 + (float("inf"),)
    seen.layers[0].flow_in = None
    text = render(seen)
    for data in re.findall(r'-data">(.*?)</script>', text, re.S):
        json.loads(data, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_what_was_not_seen_is_left_out(observed: Make) -> None:
    seen = observed()
    for layer in seen.layers:
        layer.flow_in = layer.flow_out = layer.separability = layer.effective_rank = None
    page = view(seen)
    assert page["overview"] == []
    assert not {"Learning flow", "Linear probe"} & {name for name, _ in page["layers"][0]["facts"]}


def test_dead_neurons_come_first_and_long_histories_are_thinned(observed: Make) -> None:
    layer = view(observed(moments=90))["layers"][0]
    assert layer["neurons"][0][0] == "0"
    assert layer["neurons"][0][-1] == "dead since 1"
    assert len(layer["moments"]) == 24
    assert [layer["moments"][at][0] for at in (0, -1)] == ["1", "90"]
    assert layer["all_moments"] == 90


def test_sketches_are_areas_of_their_box() -> None:
    assert sketches.bars(np.array([0.5, 1.0])) == "M0 24V0H50V12H100V24Z"
    path = sketches.bars(np.linspace(0, 1, 5000))
    assert path.count("H") == 200


def test_nothing_seen_yet(observed: Make) -> None:
    with pytest.raises(OrderError, match="nothing has been seen yet"):
        render(observed(names=()))


def test_a_path_that_cannot_be_written(observed: Make, tmp_path: Path) -> None:
    with pytest.raises(LimenError, match="cannot write the report"):
        report(observed(), tmp_path / "missing" / "report.html")
    path = report(observed(), tmp_path / "report.html")
    assert path.read_text("utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("package", ["jinja2", "plotly.offline"])
def test_a_missing_package_names_the_extra(
    observed: Make, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    from limen.insight.report import library

    library.plotly_library.cache_clear()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackageError, match=r"limen\[report\]"):
        render(observed())


def test_many_layers_are_not_all_named_on_an_axis(observed: Make) -> None:
    seen = observed(names=tuple((f"blocks.{k}.act", "gelu") for k in range(40)), moments=2)
    flow, progress = (shown["figure"]["layout"] for shown in view(seen)["overview"])
    assert flow["xaxis"]["ticktext"] == progress["xaxis"]["ticktext"]
    assert flow["xaxis"]["tickvals"] == list(range(0, 40, 4))
    assert flow["xaxis"]["ticktext"][1] == "blocks.4.act"
    assert flow["yaxis"]["dtick"] == 7  # forty decades, six labels


def test_the_probe_in_words(observed: Make) -> None:
    seen = observed(names=(("a", "relu"), ("b", "relu"), ("c", "relu")))
    seen.layers[1].separability, seen.layers[2].separability = 0.9, None
    words = view(seen)["overview"][1]["words"]
    assert words.endswith("50% after a, 90% after b; the best, 90%, after b.")


@pytest.mark.parametrize("lost", [float("nan"), float("inf"), np.float32("nan"), 0.0])
def test_a_flow_that_diverged_or_ended_makes_a_page_too(observed: Make, lost: float) -> None:
    seen = observed()
    for layer in seen.layers:
        layer.flow_in = layer.flow_out = lost
    flow, _ = view(seen)["overview"]
    assert [trace["y"] for trace in flow["figure"]["data"]] == [[None, None], [None, None]]
    assert number(lost) in render(seen)
