"""Machines that answer wrongly, or not at all: bits that were not measured are never used."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from typing import Any

import numpy as np
import pytest
from qiskit.primitives import (
    BackendSamplerV2,
    BaseSamplerV2,
    BitArray,
    DataBin,
    PrimitiveResult,
    PubResult,
    StatevectorSampler,
)
from qiskit.providers import JobStatus
from qiskit_aer import AerSimulator

import qhn
from qhn.backend import BackendError
from qhn.backend.terms import ids_of
from qhn.backend.vendor.client import VendorJob
from qhn.backend.vendor.connection import VendorConnection
from qhn.seeds import Key
from vendors import Job, Own

KEY, SHOTS = Key(3, run="r"), 200


def bits_of(machine: object, num_qubits: int = 3, rows: int = 2, shots: int = SHOTS) -> np.ndarray:
    """The bits of a few random angles on a machine."""
    circuit = qhn.hypernetwork(num_qubits, 1)
    thetas = np.random.default_rng(1).uniform(-3, 3, (rows, circuit.num_parameters))
    return qhn.open_backend(machine).compile(circuit).sample(thetas, shots, KEY).bits


def each(change: Callable[[dict[str, Any], int], object]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A change of the entry of each circuit."""

    def of_all(tree: dict[str, Any]) -> dict[str, Any]:
        for number, entry in enumerate(tree["results"]):
            change(entry, number)
        return tree

    return of_all


def only_counts(entry: dict[str, Any], number: int) -> None:
    del entry["data"]["memory"]


def without_header(entry: dict[str, Any], number: int) -> None:
    only_counts(entry, number)
    del entry["header"]


def in_floats(entry: dict[str, Any], number: int) -> None:
    only_counts(entry, number)
    entry["data"]["counts"] = {text: float(count) for text, count in entry["data"]["counts"].items()}


@pytest.mark.parametrize("change", [only_counts, without_header, in_floats])
def test_counts_are_as_good_as_single_shots(change: Callable[..., object]) -> None:
    """In any order; a number without a header has all bits that were asked for."""
    single, counted = bits_of(Own()), bits_of(Own(each(change)))
    assert counted.shape == single.shape == (2, SHOTS, 3)
    weights = 1 << np.arange(3)
    for one, other in zip(single @ weights, counted @ weights, strict=True):
        assert np.bincount(one, minlength=8).tolist() == np.bincount(other, minlength=8).tolist()
    assert (bits_of(Own(each(change))) == counted).all()


def probabilities(entry: dict[str, Any], number: int) -> None:
    only_counts(entry, number)
    total = sum(entry["data"]["counts"].values())
    entry["data"]["counts"] = {text: count / total for text, count in entry["data"]["counts"].items()}


def negative(entry: dict[str, Any], number: int) -> None:
    only_counts(entry, number)
    entry["data"]["counts"] = {text: -count for text, count in entry["data"]["counts"].items()}


def fewer(entry: dict[str, Any], number: int) -> None:
    entry["data"]["memory"] = entry["data"]["memory"][:70]


def uneven(entry: dict[str, Any], number: int) -> None:
    entry["data"]["memory"] += entry["data"]["memory"][:number]


def wide(entry: dict[str, Any], number: int) -> None:
    entry["data"]["memory"] = [hex(int(shot, 16) | 8) for shot in entry["data"]["memory"]]


def wide_counts(entry: dict[str, Any], number: int) -> None:
    without_header(entry, number)
    entry["data"]["counts"] = {hex(int(text, 16) | 8): count for text, count in entry["data"]["counts"].items()}


def other_register(entry: dict[str, Any], number: int) -> None:
    entry["header"] |= {"memory_slots": 4, "creg_sizes": [["meas", 4]]}


def empty(entry: dict[str, Any], number: int) -> None:
    entry["data"] = {}


def failed(entry: dict[str, Any], number: int) -> None:
    entry |= {"success": number != 1, "status": "no\nhelium"}


