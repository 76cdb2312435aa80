"""The choice of the exact engine for a circuit: the cut for hypernetworks, the state vector for all others."""

from __future__ import annotations

from numpy.typing import ArrayLike

from qhn.circuit.ansatz import GateCircuit
from qhn.circuit.hypernetwork import Hypernetwork
from qhn.exact.chain import Chain
from qhn.exact.distribution import Distribution
from qhn.exact.energy import Energy
from qhn.exact.protocol import ExactDistribution, ExactEnergy
from qhn.exact.state_vector import StateVectorDistribution, StateVectorEnergy

MAX_CUT_QUBITS = 24  # qubits up to which a chain is cut once; longer chains are cut into pairs


def energy_of(circuit: GateCircuit, costs: ArrayLike) -> ExactEnergy:
    """The function that computes E and its gradient for a table of costs ``[2**num_qubits]``.

    Args:
        circuit: the circuit, whose angles the function takes.
        costs: the costs of all bitstrings, qubit 0 the least significant bit of the index.

    Raises:
        QhnError: if the circuit is too large.
    """
    if isinstance(circuit, Hypernetwork):
        return Energy(circuit, costs)
    return StateVectorEnergy(circuit, costs)


def distribution_of(circuit: GateCircuit) -> ExactDistribution:
    """The distribution of a circuit's measured bits at given angles.

    Raises:
        QhnError: if the circuit is too large.
    """
    if isinstance(circuit, Hypernetwork):
        return Distribution(circuit)
    return StateVectorDistribution(circuit)


def sampler_of(circuit: GateCircuit) -> ExactDistribution | Chain:
    """The engine that draws a circuit's measured bits: one that knows all probabilities, or beyond it a chain's.

    Raises:
        QhnError: if the circuit is too large.
    """
    if isinstance(circuit, Hypernetwork) and circuit.num_qubits > MAX_CUT_QUBITS:
        return Chain(circuit)
    return distribution_of(circuit)
