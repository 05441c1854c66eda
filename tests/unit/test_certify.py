"""The certificate's parts: wide balls, pieces, far-out waves, verdicts, the file."""

from __future__ import annotations

import json
import math
import random
from itertools import pairwise

import numpy as np
import pytest
from flint import arb

import limen
from limen.certify import check, exhaustive, splice
from limen.certify.balls import working
from limen.certify.certificate import Certificate
from limen.certify.compare import compare
from limen.certify.exhaustive import pieces_of, reference_of
from limen.certify.judge import Verdict, judge
from limen.certify.line import Line
from limen.certify.measure import FORMATS
from limen.certify.mutants import thinned
from limen.certify.pieces import NO_TIES, Nowhere, Open, Overflow, Piece, Stretch, cut
from limen.certify.profile import Profile
from limen.certify.reference import Reference
from limen.certify.taylor import ball_between
from limen.certify.waves import Wave
from limen.certify.wide import NOTHING
from limen.errors import DtypeError, FileError, UnknownNameError
from limen.formula.parse import parse

FLOAT32 = FORMATS["float32"]
LINE = Line(FLOAT32)


def exact(reference: Reference, x: float, bits: int = 700) -> arb:
    """The derivative of the reference's order, by the ordinary operations on narrow balls."""
    with working(bits, reference.order + 1):
        values = reference._values([arb(x)], bits)
        return values[-1][reference.order] * math.factorial(reference.order)


# --- The line -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_the_line_holds_every_number_in_order(dtype):
    line = Line(FORMATS[dtype])
    near_one = line.magnitude(1.0)
    x = line.numbers(near_one - 3, near_one + 3, True).astype(np.float64)
    assert x[3] == -1 and (np.diff(x) < 0).all()
    assert line.number(1) == math.ldexp(1.0, line.format.smallest_exponent)
    assert line.number(line.stop - 1) == line.format.largest
    assert np.isinf(line.numbers(line.stop, line.stop + 1, False).astype(np.float64)[0])
    nans = sum(len(line.nans(negative)) for negative in (False, True))
    assert nans + 2 * (line.stop - 1) + 2 + 2 == line.size
    assert line.number(line.next_binade(near_one)) == 2.0


# --- Wide balls ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "formula",
    [
        "log(1 + exp(x))",
        "1 / (1 + exp(-x))",
        "x * tanh(exp(x))",
        "x * tanh(softplus(x))",
        "(exp(x) - exp(-x)) / (exp(x) + exp(-x))",
        "exp(x)",
        "log(cosh(x))",
        "sinh(x) / cosh(x)**2",
        "sqrt(1 + exp(x))",
        "expm1(-x) * sigmoid(x)",
        "log1p(exp(-x))",
    ],
)
@pytest.mark.parametrize("ends", [(2.0, 2.5), (100.0, 260.0), (-300.0, -90.0), (700.0, 1400.0)])
def test_a_wide_ball_holds_every_derivative(formula, ends):
    reference = Reference(parse(formula), order=3)
    with working(128, 4):
        over = reference.series(ball_between(*ends), 128, 4)
        for x in random.Random(0).choices(np.linspace(*ends, 400).tolist(), k=20):
            with working(2500, 4):
                at = reference._values([arb(x)], 2500)[-1]
                for k in range(4):
                    assert over[k].is_nan() or over[k].overlaps(at[k])


def test_a_wide_exponential_is_next_to_nothing_where_it_should_be():
    reference = Reference(parse("log(1 + exp(x)) - x"), order=0)
    with working(256, 1):
        assert abs(reference.series(ball_between(-900.0, -600.0), 256, 1)[0] - 750) < 151
    reference = Reference(parse("x * tanh(exp(x))"), order=0)
    with working(128, 3):
        slope = reference.series(ball_between(100.0, 200.0), 128, 3)[1]
        assert abs(slope - 1) < arb((1, -100))
    reference = Reference(parse("x * tanh(x**3)"), order=0)
    with working(128, 3):
        slope = reference.series(ball_between(2.0**50, 1.25 * 2.0**50), 128, 3)[1]
        assert abs(slope - 1) < arb((1, -100))


