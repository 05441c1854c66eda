"""Smooth functions that are not an input times its gate: sigmoids, softplus' family, waves."""

from __future__ import annotations

from limen.catalog.record import Record

__all__ = ["SMOOTH"]

SMOOTH = (
    Record(
        name="identity",
        formula="x",
        description="the input itself: Linear layers around it collapse into one",
        source="PyTorch, torch.nn.Identity",
        aliases=("linear",),
    ),
    Record(
        name="logistic",
        formula="1 / (1 + exp(-x))",
        description="the S-shaped curve from 0 to 1",
        source="Verhulst 1845; Rumelhart, Hinton & Williams 1986, Learning Representations by "
        "Back-Propagating Errors",
        aliases=("sigmoid",),
    ),
    Record(
        name="log_sigmoid",
        formula="log(1 / (1 + exp(-x)))",
        description="the logarithm of the logistic function",
        source="PyTorch, torch.nn.LogSigmoid",
        aliases=("logsigmoid",),
    ),
    Record(
        name="tanh",
        formula="tanh(x)",
        description="the hyperbolic tangent, from -1 to 1",
        source="LeCun, Bottou, Orr & Müller 1998, Efficient BackProp",
    ),
    Record(
        name="tanhshrink",
        formula="x - tanh(x)",
        description="what tanh takes away from its input",
        source="PyTorch, torch.nn.Tanhshrink",
        aliases=("tanh_shrink",),
    ),
    Record(
        name="softplus",
        formula="log(1 + exp(beta * x)) / beta",
        description="the smooth ReLU; its derivative is the logistic function",
        source="Dugas et al. 2001, Incorporating Second-Order Functional Knowledge for Better "
        "Option Pricing; beta as PyTorch, without its threshold: exact for every input",
        parameters={"beta": 1.0},
    ),
    Record(
        name="squareplus",
        formula="(x + sqrt(x**2 + b)) / 2",
        description="a smooth ReLU of algebraic operations only",
        source="Barron 2021, Squareplus: A Softplus-Like Algebraic Rectifier, arXiv:2112.11687",
        parameters={"b": 4.0},
    ),
    Record(
        name="softsign",
        formula="x / (1 + abs(x))",
        description="an algebraic sigmoid from -1 to 1 with slowly flattening tails",
        source="Turian, Bergstra & Bengio 2009, Quadratic Features and Deep Architectures for "
        "Chunking",
        aliases=("soft_sign",),
    ),
    Record(
        name="isru",
        formula="x / sqrt(1 + alpha * x**2)",
        description="inverse square root unit: an algebraic sigmoid",
        source="Carlile et al. 2017, Improving Deep Learning by Inverse Square Root Linear Units, "
        "arXiv:1710.09967",
        parameters={"alpha": 1.0},
    ),
    Record(
        name="arctan",
        formula="atan(x)",
        description="the inverse tangent, from -pi/2 to pi/2",
        source="Kamruzzaman & Aziz 2002, A Note on Activation Function in Multilayer Feedforward "
        "Learning",
    ),
    Record(
        name="bent_identity",
        formula="(sqrt(x**2 + 1) - 1) / 2 + x",
        description="a gently bent line, of slope 1/2 far left and 3/2 far right",
        source="Wikipedia, Activation function (table of activation functions)",
    ),
    Record(
        name="sine",
        formula="sin(x)",
        description="a plain wave: no limits at infinity",
        source="Sitzmann et al. 2020, Implicit Neural Representations with Periodic Activation "
        "Functions, arXiv:2006.09661",
    ),
    Record(
        name="snake",
        formula="x + sin(alpha * x)**2 / alpha",
        description="the identity with a wave on it, for periodic data",
        source="Ziyin, Hartwig & Ueda 2020, Neural Networks Fail to Learn Periodic Functions and "
        "How to Fix It, arXiv:2006.08195",
        parameters={"alpha": 1.0},
    ),
    Record(
        name="gaussian",
        formula="exp(-x**2)",
        description="the bell curve",
        source="Broomhead & Lowe 1988, Multivariable Functional Interpolation and Adaptive "
        "Networks",
    ),
    Record(
        name="laplace",
        formula="(1 + erf((x - mu) / (sigma * sqrt(2)))) / 2",
        description="the normal distribution function, placed so as to resemble squared ReLU",
        source="Ma et al. 2022, Mega: Moving Average Equipped Gated Attention, arXiv:2209.10655; "
        "numbers as Hugging Face's LaplaceActivation",
        parameters={"mu": 0.707107, "sigma": 0.282095},
    ),
    Record(
        name="exponential",
        formula="exp(x)",
        description="the exponential function",
        source="Keras, keras.activations.exponential",
    ),
)
