"""The classification of exceptions that IBM's client raises, by the service's error codes and the client's own types.

What the service means is in its own error code, where it gives one; the HTTP status alone says less, since an account
without time left may be refused with the same status as one without rights.
"""

from __future__ import annotations

from qiskit_ibm_runtime.exceptions import (
    IBMError,
    IBMInputValueError,
    IBMNotAuthorizedError,
    RuntimeInvalidStateError,
    RuntimeJobMaxTimeoutError,
)

from qhn.backend.service import failure
from qhn.backend.service.failure import Kind, codes_of, is_refused, status_of

TOO_MANY_WAIT, SESSION_CLOSED, NO_SESSIONS = 3458, 1217, 1352  # the service's codes
QUOTA_SPENT, TOO_MANY_REQUESTS = 4317, 1202


def kind_of(error: BaseException) -> Kind:
    """The kind of failure behind an exception of IBM's client."""
    codes, found = codes_of(error), failure.kind_of(error)
    if QUOTA_SPENT in codes:
        return Kind.QUOTA
    if TOO_MANY_WAIT in codes:
        return Kind.BUSY
    if TOO_MANY_REQUESTS in codes:
        return Kind.RATE_LIMITED
    if found in (Kind.RATE_LIMITED, Kind.AUTHENTICATION):
        return found
    if isinstance(error, IBMNotAuthorizedError):
        return Kind.AUTHENTICATION
    if isinstance(error, RuntimeJobMaxTimeoutError):
        return Kind.OVERTIME
    if isinstance(error, RuntimeInvalidStateError):
        return Kind.CANCELLED
    is_unclear = found is Kind.FATAL and isinstance(error, IBMError) and not is_refused(error)
    return Kind.TRANSIENT if is_unclear else found


def kind_at_connection(error: BaseException) -> Kind:
    """The kind of failure behind an exception while the client connects to the account.

    The client says "check your API token" of an outage too, and a wrong key is refused with 400: only the HTTP status
    tells them apart.
    """
    if isinstance(error, IBMInputValueError):
        return Kind.NO_INSTANCE
    kind = kind_of(error)
    return Kind.AUTHENTICATION if kind is Kind.FATAL and status_of(error) == 400 else kind
