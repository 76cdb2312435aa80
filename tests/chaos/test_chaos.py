"""Runs that are killed, cut off, refused and failed; and the checks of them, which must be able to fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from chaos.invariants import INVARIANTS, Scene, broken
from chaos.play import play, quiet_run
from chaos.trouble import ATTEMPT, BILL, POST, RESULTS, Mishap, Trouble, draw
from qhn.backend.events import Entry, Event
from qhn.backend.journal import Journal
from service import Job
from service.service import TOKEN

TROUBLES = {
    "killed": Trouble(
        (
            Mishap("kill", ATTEMPT, 1, 0.2),
            Mishap("hang", POST, 1, fault={"on": POST, "seconds": 0.4}),
            Mishap("kill", POST, 2, 0.05),
            Mishap("kill", RESULTS, 3),
            Mishap("kill", POST, 4, 0.2),
        ),
        {"queue_seconds": 0.2, "job_seconds": 1.7},
        divided=True,
    ),
    "cut off": Trouble(
        (
            Mishap("drop", ATTEMPT, 1, fault={"on": POST}),
            Mishap("truncate", POST, 1, fault={"on": RESULTS}),
            Mishap("refuse", POST, 2, fault={"seconds": 1.0}),
            Mishap("answer", POST, 3, fault={"on": "*jobs*", "seconds": 0.5, "status": 503}),
            Mishap("drop", POST, 3, fault={"on": BILL, "times": 6}),
            Mishap("hang", POST, 4, fault={"on": BILL, "seconds": 0.4}),  # the bill becomes known meanwhile
        ),
        {"billing_seconds": 0.2, "job_seconds": 2.3},
    ),
    "refused": Trouble(
        (
            Mishap("expire", ATTEMPT, 1, 0.6),
            Mishap("pending", POST, 1, fault={"seconds": 0.5}),
            Mishap("usage", POST, 2, fault={"seconds": 0.5}),
            Mishap("internal", POST, 3, fault={"seconds": 0.5}),
        ),
        {"billing_seconds": 1.0, "job_seconds": 2.2},
    ),
    "doubled and failed": Trouble(
        (
            Mishap("accept", ATTEMPT, 1, fault={"on": POST, "times": 2}),
            Mishap("overtime", POST, 2),
            Mishap("fail", POST, 4),
            Mishap("cancel", POST, 5),
        ),
        {"job_seconds": 1.8},
    ),
}


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bool], Scene]:
    """A run of which all holds, by whether its jobs are divided."""
    return cache(lambda divided: quiet_run(tmp_path_factory.mktemp("quiet"), divided))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name != "killed" else []) for name in TROUBLES]
)
def test_a_run_survives(name: str, quiet: Callable[[bool], Scene], tmp_path: Path) -> None:
    trouble = TROUBLES[name]
    found = play(trouble, tmp_path / "round", quiet(trouble.divided).quiet)
    assert not found.complaints, "\n".join([*found.made, *found.complaints])


def test_every_kind_of_trouble_is_drawn_and_drawn_again() -> None:
    drawn = [draw(np.random.default_rng([1, number])) for number in range(100)]
    assert [str(draw(np.random.default_rng([1, number]))) for number in range(100)] == [str(one) for one in drawn]
    kinds = {mishap.kind for one in drawn for mishap in one.mishaps}
    faults = {"answer", "accept", "drop", "hang", "truncate", "fail", "cancel", "overtime", "refuse", "expire"}
    assert kinds == faults | {"kill", "usage", "pending", "internal", "off"}


def add_job(scene: Scene, status: str, seconds: float = 0.0, unheard: str = "", noted: bool = True) -> None:
    """Another job like the first of the steps."""
    service, like = scene.service, scene.service.jobs["job000001"]
    job = Job(f"job{len(service.jobs):06}", like.request, like.created, status=status, seconds=seconds, unheard=unheard)
    service.jobs[job.job_id] = job
    size = {"rows": 25, "shots": 60, "price_seconds": seconds}
    if noted:
        Journal(scene.run / "jobs.jsonl").append(Entry(Event.ADOPTED, tag=job.tags[0], job_id=job.job_id, **size))


def rewrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def flip_a_bit(scene: Scene) -> None:
    path = scene.run / "samples" / "step-000002.npz"
    with np.load(path) as stored:
        arrays = dict(stored)
    arrays["bits"][0, 0, 0] ^= 1
    np.savez(path, **arrays)


BREAKS: list[tuple[int, Callable[[Scene], None]]] = [
    (1, lambda scene: rewrite(scene.run / "timing.jsonl", lambda old: old.replace(b"job000002", b"job000001"))),
    (1, lambda scene: scene.service.jobs["job000001"].end("Cancelled")),
    (1, lambda scene: rewrite(scene.run / "steps.jsonl", lambda old: old[: old.rindex(b'{"step"')])),
    (2, lambda scene: add_job(scene, "Queued")),
    (3, lambda scene: add_job(scene, "Failed", 2.0, noted=False)),
    (3, lambda scene: rewrite(scene.run / "jobs.jsonl", lambda old: old.replace(b"job000001", b"job000017"))),
    (4, flip_a_bit),
    (4, lambda scene: rewrite(scene.run / "evaluations.bin", lambda old: old + b"x")),
    (5, lambda scene: rewrite(scene.folder / "stderr", lambda old: old + TOKEN.encode())),
    (5, lambda scene: rewrite(scene.run / "jobs.jsonl", lambda old: old + scene.service.url.encode())),
    (5, lambda scene: rewrite(scene.folder / "stderr", lambda old: b"Traceback (most recent call last):\nKeyError: 3")),
    (6, lambda scene: add_job(scene, "Completed", 2.0)),
]


def numbers_of(complaints: list[str]) -> set[int]:
    return {int(words.partition(" ")[0]) for words in complaints}


def test_what_does_not_hold_is_noticed(quiet: Callable[[bool], Scene]) -> None:
    scene = quiet(False)
    assert broken(scene) == []
    files = {path: path.read_bytes() for path in scene.folder.rglob("*") if path.is_file()}
    jobs = {name: replace(job) for name, job in scene.service.jobs.items()}
    for case, (number, change) in enumerate([*BREAKS, (0, lambda scene: add_job(scene, "Completed", 2.0, "accept"))]):
        change(scene)
        found = numbers_of(broken(scene))
        assert number in found or (number == 0 and not found), (case, broken(scene))
        for path, content in files.items():
            path.write_bytes(content)
        scene.service.jobs = {name: replace(job) for name, job in jobs.items()}
    assert broken(scene) == []
    assert {number for number, _ in BREAKS} == numbers_of([*INVARIANTS])
