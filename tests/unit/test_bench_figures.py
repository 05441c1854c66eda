"""What the bench found: figures, tables, pictures, and the command that writes them."""

from __future__ import annotations

import io
import json
import runpy
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress
from typer.testing import CliRunner

import limen
from limen.bench import picture, plan, table, wording
from limen.bench.case import Elementwise, Step
from limen.bench.entrants import BASELINE, ENTRANTS, chosen
from limen.bench.result import Latency, Measured, Ratio, Result, Taken, read, write
from limen.bench.summary import summary
from limen.cli import app
from limen.errors import FileError, LimenError, UnknownNameError

# --- The figures ---------------------------------------------------------------------------------


def result_of(**ratios: float) -> Result:
    """A result without any measuring."""
    base = [1.0, 2.0, 4.0, 8.0, 16.0]

    def measured(case: Elementwise | Step) -> Measured:
        taken = {name: Taken([r * s for s in base], 1.0, 0.5, "f") for name, r in ratios.items()}
        return Measured(
            case, 2, {"baseline": Taken(base, 1.0, 0.5, "copy"), **taken}, {"jax": "no"}
        )

    machine = {
        "processor": "A processor", "cores": 2, "vectors": "AVX-512", "memory_gib": 8.0,
        "system": "Linux", "python": "3.11", "limen": "0", "measured": "2026-11-23T16:00",
    }  # fmt: skip
    mish = Elementwise.of(limen.get("mish"), "forward", 4096)
    return Result(
        machine,
        5,
        dict.fromkeys(("baseline", *ratios), "1.0"),
        [measured(mish), measured(replace(mish, direction="backward")), measured(Step(32, 64))],
        [Latency(name, start, [0.1], [0.2]) for name in ratios for start in ("cold", "warm")],
        {"jax": "jax is not installed"},
    )


def test_ratios_are_taken_round_by_round() -> None:
    m = result_of(limen=3.0).measured[0]
    assert m.ratio("limen") == Ratio(3.0, 3.0, 3.0)  # the machine's own drift divides out
    assert m.ratio("limen", to="limen") == Ratio(1.0, 1.0, 1.0)
    assert m.ratio("torch") is None
    assert m.unit("baseline") == 1e9 * 4.0 / 4096


def test_quartiles() -> None:
    ratio = Ratio.of([1, 2, 3, 4, 5], [1, 1, 1, 1, 1])
    assert ratio == Ratio(3.0, 2.0, 4.0)
    assert (wording.figure(ratio), wording.spread(ratio)) == ("3.00", "±33%")


def test_figures_are_read_as_they_were_written(tmp_path: Path) -> None:
    result = result_of(limen=2.0, torch=3.0)
    path = tmp_path / "figures.json"
    write(result, path)
    assert read(path) == result
    document = json.loads(path.read_text())
    assert document["format"] == 1
    first = document["measured"][0]
    assert set(first) == {"case", "threads", "taken", "ratio", "refused"}
    assert first["ratio"]["torch"] == {"median": 3.0, "low": 3.0, "high": 3.0}
    assert first["case"]["formula"] == "x * tanh(softplus(x))"
    assert {"machine", "versions", "rounds", "latency", "left_out", "stopped"} < set(document)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 99}'])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(FileError, match=r"other\.json"):
        read(path)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(LimenError, match="cannot write"):
        write(result_of(), tmp_path / "none" / "figures.json")


# --- What is shown -------------------------------------------------------------------------------


