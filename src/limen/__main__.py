"""`python -m limen`: the command line, where the script `limen` is not on the path."""

from __future__ import annotations

from limen.cli import main

if __name__ == "__main__":
    main()
