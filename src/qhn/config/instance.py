"""The table ``[instance]`` of a recorded run, which identifies a problem that was given as a Python object."""

from __future__ import annotations

import secrets
from numbers import Integral
from typing import Self

from pydantic import Field

from qhn.config.section import Section
from qhn.errors import QhnError
from qhn.problem.capabilities import digest_of, noun_of
from qhn.problem.cost import Problem


class InstanceConfig(Section):
    """Table ``[instance]``: identity of a problem that was given as a Python object.

    Attributes:
        type: name of the problem's class.
        noun: word for what one bitstring stands for, such as ``"bitstring"``.
        num_qubits: number of bits of a bitstring.
        digest: the problem's own digest; empty if it offers none.
        nonce: random text where there is no digest, so that no two runs are taken for the same.
    """

    type: str
    noun: str = "bitstring"
    num_qubits: int = Field(ge=1)
    digest: str = ""
    nonce: str = ""

    @classmethod
    def of(cls, problem: Problem) -> Self:
        """The identity of a problem; a new one in every call if the problem has no digest.

        Raises:
            QhnError: if ``num_qubits`` is not a number of at least 1, or there is no method ``cost``.
        """
        size = getattr(problem, "num_qubits", None)
        if (
            isinstance(size, bool)
            or not isinstance(size, Integral)
            or size < 1
            or not callable(getattr(problem, "cost", None))
        ):
            raise QhnError(
                f"a problem needs num_qubits, a number of at least 1, and a method cost(bits); a "
                f"{type(problem).__name__} has num_qubits {size!r}"
            )
        digest = digest_of(problem)
        nonce = "" if digest else secrets.token_hex(8)
        named = {"type": type(problem).__name__, "noun": noun_of(problem)}
        return cls(**named, num_qubits=int(size), digest=digest, nonce=nonce)

    def check(self, problem: Problem) -> None:
        """Refuse a problem that is not the recorded one.

        Raises:
            QhnError: if its digest or number of qubits differs, or no digest was recorded.
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