def shown(result: Result, width: int = 100) -> str:
    console = Console(width=width, file=io.StringIO(), highlight=False)
    table.show(result, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_has_machine_sizes_ratios_and_who_is_missing() -> None:
    text = shown(result_of(limen=1.25, torch=12.5))
    assert "A processor, 2 cores, AVX-512, 8 GiB" in text
    assert "4,096 float32 numbers, 2 threads" in text
    assert "mish ′" in text
    assert "1.25 ±0%" in text
    assert "12.5 ±0%" in text
    assert "32 × 64" in text
    assert "left out: JAX jit: jax is not installed" in text
    assert "stopped" not in text


@pytest.mark.parametrize(("width", "figure"), [(80, " 10.0"), (100, " 10.0 ±0%")])
def test_no_figure_is_cut_short(width: int, figure: str) -> None:
    everyone = {name: 10.0 for name in ENTRANTS if name != BASELINE.name}
    text = shown(result_of(**everyone), width).partition("4,096 numbers:")[0]
    assert text.count(figure) == 3 * len(everyone)


def test_the_summary_says_how_near_to_a_copy_and_who_was_faster() -> None:
    first, second = summary(result_of(**{"limen-out": 1.5, "limen": 2.0, "torch": 3.0, "jax": 1.0}))
    assert first.startswith("4,096 numbers: limen, out= costs 1.50 copies in the middle and 1.50")
    assert (
        "limen is the fastest in 0 of 2 rows, not in mish, 2 threads (JAX jit: 0.50 of its time)"
        in first
    )
    assert second.startswith("training steps: limen takes 2.00 (32 × 64, 2 threads) times")
    ahead = summary(result_of(limen=2.0, torch=3.0))[0]
    assert ahead == "4,096 numbers: limen is the fastest in 2 of 2 rows."
    assert summary(result_of(torch=3.0)) == []


def test_a_stopped_run_says_so() -> None:
    assert "Ctrl-C" in shown(replace(result_of(limen=1.0), stopped=True))


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_a_picture(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"bench.{suffix}"
    picture.save(result_of(limen=1.25, torch=12.5, mine=2.0), path)
    assert path.stat().st_size > 10_000


@pytest.mark.parametrize("part", ["elementwise", "steps"])
def test_a_picture_of_one_part(tmp_path: Path, part: str) -> None:
    result = result_of(limen=1.25)
    path = tmp_path / "bench.png"
    picture.save(replace(result, measured=getattr(result, part)()), path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_picture_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LimenError, match="nothing was measured"):
        picture.save(replace(result_of(), measured=[]), tmp_path / "bench.png")


# --- Who takes part, and at what -----------------------------------------------------------------


def test_the_baseline_always_takes_part() -> None:
    assert [e.name for e in chosen("jax, limen")] == ["baseline", "jax", "limen"]
    assert chosen(None) == list(ENTRANTS.values())
    with pytest.raises(UnknownNameError, match=r"'tensorflow' does not take part.*torch-compile"):
        chosen("tensorflow")


def test_a_full_run_has_every_size_direction_and_step() -> None:
    settings = plan.settings([limen.mish])
    functions = [case for case in settings.cases if isinstance(case, Elementwise)]
    assert {(c.direction, c.elements) for c in functions} == {
        (direction, size) for direction in ("forward", "backward") for size in plan.SIZES
    }
    assert [case for case in settings.cases if isinstance(case, Step)] == list(plan.STEPS)
    assert settings.threads[0] == 1
    assert settings.latency is not None
    own = plan.settings([limen.mish], sizes=[100], threads=[3], training=False)
    assert {(c.elements, own.threads) for c in own.cases if isinstance(c, Elementwise)} == {
        (100, (3,))
    }
    quick = plan.settings([limen.mish], quick=True, training=False, latency=False)
    assert not [case for case in quick.cases if isinstance(case, Step)]
    assert quick.latency is None


# --- The command ---------------------------------------------------------------------------------


def command(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["bench", *arguments], env={"COLUMNS": "120", "TERM": "dumb"})
    assert result.exit_code == code, result.output
    return result.output


def test_the_command_measures_and_writes(tmp_path: Path) -> None:
    figures, drawn = tmp_path / "figures.json", tmp_path / "bench.png"
    text = command(
        "mish", "x * sigmoid(x)", "--quick", "--peers", "limen,numpy",
        "--size", "64", "--size", "4096", "--json", str(figures), "--save", str(drawn),
    )  # fmt: skip
    assert "4,096 float32 numbers, 1 thread" in text
    result = read(figures)
    assert result.entrants() == ["baseline", "limen", "numpy"]
    assert len(result.measured) == 2 * 2 * 2
    assert not [m.refused for m in result.measured if m.refused]
    assert drawn.read_bytes().startswith(b"\x89PNG")


def test_the_command_measures_steps_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "_QUICK_STEPS", plan.STEPS[:1])
    text = command("--no-functions", "--quick", "--peers", "limen")
    assert "32 × 64, 1 thread" in text
    assert "float32 numbers" not in text


def test_ctrl_c_shows_and_writes_what_there_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def press(self: Progress, task: Any, advance: int, description: str) -> None:
        if "backward" in description:
            raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "update", press)
    figures = tmp_path / "figures.json"
    options = ("--quick", "--size", "64", "--peers", "numpy", "--json", str(figures))
    text = command("tanh", *options, code=130)
    assert "Ctrl-C" in text
    assert len(read(figures).measured) == 1


def test_without_a_picture_there_is_still_a_table(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    options = ("--quick", "--size", "64", "--peers", "numpy", "--save", str(tmp_path / "bench.png"))
    text = command("tanh", *options, code=2)
    assert "64 float32 numbers" in text
    assert "limen[plot]" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("mihs",), "mish"),
        (("mish", "--peers", "tensorflow"), "torch-compile"),
        (("mish", "--peers", ""), "does not take part"),
        (("x * tanhh(x)",), "tanh"),
        (("mish", "--json", "no/such/folder/figures.json"), "folder"),
        (("mish", "--save", "bench.txt"), ".png or .svg"),
        (("mish", "--deviation", "-1"), "deviation"),
    ],
)
def test_the_command_says_what_would_work_before_measuring(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.setattr("limen.bench.measure.Process", None)
    assert said in command(*arguments, code=2)


# --- The page in the docs ------------------------------------------------------------------------


def test_the_page_holds_machine_tables_and_who_is_missing() -> None:
    tool = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "bench_page.py"))
    text = tool["page"](result_of(limen=1.25, torch=12.5))
    assert "A processor, 2 cores, AVX-512, 8 GiB" in text
    assert "## 4,096 float32 numbers, 2 threads" in text
    assert "| mish ′ | 976,562 | 1.25 ±0% | 12.5 ±0% |" in text
    assert "| 32 × 64, 2 threads | 4,000,000 | 1.25 ±0% | 12.5 ±0% |" in text
    assert "| limen | 0.100 | 0.200 | 0.200 |" in text
    assert "Left out: JAX jit: jax is not installed." in text
    assert {row.count("|") for row in text.splitlines() if row.startswith("|")} == {5}
