"""The interface of all estimators: rows of angles θ in, means of the measured costs and their errors out."""

from __future__ import annotations

from typing import Protocol

from numpy.typing import ArrayLike

from qhn.arrays import Bits, Floats
from qhn.backend.samples import ReadoutCounts
from qhn.circuit.ansatz import Ansatz
from qhn.errors import QhnError
from qhn.estimator.gradient import ValueAndGrad
from qhn.estimator.means import Estimates
from qhn.estimator.measurement import Measurement
from qhn.problem.cost import Problem
from qhn.seeds import Key


class Estimator(Protocol):
    """E(θ), or another objective such as CVaR, with its gradient, from measured bits or computed exactly.

    Attributes:
        ansatz: the circuit.
        readout_counts: all readout errors counted so far; None if the machine counts none.
    """

    ansatz: Ansatz
    readout_counts: ReadoutCounts | None

    def __call__(self, thetas: ArrayLike, key: Key | None = None) -> Estimates:
        """E, its standard error and the objective: ``[B, num_parameters]`` → ``[B]``, ``[num_parameters]`` → scalars.

        Args:
            thetas: rows of angles in radians.
            key: key of the random numbers; by default each call draws fresh ones. Exact estimators ignore it.

        Raises:
            QhnError: if the last axis does not have length ``num_parameters``.
            BackendError: if the machine fails.
        """
        ...

    def value_and_grad(
        self, theta: ArrayLike, key: Key | None = None, measurement: Measurement | None = None
    ) -> ValueAndGrad:
        """The objective and its gradient by the angles: ``[..., num_parameters]`` → values of shape ``[...]``.

        Args:
            theta: angles in radians.
            key: key of the random numbers; by default each call draws fresh ones. Exact estimators ignore it.
            measurement: the rows of angles to measure and the shots of each; by default parameter shift of the active
                angles, with the shots that the estimator was built with. The estimator of an ideal circuit ignores it,
                and no estimator without shots reads its shots.

        Raises:
            QhnError: if the last axis does not have length ``num_parameters``.
            BackendError: if the machine fails.
        """
        ...

    def solutions(self, theta: Floats, found: Estimates) -> Bits:
        """Bitstrings that the circuit offers at ``theta[num_parameters]``, ``[n, num_qubits]``.

        An estimator that samples offers the bitstrings measured in the first row; an exact one the most probable one.

        Args:
            theta: angles in radians.
            found: the estimates at these angles.
        """
        ...

    def expectation(self, problem: Problem, theta: Floats, found: Estimates) -> float:
        """The mean of another cost over the bitstrings that the circuit yields at ``theta[num_parameters]``.

        Args:
            problem: the cost to average, on bitstrings of ``num_qubits`` bits.
            theta: angles in radians.
            found: the estimates at these angles.
        """
        ...


def check_fit(ansatz: Ansatz, problem: Problem) -> None:
    """Refuse a circuit and a cost with different numbers of bits.

    Raises:
        QhnError: if the ansatz's number of qubits is not the problem's number of bits.
    """
    if ansatz.num_qubits != problem.num_qubits:
        raise QhnError(f"the ansatz has {ansatz.num_qubits} qubits, the problem {problem.num_qubits} bits")
