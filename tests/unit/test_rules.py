"""Every rewrite rule is an identity on its domain, and says what it should about real formulas."""

from __future__ import annotations

import math

import pytest

from limen.certify.measure import FORMATS, is_tight
from limen.certify.reference import Reference
from limen.formula import real
from limen.formula.analysis import digits
from limen.formula.analysis.digits import value
from limen.formula.derive import derivative
from limen.formula.expression import constant, input_, parameter, size, substitute
from limen.formula.parse import parse
from limen.formula.rules import RULES, Rule
from limen.formula.show import to_text
from limen.formula.stabilize import canonical, stable
from limen.registry import find_definition

X = input_("x")
mp = digits.context()
U = parameter("u")


def points(rule: Rule) -> list[float]:
    """Both signs, from 1e-300 to 60, densest near 1; in the rule's domain."""
    sizes = [10.0**k for k in range(-300, -8, 25)] + [10.0 ** (k / 5) for k in range(-40, 9)]
    sizes += [k / 8 for k in range(1, 40)] + [57.0, 60.0]
    low, high = rule.domain
    return [p for s in sizes for p in (s, -s) if low < p < high]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_rule_is_an_identity_on_its_domain(rule: Rule) -> None:
    float64 = FORMATS["float64"]
    sides = [
        Reference(substitute(parse(text, parameters="u"), {U: X}))
        for text in (rule.before, rule.after)
    ]
    for u in points(rule):
        a, b = (side.enclose(u, format_=float64)[0] for side in sides)
        assert a.overlaps(b), (rule.name, u, a, b)
        assert is_tight(a, float64) and is_tight(b, float64), (rule.name, u, a, b)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_rule_is_applied(rule: Rule) -> None:
    before, after = (parse(text, parameters="u") for text in (rule.before, rule.after))
    for inner in ("x", "x + 1", "3 * x"):
        place = {U: parse(inner)}
        assert canonical(substitute(before, place)) is canonical(substitute(after, place))


def test_rule_names_are_unique() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)


STABLE_FORMS = [
    ("1 / (1 + exp(-x))", "sigmoid(x)"),
    ("exp(x) / (1 + exp(x))", "sigmoid(x)"),
    ("log(1 + exp(x))", "softplus(x)"),
    ("x * (1 + erf(x / sqrt(2))) / 2", "x * erfc(-(1 / sqrt(2)) * x) / 2"),
    ("(exp(x) - exp(-x)) / (exp(x) + exp(-x))", "tanh(x)"),
    ("(exp(2 * x) - 1) / (exp(2 * x) + 1)", "tanh(x)"),
    ("x * (1 + tanh(x)) / 2", "x * sigmoid(2 * x)"),
    ("x - tanh(x)", "tanhshrink(x)"),
    ("x * tanh(log(1 + exp(x)))", "x * tanh(softplus(x))"),
    ("sqrt(x**2)", "abs(x)"),
    ("sqrt(1 + x**2) - 1", "x**2 / (1 + sqrt(1 + x**2))"),
]


@pytest.mark.parametrize(("formula", "expected"), STABLE_FORMS)
def test_stable_form(formula: str, expected: str) -> None:
    assert stable(parse(formula)) is stable(parse(expected))
    assert to_text(stable(parse(formula))) == to_text(stable(parse(expected)))


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("x + sqrt(x**2 + 4)", "where(x < 0, 4 / (abs(x) + sqrt(4 + x**2)), x + sqrt(4 + x**2))"),
        ("x - sqrt(x**2 + 4)", "where(-x < 0, -4 / (abs(x) + sqrt(4 + x**2)), x - sqrt(4 + x**2))"),
        ("sqrt(x**2 + 4) - 2", "x**2 / (2 + sqrt(4 + x**2))"),
    ],
)
def test_a_root_and_its_partner_meet_where_they_do_not_cancel(formula: str, expected: str) -> None:
    assert to_text(stable(parse(formula))) == expected


DERIVATIVES = [
    ("sigmoid(x)", "sigmoid(x) * sigmoid(-x)"),
    ("tanh(x)", "sech(x)**2"),
    ("x * sigmoid(x)", "sigmoid(x) * (1 + x * sigmoid(-x))"),
    ("x / (1 + abs(x))", "1 / (1 + abs(x))**2"),
    ("x / sqrt(1 + x**2)", "1 / (1 + x**2)**1.5"),
    ("x - tanh(x)", "tanh(x)**2"),
    ("x + sin(x)**2", "sin_plus_cos(x)**2"),
    ("where(x < 0, 0, x)", "where(x < 0, 0, 1)"),
    ("clip(x, -1, 1)", "where(x < -1, 0, where(1 < x, 0, 1))"),
    ("minimum(x, 0)", "where(0 < x, 0, 1)"),
    ("maximum(x, 0)", "where(x < 0, 0, 1)"),
    ("abs(x)", "where(x < 0, -1, 1)"),
]


