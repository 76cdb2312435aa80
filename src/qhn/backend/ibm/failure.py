"""The classification of exceptions that Qiskit's client raises, with advice to the user for each kind of failure.

The client raises from unrelated bases, and its texts can hold account data: they are classified here, never repeated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from enum import Enum

from qiskit.providers.exceptions import JobError, QiskitBackendNotFoundError
from qiskit_ibm_runtime.exceptions import (
    IBMError,
    IBMNotAuthorizedError,
    RuntimeInvalidStateError,
    RuntimeJobMaxTimeoutError,
)

TOO_MANY_WAIT, SESSION_CLOSED, NO_SESSIONS = 3458, 1217, 1352  # the service's codes
ODD_ANSWERS = (KeyError, TypeError, AttributeError)  # raised by the client over answers without an id, for example


class Kind(Enum):
    """A kind of failure; its value is the message that tells the user what to do."""

    TRANSIENT = "the service could not be reached or is overloaded; qhn resume goes on where it was"
    BUSY = "as many jobs wait as the account's plan allows; qhn resume when some are done"
    AUTHENTICATION = "the service refused the account; check its token and instance, then qhn resume"
    JOB_FAILED = "it failed on the service, which lists the reason under its id; qhn resume submits it again"
    CANCELLED = "it was cancelled on the service; qhn resume submits it again"
    OVERTIME = "it ran into its limit, twice its price or what was left of the budget; qhn resume submits it again"
    UNREADABLE = "its result is not what was asked for; qhn resume reads it once more"
    FATAL = "the service refused the job; its reason is in your IBM account, or in the client's log"


def kind_of(error: BaseException) -> Kind:
    """The kind of failure behind an exception of Qiskit's client."""
    status = getattr(error, "status_code", None)
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", status)
    cause = error.__cause__ or error.__context__
    if status is None or status == -1:
        status = getattr(cause, "status_code", None)
    if status in (401, 403) or isinstance(error, IBMNotAuthorizedError):
        return Kind.AUTHENTICATION
    if isinstance(error, RuntimeJobMaxTimeoutError):
        return Kind.OVERTIME
    if isinstance(error, RuntimeInvalidStateError):
        return Kind.CANCELLED
    if isinstance(error, JobError):
        return Kind.JOB_FAILED
    if has_code(error, TOO_MANY_WAIT):
        return Kind.BUSY
    if isinstance(error, QiskitBackendNotFoundError):  # of a device that was reached before
        return Kind.TRANSIENT
    if isinstance(status, int) and 400 <= status < 500 and status not in (408, 409, 425, 429):
        return Kind.FATAL
    transient = (IBMError, OSError, TypeError, ValueError)  # OSError of requests; the last two of a torn body
    return Kind.TRANSIENT if isinstance(error, transient) else Kind.FATAL


def kind_at_submission(error: BaseException) -> Kind:
    """The kind of failure behind an exception while a job is submitted, where a ValueError means an invalid job."""
    is_check = isinstance(error, (TypeError, ValueError)) and not isinstance(error, (OSError, json.JSONDecodeError))
    return Kind.FATAL if is_check else kind_of(error)


def kind_at_reading(error: BaseException) -> Kind:
    """The kind of failure behind an exception while a result is read and saved: the result is unreadable.

    Raises:
        OSError: if the exception is one, because a full disk, for example, is not the service's failure.
    """
    if isinstance(error, OSError):
        raise error
    return Kind.UNREADABLE


def has_code(error: BaseException, code: int) -> bool:
    """Whether the service refused a request with the given error code."""
    return re.search(rf"\b{code}\b", str(error)) is not None


Classify = Callable[[BaseException], Kind]
ENDED = (Kind.JOB_FAILED, Kind.CANCELLED, Kind.OVERTIME, Kind.UNREADABLE, Kind.FATAL)  # nothing more comes of the job
