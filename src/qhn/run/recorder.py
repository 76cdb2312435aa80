"""What the loop hands over to be kept: to the record of the run on disk, or, of an unrecorded run, to nobody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

from qhn.arrays import Floats
from qhn.backend import Backend, Journal, Sampler
from qhn.backend.samples import ReadoutCounts, Samples
from qhn.config import RunConfig
from qhn.problem.cost import Problem, TableProblem
from qhn.problem.evaluations import Evaluations
from qhn.run.paid_shots import KeptBackend
from qhn.run.provenance import all_costs, write_best, write_circuit
from qhn.run.record import Checkpoint, Record
from qhn.run.session import Session
from qhn.run.step import Outcome, Step


@dataclass(frozen=True)
class Earlier:
    """What earlier sessions of a run have left.

    Attributes:
        steps: the complete steps.
        timing: what they took, one entry a step.
        checkpoint: where training stood after the last of them; None before the first step.
    """

    steps: Sequence[Step] = ()
    timing: Sequence[dict[str, Any]] = ()
    checkpoint: Checkpoint | None = None


@dataclass(frozen=True)
class Taken:
    """A step that is complete, with everything that a run needs to go on after it.

    Attributes:
        step: what is reported.
        theta: the next angles ``[num_parameters]``.
        optimizer: the arrays of the optimizer's next state, by name.
        timing: what the step took, which is not reproducible.
        samples: the measured bits, one entry an evaluation; none of a machine without shots.
        readout_counts: the readout errors counted so far.
    """

    step: Step
    theta: Floats
    optimizer: dict[str, Any]
    timing: dict[str, Any]
    samples: Sequence[Samples]
    readout_counts: ReadoutCounts | None


class Recorder(Protocol):
    """Where a run is kept.

    Attributes:
        record: the run on disk; None of a run that is not kept.
        journal: where a machine that bills notes its jobs; None of a run that is not kept.
    """

    @property
    def record(self) -> Record | None: ...

    @property
    def journal(self) -> Journal | None: ...

    def hold(self) -> AbstractContextManager[None]:
        """Keep other processes from writing the run."""
        ...

    def adopt(self, config: RunConfig) -> None:
        """Take over the stop rules of a configuration that is otherwise the run's own."""
        ...

    def earlier(self, problem: Problem, evaluations: Evaluations) -> Earlier:
        """What is known of the run; the bitstrings it has evaluated are added to ``evaluations``."""
        ...

    def sessions(self) -> list[Session]:
        """The processes that advanced the run so far."""
        ...

    def keeping(self, backend: Backend) -> Backend:
        """The machine, with what it measures on disk before it is used, if its shots are paid for."""
        ...

    def all_costs(self, problem: Problem) -> Floats | None:
        """C of all bitstrings ``[2**num_qubits]``, kept once computed; None to compute them anew."""
        ...

    def begin_session(self, facts: Callable[[], dict[str, Any]], sampler: Sampler, problem: Problem) -> None:
        """Note which machine makes the next steps, the circuit it runs, and a table of costs that was given.

        Args:
            facts: gives what the record keeps of the machine, as JSON values.
            sampler: the compiled circuit.
            problem: the cost of the bitstrings.
        """
        ...

    def keep(self, taken: Taken, evaluations: Evaluations, problem: Problem, *, has_fallen: bool) -> None:
        """Write a complete step; ``has_fallen`` if its best bitstring is new."""
        ...

    def conclude(self, outcome: Outcome) -> None:
        """Write why the run stopped."""
        ...


class OnDisk:
    """The recorder of a run that is kept in the directory of its record."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.journal = record.journal
        self._is_paid = False  # then its samples are kept as they are measured

    def hold(self) -> AbstractContextManager[None]:
        return self.record.open_for_writing()

    def adopt(self, config: RunConfig) -> None:
        self.record.update_stop_rules(config)

    def earlier(self, problem: Problem, evaluations: Evaluations) -> Earlier:
        steps, checkpoint, timing = self.record.steps(), self.record.checkpoint(), self.record.timing()
        if not steps:
            return Earlier(timing=timing)
        evaluations.add(*self.record.evaluations())
        found = next(step for step in steps if step.best_cost == steps[-1].best_cost)
        if not self.record.holds_best_of(found):  # a killed process may have stopped short of it
            write_best(self.record, problem, found)
        return Earlier(steps, timing, checkpoint)

    def sessions(self) -> list[Session]:
        return self.record.sessions()

    def keeping(self, backend: Backend) -> Backend:
        self._is_paid = backend.paid
        return KeptBackend(backend, self.record) if backend.paid else backend

    def all_costs(self, problem: Problem) -> Floats | None:
        return all_costs(self.record, problem)

    def begin_session(self, facts: Callable[[], dict[str, Any]], sampler: Sampler, problem: Problem) -> None:
        if isinstance(problem, TableProblem):  # it is the data of the run
            all_costs(self.record, problem)
        self.record.append_session(Session.of_this_process(facts()))
        self.record.forget_outcome()
        write_circuit(self.record, sampler.circuit)

    def keep(self, taken: Taken, evaluations: Evaluations, problem: Problem, *, has_fallen: bool) -> None:
        step = taken.step
        if taken.samples and not self._is_paid:
            self.record.write_samples(step.step, Samples(taken.samples[0].bits[:1]))
        self.record.append_timing(taken.timing)
        self.record.append(step, taken.theta, taken.optimizer, evaluations, taken.readout_counts)
        if has_fallen:
            write_best(self.record, problem, step)

    def conclude(self, outcome: Outcome) -> None:
        self.record.write_outcome(outcome)


class Unrecorded:
    """The recorder of a run of which nothing remains: there is nothing earlier, and nothing is written."""

    record = None
    journal = None

    def hold(self) -> AbstractContextManager[None]:
        return nullcontext()

    def adopt(self, config: RunConfig) -> None:
        pass

    def earlier(self, problem: Problem, evaluations: Evaluations) -> Earlier:
        return Earlier()

    def sessions(self) -> list[Session]:
        return []

    def keeping(self, backend: Backend) -> Backend:
        return backend

    def all_costs(self, problem: Problem) -> Floats | None:
        return None

    def begin_session(self, facts: Callable[[], dict[str, Any]], sampler: Sampler, problem: Problem) -> None:
        pass

    def keep(self, taken: Taken, evaluations: Evaluations, problem: Problem, *, has_fallen: bool) -> None:
        evaluations.take_fresh()  # nobody else will, and they would pile up

    def conclude(self, outcome: Outcome) -> None:
        pass
