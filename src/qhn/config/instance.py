"""``[instance]`` of a recorded run: a problem that was given as a Python object, by what is known of it."""

from __future__ import annotations

import secrets
from typing import Self

from pydantic import Field

from qhn.config.section import Section
from qhn.errors import QhnError
from qhn.problem.capabilities import digest_of
from qhn.problem.cost import Problem


class InstanceConfig(Section):
    """A problem instance that no table of a configuration describes: what tells it from others.

    Attributes:
        type: the name of its class.
        num_qubits: bits of a bitstring.
        digest: the problem's own digest; empty if it offers none.
        nonce: drawn at random where there is no digest, so that no two runs are taken for the same.
    """

    type: str
    num_qubits: int = Field(ge=1)
    digest: str = ""
    nonce: str = ""

    @classmethod
    def of(cls, problem: Problem) -> Self:
        """The instance of a problem; without a digest a new one every time."""
        digest = digest_of(problem)
        nonce = "" if digest else secrets.token_hex(8)
        return cls(type=type(problem).__name__, num_qubits=problem.num_qubits, digest=digest, nonce=nonce)

    def check(self, problem: Problem) -> None:
        """Refuse another problem than the one that was recorded.

        Raises:
            QhnError: if it differs, or cannot be told from others.
        """
        if not self.digest:
            raise QhnError(
                f"this run's problem, a {self.type}, has no digest, so that nobody can tell whether it is the same; "
                "give it a property `digest`, and begin another run"
            )
        given = digest_of(problem)
        if (given, problem.num_qubits) != (self.digest, self.num_qubits):
            raise QhnError(
                f"this run's problem is a {self.type} of {self.num_qubits} qubits with digest {self.digest}, the one "
                f"given has {problem.num_qubits} and {given or 'none'}"
            )
