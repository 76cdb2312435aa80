"""Whole runs on a QPU, through the installed client and the stand-in of the service: budgets, detaching, moving."""

from __future__ import annotations

import calendar
import json
import shutil
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from qhn.backend import BackendError
from qhn.backend.events import TIME
from qhn.backend.service import connection, jobs
from qhn.config import RunConfig
from qhn.config.file import with_settings
from qhn.errors import RecordError, RecordWarning
from qhn.report.jobs import job_lines, ledger_of
from qhn.run.record import Record, load_run
from qhn.run.replay import replay
from qhn.run.step import Outcome
from qhn.run.training import Training, resume, train
from runs import make_old
from service import Service

SMALL = ("--set", "data.samples=40", "--set", "data.validation_samples=30", "--layers", "1", "--shots", "60")
RUN = ("run", "figure-1", *SMALL, "--steps", "3", "--backend")
TEST, STEP = 2.10253, 2.38447  # QPU seconds of the self-test and of a step
WHOLE = 3  # that must be left for a step, since the service ends jobs at whole seconds


@pytest.fixture(autouse=True)
def _without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take seconds, and are tested elsewhere."""
    monkeypatch.setattr("qhn.report.page.Report.figures", lambda self: [])


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_PAUSE", "LONGEST_PAUSE"):
        monkeypatch.setattr(connection, name, 0.05)
    for name in ("LISTING_DELAY", "FULL_QUEUE_PAUSE"):
        monkeypatch.setattr(jobs, name, 0.05)


@pytest.fixture
def paid(small_config: RunConfig) -> RunConfig:
    return with_settings(small_config, {"train.backend": "ibm_manila", "train.max_qpu_seconds": 60})


def ended(training: Training) -> tuple[int, Outcome]:
    """Number of steps, and how it ended."""
    taken = len(list(training))
    assert training.outcome is not None
    return taken, training.outcome


def record_of(training: Training) -> Record:
    assert training.record is not None
    return training.record


@pytest.mark.parametrize(
    ("rule", "limit", "steps"),
    [
        ("max_qpu_seconds", TEST + STEP + WHOLE + 0.001, 2),
        ("max_qpu_seconds", TEST + STEP + WHOLE - 0.001, 1),
        ("max_jobs", 3, 2),
        ("max_shots", 400 + 2 * 1500, 2),
        ("max_shots", 400 + 2 * 1500 - 1, 1),
    ],
)
def test_budgets_hold_to_the_last_second_job_and_shot(
    rule: str, limit: float, steps: int, service: Service, paid: RunConfig, tmp_path: Path
) -> None:
    training = train(with_settings(paid, {f"train.{rule}": limit}), results=tmp_path)
    taken, outcome = ended(training)
    assert (taken, outcome.name) == (steps, "budget")
    assert len(service.jobs) == 1 + steps
    assert training.ledger().spent.seconds == pytest.approx(service.usage)
    assert service.usage <= (limit if rule == "max_qpu_seconds" else 60)
    raised = resume(record_of(training).directory, {f"train.{rule}": 3 * limit, "train.steps": steps + 1})
    assert ended(raised)[0] == steps + 1  # without another self-test
    assert len(service.jobs) == 2 + steps


@pytest.mark.parametrize(
    ("rule", "limit"), [("max_qpu_seconds", TEST + WHOLE - 0.001), ("max_jobs", 1), ("max_shots", 1899)]
)
def test_a_budget_that_the_first_step_exceeds_is_refused(
    rule: str, limit: float, service: Service, paid: RunConfig, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=rf"train\.{rule} is .*, the first step takes"):
        train(with_settings(paid, {f"train.{rule}": limit}), results=tmp_path)
    assert not service.jobs
    assert not list(tmp_path.glob("figure-1"))


def test_bills_above_the_price_leave_fewer_steps(service: Service, paid: RunConfig, tmp_path: Path) -> None:
    service.conditions.job_seconds = 2.5  # half a second more than usual
    for number, (limit, steps) in enumerate([(TEST + 2 * WHOLE, 1), (TEST + WHOLE + 0.1, 0)]):
        config = with_settings(paid, {"train.max_qpu_seconds": limit, "train.seed": number})
        training = train(config, results=tmp_path)
        taken, outcome = ended(training)
        assert (taken, outcome.name) == (steps, "budget")
        own = sum(job.seconds for job in service.jobs.values() if config.run_id in job.tags[0])
        assert training.ledger().spent.seconds == pytest.approx(own)
        assert own <= limit
    assert outcome.message == "what is next takes up to 3, and 2.60 of train.max_qpu_seconds remain"


def test_a_job_that_would_pass_the_limit_is_ended_by_the_service(
    service: Service, paid: RunConfig, tmp_path: Path
) -> None:
    """Its shots are lost, and what it billed is in the ledger; no other is submitted."""
    limit = TEST + STEP + 3.5
    training = train(with_settings(paid, {"train.max_qpu_seconds": limit}), results=tmp_path)
    next(training)
    service.conditions.job_seconds = 3.9
    with pytest.raises(BackendError, match="did not end well"):
        next(training)
    training.close()
    last = list(service.jobs.values())[-1]
    assert last.request["cost"] == last.seconds == 3
    assert training.ledger().spent.seconds == pytest.approx(service.usage)
    assert service.usage <= limit
    taken, outcome = ended(resume(record_of(training).directory))
    assert (taken, outcome.name) == (1, "budget")
    assert list(service.jobs.values())[-1] is last


def test_what_the_account_has_left_is_a_limit_too(service: Service, paid: RunConfig, tmp_path: Path) -> None:
    service.conditions.usage_limit = TEST + STEP + WHOLE - 0.02
    training = train(paid, results=tmp_path)
    taken, outcome = ended(training)
    assert (taken, outcome.name) == (1, "quota")
    assert (
        outcome.message == "a step takes up to 3.00 QPU seconds, the account has 2.98 left in this period; qhn resume "
        "when it has more"
    )
    service.conditions.usage_limit = 600
    assert ended(resume(record_of(training).directory))[0] == 4


def test_a_run_goes_on_elsewhere_with_the_job_that_waits(service: Service, paid: RunConfig, tmp_path: Path) -> None:
    """The directory is copied while a job waits; both copies use its bits, and it is paid for once."""
    service.conditions.queue_looks = 6
    quiet = train(paid, results=tmp_path / "quiet")
    assert ended(quiet)[0] == 4
    here = train(paid, results=tmp_path / "here", detach=True)
    while not here.ledger().begun.jobs:
        assert ended(here)[1].name == "detached"
        here = resume(record_of(here).directory, detach=True)
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    directory = tmp_path / "there" / record_of(here).directory.relative_to(tmp_path / "here")
    there = resume(directory)
    assert ended(there)[0] == 4
    here.close()
    assert ended(resume(record_of(here).directory))[0] == 4
    both = [(record_of(one).directory / "steps.jsonl").read_bytes() for one in (quiet, here, there)]
    assert both[0] == both[1] == both[2]
    assert len(service.jobs) == 2 * 5  # a self-test and four steps, of the quiet run and of both copies together
    assert there.ledger().spent.seconds == pytest.approx(service.usage / 2)


def test_what_a_sparse_run_submits_is_what_its_steps_record(service: Service, paid: RunConfig, tmp_path: Path) -> None:
    """Fewer rows as angles come to rest, none twice when it detaches, each at its own price, and all of it replayed."""
    settings = {"train.angles": {"name": "sparse", "threshold": 0.6, "rest": 2}, "train.shots": 400, "train.steps": 6}
    config = with_settings(paid, settings)
    quiet = train(config, results=tmp_path / "quiet")
    steps = list(quiet)
    rows = [1 + 2 * (12 if step.angles is None else len(step.angles)) for step in steps]
    assert rows[0] == 25 > min(rows)
    taken = [job.seconds for job in service.jobs.values()]
    assert np.diff([0, *(step.shots for step in steps)]).tolist() == [400 * number for number in rows]
    assert taken[1:] == pytest.approx([2 + 400 * number * (taken[1] - 2) / (400 * rows[0]) for number in rows])
    assert quiet.ledger().spent.seconds == pytest.approx(service.usage)
    priced = [line["price_seconds"] for line in record_of(quiet).timing()]
    assert priced == pytest.approx(taken[1:], rel=1e-3)

    service.conditions.queue_looks = 2
    piecemeal = train(config, results=tmp_path / "piecemeal", detach=True)
    while ended(piecemeal)[1].name == "detached":
        piecemeal = resume(record_of(piecemeal).directory, detach=True)
    lines = [(record_of(one).directory / "steps.jsonl").read_bytes() for one in (quiet, piecemeal)]
    assert lines[0] == lines[1]
    assert len(service.jobs) == 2 * (1 + len(steps))
    for step, again in zip(steps, replay(record_of(piecemeal)), strict=True):
        assert (again.mean, again.distinct) == (step.mean, step.distinct)
        np.testing.assert_array_equal(again.grad, step.grad)


@pytest.mark.parametrize(
    ("seconds", "steps"), [(TEST + 2 * STEP + WHOLE + 0.001, 3), (TEST + 2 * STEP + WHOLE - 0.01, 2), (60, 4)]
)
@pytest.mark.parametrize("backend", ["ibm_manila", "fake_manila"])
def test_the_advice_names_the_steps_that_the_budget_allows(
    seconds: float, steps: int, backend: str, service: Service, paid: RunConfig, tmp_path: Path
) -> None:
    """As many as are then taken, self-test and whole seconds included; nothing is said of a run that comes to rest."""
    settings = {"train.backend": backend, "train.max_qpu_seconds": seconds, "train.optimizer.decay_steps": 4}
    training = train(with_settings(paid, settings), results=tmp_path)
    advice = training.advice()
    taken = len(list(training))
    training.close()
    if backend == "ibm_manila":
        assert taken == steps
    assert (f"ends after {taken}, with θ still on the way" in advice) == (taken < 4)
    assert bool(advice) == (taken < 4)


def test_a_detached_run_is_done_piece_by_piece(service: Service, tmp_path: Path, qhn) -> None:
    service.conditions.queue_seconds = 3600
    detached = qhn(*RUN, "ibm_manila", "--yes", "--detach")
    assert detached.code == 0
    assert "job job000000 is on the way; qhn jobs says how far" in detached.out
    found = qhn("jobs")
    assert found.code == 0
    assert "job000000  self-test  queued       2.1          –  to come" in found.out
    assert "2.1 of 12 QPU seconds in 1 job\n" in found.out
    assert qhn("resume", "--detach", "-q").code == 0
    assert len(service.jobs) == 1
    service.conditions.queue_seconds = 0
    assert qhn("resume", "--detach", "-q").code == 0
    assert [job.status for job in service.jobs.values()] == ["Completed"] * 4
    listed = json.loads(qhn("jobs", "--json").out)
    assert [job["measures"] for job in listed["jobs"]] == ["self-test", "step 0", "step 1", "step 2"]
    assert {job["bits"] for job in listed["jobs"]} == {"used"}
    assert listed["qpu_seconds"] == pytest.approx(service.usage)
    assert f"{service.usage:.1f}  done" in qhn("list").out
    assert f"{service.usage:.1f} of 12 QPU s in 4 jobs, 2.1 for the self-test" in qhn("show").out


def test_bills_that_come_late_are_noted(service: Service, paid: RunConfig, tmp_path: Path, qhn) -> None:
    service.conditions.billing_seconds, service.conditions.job_seconds = 3600, 2.5
    training = train(with_settings(paid, {"train.steps": 2}), results=tmp_path)
    assert ended(training)[0] == 2
    record = record_of(training)
    assert ledger_of(record).spent.seconds == pytest.approx(TEST + 2 * STEP, abs=1e-3)  # their prices
    service.conditions.billing_seconds = 0
    assert qhn("jobs", str(record.directory)).code == 0
    assert ledger_of(load_run(record.directory)).spent.seconds == pytest.approx(service.usage)
    assert [line.qpu_seconds for line in job_lines(record, lambda job_id: None)] == [
        job.seconds for job in service.jobs.values()
    ]


def test_jobs_are_listed_without_the_service(service: Service, paid: RunConfig, tmp_path: Path, qhn) -> None:
    service.conditions.queue_seconds = 3600
    training = train(paid, results=tmp_path, detach=True)
    assert ended(training)[1].name == "detached"
    service.fault("answer", status=503, seconds=3600)
    found = qhn("jobs", str(record_of(training).directory))
    assert found.code == 0
    assert "this is what was last known" in found.err
    assert "self-test  submitted" in found.out
    assert record_of(training).journal.history().entries()[-1].event == "submitted"


def test_the_least_busy_device_is_chosen_and_named(service: Service, tmp_path: Path, qhn) -> None:
    found = qhn(*RUN, "least-busy")
    assert found.code == 2  # no budget, and nobody to ask
    assert "least busy: ibm_jakarta" in found.err
    assert "a run on ibm_jakarta is paid for" in found.err
    large = qhn("estimate", "gaussian-activation", "--backend", "least-busy")
    assert large.code == 2
    assert "the account reaches no working device of 14 qubits" in large.err


def test_only_qpus_are_left_to_themselves(qhn) -> None:
    found = qhn(*RUN, "fake_manila", "--detach")
    assert (found.code, found.out) == (2, "")
    assert "--detach goes with backend ibm_<device> and plug-ins that bill, not with fake_manila" in found.err
    assert qhn(*RUN, "fake_manila", "-q").code == 0
    assert "qhn keeps jobs of ibm_<device> and plug-ins that bill" in qhn("jobs").err


def test_a_waiting_run_says_what_it_waits_for_and_what_is_left(service: Service, tmp_path: Path, qhn) -> None:
    service.conditions.queue_looks = 6
    found = qhn(*RUN, "ibm_manila", "--yes")
    assert found.code == 0
    lines = found.err.splitlines()
    asked = "ibm_manila: 3 steps and a self-test should take 9.3 QPU seconds; the account has 600 left"
    assert lines[0] == asked
    assert "all 3 steps 7.2 QPU seconds" in lines[1]
    assert lines[2].startswith("the learning rate falls to 0 over 25 steps, and this run ends after 3")
    assert lines[3] == "job000000 queued  QPU 2.1 s, 9.9 left"
    assert any(line.endswith("ETA 0 s") and f"QPU {TEST + 3 * STEP:.1f} s, 2.7 left" in line for line in lines)


def test_all_is_well_with_an_account_or_it_is_said_what_is_not(
    service: Service, qhn, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.conditions.usage_before, service.conditions.queue_seconds = 100.0, 3600.0
    found = qhn("doctor")
    assert found.code == 0
    assert "ok usage      instance stand-in, plan open, 100 QPU seconds used, 500 left" in found.out
    assert "ibm_jakarta       7             0         250 µs" in found.out
    service.fault("answer", on="POST v3/*", status=503, seconds=3600)
    found = qhn("doctor")
    assert found.code == 4
    assert "the IBM service could not be reached, or is out of order" in found.out
    service.faults.clear()
    service.fault("answer", on="POST identity/*", status=400, seconds=3600)
    found = qhn("doctor")
    assert found.code == 2
    assert "the IBM service refused the account's key (400)" in found.out
    service.faults.clear()
    monkeypatch.setenv("QISKIT_IBM_INSTANCE", "elsewhere")
    found = qhn("doctor")
    assert found.code == 2
    assert "the IBM account has no such instance" in found.out
    assert not service.jobs


@pytest.mark.parametrize("torn", [1, 40, 300])
def test_what_is_left_of_a_budget_does_not_hang_on_the_times_of_steps(
    torn: int, service: Service, paid: RunConfig, tmp_path: Path
) -> None:
    training = train(with_settings(paid, {"train.max_qpu_seconds": TEST + STEP + WHOLE + 0.001}), results=tmp_path)
    assert ended(training) == (2, training.outcome)
    path = record_of(training).directory / "timing.jsonl"
    path.write_bytes(path.read_bytes()[:-torn])
    submitted = len(service.jobs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecordWarning)
        again = resume(path.parent, {"train.steps": 9})
        taken, outcome = ended(again)
        assert (taken, outcome.name, len(service.jobs)) == (2, "budget", submitted)
        assert again.ledger().spent.seconds == pytest.approx(service.usage)
        more = resume(path.parent, {"train.max_qpu_seconds": 60, "train.steps": 4})
        assert ended(more)[0] == 4
        assert more.ledger().spent.seconds == pytest.approx(service.usage)
        known = [entry["step"] for entry in load_run(path.parent).timing()]
    assert known == ([0, 1, 2, 3] if torn == 1 else [0, 2, 3] if torn == 40 else [2, 3])


def test_a_journal_that_was_lost_is_missed(service: Service, paid: RunConfig, tmp_path: Path) -> None:
    training = train(with_settings(paid, {"train.steps": 1}), results=tmp_path)
    assert ended(training)[0] == 1
    path = record_of(training).journal.path
    path.write_bytes(b"")
    with pytest.raises(RecordError, match=r"jobs\.jsonl lacks line [0-9]+ as it was written; restore it from a copy"):
        resume(record_of(training).directory, {"train.steps": 2})
    assert len(service.jobs) == 2


def test_what_was_begun_is_not_taken_from_the_budget_twice(service: Service, paid: RunConfig, tmp_path: Path) -> None:
    service.conditions.queue_seconds = 3600.0
    training = train(with_settings(paid, {"train.max_qpu_seconds": TEST + WHOLE + 0.01}), results=tmp_path, detach=True)
    assert ended(training)[1].name == "detached"
    service.conditions.queue_seconds = 0.0
    assert ended(resume(record_of(training).directory))[0] == 1


def test_a_spent_quota_ends_a_run_that_goes_on_when_there_is_more(service: Service, tmp_path: Path, qhn) -> None:
    """The service may refuse a job for it although the account seemed to have enough."""
    service.fault("answer", on="POST jobs", status=403, code=4317)
    found = qhn(*RUN, "ibm_manila", "--yes")
    assert found.code == 3
    assert "has no QPU seconds left in this period, says the service (4317); qhn resume when it has more" in found.out
    assert "token" not in found.out + found.err
    assert not service.jobs
    assert "quota" in qhn("list").out
    for _ in range(3):
        service.fault("answer", on="POST jobs", status=403, code=4317)
        assert qhn("resume", "--detach", "-q").code == 3
    service.fault("answer", on="POST v3/*", status=403, code=4317)
    at_once = qhn("resume", "--detach")
    assert at_once.code == 3
    assert "(4317)" in at_once.err
    assert qhn("resume", "-q").code == 0
    assert len(service.jobs) == 4


def later(record: Record, hours: float) -> None:
    """Let everything in the journal be older, which its checksums do not allow."""
    make_old(record.directory)
    record.schema = 1
    record.__dict__.pop("journal", None)  # which expects checksums
    lines = [json.loads(line) for line in record.journal.path.read_text().splitlines()]
    for line in lines:
        written = calendar.timegm(time.strptime(line["time"], TIME)) - 3600 * hours
        line["time"] = time.strftime(TIME, time.gmtime(written))
    record.journal.path.write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.mark.parametrize("bill", [0.5, 3.5])
def test_a_job_ended_at_its_limit_counts_at_the_larger_of_bill_and_price_for_a_day(
    bill: float, service: Service, paid: RunConfig, tmp_path: Path, qhn
) -> None:
    training = train(with_settings(paid, {"train.steps": 2}), results=tmp_path)
    next(training)
    service.fault("overtime")
    with pytest.raises(BackendError, match="ran into its limit"):
        next(training)
    training.close()
    record, job = record_of(training), list(service.jobs.values())[-1]
    others = sum(one.seconds for one in service.jobs.values() if one is not job)
    job.seconds = bill
    for hours in (0, 10, 13):  # a day has not yet passed
        later(record, hours)
        found = qhn("jobs", str(record.directory))
        assert ledger_of(record).spent.seconds == pytest.approx(others + max(bill, STEP), abs=1e-4)
        assert ("counts for 2.4 s until its bill is read a day later" in found.out) == (bill < STEP)
        record = load_run(record.directory)
    later(record, 1.5)
    assert ledger_of(load_run(record.directory)).spent.seconds == pytest.approx(others + max(bill, STEP), abs=1e-4)
    found = qhn("jobs", str(record.directory))
    assert ledger_of(load_run(record.directory)).spent.seconds == pytest.approx(others + bill)
    assert "until its bill" not in found.out
    before = record.journal.path.read_bytes()
    assert qhn("jobs", str(record.directory)).out == found.out
    assert record.journal.path.read_bytes() == before


def test_a_limit_that_nobody_watched_is_noticed_with_the_bill(
    service: Service, paid: RunConfig, tmp_path: Path, qhn
) -> None:
    training = train(paid, results=tmp_path)
    next(training)
    training.close()
    service.conditions.queue_looks = 3
    service.fault("overtime")
    training = resume(record_of(training).directory, detach=True)
    assert ended(training)[1].name == "detached"
    service.conditions.queue_looks = 0
    service.settle()
    list(service.jobs.values())[-1].seconds = 0.25
    assert qhn("jobs", str(record_of(training).directory)).code == 0
    known = list(load_run(record_of(training).directory).journal.history().jobs().values())[-1]
    assert (known.billed, known.spent.seconds) == (0.25, pytest.approx(STEP, abs=1e-4))


def test_bills_of_28_days_are_read_again_and_both_readings_kept(
    service: Service, paid: RunConfig, tmp_path: Path, qhn
) -> None:
    training = train(with_settings(paid, {"train.steps": 2}), results=tmp_path)
    assert ended(training)[0] == 2
    training.close()
    record, last = record_of(training), list(service.jobs.values())[-1]
    was = last.seconds
    last.seconds = 4.75
    found = qhn("jobs", str(record.directory))
    assert f"{last.job_id} billed 4.8 s now, 2.4 s before" in found.out
    bills = load_run(record.directory).journal.history().jobs()[last.job_id].bills
    assert bills == (pytest.approx(was), 4.75)
    assert ledger_of(load_run(record.directory)).spent.seconds == pytest.approx(service.usage)
    lines = record.journal.path.read_text().splitlines()
    assert qhn("jobs", str(record.directory)).code == 0
    assert record.journal.path.read_text().splitlines() == lines  # nothing is new
    last.seconds = 1.25
    assert qhn("resume", str(record.directory), "-q").code == 0  # also of a run that is done
    assert load_run(record.directory).journal.history().jobs()[last.job_id].bills == (*bills, 1.25)
    later(load_run(record.directory), 28.1 * 24)
    last.seconds = 9.0
    before = service.requests["GET jobs/*/metrics"]
    assert qhn("jobs", str(record.directory)).code == 0
    assert load_run(record.directory).journal.history().jobs()[last.job_id].billed == 1.25
    assert service.requests["GET jobs/*/metrics"] == before


def test_a_bill_that_fell_leaves_enough_for_a_step(service: Service, paid: RunConfig, tmp_path: Path) -> None:
    training = train(
        with_settings(paid, {"train.max_qpu_seconds": TEST + STEP + 2, "train.steps": 2}), results=tmp_path
    )
    assert ended(training) == (1, training.outcome)
    assert training.outcome.name == "budget"
    training.close()
    service.jobs["job000001"].seconds = 0.5
    assert ended(resume(record_of(training).directory))[1].name == "done"


@pytest.mark.parametrize("fault", ["answer", "drop", "truncate", "refuse"])
def test_an_outage_while_bills_are_read_again_fails_nothing(
    fault: str, service: Service, paid: RunConfig, tmp_path: Path, qhn
) -> None:
    training = train(with_settings(paid, {"train.steps": 2}), results=tmp_path)
    assert ended(training)[0] == 2
    training.close()
    record, spent = record_of(training), service.usage
    if fault == "refuse":
        service.fault("refuse")
    else:
        service.fault(fault, on="GET jobs/*/metrics", status=503, times=10_000)
    for words in (["jobs"], ["resume", "-q"]):
        found = qhn(*words, str(record.directory))
        assert found.code == 0
        assert "Traceback" not in found.err
    assert ledger_of(load_run(record.directory)).spent.seconds == pytest.approx(spent)


def test_a_self_test_that_cannot_pass_is_paid_for_once(service: Service, tmp_path: Path, qhn) -> None:
    """From cron, attached and by the same command: until it is asked for; and one on its way is collected."""
    service.conditions.reversed_bits = True
    command = (*RUN, "ibm_manila", "--set", "train.max_qpu_seconds=60")
    first = qhn(*command, "--detach")
    assert first.code == 4
    assert "did not pass the self-test before the first step: bits come back in reverse order" in first.err
    paid = service.usage
    for words in (["resume", "--detach"], ["resume", "-q"], ["resume", "--detach"], command):
        found = qhn(*words)
        assert found.code == 4
        assert "(job000000, 20" in found.err
        assert "not paid for again, and nothing was submitted" in found.err
        assert "qhn resume --retry-self-test" in found.err
    assert (len(service.jobs), service.usage) == (1, paid)
    service.conditions.queue_looks = 4
    assert qhn("resume", "--detach", "--retry-self-test").code == 0  # it is on its way
    for _ in range(3):
        assert qhn("resume", "--detach").code in (0, 4)
    assert len(service.jobs) == 2
    assert qhn("resume", "--detach").code == 4
    service.conditions.reversed_bits, service.conditions.queue_looks = False, 0
    assert qhn("resume", "--detach").code == 4
    assert len(service.jobs) == 2
    assert qhn("resume", "--retry-self-test", "-q").code == 0
    assert len(service.jobs) == 3 + 3
    assert qhn("resume", "--steps", "4", "-q").code == 0
    assert len(service.jobs) == 3 + 4


def test_other_runs_know_of_a_client_in_reverse(service: Service, tmp_path: Path, qhn) -> None:
    service.conditions.reversed_bits = True
    assert qhn(*RUN, "ibm_manila", "--yes").code == 4
    for more in (["--seed", "5"], ["--layers", "2"]):
        found = qhn(*RUN, "ibm_manila", "--yes", *more)
        assert found.code == 4
        assert "did not pass the self-test of another run (job000000, 20" in found.err
    assert len(service.jobs) == 1
    assert qhn(*RUN, "ibm_manila", "--yes", "--results", "elsewhere").code == 4
    assert len(service.jobs) == 2  # of which these do not know
    assert qhn(*RUN, "ibm_jakarta", "--yes").code == 4
    assert len(service.jobs) == 3  # another device
    service.conditions.reversed_bits = False
    assert qhn(*RUN, "ibm_manila", "--yes", "--seed", "5", "--retry-self-test", "-q").code == 0
    assert len(service.jobs) == 3 + 4
    assert qhn(*RUN, "ibm_manila", "--yes", "--seed", "6", "-q").code == 0  # one has passed since


def test_only_qpus_have_self_tests(qhn) -> None:
    found = qhn(*RUN, "fake_manila", "--retry-self-test")
    assert (found.code, found.out) == (2, "")
    assert "--retry-self-test goes with backend ibm_<device> and plug-ins that bill, not with fake_manila" in found.err


@pytest.mark.parametrize("loss", ["deleted", "emptied", "of another run"])
def test_a_journal_that_is_lost_while_a_job_waits_is_missed(
    loss: str, service: Service, paid: RunConfig, tmp_path: Path, qhn
) -> None:
    """Nothing is submitted or written in its place; restored, the job is collected."""
    service.conditions.queue_seconds = 3600
    training = train(paid, results=tmp_path / "results", detach=True)
    assert ended(training)[1].name == "detached"
    path = record_of(training).journal.path
    content = path.read_bytes()
    if loss == "deleted":
        path.unlink()
    else:
        path.write_bytes(content.replace(load_run(path.parent).journal.name.encode(), b"other") * (loss != "emptied"))
    before = {file: file.read_bytes() for file in path.parent.rglob("*") if file.is_file()}
    for words in (["resume", "--detach"], ["resume"], ["jobs"], ["list"]):
        found = qhn(*words)
        assert found.code == (0 if words == ["list"] else 2)
        assert path.name in found.out + found.err
        assert "restore it from a copy" in found.out + found.err
    assert {file: file.read_bytes() for file in path.parent.rglob("*") if file.is_file()} == before
    assert len(service.jobs) == 1
    path.write_bytes(content)
    service.conditions.queue_seconds = 0
    assert qhn("resume", "-q").code == 0
    assert len(service.jobs) == 1 + paid.train.steps


def test_looking_at_jobs_begins_no_journal(service: Service, paid: RunConfig, tmp_path: Path, qhn) -> None:
    record = Record.create(paid, tmp_path / "results" / "figure-1" / paid.run_id)
    assert qhn("jobs").out == "no job was submitted yet\n"
    assert not record.journal.path.exists()


def test_a_detached_run_from_cron_pays_nothing_when_it_cannot_go_on(
    service: Service, paid: RunConfig, tmp_path: Path, qhn
) -> None:
    """The lock is held, the service is down, and the budget is short: each has its exit code and line."""
    training = train(with_settings(paid, {"train.max_qpu_seconds": TEST + STEP + WHOLE - 0.1}), results=tmp_path / "r")
    next(training)
    directory = str(record_of(training).directory)
    jobs_before = len(service.jobs)
    held = qhn("resume", "--detach", directory)
    assert (held.code, held.out) == (2, "")
    assert held.err.startswith(f"qhn: {directory} is being written by another process; ")
    training.close()
    more = ("--set", "train.max_qpu_seconds=60")
    service.fault("answer", status=503, times=10_000)
    down = qhn("resume", "--detach", directory, *more)
    assert (down.code, down.out) == (4, "")
    assert down.err.startswith("qhn: the IBM service could not be reached, or is out of order")
    assert len(down.err.splitlines()) == 1
    service.faults.clear()
    service.fault("refuse")
    assert qhn("resume", "--detach", directory).code == 4
    service.listen()
    short = qhn("resume", "--detach", directory, "--set", f"train.max_qpu_seconds={TEST + STEP + WHOLE - 0.1}")
    assert short.code == 3
    assert short.out.splitlines()[-1].startswith("a step takes up to 3.00 QPU seconds, 2.90 of train.max_qpu_seconds")
    service.conditions.usage_limit = service.usage + 1
    assert qhn("resume", "--detach", directory, *more).code == 3
    assert len(service.jobs) == jobs_before == 2
