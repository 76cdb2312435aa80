"""A session: exclusive use of a device, billed by the clock from its first job until it is closed.

Jobs of a session do not queue behind those of others. What is computed here between two steps is billed too, which is
why sessions are opt-in; IBM's Open plan has none.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from functools import partial
from typing import Any

from qiskit.providers import BackendV2
from qiskit_ibm_runtime import Session

from qhn.backend.events import Entry, Event
from qhn.backend.ibm.account import silent
from qhn.backend.journal import Journal

ACCEPTING = ("Pending", "In progress, accepting new jobs")
Ask = Callable[[Callable[[], Any]], Any]


def open_session(device: BackendV2, journal: Journal, max_seconds: float, ask: Ask) -> Session:
    """The run's session that still takes jobs, or a new one.

    Args:
        device: Qiskit's object for the device.
        journal: journal of the run, in which its sessions are noted.
        max_seconds: seconds after which the service ends a new session; infinite for the service's own limit.
        ask: function that puts a question to the service until it answers.
    """
    for earlier in (one for one in journal.history().sessions().values() if not one.is_closed):
        session = ask(partial(Session.from_id, earlier.session_id, device.service))
        if ask(session.status) in ACCEPTING:
            return session
        note_session(session, journal, is_closed=True)
    limit = None if math.isinf(max_seconds) else math.floor(max_seconds)
    session = ask(lambda: Session(device, max_time=limit))
    journal.append(Entry(Event.SESSION, session_id=session.session_id))
    return session


def note_session(session: Session, journal: Journal, *, is_closed: bool) -> None:
    """Write the QPU seconds that a session has taken so far into the journal."""
    seconds = None
    with contextlib.suppress(Exception), silent():
        usage = session.usage()
        seconds = usage if 0 <= usage < math.inf else None
    event = Event.SESSION_CLOSED if is_closed else Event.SESSION
    journal.append(Entry(event, session_id=session.session_id, qpu_seconds=seconds))


def close_session(session: Session, journal: Journal) -> None:
    """Close a session, so that it is billed no longer; if the service does not answer, it ends by its own limits."""
    with contextlib.suppress(Exception), silent():
        session.close()
    note_session(session, journal, is_closed=True)


def settle_sessions(device: BackendV2, journal: Journal, still_used: str | None) -> None:
    """Write the QPU seconds of sessions that ended unnoticed, or were not billed in full yet, into the journal."""
    for known in journal.history().sessions().values():
        if known.is_settled or known.session_id == still_used:
            continue
        with contextlib.suppress(Exception), silent():
            session = Session.from_id(known.session_id, device.service)
            if session.status() not in ACCEPTING:
                note_session(session, journal, is_closed=True)
