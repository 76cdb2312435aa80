"""Cuts against networkx, and the forms in which a graph can be given."""

from __future__ import annotations

import networkx
import numpy as np
import pytest
import scipy.sparse

import qhn
from qhn import bitstrings
from qhn.problem.landscape import enumerate_costs
from qhn.problem.max_cut import MaxCutProblem, max_cut

GRAPH = networkx.random_regular_graph(3, 10, seed=2)
for first, second in GRAPH.edges:
    GRAPH[first][second]["weight"] = float((7 * first + 5 * second) % 8 - 2)
EVERY = bitstrings.from_integers(np.arange(2**10), 10)


def test_costs_are_minus_the_weights_of_cuts():
    problem = max_cut(GRAPH)
    for bits in EVERY[::37]:
        side = {node for node in GRAPH if bits[node]}
        assert problem.cost(bits) == -networkx.cut_size(GRAPH, side, weight="weight")
    assert problem.polynomial(EVERY).tolist() == problem.cost(EVERY).tolist()
    assert problem.cost(1 - EVERY).tolist() == problem.cost(EVERY).tolist()
    low, high = problem.cost_range
    assert low <= problem.cost(EVERY).min() <= problem.cost(EVERY).max() <= high


def test_the_optimum_is_no_worse_than_one_exchange():
    weight, _ = networkx.approximation.one_exchange(GRAPH, weight="weight", seed=1)
    assert -enumerate_costs(max_cut(GRAPH)).min() >= weight


@pytest.mark.parametrize(
    "graph",
    [
        networkx.to_numpy_array(GRAPH, nodelist=range(10)),
        networkx.to_scipy_sparse_array(GRAPH, nodelist=range(10)),
        [(j, i, weight) for i, j, weight in reversed(list(GRAPH.edges(data="weight")))],
        networkx.MultiGraph(
            [(i, j, {"weight": part}) for i, j, w in GRAPH.edges(data="weight") for part in (w - 1.0, 1.0)]
        ),
    ],
)
def test_the_same_graph_in_any_form_is_the_same_problem(graph):
    assert max_cut(graph).digest == max_cut(GRAPH).digest


def test_an_edge_without_a_weight_weighs_one():
    assert max_cut(networkx.path_graph(3)).cost([0, 1, 0]) == -2
    assert max_cut([(0, 1), (0, 1)]).cost([0, 1]) == -2


def test_nodes_keep_their_names_and_a_lonely_node_is_a_qubit():
    graph = networkx.Graph([("rome", "oslo")])
    graph.add_node("bonn")
    problem = max_cut(graph)
    assert problem.summary().splitlines()[1] == "qubits in this order: bonn, oslo, rome"
    assert problem.describe([0, 1, 0]) == [
        "cut of weight 1, 1 of 1 edge",
        "nodes with bit 0: bonn, rome",
        "nodes with bit 1: oslo",
    ]
    again = MaxCutProblem.from_arrays(problem.arrays())
    assert (again.digest, again.summary()) == (problem.digest, problem.summary())


@pytest.mark.parametrize(
    ("graph", "words"),
    [
        (networkx.DiGraph([(0, 1)]), "this graph is directed; give graph.to_undirected()"),
        ([(0, 1), (2, 2)], "the graph has an edge from node 2 to itself"),
        (networkx.Graph(), "a graph must have at least one node"),
        ([], "a graph must have at least one node"),
        ([(1,)], r"an edge must be \(i, j\) or \(i, j, weight\), got \(1,\)"),
        ("ab", "a graph must be edges .* got 'ab'"),
        ([([1], 2)], "edge must name variables by numbers, text or tuples"),
        ([(0, 1, "x")], r"edge \(0, 1\) must be a number in .*, got 'x'"),
        ([(0, 1, float("nan"))], r"edge \(0, 1\) must be a finite number in .*, got nan"),
        ([[0, 1, 2], [1, 0, 3], [2, 3, 0]], "these lists may be edges or the rows of a matrix; give edges as tuples"),
        ([[0, 1], [1, 0]], "these lists may be edges or the rows of a matrix"),
        (np.array([[0.0, 1.0], [2.0, 0.0]]), "the matrix of weights must be symmetric"),
        (scipy.sparse.coo_array(np.array([[0.0, 1.0], [0.0, 0.0]])), "the matrix of weights must be symmetric"),
    ],
)
def test_what_is_no_graph_of_a_cut_is_refused_by_name(graph, words):
    with pytest.raises(qhn.QhnError, match=words):
        max_cut(graph)
