"""E(θ) and its gradient of any shallow circuit, exactly, for a cost that is a polynomial of spins, by light cones.

The mean of a product of spins is that on its past light cone (:mod:`qhn.exact.light_cone`), and where the light cones
of its spins do not overlap the qubits are independent: it is a product of means, one for each group of spins whose
cones overlap. Each group has a circuit of a few qubits, and its mean and slopes are those of a small state vector
(:mod:`qhn.exact.state_vector`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qhn.arrays import Bits, Floats, Integers
from qhn.circuit.ansatz import GateCircuit
from qhn.errors import QhnError
from qhn.exact.light_cone import Cone, Past, past_of
from qhn.exact.protocol import check_thetas
from qhn.exact.rounding import agreeing
from qhn.exact.state_vector import StateVector
from qhn.problem.polynomial import SpinPolynomial
from qhn.threads import check_threads, in_parallel

MAX_CONE_QUBITS = 20  # qubits of a group of spins, whose state and adjoint take 32 MiB
MAX_ENTRIES = 2**28  # entries of the tables of signs of all groups, one byte each
REMEDY = "use fewer layers, or take shots on backend aer-mps"
Spins = tuple[int, ...]


class ConeMeans:
    """The means of products of spins on a circuit, and the slopes of a weighted sum of them with its angles.

    A mean is a product of those of *groups* of spins, whose light cones do not overlap.

    Args:
        circuit: the circuit.
        products: the spins of each product.

    Attributes:
        factors: the indices of the groups whose means are the factors of each product.
        num_groups: number of different groups.

    Raises:
        QhnError: if the light cones of the spins of a group have more than 20 qubits together.
    """

    def __init__(self, circuit: GateCircuit, products: Sequence[Spins]) -> None:
        gates = list(circuit.gates(prune=True))
        pasts = {spin: past_of(gates, spin) for spin in sorted({spin for spins in products for spin in spins})}
        groups: dict[Spins, int] = {}
        self.factors = [
            tuple(groups.setdefault(group, len(groups)) for group in _overlapping(spins, pasts)) for spins in products
        ]
        self.num_groups = len(groups)
        shared: dict[Past, list[Spins]] = defaultdict(list)
        for group in groups:
            past = _union([pasts[spin] for spin in group])
            _check_cone(group, past)
            shared[past].append(group)
        entries = sum(len(members) << len(past.qubits) for past, members in shared.items())
        if entries > MAX_ENTRIES:
            raise QhnError(
                f"{self.num_groups:,} products of spins take tables of {entries:,} signs on their light cones, more "
                f"than 2^{MAX_ENTRIES.bit_length() - 1}; {REMEDY}"
            )
        self._states = [
            _State(Cone.of([gates[index] for index in sorted(past.gates)], past.qubits), members, groups)
            for past, members in shared.items()
        ]

    def values(self, row: Floats) -> Floats:
        """The mean of each group at one row of angles, ``[num_groups]``."""
        means = np.empty(self.num_groups)
        for state in self._states:
            means[state.groups] = state.signs @ state.vector.probabilities(row[state.cone.angles])
        return means

    def sum_and_grad(self, row: Floats, weights: Floats) -> tuple[float, Floats]:
        """The sum of the groups' means, times ``weights[num_groups]``, and its gradient at one row of angles."""
        total, grad = 0.0, np.zeros_like(row)
        for state in self._states:
            mean, slopes = state.vector.mean_and_grad(row[state.cone.angles], weights[state.groups] @ state.signs)
            total += mean
            grad[state.cone.angles] += slopes
        return total, grad


class _State:
    """The state vector of a light cone, with the products of spins of some groups on all of its bitstrings."""

    def __init__(self, cone: Cone, members: Sequence[Spins], groups: Mapping[Spins, int]) -> None:
        self.cone = cone
        self.vector = StateVector(cone)
        self.groups = np.array([groups[group] for group in members], dtype=np.int64)
        places = {qubit: place for place, qubit in enumerate(cone.qubits)}
        self.signs = np.stack([_signs([places[spin] for spin in group], cone.num_qubits) for group in members])


