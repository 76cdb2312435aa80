"""The machine of a run: opened when it is first needed, used on the same qubits as before, and kept to a budget."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from qhn.backend import Backend, Sampler
from qhn.backend.history import History
from qhn.backend.sampler import PaidBackend
from qhn.backend.samples import ReadoutCounts, Samples
from qhn.backend.terms import Amount, Remaining
from qhn.budget.forecast import Forecast
from qhn.budget.ledger import Ledger, ledger
from qhn.errors import QhnError
from qhn.estimator.noisy import without_shots
from qhn.estimator.protocol import Estimator
from qhn.estimator.sampling import SamplingEstimator
from qhn.problem.evaluations import Evaluations
from qhn.run.checks import check_budget, check_paid
from qhn.run.plan import Plan
from qhn.run.recorder import Recorder
from qhn.run.session import BackendFacts
from qhn.run.step import Outcome, RecordError
from qhn.run.stopping import beyond_account, over_budget


class RunMachine:
    """What stands between the loop and a machine: opening it, its terms, its price, and what was spent on it.

    Args:
        plan: of the run.
        recorder: where the run is kept.
        backend: the machine, if it is open already.
        detach: do not wait for jobs.

    Attributes:
        tell: is told in words what a step waits for on a QPU; to be replaced by who wants to know.
    """

    def __init__(self, plan: Plan, recorder: Recorder, backend: Backend | None = None, *, detach: bool = False) -> None:
        self.plan = plan
        self.kind = plan.config.train.machine
        self.tell: Callable[[str], object] = lambda words: None
        self._recorder = recorder
        self._backend = backend  # opened at the first step if need be: a finished run is shown without a machine
        self._detach = detach
        self._timing: list[dict[str, Any]] = []
        self._shots = 0

    # ------------------------------------------------------------ opening

    @property
    def is_open(self) -> bool:
        """Whether the machine is open, so that its price is known by its present calibration."""
        return self._backend is not None

    def open(self) -> Backend:
        """The machine; a device of an earlier session is used on the same qubits, as long as they work."""
        if self._backend is None:
            config, journal = self.plan.config, self._recorder.journal
            sessions = self._recorder.sessions()
            as_before = sessions[-1].backend.qubits if sessions else ()
            backend = config.backend(journal, as_before)
            try:
                backend.compile(self.plan.ansatz)  # a device keeps what it compiled
            except QhnError:  # calibrated anew, and one of the qubits no longer works
                if not as_before:
                    raise
                backend = config.backend(journal)
            self._backend = backend
        return self._backend

    @cached_property
    def sampler(self) -> Sampler:
        """The circuit of the run, compiled for the machine.

        Raises:
            QhnError: if the machine cannot run it.
        """
        return self.open().compile(self.plan.ansatz)

    @cached_property
    def forecast(self) -> Forecast:
        """What the run takes, by the machine's present calibration.

        Raises:
            QhnError: if the machine cannot run the circuit.
        """
        return Forecast(self.plan.config, self.plan.ansatz, self.sampler.placement)

    def estimator(self, evaluations: Evaluations, readout_counts: ReadoutCounts | None) -> Estimator:
        """What measures the steps to come; a session begins with it.

        Args:
            evaluations: costs that are known already.
            readout_counts: readout errors counted in earlier sessions.

        Raises:
            QhnError: if the run is paid for and has no budget, or the machine cannot run it.
            BackendError: if its service cannot be reached.
        """
        backend, sampler = self.open(), self.sampler
        if backend.paid:
            self.check_paid()
        if isinstance(backend, PaidBackend):
            backend.reconcile()
        train, problem, ansatz = self.plan.config.train, self.plan.problem, self.plan.ansatz
        objective, kept = train.objective.build(), self._recorder.keeping(backend)
        found: Estimator
        if train.shots is None:
            costs = self._recorder.all_costs(problem)
            found = without_shots(ansatz, problem, sampler, objective=objective, costs=costs)
        else:
            found = SamplingEstimator(
                ansatz,
                problem,
                kept,
                shots=train.shots,
                objective=objective,
                evaluations=evaluations,
                mitigation=self.plan.config.device.mitigation,
                readout_counts=readout_counts,
            )
        self._recorder.begin_session(self._facts, sampler, problem)
        return found

    def announcement(self) -> str:
        """On which qubits of a device the next steps are made, and what they take; empty beside devices."""
        if not self.kind.has_chip:
            return ""
        facts = BackendFacts(self._facts())
        billed = "" if self.open().paid else "; nothing is billed, this is a rehearsal"
        priced = f"; {facts.price.words()}{billed}" if facts.price else ""
        return f"{facts.layout_words()}{priced}"

    def close(self, outcome: Outcome | None) -> None:
        """End what is billed while it is open; at the end of the run also note late bills and jobs that are double."""
        if isinstance(self._backend, PaidBackend) and self._recorder.record is not None:
            self._backend.close()
            if outcome is not None:
                self._backend.reconcile()

    def _facts(self) -> dict[str, Any]:
        """What the record keeps of the machine: what it says of itself, and the price of the run."""
        priced = self.forecast.priced()
        return self.sampler.describe() | ({} if priced is None else {"price": priced.to_json()})

    # ------------------------------------------------------------ what the run has spent, and may spend

    def take_up(self, timing: Sequence[dict[str, Any]], shots: int) -> None:
        """Learn what the complete steps of the run took.

        Args:
            timing: what each took, as the record has it.
            shots: of all of them.

        Raises:
            RecordError: if the journal does not know a job that a step used: it would be paid for again.
        """
        self._timing, self._shots = list(timing), shots
        noted = self._history().jobs()
        missing = [job_id for entry in self._timing for job_id in entry["job_ids"] if job_id not in noted]
        if missing and self._recorder.record and self.kind.bills:
            raise RecordError(
                f"{self._recorder.record.journal.path} does not know the job {missing[0]}, which a step used; restore "
                "it from a copy: it holds what was spent, and the names of jobs that may be on their way"
            )

    def timing(self, step: int, seconds: float, gradients: int, samples: Sequence[Samples]) -> dict[str, Any]:
        """What a step took of the machine, and, with a device's calibration, what it should have taken.

        Args:
            step: its number.
            seconds: by the clock, here.
            gradients: measured in it.
            samples: measured in it, one entry an evaluation.
        """
        billed = [one.qpu_seconds for one in samples]
        timing = {
            "step": step,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "seconds": round(seconds, 3),
            "qpu_seconds": None if None in billed else sum(seconds for seconds in billed if seconds),
            "job_ids": [job_id for one in samples for job_id in one.job_ids],
        }
        if self.forecast.placement is None or not samples:
            return timing
        known = self.forecast.gradients(step, gradients)
        return timing | {"price_seconds": known.seconds, "price_jobs": known.jobs}

    def count(self, timing: dict[str, Any], shots: int) -> None:
        """Take a complete step into account: what it took, and the shots of the run so far."""
        self._timing.append(timing)
        self._shots = shots

    def ledger(self) -> Ledger:
        """What was spent on a QPU so far, or would have been."""
        return ledger(self._timing, self._history(), self._shots)

    def needed(self, step: int) -> Amount:
        """What a step takes at most; a device is not opened for it if its last session said what it takes."""
        sessions = [] if self.is_open else self._recorder.sessions()
        priced = sessions[-1].backend.price if sessions else None
        if priced is not None:
            return priced.step(self.plan.config, step) + priced.self_test(
                self.plan.config, self._history().self_tests()
            )
        if not self.kind.has_chip:
            return Forecast(self.plan.config, self.plan.ansatz).step(step)
        return self.forecast.step(step) + self.forecast.self_test(self._history().self_tests())

    def check_budget(self) -> None:
        """Refuse a budget that not even the first step fits in.

        Raises:
            QhnError: naming both numbers.
        """
        if self._has_budget:
            check_budget(self.plan.config, self.needed(0))

    def check_paid(self) -> None:
        """Refuse to spend shots that are paid for without a record or a budget.

        Raises:
            QhnError, BudgetNeeded: as :func:`qhn.run.checks.check_paid`.
        """
        check_paid(self.forecast, record=self._recorder.record is not None)

    def stop(self, step: int) -> Outcome | None:
        """The end of the run if a step takes more than its budget has left."""
        if not self._has_budget:
            return None
        return over_budget(self.plan.config.train, self.needed(step), self.ledger())

    def agree(self, step: int) -> Outcome | None:
        """Tell a machine that bills what it may spend on a step; the end of the run if the account has too little."""
        backend = self._backend
        if not isinstance(backend, PaidBackend):
            return None
        backend.settle()
        backend.terms.left, backend.terms.detach, backend.terms.tell = self._remaining, self._detach, self._tell
        return beyond_account(self.needed(step), self.ledger(), backend.seconds_left())

    def budget_words(self) -> str:
        """QPU seconds spent, and left of the budget, in one line; empty beside devices."""
        if not self.kind.has_chip or self.plan.config.train.shots is None:
            return ""
        limit = self.plan.config.train.max_qpu_seconds
        spent = self.ledger().spent.seconds
        return f"QPU {spent:,.1f} s" + ("" if limit is None else f", {max(0.0, limit - spent):,.1f} left")

    @property
    def _has_budget(self) -> bool:
        rules = self.plan.config.train
        return any(limit is not None for limit in (rules.max_shots, rules.max_qpu_seconds, rules.max_jobs))

    def _remaining(self) -> Remaining:
        """What is left of the budgets, by all that is known now."""
        rules, spent = self.plan.config.train, self.ledger().spent
        limits = (rules.max_qpu_seconds, rules.max_jobs, rules.max_shots)
        used = (spent.seconds, spent.jobs, spent.shots)
        return Remaining(*(math.inf if limit is None else limit - use for limit, use in zip(limits, used, strict=True)))

    def _tell(self, words: str) -> None:
        self.tell(f"{words}  {self.budget_words()}")

    def _history(self) -> History:
        """What the journal says of the jobs of the run."""
        return History() if self._recorder.journal is None else self._recorder.journal.history()
