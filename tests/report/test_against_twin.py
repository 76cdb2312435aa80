"""A recorded run beside the noisy twin of its calibration."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from qiskit import qasm3

from pictures import is_drawn
from qhn import RunConfig, load_run, train
from qhn.backend import DeviceSettings
from qhn.backend.device.chip import Chip
from qhn.backend.device.isa import side_by_side
from qhn.backend.device.placement import compiled_for, place
from qhn.backend.device.recorded import RecordedDevice
from qhn.backend.rehearsal import RehearsalSampler, open_fake, stored_device
from qhn.backend.settings import RehearsalSettings
from qhn.circuit.hypernetwork import hypernetwork
from qhn.config.file import with_settings
from qhn.errors import QhnError
from qhn.report.against_twin import AgainstTwin
from qhn.report.page import Report
from qhn.run.expectation import expect, keep
from qhn.run.record import Record


def compared(record: Record) -> AgainstTwin:
    report = Report(record)
    assert report.landscape is not None
    return AgainstTwin.of(record, report.ansatz, report.landscape.costs)


def rehearsed(config: RunConfig, settings: dict[str, object], results: Path) -> Record:
    training = train(with_settings(config, settings), results=results)
    list(training)
    assert training.record is not None
    return load_run(training.record.directory)


@pytest.mark.parametrize("name", ["fake_manila", "fake_torino", "fake_sherbrooke", "fake_fez"])
@pytest.mark.parametrize(("layers", "calibrate", "tiles"), [(1, True, 2), (2, False, 1)])
def test_a_calibration_compiles_to_the_circuit_of_its_device(
    name: str, layers: int, calibrate: bool, tiles: int
) -> None:
    """Also once it was JSON, as a record holds it."""
    device, ansatz = stored_device(name), hypernetwork(4 if tiles == 1 else 2, layers)
    placed = place(ansatz, device, DeviceSettings(tiles=tiles, calibrate=calibrate))
    again = RecordedDevice(Chip.from_json(json.loads(json.dumps(placed.chip.to_json()))))
    circuits = [compiled_for(ansatz, again, qubits, folded=placed.folded) for qubits in placed.qubits]
    found = circuits[0] if tiles == 1 else side_by_side(circuits, ansatz.num_parameters)
    assert qasm3.dumps(found) == qasm3.dumps(placed.circuit)


@pytest.mark.parametrize(
    ("name", "tiles", "mitigation"),
    [("fake_manila", 1, "none"), ("fake_manila", 1, "readout"), ("fake_fez", 3, "none")],
)
def test_moments_are_those_of_all_probabilities(
    small_config: RunConfig, tmp_path: Path, name: str, tiles: int, mitigation: str
) -> None:
    settings = {"train.backend": name, "device.mitigation": mitigation, "device.tiles": tiles}
    record = rehearsed(small_config, settings, tmp_path)
    found, steps, costs = compared(record), record.steps(), Report(record).landscape.costs
    sampler = open_fake(name, RehearsalSettings(calibrate=mitigation == "readout", tiles=tiles)).compile(
        Report(record).ansatz.unrolled
    )
    assert isinstance(sampler, RehearsalSampler)
    for step, probabilities in enumerate(sampler.probabilities(np.array([step.theta for step in steps]))):
        mean = probabilities @ costs
        variance, fourth = (probabilities @ (costs - mean) ** power for power in (2, 4))
        moments = found.twin.mean[step], found.twin.variance[step], found.twin.excess_kurtosis[step]
        np.testing.assert_allclose(moments, (mean, variance, fourth / variance**2 - 3), rtol=1e-7)
    raw = [step.mean if step.raw_mean is None else step.raw_mean for step in steps]
    np.testing.assert_array_equal(found.measured, raw)
    np.testing.assert_array_equal(found.shots, 60)
    assert found.twin.is_same_circuit


def test_rehearsals_agree_with_their_twin(small_config: RunConfig, tmp_path: Path) -> None:
    """p-values of eight are spread over the unit interval, and mean differences have no sign."""
    settings = {"train.backend": "fake_manila"}
    found = [compared(rehearsed(small_config, settings | {"train.seed": seed}, tmp_path)) for seed in range(8)]
    p = np.array([one.p_value for one in found])
    assert p.min() > 1e-3
    assert 0.2 < p.mean() < 0.8
    distances = np.array([one.difference[0] / one.difference[1] for one in found])
    assert abs(distances.mean()) < 4 / np.sqrt(8)
    assert 0.5 < distances.std() < 1.6


def test_another_device_does_not_agree(small_config: RunConfig, tmp_path: Path) -> None:
    """The calibration of a record, exchanged for one with bad readout, no longer explains its bits."""
    record = rehearsed(small_config, {"train.backend": "fake_manila", "train.shots": 2000}, tmp_path)
    good = compared(record)
    assert good.p_value > 1e-3
    tree = record.calibration()
    assert tree is not None
    tree["readout"] = [[0.1, 0.1]] * 5
    worse = Record.load(record.directory)
    worse.calibration = lambda session=-1: tree  # type: ignore[method-assign]
    found = compared(worse)
    assert found.p_value < 1e-6
    assert "more than shots explain" in found.page()
    assert found.difference[0] < -5 * found.difference[1]


@pytest.mark.pictures
def test_the_page_and_the_picture(small_config: RunConfig, tmp_path: Path, qhn) -> None:
    config = with_settings(small_config, {"train.backend": "fake_manila"})
    expected = expect(config, stored_device("fake_manila"), 5)
    assert keep(expected, tmp_path / "figure-1") is not None
    record = rehearsed(config, {}, tmp_path)
    found = qhn("compare", str(record.directory))
    assert found.code == 0
    assert "in the interval of 5 rehearsals on the twin of fake_manila" in found.out
    assert "compiled anew it is the same" in found.out
    assert f"  calibration {expected.calibration}" in found.out
    picture = Path(found.out.splitlines()[-1])
    assert picture == record.directory / "figures" / "twin.png"
    assert is_drawn(picture)
    with picture.with_suffix(".csv").open() as file:
        rows = list(csv.DictReader(file))
    np.testing.assert_allclose([float(row["measured"]) for row in rows], [step.mean for step in record.steps()])
    np.testing.assert_allclose([float(row["low"]) for row in rows], expected.interval[0])
    lines = found.out.splitlines()
    inside = [low <= step.mean <= high for step, low, high in zip(record.steps(), *expected.interval, strict=True)]
    assert f"  expected    {sum(inside)} of 4 steps in the interval" in found.out
    assert [line.endswith("✗") for line in lines[3:7]] == [not one for one in inside]


def test_other_qubits_than_rehearsed_are_told(small_config: RunConfig, tmp_path: Path) -> None:
    config = with_settings(small_config, {"train.backend": "fake_manila"})
    expected = expect(config, stored_device("fake_manila"), 3)
    keep(type(expected)(expected.run_id, "x", "2001", ((4, 3, 2, 1),), expected.energies), tmp_path / "figure-1")
    page = compared(rehearsed(config, {}, tmp_path)).page()
    assert "; the run had other qubits and another calibration" in page


def test_what_has_no_twin(small_config: RunConfig, tmp_path: Path, qhn) -> None:
    found = qhn("compare", str(rehearsed(small_config, {"train.backend": "aer"}, tmp_path).directory))
    assert found.code == 2
    assert "compare takes at least two runs, or one on a device" in found.err
    exact = rehearsed(small_config, {"train.backend": "fake_manila", "train.shots": None}, tmp_path)
    assert qhn("compare", str(exact.directory)).code == 2
    with pytest.raises(QhnError, match="C of all bitstrings is not known"):
        AgainstTwin.of(rehearsed(small_config, {"train.backend": "fake_manila"}, tmp_path), Report(exact).ansatz, None)
