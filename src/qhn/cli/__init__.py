"""The command line ``qhn <verb>``: each verb parses its arguments, calls one function and prints its result.

Data goes to standard output, progress and errors to standard error. An error is one line; with ``--debug`` its
traceback stands above it. Exit codes:

===  ====================================================================
  0  done
  1  a defect of qhn: the line says what to report
  2  bad input: the line says which value is wrong and what is allowed
  3  stopped by a budget, by the account's quota or by a plateau
  4  the machine, its service or the user's cost function failed, or the disk is full; resumable
130  interrupted; resumable
===  ====================================================================
"""

from __future__ import annotations

import errno
import sys
import traceback
import warnings

import typer
from typer.exceptions import TyperException

from qhn.cli import devices, experiments, predict, qsgd, replay, runs, search, sweeps, tables
from qhn.cli.app import Escaped, app
from qhn.cli.options import BAD_INPUT, DEFECT, FAILED, INTERRUPTED, LIMIT
from qhn.cli.terminal import messages, open_streams, settle_streams, show_warnings, tell
from qhn.errors import EvaluationError, QhnError
from qhn.text import clipped, shown

__all__ = ["app", "devices", "experiments", "main", "predict", "qsgd", "replay", "runs", "search", "sweeps", "tables"]

DISK_FAILS = (errno.ENOSPC, errno.EIO, errno.EDQUOT)
MAX_NAME = 200  # characters of a file's name in a message; of longer names the last ones are shown
MAX_MESSAGE = 500  # characters of what typer says of the words of a command
STOPPED = "stopped; complete steps are kept, and qhn resume goes on"
MEMORY = "not enough memory; ask for fewer samples, shots, qubits or layers"
LOCALE = "the name {} cannot be written in {}, the encoding of this locale; set PYTHONUTF8=1, or LC_ALL=C.UTF-8"
REPORT = (
    "complete steps and paid shots on disk are kept, and qhn resume goes on with a run; please report it in the "
    "project's issue tracker, with what the same command prints with --debug"
)


def main() -> None:
    """Run the command line, as the console script ``qhn``, and end the process with its exit code.

    Raises:
        SystemExit: when the command has ended, with its exit code.
    """
    debug = "--debug" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--debug"]
    if len(sys.argv) == 1:
        sys.argv.append("--help")
    open_streams()
    try:
        with warnings.catch_warnings():
            show_warnings()
            code = app(standalone_mode=False)
    except Exception as error:
        cause = error.__cause__ if isinstance(error, Escaped) else error
        assert cause is not None
        code = INTERRUPTED
        if not isinstance(cause, BrokenPipeError):  # else the reader of our output has gone: nothing is left to say
            code, words = explained(cause)
            if debug and code != INTERRUPTED:
                traceback.print_exception(cause, file=messages())
            after = "\n" if code == INTERRUPTED else ""  # a question, or what the terminal shows of Ctrl-C
            tell(f"{after}qhn: {' '.join(words.split())}")
    settle_streams()
    sys.exit(code)


def explained(error: BaseException) -> tuple[int, str]:
    """The exit code of an error, and its message.

    Errors that qhn raises on purpose, and those of the operating system about a file, are bad input or a failure from
    outside. Every other error, also a ``ValueError`` of a library, is a defect, which no input may cause.

    >>> explained(QhnError("shots must be at least 1, got 0"))
    (2, 'shots must be at least 1, got 0')
    >>> explained(IndexError("list index out of range"))[1].partition(";")[0]
    'this is a defect of qhn and not of what you asked for: IndexError: list index out of range'
    """
    if isinstance(error, TyperException):
        return BAD_INPUT, clipped(error.format_message(), MAX_MESSAGE)  # some versions of typer quote any value whole
    if isinstance(error, (KeyboardInterrupt, typer.Abort)):
        return INTERRUPTED, STOPPED
    if isinstance(error, QhnError):
        return FAILED if isinstance(error, EvaluationError) else BAD_INPUT, str(error)
    if isinstance(error, OSError) and error.strerror:
        named = "" if error.filename is None else f"{str(error.filename)[-MAX_NAME:]}: "
        return FAILED if error.errno in DISK_FAILS else BAD_INPUT, named + error.strerror
    if isinstance(error, UnicodeEncodeError) and error.encoding == sys.getfilesystemencoding():
        return BAD_INPUT, LOCALE.format(shown(error.object), error.encoding)
    if isinstance(error, MemoryError):
        return BAD_INPUT, f"{MEMORY} ({error})" if str(error) else MEMORY
    if isinstance(error, RuntimeError):  # only then is the package of the machines loaded, and it may be broken
        from qhn.backend.sampler import BackendError, QuotaError

        if isinstance(error, BackendError):
            return LIMIT if isinstance(error, QuotaError) else FAILED, str(error)
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return DEFECT, f"this is a defect of qhn and not of what you asked for: {what}; {REPORT}"