def test_off_its_domain_a_formula_is_nothing():
    assert Reference(parse("sqrt(x) + 1")).series(ball_between(-4.0, -2.0), 64, 1) is NOTHING
    assert Reference(parse("log(x) * x")).series(ball_between(-4.0, -2.0), 64, 1) is NOTHING
    inside = Reference(parse("where(x < 0, 0, sqrt(x))"))
    assert inside.series(ball_between(-4.0, -2.0), 64, 1)[0] == 0


# --- Pieces and waves ---------------------------------------------------------------------------

FORMULAS = {
    "mish": "x * tanh(softplus(x))",
    "gelu": "x * (1 + erf(x / sqrt(2))) / 2",
    "elu": "where(x > 0, x, exp(x) - 1)",
    "squareplus": "(x + sqrt(x**2 + 4)) / 2",
    "shrink": "x - tanh(x)",
    "hard": "x * clip(x + 3, 0, 6) / 6",
    "bump": "exp(-x**2) * (1 - x)**2",
    "cubic": "x**3 - x",
    "wave": "x + sin(1.25 * x)**2",
    "waves": "cos(3 * x + 1) * tanh(x)",
}


ORDERS = {"squareplus": (1,), "waves": (0,)}  # long to cut


@pytest.mark.parametrize(
    ("name", "order"), [(name, n) for name in FORMULAS for n in ORDERS.get(name, (0, 1, 2))]
)
def test_pieces_cover_the_line_and_know_the_exact_values(name, order):
    f = limen.activation(FORMULAS[name], name=name)
    reference = reference_of(f, order)
    stretches = pieces_of(f, order, FLOAT32)
    for negative in (False, True):
        side = [s for s in stretches if s.negative is negative]
        assert side[0].first == 1 and side[-1].stop == LINE.stop
        assert all(a.stop == b.first for a, b in pairwise(side))
    assert sum(s.size for s in stretches if isinstance(s, Open)) < 3000
    choose = random.Random(order)
    for s in choose.sample(stretches, min(60, len(stretches))):
        at = [s.first, s.stop - 1, *(choose.randrange(s.first, s.stop) for _ in range(2))]
        for x in LINE.at(at, s.negative).astype(np.float64).tolist():
            _check_stretch(s, x, reference)


def _check_stretch(s: Stretch, x: float, reference: Reference) -> None:
    if isinstance(s, Wave):
        (value,), (margin,) = s.enclose(np.array([x]))
    elif isinstance(s, Piece):
        z = (x - s.centre) * s.scale
        value, margin = float(np.polynomial.polynomial.polyval(z, s.coefficients)), s.margin
    else:
        return
    with working(1200, 1):
        off = exact(reference, x, 1200) - arb(float(value))
        assert abs(off) <= arb(float(margin))
        if isinstance(s, Piece) and s.side != NO_TIES:
            assert (off > 0, off < 0)[s.side < 0] if s.side else off == 0


def test_a_margin_is_a_small_share_of_the_spacing():
    for s in pieces_of(limen.activation(FORMULAS["mish"]), 0, FLOAT32):
        if isinstance(s, Piece):
            for x in (s.first, s.stop - 1):
                z = (math.copysign(LINE.number(x), -s.negative) - s.centre) * s.scale
                size = abs(np.polynomial.polynomial.polyval(z, s.coefficients))
                size = np.float32(min(size, FLOAT32.largest / 2))
                assert s.margin <= 2.0**-19 * float(np.spacing(size))


def test_overflow_and_holes_in_the_domain_are_stretches_of_their_own():
    steep = pieces_of(limen.get("exponential"), 1, FLOAT32)
    over = [s for s in steep if isinstance(s, Overflow)]
    assert over and all(s.sign == 1 and not s.negative for s in over)
    assert 88.7 < LINE.number(min(s.first for s in over)) < 96
    line = Line(FORMATS["float16"])
    root = list(cut(Reference(parse("sqrt(x)")), line, Stretch(True, 1, line.stop)))
    assert all(isinstance(s, Nowhere) for s in root)


