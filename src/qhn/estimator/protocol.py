"""What every estimator offers: rows of θ in, means of costs and errors out."""

from __future__ import annotations

from typing import Protocol

from numpy.typing import ArrayLike

from qhn.arrays import Bits, Floats
from qhn.backend.samples import ReadoutCounts
from qhn.circuit.hypernetwork import Ansatz
from qhn.errors import QhnError
from qhn.estimator.gradient import Gradient, ValueAndGrad
from qhn.estimator.means import Estimates
from qhn.problem.cost import Problem
from qhn.seeds import Key


class Estimator(Protocol):
    """E(θ), another objective and their gradients, from measured bits or exactly.

    Attributes:
        ansatz: the circuit.
        readout_counts: all readout errors counted so far; None where none are.
    """

    ansatz: Ansatz
    readout_counts: ReadoutCounts | None

    def __call__(self, thetas: ArrayLike, key: Key | None = None) -> Estimates:
        """E, its standard error and the objective: ``[B, num_parameters]`` → ``[B]``, ``[num_parameters]`` → scalars.

        Args:
            thetas: rows of angles in radians.
            key: the name of the random numbers; by default every call has its own. Exact estimators need none.

        Raises:
            QhnError: on a wrong shape.
            BackendError: if the machine fails.
        """
        ...

    def value_and_grad(
        self, theta: ArrayLike, key: Key | None = None, gradient: Gradient | None = None, shots: int | None = None
    ) -> ValueAndGrad:
        """The objective and its gradient: ``[..., num_parameters]`` → values of shape ``[...]``.

        Args:
            theta: angles in radians.
            key: the name of the random numbers; by default every call has its own. Exact estimators need none.
            gradient: the rule that says which rows of angles are measured; parameter shift of the active angles by
                default. An ideal estimator knows the gradient without rows.
            shots: measured bitstrings a row in this call; by default the estimator's own number. Exact estimators take
                none.

        Raises:
            QhnError: on a wrong shape.
            BackendError: if the machine fails.
        """
        ...

    def solutions(self, theta: Floats, found: Estimates) -> Bits:
        """Bitstrings that the circuit offers at ``theta[num_parameters]``, ``[n, num_qubits]``.

        From measured bits they are those of the first row; of a known distribution it is the most probable one.

        Args:
            theta: angles in radians.
            found: what was estimated there.
        """
        ...

    def expectation(self, problem: Problem, theta: Floats, found: Estimates) -> float:
        """The mean of another cost over the bitstrings at ``theta[num_parameters]``, measured or all.

        Args:
            problem: the other cost, of as many bits.
            theta: angles in radians.
            found: what was estimated there.
        """
        ...


def check_fit(ansatz: Ansatz, problem: Problem) -> None:
    """Refuse a circuit and a cost of different sizes.

    Raises:
        QhnError: naming both.
    """
    if ansatz.num_qubits != problem.num_qubits:
        raise QhnError(f"the ansatz has {ansatz.num_qubits} qubits, the problem {problem.num_qubits} bits")


def as_rows(theta: Floats, ansatz: Ansatz) -> Floats:
    """Angles ``[..., num_parameters]`` as rows ``[B, num_parameters]``.

    Raises:
        QhnError: if the last axis is not one angle a parameter.
    """
    if theta.ndim == 0 or theta.shape[-1] != ansatz.num_parameters:
        raise QhnError(f"theta must have shape [..., {ansatz.num_parameters}], got {list(theta.shape)}")
    return theta.reshape(-1, theta.shape[-1])
