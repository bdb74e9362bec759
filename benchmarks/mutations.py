"""The small mistakes that can be made in one file: one operator, constant, condition or call of it changed.

The change is made in the text, so that all other lines stay as and where they are. What never runs (annotations) and
text (f-strings) are left out: no test can notice those.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_COUNTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitOr, ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}  # fmt: skip
# what never runs or is not behaviour: what a class is made as, decorators, what is written for the type checker
_SILENT = ("annotation", "returns", "type_params", "decorator_list")


class Mutant(Struct, frozen=True):
    """One change of a file of the tree."""

    path: Path
    line: int
    what: str
    source: str
    loading: bool = False  # it runs when the module is loaded, not in a function
    span: tuple[int, int] = (0, 0)  # the bytes that are changed
    statement: bool = False  # they are a statement, not an expression


def mutants(path: Path) -> Iterator[Mutant]:
    text = path.read_bytes()
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for node, inside in _nodes(ast.parse(text)):
        changed = _change(node, inside)
        if changed is not None:
            what, by, old = changed
            assert old.end_lineno is not None
            assert old.end_col_offset is not None
            start = starts[old.lineno - 1] + old.col_offset
            end = starts[old.end_lineno - 1] + old.end_col_offset
            source = (text[:start] + by.encode() + text[end:]).decode()
            yield Mutant(path, old.lineno, what, source, not inside, (start, end), isinstance(old, ast.stmt))


def left_out(path: Path) -> int:
    """How many changes of it are not made, because no test can notice them: annotations, decorators, texts."""
    tree = ast.parse(path.read_bytes())
    return sum(_change(node, True) is not None for node in ast.walk(tree)) - len(
        [node for node, _ in _nodes(tree) if _change(node, True) is not None]
    )


def _nodes(tree: ast.AST, inside: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    """Each node that does something, and whether it is within a function (else it runs when the module is loaded)."""
    for name, value in ast.iter_fields(tree):
        if name in _SILENT or isinstance(tree, ast.JoinedStr) or (isinstance(tree, ast.ClassDef) and name != "body"):
            continue
        called = inside or (isinstance(tree, ast.FunctionDef | ast.Lambda) and name == "body")
        for node in value if isinstance(value, list) else [value]:
            if isinstance(node, ast.AST) and not _changes_nothing(node):
                yield node, called
                yield from _nodes(node, called)


def _changes_nothing(node: ast.AST) -> bool:
    """What is for the type checker, and `strict=True` of zip, which only asserts."""
    if isinstance(node, ast.keyword):
        return node.arg == "strict"
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp | ast.Subscript):
        words = [n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)]
        return bool(words) and all(word[:1].isupper() and not word.isupper() for word in words)
    return False


Changed = tuple[str, str, ast.expr | ast.stmt]  # in words, what stands there instead, and where


def _change(node: ast.AST, inside: bool) -> Changed | None:
    match node:
        case ast.Constant(value=bool(flag)):
            return f"{flag} to {not flag}", str(not flag), node
        case ast.Constant(value=int(value)):
            return f"{value} to {value + 1}", str(value + 1), node
        case ast.Break():
            return "break to continue", "continue", node
        case ast.Continue():
            return "continue to break", "break", node
        case ast.Expr(value=ast.Call(func=called)) if inside:
            return f"without {ast.unparse(called)}()", "pass", node
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test) if isinstance(
            test, ast.Name | ast.Attribute | ast.Call | ast.NamedExpr
        ):
            return "the opposite condition", f"(not {_put(test)})", test
    return _other_operator(node)


def _other_operator(node: ast.AST) -> Changed | None:
    match node:
        case ast.Compare(ops=[first, *others]) if type(first) in _COMPARED:
            other = _COMPARED[type(first)]()
            return _told(first, other), _put(ast.Compare(node.left, [other, *others], node.comparators)), node
        case ast.BinOp(op=operator) if type(operator) in _COUNTED:
            by = _COUNTED[type(operator)]()
            return _told(operator, by), _put(ast.BinOp(node.left, by, node.right)), node
        case ast.AugAssign(op=operator) if type(operator) in _COUNTED:
            by = _COUNTED[type(operator)]()
            return f"{_told(operator, by)}, in place", ast.unparse(ast.AugAssign(node.target, by, node.value)), node
        case ast.BoolOp(op=logic):
            swapped = ast.Or() if isinstance(logic, ast.And) else ast.And()
            return _told(logic, swapped), _put(ast.BoolOp(swapped, node.values)), node
        case ast.UnaryOp(op=ast.Not()):
            return "not removed", _put(node.operand), node
    return None


def _told(old: ast.AST, new: ast.AST) -> str:
    return f"{type(old).__name__} to {type(new).__name__}"


def _put(node: ast.expr) -> str:
    return f"({ast.unparse(ast.fix_missing_locations(node))})"