class LightConeEnergy:
    """The mean ⟨C⟩ of a polynomial cost on a circuit of any number of qubits, and its gradient.

    Args:
        circuit: the circuit.
        polynomial: the cost as a polynomial of spins.
        num_threads: number of threads to use, by default the number of cores; results do not depend on it.

    Attributes:
        circuit: the circuit.
        polynomial: the cost as a polynomial of spins.

    Raises:
        ValueError: if the numbers of qubits differ, or a term depends on too many qubits.

    >>> from qhn.circuit.hypernetwork import product_state
    >>> ring = SpinPolynomial.of(100, {(k, (k + 1) % 100): 1.0 for k in range(100)})
    >>> energy = LightConeEnergy(product_state(100), ring)
    >>> float(energy(np.full((1, 200), np.pi / 3))[0].round(12))  # each spin has the mean −1/2
    25.0
    """

    def __init__(self, circuit: GateCircuit, polynomial: SpinPolynomial, *, num_threads: int | None = None) -> None:
        if polynomial.num_qubits != circuit.num_qubits:
            raise QhnError(f"the circuit has {circuit.num_qubits} qubits, the polynomial {polynomial.num_qubits} spins")
        self.circuit = circuit
        self.polynomial = polynomial
        self.num_threads = check_threads(num_threads)
        self._constant, self._terms = polynomial.constant, [term for term in polynomial.terms if term]
        self._coefficients = polynomial.coefficients[[bool(term) for term in polynomial.terms]]
        self._single: list[Spins] = [(spin,) for spin in sorted({spin for term in self._terms for spin in term})]
        self._means = ConeMeans(circuit, self._terms)
        self._factors = _padded(self._means.factors, self._means.num_groups)

    def __call__(self, thetas: ArrayLike) -> Floats:
        """The mean cost E at each row of angles: ``[B, num_parameters]`` → ``[B]``.

        Raises:
            ValueError: if ``thetas`` has a wrong shape.
        """
        rows = check_thetas(thetas, self.circuit)
        means = in_parallel(lambda row: self._mean(self._means.values(row)), list(rows), self.num_threads)
        return np.array(means, dtype=np.float64)

    def value_and_grad(self, thetas: ArrayLike) -> tuple[Floats, Floats]:
        """E and its gradient ∂E/∂θ at each row: ``[B, num_parameters]`` → ``[B]``, ``[B, num_parameters]``.

        Raises:
            ValueError: if ``thetas`` has a wrong shape.
        """
        rows = check_thetas(thetas, self.circuit)
        values, grads = np.empty(len(rows)), np.empty(rows.shape)

        def fill(row: int) -> None:
            if self._factors.shape[1] == 1:  # E is the sum itself
                total, grads[row] = self._means.sum_and_grad(rows[row], self._slopes(np.ones(self._means.num_groups)))
                values[row] = self._constant + total
                return
            means = self._means.values(rows[row])
            values[row] = self._mean(means)
            grads[row] = self._means.sum_and_grad(rows[row], self._slopes(means))[1]

        in_parallel(fill, range(len(rows)), self.num_threads)
        return values, grads

    def likely_bits(self, theta: ArrayLike) -> Bits:
        """A bitstring ``[num_qubits]`` that the circuit favours at ``theta[num_parameters]``.

        It agrees with the surest means, the surest first: with ⟨σ_i⟩ of each spin of the cost, and with ⟨σ_i σ_j⟩ of
        each pair in it, as recursive QAOA decides spins (arXiv:1910.08980). It need not be the most probable bitstring,
        which light cones do not tell.

        Raises:
            ValueError: if ``theta`` has a wrong shape.
        """
        row = check_thetas(np.asarray(theta)[None], self.circuit)[0]
        known = list(zip(self._single, self._singles.values(row).tolist(), strict=True))
        products = self._products(self._means.values(row)).prod(axis=1)
        known += [(term, mean) for term, mean in zip(self._terms, products.tolist(), strict=True) if len(term) == 2]
        return agreeing(self.circuit.num_qubits, known)

    @cached_property
    def _singles(self) -> ConeMeans:
        """The means of all spins of the cost, one by one."""
        return ConeMeans(self.circuit, self._single)

    def _products(self, means: Floats) -> Floats:
        """The factors of the mean of each term, ``[num_terms, most]``, filled up with 1."""
        return np.append(means, 1.0)[self._factors]

    def _mean(self, means: Floats) -> float:
        return self._constant + float(self._coefficients @ self._products(means).prod(axis=1))

    def _slopes(self, means: Floats) -> Floats:
        """The derivatives of E by the mean of each group, ``[num_groups]``."""
        factors, slopes = self._products(means), np.zeros(len(means) + 1)
        for column in range(factors.shape[1]):
            others = np.delete(factors, column, axis=1).prod(axis=1)
            slopes += np.bincount(self._factors[:, column], self._coefficients * others, len(slopes))
        return slopes[:-1]


def _overlapping(spins: Spins, pasts: Mapping[int, Past]) -> list[Spins]:
    """The groups of spins whose light cones overlap, directly or through others."""
    groups: list[tuple[set[int], frozenset[int]]] = []
    for spin in spins:
        members, qubits = {spin}, pasts[spin].qubits
        for group in [group for group in groups if group[1] & qubits]:
            groups.remove(group)
            members, qubits = members | group[0], qubits | group[1]
        groups.append((members, qubits))
    return [tuple(sorted(members)) for members, _ in groups]


def _union(pasts: Sequence[Past]) -> Past:
    qubits, gates = zip(*pasts, strict=True)
    return Past(frozenset[int]().union(*qubits), frozenset[int]().union(*gates))


def _check_cone(spins: Spins, past: Past) -> None:
    if len(past.qubits) > MAX_CONE_QUBITS:
        raise QhnError(
            f"the mean of the spins {', '.join(map(str, spins))} depends on {len(past.qubits)} qubits of the circuit, "
            f"their light cone, and E without shots allows {MAX_CONE_QUBITS}; {REMEDY}"
        )


def _signs(places: Sequence[int], num_qubits: int) -> NDArray[np.int8]:
    """The product of the spins of some qubits on all bitstrings, ``[2**num_qubits]``."""
    signs = np.ones((2,) * num_qubits, dtype=np.int8)
    for place in places:
        np.moveaxis(signs, num_qubits - 1 - place, 0)[0] *= -1  # the last axis is that of qubit 0
    return signs.reshape(-1)


def _padded(factors: Sequence[Sequence[int]], filler: int) -> Integers:
    """Rows of different lengths as an array, filled up with a number."""
    most = max(map(len, factors), default=1)
    return np.array([[*row, *[filler] * (most - len(row))] for row in factors], dtype=np.int64).reshape(-1, most)
