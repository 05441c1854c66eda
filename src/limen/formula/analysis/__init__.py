"""What is true of a formula: kinks, limits, range, roots, extrema, by intervals and expansions."""
