from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.library import RYGate
from qiskit.quantum_info import Operator, Statevector

from carleman.systems import descent
from qhn.carleman.block_encoding import BlockEncoding, controlled, dilation
from qhn.carleman.gate_counts import gate_counts
from qhn.carleman.history_encoding import flip_if_below, history_encoding
from qhn.errors import QhnError


def check_gate(encoding: BlockEncoding) -> None:
    """The matrix of a gate is unitary, and its circuit and that of its inverse are the same."""
    gate = encoding.gate
    matrix = Operator(gate).data
    assert matrix @ matrix.conj().T == pytest.approx(np.eye(len(matrix)), abs=1e-12)
    assert Operator(gate.definition).data == pytest.approx(matrix, abs=1e-12)
    assert Operator(gate.inverse().definition).data == pytest.approx(matrix.conj().T, abs=1e-12)
    assert Operator(gate.inverse()).data == pytest.approx(matrix.conj().T, abs=1e-12)
    assert Operator(gate.inverse().inverse()).data == pytest.approx(matrix, abs=1e-12)


@pytest.mark.parametrize("size", [1, 2, 8])
@pytest.mark.parametrize("stretch", [1.0, 1.7])
def test_dilation(size: int, stretch: float) -> None:
    matrix = np.random.default_rng(size).normal(size=(size, size))
    encoding = dilation(matrix, stretch * float(np.linalg.norm(matrix, 2)))
    assert encoding.block() * encoding.subnormalisation == pytest.approx(matrix, abs=1e-12)
    check_gate(encoding)


def test_dilation_is_balanced() -> None:
    """At value 1 of the ancilla it holds −A, and the rest is alike on both sides: W (Z Σ + X √(1 − Σ²)) V†."""
    matrix = np.random.default_rng(1).normal(size=(4, 4))
    (block, right), (below, last) = (
        Operator(dilation(matrix).gate).data.reshape(2, 4, 2, 4)[i].swapaxes(0, 1) for i in (0, 1)
    )
    assert last == pytest.approx(-block)
    assert below == pytest.approx(right)


@pytest.mark.parametrize(
    ("num_parameters", "order", "num_steps", "num_times", "rate"),
    [
        (1, 1, 1, None, 0.3),  # no qubit of components
        (1, 1, 3, None, 0.3),
        (1, 2, 2, None, 0.3),
        (2, 1, 5, 8, 0.3),
        (1, 3, 3, None, 0.3),
        (1, 1, 3, 8, 3.5),  # grows: β above 1, with idle times
        (1, 1, 3, None, 3.5),  # and without
    ],
)
def test_history(num_parameters: int, order: int, num_steps: int, num_times: int | None, rate: float) -> None:
    system = descent(num_parameters, order, num_steps, num_times, rate)
    encoding = history_encoding(system)
    assert encoding.block() * encoding.subnormalisation == pytest.approx(system.matrix.toarray(), abs=1e-12)
    check_gate(encoding)
    norm = np.linalg.norm(system.matrix.toarray(), 2)
    assert norm <= encoding.subnormalisation <= 2 * norm


def test_gates_of_a_history_grow_with_the_logarithm_of_its_times() -> None:
    counts = [
        gate_counts(history_encoding(descent(2, 1, steps)).gate.definition).two_qubit_gates for steps in (3, 7, 15, 31)
    ]
    assert counts[-1] < 5 * counts[0], "of eight times as many times"
    dense = [gate_counts(dilation(descent(2, 1, steps).matrix.toarray()).gate.definition) for steps in (3, 7)]
    assert dense[1].two_qubit_gates > 3.5 * dense[0].two_qubit_gates


@pytest.mark.parametrize("bound", range(1, 9))
def test_comparison_flips_what_is_below(bound: int) -> None:
    circuit = QuantumCircuit(5)
    flip_if_below(circuit, 3, [0, 1, 2], bound, 4)
    for start in range(16):
        end = int(np.flatnonzero(np.abs(Statevector.from_int(start, 32).evolve(circuit).data) > 0.5)[0])
        assert end == start + 16 * (start >= 8 and start - 8 < bound)


@pytest.mark.parametrize(("num_controls", "state"), [(1, 0), (1, None), (3, 0), (3, 5), (3, None)])
def test_a_controlled_gate_is_its_circuit(num_controls: int, state: int | None) -> None:
    gate = controlled(RYGate(0.7), num_controls, state)
    applied = np.flatnonzero(~np.isclose(np.diag(gate.to_matrix()), 1))
    chosen = 2**num_controls - 1 if state is None else state
    assert applied.tolist() == [chosen, chosen + 2**num_controls]
    assert Operator(gate.definition).data == pytest.approx(gate.to_matrix(), abs=1e-12)


def test_refusals() -> None:
    with pytest.raises(QhnError, match="at least the largest singular value 2"):
        dilation(np.diag([2.0, 0.5]), 1.0)
    with pytest.raises(QhnError, match="encoding='structured'"):
        dilation(np.eye(2048))
