"""Which earlier self-tests tell that another one would fail."""

from __future__ import annotations

import numpy as np
import pytest

from qhn.backend.events import Entry, Event
from qhn.backend.service.selftest import REVERSED, complaint, failed_before, is_due, versions

NOISE = "only 62% of the bits come back as they were prepared: angles or bits are in a wrong order"
CLIENT = {name: version for name, version in versions().items() if name != "qhn"}


def outcome(complaint: str | None = REVERSED, minute: int = 0, **facts: object) -> Entry:
    stated = {"versions": versions(), "device": "ibm_a", "digest": "d"} | facts
    return Entry(Event.SELF_TEST, job_id="t", complaint=complaint, time=f"2026-01-01T00:{minute:02}:00Z", **stated)


@pytest.mark.parametrize(
    ("own", "others", "fails"),
    [
        ([], [], False),
        ([outcome()], [], True),
        ([outcome(NOISE, digest="other")], [], True),  # the qubits may have changed, the run has not
        ([outcome(versions=CLIENT, device=None, digest=None)], [], True),  # as early releases wrote it
        ([outcome(versions=CLIENT | {"qiskit": "1"})], [], False),
        ([outcome(versions=versions() | {"qhn": "0"})], [], False),
        ([outcome(versions={})], [], False),
        ([], [outcome()], True),
        ([], [outcome(NOISE)], True),
        ([], [outcome(NOISE, digest="other")], False),
        ([], [outcome(digest="other")], True),
        ([], [outcome(device="ibm_b")], False),
        ([], [outcome(device=None)], False),
        ([], [outcome(), outcome(None, 1)], False),
        ([], [outcome(None, 1), outcome(minute=2)], True),
        ([outcome()], [outcome(None, 1)], False),
        ([outcome(minute=2)], [outcome(None, 1)], True),
        ([outcome(minute=1)], [outcome(None, 1)], True),
    ],
)
def test_the_latest_that_says_the_same_decides(own: list[Entry], others: list[Entry], fails: bool) -> None:
    assert (failed_before(own, others, "ibm_a", "d") is not None) == fails


def test_a_test_that_passed_holds_for_the_client_whatever_qhn_is() -> None:
    assert is_due([])
    assert is_due([outcome()])
    assert is_due([outcome(None, versions=CLIENT | {"qiskit": "1"})])
    assert not is_due([outcome(None)])
    assert not is_due([outcome(None, versions=CLIENT)])
    assert not is_due([outcome(None, versions=versions() | {"qhn": "0"})])


def test_noise_is_told_from_a_wrong_order() -> None:
    """A wrong order gives other bits, but the same at every shot."""
    rng = np.random.default_rng(5)
    prepared = rng.integers(0, 2, (4, 30), dtype=np.uint8)

    def measured(bits: np.ndarray, error: float) -> np.ndarray:
        return np.repeat(bits[:, None], 100, axis=1) ^ (rng.random((4, 100, 30)) < error).astype(np.uint8)

    assert complaint(measured(prepared, 0.3), prepared) is None
    assert complaint(measured(prepared[:, ::-1], 0.1), prepared) == REVERSED
    shuffled = complaint(measured(prepared[:, rng.permutation(30)], 0.1), prepared)
    assert shuffled is not None
    assert shuffled.endswith("as they were prepared: angles or bits are in a wrong order")
    noisy = complaint(measured(prepared, 0.5), prepared)
    assert noisy is not None
    assert noisy.endswith("on a bit only 54% of the shots agree: noise, or angles in a wrong order")
