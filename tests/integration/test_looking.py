"""The pictures of the page "look" can be drawn again, and are those that the page shows."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

pytest.importorskip("sklearn")

DOCS = Path(__file__).parents[2] / "docs"


def test_the_pictures_can_be_drawn_again(tmp_path: Path) -> None:
    looking = runpy.run_path(str(DOCS / "looking.py"))
    looking["main"].__globals__["FOLDER"] = tmp_path
    looking["main"]()
    drawn = {path.name for path in tmp_path.iterdir()}
    assert drawn == {path.name for path in (DOCS / "pictures").glob("look_*")}
    assert all(path.stat().st_size > 10_000 for path in tmp_path.iterdir())
