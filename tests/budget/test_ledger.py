"""What counts against a budget on a QPU: every job once, billed or priced, and rehearsals as if they were billed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from qhn.backend import BackendError
from qhn.backend.events import UNSAID, Entry, Event, Unsaid
from qhn.backend.history import History
from qhn.backend.journal import Journal
from qhn.backend.rehearsal import FakeDevice, RehearsalSampler, stored_device
from qhn.backend.samples import Samples
from qhn.backend.terms import Amount
from qhn.budget.ledger import ledger
from qhn.budget.quote import quote
from qhn.config import RunConfig
from qhn.config.file import with_settings
from qhn.config.train import TrainConfig
from qhn.report.page import Report
from qhn.run.checks import BudgetNeeded
from qhn.run.record import load_run
from qhn.run.stopping import over_budget
from qhn.run.training import resume, train

SMALL = ("--set", "data.samples=40", "--set", "data.validation_samples=30", "--layers", "1", "--shots", "60")


def submitted(job_id: str, step: int) -> Entry:
    return Entry(Event.SUBMITTED, tag=f"qhn:r:{step}:0", job_id=job_id, rows=10, shots=100, price_seconds=52.0)


def done(job_id: str, step: int, billed: float | None) -> Entry:
    return Entry(Event.DONE, tag=f"qhn:r:{step}:0", job_id=job_id, qpu_seconds=billed)


def step(number: int, *job_ids: str, billed: float | None) -> dict[str, object]:
    return {"step": number, "job_ids": [*job_ids], "qpu_seconds": billed, "price_seconds": 52.0, "price_jobs": 1}


def test_every_job_counts_once() -> None:
    jobs = [submitted("a", 0), done("a", 0, 50.0), submitted("b", 1), done("b", 1, None), submitted("c", 2)]
    history = History(jobs)
    timing = [step(0, "a", billed=50.0), step(1, "b", billed=None)]
    found = ledger(2, timing, history, 2000)
    assert found.steps == Amount(102.0, 2, 2000)  # the second at its price
    assert found.begun == Amount(52.0, 1, 1000)
    assert found.lost == Amount()
    assert ledger(1, timing[:1], history, 1000).begun == Amount(
        52.0, 1, 1000
    )  # of step 1; the bits of step 2 are no use
    assert ledger(1, timing[:1], history, 1000).lost == Amount(52.0, 1, 1000)
    assert ledger(0, [], History(), 0).spent == Amount()


@pytest.mark.parametrize("event", [Event.FAILED, Event.CANCELLED])
@pytest.mark.parametrize(("job_id", "billed", "seconds"), [(None, UNSAID, 52.0), ("a", UNSAID, 52.0), ("a", 3.0, 3.0)])
def test_a_job_without_bits_is_lost_at_what_it_billed_or_its_price(
    job_id: str | None, billed: float | Unsaid, seconds: float, event: Event
) -> None:
    end = Entry(event, tag="qhn:r:0:0", job_id=job_id, qpu_seconds=billed)
    history = History([submitted("a", 0), end, Entry(Event.INTENT, tag="qhn:r:0:0"), submitted("b", 0)])
    found = ledger(0, [], history, 0)
    assert found.lost == Amount(seconds, 1, 1000)
    assert found.begun == Amount(52.0, 1, 1000)


@pytest.mark.parametrize("billed", [None, 1.0, 52.0, 90.0])
def test_what_is_paid_is_used_whatever_it_billed(billed: float | None) -> None:
    """A step all of whose shots were taken goes on; one of two jobs leaves the price of the other."""
    rules = TrainConfig(max_qpu_seconds=60)
    found = ledger(0, [], History([submitted("a", 0), done("a", 0, billed)]), 0)
    assert over_budget(rules, Amount(52.0, 1, 1000), found) is None
    stopped = over_budget(rules, Amount(104.0, 2, 2000), found)
    left = 60 - (52.0 if billed is None else billed)
    assert (stopped is not None) == (left < 52)
    if stopped is not None:
        assert stopped.message.startswith(f"a step takes up to 52.00 QPU seconds, {max(0, left):.2f} of")


def test_a_job_found_again_is_no_longer_lost() -> None:
    history = History([submitted("a", 0), Entry(Event.FAILED, tag="qhn:r:0:0"), done("a", 0, 40.0)])
    assert ledger(0, [], history, 0).begun == Amount(40.0, 1, 1000)


def test_a_self_test_is_paid_ahead_until_it_is_passed() -> None:
    """Its price need not be there again for the first step; once it was read, the step alone is to be paid."""
    size = {"rows": 4, "shots": 100, "price_seconds": 2.1}
    begun = [Entry(Event.SUBMITTED, tag="qhn:r:test:0", job_id="t", **size)]
    found = ledger(0, [], History(begun), 0)
    assert found.paid_ahead == found.tests == Amount(2.1, 1, 400)
    passed = [
        Entry(Event.DONE, tag="qhn:r:test:0", job_id="t", qpu_seconds=2.5),
        Entry(Event.SELF_TEST, job_id="t", complaint=None, versions={"qiskit": "2.1"}),
    ]
    found = ledger(0, [], History([*begun, *passed]), 0)
    assert (found.paid_ahead, found.tests) == (Amount(), Amount(2.5, 1, 400))
    found = ledger(0, [], History([*begun, *passed, submitted("a", 0)]), 0)
    assert found.paid_ahead == found.begun == Amount(52.0, 1, 1000)
    assert found.spent == Amount(54.5, 2, 1400)


@pytest.fixture
def rehearsal(small_config: RunConfig) -> RunConfig:
    return with_settings(small_config, {"train.backend": "fake_manila"})


def price(config: RunConfig) -> float:
    return quote(config, stored_device(config.train.backend), 600).seconds[0]


def ended(config: RunConfig, results: Path) -> tuple[int, str]:
    training = train(config, results=results)
    taken = len(list(training))
    assert training.outcome is not None
    return taken, training.outcome.message


def test_a_rehearsal_spends_its_price(rehearsal: RunConfig, tmp_path: Path) -> None:
    """A budget of exactly three steps is three steps; a little less is two."""
    one = price(rehearsal)
    assert ended(with_settings(rehearsal, {"train.max_qpu_seconds": 3 * one}), tmp_path / "3")[0] == 3
    taken, message = ended(with_settings(rehearsal, {"train.max_qpu_seconds": 3 * one - 0.001}), tmp_path / "2")
    assert taken == 2
    assert message == f"a step takes up to {one:.2f} QPU seconds, {one - 0.001:.2f} of train.max_qpu_seconds remain"
    taken, message = ended(with_settings(rehearsal, {"train.max_jobs": 3}), tmp_path / "jobs")
    assert (taken, message) == (3, "a step takes 1 job, 0 of train.max_jobs remain")
    with pytest.raises(ValueError, match=r"max_qpu_seconds is .*, the first step takes"):
        train(with_settings(rehearsal, {"train.max_qpu_seconds": one - 0.001}), results=tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_budget_of_a_rehearsal_holds_without_a_record_and_after_a_pause(rehearsal: RunConfig, tmp_path: Path) -> None:
    config = with_settings(rehearsal, {"train.max_qpu_seconds": 2.5 * price(rehearsal)})
    training = train(config, record=False)
    assert len(list(training)) == 2
    assert training.ledger().spent.jobs == 2
    training = train(config, results=tmp_path)
    next(training)
    training.close()
    training = train(config, results=tmp_path)
    assert len(list(training)) == 2
    assert training.record is not None
    raised = resume(training.record.directory, {"train.max_qpu_seconds": "none"})
    assert len(list(raised)) == 4
    assert raised.ledger().spent.seconds == pytest.approx(4 * price(rehearsal))


def test_a_spent_budget_is_told_without_the_device(
    rehearsal: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = with_settings(rehearsal, {"train.max_qpu_seconds": 2.5 * price(rehearsal)})
    ended(config, tmp_path)
    monkeypatch.setattr("qhn.config.open_backend", lambda *words: pytest.fail("it was opened"))
    assert ended(config, tmp_path)[0] == 2


def test_pages_and_lines_say_what_was_spent(rehearsal: RunConfig, tmp_path: Path, qhn) -> None:
    one = price(rehearsal)
    words = ("run", "figure-1", *SMALL, "--backend", "fake_manila", "--steps", "4")
    result = qhn(*words, "--set", "train.max_qpu_seconds=6", "--results", str(tmp_path))
    taken = int(6 // one)
    assert result.code == 3
    assert f"QPU {one:.1f} s, {6 - one:.1f} left" in result.err
    line = f"billed      nothing; {taken * one:.1f} of 6 QPU s in {taken} jobs would have been billed"
    assert line in result.out
    assert line in qhn("show", "--results", str(tmp_path)).out


def test_limits_that_nothing_counts_against_are_refused(small_config: RunConfig) -> None:
    for rule in ("max_qpu_seconds", "max_jobs"):
        with pytest.raises(ValueError, match=rf"train\.{rule} limits shots on backends .*; this run on aer takes none"):
            train(with_settings(small_config, {f"train.{rule}": 5}), record=False)
    shotless = {"train.backend": "fake_manila", "train.shots": "none", "train.max_jobs": 5}
    with pytest.raises(ValueError, match="this run on fake_manila takes none there"):
        train(with_settings(small_config, shotless), record=False)


class Billing(RehearsalSampler):
    """A QPU as far as money goes: notes its jobs and bills them."""

    journal: Journal
    billed = 3.0
    answers = True

    def sample(self, thetas, shots, key, group=1) -> Samples:
        job_id, rows = f"job-{len(self.journal.history().entries())}", len(thetas)
        seconds = self.placement.job_seconds(rows, shots)
        size = {"rows": rows, "shots": shots, "price_seconds": seconds}
        self.journal.append(Entry(Event.SUBMITTED, tag=key.tag, job_id=job_id, **size))
        if not self.answers:
            raise BackendError("the process died")
        samples = super().sample(thetas, shots, key, group)
        self.journal.append(Entry(Event.DONE, tag=key.tag, job_id=job_id, qpu_seconds=self.billed))
        return Samples(samples.bits, (job_id,), self.billed)


@pytest.fixture
def paid(monkeypatch: pytest.MonkeyPatch, rehearsal: RunConfig, tmp_path: Path) -> RunConfig:
    monkeypatch.setattr(FakeDevice, "paid", True)
    monkeypatch.setattr("qhn.backend.rehearsal.RehearsalSampler", Billing)
    monkeypatch.setattr(Billing, "journal", Journal(tmp_path / "figure-1" / rehearsal.run_id / "jobs.jsonl"), False)
    return rehearsal


def test_a_bill_counts_as_it_is(paid: RunConfig, tmp_path: Path) -> None:
    """Bills above the price leave fewer steps; the price of the next one decides."""
    one = price(paid)
    assert 2 < one < 3
    assert ended(with_settings(paid, {"train.max_qpu_seconds": 6.0 + one - 0.001}), tmp_path)[0] == 2
    directory = next(tmp_path.glob("figure-1/*"))
    training = resume(directory, {"train.max_qpu_seconds": 6.0 + one})
    assert len(list(training)) == 3
    assert training.ledger().spent == Amount(9.0, 3, 3 * 25 * 60)


def test_a_killed_run_pays_for_its_job_and_not_again(
    paid: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its job waits: the step goes on though nothing remains. Once it has failed, another is too much."""
    one = price(paid)
    training = train(with_settings(paid, {"train.max_qpu_seconds": 3.0 + one + 0.5}), results=tmp_path)
    next(training)
    with monkeypatch.context() as patched:
        patched.setattr(Billing, "answers", False)
        with pytest.raises(BackendError):
            next(training)
    training.close()
    assert training.ledger().begun.seconds == pytest.approx(one)
    assert training.ledger().begun.jobs == 1
    assert training.record is not None
    going = resume(training.record.directory)
    assert going.announcement()  # there is a step to be made
    going.close()
    Billing.journal.append(Entry(Event.FAILED, tag=Billing.journal.history().entries()[-1].tag))
    training = resume(training.record.directory)
    assert len(list(training)) == 1
    assert training.outcome is not None
    assert training.outcome.name == "budget"
    page = Report(load_run(training.record.directory)).device
    assert page is not None
    assert f"{one:,.1f} of them in 1 that led to no step" in "\n".join(page.lines())


