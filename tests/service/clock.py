"""The time of the stand-in, which the clock of the machine does not set."""

from __future__ import annotations

import time


class Clock:
    """A clock that begins at the time of the machine and then goes by itself, whatever becomes of the machine's date.

    It can be stopped, and stands still until it is moved on; so a test decides what is late.
    """

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()
        self._stopped: float | None = None

    def now(self) -> float:
        """Seconds since 1970."""
        return time.monotonic() + self._offset if self._stopped is None else self._stopped

    def stop(self) -> None:
        """Stand still at the last whole second."""
        self._stopped = float(int(self.now()))

    def advance(self, seconds: float) -> None:
        """Move on by so many seconds."""
        if self._stopped is None:
            self._offset += seconds
        else:
            self._stopped += seconds
