"""A function as the source of a GPU's kernel: what becomes of one element."""

from __future__ import annotations

from limen.decomposition.for_cuda import Line, text
from limen.decomposition.lower import decomposed
from limen.function import ActivationFunction

__all__ = ["flow_source", "value_source"]

_VALUE, _FLOWS = "limen_value", "limen_flows"  # as profiles show them


def value_source(f: ActivationFunction) -> str:
    """The source of one element's value, as a function of the inputs.

    Example:
        >>> import limen
        >>> print(value_source(limen.get("relu")))
        template <typename T> T limen_value(T x0) {
            const auto v0 = x0 < T(0.0);
            const auto v1 = v0 ? T(0.0) : x0;
            return v1;
        }
    """
    source: list[str] = []
    found = decomposed(f, "cuda")(*_inputs(source, len(f.inputs)))
    return _template(f"T {_VALUE}", len(f.inputs), [], [*source, f"return {text(found)};"])


def flow_source(f: ActivationFunction) -> str:
    """The source of one element's flows, as a function of what comes in and the inputs.

    A blocked neuron hands nothing on, whatever comes in.

    Example:
        >>> import limen
        >>> print(flow_source(limen.get("relu")))
        template <typename T> T limen_flows(T flow, T x0) {
            const auto v0 = x0 == x0;
            const auto v1 = x0 < T(0.0);
            const auto v2 = v1 ? T(0.0) : T(1.0);
            const auto v3 = v0 ? v2 : x0;
            return v3 == T(0) ? T(0) : flow * v3;
        }
    """
    source: list[str] = []
    inputs = _inputs(source, len(f.inputs))
    slopes = [text(decomposed(f.derivative(name), "cuda")(*inputs)) for name in f.inputs]
    flows = [f"{slope} == T(0) ? T(0) : flow * {slope}" for slope in slopes]
    if len(flows) == 1:
        return _template(f"T {_FLOWS}", 1, ["T flow"], [*source, f"return {flows[0]};"])
    given = [f"out{k} = {flow};" for k, flow in enumerate(flows)]
    return _template(f"void {_FLOWS}", len(flows), ["T flow"], [*source, *given], len(flows))


def _inputs(source: list[str], count: int) -> list[Line]:
    return [Line(source, f"x{k}") for k in range(count)]


def _template(name: str, inputs: int, first: list[str], lines: list[str], outputs: int = 0) -> str:
    taken = [*first, *(f"T x{k}" for k in range(inputs)), *(f"T& out{k}" for k in range(outputs))]
    body = "\n".join(f"    {line}" for line in lines)
    return f"template <typename T> {name}({', '.join(taken)}) {{\n{body}\n}}"
