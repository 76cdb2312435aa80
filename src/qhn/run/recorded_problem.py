"""The problem of a run, from its record: made from its configuration or its data, or only the costs that it knows."""

from __future__ import annotations

import numpy as np

from qhn import bitstrings
from qhn.arrays import Bits, Floats
from qhn.config.instance import InstanceConfig
from qhn.config.python_problem import PythonConfig
from qhn.errors import QhnError, RecordError
from qhn.npz import load_npy, read_npz
from qhn.problem.capabilities import digest_of
from qhn.problem.cost import Problem, TableProblem
from qhn.problem.evaluations import Evaluations
from qhn.problem.kinds import KINDS, problem_from
from qhn.run.checkpoint import ANEW
from qhn.run.provenance import LANDSCAPE, PROBLEM
from qhn.run.record import Record


def problem_of(record: Record) -> Problem:
    """The problem of a run as far as its record holds it.

    Args:
        record: the record of the run.

    Returns:
        The problem that the configuration describes, or that was given from Python as data; of one that was given as a
        program a :class:`RecordedProblem`, which knows the costs in the record alone.

    Raises:
        QhnError: if the data of the problem cannot be read.
        RecordError: if the problem in the record is damaged.
    """
    config = record.config
    if described := config.instance or (config.cost if isinstance(config.cost, PythonConfig) else None):
        return given_as_data(record) or RecordedProblem(record, described)
    return config.problem()


def given_as_data(record: Record) -> Problem | None:
    """The problem of a run that was given from Python as data, such as a QUBO; None if it was none, or is not kept.

    Args:
        record: the record of the run.

    Raises:
        RecordError: if its file is damaged, or holds another problem than that of the run.
    """
    instance = record.config.instance
    if instance is None or not instance.digest:
        return None
    found: Problem | None = None
    if instance.type == TableProblem.__name__:
        costs = _table(record, instance.num_qubits)
        found = None if costs is None else TableProblem(costs)
    elif instance.type in KINDS:
        found = _written(record, instance.type)
    if found is not None and digest_of(found) != instance.digest:
        raise RecordError(f"{record.directory} holds another problem than its config.json names; {ANEW}")
    return found


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


def _written(record: Record, kind: str) -> Problem | None:
    """The problem in the file of a record; None if there is none.

    Raises:
        RecordError: if the file is damaged.
    """
    path = record.directory / PROBLEM
    try:
        return problem_from(kind, read_npz(path, own=True, is_checked=True))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise RecordError(f"{path} is damaged ({error}); {ANEW}") from None


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
