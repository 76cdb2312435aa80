"""The descent of three qubits on a QPU, through the installed client and a stand-in of the service."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qhn.backend.ibm.connection import IbmConnection
from qhn.backend.service import connection, jobs
from qhn.quantum_sgd.load import load_descent
from qhn.quantum_sgd.loop import QuantumDescent
from qhn.quantum_sgd.record import DescentRecord
from qhn.run.checks import BudgetNeeded
from service import Service

SETTINGS = {"machine.backend": "ibm_manila", "machine.shots": 2000}
WORDS = ("qsgd", "three-qubits", "--backend", "ibm_manila", "--shots", "2000")


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(connection, "LONGEST_PAUSE", 0.1)
    monkeypatch.setattr(jobs, "LISTING_DELAY", 0.1)


def descent(results: Path, budget: float = 60.0, **options: bool) -> QuantumDescent:
    """As a new process would begin it, or go on with it."""
    config = load_descent("three-qubits", SETTINGS | {"machine.max_qpu_seconds": budget})
    return QuantumDescent(config, DescentRecord.of(config, results), **options)


def die(*words: object) -> None:
    raise KeyboardInterrupt


def measured(service: Service) -> list[str]:
    return [job.tags[0] for job in service.jobs.values() if ":test:" not in job.tags[0]]


def test_without_a_budget_the_price_is_told_and_nothing_is_written_or_sent(service: Service, qhn) -> None:
    result = qhn(*WORDS)
    assert result.code == 2
    assert "a run on ibm_manila is paid for and needs a budget, such as --set machine.max_qpu_seconds=" in result.err
    assert "its 2 steps should take" in result.err
    assert not service.jobs
    assert not Path("results").exists()
    config = load_descent("three-qubits", SETTINGS)
    with pytest.raises(BudgetNeeded):
        QuantumDescent(config, DescentRecord.of(config, "results")).check()


def test_the_three_qubit_job_runs_within_its_budget(service: Service, qhn) -> None:
    result = qhn(*WORDS, "--set", "machine.max_qpu_seconds=30")
    assert result.code == 0, result.err
    assert len(measured(service)) == 2, "one job for both circuits of a segment"
    assert service.usage <= 30
    (directory,) = Path("results/three-qubits").iterdir()
    record = DescentRecord.load(directory)
    last = record.segments()[-1]
    assert (last.solved.qubits, last.read.shots, last.solved.two_qubit_gates <= 40) == (3, 2000, True)
    assert last.update_error < 0.25, "within the noise of the device"
    assert sum(one["qpu_seconds"] for one in record.timing()) <= service.usage
    before = len(service.jobs)
    again = qhn(*WORDS, "--set", "machine.max_qpu_seconds=30")
    assert again.code == 0
    assert len(service.jobs) == before
    assert again.out == result.out


def test_yes_spends_what_it_takes(service: Service, qhn) -> None:
    result = qhn(*WORDS, "--yes", "--segments", "1")
    assert result.code == 0, result.err
    assert "one step and a self-test should take" in result.err
    assert len(measured(service)) == 1


@pytest.mark.parametrize("moment", [1, 2])
def test_killed_while_a_job_is_waited_for_nothing_is_paid_twice(
    moment: int, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[int] = []
    real = IbmConnection.wait

    def dying(self: IbmConnection, *words: object) -> object:
        waits.append(1)
        if len(waits) == moment:
            raise KeyboardInterrupt
        return real(self, *words)

    with monkeypatch.context() as patched:
        patched.setattr(IbmConnection, "wait", dying)
        with pytest.raises(KeyboardInterrupt):
            list(descent(tmp_path))
    assert len(list(descent(tmp_path))) >= 1
    done = descent(tmp_path)
    assert (done.num_stored, list(done), str(done.outcome.name)) == (2, [], "done")
    assert len(measured(service)) == len(set(measured(service))) == 2


def test_killed_after_the_bits_came_nothing_is_paid_twice(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(DescentRecord, "append", die)
        with pytest.raises(KeyboardInterrupt):
            list(descent(tmp_path))
    assert len(measured(service)) == 1
    assert len(list(descent(tmp_path))) == 2
    assert len(measured(service)) == 2


def test_a_budget_ends_a_descent_with_a_complete_record(service: Service, qhn) -> None:
    result = qhn(*WORDS, "--segments", "20", "--set", "machine.max_qpu_seconds=9")
    assert result.code == 3
    assert "of machine.max_qpu_seconds remain" in result.err
    assert service.usage <= 9
    (directory,) = Path("results/three-qubits").iterdir()
    segments = DescentRecord.load(directory).segments()
    assert 1 <= len(segments) < 20
    assert json.loads((directory / "outcome.json").read_text())["name"] == "budget"
    more = qhn(*WORDS, "--segments", str(len(segments) + 1), "--set", "machine.max_qpu_seconds=20", "-q")
    assert more.code == 0, more.err


def test_a_budget_too_small_for_a_segment_is_refused(service: Service, qhn) -> None:
    result = qhn(*WORDS, "--set", "machine.max_qpu_seconds=1")
    assert result.code == 2
    assert "machine.max_qpu_seconds" in result.err
    assert not service.jobs


def test_detached_the_same_command_goes_on(service: Service, qhn) -> None:
    words = (*WORDS, "--set", "machine.max_qpu_seconds=30", "--segments", "1")
    service.conditions.queue_looks = 3
    first = qhn(*words, "--detach")
    assert first.code == 0, first.err
    assert "on the way; the same command goes on" in first.out + first.err
    service.conditions.queue_looks = 0
    second = qhn(*words)
    assert second.code == 0, second.err
    assert len(measured(service)) == 1
