"""How many small mistakes in the code the tests notice: `python -m benchmarks.mutants [--count N] [--seed N]`.

A mutant is one change of one operator, constant or condition, in a copy of the tree; it is killed when the tests of
its own package fail. A sample is taken, because all of them would take days.
"""

from __future__ import annotations

import argparse
import ast
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

ROOT = Path(__file__).parents[1]
PATIENCE = 240  # seconds for the tests of one mutant: one that hangs is noticed, too

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_COUNTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mutant:
    path: Path
    line: int
    what: str
    source: str


def subjects() -> list[Path]:
    """What a wrong line of can lose somebody's data."""
    plain = [ROOT / "inspector" / "correct.py"]
    formats = (ROOT / "inspector" / "formats").rglob("*.py")
    return plain + sorted(p for p in formats if p.name not in ("__init__.py", "rules.py", "layout.py", "words.py"))


def mutants(path: Path) -> Iterator[Mutant]:
    text = path.read_text()
    tree = ast.parse(text)
    nodes = [node for node in ast.walk(tree) if hasattr(node, "lineno")]
    for node in nodes:
        undo = _change(node)
        if undo is not None:
            what, restore = undo
            yield Mutant(path, getattr(node, "lineno", 0), what, ast.unparse(tree))
            restore()


def _change(node: ast.AST) -> tuple[str, Callable[[], None]] | None:
    """Change a node; what was changed, and the function that takes it back."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARED:
        old = node.ops[0]
        node.ops[0] = _COMPARED[type(old)]()
        return f"{type(old).__name__} to {type(node.ops[0]).__name__}", lambda: node.ops.__setitem__(0, old)
    if isinstance(node, ast.BinOp) and type(node.op) in _COUNTED:
        operator = node.op
        node.op = _COUNTED[type(operator)]()
        return f"{type(operator).__name__} to {type(node.op).__name__}", lambda: setattr(node, "op", operator)
    if isinstance(node, ast.BoolOp):
        logic = node.op
        node.op = ast.Or() if isinstance(logic, ast.And) else ast.And()
        return f"{type(logic).__name__} exchanged", lambda: setattr(node, "op", logic)
    if isinstance(node, ast.Constant) and type(node.value) is int:
        value = node.value
        node.value = value + 1
        return f"{value} to {value + 1}", lambda: setattr(node, "value", value)
    return None


def tests_of(path: Path) -> list[str]:
    parts = path.relative_to(ROOT / "inspector").parts
    if parts[0] == "correct.py":
        return ["tests/test_correct.py", "tests/formats/gossip_store/test_correction.py"]
    return [f"tests/formats/{parts[1]}"]


def killed(mutant: Mutant, tree: Path) -> bool:
    """Whether a test of its package fails with this mutant in place of the source."""
    place = tree / mutant.path.relative_to(ROOT)
    place.write_text(mutant.source)
    surroundings = {**os.environ, "PYTHONPATH": str(tree)}
    command = [sys.executable, "-m", "pytest", "-n", "0", "-q", "-x", "-p", "no:cacheprovider", *tests_of(mutant.path)]
    try:
        done = subprocess.run(command, cwd=tree, env=surroundings, capture_output=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return True
    finally:
        shutil.copyfile(mutant.path, place)
    return done.returncode != 0


def score(count: int, seed: int) -> tuple[int, int, list[Mutant]]:
    """(killed, tried, those that lived) of a sample, spread evenly over the files."""
    rng = Random(seed)
    files = subjects()
    lived: list[Mutant] = []
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".git", ".venv", "build", "*_cache", "out"))
        for _ in range(count):
            able: list[Mutant] = []
            while not able:
                able = list(mutants(rng.choice(files)))
            one = rng.choice(able)
            if not killed(one, tree):
                lived.append(one)
    return count - len(lived), count, lived


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    dead, tried, lived = score(asked.count, asked.seed)
    print(f"{dead} of {tried} mutants killed")
    for mutant in lived:
        print(f"  lived: {mutant.path.relative_to(ROOT)}:{mutant.line}: {mutant.what}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
