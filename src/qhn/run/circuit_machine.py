"""The machine of a run that measures bound circuits: opened when needed, priced first, and kept to a budget.

It is to bound circuits what :class:`qhn.run.machine.RunMachine` is to a training, with the same rules: what is paid for
has a record and a budget; a step that could exceed it is not begun; a job that an earlier process submitted is not paid
for again. A step is whatever the caller counts as one: it is complete once :meth:`CircuitMachine.complete` was called,
and its number is the ``step`` of the keys of its requests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qhn.backend import CircuitBackend, CircuitPrice, CircuitSamples, Journal, Settings, machine_of
from qhn.backend.history import History
from qhn.backend.journal import LOST
from qhn.backend.sampler import PaidBackend
from qhn.backend.terms import WAITING_FOR_JOBS, Amount, Conduct, Remaining
from qhn.budget.ledger import Ledger, ledger
from qhn.budget.limits import Budgets, Limits, check_first, remaining, spent_words
from qhn.errors import RecordError
from qhn.run.checks import BudgetNeeded, unrecorded
from qhn.run.step import Outcome
from qhn.run.stopping import beyond_account, over_budget
from qhn.seeds import Key

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


class CircuitMachine:
    """A machine that measures bound circuits for a run.

    Args:
        name: name of its backend (:func:`qhn.backend.open_backend`).
        settings: settings of the machine; None for the defaults.
        journal: journal of the run's jobs; None for a run that is not recorded.
        limits: QPU seconds, jobs and shots that the run may take in all.
        table: table of the configuration that holds the limits, for messages.
        conduct: what is done with jobs that are billed.
        other_journals: function that returns the paths of the journals of other runs, which hold their self-tests.
        backend: the machine, if it is open already.

    Attributes:
        kind: the kind of machine.
        tell: function that is called with a line of text about what is being waited for.

    >>> from qiskit import QuantumCircuit
    >>> circuit = QuantumCircuit(1)
    >>> circuit.measure_all()
    >>> machine = CircuitMachine("aer", limits=Limits(max_shots=150))
    >>> machine.measure([circuit], 100, Key(seed=1)).bits.shape, machine.complete()["shots"]
    ((1, 100, 1), 100)
    >>> machine.stop([machine.price([circuit], 100)]).message
    'a step takes 100 shots, 50 of machine.max_shots remain'
    """

    def __init__(
        self,
        name: str,
        settings: Settings | None = None,
        journal: Journal | None = None,
        *,
        limits: Budgets | None = None,
        table: str = "machine",
        conduct: Conduct = WAITING_FOR_JOBS,
        other_journals: Callable[[], Sequence[Path]] = tuple,
        backend: CircuitBackend | None = None,
    ) -> None:
        self.kind = machine_of(name)
        self.tell: Callable[[str], object] = lambda words: None
        self._name, self._settings, self._journal = name, settings, journal
        self._limits: Budgets = Limits() if limits is None else limits
        self._table, self._conduct = table, conduct
        self._other_journals = other_journals
        self._given = backend
        self._steps: list[Mapping[str, Any]] = []  # of complete steps
        self._measured: list[tuple[CircuitPrice | None, CircuitSamples]] = []  # since the last complete step

    # ------------------------------------------------------------ opening

    @cached_property
    def backend(self) -> CircuitBackend:
        """The open machine. On one that bills, bills that have become known are noted first.

        Raises:
            QhnError: if the machine cannot be opened as it is asked for.
            BackendError: if its service cannot be reached.
        """
        found = self._given or self.kind.open(self._name, self._settings, self._journal)
        if isinstance(found, PaidBackend):
            terms = found.terms
            terms.left, terms.table, terms.conduct, terms.tell = self.left, self._table, self._conduct, self._tell
            terms.other_journals = self._other_journals
            found.reconcile()
        return found

    def close(self) -> None:
        """End what is billed while it is open, and note the bills of jobs that are known by now."""
        if isinstance(found := self.__dict__.get("backend"), PaidBackend):
            found.close()
            found.reconcile()

    # ------------------------------------------------------------ before anything is submitted

    def price(self, circuits: Sequence[QuantumCircuit], shots: int) -> CircuitPrice:
        """The price of measuring each circuit, for which it is compiled; nothing is submitted.

        Raises:
            QhnError: if the machine cannot measure the circuits.
            BackendError: if its service cannot be reached.
        """
        return self.backend.circuit_price(circuits, shots)

    def describe(self, circuits: Sequence[QuantumCircuit]) -> dict[str, Any]:
        """What the record of a session keeps of the machine, as JSON values.

        On a device these are the qubits of each circuit and the calibration.

        Raises:
            QhnError: if the machine cannot measure the circuits.
            BackendError: if its service cannot be reached.
        """
        return self.backend.describe_circuits(circuits)

    def needed(self, prices: Sequence[CircuitPrice]) -> Amount:
        """The most that requests of the given prices can take, with the self-test of the device if one is due.

        On a QPU each job takes whole seconds, so that a budget that covers them is never exceeded.
        """
        whole = self.kind.bills
        amount = sum((price.amount(whole=whole) for price in prices), Amount())
        tests = (price.self_test for price in prices)
        return amount + max(tests, key=lambda one: (one.seconds, one.jobs), default=Amount())

    def check(self, prices: Sequence[CircuitPrice], num_steps: int = 1) -> None:
        """Refuse a run that its machine cannot make within its budget, before anything is written or sent.

        Args:
            prices: prices of the requests of the first step.
            num_steps: number of steps that the run shall make, each of about that price.

        Raises:
            QhnError: if the first step exceeds a limit, or what is paid for is not recorded.
            BudgetNeeded: if what is paid for has no budget.
        """
        self._check_paid(prices, num_steps)
        check_first(self._limits, self.needed(prices), self._name, self._table)

    def stop(self, prices: Sequence[CircuitPrice]) -> Outcome | None:
        """The outcome ``budget`` or ``quota`` if the next step could take more than is left; None if it can be made.

        Args:
            prices: prices of the requests of the step.
        """
        needed, known = self.needed(prices), self.ledger()
        outcome = over_budget(self._limits, needed, known, self._table)
        if outcome is None and isinstance(self.backend, PaidBackend):
            self.backend.settle()
            outcome = beyond_account(needed, self.ledger(), self.backend.seconds_left())
        return outcome

    # ------------------------------------------------------------ measuring, and what was spent

    def measure(self, circuits: Sequence[QuantumCircuit], shots: int, key: Key) -> CircuitSamples:
        """Measure each circuit, as one request; on a QPU the bits of an earlier process are used where there are any.

        Args:
            circuits: circuits without parameters and with measurements, all of equally many classical bits.
            shots: number of measurements of each circuit.
            key: name of the request: ``step`` is the number of the step, ``evaluation`` that of the request in it.

        Raises:
            QhnError: if the machine cannot measure the circuits, or what is paid for is not recorded.
            BudgetNeeded: if what is paid for has no budget.
            Detached, BudgetExceeded, QuotaError: if jobs are not waited for, or cannot be paid; the outcome of the run
                is then :func:`qhn.run.stopping.stopped_by`.
            BackendError: if the machine or its service fails.
        """
        price = self.price(circuits, shots) if self.kind.bills or self.kind.is_priced else None
        if price is not None:
            self._check_paid([price], 1)
        samples = self.backend.measure(circuits, shots, key)
        self._measured.append((price, samples))
        return samples

    def complete(self) -> dict[str, Any]:
        """Count what was measured since the last complete step as one step.

        Returns:
            What the step took, as JSON values to be recorded and given to :meth:`take_up` by the next process:
            ``job_ids``, ``qpu_seconds`` (billed; None if a bill is unknown), ``shots``, and on a device
            ``price_seconds`` and ``price_jobs``.
        """
        billed = [samples.qpu_seconds for _, samples in self._measured]
        found: dict[str, Any] = {
            "job_ids": [job_id for _, samples in self._measured for job_id in samples.job_ids],
            "qpu_seconds": None if None in billed else sum(seconds for seconds in billed if seconds),
            "shots": sum(samples.num_shots for _, samples in self._measured),
        }
        prices = [price for price, _ in self._measured if price is not None]
        if prices:
            found["price_seconds"] = sum(price.seconds for price in prices)
            found["price_jobs"] = sum(price.jobs for price in prices)
        self._steps.append(found)
        self._measured = []
        return found

    def take_up(self, steps: Sequence[Mapping[str, Any]]) -> None:
        """Count what the complete steps of earlier processes took.

        Args:
            steps: what :meth:`complete` returned for each of them.

        Raises:
            RecordError: if the journal does not know a job that a step used: what was spent is then unknown.
        """
        noted = self._history().jobs()
        missing = [job_id for step in steps for job_id in step["job_ids"] if job_id not in noted]
        if missing and self._journal is not None:
            raise RecordError(f"{self._journal.path} does not know the job {missing[0]}, which a step used; {LOST}")
        self._steps = list(steps)

    def ledger(self) -> Ledger:
        """The QPU seconds, jobs and shots that the run has spent so far, or in a rehearsal would have."""
        shots = sum(step["shots"] for step in self._steps)
        return ledger(len(self._steps), self._steps, self._history(), shots)

    def left(self) -> Remaining:
        """The QPU seconds, jobs and shots that are left of the limits at this moment."""
        return remaining(self._limits, self.ledger().spent)

    def budget_words(self) -> str:
        """The QPU seconds spent, and those left of the budget, in one line; empty on machines without a chip."""
        return spent_words(self._limits, self.ledger().spent) if self.kind.is_priced else ""

    def _check_paid(self, prices: Sequence[CircuitPrice], num_steps: int) -> None:
        """Refuse to spend what is paid for without a record or a budget."""
        if not self.kind.bills:
            return
        if self._journal is None:
            raise unrecorded(self._name)
        if self._limits.max_qpu_seconds is None and self._limits.max_shots is None:
            first, each = self.needed(prices), sum((price.amount(whole=True) for price in prices), Amount())
            plain = sum(price.seconds for price in prices)
            seconds = first.seconds + (num_steps - 1) * plain  # whole seconds must be left for the last step
            raise BudgetNeeded(self._name, [first, *[each] * (num_steps - 1)], seconds, self._table)

    def _tell(self, words: str) -> None:
        self.tell(f"{words}  {self.budget_words()}")

    def _history(self) -> History:
        return History() if self._journal is None else self._journal.history()
