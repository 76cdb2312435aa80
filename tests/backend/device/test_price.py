"""The price of a gradient against a calculation by hand, and the service's limits."""

from __future__ import annotations

import dataclasses

import pytest
from qiskit_ibm_runtime import fake_provider
from qiskit_ibm_runtime.executor.calculate_twirling_shots import calculate_twirling_shots

from qhn.backend.device.chip import Chip, chip_of
from qhn.backend.device.isa import compile_chain, duration
from qhn.backend.device.layout import best_chain
from qhn.backend.device.load import load_of
from qhn.backend.device.price import Task, price, rep_delay_of, savings, shots_taken, split_into_jobs, whole_seconds
from qhn.circuit.hypernetwork import hypernetwork


def chip_and_task(name: str) -> tuple[Chip, Task]:
    device, ansatz = getattr(fake_provider, name)(), hypernetwork(14, 2)
    chip = chip_of(device)
    isa = compile_chain(ansatz.pruned, device, best_chain(chip, load_of(ansatz)).qubits)
    gates = sum(load_of(ansatz).two_qubit)
    return chip, Task(197, 1000, duration(isa, chip), gates, chip.rep_delay, chip.max_shots)


@pytest.fixture(scope="module")
def torino() -> tuple[Chip, Task]:
    return chip_and_task("FakeTorino")


def test_a_gradient_costs_what_it_does_by_hand(torino: tuple[Chip, Task]) -> None:
    _, task = torino
    found = price(task)
    assert 2e-6 < task.duration < 3e-6
    assert found.seconds == pytest.approx(2 + 197_000 * (250e-6 + task.duration), rel=1e-12)
    assert round(found.seconds) == 52
    assert (found.rows, found.circuits, found.executions, found.jobs) == (197, 197, 197_000, 1)
    assert found.two_qubit_gates == 26
    assert 600 // found.seconds == 11
    slow = price(chip_and_task("FakeMiami")[1])
    assert round(slow.seconds) == 791


def test_tiles_and_calibration_change_the_number_of_circuits(torino: tuple[Chip, Task]) -> None:
    _, task = torino

    def circuits(**changes: object) -> int:
        return price(dataclasses.replace(task, **changes)).circuits

    assert circuits(tiles=6) == 1 + 2 * 17
    assert circuits(tiles=7) == 1 + 2 * 14
    assert circuits(tiles=98) == circuits(tiles=200) == 3
    assert circuits(calibrate=True) == 199
    assert circuits(tiles=7, calibrate=True) == 31
    assert circuits(num_rows=1, tiles=4) == 1
    assert price(dataclasses.replace(task, tiles=6)).two_qubit_gates == 6 * 26


@pytest.mark.parametrize("shots", [1, 63, 1000, 2000, 2048, 2049, 12_345])
def test_shots_taken_are_the_clients(shots: int) -> None:
    circuits, each = calculate_twirling_shots(shots, "auto", "auto")
    assert shots_taken(shots, twirling=True) == circuits * each


def test_the_delay_is_the_devices_or_within_its_range(torino: tuple[Chip, Task]) -> None:
    chip, task = torino
    found = price(dataclasses.replace(task, rep_delay=100e-6))
    assert found.seconds == pytest.approx(2 + 197_000 * (100e-6 + task.duration))
    assert rep_delay_of(chip, None) == chip.rep_delay
    assert rep_delay_of(chip, 100e-6) == 100e-6
    with pytest.raises(ValueError, match=r"rep_delay must be 0 to 0\.0005 seconds on fake_torino, got 250"):
        rep_delay_of(chip, 250)


def test_jobs_stay_within_the_limits(torino: tuple[Chip, Task]) -> None:
    _, task = torino
    assert len(split_into_jobs(100, 100_000, 1e-4, 100_000)) == 1  # 10,000,000 executions exactly
    assert [part.stop - part.start for part in split_into_jobs(101, 100_000, 1e-4, 100_000)] == [51, 50]
    assert len(split_into_jobs(10, 10_000, 0.1, 100_000)) == 1  # 10,000 s
    assert [part.stop - part.start for part in split_into_jobs(11, 10_000, 0.1, 100_000)] == [6, 5]  # of 10,798 s each
    parts = split_into_jobs(1234, 90_000, 5e-4, 100_000)
    assert [row for part in parts for row in range(1234)[part]] == list(range(1234))
    found = price(dataclasses.replace(task, shots=100_000))
    assert found.jobs == 2
    assert found.seconds == pytest.approx(4 + 19_700_000 * found.seconds_per_shot)
    with pytest.raises(ValueError, match="100,001 shots are more than the 100,000"):
        price(dataclasses.replace(task, shots=100_001))
    with pytest.raises(ValueError, match="one circuit of 100,000 shots takes 20,000 seconds"):
        split_into_jobs(1, 100_000, 0.2, 100_000)
    with pytest.raises(ValueError, match="5,200,000 two-qubit gates, more than the 5,000,000"):
        price(dataclasses.replace(task, tiles=200_000))


@pytest.mark.parametrize(
    ("jobs", "seconds", "needed"), [(1, 2.0, 2), (1, 2.001, 3), (1, 2.999, 3), (2, 4.0, 4), (2, 4.2, 6), (3, 0.3, 3)]
)
def test_every_job_needs_whole_seconds(jobs: int, seconds: float, needed: int) -> None:
    """As the service ends jobs: each at a whole second, and none before the seconds that it takes."""
    assert whole_seconds(jobs, seconds) == needed


def test_savings_add_up(torino: tuple[Chip, Task]) -> None:
    chip, task = torino
    table = savings(task, chip, most_tiles=6, fewest_rows=3)
    assert table["as it is"] == price(task)
    assert table["device.tiles=auto (6)"].circuits == 35
    assert table["device.rep_delay=0"].seconds == pytest.approx(2 + 197_000 * task.duration)
    assert table["train.shots=250"].executions == 197 * 250
    assert table["train.gradient=spsa"].rows == table["train.gradient=spsa"].circuits == 3
    together = dataclasses.replace(task, tiles=6, shots=250, rep_delay=0.0)
    assert table["all of these"] == price(together)
    assert table["all of these and SPSA"] == price(dataclasses.replace(together, num_rows=3, group=3))
    assert list(table)[-1] == "all of these and SPSA"
    cheap = savings(table_task := dataclasses.replace(task, num_rows=3), chip, most_tiles=6, fewest_rows=3)
    assert list(cheap) == ["as it is", "device.rep_delay=0", "train.shots=250", "all of these"]
    assert cheap["as it is"] == price(table_task)
    assert "device.tiles=auto (1)" not in savings(task, chip, most_tiles=1, fewest_rows=3)
