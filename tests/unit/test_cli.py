"""The command line: what it prints, and how it fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import limen
from limen.cli import app


def run(*arguments: str, code: int = 0) -> str:
    """What a command prints, on either stream."""
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "120", "TERM": "dumb"})
    assert result.exit_code == code, result.output
    return result.output


def test_help_names_the_commands() -> None:
    text = run("--help")
    for command in ("show", "compare", "names", "tune"):
        assert command in text


def test_show_a_name() -> None:
    text = run("show", "silu", "--no-measure")
    assert "silu(x) = " in text
    assert "silu′(x) = " in text
    assert "-1.27846454276" in text  # the extremum
    assert "1.09983" in text  # the Lipschitz constant
    assert "⠤" in text or "⠒" in text


def test_show_a_formula_and_measure_it() -> None:
    text = run("show", "x * tanh(softplus(x))")
    assert "x * tanh(softplus(x))" in text
    assert "ULP" in text
    assert "copy" in text


def test_show_a_gated_function() -> None:
    text = run("show", "swiglu", "--no-measure")
    assert "dswiglu/dgate" in text
    assert "dswiglu/dvalue" in text


def test_parameters_are_set() -> None:
    assert "beta = 2" in run("show", "swish", "--param", "beta=2", "--no-measure")
    assert "a = 1.702" in run("show", "x * sigmoid(a * x)", "--param", "a=1.702", "--no-measure")


@pytest.mark.parametrize("setting", ["beta", "beta=two", "=2", "2=2"])
def test_a_bad_parameter_is_said(setting: str) -> None:
    assert "beta=2" in run("show", "swish", "--param", setting, code=2)


def test_a_formula_error_points_at_the_place() -> None:
    text = run("show", "x * tanhh(x)", code=2)
    assert "tanhh" in text
    assert "^" in text
    assert "Traceback" not in text


def test_nothing_in_a_formula_runs() -> None:
    assert "Traceback" not in run("show", "__import__('os').system('true')", code=2)


def test_an_unknown_name_gets_near_ones() -> None:
    assert "mish" in run("show", "mihs", code=2)


def test_save_writes_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "mish.png"
    assert str(path) in run("show", "mish", "--no-measure", "--save", str(path)).replace("\n", "")
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["mish.txt", "mish", "none/mish.png"])
def test_a_picture_that_cannot_be_written_is_said_first(tmp_path: Path, name: str) -> None:
    text = run("show", "mish", "--save", str(tmp_path / name), code=2)
    assert "--save" in text
    assert "softplus" not in text
    assert not list(tmp_path.iterdir())


def test_a_picture_without_matplotlib_is_said_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    output = run("show", "mish", "--save", str(tmp_path / "mish.png"), code=2)
    assert "needs matplotlib" in output
    assert "tanh" not in output  # nothing is computed or shown before


def test_the_input_itself_is_called_f() -> None:
    assert "f(x) = x" in run("show", "x", "--no-measure")


@pytest.mark.parametrize(
    "arguments",
    [
        ("-x", "--no-measure"),
        ("--no-measure", "-x"),
        ("--no-measure", "--", "-x"),
    ],
)
def test_a_formula_may_begin_with_a_minus(arguments: tuple[str, ...]) -> None:
    assert "f(x) = -x" in run("show", *arguments)


def test_a_formula_with_a_minus_has_its_options_and_its_errors() -> None:
    text = run("show", "-beta * tanh(x)", "--param", "beta=-2", "--no-measure")
    assert "-beta * tanh(x)" in text
    assert "beta = -2" in text
    assert "write a name and a number" in run("show", "swish", "--param", "-x", code=2)
    assert "did you mean tanh" in run("show", "-x * tanhh(x)", code=2)
    assert "--x * 2" in run("show", "--x * 2 +", code=2)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("certify", "--catalog", "-x"), "leave out '-x'"),
        (("bench", "-x", "relu", "--catalog", "-tanh(x)"), "-x, relu, -tanh(x)"),
        (("compare", "relu", "-x", "--data", "cifar"), "mnist5000"),
        (("tune", "-x * sigmoid(gate)"), "gate and value"),
    ],
)
def test_every_command_takes_formulas_with_a_minus(command: tuple[str, ...], said: str) -> None:
    assert said in run(*command, code=2)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--tpyo",), "No such option: --tpyo"),
        (("-x", "--tpyo"), "No such option: --tpyo"),
        (("-x", "--tpyo=2"), "No such option: --tpyo"),
        (("swish", "-param", "beta=2"), "No such option: -p"),
        (("-h",), "No such option: -h"),
        (("-x", "--save"), "'--save' requires an argument"),
        (("--",), "Missing argument"),
    ],
)
def test_an_option_that_is_none_is_said(arguments: tuple[str, ...], said: str) -> None:
    assert said in run("show", *arguments, code=2)


def test_names_lists_and_searches() -> None:
    assert "gaussian" in run("names")
    found = run("names", "relu")
    assert "leaky_relu" in found
    assert "gaussian" not in found


def test_names_without_a_match_says_so() -> None:
    assert "nothing" in run("names", "zzz")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("relu", "--layers", "64,none"), "64,64"),
        (("relu", "--layers", "0"), "64,64"),
        (("relu", "--data", "cifar"), "mnist5000"),
        (("softmax",), "whole row"),
        (("mihs",), "mish"),
        (("relu", "--seeds", "0"), "seeds"),
        (("relu", "--jobs", "0"), "-1"),
        (("relu", "--save", "comparison.txt"), ".png or .svg"),
        (("relu", "--save", "comparison"), ".png or .svg"),
        (("relu", "--json", "no/such/folder/figures.json"), "folder"),
    ],
)
def test_compare_says_what_would_work_before_training(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.setattr("limen.layers.model.Model.fit", None)
    assert said in run("compare", *arguments, code=2)


def test_ctrl_c_leaves_with_the_shells_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("limen.insight.comparing.table.run", interrupt)
    assert "interrupted" in run("compare", "relu", code=130)
    assert "the same command with --journal FILE goes on" in run("compare", "relu", code=130)
    kept = run("compare", "relu", "--journal", "wine.jsonl", code=130)
    assert "what is finished is in wine.jsonl: the same command goes on" in kept


def test_tune_says_what_it_found(monkeypatch: pytest.MonkeyPatch) -> None:
    import limen.tuning
    from limen.kernels.tuned.store import SHIPPED, Entry

    path = next(SHIPPED.glob("*.json"))
    found = Entry.from_json(path.read_text("utf-8"))
    asked = []

    def tune(function: object, order: int, **options: object) -> Entry:
        asked.append(order)
        return found

    monkeypatch.setattr(limen.tuning, "tune", tune)
    text = run("tune", "x * sigmoid(beta * x)", "--param", "beta=2")
    assert asked == [0, 1]
    assert f"{found.certificate['max_ulp']:.3f}" in text


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (["sigmoid(gate) + value"], "two inputs", 1),
        (["x", "--derivative", "2"], "derivative", 2),
        (["y +"], "error", 2),
        (["x", "--into", "/no/such/place"], "no such folder", 2),
    ],
)
def test_tune_refuses_kindly(arguments: list[str], message: str, code: int) -> None:
    assert message in run("tune", *arguments, code=code)


def test_a_bench_of_nothing_says_so() -> None:
    text = run("bench", "--no-functions", "--no-training", "--peers", "limen", code=2)
    assert "nothing is left to measure" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mish", "--catalog"], "--catalog"),
        (["mish", "--no-functions", "--training"], "--no-functions"),
        (["mish", "--deviation", "inf"], "finite"),
    ],
)
def test_bench_refuses_what_does_not_go_together(arguments: list[str], message: str) -> None:
    assert message in run("bench", *arguments, code=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--learning-rate", "inf"], "finite"),
        (["--data", "wine", "--target", "kind"], ".csv"),
        (["--data", "wine", "--layers", "99999999999", "--seeds", "1"], "memory"),
    ],
)
def test_compare_refuses_kindly(arguments: list[str], message: str) -> None:
    assert message in run("compare", "relu", *arguments, code=2)


def test_certify_refuses_a_dtype_of_the_catalogue_for_one_function() -> None:
    assert "--dtype" in run("certify", "mish", "--only", "float16", code=2)


def test_tune_says_once_why_there_is_no_table() -> None:
    assert run("tune", "sigmoid(gate) + value", code=1).count("two inputs") == 1


def test_a_function_of_a_whole_row_is_named_as_such() -> None:
    assert "whole row" in run("show", "softmax", code=2)


def test_python_starts_it_too() -> None:
    for arguments, said in ((["--version"], f"limen {limen.__version__}\n"), (["names"], "mish")):
        command = [sys.executable, "-m", "limen", *arguments]
        found = subprocess.run(command, capture_output=True, text=True, check=True)
        assert said in found.stdout
