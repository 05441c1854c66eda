"""Every economy is an identity, and takes nothing off anything."""

from __future__ import annotations

import pytest

import limen
from limen.certify.measure import FORMATS, is_tight
from limen.certify.reference import Reference
from limen.formula.expression import add, input_, parameter, substitute, walk
from limen.formula.parse import parse
from limen.formula.stabilize import stable
from limen.kernels.economy import ECONOMIES, Economy, economical

X, U = input_("x"), parameter("u")
SIZES = [10.0**k for k in range(-300, -8, 25)] + [10.0 ** (k / 5) for k in range(-40, 14)]


def sides(economy: Economy):
    return [
        substitute(parse(text, parameters="u"), {U: X}) for text in (economy.before, economy.after)
    ]


@pytest.mark.parametrize("economy", ECONOMIES, ids=lambda economy: economy.name)
def test_economy_is_an_identity(economy):
    float64 = FORMATS["float64"]
    references = [Reference(side) for side in sides(economy)]
    for u in [signed for size in SIZES for signed in (size, -size)]:
        before, after = (reference.enclose(u, format_=float64)[0] for reference in references)
        assert before.overlaps(after), (u, before, after)
        assert is_tight(before, float64) and is_tight(after, float64), (u, before, after)


@pytest.mark.parametrize("economy", ECONOMIES, ids=lambda economy: economy.name)
def test_economy_takes_nothing_off(economy):
    _, after = sides(economy)
    for node in walk(after):
        negative = [a for a in node.arguments if a.is_constant and a.payload < 0]
        assert node.operation != "add" or not negative
        # The only signs are those inside e^(-|u|) and sigmoid(-2u).
        if node.operation == "multiply" and negative:
            assert node.arguments[1].operation in {"abs", "input"}


@pytest.mark.parametrize("economy", ECONOMIES, ids=lambda economy: economy.name)
def test_economy_is_applied(economy):
    before, after = sides(economy)
    if economy.beside is not None:
        assert economical(before) is before
        beside = stable(substitute(parse(economy.beside, parameters="u"), {U: X}))
        before, after = add(before, beside), add(after, beside)
    assert economical(before) is not before
    assert {node.operation for node in walk(economical(before))} == {
        node.operation for node in walk(after)
    }


def test_slope_of_one_plus_tangent_takes_one_exponential():
    kernel = limen.get("aptx").source("backward", "float16").partition("def kernel")[2]
    assert "sigmoid" in kernel and "sech" not in kernel and "tanh" not in kernel


def test_the_longest_product_is_taken():
    found = economical(parse("x * sigmoid(x) * sech(softplus(x))**2"))
    operations = [node.operation for node in walk(found)]
    assert "sech" not in operations and "sigmoid" not in operations
    assert operations.count("exp") == 1
