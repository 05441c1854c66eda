"""Formula against kernels, by rigorous arithmetic.

    >>> import limen
    >>> certificate = limen.certify.check(limen.get("tanh"), derivative=1, dtype="float16")
    >>> certificate.holds(0.5)
    True

`check` is what people call. Behind it, `exhaustive` checks every input of a format of 16 or 32
bits, `sampled` a dense sample of the others, and `mutants` the checker itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from limen.certify.certificate import Certificate
    from limen.function import ActivationFunction

__all__ = ["check"]


def check(
    function: ActivationFunction,
    derivative: int | str = 0,
    dtype: object = "float32",
    kernel: Callable[..., object] | None = None,
    *,
    progress: Callable[[int, int], object] | None = None,
) -> Certificate:
    """Checks the kernel of a function against its formula as written, rigorously.

    Args:
        function: an activation function.
        derivative: 0 for the value, n for the n-th derivative; of a gated function, the name of the
            input to derive by.
        dtype: float32, float16, bfloat16: every input is checked. float64: a dense sample, as for
            every gated function.
        kernel: another kernel to check in place of the function's own: a callable
            `kernel(x, out)`, or `kernel(gate, value, out)`, of contiguous arrays of the dtype.
        progress: is told how many inputs are done, and of how many.

    Returns:
        The certificate: the largest error in ULP and where it is, the share of correctly rounded
        results, special values, and what could not be decided.

    Raises:
        LimenError: if python-flint, of the extra `certify`, is not installed.
        UnknownNameError: for a derivative by what is no input.
        DtypeError: for a dtype limen does not compute with.

    Example:
        >>> import limen
        >>> check(limen.get("silu"), dtype="float16").max_ulp <= 0.501
        True
    """
    from limen.certify import exhaustive, sampled
    from limen.certify.measure import format_of

    if function.is_gated or format_of(dtype).name == "float64":
        return sampled.check(function, derivative, dtype, kernel, progress=progress)
    return exhaustive.check(
        function, exhaustive.order_of(function, derivative), dtype, kernel, progress=progress
    )


def __getattr__(name: str) -> Any:
    if name == "Certificate":
        from limen.certify.certificate import Certificate

        return Certificate
    raise AttributeError(f"module 'limen.certify' has no attribute {name!r}")
