"""The table ``[problem]`` with ``python = "module:function"``: a cost that is the user's own function."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from qhn.black_box.cost import MAX_WORKERS, BlackBox
from qhn.black_box.function import UserFunction, split_name
from qhn.config.section import Section
from qhn.errors import NotFoundError, QhnError


class PythonConfig(Section):
    """Table ``[problem]`` with ``python = "module:function"``; see :class:`qhn.black_box.cost.BlackBox`.

    The module is looked for in the folder of the TOML file, then in the working directory, then among the installed
    modules. It is not imported to read a configuration: only its source file is hashed.

    Attributes:
        python: module and name of the function of bits, ``"module:function"``.
        num_qubits: number of bits of a bitstring.
        vectorised: whether the function takes bitstrings ``[n, num_qubits]`` instead of one ``[num_qubits]``.
        workers: number of processes that evaluate the function.
        time_limit: seconds that one evaluation may take; None for no limit.
        version: text to be changed when what the function depends on changes, but not its source file.
        cost_range: lower and upper bound of all costs; None if they are not known.
        noun: what one bitstring stands for.
        source: path of the source file; filled in when the configuration is loaded.
        sha256: hash of the bytes of the source file; filled in when the configuration is loaded.
    """

    python: str
    num_qubits: int = Field(ge=1)
    vectorised: bool = False
    workers: int = Field(default=1, ge=1, le=MAX_WORKERS)
    time_limit: float | None = Field(default=None, gt=0)
    version: str = ""
    cost_range: tuple[float, float] | None = None
    noun: str = Field(default="bitstring", pattern=r"^[^\W\d_]+( [^\W\d_]+)*$", max_length=40)
    source: Path | None = None
    sha256: str = ""

    @model_validator(mode="before")
    @classmethod
    def _found(cls, value: Any) -> Any:
        return located(value, []) if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _is_right(self) -> Self:
        split_name(self.python)
        if self.cost_range is not None and self.cost_range[0] > self.cost_range[1]:
            raise QhnError(
                f"problem.cost_range must be the lower bound and then the upper, got {list(self.cost_range)}"
            )
        return self

    @property
    def code(self) -> str:
        """The function that is run when the problem is loaded."""
        return self.python

    @property
    def code_is_run_by(self) -> str:
        """The options of the command line by which a user allows the function of a record to be run."""
        return f"--python {self.python} where the module is found from here, or --trust"

    def load(self) -> BlackBox:
        """Import the function; the processes that evaluate it are started.

        Raises:
            QhnError: if the function has changed since the run was configured, or cannot be imported.
            NotFoundError: if its file is gone.
        """
        module, name = split_name(self.python)
        if self.source is None:
            raise QhnError(f"the record does not say where {self.python} was; name the function again")
        function = UserFunction(module, name, self.source, self.sha256)
        function.content()
        problem = BlackBox(
            function,
            self.num_qubits,
            vectorised=self.vectorised,
            workers=self.workers,
            time_limit=self.time_limit,
            version=self.version,
            cost_range=self.cost_range,
            noun=self.noun,
        )
        problem.start()
        return problem

    def named_again(self, text: str) -> PythonConfig:
        """The table with the function where it is now, as the user names it.

        Args:
            text: ``"module:function"``, which is looked for in the working directory and among the installed modules.

        Raises:
            QhnError: if it is another function, or its source file has changed.
        """
        if text != self.python:
            raise QhnError(f"the function of this run is {self.python}, not {text}")
        found = UserFunction.find(text)
        if found.sha256 != self.sha256:
            raise QhnError(
                f"{found.source} is not the file that this run evaluates (SHA-256 {self.sha256[:10]}…, this one "
                f"{found.sha256[:10]}…): restore it, or begin a new run"
            )
        return self.model_copy(update={"source": found.source})


def located(table: dict[str, Any], folders: Sequence[Path]) -> dict[str, Any]:
    """A table with the source file of its function and the hash of it, unless it has them.

    Args:
        table: the values of a table ``[problem]``.
        folders: folders to search before the working directory.

    Raises:
        QhnError: if there is no such module, or it has no source file.
    """
    if not isinstance(table.get("python"), str) or table.get("sha256"):
        return table
    try:
        found = UserFunction.find(table["python"], folders)
    except NotFoundError as error:
        raise QhnError(f"problem.python = {table['python']!r}: {error}") from None
    return table | {"source": str(found.source), "sha256": found.sha256}