@pytest.mark.parametrize(("formula", "expected"), DERIVATIVES)
def test_derivative_in_stable_form(formula: str, expected: str) -> None:
    slope = canonical(derivative(canonical(parse(formula)), X))
    assert slope is canonical(parse(expected)), to_text(slope)


FORMULAS = [
    "x * tanh(softplus(x))",
    "(x + sqrt(x**2 + 4)) / 2",
    "exp(-x**2) * (1 + x)**3 / (2 + cos(x))",
    "log1p(exp(x) + x**2) * atan(x - 1)",
    "x**5 * sech(x) - cosh(x / 3)",
    "erf(x) * erfc(x - 1) + (1 - x)**2 / (1 + x**2)",
    "(sqrt(x**2 + 1) - 1) / 2 + x",
]


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_step_changes_the_function(formula: str) -> None:
    raw = parse(formula)
    first = derivative(raw, X)
    forms = [canonical(raw), canonical(derivative(canonical(raw), X))]
    with mp.workprec(400):
        for at in (mp.mpf(k) / 7 for k in range(-41, 42)):
            for original, form in zip((raw, first), forms, strict=True):
                expected = value(original, at)
                for kind in (form, stable(form)):
                    assert mp.almosteq(value(kind, at), expected, rel_eps=mp.mpf(2) ** -300)
            slope = mp.diff(lambda t: value(raw, t), at)
            assert mp.almosteq(value(first, at), slope, rel_eps=mp.mpf(10) ** -30)


def test_higher_derivatives_stay_small() -> None:
    form = canonical(parse("x * tanh(softplus(x))"))
    for _ in range(4):
        form = canonical(derivative(form, X))
    assert size(form) < 400


def test_canonical_is_idempotent() -> None:
    for formula, _ in [*STABLE_FORMS, *DERIVATIVES]:
        form = canonical(parse(formula))
        assert canonical(form) is form


def test_derivative_by_a_parameter() -> None:
    beta = parameter("beta")
    form = parse("x * sigmoid(beta * x)", parameters=["beta"])
    slope = canonical(derivative(form, beta))
    at_two = substitute(slope, {beta: constant(2)})
    with mp.workprec(200):
        expected = mp.diff(lambda b: 3 / (1 + mp.exp(-3 * b)), 2)
        assert mp.almosteq(value(at_two, mp.mpf(3)), expected, rel_eps=mp.mpf(10) ** -20)
    assert math.isfinite(float(expected))


def test_a_long_product_is_not_multiplied_out() -> None:
    formula = parse("*".join(f"(x + {k})" for k in range(1, 31)))
    form = canonical(formula)  # 2**30 terms would take for ever
    slope = canonical(derivative(form, X))
    assert size(form) < 100 and size(slope) < 2000
    with mp.workprec(200):
        assert value(form, mp.mpf(0)) == math.factorial(30)


@pytest.mark.parametrize(
    "formula",
    [
        "cosh(0.5) * x",
        "x * cosh(beta)",
        "x * abs(0.1)",
        "tanh(beta) * cosh(beta) * x",
        "hardswish(abs(3 + beta))",
        "softplus(x - x) - 2 * x + erf(x)",
    ],
)
def test_rules_end_where_nothing_varies(formula: str) -> None:
    expression = parse(formula, parameters=["beta"], functions=find_definition)
    form = canonical(expression)
    assert canonical(form) is form
    environment = {"x": 0.75, "beta": 1.25}
    assert real.value(form, environment) == pytest.approx(real.value(expression, environment))


@pytest.mark.parametrize("formula", ["x**(2 / 3)", "1 / x**(1 / 3)", "(sqrt(0.1 + x))**(2 / 3)"])
def test_a_power_of_one_is_one(formula: str) -> None:
    form = canonical(parse(formula))
    assert canonical(form) is form
    assert "1**" not in to_text(form)


@pytest.mark.parametrize("x", [-1e-40, 1e-40, -1e-30, -1e-10, -3.0, 3.0])
def test_a_root_is_turned_only_where_it_cancels(x: float) -> None:
    # Pohlen et al. 2018, arXiv:1805.11593. Over one denominator it holds x + x * sqrt(...), which
    # never cancels, whatever the sign of x: its conjugate would divide by 0.
    form = stable(parse("sign(x) * (sqrt(abs(x) + 1) - 1) + 0.001 * x"))
    root = math.sqrt(abs(x) + 1)
    assert real.value(form, {"x": x}) == pytest.approx(x / (root + 1) + 0.001 * x, rel=1e-14)
