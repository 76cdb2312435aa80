"""The circuits of linear solvers as work of machines: the counts are those of the amplitudes."""

from __future__ import annotations

import numpy as np
import pytest

from carleman.systems import descent
from qhn.arrays import Floats
from qhn.backend import open_backend
from qhn.backend.circuit_digest import circuit_digest
from qhn.carleman.hhl import hhl
from qhn.carleman.linear_solver import SolverCircuit
from qhn.carleman.qsvt import qsvt
from qhn.seeds import Key

SYSTEM = descent(2, 1, 3)
SOLVERS = {
    "dilation": lambda: qsvt(SYSTEM, epsilon=0.05),
    "structured": lambda: qsvt(SYSTEM, epsilon=0.05, encoding="structured"),
    "hhl": lambda: hhl(SYSTEM.matrix, SYSTEM.right_side, 5),
}


def frequencies(solver: SolverCircuit, backend: str, shots: int) -> Floats:
    """The share of shots that succeed and show each value of the solution register."""
    bits = open_backend(backend).measure([solver.measured()], shots, Key(seed=3)).bits[0]
    width = len(solver.solution)
    values = bits[:, :width] @ (1 << np.arange(width))
    return np.bincount(values[~bits[:, width:].any(axis=1)], minlength=2**width) / len(bits)


@pytest.mark.parametrize("name", SOLVERS)
def test_counts_on_aer(name: str) -> None:
    solver = SOLVERS[name]()
    expected = (solver.amplitudes().vector / solver.scale) ** 2
    error = np.sqrt(expected * (1 - expected) / 50_000) + 1 / 50_000
    assert (np.abs(frequencies(solver, "aer", 50_000) - expected) < 5 * error).all()


@pytest.mark.parametrize("name", SOLVERS)
def test_the_job_of_a_circuit_is_found_again_and_no_other(name: str) -> None:
    digest = circuit_digest(SOLVERS[name]().measured())
    assert digest == circuit_digest(SOLVERS[name]().measured())
    others = [circuit_digest(make().measured()) for other, make in SOLVERS.items() if other != name]
    changed = qsvt(SYSTEM, SYSTEM.right_side + 0.01, epsilon=0.05, encoding="structured")
    assert digest not in [*others, circuit_digest(changed.measured())]


@pytest.mark.slow
def test_smallest_history_on_a_rehearsed_device() -> None:
    """Two steps of one parameter: 4 two-qubit gates remain of 24, and the displacement is right within 5 %."""
    system = descent(1, 1, 1)
    solver = qsvt(system, epsilon=0.01)
    backend = open_backend("fake_torino")
    price = backend.circuit_price([solver.measured()], 20_000).circuits[0]
    assert (price.qubits, price.two_qubit_gates) == (3, 4)
    found = solver.scale * np.sqrt(frequencies(solver, "fake_torino", 20_000))
    assert found == pytest.approx(np.abs(system.solution()), rel=0.05)
