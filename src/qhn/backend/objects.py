"""The machine that an object of Qiskit stands for, whichever vendor it is of."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from types import ModuleType

from qiskit.primitives import BaseSamplerV2
from qiskit.providers import BackendV2

from qhn.backend.bound import CircuitBackend
from qhn.backend.journal import Journal
from qhn.backend.rehearsal import FakeDevice
from qhn.backend.sampler import BackendError
from qhn.backend.settings import LayoutSettings, RehearsalSettings, Settings, as_device_settings
from qhn.backend.vendor.machine import VendorMachine
from qhn.errors import QhnError
from qhn.text import in_line, shown

MAX_WORDS = 300  # characters of the message of an exception


def machine_from(
    found: object,
    settings: Settings | None = None,
    journal: Journal | None = None,
    *,
    name: str | None = None,
    bills: bool = False,
) -> CircuitBackend:
    """The machine that an object stands for: a ``BackendV2``, a V2 sampler, or a machine that is one already.

    A device of IBM's client is opened as ``ibm_<device>`` is, and a stored one as ``fake_<device>``.

    Args:
        found: the object.
        settings: settings of the machine; None for the defaults.
        journal: journal in which the jobs of a machine that bills are noted.
        name: name of the machine; by default that of the backend, or of its class.
        bills: whether its jobs are billed.

    Raises:
        ValueError: if the object is no machine, or the settings do not fit it.
        BackendError: if the machine does not describe itself.
    """
    if callable(getattr(found, "compile", None)) and not isinstance(found, type | ModuleType):
        return found  # type: ignore[return-value]  # a machine of this package or of a user's own
    if not isinstance(found, BackendV2 | BaseSamplerV2):
        if isinstance(found, type) and issubclass(found, BackendV2 | BaseSamplerV2):
            got = f"the class {found.__name__}, not an object of it"
        else:
            got = shown(found)
        raise QhnError(f"{in_line(name or 'a backend')} must be a BackendV2 or a V2 sampler of Qiskit, got {got}")
    if isinstance(found, BackendV2) and type(found).__module__.startswith("qiskit_ibm_runtime"):
        return _of_ibm(found, settings, journal)
    if settings is not None and not isinstance(settings, LayoutSettings) and settings != type(settings)():
        raise QhnError(f"{name or 'a backend'} takes LayoutSettings, got {type(settings).__name__}")
    layout = settings if isinstance(settings, LayoutSettings) else None
    own = in_line(name or getattr(found, "name", None) or type(found).__name__)
    with as_error(f"backend {own} does not describe itself", BackendError):
        return VendorMachine(own, found, layout, journal, bills=bills)


def _of_ibm(found: BackendV2, settings: Settings | None, journal: Journal | None) -> CircuitBackend:
    """The machine of a device of IBM's client: the QPU itself, or a rehearsal on a stored one."""
    asked = as_device_settings(settings)
    if getattr(found, "service", None) is not None:
        from qhn.backend.ibm.device import Device  # imported late, with IBM's client

        return Device(found, asked, journal)
    return FakeDevice(found, asked if isinstance(asked, RehearsalSettings) else RehearsalSettings(**vars(asked)))


@contextmanager
def as_error(what: str, kind: type[QhnError] | type[BackendError]) -> Iterator[None]:
    """Turn whatever the code of a user or a vendor raises into an error of this package, and what it prints aside.

    Args:
        what: what went wrong, in words, to which the exception is added.
        kind: the type of the error.
    """
    try:
        with redirect_stdout(sys.stderr):
            yield
    except (QhnError, BackendError):
        raise
    except (Exception, SystemExit) as error:
        raise kind(f"{what}: {type(error).__name__}: {in_line(error, MAX_WORDS)}") from error
