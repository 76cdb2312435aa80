"""Machines whose jobs fail, have odd ids and states, or are divided, and clients that print."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from typing import Any

import numpy as np
import pytest
from qiskit.primitives import BaseSamplerV2
from qiskit.providers import JobStatus
from qiskit_aer import AerSimulator

import qhn
from qhn.backend import BackendError
from qhn.backend.sampler import QuotaError
from qhn.backend.terms import ids_of
from qhn.backend.vendor.client import VendorJob
from qhn.backend.vendor.connection import VendorConnection
from vendors import KEY, SHOTS, Job, Own, bits_of, each, fewer


def raising(error: BaseException) -> Callable[[Callable[[], Any]], Any]:
    def make(_: Callable[[], Any]) -> Any:
        raise error

    return make


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (raising(RuntimeError("no\nroom")), r"the job of qhn:r:test:0 did not end well \(RuntimeError: no room\)"),
        (lambda make: Job(lambda: [][0]), r"the job j1 of qhn:r:test:0 did not end well \(IndexError: list index"),
        (lambda make: None, "its run returned an object of type NoneType, which is no job"),
        (lambda make: make(), "its run returned an object of type Result, which is no job"),
        (lambda make: Job(lambda: None), "the result is of type NoneType, which is none of Qiskit's"),
        (lambda make: Job(lambda: make().to_dict()), "the result is of type dict"),
    ],
    ids=["run", "result", "None", "no job", "no result", "dictionary"],
)
def test_failures_are_told_in_one_line(answer: Callable[..., Any], words: str) -> None:
    with pytest.raises(BackendError, match=words) as caught:
        bits_of(Own(answer=answer))
    assert "\n" not in str(caught.value)


def test_an_error_code_of_ibm_means_nothing_in_the_words_of_another_vendor() -> None:
    with pytest.raises(BackendError, match=r"did not end well \(RuntimeError: error code 4317\)") as caught:
        bits_of(Own(answer=raising(RuntimeError("error code 4317"))))
    assert not isinstance(caught.value, QuotaError)


def test_jobs_of_the_same_id_or_of_none_are_told_apart() -> None:
    """Both parts of a request are submitted before one of them is read."""
    connection = VendorConnection(Own())
    jobs = [
        VendorJob([Job(lambda number=number: number, job_id=name)])
        for number, name in enumerate((None, None, "a", "a"))
    ]
    ids = [connection.remember(job) for job in jobs]
    assert len(set(ids)) == 4
    assert ids[2] == "a"
    assert [connection.result(job_id) for job_id in ids] == [[0], [1], [2], [3]]
    assert bits_of(Own(answer=lambda make: Job(make, job_id=None))).shape == (2, SHOTS, 3)


def test_a_job_that_cannot_tell_its_id_is_waited_for() -> None:
    """It was accepted: to say that it failed would have it submitted, and paid for, once more."""

    class Mute(Job):
        def job_id(self) -> str:
            raise ValueError("no id yet")

    assert bits_of(Own(answer=Mute)).shape == (2, SHOTS, 3)
    connection = VendorConnection(Own(), name="own")
    job_id = connection.remember(VendorJob([Mute(lambda: 5)]))
    assert job_id.startswith("no-id-")
    assert connection.result(job_id) == [5]


def test_ids_with_commas_are_found_again() -> None:
    job = VendorJob([Job(dict, job_id=name) for name in ("a,b", "50%2C", 7)])
    assert ids_of([job.job_id()]) == ["a,b", "50%2C", "7"]


class Word(Enum):
    HAS_ENDED = 3
    DONE = 4


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (JobStatus.RUNNING, "RUNNING"),
        ("completed", "DONE"),
        ("JobStatus.FAILED", "ERROR"),
        ("Canceled", "CANCELLED"),
        (Word.DONE, "DONE"),
        (Word.HAS_ENDED, "HAS_ENDED"),
        ("on the  way", "ON_THE__WAY"),
        (None, "NONE"),
    ],
)
def test_states_of_jobs_in_other_words(status: Any, state: str) -> None:
    assert VendorJob([Job(dict, status=status)]).status() == state


def test_the_job_that_is_least_far_gives_the_state_of_all() -> None:
    jobs = [Job(dict, status=status) for status in (JobStatus.DONE, JobStatus.QUEUED, JobStatus.RUNNING)]
    assert VendorJob(jobs).status() == "QUEUED"


@pytest.mark.parametrize("most", [1, 3, 7, 100, 0, None])
def test_circuits_are_divided_among_jobs_as_the_machine_takes_them(most: int | None) -> None:
    machine = Own(most=most)
    bits = bits_of(machine, rows=7)
    assert bits.shape == (7, SHOTS, 3)
    sizes = [number for number, _ in machine.calls]
    assert sum(sizes) == 4 + 7
    assert max(sizes) <= (most or 7)
    seeds = [options["seed_simulator"] for _, options in machine.calls]
    assert len(set(seeds)) == len(seeds)  # parts with one seed would share their noise


def test_a_limit_of_shots_is_told_in_the_machines_words() -> None:
    class Limited(Own):
        def run(self, circuits: Any, **options: Any) -> Any:
            if options["shots"] > 100:
                raise ValueError("at most 100 shots")
            return super().run(circuits, **options)

    assert bits_of(Limited(), shots=100).shape[1] == 100
    with pytest.raises(BackendError, match="ValueError: at most 100 shots"):
        bits_of(Limited())


@pytest.mark.parametrize("name", [None, "", "../we ird/ü", "two\nlines\x1b[2J", "x" * 500])
def test_names_of_any_characters_are_shown_in_one_line(name: str | None) -> None:
    machine = Own(each(fewer), name=name)
    opened = qhn.open_backend(machine)
    assert opened.name.isprintable()
    assert len(opened.name) <= 120
    with pytest.raises(BackendError, match=re.escape(opened.name)) as caught:
        bits_of(machine)
    assert "\n" not in str(caught.value)


def test_what_a_client_prints_is_no_data(capsys: pytest.CaptureFixture[str]) -> None:
    class Loud(Own):
        def run(self, circuits: Any, **options: Any) -> Any:
            print("submitting")
            return super().run(circuits, **options)

    def loudly(tree: dict[str, Any]) -> dict[str, Any]:
        print("reading")
        return tree

    bits_of(Loud(loudly))
    printed = capsys.readouterr()
    assert printed.out == ""
    assert {"submitting", "reading"} == set(printed.err.split())


def test_results_of_jobs_that_were_read_are_not_held() -> None:
    """Aer's jobs hold their results, which would fill the memory in a long run."""
    machine = qhn.open_backend(AerSimulator())
    circuit = qhn.hypernetwork(2, 1)
    machine.compile(circuit).sample(np.zeros((1, circuit.num_parameters)), 10, KEY)
    assert machine.jobs.connection._known == {}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "machine",
    [3, None, "qiskit", AerSimulator, np, BaseSamplerV2, lambda: AerSimulator()],
    ids=lambda one: type(one).__name__,
)
def test_what_is_no_machine_is_refused(machine: object) -> None:
    with pytest.raises(
        ValueError, match=r"must be a BackendV2 or a V2 sampler of Qiskit, got|unknown backend 'qiskit'"
    ):
        qhn.open_backend(machine)  # type: ignore[arg-type]
