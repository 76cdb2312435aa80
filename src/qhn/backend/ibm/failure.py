"""The classification of exceptions that IBM's client raises, beyond those of any client."""

from __future__ import annotations

from qiskit_ibm_runtime.exceptions import (
    IBMError,
    IBMInputValueError,
    IBMNotAuthorizedError,
    RuntimeInvalidStateError,
    RuntimeJobMaxTimeoutError,
)

from qhn.backend.service import failure
from qhn.backend.service.failure import Kind, is_refused, status_of

SESSION_CLOSED, NO_SESSIONS = 1217, 1352  # the service's codes
SAID = (Kind.QUOTA, Kind.BUSY, Kind.RATE_LIMITED, Kind.AUTHENTICATION)  # by the service, whatever the client raises


def kind_of(error: BaseException) -> Kind:
    """The kind of failure behind an exception of IBM's client."""
    found = failure.kind_of(error)
    if found in SAID:
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