def of_job(**values: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda tree: tree | values


def without_last(tree: dict[str, Any]) -> dict[str, Any]:
    return tree | {"results": tree["results"][:-1]}


def with_more(tree: dict[str, Any]) -> dict[str, Any]:
    return tree | {"results": [*tree["results"], tree["results"][0]]}


WRONG = {
    "probabilities": (each(probabilities), "counts of circuit 0 are no whole numbers, but probabilities or negative"),
    "negative": (each(negative), "counts of circuit 0 are no whole numbers"),
    "fewer": (each(fewer), "asked for 100 shots of circuit 0, got 70"),
    "uneven": (each(uneven), "the circuits of one call have 100 to 103 shots; all must have as many"),
    "wide": (each(wide), "asked for 3 bits of circuit 0, got 4"),
    "wide counts": (each(wide_counts), r"asked for bitstrings of 3 bits, got '1\d\d\d'"),
    "register": (each(other_register), "asked for 3 bits of circuit 0, got 4"),
    "empty": (each(empty), "circuit 0 has neither single shots nor counts"),
    "circuit failed": (each(failed), r"CircuitsFailed: circuit 1: no\\nhelium"),
    "job failed": (of_job(success=False, status="cold"), "CircuitsFailed: cold"),
    "lost": (without_last, "asked for the bits of 4 circuits, got those of 3"),
    "more": (with_more, "asked for the bits of 4 circuits, got those of 5"),
    "none": (of_job(results=[]), "asked for the bits of 4 circuits, got those of 0"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_other_bits_than_asked_for_are_refused(kind: str) -> None:
    change, words = WRONG[kind]
    with pytest.raises(BackendError, match=words):
        bits_of(Own(change))


def test_a_few_more_shots_are_taken_as_they_are() -> None:
    assert bits_of(Own(each(lambda entry, number: entry["data"]["memory"].append("0x0")))).shape == (2, SHOTS + 1, 3)


def reverse(entry: dict[str, Any], number: int) -> None:
    width = entry["header"]["memory_slots"]
    shots = [int(f"{int(shot, 16):0{width}b}"[::-1], 2) for shot in entry["data"]["memory"]]
    entry["data"]["memory"] = [hex(shot) for shot in shots]


class Swapping(Own):
    """It binds the first angle where the last one should be."""

    def run(self, circuits: Any, **options: Any) -> Any:
        changed = []
        for circuit in circuits:
            turned = [place for place, one in enumerate(circuit.data) if one.operation.params]
            first, last = turned[0], turned[-1]
            circuit = circuit.copy()
            one, other = circuit.data[first], circuit.data[last]
            circuit.data[first] = one.replace(params=other.operation.params)
            circuit.data[last] = other.replace(params=one.operation.params)
            changed.append(circuit)
        return super().run(changed, **options)


@pytest.mark.parametrize("num_qubits", [1, 2, 3])
def test_reversed_bits_and_zeros_do_not_pass_the_self_test(num_qubits: int) -> None:
    if num_qubits > 1:
        with pytest.raises(BackendError, match=r"did not pass the self-test .* bits come back in reverse order"):
            bits_of(Own(each(reverse)), num_qubits)
    zeros = Own(each(lambda entry, number: entry["data"].update(memory=["0x0"] * len(entry["data"]["memory"]))))
    with pytest.raises(BackendError, match=r"did not pass the self-test .* every bit comes back as 0"):
        bits_of(zeros, num_qubits)


def test_swapped_angles_do_not_pass_the_self_test() -> None:
    with pytest.raises(BackendError, match="did not pass the self-test"):
        bits_of(Swapping(), 4)


def test_qiskits_sampler_over_a_backend_of_counts_does_not_pass() -> None:
    """It makes zeros of what it does not find."""
    with pytest.raises(BackendError, match="every bit comes back as 0"):
        bits_of(BackendSamplerV2(backend=Own(each(only_counts))))


class Sampler(BaseSamplerV2):
    """A sampler that changes what Qiskit's returns."""

    def __init__(self, change: Callable[[np.ndarray], Any], register: str = "meas", lose: int = 0) -> None:
        self.change, self.register, self.lose = change, register, lose

    def run(self, pubs: Any, *, shots: int | None = None) -> Any:
        found = StatevectorSampler(seed=1).run(pubs, shots=shots).result()
        results = []
        for one in list(found)[self.lose :]:
            data = self.change(one.data.meas)
            results.append(PubResult(DataBin(**{self.register: data}, shape=one.data.shape)))
        return Job(lambda: PrimitiveResult(results))


def test_registers_of_any_one_name_are_read() -> None:
    assert (bits_of(Sampler(lambda bits: bits, register="c")) == bits_of(Sampler(lambda bits: bits))).all()


@pytest.mark.parametrize(
    ("sampler", "words"),
    [
        (Sampler(lambda bits: bits.array), "the bits are ndarray, not a BitArray"),
        (Sampler(lambda bits: bits.slice_shots(range(50))), r"asked for bits \[4, 100, 3\], got \[4, 50, 3\]"),
        (Sampler(lambda bits: bits.slice_bits([0, 1])), r"asked for bits \[4, 100, 3\], got \[4, 100, 2\]"),
        (Sampler(lambda bits: bits.reshape(2, 2)), "does not lead with the shape"),
        (Sampler(lambda bits: bits, lose=1), "asked for the bits of 1 PUBs, got those of 0"),
        (
            Sampler(lambda bits: BitArray(np.zeros_like(bits.array), bits.num_bits)),
            "every bit comes back as 0",
        ),
    ],
    ids=["array", "shots", "bits", "rows", "pubs", "zeros"],
)
def test_a_sampler_that_returns_wrong_shapes_is_refused(sampler: Sampler, words: str) -> None:
    with pytest.raises(BackendError, match=words):
        bits_of(sampler)


class TwoRegisters(BaseSamplerV2):
    def run(self, pubs: Any, *, shots: int | None = None) -> Any:
        found = StatevectorSampler(seed=1).run(pubs, shots=shots).result()[0].data.meas
        halves = {"a": found.slice_bits([0]), "b": found.slice_bits([1, 2])}
        return Job(lambda: PrimitiveResult([PubResult(DataBin(**halves, shape=found.shape))]))


def test_bits_in_several_registers_are_refused() -> None:
    with pytest.raises(BackendError, match="the bits have the registers a, b, not meas"):
        bits_of(TwoRegisters())


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
