"""The rewrite rules, one line each: what is rewritten, to what, where it holds, and whose it is.

Every rule is an identity of real functions on its domain. It is here because the left side
cancels, overflows or rounds away where the right side does not. `u` stands for any expression.
A test evaluates both sides in ball arithmetic over the whole domain.

A sum rule applies inside any sum, whatever common factor its terms carry:
`x*erf(x) + x` becomes `x*erfc(-x)`. A product rule applies inside any product.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

__all__ = ["RULES", "Rule"]

_INF = math.inf
_ABRAMOWITZ = "Abramowitz & Stegun, Handbook of Mathematical Functions (1964)"
_KAHAN = "Kahan, Branch cuts for complex elementary functions (1987)"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rewrite rule.

    Attributes:
        name: what a trace of a rewriting calls it.
        kind: whether `before` is matched as terms of a sum, factors of a product, or a node.
        before: the formula rewritten. In a sum, the first term binds `u`; in a product, the
            first factor.
        after: the formula put in its place.
        domain: the open interval of real `u` where the identity holds.
        source: where the identity is proven, or why it is plain.
        unless: the operation of which `u` must not be a multiple, for a rule that would go on
            rewriting its own result.
    """

    name: str
    kind: Literal["sum", "product", "node"]
    before: str
    after: str
    domain: tuple[float, float] = (-_INF, _INF)
    source: str = "definition"
    unless: str = ""


