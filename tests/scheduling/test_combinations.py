from __future__ import annotations

import pytest

from qhn.errors import QhnError
from qhn.scheduling.combinations import Combinations
from qhn.scheduling.space import Range


def test_combinations_are_those_of_nested_loops() -> None:
    space = Combinations({"a": [1, 2], "b": ["x", "y", "z"]}, trials_per_group=2)
    drawn = [tuple(space.draw(5, trial).values()) for trial in range(12)]
    assert drawn == [(a, b) for a in (1, 2) for b in "xyz" for _ in range(2)]
    assert Combinations({}, 5).groups == 1
    assert Combinations({}, 5).draw(0, 4) == {}
    with pytest.raises(QhnError, match="list some values of rate"):
        Combinations({"rate": Range(0.1, 1.0)}, 5)
