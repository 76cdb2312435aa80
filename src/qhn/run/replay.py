"""The replay of a run: its numbers recomputed from the recorded bits, without a machine.

A run whose shots were paid for keeps all measured bits, so that E, its gradient and its mitigation can be recomputed,
also for another objective or another cost. Every other run keeps the bits measured at the θ of each step and every
bitstring that was evaluated: E, a CVaR and the best bitstring can be recomputed, gradients and mitigation cannot.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qhn import bitstrings
from qhn.arrays import Bits, Floats
from qhn.backend.samples import Samples
from qhn.black_box.cost import begin_evaluations
from qhn.circuit.ansatz import Ansatz, GateCircuit
from qhn.config import RunConfig
from qhn.config.file import with_settings
from qhn.errors import QhnError, RecordError
from qhn.estimator.means import rows_of
from qhn.estimator.sampling import SamplingEstimator
from qhn.problem.aggregation import Outcomes, measured_value
from qhn.problem.cost import Problem
from qhn.problem.evaluations import Evaluations
from qhn.problem.landscape import cost_range
from qhn.problem.objective import as_objective
from qhn.run.checkpoint import ANEW
from qhn.run.directories import costs_beside
from qhn.run.paid_shots import digest_of
from qhn.run.plan import named_again
from qhn.run.record import Record
from qhn.run.recorded_problem import given_as_data
from qhn.run.step import Step, jsonable
from qhn.seeds import Key, Purpose
from qhn.statistics import mean_and_error, mean_interval

OF_THE_BITS: dict[str, Any] = {
    **dict.fromkeys(("data", "cost", "network"), True),
    "train": {"objective"},
    "device": {"mitigation"},
}
OF_ALL = ("mean", "mean_std_error", "best_cost", "best_bits", "distinct")
OF_OBJECTIVE = ("value", "std_error", "raw_mean", "raw_mean_std_error")
OF_SHIFTS = ("grad", "grad_std_error", "drift", "drift_std_error")
ERRORS = ("std_error", "grad_std_error")  # of a CVaR they were stated by another formula in earlier versions
ROUNDING = 1e-9  # relative: another machine sums in another order


@dataclass(frozen=True)
class Replayed:
    """One step of a run, recomputed; attributes are named as in :class:`qhn.run.step.Step`.

    Attributes:
        step: number of the step, from 0.
        theta: the angles at which the bits were measured, in radians, ``[num_parameters]``.
        value, std_error: the objective and its standard error.
        mean, mean_std_error: E = ⟨C⟩ and its standard error.
        grad, grad_std_error: the gradient of the objective and its standard errors, ``[num_parameters]``; None where
            the bits measured at shifted angles are not kept.
        best_cost, best_bits: the lowest C of all bitstrings of the run so far, and its bits as text, qubit 0 first.
        distinct: number of different bitstrings of the run so far.
        raw_mean, raw_mean_std_error: E without mitigation of readout errors and its standard error; None if ``mean`` is
            not mitigated.
        drift, drift_std_error: E at the θ of step 0, measured in this step, and its standard error; None where the step
            did not measure it or its bits are not kept.
        mean_interval: ends of the 95 % interval of E, which allows for rare bitstrings that no shot showed; None if no
            range of the costs is known.
    """

    step: int
    theta: Floats
    value: float
    std_error: float
    mean: float
    mean_std_error: float
    grad: Floats | None
    grad_std_error: Floats | None
    best_cost: float
    best_bits: str
    distinct: int
    raw_mean: float | None = None
    raw_mean_std_error: float | None = None
    drift: float | None = None
    drift_std_error: float | None = None
    mean_interval: tuple[float, float] | None = None

    def to_json(self) -> str:
        """The step as one line of JSON, in which numbers that are not finite are null."""
        return json.dumps({name: jsonable(value) for name, value in vars(self).items()}, allow_nan=False)


def replay(
    run: Record | str | Path,
    settings: Mapping[str, Any] | None = None,
    problem: Problem | None = None,
    *,
    python: str | None = None,
    trust: bool = False,
) -> Iterator[Replayed]:
    """Recompute the steps of a run from its bits; nothing in the record is changed.

    Args:
        run: the record of the run, or its directory.
        settings: settings to be changed, by dotted key: ``data.…``, ``network.…``, ``train.objective`` and
            ``device.mitigation``.
        problem: another cost of the bits, in place of that of the run.
        python: ``"module:function"`` of a run that evaluates this function, as for :func:`qhn.run.training.resume`.
        trust: whether every program that the record names may be run, from where the record says it is.

    Raises:
        QhnError: if the run took no shots or has no step, if a setting would need bits that were not measured, or if
            the problem has another number of qubits than the run.
        FileNotFoundError: if there is no run in the directory.
        RecordError: if the record is damaged; it may be raised at any step.

    >>> from tempfile import TemporaryDirectory
    >>> import qhn
    >>> config = qhn.load_config("figure-1", {"train.steps": 2, "train.shots": 50})
    >>> ones = qhn.TableProblem([bin(network).count("1") for network in range(16)])
    >>> with TemporaryDirectory() as results:
    ...     training = qhn.train(config, results=results)
    ...     steps, run = list(training), training.record
    ...     same = [step.mean for step in steps] == [found.mean for found in qhn.replay(run)]
    ...     mean = [found.mean for found in qhn.replay(run, problem=ones)]
    ...     assert mean == [run.samples(step).sum(axis=1).mean() for step in (0, 1)]
    >>> same
    True
    """
    record = run if isinstance(run, Record) else Record.load(run)
    given = dict(settings or {})
    config = replayed_config(record.config, given)
    if problem is not None and any(key.startswith(("data.", "network.", "problem.")) for key in given):
        raise QhnError("a problem of your own takes the place of data and network; leave their settings")
    if config.train.shots is None:
        raise QhnError(f"run {config.run_id} took no shots: there are no bits to replay, and its E is exact")
    if not record.checkpoint().num_steps:
        raise QhnError(f"run {record.directory} has no complete step yet; qhn resume continues it")
    if problem is None:
        problem = given_as_data(record)
    named = named_again(config, python)
    cost = named.problem(trust=trust or python is not None) if problem is None else problem
    begin_evaluations(cost, costs_beside(record))
    ansatz = record.config.circuit(cost, trust=trust)
    if cost.num_qubits != (known := record.checkpoint().num_qubits):
        raise QhnError(f"the run measured {known} qubits, the problem has {cost.num_qubits} bits")
    first, digest = record.kept_samples(0)
    mitigation = config.device.mitigation
    if not digest:
        if mitigation not in ("none", record.config.device.mitigation):
            raise QhnError(
                f"device.mitigation = {mitigation!r} takes the readout errors counted at each step, which only runs "
                "that are paid for keep"
            )
        return _by_first_rows(record, config, cost)
    if mitigation != "none" and first.readout_counts is None:
        raise QhnError(
            f"no readout errors were counted in this run, so that device.mitigation = {mitigation!r} cannot correct "
            "them now; a run counts them if it is begun with mitigation"
        )
    return _by_all_rows(record, config, ansatz, cost)


def replayed_config(config: RunConfig, settings: dict[str, Any]) -> RunConfig:
    """A configuration with other settings, all of which can be changed when the bits are already measured.

    Args:
        config: the configuration of the run.
        settings: settings to be changed, by dotted key.

    Raises:
        QhnError: if a setting is unknown or has a wrong value, or if it says what is measured; the message names it.

    >>> from qhn.config.file import load_config
    >>> config = replayed_config(load_config("figure-1"), {"train.objective": {"name": "cvar", "alpha": 0.2}})
    >>> config.train.objective.alpha
    0.2
    """
    if config.train.taker_of_curvature:  # which another objective does not offer, and the recorded θ do not need
        config = with_settings(config, {"train.optimizer": "adam", "train.angles": "all"})
    asked = with_settings(config, settings)
    before, after = (
        one.model_dump(mode="json", exclude=OF_THE_BITS | dict.fromkeys(("naming", "experiment", "instance"), True))
        for one in (config, asked)
    )
    changed = [
        f"{table}.{key}" for table in before for key in before[table] if before[table][key] != after[table].get(key)
    ]
    if changed:
        raise QhnError(
            f"{changed[0]} says what is measured, and that has happened; replay can change data, network, problem, "
            "train.objective and device.mitigation"
        )
    return asked


@dataclass(frozen=True)
class KeptShots:
    """A machine, and its sampler, that measures nothing and returns the bits stored in a record.

    Attributes:
        record: the record of a run whose shots were paid for.
        paid: False, since stored bits cost nothing.
        placement: None, since no chip is used.
    """

    record: Record
    paid = False
    placement = None

    @property
    def name(self) -> str:
        """Name of the backend that measured the bits."""
        return self.record.config.train.backend

    def compile(self, ansatz: GateCircuit) -> KeptShots:
        """The sampler of the stored bits, which is the same object."""
        return self

    @property
    def circuit(self) -> Any:
        """None, since the circuit that ran is in the record."""
        return None

    def describe(self) -> dict[str, Any]:
        """The machine's description of itself in JSON values."""
        return {"name": self.name, "method": "kept bits"}

    def sample(self, thetas: Floats, shots: int, key: Key, group: int = 1) -> Samples:
        """The bits stored for an evaluation.

        Args:
            thetas: angles in radians, ``[num_rows, num_parameters]``, at which the bits must have been measured.
            shots: number of shots per row with which they must have been measured.
            key: the step and evaluation of the shots.
            group: number of rows that are compared with each other; it is not used.

        Raises:
            RecordError: if the bits are missing or damaged, or were measured at other angles or with other shots.
        """
        samples, digest = self.record.kept_samples(key.step, key.evaluation)
        if digest != digest_of(thetas, shots):
            raise RecordError(
                f"the bits kept of step {key.step} in {self.record.directory / 'samples'} were measured at other "
                f"angles, or with other shots, than steps.jsonl says; {ANEW}"
            )
        return samples