def test_a_budget_leaves_the_rest_open():
    reference = Reference(parse("sin(exp(x))"))
    found = list(cut(reference, LINE, Stretch(False, 1, LINE.stop), most=50))
    assert found[-1].stop == LINE.stop
    assert isinstance(found[-1], Open)


# --- The fast tier's verdicts -------------------------------------------------------------------


def line_piece(slope: float, *, side: int = NO_TIES, margin: float = 0.0) -> Piece:
    coefficients = np.zeros(13)
    coefficients[1] = slope
    return Piece(False, 1, 2, 0.0, 1.0, coefficients, margin, side)


def found_by(piece: Piece, x: list[float], results: list[float]):
    inputs, given = np.array(x, np.float32), np.array(results, np.float32)
    return compare(piece, FLOAT32, inputs, given, np.empty(len(inputs)))


def test_results_are_compared_in_ulp():
    one, above = 1.0, float(np.nextafter(np.float32(1), np.float32(2)))
    found = found_by(line_piece(1.0), [one, one, one], [one, above, 2 * above - 1])
    assert (found.inputs, found.correct, found.open) == (3, 1, [])
    assert found.largest == 2.0 and found.at == (1.0, 2 * above - 1)
    below = float(np.nextafter(np.float32(1), np.float32(0)))
    # Half of the spacing at 1, but a number too far: the slow tier is to say.
    assert found_by(line_piece(1.0), [one], [below]).open == [(1.0, below, 0.5)]
    assert verdict("x", one, below) == Verdict(0.5, False, True)


@pytest.mark.parametrize(
    ("side", "right"), [(0, [0.0, 0.0]), (1, [2.0**-149, 2.0**-149]), (-1, [0.0, 2.0**-149])]
)
def test_ties_are_decided_by_the_side(side, right):
    # x / 2 is a tie at the first and third subnormal number (1/2 and 3/2 spacings).
    x = [2.0**-149, 3 * 2.0**-149]
    right = [right[0], {0: 2, 1: 2, -1: 1}[side] * 2.0**-149]
    assert found_by(line_piece(0.5, side=side, margin=1e-60), x, right).correct == 2
    other = [2.0**-149 - right[0], 3 * 2.0**-149 - right[1]]
    found = found_by(line_piece(0.5, side=side, margin=1e-60), x, other)
    assert found.correct == 0 and found.open == []


def test_what_the_margin_leaves_in_doubt_is_handed_on():
    found = found_by(line_piece(0.5, margin=1e-60), [2.0**-149], [0.0])
    ((x, result, bound),) = found.open
    assert (found.correct, x, result) == (0, 2.0**-149, 0.0)
    assert bound == pytest.approx(0.5) and found.largest == 0


def test_nan_and_infinity_are_plainly_wrong_but_for_overflow():
    found = found_by(line_piece(1.0), [1.0, 1.0, 3e38, 3e38], [math.nan, math.inf, math.inf, 3e38])
    assert (found.wrong, found.correct, found.largest) == (3, 1, math.inf)
    found = found_by(line_piece(2.0), [3e38, 3e38], [math.inf, -math.inf])
    assert (found.wrong, found.correct) == (1, 1)


# --- The slow tier's verdicts -------------------------------------------------------------------


def verdict(formula: str, x: float, result: float, order: int = 0):
    return judge(Reference(parse(formula), order=order), FLOAT32, x, result)


def test_a_tie_that_only_fractions_decide():
    # 3 * 2**-149 * 7 / 6 is 3.5 spacings: balls never tell, as 1/6 is no binary number.
    x = 3 * 2.0**-149
    assert verdict("x * 7 / 6", x, 4 * 2.0**-149).is_correct is True
    assert verdict("x * 7 / 6", x, 3 * 2.0**-149).is_correct is False
    assert verdict("x * (x * 0 + 7) / 6", x, 4 * 2.0**-149).error == 0.5


