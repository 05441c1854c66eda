"""An activation function as calls of another framework's own operations.

For what a framework shall trace, fuse, export or run on devices that limen has no kernels for. It
is made from the stable form of the formula, and where that cancels or overflows in float32, of the
form for the tail or a series. The derivative is the stable form of the derivative: never the
derivative of the steps.
"""

from limen.decomposition.lower import Framework, decomposed, only_chooses, written
from limen.decomposition.program import Program

__all__ = ["Framework", "Program", "decomposed", "only_chooses", "written"]
