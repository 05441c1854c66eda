"""Functions of the form x times a gate of x: SiLU, GELU, Mish and their relatives."""

from __future__ import annotations

from limen.catalog.record import Record

__all__ = ["SELF_GATED"]

SELF_GATED = (
    Record(
        name="silu",
        formula="x * sigmoid(x)",
        description="the input times its logistic function; `swish` is the one with beta",
        source="Hendrycks & Gimpel 2016, arXiv:1606.08415; Elfwing, Uchibe & Doya 2017, "
        "arXiv:1702.03118",
    ),
    # A record of its own and not an alias: with beta = 1 it is silu, but beta may be learned.
    Record(
        name="swish",
        formula="x * sigmoid(beta * x)",
        description="SiLU with a slope that may be learned; with beta = 1 it is SiLU",
        source="Ramachandran, Zoph & Le 2017, Searching for Activation Functions, arXiv:1710.05941",
        parameters={"beta": 1.0},
    ),
    Record(
        name="quick_gelu",
        formula="x * sigmoid(1.702 * x)",
        description="GELU approximated by a logistic gate",
        source="Hendrycks & Gimpel 2016, Gaussian Error Linear Units, arXiv:1606.08415, section 2",
    ),
    Record(
        name="gelu",
        formula="x * (1 + erf(x / sqrt(2))) / 2",
        description="the input times the normal distribution function",
        source="Hendrycks & Gimpel 2016, Gaussian Error Linear Units, arXiv:1606.08415",
    ),
    Record(
        name="gelu_tanh",
        formula="x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))",
        description="GELU approximated with tanh, as many published models use it",
        source="Hendrycks & Gimpel 2016, Gaussian Error Linear Units, arXiv:1606.08415, section 2",
        aliases=("gelu_new",),
    ),
    Record(
        name="mish",
        formula="x * tanh(softplus(x))",
        description="the input times tanh of its softplus",
        source="Misra 2019, Mish: A Self Regularized Non-Monotonic Activation Function, "
        "arXiv:1908.08681",
    ),
    Record(
        name="lisht",
        formula="x * tanh(x)",
        description="linearly scaled tanh: even, never negative",
        source="Roy et al. 2019, LiSHT: Non-Parametric Linearly Scaled Hyperbolic Tangent "
        "Activation Function, arXiv:1901.05894",
    ),
    Record(
        name="tanhexp",
        formula="x * tanh(exp(x))",
        description="the input times tanh of its exponential",
        source="Liu & Di 2020, TanhExp: A Smooth Activation Function with High Convergence Speed, "
        "arXiv:2003.09855",
    ),
    Record(
        name="logish",
        formula="alpha * x * log(1 + sigmoid(beta * x))",
        description="the input times the logarithm of 1 plus its logistic function",
        source="Zhu et al. 2021, Logish: A New Nonlinear Nonmonotonic Activation Function for "
        "Convolutional Neural Network, Neurocomputing 458 (its variant has beta = 10)",
        parameters={"alpha": 1.0, "beta": 1.0},
    ),
    Record(
        name="smish",
        formula="alpha * x * tanh(log(1 + sigmoid(beta * x)))",
        description="Logish, its gate put through tanh",
        source="Wang, Ren & Wang 2022, Smish: A Novel Activation Function for Deep Learning "
        "Methods, Electronics 11(4)",
        parameters={"alpha": 1.0, "beta": 1.0},
    ),
    Record(
        name="phish",
        formula="x * tanh(gelu(x))",
        description="the input times tanh of its GELU",
        source="Naveen 2022, Phish: A Novel Hyper-Optimizable Activation Function, "
        "doi:10.36227/techrxiv.17283824",
    ),
    Record(
        name="serf",
        formula="x * erf(log(1 + exp(x)))",
        description="the input times erf of its softplus",
        source="Nag & Bhattacharyya 2021, SERF: Towards Better Training of Deep Neural Networks "
        "Using Log-Softplus Error Activation Function, arXiv:2108.09598",
    ),
    Record(
        name="aptx",
        formula="(alpha + tanh(beta * x)) * gamma * x",
        description="Mish's likeness from one tanh",
        source="Kumar 2022, APTx: Better Activation Function than Mish, Swish, and ReLU's "
        "Variants Used in Deep Learning, arXiv:2209.06119",
        parameters={"alpha": 1.0, "beta": 1.0, "gamma": 0.5},
    ),
)
