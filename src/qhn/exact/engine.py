"""The choice of the exact engine for a circuit: the cut for hypernetworks, the state vector for all others.

Beyond the number of qubits of a table of costs, matrix products are for hypernetworks and light cones for all others.
"""

from __future__ import annotations

from typing import Protocol

from numpy.typing import ArrayLike

from qhn.arrays import Bits, Floats
from qhn.circuit.ansatz import GateCircuit
from qhn.circuit.hypernetwork import Hypernetwork
from qhn.errors import QhnError
from qhn.exact.chain import Chain
from qhn.exact.chain_energy import ChainEnergy
from qhn.exact.distribution import Distribution
from qhn.exact.energy import Energy
from qhn.exact.light_cone_energy import LightConeEnergy
from qhn.exact.protocol import ExactDistribution, ExactEnergy
from qhn.exact.state_vector import StateVectorDistribution, StateVectorEnergy
from qhn.problem.polynomial import SpinPolynomial

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


def has_only_means(circuit: GateCircuit) -> bool:
    """Whether a circuit is too large for an engine to draw its bits, so that only means by light cones are left."""
    return not isinstance(circuit, Hypernetwork) and circuit.num_qubits > MAX_CUT_QUBITS


def check_sampled(circuit: GateCircuit) -> None:
    """Refuse to draw the bits of a circuit of which only means are known.

    Raises:
        QhnError: if the circuit has more than 24 qubits and is no hypernetwork.
    """
    if has_only_means(circuit):
        raise QhnError(
            f"backend exact draws bits of up to {MAX_CUT_QUBITS} qubits, or of hypernetworks, and this circuit has "
            f"{circuit.num_qubits}; use backend aer-mps, or for a polynomial cost leave --shots away"
        )


class PolynomialEnergy(Protocol):
    """The mean ⟨C⟩ of a polynomial cost and its gradient, on a circuit of any number of qubits.

    Attributes:
        polynomial: the cost as a polynomial of spins.
    """

    polynomial: SpinPolynomial

    def __call__(self, thetas: ArrayLike) -> Floats:
        """The mean cost E at each row of angles: ``[B, num_parameters]`` → ``[B]``."""
        ...

    def value_and_grad(self, thetas: ArrayLike) -> tuple[Floats, Floats]:
        """E and its gradient ∂E/∂θ at each row: ``[B, num_parameters]`` → ``[B]``, ``[B, num_parameters]``."""
        ...

    def likely_bits(self, theta: ArrayLike) -> Bits:
        """A bitstring ``[num_qubits]`` that the circuit favours at ``theta[num_parameters]``."""
        ...


def polynomial_energy_of(circuit: GateCircuit, polynomial: SpinPolynomial) -> PolynomialEnergy:
    """The function that computes E and its gradient for a polynomial cost, without a table of all costs.

    Args:
        circuit: the circuit, whose angles the function takes.
        polynomial: the cost as a polynomial of spins.

    Raises:
        QhnError: if the circuit is too deep.
    """
    if isinstance(circuit, Hypernetwork):
        return ChainEnergy(circuit, polynomial)
    return LightConeEnergy(circuit, polynomial)
