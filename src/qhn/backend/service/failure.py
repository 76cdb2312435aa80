"""The kinds of failure of a service, with advice to the user for each, and what an exception of any client tells.

Clients raise from unrelated bases, and their texts can hold account data: they are classified here, never repeated.
What a service means is in its own error code, where it gives one, which the vendor's connection understands.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any

from qiskit.providers.exceptions import JobError, QiskitBackendNotFoundError

CODE = re.compile(r"""\\*["']code\\*["']\s*:\s*\\*["']?(\d{4})\b|\berror code:?\s*(\d{4})\b""", re.IGNORECASE)
TOO_FAST = "too many 429 error responses"  # urllib3's words, after it has waited as often as it may
ODD_ANSWERS = (KeyError, TypeError, AttributeError)  # raised by the client over answers without an id, for example


class Kind(Enum):
    """A kind of failure; its value is the message that tells the user what to do."""

    TRANSIENT = "the service could not be reached or is overloaded; qhn resume goes on where it was"
    RATE_LIMITED = "the service takes no more requests for now; qhn resume goes on where it was"
    BUSY = "as many jobs wait as the account's plan allows; qhn resume when some are done"
    QUOTA = "the account has no QPU seconds left in this period, says the service (4317); qhn resume when it has more"
    AUTHENTICATION = "the service refused the account; check its token and instance, then qhn resume"
    NO_INSTANCE = (
        "the IBM account has no such instance; check the saved one, or QISKIT_IBM_INSTANCE, against "
        "https://quantum.cloud.ibm.com"
    )
    JOB_FAILED = "it failed on the service, which lists the reason under its id; qhn resume submits it again"
    CANCELLED = "it was cancelled on the service; qhn resume submits it again"
    OVERTIME = "it ran into its limit, twice its price or what was left of the budget; qhn resume submits it again"
    UNREADABLE = "its result is not what was asked for; qhn resume reads it once more"
    FATAL = "the service refused the job; its reason is in your IBM account, or in the client's log"


def kind_of(error: BaseException) -> Kind:
    """The kind of failure behind an exception of any client; what a vendor's error codes mean is not known here."""
    status = status_of(error)
    if status == 429 or TOO_FAST in str(error):
        return Kind.RATE_LIMITED
    if status in (401, 403):
        return Kind.AUTHENTICATION
    if isinstance(error, JobError):
        return Kind.JOB_FAILED
    if isinstance(error, QiskitBackendNotFoundError):  # of a device that was reached before
        return Kind.TRANSIENT
    if is_refused(error):
        return Kind.FATAL
    transient = (OSError, TypeError, ValueError)  # OSError of requests; the last two of a torn body
    is_overloaded = status is not None and status >= 500
    return Kind.TRANSIENT if is_overloaded or isinstance(error, transient) else Kind.FATAL


def is_refused(error: BaseException) -> bool:
    """Whether the service refused a request with an HTTP status that the same request would meet again."""
    status = status_of(error)
    return status is not None and 400 <= status < 500 and status not in (408, 409, 425)


def is_check(error: BaseException) -> bool:
    """Whether an exception is that of a client which checks what it is asked, before it asks a service.

    >>> is_check(ValueError("no shots")), is_check(TimeoutError())
    (True, False)
    """
    return isinstance(error, (TypeError, ValueError)) and not isinstance(error, (OSError, json.JSONDecodeError))


def kind_at_reading(error: BaseException) -> Kind:
    """The kind of failure behind an exception while a result is read and saved: the result is unreadable.

    Raises:
        OSError: if the exception is one, because a full disk, for example, is not the service's failure.
    """
    if isinstance(error, OSError):
        raise error
    return Kind.UNREADABLE


def status_of(error: BaseException) -> int | None:
    """The HTTP status with which the service refused a request; None if there was no answer.

    >>> status_of(ValueError("no"))
    """
    for one in causes(error):
        for owner in (one, *_answers(one)):
            for name in ("status_code", "code"):
                status = getattr(owner, name, None)
                if isinstance(status, int) and 400 <= status < 600:
                    return status
    return None


def retry_after(error: BaseException) -> float | None:
    """Seconds for which the service asked to wait before the next request; None if it did not say."""
    for one in causes(error):
        for answer in _answers(one):
            text = str(answer.headers.get("Retry-After", ""))
            if text.isdecimal():
                return float(text)
            with contextlib.suppress(ValueError):
                return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    return None


def causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and those that it was raised from, of which the client's own are the last."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def codes_of(error: BaseException) -> set[int]:
    """The service's own error codes in the texts of an exception and of the answers that it came from."""
    texts = [text for one in causes(error) for text in (str(one), *(answer.text for answer in _answers(one)))]
    return {int(found[1] or found[2]) for text in texts for found in CODE.finditer(text)}


def _answers(error: BaseException) -> list[Any]:
    """The HTTP response that an exception holds, under one of the names that the client's packages give it."""
    held = (getattr(error, name, None) for name in ("response", "http_response"))
    return [answer for answer in held if hasattr(answer, "text")]


Classify = Callable[[BaseException], Kind]
ENDED = (Kind.JOB_FAILED, Kind.CANCELLED, Kind.OVERTIME, Kind.UNREADABLE, Kind.FATAL)  # nothing more comes of the job
