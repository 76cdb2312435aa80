"""Steps of a training, as values and as lines of ``steps.jsonl``, and outcomes: why a run stopped."""

from __future__ import annotations

import json
import operator
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields
from enum import StrEnum
from typing import Any

import numpy as np

from qhn import bitstrings
from qhn.arrays import Bools, Floats
from qhn.errors import QhnError, RecordError
from qhn.estimator.gradient import ValueAndGrad
from qhn.estimator.means import rows_of, stated
from qhn.estimator.measurement import Measurement
from qhn.optimize.strategy import Strategy
from qhn.problem.evaluations import Evaluations
from qhn.text import parse_json


@dataclass(frozen=True)
class Step:
    """One step of training, measured at ``theta`` before it is changed: a line of ``steps.jsonl``.

    Attributes:
        step: number of the step, from 0.
        theta: the angles in radians, ``[num_parameters]``.
        value, std_error: the objective and its standard error, which is 0 without shots, and nan, in the record null,
            where it is unknown.
        mean, mean_std_error: E = ⟨C⟩ and its plain standard error; the same as ``value`` and ``std_error`` if E is
            the objective.
        grad, grad_std_error: the gradient of the objective and its standard errors, ``[num_parameters]``.
        hessian_diag: second derivatives of the objective by each angle, ``[num_parameters]``; None if they are not
            measured.
        best_cost, best_bits: the lowest C of all bitstrings measured so far, and its bits as text, qubit 0 first.
            Without shots, the lowest C among the most probable bitstrings at each θ so far.
        validation: mean validation cost of the bitstrings measured at ``theta``; without shots, its mean over the
            distribution of bitstrings; None without validation data.
        shots: number of shots that the machine has made since the start of the run, over all rows; shots of calibration
            circuits count, and a shot that measures several tiles counts once.
        distinct: number of different bitstrings evaluated since the start of the run.
        raw_mean, raw_mean_std_error: E without mitigation of readout errors and its standard error; None if ``mean`` is
            not mitigated.
        drift, drift_std_error: E at the θ of step 0, measured again in this step, and its standard error; None in steps
            that do not measure it.
        mean_interval, raw_mean_interval: ends of the 95 % intervals of ``mean`` and ``raw_mean``, which allow for rare
            bitstrings that no shot showed (:func:`qhn.statistics.mean_interval`); None if no range of the costs is
            known, and without shots.
        discarded_weight: the largest share of a state's weight that truncation in a simulation left out of these
            numbers; 0 without truncation.
        row_shots: number of shots of each row of angles that the step asked for, before any rounding by the machine; 0
            without shots, None in records of older versions.
        angles: indices of the angles that the step shifted, of all that change a probability; None for all of them.
        hessian_diag_std_error: standard errors of ``hessian_diag``, shaped alike; None without shots, if there are no
            second derivatives, and in records of older versions.
        trace_std_error: standard error of the sum of ``hessian_diag``, whose entries share the error of E at θ; None
            where ``hessian_diag_std_error`` is.
    """

    step: int
    theta: Floats
    value: float
    std_error: float
    mean: float
    mean_std_error: float
    grad: Floats
    grad_std_error: Floats
    hessian_diag: Floats | None
    best_cost: float
    best_bits: str
    validation: float | None
    shots: int
    distinct: int
    raw_mean: float | None = None
    raw_mean_std_error: float | None = None
    drift: float | None = None
    drift_std_error: float | None = None
    mean_interval: tuple[float, float] | None = None
    raw_mean_interval: tuple[float, float] | None = None
    discarded_weight: float = 0.0
    row_shots: int | None = None
    angles: tuple[int, ...] | None = None
    hessian_diag_std_error: Floats | None = None
    trace_std_error: float | None = None

    @classmethod
    def measured(
        cls,
        number: int,
        theta: Floats,
        info: ValueAndGrad,
        measurement: Measurement,
        *,
        resting: Bools,
        drift: ValueAndGrad,
        best: Evaluations,
        validation: float | None,
        shots: int,
        distinct: int,
    ) -> Step:
        """A step made from the estimates at its θ.

        Args:
            number: number of the step, from 0.
            theta: the angles in radians, ``[num_parameters]``.
            info: the objective and its gradient at ``theta``.
            measurement: the rows of angles and shots that the step measured.
            resting: mask ``bool[num_parameters]`` of the angles that change a probability and were not shifted.
            drift: the first gradient of the step, which may have measured E at the first θ again.
            best: all bitstrings evaluated so far, of which the best is reported.
            validation: mean validation cost at ``theta``; None without validation data.
            shots: number of shots that the machine has made since the start of the run.
            distinct: number of different bitstrings evaluated since the start of the run.
        """
        here = info.estimates
        trace_std_error = info.trace_std_error if here.shots else None
        return cls(
            step=number,
            theta=theta,
            value=float(info.value),
            std_error=float(info.std_error),
            mean=float(here.mean[0]),
            mean_std_error=float(here.std_error[0]),
            grad=info.grad,
            grad_std_error=info.grad_std_error,
            hessian_diag=info.hessian_diag,
            best_cost=best.best_cost,
            best_bits=bitstrings.text(best.best_bits),
            validation=validation,
            shots=shots,
            distinct=distinct,
            raw_mean=None if here.raw is None else float(here.raw[0]),
            raw_mean_std_error=None if here.raw_std_error is None else float(here.raw_std_error[0]),
            drift=None if drift.drift is None else float(drift.drift),
            drift_std_error=None if drift.drift_std_error is None else float(drift.drift_std_error),
            mean_interval=rows_of(here.interval, here.mean.size)[0] if here.shots else None,
            raw_mean_interval=rows_of(here.raw_interval, here.mean.size)[0],
            discarded_weight=info.discarded,
            row_shots=measurement.shots,
            angles=tuple(np.flatnonzero(measurement.rule.active).tolist()) if resting.any() else None,
            hessian_diag_std_error=info.hessian_diag_std_error if here.shots else None,
            trace_std_error=None if trace_std_error is None else float(trace_std_error),
        )

    def measurement(self, strategy: Strategy) -> Measurement:
        """What the step measured at ``theta``: the recorded angles and shots.

        Args:
            strategy: the strategy of the run, which decides where an older version did not record them.
        """
        angles = strategy.gradient.active
        if self.angles is not None:
            angles = np.isin(np.arange(len(angles)), self.angles)
        return strategy.on(
            angles, strategy.shots.at(self.step) if self.row_shots is None else self.row_shots, self.step
        )

    def stated_mean(self) -> str:
        """E in words, as a result: with its 95 % interval, or with its plain error and what that leaves out."""
        return stated(self.mean, self.mean_std_error, self.mean_interval) if self.shots else f"{self.mean:.6g}"

    def to_json(self) -> str:
        """The step as one line of JSON, in which numbers that are not finite are null."""
        return json.dumps({name: jsonable(value) for name, value in vars(self).items()}, allow_nan=False)

    @classmethod
    def from_json(cls, line: str) -> Step:
        """Restore a step from a line of JSON that :meth:`to_json` wrote.

        Raises:
            RecordError: if the line is not a step.
        """
        try:
            tree = parse_json(line)
            tree.setdefault("hessian_diag_std_error", None)
            for name in ("theta", "grad", "grad_std_error", "hessian_diag", "hessian_diag_std_error"):
                if tree[name] is not None:
                    tree[name] = np.array([np.nan if x is None else x for x in tree[name]])
            for name in ("std_error", "mean_std_error"):
                tree[name] = np.nan if tree[name] is None else tree[name]
            for name in ("mean_interval", "raw_mean_interval"):
                tree[name] = _interval(tree.get(name))
            if tree.get("angles") is not None:
                tree["angles"] = tuple(operator.index(angle) for angle in tree["angles"])
            return cls(**{f.name: tree[f.name] for f in fields(cls) if f.name in tree or f.default is MISSING})
        except (ValueError, KeyError, TypeError) as error:
            raise RecordError(f"not a step ({type(error).__name__}: {error})") from None