def test_a_tie_under_a_root():
    # The root of x is 1 + 2**-12, whose product with itself is 2**-24 above a number of float32.
    x = float(np.float32((1 + 2.0**-11) ** 2))
    assert math.sqrt(x) == 1 + 2.0**-11
    tie = "sqrt(x) * (1 + 2**-13)"  # 1 + 2**-11 + 2**-13 + 2**-24
    low = 1 + 2.0**-11 + 2.0**-13
    assert verdict(tie, x, low) == Verdict(0.5, True, True)
    assert verdict(tie, x, low + 2.0**-23) == Verdict(0.5, False, True)


def test_verdicts_off_the_domain_and_beyond_the_range():
    assert verdict("log(x)", -2.0, math.nan).is_correct is True
    assert verdict("log(x)", -2.0, 1.0).is_correct is False
    assert verdict("exp(x)", 89.0, math.inf).is_correct is True
    assert verdict("exp(x)", 88.0, math.inf).is_correct is False
    assert verdict("exp(x)", 89.0, FLOAT32.largest).is_correct is False
    assert verdict("1 / x", 0.0, math.inf).is_known is False


def test_a_kink_takes_the_branch_of_the_formula():
    assert verdict("where(x < 0, 0, x)", 0.0, 1.0, order=1).is_correct is True
    assert verdict("where(x < 0, 0, x)", 0.0, 0.0, order=1).is_correct is False


# --- Whole certificates -------------------------------------------------------------------------


def test_a_certificate_of_every_float16():
    found = check(limen.get("silu"), dtype="float16")
    assert found.inputs == found.of == 65_536
    assert found.is_complete and found.holds(0.5 + 2**-20)
    assert found.correctly_rounded == 1 and found.not_nearest == 0
    assert found.special_values["-inf"] == {"result": "-0.0", "right": True}


@pytest.mark.parametrize("at", [3.0, -5.0, 6e-8, -65504.0, 0.0, -0.0, math.inf, math.nan])
def test_one_wrong_result_among_all_is_found(at):
    f = limen.get("mish")

    def kernel(x, out):
        f(x, out=out)
        same = np.isnan(x) if math.isnan(at) else x == np.float16(at)
        same &= np.signbit(x) == np.signbit(np.float16(at))
        wrong = np.abs(out[same]).astype(np.float16) + np.float16(1)
        out[same] = np.where(np.isnan(wrong) | np.isinf(wrong), np.float16(7), wrong)

    found = check(f, 0, "float16", kernel)
    assert not found.holds(1.0)
    if math.isfinite(at) and at:
        assert found.not_nearest == 1
        assert found.worst_input == float(np.float16(at))


def test_a_kernel_without_signed_zero_is_found():
    def kernel(x, out):
        limen.tanh(x, out=out)
        out += np.float16(0)

    found = check(limen.get("tanh"), 0, "float16", kernel)
    assert found.special_values["-0"]["right"] is False and not found.holds(1.0)


def test_what_cannot_be_checked_is_counted():
    found = check(limen.activation("exp(exp(x))"), dtype="float16")
    assert found.undecided > 0 and found.undecided_inputs
    assert not found.holds(1.0)


def test_backward_is_checked_with_the_derivative():
    found = check(limen.get("elu"), 1, "float16")
    assert found.special_values["backward"]["right"] is True


def test_float64_and_pairs_are_sampled():
    found = check(limen.get("softsign"), 1, "float64")
    assert found.method == "dense sample" and found.inputs > 10_000 and found.of == 0
    assert found.holds(2.0) and found.outliers == []
    found = check(limen.get("swiglu"), "gate", "float32")
    assert found.method == "dense sample of pairs" and len(found.worst_input) == 2
    assert found.holds(1.0)


def test_a_sample_finds_a_wrong_kernel():
    found = check(limen.get("glu"), 0, "float32", lambda gate, value, out: np.copyto(out, value))
    assert not found.holds(1.0)


