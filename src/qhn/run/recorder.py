"""Recorders, to which the training loop hands each step: one writes a record on disk, one writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

from qhn import bitstrings
from qhn.arrays import Bits, Floats
from qhn.backend import Backend, Journal, Sampler
from qhn.backend.samples import ReadoutCounts, Samples
from qhn.config import RunConfig
from qhn.errors import QhnError
from qhn.problem.cost import Problem
from qhn.problem.evaluations import Evaluations
from qhn.run.checkpoint import Checkpoint
from qhn.run.paid_shots import KeptBackend
from qhn.run.provenance import all_costs, write_best, write_circuit, write_problem
from qhn.run.record import Record
from qhn.run.session import Session
from qhn.run.step import Outcome, Step


@dataclass(frozen=True)
class Earlier:
    """The state in which earlier sessions left a run.

    Attributes:
        steps: the complete steps.
        timing: the entries of ``timing.jsonl`` about them.
        checkpoint: where training stood after the last of them; None before the first step.
    """

    steps: Sequence[Step] = ()
    timing: Sequence[dict[str, Any]] = ()
    checkpoint: Checkpoint | None = None


@dataclass(frozen=True)
class Taken:
    """A step that is complete, with everything that a run needs to go on after it.

    Attributes:
        step: the step as it is reported.
        theta: the angles of the next step in radians, ``[num_parameters]``.
        optimizer: the arrays of the strategy's state after the step, by name.
        timing: the entry of the step for ``timing.jsonl``.
        samples: the measured bits, one entry per evaluation; empty if no shots are taken.
        readout_counts: the readout errors counted so far; None if they are not counted.
    """

    step: Step
    theta: Floats
    optimizer: dict[str, Any]
    timing: dict[str, Any]
    samples: Sequence[Samples]
    readout_counts: ReadoutCounts | None


class Recorder(Protocol):
    """The protocol by which the training loop keeps a run, and finds again what is kept of it."""

    @property
    def record(self) -> Record | None:
        """The record of the run on disk; None for a run that is not recorded."""
        ...

    @property
    def journal(self) -> Journal | None:
        """The journal in which a machine that bills notes its jobs; None for a run that is not recorded."""
        ...

    def hold(self) -> AbstractContextManager[None]:
        """A context in which no other process can write the run.

        Raises:
            RecordError: if another process is writing the run, or its files are damaged.
        """
        ...

    def adopt(self, config: RunConfig) -> None:
        """Take over the stop rules of a configuration that otherwise equals that of the run."""
        ...

    def earlier(self, problem: Problem, evaluations: Evaluations) -> Earlier:
        """The state in which earlier sessions left the run.

        Args:
            problem: the problem of the run.
            evaluations: the evaluated bitstrings, to which those of earlier sessions are added.

        Raises:
            RecordError: if the record is damaged.
        """
        ...

    def sessions(self) -> list[Session]:
        """The sessions of the run so far: the processes that advanced it, the oldest first."""
        ...

    def keeping(self, backend: Backend) -> Backend:
        """The machine; if its shots are paid for, wrapped so that measured bits are on disk before they are used."""
        ...

    def all_costs(self, problem: Problem) -> Floats | None:
        """The costs C of all bitstrings, ``[2**num_qubits]``; None if the recorder keeps no table of them."""
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
        """Keep a complete step.

        Args:
            taken: the step, with everything that the run needs to go on.
            evaluations: all evaluations so far; those not kept yet are taken from it.
            problem: the problem of the run.
            has_fallen: whether the best bitstring so far was found in this step.
        """
        ...

    def samples(self, step: int) -> Bits:
        """The bits measured at the θ of a complete step, ``[shots, num_qubits]``.

        Args:
            step: number of the step, from 0.

        Raises:
            QhnError: if they are not kept.
        """
        ...

    def conclude(self, outcome: Outcome) -> None:
        """Keep why the run stopped."""
        ...


class OnDisk:
    """The recorder of a run that is kept on disk; its methods are those of :class:`Recorder`.

    Args:
        record: the record of the run.

    Attributes:
        record: the record of the run.
        journal: the journal of the run's jobs.
    """

    def __init__(self, record: Record) -> None:
        self.record = record
        self.journal = record.journal
        self._is_paid = False  # then its samples are kept as they are measured

    def hold(self) -> AbstractContextManager[None]:
        """A context in which no other process can write the record.

        Raises:
            RecordError: if another process is writing the run, or its files are damaged.
        """
        return self.record.open_for_writing()

    def adopt(self, config: RunConfig) -> None:
        """Write the stop rules of a configuration to the record."""
        self.record.update_stop_rules(config)

    def earlier(self, problem: Problem, evaluations: Evaluations) -> Earlier:
        """The state that the record holds; files of the best bitstring that a killed process left out are written."""
        steps, checkpoint, timing = self.record.steps(), self.record.checkpoint(), self.record.timing()
        if not steps:
            return Earlier(timing=timing)
        evaluations.add(*self.record.evaluations())
        found = next(step for step in steps if step.best_cost == steps[-1].best_cost)
        if not self.record.holds_best_of(found):  # a killed process may have stopped short of it
            write_best(self.record, problem, found)
        return Earlier(steps, timing, checkpoint)

    def sessions(self) -> list[Session]:
        """The sessions that the record holds, the oldest first."""
        return self.record.sessions()

    def keeping(self, backend: Backend) -> Backend:
        """The machine; if its shots are paid for, wrapped so that the record stores measured bits before their use."""
        self._is_paid = backend.paid
        return KeptBackend(backend, self.record) if backend.paid else backend

    def all_costs(self, problem: Problem) -> Floats | None:
        """The costs C of all bitstrings, ``[2**num_qubits]``, from the record or computed and stored there."""
        return all_costs(self.record, problem)

    def begin_session(self, facts: Callable[[], dict[str, Any]], sampler: Sampler, problem: Problem) -> None:
        """Write the session, its circuit, and a problem that was given as data; remove the outcome."""
        write_problem(self.record, problem)
        circuit = write_circuit(self.record, sampler.circuit)
        self.record.append_session(Session.of_this_process(facts(), circuit))
        self.record.forget_outcome()

    def keep(self, taken: Taken, evaluations: Evaluations, problem: Problem, *, has_fallen: bool) -> None:
        """Write a complete step: bits measured at θ, timing, evaluations, step, checkpoint, and a new best bitstring.

        Bits that were paid for are in the record already.
        """
        step = taken.step
        if taken.samples and not self._is_paid:
            self.record.write_samples(step.step, Samples(taken.samples[0].measured[:1]))
        self.record.append(step, taken.theta, taken.optimizer, evaluations, taken.timing, taken.readout_counts)
        if has_fallen:
            write_best(self.record, problem, step)

    def samples(self, step: int) -> Bits:
        """The bits measured at the θ of a step, from the record: ``[shots, num_qubits]``."""
        return self.record.samples(step)

    def conclude(self, outcome: Outcome) -> None:
        """Write why the run stopped to the record."""
        self.record.write_outcome(outcome)


class Unrecorded:
    """The recorder of a run that is not recorded: nothing is written, and the bits of the last step are held in memory.

    Its methods are those of :class:`Recorder`.

    Attributes:
        record: None, since nothing is recorded.
        journal: None, since nothing is recorded.
    """

    record = None
    journal = None

    def __init__(self) -> None:
        self._last: dict[int, Bits] = {}

    def hold(self) -> AbstractContextManager[None]:
        """A context that does nothing, since no other process knows the run."""
        return nullcontext()

    def adopt(self, config: RunConfig) -> None:
        """Do nothing, since there is no record with stop rules."""

    def earlier(self, problem: Problem, evaluations: Evaluations) -> Earlier:
        """The state of a run before its first step."""
        return Earlier()

    def sessions(self) -> list[Session]:
        """No sessions, since none are recorded."""
        return []

    def keeping(self, backend: Backend) -> Backend:
        """The machine itself."""
        return backend

    def all_costs(self, problem: Problem) -> Floats | None:
        """None, since no table of costs is kept."""
        return None

    def begin_session(self, facts: Callable[[], dict[str, Any]], sampler: Sampler, problem: Problem) -> None:
        """Do nothing, since sessions are not recorded."""

    def keep(self, taken: Taken, evaluations: Evaluations, problem: Problem, *, has_fallen: bool) -> None:
        """Hold the bits measured at θ in place of those of the step before, and discard what waits to be written."""
        evaluations.take_fresh()  # nobody else will, and they would pile up
        self._last = {}
        if taken.samples:
            self._last[taken.step.step] = bitstrings.to_bits(taken.samples[0].measured[:1])[0].copy()

    def samples(self, step: int) -> Bits:
        """The bits measured at the θ of the last step, ``[shots, num_qubits]``; those of earlier steps are gone."""
        if step not in self._last:
            raise QhnError(f"the bits of step {step} are gone: a run that is not recorded holds those of its last step")
        return self._last[step]

    def conclude(self, outcome: Outcome) -> None:
        """Do nothing, since outcomes are not recorded."""
