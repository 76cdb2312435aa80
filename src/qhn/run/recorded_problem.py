"""The problem of a run that was given as a Python object, reconstructed from the costs that the record holds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from qhn import bitstrings
from qhn.arrays import Bits, Floats
from qhn.config.instance import InstanceConfig
from qhn.errors import QhnError
from qhn.problem.cost import TableProblem
from qhn.problem.evaluations import Evaluations
from qhn.run.provenance import LANDSCAPE
from qhn.run.record import Record


class RecordedProblem:
    """A problem whose costs are read from a record: those of all bitstrings, or of the evaluated ones.

    The Python object that the run minimised is not needed.

    Args:
        record: the record of a run whose problem was a Python object.
        instance: the part of the run's configuration that describes the object.

    Attributes:
        num_qubits: number of bits of a bitstring.
        noun: the word for what one bitstring stands for, such as ``network``.
        table: costs C of all bitstrings, ``[2**num_qubits]``, indexed with qubit 0 as the least significant bit; None
            if the record does not hold them.
    """

    def __init__(self, record: Record, instance: InstanceConfig) -> None:
        self.num_qubits = instance.num_qubits
        self.noun = instance.noun
        self.table = _table(record.directory / LANDSCAPE, self.num_qubits)
        self._best = record.directory / "best.json"
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
        """A line of text with the number of qubits; their meaning is known to the Python object alone."""
        return f"{self.num_qubits} qubits; what they stand for is in the Python object that was trained"

    def describe(self, bits: Bits) -> list[str]:
        """The recorded meaning of the run's best bitstring as lines of text; empty for all other bitstrings.

        Args:
            bits: a bitstring, ``[num_qubits]``.
        """
        try:
            best = json.loads(self._best.read_text(encoding="utf-8"))
            return list(best[self.noun]) if best["bits"] == bitstrings.text(bits) else []
        except (OSError, ValueError, KeyError, TypeError):
            return []


class _Unknown:
    """A problem that knows no cost at all."""

    def __init__(self, num_qubits: int) -> None:
        self.num_qubits = num_qubits

    def cost(self, bits: Bits) -> Floats:
        first = bitstrings.text(bits.reshape(-1, self.num_qubits)[0])
        raise QhnError(f"the record does not hold C of bitstring {first}; give the problem of the run, from Python")


def _table(path: Path, num_qubits: int) -> Floats | None:
    """The costs of all bitstrings in a file of a record; None if it is missing or holds another number of them."""
    try:
        costs: Floats = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return costs if costs.shape == (2**num_qubits,) and costs.dtype == np.float64 else None