RULES: tuple[Rule, ...] = (
    # Before the logistic family, which would take the 1 of u = x + 1.
    Rule("tanhshrink", "sum", "-tanh(u) + u", "tanhshrink(u)"),
    # Logistic family: 1 + exp(u) overflows, 1 - sigmoid(u) cancels.
    Rule("logistic", "product", "1 / (1 + exp(u))", "sigmoid(-u)"),
    Rule("logistic times exponential", "product", "sigmoid(u) * exp(-u)", "sigmoid(-u)"),
    Rule("logistic complement", "sum", "-sigmoid(u) + 1", "sigmoid(-u)"),
    Rule("logistic sum", "sum", "sigmoid(u) + sigmoid(-u)", "1"),
    Rule("logistic difference", "sum", "sigmoid(u) - sigmoid(-u)", "tanh(u / 2)"),
    Rule("logistic of tanh", "sum", "tanh(u) + 1", "2 * sigmoid(2 * u)", source="A&S 4.5"),
    Rule("logistic of minus tanh", "sum", "-tanh(u) + 1", "2 * sigmoid(-2 * u)", source="A&S 4.5"),
    Rule("logistic centred", "sum", "2 * sigmoid(u) - 1", "tanh(u / 2)", source="A&S 4.5"),
    # Softplus: log(1 + exp(u)) overflows on the right and rounds to 0 on the left.
    Rule("softplus", "node", "log1p(exp(u))", "softplus(u)"),
    Rule("logarithm of logistic", "node", "log(sigmoid(u))", "-softplus(-u)"),
    Rule("softplus reflection", "sum", "softplus(u) - u", "softplus(-u)"),
    Rule("softplus difference", "sum", "softplus(u) - softplus(-u)", "u"),
    # The entropy of the logistic distribution, which is even and vanishes on both sides.
    Rule(
        "logistic entropy",
        "sum",
        "u * sigmoid(u) - softplus(u)",
        "-(abs(u) * sigmoid(-abs(u)) + softplus(-abs(u)))",
        source="sigmoid(u) = 1 - sigmoid(-u), softplus(u) = u + softplus(-u)",
        unless="abs",
    ),
    Rule("exponential of softplus", "node", "exp(-softplus(u))", "sigmoid(-u)"),
    # Exponential and logarithm
    Rule("exponential minus one", "sum", "exp(u) - 1", "expm1(u)", source=_KAHAN),
    Rule("expm1 plus one", "sum", "expm1(u) + 1", "exp(u)"),
    Rule("exponential of logarithm", "node", "exp(log(u))", "u", (0.0, _INF)),
    Rule("exponential of log1p", "node", "exp(log1p(u))", "1 + u", (-1.0, _INF)),
    Rule("logarithm of exponential", "node", "log(exp(u))", "u"),
    Rule("logarithm of expm1 plus one", "node", "log1p(expm1(u))", "u"),
    # Hyperbolic functions: cosh overflows where its reciprocal is an honest small number.
    Rule("hyperbolic secant", "product", "1 / cosh(u)", "sech(u)"),
    Rule("hyperbolic tangent", "product", "sinh(u) * sech(u)", "tanh(u)"),
    Rule("secant times cosine", "product", "sech(u) * cosh(u)", "1"),
    Rule("tangent times cosine", "product", "tanh(u) * cosh(u)", "sinh(u)"),
    Rule("tanh of expm1", "product", "expm1(u) * sigmoid(-u)", "tanh(u / 2)", source="A&S 4.5"),
    Rule("sum of exponentials", "sum", "exp(u) + exp(-u)", "2 * cosh(u)"),
    Rule("difference of exponentials", "sum", "exp(u) - exp(-u)", "2 * sinh(u)"),
    Rule("hyperbolic Pythagoras", "sum", "-tanh(u)**2 + 1", "sech(u)**2", source="A&S 4.5.17"),
    Rule("hyperbolic Pythagoras, secant", "sum", "-sech(u)**2 + 1", "tanh(u)**2"),
    Rule("hyperbolic Pythagoras, cosine", "sum", "cosh(u)**2 - sinh(u)**2", "1"),
    Rule("cosh minus one", "sum", "cosh(u) - 1", "2 * sinh(u / 2)**2", source=_KAHAN),
    # Circular functions: 1 - cos(u) and 1 + sin(u) cancel beside their double roots.
    Rule("Pythagoras", "sum", "sin(u)**2 + cos(u)**2", "1", source="A&S 4.3.10"),
    Rule("haversine", "sum", "-cos(u) + 1", "2 * sin(u / 2)**2", source="A&S 4.3"),
    Rule("cosine plus one", "sum", "cos(u) + 1", "2 * cos(u / 2)**2", source="A&S 4.3"),
    Rule("sine plus one", "sum", "sin(u) + 1", "sin_plus_cos(u / 2)**2", source="A&S 4.3.24"),
    Rule("one minus sine", "sum", "-sin(u) + 1", "sin_plus_cos(-u / 2)**2", source="A&S 4.3.24"),
    Rule("double sine plus one", "sum", "2 * sin(u) * cos(u) + 1", "sin_plus_cos(u)**2"),
    Rule("one minus double sine", "sum", "-2 * sin(u) * cos(u) + 1", "sin_plus_cos(-u)**2"),
    Rule("sine plus cosine", "sum", "sin(u) + cos(u)", "sin_plus_cos(u)"),
    Rule("cosine minus sine", "sum", "-sin(u) + cos(u)", "sin_plus_cos(-u)"),
    # Error function: 1 + erf(u) has no digit left below -6.
    Rule("erfc of plus erf", "sum", "erf(u) + 1", "erfc(-u)", source=_ABRAMOWITZ + ", 7.1.2"),
    Rule("erfc of minus erf", "sum", "-erf(u) + 1", "erfc(u)", source=_ABRAMOWITZ + ", 7.1.2"),
    Rule("erf of minus erfc", "sum", "-erfc(u) + 1", "erf(u)", source=_ABRAMOWITZ + ", 7.1.2"),
    Rule("erfc reflection", "sum", "-erfc(u) + 2", "erfc(-u)", source=_ABRAMOWITZ + ", 7.1.9"),
    # erfc vanishes where exp(u**2) overflows: their product does neither.
    Rule("scaled erfc", "product", "erfc(u) * exp(u**2)", "erfcx(u)"),
    Rule("reciprocal of scaled erfc", "product", "1 / erfc(u) * exp(-u**2)", "1 / erfcx(u)"),
    # Signs
    Rule("magnitude of sign", "product", "where(u < 0, -1, 1) * u", "abs(u)"),
    Rule("sign of magnitude", "product", "where(u < 0, -1, 1) * abs(u)", "u"),
    Rule("square of sign", "product", "where(u < 0, -1, 1)**2", "1"),
    Rule("square of magnitude", "product", "abs(u)**2", "u**2"),
)
"""All rules that look for a pattern. Two that compute instead stand in `stabilize`: common
denominators, and the conjugate of a difference of square roots."""
