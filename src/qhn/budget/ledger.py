"""Account of the seconds, jobs and shots that a run has spent on a QPU, or would have in a rehearsal, by purpose."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qhn.backend.history import History
from qhn.backend.terms import Amount

NOTHING = Amount()


@dataclass(frozen=True)
class Ledger:
    """Seconds, jobs and shots that a run has spent on a QPU, by purpose.

    Seconds are those billed, or the forecast where the service reported none; in a rehearsal they are the forecast.

    Attributes:
        steps: spending of the complete steps.
        lost: spending of jobs that led to no step and never will, such as failed ones.
        begun: spending of submitted jobs of the next step whose bits are there or will come.
        tests: spending of self-tests of the device.
        idle: seconds that sessions were billed beyond their jobs.
        paid_ahead: forecast price of the jobs in ``begun`` and of unfinished self-tests, which the next step does not
            pay again.
    """

    steps: Amount
    lost: Amount = NOTHING
    begun: Amount = NOTHING
    tests: Amount = NOTHING
    idle: Amount = NOTHING
    paid_ahead: Amount = NOTHING

    @property
    def spent(self) -> Amount:
        """The sum over all purposes."""
        return self.steps + self.lost + self.begun + self.tests + self.idle


def ledger(num_steps: int, timing: Sequence[Mapping[str, Any]], history: History, shots: int) -> Ledger:
    """The ledger of a run, from its recorded steps and the history of its jobs.

    What jobs took, and which of them the next step will use, follows from the history and the number of steps alone.

    Args:
        num_steps: number of complete steps.
        timing: lines of ``timing.jsonl`` about complete steps, which give the price of a rehearsal.
        history: events of the jobs of the run.
        shots: number of shots of all complete steps.

    >>> from qhn.backend.events import Entry, Event
    >>> timing = [{"step": 0, "job_ids": ["a"], "qpu_seconds": 50.0}]
    >>> size = {"rows": 10, "shots": 100, "price_seconds": 52.0}
    >>> jobs = [("qhn:r:0:0", "a"), ("qhn:r:1:0", "b")]
    >>> submitted = [Entry(Event.SUBMITTED, tag=tag, job_id=job_id, **size) for tag, job_id in jobs]
    >>> ledger(1, timing, History(submitted), 1000).spent
    Amount(seconds=104.0, jobs=2, shots=2000)
    """
    jobs, tested = history.jobs(), {test.job_id for test in history.self_tests()}
    steps = Amount(shots=shots)
    for entry in timing:
        if not entry["job_ids"] or not all(job_id in jobs for job_id in entry["job_ids"]):
            steps += _noted(entry)
    used = {job_id for entry in timing for job_id in entry["job_ids"]}
    lost = begun = tests = paid_ahead = NOTHING
    for job_id, job in jobs.items():
        if job.step is None:
            tests += job.spent
        elif job_id in used or job.is_used_by(num_steps):
            steps += dataclasses.replace(job.spent, shots=0)  # they are among those of the steps
        elif job.is_lost or job.step != num_steps:
            lost += job.spent
        else:
            begun += job.spent
        if not job.is_lost and (job.step == num_steps or (job.step is None and job_id not in tested)):
            paid_ahead += job.price
    idle = Amount(sum(session.idle_seconds(jobs.values()) for session in history.sessions().values()))
    return Ledger(steps, lost, begun, tests, idle, paid_ahead)


def _noted(entry: Mapping[str, Any]) -> Amount:
    """What a line of ``timing.jsonl`` says that a step took; its price if it has no jobs, or no bill."""
    number, billed = len(entry["job_ids"]), entry["qpu_seconds"]
    if number and billed is not None:
        return Amount(billed, number)
    return Amount(entry.get("price_seconds") or 0.0, number or entry.get("price_jobs") or 0)
