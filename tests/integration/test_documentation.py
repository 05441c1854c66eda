"""The code in the README, in the pages of the docs and in the example scripts, as it stands."""

from __future__ import annotations

import doctest
import re
import runpy
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from limen.cli import app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ALL_BLOCKS = re.findall(r"```python\n(.*?)```", README, re.S)
FRAMEWORKS = ("torch", "jax")
BLOCKS = [block for block in ALL_BLOCKS if not any(f"limen.{f}" in block for f in FRAMEWORKS)]
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def test_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("limen.registry._registered", {})
    monkeypatch.setenv("MPLBACKEND", "agg")
    namespace: dict[str, Any] = {}
    for block in BLOCKS:  # nothing but what the blocks before it left is at hand
        source = ROOT / "tests" / "README.py"  # traced functions have a file to be read from
        exec(compile(block, str(source), "exec"), namespace)
    assert namespace["model"].layers[1].function.name == "mish"
    assert "Linear" in capsys.readouterr().out  # the trace
    assert (tmp_path / "report.html").stat().st_size > 1_000_000


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_readme_runs_in_frameworks(framework: str) -> None:
    pytest.importorskip(framework)
    (text,) = (block for block in ALL_BLOCKS if f"limen.{framework}" in block)
    namespace: dict[str, Any] = {}
    exec(compile(text, str(ROOT / "README.md"), "exec"), namespace)
    assert "act" in namespace


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_run(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if "import torch" in path.read_text(encoding="utf-8"):
        pytest.importorskip("torch")
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_what_a_page_shows_is_what_comes_out(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMEN_TIER", "general")  # a page may set it; that ends with the page
    if "import torch" in path.read_text(encoding="utf-8"):
        pytest.importorskip("torch")
    failed, _ = doctest.testfile(str(path), module_relative=False, encoding="utf-8")
    assert not failed, f"python tools/refresh_docs.py docs/{path.name}, and read what changed"


@pytest.mark.parametrize("path", [ROOT / "README.md", *PAGES], ids=lambda path: path.stem)
def test_links_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8"))
    missing = [t for t in targets if "://" not in t and not (path.parent / t).exists()]
    assert not missing


def test_every_picture_has_words_and_a_page() -> None:
    shown: dict[str, str] = {}
    for page in PAGES:
        found = re.findall(r"!\[([^\]]*)\]\(pictures/([^)]+)\)", page.read_text(encoding="utf-8"))
        shown |= {name: words for words, name in found}
    assert set(shown) == {path.name for path in (DOCS / "pictures").iterdir()}
    assert all(len(words) > 40 for words in shown.values())


def test_the_pictures_can_be_drawn_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMEN_TIER", "general")  # drawing sets it; that ends with the test
    pictures = runpy.run_path(str(DOCS / "pictures.py"))
    pictures["main"].__globals__["FOLDER"] = tmp_path
    with np.errstate(all="ignore"):
        pictures["main"]()
    assert all(path.stat().st_size > 10_000 for path in tmp_path.iterdir())
    assert len(list(tmp_path.iterdir())) == len(pictures["PICTURES"])


def shell_commands() -> list[str]:
    """Every `limen ...` that the README and the pages tell a reader to run."""
    found = []
    for path in (ROOT / "README.md", *PAGES):
        text = path.read_text(encoding="utf-8")
        for block in re.findall(r"```sh\n(.*?)```", text, re.S):
            found += [line for line in block.splitlines() if line.startswith("limen ")]
        found += re.findall(r"^\| `(limen [^`]+)`", text, re.M)
    return sorted({shlex.join(shlex.split(line, comments=True)) for line in found})


@pytest.mark.parametrize("line", shell_commands())
def test_commands_are_understood(line: str) -> None:
    _, name, *arguments = shlex.split(line)
    command: Any = typer.main.get_command(app)
    with command.commands[name].make_context(name, arguments):
        pass  # it would run: the names of options and their values are right
