"""What a run has spent on a QPU, or would have: by its complete steps, and by jobs that led to none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

LOST = ("failed", "cancelled")  # events after which no bits of a job will come


@dataclass(frozen=True)
class Amount:
    """Of a QPU: seconds, jobs, and shots of all circuits.

    >>> Amount(52.0, 1, 1000) + Amount(2.5, 1, 50)
    Amount(seconds=54.5, jobs=2, shots=1050)
    """

    seconds: float = 0.0
    jobs: int = 0
    shots: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.seconds + other.seconds, self.jobs + other.jobs, self.shots + other.shots)

    def beyond(self, other: Amount) -> Amount:
        """What is left of it after another, at least 0 of each."""
        return Amount(
            max(0.0, self.seconds - other.seconds), max(0, self.jobs - other.jobs), max(0, self.shots - other.shots)
        )


@dataclass(frozen=True)
class Ledger:
    """What was spent. Seconds are as billed, or the price where the service did not say; in a rehearsal the price.

    Attributes:
        steps: by complete steps.
        lost: by jobs that led to no step and will not.
        begun: by jobs of the next step whose bits are there or will come.
        paid_ahead: the price of those, which the step need not pay again, whatever they billed.
    """

    steps: Amount
    lost: Amount
    begun: Amount
    paid_ahead: Amount

    @property
    def spent(self) -> Amount:
        """All of it."""
        return self.steps + self.lost + self.begun


def ledger(timing: Sequence[Mapping[str, Any]], journal: Iterable[Mapping[str, Any]], shots: int) -> Ledger:
    """The ledger of a run.

    Args:
        timing: lines of ``timing.jsonl``, of the complete steps.
        journal: lines of ``jobs.jsonl``. The first that has a job's id also has its ``tag``, ``rows``, ``shots`` and
            ``price_seconds``; a later one may say what it billed, as ``qpu_seconds``.
        shots: of the complete steps.

    >>> timing = [{"step": 0, "job_ids": ["a"], "qpu_seconds": 50.0}]
    >>> job = {"event": "submitted", "rows": 10, "shots": 100, "price_seconds": 52.0}
    >>> journal = [job | {"tag": "qhn:r:0:0", "job_id": "a"}, job | {"tag": "qhn:r:1:0", "job_id": "b"}]
    >>> ledger(timing, journal, 1000).spent
    Amount(seconds=102.0, jobs=2, shots=2000)
    """
    seconds, jobs = 0.0, 0
    for entry in timing:
        billed = entry["qpu_seconds"] if entry["job_ids"] else None
        seconds += entry.get("price_seconds", 0.0) if billed is None else billed
        jobs += len(entry["job_ids"]) or entry.get("price_jobs", 0)
    done = {job_id for entry in timing for job_id in entry["job_ids"]}
    coming = timing[-1]["step"] + 1 if timing else 0
    lost = begun = paid_ahead = Amount()
    for job_id, job in _jobs(journal).items():
        if job_id in done:
            continue
        if job.is_lost or job.step != coming:
            lost += job.spent
        else:
            begun += job.spent
            paid_ahead += job.price
    return Ledger(Amount(seconds, jobs, shots), lost, begun, paid_ahead)


@dataclass
class _Job:
    tag: str
    price: Amount
    billed: float | None = None
    is_lost: bool = False

    @property
    def spent(self) -> Amount:
        return self.price if self.billed is None else replace(self.price, seconds=self.billed)

    @property
    def step(self) -> int:
        return int(self.tag.split(":")[2])  # qhn:<run>:<step>:…, see qhn.seeds.Key.tag


def _jobs(journal: Iterable[Mapping[str, Any]]) -> dict[str, _Job]:
    """All jobs that were submitted, by id."""
    jobs: dict[str, _Job] = {}
    for entry in journal:
        job_id, billed = entry.get("job_id"), entry.get("qpu_seconds")
        if job_id is not None and job_id not in jobs:
            if "price_seconds" not in entry:  # a duplicate that was cancelled in the queue
                continue
            jobs[job_id] = _Job(entry["tag"], Amount(entry["price_seconds"], 1, entry["rows"] * entry["shots"]))
        is_lost = entry.get("event") in LOST
        if job_id is not None:
            job = jobs[job_id]
            job.is_lost = is_lost
            job.billed = job.billed if billed is None else billed
        elif is_lost:  # noted before anybody knew an id
            for job in jobs.values():
                job.is_lost |= job.tag == entry["tag"]
    return jobs
