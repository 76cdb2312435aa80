"""Jobs that the vendor lost for good: asked for again until the user says ``--resubmit``, and nothing else is lost."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from clouds import ENOUGH, ROWS, SHOTS, STEPS, TEST, jobs
from qhn.backend.journal import Journal
from qhn.backend.sampler import BackendError
from qhn.backend.vendor.connection import VendorConnection
from qhn.run.record import Record
from vendors import SECRET, TROUBLE, CloudJob, FindingCloud, Own

MORE = ("--set", f"train.max_shots={TEST + 3 * ROWS * SHOTS}")


@pytest.fixture
def interrupted(
    names: dict[str, str],
    qhn: Callable,  # type: ignore[type-arg]
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """The folder of a run whose first step is complete, and whose second has a job that gave no result."""
    begun = qhn("run", "figure-1", *STEPS[:-1], "1", *MORE, "--backend", names["finds"], "-q")
    assert begun.code == 0
    monkeypatch.setenv(TROUBLE, "fail-at-result")
    assert resumed(qhn).code == 4
    monkeypatch.delenv(TROUBLE)
    assert len(jobs(tmp_path)) == 3
    (run,) = (tmp_path / "results" / "figure-1").iterdir()
    return run


def resumed(qhn, *more: str):  # type: ignore[no-untyped-def]
    return qhn("resume", "--steps", "2", "--trust", *more)


def lose(tmp_path: Path, job_id: str) -> None:
    (tmp_path / "cloud" / f"{job_id}.json").unlink()


def test_a_lost_job_is_paid_for_again_only_where_the_user_says_so(interrupted: Path, qhn, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    *_, lost = jobs(tmp_path)
    lose(tmp_path, lost)
    first = Record.load(interrupted).timing()
    for _ in range(3):
        failed = resumed(qhn)
        assert failed.code == 4
        assert f"the job {lost} of qhn:" in failed.err
        assert "qhn resume --resubmit pays for another if it is lost" in failed.err
        assert SECRET not in failed.err
    assert len(jobs(tmp_path)) == 3
    done = resumed(qhn, "--resubmit")
    assert done.code == 0, done.err
    assert f"has no result of the job {lost} (KeyError); it is measured, and paid for, once more" in done.err
    *_, again = jobs(tmp_path)
    assert len(jobs(tmp_path)) == 4
    timing = Record.load(interrupted).timing()
    assert timing[:1] == first  # what was paid for before is kept
    assert [entry["job_ids"] for entry in timing[1:]] == [[again]]
    known = Journal(interrupted / "jobs.jsonl").history().jobs()
    assert known[lost].is_lost
    assert known[lost].price.shots == ROWS * SHOTS  # it may have been billed, and counts
    assert f"{TEST + 3 * ROWS * SHOTS:,} shots in 4 jobs" in qhn("jobs", "--trust").out
    assert SECRET not in (interrupted / "jobs.jsonl").read_text()


def test_what_a_lost_job_cost_counts_against_the_budget(interrupted: Path, qhn, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    lose(tmp_path, jobs(tmp_path)[-1])
    stopped = resumed(qhn, "--resubmit", "--set", f"train.max_shots={TEST + 3 * ROWS * SHOTS - 1}", "--json")
    assert json.loads(stopped.out.splitlines()[-1])["outcome"] == "budget"
    assert len(jobs(tmp_path)) == 3


def test_a_job_that_has_a_result_is_not_paid_for_again(interrupted: Path, qhn, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert resumed(qhn, "--resubmit").code == 0
    assert len(jobs(tmp_path)) == 3


def test_a_job_that_waits_is_not_paid_for_again(
    interrupted: Path,
    qhn,  # type: ignore[no-untyped-def]
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(TROUBLE, "state-queued")
    for _ in range(2):
        assert "on the way" in resumed(qhn, "--resubmit", "--detach").out
    assert len(jobs(tmp_path)) == 3


@pytest.mark.parametrize(
    "trouble",
    [
        "unreachable",
        "unreachable-wrapped",
        "unreachable-torn",
        "unreachable-overloaded",
        "unreachable-timeout",
        "time-out-at-result",
    ],
)
def test_a_vendor_that_cannot_be_reached_has_lost_nothing(
    trouble: str,
    interrupted: Path,
    qhn,  # type: ignore[no-untyped-def]
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(TROUBLE, trouble)
    failed = resumed(qhn, "--resubmit")
    assert failed.code == 4
    assert f"the job {jobs(tmp_path)[-1]} of qhn:" in failed.err
    assert SECRET not in failed.err
    monkeypatch.delenv(TROUBLE)
    assert resumed(qhn).code == 0
    assert len(jobs(tmp_path)) == 3


@pytest.mark.parametrize("option", ["--resubmit", "--detach", "--retry-self-test"])
@pytest.mark.parametrize("command", [("run", "figure-1"), ("qsgd", "digits", "--shots", "100")])
def test_what_is_asked_of_jobs_goes_with_machines_that_bill(qhn, command: tuple[str, ...], option: str) -> None:  # type: ignore[no-untyped-def]
    refused = qhn(*command, option)
    assert refused.code == 2
    assert f"{option} goes with backend ibm_" in refused.err


def test_what_a_client_says_of_its_jobs_is_no_output(
    interrupted: Path,
    qhn,  # type: ignore[no-untyped-def]
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A state that is asked for once, in ``qhn jobs`` or after a failure, is asked for as quietly as any other."""
    status = CloudJob.status

    def loudly(job: CloudJob) -> object:
        print("a word")
        logging.getLogger("vendors.network").warning(SECRET)
        warnings.warn(SECRET, stacklevel=1)
        return status(job)

    monkeypatch.setattr(CloudJob, "status", loudly)
    found = qhn("jobs", "--trust", "--json")
    assert len(json.loads(found.out)["jobs"]) == 3
    monkeypatch.setenv(TROUBLE, "fail-at-result")
    failed = resumed(qhn, "--json")
    assert failed.code == 4
    assert [json.loads(line)["step"] for line in failed.out.splitlines()] == [0]
    assert "a word" in failed.err
    assert SECRET not in found.err + failed.err + caplog.text


