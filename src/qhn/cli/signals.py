"""The signals that ask a process to end: Ctrl-C, the end of the session or machine, and the end of the terminal."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from qhn.cli.terminal import tell


def ending_signals() -> list[signal.Signals]:
    """The signals that end this process: SIGINT, SIGTERM and SIGHUP, the last unless ``nohup`` has it ignored."""
    is_ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [signal.SIGINT, signal.SIGTERM, *([] if is_ignored else [signal.SIGHUP])]


@contextmanager
def at_signals_to_end(handler: Callable[[int, Any], None]) -> Iterator[None]:
    """Context in which a function is called at every signal that asks this process to end.

    When the terminal has gone, what would be printed on it is discarded first, since printing would fail.

    Args:
        handler: function called with the signal's number and the frame that it interrupted.
    """
    terminals = [number for number in (1, 2) if os.isatty(number)]

    def handle(number: int, frame: Any) -> None:
        for terminal in terminals:
            if not os.isatty(terminal):
                _discard(terminal)
        handler(number, frame)

    previous = {number: signal.signal(number, handle) for number in ending_signals()}
    try:
        yield
    finally:
        for number, earlier in previous.items():
            signal.signal(number, earlier)


def _discard(descriptor: int) -> None:
    """Discard what is written to a file descriptor from now on."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def stop_at_once(number: int, frame: Any) -> None:
    """Handle a signal as Ctrl-C is handled by Python.

    Raises:
        KeyboardInterrupt: when it is called.
    """
    raise KeyboardInterrupt


def stop_kindly(request: Callable[[], None]) -> Callable[[int, Any], None]:
    """A handler that asks for a stop at the first signal, and stops at once at the second.

    Args:
        request: function that asks for the stop, called once.
    """
    heard: list[int] = []

    def handler(number: int, frame: Any) -> None:
        heard.append(number)
        if len(heard) > 1:
            stop_at_once(number, frame)
        tell("\nstopping after this step, which may take long; once more stops at once")
        request()

    return handler
