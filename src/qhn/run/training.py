"""The training loop: an iterator of steps, which ends by a stop rule and can be resumed after any step.

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
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qhn.arrays import Bits, Floats
from qhn.backend import Backend
from qhn.backend.machines import named_by_user
from qhn.backend.sampler import QuotaError
from qhn.backend.samples import ReadoutCounts
from qhn.backend.terms import WAITING_FOR_JOBS, BudgetExceeded, Conduct, Detached
from qhn.black_box.cost import BlackBox, begin_evaluations
from qhn.budget.forecast import Forecast
from qhn.budget.ledger import Ledger
from qhn.circuit.ansatz import Ansatz
from qhn.config import RunConfig
from qhn.config.file import with_settings
from qhn.errors import QhnError, RecordError
from qhn.estimator.gradient import ValueAndGrad
from qhn.estimator.measurement import Measurement
from qhn.estimator.noisy import check_knows_distribution
from qhn.estimator.protocol import Estimator
from qhn.problem.cost import Problem
from qhn.problem.evaluations import Evaluations
from qhn.problem.landscape import Landscape, enumerate_costs, polynomial_for_table
from qhn.run.advice import advice_on_rate, advice_on_rows
from qhn.run.checks import check_conduct, check_start
from qhn.run.directories import costs_beside, results_directory
from qhn.run.machine import RunMachine
from qhn.run.plan import Plan, named_again, prepare, with_stop_rules_of
from qhn.run.record import Record, lock_of
from qhn.run.recorded_problem import given_as_data
from qhn.run.recorder import OnDisk, Recorder, Taken, Unrecorded
from qhn.run.step import Ending, Outcome, Step
from qhn.run.stopping import reached, stopped_by
from qhn.seeds import Key, Purpose

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


def train(
    config: RunConfig,
    *,
    problem: Problem | None = None,
    ansatz: QuantumCircuit | Ansatz | None = None,
    backend: object | None = None,
    results: str | Path | None = None,
    record: bool = True,
    restart: bool = False,
    detach: bool = False,
    retry_self_test: bool = False,
    resubmit: bool = False,
    trust: bool = False,
) -> Training:
    """The steps of a run as an iterator; those already on disk come first.

    Args:
        config: the configuration of the run. A function of yours that its table ``[problem]`` names, or its backend,
            is run; so do not give the configuration of a record whose function you do not know.
        problem: a cost of your own, any object with ``num_qubits`` and ``cost(bits)``, in place of the networks and
            data that ``config`` describes. If it offers a ``digest`` (:mod:`qhn.problem.capabilities`), calling again
            with it resumes the run; without one every call begins another run, which cannot be resumed.
        ansatz: a circuit of your own with free parameters, in place of that which ``config`` describes. Its text
            becomes the table ``[ansatz]`` of the run, which is resumed and shown without the object.
        backend: a ``BackendV2`` or V2 sampler of Qiskit, in place of the machine that ``config`` names. The record
            keeps its name; the run is resumed by calling again with it, and shown without.
        results: directory of all runs; by default ``$QHN_RESULTS`` or ``results``. The run has a directory of its own
            in it, which its configuration determines: calling again resumes, or shows a finished run.
        record: whether the run is kept on disk. Otherwise nothing remains of it, and a machine whose shots are paid for
            is refused.
        restart: whether an existing run of the same configuration is set aside, and the run begins anew.
        detach: whether not to wait for jobs of a QPU: those of the next step are submitted, and the run ends with the
            outcome ``detached``.
        retry_self_test: whether to pay for another self-test of a QPU that has failed one with the same versions.
        resubmit: whether jobs that the service no longer has are measured, and paid for, once more.
        trust: whether every program that the configuration names may be run, also one that stands for a circuit.

    Raises:
        QhnError: if the configuration cannot be run because of its data, memory, device, account or budget; or if
            ``detach``, ``retry_self_test`` or ``resubmit`` is asked for on a machine that bills nothing.
        FileNotFoundError: if a file of data is missing.
        RecordError: if the directory is damaged, or another process is writing it.
        OSError: if the directory cannot be written.
        BackendError: if the machine fails, now or at a step; complete steps are kept, and training can resume.

    >>> from qhn.config.file import load_config
    >>> config = load_config("figure-1", {"train.steps": 2, "train.shots": 50})
    >>> training = train(config, record=False)
    >>> [step.step for step in training], training.outcome.name == "done"
    ([0, 1], True)
    """
    named_by_user(config.train.backend)
    if problem is not None:
        config = config.given(problem)
    if backend is not None:
        config = config.on(backend)
    config = config.without_code(trust) if ansatz is None else config.trained(ansatz)
    plan = prepare(config, problem, named=True, trust=trust)
    conduct = Conduct(detach, retry_self_test, resubmit)
    check_conduct(config.train.backend, conduct)
    directory = results_directory(results) / config.experiment / config.run_id
    found = Record(directory, config)
    if record and found.exists and not restart:
        kept = Record.load(directory)
        return Training(replace(plan, config=with_stop_rules_of(config, kept)), OnDisk(kept), conduct=conduct)
    machine = config.backend(found.journal if record else None)
    sampler = machine.compile(plan.ansatz.unrolled)
    forecast = Forecast(config, plan.ansatz, sampler.placement)
    check_start(forecast, paid=machine.paid, record=record)  # refuse what cannot run before anything is written
    if config.train.shots is None:
        check_knows_distribution(sampler)
    if not record:
        return Training(plan, Unrecorded(), machine)
    if found.exists:
        found.set_aside()
    directory.mkdir(parents=True, exist_ok=True)
    with lock_of(directory) as lock:  # which the training keeps: nothing is written without it
        if found.exists:  # another process has made it meanwhile
            kept = Record.load(directory, lock)
            return Training(replace(plan, config=with_stop_rules_of(config, kept)), OnDisk(kept), conduct=conduct)
        kept = Record.create(config, directory, lock)
        return Training(replace(plan, config=kept.config), OnDisk(kept), machine, conduct=conduct)


def resume(
    directory: str | Path,
    settings: dict[str, Any] | None = None,
    *,
    problem: Problem | None = None,
    python: str | None = None,
    detach: bool = False,
    retry_self_test: bool = False,
    resubmit: bool = False,
    trust: bool = False,
) -> Training:
    """The steps of the run in a directory as an iterator; those already on disk come first.

    Args:
        directory: the directory of the run; it may have been moved.
        settings: stop rules to be changed, by dotted key, e.g. ``{"train.steps": 120}``.
        problem: the problem that was given to :func:`train`; None if none was given, or it is data that the record
            holds, such as a QUBO or a table of costs.
        python: ``"module:function"`` of a run that evaluates this function, which is imported from the working
            directory or the installed modules if it has not changed.
        detach: whether not to wait for jobs of a QPU: those of the next step are submitted, and the run ends with the
            outcome ``detached``.
        retry_self_test: whether to pay for another self-test of a QPU that has failed one with the same versions.
        resubmit: whether jobs that the service no longer has are measured, and paid for, once more.
        trust: whether every program that the record names may be run, from where the record says it is, and the machine
            ``module:factory`` that it names may be imported.

    Raises:
        FileNotFoundError: if there is no run in the directory.
        QhnError: if a setting would change more than the stop rules, or the problem is not that of the run.
        RecordError: if the directory is damaged, or another process is writing it.
        OSError: if the directory cannot be written.
        BackendError: if the machine fails at a step; complete steps are kept, and training can resume.

    >>> from tempfile import TemporaryDirectory
    >>> from qhn.config.file import load_config
    >>> config = load_config("figure-1", {"train.steps": 2, "train.shots": 50})
    >>> with TemporaryDirectory() as results:
    ...     training = train(config, results=results)
    ...     first = [step.step for step in training]
    ...     first, [step.step for step in resume(training.record.directory, {"train.steps": 3})]
    ([0, 1], [0, 1, 2])
    """
    record = Record.load(directory)
    if trust:
        named_by_user(record.config.train.backend)
    if problem is not None and record.config.instance is None:
        raise QhnError("the problem of this run is in its configuration; leave problem=… away")
    if problem is not None and record.config.instance is not None:
        record.config.instance.check(problem)
    if problem is None:
        problem = given_as_data(record)
    config = with_settings(record.config, settings or {})
    named = named_again(config, python)
    if config.run_id != record.config.run_id:
        raise QhnError(
            f"resume can change {', '.join(f'train.{name}' for name in sorted(RunConfig.STOP_RULES))} only; "
            "anything else makes another run: use qhn run"
        )
    taken = record.checkpoint().num_steps
    if config.train.steps < taken:
        raise QhnError(f"train.steps is {config.train.steps}, but the run has taken {taken} steps; ask for more")
    conduct = Conduct(detach, retry_self_test, resubmit)
    check_conduct(config.train.backend, conduct)
    plan = replace(prepare(named, problem, named=python is not None, trust=trust), config=config)
    return Training(plan, OnDisk(record), conduct=conduct)


class Training(Iterator[Step]):
    """The iterator over the steps of a run, which :func:`train` and :func:`resume` return.

    Args:
        plan: the plan of the run.
        recorder: the recorder that keeps the run.
        backend: the machine, if it is open already; by default it is opened at the first step that is not on disk.
        conduct: what is done with jobs that are billed.

    Attributes:
        config: the configuration of the run.
        problem: the problem, which gives the cost C of each bitstring.
        ansatz: the circuit whose measurements give bitstrings.
        evaluations: every bitstring evaluated so far, with its cost.
        record: the record of the run on disk; None if the run is not recorded.
        outcome: why the run ended; None until it has.
        num_stored: number of steps that were on disk already and come first.

    Raises:
        QhnError: at construction, if a budget is too small for the first step.
        RecordError: at construction, if the record is damaged or another process is writing it.
    """

    def __init__(
        self,
        plan: Plan,
        recorder: Recorder,
        backend: Backend | None = None,
        *,
        conduct: Conduct = WAITING_FOR_JOBS,
    ) -> None:
        self.config, self.problem, self.ansatz = plan.config, plan.problem, plan.ansatz
        self.record = recorder.record
        self.outcome: Outcome | None = None
        self._plan, self._recorder, self._run_id = plan, recorder, plan.config.run_id
        self._machine = RunMachine(plan, recorder, backend, conduct=conduct)
        self._estimator: Estimator | None = None
        self._keep_costs()
        self._closed = False
        self._requested: Outcome | None = None  # with which the run ends after the step that is being made
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

    def _keep_costs(self) -> None:
        """Have a cost function of the user's keep what it evaluates beside the run, and tell how far it is."""
        place = None if self.record is None else costs_beside(self.record)
        begin_evaluations(self.problem, place, lambda words: self._machine.tell(words))

    def _take_up(self) -> None:
        """Restore the state after the last complete step, or set the initial one."""
        self.evaluations = Evaluations(self.problem)
        earlier = self._recorder.earlier(self.problem, self.evaluations)
        self._theta = self._plan.theta
        self._readout_counts: ReadoutCounts | None = None
        self._state = self._plan.config.strategy(self.ansatz).init(self._theta)
        if earlier.checkpoint is not None:
            self._theta, stored = earlier.checkpoint.state_for(self._theta, self._state.arrays())
            self._state = self._state.restored(stored)
            self._readout_counts = earlier.checkpoint.readout_counts
        self._steps, self._stored = list(earlier.steps), deque(earlier.steps)
        self.num_stored = len(self._steps)
        self._machine.take_up(self.num_stored, earlier.timing, self._shots, self._distinct)

    def __next__(self) -> Step:
        if self._stored:
            return self._stored.popleft()
        if self.outcome is None:
            self.outcome = self._reached_end()
        if self.outcome is None and not self._machine.is_open:
            self._machine.open()
            self.outcome = self._reached_end()  # an earlier session may have known another price
        if self.outcome is None:
            self.outcome = self._machine.agree(len(self._steps), self._state)
        if self.outcome is None:
            if self._broken:
                raise RecordError(
                    "an earlier step was interrupted while it was written, or training was closed; resume it"
                )
            self._broken = True
            try:
                step = self._advance()
            except (Detached, BudgetExceeded, QuotaError) as stop:
                self.outcome = stopped_by(stop)
            else:
                self._broken = False
                return step
        self.close()
        raise StopIteration

    def _reached_end(self) -> Outcome | None:
        """The outcome if the run ends here, by its rules, its budget or a request; None if it goes on.

        Before a run ends, bills that the service may have corrected are read again, which may leave enough for a step.
        """
        outcome = self._end()
        return self._end() if outcome is not None and self._machine.read_bills() else outcome

    def _end(self) -> Outcome | None:
        """The outcome if the run ends here by what is known of it; None if it goes on."""
        outcome = reached(self.config.train, self._steps, self._scale) or self._machine.stop(
            len(self._steps), self._state
        )
        return outcome or self._requested

    @cached_property
    def _scale_of_costs(self) -> float:
        polynomial = polynomial_for_table(self.problem)
        if polynomial is not None:
            return polynomial.scale
        costs = self._recorder.all_costs(self.problem)
        return Landscape(enumerate_costs(self.problem) if costs is None else costs).scale

    @property
    def _scale(self) -> float:
        """How far a typical cost lies above the optimum; it is needed and known only where E is computed exactly."""
        train = self.config.train
        needed = train.shots is None and train.tolerance is None and self._steps
        return self._scale_of_costs if needed else 1.0

    def _advance(self) -> Step:
        """Take one step: measure the objective and its gradient at θ, choose the next θ, and record both."""
        if self._estimator is None:
            self._estimator = self._machine.estimator(self.evaluations, self._readout_counts)
        estimator, number, theta, started = self._estimator, len(self._steps), self._theta, time.time()
        strategy, measured, measurements = self._machine.strategy, list[ValueAndGrad](), list[Measurement]()

        def measure(at: Floats, measurement: Measurement) -> ValueAndGrad:
            key = Key(self.config.train.seed, Purpose.SHOTS, number, len(measured), self._run_id)
            measurements.append(measurement)
            measured.append(estimator.value_and_grad(at, key, measurement))
            return measured[-1]

        next_theta, next_state, info = strategy.step(measure, theta, self._state, number)
        samples = [found.estimates.samples for found in measured if found.estimates.samples]
        self.evaluations.cost(estimator.solutions(theta, info.estimates))
        validation = self._plan.validation
        step = Step.measured(
            number,
            theta,
            info,
            measurements[0],
            resting=strategy.gradient.active & ~measurements[0].rule.active,
            drift=measured[0],
            best=self.evaluations,
            validation=None if validation is None else estimator.expectation(validation, theta, info.estimates),
            shots=self._shots + sum(one.num_shots for one in samples),
            distinct=measured[-1].estimates.distinct,
        )
        timing = self._machine.timing(number, time.time() - started, measurements, samples)
        if discarded := max(found.estimates.discarded for found in measured):
            timing |= {"discarded_weight": discarded}
        taken = Taken(step, next_theta, next_state.arrays(), timing, samples, estimator.readout_counts)
        has_fallen = not self._steps or step.best_cost < self._steps[-1].best_cost
        self._recorder.keep(taken, self.evaluations, self.problem, has_fallen=has_fallen)
        self._machine.count(timing, step.shots, step.distinct)
        self._theta, self._state = next_theta, next_state
        self._steps.append(step)
        return step

    @property
    def _shots(self) -> int:
        """The number of shots that the machine has made since the start of the run."""
        return self._steps[-1].shots if self._steps else 0

    @property
    def _distinct(self) -> int:
        """The number of different bitstrings evaluated since the start of the run."""
        return self._steps[-1].distinct if self._steps else 0

    # ------------------------------------------------------------ for those who watch

    @property
    def tell(self) -> Callable[[str], object]:
        """A function that is called with a line of text when a step waits on a QPU; assign another to be informed."""
        return self._machine.tell

    @tell.setter
    def tell(self, listener: Callable[[str], object]) -> None:
        self._machine.tell = listener

    def announcement(self) -> str:
        """What the next steps take: the qubits of a device and the price, and how often a function is evaluated.

        It is empty for other machines and problems, and if no steps are left to make. A machine that is not open is
        opened.

        Raises:
            QhnError: if the machine cannot run the circuit.
            BackendError: if its service cannot be reached.
        """
        if self._reached_end() is not None:
            return ""
        return "\n".join(words for words in (self._machine.announcement(), self._evaluations_words()) if words)

    def _evaluations_words(self) -> str:
        """How often the next step evaluates a function of the user's at most; empty for other problems."""
        if not isinstance(self.problem, BlackBox):
            return ""
        most, known = self._machine.evaluations(len(self._steps), self._state), self._distinct
        so_far = f", {known:,} are known" if known else ""
        return f"{self.problem.name}: the next step evaluates up to {most:,} bitstrings{so_far}"

    def advice(self) -> str:
        """What the user should know of the steps to come, a line each; empty if there is nothing, or no step to come.

        A learning rate that has not fallen when a run ends leaves θ on the way, and gates that share their angles make
        the parameter-shift rule dear.

        Raises:
            QhnError: if the machine cannot run the circuit.
            BackendError: if its service cannot be reached.
        """
        if self._reached_end() is not None:
            return ""
        decay_steps, planned = self.config.train.decay_steps, 0
        if decay_steps is not None:
            planned = self._machine.steps_in_budget(min(self.config.train.steps, decay_steps))
        lines = [advice_on_rate(decay_steps, planned), advice_on_rows(self.config, self.ansatz)]
        return "\n".join(line for line in lines if line)

    def budget_words(self) -> str:
        """The QPU seconds spent, and those left of the budget, in one line; empty on machines other than devices."""
        return self._machine.budget_words()

    def ledger(self) -> Ledger:
        """The QPU seconds, jobs and shots that the run has spent so far, or in a rehearsal would have."""
        return self._machine.ledger()

    def steps(self) -> list[Step]:
        """The complete steps of the run, those on disk included."""
        return list(self._steps)

    def samples(self, step: int) -> Bits:
        """The bits measured at the θ of a step, without those at shifted angles: ``[shots, num_qubits]``.

        Args:
            step: number of the step, from 0.

        Raises:
            QhnError: if they are not kept: a run that is not recorded holds those of its last step alone.
        """
        return self._recorder.samples(step)

    def request_stop(self, outcome: Outcome | None = None) -> None:
        """End the run after the step that is being made, unless its own rules end it there.

        Args:
            outcome: the outcome of the run; ``interrupted`` by default.
        """
        self._requested = outcome or Outcome(Ending.INTERRUPTED, "stopped after a complete step")

    def close(self) -> None:
        """Write the outcome, if there is one, and let other processes write the run; closing twice does no harm."""
        if self._closed:
            return
        self._closed = self._broken = True
        try:
            if self.outcome is not None:
                self._recorder.conclude(self.outcome)
            self._machine.close(self.outcome)
        finally:
            self._open.close()
