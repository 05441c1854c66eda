"""`limen certify` on the command line."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

import limen
import limen.certify
from limen import catalog
from limen.certify import table
from limen.cli import app

run = CliRunner().invoke


def test_a_certificate_on_the_screen_and_in_files(tmp_path):
    file, picture = tmp_path / "c.json", tmp_path / "c.svg"
    given = ["certify", "x * sigmoid(b * x)", "--param", "b=2", "--dtype", "float16"]
    found = run(app, [*given, "--derivative", "1", "--json", str(file), "--picture", str(picture)])
    assert found.exit_code == 0, found.output
    assert "65,536 inputs (every input)" in found.output
    written = json.loads(file.read_text())
    assert written["parameters"] == {"b": 2.0} and written["derivative"] == 1
    assert written["inputs"] == 65_536 and written["max_ulp"] <= 0.501
    assert picture.read_text().startswith("<?xml")


def test_a_gated_function_names_its_input():
    found = run(app, ["certify", "glu", "--derivative", "gate"])
    assert found.exit_code == 0, found.output
    assert "dense sample of pairs" in found.output


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["relu", "--dtype", "int8"], "no such format"),
        (["relu", "--derivative", "beta"], "derivative by the input"),
        (["glu", "--derivative", "1"], "gate or value"),
        (["x +"], "column"),
        ([], "name a function"),
        (["relu", "--json", "/nowhere/c.json"], "no folder"),
    ],
)
def test_what_is_wrong_is_said(given, said):
    found = run(app, ["certify", *given])
    assert found.exit_code == 2
    assert said in found.output


@pytest.mark.parametrize(
    ("dtype", "ulp", "code"), [("float16", 0.9, 0), ("float16", 1.1, 1), ("float64", 1.9, 0)]
)
def test_a_broken_promise_fails(monkeypatch, dtype, ulp, code):
    found = limen.certify.check(limen.get("relu"), dtype="float16")
    found = replace(found, dtype=dtype, max_ulp=ulp)
    monkeypatch.setattr(limen.certify, "check", lambda *args, **options: found)
    ended = run(app, ["certify", "relu"])
    assert ended.exit_code == code, ended.output
    assert ("promise of at most 1 ULP" in ended.output) == bool(code)


def test_the_catalogue_goes_on_where_it_was(tmp_path, monkeypatch):
    few = {name: catalog.RECORDS[name] for name in ("relu", "tanh", "glu")}
    monkeypatch.setattr(table, "RECORDS", few)
    path = tmp_path / "certificates.json"
    given = ["certify", "--catalog", "--json", str(path), "--only", "float16"]
    first = run(app, given)
    assert first.exit_code == 0, first.output
    assert first.output.count("float16: at most") == 2 * 2 + 3
    again = run(app, given)
    assert again.exit_code == 0 and "at most" not in again.output
    kept = table.read(path)
    assert {c.name for c in kept} == set(few) and all(c.holds(0.51) for c in kept)
    written = path.with_suffix(".md").read_text()
    assert written.splitlines()[0].startswith("| function | float32 |")
    assert "| tanh |  |  |  | 0.500 | 0.500 |" in written

    broken = path.read_text().replace("tanh(x)", "tanh(2 * x)")
    path.write_text(broken)
    assert run(app, given).output.count("tanh, ") == 2  # another formula: certified again


def test_a_table_marks_what_is_wrong():
    row = {"name": "f", "formula": "x", "parameters": {}, "derivative": 0, "dtype": "float32",
           "inputs": 1, "of": 1, "method": "", "worst_input": 0.0, "worst_result": 0.0,
           "correctly_rounded": 0.0, "not_nearest": 1, "undecided": 0}  # fmt: skip
    off = table.Certificate(**row, max_ulp=0.5003, wrong=0)
    assert "| f | 0.501 |" in table.to_markdown([off])
    assert "| f | wrong |" in table.to_markdown(
        [table.Certificate(**{**row, "wrong": 1}, max_ulp=float("inf"))]
    )
