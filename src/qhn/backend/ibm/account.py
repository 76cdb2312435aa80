"""The IBM account: whether there is one, how many QPU seconds it has left, and which devices it can use.

Nothing here costs QPU time. Texts of the service, its warnings and log lines included, are not passed on: they can hold
account data.
"""

from __future__ import annotations

import json
import os
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qiskit.providers import BackendV2
from qiskit.providers.exceptions import QiskitBackendNotFoundError
from qiskit_ibm_runtime import QiskitRuntimeService
from qiskit_ibm_runtime.accounts import management
from qiskit_ibm_runtime.accounts.exceptions import AccountNotFoundError

from qhn.backend.ibm.failure import kind_at_connection, kind_of
from qhn.backend.sampler import BackendError, QuotaError
from qhn.backend.service import silence
from qhn.backend.service.failure import Kind, status_of
from qhn.errors import QhnError
from qhn.text import in_line

CLIENT_LOGS = ("qiskit_ibm_runtime", "ibm_cloud_sdk_core", *silence.LOGS)
OWN_PARTS = slice(6, 8)  # of a CRN: the account and the instance; the others are the same for many
SHORTEST_SECRET = 6  # characters; a shorter text would be found in others by chance
NO_ACCOUNT = (
    "no IBM account found; save one once with QiskitRuntimeService.save_account(token=…, instance=…) or set "
    "QISKIT_IBM_TOKEN and QISKIT_IBM_INSTANCE; the backend fake_torino rehearses a run without one"
)


class NoAccount(QhnError):
    """There is no IBM account, neither in the environment nor in Qiskit's file."""


class RefusedAccount(QhnError):
    """The service does not accept the account's key, or the account does not have the instance that was named."""


@dataclass(frozen=True)
class Usage:
    """The QPU time that an instance of the account has used and has left in the present period.

    Attributes:
        plan: name of the instance's pricing plan; ``"unknown"`` if the service does not say.
        instance: name of the instance; empty if it has none.
        consumed: QPU seconds used in the present period; None if the service does not say.
        remaining: QPU seconds left; None if the plan has no limit, or the service does not say.
    """

    plan: str
    instance: str
    consumed: float | None
    remaining: float | None


@dataclass(frozen=True)
class Reached:
    """A device that the account can use.

    Attributes:
        name: name of the device.
        num_qubits: number of its qubits.
        operational: whether the device executes jobs at present.
        queue: number of jobs waiting for the device.
        rep_delay: default delay between two shots in seconds; None if the service does not say.
    """

    name: str
    num_qubits: int
    operational: bool
    queue: int
    rep_delay: float | None


def account_file() -> Path:
    """The path of the file in which Qiskit saves accounts."""
    return Path(management._DEFAULT_ACCOUNT_CONFIG_JSON_FILE)


