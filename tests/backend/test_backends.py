"""Machines: order of bits and angles, shot noise, distributions, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chisquare

import reference
from qhn import bitstrings, checksums
from qhn.backend import BackendError, DeviceSettings, open_backend
from qhn.backend import aer as aer_module
from qhn.backend.journal import Journal
from qhn.circuit.hypernetwork import hypernetwork, product_state
from qhn.seeds import Key

KEY = Key(seed=11)


def frequencies(bits: np.ndarray) -> np.ndarray:
    return np.bincount(bitstrings.to_integers(bits), minlength=2 ** bits.shape[-1])


@pytest.mark.parametrize("backend", ["exact", "aer", "aer-mps"])
@pytest.mark.parametrize(("num_layers", "order"), [(0, "eq5"), (2, "eq5"), (2, "authors")])
def test_samples_follow_the_exact_distribution(
    backend: str, num_layers: int, order: str, rng: np.random.Generator
) -> None:
    ansatz = hypernetwork(5, num_layers, order)
    thetas = rng.uniform(0, 2 * np.pi, (3, ansatz.num_parameters))
    bits = open_backend(backend).compile(ansatz).sample(thetas, 20_000, KEY).bits
    assert bits.shape == (3, 20_000, 5)
    assert bits.dtype == np.uint8
    for row, theta in zip(bits, thetas, strict=True):
        expected = 20_000 * reference.probabilities(reference.literal_circuit(5, num_layers, order, theta))
        rare = expected < 10
        counts = frequencies(row)
        observed, mean = counts[~rare], expected[~rare]
        if rare.any():
            observed, mean = np.append(observed, counts[rare].sum()), np.append(mean, expected[rare].sum())
        keep = mean > 1e-9
        assert observed[~keep].sum() == 0
        assert chisquare(observed[keep], mean[keep] * observed.sum() / mean[keep].sum()).pvalue > 1e-6


@pytest.mark.parametrize("backend", ["exact", "aer", "aer-mps", "fake_manila"])
def test_qubit_j_is_column_j_and_angles_keep_their_places(backend: str) -> None:
    """RY(π) on qubit 1 of 12 (or of the five of a small device): names t1, t10, t11 sort wrongly as text."""
    num_qubits = 5 if backend == "fake_manila" else 12
    ansatz = product_state(num_qubits)
    theta = np.zeros((1, ansatz.num_parameters))
    theta[0, 1] = np.pi
    bits = open_backend(backend).compile(ansatz).sample(theta, 400, KEY).bits[0]
    shares = bits.mean(axis=0)
    assert shares[1] > 0.85
    assert np.delete(shares, 1).max() < 0.15


@pytest.mark.parametrize("backend", ["exact", "aer", "aer-mps", "fake_manila"])
def test_same_key_same_shots_and_nothing_else_repeats(backend: str) -> None:
    sampler = open_backend(backend).compile(hypernetwork(5, 1))
    thetas = np.full((2, 20), np.pi / 2)
    first, again, other = (sampler.sample(thetas, 300, key).bits for key in (KEY, KEY, Key(seed=11, step=1)))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first[0], first[1])  # equal rows have shots of their own


@pytest.mark.parametrize("order", ["eq5", "authors"])
def test_exact_and_aer_sample_the_same_distribution(order: str, rng: np.random.Generator) -> None:
    """Two samples of one distribution: χ² of their counts, at the size of the paper's first task."""
    ansatz = hypernetwork(14, 2, order)
    theta = rng.normal(0, 0.4, (1, ansatz.num_parameters))
    theta[0, :14] += np.pi / 2
    first, second = (
        frequencies(open_backend(name).compile(ansatz).sample(theta, 40_000, KEY).bits[0]) for name in ("exact", "aer")
    )
    often = first + second >= 20
    a, b = np.append(first[often], first[~often].sum()), np.append(second[often], second[~often].sum())
    chi2, freedom = float(((a - b) ** 2 / (a + b)).sum()), len(a) - 1
    assert freedom > 100
    assert abs(chi2 - freedom) < 5 * np.sqrt(2 * freedom)


def test_the_exact_machine_says_what_it_is() -> None:
    facts = open_backend("exact").compile(hypernetwork(14, 2)).describe()
    assert facts == {"name": "exact", "method": "cut after qubit 6, 2 branches", "noise": "none", "circuit": "executed"}
    assert open_backend("exact").compile(hypernetwork(3, 9)).describe()["method"] == "state vector"
    sampler = open_backend("exact").compile(hypernetwork(5, 2))
    theta = np.full((1, 40), 0.3)
    circuit = reference.literal_circuit(5, 2, "eq5", theta[0])
    np.testing.assert_allclose(sampler.probabilities(theta)[0], reference.probabilities(circuit), atol=1e-13)
    assert set(sampler.circuit.count_ops()) == {"ry", "rz", "cx", "measure", "barrier"}


