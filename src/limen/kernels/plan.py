"""Plans a kernel: which numbers go in, which expressions come out, lowered to primitives.

A plan is the last thing that is still mathematics. Everything a kernel does beside loading and
storing is an expression: the choice of a branch, the product with the incoming gradient, and the
guards that make the edges exact (limits at infinity, NaN in NaN out, the sign of zero).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from limen.formula.expression import (
    MINUS_ONE,
    ONE,
    ZERO,
    Expression,
    add,
    apply,
    constant,
    evaluate,
    input_,
    multiply,
    names,
    negate,
    rebuild,
)
from limen.formula.shifted import shifted
from limen.formula.stabilize import stable
from limen.kernels.economy import economical
from limen.kernels.guards import (
    LIMIT_NAMES,
    is_choice,
    is_nan_check,
    keep_zero_sign,
    passes_nan,
    unless_nan,
    with_limits,
)
from limen.kernels.infinity import Limits, needs_limits
from limen.kernels.overflow import raised, spread_denominators, square_root
from limen.kernels.parity import signed_power, with_parities, without_vanished
from limen.kernels.patches import Window, apply_patches
from limen.kernels.tails import in_window

__all__ = ["GRAD_OUTPUT", "LIMIT_NAMES", "Plan", "backward_plan", "forward_plan"]

GRAD_OUTPUT = "grad_output"
_UNKNOWN = Limits()
# Kernels compute in float64, and in pairs of them.
_LARGE = constant(1 << 500)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a kernel computes for each element.

    Attributes:
        inputs: the arrays read, by name.
        parameters: the numbers passed, by name: the function's, parities, and `LIMIT_NAMES` in a
            guarded plan.
        outputs: one lowered expression for each array written.
        wide: for each output, whether it is stored as float64 whatever the dtype.
        limits: what is known of the numbers passed as `LIMIT_NAMES`.
        parities: for each parity that is passed, the power of -1 that it is.
    """

    inputs: tuple[str, ...]
    parameters: tuple[str, ...]
    outputs: tuple[Expression, ...]
    wide: tuple[bool, ...]
    limits: Limits = _UNKNOWN
    parities: Mapping[str, Expression] = field(default_factory=dict, compare=False)

    @property
    def is_guarded(self) -> bool:
        """Whether the limits at infinity are passed in."""
        return self.parameters[-2:] == LIMIT_NAMES


def forward_plan(
    expression: Expression,
    inputs: tuple[str, ...],
    parameters: Mapping[str, float],
    patches: Sequence[float] = (),
    *,
    is_open: bool = False,
) -> Plan:
    """The plan of a function's value, with the patches beside its roots.

    Args:
        expression: the formula.
        inputs: the names of its inputs.
        parameters: the values of the parameters that are passed to the kernel.
        patches: what `known_patches` found, of a function of one input.
        is_open: whether the kernel serves all values of the parameters, and has no patches.
    """
    form = _form(expression, inputs, is_open)
    guarded, passed = _edged(form, expression, inputs, parameters, patches)
    return _planned(inputs, (*parameters,), passed, (guarded,), wide=False)


def backward_plan(
    slopes: Sequence[Expression],
    inputs: tuple[str, ...],
    parameters: Mapping[str, float],
    patches: Sequence[float] = (),
    *,
    wide: bool = False,
    is_open: bool = False,
) -> Plan:
    """The plan of grad_output * slope for each slope; wide results stay float64."""
    outputs: list[Expression] = []
    passed: tuple[str, ...] = ()
    for slope in slopes:
        form = _form(slope, inputs, is_open)
        guarded, passed = _edged(form, slope, inputs, parameters, patches)
        outputs.append(_flow(guarded))
    return _planned((GRAD_OUTPUT, *inputs), (*parameters,), passed, outputs, wide=wide)


def _planned(
    inputs: tuple[str, ...],
    parameters: tuple[str, ...],
    passed: tuple[str, ...],
    outputs: Sequence[Expression],
    *,
    wide: bool,
) -> Plan:
    finished, parities = with_parities(outputs)
    numbers, kinds = (*parameters, *parities, *passed), (wide,) * len(finished)
    return Plan(inputs, numbers, finished, kinds, parities=parities)


