"""Functions made of pieces: ReLU and its relatives, hard versions of smooth ones, thresholds.

At a kink the derivative is that of the branch the formula takes there. Where a paper leaves the
choice open, `x > 0` or `x < 0` below follows PyTorch's layer of that name, but for ReLU and
Heaviside, which limen's founding document defines with the right branch at 0.
"""

from __future__ import annotations

from limen.catalog.record import Record

__all__ = ["PIECEWISE"]

PIECEWISE = (
    Record(
        name="relu",
        formula="where(x < 0, 0, x)",
        description="rectified linear unit: passes what is positive, blocks the rest",
        source="Nair & Hinton 2010, Rectified Linear Units Improve Restricted Boltzmann Machines",
        torch_kinks={0: 0.0},
    ),
    Record(
        name="relu6",
        formula="clip(x, 0, 6)",
        description="ReLU capped at 6",
        source="Krizhevsky 2010, Convolutional Deep Belief Networks on CIFAR-10",
        torch_kinks={0: 0.0, 6: 0.0},
    ),
    Record(
        name="leaky_relu",
        formula="where(x > 0, x, negative_slope * x)",
        description="ReLU that lets a small share of the negative side through",
        source="Maas, Hannun & Ng 2013, Rectifier Nonlinearities Improve Neural Network "
        "Acoustic Models",
        parameters={"negative_slope": 0.01},
        torch_kinks={0: "negative_slope"},
    ),
    Record(
        name="prelu",
        formula="where(x > 0, x, weight * x)",
        description="leaky ReLU whose negative slope may be learned",
        source="He et al. 2015, Delving Deep into Rectifiers, arXiv:1502.01852",
        parameters={"weight": 0.25},
        torch_kinks={0: "weight"},
    ),
    Record(
        name="threshold",
        formula="where(x > threshold, x, replacement)",
        description="the input above a threshold, a fixed value at or below it",
        # PyTorch calls the replacement `value`: in limen that is an input of the gated family.
        source="PyTorch, torch.nn.Threshold (which asks for both parameters; 0 and 0 here)",
        parameters={"threshold": 0.0, "replacement": 0.0},
        torch_kinks={"threshold": 0.0},
    ),
    Record(
        name="thresholded_relu",
        formula="where(x > theta, x, 0)",
        description="ReLU that jumps: the input above theta, 0 at or below it",
        source="Konda, Memisevic & Krueger 2014, Zero-Bias Autoencoders, arXiv:1402.3337",
        parameters={"theta": 1.0},
    ),
    Record(
        name="hardtanh",
        formula="clip(x, min_val, max_val)",
        description="the identity between two bounds, constant outside",
        source="Collobert 2004, Large Scale Machine Learning (thesis); parameters as PyTorch",
        parameters={"min_val": -1.0, "max_val": 1.0},
        aliases=("hard_tanh",),
        torch_kinks={"min_val": 0.0, "max_val": 0.0},
    ),
    Record(
        name="hardsigmoid",
        formula="clip(x + 3, 0, 6) / 6",
        description="the logistic function in three straight pieces",
        source="PyTorch, torch.nn.Hardsigmoid; Howard et al. 2019, arXiv:1905.02244",
        aliases=("hard_sigmoid",),
        torch_kinks={-3: 0.0, 3: 0.0},
    ),
    Record(
        name="hardswish",
        formula="x * clip(x + 3, 0, 6) / 6",
        description="SiLU with a piecewise linear gate",
        source="Howard et al. 2019, Searching for MobileNetV3, arXiv:1905.02244",
        aliases=("hard_silu", "hard_swish"),
        torch_kinks={-3: 0.0, 3: 1.0},
    ),
    Record(
        name="hard_mish",
        formula="x / 2 * clip(x + 2, 0, 2)",
        description="Mish with a piecewise linear gate",
        source="Misra 2020, H-Mish (github.com/digantamisra98/H-Mish); timm, hard_mish",
        aliases=("hardmish",),
    ),
    Record(
        name="hardshrink",
        formula="where(abs(x) > lambd, x, 0)",
        description="the identity outside [-lambd, lambd], 0 within",
        source="Donoho & Johnstone 1994, Ideal Spatial Adaptation by Wavelet Shrinkage; "
        "default as PyTorch",
        parameters={"lambd": 0.5},
        aliases=("hard_shrink",),
        torch_kinks={"-lambd": 0.0, "lambd": 0.0},
    ),
    Record(
        name="softshrink",
        formula="where(x > lambd, x - lambd, where(x < -lambd, x + lambd, 0))",
        description="draws the input towards 0 by lambd, and to 0 within [-lambd, lambd]",
        source="Donoho & Johnstone 1994, Ideal Spatial Adaptation by Wavelet Shrinkage; "
        "default as PyTorch",
        parameters={"lambd": 0.5},
        aliases=("soft_shrink",),
        torch_kinks={"-lambd": 0.0, "lambd": 0.0},
    ),
    Record(
        name="elu",
        formula="where(x > 0, x, alpha * (exp(x) - 1))",
        description="exponential linear unit: saturates smoothly at -alpha",
        source="Clevert, Unterthiner & Hochreiter 2015, Fast and Accurate Deep Network Learning "
        "by Exponential Linear Units, arXiv:1511.07289",
        parameters={"alpha": 1.0},
        torch_kinks={0: "alpha"},
    ),
    Record(
        name="celu",
        formula="where(x < 0, alpha * (exp(x / alpha) - 1), x)",
        description="ELU whose derivative is continuous for every alpha",
        source="Barron 2017, Continuously Differentiable Exponential Linear Units, "
        "arXiv:1704.07483",
        parameters={"alpha": 1.0},
    ),
    Record(
        name="selu",
        formula="scale * where(x > 0, x, alpha * (exp(x) - 1))",
        description="ELU scaled so that mean 0 and variance 1 are kept from layer to layer",
        source="Klambauer et al. 2017, Self-Normalizing Neural Networks, arXiv:1706.02515",
        # The paper's numbers; the nearest binary64 values are what every framework uses.
        parameters={
            "alpha": 1.6732632423543772848170429916717,
            "scale": 1.0507009873554804934193349852946,
        },
        torch_kinks={0: "scale * alpha"},
    ),
    Record(
        name="heaviside",
        formula="where(x < 0, 0, 1)",
        description="the unit step, 1 at 0: no flow comes back without a surrogate",
        source="McCulloch & Pitts 1943, A Logical Calculus of the Ideas Immanent in Nervous "
        "Activity",
        aliases=("step",),
    ),
    Record(
        name="sparse_plus",
        formula="where(x <= -1, 0, where(x < 1, (x + 1)**2 / 4, x))",
        description="softplus' sparse twin: exactly 0 below -1, exactly x above 1",
        source="JAX, jax.nn.sparse_plus",
    ),
    Record(
        name="sparse_sigmoid",
        formula="clip(x + 1, 0, 2) / 2",
        description="the derivative of sparse_plus: a straight line from 0 at -1 to 1 at 1",
        source="Blondel, Martins & Niculae 2019, Learning with Fenchel-Young Losses, "
        "arXiv:1901.02324, section 6.2; JAX, jax.nn.sparse_sigmoid",
    ),
    Record(
        name="relu_squared",
        formula="where(x < 0, 0, x)**2",
        description="ReLU, squared",
        source="So et al. 2021, Primer: Searching for Efficient Transformers, arXiv:2109.08668",
        aliases=("relu2", "squared_relu"),
    ),
    Record(
        name="star_relu",
        formula="scale * where(x < 0, 0, x)**2 + bias",
        description="squared ReLU, scaled and shifted to mean 0 and variance 1 for normal inputs",
        source="Yu et al. 2022, MetaFormer Baselines for Vision, arXiv:2210.13452",
        parameters={"scale": 0.8944, "bias": -0.4472},
    ),
)
