"""Twins of any machine with a calibration, and machines that are objects of a process."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from qiskit.primitives import StatevectorSampler
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, depolarizing_error
from qiskit_ibm_runtime.fake_provider import FakeManilaV2

import qhn as package
from qhn.config import RunConfig
from qhn.config.file import load_config, with_settings
from qhn.errors import QhnWarning
from qhn.report.page import Report
from qhn.run.record import Record
from qhn.seeds import Key
from service import Service
from vendors import Own

LINE = [[0, 1], [1, 2], [2, 3], [3, 4]]
MINE = """
from qiskit.providers.fake_provider import GenericBackendV2

def line():
    return GenericBackendV2(5, coupling_map=[[0, 1], [1, 2], [2, 3], [3, 4]], seed=4)

def plain():
    return GenericBackendV2(5, noise_info=False)
"""


def configured(steps: int = 2, **settings: object) -> RunConfig:
    settings = {"train.shots": 40, "train.steps": steps, "ansatz.num_layers": 1, **settings}
    return load_config("figure-1", settings)


def trained(config: RunConfig, **options: object) -> Record:
    with closing(package.train(config, **options)) as training:  # type: ignore[arg-type]
        list(training)
    assert training.record is not None
    return training.record


# ------------------------------------------------------------ twins


def test_a_twin_of_a_module_is_that_of_its_present_calibration(
    module: Callable[[str, str], str], qhn, new_process: Callable[[], None], tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    """Its E is that of the machine's own samples; its record is read without the module."""
    module("mine", MINE)
    circuit = package.hypernetwork(3, 1)
    theta = np.random.default_rng(2).uniform(-3, 3, (1, circuit.num_parameters))
    twin, machine = (package.open_backend(name).compile(circuit) for name in ("twin_mine:line", "mine:line"))
    expected = twin.probabilities(theta)[0]  # type: ignore[attr-defined]
    shots = 20_000
    bits = machine.sample(theta, shots, Key(1, run="r")).bits[0].astype(int)
    counts = np.bincount(bits @ (1 << np.arange(3)), minlength=8)
    assert (abs(counts - shots * expected) < 6 * np.sqrt(shots * expected * (1 - expected))).all()
    assert twin.describe()["noise"].startswith("calibration of generic_backend_5q")

    record = trained(configured(**{"train.backend": "twin_mine:line", "train.shots": None}))
    assert record.config.train.shots is None
    energies = [step.mean for step in record.steps()]
    (tmp_path / "mine.py").unlink()
    new_process()
    kept = Record.load(record.directory)
    assert [step.mean for step in kept.steps()] == energies
    shown = qhn("show")
    assert shown.code == 0
    assert "twin_mine:line" in shown.out
    assert qhn("report").code == 0
    resumed = qhn("resume", "--steps", "3")
    assert (resumed.code, "code of yours" in resumed.err) == (2, True)
    assert "mine:line cannot be imported" in qhn("resume", "--steps", "3", "--trust").err


def test_a_twin_computes_e_as_its_samples_have_it() -> None:
    config = configured(**{"train.backend": "twin_fake_manila"})
    sampled = trained(config).steps()[0]
    exact = trained(configured(**{"train.backend": "twin_fake_manila", "train.shots": None})).steps()[0]
    assert abs(sampled.mean - exact.mean) < 5 * sampled.std_error
    stored = trained(configured(**{"train.backend": "fake_manila", "train.shots": None})).steps()[0]
    assert stored.mean == exact.mean


def test_a_twin_of_a_qpu_of_ibm_bills_nothing(service: Service) -> None:
    record = trained(configured(**{"train.backend": "twin_ibm_manila"}))
    assert service.jobs == {}
    assert not record.config.train.machine.bills
    report = Report(record)
    assert report.device is not None
    assert report.device.is_rehearsal
    assert "calibration of" in "".join(report.device.lines())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("twin_mine:plain", "backend mine:plain reports no errors of qubits that could be simulated; use mine:plain"),
        ("twin_aer", "backend aer reports no errors of qubits"),
        ("twin_gone:make", "backend gone:make cannot be imported"),
        ("twin_fake_nothing", "there is no stored device 'fake_nothing'"),
        ("twin_", "unknown backend ''"),
    ],
)
def test_twins_of_what_has_no_calibration_are_refused(module: Callable[[str, str], str], name: str, words: str) -> None:
    module("mine", MINE)
    with pytest.raises(ValueError, match=words):
        package.open_backend(name)


# ------------------------------------------------------------ objects


def test_a_run_on_an_object_is_resumed_with_it_and_shown_without(qhn, new_process: Callable[[], None]) -> None:  # type: ignore[no-untyped-def]
    whole = [step.mean for step in trained(configured(4), backend=Own(), results="whole").steps()]
    record = trained(configured(2), backend=Own())
    assert record.config.train.backend == "object:own"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = trained(configured(4), backend=Own())
    assert again.directory == record.directory
    assert [step.mean for step in again.steps()] == whole  # same bits as uninterrupted
    new_process()
    for words in (("list",), ("show",), ("report",)):
        assert qhn(*words).code == 0
    resumed = qhn("resume", "--steps", "5", "--trust")
    assert resumed.code == 2
    assert "backend object:own was an object of another process; give it to qhn.train again" in resumed.err
    new_process()
    assert len(trained(configured(5), backend=Own()).steps()) == 5