def _flow(slope: Expression) -> Expression:
    """grad_output * slope; a blocked neuron hands nothing on, whatever comes in.

    What chooses between numbers chooses between their products, which LLVM then need not widen. Of
    a bare product of inputs no factor is a neuron: it is multiplied as PyTorch does.
    """
    if is_choice(slope):
        condition, yes, no = slope.arguments
        if is_nan_check(condition):
            return unless_nan(no, _flow(yes))
        return apply("where", condition, _flow(yes), _flow(no))
    product = multiply(slope, input_(GRAD_OUTPUT))
    if slope.is_constant or slope.operation == "input":
        return product
    return apply("where", apply("equal", slope, ZERO), ZERO, product)


def _form(expression: Expression, inputs: tuple[str, ...], is_open: bool) -> Expression:
    """The form that is computed: where no patches look after the tails, by its largest terms."""
    form = stable(expression)
    return shifted(form) if is_open or len(inputs) > 1 else form


def _edged(
    form: Expression,
    expression: Expression,
    inputs: tuple[str, ...],
    parameters: Mapping[str, float],
    patches: Sequence[float],
) -> tuple[Expression, tuple[str, ...]]:
    """The lowered expression with exact edges, and the names of the limits it needs."""
    lowered = lower(economical(form))
    if len(inputs) != 1:
        return lowered, ()
    x = input_(inputs[0])

    def tail(window: Window) -> Expression:
        return lower(economical(in_window(form, window, parameters)))

    patched = apply_patches(lowered, x, patches, tail)
    signed = keep_zero_sign(patched, expression, x, parameters)
    if needs_limits(lowered, parameters):
        return with_limits(signed, x), LIMIT_NAMES
    return signed if passes_nan(lowered) else unless_nan(x, signed), ()


# --- Lowering --------------------------------------------------------------------------------


def lower(root: Expression) -> Expression:
    """The expression in operations that kernels have primitives for."""
    root = without_vanished(spread_denominators(root))

    def visit(node: Expression, *arguments: Expression) -> Expression:
        found = _LOWERINGS.get(node.operation)
        return found(*arguments) if found else rebuild(node, arguments)

    result: Expression = evaluate(root, visit)
    return result


def _lower_minimum(a: Expression, b: Expression) -> Expression:
    return apply("where", apply("less", b, a), b, a)


def _lower_maximum(a: Expression, b: Expression) -> Expression:
    return apply("where", apply("less", a, b), b, a)


def _lower_clip(a: Expression, low: Expression, high: Expression) -> Expression:
    below_high = apply("where", apply("less", high, a), high, a)
    return apply("where", apply("less", a, low), low, below_high)


def _lower_sign(a: Expression) -> Expression:
    """Zero keeps its sign, and NaN stays."""
    positive = apply("where", apply("less", ZERO, a), ONE, a)
    return apply("where", apply("less", a, ZERO), constant(-1), positive)


def _lower_multiply(a: Expression, b: Expression) -> Expression:
    """A number times a choice of 0 or 1 of the same x is a choice, where infinity meets no 0."""
    for number, switch in ((a, b), (b, a)):
        inputs = names(multiply(a, b), "input")
        if len(inputs) == 1 and number.varies and _is_switch(switch):
            chosen = _switched(switch, number)
            if passes_nan(chosen):
                return chosen
    return multiply(a, b)


def _is_switch(node: Expression) -> bool:
    branches = node.arguments[1:] if node.operation == "where" else ()
    return bool(branches) and all(b in (ZERO, ONE) or _is_switch(b) for b in branches)


def _switched(switch: Expression, number: Expression) -> Expression:
    if switch.operation != "where":
        return number if switch is ONE else ZERO
    condition, *branches = switch.arguments
    return apply("where", condition, *(_switched(branch, number) for branch in branches))


def _lower_sqrt(square: Expression) -> Expression:
    """-(a - b) is b - a, which is 0 where they are equal, not -0, of which the root is -0."""
    if square.operation == "multiply" and square.arguments[0] is MINUS_ONE:
        terms = square.arguments[1].arguments
        if square.arguments[1].operation == "add":
            square = add(*map(negate, reversed(terms)))
    return square_root(square, _LARGE)


def _lower_power(base: Expression, exponent: Expression) -> Expression:
    return signed_power(base, exponent) or raised(base, exponent, _LARGE)


_LOWERINGS: dict[str, Callable[..., Expression]] = {
    "minimum": _lower_minimum,
    "maximum": _lower_maximum,
    "clip": _lower_clip,
    "multiply": _lower_multiply,
    "sign": _lower_sign,
    "power": _lower_power,
    "sqrt": _lower_sqrt,
}
