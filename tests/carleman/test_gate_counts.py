from __future__ import annotations

import numpy as np
import pytest

from carleman.systems import descent
from qhn.carleman import gate_counts as module
from qhn.carleman.gate_counts import gate_counts
from qhn.carleman.hhl import hhl
from qhn.carleman.qsvt import qsvt


def test_sum_over_instructions_is_near_what_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    system = descent(1, 2, 3)
    for solver in (
        qsvt(system, epsilon=0.3),
        qsvt(system, epsilon=0.3, encoding="structured"),
        hhl(system.matrix, system.right_side, 5),
    ):
        compiled = gate_counts(solver.circuit)
        monkeypatch.setattr(module, "MAX_COMPILED", 0)
        summed = gate_counts(solver.circuit)
        monkeypatch.undo()
        assert (compiled.is_compiled, summed.is_compiled) == (True, False)
        assert summed.two_qubit_gates == pytest.approx(compiled.two_qubit_gates, rel=0.1)
        assert summed.depth == pytest.approx(compiled.depth, rel=0.25)


def test_large_unitaries_are_counted_by_the_formula() -> None:
    rng = np.random.default_rng(0)
    solver = qsvt(np.eye(128) + 0.02 * rng.normal(size=(128, 128)), rng.normal(size=128), 0.3)
    counts = gate_counts(solver.circuit)
    dense = 2 * 7_658 * solver.facts.queries  # 23/48 4^7 − 3/2 2^7 + 4/3, two for each use of the encoding
    assert not counts.is_compiled
    assert dense < counts.two_qubit_gates < 1.05 * dense
