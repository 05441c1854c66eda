"""The trace against arithmetic on paper: its numbers are read back from the text and recomputed."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import limen


def paper_model(function: Any = "relu") -> limen.Model:
    """Two inputs, two hidden neurons, one output, with numbers for paper."""
    first, last = limen.Linear(2, 2), limen.Linear(2, 1)
    first.weight.value, first.bias.value = [[1.0, 2.0], [-1.0, 0.5]], [0.5, 0.0]
    last.weight.value, last.bias.value = [[2.0, -3.0]], [1.0]
    return limen.Model([first, limen.Activation(function), last], dtype="float64")


def traced(model: limen.Model, *data: Any, **options: Any) -> str:
    return str(model.trace(*data, show=False, **options))


def test_every_step_of_a_small_model() -> None:
    text = traced(paper_model(), [1.0, -1.0], [3.0], limen.HalfSquaredError())
    # Forward: z = (1 - 2 + 0.5, -1 - 0.5) = (-0.5, -1.5), relu 0 0, output 1, loss 1/2 (1-3)^2.
    for line in (
        "layer 0, Linear(2, 2):  y[j] = sum_i W[j,i] x[i] + b[j]",
        "  y[0] = 1*1 + 2*(-1) + 0.5 = -0.5",
        "  y[1] = (-1)*1 + 0.5*(-1) + 0 = -1.5",
        "  y[0] = relu(-0.5) = 0",
        "  y[0] = 2*0 + (-3)*0 + 1 = 1",
        "  loss = 1/2 [(1 - 3)^2] = 2",
        "  flow[0] = (1 - 3) = -2",
        "  grad_input[0] = (-2)*2 = -4",
        "  grad_input[1] = (-2)*(-3) = 6",
        "  dL/dW[0,1] = (-2)*0 = 0",
        "  dL/db[0] = -2",
        "  grad_input[1] = 6*f'(-1.5) = 6*0 = 0  (blocked: the flow ends here)",
    ):
        assert line in text.splitlines(), f"{line!r} is missing:\n{text}"


NUMBER = r"\(?(-?[\d.]+(?:e[-+]\d+)?)\)?"


def worked_sums(text: str) -> list[tuple[float, float]]:
    """(recomputed, printed) of every line that is a sum of products."""
    found = []
    for line in text.splitlines():
        match = re.fullmatch(r"\s*[\w/\[\],]+ = (.*\*.*) = (\S+)", line)
        if match and "f'" not in line and "df" not in line and "..." not in line:
            total = 0.0
            for term in match[1].split(" + "):
                factors = [float(re.fullmatch(NUMBER, f)[1]) for f in term.split("*")]  # type: ignore[index]
                total += float(np.prod(factors))
            found.append((total, float(match[2])))
    return found


def test_the_printed_sums_are_right() -> None:
    layers = [limen.Linear(3, 4), limen.Activation("tanh"), limen.Linear(4, 2)]
    model = limen.Model(layers, dtype="float64")
    x = np.random.default_rng(0).normal(size=(2, 3))
    text = traced(model, x, [0, 1], limen.CrossEntropy(), samples=2, neurons=9)
    sums = worked_sums(text)
    assert len(sums) == 2 * (4 + 2) + 2 * (4 + 3) + (8 + 12)
    for recomputed, printed in sums:
        assert recomputed == pytest.approx(printed, rel=1e-4, abs=1e-5)


def test_the_layers_hold_what_the_trace_shows() -> None:
    model = paper_model("tanh")
    text = traced(model, [0.3, 0.7], [1.0], limen.HalfSquaredError())
    for layer in model.layers:
        for value in (*layer.output, *layer.grad_input):
            assert f"{value:.6g}" in text
    for parameter in model.parameters():
        for value in parameter.grad.flat:
            assert f"{value:.6g}" in text


def test_gated_vector_and_learnable_layers() -> None:
    swish = limen.activation("x * sigmoid(beta * x)", name="swish", beta=1.0)
    layers = [
        limen.Linear(2, 6),
        limen.Activation("swiglu"),
        limen.Activation(swish, learnable=("beta",)),
        limen.Activation(limen.softmax),
        limen.Activation(limen.log_softmax),
    ]
    model = limen.Model(layers, dtype="float64")
    text = traced(model, [0.5, -1.0], [0.0, 1.0, 0.0], limen.HalfSquaredError())
    gated = model.layers[1]
    value, gate = gated.input[:3], gated.input[3:]
    assert (
        f"y[2] = swiglu(gate={gate[2]:.6g}, value={value[2]:.6g}) = {gated.output[2]:.6g}" in text
    )
    for at in (0, 5):
        assert re.search(
            rf"grad_input\[{at}\] = .* = {re.escape(f'{gated.grad_input[at]:.6g}')}", text
        )
    assert f"dL/dbeta = {model.layers[2].learnable['beta'].grad:.6g}" in text  # type: ignore[attr-defined]
    assert "softmax(x)[1] with x[1] = " in text
    soft = model.layers[3]
    inner = float(soft.grad_output @ soft.output)
    step = soft.output[0] * (soft.grad_output[0] - inner)
    assert soft.grad_input[0] == pytest.approx(step, rel=1e-9)
    shown = f"({inner:.6g})" if inner < 0 else f"{inner:.6g}"
    assert f"grad_input[0] = {soft.output[0]:.6g}*({soft.grad_output[0]:.6g} - {shown})" in text


@pytest.mark.parametrize(
    ("loss", "target", "shown"),
    [
        (limen.CrossEntropy(), [0], "log(exp("),
        (limen.CrossEntropy(), [[0.25, 0.75]], "flow[0] = "),
        (limen.BinaryCrossEntropy(from_logits=True), [[0, 1]], "(logistic("),
        (limen.BinaryCrossEntropy(from_logits=True), [[0, 1]], " = [softplus("),
        (limen.HalfSquaredError(), [[0.0, 1.0]], "1/2 [("),
    ],
    ids=["labels", "probabilities", "binary", "binary loss", "squared"],
)
def test_losses(loss: Any, target: Any, shown: str) -> None:
    model = limen.Model([limen.Linear(2, 2)], dtype="float64")
    text = traced(model, [[1.0, 2.0]], target, loss)
    assert shown in text
    assert f"{loss(model.layers[0].output, target):.6g}" in text


def test_probabilities_of_a_logistic_layer() -> None:
    model = limen.Model([limen.Linear(2, 1), limen.Activation("logistic")], dtype="float64")
    text = traced(model, [1.0, 2.0], [1], limen.BinaryCrossEntropy())
    assert "flow[0] = ((1 - 1) / (1 - " in text
    p = model.layers[1].output[0]
    assert f"  loss = -[1*log({p:.6g}) + (1 - 1)*log(1 - {p:.6g})] = {-np.log(p):.6g}" in text


def test_formulas_come_with_their_parameters_and_slopes() -> None:
    layers = [
        limen.Linear(2, 4),
        limen.Activation(limen.get("swish", beta=2.5), learnable="beta"),
        limen.Activation(limen.get("heaviside").surrogate("arctan")),
        limen.Activation("bilinear"),
    ]
    model = limen.Model(layers)
    layers[1].learnable["beta"].value = 1.5
    text = traced(model, [0.5, -1.0], [0.0, 1.0], limen.HalfSquaredError())
    for said in (
        "swish = x * sigmoid(beta * x),  beta = 1.5",
        "f'(x[j]),  f' = 1 / (1 + x**2) (that of arctan)",
        "half by half,  df/dvalue = gate,  df/dgate = value",
    ):
        assert said in text


def test_wide_layers_are_cut_kindly() -> None:
    model = limen.Model([limen.Linear(50, 30), limen.Activation("relu"), limen.Linear(30, 1)])
    x, y = np.ones((5, 50)), np.zeros((5, 1))
    short = traced(model, x, y, limen.HalfSquaredError(), neurons=2)
    assert len(short.splitlines()) < 80
    assert "... (48 more)" in short
    assert "... and 28 more neurons" in short
    assert "... and 4 more samples" in short
    assert len(short) < len(traced(model, x, y, limen.HalfSquaredError(), neurons=3, samples=2))


def test_it_prints_and_returns(capsys: pytest.CaptureFixture[str]) -> None:
    trace = paper_model().trace([1.0, 1.0], [0.0], limen.HalfSquaredError())
    assert capsys.readouterr().out == f"{trace}\n"
    assert repr(trace).startswith("<Trace of 3 layers, loss ")
    with pytest.raises(ValueError, match="at least 1"):
        paper_model().trace([1.0, 1.0], [0.0], limen.HalfSquaredError(), neurons=0)


def test_it_warns_of_layers_that_are_one_linear_function() -> None:
    text = traced(paper_model("identity"), [1.0, 1.0], [0.0], limen.HalfSquaredError())
    assert "Layers 0 to 2 are ONE linear function" in text
