"""Files of graphs: the same graph in every format, and what is malformed, by line and value."""

from __future__ import annotations

import networkx
import numpy as np
import pytest
import scipy.sparse

import qhn
from qhn.problem.graph_files import read_graph

GRAPH = networkx.Graph([(0, 1, {"weight": 2.0}), (1, 2, {"weight": -1.0}), (2, 3, {"weight": 0.5})])
EDGES = "0 1 2\n2 1 -1 # against the order\n\n2 3 0.5\n"


@pytest.mark.parametrize(
    ("name", "form", "write"),
    [
        ("g.txt", "edges", lambda path: path.write_text(EDGES)),
        ("g.edgelist", "edges", lambda path: networkx.write_weighted_edgelist(GRAPH, path)),
        ("g.csv", "edges", lambda path: path.write_text("source,target,weight\n0,1,2\n1,2,-1\n2,3,0.5\n")),
        ("g.npy", "edges", lambda path: np.save(path, networkx.to_numpy_array(GRAPH))),
        ("g.npz", "edges", lambda path: scipy.sparse.save_npz(path, networkx.to_scipy_sparse_array(GRAPH))),
        ("g.set", "gset", lambda path: path.write_text("4 3\n1 2 2\n2 3 -1\n3 4 0.5\n")),
    ],
)
def test_the_same_graph_in_every_format(tmp_path, name, form, write):
    write(tmp_path / name)
    assert read_graph(tmp_path / name, form).digest == qhn.max_cut(GRAPH).digest


def test_names_of_nodes_are_kept_and_numbers_are_sorted_as_numbers(tmp_path):
    path = tmp_path / "g.csv"
    path.write_text("source,target\nNew York,Rome\nRome,Bonn\n")
    assert read_graph(path).graph.labels == ("Bonn", "New York", "Rome")
    path = tmp_path / "g.txt"
    path.write_text("10 9\n9 1000000000\n")
    assert read_graph(path).graph.labels == ("9", "10", "1000000000")


def test_a_node_without_edges_counts_in_gset(tmp_path):
    path = tmp_path / "g.txt"
    path.write_text("4 1\n1 2\n")
    assert read_graph(path, "gset").num_qubits == 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty; give a line 'i j' or 'i j weight' for each edge"),
        ("0 1\n2 2\n", "line 2: an edge from '2' to itself is in no cut"),
        ("0 1\n1 2\n1 0\n", "line 3: the edge of '1' and '0' is on line 1 already; give it once"),
        ("0 1 x", "line 1: 'x' is not a number"),
        ("0 1 inf", "line 1: 'inf' must be a finite number"),
        ("0", "line 1 must be 'i j' or 'i j weight', got 1 field: '0'"),
        ("3 2\n1 2 1\n2 3 1\n", "line 2 must be 'i j', as line 1 .*as in Gset, set format = 'gset'"),
        ("0 1 1\n1 2", "line 2 must be 'i j weight', as line 1, got 2 fields: '1 2'"),
    ],
)
def test_malformed_edges_are_refused_by_line_and_value(tmp_path, text, words):
    path = tmp_path / "g.txt"
    path.write_text(text)
    with pytest.raises(qhn.QhnError, match=rf"g\.txt {words}"):
        read_graph(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("3\n1 2\n", "line 1 must be Gset's first line, 'number-of-nodes number-of-edges', got 1 field"),
        ("x y\n1 2", "line 1: 'x' must be a whole number from 0"),
        ("0 0\n", "line 1: a graph must have from 1 to 20,000 nodes, got 0"),
        ("1000000000 1\n1 2", "line 1: a graph must have from 1 to 20,000 nodes, got 1,000,000,000"),
        ("3 2\n1 2\n", "line 1 counts 2 edges, 1 follow"),
        ("3 1\n0 1\n", "line 2: a node must be a number from 1 to 3, got 0"),
        ("3 1\n1 4\n", "line 2: a node must be a number from 1 to 3, got 4"),
    ],
)
def test_a_malformed_gset_is_refused_by_line_and_value(tmp_path, text, words):
    path = tmp_path / "g.txt"
    path.write_text(text)
    with pytest.raises(qhn.QhnError, match=rf"g\.txt {words}"):
        read_graph(path, "gset")


@pytest.mark.parametrize(("text", "words"), [("Rome,Bonn\n", "must be .source,"), ("source,target\n", "no edge")])
def test_a_table_of_edges_needs_its_head_and_an_edge(tmp_path, text, words):
    path = tmp_path / "g.csv"
    path.write_text(text)
    with pytest.raises(qhn.QhnError, match=words):
        read_graph(path)


def test_a_matrix_that_is_not_symmetric_is_refused_by_file(tmp_path):
    np.save(tmp_path / "g.npy", np.triu(np.ones((3, 3)), 1))
    with pytest.raises(qhn.QhnError, match=r"g\.npy: the matrix of weights must be symmetric"):
        read_graph(tmp_path / "g.npy")
