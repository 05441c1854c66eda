"""The two commands of the README, and whoever repeats them, say the same."""

from __future__ import annotations

from pathlib import Path

import limen

ROOT = Path(__file__).parents[2]


def commands() -> list[str]:
    """The lines of the README that set up a fresh machine."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith("python3 -m venv")]


def test_two_commands_do_all_the_set_up() -> None:
    first, second = commands()
    assert "limen compare" in first
    assert "pytest" in second


def test_continuous_integration_runs_the_second_command() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert commands()[1] in script


def test_pre_commit_runs_what_continuous_integration_runs() -> None:
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    checks = [line.rpartition("&& ")[2] for line in script.splitlines() if ".venv/bin/" in line]
    assert len(checks) == 4
    for check in checks:
        assert f"entry: {check}\n" in hooks


def test_the_version_is_the_changelog_s_newest() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()
    newest = next(line for line in changes if line.startswith("## "))
    assert newest == f"## {limen.__version__}"
