"""The gated family: one half of the pre-activations opens or closes the way for the other."""

from __future__ import annotations

from limen.catalog.record import Record

__all__ = ["GATED"]

_INPUTS = ("gate", "value")
_VARIANTS = "Shazeer 2020, GLU Variants Improve Transformer, arXiv:2002.05202"

GATED = (
    Record(
        name="glu",
        formula="sigmoid(gate) * value",
        description="gated linear unit: a logistic gate",
        source="Dauphin et al. 2016, Language Modeling with Gated Convolutional Networks, "
        "arXiv:1612.08083",
        inputs=_INPUTS,
    ),
    Record(
        name="bilinear",
        formula="gate * value",
        description="a gate without an activation: the product of both inputs",
        source=_VARIANTS,
        inputs=_INPUTS,
    ),
    Record(
        name="reglu",
        formula="relu(gate) * value",
        description="a ReLU gate",
        source=_VARIANTS,
        inputs=_INPUTS,
    ),
    Record(
        name="geglu",
        formula="gelu(gate) * value",
        description="a GELU gate",
        source=_VARIANTS,
        inputs=_INPUTS,
    ),
    Record(
        name="swiglu",
        formula="silu(gate) * value",
        description="a SiLU gate",
        source=_VARIANTS,
        inputs=_INPUTS,
    ),
)