def test_a_provider_that_answers_once_finds_jobs_for_good(capsys: pytest.CaptureFixture[str]) -> None:
    """A property that asks the network may fail the next time; a job that is known is not given up for that."""

    class Remote(Own):
        asked = 0

        @property
        def provider(self) -> FindingCloud:
            print("asking")
            self.asked += 1
            if self.asked > 2:
                raise TimeoutError
            return FindingCloud()

    connection = VendorConnection(Remote(), bills=True)
    assert [connection.finds_jobs for _ in range(3)] == [True] * 3
    assert capsys.readouterr().out == ""


def test_a_vendor_that_cannot_be_reached_is_not_one_that_finds_no_jobs() -> None:
    class Remote(Own):
        @property
        def provider(self) -> FindingCloud:
            raise ConnectionError(SECRET)

    with pytest.raises(BackendError, match=r"^lab cannot be reached \(ConnectionError\)") as failed:
        _ = VendorConnection(Remote(), name="lab", bills=True).finds_jobs
    assert SECRET not in str(failed.value)

    class Unfinished(Own):
        @property
        def provider(self) -> FindingCloud:
            raise NotImplementedError

    assert not VendorConnection(Unfinished(), bills=True).finds_jobs
    assert VendorConnection(type("Finding", (Remote, FindingCloud), {})(), bills=True).finds_jobs


def test_a_run_that_is_begun_again_takes_the_option_too(
    names: dict[str, str],
    qhn,  # type: ignore[no-untyped-def]
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = ("run", "figure-1", *STEPS, *ENOUGH, "--backend", names["finds"], "-q")
    monkeypatch.setenv(TROUBLE, "fail-at-result")
    assert qhn(*command).code == 4
    monkeypatch.delenv(TROUBLE)
    lose(tmp_path, jobs(tmp_path)[0])  # that of the self-test
    assert qhn(*command).code == 4
    stopped = qhn(*command[:-1], "--resubmit")
    assert len(jobs(tmp_path)) == 3  # the self-test anew, and one step: the budget is spent
    assert stopped.code == 3
    assert "train.max_shots" in stopped.out + stopped.err
