"""Binds a function to its compiled kernels: which plan, which numbers, what is shared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from limen.formula import real
from limen.formula.expression import Expression, bind
from limen.formula.show import to_text
from limen.kernels.edges import far_limits, known_limits, known_patches
from limen.kernels.infinity import Limits
from limen.kernels.plan import Plan, backward_plan, forward_plan

if TYPE_CHECKING:
    from limen.function import ActivationFunction
    from limen.kernels.tuned.powers import Tuned

__all__ = ["BY", "Binding"]

BY = "by "
"""How a direction begins that gives the terms of a parameter's gradient: "by beta"."""
_LONG = 200  # characters of a formula that a title shows
_TUNED = ("forward", "backward")

Bound = tuple[Callable[..., None], tuple[float, ...]]


class Binding:
    """The kernels of one function, each compiled when it is first asked for.

    Args:
        function: the function.
        relatives: what it shares with the same function of other parameters, if it is one of many
            (a learnable parameter has a new value each step). They share what does not depend
            on the values, and nothing that takes long is worked out for one alone.
        is_closed: whether the numbers of its parameters are part of its kernels, which then are
            simpler, and no argument: of the catalogue's functions at their own numbers.
    """

    def __init__(
        self,
        function: ActivationFunction,
        relatives: dict[Any, Any] | None = None,
        *,
        is_closed: bool = False,
    ) -> None:
        self._function = function
        self.is_closed = is_closed
        self._is_one_of_many = relatives is not None
        self._bound: dict[tuple[str, str], Bound] = {}
        self.relatives: dict[Any, Any] = {} if relatives is None else relatives

    @staticmethod
    def of(function: ActivationFunction) -> Binding:
        """The binding of a function."""
        return function._binding

    def relatives_of(self, name: str) -> dict[Any, Any] | None:
        """What a function derived from this one shares with its own relatives."""
        shared: dict[Any, Any] = self.relatives.setdefault(name, {})
        return shared if self._is_one_of_many else None

    def kernel(self, direction: str, dtype: str) -> Bound:
        """The kernel of a direction, and the numbers to call it with.

        Args:
            direction: "forward", "backward", or "by beta" for the terms of a parameter's gradient.
            dtype: of the inputs.
        """
        found = self._bound.get((direction, dtype))
        if found is None:
            kernel, numbers = self.general(direction, dtype)
            tables = self._tuned_tables(direction, dtype)
            if tables:
                from limen.kernels.tuned.tier import tuned_kernel

                title = self.title(direction, dtype)
                kernel = tuned_kernel(tables, self.plan(direction), kernel, title)
            found = self._bound[direction, dtype] = (kernel, numbers)
        return found

    def general(self, direction: str, dtype: str) -> Bound:
        """The same from the general tier, which serves every function."""
        kernel, plan = self._shared(direction, dtype)
        limits = self.limits(direction) if plan.is_guarded else ()
        parameters = {} if self.is_closed else self._passes_on(direction).parameters
        parities = [real.value(power, parameters) for power in plan.parities.values()]
        return kernel, (*parameters.values(), *parities, *limits)

    def source(self, direction: str, dtype: str) -> str:
        """The source of the kernel of a direction; of a tuned one, and of the general it calls."""
        from limen.kernels.printer import to_source

        plan, title = self.plan(direction), self.title(direction, dtype)
        general = to_source(plan, dtype, title)
        tables = self._tuned_tables(direction, dtype)
        if not tables:
            return general
        from limen.kernels.tuned.tier import tuned_source

        return f"{tuned_source(tables, plan, title)}\n\n# --- general ---\n\n{general}"

    def plan(self, direction: str) -> Plan:
        """What the kernel of a direction computes."""
        numbers = self._passes_on(direction).parameters
        plan = self._plan(direction, *(({}, numbers) if self.is_closed else (numbers, {})))
        if self._is_one_of_many or direction.startswith(BY) or not plan.is_guarded:
            return plan
        low, high = (None if limit != limit else limit for limit in self.limits(direction))
        return replace(plan, limits=Limits(low, high, is_factor=direction == "backward"))

    def _plan(
        self, direction: str, parameters: Mapping[str, float], numbers: Mapping[str, float]
    ) -> Plan:
        inputs = self._function.inputs
        formulas, patches = self._computed(direction)
        formulas = [bind(formula, numbers) for formula in formulas]
        if direction == "forward":
            return forward_plan(
                formulas[0], inputs, parameters, patches, is_open=self._is_one_of_many
            )
        wide = direction.startswith(BY)
        return backward_plan(
            formulas, inputs, parameters, patches, wide=wide, is_open=self._is_one_of_many or wide
        )

    def _computed(self, direction: str) -> tuple[list[Expression], list[float]]:
        """The formulas of a direction, and the patches beside the roots of the first."""
        f = self._function
        if direction == "forward":
            return [f.expression], self._patches()
        if direction.startswith(BY):
            return [f.slope(direction.removeprefix(BY))], []
        if f.is_gated:
            return [f.slope(name) for name in f.inputs], []
        steep = f.derivative()
        return [steep.expression], Binding.of(steep)._patches()

    def title(self, direction: str, dtype: str) -> str:
        """What the source of a kernel says it is."""
        f = self._function
        formula = to_text(f.expression, _LONG)
        return f"{f.name}, {direction}, {dtype}: generated by limen from {formula}"

    def limits(self, direction: str) -> Sequence[float]:
        """The limits at both infinities of the value, or of the derivative."""
        f = self._function
        if direction == "backward":
            return Binding.of(f.derivative()).limits("forward")
        if direction.startswith(BY):
            return Binding.of(f.derivative(direction.removeprefix(BY))).limits("forward")
        if not self._is_one_of_many:
            return known_limits(f.expression, f.inputs[0], f.parameters)
        # Not shared: exp(a*x) has other limits at a = 0, and exp(a*x - x) at a = 1.
        found = far_limits(f.expression, f.inputs[0], f.parameters)
        return known_limits(f.expression, f.inputs[0], f.parameters) if found is None else found

    def _tuned_tables(self, direction: str, dtype: str) -> tuple[Tuned, ...]:
        """The tables that serve a direction; none where the general tier does."""
        if dtype != "float32" or direction not in _TUNED:
            return ()
        from limen.kernels.tuned.tier import tuned_table

        f = self._function
        computed = [(f, direction)]
        if direction == "backward":
            computed = [(f.derivative(f.inputs[0] if f.is_gated else 1), direction)]
            if f.is_gated:
                # The gradient by the value is multiplied with what the gate lets through.
                computed.append((self._passes_on(direction), "forward"))
        found = [tuned_table(g.expression, g.parameters, way, dtype) for g, way in computed]
        return tuple(table for table in found if table is not None) if all(found) else ()

    def _passes_on(self, direction: str) -> ActivationFunction:
        """The function whose formula the direction computes."""
        surrogate = self._function.surrogate_function if direction == "backward" else None
        return surrogate or self._function

    def _shared(self, direction: str, dtype: str) -> tuple[Callable[..., None], Plan]:
        key = (direction, dtype, self._function.surrogate_function)
        found: tuple[Callable[..., None], Plan] | None = None
        if self._is_one_of_many:
            found = self.relatives.get(key)
        if found is None:
            plan = self.plan(direction)
            found = _compiled(plan, dtype, self.title(direction, dtype)), plan
            if self._is_one_of_many:
                self.relatives[key] = found
        return found

    def _patches(self) -> list[float]:
        """What the kernel needs beside the function's roots."""
        f = self._function
        if f.is_gated or self._is_one_of_many:
            return []
        if self.is_closed:
            return known_patches(bind(f.expression, f.parameters), f.inputs[0], {})
        return known_patches(f.expression, f.inputs[0], f.parameters)


@lru_cache(maxsize=1024)
def _compiled(plan: Plan, dtype: str, title: str) -> Callable[..., None]:
    from limen.kernels.cache import compile_kernel

    return compile_kernel(plan, dtype, title)
