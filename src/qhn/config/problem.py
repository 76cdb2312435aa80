"""The table ``[problem]`` of a configuration: a cost of bitstrings other than the loss of networks on data."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag

from qhn.config.python_problem import PythonConfig
from qhn.config.section import Section
from qhn.config.user_file import WithFile
from qhn.problem.cost import Problem
from qhn.problem.cost_files import read_costs
from qhn.problem.graph_files import GraphFormat, read_graph
from qhn.problem.labs import MAX_LENGTH, LabsProblem
from qhn.problem.model_files import read_ising, read_qubo


class QuboConfig(WithFile):
    """Table ``[problem]`` with ``name = "qubo"``; see :func:`qhn.problem.model_files.read_qubo`.

    Attributes:
        name: ``"qubo"``.
        file: path of a file with the matrix Q of E(x) = xᵀQx + offset: ``.npz``, ``.npy``, ``.csv``, or text with a
            line ``i j value`` a term.
        offset: a constant that is added to the energy, and to the offset of the file.
        sha256: hash of the bytes of the file; filled in when the configuration is loaded.
    """

    KIND: ClassVar[str] = "QUBO file"

    name: Literal["qubo"]
    offset: float = 0.0

    def load(self) -> Problem:
        """Read the QUBO.

        Raises:
            QhnError: if the file cannot be read, or has changed since the run was configured.
        """
        return read_qubo(self.unchanged(), self.offset)


class IsingConfig(WithFile):
    """Table ``[problem]`` with ``name = "ising"``; see :func:`qhn.problem.model_files.read_ising`.

    Attributes:
        name: ``"ising"``.
        file: path of a file with h and J of E(s) = Σ h·s + Σ J·s·s + offset: ``.npz``, or text with a line ``i j
            value`` a coupling and ``i i value`` a field.
        offset: a constant that is added to the energy, and to the offset of the file.
        sha256: hash of the bytes of the file; filled in when the configuration is loaded.
    """

    KIND: ClassVar[str] = "Ising file"

    name: Literal["ising"]
    offset: float = 0.0

    def load(self) -> Problem:
        """Read the energy.

        Raises:
            QhnError: if the file cannot be read, or has changed since the run was configured.
        """
        return read_ising(self.unchanged(), self.offset)


class MaxCutConfig(WithFile):
    """Table ``[problem]`` with ``name = "maxcut"``; see :func:`qhn.problem.graph_files.read_graph`.

    Attributes:
        name: ``"maxcut"``.
        file: path of a file with a line ``i j`` or ``i j weight`` an edge, or with a matrix of weights: ``.npz``,
            ``.npy``.
        format: ``"edges"``: i and j are names of nodes; ``"gset"``: the first line has the numbers of nodes and edges,
            and i and j count nodes from 1.
        sha256: hash of the bytes of the file; filled in when the configuration is loaded.
    """

    KIND: ClassVar[str] = "file of edges"

    name: Literal["maxcut"]
    format: GraphFormat = "edges"

    def load(self) -> Problem:
        """Read the graph.

        Raises:
            QhnError: if the file cannot be read, or has changed since the run was configured.
        """
        return read_graph(self.unchanged(), self.format)


class LabsConfig(Section):
    """Table ``[problem]`` with ``name = "labs"``: binary sequences of low autocorrelation.

    Attributes:
        name: ``"labs"``.
        num_qubits: length of the sequences, one qubit a spin.
    """

    name: Literal["labs"]
    num_qubits: int = Field(ge=2, le=MAX_LENGTH)

    def load(self) -> Problem:
        """The problem of that length."""
        return LabsProblem(self.num_qubits)


class TableConfig(WithFile):
    """Table ``[problem]`` with ``name = "table"``: the costs of all bitstrings, from a file.

    Attributes:
        name: ``"table"``.
        file: path of a ``.npy``, ``.npz`` or text file with 2^num_qubits numbers, indexed with qubit 0 as the least
            significant bit.
        sha256: hash of the bytes of the file; filled in when the configuration is loaded.
    """

    KIND: ClassVar[str] = "table of costs"

    name: Literal["table"]

    def load(self) -> Problem:
        """Read the table.

        Raises:
            QhnError: if the file cannot be read, or has changed since the run was configured.
        """
        return read_costs(self.unchanged())


def _problem_kind(value: Any) -> str:
    is_python = isinstance(value, PythonConfig) or (isinstance(value, dict) and "python" in value)
    return "function" if is_python else "kind"


PROBLEM_SECTIONS = (QuboConfig, IsingConfig, MaxCutConfig, LabsConfig, TableConfig, PythonConfig)
NamedProblem = Annotated[
    QuboConfig | IsingConfig | MaxCutConfig | LabsConfig | TableConfig, Field(discriminator="name")
]
ProblemConfig = Annotated[
    Annotated[NamedProblem, Tag("kind")] | Annotated[PythonConfig, Tag("function")], Discriminator(_problem_kind)
]
