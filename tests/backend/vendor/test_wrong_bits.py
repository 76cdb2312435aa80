"""Machines that return other bits than those that were measured: they are never used."""

from __future__ import annotations

from collections.abc import Callable
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

from qhn.backend import BackendError
from vendors import SHOTS, Job, Own, bits_of, each, fewer


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
