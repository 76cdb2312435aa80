"""The journal of jobs: the bytes of each event, what a damaged line costs, and files that others write too."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from qhn.backend.events import NEEDED, Entry, Event
from qhn.backend.history import History
from qhn.backend.journal import Journal
from qhn.backend.terms import Amount

SIZE = '"digest": "d1", "rows": 25, "shots": 60, "price_seconds": 2.25'
WRITTEN = [  # as they are in directories of runs
    '{"event": "opened", "record": "8f14e45fceea167a"}',
    '{"event": "intent", "tag": "qhn:r:0:0", SIZE, "record": "8f14e45fceea167a"}',
    '{"event": "submitted", "tag": "qhn:r:0:0", "job_id": "a", SIZE}',
    '{"event": "submitted", "tag": "qhn:r:0:0:3", "job_id": "b", SIZE, "session_id": "s"}',
    '{"event": "adopted", "tag": "qhn:r:0:0", "job_id": "a", SIZE}',
    '{"event": "duplicate", "tag": "qhn:r:0:0", "job_id": "c", SIZE}',
    '{"event": "done", "tag": "qhn:r:0:0", "job_id": "a", "qpu_seconds": 2.5}',
    '{"event": "done", "tag": "qhn:r:0:0", "job_id": "a", "qpu_seconds": null}',
    '{"event": "billed", "tag": "qhn:r:0:0", "job_id": "a", "qpu_seconds": 3}',
    '{"event": "failed", "tag": "qhn:r:0:0", "error": "ValueError", "kind": "fatal"}',
    '{"event": "failed", "tag": "qhn:r:0:0", "job_id": "a", "qpu_seconds": null, "error": "E", "kind": "job_failed"}',
    '{"event": "out of reach", "tag": "qhn:r:0:0", "job_id": "a", "error": "E", "kind": "transient"}',
    '{"event": "cancelled", "tag": "qhn:r:0:0", "job_id": "c"}',
    '{"event": "self-test", "job_id": "t", "complaint": null, "versions": {"qiskit": "2.1"}}',
    '{"event": "self-test", "job_id": "t", "complaint": "bits come back in reverse order", "versions": {}}',
    '{"event": "self-test", "job_id": "t", "digest": "d", "complaint": "x", "versions": {"a": "1"}, "device": "b"}',
    '{"event": "billed", "tag": "qhn:r:0:0", "job_id": "a", "qpu_seconds": 3, "kind": "overtime"}',
    '{"event": "session", "session_id": "s"}',
    '{"event": "session", "session_id": "s", "qpu_seconds": null}',
    '{"event": "session closed", "session_id": "s", "qpu_seconds": 90.0}',
]
LINES = [line.replace("SIZE", SIZE) for line in WRITTEN]
SUBMITTED, DONE = LINES[2], LINES[6]


def job(number: int) -> Entry:
    tag = f"qhn:r:{number}:0"
    return Entry(Event.SUBMITTED, tag=tag, job_id=f"job-{number}", rows=25, shots=60, price_seconds=2.0)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "jobs.jsonl")


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The lines that were parsed."""
    lines: list[bytes] = []
    real = json.loads
    monkeypatch.setattr(json, "loads", lambda line: lines.append(line) or real(line))
    return lines


def events(journal: Journal) -> list[str]:
    return [entry.event.value for entry in journal.history().entries()]


# ---------------------------------------------------------------- entries


def test_every_event_is_among_the_lines() -> None:
    assert {json.loads(line)["event"] for line in LINES} == set(Event) == set(NEEDED)


@pytest.mark.parametrize("line", LINES)
def test_an_entry_is_written_as_it_was_read(line: str, journal: Journal) -> None:
    """Byte for byte, with the time in front."""
    entry = Entry.from_json(json.loads(line))
    assert json.dumps(entry.to_json()) == line
    journal.append(entry)
    written = re.fullmatch(r'\{"time": "[-0-9]{10}T[:0-9]{8}Z", (.*)\n', journal.path.read_text())
    assert written is not None
    assert "{" + written[1] == line
    (found,) = journal.history().entries()
    assert found.written is not None
    assert {**found.to_json(), "time": ""} == {"time": "", **json.loads(line)}


