"""A round: one run, resumed until it is done, and what does not hold then."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from service import Service

from .invariants import Scene, broken, measured
from .runner import start
from .trouble import STEPS, Trouble, Weather, draw

RUN = (
    f"run figure-1 --backend ibm_manila --layers 1 --shots 60 --steps {STEPS} --quiet --results results "
    "--set data.samples=40 --set data.validation_samples=30 --set train.max_qpu_seconds=100000"
).split()
RESUME = ["resume", "--quiet", "--results", "results"]
LOOK = ["jobs", "--results", "results"]
DONE, HUNG = 0, None  # exit codes
RESUMED = (3, 4, -9)  # the account has nothing left, the service failed, killed; after any other the run is given up
MOST_ATTEMPTS = 60
LONGEST_ATTEMPT = 180.0  # seconds


@dataclass(frozen=True)
class Round:
    """How a round went.

    Attributes:
        made: the trouble that came to pass.
        exits: codes of all attempts.
        jobs: on the service.
        doubles: completed jobs beyond the first of an evaluation.
        billed: QPU seconds.
        seconds: that it took.
        complaints: what does not hold; empty if all is well.
    """

    made: tuple[str, ...]
    exits: tuple[int | None, ...]
    jobs: int
    doubles: int
    billed: float
    seconds: float
    complaints: tuple[str, ...]


def trouble_of(seed: int, number: int) -> Trouble:
    """The trouble of a round."""
    return draw(np.random.default_rng([seed, number]))


def stand_in(trouble: Trouble) -> Service:
    """A service with the conditions of a round."""
    return Service(["fake_manila"], **trouble.conditions)


def quiet_run(folder: Path, divided: bool = False) -> Scene:
    """What a run without trouble leaves, its service closed.

    Raises:
        RuntimeError: if not even that is done at once.
    """
    trouble = Trouble(divided=divided)
    with stand_in(trouble) as service:
        exits = attempts(service, Weather(trouble, service), folder)
    if exits != [DONE]:
        raise RuntimeError(f"a run without trouble ended with {exits}: {_last_line(folder)}")
    return Scene(folder, run_in(folder), service, STEPS, measured(run_in(folder)))


def play(trouble: Trouble, folder: Path, quiet: dict[str, bytes]) -> Round:
    """A round with this trouble, in a folder of its own; ``quiet`` is what a quiet run measured."""
    began = time.monotonic()
    with stand_in(trouble) as service:
        weather = Weather(trouble, service)
        exits = attempts(service, weather, folder)
        weather.clear()
        if exits[-1] != DONE:
            doubles, complaints = 0, [f"the run is not done after the exit codes {exits}: {_last_line(folder)}"]
        else:
            attempts(service, weather, folder, LOOK)  # which notes bills that were not known then
            scene = Scene(folder, run_in(folder), service, STEPS, quiet)
            doubles, complaints = scene.doubles.total(), broken(scene)
        billed = sum(job.seconds for job in service.jobs.values())
        seconds = time.monotonic() - began
        return Round(tuple(weather.made), tuple(exits), len(service.jobs), doubles, billed, seconds, tuple(complaints))


def attempts(service: Service, weather: Weather, folder: Path, again: list[str] = RESUME) -> list[int | None]:
    """Run, then resume (or ``again``) until it is done or fails as it should not; the exit codes of all attempts."""
    exits: list[int | None] = []
    while len(exits) < MOST_ATTEMPTS and set(exits) <= set(RESUMED):
        folder.mkdir(parents=True, exist_ok=True)
        words = again if any(folder.glob("results/*/*/config.json")) else RUN
        process = start(words, service.environment, folder, weather.trouble.divided)
        deadline = time.monotonic() + LONGEST_ATTEMPT
        try:
            while process.is_alive() and time.monotonic() < deadline:
                weather.change(len(exits) + 1, process)
                time.sleep(0.005)
            exits.append(HUNG if process.is_alive() else process.exitcode)
        finally:
            process.kill()
            process.join()
            process.close()
    return exits


def run_in(folder: Path) -> Path:
    """The directory of the run."""
    (config,) = folder.glob("results/*/*/config.json")
    return config.parent


def _last_line(folder: Path) -> str:
    lines = (folder / "stderr").read_text().splitlines()
    return lines[-1] if lines else "no word in stderr"
