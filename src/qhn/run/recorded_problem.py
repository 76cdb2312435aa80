"""The problem of a run that was given as a Python object, as far as the record of the run knows it."""

from __future__ import annotations

import numpy as np

from qhn import bitstrings
from qhn.arrays import Bits, Floats
from qhn.errors import QhnError
from qhn.problem.cost import Problem, TableProblem
from qhn.problem.evaluations import Evaluations
from qhn.run.provenance import LANDSCAPE
from qhn.run.record import Record


def recorded_problem(record: Record) -> Problem:
    """The costs that a record holds, as a problem: those of all bitstrings, or of the evaluated ones.

    The user's own code is not needed, and not run.
    """
    num_qubits = record.config.instance.num_qubits if record.config.instance else record.checkpoint().num_qubits
    try:
        costs = np.load(record.directory / LANDSCAPE, allow_pickle=False)
        if costs.shape == (2**num_qubits,):
            return TableProblem(costs)
    except (OSError, ValueError, EOFError):
        pass
    return RecordedProblem(record, num_qubits)


class RecordedProblem:
    """The costs of the bitstrings that a run has evaluated; it knows no others.

    Args:
        record: of the run.
        num_qubits: bits of a bitstring.
    """

    def __init__(self, record: Record, num_qubits: int) -> None:
        self.num_qubits = num_qubits
        self._known = Evaluations(_Unknown(num_qubits))
        if record.checkpoint().num_evaluations:
            self._known.add(*record.evaluations())

    def cost(self, bits: Bits) -> Floats:
        """C of each bitstring ``[..., num_qubits]``.

        Raises:
            QhnError: naming the first bitstring that the run did not evaluate.
        """
        return self._known.cost(bits)


class _Unknown:
    """A problem that knows no cost at all."""

    def __init__(self, num_qubits: int) -> None:
        self.num_qubits = num_qubits

    def cost(self, bits: Bits) -> Floats:
        first = bitstrings.text(bits.reshape(-1, self.num_qubits)[0])
        raise QhnError(f"the record does not hold C of bitstring {first}; give the problem of the run, from Python")
