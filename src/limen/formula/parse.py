"""From text to an expression: limen's own parser. Nothing in the text is ever run.

Operators bind as in Python: `**` tightest and to the right, then the signs, `* /`, `+ -`, and
comparisons last; so `-x**2` is `-(x**2)` and `2**-x` is `2**(-x)`. A comparison used as a number is
1 or 0. Literals are binary64 values: integers up to 2**53 are exact, `0.1` is the nearest binary64.

Two stacks hold what is unfinished (Dijkstra's shunting yard), so deep nesting costs no recursion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NoReturn

from limen.errors import FormulaError
from limen.formula.advice import FUNCTIONS, INFIX, advise, keyword_advice
from limen.formula.definition import (
    GATED,
    INPUTS,
    MOST_NODES,
    PLAIN,
    Definition,
    check_parameters,
)
from limen.formula.expression import (
    Expression,
    apply,
    as_number,
    constant,
    input_,
    parameter,
    size,
)
from limen.formula.operations import OPERATIONS
from limen.formula.tokens import Token, number, tokenize

__all__ = ["Lookup", "parse"]

Lookup = Callable[[str], Definition | None]
"""Finds a function by name; None for an unknown one."""

MOST_NESTING = 200
"""So many operators and parentheses may wait for their right-hand side at once."""

# Every call costs a walk over the function it calls, shared nodes or not.
_MOST_WORK = 4 * MOST_NODES

_CONSTANTS = {row.name for row in OPERATIONS.values() if not row.arity}
_SIGN = OPERATIONS["negate"].precedence
_OPEN = -1  # binds looser than every operator: nothing is reduced past a parenthesis


def parse(
    text: str,
    parameters: Iterable[str] = (),
    functions: Lookup | None = None,
    function_names: Iterable[str] = (),
) -> Expression:
    """The expression that a text describes.

    A name that is both an operation and a function (`tanh`, `softplus`) is the operation where it
    is called with just the operation's arguments, and the function otherwise.

    Args:
        text: the formula, in the inputs `x`, or `gate` and `value`.
        parameters: the names that are parameters.
        functions: finds the functions that the formula may call.
        function_names: their names, for suggestions.

    Returns:
        The expression, a number (a comparison as a whole is 1 or 0).

    Raises:
        FormulaError: says what was wrong, in which column, and what would work.

    Example:
        >>> parse("x * sigmoid(beta * x)", parameters=["beta"])
        Expression(x * sigmoid(beta * x))
    """
    known = check_parameters(parameters)
    return _Parser(text, known, functions or (lambda name: None), function_names).run()


@dataclass(slots=True)
class _Waiting:
    """An operator or an open parenthesis whose right-hand side is still to come.

    Attributes:
        token: where it stands.
        precedence: how tightly it binds; `_OPEN` for a parenthesis.
        operation: what it applies; "" for `+x`, "(" for a parenthesis.
        operands: how many values it takes.
    """

    token: Token
    precedence: int
    operation: str
    operands: int


@dataclass(slots=True)
class _Call(_Waiting):
    """An open call: what it has collected so far. `keyword` is the name of the next argument."""

    arguments: list[Expression] = field(default_factory=list)
    keywords: dict[str, Expression] = field(default_factory=dict)
    keyword: Token | None = None


class _Parser:
    """One run over one text."""

    def __init__(
        self,
        text: str,
        parameters: tuple[str, ...],
        functions: Lookup,
        function_names: Iterable[str],
    ) -> None:
        self.text = text
        self.parameters = parameters
        self.functions = functions
        self.function_names = function_names
        self.tokens = tokenize(text)
        self.before = self.token = Token("operator", "", 0)
        self.following = next(self.tokens)
        self.values: list[Expression] = []
        self.waiting: list[_Waiting] = []
        self.inputs: tuple[str, ...] = ()
        self.work = 0

    def run(self) -> Expression:
        if self.following.kind == "end":
            self._fail("the formula is empty: write one such as 'x * tanh(x)'", self.following)
        wants_value = True
        while self._advance():
            wants_value = self._value() if wants_value else self._operator()
        root = as_number(self.values.pop())
        if size(root) > MOST_NODES:
            raise FormulaError(f"the formula has more than {MOST_NODES:,} nodes", self.text, 0)
        return root

    def _advance(self) -> bool:
        """Goes on to the next token; false behind the last."""
        if self.token.kind == "end":
            return False
        self.before, self.token = self.token, self.following
        self.following = next(self.tokens, self.following)
        return True

    # Where a value is wanted. Returns whether one is wanted next.

    def _value(self) -> bool:
        token = self.token
        if token.kind == "number":
            self.values.append(constant(number(self.text, token)))
            return False
        if token.kind == "name":
            return self._name()
        if token.text in ("+", "-"):
            self._wait(_Waiting(token, _SIGN, "negate" if token.text == "-" else "", 1))
            return True
        if token.text == "(":
            self._wait(_Waiting(token, _OPEN, "(", 0))
            return True
        if token.text == ")" and self.before.text == "(":
            self._close(empty=True)
            return False
        self._fail_for_value()

    def _name(self) -> bool:
        call = self.waiting[-1] if self.waiting else None
        if self.following.text == "=" and isinstance(call, _Call) and call.keyword is None:
            self._keyword(call)
            return True
        self._check_keyword()
        if self.following.text == "(":
            self._open_call()
            return True
        self.values.append(self._leaf(self.token))
        return False

    def _leaf(self, token: Token) -> Expression:
        name = token.text
        if name in self.parameters:
            return parameter(name)
        if name in INPUTS:
            self._check_input(token)
            return input_(name)
        if name in _CONSTANTS:
            return apply(name)
        if self._is_function(name):
            self._fail(f"{name} is a function: call it, as in {name}(x)", token)
        self._fail(advise(name, (*self.parameters, *INPUTS, *_CONSTANTS), called=False), token)

    def _check_input(self, token: Token) -> None:
        group = GATED if token.text in GATED else PLAIN
        if self.inputs not in ((), group):
            self._fail("a formula is of x, or of gate and value, not of both", token)
        self.inputs = group

    def _open_call(self) -> None:
        token, name = self.token, self.token.text
        if not self._is_function(name):
            if name in (*self.parameters, *INPUTS, *_CONSTANTS):
                self._fail(f"{name} is no function: a product is written {name} * (...)", token)
            self._fail(advise(name, (*FUNCTIONS, *self.function_names), called=True), token)
        self._wait(_Call(token, _OPEN, "(", 0))
        self._advance()

    def _is_function(self, name: str) -> bool:
        return name in FUNCTIONS or self.functions(name) is not None

    def _keyword(self, call: _Call) -> None:
        if self.token.text in call.keywords:
            self._fail(f"{self.token.text!r} is given twice", self.token)
        call.keyword = self.token
        self._advance()

    # Where an operator is wanted. Returns whether a value is wanted next.

    def _operator(self) -> bool:
        token = self.token
        if token.text in INFIX:
            self._infix(token)
            return True
        if token.text == ",":
            self._comma()
            return True
        if token.text == ")":
            self._close()
        elif token.kind == "end":
            self._end()
        else:
            self._fail_for_operator()
        return False

    def _infix(self, token: Token) -> None:
        row = INFIX[token.text]
        # a ** b ** c is a ** (b ** c); the others group to the left, and comparisons not at all.
        self._reduce(row.precedence + (row.name == "power" or row.is_comparison))
        if row.is_comparison and self.waiting and self.waiting[-1].precedence == row.precedence:
            self._fail(
                "comparisons do not chain: write where(a < x, where(x < b, yes, no), no), "
                "or clip(x, a, b)",
                token,
            )
        self._wait(_Waiting(token, row.precedence, row.name, 2))

    def _reduce(self, precedence: int = _OPEN + 1) -> None:
        """Applies every waiting operator that binds at least so tightly."""
        while self.waiting and self.waiting[-1].precedence >= precedence:
            operator = self.waiting.pop()
            if operator.operation:
                arguments = self.values[-operator.operands :]
                del self.values[-operator.operands :]
                self.values.append(self._at(operator.token, apply, operator.operation, *arguments))

    def _comma(self) -> None:
        self._reduce()
        call = self.waiting[-1] if self.waiting else None
        if not isinstance(call, _Call):
            self._fail("a comma separates the arguments of a call, not formulas", self.token)
        self._take_argument(call)

    def _close(self, *, empty: bool = False) -> None:
        self._reduce()
        if not self.waiting:
            self._fail("this parenthesis closes none: remove it, or open one before", self.token)
        opened = self.waiting.pop()
        if isinstance(opened, _Call):
            if not empty:
                self._take_argument(opened)
            self.values.append(self._at(opened.token, self._call, opened))
        elif empty:
            self._fail("there is nothing in these parentheses: write a value", self.token)

    def _take_argument(self, call: _Call) -> None:
        value = self.values.pop()
        if call.keyword is not None:
            call.keywords[call.keyword.text] = value
            call.keyword = None
        elif call.keywords:
            self._fail("arguments by name come after those by position", call.token)
        else:
            call.arguments.append(value)

    def _end(self) -> None:
        self._reduce()
        if self.waiting:
            opened = self.waiting[-1].token
            behind = len(opened.text) if opened.kind == "name" else 0
            parenthesis = Token("operator", "(", opened.column + behind)
            self._fail("this parenthesis is never closed: add )", parenthesis)

    # Applying

    def _call(self, call: _Call) -> Expression:
        name = call.token.text
        row = FUNCTIONS.get(name)
        if row is not None and len(call.arguments) == row.arity and not call.keywords:
            return apply(name, *call.arguments)
        definition = self.functions(name)
        if definition is not None:
            self.work += size(definition.expression)
            if self.work > _MOST_WORK:
                raise FormulaError("the functions called here unfold to too large a formula")
            return definition(call.arguments, call.keywords)
        if call.keywords:
            raise FormulaError(f"{name} takes its arguments by position alone")
        return apply(name, *call.arguments)

    def _at(
        self, token: Token, function: Callable[..., Expression], *arguments: object
    ) -> Expression:
        """Calls the function; what goes wrong in there goes wrong at this token."""
        try:
            return function(*arguments)
        except FormulaError as error:
            raise FormulaError(error.message, self.text, token.column) from None

    def _wait(self, waiting: _Waiting) -> None:
        self.waiting.append(waiting)
        if len(self.waiting) > MOST_NESTING:
            self._fail(f"the formula nests deeper than {MOST_NESTING} levels", waiting.token)

    # Refusing

    def _fail_for_value(self) -> NoReturn:
        if self.token.kind == "end":
            self._fail("the formula ends where a value is wanted: write one such as x", self.token)
        what = "equality is written ==" if self.token.text == "=" else "write one such as x"
        self._fail(f"{self.token.text!r} stands where a value is wanted: {what}", self.token)

    def _fail_for_operator(self) -> NoReturn:
        self._check_keyword()
        text = self.token.text
        if text == "=":
            self._fail(
                "equality is written ==, and only a call gives values to names, as in f(x, a=2)",
                self.token,
            )
        self._fail(f"an operator is missing before {text!r}: a product is written *", self.token)

    def _check_keyword(self) -> None:
        advice = keyword_advice(self.token.text)
        if advice:
            self._fail(advice, self.token)

    def _fail(self, message: str, token: Token) -> NoReturn:
        raise FormulaError(message, self.text, token.column)
