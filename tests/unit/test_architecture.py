"""Who may import whom, and what `import limen` may load: the floor plan, enforced."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "limen"

# A room is a package or a module directly under src/limen. An arrow goes to everything the room may
# import, itself and `errors` apart, which anyone may.
BELOW_FUNCTION = {"formula", "catalog", "memory", "kernels", "picture"}
ARROWS: dict[str, set[str]] = {
    "errors": set(),
    "formula": set(),
    "catalog": {"formula"},
    "memory": set(),
    "kernels": {"formula", "memory"},
    "picture": {"formula"},
    "vector": {"kernels", "memory"},
    "function": {"vector", *BELOW_FUNCTION},  # vector: what is none of its names, said kindly
    "decomposition": {"function", *BELOW_FUNCTION},
    "torch": {"decomposition", "function", "vector", *BELOW_FUNCTION},
    "layers": {"function", "torch", "vector", *BELOW_FUNCTION},  # torch: `Model.to_torch`
    "jax": {"decomposition", "function", *BELOW_FUNCTION},
    "certify": {"function", *BELOW_FUNCTION},
    "tuning": {"certify", "function", *BELOW_FUNCTION},
    "insight": {"function", "layers", "torch", "vector", *BELOW_FUNCTION},  # torch: its models
    # The playground stands on the public names, on what insight measures, and on the same words and
    # pictures that `limen show` has for a function.
    "playground": {"limen", "catalog", "function", "insight", "layers", "picture"},
    "bench": {"decomposition", "function", "layers", "vector", *BELOW_FUNCTION},
}
# One room in several files: the function, how it reaches its kernels, what is known of it, how it
# shows itself, how it is found by name, and how it is written down.
ROOM_OF = dict.fromkeys(
    ("binding", "display", "evaluation", "launchers", "properties", "record", "registry"),
    "function",
)
# These two see public names only: `limen` itself, and what a room's own __init__ exports.
FACES = {"__init__", "__main__", "cli"}

# Loaded when used, never by `import limen`.
HEAVY = (
    "jax", "joblib", "matplotlib", "mpmath", "numba", "pandas", "scipy", "sklearn", "starlette",
    "torch", "uvicorn",
)  # fmt: skip


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def room_of(path: Path) -> str:
    first = path.relative_to(SOURCE).parts[0]
    return ROOM_OF.get(first.removesuffix(".py"), first.removesuffix(".py"))


def imported(tree: ast.AST, package: str) -> Iterator[tuple[int, str]]:
    """Every module an AST imports, at any depth, as (line, absolute dotted name)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: -node.level + 1 or None]
                base = ".".join([*parents, base]).rstrip(".")
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def only_for_types(tree: ast.Module) -> None:
    """Takes out what stands under `if TYPE_CHECKING:`, which no process ever runs."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            node.body = [ast.Pass()]


def rooms_entered(text: str, package: str = "limen") -> list[tuple[int, str]]:
    """The rooms of limen that a module's text imports; "limen" for the package's own names."""
    tree = ast.parse(text)
    only_for_types(tree)
    entered = []
    for line, name in imported(tree, package):
        parts = name.split(".")
        if parts[0] == "limen":
            known = len(parts) > 1 and (SOURCE / parts[1]).with_suffix(".py").exists()
            known = known or (len(parts) > 1 and (SOURCE / parts[1]).is_dir())
            entered.append((line, ROOM_OF.get(parts[1], parts[1]) if known else "limen"))
    return entered


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_arrows(path: Path) -> None:
    room = room_of(path)
    if room in FACES:
        return
    assert room in ARROWS, f"{room} is a new room: say in this test what it may import"
    package = ".".join(["limen", *path.relative_to(SOURCE).parts[:-1]])
    allowed = {room, "errors", *ARROWS[room]}
    wrong = [
        f"line {line}: {room} must not import {entered}"
        for line, entered in rooms_entered(path.read_text(), package)
        if entered not in allowed
    ]
    assert not wrong, "; ".join(wrong)


@pytest.mark.parametrize(
    ("text", "entered"),
    [
        ("from limen.insight import compare", "insight"),
        ("import limen.layers.model", "layers"),
        ("from limen import kernels", "kernels"),
        ("from limen import relu", "limen"),
        ("from ..function import activation", "function"),
        ("from .. import catalog", "catalog"),
        ("def f():\n    def g():\n        from limen.certify import x", "certify"),
        ("try:\n    import limen.vector\nexcept ImportError: pass", "vector"),
    ],
)
def test_every_way_to_import_is_seen(text: str, entered: str) -> None:
    assert [room for _, room in rooms_entered(text, "limen.formula")] == [entered]


def test_imports_for_type_checkers_are_no_arrows() -> None:
    text = "if TYPE_CHECKING:\n    from limen.function import ActivationFunction"
    assert rooms_entered(text) == []


def test_the_arrows_have_no_circle() -> None:
    done: set[str] = {"errors", "limen"}  # the public names import nothing until they are used
    left = dict(ARROWS)
    while left:
        free = [room for room, below in left.items() if below <= done]
        assert free, f"a circle among {sorted(left)}"
        done.update(free)
        for room in free:
            left.pop(room)


def test_no_text_is_ever_executed() -> None:
    forbidden = {"eval", "exec", "sympify", "parse_expr"}
    found = []
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in forbidden:
                found.append(f"{path.relative_to(SOURCE)}:{node.lineno}")
    assert not found


def fresh(code: str) -> str:
    """What a fresh process prints."""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return run.stdout.strip()


def test_importing_limen_loads_nothing_heavy() -> None:
    loaded = fresh("import sys, limen; print(*{name.split('.')[0] for name in sys.modules})")
    assert "limen" in loaded.split()
    assert not set(loaded.split()) & set(HEAVY)


def test_importing_limen_is_quick() -> None:
    code = (
        "import numpy; from time import perf_counter as now; start = now(); "
        "import limen; print(now() - start)"
    )
    # The best of five, beyond NumPy's own start: other work on the machine only ever adds.
    assert min(float(fresh(code)) for _ in range(5)) < 0.3


def test_the_command_line_starts_without_the_heavy_ones() -> None:
    loaded = fresh("import sys, limen.cli; print(*{name.split('.')[0] for name in sys.modules})")
    assert not set(loaded.split()) & set(HEAVY)
