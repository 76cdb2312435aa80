"""Bits from means: against the tree of largest weight of networkx, and bitstrings that are known."""

from __future__ import annotations

from itertools import combinations

import networkx as nx
import numpy as np
import pytest

from qhn.exact.rounding import agreeing


def test_bits_agree_with_the_surest_means() -> None:
    assert agreeing(3, [((0,), 0.2), ((1,), -0.9), ((0, 1), 0.5), ((0, 2), -0.1)]).tolist() == [0, 0, 1]
    assert agreeing(2, []).tolist() == [1, 1]
    assert agreeing(2, [((1,), -1.0)]).tolist() == [1, 0]


@pytest.mark.parametrize("seed", range(10))
def test_every_mean_of_the_tree_of_the_surest_is_met(seed: int) -> None:
    """Greedily taken means are the spanning tree of largest weight, with one more node for the spin that is +1."""
    rng = np.random.default_rng(seed)
    places = [some for size in (1, 2) for some in combinations(range(9), size) if rng.random() < 0.5]
    means = dict(zip(places, rng.uniform(-1, 1, len(places)), strict=True))
    graph = nx.Graph()
    for place, mean in means.items():
        graph.add_edge(*(*place, 9)[:2], weight=abs(mean), place=place)
    spins = 2.0 * agreeing(9, means.items()) - 1
    for _, _, edge in nx.maximum_spanning_tree(graph).edges(data=True):
        assert spins[list(edge["place"])].prod() == np.sign(means[edge["place"]])


def test_means_of_one_bitstring_give_it_back_or_its_complement(rng: np.random.Generator) -> None:
    bits = rng.integers(0, 2, 30, dtype=np.uint8)
    spins = 2.0 * bits - 1
    ends = list(combinations(range(30), 2))
    means = [((i, j), spins[i] * spins[j] * rng.uniform(0.1, 1.0)) for i, j in ends]
    found = agreeing(30, means)
    assert found.dtype == np.uint8
    assert len(set((found ^ bits).tolist())) == 1
    assert agreeing(30, [*means, ((7,), 0.01 * spins[7])]).tolist() == bits.tolist()


def test_means_of_no_size_say_nothing() -> None:
    assert agreeing(2, [((0,), -1e-12), ((0, 1), -0.0), ((1,), -1e-8)]).tolist() == [1, 0]
