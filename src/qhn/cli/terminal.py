"""What qhn prints: results on standard output, all else on standard error, whatever the terminal is."""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import suppress
from typing import IO, Any, TextIO, cast

from qhn.errors import QhnWarning
from qhn.text import in_line, visible

STREAMS = ("stdin", "stdout", "stderr")
MAX_WARNING = 600  # characters of a line


def put(text: str) -> None:
    """Print a result, such as a page or a path, on standard output.

    Args:
        text: the text, without its last line end; control characters in it are shown as escapes.

    Raises:
        OSError: if it cannot be written; its ``filename`` says that this was standard output.
    """
    try:
        print(visible(text), flush=True)
    except OSError as error:
        raise type(error)(error.errno, error.strerror, "standard output") from None


def tell(text: str) -> None:
    """Print a message, such as progress or an error, on standard error.

    Args:
        text: the text, without its last line end; control characters in it are shown as escapes.
    """
    print(visible(text), file=messages(), flush=True)


def show_warnings() -> None:
    """Let each warning of qhn itself be one line on standard error, whatever filters say; others look as ever."""
    others = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, QhnWarning):
            tell(f"qhn: {in_line(message, MAX_WARNING)}")
        else:
            others(message, category, *where, **more)

    warnings.showwarning = show
    warnings.simplefilter("default", QhnWarning)


def redraw(text: str, last: bool) -> None:
    """Print a line of progress in the place of the line before.

    Args:
        text: the line; control characters in it are shown as escapes.
        last: whether the line stays.
    """
    print(f"\r\033[K{visible(text)}", end="\n" if last else "", file=messages(), flush=True)


def messages() -> TextIO:
    """Standard error as a stream that never fails: a message that nobody can read does not end a run."""
    return cast(TextIO, Expendable(sys.stderr))


class Expendable:
    """A text stream whose errors of writing are ignored.

    Args:
        stream: the stream that is written to.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text, or drop it, and return its length."""
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Write what is buffered, or drop it."""
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def open_streams() -> None:
    """Prepare the standard streams: closed ones lead nowhere, and characters that a terminal lacks become escapes.

    Without it a file of a run could get the number of a closed stream, and take up what libraries print there.
    """
    for number, name in enumerate(STREAMS):
        try:
            os.fstat(number)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)  # of the lowest free number, which may be this one
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 – until the end
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def settle_streams() -> None:
    """Write what is buffered, or drop it, so that Python does not fail at its end for want of a reader."""
    for name in ("stdout", "stderr"):
        try:
            getattr(sys, name).flush()
        except OSError:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 – until the end
