"""The training loop: an iterator of steps, which stops by rule and resumes where it was.

::

    for step in train(config):
        print(step.mean, step.best_cost)
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from qhn import bitstrings
from qhn.arrays import Bits, Floats
from qhn.backend import SIMULATORS, Backend, Sampler, open_backend
from qhn.backend.device.price import shots_taken
from qhn.backend.journal import Journal, jobs_of
from qhn.backend.sampler import PaidBackend
from qhn.backend.samples import Samples
from qhn.backend.terms import Amount, BudgetExceeded, Detached, Remaining
from qhn.budget.ledger import Ledger, ledger
from qhn.budget.quote import (
    amount_at,
    layout_words,
    needed_by_steps,
    placement_of,
    price_by_facts,
    price_facts,
    price_of_run,
    price_of_self_test,
    price_of_step,
    price_words,
    self_test_is_due,
)
from qhn.circuit.hypernetwork import Ansatz
from qhn.config import RunConfig
from qhn.config.file import with_settings
from qhn.errors import QhnError
from qhn.estimator.exact import ExactEstimator
from qhn.estimator.gradient import ValueAndGrad
from qhn.estimator.noisy import NoisyEstimator, Shotless, without_shots
from qhn.estimator.sampling import SamplingEstimator
from qhn.problem.cost import BinnProblem
from qhn.problem.evaluations import Evaluations
from qhn.problem.landscape import enumerate_costs
from qhn.run.checks import check_angles, check_budget, check_detach, check_paid, check_size, check_validation
from qhn.run.paid_shots import KeptBackend
from qhn.run.provenance import all_costs, session_facts, write_best, write_circuit
from qhn.run.record import JOURNAL, Record, results_directory
from qhn.run.step import Outcome, RecordError, Step
from qhn.run.stopping import beyond_account, detached, over_budget, reached
from qhn.seeds import Key, Purpose


def train(
    config: RunConfig,
    *,
    results: str | Path | None = None,
    record: bool = True,
    restart: bool = False,
    detach: bool = False,
) -> Training:
    """The steps of a run, those already on disk first.

    Args:
        config: what to do.
        results: directory of all runs; by default ``$QHN_RESULTS`` or ``results``. The run has a directory of its own
            in it, which its configuration determines: calling again resumes, or shows a finished run.
        record: keep the run on disk. Without it nothing remains, and a machine whose shots are paid for is refused.
        restart: set an existing run of the same configuration aside, and begin anew.
        detach: do not wait for jobs of a QPU: submit those of the next step, and end with the outcome ``detached``.

    Raises:
        ValueError: if the configuration cannot be run: data, memory, device, account, budget; or detached, if it is for
            no QPU.
        RecordError: if the directory is damaged, or another process is writing it.
        OSError: if the directory cannot be written.
        BackendError: on opening a machine, or at a step, if it fails; complete steps are kept, and training can resume.

    >>> from qhn.config.file import load_config
    >>> config = load_config("figure-1", {"train.steps": 2, "train.shots": 50})
    >>> training = train(config, record=False)
    >>> [step.step for step in training], training.outcome.name
    ([0, 1], 'done')
    """
    problem = config.problem()
    ansatz = config.circuit(problem.num_qubits)
    directory = results_directory(results) / config.experiment / config.run_id
    check_size(config, ansatz)
    check_validation(config, problem)
    check_angles(config, ansatz)
    check_detach(config, detach)
    exists = record and (directory / "config.json").exists()
    if exists and not restart:
        kept = Record.load(directory)
        return Training(_with_stop_rules_of(config, kept), problem, kept, detach=detach)
    journal = Journal(directory / JOURNAL) if record else None
    backend = open_backend(config.train.backend, config.device.settings(), journal)
    placed = placement_of(backend.compile(ansatz))  # refuse what cannot run before anything is written
    if backend.paid:
        check_paid(config, needed_by_steps(config, ansatz, placed), price_of_run(config, placed), record=record)
    check_budget(config, needed_by_steps(config, ansatz, placed)[0])
    if not record:
        return Training(config, problem, backend=backend)
    if exists:
        Record(directory, config).set_aside()
    kept = Record.create(config, directory)
    return Training(kept.config, problem, kept, backend, detach=detach)


def resume(directory: str | Path, settings: dict[str, Any] | None = None, *, detach: bool = False) -> Training:
    """The steps of the run in a directory, wherever it lies; those already on disk come first.

    Args:
        directory: of the run.
        settings: other stop rules, by dotted key, e.g. ``{"train.steps": 120}``.
        detach: as :func:`train`.

    Raises:
        FileNotFoundError: if there is no run.
        ValueError: if a setting would change more than the stop rules.
        RecordError, OSError, BackendError: as :func:`train`.
    """
    record = Record.load(directory)
    config = with_settings(record.config, settings or {})
    if config.run_id != record.config.run_id:
        raise QhnError(
            f"resume can change {', '.join(f'train.{name}' for name in sorted(RunConfig.STOP_RULES))} only; "
            "anything else makes another run: use qhn run"
        )
    taken = record.checkpoint().num_steps
    if config.train.steps < taken:
        raise QhnError(f"train.steps is {config.train.steps}, but the run has taken {taken} steps; ask for more")
    check_detach(config, detach)
    return Training(config, config.problem(), record, detach=detach)


def _with_stop_rules_of(config: RunConfig, record: Record) -> RunConfig:
    """The recorded configuration with the stop rules that ``config`` sets; one it leaves out stays as recorded.

    Fewer steps than a finished run has taken change nothing, so that showing an extended run does not shorten it.

    Raises:
        ValueError: if they are fewer than an unfinished run has taken.
    """
    given = {name: getattr(config.train, name) for name in RunConfig.STOP_RULES & config.train.model_fields_set}
    taken, planned = record.checkpoint().num_steps, record.config.train.steps
    if config.train.steps < taken:
        if taken < planned:
            raise QhnError(
                f"train.steps is {config.train.steps}, but the run has taken {taken} of {planned} steps; ask for more, "
                f"or go on with qhn resume {record.config.run_id}"
            )
        given.pop("steps", None)
    return record.config.model_copy(update={"train": record.config.train.model_copy(update=given)})


class Training(Iterator[Step]):
    """The iterator that :func:`train` and :func:`resume` return.

    Attributes:
        config: what to do.
        problem: the cost, with its data.
        record: the run on disk, or None.
        outcome: why it ended; None until it has.
        num_stored: steps that were on disk already and are handed out first.
        tell: is told in words what a step waits for on a QPU; to be replaced by who wants to know.
    """

    def __init__(
        self,
        config: RunConfig,
        problem: BinnProblem,
        record: Record | None = None,
        backend: Backend | None = None,
        *,
        detach: bool = False,
    ) -> None:
        self.config = config
        self.problem = problem
        self.record = record
        self._backend = backend  # opened at the first step if need be: a finished run is shown without a machine
        self.ansatz: Ansatz = config.circuit(problem.num_qubits)
        check_size(config, self.ansatz)
        check_validation(config, problem)
        self.optimizer = config.train.optimizer.build()
        self.outcome: Outcome | None = None
        self._estimator: SamplingEstimator | Shotless | None = None
        self.tell: Callable[[str], object] = lambda words: None
        self._detach = detach
        self._stop_requested = False
        self._closed = False
        self._broken = False  # a step could not be written: what is in memory is ahead of what is on disk
        if self._has_budget:
            check_budget(config, self._needed(0))
        self._open = ExitStack()
        if record is not None:
            self._open.enter_context(record.open_for_writing())
        try:
            self._resume()
        except BaseException:
            self._open.close()
            raise
        if record is not None:
            record.update_stop_rules(config)

    def _resume(self) -> None:
        """Take up the state after the last complete step."""
        self.evaluations = Evaluations(self.problem)
        self._theta = self.config.initial_theta(self.ansatz)
        self._state = self.optimizer.init(self._theta)
        stored: list[Step] = []
        if self.record is not None:
            stored = self.record.steps()
            if stored:
                checkpoint = self.record.checkpoint()
                self.evaluations.add(*self.record.evaluations())
                self._theta, self._state = checkpoint.state_for(self._theta, self._state)
                found = next(step for step in stored if step.best_cost == stored[-1].best_cost)
                if not self.record.holds_best_of(found.step):  # a killed process may have stopped short of it
                    write_best(self.record, self.problem, found)
        self._timing = self.record.timing() if self.record is not None else []
        self._check_journal()
        self.num_stored = len(stored)
        self._stored = deque(stored)
        self._steps = stored.copy()
        self._validation_estimator: Shotless | None = None
        self._is_paid = False

    def __next__(self) -> Step:
        if self._stored:
            return self._stored.popleft()
        if self.outcome is None:
            self.outcome = self._check_stop()
        if self.outcome is None and self._backend is None:
            self._open_backend()
            self.outcome = self._check_stop()  # an earlier session may have known another price
        if self.outcome is None:
            self.outcome = self._agree_on_terms()
        if self.outcome is not None:
            self.close()
            raise StopIteration
        if self._broken:
            raise RecordError("an earlier step was interrupted while it was written, or training was closed; resume it")
        self._broken = True
        try:
            step = self._advance()
        except (Detached, BudgetExceeded) as stop:
            self.outcome = detached(stop.job_ids) if isinstance(stop, Detached) else Outcome("budget", str(stop))
            self.close()
            raise StopIteration from None
        self._broken = False
        return step

    def announcement(self) -> str:
        """On which qubits of a device the next steps are made, and what they take; empty if there are none to make."""
        if self.config.train.backend in SIMULATORS or self._check_stop() is not None:
            return ""
        backend = self._open_backend()
        facts = backend.compile(self.ansatz).describe() | self._price(backend)
        billed = "" if backend.paid else "; nothing is billed, this is a rehearsal"
        priced = f"; {price_words(facts['price'])}{billed}" if "price" in facts else ""
        return f"{layout_words(facts)}{priced}"

    def request_stop(self) -> None:
        """End after the step in flight, with the outcome ``interrupted``."""
        self._stop_requested = True

    def close(self) -> None:
        """Write the outcome, if there is one, and let other processes write the run. Closing twice does no harm."""
        if self._closed:
            return
        self._closed = self._broken = True
        if self.record is not None and self.outcome is not None:
            self.record.write_outcome(self.outcome)
        try:
            if isinstance(self._backend, PaidBackend) and self.record is not None:
                self._backend.close()
                if self.outcome is not None:
                    self._backend.reconcile()
        finally:
            self._open.close()

    # ------------------------------------------------------------ one step

    def _advance(self) -> Step:
        estimator = self._estimator or self._open_estimator()
        number, started = len(self._steps), time.time()
        measured: list[ValueAndGrad] = []

        def value_and_grad(theta: Floats) -> ValueAndGrad:
            key = Key(self.config.train.seed, Purpose.SHOTS, number, len(measured), self.config.run_id)
            rule = self.config.gradient_at(self.ansatz, number, len(measured))
            measured.append(
                estimator.value_and_grad(theta)
                if isinstance(estimator, ExactEstimator)
                else estimator.value_and_grad(theta, key, rule)
            )
            return measured[-1]

        if isinstance(estimator, SamplingEstimator):
            estimator.shots = self.config.train.shots_at(number)

        theta = self._theta
        next_theta, next_state, info = self.optimizer.step(value_and_grad, theta, self._state)
        all_samples = [result.estimates.samples for result in measured if result.estimates.samples]
        raw, drift, drift_error = info.estimates, measured[0].drift, measured[0].drift_std_error
        if not isinstance(estimator, SamplingEstimator):
            bits, _ = estimator.most_probable(theta)
            self.evaluations.cost(bits)
            distinct, validation = estimator.landscape.costs.size, self._exact_validation(theta)
        else:
            assert info.estimates.samples is not None
            distinct, validation = self.evaluations.distinct, self._validation(info.estimates.samples.bits[0])
        step = Step(
            step=number,
            theta=theta,
            value=float(info.value),
            std_error=float(info.std_error),
            mean=float(info.estimates.mean[0]),
            mean_std_error=float(info.estimates.std_error[0]),
            grad=info.grad,
            grad_std_error=info.grad_std_error,
            hessian_diag=info.hessian_diag,
            best_cost=self.evaluations.best_cost,
            best_bits=bitstrings.text(self.evaluations.best_bits),
            validation=validation,
            shots=self._shots() + sum(samples.num_shots for samples in all_samples),
            distinct=distinct,
            raw_mean=None if raw.raw is None else float(raw.raw[0]),
            raw_mean_std_error=None if raw.raw_std_error is None else float(raw.raw_std_error[0]),
            drift=None if drift is None else float(drift),
            drift_std_error=None if drift_error is None else float(drift_error),
        )
        timing = self._timing_of(number, time.time() - started, len(measured), all_samples)
        if self.record is not None:
            self._write(step, next_theta, next_state, all_samples, timing)
        self._timing.append(timing)
        self._theta, self._state = next_theta, next_state
        self._steps.append(step)
        return step

    def _validation(self, bits: Bits) -> float | None:
        """Mean validation cost of measured bits ``[shots, num_qubits]``."""
        if not self.problem.dataset.has_validation:
            return None
        different, counts = np.unique(bitstrings.pack(bits), axis=0, return_counts=True)
        costs = self.problem.validation_cost(bitstrings.unpack(different, bits.shape[-1]))
        return float(costs @ counts / counts.sum())

    def _exact_validation(self, theta: Floats) -> float | None:
        """Mean validation cost of all bitstrings by their probabilities."""
        if self._validation_estimator is None:
            return None
        return float(self._validation_estimator(theta).mean)

    def _timing_of(self, number: int, seconds: float, gradients: int, all_samples: list[Samples]) -> dict[str, Any]:
        """What a step took of a QPU, and, with a device's calibration, what it should have taken."""
        billed = [samples.qpu_seconds for samples in all_samples]
        timing = {
            "step": number,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "seconds": round(seconds, 3),
            "qpu_seconds": None if None in billed else sum(seconds for seconds in billed if seconds),
            "job_ids": [job_id for samples in all_samples for job_id in samples.job_ids],
        }
        placed = placement_of(self._estimator.sampler) if isinstance(self._estimator, SamplingEstimator) else None
        if placed is None:
            return timing
        known = amount_at(self.config, placed, number, gradients)
        return timing | {"price_seconds": known.seconds, "price_jobs": known.jobs}

    def _write(self, step: Step, theta: Floats, state: Any, all_samples: list[Samples], timing: dict[str, Any]) -> None:
        record = self.record
        assert record is not None
        if all_samples and not self._is_paid:
            record.write_samples(step.step, Samples(all_samples[0].bits[:1]))
        discarded = max((samples.discarded for samples in all_samples), default=0.0)
        if isinstance(self._estimator, NoisyEstimator):
            discarded = self._estimator.sampler.discarded_weight
        record.append_timing(timing | ({"discarded_weight": discarded} if discarded else {}))
        readout_counts = self._estimator.readout_counts if isinstance(self._estimator, SamplingEstimator) else None
        record.append(step, theta, state._asdict(), self.evaluations, readout_counts)
        if not self._steps or step.best_cost < self._steps[-1].best_cost:
            write_best(record, self.problem, step)

    def _open_estimator(self) -> SamplingEstimator | Shotless:
        backend = self._open_backend()
        if backend.paid:
            placed = placement_of(backend.compile(self.ansatz))
            needed = needed_by_steps(self.config, self.ansatz, placed)
            check_paid(self.config, needed, price_of_run(self.config, placed), record=self.record is not None)
        self._is_paid = backend.paid
        if isinstance(backend, PaidBackend):
            backend.reconcile()
        kept = KeptBackend(backend, self.record) if self.record is not None and backend.paid else backend
        if self.config.train.shots is None:
            sampler = backend.compile(self.ansatz)
            self._estimator = self._open_shotless(sampler)
        else:
            self._estimator = SamplingEstimator(
                self.ansatz,
                self.problem,
                kept,
                shots=self.config.train.shots,
                objective=self.config.train.objective.build(),
                evaluations=self.evaluations,
                mitigation=self.config.device.mitigation,
                readout_counts=self.record.checkpoint().readout_counts if self.record else None,
            )
            sampler = self._estimator.sampler
        if self.record is not None:
            self.record.append_session(session_facts(sampler.describe() | self._price(backend)))
            self.record.forget_outcome()
            write_circuit(self.record, sampler.circuit)
        return self._estimator

    def _price(self, backend: Backend) -> dict[str, Any]:
        """What the run takes of a QPU, or would; nothing if its backend stands for none."""
        placed = placement_of(backend.compile(self.ansatz))
        if placed is None or self.config.train.shots is None:
            return {}
        return {"price": price_facts(self.config, placed)}

    def _open_backend(self) -> Backend:
        """The machine; a device of an earlier session is used on the same qubits, as long as they work."""
        if self._backend is not None:
            return self._backend
        journal = self.record.journal if self.record else None
        name, settings = self.config.train.backend, self.config.device.settings()
        sessions = self.record.manifest() if self.record else []
        tiles = sessions[-1]["backend"].get("tiles", []) if sessions else []
        if tiles:
            as_before = tuple(tuple(tile["qubits"]) for tile in tiles)
            backend = open_backend(name, replace(settings, qubits=as_before), journal)
            try:
                backend.compile(self.ansatz)
            except ValueError:  # calibrated anew, and one of them no longer works
                backend = open_backend(name, settings, journal)
        else:
            backend = open_backend(name, settings, journal)
        self._backend = backend
        return backend

    def _open_shotless(self, sampler: Sampler) -> Shotless:
        problem, objective = self.problem, self.config.train.objective.build()
        if problem.dataset.has_validation:
            held_out = enumerate_costs(problem.held_out)
            self._validation_estimator = without_shots(self.ansatz, problem, sampler, costs=held_out)
        costs = all_costs(self.record, problem) if self.record is not None else None
        return without_shots(self.ansatz, problem, sampler, objective=objective, costs=costs)

    # ------------------------------------------------------------ stopping

    def _agree_on_terms(self) -> Outcome | None:
        """Tell a paid machine what it may spend on the next step; the end of the run if its account has too little."""
        backend = self._backend
        if not isinstance(backend, PaidBackend):
            return None
        backend.settle()
        backend.terms.left, backend.terms.detach, backend.terms.tell = self._left, self._detach, self._tell
        return beyond_account(self._needed(len(self._steps)), self.ledger(), backend.seconds_left())

    def _tell(self, words: str) -> None:
        self.tell(f"{words}  {self.budget_words()}")

    def _left(self) -> Remaining:
        """Of the budgets, by all that is known now."""
        rules, spent = self.config.train, self.ledger().spent
        limits = (rules.max_qpu_seconds, rules.max_jobs, rules.max_shots)
        used = (spent.seconds, spent.jobs, spent.shots)
        return Remaining(*(math.inf if limit is None else limit - use for limit, use in zip(limits, used, strict=True)))

    def _shots(self) -> int:
        return self._steps[-1].shots if self._steps else 0

    def ledger(self) -> Ledger:
        """What was spent on a QPU so far, or would have been."""
        return ledger(self._timing, self._entries(), self._shots())

    def _check_journal(self) -> None:
        """Refuse a journal that does not know the jobs of the steps: what it lost would be paid for again.

        Raises:
            RecordError: if a job is missing.
        """
        noted = jobs_of(self._entries())
        missing = [job_id for entry in self._timing for job_id in entry["job_ids"] if job_id not in noted]
        if missing and self.record and self.config.train.backend.startswith("ibm_"):
            raise RecordError(
                f"{self.record.journal.path} does not know the job {missing[0]}, which a step used; restore it from a "
                "copy: it holds what was spent, and the names of jobs that may be on their way"
            )

    def _entries(self) -> list[dict[str, Any]]:
        """Of the journal."""
        return self.record.journal.entries() if self.record else []

    def budget_words(self) -> str:
        """QPU seconds spent, and left of the budget, in one line; empty beside devices."""
        if self.config.train.backend in SIMULATORS or self.config.train.shots is None:
            return ""
        limit = self.config.train.max_qpu_seconds
        spent = self.ledger().spent.seconds
        return f"QPU {spent:,.1f} s" + ("" if limit is None else f", {max(0.0, limit - spent):,.1f} left")

    @property
    def _has_budget(self) -> bool:
        rules = self.config.train
        return any(limit is not None for limit in (rules.max_shots, rules.max_qpu_seconds, rules.max_jobs))

    def _check_stop(self) -> Outcome | None:
        outcome = reached(self.config.train, self._steps)
        if outcome is None and self._has_budget:
            outcome = over_budget(self.config.train, self._needed(len(self._steps)), self.ledger())
        if outcome is None and self._stop_requested:
            return Outcome("interrupted", "stopped after a complete step")
        return outcome

    def _needed(self, step: int) -> Amount:
        """What a step takes at most; a device is not opened for it if its last session said what it takes."""
        if self.config.train.backend in SIMULATORS:
            return price_of_step(self.config, self.ansatz, None, step)
        test = self_test_is_due(self.config, self._entries())
        sessions = self.record.manifest() if self.record else []
        price = sessions[-1]["backend"].get("price") if sessions else None
        if self._backend is None and price is not None and "seconds_per_shot" in price:
            shots = shots_taken(self.config.train.shots_at(step), twirling=self.config.device.twirling)
            has_drift = self.config.device.has_drift(step)
            needed = price_by_facts(self.config, price, shots, has_drift=has_drift)
            return needed + price_of_self_test(price["seconds_per_shot"], test)
        placed = placement_of(self._open_backend().compile(self.ansatz))
        assert placed is not None
        each = placed.seconds_per_shot
        return price_of_step(self.config, self.ansatz, placed, step) + price_of_self_test(each, test)
