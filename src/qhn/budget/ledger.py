"""Account of the seconds, jobs and shots that a run has spent on a QPU, or would have in a rehearsal, by purpose."""

from __future__ import annotations

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


def ledger(timing: Sequence[Mapping[str, Any]], history: History, shots: int) -> Ledger:
    """The ledger of a run, from its recorded steps and the history of its jobs.

    Args:
        timing: lines of ``timing.jsonl``, one per complete step.
        history: events of the jobs of the run.
        shots: number of shots of all complete steps.

    >>> from qhn.backend.events import Entry, Event
    >>> timing = [{"step": 0, "job_ids": ["a"], "qpu_seconds": 50.0}]
    >>> size = {"rows": 10, "shots": 100, "price_seconds": 52.0}
    >>> jobs = [("qhn:r:0:0", "a"), ("qhn:r:1:0", "b")]
    >>> submitted = [Entry(Event.SUBMITTED, tag=tag, job_id=job_id, **size) for tag, job_id in jobs]
    >>> ledger(timing, History(submitted), 1000).spent
    Amount(seconds=102.0, jobs=2, shots=2000)
    """
    jobs, tested = history.jobs(), {test.job_id for test in history.self_tests()}
    seconds, number = 0.0, 0
    for entry in timing:
        own = [jobs[job_id].billed if job_id in jobs else None for job_id in entry["job_ids"]]
        bills = [bill for bill in own if bill is not None]
        if own and len(bills) == len(own):
            seconds += sum(bills)
        elif own and entry["qpu_seconds"] is not None:
            seconds += entry["qpu_seconds"]
        else:
            seconds += entry.get("price_seconds", 0.0)
        number += len(entry["job_ids"]) or entry.get("price_jobs", 0)
    done = {job_id for entry in timing for job_id in entry["job_ids"]}
    coming = timing[-1]["step"] + 1 if timing else 0
    lost = begun = tests = paid_ahead = NOTHING
    for job_id, job in jobs.items():
        if job_id in done:
            continue
        if job.step is None:
            tests += job.spent
        elif job.is_lost or job.step != coming:
            lost += job.spent
        else:
            begun += job.spent
        if not job.is_lost and (job.step == coming or (job.step is None and job_id not in tested)):
            paid_ahead += job.price
    idle = Amount(sum(session.idle_seconds(jobs.values()) for session in history.sessions().values()))
    return Ledger(Amount(seconds, number, shots), lost, begun, tests, idle, paid_ahead)
