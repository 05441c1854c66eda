"""The one table of what an operation is called elsewhere.

A cell is the path of a function in the framework, or, where the framework has none that is exact,
a formula of `a`, `b`, `c` in operations of the same column. `exported` are PyTorch's operations
that have an ONNX operator of their own: ONNX lacks erfc, expm1 and log1p, and what exporters write
in their place (`1 - erf(a)`, `exp(a) - 1`) cancels.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["AS_WRITTEN", "TABLE", "Framework", "Row"]

Framework = Literal["torch", "jax", "exported"]


class Row(NamedTuple):
    """What one operation is called; a formula begins with an equals sign."""

    torch: str
    jax: str
    exported: str


def _everywhere(cell: str) -> Row:
    """The same function, or formula, for everyone."""
    return Row(cell, cell, cell)


def _here(name: str, exported: str = "") -> Row:
    """A function that takes numbers beside arrays, as formulas have them."""
    torch = f"limen.decomposition.for_torch.{name}"
    return Row(torch, f"jax.numpy.{name}", exported or torch)


def _named(name: str, jax: str = "", exported: str = "") -> Row:
    """A function of PyTorch, by JAX's name for it where that is another."""
    return Row(f"torch.{name}", f"jax.{jax or 'numpy.' + name}", exported or f"torch.{name}")


# erfc(a) exp(a**2) for a >= 0, to 1.2e-7: Press et al., Numerical Recipes (2nd edition), erfcc.
_T = "(1 / (1 + abs(a)/2))"
_ERFCX = (
    f"{_T} * exp(-1.26551223 + {_T}*(1.00002368 + {_T}*(0.37409196 + {_T}*(0.09678418 + "
    f"{_T}*(-0.18628806 + {_T}*(0.27886807 + {_T}*(-1.13520398 + {_T}*(1.48851587 + "
    f"{_T}*(-0.82215223 + {_T}*0.17087277)))))))))"
)
# a - tanh(a) at 0: the Taylor series, whose next term is 1e-7 of the first at 1/2.
_TANHSHRINK = (
    "a**3 * (1/3 - a**2 * (2/15 - a**2 * (17/315 - a**2 * (62/2835 - a**2 * (1382/155925 "
    "- a**2 * (21844/6081075 - a**2 * 929569/638512875))))))"
)

TABLE: dict[str, Row] = {
    "add": _everywhere("operator.add"),
    "multiply": _everywhere("operator.mul"),
    "divide": _everywhere("operator.truediv"),
    "power": _everywhere("limen.decomposition.lower.power"),
    "less": _everywhere("operator.lt"),
    "less_equal": _everywhere("operator.le"),
    "greater": _everywhere("operator.gt"),
    "greater_equal": _everywhere("operator.ge"),
    "equal": _everywhere("operator.eq"),
    "not_equal": _everywhere("operator.ne"),
    "where": _here("where"),
    # Exporters write Clip with one bound left out, which is the largest finite number to ONNX.
    "minimum": _here("minimum", "=where(b < a, b, a)"),
    "maximum": _here("maximum", "=where(a < b, b, a)"),
    "clip": _here("clip"),
    "abs": _named("abs"),
    "sign": _named("sign"),
    "sqrt": _named("sqrt"),
    "exp": _named("exp"),
    # Higham, Accuracy and Stability of Numerical Algorithms (2nd edition), section 1.14.
    "expm1": _named(
        "expm1",
        exported="=where(abs(a) < 1, 2 * tanh(a/2) / (1 - tanh(minimum(a, 1)/2)), exp(a) - 1)",
    ),
    "log": _named("log"),
    "log1p": _named(
        "log1p",
        exported="=where(1 + a == 1, a, where(a < 1e8, log(1 + a) * (a / ((1 + a) - 1)), log(a)))",
    ),
    "sin": _named("sin"),
    "cos": _named("cos"),
    "sinh": _named("sinh"),
    "cosh": _named("cosh"),
    "tanh": _named("tanh"),
    "sech": _everywhere("=2 * exp(-abs(a)) / (1 + exp(-2 * abs(a)))"),
    "atan": _named("atan", "numpy.arctan"),
    "erf": _named("erf", "scipy.special.erf"),
    "erfc": _named(
        "erfc",
        "scipy.special.erfc",
        f"=where(a < 0, 2 - exp(-a**2) * {_ERFCX}, exp(-a**2) * {_ERFCX})",
    ),
    "erfcx": Row(
        "torch.special.erfcx",
        *2 * [f"=where(a < 0, 2 * exp(a**2) - {_ERFCX}, {_ERFCX})"],
    ),
    # Runtimes cut theirs off: onnxruntime's sigmoid is wrong by up to 1e-7 below -17.
    "sigmoid": _named("sigmoid", "nn.sigmoid", exported="=1 / (1 + exp(-a))"),
    # Mächler, Accurately computing log(1 - exp(-|a|)) (2012).
    "softplus": _everywhere("=maximum(a, 0) + log1p(exp(-abs(a)))"),
    "tanhshrink": _everywhere(f"=where(abs(a) < 0.5, {_TANHSHRINK}, a - tanh(a))"),
    "sin_plus_cos": _everywhere("=sin(a) + cos(a)"),
}
"""Every operation but constants, and but what `apply` never builds."""

AS_WRITTEN: dict[Framework, dict[str, str]] = {
    "torch": {
        "sech": "=1 / cosh(a)",
        "softplus": "torch.nn.functional.softplus",
        "tanhshrink": "torch.nn.functional.tanhshrink",
    },
    "jax": {
        "sech": "=1 / cosh(a)",
        "erfcx": "=exp(a**2) * erfc(a)",
        "softplus": "jax.nn.softplus",
        "tanhshrink": "=a - tanh(a)",
    },
}
"""What people write who have to type it: what limen is compared with."""