def test_shot_noise_is_independent_between_steps_and_rows() -> None:
    sampler = open_backend("aer").compile(product_state(1))
    means = [sampler.sample(np.full((25, 2), np.pi / 2), 400, Key(5, step=s)).bits.mean(axis=(1, 2)) for s in range(16)]
    flat = np.ravel(means)
    assert flat.std() == pytest.approx(0.5 / 20, rel=0.2)  # of 400 values, known to 3.5 %
    assert abs(flat.mean() - 0.5) < 5 * 0.5 / np.sqrt(400 * 400)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("air", "did you mean 'aer'"),
        ("fake_torin", "did you mean 'fake_torino'"),
        ("qpu", "choose exact, aer, aer-mps, depolarising"),
    ],
)
def test_unknown_names_are_refused(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_backend(name)


def test_what_cannot_run_is_refused_before_it_is_tried() -> None:
    with pytest.raises(ValueError, match=r"state vector of 50 qubits takes .* use backend exact with --shots"):
        open_backend("aer").compile(hypernetwork(50, 1))
    with pytest.raises(ValueError, match="fake_manila has 5 qubits, the circuit needs 6"):
        open_backend("fake_manila").compile(hypernetwork(6, 1))
    with pytest.raises(
        ValueError,
        match="fake_kyoto has no chain of 4 connected working qubits",
    ):
        open_backend("fake_kyoto").compile(hypernetwork(4, 1))
    sampler = open_backend("aer").compile(product_state(2))
    with pytest.raises(ValueError, match=r"shape \[B, 4\], got \[1, 3\]"):
        sampler.sample(np.zeros((1, 3)), 10, KEY)
    with pytest.raises(ValueError, match="shots must be at least 1, got 0"):
        sampler.sample(np.zeros((1, 4)), 0, KEY)
    with pytest.raises(ValueError, match="measured bits, more than"):
        sampler.sample(np.zeros((2, 4)), 10**9, KEY)
    with pytest.raises(ValueError, match="finite"):
        sampler.sample(np.full((1, 4), np.nan), 10, KEY)


def test_mps_samples_what_no_state_vector_holds() -> None:
    ansatz = hypernetwork(60, 1)
    theta = np.zeros((1, ansatz.num_parameters))
    theta[0, :60] = np.pi  # RY(π) on every qubit, then CX bricks
    bits = open_backend("aer-mps").compile(ansatz).sample(theta, 5, KEY).bits
    expected = np.ones(60, dtype=np.uint8)
    for block in (0, 1):
        for control, target in ansatz.brick(block):
            expected[target] ^= expected[control]
    np.testing.assert_array_equal(bits[0], np.tile(expected, (5, 1)))


def test_a_failing_simulator_is_a_backend_error(monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = open_backend("aer").compile(product_state(2))

    def fail(result: object) -> None:
        raise aer_module.QiskitError("out of order")

    monkeypatch.setattr(aer_module, "read_bits", fail)
    with pytest.raises(BackendError, match="out of order"):
        sampler.sample(np.zeros((1, 4)), 10, KEY)


# ---------------------------------------------------------------- the QPU path, with the real client in local mode


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "jobs.jsonl")


def noted(journal: Journal) -> list[dict[str, object]]:
    """What the file says of jobs, but for the times."""
    entries = [line.tree for line in checksums.lines_of(journal.path.read_bytes())]
    assert entries[0].keys() == {"time", "event", "record"}
    return [entry for entry in entries[1:] if entry.pop("time")]


def test_device_sampler_runs_the_real_client_and_journals_before_it_waits(journal: Journal) -> None:
    from qiskit_ibm_runtime.fake_provider import FakeManilaV2

    from qhn.backend.ibm.device import Device

    ansatz = hypernetwork(4, 1)
    theta = np.random.default_rng(1).uniform(0, 6, (3, ansatz.num_parameters))
    samples = Device(FakeManilaV2(), journal=journal).compile(ansatz).sample(theta, 2000, Key(1, step=2, run="r"))
    assert samples.bits.shape == (3, 2000, 4)
    intent, submitted, done = noted(journal)
    assert (submitted["event"], done["event"]) == ("submitted", "done")
    assert samples.qpu_seconds is not None
    digest, price = intent.pop("digest"), intent.pop("price_seconds")
    assert price == submitted["price_seconds"] > 2
    assert intent == {"event": "intent", "tag": "qhn:r:2:0", "rows": 3, "shots": 2000, "record": journal.name}
    assert len(digest) == 64
    assert samples.num_shots == 6000
    assert submitted["job_id"] == done["job_id"] == samples.job_ids[0]
    for row, angles in zip(samples.bits, theta, strict=True):
        exact = reference.probabilities(reference.literal_circuit(4, 1, "eq5", angles))
        assert 0.5 * np.abs(frequencies(row) / 2000 - exact).sum() < 0.25  # the device's noise, no mix-up of rows


def test_device_failure_is_journalled_and_says_nothing_of_the_service(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qiskit_ibm_runtime.exceptions import IBMRuntimeError
    from qiskit_ibm_runtime.fake_provider import FakeManilaV2

    from qhn.backend.ibm import client
    from qhn.backend.ibm.device import Device

    class Refusing:
        def __init__(self, **options: object) -> None: ...

        def run(self, pubs: object, shots: int) -> object:
            raise IBMRuntimeError("token abc123 is not welcome")

    monkeypatch.setattr(client, "Sampler", Refusing)
    sampler = Device(FakeManilaV2(), journal=journal).compile(product_state(2))
    with pytest.raises(BackendError) as caught:
        sampler.sample(np.zeros((1, 4)), 10, Key(1, run="r"))
    assert "abc123" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "qhn:r:0:0" in str(caught.value)
    failure = {"event": "out of reach", "tag": "qhn:r:0:0", "error": "IBMRuntimeError", "kind": "transient"}
    assert noted(journal)[-1] == failure


@pytest.mark.parametrize("error", [ValueError("crn:v1:SECRET"), TypeError("SECRET"), ConnectionError("SECRET")])
def test_whatever_the_client_raises_is_one_kind_of_failure_without_its_text(
    error: Exception, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qiskit_ibm_runtime.fake_provider import FakeManilaV2

    from qhn.backend.ibm import client
    from qhn.backend.ibm.device import Device

    class Job:
        def job_id(self) -> str:
            return "job-1"

        def result(self) -> object:
            raise error

    monkeypatch.setattr(client.Sampler, "run", lambda self, pubs, shots: Job())
    sampler = Device(FakeManilaV2(), journal=journal).compile(product_state(2))
    with pytest.raises(BackendError) as caught:
        sampler.sample(np.zeros((1, 4)), 10, KEY)
    assert "SECRET" not in str(caught.value) + journal.path.read_text()
    intent, submitted, *_, last = noted(journal)
    assert (intent["event"], submitted["event"]) == ("intent", "submitted")
    assert last["event"] in ("failed", "out of reach")

    def refuse(**_: object) -> object:
        raise error

    monkeypatch.setattr("qhn.backend.ibm.account.QiskitRuntimeService", refuse)
    with pytest.raises(BackendError) as caught:
        open_backend("ibm_torino")
    assert "SECRET" not in str(caught.value)


def test_bits_survive_a_service_that_does_not_say_what_it_billed(monkeypatch: pytest.MonkeyPatch) -> None:
    from qiskit_ibm_runtime.fake_provider import FakeManilaV2
    from qiskit_ibm_runtime.fake_provider.local_runtime_job import LocalRuntimeJob

    from qhn.backend.ibm.device import Device

    monkeypatch.setattr(LocalRuntimeJob, "metrics", lambda self: {"usage": None})
    samples = Device(FakeManilaV2()).compile(product_state(2)).sample(np.zeros((1, 4)), 10, KEY)
    assert samples.bits.shape == (1, 10, 2)
    assert samples.qpu_seconds is None


def test_without_an_account_the_message_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    for name in ("QISKIT_IBM_TOKEN", "QISKIT_IBM_INSTANCE", "QISKIT_IBM_CHANNEL", "QISKIT_IBM_URL"):
        monkeypatch.delenv(name, raising=False)
    from qiskit_ibm_runtime.accounts import management

    monkeypatch.setattr(management, "_DEFAULT_ACCOUNT_CONFIG_JSON_FILE", str(tmp_path / "none.json"))
    with pytest.raises(ValueError, match="no IBM account found; save one once with"):
        open_backend("ibm_torino")


def test_tiles_calibration_and_options_through_the_real_client(journal: Journal) -> None:
    """Two chains of three on a device of seven: one circuit, one job, and each row's distribution on its tile."""
    from qiskit_ibm_runtime.fake_provider import FakeJakartaV2

    from qhn.backend.ibm.device import Device

    shots, ansatz = 2000, hypernetwork(3, 1)
    thetas = np.random.default_rng(1).uniform(0, 6, (7, ansatz.num_parameters))
    device = Device(FakeJakartaV2(), DeviceSettings(tiles=2, calibrate=True), journal)
    samples = device.compile(ansatz).sample(thetas, shots, KEY, 7)
    assert samples.tiles is not None
    assert samples.unshifted is not None
    assert samples.readout_counts is not None
    assert samples.tiles.tolist() == [0, 0, 0, 1, 1, 0, 0]
    assert samples.folded
    assert samples.num_shots == (5 + 2) * shots
    assert noted(journal)[1]["rows"] == 7
    assert len(samples.job_ids) == 1
    assert (samples.readout_counts.rates > 0).all()
    assert (samples.readout_counts.rates < 0.1).all()
    rows = [*zip(samples.bits, thetas, strict=True), *((bits, thetas[0]) for bits in samples.unshifted[0])]
    for bits, angles in rows:
        exact = reference.probabilities(reference.literal_circuit(3, 1, "eq5", angles))
        assert 0.5 * np.abs(frequencies(bits) / shots - exact).sum() < 0.15


@pytest.mark.parametrize(
    ("settings", "shots"),
    [({"twirling": True}, 1024), ({"dynamical_decoupling": "XpXm"}, 1000), ({"rep_delay": 1e-4}, 1000)],
)
def test_shots_are_those_really_taken(settings: dict[str, object], shots: int) -> None:
    from qiskit_ibm_runtime.fake_provider import FakeManilaV2

    from qhn.backend.ibm.device import Device

    sampler = Device(FakeManilaV2(), DeviceSettings(**settings)).compile(product_state(2))
    samples = sampler.sample(np.zeros((1, 4)), 1000, KEY)
    assert samples.shots == shots
    assert samples.bits.shape == (1, shots, 2)
    name, value = next(iter(settings.items()))
    assert sampler.describe()[name] == value


def test_a_call_beyond_the_limits_of_a_job_is_several_whose_bits_are_kept(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each job has calibration circuits of its own, none exceeds the limit, and a failing one costs no other."""
    from qiskit_ibm_runtime.fake_provider import FakeManilaV2

    from qhn.backend.device import price as qpu_time
    from qhn.backend.ibm import client
    from qhn.backend.ibm.device import Device

    monkeypatch.setattr(qpu_time, "MAX_EXECUTIONS", 2000)
    ansatz = product_state(2)
    thetas = np.zeros((7, 4))
    thetas[3, 0] = np.pi
    sampler = Device(FakeManilaV2(), DeviceSettings(calibrate=True), journal).compile(ansatz)
    cost = qpu_time.price(sampler.placement.task(7, 1, 400))
    assert (cost.jobs, cost.circuits) == (3, 7 + 3 * 2)
    real, runs = client.Sampler.run, []

    class Lost:
        def job_id(self) -> str:
            return "lost"

        def result(self) -> object:
            raise ConnectionError

    def run(self, pubs, shots):
        runs.append(len(pubs[0][1]))
        return Lost() if len(runs) == 2 else real(self, pubs, shots=shots)

    monkeypatch.setattr(client.Sampler, "run", run)
    with pytest.raises(BackendError):
        sampler.sample(thetas, 400, Key(1, run="r"))
    samples = sampler.sample(thetas, 400, Key(1, run="r"))
    assert runs == [3, 2, 2, 2, 2]  # the first was not measured again
    submitted = [entry for entry in noted(journal) if entry["event"] == "submitted"]
    assert [entry["tag"] for entry in submitted] == [f"qhn:r:0:0:{part}" for part in (0, 1, 2, 1, 2)]
    assert all(entry["rows"] * entry["shots"] <= 2000 for entry in submitted)
    assert len(set(samples.job_ids)) == 3
    assert samples.bits.shape == (7, 400, 2)
    assert np.argmax(samples.bits[..., 0].mean(axis=1)) == 3
    assert samples.readout_counts is not None
    assert samples.readout_counts.shots == 3 * 400
    assert samples.num_shots == cost.circuits * cost.shots


def test_jobs_are_ended_by_the_service_at_twice_their_price(monkeypatch: pytest.MonkeyPatch) -> None:
    from qiskit_ibm_runtime.fake_provider import FakeManilaV2

    from qhn.backend.ibm import client
    from qhn.backend.ibm.device import Device

    asked = []
    real = client.Sampler
    monkeypatch.setattr(
        client, "Sampler", lambda mode, options: (asked.append(options), real(mode=mode, options=options))[1]
    )
    settings = DeviceSettings(rep_delay=200e-6, dynamical_decoupling="XY4", twirling=True)
    sampler = Device(FakeManilaV2(), settings).compile(product_state(2))
    sampler.sample(np.zeros((9, 4)), 1000, KEY)
    seconds = 2 + 9 * 1024 * (200e-6 + sampler.placement.duration)
    assert asked[0]["max_execution_time"] == int(np.ceil(2 * seconds))
    assert asked[0]["execution"] == {"rep_delay": 200e-6}
    assert asked[0]["dynamical_decoupling"] == {"enable": True, "sequence_type": "XY4"}
    assert asked[0]["twirling"] == {"enable_gates": True, "enable_measure": False}
    assert asked[0]["environment"]["job_tags"][0] == KEY.tag