def test_a_paid_run_needs_a_budget_and_is_told_one(paid: RunConfig, tmp_path: Path) -> None:
    one = price(paid)
    with pytest.raises(BudgetNeeded, match=r"needs a budget, such as --set train\.max_qpu_seconds=") as caught:
        train(with_settings(paid, {"train.max_jobs": 4}), results=tmp_path)
    assert caught.value.price == pytest.approx(4 * one)
    assert f"max_qpu_seconds={int(np.ceil(4 * one))};" in str(caught.value)
    assert not list(tmp_path.glob("*"))
    for rule in ("max_qpu_seconds", "max_shots"):
        assert train(with_settings(paid, {f"train.{rule}": 1500}), results=tmp_path).outcome is None


def test_the_price_of_a_job_is_its_share_of_the_price_of_a_step(rehearsal: RunConfig, tmp_path: Path) -> None:
    from qhn.backend.ibm.device import Device
    from qhn.seeds import Key

    journal = Journal(tmp_path / "jobs.jsonl")
    sampler = Device(stored_device("fake_manila"), journal=journal).compile(rehearsal.circuit(rehearsal.problem()))
    sampler.sample(np.zeros((25, sampler.ansatz.num_parameters)), 60, Key(1, run="r"), 25)
    (entry,) = [json.loads(line) for line in journal.path.read_text().splitlines() if "submitted" in line]
    assert entry["price_seconds"] == pytest.approx(price(rehearsal))
