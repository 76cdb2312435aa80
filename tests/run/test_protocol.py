"""``qhn doctor --protocol``: every point is checked, and what is missing is said with what mends it."""

from __future__ import annotations

import json
import shlex
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from qhn import checksums
from qhn.backend.events import Entry, Event
from qhn.backend.ibm import answers
from qhn.backend.journal import Journal
from qhn.backend.service import connection, jobs
from qhn.backend.service.selftest import REVERSED, versions
from qhn.lock import Lock
from qhn.run import writable
from service import Service

SMALL = ("--set", "data.samples=40", "--set", "data.validation_samples=30", "--layers", "1", "--shots", "60")
ASKED = ("figure-1", *SMALL, "--steps", "3", "--set", "train.max_qpu_seconds=15")
POINTS = ["versions", "rehearsal", "answers", "account", "usage", "device", "calibrated", "layout", "budget", "seconds"]
POINTS += ["self-test", "results", "journal", "run", "rehearsed", "expected"]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qhn.report.page.Report.figures", lambda self: [])
    monkeypatch.setattr(connection, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(jobs, "LISTING_DELAY", 0.1)


@pytest.fixture
def check(qhn):
    """The lines of the check by their point, each with its mark, and the exit code."""

    def call(*words: str, backend: str = "ibm_manila") -> tuple[dict[str, tuple[str, str]], int]:
        found = qhn("doctor", "--protocol", *(words or ASKED), "--backend", backend)
        lines = [(line[:3].strip(), *line[3:].split(maxsplit=1)) for line in found.out.splitlines()]
        assert found.err == ""
        return {name: (mark, text) for mark, name, text in lines}, found.code

    return call


def commands(lines: dict[str, tuple[str, str]]) -> dict[str, list[str]]:
    """The command that each missing point names."""
    missing = {name: text for name, (mark, text) in lines.items() if mark == "✗"}
    return {name: shlex.split(text[text.index("qhn ") :])[1:] for name, text in missing.items() if "qhn " in text}


def test_what_is_missing_is_mended_by_what_it_says(service: Service, qhn, check) -> None:
    lines, code = check()
    assert list(lines) == POINTS
    assert code == 2
    mend = commands(lines)
    assert list(mend) == ["rehearsed", "expected"] == [name for name, (mark, _) in lines.items() if mark == "✗"]
    assert not Path("results").exists()
    assert qhn(*mend["rehearsed"], "--quiet").code == 0
    assert qhn(*mend["expected"][:-1], "3").code == 0
    lines, code = check()
    assert code == 0
    assert {name for name, (mark, _) in lines.items() if mark != "ok"} == {"calibrated"}  # of 2024: pointed out
    assert "days old" in lines["calibrated"][1]
    assert service.requests["POST jobs"] == 0
    assert [path.name for path in Path("results").glob(".*")] == []
    assert "prepared: the circuit of the run at 4 sets" in lines["self-test"][1]
    assert qhn("run", *ASKED, "--backend", "ibm_manila", "--quiet").code == 0
    lines, code = check()
    assert code == 0
    assert lines["self-test"][1] == "passed before in this run, with the same versions"
    assert "has begun: 3 steps, done" in lines["run"][1]
    assert qhn("compare").code == 2  # which run is named
    assert "of 3 steps in the interval of 3 rehearsals" in qhn("compare", lines["run"][1].split()[0]).out


def test_a_stored_device_needs_no_account(qhn, check) -> None:
    lines, code = check(*ASKED, "--tiles", "2", backend="fake_torino")
    assert code == 2
    assert [name for name in lines if name not in POINTS] == []
    assert {"account", "usage", "seconds"}.isdisjoint(lines)
    assert "and 1 more tile, estimated fidelity" in lines["layout"][1]
    assert commands(lines)["rehearsed"][-2:] == ["--backend", "fake_torino"]


def test_a_rehearsal_with_other_settings_or_broken_off_does_not_count(service: Service, qhn, check) -> None:
    other = ("run", "figure-1", *SMALL[:-1], "50", "--steps", "1", "--backend", "fake_manila", "--quiet")
    assert qhn(*other).code == 0
    assert qhn("run", "figure-1", *SMALL, "--steps", "1", "--backend", "aer", "--quiet").code == 0
    assert check()[0]["rehearsed"][0] == "✗"
    directory = Path(qhn("run", "figure-1", *SMALL, "--steps", "1", "--backend", "fake_jakarta", "--quiet").out.strip())
    assert check()[0]["rehearsed"] == ("ok", f"{directory} on fake_jakarta: 1 step, done")
    (directory / "outcome.json").unlink()
    assert check()[0]["rehearsed"][0] == "✗"


def test_an_expectation_of_another_calibration_or_of_other_qubits_is_made_anew(service: Service, qhn, check) -> None:
    estimate = ("estimate", *ASKED, "--backend", "ibm_manila", "--rehearsals", "3")
    path = Path(qhn(*estimate).out.splitlines()[-1])
    assert check()[0]["expected"][0] == "ok"
    known = json.loads(path.read_text())
    for change, word in (
        ({"calibration": "2020-01-01T00:00:00"}, "calibrated anew"),
        ({"qubits": [[4, 3, 2, 1]]}, "placed on other qubits"),
    ):
        tree = {name: value for name, value in known.items() if name != "checksum"} | change
        path.write_bytes(checksums.document(tree))
        mark, text = check()[0]["expected"]
        assert (mark, word in text, "--rehearsals 20" in text) == ("✗", True, True)
    path.write_text("{}")
    assert "is damaged" in check()[0]["expected"][1]


# ---------------------------------------------------------------- hostile places


@pytest.mark.parametrize(
    ("conditions", "points", "text"),
    [
        ({"usage_before": 595.0}, ["seconds"], "5.0 left of the account, 9."),
        ({"usage_before": 600.0}, ["usage", "seconds"], "0.0 left of the account"),
        ({"status": "internal"}, ["device"], "paused: jobs would wait"),
        ({"status": "off"}, ["device"], "paused: jobs would wait"),
    ],
)
def test_a_device_or_an_account_that_cannot_be_used_now(
    service: Service, check, conditions: dict[str, object], points: list[str], text: str
) -> None:
    for name, value in conditions.items():
        setattr(service.conditions, name, value)
    lines, code = check()
    assert code == 2
    assert [name for name, (mark, _) in lines.items() if mark == "✗"] == [*points, "rehearsed", "expected"]
    assert text in lines[points[-1]][1]
    assert list(lines) == POINTS


def test_fewer_seconds_than_the_budget_are_pointed_out(service: Service, check) -> None:
    service.conditions.usage_before = 588
    mark, text = check()[0]["seconds"]
    assert (mark, text) == ("!", "12.0 left of the account, less than the budget of 15")


def test_a_device_that_the_account_does_not_have(service: Service, check) -> None:
    lines, code = check(backend="ibm_torino")
    assert code == 2
    assert lines["device"] == ("✗", "the account does not reach ibm_torino; it reaches ibm_jakarta, ibm_manila")
    assert "layout" not in lines
    assert lines["results"][0] == "ok"  # what does not need the device is checked all the same
    lines, code = check(backend="fake_torinoo")
    assert "did you mean 'fake_torino'?" in lines["device"][1]
    lines, code = check(
        *ASKED[:1], "--set", "train.max_qpu_seconds=90", "--set", "network.hidden=[5]", backend="fake_manila"
    )
    assert (lines["layout"][0], code) == ("✗", 2)


def test_no_account_and_no_service(service: Service, check, monkeypatch: pytest.MonkeyPatch) -> None:
    service.fault("refuse")
    lines, code = check()
    assert code == 4
    assert "could not be reached" in lines["service"][1]
    for name in service.environment:
        monkeypatch.delenv(name)
    lines, code = check()
    assert code == 2
    assert lines["account"][1].startswith("no IBM account found; save one once with")
    assert "stand-in-key" not in str(lines)
    assert lines["journal"][0] == "ok"


def test_a_budget_that_is_missing_or_too_small(service: Service, check) -> None:
    few = [word for word in ASKED if not word.startswith("train.max")][:-1]
    for more, text in (
        ((), "without a limit; add --set train.max_qpu_seconds=12"),
        (("--set", "train.max_qpu_seconds=7"), "is 7: the run would end early; --set train.max_qpu_seconds=12"),
        (("--set", "train.max_qpu_seconds=3"), "is 3: not even a first step fits"),
    ):
        mark, said = check(*few, *more)[0]["budget"]
        assert (mark, text in said) == ("✗", True), said
    assert check(*few, "--set", "train.max_shots=100000")[0]["budget"][0] == "ok"


def test_a_place_that_cannot_be_written(service: Service, check, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("file").write_text("")
    lines, code = check(*ASKED, "--results", "file")
    assert code == 2
    assert "is no directory; give another --results" in lines["results"][1]
    assert lines["journal"][0] == "✗"
    monkeypatch.setattr(writable.tempfile, "TemporaryDirectory", denied)
    lines, _ = check()
    assert lines["results"][1].endswith("results cannot be written: Permission denied; give another --results")
    assert lines["journal"] == ("✗", "Permission denied; give another --results")


def denied(**_: object) -> None:
    raise PermissionError(13, "Permission denied")


def test_a_disk_without_room_and_a_file_system_without_locks(
    service: Service, check, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1, 1, 10_000_000))
    mark, text = check()[0]["results"]
    assert (mark, "0.0 GB free, up to 0.05 GB needed; free some" in text) == ("✗", True)
    monkeypatch.setattr(writable, "_is_locked", lambda path: False)
    assert check()[0]["journal"][1].startswith("locks do not work")


def test_a_run_that_another_process_writes(service: Service, qhn, check) -> None:
    service.conditions.queue_looks = 1000
    assert qhn("run", *ASKED, "--backend", "ibm_manila", "--quiet", "--detach").code == 0
    (directory,) = Path("results").glob("*/*/")
    assert "has begun: 0 steps, detached" in check()[0]["run"][1]
    with Lock(directory):
        mark, text = check()[0]["run"]
    assert (mark, "is being written by another process" in text) == ("✗", True)


def test_a_self_test_that_has_failed_is_not_forgotten(service: Service, check) -> None:
    journal = Journal(Path("results/other/run/jobs.jsonl"))
    journal.path.parent.mkdir(parents=True)
    journal.append(
        Entry(Event.SELF_TEST, job_id="j7", complaint=REVERSED, versions=versions(), device="ibm_manila", digest="d")
    )
    mark, text = check()[0]["self-test"]
    assert mark == "✗"
    assert "(job j7): bits come back in reverse order; other versions" in text
    assert "prepared" in check(backend="ibm_jakarta")[0]["self-test"][1]


def test_a_client_that_reads_answers_otherwise_is_noticed(check, monkeypatch: pytest.MonkeyPatch) -> None:
    read = answers.read_result
    monkeypatch.setattr(
        answers, "read_result", lambda result, calibrations: (read(result, calibrations)[0][..., ::-1], [])
    )
    mark, text = check(backend="fake_manila")[0]["answers"]
    assert (mark, "has other bits; the installed client reads answers otherwise" in text) == ("✗", True)
    monkeypatch.setattr(answers, "HERE", Path())
    monkeypatch.setattr(answers, "answers", dict)
    assert check(backend="fake_manila")[0]["answers"][0] == "✗"


# ---------------------------------------------------------------- what is asked for


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ("--protocol", "figure-1", "--backend", "aer"),
            "a run on a device with a price in QPU seconds, and aer has none",
        ),
        (("--protocol",), "a run on a device with a price in QPU seconds, and aer has none"),
        (("--protocol", "--backend", "fake_manila", "--shots", "none"), "a device measures shots; give --shots"),
        (("--protocol", "figure-0"), "figure-0"),
        (("figure-1",), "experiment goes with qhn doctor --protocol"),
        (("--backend", "ibm_x"), "--backend goes with qhn doctor --protocol"),
        (("--set", "train.seed=3"), "--set goes with qhn doctor --protocol"),
        (("--trust",), "--trust goes with qhn doctor --protocol"),
    ],
)
def test_what_is_no_protocol(qhn, words: tuple[str, ...], text: str) -> None:
    found = qhn("doctor", *words)
    assert found.code == 2
    assert text in found.err
    assert found.out == ""


