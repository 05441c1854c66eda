"""limen's functions as JAX's own: derivatives of any order, under every transformation.

Example:
    >>> import jax
    >>> import limen.jax as lj
    >>> mish = lj.activation("x * tanh(softplus(x))")
    >>> mish(1.0), jax.grad(mish)(1.0), jax.grad(jax.grad(mish))(1.0)
    (Array(0.865..., dtype=float32, weak_type=True),
     Array(1.049..., dtype=float32, weak_type=True),
     Array(0.184..., dtype=float32, weak_type=True))
"""

from limen.errors import MissingPackageError

try:
    from limen.jax.activation import Activation, activation
except ModuleNotFoundError as error:
    if not (error.name or "").startswith("jax"):
        raise
    raise MissingPackageError('limen.jax needs JAX: pip install "limen[jax]"') from error

__all__ = ["Activation", "activation"]
