"""What a run would use and cost, as the command line says it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from qiskit_ibm_runtime import fake_provider

from pictures import is_drawn
from qhn.backend.device.layout import best_chain
from qhn.backend.device.placement import place
from qhn.backend.settings import DeviceSettings
from qhn.budget.quote import quote
from qhn.config.file import load_config, with_settings
from qhn.optimize.shots import GeometricShots

SMALL = ("--set", "data.samples=40", "--set", "data.validation_samples=30")


def test_the_first_task_of_the_paper_on_a_device() -> None:
    config = load_config("gaussian-activation", {"train.backend": "fake_torino", "train.shots": 1000})
    found = quote(config, fake_provider.FakeTorino(), budget=600)
    ansatz = config.circuit(config.problem())
    placed = place(ansatz, fake_provider.FakeTorino(), DeviceSettings())
    assert found.chains == placed.chains == [best_chain(found.chip, placed.load)]
    assert (found.gradient.rows, found.gradient.circuits) == (197, 197)
    assert round(found.seconds[0]) == 52
    assert found.affordable(found.gradient) == 11
    assert not found.billed
    use = {"tiles": 3, "exclude": found.chains[0].qubits, "mitigation": "readout", "twirling": True, "rep_delay": 1e-4}
    other = with_settings(config, {f"device.{name}": value for name, value in use.items()})
    other = quote(other, fake_provider.FakeTorino(), budget=600)
    assert len(other.chains) == 3
    assert not {*found.chains[0].qubits} & {qubit for chain in other.chains for qubit in chain.qubits}
    assert (other.gradient.circuits, other.gradient.shots) == (1 + 2 * 33 + 2, 1024)
    assert other.gradient.two_qubit_gates == 3 * (found.gradient.two_qubit_gates - 7)  # the last brick is folded
    assert 100e-6 < other.gradient.seconds_per_shot < 104e-6
    assert "1,024 shots (24 more than asked for, by twirling)" in other.text()


@pytest.mark.pictures
def test_estimate_prints_qubits_price_and_savings(qhn, tmp_path: Path) -> None:
    result = qhn("estimate", "figure-1", *SMALL, "--backend", "fake_manila", "--layers", "1", "--map", "map.png")
    assert result.code == 0
    assert "figure-1 on fake_manila" in result.out
    assert "tile  fidelity  readout  one-qubit  two-qubit" in result.out
    assert "the budget  600.0 QPU seconds (10 min): " in result.out
    assert "all of these and SPSA" in result.out
    assert "map.png, and beside it" in result.out
    assert is_drawn(tmp_path / "map.png")
    with (tmp_path / "map.csv").open() as file:
        assert sum(row["tile"] == "0" for row in csv.DictReader(file)) == 4
    assert not (tmp_path / "results").exists()


def test_estimate_as_json_agrees_with_itself(qhn) -> None:
    words = ("estimate", "figure-1", *SMALL, "--backend", "fake_manila", "--steps", "7", "--shots", "500", "--json")
    found = json.loads(qhn(*words, "--budget", "50").out)
    assert found["gradient"]["shots"] == 500
    assert found["run_seconds"] == pytest.approx(7 * found["step_seconds"][0])
    assert found["steps_in_budget"] == int(50 // found["step_seconds"][0])
    assert found["savings"]["as it is"] == found["gradient"]
    assert len(found["tiles"][0]["qubits"]) == 4
    assert json.loads(qhn("estimate", "figure-1", "--json").out) == {"backend": "aer", "billed": False}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--backend", "fake_kyoto"), "fake_kyoto has no chain of 4 connected working qubits: 144 of its 144 pairs"),
        (("--backend", "fake_manila", "--budget", "0"), "--budget must be above 0 seconds, got 0"),
        (("--backend", "exact", "--map", "map.png"), "--map draws a device, and exact is none"),
        (("--backend", "fake_manila", "--map", "map.txt"), "--map must name a .png file in a directory that exists"),
        (("--backend", "fake_torin"), "did you mean 'fake_torino'"),
    ],
)
def test_what_cannot_be_estimated_is_one_line(qhn, words: tuple[str, ...], message: str) -> None:
    result = qhn("estimate", "figure-1", *SMALL, *words)
    assert result.code == 2
    assert message in result.err
    assert result.err.count("\n") == 1


def test_simulators_bill_nothing(qhn) -> None:
    assert qhn("estimate", "figure-1").out.startswith("nothing is billed on aer")
    assert qhn("estimate", "figure-1", "--backend", "exact").out.startswith("nothing is billed on exact")


def test_a_shot_schedule_buys_more_steps() -> None:
    settings = {"train.backend": "fake_manila", "train.steps": 10, "train.shots": 1000}
    settings |= {"train.shot_schedule": {"first": 100, "over": 9}}
    config = load_config("figure-1", settings | {"data.samples": 40, "ansatz.num_layers": 1})
    found = quote(config, fake_provider.FakeManilaV2(), budget=30)
    one = found.gradient
    shots = GeometricShots(100, config.train.shots, over=9)
    by_hand = [2 + one.circuits * shots.at(k) * one.seconds_per_shot for k in range(10)]
    assert found.seconds == pytest.approx(by_hand)
    assert found.steps_in_budget == sum(sum(by_hand[: k + 1]) <= 30 for k in range(10))
    assert found.steps_in_budget > found.affordable(found.gradient)


def test_given_qubits_were_not_searched(qhn) -> None:
    words = ("estimate", "figure-1", "--backend", "fake_torino", "--set", "device.qubits=[4,5,6,7]")
    result = qhn(*words)
    assert result.code == 0
    assert "cut short" not in result.out


@pytest.mark.parametrize("settings", [{"device.tiles": "auto"}, {"train.gradient": "spsa"}, {"device.rep_delay": 0.0}])
def test_what_a_saving_says_is_what_it_gives(settings: dict[str, object]) -> None:
    """Also where the number of shots follows from the price, and so changes with it."""
    config = load_config("gaussian-activation", {"train.backend": "fake_torino"})
    found = quote(config, fake_provider.FakeTorino(), budget=600)
    ((key, value),) = settings.items()
    (name,) = [
        name for name in found.savings if name.startswith(f"{key}={value:g}" if value == 0 else f"{key}={value}")
    ]
    done = quote(with_settings(config, settings), fake_provider.FakeTorino(), budget=600)
    assert (found.savings[name].shots, found.savings[name].circuits) == (done.gradient.shots, done.gradient.circuits)
    assert found.savings[name].seconds == pytest.approx(done.gradient.seconds, rel=1e-2)
    assert not any(name.startswith("train.shots") for name in found.savings)
