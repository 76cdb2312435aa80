"""Mutants of a source file: one place changed, the rest to the letter as it was."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

OPERATORS: dict[type, type] = {}
for one, other in (
    (ast.Add, ast.Sub), (ast.Mult, ast.Div), (ast.Lt, ast.LtE), (ast.Gt, ast.GtE), (ast.Eq, ast.NotEq),
    (ast.And, ast.Or), (ast.BitAnd, ast.BitOr), (ast.In, ast.NotIn), (ast.Is, ast.IsNot),
):  # fmt: skip
    OPERATORS |= {one: other, other: one}
OPERATORS[ast.Pow] = ast.Mult
SWAPPED = {"min": "max", "minimum": "maximum", "any": "all", "argmin": "argmax", "floor": "ceil"}
SWAPPED |= {other: one for one, other in SWAPPED.items()}


@dataclass(frozen=True)
class Mutant:
    """A change of one place.

    Attributes:
        line: where it begins, from 1.
        start, end: the bytes that are replaced.
        before, after: what stands there, and what takes its place.
        whole: the line of the source, to be recognised by.
    """

    line: int
    start: int
    end: int
    before: str
    after: str
    whole: str

    def applied(self, source: str) -> str:
        """The source with the change."""
        content = source.encode()
        return (content[: self.start] + self.after.encode() + content[self.end :]).decode()

    def __str__(self) -> str:
        change = f"{_in_a_line(self.before)} → {_in_a_line(self.after)}"
        whole = self.whole.strip()
        return f"{self.line}: {change}" + f"    in  {whole}" * (whole != _in_a_line(self.before))


def mutants(source: str) -> list[Mutant]:
    """All mutants of a source file, in the order of its lines; texts, types and protocols stay."""
    starts = [0]
    for line in source.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found: dict[tuple[int, int, str], Mutant] = {}
    tree, lines = ast.parse(source), source.splitlines()
    tests = {id(node.test) for node in ast.walk(tree) if isinstance(node, ast.If | ast.While | ast.IfExp)}
    for node in _code(tree):
        start, end = starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset
        before = source.encode()[start:end].decode()
        negated = [ast.UnaryOp(ast.Not(), node)] if id(node) in tests else []
        for changed in [*_changes(node), *negated]:
            after = ast.unparse(changed)
            if not isinstance(changed, ast.stmt | ast.Constant | ast.Call | ast.Name):
                after = f"({after})"
            if ast.dump(changed) != ast.dump(node):
                found.setdefault(
                    (start, end, after), Mutant(node.lineno, start, end, before, after, lines[node.lineno - 1])
                )
    return sorted(found.values(), key=lambda mutant: (mutant.start, mutant.end, mutant.after))


def _code(node: ast.AST) -> Iterator[Any]:
    """All expressions and statements that do something."""
    if isinstance(node, ast.JoinedStr | ast.Assert | ast.Import | ast.ImportFrom):
        return
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    if isinstance(node, ast.ClassDef) and any("Protocol" in ast.unparse(base) for base in node.bases):
        return
    if isinstance(node, ast.expr | ast.stmt):
        yield node
    if isinstance(node, ast.Raise):
        return
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "bases", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _code(child)


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in the place of a node."""
    match node:
        case ast.BinOp(op=op) if type(op) in OPERATORS:
            yield _with(node, op=OPERATORS[type(op)]())
        case ast.BoolOp(op=op):
            yield _with(node, op=OPERATORS[type(op)]())
        case ast.Compare(ops=[*ops]):
            for place, op in enumerate(ops):
                if type(op) in OPERATORS:
                    yield _with(node, ops=[*ops[:place], OPERATORS[type(op)](), *ops[place + 1 :]])
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert(), operand=operand):
            yield operand
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield ast.Constant(value + 1)
            yield ast.Constant(value - 1)
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in SWAPPED:
            part = "id" if isinstance(node.func, ast.Name) else "attr"
            yield _with(node, func=_with(node.func, **{part: SWAPPED[name]}))
            if name in ("max", "maximum") and isinstance(node.args[0] if node.args else None, ast.Constant):
                yield from node.args[1:2]
        case ast.IfExp(body=body, orelse=orelse):
            yield body
            yield orelse
        case ast.AugAssign() | ast.Expr(value=ast.Call()) | ast.Continue() | ast.Break() | ast.Raise():
            yield ast.Pass()
        case ast.Assign(targets=[ast.Subscript() | ast.Attribute()]):
            yield ast.Pass()


def _with(node: Any, **fields: Any) -> Any:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _in_a_line(text: str) -> str:
    return " ".join(text.split())
