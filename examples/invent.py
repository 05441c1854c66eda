"""Invent an activation function, look at it, and see whether it learns.

Run it with: python examples/invent.py
"""

import numpy as np

import limen


@limen.activation
def leaky_hump(x, depth=0.3):
    """ReLU with a soft hump below zero, so that no neuron is ever blocked for good."""
    return limen.where(x < 0, -depth * x * limen.exp(x), x)


print(leaky_hump)
print("derivative:   ", leaky_hump.derivative().formula)
print("by its depth: ", leaky_hump.derivative("depth").formula)
print("kinks:        ", leaky_hump.kinks)
print("extrema:      ", leaky_hump.extrema)
print("range:        ", leaky_hump.range)

# Which side of a wave a point lies on.
random = np.random.default_rng(0)
points = random.uniform(-2, 2, (600, 2))
above = (points[:, 1] > np.sin(3 * points[:, 0])).astype(int)

model = limen.Model(
    [
        limen.Linear(2, 32),
        limen.Activation(leaky_hump),
        limen.Linear(32, 32),
        limen.Activation(leaky_hump),
        limen.Linear(32, 2),
    ],
    seed=0,
)
history = model.fit(
    points, above, loss=limen.CrossEntropy(), optimizer=limen.Adam(0.01), epochs=60, progress=False
)
print(f"accuracy:      {history.accuracy[-1]:.1%} of the points it learned from")
