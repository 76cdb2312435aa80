"""What holds after every run, whatever went wrong in it."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qhn.errors import RecordError, RecordWarning
from qhn.run.training import resume
from service import CRN, Job, Service
from service.jobs import FINAL, OVERTIME
from service.service import TOKEN

ACCEPTED = ("submitted", "adopted", "duplicate")  # events that state a job and its price


@dataclass(frozen=True)
class Scene:
    """What is left of a run that is done.

    Attributes:
        folder: all that the runner wrote, its output included.
        run: the run's directory therein.
        service: that it used, where all is well by now.
        steps: that were asked for.
        quiet: :func:`measured` by a run without trouble.
    """

    folder: Path
    run: Path
    service: Service
    steps: int
    quiet: dict[str, bytes]

    @property
    def jobs(self) -> list[Job]:
        """Of the run, the oldest first."""
        return [job for job in self.service.jobs.values() if _tag(job).startswith(f"qhn:{self.run.name}:")]

    @property
    def doubles(self) -> Counter[str]:
        """Completed jobs beyond the first, by evaluation."""
        completed = Counter(_tag(job) for job in self.jobs if job.status == "Completed")
        return Counter({tag: count - 1 for tag, count in completed.items() if count > 1})


def broken(scene: Scene) -> list[str]:
    """What does not hold, in words, each with the name of the invariant."""
    return [f"{name}: {words}" for name, check in INVARIANTS.items() for words in check(scene)]


def measured(run: Path) -> dict[str, bytes]:
    """What must not depend on trouble: steps, evaluations, and the bits of all samples without their jobs' ids."""
    found = {name: (run / name).read_bytes() for name in ("steps.jsonl", "evaluations.bin")}
    for path in sorted((run / "samples").iterdir()):
        with np.load(path) as stored:
            bits = stored["bits"]
            found[f"samples/{path.name}"] = f"{bits.shape} {stored['digest']}".encode() + bits.tobytes()
    return found


def _every_evaluation_is_used_once(scene: Scene) -> Iterator[str]:
    steps = [line["step"] for line in _lines(scene.run / "steps.jsonl")]
    if steps != list(range(scene.steps)):
        yield f"steps.jsonl has the steps {steps}, not {scene.steps}"
    timing = _lines(scene.run / "timing.jsonl")
    if [line["step"] for line in timing] != steps:
        yield f"timing.jsonl has the steps {[line['step'] for line in timing]}, steps.jsonl {steps}"
    used = Counter(job_id for line in timing for job_id in line["job_ids"])
    if twice := [job_id for job_id, count in used.items() if count > 1]:
        yield f"{', '.join(twice)} used more than once"
    for line in timing:
        jobs = [scene.service.jobs.get(job_id) for job_id in line["job_ids"]]
        if not jobs or None in jobs:
            yield f"step {line['step']} names {line['job_ids'] or 'no jobs'}, not all of which the service knows"
            continue
        tags = [_tag(job) for job in jobs]
        if len(set(tags)) < len(tags) or any(_step(tag) != line["step"] for tag in tags):
            yield f"step {line['step']} is made of jobs with the tags {', '.join(tags)}"
        if bad := [f"{job.job_id} {job.status}" for job in jobs if job.status != "Completed"]:
            yield f"step {line['step']} uses {', '.join(bad)}"


def _nothing_is_left(scene: Scene) -> Iterator[str]:
    if left := [f"{job.job_id} {job.status}" for job in scene.service.jobs.values() if job.status not in FINAL]:
        yield f"{', '.join(left)} on the service after the end"


