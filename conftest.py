"""What pytest leaves alone: modules of frameworks that are not installed here."""

from __future__ import annotations

from importlib.util import find_spec

# A module that is made for one framework imports it at its top, and cannot be searched for
# doctests without it.
_NEEDS = {
    "src/limen/bench/peers/with_torch.py": "torch",
    "src/limen/bench/peers/with_jax.py": "jax",
    "src/limen/decomposition/for_torch.py": "torch",
    "src/limen/insight/observing/pytorch": "torch",
    "src/limen/insight/plot/torch_stages.py": "torch",
    "src/limen/layers/conversion.py": "torch",
    "src/limen/playground/visit.py": "starlette",
    "src/limen/torch": "torch",
    "src/limen/torch/registration.py": "transformers",
    "src/limen/jax": "jax",
    "tests/integration/distributed_training.py": "torch",
    "tests/integration/loading.py": "torch",
}

collect_ignore = [path for path, package in _NEEDS.items() if find_spec(package) is None]
