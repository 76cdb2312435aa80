"""What the command line says of an error, by whose it is: the user's, the machine's, the system's, or qhn's own."""

from __future__ import annotations

import errno
import io
import sys
from pathlib import Path

import pytest
import typer
from pydantic import BaseModel

from qhn.backend import BackendError
from qhn.cli import explained
from qhn.config import file as configfile
from qhn.errors import NotFoundError, QhnError, RecordError


class OneNumber(BaseModel):
    number: int


def invalid() -> Exception:
    """An error of pydantic, which is a ``ValueError`` too."""
    try:
        OneNumber.model_validate({"number": "x"})
    except ValueError as error:
        return error
    raise AssertionError


DEFECTS = [
    ValueError("operands could not be broadcast together"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    EOFError("No data left in file"),
    KeyError("train"),
    IndexError("list index out of range"),
    TypeError("unsupported operand"),
    RecursionError("maximum recursion depth exceeded"),
    OverflowError("Python int too large to convert to C long"),
    ZeroDivisionError("division by zero"),
    AssertionError(),
    RuntimeError("a lock"),
    OSError("of a library, without a file"),
    invalid(),
]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch):
    """Let the verb ``circuit`` raise an error."""

    def fail_with(error: BaseException) -> None:
        def load_config(*words: object) -> None:
            raise error

        monkeypatch.setattr(configfile, "load_config", load_config)

    return fail_with


@pytest.mark.parametrize("error", DEFECTS, ids=lambda error: type(error).__name__)
def test_what_no_input_may_cause_is_a_defect_and_says_what_is_safe(qhn, failing, error: Exception) -> None:
    failing(error)
    result = qhn("circuit", "figure-1")
    assert result.code == 1
    assert len(result.err.splitlines()) == 1
    assert result.err.startswith(f"qhn: this is a defect of qhn and not of what you asked for: {type(error).__name__}")
    assert "complete steps and paid shots on disk are kept, and qhn resume goes on" in result.err
    assert result.err.endswith("in the project's issue tracker, with what the same command prints with --debug\n")
    assert "Traceback" in qhn("--debug", "circuit", "figure-1").err


EXPECTED = [
    (QhnError("shots must be at least 1, got 0"), 2, "shots must be at least 1, got 0"),
    (NotFoundError("there is no run 'x'"), 2, "there is no run 'x'"),
    (RecordError("steps.jsonl is damaged"), 2, "steps.jsonl is damaged"),
    (FileNotFoundError(errno.ENOENT, "No such file or directory", "a.csv"), 2, "a.csv: No such file or directory"),
    (PermissionError(errno.EACCES, "Permission denied", "x" * 300), 2, "x" * 200 + ": Permission denied"),
    (OSError(errno.ENOSPC, "No space left on device"), 4, "No space left on device"),
    (MemoryError(), 2, "not enough memory; ask for fewer samples, shots, qubits or layers"),
    (MemoryError("1 TiB"), 2, "not enough memory; ask for fewer samples, shots, qubits or layers (1 TiB)"),
    (BackendError("the fridge is warm"), 4, "the fridge is warm"),
    (KeyboardInterrupt(), 130, "stopped; complete steps are kept, and qhn resume goes on"),
    (typer.Abort(), 130, "stopped; complete steps are kept, and qhn resume goes on"),
]


@pytest.mark.parametrize(("error", "code", "words"), EXPECTED, ids=lambda value: type(value).__name__)
def test_what_may_happen_is_said_in_a_line_with_its_exit_code(qhn, failing, error, code: int, words: str) -> None:
    failing(error)
    result = qhn("circuit", "figure-1")
    assert (result.code, result.err.lstrip("\n")) == (code, f"qhn: {words}\n")
    assert explained(error) == (code, words)


def test_a_reader_that_has_gone_is_no_error(qhn, failing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", sys.stdout)  # which main() gives up, so that nothing is flushed into the pipe
    failing(BrokenPipeError(errno.EPIPE, "Broken pipe"))
    assert (qhn("circuit", "figure-1").code, qhn("circuit", "figure-1").err) == (130, "")


@pytest.mark.parametrize("answer", [EOFError, KeyboardInterrupt])
def test_the_end_of_the_input_at_a_question_stops(qhn, monkeypatch: pytest.MonkeyPatch, answer: type) -> None:
    class Keyboard(io.StringIO):
        def readline(self, size: int | None = -1) -> str:
            raise answer

    monkeypatch.setattr(sys, "stdin", Keyboard())
    monkeypatch.setattr(configfile, "load_config", lambda *words: typer.confirm("spend it?", err=True))
    result = qhn("circuit", "figure-1")
    assert result.code == 130
    assert result.err.splitlines()[-1] == "qhn: stopped; complete steps are kept, and qhn resume goes on"


def test_a_missing_file_can_be_caught_as_pythons_own() -> None:
    from qhn.problem.datasets import load_file

    for kind in (FileNotFoundError, ValueError, QhnError):
        with pytest.raises(kind, match=r"data file gone\.csv does not exist"):
            load_file(Path("gone.csv"))