@pytest.mark.parametrize("line", LINES)
def test_what_an_event_needs_is_missed_and_nothing_else_is(line: str, journal: Journal) -> None:
    """A line with a renamed key is left out like a damaged one if the event needs it, and read without it if not."""
    tree = json.loads(line)
    for name in tree.keys() - {"event"}:
        changed = {f"{name}_": tree[name]} | {other: value for other, value in tree.items() if other != name}
        journal.path.write_text(json.dumps(changed))
        assert events(journal) == [tree["event"]] * (name not in NEEDED[Event(tree["event"])])
        journal.history().jobs()
        journal.history().sessions()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tag", 7),
        ("tag", "elsewhere"),
        ("tag", "qhn:r:last:0"),
        ("job_id", ""),
        ("job_id", ["a"]),
        ("rows", 2.5),
        ("rows", True),
        ("shots", -1),
        ("price_seconds", "2"),
        ("price_seconds", float("nan")),
        ("qpu_seconds", float("inf")),
        ("event", "paused"),
        ("event", ["done"]),
        ("event", None),
    ],
)
def test_a_line_with_what_cannot_be_is_left_out(name: str, value: object, journal: Journal) -> None:
    journal.path.write_text("\n".join([SUBMITTED, json.dumps(json.loads(SUBMITTED) | {name: value}), DONE]))
    assert events(journal) == ["submitted", "done"]
    with pytest.raises(ValueError, match="of the journal"):
        Entry.from_json(json.loads(SUBMITTED) | {name: value})


@pytest.mark.parametrize("line", [b"", b"7", b"null", b"[]", b"\xff\xfe\x00 garbage", b'{"event": "inten', b"\r"])
def test_a_line_that_is_no_entry_is_left_out(line: bytes, journal: Journal) -> None:
    journal.path.write_bytes(b"\n".join([SUBMITTED.encode(), line, DONE.encode(), line]))
    assert events(journal) == ["submitted", "done"]


def test_keys_of_later_versions_are_passed_over() -> None:
    assert Entry.from_json(json.loads(DONE) | {"queue_seconds": 3.0}).to_json() == json.loads(DONE)


def test_an_entry_says_what_it_lacks() -> None:
    with pytest.raises(ValueError, match="an entry done of the journal needs job_id"):
        Entry(Event.DONE, tag="qhn:r:0:0")
    with pytest.raises(ValueError, match=r"shots of an entry intent of the journal cannot be 2\.5"):
        Entry(Event.INTENT, tag="qhn:r:0:0", shots=2.5)


# ---------------------------------------------------------------- what they say together


def test_a_job_is_known_by_all_its_entries() -> None:
    history = History([job(0)])
    price = Amount(2.0, 1, 1500)
    assert history.jobs()["job-0"].spent == price
    named = {"tag": "qhn:r:0:0", "job_id": "job-0"}
    history.add(Entry(Event.FAILED, **named, qpu_seconds=1.5))
    history.add(Entry(Event.FAILED, **named, qpu_seconds=None))
    lost = history.jobs()["job-0"]
    assert (lost.is_lost, lost.failures, lost.billed, lost.event) == (True, 2, 1.5, "failed")
    history.add(Entry(Event.DONE, **named, qpu_seconds=None))
    history.add(Entry(Event.BILLED, **named, qpu_seconds=2.5))
    found = history.jobs()["job-0"]
    assert (found.is_lost, found.failures, found.billed, found.event) == (False, 2, 2.5, "done")
    assert (found.step, found.price, found.spent.seconds) == (0, price, 2.5)
    assert [entry.event for entry in history.of_tag("qhn:r:0:0")] == ["submitted", "failed", "failed", "done", "billed"]
    assert history.of_tag("qhn:r:1:0") == []


def test_a_failure_before_an_id_was_known_is_of_the_jobs_of_its_request() -> None:
    history = History([job(0), job(1), Entry(Event.FAILED, tag="qhn:r:1:0", error="ConnectionError")])
    assert [one.is_lost for one in history.jobs().values()] == [False, True]


def test_what_is_asked_for_does_not_change_when_more_is_noted() -> None:
    """A loop over jobs may note what it finds of them."""
    history = History([job(0)])
    jobs, entries, own = history.jobs(), history.entries(), history.of_tag("qhn:r:0:0")
    for entry in (job(1), Entry(Event.CANCELLED, tag="qhn:r:0:0", job_id="job-0")):
        history.add(entry)
    assert ([*jobs], jobs["job-0"].is_lost, entries, own) == (["job-0"], False, [job(0)], [job(0)])


def test_an_intent_is_the_last_that_says_what_its_job_should_take() -> None:
    first, second = (Entry(Event.INTENT, tag="qhn:r:0:0", rows=1, shots=n, price_seconds=2.0) for n in (1, 2))
    history = History([first, second, Entry(Event.INTENT, tag="qhn:r:0:0")])
    assert history.intent("qhn:r:0:0") is second
    assert history.intent("qhn:r:1:0") is None


def test_sessions_are_settled_once_their_last_bill_is_known() -> None:
    history = History([Entry(Event.SESSION, session_id="s")])
    states = [history.sessions()["s"]]
    for event, seconds in ((Event.SESSION, 40.0), (Event.SESSION_CLOSED, None), (Event.SESSION_CLOSED, 90.0)):
        history.add(Entry(event, session_id="s", qpu_seconds=seconds))
        states.append(history.sessions()["s"])
    assert [(one.seconds, one.is_closed, one.is_settled) for one in states] == [
        (None, False, False),
        (40.0, False, False),
        (40.0, True, False),
        (90.0, True, True),
    ]