def test_a_table_is_named_in_the_commands(check) -> None:
    Path("my data.csv").write_text("a,b,y\n" + "".join(f"{i % 7},{i % 3},{i % 2}\n" for i in range(40)))
    lines, _ = check("my data.csv", "--label", "y", "--set", "train.max_qpu_seconds=900", backend="fake_manila")
    words = commands(lines)["rehearsed"]
    assert words[:4] == ["run", "my data.csv", "--label", "y"]


# ---------------------------------------------------------------- to the letter


@pytest.mark.slow
def test_the_commands_of_the_documentation(service: Service, qhn) -> None:
    """All of them, in their order, on the stand-in and its stored device."""
    text = (Path(__file__).parents[2] / "docs" / "hardware.md").read_text(encoding="utf-8")
    block = text.partition("## The first real run, step by step")[2].split("```")[1]
    named = {"ibm_<name>": "ibm_jakarta", "fake_torino": "fake_jakarta", "qpu_seconds=70": "qpu_seconds=120"}
    lines = [line.removeprefix("qhn ") for line in block.strip().splitlines()]
    assert len(lines) == 11
    codes, run = [], ""
    for line in lines:
        for name, here in named.items():
            line = line.replace(name, here)
        found = qhn(*shlex.split(line.replace("<run id>", run)))
        codes.append(found.code)
        if line.startswith("run "):
            run = max(Path("results/figure-1").glob("*/"), key=lambda path: path.stat().st_mtime).name
    assert codes == [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    assert "in the interval of 20 rehearsals on the twin of ibm_jakarta" in qhn("compare", run).out
    assert all(answer.complaint() is None for answer in answers.answers(Path("answers")).values())
