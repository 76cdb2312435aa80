"""The problem of a run that is the user's own code, reconstructed from the costs that the record holds."""

from __future__ import annotations

import numpy as np

from qhn import bitstrings
from qhn.arrays import Bits, Floats
from qhn.config.instance import InstanceConfig
from qhn.config.python_problem import PythonConfig
from qhn.errors import QhnError, RecordError
from qhn.npz import load_npy
from qhn.problem.cost import TableProblem
from qhn.problem.evaluations import Evaluations
from qhn.run.provenance import LANDSCAPE
from qhn.run.record import Record


class RecordedProblem:
    """A problem whose costs are read from a record: those of all bitstrings, or of the evaluated ones.

    The Python object or function that the run minimised is not needed, and nothing of the user's is run.

    Args:
        record: the record of a run whose problem was a Python object or function.
        described: the part of the run's configuration that describes it.

    Attributes:
        num_qubits: number of bits of a bitstring.
        noun: the word for what one bitstring stands for, such as ``network``.
        table: costs C of all bitstrings, ``[2**num_qubits]``, indexed with qubit 0 as the least significant bit; None
            if the record does not hold them.
    """

    def __init__(self, record: Record, described: InstanceConfig | PythonConfig) -> None:
        self.num_qubits = described.num_qubits
        self.noun = described.noun
        self.table = _table(record, self.num_qubits)
        self._best = record.best()
        unknown = _Unknown(self.num_qubits) if self.table is None else TableProblem(self.table)
        self._known = Evaluations(unknown)
        if self.table is None and record.checkpoint().num_evaluations:
            self._known.add(*record.evaluations())

    def cost(self, bits: Bits) -> Floats:
        """The cost C of each bitstring: ``[..., num_qubits]`` → ``[...]``.

        Raises:
            QhnError: if the record does not hold the cost of a bitstring; the message names the bitstring.
        """
        return self._known.cost(bits)

    def summary(self) -> str:
        """A line of text with the number of qubits; their meaning is known to the user's code alone."""
        return f"{self.num_qubits} qubits; what they stand for is in the Python code that gave the costs"

    def describe(self, bits: Bits) -> list[str]:
        """The recorded meaning of the run's best bitstring as lines of text; empty for all other bitstrings.

        Args:
            bits: a bitstring, ``[num_qubits]``.
        """
        found = self._best.get(self.noun)
        is_best = self._best.get("bits") == bitstrings.text(bits)
        return [str(line) for line in found] if is_best and isinstance(found, list) else []


class _Unknown:
    """A problem that knows no cost at all."""

    def __init__(self, num_qubits: int) -> None:
        self.num_qubits = num_qubits

    def cost(self, bits: Bits) -> Floats:
        first = bitstrings.text(bits.reshape(-1, self.num_qubits)[0])
        raise QhnError(f"the record does not hold C of bitstring {first}; give the problem of the run, from Python")


def _table(record: Record, num_qubits: int) -> Floats | None:
    """The costs of all bitstrings in the record; None if it has no table of them.

    Raises:
        RecordError: if the table is damaged: nothing else gives these costs.
    """
    path = record.directory / LANDSCAPE
    try:
        costs: Floats = load_npy(path, own=True, is_checked=not record.is_old)
        if costs.shape != (2**num_qubits,) or costs.dtype != np.float64:
            raise QhnError(f"it must hold {2**num_qubits:,} numbers")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise RecordError(
            f"{path} is damaged ({error}); restore it, or delete it if it is not the run's data"
        ) from None
    return costs
