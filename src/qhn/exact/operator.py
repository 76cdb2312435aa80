"""A polynomial of spins on a row of sites as a matrix product operator, whose sum over terms shares what they share.

A term Π σ_j is read from the left end of the row, site by site: on each site it asks for the product of some of its
spins, or for none. Terms that begin alike share their beginning. So each bond has one **state** for each different
beginning of terms that go on to the right of it, one for the empty beginning, and one for the terms that are complete:
a finite automaton, whose table of transitions are the matrices of the operator. A dense quadratic polynomial of N spins
has about N states at a bond and not N² terms.

On a site of two qubits a **pattern** 0 … 3 says of which spins the product is taken: 1 for the first, 2 for the second.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import NamedTuple

import numpy as np

from qhn.arrays import Floats, Integers
from qhn.problem.polynomial import SpinPolynomial

Beginning = tuple[tuple[int, int], ...]  # (site, pattern) of each site on which a term has spins, from the left
COMPLETE: Beginning = ((-1, 0),)  # stands for all complete terms
START = 0  # the state of the empty beginning at the left end
Group = tuple[int, int, list[tuple[int, float]]]  # pattern, state at the right, and (state at the left, factor) of each


class Operator(NamedTuple):
    """A matrix product operator that is diagonal in the bits, as a list of its transitions.

    The transitions of a site that end in the same state and take the same pattern are one *group*: the transfer by that
    pattern is linear, and is applied once to the sum of what comes in.

    Attributes:
        num_states: number of states at all bonds; state 0 is that at the left end.
        final: the state of complete terms at the right end.
        sites: the index at which the groups of each site begin, ``[num_sites + 1]``.
        patterns: the pattern of each group, ``[num_groups]``.
        targets: the state at the site's right in which each group ends, ``[num_groups]``.
        starts: the index at which the transitions of each group begin, ``[num_groups + 1]``.
        sources: the state at the site's left from which each transition comes, ``[num_transitions]``.
        weights: the factor of each transition, ``[num_transitions]``.
    """

    num_states: int
    final: int
    sites: Integers
    patterns: Integers
    targets: Integers
    starts: Integers
    sources: Integers
    weights: Floats


def folded(polynomial: SpinPolynomial, brick: Iterable[tuple[int, int]]) -> SpinPolynomial:
    """The polynomial of the bits before CX gates, given that of the bits after them.

    A CX adds the control's bit to the target's, which with σ = 2·bit − 1 makes σ_target → −σ_control·σ_target.

    Args:
        polynomial: the polynomial of the bits that the gates leave.
        brick: the (control, target) pairs of the gates, in time order.

    >>> before = folded(SpinPolynomial.of(2, {(1,): 1.0, (0, 1): 0.5}), [(0, 1)])
    >>> dict(zip(before.terms, before.coefficients.tolist()))
    {(1,): -0.5, (0, 1): -1.0}
    """
    gates = list(brick)[::-1]
    terms: dict[tuple[int, ...], float] = {}
    for term, factor in zip(polynomial.terms, polynomial.coefficients.tolist(), strict=True):
        spins = set(term)
        for control, target in gates:
            if target in spins:
                spins ^= {control}
                factor = -factor
        terms[tuple(spins)] = factor
    return SpinPolynomial.of(polynomial.num_qubits, terms)


def operator_of(polynomial: SpinPolynomial, num_sites: int, place: Callable[[int], tuple[int, int]]) -> Operator:
    """The matrix product operator of a polynomial without its constant term.

    Args:
        polynomial: the polynomial.
        num_sites: number of sites of the row.
        place: the site of a qubit, and its place in it: 0 or 1.

    >>> chain = SpinPolynomial.of(4, {(0, 1): 1.0, (1, 2): 1.0, (2, 3): 1.0})
    >>> operator_of(chain, 2, lambda qubit: divmod(qubit, 2)).num_states  # at the bond between: none, (1,), complete
    5
    """
    terms = {
        _by_site(term, place): factor
        for term, factor in zip(polynomial.terms, polynomial.coefficients.tolist(), strict=True)
        if term
    }
    last = _last_sites(terms)
    opening: dict[int, list[Beginning]] = defaultdict(list)
    for beginning in last:
        opening[beginning[-1][0] if beginning else -1].append(beginning)
    closing: dict[int, list[Beginning]] = defaultdict(list)
    for term in terms:
        closing[term[-1][0]].append(term)

    sites: list[list[Group]] = []
    new_states = count(START + 1)
    left: dict[Beginning, int] = {(): START}
    for site in range(num_sites):
        groups: dict[tuple[Beginning, int], list[tuple[int, float]]] = defaultdict(list)
        for beginning, state in left.items():
            if last.get(beginning, num_sites) > site:  # complete terms go on to the right end
                groups[beginning, 0].append((state, 1.0))
        for beginning in opening[site]:
            groups[beginning, beginning[-1][1]].append((left[beginning[:-1]], 1.0))
        for term in closing[site]:
            groups[COMPLETE, term[-1][1]].append((left[term[:-1]], terms[term]))
        right = {beginning: next(new_states) for beginning in dict.fromkeys(name for name, _ in groups)}
        sites.append([(pattern, right[beginning], coming) for (beginning, pattern), coming in groups.items()])
        left = right
    num_states = next(new_states)
    return _packed(sites, left.get(COMPLETE, START), num_states)


def _by_site(term: Sequence[int], place: Callable[[int], tuple[int, int]]) -> Beginning:
    """The pattern of a term on each site on which it has spins, from the left."""
    patterns: dict[int, int] = defaultdict(int)
    for site, second in map(place, term):
        patterns[site] |= 1 << second
    return tuple(sorted(patterns.items()))


def _last_sites(terms: Iterable[Beginning]) -> dict[Beginning, int]:
    """The last site on which each beginning of the terms, the empty one included, is gone on with; −1 for none."""
    last: dict[Beginning, int] = {(): -1}
    for term in terms:
        for length, (site, _) in enumerate(term):
            last[term[:length]] = max(site, last.get(term[:length], -1))
    return last


def _packed(sites: Sequence[Sequence[Group]], final: int, num_states: int) -> Operator:
    groups = [group for site in sites for group in site]
    transitions = [one for _, _, coming in groups for one in coming]
    return Operator(
        num_states,
        final,
        np.cumsum([0, *map(len, sites)], dtype=np.int64),
        np.array([pattern for pattern, _, _ in groups], dtype=np.int64),
        np.array([target for _, target, _ in groups], dtype=np.int64),
        np.cumsum([0, *(len(coming) for _, _, coming in groups)], dtype=np.int64),
        np.array([source for source, _ in transitions], dtype=np.int64),
        np.array([weight for _, weight in transitions], dtype=np.float64),
    )
