"""Runs of circuits that are no chain on stored devices: records, resuming, reports and prices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from qiskit import qpy

from pictures import is_drawn
from qhn.backend.device.isa import measured_qubits
from qhn.backend.rehearsal import stored_device
from qhn.budget.quote import quote
from qhn.config import RunConfig
from qhn.config.file import with_settings
from qhn.errors import QhnError
from qhn.report.page import Report
from qhn.run.training import resume, train
from runs import finished

ROUTED = {
    "train.backend": "fake_jakarta",
    "ansatz": {"name": "real-amplitudes", "entanglement": "full", "num_layers": 1},
    "device.mitigation": "readout",
}


@pytest.fixture
def routed(small_config: RunConfig) -> RunConfig:
    return with_settings(small_config, ROUTED)


def test_a_resumed_run_is_on_the_same_circuit_and_equals_an_uninterrupted_one(
    routed: RunConfig, tmp_path: Path
) -> None:
    whole = finished(routed, tmp_path / "whole")
    halves = finished(with_settings(routed, {"train.steps": 2}), tmp_path / "halves")
    training = resume(halves.directory, {"train.steps": whole.config.train.steps})
    list(training)
    training.close()
    for name in ("steps.jsonl", "evaluations.bin", "circuit.qasm"):
        assert (whole.directory / name).read_bytes() == (halves.directory / name).read_bytes()
    first, second = (session.backend for session in halves.sessions())
    assert first.tiles == second.tiles
    assert len(list(halves.directory.glob("circuit*.qasm"))) == 1


@pytest.mark.pictures
def test_the_record_and_the_report_say_how_it_is_routed(routed: RunConfig, tmp_path: Path) -> None:
    record = finished(routed, tmp_path)
    (session,) = record.sessions()
    (tile,) = session.backend.tiles
    with (record.directory / "circuit.qpy").open("rb") as file:
        (isa,) = qpy.load(file)
    assert measured_qubits(isa) == tile.qubits
    used = {isa.find_bit(qubit).index for i in isa.data if i.operation.name != "barrier" for qubit in i.qubits}
    assert set(tile.route["used"]) == used
    facts = session.backend.facts
    assert sum(facts["load"]["two_qubit"]) == isa.count_ops()["cx"]
    assert "density matrix" in facts["method"]
    assert facts["circuit"] == "pruned"
    report = Report(record)
    assert f"qubits {' '.join(map(str, tile.qubits))} of fake_jakarta, routed by swaps" in report.summary()
    assert "noisy twin" not in report.summary()
    assert report.device is not None
    assert "Qiskit's transpiler chose" in report.device.layout()
    assert any(is_drawn(path) for path in report.device.figures(tmp_path) if path.name == "layout.png")


@pytest.mark.parametrize("backend", ["fake_jakarta", "depolarising"])
def test_without_shots_it_is_refused_before_anything_is_written(
    routed: RunConfig, backend: str, tmp_path: Path
) -> None:
    settings = {"train.backend": backend, "device.mitigation": "none", "train.shots": None}
    config = with_settings(routed, settings | {"train.shot_schedule": None})
    with pytest.raises(QhnError, match=rf"{backend} draws shots .* give --shots"):
        train(config, results=tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_user_is_told_once_that_aer_simulates_it(routed: RunConfig, tmp_path: Path) -> None:
    for settings in ({}, {"train.backend": "depolarising", "device.mitigation": "none"}):
        training = train(with_settings(routed, settings), record=False)
        assert training.announcement().endswith("as the noisy twin needs it")
    asked = train(with_settings(routed, {"device.simulator": "aer"}), record=False)
    assert "no chain" not in asked.announcement()


def test_its_price_counts_the_swaps(routed: RunConfig) -> None:
    found = quote(routed, stored_device("fake_jakarta"), budget=600.0)
    alone = quote(
        with_settings(routed, {"ansatz": ROUTED["ansatz"] | {"entanglement": "linear"}}),
        stored_device("fake_jakarta"),
        budget=600.0,
    )
    assert found.gradient.two_qubit_gates > alone.gradient.two_qubit_gates
    assert found.gradient.rows == alone.gradient.rows
    assert "a better choice may exist" in found.text()
    (tile,) = found.values()["tiles"]
    assert set(tile["qubits"]) <= set(tile["used"])
    assert np.isfinite(tile["fidelity"])
    assert not any("tiles" in what for what in found.savings)
