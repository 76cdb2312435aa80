"""Every docstring, and every entry of its sections, begins as a sentence that can be read alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import qhn

SOURCE = Path(qhn.__file__).parent
FRAGMENT = re.compile(  # words that go on with a sentence which is not there
    r"(of|that|which|whose|with|without|from|by|as|in|on|at|to|than|until|likewise|ditto|also|its|their|theirs|them"
    r"|those|these|this|and|or|but|the same|the others?|the rest)\b",
    re.IGNORECASE,
)
SHAPE = re.compile(r"``\w*\[")  # a shape whose array has no name
ERROR = re.compile(r"(at construction, )?(if|when)\b")
SECTION = re.compile(r"^(Args|Attributes|Raises|Returns|Yields):\n((?:(?: {4}.*)?\n?)+)", re.MULTILINE)
ENTRY = re.compile(r"^ {4}(?=\S)(?:([*\w]+(?:, [*\w]+)*): )?", re.MULTILINE)


def problems(docstring: str) -> Iterator[str]:
    """The summary and the entries of a docstring that begin as fragments."""
    if FRAGMENT.match(docstring):
        yield docstring.partition("\n")[0]
    for section in SECTION.finditer(docstring):
        kind, body = section.groups()
        for entry in ENTRY.finditer(body):
            text = body[entry.end() :].partition("\n")[0]
            if not ERROR.match(text) if kind == "Raises" else FRAGMENT.match(text) or SHAPE.match(text):
                yield f"{kind}: {entry[1] or ''}: {text}"


def modules() -> list[str]:
    """The dotted names of all modules below ``qhn``."""
    return [".".join(path.relative_to(SOURCE).with_suffix("").parts) for path in sorted(SOURCE.rglob("*.py"))]


@pytest.mark.parametrize("name", modules())
def test_docstrings_can_be_read_alone(name: str) -> None:
    tree = ast.parse((SOURCE / name.replace(".", "/")).with_suffix(".py").read_text())
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = [
        f"{getattr(node, 'name', 'module')}: {problem}"
        for node in ast.walk(tree)
        if isinstance(node, documented)
        for problem in problems(ast.get_docstring(node) or "")
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "docstring",
    [
        "Of the journal.",
        "The same in Markdown.",
        "Prices.\n\nArgs:\n    shots: of each.",
        "Prices.\n\nArgs:\n    shots: number of shots\n        of each row.\n    rows: as they are.\n\n>>> 1\n1",
        "Prices.\n\nAttributes:\n    costs, bits: ``[n]``, ascending.",
        "Prices.\n\nReturns:\n    Of each row.",
        "Prices.\n\nRaises:\n    ValueError: as the other one.",
    ],
)
def test_fragments_are_found(docstring: str) -> None:
    assert len(list(problems(docstring))) == 1


@pytest.mark.parametrize(
    "docstring",
    [
        "Origin of θ.",
        "The samefile of a path.",
        "Tokens ``[n]``.\n\nOf these, the first is θ.",
        "Prices.\n\nArgs:\n    shots: number of shots.\n    tiles: ``auto``, or a number\n        of chains.",
        "Prices.\n\nReturns:\n    The number of shots as 0: ``[n]``.",
        "Prices.\n\nRaises:\n    ValueError: at construction, if ``shots`` is below 1.\n    Spent: when it is spent.",
    ],
)
def test_sentences_are_left_alone(docstring: str) -> None:
    assert not list(problems(docstring))
