"""The machine of a run of bound circuits: price first, budgets, what was spent, and going on after a kill."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit

from qhn.backend import Journal
from qhn.backend.ibm.connection import IbmConnection
from qhn.backend.sampler import QuotaError
from qhn.backend.service import connection, jobs
from qhn.backend.terms import Amount, BudgetExceeded, Conduct, Detached
from qhn.budget.limits import Limits
from qhn.errors import QhnError, RecordError
from qhn.run.checks import BudgetNeeded
from qhn.run.circuit_machine import CircuitMachine
from qhn.run.stopping import stopped_by
from qhn.seeds import Key
from service import Service

SHOTS = 1000


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(connection, "LONGEST_PAUSE", 0.1)
    monkeypatch.setattr(jobs, "LISTING_DELAY", 0.1)


def circuit(angle: float = 0.4) -> QuantumCircuit:
    found = QuantumCircuit(2, 2)
    found.ry(angle, 0)
    found.cx(0, 1)
    found.measure([0, 1], [1, 0])
    return found


def key(step: int, evaluation: int = 0) -> Key:
    return Key(1, step=step, evaluation=evaluation, run="d")


def opened(folder: Path, limits: Limits | None = None, **asked: bool) -> CircuitMachine:
    """As a new process would."""
    chosen = Limits(max_qpu_seconds=60) if limits is None else limits
    return CircuitMachine("ibm_manila", journal=Journal(folder / "jobs.jsonl"), limits=chosen, conduct=Conduct(**asked))


def step(machine: CircuitMachine, number: int, requests: int = 1) -> dict[str, object]:
    for evaluation in range(requests):
        machine.measure([circuit()], SHOTS, key(number, evaluation))
    return machine.complete()


def test_what_was_spent_is_what_the_service_billed(service: Service, tmp_path: Path) -> None:
    machine = opened(tmp_path)
    prices = [machine.price([circuit()], SHOTS)]
    machine.check(prices, 3)
    assert not service.jobs
    steps = [step(machine, number, requests=2) for number in range(2)]
    assert [len(one["job_ids"]) for one in steps] == [2, 2]
    assert machine.ledger().spent.seconds == pytest.approx(service.usage)
    assert (machine.ledger().spent.jobs, machine.ledger().tests.jobs) == (5, 1)
    assert machine.ledger().steps.shots == 4 * SHOTS
    assert machine.left().seconds == pytest.approx(60 - service.usage)
    assert machine.budget_words() == f"QPU {service.usage:,.1f} s, {60 - service.usage:,.1f} left"
    again = opened(tmp_path)
    again.take_up(steps)
    assert again.ledger() == machine.ledger()


def test_the_first_step_includes_the_self_test_and_each_job_whole_seconds(service: Service, tmp_path: Path) -> None:
    machine = opened(tmp_path)
    price = machine.price([circuit()], SHOTS)
    test = price.self_test
    assert machine.needed([price, price]) == Amount(6.0 + test.seconds, 2 + 1, 2 * SHOTS + test.shots)
    step(machine, 0)
    assert machine.needed([machine.price([circuit()], SHOTS)]) == Amount(3.0, 1, SHOTS)


def test_a_step_that_could_exceed_a_budget_is_not_begun(service: Service, tmp_path: Path) -> None:
    machine = opened(tmp_path, Limits(max_qpu_seconds=8.0))
    price = machine.price([circuit()], SHOTS)
    assert machine.stop([price]) is None
    step(machine, 0)
    machine.price([circuit()], SHOTS)
    assert machine.stop([machine.price([circuit()], SHOTS)]) is None
    step(machine, 1)
    outcome = machine.stop([machine.price([circuit()], SHOTS)])
    assert outcome is not None
    assert outcome.name.exit_code == 3
    assert "a step takes up to 3.00 QPU seconds, " in outcome.message
    assert "of machine.max_qpu_seconds remain" in outcome.message
    with pytest.raises(BudgetExceeded, match=r"of machine\.max_qpu_seconds remain") as stopped:
        machine.measure([circuit()], SHOTS, key(2))
    assert stopped_by(stopped.value).name == "budget"
    assert service.usage <= 8.0
    assert len(service.jobs) == 3


def test_a_job_on_its_way_is_not_paid_twice(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed while the second job of the budget is waited for: the next process has enough left to read it."""
    limits = Limits(max_jobs=3, max_qpu_seconds=60)
    machine = opened(tmp_path, limits)
    steps = [step(machine, 0)]

    def die(*words: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(IbmConnection, "wait", die)
        with pytest.raises(KeyboardInterrupt):
            machine.measure([circuit()], SHOTS, key(1))
    again = opened(tmp_path, limits)
    again.take_up(steps)
    assert again.ledger().paid_ahead.jobs == 1
    assert again.stop([again.price([circuit()], SHOTS)]) is None
    step(again, 1)
    assert len(service.jobs) == 3
    assert again.ledger().spent.jobs == 3
    outcome = again.stop([again.price([circuit()], SHOTS)])
    assert outcome is not None
    assert outcome.message == "a step takes 1 job, 0 of machine.max_jobs remain"


def test_bits_of_an_unfinished_step_are_used_again(service: Service, tmp_path: Path) -> None:
    first = opened(tmp_path).measure([circuit()], SHOTS, key(0))
    again = opened(tmp_path, Limits(max_jobs=3))
    with pytest.raises(BudgetNeeded):
        again.measure([circuit()], SHOTS, key(0))
    again = opened(tmp_path, Limits(max_jobs=3, max_shots=10_000))
    np.testing.assert_array_equal(again.measure([circuit()], SHOTS, key(0)).bits, first.bits)
    assert again.complete()["job_ids"] == list(first.job_ids)
    assert len(service.jobs) == 2
    assert again.ledger().steps == Amount(service.jobs["job000001"].seconds, 1, SHOTS)


def test_what_is_paid_for_needs_a_record_and_a_budget(service: Service, tmp_path: Path) -> None:
    unlimited = opened(tmp_path, Limits(max_jobs=5))
    prices = [unlimited.price([circuit()], SHOTS)]
    message = r"such as --set machine.max_qpu_seconds=10; its 3 steps should take 9\.\d QPU seconds and 3,400 shots"
    with pytest.raises(BudgetNeeded, match=message) as error:
        unlimited.check(prices, 3)
    assert error.value.first == unlimited.needed(prices)
    with pytest.raises(BudgetNeeded):
        unlimited.measure([circuit()], SHOTS, key(0))
    lost = CircuitMachine("ibm_manila", limits=Limits(max_qpu_seconds=60))
    with pytest.raises(QhnError, match="is paid for and must be recorded"):
        lost.measure([circuit()], SHOTS, key(0))
    small = opened(tmp_path, Limits(max_qpu_seconds=4))
    with pytest.raises(
        QhnError, match=r"machine.max_qpu_seconds is 4, the first step takes up to 5\.\d+; raise it or low"
    ):
        small.check(prices)
    assert not service.jobs


def test_an_account_that_has_too_little_stops_the_run(service: Service, tmp_path: Path) -> None:
    machine = opened(tmp_path)
    service.conditions.usage_limit, service.conditions.usage_before = 600.0, 598.0
    outcome = machine.stop([machine.price([circuit()], SHOTS)])
    assert outcome is not None
    assert (outcome.name, outcome.name.exit_code) == ("quota", 3)
    service.conditions.usage_before, service.conditions.refuses_beyond_usage = 600.0, True
    with pytest.raises(QuotaError) as stopped:
        machine.measure([circuit()], SHOTS, key(0))
    assert stopped_by(stopped.value).name == "quota"


def test_a_detached_run_ends_and_is_read_later(service: Service, tmp_path: Path) -> None:
    step(opened(tmp_path), 0)  # with the self-test
    service.conditions.queue_looks = 3
    detached = opened(tmp_path, detach=True)
    with pytest.raises(Detached) as stopped:
        detached.measure([circuit()], SHOTS, key(1))
    assert stopped_by(stopped.value).name == "detached"
    service.conditions.queue_looks = 0
    assert opened(tmp_path, detach=True).measure([circuit()], SHOTS, key(1)).job_ids == ("job000002",)


def test_a_lost_journal_is_noticed(service: Service, tmp_path: Path) -> None:
    steps = [step(opened(tmp_path), 0)]
    (tmp_path / "jobs.jsonl").unlink()
    (tmp_path / "jobs.end.json").unlink()
    with pytest.raises(RecordError, match="does not know the job job000001, which a step used; restore it"):
        opened(tmp_path).take_up(steps)


def test_a_rehearsal_counts_what_a_device_would_bill(tmp_path: Path) -> None:
    machine = CircuitMachine("fake_manila", limits=Limits(max_qpu_seconds=5.0))
    price = machine.price([circuit()], SHOTS)
    machine.check([price], 9)
    assert machine.needed([price]) == Amount(price.seconds, 1, SHOTS)
    step(machine, 0)
    step(machine, 1)
    assert machine.ledger().spent == Amount(2 * price.seconds, 2, 2 * SHOTS)
    assert machine.stop([price]) is not None


@pytest.mark.parametrize("name", ["exact", "aer", "depolarising"])
def test_simulators_count_shots_alone(name: str) -> None:
    machine = CircuitMachine(name, limits=Limits(max_shots=2500))
    price = machine.price([circuit()], SHOTS)
    assert [step(machine, number)["qpu_seconds"] for number in range(2)] == [0, 0]
    assert machine.stop([price]).message == "a step takes 1,000 shots, 500 of machine.max_shots remain"
    assert machine.budget_words() == ""
    with pytest.raises(QhnError, match=rf"machine.max_jobs limits shots on .*; this run on {name} takes none there"):
        CircuitMachine(name, limits=Limits(max_jobs=1)).check([price])


def test_a_session_is_closed_at_the_end(service: Service, tmp_path: Path) -> None:
    from qhn.backend import DeviceSettings

    machine = CircuitMachine(
        "ibm_manila",
        DeviceSettings(mode="session"),
        Journal(tmp_path / "jobs.jsonl"),
        limits=Limits(max_qpu_seconds=60),
    )
    machine.close()  # nothing was opened
    step(machine, 0)
    machine.close()
    assert [session["state"] for session in service.sessions.values()] == ["closed"]
