"""The machine of a run: opened when it is first needed, on the qubits of earlier sessions, and kept to a budget."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from qhn.backend import Backend, Sampler
from qhn.backend.history import History
from qhn.backend.sampler import BackendError, PaidBackend
from qhn.backend.samples import ReadoutCounts, Samples
from qhn.backend.terms import WAITING_FOR_JOBS, Amount, Conduct, Remaining
from qhn.budget.forecast import Forecast, PricedRun
from qhn.budget.ledger import Ledger, ledger
from qhn.budget.limits import is_limited, remaining, spent_words
from qhn.errors import QhnError, QhnWarning
from qhn.estimator.measurement import Measurement
from qhn.estimator.noisy import without_shots
from qhn.estimator.protocol import Estimator
from qhn.estimator.sampling import SamplingEstimator
from qhn.optimize.strategy import Strategy, StrategyState
from qhn.problem.evaluations import Evaluations
from qhn.problem.landscape import polynomial_for_table
from qhn.run.checks import check_budget, check_evaluations, check_journal, check_paid
from qhn.run.directories import journals_beside
from qhn.run.plan import Plan
from qhn.run.recorder import Recorder
from qhn.run.session import BackendFacts, difference
from qhn.run.step import Outcome
from qhn.run.stopping import beyond_account, over_budget, over_evaluations

NOT_OF_THE_VENDOR = " by the formula of IBM's devices; the vendor has prices of its own"  # behind a price


class RunMachine:
    """The link between the training loop and a machine, which opens it, knows its price and counts what it took.

    Args:
        plan: the plan of the run.
        recorder: the recorder that keeps the run.
        backend: the machine, if it is open already.
        conduct: what is done with jobs that are billed.

    Attributes:
        plan: the plan of the run.
        kind: the kind of machine that the configuration names.
        tell: a function that is called with a line of text when a step begins to wait on a QPU, and as its state
            changes; it does nothing until it is replaced.
    """

    def __init__(
        self,
        plan: Plan,
        recorder: Recorder,
        backend: Backend | None = None,
        *,
        conduct: Conduct = WAITING_FOR_JOBS,
    ) -> None:
        self.plan = plan
        self.kind = plan.config.train.machine
        self.tell: Callable[[str], object] = lambda words: None
        self._recorder = recorder
        self._backend = backend  # opened at the first step if need be: a finished run is shown without a machine
        self._conduct = conduct
        self._has_read_bills = False
        self._timing: list[dict[str, Any]] = []
        self._num_steps = self._shots = self._distinct = 0

    # ------------------------------------------------------------ opening

    @property
    def is_open(self) -> bool:
        """Whether the machine is open, so that its price is known by its present calibration."""
        return self._backend is not None

    def open(self) -> Backend:
        """Open the machine, or return it if it is open.

        A device is used on the qubits of the last session, as long as all of them work.

        Raises:
            QhnError: if the machine cannot be opened as it is configured.
            BackendError: if its service cannot be reached.
        """
        if self._backend is None:
            config, journal = self.plan.config, self._recorder.journal
            sessions = self._recorder.sessions()
            as_before = sessions[-1].backend.start if sessions else ()
            backend = config.backend(journal, as_before)
            try:
                backend.compile(self.plan.ansatz.unrolled)  # a device keeps what it compiled
            except QhnError:  # calibrated anew, and one of the qubits no longer works
                if not as_before:
                    raise
                backend = config.backend(journal)
            self._backend = backend
        return self._backend

    @cached_property
    def sampler(self) -> Sampler:
        """The circuit of the run, compiled for the machine, which samples its measured bits.

        Raises:
            QhnError: if the machine cannot run it.
        """
        return self.open().compile(self.plan.ansatz.unrolled)

    @cached_property
    def forecast(self) -> Forecast:
        """The forecast of what the run takes of the machine, by its present calibration.

        Raises:
            QhnError: if the machine cannot run the circuit.
        """
        return Forecast(self.plan.config, self.plan.ansatz, self.sampler.placement)

    @cached_property
    def strategy(self) -> Strategy:
        """What the steps of the run measure, and how they move θ.

        Shots that follow from the price of a job are those of the first session's price, so that a later calibration
        changes nothing that was submitted.

        Raises:
            QhnError: if the machine cannot run the circuit.
        """
        config, ansatz = self.plan.config, self.plan.ansatz
        if not config.train.has_priced_shots:
            return config.strategy(ansatz)
        priced = [session.backend.price for session in self._recorder.sessions()]
        task = next((one.task for one in priced if one is not None), None)
        return self.forecast.strategy if task is None else config.strategy(ansatz, task)

    def estimator(self, evaluations: Evaluations, readout_counts: ReadoutCounts | None) -> Estimator:
        """Begin a session: the estimator that measures E and its gradient at the steps to come.

        Args:
            evaluations: the bitstrings evaluated so far with their costs, to which the estimator adds.
            readout_counts: readout errors counted in earlier sessions; None if there are none.

        Raises:
            QhnError: if the machine cannot run the circuit, or the run is paid for and is not recorded.
            BudgetNeeded: if the run is paid for and has no budget.
            BackendError: if the service of the machine cannot be reached.
        """
        backend, sampler = self.open(), self.sampler
        if backend.paid:
            self.check_paid()
        if isinstance(backend, PaidBackend):
            backend.reconcile()
            self._has_read_bills = True
        train, problem, ansatz = self.plan.config.train, self.plan.problem, self.plan.ansatz
        objective, kept = train.objective.build(), self._recorder.keeping(backend)
        found: Estimator
        if train.shots is None:
            costs = None if polynomial_for_table(problem) else self._recorder.all_costs(problem)
            found = without_shots(ansatz, problem, sampler, objective=objective, costs=costs, evaluations=evaluations)
        else:
            found = SamplingEstimator(
                ansatz,
                problem,
                kept,
                shots=self.strategy.measurements(0)[0].shots,
                objective=objective,
                evaluations=evaluations,
                mitigation=self.plan.config.device.mitigation,
                readout_counts=readout_counts,
            )
        self._check_same()
        self._recorder.begin_session(self._facts, sampler, problem)
        return found

    def _check_same(self) -> None:
        """Refuse to go on with a run on another machine than that of its last session; one that bills is told of.

        Raises:
            QhnError: if the machine is another one, and bills nothing.
        """
        sessions = self._recorder.sessions()
        if not sessions:
            return
        earlier, now = sessions[-1].backend, BackendFacts(self.sampler.describe())
        if words := difference(earlier, now):
            words = f"{now.name} is not the machine with which the run began: {words}"
            if not self.open().paid:
                raise QhnError(
                    f"{words}; give it that one, or begin the run anew with --restart, restart=True in Python"
                )
            warnings.warn(QhnWarning(words), stacklevel=2)
        elif not self.open().paid and earlier.facts.get("errors") != now.facts.get("errors"):
            words = f"{now.name} reports other errors of its qubits than in the session before, and the run goes on"
            warnings.warn(QhnWarning(words), stacklevel=2)

    def announcement(self) -> str:
        """The qubits of a device on which the next steps are made, the price, and what is remarkable, in words.

        It is empty on other machines, unless one simulates the circuit in another way than it is known for.
        """
        if self.sampler.placement is None:
            return str(self.sampler.describe().get("remark", "")) if self.kind.knows_distribution else ""
        facts = BackendFacts(self._facts())
        billed = "" if self.open().paid else "; nothing is billed, this is a rehearsal"
        billed += NOT_OF_THE_VENDOR * (self.kind.bills and not self.kind.bills_seconds)
        priced = f"; {facts.price.words()}{billed}" if facts.price else ""
        remark = f"; {facts.facts['remark']}" if "remark" in facts.facts else ""
        return f"{facts.layout_words()}{priced}{remark}"

    def close(self, outcome: Outcome | None) -> None:
        """Close a session of the service, which is billed while it is open.

        Args:
            outcome: how the run ended; None if it goes on later. At the end of a run, bills that have become known and
                jobs that the service has twice are noted in its journal.
        """
        if isinstance(self._backend, PaidBackend) and self._recorder.record is not None:
            self._backend.close()
            if outcome is not None:
                self._backend.reconcile()

    def _facts(self) -> dict[str, Any]:
        """The description of the machine that the record keeps, with the price of the run."""
        priced = self.forecast.priced()
        journal = self._recorder.journal if self.kind.bills else None
        name = {} if journal is None else {"record": journal.name}  # which tells later whether the journal was lost
        return self.sampler.describe() | ({} if priced is None else {"price": priced.to_json()}) | name

    # ------------------------------------------------------------ what the run has spent, and may spend

    def take_up(self, num_steps: int, timing: Sequence[dict[str, Any]], shots: int, distinct: int) -> None:
        """Count what the complete steps of earlier sessions took.

        Args:
            num_steps: number of complete steps.
            timing: the entries of ``timing.jsonl`` about these steps.
            shots: number of shots of all complete steps.
            distinct: number of different bitstrings that they evaluated.

        Raises:
            RecordError: if the journal was lost, since what was spent is then unknown.
        """
        self._num_steps, self._timing, self._shots, self._distinct = num_steps, list(timing), shots, distinct
        if self._recorder.record is not None:
            check_journal(self._recorder.record)

    def timing(
        self, step: int, seconds: float, measurements: Sequence[Measurement], samples: Sequence[Samples]
    ) -> dict[str, Any]:
        """The entry of a step for ``timing.jsonl``: what it took, and on a device also its price by the calibration.

        Args:
            step: number of the step, from 0.
            seconds: wall-clock time of the step in seconds.
            measurements: what the step measured, one entry per evaluation.
            samples: the bits measured in the step, one entry per evaluation.

        Returns:
            JSON values: ``step``, ``time`` (UTC, at the end of the step), ``seconds``, ``qpu_seconds`` (billed; None
            if a bill is unknown) and ``job_ids``; on a device also ``price_seconds`` and ``price_jobs``.
        """
        billed = [one.qpu_seconds for one in samples]
        timing = {
            "step": step,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "seconds": round(seconds, 3),
            "qpu_seconds": None if None in billed else sum(seconds for seconds in billed if seconds),
            "job_ids": [job_id for one in samples for job_id in one.job_ids],
        }
        if not self.kind.is_priced or not samples:
            return timing
        known = self.forecast.amount(measurements)
        return timing | {"price_seconds": known.seconds, "price_jobs": known.jobs}

    def count(self, timing: dict[str, Any], shots: int, distinct: int) -> None:
        """Count what a complete step took.

        Args:
            timing: the step's entry for ``timing.jsonl``.
            shots: number of shots since the start of the run.
            distinct: number of different bitstrings evaluated since then.
        """
        self._timing.append(timing)
        self._num_steps, self._shots, self._distinct = self._num_steps + 1, shots, distinct

    def ledger(self) -> Ledger:
        """The QPU seconds, jobs and shots that the run has spent so far, or in a rehearsal would have."""
        return ledger(self._num_steps, self._timing, self._history(), self._shots)

    def needed(self, step: int, state: StrategyState | None = None) -> Amount:
        """The most that a step can take: QPU seconds, jobs and shots, with a self-test of the device if one is due.

        A device that is not open is not opened for this if the last session recorded its price.

        Args:
            step: number of the step, from 0.
            state: the state of the strategy before the step; None if it is not known yet.
        """
        config, tests, priced = self.plan.config, self._history().self_tests(), self._recorded_price()
        measurements, whole = self.strategy.measurements(step, state), config.train.machine.bills
        if priced is not None:
            return priced.amount(measurements, whole=whole) + priced.self_test(config, tests)
        if not self.kind.is_priced:
            forecast = Forecast(config, self.plan.ansatz)
            return forecast.amount(measurements) + forecast.self_test(tests)
        return self.forecast.amount(measurements, whole=whole) + self.forecast.self_test(tests)

    def evaluations(self, step: int, state: StrategyState | None = None) -> int:
        """The most bitstrings that a step can evaluate and that are not known yet.

        Args:
            step: number of the step, from 0.
            state: the state of the strategy before the step; None if it is not known yet.
        """
        measurements, priced = self.strategy.measurements(step, state), self._recorded_price()
        if priced is not None:
            met = priced.bitstrings(measurements)
        else:
            is_priced = self.kind.is_priced
            met = (self.forecast if is_priced else Forecast(self.plan.config, self.plan.ansatz)).bitstrings(
                measurements
            )
        left: int = 2**self.plan.ansatz.num_qubits - self._distinct
        return min(met, left)

    def _recorded_price(self) -> PricedRun | None:
        """The price of the run by the last session; None if the device is open, and there is a newer one."""
        sessions = [] if self.is_open else self._recorder.sessions()
        return sessions[-1].backend.price if sessions else None

    def read_bills(self) -> bool:
        """Read the bills of the last 28 days again, once a session, since the service may have corrected them.

        Returns:
            Whether they were read: not without such jobs, and not if the service does not answer, which fails nothing.
        """
        jobs, now = self._history().jobs().values(), time.time()
        if self._has_read_bills or not any(job.may_be_rebilled(now) for job in jobs):
            return False
        self._has_read_bills = True
        with contextlib.suppress(QhnError, BackendError):
            backend = self.open()
            if isinstance(backend, PaidBackend):
                backend.reconcile()
                return True
        return False

    def check_budget(self) -> None:
        """Refuse a budget that is too small for the first step.

        Raises:
            QhnError: if the first step exceeds it; the message names the budget and what the step takes.
        """
        if self._has_budget:
            check_budget(self.plan.config, self.needed(0))
        if self.plan.config.train.max_evaluations is not None:
            check_evaluations(self.plan.config, self.plan.ansatz, self.evaluations(0))

    def check_paid(self) -> None:
        """Refuse to spend shots that are paid for without a record or a budget.

        Raises:
            QhnError: if the run is not recorded.
            BudgetNeeded: if neither QPU seconds nor shots are limited.
        """
        check_paid(self.forecast, record=self._recorder.record is not None)

    def stop(self, step: int, state: StrategyState) -> Outcome | None:
        """The outcome ``budget`` if a step could take more than is left of a budget; None if the run can go on.

        Args:
            step: number of the step, from 0.
            state: the state of the strategy before the step.
        """
        train, outcome = self.plan.config.train, None
        if self._has_budget:
            outcome = over_budget(train, self.needed(step, state), self.ledger())
        if outcome is None and train.max_evaluations is not None:
            outcome = over_evaluations(train, self.evaluations(step, state), self._distinct)
        return outcome

    def steps_in_budget(self, most: int) -> int:
        """The number of steps that the budget of the run allows, the complete ones included; at most ``most``.

        Args:
            most: the number up to which steps are counted.

        Raises:
            QhnError: if the machine cannot run the circuit.
        """
        if not self._has_budget:
            return most
        left, test = self._remaining(), self.forecast.self_test(self._history().self_tests())
        ahead = self.ledger().paid_ahead  # jobs of the next step that are on their way, which are not paid again
        seconds = left.seconds - test.seconds + ahead.seconds
        jobs, shots = left.jobs - test.jobs + ahead.jobs, left.shots - test.shots + ahead.shots
        for step in range(self._num_steps, most):
            measurements = self.strategy.measurements(step)
            needed = self.forecast.amount(measurements, whole=self.kind.bills)  # as it must be left for the step
            if seconds < needed.seconds or jobs < needed.jobs or shots < needed.shots:
                return step
            seconds -= self.forecast.amount(measurements).seconds
            jobs, shots = jobs - needed.jobs, shots - needed.shots
        return max(most, self._num_steps)

    def agree(self, step: int, state: StrategyState) -> Outcome | None:
        """Set what a machine that bills may spend on a step.

        Args:
            step: number of the step, from 0.
            state: the state of the strategy before the step.

        Returns:
            The outcome ``quota`` if the account has too few QPU seconds left for the step; None if it can be made.
        """
        backend = self._backend
        if not isinstance(backend, PaidBackend):
            return None
        backend.settle()
        backend.terms.left, backend.terms.conduct, backend.terms.tell = self._remaining, self._conduct, self._tell
        backend.terms.other_journals = self._other_journals
        return beyond_account(self.needed(step, state), self.ledger(), backend.seconds_left())

    def budget_words(self) -> str:
        """The QPU seconds spent, and those left of the budget, in one line; empty on machines that bill no seconds.

        A rehearsal has those of the real device.
        """
        states = self.kind.bills_seconds if self.kind.bills else self.kind.is_priced
        if not states or self.plan.config.train.shots is None:
            return ""
        return spent_words(self.plan.config.train, self.ledger().spent)

    @property
    def _has_budget(self) -> bool:
        return is_limited(self.plan.config.train)

    def _remaining(self) -> Remaining:
        """The QPU seconds, jobs and shots left of the budgets at this moment."""
        return remaining(self.plan.config.train, self.ledger().spent)

    def _tell(self, words: str) -> None:
        self.tell(f"{words}  {self.budget_words()}")

    def _other_journals(self) -> list[Path]:
        """The paths of the journals of the runs that are kept beside this one."""
        return [] if self._recorder.record is None else journals_beside(self._recorder.record.directory)

    def _history(self) -> History:
        """The history of the run's jobs in its journal; empty for a run that is not recorded."""
        return History() if self._recorder.journal is None else self._recorder.journal.history()
