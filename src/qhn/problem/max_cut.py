"""Max-cut: the nodes of a graph in two sets, so that the edges between them weigh as much as possible."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qhn import bitstrings
from qhn.arrays import Floats
from qhn.errors import QhnError
from qhn.problem.polynomial import SpinPolynomial
from qhn.problem.quadratic import QuadraticProblem
from qhn.problem.terms import Terms, as_reals, labelled_terms, matrix_terms
from qhn.text import counted, in_line, shown


@dataclass(frozen=True, eq=False, repr=False)
class MaxCutProblem:
    """Cuts of a weighted graph without direction; C = −(weight of the edges between the two sides), lower is better.

    Make one by :func:`max_cut`. Bit 1 of qubit j puts node j on one side, bit 0 on the other; the complement of a
    bitstring is the same cut.

    Attributes:
        graph: the edges as pairs of nodes with their weights; edges of one pair add up.

    Raises:
        QhnError: at construction, if an edge joins a node to itself.

    >>> triangle = max_cut([(0, 1), (1, 2), (2, 0)])
    >>> triangle.cost(np.array([[0, 0, 0], [0, 1, 0]], dtype=np.uint8))
    array([ 0., -2.])
    """

    graph: Terms

    def __post_init__(self) -> None:
        loops = self.graph.rows[self.graph.rows == self.graph.columns]
        if len(loops):
            raise QhnError(f"the graph has an edge from node {self._name(loops[0])} to itself, which no cut can have")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.summary().splitlines()[0]}>"

    @cached_property
    def energy(self) -> QuadraticProblem:
        """The cost as an energy of spins: Σ w·(s_i·s_j − 1)/2 over the edges."""
        graph = self.graph
        halves = Terms(graph.size, graph.pairs[:, 0], graph.pairs[:, 1], graph.couplings / 2, graph.labels)
        return QuadraticProblem.of_spins(np.zeros(graph.size), halves, -float(np.sort(halves.weights).sum()))

    @property
    def num_qubits(self) -> int:
        """The number of nodes, one qubit each."""
        return self.graph.size

    def cost(self, bits: ArrayLike) -> Floats:
        """Minus the weight of each cut: bits ``[..., num_qubits]`` → ``[...]``."""
        return self.energy.cost(bits)

    @property
    def digest(self) -> str:
        """SHA-256 of the cost as an energy of spins, in hexadecimal: neither order nor labels of edges change it."""
        return self.energy.digest

    @cached_property
    def cost_range(self) -> tuple[float, float]:
        """Bounds of all costs: no cut weighs more than all positive edges, or less than all negative ones."""
        weights = self.graph.couplings
        return -float(weights[weights > 0].sum()), -float(weights[weights < 0].sum())

    @property
    def polynomial(self) -> SpinPolynomial:
        """The cost as a polynomial of spins."""
        return self.energy.polynomial

    @property
    def noun(self) -> str:
        """What one bitstring stands for."""
        return "cut"

    def summary(self) -> str:
        """The size and weight of the graph, and what each qubit stands for."""
        graph = self.graph
        counts = f"{counted(graph.size, 'node')} and {counted(len(graph.pairs), 'edge')}"
        total = f"{counts} of total weight {graph.couplings.sum():.10g}"
        names = f"qubits in this order: {self._names(range(graph.size))}"
        return "\n".join([f"cuts of a graph of {total}; C = −(weight of the cut)", *([names] if graph.labels else [])])

    def describe(self, bits: ArrayLike) -> list[str]:
        """The weight of the cut of one bitstring ``[num_qubits]`` and its two sides, as lines of text."""
        row = bitstrings.as_bits(bits, self.num_qubits)
        is_cut = row[self.graph.pairs[:, 0]] != row[self.graph.pairs[:, 1]]
        weight = self.graph.couplings[is_cut].sum()
        return [
            f"cut of weight {weight:.10g}, {is_cut.sum()} of {counted(len(is_cut), 'edge')}",
            *(f"nodes with bit {side}: {self._names(np.flatnonzero(row == side)) or 'none'}" for side in (0, 1)),
        ]

    def _name(self, node: Any) -> str:
        return in_line(self.graph.labels[node]) if self.graph.labels else str(node)

    def _names(self, nodes: Iterable[Any]) -> str:
        return ", ".join(map(self._name, nodes))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The problem as plain arrays by name, from which :meth:`from_arrays` makes it again."""
        graph = self.graph
        labels = np.array(graph.labels, dtype=np.str_)
        return {"size": np.array(graph.size), "edges": graph.pairs, "weights": graph.couplings, "labels": labels}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The problem of the arrays of :meth:`arrays`."""
        edges, weights = np.asarray(arrays["edges"], dtype=np.int64), as_reals(arrays["weights"], "weights")
        labels = tuple(map(str, arrays["labels"]))
        return cls(Terms(int(arrays["size"]), edges[:, 0], edges[:, 1], weights, labels))


def max_cut(graph: Any, weight: str = "weight") -> MaxCutProblem:
    """The problem of the cuts of a graph.

    Args:
        graph: a graph of networkx; edges as tuples ``(i, j)`` or ``(i, j, weight)``; or a symmetric matrix of weights,
            as an array or a sparse array of scipy. Nodes may have any names; those of a graph or of edges are sorted if
            they can be compared.
        weight: the attribute of a networkx edge that holds its weight; an edge without it weighs 1. Parallel edges of a
            multigraph add up.

    Raises:
        QhnError: if the graph is directed, an edge joins a node to itself, a matrix is not symmetric, weights are no
            finite real numbers, or there is no node.
    """
    if hasattr(graph, "is_directed"):
        if graph.is_directed():
            raise QhnError("edges of a cut have no direction, and this graph is directed; give graph.to_undirected()")
        return MaxCutProblem(graph_of_edges(graph.edges(data=weight, default=1.0), graph.nodes))
    if isinstance(graph, np.ndarray) or hasattr(graph, "tocoo"):
        return MaxCutProblem(graph_of_matrix(graph))
    if isinstance(graph, (str, bytes, Mapping)) or not isinstance(graph, Iterable):
        kinds = "edges (i, j) or (i, j, weight), a matrix or a graph of networkx"
        raise QhnError(f"a graph must be {kinds}, got {shown(graph)}")
    listed = list(graph)
    if _may_be_matrix(listed):
        raise QhnError("these lists may be edges or the rows of a matrix; give edges as tuples, or a numpy array")
    return MaxCutProblem(graph_of_edges(listed))


def _may_be_matrix(rows: list[Any]) -> bool:
    """Whether lists are a symmetric matrix with a diagonal of zeros, and at the same time of the size of edges."""
    size = len(rows)
    if size not in (2, 3) or not all(isinstance(row, list) and len(row) == size for row in rows):
        return False
    return all(rows[i][j] == (0 if i == j else rows[j][i]) for i in range(size) for j in range(i + 1))


def graph_of_edges(edges: Iterable[Any], nodes: Collection[Hashable] = ()) -> Terms:
    """The graph of edges ``(i, j)`` or ``(i, j, weight)``, of which those of one pair of nodes add up.

    Args:
        edges: the edges; without a weight an edge weighs 1.
        nodes: further nodes, without any edge.

    Raises:
        QhnError: if an edge has another form, a weight is no finite real number, or there is no node.
    """
    listed = [tuple(edge) if isinstance(edge, (tuple, list)) else edge for edge in edges]
    for edge in listed:
        if not isinstance(edge, tuple) or len(edge) not in (2, 3):
            raise QhnError(f"an edge must be (i, j) or (i, j, weight), got {shown(edge)}")
    if not listed and not len(nodes):
        raise QhnError("a graph must have at least one node, got none")
    return labelled_terms([(i, j, *(weight or (1.0,))) for i, j, *weight in listed], "edge", also=nodes)


def graph_of_matrix(matrix: Any) -> Terms:
    """The graph of a symmetric matrix of weights, each edge once.

    Raises:
        QhnError: if the matrix is not symmetric, or holds anything but finite real numbers.
    """
    found = matrix_terms(matrix, "the matrix of weights")
    upper, lower = (
        Terms(found.size, found.rows[chosen], found.columns[chosen], found.weights[chosen])
        for chosen in (found.rows <= found.columns, found.rows >= found.columns)
    )
    if not (np.array_equal(upper.pairs, lower.pairs) and np.array_equal(upper.couplings, lower.couplings)):
        raise QhnError("the matrix of weights must be symmetric, since edges have no direction; give matrix + matrix.T")
    return upper
