"""What every estimator offers: rows of θ in, means of costs and errors out."""

from __future__ import annotations

from qhn.circuit.hypernetwork import Ansatz
from qhn.errors import QhnError
from qhn.problem.cost import Problem


def check_fit(ansatz: Ansatz, problem: Problem) -> None:
    """Refuse a circuit and a cost of different sizes.

    Raises:
        ValueError: naming both.
    """
    if ansatz.num_qubits != problem.num_qubits:
        raise QhnError(f"the ansatz has {ansatz.num_qubits} qubits, the problem {problem.num_qubits} bits")
