"""Runs the examples of a page and writes what they print into it.

    python tools/refresh_docs.py docs/kernels.md docs/accuracy.md

For pages whose outputs are real: after a change of the kernels, what they print changes too.
"""

from __future__ import annotations

import doctest
import sys
from pathlib import Path
from typing import Any

import limen


class Recorder(doctest.DocTestRunner):
    """Keeps what every example printed; an example that raises, raises."""

    def __init__(self) -> None:
        super().__init__(verbose=False)
        self.printed: dict[int, str] = {}

    def report_start(self, out: Any, test: Any, example: doctest.Example) -> None:
        """Nothing: what is about to run is of no interest."""

    def report_success(self, out: Any, test: Any, example: doctest.Example, got: str) -> None:
        """Keeps an output that stands in the page already."""
        self.printed[example.lineno] = got

    def report_failure(self, out: Any, test: Any, example: doctest.Example, got: str) -> None:
        """Keeps an output that the page does not have yet."""
        self.printed[example.lineno] = got

    def report_unexpected_exception(
        self, out: Any, test: Any, example: doctest.Example, exc_info: Any
    ) -> None:
        """A page whose examples do not run is not written."""
        raise exc_info[1]


def refreshed(text: str) -> str:
    """The page with the outputs of its examples as they are now."""
    test = doctest.DocTestParser().get_doctest(text, {}, "page", "page", 0)
    recorder = Recorder()
    recorder.run(test)
    lines = text.splitlines(keepends=True)
    for example in reversed(test.examples):
        start = example.lineno + example.source.count("\n")
        got = recorder.printed[example.lineno].replace("\n\n", "\n<BLANKLINE>\n")
        lines[start : start + example.want.count("\n")] = got.splitlines(keepends=True)
    return "".join(lines)


if __name__ == "__main__":
    print(f"limen {limen.__version__}")
    for name in sys.argv[1:]:
        path = Path(name)
        path.write_text(refreshed(path.read_text(encoding="utf-8")), encoding="utf-8")
        print(f"refreshed: {path}")
