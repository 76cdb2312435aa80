"""Jobs that are submitted together: in a batch, or in a session that is billed while it is open."""

from __future__ import annotations

import contextlib


class Sessions:
    """The batches and sessions of a service; here those of one that has none, where jobs are submitted one by one."""

    def together(self, number: int) -> contextlib.AbstractContextManager[None]:
        """Context in which a number of jobs are submitted: in the run's session, or several as one batch."""
        return contextlib.nullcontext()

    @property
    def session_id(self) -> str | None:
        """The id of the session in which jobs are submitted; None without one."""
        return None

    def is_session_closed(self, error: BaseException) -> bool:
        """Whether the service refused a job because the session in which it was submitted has been closed."""
        return False

    def reopen(self) -> None:
        """Open another session in place of one that has been closed."""

    def note_session(self) -> None:
        """Write the QPU seconds that the open session has taken so far into the journal."""

    def settle_sessions(self) -> None:
        """Write the QPU seconds of sessions that ended unnoticed into the journal."""

    def close(self) -> None:
        """End the session, if there is one; the next job opens another."""
