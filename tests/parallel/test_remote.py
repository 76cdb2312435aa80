from __future__ import annotations

import threading
import time
from concurrent.futures import BrokenExecutor
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from qhn import train
from qhn.errors import BusyError
from qhn.parallel import remote
from qhn.parallel.jobs import DIED, WorkersLost, lost_words
from qhn.parallel.remote import Requirements, do_patiently, requirements
from qhn.run.directories import results_directory
from qhn.run.record import lock_of
from qhn.sweep.plan import make_sweep
from qhn.sweep.workers import work

SETTINGS = {"train.backend": "exact", "train.shots": 5, "train.steps": 2, "data.samples": 40}


def test_a_job_waits_for_another_process_that_writes_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As that of a worker which was given up for dead, and is not."""
    monkeypatch.setattr(remote, "SECONDS_BETWEEN_TRIES", 0.01)
    (member,) = make_sweep(experiment="figure-1", seeds=1, set=SETTINGS).members
    directory = tmp_path / member.config.experiment / member.config.run_id
    directory.mkdir(parents=True)
    is_held, is_free, found = threading.Event(), threading.Event(), []

    def hold() -> None:
        with lock_of(directory):
            is_held.set()
            is_free.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    is_held.wait(60)
    with pytest.raises(BusyError, match="is being written by another process"):
        work([member], str(tmp_path))
    job = threading.Thread(target=lambda: found.append(do_patiently(partial(work, [member], str(tmp_path)))))
    job.start()
    time.sleep(0.2)
    assert found == []
    is_free.set()
    holder.join()
    job.join()
    steps = list(train(member.config))
    assert found[0]["mean"][0].tolist() == [step.mean for step in steps]


def test_a_job_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: sum(slept), sleep=slept.append)
    monkeypatch.setattr(remote, "time", clock)
    tries = []

    def busy() -> None:
        tries.append(clock.monotonic())
        raise BusyError("it is being written")

    with pytest.raises(BusyError, match="it is being written"):
        do_patiently(busy)
    assert tries[-2] < remote.SECONDS_FOR_OTHERS <= tries[-1]
    assert set(slept) == {remote.SECONDS_BETWEEN_TRIES}


def test_a_worker_must_have_the_same_versions_and_see_the_results(tmp_path: Path) -> None:
    with requirements(tmp_path / "results") as required:
        assert required.unmet() is None
        assert dict(required.versions).keys() >= {"qhn", "python", "numpy", "qiskit"}
        other = Requirements((("python", "2.7"),))
        assert str(other.unmet()).endswith("not 2.7; start all from one environment")
    assert str(required.unmet()).startswith(f"does not see the directory {tmp_path / 'results'}; give --results")
    assert list(results_directory(tmp_path / "results").iterdir()) == []
    with requirements() as required:
        assert required.unmet() is None


def test_what_is_said_of_lost_workers() -> None:
    assert lost_words(WorkersLost("they left; the same command goes on")) == "they left; the same command goes on"
    assert lost_words(BrokenExecutor("killed")) == f"{DIED}: killed"
