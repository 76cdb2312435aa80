"""Events in the life of a job on a machine that bills, as entries of the journal: one line of ``jobs.jsonl`` each."""

from __future__ import annotations

import dataclasses
import math
import re
import time
from calendar import timegm
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any

from qhn.backend.terms import Amount
from qhn.errors import QhnError

CLIENT = ("qiskit", "qiskit-ibm-runtime", "qhn")  # packages whose versions a self-test holds for, beside a vendor's own
TIME = "%Y-%m-%dT%H:%M:%SZ"


class Event(StrEnum):
    """What happened to a job, to a session, or to the run itself; the values are the words in the file.

    Journals of old runs contain these words: never change one.
    """

    OPENED = "opened"  # the journal was begun, and the run got its name
    INTENT = "intent"  # a job is about to be submitted
    SUBMITTED = "submitted"  # the service accepted it
    ADOPTED = "adopted"  # the service had it already, and its bits will be used
    DUPLICATE = "duplicate"  # the service has it, and the bits of another will be used
    DONE = "done"  # its bits were read
    BILLED = "billed"  # its bill became known later
    FAILED = "failed"  # nothing more comes of it
    OUT_OF_REACH = "out of reach"  # nothing can be learnt of it; it may go on, and be adopted later
    CANCELLED = "cancelled"  # it was taken out of the queue
    SELF_TEST = "self-test"  # its bits told whether the device turns and measures what is meant
    SESSION = "session"  # a session was opened, or asked what it took so far
    SESSION_CLOSED = "session closed"  # it takes no more jobs


LOST = (Event.FAILED, Event.CANCELLED, Event.DUPLICATE)  # events after which the bits of a job will not be used
FOUND = (Event.SUBMITTED, Event.ADOPTED, Event.DONE)  # events of a job whose bits are there or will come


class Unsaid(Enum):
    """The marker for a fact that an entry does not state, where None is a statement of its own."""

    UNSAID = "unsaid"


UNSAID = Unsaid.UNSAID


@dataclass(frozen=True)
class Entry:
    """One line of the journal: what happened to a job, a session or the run, and when.

    Attributes:
        event: what happened.
        time: time in UTC at which the entry was written; set by :meth:`Journal.append`.
        tag: name of the request that a job serves, ``qhn:<run>:<step>:<evaluation>``, followed by the number of its
            part if there are several; ``qhn:<run>:test:<number>`` for a self-test.
        job_id: id of the job on the service.
        digest: hash of everything that the job, or that of a self-test, measures.
        rows: number of circuits that the job executes.
        shots: number of measurements of each circuit.
        price_seconds: QPU seconds that the job should take.
        record: name of the run's directory and of every copy of it.
        session_id: id of the session on the service.
        qpu_seconds: QPU seconds that a job or session billed; None if the service was asked and did not say.
        error: class name of the exception by which Qiskit's client reported a failure.
        kind: kind of the failure, in a word; of a bill, ``overtime`` if the service ended the job at its limit.
        status: HTTP status with which the service refused a request.
        codes: the service's own error codes in its answer, ascending.
        complaint: what the self-test found wrong; None if it passed.
        versions: versions of the packages for which the self-test holds, by name.
        device: name of the device that was tested.
        circuit: what the self-test measured, if not the circuit of the run.

    Raises:
        ValueError: at construction, if a fact is missing that the event needs, or has an impossible value.

    >>> Entry(Event.DONE, tag="qhn:r:0:0", job_id="job-1", qpu_seconds=2.5).to_json()
    {'event': 'done', 'tag': 'qhn:r:0:0', 'job_id': 'job-1', 'qpu_seconds': 2.5}
    """

    event: Event
    _: dataclasses.KW_ONLY
    time: str | None = None
    tag: str | None = None
    job_id: str | None = None
    digest: str | None = None
    rows: int | None = None
    shots: int | None = None
    price_seconds: float | None = None
    record: str | None = None
    session_id: str | None = None
    qpu_seconds: float | Unsaid | None = UNSAID
    error: str | None = None
    kind: str | None = None
    status: int | None = None
    codes: Sequence[int] | None = None
    complaint: str | Unsaid | None = UNSAID
    versions: Mapping[str, str] | None = None
    device: str | None = None
    circuit: str | None = None

    def __post_init__(self) -> None:
        facts = self._facts()
        for name in NEEDED[self.event]:
            if name not in facts:
                raise QhnError(f"an entry {self.event!s} of the journal needs {name}")
        for name, value in facts.items():
            if not CHECKS[name](value):
                raise QhnError(f"{name} of an entry {self.event!s} of the journal cannot be {value!r}")

    @classmethod
    def from_json(cls, tree: object) -> Entry:
        """The entry that a line of the file holds, from its parsed JSON value; unknown keys are ignored.

        Raises:
            ValueError: if the value is not an entry.
        """
        word = tree.get("event") if isinstance(tree, dict) else None
        if not isinstance(tree, dict) or word not in list(Event):
            raise QhnError("a line of the journal must be an object with one of its events")
        return cls(Event(word), **{name: tree[name] for name in DEFAULTS if name in tree})

    def to_json(self) -> dict[str, Any]:
        """The facts that the entry states, as a JSON object with its keys in the file's order."""
        facts = self._facts()
        stamp = {"time": facts.pop("time")} if "time" in facts else {}
        return stamp | {"event": self.event.value} | facts

    def _facts(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name, default in DEFAULTS.items() if getattr(self, name) is not default}

    @property
    def billed(self) -> float | None:
        """QPU seconds that a job or session billed; None if the entry does not say."""
        return None if isinstance(self.qpu_seconds, Unsaid) else self.qpu_seconds

    @property
    def price(self) -> Amount | None:
        """The QPU use that the job should have; None if the entry does not say."""
        if self.price_seconds is None or self.rows is None or self.shots is None:
            return None
        return Amount(self.price_seconds, 1, self.rows * self.shots)

    @property
    def written(self) -> float | None:
        """The time at which the entry was written, in seconds since 1970; None if the entry does not say."""
        try:
            return None if self.time is None else epoch_seconds(self.time)
        except ValueError:
            return None


