"""Runs on stored devices from beginning to end: records, resuming, warm starts, reports, and the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from pictures import is_drawn
from qhn.backend import rehearsal
from qhn.backend.device.chip import Chip, chip_of
from qhn.backend.device.placement import Placement, place
from qhn.backend.rehearsal import stored_device
from qhn.circuit.ansatz import gate_angles
from qhn.config import RunConfig
from qhn.config.file import with_settings
from qhn.report.page import Report
from qhn.run.training import resume, train
from runs import finished, rewrite_json

TILED = {
    "train.backend": "fake_jakarta",
    "network.bias": False,  # three qubits, two chains of which fit on seven
    "device.tiles": 2,
    "device.mitigation": "readout",
    "train.shot_schedule": {"first": 30, "over": 3},
}


def test_a_resumed_rehearsal_equals_an_uninterrupted_one(small_config: RunConfig, tmp_path: Path) -> None:
    """With tiles, a shot schedule, and calibrations that are pooled over the steps."""
    whole = finished(with_settings(small_config, TILED), tmp_path / "whole")
    halves = finished(with_settings(small_config, TILED | {"train.steps": 2}), tmp_path / "halves")
    training = resume(halves.directory, {"train.steps": 4})
    list(training)
    training.close()
    for name in ("steps.jsonl", "evaluations.bin", "circuit.qasm"):
        assert (whole.directory / name).read_bytes() == (halves.directory / name).read_bytes()
    first, second = whole.checkpoint().readout_counts, halves.checkpoint().readout_counts
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.counts, second.counts)
    shots = [30, 38, 48, 60]
    assert first.shots == sum(shots)
    steps = whole.steps()
    circuits = 1 + 2 * 5 + 2  # θ, nine angles on two tiles, calibration
    assert [step.shots for step in steps] == [circuits * sum(shots[: k + 1]) for k in range(4)]
    assert all(step.raw_mean is not None and step.raw_mean != step.mean for step in steps)


@pytest.mark.pictures
def test_a_record_holds_what_a_device_was_asked_and_said(small_config: RunConfig, tmp_path: Path) -> None:
    record = finished(with_settings(small_config, TILED), tmp_path)
    (session,) = record.manifest()
    facts = session["backend"]
    assert [len(tile["qubits"]) for tile in facts["tiles"]] == [3, 3]
    assert facts["circuit"] == "executed"
    assert facts["readout_errors"] == "counted in every job"
    assert facts["price"]["circuits"] == 13
    assert facts["price"]["shots"] == 30
    tree = record.calibration()
    assert tree is not None
    kept, told = Chip.from_json(tree), chip_of(stored_device("fake_jakarta"))
    assert kept.gates == told.gates
    np.testing.assert_array_equal(kept.readout, told.readout)
    np.testing.assert_array_equal(kept.t2, told.t2)
    assert kept.rep_delay_range == told.rep_delay_range
    report = Report(record)
    page = report.summary()
    assert "mitigation readout" in page
    assert "E of these bits, not inverted" in page
    assert "last CX brick applied to the bits" in page
    assert "E of the noisy twin, exact" in page
    assert report.device is not None
    assert "fake_jakarta stay unused" in report.device.layout()
    assert any(path.name == "layout.png" and is_drawn(path) for path in report.figures())


def test_qubits_are_chosen_once_for_a_run_and_its_page(
    small_config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = []

    def counted(*args: Any) -> Placement:
        chosen.append(place(*args))
        return chosen[-1]

    monkeypatch.setattr(rehearsal, "place", counted)
    record = finished(with_settings(small_config, TILED), tmp_path)
    assert "in a run without mitigation" in Report(record).summary()
    assert len(chosen) == 1


def test_measured_and_twin_agree(small_config: RunConfig, tmp_path: Path) -> None:
    """5σ, with and without mitigation, at the θ of a step."""
    config = with_settings(small_config, TILED | {"train.shot_schedule": None, "train.shots": 4000, "train.steps": 1})
    record = finished(config, tmp_path)
    report, (step,) = Report(record), record.steps()
    assert report.landscape is not None
    assert report.device is not None
    twin = report.device.twin_energies(step.theta, report.landscape.costs)
    assert twin is not None
    raw, mitigated = twin.same_bits, twin.mitigated
    assert twin.is_exact
    assert twin.plain != raw  # it is of another circuit
    assert step.raw_mean is not None
    assert step.raw_mean_std_error is not None
    assert mitigated is not None
    assert abs(step.raw_mean - raw) < 5 * step.raw_mean_std_error
    assert abs(step.mean - mitigated) < 5 * step.mean_std_error
    ideal = float(report.ideal.energy(step.theta[None])[0])
    assert abs(mitigated - ideal) < abs(raw - ideal)


@pytest.mark.parametrize("mitigation", ["none", "readout"])
def test_measured_and_twin_agree_where_an_angle_turns_several_gates(
    mitigation: str, small_config: RunConfig, tmp_path: Path
) -> None:
    circuit, angle = QuantumCircuit(3), Parameter("a")
    for qubit, (factor, offset) in enumerate(((1, 0.1), (-2, 0.9), (0.5, 0.3))):
        circuit.ry(factor * angle + offset, qubit)
    circuit.cx(0, 1)
    circuit.rx(angle, 1)
    settings = {"device.mitigation": mitigation, "train.shot_schedule": None, "train.shots": 4000, "train.steps": 1}
    record = finished(with_settings(small_config, TILED | settings).trained(circuit), tmp_path)
    report, (step,) = Report(record), record.steps()
    assert "E of the noisy twin, exact" in report.summary()
    assert report.landscape is not None
    assert report.device is not None
    twin = report.device.twin_energies(gate_angles(report.ansatz, step.theta), report.landscape.costs)
    assert twin is not None
    expected = twin.plain if twin.mitigated is None else twin.mitigated
    assert abs(step.mean - expected) < 5 * step.mean_std_error


@pytest.mark.parametrize("backend", ["fake_manila", "depolarising"])
def test_a_run_under_noise_without_shots(backend: str, small_config: RunConfig, tmp_path: Path) -> None:
    settings = {"train.backend": backend, "train.shots": "none", "train.optimizer": "lbfgs", "train.steps": 12}
    record = finished(with_settings(small_config, settings), tmp_path)
    steps = record.steps()
    assert steps[-1].mean < steps[0].mean
    assert steps[-1].mean_std_error == 0
    page = Report(record).summary()
    assert "E of the ideal circuit, exact" in page
    assert "parameter-shift" in page
    assert "no shots" in page


def test_spsa_follows_the_noisy_gradient_without_shots(small_config: RunConfig, tmp_path: Path) -> None:
    settings = {"train.backend": "depolarising", "train.shots": "none", "train.gradient": "spsa"}
    record = finished(with_settings(small_config, settings | {"train.optimizer": "spsa", "train.steps": 3}), tmp_path)
    directions = np.sign(record.steps()[0].grad[record.steps()[0].grad != 0])
    assert set(directions) == {-1.0, 1.0}


def test_qubits_of_the_first_session_are_kept_while_they_work(
    small_config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"train.backend": "fake_jakarta", "train.steps": 2, "device.mitigation": "readout"}
    record = finished(with_settings(small_config, settings), tmp_path)
    used = record.manifest()[0]["backend"]["tiles"]
    path, other = record.directory / "manifest.json", [{"qubits": [0, 1, 3, 5], "estimated_fidelity": 0.5}]
    rewrite_json(path, lambda tree: tree["sessions"][0]["backend"].update(tiles=other))
    assert used[0]["qubits"] != [0, 1, 3, 5]
    training = resume(record.directory, {"train.steps": 3})
    list(training)
    training.close()
    assert record.manifest()[1]["backend"]["tiles"][0]["qubits"] == [0, 1, 3, 5]
    other = [{"qubits": [0, 1, 2, 6], "estimated_fidelity": 0.5}]  # no chain
    rewrite_json(path, lambda tree: tree["sessions"][1]["backend"].update(tiles=other))
    training = resume(record.directory, {"train.steps": 4})
    list(training)
    training.close()
    assert [tile["qubits"] for tile in record.manifest()[2]["backend"]["tiles"]] == [used[0]["qubits"]]
    assert len(list(record.directory.glob("circuit*.qasm"))) == 2  # the first and the third session's are the same
    readout_counts = record.checkpoint().readout_counts
    assert readout_counts is not None
    assert readout_counts.shots == 60  # those counted on other qubits are forgotten


def test_the_command_line_announces_warm_starts_and_shows(qhn) -> None:
    quick = ("--set", "data.samples=40", "--set", "data.validation_samples=30", "--layers", "1")
    exact = qhn("run", "figure-1", *quick, "--backend", "exact", "--steps", "3", "--quiet")
    run = Path(exact.out.strip())
    words = ("--backend", "fake_manila", "--shots", "50", "--steps", "2", "--mitigation", "readout")
    result = qhn("run", "figure-1", *quick, *words, "--init-from", run.name)
    assert result.code == 0
    assert result.err.startswith("qubits ")
    assert "the first step takes 27 circuits × 50 shots" in result.err
    assert "nothing is billed, this is a rehearsal" in result.err
    assert f"begun at the last angles of run {run.name}" in result.out
    again = qhn("run", "figure-1", *quick, *words, "--init-from", run.name)
    assert "rehearsal" not in again.err  # it is finished, and only shown
    shown = qhn("show")
    assert "tile  fidelity  readout" in shown.out
    assert "is not the directory of a run" in qhn("run", "figure-1", *words, "--init-from", ".").err
    refused = qhn("run", "figure-1", *quick, *words, "--order", "authors", "--init-from", run.name)
    assert refused.code == 2
    assert "no conversion is known" in refused.err
    assert qhn("run", "figure-1", "--tiles", "many", "--backend", "fake_manila").code == 2


def test_a_deep_circuit_reports_what_was_left_out(small_config: RunConfig, tmp_path: Path) -> None:
    settings = {"train.backend": "fake_manila", "ansatz.num_layers": 4, "device.max_bond": 8, "train.steps": 1}
    record = finished(with_settings(small_config, settings | {"train.shots": 20}), tmp_path)
    (entry,) = record.timing()
    assert 0 < entry["discarded_weight"] < 0.5
    assert "truncated to 8" in record.manifest()[0]["backend"]["method"]
    assert "E of the noisy twin, truncated" in Report(record).summary()
    exact = finished(with_settings(small_config, settings | {"train.shots": "none"}), tmp_path)
    assert exact.timing()[0]["discarded_weight"] > 0
    assert exact.steps()[0].discarded_weight == exact.timing()[0]["discarded_weight"]
    assert "of a simulation that was truncated, discarded weight 0." in Report(exact).summary()
    assert "billed" not in Report(exact).summary()


def test_what_a_service_would_refuse_is_refused_before_anything_is_written(
    small_config: RunConfig, tmp_path: Path
) -> None:
    config = with_settings(small_config, {"train.backend": "fake_manila", "train.shots": 200_000})
    with pytest.raises(ValueError, match="200,000 shots are more than the 100,000 that the device takes"):
        train(config, results=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_budget_counts_calibrations_tiles_and_twirled_shots(small_config: RunConfig, tmp_path: Path) -> None:
    """128 shots are taken where 100 were asked for; the run ends before a step that exceeds the budget."""
    settings = TILED | {"train.shot_schedule": None, "train.shots": 100, "device.twirling": True}
    one_step = 13 * 128
    config = with_settings(small_config, settings | {"train.max_shots": 2 * one_step})
    training = train(config, results=tmp_path)
    steps = list(training)
    training.close()
    assert [step.shots for step in steps] == [one_step, 2 * one_step]
    assert training.outcome is not None
    assert training.outcome.name == "budget"
    with pytest.raises(ValueError, match=f"the first step takes {one_step:,} shots"):
        train(with_settings(config, {"train.max_shots": one_step - 1}), results=tmp_path / "other")


def test_paid_tiles_and_calibrations_are_read_back_as_they_were_measured(
    small_config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step that dies after its job is done again from the bits on disk, with the same numbers."""
    from qhn.backend.rehearsal import FakeDevice, RehearsalSampler
    from qhn.problem.evaluations import Evaluations

    monkeypatch.setattr(FakeDevice, "paid", True)
    config = with_settings(small_config, TILED | {"train.max_shots": 10**6})
    whole = finished(config, tmp_path / "whole")
    training = train(config, results=tmp_path / "broken")
    next(training)

    def fail(self: Evaluations, bits: object) -> None:
        raise MemoryError("the cost function died")

    with monkeypatch.context() as patched:
        patched.setattr(Evaluations, "cost", fail)
        with pytest.raises(MemoryError):
            next(training)
    training.close()
    assert training.record is not None
    measured = []
    real = RehearsalSampler.sample
    monkeypatch.setattr(
        RehearsalSampler, "sample", lambda self, *words: (measured.append(words[2].step), real(self, *words))[1]
    )
    broken = finished(config, tmp_path / "broken")
    assert measured == [2, 3]
    for name in ("steps.jsonl", "evaluations.bin"):
        assert (whole.directory / name).read_bytes() == (broken.directory / name).read_bytes()
    first, second = whole.checkpoint().readout_counts, broken.checkpoint().readout_counts
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.counts, second.counts)
