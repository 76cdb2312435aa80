"""Files of graphs: one edge a line, by the names of its nodes or as in the collection Gset, or a matrix of weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from qhn.errors import QhnError
from qhn.problem.array_files import matrix_in, named, read_array, read_arrays
from qhn.problem.max_cut import MaxCutProblem, graph_of_edges, graph_of_matrix
from qhn.problem.terms import MAX_VARIABLES
from qhn.problem.text_lines import INDEX, Line, lines_of
from qhn.text import in_line

GraphFormat = Literal["edges", "gset"]
EDGE = "'i j' or 'i j weight'"
COLUMNS = ("source", "target", "weight")
Edge = tuple[Any, Any, float]


def read_graph(path: Path, form: GraphFormat = "edges") -> MaxCutProblem:
    """The cuts of the graph of a file.

    A ``.npy`` or ``.npz`` file holds a symmetric matrix of weights, an ``.npz`` file also as ``scipy.sparse.save_npz``
    writes it. Any other file is text with a line ``i j`` or ``i j weight`` an edge; without a weight it weighs 1. A
    ``.csv`` file has commas and a first line ``source,target`` or ``source,target,weight``.

    Args:
        path: the file.
        form: meaning of a text; ``"edges"``: i and j are names of nodes, and the nodes are the different names
            that occur, sorted; ``"gset"``: the first line has the numbers of nodes and of edges, and i and j count the
            nodes from 1.

    Raises:
        QhnError: if the file is no such matrix or text, an edge occurs twice or joins a node to itself; the message
            names the place.
    """
    suffix = path.suffix.lower()
    if suffix in (".npy", ".npz"):
        matrix = read_array(path) if suffix == ".npy" else matrix_in(path, read_arrays(path), "of weights")
        with named(path):
            return MaxCutProblem(graph_of_matrix(matrix))
    lines = list(lines_of(path, "file of edges"))
    if not lines:
        raise QhnError(f"{path} is empty; give a line {EDGE} for each edge")
    if form == "gset":
        return _gset(lines)
    if suffix == ".csv":
        lines = lines[1:] if _is_head(lines[0]) else []
    if not lines:
        raise QhnError(f"{path} has a head and no edge; give a line {EDGE} for each")
    for line in lines:
        line.expect((len(lines[0].fields),), _form_of(lines[0]))
    return MaxCutProblem(graph_of_edges(_edges(lines, _names(lines))))


def _gset(lines: Sequence[Line]) -> MaxCutProblem:
    """The cuts of a graph with a first line of the numbers of nodes and edges."""
    head, *rest = lines
    head.expect((2,), "Gset's first line, 'number-of-nodes number-of-edges'")
    size, count = head.index(0), head.index(1)
    if not 0 < size <= MAX_VARIABLES:
        raise QhnError(f"{head.place}: a graph must have from 1 to {MAX_VARIABLES:,} nodes, got {size:,}")
    if count != len(rest):
        raise QhnError(f"{head.place} counts {count:,} edges, {len(rest):,} follow; correct it, or restore the others")
    for line in rest:
        line.expect((2, 3), EDGE)
        for place in (0, 1):
            if not 1 <= line.index(place) <= size:
                raise QhnError(f"{line.place}: a node must be a number from 1 to {size}, got {line.index(place)}")
    ends = [(line.index(0), line.index(1)) for line in rest]
    return MaxCutProblem(graph_of_edges(_edges(rest, ends), range(1, size + 1)))


def _is_head(line: Line) -> bool:
    """Whether the line names the columns of a table of edges.

    Raises:
        QhnError: if it does not.
    """
    if tuple(field.lower() for field in line.fields) not in (COLUMNS[:2], COLUMNS):
        shown = in_line(",".join(line.fields))
        raise QhnError(f"{line.place} must be 'source,target' or 'source,target,weight', got {shown!r}; insert it")
    return True


def _form_of(first: Line) -> str:
    """What every line of edges must look like, by the first of them."""
    first.expect((2, 3), EDGE)
    if len(first.fields) == 3:
        return f"'i j weight', as line {first.number}"
    return f"'i j', as line {first.number} (if that counts nodes and edges, as in Gset, set format = 'gset')"


def _names(lines: Sequence[Line]) -> list[tuple[Any, Any]]:
    """The names of both ends of each edge, as numbers if all are."""
    if all(INDEX.fullmatch(name) for line in lines for name in line.fields[:2]):
        return [(int(line.fields[0]), int(line.fields[1])) for line in lines]
    return [(line.fields[0], line.fields[1]) for line in lines]


def _edges(lines: Sequence[Line], ends: Sequence[tuple[Any, Any]]) -> Iterator[Edge]:
    """The edges of lines, each with its weight; those that no graph of cuts has are refused."""
    seen: dict[frozenset[Any], Line] = {}
    for line, (first, second) in zip(lines, ends, strict=True):
        if first == second:
            raise QhnError(f"{line.place}: an edge from {in_line(first)!r} to itself is in no cut; remove the line")
        earlier = seen.setdefault(frozenset((first, second)), line)
        if earlier is not line:
            between = f"{in_line(first)!r} and {in_line(second)!r}"
            raise QhnError(f"{line.place}: the edge of {between} is on line {earlier.number} already; give it once")
        yield first, second, line.value(2) if len(line.fields) == 3 else 1.0
