"""Draws the pictures of the page "look", from models that are trained here and now.

python docs/looking.py
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib
from sklearn.datasets import load_digits, make_moons

import limen

FOLDER = Path(__file__).with_name("pictures")


def trained(x: Any, y: Any, widths: list[int], function: str, epochs: int) -> limen.Model:
    """A model of Linear and Activation layers that has learnt to tell the classes apart."""
    layers: list[Any] = []
    for inputs, outputs in pairwise(widths[:-1]):
        layers += [limen.Linear(inputs, outputs), limen.Activation(function)]
    model = limen.Model([*layers, limen.Linear(*widths[-2:])], seed=1)
    model.fit(x, y, loss=limen.CrossEntropy(), optimizer=limen.Adam(0.01), epochs=epochs,
              progress=False)  # fmt: skip
    return model


def moons() -> Any:
    """Single neurons over the plane: two half moons told apart with ReLU."""
    x, y = make_moons(300, noise=0.15, random_state=0)
    return limen.plot.neurons(trained(x, y, [2, 8, 6, 2], "relu", 60), x, y, shown=8)


def digits(draw: Any, **options: Any) -> Any:
    """A picture of a model that has learnt scikit-learn's digits."""
    x, y = load_digits(return_X_y=True)
    return draw(trained(x / 16, y, [64, 32, 16, 10], "mish", 15), x / 16, y, **options)


PICTURES = {
    "look_function": lambda: limen.plot.function("mish"),
    "look_neurons": moons,
    "look_digits": lambda: digits(limen.plot.neurons),
    "look_representations": lambda: digits(limen.plot.representations),
}


def main() -> None:
    """Draws all of them."""
    matplotlib.use("agg")
    for name, draw in PICTURES.items():
        figure = draw()
        figure.savefig(FOLDER / f"{name}.png", dpi=100)
        matplotlib.pyplot.close(figure)


if __name__ == "__main__":
    main()
