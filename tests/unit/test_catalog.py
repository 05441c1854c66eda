"""The catalogue is complete, parses, and says of PyTorch's kinks what its records claim."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest

from limen.catalog import RECORDS, Record, find
from limen.certify.measure import FORMATS
from limen.certify.reference import Reference
from limen.formula.definition import Definition
from limen.formula.expression import names
from limen.formula.operations import OPERATIONS
from limen.formula.parse import parse
from limen.formula.real import value

DOUBLE = FORMATS["float64"]

PROMISED = """
identity relu relu6 leaky_relu prelu threshold thresholded_relu hardtanh hardsigmoid hardswish
hard_silu hard_mish hardshrink softshrink tanhshrink elu celu selu logistic sigmoid log_sigmoid
tanh softplus softsign silu swish mish gelu gelu_tanh quick_gelu heaviside step squareplus
sparse_plus sparse_sigmoid relu_squared star_relu sine snake gaussian arctan bent_identity isru
lisht tanhexp logish smish phish serf aptx laplace exponential glu bilinear reglu geglu swiglu
"""


def definition(name: str) -> Definition | None:
    record = find(name)
    if record is None:
        return None
    expression = parse(record.formula, parameters=record.parameters, functions=definition)
    return Definition(record.name, record.inputs, record.parameters, expression)


@pytest.mark.parametrize("name", PROMISED.split())
def test_every_promised_name_is_found(name):
    assert find(name) is not None


def test_an_unknown_name_is_none():
    assert find("relu7") is None


def test_the_seed_document_s_three_stand_as_it_defines_them():
    assert find("logistic").formula == "1 / (1 + exp(-x))"
    assert find("heaviside").formula == "where(x < 0, 0, 1)"
    assert find("relu").formula == "where(x < 0, 0, x)"


def test_names_and_aliases_are_all_different():
    every = [n for record in RECORDS.values() for n in (record.name, *record.aliases)]
    assert len(every) == len(set(every))


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
class TestRecord:
    def test_is_filled_in(self, record: Record):
        assert record.description
        assert not record.description.endswith(".")
        assert re.search(r"\d{4}|PyTorch|JAX|Keras|Wikipedia", record.source)
        assert record.inputs in (("x",), ("gate", "value"))

    def test_formula_uses_its_inputs_and_parameters_and_nothing_else(self, record: Record):
        expression = definition(record.name).expression
        assert set(names(expression, "input")) == set(record.inputs)
        assert set(names(expression, "parameter")) == set(record.parameters)

    def test_name_is_no_operation_of_another_meaning(self, record: Record):
        # `tanh`, `softplus`, ... name an operation too: inside formulas both must agree.
        for name in {record.name, *record.aliases} & OPERATIONS.keys():
            at = {"x": 0.7, **record.parameters}
            operation = value(parse(f"{name}(x)"), at)
            assert operation == pytest.approx(value(definition(name).expression, at), rel=1e-15)

    def test_kinks_are_kinks_of_the_formula(self, record: Record):
        # At each point the left and right derivatives differ, and the framework's value is one
        # of them or lies between.
        for point, derivative in record.torch_kinks.items():
            at, given = (number(record, text) for text in (point, derivative))
            step = Fraction(1, 2**40)
            reference = Reference(
                definition(record.name).expression, parameters=record.parameters, order=1
            )
            sides = [
                float(reference.enclose(float(at + h), format_=DOUBLE)[1]) for h in (-step, step)
            ]
            assert min(sides) - 1e-9 <= given <= max(sides) + 1e-9
            if record.name != "elu":  # whose alpha = 1 has no kink, but any other has
                assert abs(sides[1] - sides[0]) > 0.1


def number(record: Record, text: float | str) -> Fraction:
    expression = parse(str(text), parameters=record.parameters)
    return Fraction(value(expression, record.parameters))


@pytest.mark.parametrize("name", [n for n, r in RECORDS.items() if r.torch_kinks])
def test_kinks_are_pytorch_s(name):
    torch = pytest.importorskip("torch")
    record = RECORDS[name]
    layer = {
        "relu": torch.nn.ReLU,
        "relu6": torch.nn.ReLU6,
        "leaky_relu": torch.nn.LeakyReLU,
        "prelu": torch.nn.PReLU,
        "threshold": lambda: torch.nn.Threshold(0.0, 0.0),
        "hardtanh": torch.nn.Hardtanh,
        "hardsigmoid": torch.nn.Hardsigmoid,
        "hardswish": torch.nn.Hardswish,
        "hardshrink": torch.nn.Hardshrink,
        "softshrink": torch.nn.Softshrink,
        "elu": torch.nn.ELU,
        "selu": torch.nn.SELU,
    }[name]()
    points = torch.tensor(
        [float(number(record, point)) for point in record.torch_kinks], requires_grad=True
    )
    layer(points).sum().backward()
    expected = [float(number(record, derivative)) for derivative in record.torch_kinks.values()]
    assert points.grad.tolist() == pytest.approx(expected, rel=1e-6)