def noise(strength: float) -> NoiseModel:
    model = NoiseModel()
    model.add_all_qubit_quantum_error(depolarizing_error(strength, 2), ["cx"])
    return model


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (AerSimulator(), AerSimulator(noise_model=noise(0.01)), "another model of its noise"),
        (AerSimulator(noise_model=noise(0.01)), AerSimulator(noise_model=noise(0.02)), "another model of its noise"),
        (
            GenericBackendV2(5, coupling_map=LINE, seed=1),
            GenericBackendV2(5, seed=1),
            "it has other couplings or another model",
        ),
        (
            GenericBackendV2(5, noise_info=False, coupling_map=LINE),
            GenericBackendV2(5, noise_info=False),
            "it has other couplings",
        ),
    ],
    ids=["noise or none", "noise", "couplings", "couplings without errors"],
)
def test_another_machine_of_the_same_name_does_not_continue_a_run(first: object, second: object, words: str) -> None:
    record = trained(configured(1), backend=first)
    told = f"is not the machine with which the run began: .*{words}.*--restart"
    with closing(package.train(configured(2), backend=second)) as training, pytest.raises(ValueError, match=told):
        next(_after(training))
    assert len(record.steps()) == 1
    assert len(trained(configured(2), backend=first).steps()) == 2
    anew = trained(configured(2), backend=second, restart=True)
    assert (len(anew.steps()), len(anew.sessions())) == (2, 1)


def _after(training: package.Training) -> package.Training:
    for _ in range(training.num_stored):
        next(training)
    return training


def test_other_machines_with_the_name_of_another_are_known_by_their_class_and_size() -> None:
    trained(configured(1), backend=Own(name="one"))
    for other, words in (
        (GenericBackendV2(5, noise_info=False), "it is a GenericBackendV2, not a Own"),
        (AerSimulator(), "it is a AerSimulator, not a Own"),
    ):
        other.name = "one"
        with closing(package.train(configured(2), backend=other)) as training, pytest.raises(ValueError, match=words):
            next(_after(training))


def test_errors_that_are_reported_anew_are_told_and_the_run_goes_on() -> None:
    trained(configured(1), backend=GenericBackendV2(5, coupling_map=LINE, seed=1))
    with pytest.warns(QhnWarning, match="reports other errors of its qubits than in the session before"):
        record = trained(configured(2), backend=GenericBackendV2(5, coupling_map=LINE, seed=2))
    assert len(record.steps()) == 2
    assert len(list((record.directory / "calibration").iterdir())) == 2


def test_two_objects_of_one_name_do_not_share_what_was_known_of_the_first() -> None:
    """One has a calibration, the other none."""
    for device, has_chip in ((GenericBackendV2(5, seed=1), True), (GenericBackendV2(5, noise_info=False), False)):
        config = configured().on(device)
        assert config.train.backend == "object:generic_backend_5q"
        assert config.train.machine.has_chip is has_chip


def test_a_stored_device_of_ibm_is_named_as_without_an_object() -> None:
    record = trained(configured(1), backend=FakeManilaV2())
    assert record.config.train.backend == "fake_manila"
    assert record.directory == trained(configured(1, **{"train.backend": "fake_manila"})).directory


def test_a_qpu_of_ibm_is_named_and_not_given(service: Service) -> None:
    """Its jobs and its budget are kept by its name."""
    device = package.open_backend("ibm_manila").device  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="shots on ibm_manila are paid for: name it, backend ibm_manila"):
        package.train(configured(1), backend=device)
    assert service.jobs == {}


@pytest.mark.parametrize("found", [5, AerSimulator, object()], ids=["number", "class", "object"])
def test_what_is_no_machine_is_refused_before_anything_is_written(found: object, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be a BackendV2 or a V2 sampler"):
        package.train(configured(1), backend=found)
    assert not (tmp_path / "results").exists()


def test_a_name_may_be_given_in_place_of_an_object() -> None:
    assert trained(configured(1), backend="exact").config.train.backend == "exact"


def test_an_object_takes_settings_of_its_qubits_if_it_reports_errors() -> None:
    device = GenericBackendV2(5, coupling_map=LINE, seed=1)
    chosen = with_settings(configured(1).on(device), {"device.qubits": [3, 2, 1, 0], "device.mitigation": "readout"})
    record = trained(chosen)
    assert record.sessions()[0].backend.qubits == ((3, 2, 1, 0),)
    with pytest.raises(ValueError, match=r"device\.qubits|device\.mitigation"):
        trained(chosen, backend=StatevectorSampler())