def holds_account(path: Path) -> bool:
    """Whether a file contains a saved account; Qiskit's client creates an empty one when it looks for accounts."""
    try:
        return bool(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return False


def is_in_environment() -> bool:
    """Whether the account comes from the variable ``QISKIT_IBM_TOKEN``, which takes precedence over the file."""
    return bool(os.environ.get("QISKIT_IBM_TOKEN"))


def is_readable_by_others(path: Path) -> bool:
    """Whether the file's group or all users may read the file."""
    return bool(path.stat().st_mode & 0o044)


def connect() -> QiskitRuntimeService:
    """Connect to IBM's service with the account of the environment or of Qiskit's file.

    The variable ``QISKIT_IBM_INSTANCE``, a name or CRN, takes precedence over a saved instance.

    Raises:
        NoAccount: if there is no account.
        RefusedAccount: if the service refuses the account's key or instance.
        QuotaError: if the service refuses the account because it has no time left.
        BackendError: if the service cannot be reached.
    """
    try:
        with silent():
            return QiskitRuntimeService(instance=os.environ.get("QISKIT_IBM_INSTANCE") or None)
    except AccountNotFoundError:
        raise NoAccount(NO_ACCOUNT) from None
    except Exception as error:  # the client raises from unrelated bases, requests and pydantic among them
        kind = kind_at_connection(error)
        if kind is Kind.NO_INSTANCE:
            raise RefusedAccount(kind.value) from None
        if kind is Kind.AUTHENTICATION:
            status = status_of(error) or "without a reason"
            raise RefusedAccount(
                f"the IBM service refused the account's key ({status}); save it anew, or check QISKIT_IBM_TOKEN"
            ) from None
        if isinstance(error, OSError) and error.filename is not None:  # a file, such as that of the saved accounts
            place = in_line(error.filename)
            words = f"{place}: {error.strerror}; the IBM client keeps its accounts there, below HOME"
            raise RefusedAccount(words) from None
        raise _failed(error, "the IBM service could not be reached, or is out of order ({}); try again later") from None


def _failed(error: Exception, words: str) -> BackendError:
    """The error of a service that did not answer a question, or refused it because the account has no time left.

    Args:
        error: exception of Qiskit's client.
        words: the message, with ``{}`` for the name of the exception.
    """
    if kind_of(error) is Kind.QUOTA:
        return QuotaError(Kind.QUOTA.value)
    return BackendError(words.format(type(error).__name__))


def account_device(name: str) -> BackendV2:
    """The QPU of the given name, reached through the account.

    Raises:
        ValueError: if there is no account, it is refused, or it does not have that device.
        BackendError: if the service cannot be reached.
    """
    service = connect()
    try:
        with silent():
            return service.backend(name)
    except QiskitBackendNotFoundError:  # the client also says so when the service does not answer
        if _is_listed(service, name):
            raise BackendError(f"the IBM service did not describe {name}; try again later") from None
        raise QhnError(f"the account does not reach a device {name!r}; qhn doctor lists those it does") from None
    except Exception as error:
        raise _failed(error, f"the IBM service did not describe {name} ({{}})") from None


def _is_listed(service: Any, name: str) -> bool:
    """Whether the account can use the device; also True if the service does not list the devices."""
    try:
        with silent():
            names = [device.name for device in service.backends()]
    except Exception:
        return True
    return not names or name in names


def least_busy(num_qubits: int) -> str:
    """The name of the operational device with at least ``num_qubits`` qubits and the fewest waiting jobs.

    Raises:
        ValueError: if there is no account, or it has no such device.
        BackendError: if the service cannot be reached.
    """
    found = [one for one in devices(connect()) if one.operational and one.num_qubits >= num_qubits]
    if not found:
        raise QhnError(f"the account reaches no working device of {num_qubits} qubits; qhn doctor lists its devices")
    return found[0].name


def usage(service: QiskitRuntimeService) -> Usage:
    """The plan of the account's instance, and the QPU seconds that it has used and has left.

    Raises:
        BackendError: if the service does not say.
    """
    consumed, remaining = _seconds(service)
    try:
        with silent():
            here = service.active_instance()
            known = [instance for instance in service.instances() if instance.get("crn") == here]
    except Exception as error:
        raise _failed(error, "the IBM service did not say what the plan is ({})") from None
    facts = known[0] if known else {}
    name = str(facts.get("name") or "")
    return Usage(str(facts.get("plan") or "unknown"), "" if name.startswith("crn:") else name, consumed, remaining)


def seconds_left(service: QiskitRuntimeService) -> float | None:
    """QPU seconds left in the instance; None if there is no limit, or the service does not say."""
    try:
        return _seconds(service)[1]
    except BackendError:
        return None


def _seconds(service: QiskitRuntimeService) -> tuple[float | None, float | None]:
    """QPU seconds consumed and remaining; None for each that the service does not report."""
    try:
        with silent():
            known: dict[str, Any] = service.usage()
        seconds = [known.get(f"usage_{name}_seconds") for name in ("consumed", "remaining")]
        consumed, remaining = (None if value is None else float(value) for value in seconds)
    except Exception as error:
        raise _failed(error, "the IBM service did not say what remains ({})") from None
    return consumed, remaining


def devices(service: QiskitRuntimeService) -> list[Reached]:
    """All devices that the account can use, sorted by the length of their queues, larger devices first among equals.

    Raises:
        BackendError: if the service does not list the devices.
    """
    try:
        with silent():
            found = [_described(device) for device in service.backends()]
    except Exception as error:
        raise _failed(error, "the IBM service did not list its devices ({})") from None
    return sorted(found, key=lambda one: (not one.operational, one.queue, -one.num_qubits, one.name))


def _described(device: Any) -> Reached:
    status, about = device.status(), device.configuration()  # its target would need another request
    delay = getattr(about, "default_rep_delay", None)
    return Reached(
        device.name,
        int(about.n_qubits),
        bool(status.operational) and status.status_msg == "active",
        int(status.pending_jobs),
        None if delay is None else float(delay),
    )


def silent() -> AbstractContextManager[None]:
    """Suppress the warnings and log lines of Qiskit's client, which contain names of instances."""
    return silence.silent(CLIENT_LOGS)


def secrets_of(service: Any) -> tuple[str, ...]:
    """Texts by which the account could be known or used: its token, and its instances with the parts of their CRNs.

    They serve to keep them out of files, and are written nowhere.

    Args:
        service: Qiskit's object for the service.
    """
    found = {os.environ.get(name, "") for name in ("QISKIT_IBM_TOKEN", "QISKIT_IBM_INSTANCE")}
    with silent(), suppress(Exception):
        account = service.active_account() or {}
        found |= {str(account.get(name) or "") for name in ("token", "instance")}
    with silent(), suppress(Exception):
        found.add(str(service.active_instance()))
    for crn in [text for text in found if text.startswith("crn:")]:
        found |= {part.removeprefix("a/") for part in crn.split(":")[OWN_PARTS]}
    return tuple(sorted(text for text in found if len(text) >= SHORTEST_SECRET))