DEFAULTS = {field.name: field.default for field in dataclasses.fields(Entry) if field.name != "event"}


SIZE = ("rows", "shots", "price_seconds")


NEEDED: dict[Event, tuple[str, ...]] = {  # the least that each event must state to be of use
    Event.OPENED: ("record",),
    Event.INTENT: ("tag",),
    Event.SUBMITTED: ("tag", "job_id", *SIZE),
    Event.ADOPTED: ("tag", "job_id", *SIZE),
    Event.DUPLICATE: ("tag", "job_id", *SIZE),
    Event.DONE: ("tag", "job_id"),
    Event.BILLED: ("tag", "job_id", "qpu_seconds"),
    Event.FAILED: ("tag",),
    Event.OUT_OF_REACH: ("tag",),
    Event.CANCELLED: ("tag",),
    Event.SELF_TEST: ("job_id", "complaint", "versions"),
    Event.SESSION: ("session_id",),
    Event.SESSION_CLOSED: ("session_id",),
}


TAG = re.compile(r"qhn:[^:]*:([0-9]+|test):[0-9]+(:[0-9]+)?")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_seconds(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf


CHECKS: dict[str, Callable[[Any], bool]] = {
    "time": _is_text,
    "tag": lambda value: isinstance(value, str) and TAG.fullmatch(value) is not None,
    "job_id": _is_name,
    "digest": _is_text,
    "rows": _is_count,
    "shots": _is_count,
    "price_seconds": _is_seconds,
    "record": _is_name,
    "session_id": _is_name,
    "qpu_seconds": lambda value: value is None or _is_seconds(value),
    "error": _is_text,
    "kind": _is_text,
    "status": _is_count,
    "codes": lambda value: isinstance(value, (list, tuple)) and all(map(_is_count, value)),
    "complaint": lambda value: value is None or isinstance(value, str),
    "versions": lambda value: isinstance(value, dict) and all(map(_is_text, value.values())),
    "device": _is_name,
    "circuit": _is_text,
}


def epoch_seconds(text: str) -> float:
    """The time of a journal entry in seconds since 1970, to the second.

    >>> epoch_seconds("1970-01-01T00:01:00Z")
    60.0
    """
    return float(timegm(time.strptime(text, TIME)))
