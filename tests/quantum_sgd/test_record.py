"""The record of a descent: killed at any point it goes on as if nothing had happened, and damage is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from qhn.errors import BusyError, QhnError, RecordError
from qhn.quantum_sgd.load import load_descent
from qhn.quantum_sgd.loop import QuantumDescent
from qhn.quantum_sgd.record import DescentRecord, descent_directory
from qhn.run.directories import run_directories

FAST = {"solver": "classical", "descent.segments": 4}


def descent(results: Path, **settings: object) -> QuantumDescent:
    config = load_descent("digits", FAST | {key.replace("__", "."): value for key, value in settings.items()})
    return QuantumDescent(config, DescentRecord.of(config, results))


def whole(results: Path) -> bytes:
    done = descent(results)
    assert len(list(done)) == 4
    assert done.record is not None
    return (done.record.directory / "segments.jsonl").read_bytes()


def test_an_interrupted_descent_goes_on_with_the_same_bytes(tmp_path: Path) -> None:
    right = whole(tmp_path / "whole")
    going = iter(descent(tmp_path))
    next(going), next(going)
    del going
    left = list(descent(tmp_path))
    assert [one.number for one in left] == [2, 3]
    record = descent(tmp_path).record
    assert record is not None
    assert (record.directory / "segments.jsonl").read_bytes() == right
    assert len(record.sessions()) == 2
    assert record.outcome() is not None


def test_a_torn_line_is_a_segment_that_never_happened(tmp_path: Path) -> None:
    right = whole(tmp_path / "whole")
    first = descent(tmp_path)
    list(first)
    assert first.record is not None
    path = first.record.directory / "segments.jsonl"
    for size in (len(right) - 1, len(right) - 40, len(right) // 2, 10):
        path.write_bytes(right[:size])
        assert len(list(descent(tmp_path))) == (size < len(right) - 1) * (4 - right[:size].count(b"\n"))
        assert path.read_bytes() == right
        assert len(first.record.timing()) == 4


KILLED = """
import os, signal, sys
from qhn.cli import main
from qhn.quantum_sgd import record

moment, real, calls = int(sys.argv.pop()), record.append, []
def torn(path, content):
    calls.append(path)
    if len(calls) == moment:
        real(path, content[: len(content) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    real(path, content)
record.append = torn
main()
"""


@pytest.mark.parametrize("moment", [3, 4])
def test_kill_minus_nine_with_half_a_line_written(moment: int, tmp_path: Path, qhn) -> None:
    """Killed in the timing of the second segment, and in its line."""
    words = ("qsgd", "--solver", "classical", "-q", "--results")
    assert qhn(*words, "whole").code == 0
    command = [sys.executable, "-c", KILLED, *words, "killed", str(moment)]
    killed = subprocess.run(command, capture_output=True, check=False, env=os.environ.copy())
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert qhn(*words, "killed").code == 0
    whole, cut = (next(Path(place, "digits").iterdir()) for place in ("whole", "killed"))
    assert (whole / "segments.jsonl").read_bytes() == (cut / "segments.jsonl").read_bytes()


def test_more_segments_extend_a_descent(tmp_path: Path) -> None:
    list(descent(tmp_path, descent__segments=2))
    more = descent(tmp_path, descent__segments=3)
    assert [one.number for one in more] == [2]
    fewer = descent(tmp_path, descent__segments=1)
    assert not list(fewer)
    assert fewer.config.descent.segments == 3


def test_a_changed_segment_is_refused(tmp_path: Path) -> None:
    whole(tmp_path)
    path = next(tmp_path.glob("digits/*/segments.jsonl"))
    path.write_bytes(path.read_bytes().replace(b'"number": 1', b'"number": 7'))
    with pytest.raises(RecordError, match="was changed after it was written"):
        descent(tmp_path)


def test_a_changed_configuration_is_refused(tmp_path: Path) -> None:
    whole(tmp_path)
    path = next(tmp_path.glob("digits/*/config.json"))
    path.write_bytes(path.read_bytes().replace(b'"keep": 4', b'"keep": 5'))
    with pytest.raises(RecordError, match="is damaged"):
        descent(tmp_path)


def test_one_process_writes_at_a_time(tmp_path: Path) -> None:
    going = iter(descent(tmp_path))
    next(going)
    with pytest.raises(BusyError):
        next(iter(descent(tmp_path)))


def test_a_record_holds_its_own_data(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("a,b,label\n" + "".join(f"{i % 7},{i % 3},{i % 2}\n" for i in range(40)))
    config = load_descent(str(table), FAST | {"prune.keep": 2, "descent.segments": 1})
    list(QuantumDescent(config, DescentRecord.of(config, tmp_path)))
    directory = descent_directory(config, tmp_path)
    table.unlink()
    record = DescentRecord.load(directory)
    assert record.config.run_id == config.run_id
    assert len(QuantumDescent(record.config, record).start.theta) == 2
    assert record.config.data.file.parent == directory / "data"


def test_restart_sets_the_record_aside(tmp_path: Path) -> None:
    whole(tmp_path)
    config = load_descent("digits", FAST)
    again = QuantumDescent(config, DescentRecord.of(config, tmp_path, restart=True))
    assert len(list(again)) == 4
    directory = descent_directory(config, tmp_path)
    assert directory.with_name(f"{directory.name}~1").is_dir()


def test_descents_are_no_runs(tmp_path: Path) -> None:
    whole(tmp_path)
    assert run_directories(tmp_path) == []


def test_data_outside_of_the_record_are_refused(tmp_path: Path) -> None:
    with pytest.raises(QhnError, match="is not a descent"):
        DescentRecord.load(tmp_path)
