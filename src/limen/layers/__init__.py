"""The white-box model: Linear and Activation layers, losses and optimizers, on NumPy.

    representation:  x ─► layer 0 ─► layer 1 ─► ... ─► prediction ─► loss
    learning flow:       ◄─ grad_input ─ ... ◄─ grad_output ─ loss.backward

Every array on the way stays readable at its layer; see `Layer`.
"""

from limen.layers.activation import Activation
from limen.layers.conversion import from_torch
from limen.layers.entropy import BinaryCrossEntropy, CrossEntropy
from limen.layers.gradients import GradientReport, GradientRow
from limen.layers.history import History
from limen.layers.layer import Layer
from limen.layers.linear import Linear
from limen.layers.loss import HalfSquaredError, Loss
from limen.layers.model import Evaluation, Model
from limen.layers.optimizer import SGD, Adam, AdamW, Optimizer
from limen.layers.parameter import Parameter
from limen.layers.storage import load, save
from limen.layers.summary import Summary
from limen.layers.trace import Trace

__all__ = [
    "SGD",
    "Activation",
    "Adam",
    "AdamW",
    "BinaryCrossEntropy",
    "CrossEntropy",
    "Evaluation",
    "GradientReport",
    "GradientRow",
    "HalfSquaredError",
    "History",
    "Layer",
    "Linear",
    "Loss",
    "Model",
    "Optimizer",
    "Parameter",
    "Summary",
    "Trace",
    "from_torch",
    "load",
    "save",
]
