"""The search for the cheapest simple path of a given length in a graph, where costs depend on the position in the path.

The method is branch and bound. The bound is the cheapest walk that may come back to a vertex, though never straight
back along an edge: a table over (position, directed edge), made in one pass from the end. A walk that circles in the
best ring is made dearer by multipliers λ ≥ 0 on the vertices (Lagrangian relaxation): of all paths that use a vertex at
most once,

    cost ≥ min over walks of Σ (cost + λ of each visit) − Σ λ of all vertices,

and λ rises, by subgradient steps, where the cheapest walk visits a vertex more than once. A beam search along the same
bound finds a path to begin with, as a rule the best one already.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from qhn.arrays import Floats, Integers

Path = tuple[int, ...]
BEAM = 100  # partial paths kept of each length
ROUNDS = 120  # subgradient steps
NODES = 500_000  # partial paths looked at, a second or two
SPARSE = 3  # edges onward from an edge of a chip in a plane; more of them count as more partial paths
WORK = 120_000_000  # entries of the table of walks that the subgradient steps look at, a second or two
SLACK = 1e-12  # allowance for rounding, relative to costs of order 1


@dataclass(frozen=True)
class Grid:
    """A graph whose vertices and edges have costs.

    Attributes:
        vertex: cost of each vertex at each position of a path, ``[num_positions, num_vertices]``; infinite where it
            must not be used.
        edges: cost of each pair ``(a, b)`` of neighbours, a < b.
        bonds: factor on the cost of the edge between positions i and i + 1, ``[num_positions − 1]``.
    """

    vertex: Floats
    edges: dict[tuple[int, int], float]
    bonds: Floats

    @cached_property
    def usable(self) -> list[tuple[int, int]]:
        """The edges among usable vertices, in both directions, sorted.

        Edges of connected parts too small for a path are left out.
        """
        open_vertices = np.isfinite(self.vertex.sum(axis=0))
        kept = [pair for pair in self.edges if open_vertices[pair[0]] and open_vertices[pair[1]]]
        part = {vertex: part for part in connected(kept) if len(part) >= len(self.vertex) for vertex in part}
        return sorted(edge for a, b in kept if a in part for edge in ((a, b), (b, a)))

    def without(self, vertices: set[int]) -> Grid:
        """The graph without some vertices."""
        vertex = self.vertex.copy()
        vertex[:, sorted(vertices)] = np.inf
        return Grid(vertex, self.edges, self.bonds)

    def cost(self, path: Path) -> float:
        """The cost of a path."""
        hops = zip(self.bonds, pairwise(path), strict=True)
        at = sum(self.vertex[i, v] for i, v in enumerate(path))
        return float(at + sum(times * self.edges[min(pair), max(pair)] for times, pair in hops))


def connected(edges: list[tuple[int, int]]) -> list[frozenset[int]]:
    """The connected parts of a graph given by its edges, the largest first.

    >>> [sorted(part) for part in connected([(0, 1), (3, 4), (1, 2)])]
    [[0, 1, 2], [3, 4]]
    """
    parts: dict[int, set[int]] = {}
    for a, b in edges:
        joined = parts.get(a, {a}) | parts.get(b, {b})
        parts.update(dict.fromkeys(joined, joined))
    return sorted({frozenset(part) for part in parts.values()}, key=lambda part: (-len(part), min(part)))


def cheapest(grid: Grid, *, nodes: int = NODES, beam: int = BEAM) -> tuple[Path | None, bool]:
    """The cheapest path, or None if there is none, and whether that is certain.

    The search is deterministic. Among equally cheap paths it finds one of low numbers; a path that costs the same in
    both directions begins with the lower number.

    Args:
        grid: the graph.
        nodes: number of partial paths to look at, of which one with many edges onward counts as several; beyond it the
            best path found so far is returned as uncertain. With 0 only the beam search is made.
        beam: number of partial paths of each length that the beam search keeps.
    """
    if len(grid.vertex) == 1:
        best = int(grid.vertex[0].argmin())
        return ((best,) if np.isfinite(grid.vertex[0, best]) else None), True
    if not grid.usable:
        return None, True
    search = _Search(grid)
    search.beam(beam)
    if not nodes:
        return search.path, False
    search.tighten(min(ROUNDS, WORK // (search.table.size * search.length)))
    search.beam(beam)
    certain = search.branch(nodes)
    return search.path, certain


class _Search:
    """The state of a search: the bound, as it is tightened, and the best path so far."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.length = len(grid.vertex)
        self.tail, self.head = np.array(grid.usable).T
        leaving: dict[int, list[int]] = {}
        for edge, (a, _) in enumerate(grid.usable):
            leaving.setdefault(a, []).append(edge)
        ahead = [[s for s in leaving[b] if grid.usable[s][1] != a] for a, b in grid.usable]
        self.ahead = ahead
        self.table = np.full((len(ahead), max(1, *map(len, ahead))), len(ahead))  # the last column is a dead end
        for edge, row in enumerate(ahead):
            self.table[edge, : len(row)] = row
        hop = np.array([grid.edges[min(edge), max(edge)] for edge in grid.usable])
        bonds = np.append(0.0, grid.bonds)[:, None]
        self.enter = bonds * hop + grid.vertex[:, self.head]  # [position, edge]: cost of arriving there by it
        self.start = grid.vertex[0, self.tail]
        self.multiplier = np.zeros(grid.vertex.shape[1])
        self.path: Path | None = None
        self.best = np.inf
        self.rest = self._rest()

    def _rest(self) -> Floats:
        """The cost of the cheapest way to the end from the head of each edge, λ included: ``[position, edge]``."""
        weight: Floats = self.enter + self.multiplier[self.head]
        rest = np.zeros_like(weight)
        onward = np.full(len(self.head) + 1, np.inf)
        for position in range(self.length - 2, 0, -1):
            np.add(weight[position + 1], rest[position + 1], out=onward[:-1])
            rest[position] = onward[self.table].min(axis=1)
        return rest

    def _whole(self) -> Floats:
        """A lower bound on the cost of all paths that begin with each edge."""
        extra = self.multiplier[self.tail] + self.multiplier[self.head] - self.multiplier.sum()
        bound: Floats = self.start + self.enter[1] + self.rest[1] + extra
        return bound

    def _visits(self) -> Integers:
        """The number of visits of the cheapest walk to each vertex."""
        edge = int(self._whole().argmin())
        walk = [int(self.tail[edge]), int(self.head[edge])]
        for position in range(2, self.length):
            onward = [
                self.enter[position, s] + self.multiplier[self.head[s]] + self.rest[position, s]
                for s in self.ahead[edge]
            ]
            edge = self.ahead[edge][int(np.argmin(onward))]
            walk.append(int(self.head[edge]))
        return np.bincount(walk, minlength=len(self.multiplier))

    def tighten(self, rounds: int) -> None:
        """Raise the bound by subgradient steps towards the cost of the best path known."""
        highest, kept = -np.inf, self.multiplier
        share = 1.0
        for _ in range(rounds):
            bound = float(self._whole().min())
            if not np.isfinite(bound):
                return  # not even a walk
            share = share if bound > highest else 0.9 * share
            if bound > highest:
                highest, kept = bound, self.multiplier
            slope = self._visits() - 1.0
            slope[(slope < 0) & (self.multiplier == 0)] = 0
            aim = self.best if np.isfinite(self.best) else 1.1 * abs(bound) + SLACK
            if aim - bound <= SLACK or not slope.any():
                break
            self.multiplier = np.maximum(0, self.multiplier + share * (aim - bound) / (slope @ slope) * slope)
            self.rest = self._rest()
        self.multiplier = kept
        self.rest = self._rest()

    def beam(self, width: int) -> None:
        """Grow paths from all starts at once, and keep the ones with the lowest bounds."""
        weight = self.enter + self.multiplier[self.head]
        price, rest, head = weight.tolist(), self.rest.tolist(), self.head.tolist()
        first = self.start + self.multiplier[self.tail] + weight[1]
        grown: list[tuple[float, float, Path, int, int]] = [
            (cost + rest[1][e], cost, self.grid.usable[e], e, 1 << self.grid.usable[e][0] | 1 << self.grid.usable[e][1])
            for e, cost in enumerate(first.tolist())
        ]
        for position in range(2, self.length):
            grown = [
                (cost + price[position][s] + rest[position][s], cost + price[position][s], (*path, head[s]), s, seen)
                for _, cost, path, edge, before in sorted(grown)[:width]
                for s in self.ahead[edge]
                if (seen := before | 1 << head[s]) != before
            ]
        extra = self.multiplier.tolist()
        for _, cost, path, _, _ in sorted(grown):
            if cost - sum(extra[vertex] for vertex in path) <= self.best + SLACK:
                self._take(path)

    def branch(self, nodes: int) -> bool:
        """Look at every path whose bound is below the best cost; return False if there are too many."""
        whole = self._whole()
        price = (self.enter + self.multiplier[self.head]).tolist()
        rest, head, ahead, last = self.rest.tolist(), self.head.tolist(), self.ahead, self.length - 1
        left, weight = nodes, [max(1, len(onward) // SPARSE) for onward in ahead]
        offset = float(self.multiplier.sum())

        def grow(position: int, edge: int, cost: float, seen: int, path: Path) -> None:
            nonlocal left
            if position == last:
                self._take(path)
                return
            costs, bounds = price[position + 1], rest[position + 1]
            for s in ahead[edge]:
                if seen >> head[s] & 1:
                    continue
                now = cost + costs[s]
                if now + bounds[s] >= self.best - SLACK:
                    continue
                left -= weight[s]
                if left < 0:
                    return
                grow(position + 1, s, now, seen | 1 << head[s], (*path, head[s]))

        begin = (self.start + self.multiplier[self.tail] - offset).tolist()
        for edge, (a, b) in enumerate(self.grid.usable):
            if whole[edge] < self.best - SLACK:
                left -= weight[edge]
                grow(1, edge, begin[edge] + price[1][edge], 1 << a | 1 << b, (a, b))
        return left >= 0

    def _take(self, path: Path) -> None:
        """Keep the better of two paths, in its better direction; of equally good ones keep the one of lower numbers."""
        for one in (path, path[::-1]):
            cost = self.grid.cost(one)
            equal = abs(cost - self.best) <= SLACK and self.path is not None and one < self.path
            if equal or cost < self.best - SLACK:
                self.path, self.best = one, cost