def test_a_certificate_survives_its_file(tmp_path):
    found = check(limen.get("tanh"), 1, "float16")
    found.write_json(tmp_path / "c.json")
    text = (tmp_path / "c.json").read_text()
    again = Certificate.from_json(text)
    assert again.to_json() == text
    keys = {"formula", "derivative", "dtype", "inputs", "undecided", "max_ulp", "worst_input"}
    assert keys | {"correctly_rounded", "kernel", "machine", "special_values"} <= set(
        json.loads(text)
    )
    for broken in ("", "[]", '{"max_ulp": 1}', text.replace('"dtype"', '"kind"')):
        with pytest.raises(FileError):
            Certificate.from_json(broken)


def test_requests_that_make_no_sense():
    with pytest.raises(DtypeError):
        check(limen.get("relu"), dtype="int8")
    with pytest.raises(UnknownNameError):
        check(limen.get("relu"), -1)
    with pytest.raises(UnknownNameError):
        check(limen.get("relu"), "beta")
    with pytest.raises(UnknownNameError):
        check(limen.get("glu"), 1)


def test_a_profile_keeps_the_worst_of_each_half_binade():
    profile = Profile()
    for x, error in ((1.0, 0.1), (1.2, 0.4), (1.3, 0.2), (1.6, 0.3), (-1.2, 0.5)):
        profile.take(x, error)
    assert profile.points() == [(-1.2, 0.5), (1.2, 0.4), (1.6, 0.3)]


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_a_derivative_is_not_judged_where_the_formula_has_no_value(dtype):
    f = limen.activation("log(x)")
    assert f.derivative()(-2.0) == -0.5  # as in PyTorch
    assert check(f, 0, dtype).wrong == check(f, 1, dtype).wrong == 0


def test_a_derivative_is_judged_where_the_formula_has_a_value():
    def twice(x, out):
        with np.errstate(all="ignore"):
            np.copyto(out, 2 / x)

    assert check(limen.activation("log(x)"), 1, "float16", kernel=twice).not_nearest > 25_000


@pytest.mark.parametrize("magnitude", [np.inf, 2.0**-149, np.finfo(np.float32).max])
def test_special_inputs_go_through_loops_of_every_length(magnitude: float) -> None:
    own = exhaustive.kernel_of(limen.mish, 0)

    def faulty(x: np.ndarray, out: np.ndarray) -> None:
        own(x, out)
        if 4 <= len(x) < 8:  # as where a loop over four at a time has a fault of its own
            out[np.abs(x) == np.float32(magnitude)] = 7.0

    stretches = exhaustive.pieces_of(limen.mish, 0, FLOAT32)[:1]
    for kernel, right in ((own, True), (faulty, False)):
        found = exhaustive.check(limen.mish, 0, "float32", kernel, stretches=stretches)
        assert found.specials_are_right is right


def test_no_fault_is_seeded_where_a_loop_is_steered() -> None:
    body = "  %1 = select i1 %a, i1 true, i1 %b\n  %2 = select i1 %a, double %x, double %y\n"
    choices = [changed for kind, changed in splice._changes(body) if kind == "choices"]
    assert choices == [body.replace("double %x, double %y", "double %y, double %x")]


@pytest.mark.parametrize("kink", [3.0, -3.0])
def test_kinks_are_tried_at_every_place_of_an_array(kink: float) -> None:
    """A loop computes several vectors side by side: a fault may be in one of them."""
    own = exhaustive.kernel_of(limen.get("hardswish"), 1)

    def faulty(x: np.ndarray, out: np.ndarray) -> None:
        own(x, out)
        first = (np.arange(x.size) % 32 < 8) & (x == kink) & (x.size >= 32)
        out[first] += np.float32(0.5)

    hardswish = limen.get("hardswish")
    stretches = thinned(exhaustive.pieces_of(hardswish, 1, FLOAT32)[:1])
    for kernel, right in ((own, True), (faulty, False)):
        found = exhaustive.check(hardswish, 1, "float32", kernel, stretches=stretches)
        assert found.special_values["kinks"]["right"] is right
