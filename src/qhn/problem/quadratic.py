"""Quadratic costs: energies of Ising spins, and quadratic unconstrained binary optimisation (QUBO).

Spins are s = 2·bit − 1, as in dimod: bit 1 is spin +1. A QUBO is E(x) = xᵀQx + offset of bits x; an Ising energy is
E(s) = Σ_i h_i·s_i + Σ_{i<j} J_ij·s_i·s_j + offset.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qhn import bitstrings
from qhn.arrays import Bits, Floats, Integers
from qhn.errors import QhnError
from qhn.problem.cost import MAX_COST
from qhn.problem.polynomial import SpinPolynomial
from qhn.problem.terms import REAL, Terms, as_reals, dictionary_terms, labelled_terms, matrix_terms, sums
from qhn.text import counted, in_line

BLOCK = 1 << 12  # bitstrings whose spins are held at a time
SPARSE = 0.1  # share of coupled pairs below which a sparse product is faster


@dataclass(frozen=True, eq=False, repr=False)
class QuadraticProblem:
    """An energy with terms of one and of two spins, E(s) = Σ_i h_i·s_i + Σ_{i<j} J_ij·s_i·s_j + offset.

    Make one by :meth:`from_qubo`, :meth:`from_ising` or :meth:`from_bqm`.

    Attributes:
        fields: the fields h, ``[num_qubits]``.
        pairs: the coupled spins i < j, in ascending order and without repetition, ``[num_pairs, 2]``.
        couplings: the couplings J of the pairs, none of them 0, ``[num_pairs]``.
        offset: the constant term.
        labels: the name of each variable; empty if they have none but their number.
        variables: whether the energy was given as one of bits or of spins, which only changes how it is worded.

    Raises:
        QhnError: at construction, if costs may be beyond ±1e150.

    >>> problem = QuadraticProblem.from_qubo([[1.0, -3.0], [0.0, 1.0]])
    >>> problem.cost(np.array([[0, 0], [1, 0], [1, 1]], dtype=np.uint8))
    array([ 0.,  1., -1.])
    >>> problem
    <QuadraticProblem: E(x) = xᵀQx + offset of bits x, 2 variables; 2 fields, 1 coupling of spins s = 2·bit − 1>
    """

    fields: Floats
    pairs: Integers
    couplings: Floats
    offset: float = 0.0
    labels: tuple[str, ...] = ()
    variables: Literal["bits", "spins"] = "spins"

    def __post_init__(self) -> None:
        largest = max(map(abs, self.cost_range))
        if not largest <= MAX_COST:
            raise QhnError(f"energies must be from -{MAX_COST:g} to {MAX_COST:g}, these reach {largest:g}; scale them")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.summary().splitlines()[0]}>"

    @classmethod
    def from_qubo(cls, matrix: Any, offset: float = 0.0) -> Self:
        """The problem of the energy E(x) = xᵀQx + offset of bits x.

        Both Q_ij and Q_ji count: the matrix may be symmetric, triangular or neither. As x² = x, the diagonal holds the
        linear terms.

        Args:
            matrix: Q, as an array ``[num_qubits, num_qubits]``, a sparse array of scipy, or a dictionary from pairs of
                labels to numbers, as in dimod. The variables of a dictionary are the labels that occur in it, sorted.
            offset: the constant term.

        Raises:
            QhnError: if Q is not a square matrix of finite real numbers, or has no variable.

        >>> QuadraticProblem.from_qubo({("a", "a"): 1.0, ("a", "b"): -2.0}).labels
        ('a', 'b')
        """
        read = dictionary_terms if isinstance(matrix, Mapping) else matrix_terms
        return cls.of_bits(read(matrix, "Q"), offset)

    @classmethod
    def from_ising(cls, fields: Any, couplings: Any, offset: float = 0.0) -> Self:
        """The problem of the energy E(s) = Σ_i h_i·s_i + Σ_ij J_ij·s_i·s_j + offset of spins s.

        Both J_ij and J_ji count. As s² = 1, the diagonal of J is a constant.

        Args:
            fields: h, as numbers ``[num_qubits]`` or a dictionary from labels to numbers.
            couplings: J, as an array ``[num_qubits, num_qubits]``, a sparse array of scipy, or a dictionary from pairs
                of labels to numbers. The variables of dictionaries are the labels that occur in either, sorted.
            offset: the constant term.

        Raises:
            QhnError: if h and J are not finite real numbers of the same variables.

        >>> QuadraticProblem.from_ising([0.5, 0.0], {(0, 1): 1.0}).cost(np.array([0, 1], dtype=np.uint8))
        np.float64(-1.5)
        """
        if not isinstance(couplings, Mapping):
            terms = matrix_terms(couplings, "J")
            return cls.of_spins(_vector(fields, terms.size), terms, offset)
        given = fields if isinstance(fields, Mapping) else dict(enumerate(_vector(fields).tolist()))
        terms = dictionary_terms(couplings, "J", also=given)
        everyone = [*given, *(label for pair in couplings for label in pair)]
        linear = labelled_terms([(label, label, value) for label, value in given.items()], "h", also=everyone)
        return cls.of_spins(linear.linear, terms, offset)

    @classmethod
    def from_bqm(cls, model: Any) -> Self:
        """The problem of a binary quadratic model of dimod, of bits or of spins; its variables are sorted if they can.

        Args:
            model: a ``dimod.BinaryQuadraticModel``; dimod itself is not imported.

        Raises:
            QhnError: if it is none, or has no variable.
        """
        kind = getattr(getattr(model, "vartype", None), "name", "")
        if kind not in ("BINARY", "SPIN") or not hasattr(model, "quadratic"):
            raise QhnError(f"a binary quadratic model of dimod is needed, got a {type(model).__name__}")
        linear, quadratic, offset = dict(model.linear), dict(model.quadratic), float(model.offset)
        if kind == "SPIN":
            return cls.from_ising(linear, quadratic, offset)
        return cls.from_qubo({(label, label): value for label, value in linear.items()} | quadratic, offset)

    @classmethod
    def of_bits(cls, terms: Terms, offset: float = 0.0) -> Self:
        """The problem of the energy E(x) = Σ_ij w_ij·x_i·x_j + offset of bits x, from its terms."""
        halves, quarters = terms.linear / 2, terms.couplings / 4
        constant = np.sort(np.concatenate([halves, quarters, [REAL("offset", offset)]])).sum()
        fields = sums(
            np.concatenate([np.arange(terms.size), terms.pairs.T.reshape(-1)]),
            np.concatenate([halves, quarters, quarters]),
            terms.size,
        )
        return cls(fields, terms.pairs, quarters, float(constant), terms.labels, "bits")

    @classmethod
    def of_spins(cls, fields: Floats, terms: Terms, offset: float = 0.0) -> Self:
        """The problem of the energy E(s) = Σ_i h_i·s_i + Σ_ij w_ij·s_i·s_j + offset of spins s, from its terms."""
        constant = np.sort(np.concatenate([terms.linear, [REAL("offset", offset)]])).sum()
        return cls(fields + 0.0, terms.pairs, terms.couplings, float(constant), terms.labels, "spins")

    @property
    def num_qubits(self) -> int:
        """The number of variables, one qubit each."""
        return len(self.fields)

    def cost(self, bits: ArrayLike) -> Floats:
        """The energy of each bitstring: bits ``[..., num_qubits]`` → ``[...]``."""
        given = bitstrings.as_bits(bits, self.num_qubits)
        rows = given.reshape(-1, self.num_qubits)
        energies = np.empty(len(rows))
        for start in range(0, len(rows), BLOCK):
            spins = 2.0 * rows[start : start + BLOCK] - 1.0
            forces = spins @ self._upper + self.fields
            energies[start : start + BLOCK] = np.einsum("bi,bi->b", forces, spins)
        energies += self.offset
        return energies.reshape(given.shape[:-1])[()]

    @cached_property
    def _upper(self) -> Any:
        """The couplings as an upper triangular matrix, dense if many pairs are coupled."""
        from scipy.sparse import csr_array

        shape = (self.num_qubits, self.num_qubits)
        matrix = csr_array((self.couplings, (self.pairs[:, 0], self.pairs[:, 1])), shape=shape)
        return matrix if len(self.pairs) < SPARSE * self.num_qubits**2 / 2 else matrix.toarray()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of h, J and the offset, in hexadecimal.

        It depends neither on the order in which terms were given, nor on the labels, nor on whether they were of bits
        or of spins, as long as the conversion is exact, which it is for integers.
        """
        found = hashlib.sha256(f"quadratic {self.num_qubits} {self.offset + 0.0!r}".encode())
        for array, kind in ((self.fields + 0.0, "<f8"), (self.pairs, "<i8"), (self.couplings, "<f8")):
            found.update(np.ascontiguousarray(array, dtype=kind).tobytes())
        return found.hexdigest()

    @cached_property
    def cost_range(self) -> tuple[float, float]:
        """Bounds of all energies: the offset minus and plus the size of all other terms."""
        others = float(np.abs(self.fields).sum() + np.abs(self.couplings).sum())
        return self.offset - others, self.offset + others

    @cached_property
    def polynomial(self) -> SpinPolynomial:
        """The energy as a polynomial of spins."""
        terms: dict[tuple[int, ...], float] = {(): self.offset}
        terms |= {(qubit,): float(field) for qubit, field in enumerate(self.fields)}
        terms |= zip(map(tuple, self.pairs.tolist()), self.couplings.tolist(), strict=True)
        return SpinPolynomial.of(self.num_qubits, terms)

    @property
    def noun(self) -> str:
        """What one bitstring stands for."""
        return "assignment" if self.variables == "bits" else "spin configuration"

    def summary(self) -> str:
        """The number of terms, and what each qubit stands for."""
        formula = "E(x) = xᵀQx + offset of bits x" if self.variables == "bits" else "E(s) = Σ h·s + Σ J·s·s + offset"
        fields, pairs = counted(int(np.count_nonzero(self.fields)), "field"), counted(len(self.pairs), "coupling")
        names = f"qubits in this order: {self._names(range(self.num_qubits))}"
        first = f"{formula}, {counted(self.num_qubits, 'variable')}; {fields}, {pairs} of spins s = 2·bit − 1"
        return "\n".join([first, *([names] if self.labels else [])])

    def describe(self, bits: ArrayLike) -> list[str]:
        """The energy of one bitstring ``[num_qubits]`` and the values of its variables, as lines of text."""
        row: Bits = bitstrings.as_bits(bits, self.num_qubits)
        chosen = self._names(np.flatnonzero(row)) or "none"
        energy = f"energy {float(self.cost(row)):.10g}"
        if self.variables == "bits":
            return [energy, f"variables that are 1: {chosen}"]
        return [energy, f"spins {''.join('+' if bit else '−' for bit in row)}", f"spins that are +1: {chosen}"]

    def _names(self, qubits: Any) -> str:
        return ", ".join(in_line(self.labels[qubit]) if self.labels else str(qubit) for qubit in qubits)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The problem as plain arrays by name, from which :meth:`from_arrays` makes it again."""
        words = {"labels": np.array(self.labels, dtype=np.str_), "variables": np.array(self.variables)}
        numbers = {"fields": self.fields, "pairs": self.pairs, "couplings": self.couplings}
        return numbers | {"offset": np.array(self.offset)} | words

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The problem of the arrays of :meth:`arrays`.

        Raises:
            QhnError, KeyError: if an array is missing or has another form.
        """
        fields, pairs = as_reals(arrays["fields"], "fields"), np.asarray(arrays["pairs"], dtype=np.int64)
        labels = tuple(map(str, arrays["labels"]))
        terms = Terms(len(fields), pairs[:, 0], pairs[:, 1], as_reals(arrays["couplings"], "couplings"), labels)
        variables: Any = str(arrays["variables"])
        return replace(cls.of_spins(fields, terms, float(arrays["offset"])), variables=variables)


def _vector(fields: Any, size: int | None = None) -> Floats:
    """The fields h as numbers, one a variable."""
    if isinstance(fields, Mapping):
        raise QhnError("h is a dictionary of labels and J is none; give both as dictionaries, or both as arrays")
    values = as_reals(fields, "h")
    if values.ndim != 1 or (size is not None and len(values) != size):
        numbers = "one number a variable" if size is None else f"{counted(size, 'number')}, as many as J has rows"
        raise QhnError(f"h must be {numbers}, got shape {list(values.shape)}")
    return values
