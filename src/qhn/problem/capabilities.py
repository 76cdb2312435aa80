"""What a problem may offer beyond ``num_qubits`` and ``cost``: a digest, validation data, a range, words.

Everything here is optional. A problem offers a capability by having the attribute; whoever wants it asks by the
functions of this module and does without where there is none.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from qhn.arrays import Bits
from qhn.fields import Whole
from qhn.problem.cost import Problem
from qhn.problem.polynomial import SpinPolynomial
from qhn.text import counted

MOST_WRITTEN = 40  # qubits up to which the number of all bitstrings is written in full


@runtime_checkable
class HasDigest(Protocol):
    """A problem that can be told from others."""

    @property
    def digest(self) -> str:
        """A text that is equal for equal costs, in any process and on any machine: hexadecimal digits of a hash."""
        ...


@runtime_checkable
class HasValidation(Protocol):
    """A problem whose solutions can be judged on data that the cost does not see."""

    @property
    def validation(self) -> Problem | None:
        """The problem whose cost is the validation cost; None if there are no validation data."""
        ...


@runtime_checkable
class HasWords(Protocol):
    """A problem that can say what its bitstrings mean."""

    @property
    def noun(self) -> str:
        """What one bitstring stands for, in the singular: ``"network"``, ``"cut"``."""
        ...

    def summary(self) -> str:
        """What each qubit stands for, as lines of text."""
        ...

    def describe(self, bits: Bits) -> list[str]:
        """What one bitstring ``[num_qubits]`` stands for, as lines of text."""
        ...


@runtime_checkable
class HasRange(Protocol):
    """A problem that knows between which numbers its costs lie."""

    @property
    def cost_range(self) -> tuple[float, float]:
        """A lower and an upper bound of all costs, finite; the closer, the shorter are intervals of E."""
        ...


@runtime_checkable
class HasPolynomial(Protocol):
    """A problem that knows its cost as a polynomial of spins."""

    @property
    def polynomial(self) -> SpinPolynomial:
        """The cost as a polynomial of spins σ = ±1, bit 1 being σ = +1."""
        ...


@runtime_checkable
class HasSamples(Protocol):
    """A problem whose cost is a mean over training samples."""

    @property
    def num_samples(self) -> int:
        """The number of training samples, at least 1."""
        ...


def digest_of(problem: Problem) -> str:
    """The problem's digest; empty if it offers none."""
    return problem.digest if isinstance(problem, HasDigest) else ""


def validation_of(problem: Problem) -> Problem | None:
    """The problem whose cost is the validation cost; None if there are no validation data."""
    return problem.validation if isinstance(problem, HasValidation) else None


def num_samples_of(problem: Problem) -> int | None:
    """The number of training samples over which the cost is a mean; None if it is another cost.

    Raises:
        QhnError: if what the problem offers is no integer of at least 1.
    """
    return Whole(1)("num_samples of the problem", problem.num_samples) if isinstance(problem, HasSamples) else None


def noun_of(problem: Problem) -> str:
    """What one bitstring stands for; a ``"bitstring"`` if the problem has no word for it."""
    return problem.noun if isinstance(problem, HasWords) else "bitstring"


def summary_of(problem: Problem) -> str:
    """What each qubit stands for, as lines of text; only their number if the problem does not say.

    >>> from qhn.problem.cost import TableProblem
    >>> summary_of(TableProblem([0.0, 1.0]))
    '1 qubit, 2^1 = 2 bitstrings'
    """
    if isinstance(problem, HasWords):
        return problem.summary()
    n = problem.num_qubits
    count = f" = {number_of_bitstrings(n)}" if n <= MOST_WRITTEN else ""
    return f"{counted(n, 'qubit')}, 2^{n}{count} bitstrings"


def number_of_bitstrings(num_qubits: int) -> str:
    """The number of all bitstrings in words, as a power of two if it has too many digits.

    >>> number_of_bitstrings(10), number_of_bitstrings(100)
    ('1,024', '2^100')
    """
    return f"{2**num_qubits:,}" if num_qubits <= MOST_WRITTEN else f"2^{num_qubits}"


def description_of(problem: Problem, bits: Bits) -> list[str]:
    """What one bitstring ``[num_qubits]`` stands for, as lines of text; none if the problem does not say."""
    return problem.describe(bits) if isinstance(problem, HasWords) else []
