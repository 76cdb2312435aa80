"""The training loop: an iterator of steps, which stops by rule and resumes where it was.

::

    for step in train(config):
        print(step.mean, step.best_cost)
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from qhn.arrays import Floats
from qhn.backend import Backend
from qhn.backend.samples import ReadoutCounts
from qhn.backend.terms import BudgetExceeded, Detached
from qhn.budget.forecast import Forecast
from qhn.budget.ledger import Ledger
from qhn.config import RunConfig
from qhn.config.file import with_settings
from qhn.errors import QhnError
from qhn.estimator.gradient import ValueAndGrad
from qhn.estimator.protocol import Estimator
from qhn.problem.cost import Problem
from qhn.problem.evaluations import Evaluations
from qhn.run.checks import check_detach, check_start
from qhn.run.machine import RunMachine
from qhn.run.plan import Plan, prepare, with_stop_rules_of
from qhn.run.record import Record, results_directory
from qhn.run.recorder import OnDisk, Recorder, Taken, Unrecorded
from qhn.run.step import Ending, Outcome, RecordError, Step
from qhn.run.stopping import detached, reached
from qhn.seeds import Key, Purpose


def train(
    config: RunConfig,
    *,
    problem: Problem | None = None,
    results: str | Path | None = None,
    record: bool = True,
    restart: bool = False,
    detach: bool = False,
) -> Training:
    """The steps of a run, those already on disk first.

    Args:
        config: what to do.
        problem: a cost of your own, any object with ``num_qubits`` and ``cost(bits)``, in place of the networks and
            data that ``config`` describes. If it offers a ``digest`` (:mod:`qhn.problem.capabilities`), calling again
            with it resumes the run; without one every call begins another run, which cannot be resumed.
        results: directory of all runs; by default ``$QHN_RESULTS`` or ``results``. The run has a directory of its own
            in it, which its configuration determines: calling again resumes, or shows a finished run.
        record: keep the run on disk. Without it nothing remains, and a machine whose shots are paid for is refused.
        restart: set an existing run of the same configuration aside, and begin anew.
        detach: do not wait for jobs of a QPU: submit those of the next step, and end with the outcome ``detached``.

    Raises:
        QhnError: if the configuration cannot be run: data, memory, device, account, budget; or detached, if it is for
            no QPU.
        RecordError: if the directory is damaged, or another process is writing it.
        OSError: if the directory cannot be written.
        BackendError: on opening a machine, or at a step, if it fails; complete steps are kept, and training can resume.

    >>> from qhn.config.file import load_config
    >>> config = load_config("figure-1", {"train.steps": 2, "train.shots": 50})
    >>> training = train(config, record=False)
    >>> [step.step for step in training], training.outcome.name == "done"
    ([0, 1], True)
    """
    if problem is not None:
        config = config.given(problem)
    plan = prepare(config, problem)
    check_detach(config, detach)
    directory = results_directory(results) / config.experiment / config.run_id
    found = Record(directory, config)
    if record and found.exists and not restart:
        kept = Record.load(directory)
        return Training(replace(plan, config=with_stop_rules_of(config, kept)), OnDisk(kept), detach=detach)
    backend = config.backend(found.journal if record else None)
    forecast = Forecast(config, plan.ansatz, backend.compile(plan.ansatz).placement)
    check_start(forecast, paid=backend.paid, record=record)  # refuse what cannot run before anything is written
    if not record:
        return Training(plan, Unrecorded(), backend)
    if found.exists:
        found.set_aside()
    kept = Record.create(config, directory)
    return Training(replace(plan, config=kept.config), OnDisk(kept), backend, detach=detach)


def resume(
    directory: str | Path,
    settings: dict[str, Any] | None = None,
    *,
    problem: Problem | None = None,
    detach: bool = False,
) -> Training:
    """The steps of the run in a directory, wherever it lies; those already on disk come first.

    Args:
        directory: of the run.
        settings: other stop rules, by dotted key, e.g. ``{"train.steps": 120}``.
        problem: the cost that was given to :func:`train`, if one was.
        detach: as :func:`train`.

    Raises:
        FileNotFoundError: if there is no run.
        QhnError: if a setting would change more than the stop rules, or the problem is another.
        RecordError, OSError, BackendError: as :func:`train`.
    """
    record = Record.load(directory)
    if problem is not None and record.config.instance is None:
        raise QhnError("the problem of this run is in its configuration; leave problem=… away")
    if problem is not None and record.config.instance is not None:
        record.config.instance.check(problem)
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
    return Training(prepare(config, problem), OnDisk(record), detach=detach)


class Training(Iterator[Step]):
    """The iterator that :func:`train` and :func:`resume` return.

    Attributes:
        config: what to do.
        problem: the cost of the bitstrings.
        ansatz: the circuit that yields them.
        evaluations: every bitstring evaluated so far, with its cost.
        record: the run on disk; None if it is not kept.
        outcome: why it ended; None until it has.
        num_stored: the number of steps that were on disk already and are handed out first.
    """

    def __init__(self, plan: Plan, recorder: Recorder, backend: Backend | None = None, *, detach: bool = False) -> None:
        self.config, self.problem, self.ansatz = plan.config, plan.problem, plan.ansatz
        self.record = recorder.record
        self.outcome: Outcome | None = None
        self._plan, self._recorder, self._run_id = plan, recorder, plan.config.run_id
        self._machine = RunMachine(plan, recorder, backend, detach=detach)
        self._optimizer = plan.config.train.optimizer.build()
        self._estimator: Estimator | None = None
        self._stop_requested = self._closed = False
        self._broken = False  # a step could not be written: what is in memory is ahead of what is on disk
        self._machine.check_budget()
        self._open = ExitStack()
        self._open.enter_context(recorder.hold())
        try:
            self._take_up()
        except BaseException:
            self._open.close()
            raise
        recorder.adopt(plan.config)

    def _take_up(self) -> None:
        """Go on after the last complete step, or begin."""
        self.evaluations = Evaluations(self.problem)
        earlier = self._recorder.earlier(self.problem, self.evaluations)
        self._theta = self._plan.theta
        self._readout_counts: ReadoutCounts | None = None
        self._state = self._optimizer.init(self._theta)
        if earlier.checkpoint is not None:
            self._theta, self._state = earlier.checkpoint.state_for(self._theta, self._state)
            self._readout_counts = earlier.checkpoint.readout_counts
        self._steps, self._stored = list(earlier.steps), deque(earlier.steps)
        self.num_stored = len(self._steps)
        self._machine.take_up(earlier.timing, self._shots)

    def __next__(self) -> Step:
        if self._stored:
            return self._stored.popleft()
        if self.outcome is None:
            self.outcome = self._reached_end()
        if self.outcome is None and not self._machine.is_open:
            self._machine.open()
            self.outcome = self._reached_end()  # an earlier session may have known another price
        if self.outcome is None:
            self.outcome = self._machine.agree(len(self._steps))
        if self.outcome is None:
            if self._broken:
                raise RecordError(
                    "an earlier step was interrupted while it was written, or training was closed; resume it"
                )
            self._broken = True
            try:
                step = self._advance()
            except Detached as stop:
                self.outcome = detached(stop.job_ids)
            except BudgetExceeded as stop:
                self.outcome = Outcome(Ending.BUDGET, str(stop))
            else:
                self._broken = False
                return step
        self.close()
        raise StopIteration

    def _reached_end(self) -> Outcome | None:
        """Why the run ends here, by its rules, its budget or a request; None if it goes on."""
        outcome = reached(self.config.train, self._steps) or self._machine.stop(len(self._steps))
        if outcome is None and self._stop_requested:
            return Outcome(Ending.INTERRUPTED, "stopped after a complete step")
        return outcome

    def _advance(self) -> Step:
        """Take one step: measure at θ, move θ, and keep both before anything goes on."""
        if self._estimator is None:
            self._estimator = self._machine.estimator(self.evaluations, self._readout_counts)
        estimator, number, theta, started = self._estimator, len(self._steps), self._theta, time.time()
        measured: list[ValueAndGrad] = []

        def value_and_grad(at: Floats) -> ValueAndGrad:
            key = Key(self.config.train.seed, Purpose.SHOTS, number, len(measured), self._run_id)
            rule = self.config.gradient_at(self.ansatz, number, len(measured))
            measured.append(estimator.value_and_grad(at, key, rule, self.config.train.shots_at(number) or None))
            return measured[-1]

        next_theta, next_state, info = self._optimizer.step(value_and_grad, theta, self._state)
        samples = [found.estimates.samples for found in measured if found.estimates.samples]
        self.evaluations.cost(estimator.solutions(theta, info.estimates))
        validation = self._plan.validation
        step = Step.measured(
            number,
            theta,
            info,
            drift=measured[0],
            best=self.evaluations,
            validation=None if validation is None else estimator.expectation(validation, theta, info.estimates),
            shots=self._shots + sum(one.num_shots for one in samples),
            distinct=measured[-1].estimates.distinct,
        )
        timing = self._machine.timing(number, time.time() - started, len(measured), samples)
        if discarded := max(found.estimates.discarded for found in measured):
            timing |= {"discarded_weight": discarded}
        taken = Taken(step, next_theta, next_state._asdict(), timing, samples, estimator.readout_counts)
        has_fallen = not self._steps or step.best_cost < self._steps[-1].best_cost
        self._recorder.keep(taken, self.evaluations, self.problem, has_fallen=has_fallen)
        self._machine.count(timing, step.shots)
        self._theta, self._state = next_theta, next_state
        self._steps.append(step)
        return step

    @property
    def _shots(self) -> int:
        """Shots of the machine since the start of the run."""
        return self._steps[-1].shots if self._steps else 0

    # ------------------------------------------------------------ for those who watch

    @property
    def tell(self) -> Callable[[str], object]:
        """Is told in words what a step waits for on a QPU; to be replaced by who wants to know."""
        return self._machine.tell

    @tell.setter
    def tell(self, listener: Callable[[str], object]) -> None:
        self._machine.tell = listener

    def announcement(self) -> str:
        """On which qubits of a device the next steps are made, and what they take; empty if there are none to make."""
        return "" if self._reached_end() is not None else self._machine.announcement()

    def budget_words(self) -> str:
        """QPU seconds spent, and left of the budget, in one line; empty beside devices."""
        return self._machine.budget_words()

    def ledger(self) -> Ledger:
        """What was spent on a QPU so far, or would have been."""
        return self._machine.ledger()

    def request_stop(self) -> None:
        """End after the step in flight, with the outcome ``interrupted``."""
        self._stop_requested = True

    def close(self) -> None:
        """Write the outcome, if there is one, and let other processes write the run. Closing twice does no harm."""
        if self._closed:
            return
        self._closed = self._broken = True
        try:
            if self.outcome is not None:
                self._recorder.conclude(self.outcome)
            self._machine.close(self.outcome)
        finally:
            self._open.close()