def _every_second_is_in_the_ledger(scene: Scene) -> Iterator[str]:
    try:
        training = resume(scene.run)
    except (RecordError, RecordWarning) as error:
        yield str(error)
        return
    training.close()
    journal = _lines(scene.run / "jobs.jsonl")
    prices = {entry["job_id"]: entry.get("price_seconds", 0.0) for entry in journal if entry["event"] in ACCEPTED}
    low = {job.job_id: prices.get(job.job_id, 0.0) for job in scene.jobs if job.code == OVERTIME}  # for a day
    spent = training.ledger().spent.seconds
    billed = sum(max(job.seconds, low.get(job.job_id, 0.0)) for job in scene.jobs)
    if abs(spent - billed) > 1e-6:
        events = defaultdict(list)
        for entry in journal:
            seconds = entry.get("qpu_seconds")
            events[entry.get("job_id")].append(entry["event"] + ("" if seconds is None else f" {seconds:.3f}"))
        known = [
            f"{job.job_id} {_tag(job)} {job.status} {job.seconds:.3f} s{job.unheard and f' ({job.unheard})'}: "
            f"{', '.join(events[job.job_id]) or 'not in jobs.jsonl'}"
            for job in scene.jobs
        ]
        yield f"{billed:.3f} s are to be counted, the ledger says {spent:.3f}: " + "".join(
            f"\n      {job}" for job in known
        )
    noted = {entry["job_id"] for entry in journal if entry.get("job_id")}
    if unknown := noted - set(scene.service.jobs):
        yield f"jobs.jsonl has {', '.join(sorted(unknown))}, which the service does not know"
    if missing := [job.job_id for job in scene.jobs if job.seconds and job.job_id not in noted]:
        yield f"jobs.jsonl lacks {', '.join(missing)}, which billed seconds"


def _it_is_the_quiet_run(scene: Scene) -> Iterator[str]:
    found = measured(scene.run)
    if different := [name for name in found.keys() | scene.quiet if found.get(name) != scene.quiet.get(name)]:
        yield f"{', '.join(sorted(different))} differ from the quiet run's"


def _nothing_secret_is_written(scene: Scene) -> Iterator[str]:
    secrets = {"the key": TOKEN, "the CRN": CRN, "the address": "127.0.0.1", "the port": scene.service.url[-6:]}
    for path in sorted(scene.folder.rglob("*")):
        content = path.read_bytes() if path.is_file() else b""
        if found := [name for name, secret in secrets.items() if secret.encode() in content]:
            yield f"{path.relative_to(scene.folder)} holds {' and '.join(found)}"
    for name in ("stdout", "stderr"):
        lines = (scene.folder / name).read_text().splitlines()
        if "Traceback (most recent call last):" in lines:
            yield f"a traceback in {name}, which ends with {lines[-1]!r}"


def _doubles_are_explained(scene: Scene) -> Iterator[str]:
    """The client submits again when a 502 answers a job that was accepted; jobs lost in any other way are adopted."""
    unheard = Counter(_tag(job) for job in scene.jobs if job.unheard == "accept")
    for tag, count in scene.doubles.items():
        if count > unheard[tag]:
            yield f"{tag} was completed {count + 1} times, {unheard[tag]} of its jobs were answered with an error"


INVARIANTS: dict[str, Callable[[Scene], Iterator[str]]] = {
    "1 every evaluation is used once": _every_evaluation_is_used_once,
    "2 nothing is left": _nothing_is_left,
    "4 the same as the quiet run": _it_is_the_quiet_run,
    "5 nothing secret, no traceback": _nothing_secret_is_written,
    "6 doubles are explained": _doubles_are_explained,
    "3 every second is in the ledger": _every_second_is_in_the_ledger,  # last: it opens the run, which mends its files
}


def _tag(job: Job) -> str:
    """``qhn:<run>:<step>:<evaluation>``; empty if it has none."""
    return next((tag for tag in job.tags if tag.startswith("qhn:")), "")


def _step(tag: str) -> int | None:
    """The step that a tag names; None of a test of the device."""
    step = tag.split(":")[2]
    return int(step) if step.isdecimal() else None


def _lines(path: Path) -> list[dict[str, Any]]:
    """Lines of JSON; one torn by a kill is left out, as the program does."""
    found = []
    for line in path.read_text().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found
