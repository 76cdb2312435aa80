"""Circuits whose amplitudes are a solution known classically, and a machine without noise that measures circuits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit.library import StatePreparation
from qiskit.quantum_info import Statevector

from qhn.arrays import Bits, Floats
from qhn.carleman.history import HistorySystem
from qhn.carleman.linear_solver import SolverCircuit, SolverFacts, solve_classically


def ideal_solver(system: HistorySystem, right_side: Floats, error: float = 0.0) -> SolverCircuit:
    """A circuit that prepares the solution with a scale as large as a real solver's, 1.5·‖b‖·‖A⁻¹‖.

    The solution is wrong by a relative error of the given size, in a direction that the right side decides.
    """
    solution = solve_classically(system.matrix, right_side)
    if error:
        direction = np.random.default_rng(len(solution)).normal(size=len(solution))
        solution = solution + error * np.linalg.norm(solution) * direction / np.linalg.norm(direction)
    scale = 1.5 * np.linalg.norm(right_side) / np.linalg.norm(system.matrix.toarray(), -2)
    amplitudes = np.zeros((2, len(solution)))
    amplitudes[0] = solution / scale
    amplitudes[1, 0] = np.sqrt(1 - np.square(amplitudes).sum())
    num_qubits = len(solution).bit_length()
    circuit = QuantumCircuit(num_qubits)
    circuit.append(StatePreparation(amplitudes.ravel()), range(num_qubits))
    facts = SolverFacts("qsvt", "dilation", 1.0, 1.0, 1.0, error / (1 - error), 1, 1)
    return SolverCircuit(circuit, tuple(range(num_qubits - 1)), (num_qubits - 1,), scale, len(solution), facts)


class Machine:
    """A machine that draws bits from the exact distribution of each circuit's classical bits.

    Attributes:
        calls: number of circuits and shots of each call.
        background: share of shots whose bits are drawn uniformly instead, as strong noise does.
    """

    def __init__(self, seed: int, background: float = 0.0) -> None:
        self.calls: list[tuple[int, int]] = []
        self.background = background
        self._rng = np.random.default_rng(seed)
        self._known: dict[int, tuple[QuantumCircuit, Floats]] = {}

    def measure(self, circuits: Sequence[QuantumCircuit], shots: int) -> Bits:
        """Measured bits ``[num_circuits, shots, num_clbits]``."""
        self.calls.append((len(circuits), shots))
        found = []
        for circuit in circuits:
            if id(circuit) not in self._known:
                self._known[id(circuit)] = circuit, distribution(circuit)
            probabilities = self._known[id(circuit)][1]
            mixed = (1 - self.background) * probabilities + self.background / len(probabilities)
            outcomes = np.repeat(np.arange(len(mixed)), self._rng.multinomial(shots, mixed))
            found.append(outcomes[:, None] >> np.arange(circuit.num_clbits) & 1)
        return np.array(found, dtype=np.uint8)


def distribution(circuit: QuantumCircuit) -> Floats:
    """The probability of each value of the classical bits, bit 0 least significant: ``[2^num_clbits]``."""
    measured = [one for one in circuit.data if one.operation.name == "measure"]
    measured.sort(key=lambda one: circuit.find_bit(one.clbits[0]).index)
    qubits = [circuit.find_bit(one.qubits[0]).index for one in measured]
    probabilities = Statevector(circuit.remove_final_measurements(inplace=False)).probabilities(qubits)
    return np.asarray(probabilities / probabilities.sum())