def _by_all_rows(record: Record, config: RunConfig, ansatz: Ansatz, problem: Problem) -> Iterator[Replayed]:
    """The steps recomputed from every row of every evaluation, in the order of measurement."""
    train, known, strategy = config.train, Evaluations(problem), config.strategy(ansatz)
    objective, mitigation = train.objective.build(), config.device.mitigation
    estimator = SamplingEstimator(
        ansatz,
        problem,
        KeptShots(record),
        shots=strategy.shots.most,
        objective=objective,
        evaluations=known,
        mitigation=mitigation,
    )
    taken = 0
    for step in record.steps():
        found = estimator.value_and_grad(
            step.theta, Key(train.seed, Purpose.SHOTS, step.step), step.measurement(strategy)
        )
        here = found.estimates
        assert here.samples is not None
        taken += here.samples.num_shots
        evaluation = 1
        while taken < step.shots:  # those of a line search
            samples, _ = record.kept_samples(step.step, evaluation)
            estimator.take_in(samples)
            taken += samples.num_shots
            evaluation += 1
        yield Replayed(
            step=step.step,
            theta=step.theta,
            value=float(found.value),
            std_error=float(found.std_error),
            mean=float(here.mean[0]),
            mean_std_error=float(here.std_error[0]),
            grad=found.grad,
            grad_std_error=found.grad_std_error,
            best_cost=known.best_cost,
            best_bits=bitstrings.text(known.best_bits),
            distinct=known.distinct,
            raw_mean=None if here.raw is None else float(here.raw[0]),
            raw_mean_std_error=None if here.raw_std_error is None else float(here.raw_std_error[0]),
            drift=None if found.drift is None else float(found.drift),
            drift_std_error=None if found.drift_std_error is None else float(found.drift_std_error),
            mean_interval=rows_of(here.interval, here.mean.size)[0],
        )