def test_a_session_idles_beyond_its_jobs_and_never_less_than_not_at_all() -> None:
    own = Entry.from_json(json.loads(SUBMITTED) | {"session_id": "s"})
    history = History([own, job(1), Entry(Event.SESSION, session_id="s", qpu_seconds=10.0)])
    (session,), jobs = history.sessions().values(), history.jobs().values()
    assert session.idle_seconds(jobs) == 10.0 - 2.25
    history.add(Entry(Event.BILLED, tag="qhn:r:0:0", job_id="a", qpu_seconds=12.0))
    assert session.idle_seconds(history.jobs().values()) == 0.0


# ---------------------------------------------------------------- the file


def test_a_line_is_parsed_once(journal: Journal, parsed: list[bytes]) -> None:
    for number in range(5):
        journal.append(job(number))
        for _ in range(3):
            assert len(journal.history().jobs()) == number + 1
    assert [line for line in parsed if line] == journal.path.read_bytes().splitlines()


def test_what_another_process_adds_is_read_and_nothing_again(
    journal: Journal, parsed: list[bytes], tmp_path: Path
) -> None:
    other = Journal(tmp_path / "jobs.jsonl")
    name = journal.name
    assert other.name == name
    journal.history()
    before = len([line for line in parsed if line])
    other.append(job(0))
    journal.append(job(1))
    assert [*journal.history().jobs()] == [*other.history().jobs()] == ["job-0", "job-1"]
    assert len([line for line in parsed if line]) == before + 2 * 2
    assert journal.name == name


def test_a_line_that_another_process_has_half_written_is_read_when_it_is_whole(
    journal: Journal, parsed: list[bytes]
) -> None:
    journal.append(job(0))
    first = journal.path.read_bytes().strip()
    line = SUBMITTED.encode()
    for end, known in ((20, 1), (len(line) - 1, 1), (len(line), 2)):  # the end of a line does not matter
        with journal.path.open("r+b") as file:
            file.seek(journal.path.read_bytes().index(b"\n") + 1)
            file.write(line[:end])
        assert len(events(journal)) == known
    with journal.path.open("ab") as file:
        file.write(b"\n" + DONE.encode() + b"\n")
    assert events(journal) == ["submitted", "submitted", "done"]
    assert parsed.count(first) == parsed.count(line) == 1


def test_a_torn_line_is_no_part_of_the_next(journal: Journal, parsed: list[bytes]) -> None:
    journal.append(job(0))
    with journal.path.open("ab") as file:
        file.write(b'{"event": "subm')
    assert events(journal) == ["submitted"]
    journal.append(job(1))
    assert events(journal) == ["submitted", "submitted"]
    first = journal.path.read_bytes().splitlines()[0]
    assert parsed.count(first) == 1


def test_an_entry_that_is_written_on_is_one_no_more(journal: Journal) -> None:
    journal.path.write_text(f"{SUBMITTED}\n{DONE}")
    assert events(journal) == ["submitted", "done"]
    with journal.path.open("a") as file:
        file.write('{"event": "done"')
    assert events(journal) == ["submitted"] == events(Journal(journal.path))


def _cut(path: Path) -> None:
    os.truncate(path, path.read_bytes().index(b"\n") + 1)


def _cut_and_append(path: Path) -> None:
    _cut(path)
    for number in range(10, 20):
        Journal(path).append(job(number))


def _replace(path: Path) -> None:
    """By a file that reads the same where the old one ended."""
    other = path.with_name("other")
    other.write_bytes(path.read_bytes().replace(b"job-0", b"job-9"))
    Journal(other).append(job(7))
    other.replace(path)


def _edit(path: Path) -> None:
    """As many bytes as before, and the clock may not have moved on."""
    path.write_bytes(path.read_bytes().replace(b"job-0", b"job-9"))
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


@pytest.mark.parametrize(
    "change", [_cut, _cut_and_append, _replace, _edit, lambda path: path.write_bytes(b""), Path.unlink]
)
def test_a_file_that_is_another_now_is_read_anew(change: Callable[[Path], object], journal: Journal) -> None:
    for number in range(3):
        journal.append(job(number))
    assert len(journal.history().jobs()) == 3
    change(journal.path)
    assert journal.history().entries() == Journal(journal.path).history().entries()
    journal.append(job(50))
    assert journal.history().entries() == Journal(journal.path).history().entries()
    assert "job-50" in journal.history().jobs()


def test_there_is_no_file_until_something_is_noted(journal: Journal) -> None:
    assert journal.history().entries() == []
    assert journal.history().record is None
    assert not journal.path.exists()
    assert journal.name == Journal(journal.path).name
    assert events(journal) == ["opened"]


def test_an_intent_without_a_readable_time_has_none(journal: Journal) -> None:
    journal.path.write_text('{"event": "intent", "tag": "qhn:r:0:0", "time": "yesterday"}\n{"event": "session"}\n')
    (intent,) = journal.history().entries()
    assert (intent.written, intent.price) == (None, None)
