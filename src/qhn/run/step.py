"""One step of training, as memory and as a line of ``steps.jsonl``; and why a run stopped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields
from enum import StrEnum
from typing import Any

import numpy as np

from qhn import bitstrings
from qhn.arrays import Floats
from qhn.errors import QhnError
from qhn.estimator.gradient import ValueAndGrad
from qhn.problem.evaluations import Evaluations
from qhn.text import parse_json


class RecordError(QhnError):
    """The files of a run are damaged or belong to something else."""


@dataclass(frozen=True)
class Step:
    """One step of training, measured at ``theta`` before it is changed: a line of ``steps.jsonl``.

    Attributes:
        step: from 0.
        theta: the angles ``[num_parameters]``, in radians.
        value, std_error: the objective and its standard error.
        mean, mean_std_error: E = ⟨C⟩ and its standard error; the same unless the objective is a CVaR.
        grad, grad_std_error: the gradient of the objective ``[num_parameters]``.
        hessian_diag: second derivatives ``[num_parameters]``, or None.
        best_cost, best_bits: the lowest C of all bitstrings so far, and its bits as text, qubit 0 first. Without shots,
            of the most probable bitstrings at each θ so far.
        validation: mean validation cost of the bitstrings measured at ``theta``, or of all by their probabilities;
            None without validation data.
        shots: of the machine since the start of the run, over all rows; calibration counts, tiles of a shot do not.
        distinct: different bitstrings evaluated since the start of the run.
        raw_mean, raw_mean_std_error: E without mitigation of readout errors; None if ``mean`` has none.
        drift, drift_std_error: E at the θ of step 0, measured in this step; None in steps that do not.
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

    @classmethod
    def measured(
        cls,
        number: int,
        theta: Floats,
        info: ValueAndGrad,
        *,
        drift: ValueAndGrad,
        best: Evaluations,
        validation: float | None,
        shots: int,
        distinct: int,
    ) -> Step:
        """The step of what was measured at θ.

        Args:
            number: of the step, from 0.
            theta: the angles ``[num_parameters]`` in radians.
            info: the objective and its gradient there.
            drift: the first gradient of the step, which may have measured E at the first θ again.
            best: all bitstrings evaluated so far.
            validation: mean validation cost at θ; None without validation data.
            shots: of the machine since the start of the run.
            distinct: different bitstrings evaluated since the start of the run.
        """
        here = info.estimates
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
        )

    def to_json(self) -> str:
        """One line of JSON; numbers that are not finite become null."""
        return json.dumps({name: jsonable(value) for name, value in vars(self).items()}, allow_nan=False)

    @classmethod
    def from_json(cls, line: str) -> Step:
        """The inverse of :meth:`to_json`.

        Raises:
            RecordError: if the line is not a step.
        """
        try:
            tree = parse_json(line)
            for name in ("theta", "grad", "grad_std_error", "hessian_diag"):
                if tree[name] is not None:
                    tree[name] = np.array([np.nan if x is None else x for x in tree[name]])
            for name in ("std_error", "mean_std_error"):
                tree[name] = np.inf if tree[name] is None else tree[name]
            return cls(**{f.name: tree[f.name] for f in fields(cls) if f.name in tree or f.default is MISSING})
        except (ValueError, KeyError, TypeError) as error:
            raise RecordError(f"not a step ({type(error).__name__}: {error})") from None


def lowest_validation(steps: Sequence[Step]) -> tuple[Step, float]:
    """The step of the lowest validation cost, of equal ones the first, and that cost.

    Raises:
        ValueError: if no step has one.
    """
    known = [(step, step.validation) for step in steps if step.validation is not None]
    if not known:
        raise QhnError("no step has a validation cost: the run has no validation samples, or no complete step")
    return min(known, key=lambda pair: pair[1])


def jsonable(value: Any) -> Any:
    """A value of a record as JSON has it: arrays as lists, numbers that are not finite as null."""
    if isinstance(value, np.ndarray):
        return [jsonable(x) for x in value.tolist()]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


class Ending(StrEnum):
    """How a run ended, by the word that is recorded; each with the exit code of the command line."""

    DONE = "done"
    TARGET = "target"
    CONVERGED = "converged"
    PLATEAU = "plateau"
    EARLY_STOPPING = "early-stopping"
    BUDGET = "budget"
    QUOTA = "quota"  # of the account
    INTERRUPTED = "interrupted"
    DETACHED = "detached"

    @property
    def exit_code(self) -> int:
        """0 where the run ended well, 3 where a budget or a plateau stopped it, 130 where it was interrupted.

        >>> Ending.DONE.exit_code, Ending.QUOTA.exit_code
        (0, 3)
        """
        stopped = {Ending.PLATEAU: 3, Ending.BUDGET: 3, Ending.QUOTA: 3, Ending.INTERRUPTED: 130}
        return stopped.get(self, 0)


@dataclass(frozen=True)
class Outcome:
    """Why a run stopped.

    Attributes:
        name: how it ended.
        message: why, and what can be done, in one sentence.

    Raises:
        QhnError: at construction, if there is no such ending.
    """

    name: Ending
    message: str

    def __post_init__(self) -> None:
        if self.name not in set(Ending):
            raise QhnError(f"no run ends as {self.name!r}; known are {', '.join(Ending)}")
        object.__setattr__(self, "name", Ending(self.name))
