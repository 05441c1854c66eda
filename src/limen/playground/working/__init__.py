"""What the two processes of a page do: `python -m limen.playground.working formulas|model`."""