def _by_first_rows(record: Record, config: RunConfig, problem: Problem) -> Iterator[Replayed]:
    """The steps recomputed from the bits at the θ of each step and all bitstrings, in the order of evaluation."""
    objective, known = as_objective(config.train.objective.build(), problem), Evaluations(problem)
    packed, _ = record.evaluations()
    ends = cost_range(problem)
    for step in record.steps():
        known.cost(bitstrings.unpack(packed[known.distinct : step.distinct], problem.num_qubits))
        outcomes = _outcomes(known, record.samples(step.step))
        value, std_error = measured_value(objective, outcomes, ends[0] if ends else None)
        mean, mean_std_error = mean_and_error(outcomes.costs)
        interval = ends and mean_interval(mean, mean_std_error, outcomes.costs.size, *ends)
        yield Replayed(
            step=step.step,
            theta=step.theta,
            value=float(value),
            std_error=float(std_error),
            mean=float(mean),
            mean_std_error=float(mean_std_error),
            grad=None,
            grad_std_error=None,
            best_cost=known.best_cost,
            best_bits=bitstrings.text(known.best_bits),
            distinct=known.distinct,
            mean_interval=rows_of(interval, 1)[0],
        )


def _outcomes(known: Evaluations, bits: Bits) -> Outcomes:
    """Measured bits ``[shots, num_qubits]`` with their costs."""
    return Outcomes(known.cost(bits), lambda: bits)


def disagreement(step: Step, found: Replayed, *, is_mean: bool = True) -> str:
    """The first number in which a step recomputed with unchanged settings differs from its record, in words.

    Where the counts of readout errors are not kept, E without mitigation is compared. Standard errors of objectives
    other than the mean are not.

    Args:
        step: the step as it was recorded.
        found: the step as it was recomputed.
        is_mean: whether the objective is the mean.

    Returns:
        A sentence with both values; empty if all numbers agree up to rounding.
    """
    is_raw = step.raw_mean is not None and found.raw_mean is None
    names = OF_ALL + OF_OBJECTIVE * (not is_raw) + OF_SHIFTS * (found.grad is not None)
    scale = max(abs(number) for number in (step.value, step.mean, step.best_cost))
    for name in names:
        if name in ERRORS and not is_mean:
            continue
        recorded = f"raw_{name}" if is_raw and name.startswith("mean") else name
        again, then = getattr(found, name), getattr(step, recorded)
        if not _equal(again, then, scale):
            shown = "" if isinstance(then, np.ndarray) else f": {again} from the bits, {then} in steps.jsonl"
            return f"step {step.step} does not agree with its bits in {recorded}{shown}"
    return ""


def _equal(one: Any, other: Any, scale: float) -> bool:
    """Whether two values agree up to rounding; None and numbers that are not finite are the same, as in JSON.

    Args:
        one: a number, an array, a text or None.
        other: the value to compare it with.
        scale: magnitude of the costs that were added up, which rounding is relative to.
    """
    if isinstance(one, str):
        return bool(one == other)
    arrays = (np.asarray(np.nan if value is None else value) for value in (one, other))
    first, second = (np.where(np.isfinite(array), array, np.nan) for array in arrays)
    return bool(np.allclose(first, second, rtol=ROUNDING, atol=ROUNDING * scale, equal_nan=True))
