"""A check of the installation, the account and its devices before a run on a QPU, without using any QPU time.

Each thing that was checked is reported in a line, with what to do if it is not well.
"""

from __future__ import annotations

import importlib.metadata
import platform
import re
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from qhn.backend import BackendError, open_backend
from qhn.backend.vendor.installed import installed
from qhn.circuit.hypernetwork import product_state
from qhn.seeds import Key
from qhn.text import aligned

if TYPE_CHECKING:
    from qhn.backend.ibm.account import Usage

OLDEST_CLIENT = (0, 51)  # the first whose bits are in the right order
OPEN_PLAN = "600 in 28 days are the Open plan's"
OLD_HOURS = 48  # of a calibration, which is usually made anew every day
Verdict = Literal["ok", "note", "bad", "no account", "unreachable"]


@dataclass(frozen=True)
class Finding:
    """The outcome of one check.

    Attributes:
        what: name of what was checked.
        verdict: whether it is well.
        text: what was found, and what to do if it is not well.

    >>> Finding("usage", "ok", "plan open, 600 left").line()
    'ok usage      plan open, 600 left'
    """

    what: str
    verdict: Verdict
    text: str

    def line(self) -> str:
        """The finding as a line for a terminal."""
        mark = {"ok": "ok", "note": "!"}.get(self.verdict, "✗")
        return f"{mark:<3}{self.what:<11}{self.text}"


def examine() -> Iterator[Finding]:
    """Make all checks in order; those that depend on an account only if there is one."""
    yield from examine_installation()
    service = yield from examine_account()
    if service is not None:
        yield _devices(service)


def examine_installation() -> Iterator[Finding]:
    """Check the versions of the packages, and that a rehearsal returns bits in the right order."""
    yield _versions()
    yield _rehearsal()
    yield from _plug_ins()


def _versions() -> Finding:
    known = {name: importlib.metadata.version(name) for name in ("qhn", "qiskit", "qiskit-ibm-runtime")}
    words = ", ".join(f"{name} {version}" for name, version in known.items()) + f", Python {platform.python_version()}"
    if _release(known["qiskit-ibm-runtime"]) < OLDEST_CLIENT:
        return Finding(
            "versions", "bad", f"{words}; this client returns bits in a wrong order: pip install -U qiskit-ibm-runtime"
        )
    return Finding("versions", "ok", words)


def _release(version: str) -> tuple[int, ...]:
    """The first two numbers of a version, also of one before a release, after one, or of a working copy.

    >>> _release("0.51.0"), _release("1.0rc1"), _release("0.52.dev3+g12"), _release("2")
    ((0, 51), (1, 0), (0, 52), (2, 0))
    """
    numbers = [int(found[0]) for part in version.split(".")[:2] if (found := re.match(r"\d+", part))]
    return (*numbers, 0, 0)[:2]


def _rehearsal() -> Finding:
    """Measure two qubits of a stored device, the first of which was flipped, and check the order of the bits."""
    try:
        ansatz = product_state(2)
        theta = np.zeros((1, ansatz.num_parameters))
        theta[0, 0] = np.pi
        bits = open_backend("fake_manila").compile(ansatz).sample(theta, 200, Key(1)).bits
    except (ValueError, BackendError) as error:
        return Finding("rehearsal", "bad", f"fake_manila does not run: {error}")
    ones = bits[0].mean(axis=0)
    if not (ones[0] > 0.8 and ones[1] < 0.2):
        wrong = f"fake_manila measures {ones.round(2).tolist()} where [1, 0] was prepared"
        return Finding("rehearsal", "bad", f"{wrong}: install qiskit and qiskit-ibm-runtime as qhn requires them")
    return Finding("rehearsal", "ok", "fake_manila runs; --backend fake_<device> costs nothing")


def _plug_ins() -> Iterator[Finding]:
    """The machines of installed plug-ins, and whether they can be imported; none is opened."""
    for one in installed():
        if one.complaint:
            yield Finding("plug-in", "note", f"{one.spelling}, {one.where}, {one.complaint}")
        else:
            yield Finding("plug-in", "ok", f"{one.spelling}, {one.where}")


def examine_account() -> Generator[Finding, None, Any]:
    """Check the account and what it has left.

    Returns:
        Qiskit's object for the service; None if there is no account, or it cannot be used now.
    """
    from qhn.backend.ibm import account

    path = account.account_file()
    try:
        if account.is_in_environment():
            yield Finding("account", "ok", "from the environment, QISKIT_IBM_TOKEN")
        elif account.holds_account(path):
            yield Finding("account", "ok", f"from {path}")
        if account.holds_account(path) and account.is_readable_by_others(path):
            yield Finding("account", "note", f"{path} holds a token and others may read it: chmod 600 {path}")
        service = account.connect()
    except account.NoAccount as error:
        yield Finding("account", "no account", str(error))
        return None
    except account.RefusedAccount as error:
        yield Finding("service", "bad", str(error))
        return None
    except BackendError as error:
        yield Finding("service", "unreachable", str(error))
        return None
    try:
        left = account.usage(service)
        yield _usage(left)
    except BackendError as error:
        yield Finding("usage", "unreachable", f"{error}; try again later")
    return service


def _devices(service: Any) -> Finding:
    """All devices of the account as a table."""
    from qhn.backend.ibm import account

    try:
        reached = account.devices(service)
    except BackendError as error:
        return Finding("devices", "unreachable", f"{error}; try again later")
    if not any(device.operational for device in reached):
        return Finding("devices", "bad", "the account reaches no device that works now; check its instance, or wait")
    rows = [
        (
            device.name,
            f"{device.num_qubits}",
            f"{device.queue:,}" if device.operational else "paused",
            "unknown" if device.rep_delay is None else f"{1e6 * device.rep_delay:,.0f} µs",
        )
        for device in reached
    ]
    table = aligned(("device", "qubits", "jobs waiting", "between shots"), rows)
    return Finding("devices", "ok", f"{len(rows)}, the shortest queue first\n\n{table}")


def _usage(found: Usage) -> Finding:
    words = f"instance {found.instance}, " * bool(found.instance) + f"plan {found.plan}"
    words += "" if found.consumed is None else f", {found.consumed:,.0f} QPU seconds used"
    if found.remaining is None:
        return Finding("usage", "ok", f"{words}, no limit known")
    if found.remaining <= 0:
        return Finding("usage", "bad", f"{words}, none left: wait until the period is over ({OPEN_PLAN})")
    return Finding("usage", "ok", f"{words}, {found.remaining:,.0f} left")


def age_of(date: str) -> str:
    """How long ago a device was calibrated, in words that follow the time; empty if the time cannot be read.

    Args:
        date: the time of the calibration by ISO 8601.

    >>> age_of("2001-01-01T00:00:00+00:00").endswith("days old"), age_of("yesterday")
    (True, '')
    """
    try:
        hours = max(0.0, (time.time() - datetime.fromisoformat(date).timestamp()) / 3600)
    except ValueError:
        return ""
    return f", {hours / 24:,.0f} days old" if hours > OLD_HOURS else f", {hours:,.0f} hours ago"