def _interval(ends: Any) -> tuple[float, float] | None:
    """The ends of an interval as JSON holds them, a list of two numbers or null."""
    if ends is None:
        return None
    low, high = ends
    return float(low), float(high)


def lowest_validation(steps: Sequence[Step]) -> tuple[Step, float]:
    """The step with the lowest validation cost, the first of several, and that cost.

    Args:
        steps: the steps of a run.

    Raises:
        QhnError: if no step has a validation cost.
    """
    known = [(step, step.validation) for step in steps if step.validation is not None]
    if not known:
        raise QhnError("no step has a validation cost: the run has no validation samples, or no complete step")
    return min(known, key=lambda pair: pair[1])


def jsonable(value: Any) -> Any:
    """Convert a value of a record to JSON values: arrays to lists, and numbers that are not finite to None.

    >>> jsonable(np.array([0.5, np.inf]))
    [0.5, None]
    """
    if isinstance(value, np.ndarray):
        return [jsonable(x) for x in value.tolist()]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


class Ending(StrEnum):
    """The ways in which a run can end, by the word that is recorded."""

    DONE = "done"
    TARGET = "target"
    CONVERGED = "converged"
    PLATEAU = "plateau"
    EARLY_STOPPING = "early-stopping"
    BUDGET = "budget"
    QUOTA = "quota"  # the account has too few QPU seconds left
    INTERRUPTED = "interrupted"
    DETACHED = "detached"
    PAUSED = "paused"  # by a study, which may go on with it

    @property
    def exit_code(self) -> int:
        """The exit code of the command line: 3 if a budget or a plateau stopped the run, 130 if it was interrupted.

        It is 0 for all other endings.

        >>> Ending.DONE.exit_code, Ending.QUOTA.exit_code
        (0, 3)
        """
        stopped = {Ending.PLATEAU: 3, Ending.BUDGET: 3, Ending.QUOTA: 3, Ending.INTERRUPTED: 130}
        return stopped.get(self, 0)


@dataclass(frozen=True)
class Outcome:
    """The outcome of a run: why it stopped.

    Attributes:
        name: the ending; it may be given as its word.
        message: a sentence that says why the run stopped and what can be done.

    Raises:
        QhnError: at construction, if no run ends so.

    >>> Outcome("target", "the objective reached train.target = 0.1").name is Ending.TARGET
    True
    """

    name: Ending
    message: str

    def __post_init__(self) -> None:
        if self.name not in set(Ending):
            raise QhnError(f"no run ends as {self.name!r}; known are {', '.join(Ending)}")
        object.__setattr__(self, "name", Ending(self.name))
