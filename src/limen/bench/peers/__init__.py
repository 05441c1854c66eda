"""The entrants: limen, what it is measured against, and how each is called as its users do."""
