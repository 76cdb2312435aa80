"""Self-tests through the installed client and a stand-in of the service: a wrong order is found before it is paid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import reference
from ansatzes import ansatz, ideal, rows_of
from manila import KEY, THETAS, events, machine, sampler
from qhn import bitstrings
from qhn.backend import BackendError, DeviceSettings
from qhn.backend.ibm import client
from qhn.backend.ibm.device import open_device
from qhn.backend.journal import Journal
from qhn.backend.service import placed, tested
from qhn.backend.service.selftest import complaint, known_outcomes
from qhn.backend.terms import Conduct
from qhn.budget.ledger import ledger
from qhn.circuit.hypernetwork import hypernetwork, product_state
from qhn.seeds import Key
from service import Service

pytestmark = pytest.mark.usefixtures("short_pauses")


@pytest.mark.parametrize("num_layers", [0, 1, 3])
@pytest.mark.parametrize("order", ["eq5", "authors"])
@pytest.mark.parametrize("num_qubits", [1, 2, 5])
def test_the_outcomes_of_the_self_test_are_those_of_the_circuit(num_qubits: int, order: str, num_layers: int) -> None:
    ansatz = hypernetwork(num_qubits, num_layers, order)
    thetas, bits = known_outcomes(ansatz, 4)
    for theta, outcome in zip(thetas, bits, strict=True):
        probabilities = reference.probabilities(reference.literal_circuit(num_qubits, num_layers, order, theta))
        assert probabilities[bitstrings.to_integers(outcome)] == pytest.approx(1)
    assert complaint(np.repeat(bits[:, None], 9, axis=1), bits) is None
    if num_qubits > 1:
        reverse = np.repeat(bits[:, None, ::-1], 9, axis=1)
        assert complaint(reverse, bits) == "bits come back in reverse order"


@pytest.mark.parametrize("wrong", ["bits", "angles", "names"])
def test_a_client_with_a_wrong_order_is_stopped_before_a_step_is_paid(
    wrong: str, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bits in reverse; angles in reverse; or angles in the order of their names, in which theta[10] precedes [2]."""
    ansatz = hypernetwork(4, 1)
    read, publish = client.read_bits, placed.publish
    by_name = np.argsort([str(number) for number in range(ansatz.num_parameters)])
    swaps = {"angles": slice(None, None, -1), "names": by_name}
    with monkeypatch.context() as patched:
        if wrong == "bits":
            patched.setattr(client, "read_bits", lambda *words: read(*words)[..., ::-1])
        else:
            patched.setattr(placed, "publish", lambda circuit, thetas: publish(circuit, thetas[:, swaps[wrong]]))
        expected = "reverse order" if wrong == "bits" else "angles( or bits are)? in a wrong order"
        with pytest.raises(BackendError, match=rf"did not pass the self-test before the first step: .*{expected}"):
            machine(tmp_path).compile(ansatz).sample(np.zeros((3, 16)), 200, KEY)
        for _ in range(3):  # the second time nothing is paid
            with pytest.raises(BackendError, match=rf"{expected}; with the same versions it is not paid for again"):
                machine(tmp_path).compile(ansatz).sample(np.zeros((3, 16)), 200, KEY)
        assert [job.tags[0] for job in service.jobs.values()] == ["qhn:r:test:0"]
        again = machine(tmp_path)
        again.terms.conduct = Conduct(retry_self_test=True)
        with pytest.raises(BackendError, match=rf"did not pass the self-test before the first step: .*{expected}"):
            again.compile(ansatz).sample(np.zeros((3, 16)), 200, KEY)
    assert [job.tags[0] for job in service.jobs.values()] == ["qhn:r:test:0", "qhn:r:test:1"]
    mended = machine(tmp_path)
    mended.terms.conduct = Conduct(retry_self_test=True)
    mended.compile(ansatz).sample(np.zeros((3, 16)), 200, KEY)
    found = ledger(0, [], Journal(tmp_path / "jobs.jsonl").history(), 0)
    assert (found.tests.jobs, found.begun.jobs, found.lost.jobs) == (3, 1, 0)


@pytest.mark.parametrize("kind", ["iqp", "qaoa-ring"])  # whose own circuit is tested, or single qubits
@pytest.mark.parametrize("wrong", ["", "bits", "angles"])
def test_a_wrong_order_is_found_on_a_routed_circuit(
    wrong: str, kind: str, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qhn.backend.service.certain.MAX_STEPS", 20_000)
    circuit = ansatz(kind, 4)
    read, publish = client.read_bits, placed.publish
    if wrong == "bits":
        monkeypatch.setattr(client, "read_bits", lambda *words: read(*words)[..., ::-1])
    if wrong == "angles":
        monkeypatch.setattr(placed, "publish", lambda circuit, thetas: publish(circuit, thetas[:, ::-1]))
    told: list[str] = []
    opened = machine(tmp_path)
    opened.terms.tell = told.append
    sampler, rows = opened.compile(circuit.unrolled), rows_of(circuit, 2)
    if wrong:
        with pytest.raises(BackendError, match="did not pass the self-test before the first step"):
            sampler.sample(rows, 200, KEY)
    else:
        bits = sampler.sample(rows, 4000, KEY).bits
        assert bits.shape == (2, 4000, 4)
        for row, one in zip(rows, bits, strict=True):
            counts = np.bincount(bitstrings.to_integers(one), minlength=16) / 4000
            assert np.abs(counts - ideal(circuit.unrolled.circuit, row)).sum() / 2 < 0.3  # noise, and no other order
    (entry,) = Journal(tmp_path / "jobs.jsonl").history().self_tests()
    is_bare = kind == "qaoa-ring"
    assert (entry.circuit is not None) == is_bare
    assert any("the self-test measures one rotation of each qubit" in words for words in told) == is_bare


def test_the_self_test_is_made_once_a_record_and_version_on_all_tiles(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ansatz = product_state(2)
    device = open_device("ibm_jakarta", DeviceSettings(tiles=2, calibrate=True), Journal(tmp_path / "jobs.jsonl"))
    device.compile(ansatz).sample(np.zeros((3, 4)), 100, KEY, 3)
    for step in (1, 2):
        sampler(tmp_path).sample(THETAS, 100, Key(1, run="r", step=step))
    assert events(tmp_path, "qhn:r:test:0") == ["intent", "submitted", "done"]
    (test, *_) = Journal(tmp_path / "jobs.jsonl").history().entries()[1:]
    assert (test.rows, test.shots) == (4, 100)
    monkeypatch.setattr(tested, "versions", lambda *packages: {"qiskit": "9"})
    monkeypatch.setattr("qhn.backend.service.selftest.versions", lambda *packages: {"qiskit": "9"})
    sampler(tmp_path).sample(THETAS, 100, Key(1, run="r", step=3))
    assert events(tmp_path, "qhn:r:test:1") == ["intent", "submitted", "done"]
