"""Linear, Activation and Model: both passes worked out by hand, and errors that name the place."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import limen

X = np.array([[1.0, -2.0], [0.5, 0.25], [-1.0, 3.0]])


def small(dtype: str = "float64", **options: Any) -> limen.Model:
    layers = [limen.Linear(2, 3), limen.Activation("tanh"), limen.Linear(3, 2)]
    return limen.Model(layers, dtype=dtype, **options)


# The passes.


def test_linear_passes_by_hand() -> None:
    layer = limen.Linear(2, 3)
    layer.weight.value = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    layer.bias.value = [0.5, 0.0, -0.5]
    model = limen.Model([layer], dtype="float64")
    assert model.forward([1.0, -1.0]).tolist() == [-0.5, -1.0, -1.5]
    assert model.backward([1.0, 0.0, 2.0]).tolist() == [11.0, 14.0]
    assert layer.weight.grad.tolist() == [[1.0, -1.0], [0.0, 0.0], [2.0, -2.0]]
    assert layer.bias.grad.tolist() == [1.0, 0.0, 2.0]


def test_batch_is_its_samples_one_by_one() -> None:
    model = small()
    grad = np.array([[1.0, 0.5], [-1.0, 2.0], [0.25, 0.0]])
    output, grad_input = model.forward(X), model.backward(grad)
    weight_grads = [parameter.grad.copy() for parameter in model.parameters()]
    summed = [np.zeros_like(g) for g in weight_grads]
    for i in range(3):
        np.testing.assert_allclose(model.forward(X[i]), output[i], rtol=1e-14)
        np.testing.assert_allclose(model.backward(grad[i]), grad_input[i], rtol=1e-13)
        for total, parameter in zip(summed, model.parameters(), strict=True):
            total += parameter.grad
    for total, together in zip(summed, weight_grads, strict=True):
        np.testing.assert_allclose(total, together, rtol=1e-13, atol=1e-15)


def test_everything_stays_readable_layer_by_layer() -> None:
    model = small()
    first, activation, last = model.layers
    output = model.forward(X)
    np.testing.assert_array_equal(first.input, X)
    np.testing.assert_allclose(first.output, X @ first.weight.value.T + first.bias.value)
    assert activation.input is first.output
    np.testing.assert_allclose(activation.output, np.tanh(first.output), rtol=1e-15)
    assert last.output is output
    grad = np.ones((3, 2))
    grad_input = model.backward(grad)
    assert last.grad_output is grad
    assert activation.grad_output is last.grad_input
    np.testing.assert_allclose(last.grad_input, grad @ last.weight.value)
    slope = 1 - np.tanh(first.output) ** 2
    np.testing.assert_allclose(activation.grad_input, last.grad_input * slope, rtol=1e-12)
    np.testing.assert_allclose(last.weight.grad, grad.T @ activation.output)
    assert grad_input is first.grad_input
    assert grad_input.shape == X.shape


def test_later_passes_leave_earlier_arrays_alone() -> None:
    model = small()
    first_output = model.forward(X)
    representation = model.layers[1].output
    kept = first_output.copy(), representation.copy()
    flow = model.backward(np.ones((3, 2)))
    kept_flow = flow.copy()
    model.forward(2 * X)
    model.backward(np.full((3, 2), 5.0))
    model.predict(3 * X)
    np.testing.assert_array_equal(first_output, kept[0])
    np.testing.assert_array_equal(representation, kept[1])
    np.testing.assert_array_equal(flow, kept_flow)


def test_passes_in_a_row_have_arrays_of_their_own() -> None:
    model = small()
    outputs = [model.forward(k * X) for k in (1, 2, 3)]
    flows = [model.backward(np.full((3, 2), k)) for k in (1.0, 2.0, 3.0)]
    for k, output in enumerate(outputs, start=1):
        np.testing.assert_array_equal(output, model.predict(k * X))
    np.testing.assert_allclose(flows[1], 2 * flows[0], rtol=1e-14)
    np.testing.assert_allclose(flows[2], 3 * flows[0], rtol=1e-14)


def test_activation_layer_has_no_weights_and_keeps_the_structure() -> None:
    layer = limen.Activation("relu")
    assert layer.parameters() == ()
    model = limen.Model([layer])
    for shape in ((5, 7), (7,), (0, 7)):
        assert model.forward(np.ones(shape)).shape == shape


@pytest.mark.parametrize(
    "function",
    ["silu", "x * sigmoid(x)", limen.get("silu"), lambda x: x * limen.sigmoid(x)],
    ids=["name", "text", "object", "python"],
)
def test_ways_to_name_a_function(function: Any) -> None:
    y = limen.Model([limen.Activation(function)], dtype="float64").forward([[-1.0, 2.0]])
    np.testing.assert_allclose(y, [[-1 / (1 + np.e), 2 / (1 + np.exp(-2.0))]], rtol=1e-15)


def test_gated_layer_takes_value_first_then_gate() -> None:
    model = limen.Model([limen.Activation("glu")], dtype="float64")
    value, gate = np.array([[1.0, -2.0]]), np.array([[0.5, 3.0]])
    y = model.forward(np.hstack([value, gate]))
    sigmoid = 1 / (1 + np.exp(-gate))
    np.testing.assert_allclose(y, value * sigmoid, rtol=1e-15)  # torch.nn.GLU: a * sigmoid(b)
    grad_input = model.backward(np.array([[1.0, 10.0]]))
    np.testing.assert_allclose(grad_input[:, :2], sigmoid * [1, 10], rtol=1e-14)
    np.testing.assert_allclose(
        grad_input[:, 2:], value * sigmoid * (1 - sigmoid) * [1, 10], rtol=1e-13
    )
    assert "first half: value, second half: gate" in repr(model.layers[0])


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin"])
def test_vector_functions_make_layers(name: str) -> None:
    function = getattr(limen, name)
    for given in (name, function):
        model = limen.Model([limen.Activation(given)], dtype="float64")
        np.testing.assert_array_equal(model.forward(X), function(X))
        grad = np.array([[1.0, 2.0], [0.0, -1.0], [3.0, 3.5]])
        np.testing.assert_array_equal(model.backward(grad), function.backward(grad, X))
        np.testing.assert_array_equal(model.predict(X), function(X))


def test_learnable_parameter_of_a_function() -> None:
    swish = limen.activation("x * sigmoid(beta * x)", name="swish", beta=1.0)
    layer = limen.Activation(swish, learnable=("beta",))
    model = limen.Model([layer], dtype="float64")
    (beta,) = model.parameters()
    assert (beta.name, beta.shape, float(beta.value)) == ("0.beta", (), 1.0)
    assert layer.learnable["beta"] is beta
    beta.value = 2.0
    s = 1 / (1 + np.exp(-2 * X))
    np.testing.assert_allclose(model.forward(X), X * s, rtol=1e-14)
    assert layer.function.parameters["beta"] == 2.0
    model.backward(np.ones_like(X))
    np.testing.assert_allclose(beta.grad, np.sum(X * X * s * (1 - s)), rtol=1e-12)
    assert "learnable: beta" in repr(layer)
    with pytest.raises(limen.UnknownNameError, match="swish has no parameter 'gamma'; it has beta"):
        limen.Activation(swish, learnable=("gamma",))
    for learnable in (None, True, 3):
        with pytest.raises(TypeError, match="learnable takes names of parameters"):
            limen.Activation("swish", learnable=learnable)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="bias must be True or False, given 'no'"):
        limen.Linear(2, 2, bias="no")  # type: ignore[arg-type]
    with pytest.raises(limen.UnknownNameError, match="softmax has no parameter"):
        limen.Activation(limen.softmax, learnable=("beta",))


def test_predict_is_forward_without_a_trace() -> None:
    layers = [limen.Activation("tanh"), limen.Linear(2, 4), limen.Activation("glu")]
    model = limen.Model([*layers, limen.Activation("relu"), limen.Linear(2, 1)])
    x = X.astype(np.float32)
    before = x.copy()
    predicted = model.predict(x)
    assert not model.has_run
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(model.forward(x), predicted)
    np.testing.assert_array_equal(model(x[0]), model.predict(x[0]))


# Construction.


def test_initial_weights_depend_on_the_seed_alone() -> None:
    def weights(*names: str, **options: Any) -> list[np.ndarray]:
        layers: list[Any] = [limen.Linear(3, 4)]
        for name in names:
            layers += [limen.Activation(name), limen.Linear(4, 4)]
        return [p.value for p in limen.Model(layers, **options).parameters()]

    same, other = weights("relu", "tanh"), weights("identity", "silu")
    for a, b in zip(same, other, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(same[2], same[4])
    assert not np.array_equal(weights("relu")[0], weights("relu", seed=1)[0])
    assert not np.array_equal(weights("relu", seed=None)[0], weights("relu", seed=None)[0])
    wide = weights("relu", dtype="float64")
    np.testing.assert_array_equal(wide[0].astype(np.float32), weights("relu")[0])


def test_initial_weights_are_uniform_in_pytorchs_bound() -> None:
    layer = limen.Linear(400, 300)
    limen.Model([layer], dtype="float64")
    for parameter in layer.parameters():
        scaled = parameter.value * 20  # by sqrt(inputs): uniform in [-1, 1]
        assert np.abs(scaled).max() <= 1.0
        assert np.abs(scaled).max() > 0.98
        assert np.std(scaled) == pytest.approx(1 / np.sqrt(3), rel=0.05)


def test_values_set_by_hand_are_kept_and_converted() -> None:
    layer = limen.Linear(2, 1, bias=False)
    layer.weight.value = [[1, 2]]
    limen.Model([layer], dtype="float32")
    assert layer.weight.value.dtype == np.float32
    assert layer.weight.value.tolist() == [[1.0, 2.0]]
    assert layer.bias is None
    memory = layer.weight.value
    layer.weight.value = [[3, 4]]
    assert layer.weight.value is memory
    assert memory.tolist() == [[3.0, 4.0]]


def test_a_copy_is_a_model_of_its_own() -> None:
    model = small()
    twin = model.copy("float32")
    np.testing.assert_allclose(twin.predict(X), model.predict(X), rtol=1e-6)
    twin.layers[0].weight.value = np.zeros((3, 2))
    assert model.layers[0].weight.value.any()
    assert (twin.dtype, model.dtype) == (np.float32, np.float64)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "given", [np.float64, np.float32, np.float16, np.int8, np.bool_, np.uint64]
)
def test_data_is_converted_to_the_models_dtype(dtype: str, given: Any) -> None:
    model = small(dtype)
    assert model.forward(np.ones((2, 2), given)).dtype == dtype
    assert model.backward(np.ones((2, 2), given)).dtype == dtype
    arrays = [a for layer in model.layers for a in (layer.input, layer.output, layer.grad_input)]
    assert {a.dtype.name for a in [*arrays, *(p.grad for p in model.parameters())]} == {dtype}


# Errors that name the layer, the expected and the given.


def test_neighbours_that_do_not_fit() -> None:
    layers = [limen.Linear(2, 3), limen.Activation("relu"), limen.Linear(4, 1)]
    with pytest.raises(limen.ShapeError, match=r"layer 2, Linear\(4, 1\), expects 4 inputs, but "):
        limen.Model(layers)
    with pytest.raises(limen.ShapeError, match=r"layer 0, Linear\(2, 3\), gives 3 outputs"):
        limen.Model([limen.Linear(2, 3), limen.Linear(4, 1)])
    with pytest.raises(limen.ShapeError, match=r"Activation\(glu.*even number.*given 3"):
        limen.Model([limen.Linear(2, 3), limen.Activation("glu")])
    halved = [limen.Linear(2, 6), limen.Activation("glu"), limen.Linear(6, 1)]
    with pytest.raises(limen.ShapeError, match=r"layer 1, Activation\(glu.*gives 3 outputs"):
        limen.Model(halved)


@pytest.mark.parametrize("shape", [(3,), (5, 3), (2, 2, 2), ()])
def test_wrong_input_shapes(shape: tuple[int, ...]) -> None:
    model = small()
    for call in (model.forward, model.predict):
        with pytest.raises(limen.ShapeError, match=r"layer 0, Linear\(2, 3\): expected"):
            call(np.ones(shape))


def test_wrong_flow_shape() -> None:
    model = small()
    model.forward(X)
    expected = r"layer 2, Linear\(3, 2\): grad_output .* \(3, 2\), given \(2, 3\)"
    with pytest.raises(limen.ShapeError, match=expected):
        model.backward(np.ones((2, 3)))


@pytest.mark.parametrize(
    "bad", [np.array([[1j, 2]]), np.array([[None, 1]]), np.array([["a", "b"]])]
)
def test_wrong_dtypes(bad: Any) -> None:
    model = small()
    with pytest.raises(limen.DtypeError, match=str(bad.dtype)):
        model.forward(bad)
    with pytest.raises(limen.DtypeError, match=r"0\.weight\.value.*real numbers"):
        model.layers[0].weight.value = np.ones((3, 2), complex)
    with pytest.raises(limen.DtypeError, match="float32, float64, given 'float16'"):
        limen.Model([limen.Linear(1, 1)], dtype="float16")
    with pytest.raises(limen.DtypeError, match="given 'no such'"):
        limen.Model([limen.Linear(1, 1)], dtype="no such")


def test_ragged_rows() -> None:
    with pytest.raises(limen.ShapeError):
        small().forward([[1.0, 2.0], [3.0]])


def test_wrong_order_of_calls() -> None:
    model = small()
    with pytest.raises(limen.OrderError, match=r"call model\.forward before model\.backward"):
        model.backward(np.ones((1, 2)))
    expected = r"layer 1, Activation\(tanh\) has no output yet: call model\.forward first"
    with pytest.raises(limen.OrderError, match=expected):
        _ = model.layers[1].output
    with pytest.raises(limen.OrderError, match=r"0\.weight has no gradient yet"):
        _ = model.layers[0].weight.grad
    with pytest.raises(limen.OrderError, match=r"no gradient yet: call model\.backward first"):
        limen.SGD().step(model.parameters())
    with pytest.raises(limen.OrderError, match=r"Linear\(2, 3\) has no input yet"):
        limen.Linear(2, 3).backward([1.0, 2.0, 3.0])
    with pytest.raises(limen.OrderError, match=r"weight has no value yet"):
        limen.Linear(2, 3).forward([1.0, 2.0])
    model.forward(X)
    model.backward(np.ones((3, 2)))
    model.forward(X)  # the flow of the pass before is gone
    with pytest.raises(limen.OrderError, match="has no grad_input yet"):
        _ = model.layers[0].grad_input


def test_a_layer_has_one_place_in_one_model() -> None:
    layer = limen.Linear(2, 2)
    with pytest.raises(limen.OrderError, match="position 1 is in use already"):
        limen.Model([layer, layer])
    limen.Model([layer])
    with pytest.raises(limen.OrderError, match="in use already"):
        limen.Model([layer])


def used_model() -> limen.Model:
    """A model through which something has flowed, both ways."""
    activation = limen.Activation("swish", learnable="beta")
    model = limen.Model([limen.Linear(2, 3), activation, limen.Linear(3, 1)], seed=3)
    model.backward(np.ones_like(model.forward([[0.5, -1.0]])))
    return model


@pytest.mark.parametrize("way", [copy.deepcopy, copy.copy])
def test_a_copied_layer_is_a_new_one(way: Any) -> None:
    first = used_model()
    given = [layer.output.copy() for layer in first.layers]
    values = [parameter.value.copy() for parameter in first.parameters()]
    second = limen.Model([way(layer) for layer in first.layers], dtype="float64")
    assert [p.name for p in second.parameters()] == [p.name for p in first.parameters()]
    with pytest.raises(limen.OrderError, match=r"model\.forward before"):
        second.backward([[1.0]])  # what flowed through the copied layers was of another model
    step = second.training_step(limen.HalfSquaredError(), limen.SGD(0.1))
    np.testing.assert_allclose(second.predict([[0.5, -1.0]]), given[-1], rtol=1e-6)
    step([[0.5, -1.0]], [[9.0]])
    for mine, before, theirs in zip(first.parameters(), values, second.parameters(), strict=True):
        np.testing.assert_array_equal(mine.value, before)
        assert (theirs.value != before).any()
    with pytest.raises(limen.OrderError, match=r"in use already.*twin\(\)"):
        limen.Model([second.layers[0]])
    layer = way(limen.Linear(2, 2))
    with pytest.raises(limen.OrderError, match="position 1 is in use already"):
        limen.Model([layer, layer])


def test_a_deep_copy_of_a_model_has_its_layers_in_place() -> None:
    model = used_model()
    other = copy.deepcopy(model)
    assert [layer.index for layer in other.layers] == [0, 1, 2]
    assert [p.name for p in other.parameters()] == [p.name for p in model.parameters()]
    np.testing.assert_array_equal(other.layers[1].output, model.layers[1].output)
    np.testing.assert_array_equal(other.parameters()[0].grad, model.parameters()[0].grad)
    with pytest.raises(limen.OrderError, match="in use already"):
        limen.Model(other.layers)
    shared = copy.copy(model)
    assert [p.name for p in shared.parameters()] == [p.name for p in other.parameters()]


def test_wrong_arguments() -> None:
    with pytest.raises(limen.ShapeError, match="at least one layer"):
        limen.Model([])
    with pytest.raises(TypeError, match=r"given 'relu' at position 1"):
        limen.Model([limen.Linear(1, 1), "relu"])  # type: ignore[list-item]
    for layers in (limen.Linear(1, 1), None):
        with pytest.raises(TypeError, match=r"come in a list, such as .* given (Linear|None)"):
            limen.Model(layers)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"evaluate: loss must be a loss such as"):
        small().evaluate([[1.0, 2.0]], [0], limen.CrossEntropy)  # type: ignore[arg-type]
    for option in ("epochs", "batch_size"):
        with pytest.raises(ValueError, match=f"{option} must be a whole number from 1, given True"):
            small().fit([[1.0, 2.0]], [0], loss=limen.CrossEntropy(), **{option: True})
    with pytest.raises(limen.ShapeError, match="inputs must be at least 1, given 0"):
        limen.Linear(0, 1)
    with pytest.raises(TypeError, match=r"whole number, given 1\.5"):
        limen.Linear(1, 1.5)  # type: ignore[arg-type]
    with pytest.raises(limen.UnknownNameError):
        limen.Activation("reluu")
    with pytest.raises(limen.FormulaError):
        limen.Activation("x *")
    with pytest.raises(TypeError, match="expected a function, its name or its formula"):
        limen.Activation(None)  # type: ignore[arg-type]
    for seed in (-1, 2**64):
        with pytest.raises(ValueError, match=f"seed must be from 0 to .*, given {seed}"):
            limen.Model([limen.Linear(1, 1)], seed=seed)
    with pytest.raises(TypeError, match=r"seed must be a whole number, given 1\.5"):
        limen.Model([limen.Linear(1, 1)], seed=1.5)  # type: ignore[arg-type]
    with pytest.raises(limen.ShapeError, match=r"0\.weight\.value: expected shape \(3, 2\)"):
        small().layers[0].weight.value = np.ones((2, 3))


def test_one_sided_repr() -> None:
    text = "Model([Linear(2, 3), Activation(tanh), Linear(3, 2)], dtype='float64')"
    assert repr(small()) == text
    assert repr(limen.Linear(2, 3, bias=False)) == "Linear(2, 3, bias=False)"
    assert repr(small().layers[0].weight) == "<Parameter 0.weight: shape (3, 2), float64>"


def test_a_layer_keeps_its_parameters() -> None:
    layer, act = limen.Linear(2, 1), limen.Activation("swish", learnable="beta")
    model = limen.Model([layer, act])
    step = model.training_step(limen.HalfSquaredError(), limen.SGD(0.1))
    step([[1.0, 2.0]], [[0.5]])
    for name in ("weight", "bias"):
        with pytest.raises(AttributeError, match=rf"layer 0, .*layer\.{name}\.value = "):
            setattr(layer, name, limen.layers.Parameter(name, (2, 1)))
    with pytest.raises(TypeError):
        act.learnable["beta"] = limen.layers.Parameter("beta", ())  # type: ignore[index]
    layer.weight.value = [[5.0, 6.0]]
    step([[1.0, 2.0]], [[0.5]])
    assert not np.array_equal(layer.weight.value, [[5.0, 6.0]])


def test_masked_data_is_refused_by_a_model() -> None:
    model = limen.Model([limen.Linear(2, 1)])
    with pytest.raises(limen.errors.DtypeError, match="input: what is given has masked"):
        model.forward(np.ma.array([[1.0, 2.0]], mask=[[True, False]]))


def test_rows_of_different_lengths_are_said_to_be_no_array() -> None:
    with pytest.raises(limen.ShapeError, match="input: what is given is no array: "):
        limen.Model([limen.Linear(2, 1)]).forward([[1.0, 2.0], [3.0]])
