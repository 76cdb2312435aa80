"""The journal of jobs: the bytes of each event, what a damaged line costs, and files that others write too."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from qhn import checksums
from qhn.backend.events import NEEDED, Entry, Event
from qhn.backend.history import History
from qhn.backend.journal import Journal
from qhn.backend.terms import Amount
from qhn.errors import RecordError

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
    notes = b"{\n"  # how the note of the file's end begins
    monkeypatch.setattr(
        json, "loads", lambda line: real(line) if line.startswith(notes) else lines.append(line) or real(line)
    )
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
    end = '"line": 1, "checksum": "[0-9a-f]{8}"}\n'
    written = re.fullmatch(r'\{"time": "[-0-9]{10}T[:0-9]{8}Z", (.*), ' + end, journal.path.read_text())
    assert written is not None
    assert "{" + written[1] + "}" == line
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
    line = checksums.line(SUBMITTED, journal.end).strip()
    for end, known in ((20, 1), (len(line) - 1, 1), (len(line), 2)):  # the end of a line does not matter
        with journal.path.open("r+b") as file:
            file.seek(journal.path.read_bytes().index(b"\n") + 1)
            file.write(line[:end])
        assert len(events(journal)) == known
    with journal.path.open("ab") as file:
        file.write(b"\n" + checksums.line(DONE, journal.end))
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
    other = path.parent / "other"
    other.mkdir()
    shutil.copy(path, other)
    for number in range(10, 20):
        Journal(other / path.name).append(job(number))
    path.write_bytes((other / path.name).read_bytes())


def _drop_a_line(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], *lines[2:]]))


def _exchange_lines(path: Path) -> None:
    path.write_bytes(b"".join(reversed(path.read_bytes().splitlines(keepends=True))))


def _edit(path: Path) -> None:
    """As many bytes as before, and the clock may not have moved on."""
    path.write_bytes(path.read_bytes().replace(b"job-0", b"job-9"))
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


def _rename_a_key(path: Path) -> None:
    """In the last line, so that no later line covers it."""
    before, key, after = path.read_bytes().rpartition(b'"rows"')
    path.write_bytes(before + key.replace(b"rows", b"rowz") + after)


CHANGES = [_cut, _cut_and_append, _edit, _drop_a_line, _exchange_lines, _rename_a_key, Path.unlink]
CHANGES += [lambda path: path.write_bytes(b""), lambda path: os.truncate(path, path.stat().st_size - 30)]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("plain", [True, False])
def test_lines_that_are_lost_or_changed_are_missed(
    change: Callable[[Path], object], plain: bool, journal: Journal
) -> None:
    """By who has read the file before, and by who reads it for the first time; nothing is added to what is left."""
    for number in range(3):
        journal.append(job(number))
    assert len(journal.history().jobs()) == 3
    change(journal.path)
    left = journal.path.read_bytes() if journal.path.exists() else None
    for reader in (journal, Journal(journal.path, plain=plain)):
        for _ in range(2):
            with pytest.raises(RecordError, match=r"jobs\.jsonl.* line [0-9].*; restore it from a copy"):
                reader.history()
        with pytest.raises(RecordError, match=r"restore it from a copy"):
            reader.append(job(50))
    assert (journal.path.read_bytes() if journal.path.exists() else None) == left


def test_every_bit_of_the_file_is_checked(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "jobs.jsonl", plain=False)
    for number in range(2):
        journal.append(job(number))
    content = journal.path.read_bytes()
    for bit in range(8 * len(content)):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        journal.path.write_bytes(changed)
        if bit // 8 == len(content) - 1:  # the last line's end
            continue
        with pytest.raises(RecordError, match=r"jobs\.jsonl"):
            Journal(journal.path, plain=False).history()


def test_lines_that_another_file_knows_of_must_be_there(journal: Journal) -> None:
    """The note beside the file may be lost with it."""
    ends = []
    for number in range(3):
        journal.append(job(number))
        ends.append(journal.end)
    note = journal.path.with_name("jobs.end.json")
    note.unlink()
    assert len(Journal(journal.path, ends).history().jobs()) == 3
    _cut(journal.path)
    assert len(Journal(journal.path, ends[:1]).history().jobs()) == 1
    with pytest.raises(RecordError, match="lacks line 2 as it was written"):
        Journal(journal.path, ends).history()
    journal.path.unlink()
    with pytest.raises(RecordError, match="lacks line 1 as it was written"):
        Journal(journal.path, ends[:1]).history()


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", None, b'{"lines": 1, "size": 2, "crc32": "x"}'])
def test_a_damaged_note_is_made_again(content: bytes | None, journal: Journal) -> None:
    journal.append(job(0))
    note = journal.path.with_name("jobs.end.json")
    note.unlink() if content is None else note.write_bytes(content)
    other = Journal(journal.path)
    other.append(job(1))
    assert len(journal.history().jobs()) == 2
    assert checksums.parse_document(note.read_bytes()) == other.end.to_json()


def test_a_line_that_was_noted_nowhere_may_be_torn(journal: Journal) -> None:
    """As a process leaves it that is killed between the line and its note: what was to be said is asked again."""
    journal.append(job(0))
    note = journal.path.with_name("jobs.end.json")
    kept = note.read_bytes()
    journal.append(job(1))
    note.write_bytes(kept)
    os.truncate(journal.path, journal.path.stat().st_size - 10)
    other = Journal(journal.path)
    assert [*other.history().jobs()] == ["job-0"]
    other.append(job(2))
    assert [*Journal(journal.path).history().jobs()] == ["job-0", "job-2"]


def test_a_file_without_checksums_goes_on_with_them(journal: Journal) -> None:
    """As it is in the directory of a run of an older version."""
    journal.path.write_text(f'{SUBMITTED}\n{{"event": "inten\n{DONE}\n{{"ev')
    journal.append(job(7))
    assert events(journal) == ["submitted", "done", "submitted"] == events(Journal(journal.path))
    journal.path.write_bytes(journal.path.read_bytes().replace(b"inten", b"intem"))
    with pytest.raises(RecordError, match="line 5, or one before it, was changed"):
        Journal(journal.path).history()


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_file_without_checksums_is_read_anew_if_it_is_another_now(number: int, journal: Journal) -> None:
    lines = [SUBMITTED, DONE, SUBMITTED.replace('"a"', '"b"')]
    journal.path.write_text("\n".join(lines))
    assert len(journal.history().jobs()) == 2
    content = ("\n".join(lines[:1]), "\n".join([*lines[:2], DONE, DONE]), "")[number]
    journal.path.write_text(content)
    assert journal.history().entries() == Journal(journal.path).history().entries()


def test_several_processes_write_one_file(journal: Journal) -> None:

    def write(first: int) -> None:
        own = Journal(journal.path)
        for number in range(first, first + 10):
            own.append(job(number))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(0, 40, 10)))
    assert len(journal.history().jobs()) == 40


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
