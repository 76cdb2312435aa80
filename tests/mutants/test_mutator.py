from __future__ import annotations

import ast

import pytest

from mutants.mutator import mutants

SOURCE = '''
"""Words of 3 + 4."""
from typing import Protocol

def f(x: int = 2, *, y: list[1] = None) -> Literal[3]:
    """More of them."""
    if x < 0 and not y:
        raise ValueError(f"x is {x + 1}")
    y[0] = max(0.0, x - 1)
    return -x if y.any() else "é" + y

class P(Protocol):
    z = 1 + 2
'''


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("2", ["1", "3"]),
        ("x < 0 and (not y)", []),
        ("x < 0 and not y", ["(not (x < 0 and (not y)))", "(x < 0 or not y)"]),
        ("x < 0", ["(x <= 0)"]),
        ("0", ["-1", "1"]),
        ("not y", ["y"]),
        ('raise ValueError(f"x is {x + 1}")', ["pass"]),
        ("y[0] = max(0.0, x - 1)", ["pass"]),
        ("max(0.0, x - 1)", ["(x - 1)", "min(0.0, x - 1)"]),
        ("0.0", ["-1.0", "1.0"]),
        ("x - 1", ["(x + 1)"]),
        ("y.any()", ["(not y.any())", "y.all()"]),
        ("-x", ["x"]),
        ('"é" + y', ["('é' - y)"]),
        ("x + 1", []),
        ("1 + 2", []),
        ("3", []),
    ],
)
def test_every_place_has_its_changes(before: str, after: list[str]) -> None:
    """Texts, types and protocols have none."""
    found = {mutant.after for mutant in mutants(SOURCE) if mutant.before == before}
    assert sorted(found) == after


def test_a_mutant_is_one_change_of_the_source() -> None:
    found = mutants(SOURCE)
    assert found == mutants(SOURCE)
    assert len({mutant.applied(SOURCE) for mutant in found}) == len(found)
    whole = ast.dump(ast.parse(SOURCE))
    for mutant in found:
        changed = mutant.applied(SOURCE)
        assert ast.dump(ast.parse(changed)) != whole
        assert len(changed.splitlines()) == len(SOURCE.splitlines())
    (one,) = (str(mutant) for mutant in found if mutant.before == "x - 1")
    assert one == "9: x - 1 → (x + 1)    in  y[0] = max(0.0, x - 1)"
