"""Functions in other frameworks' operations: what of it needs no framework."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import limen
from limen.decomposition import Program, decomposed
from limen.decomposition.edges import LARGE, with_edges
from limen.decomposition.moderate import moderate
from limen.decomposition.program import dependents
from limen.decomposition.table import TABLE, Row
from limen.decomposition.windows import with_windows
from limen.errors import UnknownNameError
from limen.formula import real
from limen.formula.expression import apply, constant, input_, parameter, walk
from limen.formula.operations import OPERATIONS
from limen.formula.parse import parse
from limen.formula.stabilize import stable
from limen.kernels.overflow import raised, spread_denominators, square_root

X = input_("x")
ARGUMENTS = ("a", "b", "c")
FRAMEWORKS = Row._fields
CELLS = [(name, framework) for name in TABLE for framework in FRAMEWORKS]
FORMULAS = [(n, f) for n, f in CELLS if getattr(TABLE[n], f).startswith("=")]


def cell(name: str, framework: str) -> str:
    return str(getattr(TABLE[name], framework))


# --- The table -----------------------------------------------------------------------------------


def test_the_table_has_every_operation_that_can_be_built() -> None:
    constants = {name for name, row in OPERATIONS.items() if row.arity == 0}
    spellings = {"subtract", "negate"}
    a, b = parameter("a"), parameter("b")
    for name in spellings:
        built = apply(name, *(a, b)[: OPERATIONS[name].arity])
        assert not spellings & {node.operation for node in walk(built)}
    assert set(TABLE) == OPERATIONS.keys() - constants - spellings


@pytest.mark.parametrize(("name", "framework"), CELLS)
def test_a_cell_is_a_path_or_comes_down_to_paths(name: str, framework: str) -> None:
    def paths(name: str, within: tuple[str, ...] = ()) -> Iterator[str]:
        assert name not in within, f"{name} is a formula of itself"
        text = cell(name, framework)
        if not text.startswith("="):
            yield text
            return
        formula = parse(text.removeprefix("="), ARGUMENTS[: OPERATIONS[name].arity])
        for node in walk(formula):
            if node.arguments:
                yield from paths(node.operation, (*within, name))

    homes = {"torch": ("torch",), "exported": ("torch",), "jax": ("jax",), "cuda": ()}[framework]
    for path in paths(name):
        assert path.split(".")[0] in {"operator", "limen", *homes}, path
        assert "jax" not in path or framework == "jax"


# To how many digits: the formulas from books have theirs, the others all but the last.
PRECISION = {("erfcx", "exported"): 1.3e-7, ("erfc", "exported"): 1.3e-7}


@pytest.mark.parametrize(("name", "framework"), FORMULAS)
def test_a_formula_is_the_operation(name: str, framework: str) -> None:
    formula = parse(cell(name, framework).removeprefix("="), ARGUMENTS)
    tolerance = PRECISION.get((name, framework), 1e-14)
    for a in points(name):
        b, c = -0.5, 1.5  # the bounds of clip
        places = dict(zip(ARGUMENTS, (a, b, c), strict=True))
        exact = real.FUNCTIONS[name](*(a, b, c)[: OPERATIONS[name].arity])
        # A square that is rounded is an exponent that is off by as much; only these two have one.
        slack = tolerance + (a * a * 3e-16 if name in ("erfc", "erfcx") else 0.0)
        if name == "sin_plus_cos":  # cancels beside its roots
            assert real.value(formula, places) == pytest.approx(exact, rel=0, abs=1e-15)
        elif abs(exact) < 1e-300:
            assert abs(real.value(formula, places)) < 1e-300
        else:
            assert real.value(formula, places) == pytest.approx(exact, rel=slack, abs=0), a


def points(name: str) -> Iterator[float]:
    lowest = {"log1p": -0.999, "erfcx": -26.0}.get(name, -700.0)
    highest = {"expm1": 700.0}.get(name, 1e15)
    for a in (*np.linspace(-30, 30, 1501), *np.logspace(-30, 15, 300), *-np.logspace(-30, 3, 300)):
        if lowest <= a <= highest and not (name == "sin_plus_cos" and abs(a) > 30):
            yield float(a)


# --- Programs ------------------------------------------------------------------------------------


def test_learnable_parameters_come_after_the_inputs() -> None:
    f = limen.activation("x * sigmoid(a * x) + exp(b)", a=2.0, b=0.5)
    calls: list[str] = []
    functions = {name: counted(name, calls) for name in TABLE}
    program = Program(f.expression, f.inputs, f.parameters, functions, learnable=("a",))
    assert program(1.5, 0.25) == pytest.approx(f.with_parameters(a=0.25)(1.5))
    assert "exp" not in calls  # that of `b` was worked out beforehand
    both = Program(f.expression, f.inputs, f.parameters, functions, learnable=("b", "a"))
    assert both(1.5, 0.75, 0.25) == pytest.approx(f.with_parameters(a=0.25, b=0.75)(1.5))
    assert calls.count("exp") == 1


def counted(name: str, calls: list[str]) -> Any:
    def function(*arguments: Any) -> Any:
        calls.append(name)
        return real.FUNCTIONS[name](*arguments)

    return function


def test_what_depends_on_some_leaves() -> None:
    a, b = parameter("a"), parameter("b")
    root = apply("exp", a * X) + apply("exp", b)
    found = dependents(root, [a])
    assert a in found and root in found and apply("exp", a * X) in found
    assert X not in found and b not in found and apply("exp", b) not in found


def test_unknown_learnable_parameters_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="swish has no parameter 'gamma'; it has: beta"):
        decomposed(limen.get("swish"), "jax", ("gamma",))


# --- Overflow ------------------------------------------------------------------------------------


@pytest.mark.parametrize("x", [-1e200, -3.0, 0.0, 1e-5, 7.0, 1e25, 1e200])
def test_roots_of_squares_do_not_overflow(x: float) -> None:
    square = parse("3 * x**2 + 4")
    for built in (square_root(square, LARGE), raised(square, constant(Fraction(1, 2)), LARGE)):
        assert real.value(built, {"x": x}) == pytest.approx(math.hypot(math.sqrt(3) * x, 2))


def test_only_the_square_of_an_input_is_written_so() -> None:
    for text in ("x**4 + 1", "exp(x)**2 + 1", "x**2 + x"):
        assert square_root(parse(text), LARGE) is apply("sqrt", parse(text))


def test_denominators_do_not_overflow() -> None:
    spread = spread_denominators(parse("x / (1 + x**2)**3"))
    assert real.value(spread, {"x": 1e60}) == pytest.approx(1e-300)  # of which the cube is 1e360
    assert real.value(spread, {"x": 0.5}) == pytest.approx(0.5 / 1.25**3)


# --- Windows -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in limen.names() if not limen.get(n).is_gated])
def test_the_catalogue_needs_no_windows(name: str) -> None:
    """Its forms serve float32 as they are, and a window would cost time."""
    for order in (0, 1, 2):
        f = limen.get(name).derivative(order)
        assert with_windows(f) is moderate(stable(f.expression)), order


# --- Edges ---------------------------------------------------------------------------------------

LEARNED = {
    "swish": [{"beta": 0.5}, {"beta": 3.0}],
    "softplus": [{"beta": 0.5}, {"beta": 2.0}],
    "isru": [{"alpha": 0.25}, {"alpha": 4.0}],
    "squareplus": [{"b": 0.5}],
    "snake": [{"alpha": 0.5}, {"alpha": 2.0}],
    "laplace": [{"mu": -1.0, "sigma": 2.0}],
    "logish": [{"alpha": 2.0, "beta": 0.5}],
    "aptx": [{"alpha": 1.0, "beta": 2.0, "gamma": 1.0}],
    "selu": [{"alpha": 0.5, "scale": 2.0}],
}


@pytest.mark.parametrize("name", LEARNED)
@pytest.mark.parametrize("order", [0, 1, 2])
def test_limits_are_right_for_parameters_not_known_before(name: str, order: int) -> None:
    f = limen.get(name)
    for values in LEARNED[name]:
        derived = f.derivative(order)
        form, numbers = with_edges(derived, stable(derived.expression), tuple(values))
        for x in (-math.inf, math.inf, math.nan, -0.0, 0.0):
            found = real.value(form, {**f.parameters, **numbers, **values, "x": x})
            expected = f.with_parameters(**values).derivative(order)(x)
            np.testing.assert_allclose(found, expected, rtol=4e-16, err_msg=f"{x} {values}")
            if x == 0:  # far out, the sign of a limit of 0 is that of what rounds to it
                assert math.copysign(1, found) == math.copysign(1, expected), (x, values)


def test_what_vanishes_slowly_has_the_limit_0() -> None:
    f = limen.activation("x / (a + x**2)", a=1.0)
    form, numbers = with_edges(f, stable(f.expression), ("a",))
    for x in (-math.inf, math.inf):
        found = real.value(form, {**numbers, "a": 0.7, "x": x})
        assert found == 0 and math.copysign(1, found) == math.copysign(1, x)


def test_where_there_is_no_limit_there_is_none_to_be_read_off() -> None:
    f = limen.activation("sin(a * x) * x / (1 + abs(x))", a=1.0)
    form, numbers = with_edges(f, stable(f.expression), ("a",))
    assert math.isnan(real.value(form, {**numbers, "a": 0.7, "x": math.inf}))


# --- Without frameworks --------------------------------------------------------------------------


def fresh(code: str) -> str:
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return run.stdout.strip()


def test_no_framework_is_loaded_before_it_is_asked_for() -> None:
    code = "import sys, limen.decomposition; print(*{n.split('.')[0] for n in sys.modules})"
    assert not {"jax", "torch"} & set(fresh(code).split())


@pytest.mark.parametrize(
    ("wanted", "module", "package"),
    [
        ("import limen.jax", "jax", "JAX"),
        ("import limen.torch", "torch", "PyTorch"),
        ("import limen; limen.Model([limen.Linear(1, 1)]).to_torch()", "torch", "PyTorch"),
    ],
)
def test_what_is_missing_is_named(wanted: str, module: str, package: str) -> None:
    code = (
        f"import sys; sys.modules['{module}'] = None\n"
        f"try:\n    {wanted}\n"
        "except ImportError as error:\n    print(type(error).__name__, error)"
    )
    said = f'MissingPackageError limen.{module} needs {package}: pip install "limen[{module}]"'
    assert fresh(code) == said
