"""The table ``[problem]`` of a configuration: a cost of bitstrings other than the loss of networks on data."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Tag

from qhn.config.python_problem import PythonConfig
from qhn.config.user_file import WithFile
from qhn.problem.cost import Problem, TableProblem


class TableConfig(WithFile):
    """Table ``[problem]`` with ``name = "table"``: the costs of all bitstrings, from a file.

    Attributes:
        name: ``"table"``.
        file: path of a ``.npy`` file with 2^num_qubits numbers, indexed with qubit 0 as the least significant bit.
        sha256: hash of the bytes of the file; filled in when the configuration is loaded.
    """

    KIND: ClassVar[str] = "table of costs"

    name: Literal["table"]

    def load(self) -> Problem:
        """Read the table.

        Raises:
            QhnError: if the file cannot be read, or has changed since the run was configured.
        """
        from qhn.npz import load_npy

        return TableProblem(load_npy(self.unchanged()))


def _problem_kind(value: Any) -> str:
    if isinstance(value, PythonConfig) or (isinstance(value, dict) and "python" in value):
        return "python"
    return str(value.get("name") if isinstance(value, dict) else getattr(value, "name", None))


PROBLEM_SECTIONS = (TableConfig, PythonConfig)
ProblemConfig = Annotated[
    Annotated[TableConfig, Tag("table")] | Annotated[PythonConfig, Tag("python")], Discriminator(_problem_kind)
]
