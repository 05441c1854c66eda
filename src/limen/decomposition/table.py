"""The one table of what an operation is called elsewhere.

A cell is the path of a function in the framework, or, where the framework has none that is exact,
a formula of `a`, `b`, `c` in operations of the same column. `exported` are PyTorch's operations
that have an ONNX operator of their own: ONNX lacks erfc, expm1 and log1p, and what exporters write
in their place (`1 - erf(a)`, `exp(a) - 1`) cancels. `cuda` are CUDA's own functions, in the source
of a kernel.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["AS_WRITTEN", "TABLE", "Framework", "Row"]

Framework = Literal["torch", "jax", "exported", "cuda"]


class Row(NamedTuple):
    """What one operation is called; a formula begins with an equals sign."""

    torch: str
    jax: str
    exported: str
    cuda: str


def _everywhere(cell: str) -> Row:
    """The same function, or formula, for everyone."""
    return Row(cell, cell, cell, cell)


def _here(name: str, exported: str = "") -> Row:
    """A function that takes numbers beside arrays, as formulas have them."""
    torch = f"limen.decomposition.for_torch.{name}"
    return Row(torch, f"jax.numpy.{name}", exported or torch, _in_cuda(name))


def _named(name: str, jax: str = "", exported: str = "", cuda: str = "") -> Row:
    """A function of PyTorch, by JAX's name for it where that is another."""
    torch = f"torch.{name}"
    return Row(torch, f"jax.{jax or 'numpy.' + name}", exported or torch, cuda or _in_cuda(name))


def _in_cuda(name: str) -> str:
    """A function that writes a call in a kernel's source."""
    return f"limen.decomposition.for_cuda.{name}"


# erfc(a) exp(a**2) for a >= 0, to 1.2e-7: Press et al., Numerical Recipes (2nd edition), erfcc.
_T = "(1 / (1 + abs(a)/2))"
_ERFCX = (
    f"{_T} * exp(-1.26551223 + {_T}*(1.00002368 + {_T}*(0.37409196 + {_T}*(0.09678418 + "
    f"{_T}*(-0.18628806 + {_T}*(0.27886807 + {_T}*(-1.13520398 + {_T}*(1.48851587 + "
    f"{_T}*(-0.82215223 + {_T}*0.17087277)))))))))"
)
# The same for a >= 0.46875, to 1e-16: Cody, Rational Chebyshev approximations for the error
# function (1969), with the coefficients of CALERF (netlib, SPECFUN). An exported graph, of which
# each node costs something, does with the one above. JAX's own erfcx is young, and 0 beyond 9.2.
_CODY_MIDDLE = (
    "((((((((2.15311535474403846e-8*a + 0.564188496988670089)*a + 8.88314979438837594)*a "
    "+ 66.1191906371416295)*a + 298.635138197400131)*a + 881.95222124176909)*a "
    "+ 1712.04761263407058)*a + 2051.07837782607147)*a + 1230.33935479799725) / "
    "((((((((a + 15.7449261107098347)*a + 117.693950891312499)*a + 537.181101862009858)*a "
    "+ 1621.38957456669019)*a + 3290.79923573345963)*a + 4362.61909014324716)*a "
    "+ 3439.36767414372164)*a + 1230.33935480374942)"
)
_Y = "(1 / a**2)"
_CODY_FAR = (
    f"(1 / sqrt(pi) - {_Y} * (((((0.0163153871373020978*{_Y} + 0.305326634961232344)*{_Y} "
    f"+ 0.360344899949804439)*{_Y} + 0.125781726111229246)*{_Y} + 0.0160837851487422766)*{_Y} "
    f"+ 6.58749161529837803e-4) / ((((({_Y} + 2.56852019228982242)*{_Y} "
    f"+ 1.87295284992346725)*{_Y} + 0.527905102951428412)*{_Y} + 0.0605183413124413191)*{_Y} "
    f"+ 0.00233520497626869185)) / a"
)
# a - tanh(a) for |a| < 1, to 1e-16, no difference left: Lambert's continued fraction (1761).
_TANHSHRINK = (
    "a * (a**2 / (3 + a**2 + a**2 / (5 + a**2 / (7 + a**2 / (9 + a**2 / (11 + a**2 / (13 "
    "+ a**2 / (15 + a**2 / 17))))))))"
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
        exported="=where(1 + a == 1, a, where(a < 1e16, log(1 + a) * (a / ((1 + a) - 1)), log(a)))",
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
        f"=where(a < 0.46875, exp(a**2) * erfc(a), where(a < 4, {_CODY_MIDDLE}, {_CODY_FAR}))",
        f"=where(a < 0, 2 * exp(a**2) - {_ERFCX}, {_ERFCX})",
        _in_cuda("erfcx"),
    ),
    # Runtimes cut theirs off: onnxruntime's sigmoid is wrong by up to 1e-7 below -17. In CUDA's
    # float32, exp(-a) overflows where the value is not yet 0.
    "sigmoid": _named(
        "sigmoid",
        "nn.sigmoid",
        exported="=1 / (1 + exp(-a))",
        cuda="=where(a < 0, exp(-abs(a)), 1) / (1 + exp(-abs(a)))",
    ),
    # Mächler, Accurately computing log(1 - exp(-|a|)) (2012).
    "softplus": _everywhere("=maximum(a, 0) + log1p(exp(-abs(a)))"),
    "tanhshrink": _everywhere(f"=where(abs(a) < 1, {_TANHSHRINK}, a - tanh(a))"),
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
