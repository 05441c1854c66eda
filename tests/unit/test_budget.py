"""Work has an end: a derivative that grows too long is refused, and says what works."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time

import pytest

import limen
from limen.errors import FormulaError, TooLongError
from limen.formula import budget
from limen.formula.stabilize import canonical


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A budget that is used up within a second, and nothing known from before."""
    monkeypatch.setattr(budget, "MOST_WORK", 8_000)
    canonical.cache_clear()


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", ["mish", "silu", "gelu"])
def test_a_derivative_that_is_too_long_says_which_order_works(name: str) -> None:
    f = limen.get(name)
    with pytest.raises(TooLongError, match=rf"of order \d+ is too long, of {name}") as error:
        f.derivative(100)
    highest = int(re.search(r"orders up to (\d+) work", str(error.value))[1])  # type: ignore[index]
    assert highest >= 3
    canonical.cache_clear()
    assert f.derivative(highest).name == name + "'" * highest
    assert issubclass(TooLongError, FormulaError)


@pytest.mark.usefixtures("small")
def test_a_formula_that_is_too_long_says_so_and_the_next_has_a_budget_of_its_own() -> None:
    long = limen.activation("*".join(f"(x + {k}*tanh(x)*sigmoid(x - {k}))" for k in range(1, 30)))
    with pytest.raises(TooLongError, match="a shorter formula, or a derivative of lower order"):
        long.derivative()
    assert limen.get("softsign").derivative(40).name.endswith("'")


def test_budgets_within_another_are_that_one() -> None:
    with budget.within_budget():
        budget.spend()
        with budget.within_budget():
            assert budget._local.left == budget.MOST_WORK - 1
        assert budget._local.left == budget.MOST_WORK - 1
    assert budget._local.left is None
    budget.spend()  # nobody counts


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_ctrl_c_ends_a_long_rewriting() -> None:
    script = (
        "import limen\nprint('begun', flush=True)\ntry:\n    limen.get('mish').derivative(100)\n"
        "except KeyboardInterrupt:\n    print('interrupted')\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as p:
        assert p.stdout is not None and p.stdout.readline() == "begun\n"
        time.sleep(1)
        p.send_signal(signal.SIGINT)
        assert p.communicate(timeout=20)[0] == "interrupted\n"
