"""What may go wrong, and when."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from fnmatch import fnmatch

from .clock import Clock

REQUEST_FAULTS = ("answer", "accept", "drop", "hang", "truncate")
JOB_FAULTS = ("fail", "cancel", "overtime")


@dataclass
class Conditions:
    """What may be changed at any time.

    Attributes:
        queue_seconds: how long a job waits; without waiting it is complete when its POST is answered.
        queue_looks: how often a client is told that a job waits before it runs, however long that takes.
        run_seconds: how long it then runs.
        job_seconds: QPU seconds billed for every job that ran, beside its shots; all that is billed for one that fails
            or is cancelled while it runs.
        usage_limit: QPU seconds of the instance; jobs stay queued once they are used up.
        usage_before: those used before.
        pending_limit: of queued and running jobs, beyond which a job is refused with 3458.
        rate_limit: jobs that are taken in ``rate_seconds``; the next are refused with 429 and told how long to wait.
        rate_seconds: see ``rate_limit``.
        refuses_beyond_usage: whether jobs are refused with 403 and 4317 once the limit of usage is reached.
        reversed_bits: whether the bits of all results come back in reverse order.
        listing_seconds: how long until a job is among those that are listed.
        billing_seconds: how long after a job its usage is known.
        token_seconds: how long a token is valid; the client asks for a new one 10 seconds before.
        has_sessions: whether the plan has any.
        status: of all devices: ``"active"``; ``"internal"``, which accept jobs and keep them; or ``"off"``.
    """

    queue_seconds: float = 0.0
    queue_looks: int = 0
    run_seconds: float = 0.0
    job_seconds: float = 2.0
    usage_limit: float = 600.0
    usage_before: float = 0.0
    pending_limit: int | None = None
    rate_limit: int | None = None
    rate_seconds: float = 60.0
    refuses_beyond_usage: bool = False
    reversed_bits: bool = False
    listing_seconds: float = 0.0
    billing_seconds: float = 0.0
    token_seconds: float = 3600.0
    has_sessions: bool = True
    status: str = "active"


@dataclass
class Fault:
    """A fault that is still to happen, so many times, or until a time on the clock of the service."""

    kind: str
    on: str
    times: float
    until: float
    seconds: float
    status: int
    code: int
    retry_after: str


class Faults:
    """Those that are still to happen, by the clock of the service."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: list[Fault] = []
        self._lock = threading.Lock()

    def add(
        self, kind: str, on: str, times: int, seconds: float | None, status: int, code: int, retry_after: str
    ) -> None:
        """See :meth:`service.Service.fault`.

        Raises:
            ValueError: if there is no such fault.
        """
        if kind not in REQUEST_FAULTS + JOB_FAULTS:
            raise ValueError(f"there is no fault {kind!r}; choose {', '.join(REQUEST_FAULTS + JOB_FAULTS)}")
        never = float("inf")
        if kind == "answer" and seconds is not None:
            fault = Fault(kind, on, never, self._clock.now() + seconds, seconds, status, code, retry_after)
        else:
            fault = Fault(kind, on, times, never, seconds or 0.0, status, code, retry_after)
        with self._lock:
            self._waiting.append(fault)

    def due(self, kinds: tuple[str, ...], what: str) -> Fault | None:
        """The first of these kinds that is to happen now; once less from then on."""
        with self._lock:
            now = self._clock.now()
            self._waiting = [fault for fault in self._waiting if fault.times > 0 and fault.until > now]
            for fault in self._waiting:
                if fault.kind in kinds and fnmatch(what, fault.on):
                    fault.times -= 1
                    return fault
        return None

    def clear(self) -> None:
        """Nothing more is to happen."""
        with self._lock:
            self._waiting.clear()
