"""A segment of a quantum gradient descent as values: what was told before, solved, read, and what true descent does."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from qhn.arrays import Floats

Vector = tuple[float, ...]


@dataclass(frozen=True)
class Told:
    """What was known before the system was solved.

    Attributes:
        regime: name of the regime.
        words: the diagnosis in one line.
        nonlinearity: the ratio R; infinite where nothing is promised.
        growth: factor by which a step scales displacements at most.
        condition: condition number κ of the system.
        truncation_bound: rigorous bound on the truncation error; infinite if it says nothing, None
            for batches and for the Euler closure, of which none is proven.
        num_negative: number of directions of negative curvature.
        scale: unit of displacements.
        num_unknowns: number of unknowns of the system.
        num_idle: number of idle copies of the last state.
    """

    regime: str
    words: str
    nonlinearity: float
    growth: float
    condition: float
    truncation_bound: float | None
    num_negative: int
    scale: float
    num_unknowns: int
    num_idle: int


@dataclass(frozen=True)
class Solved:
    """The circuits that solve the system.

    Attributes:
        method: name of the solver.
        qubits: number of qubits of the largest circuit.
        degree: degree of the solver's polynomial, or the largest power of the evolution.
        queries: uses of the block encoding, or of the evolution.
        condition: condition number that the circuits are built for, the block encoding's subnormalisation included.
        error_bound: bound on the relative error of the solution; None if none is proven.
        success: probability that the ancillas are all measured 0, in the circuit without a reference if amplitudes
            are exact, and otherwise the share of shots.
        weight: share of the solution's square norm in the last displacement and its copies.
        num_circuits: number of circuits that are measured; 0 if amplitudes are exact.
        depth: depth of the largest circuit as the machine executes it; None if it was not compiled.
        two_qubit_gates: two-qubit gates of the largest circuit as the machine executes it; None if not compiled.
        price: what the circuits were to cost, in words; empty if nothing was measured.
    """

    method: str
    qubits: int
    degree: int
    queries: int
    condition: float
    error_bound: float | None
    success: float
    weight: float
    num_circuits: int = 0
    depth: int | None = None
    two_qubit_gates: int | None = None
    price: str = ""


@dataclass(frozen=True)
class Read:
    """What the measured bits say.

    Attributes:
        shots: number of shots of all circuits.
        counts: counts a parameter that the displacement alone would have given.
        std_error: standard error of each parameter.
        low, high: ends of the 95 % interval of each parameter after the segment, of the shots alone.
        sign_error: one-sided p-value of the other sign of each displacement.
        misfit: probability of counts that contradict each other as much, if circuits do what they should.
        complaints: reasons not to trust the download, a sentence each.
    """

    shots: int
    counts: float
    std_error: Vector
    low: Vector
    high: Vector
    sign_error: Vector
    misfit: float
    complaints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Beside:
    """What other ways of descent reach in the same steps.

    Attributes:
        true: parameters by true descent from the start of this segment.
        true_path: parameters by true descent from the start of the first segment.
        carleman: parameters by classical Carleman linearisation of the same system.
        losses: losses by name: ``before``, ``after``, ``true``, ``true_path`` and ``carleman``.
        accuracies: accuracies by the same names; empty for labels that are numbers.
        loss_std_error: standard error of the loss after the segment that shots cause, to second order.
        loss_bias: bound on what the solver's own error changes in that loss, to second order; None if none is proven.
    """

    true: Vector
    true_path: Vector
    carleman: Vector
    losses: Mapping[str, float]
    accuracies: Mapping[str, float]
    loss_std_error: float = 0.0
    loss_bias: float | None = 0.0


@dataclass(frozen=True)
class Segment:
    """One segment: upload, T steps solved at once, download.

    Attributes:
        number: number of the segment, from 0.
        before: kept parameters before it.
        after: kept parameters after it.
        told: what was known before.
        solved: circuits; None if the system was solved classically.
        read: what the bits say; None for exact amplitudes.
        beside: what other ways reach.
    """

    number: int
    before: Vector
    after: Vector
    told: Told
    solved: Solved | None
    read: Read | None
    beside: Beside

    @property
    def loss(self) -> float:
        """The loss after the segment."""
        return self.beside.losses["after"]

    @property
    def update_error(self) -> float:
        """The error of this segment's update, relative to the norm of the true one."""
        return relative(self.after, self.beside.true, self.before)

    @property
    def carleman_error(self) -> float:
        """The error of the update by classical Carleman linearisation, relative to the norm of the true one."""
        return relative(self.beside.carleman, self.beside.true, self.before)

    @property
    def decrease_error(self) -> float:
        """The error of the decrease of the loss in this segment, relative to the true decrease."""
        return self._of_decrease(self.beside.losses["after"] - self.beside.losses["true"])

    @property
    def stated_error(self) -> float:
        """The standard error of the decrease of the loss that shots cause, relative to the true decrease."""
        return self._of_decrease(self.beside.loss_std_error)

    @property
    def solver_error(self) -> float:
        """The bound on the solver's part in the error of the decrease of the loss; infinite if none is proven."""
        return math.inf if self.beside.loss_bias is None else self._of_decrease(self.beside.loss_bias)

    def _of_decrease(self, difference: float) -> float:
        decrease = self.beside.losses["before"] - self.beside.losses["true"]
        if not decrease:
            return math.inf if difference else 0.0
        return abs(difference / decrease)

    def to_json(self) -> str:
        """The segment as one line of JSON; what is infinite is written as text."""
        return json.dumps(json_values(asdict(self)), allow_nan=False, ensure_ascii=False)

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Segment:
        """Restore a segment from the JSON values of :meth:`to_json`.

        Raises:
            KeyError, TypeError, ValueError: if they are none.
        """
        parts: dict[str, Any] = {
            name: None if tree[name] is None else _of(kind, tree[name])
            for name, kind in (("told", Told), ("solved", Solved), ("read", Read), ("beside", Beside))
        }
        before, after = (tuple(map(float, tree[name])) for name in ("before", "after"))
        return cls(int(tree["number"]), before, after, **parts)


def relative(found: Vector | Floats, right: Vector | Floats, start: Vector | Floats) -> float:
    """The distance of parameters from the right ones, relative to how far those are from the start.

    >>> relative([1.5], [2.0], [0.0])
    0.25
    """
    way = float(np.linalg.norm(np.subtract(right, start)))
    error = float(np.linalg.norm(np.subtract(found, right)))
    if not way:
        return math.inf if error else 0.0
    return error / way


def _of(kind: type[Any], tree: Mapping[str, Any]) -> Any:
    """A part of a segment from JSON values: lists as tuples, and texts of infinite numbers as these."""
    values = {field.name: tree[field.name] for field in fields(kind)}
    return kind(**{name: _restored(value) for name, value in values.items()})


def _restored(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_restored(one) for one in value)
    return float(value) if value in ("inf", "-inf", "nan") else value


def json_values(value: Any) -> Any:
    """JSON values in which numbers that JSON does not have are texts."""
    if isinstance(value, dict):
        return {key: json_values(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_values(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
