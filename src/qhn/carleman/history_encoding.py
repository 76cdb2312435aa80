"""A block encoding of the history of a descent from its structure, 1 − S ⊗ A with S the shift by one time.

It is made of an encoding of the block A, which all times share, and of arithmetic on the register of times, so that its
gates grow with the square of the logarithm of the number of times, and not with that number.
"""

from __future__ import annotations

import math

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Gate
from qiskit.circuit.library import RYGate, UnitaryGate, XGate

from qhn.arrays import Floats
from qhn.carleman.block_encoding import MAX_DENSE, BlockEncoding, controlled, gate_of, multiplexed_ry, scaled_svd
from qhn.carleman.history import HistorySystem
from qhn.errors import QhnError


def history_encoding(system: HistorySystem) -> BlockEncoding:
    """The block encoding of the history of a descent whose steps are all alike.

    The matrix is 1 − S ⊗ A, where idle times have the identity in place of A, and S lets the last time go. A selecting
    ancilla adds the two terms with weights 1 and β = max(1, ‖A‖), so that α = 1 + β; ‖1 − S ⊗ A‖ itself is at most
    1 + ‖A‖. A second ancilla is that of the dilation of A/β; it also carries the factor 1/β of idle times, and is 1
    after the last time. A third holds whether a step follows, and returns to 0 by itself.

    Args:
        system: history of a descent.

    Raises:
        QhnError: if the steps differ from each other, as they do in stochastic descent, or the block is too large.

    >>> from qhn.carleman.closure import GradientMap, lift
    >>> from qhn.carleman.polynomial import PolynomialGradient
    >>> bowl = PolynomialGradient(np.zeros(1), 0.0, (np.zeros(1), np.ones((1, 1))))
    >>> encoding = history_encoding(HistorySystem.of(lift(GradientMap(bowl, 0.5), 1), np.array([1.0]), num_steps=3))
    >>> encoding.subnormalisation, (2 * encoding.block().real).round(12)[1]
    (2.0, array([-0.5,  1. ,  0. ,  0. ]))
    """
    first = system.lifts[0].matrix
    if any(lift.matrix is not first and (lift.matrix != first).nnz for lift in system.lifts):
        raise QhnError(
            "the structured encoding is of descents whose steps are all alike, and these differ (stochastic gradient "
            "descent): use encoding='dilation'"
        )
    if system.block > MAX_DENSE:
        raise QhnError(
            f"the block of the structured encoding is dense, and has {system.block:,} components, more than "
            f"{MAX_DENSE:,}: keep fewer parameters, or lower the order"
        )
    step = np.zeros((system.block, system.block))
    step[: system.dimension, : system.dimension] = first.toarray()
    beta = max(1.0, float(np.linalg.norm(step, 2)))
    circuit = _circuit(_controlled_dilation(step, beta), beta, system.num_times, system.num_steps)
    return BlockEncoding(gate_of("history", circuit), 3, 1 + beta)


def _controlled_dilation(step: Floats, beta: float) -> Gate:
    """The dilation of A/β = W Σ V† where a last qubit is 1.

    The dilation is W V† after V M V†, M rotating the ancilla: only W V† and M need the control.
    """
    left, cosines, right, _ = scaled_svd(step, beta)
    size = len(step)
    inner = size.bit_length() - 1
    components, dilated, control = list(range(inner)), inner, inner + 1
    circuit = QuantumCircuit(inner + 2, name="step")
    if components:
        circuit.append(UnitaryGate(right, check_input=False), components)
    circuit.cz(control, dilated)
    angles = np.concatenate([np.zeros(size), 2 * np.arccos(cosines)])
    circuit.append(multiplexed_ry(angles), [dilated, *components, control])
    if components:
        circuit.append(UnitaryGate(right.T, check_input=False), components)
    turn = np.eye(2 * size)
    turn[size:, size:] = left @ right
    circuit.append(UnitaryGate(turn, check_input=False), [*components, control])
    return gate_of("step", circuit)


def _circuit(step: Gate, beta: float, num_times: int, num_steps: int) -> QuantumCircuit:
    """The circuit of 1 − S ⊗ A from the controlled dilation of A/β, on components, times, and three ancillas."""
    inner, outer = step.num_qubits - 2, num_times.bit_length() - 1
    components, times = list(range(inner)), list(range(inner, inner + outer))
    dilated, steps, select = range(inner + outer, inner + outer + 3)
    circuit = QuantumCircuit(inner + outer + 3, name="history")
    angle = 2 * math.atan(math.sqrt(beta))  # amplitudes in the ratio of the roots of the weights 1 and β
    circuit.ry(angle, select)
    circuit.z(select)  # the second term is subtracted
    flip_if_below(circuit, select, times, num_steps, steps)
    circuit.append(step, [*components, dilated, steps])
    idle = 2 * math.acos(1 / beta) if num_steps < num_times - 1 else 0.0
    if idle:
        circuit.append(controlled(RYGate(idle), 2, 0b01), [select, steps, dilated])
    flip_if_below(circuit, select, times, num_steps, steps)
    last = RYGate(math.pi - idle) if idle else XGate()
    circuit.append(controlled(last, 1 + outer), [select, *times, dilated])
    for place in reversed(range(outer)):
        circuit.append(controlled(XGate(), 1 + place), [select, *times[:place], times[place]])
    circuit.ry(-angle, select)
    return circuit


def flip_if_below(circuit: QuantumCircuit, control: int, register: list[int], bound: int, target: int) -> None:
    """Append gates that flip a qubit if another one is 1 and the number in a register is below a bound.

    The numbers below the bound, or those that are not, are intervals of which each shares its leading bits: at most as
    many as the register has qubits.

    Args:
        circuit: circuit to append to.
        control: qubit that must be 1.
        register: qubits of the number, least significant first.
        bound: the bound, from 1 to 2ⁿ of n qubits.
        target: qubit that is flipped.
    """
    below, above = _intervals(0, bound), _intervals(bound, 2 ** len(register))
    if len(above) < len(below):
        circuit.cx(control, target)
        below = above
    for first, length in below:
        leading = register[length.bit_length() - 1 :]
        state = first // length * 2 + 1
        circuit.append(controlled(XGate(), 1 + len(leading), state), [control, *leading, target])


def _intervals(low: int, high: int) -> list[tuple[int, int]]:
    """The fewest intervals (first, length) of [low, high) whose length is a power of two that divides their first.

    >>> _intervals(0, 6), _intervals(6, 8)
    ([(0, 4), (4, 2)], [(6, 2)])
    """
    found = []
    while low < high:
        length = low & -low or 1 << (high.bit_length() - 1)
        while low + length > high:
            length //= 2
        found.append((low, length))
        low += length
    return found
