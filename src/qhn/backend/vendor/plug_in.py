"""Machines that are not built in, by name: of an installed plug-in, or ``module:factory`` of the user's own.

A plug-in is a package with an entry point in the group ``qhn.backends``. The name of the entry point is that of the
machine or, if it ends in ``_``, the prefix of the names of several. What it names is a factory: a function that returns
a ``BackendV2`` or a V2 sampler, and takes the name of the machine if it takes anything. Or it is a
:class:`qhn.backend.Machine`, which says more of it: that it bills, or how it is opened with settings and a journal.
"""

from __future__ import annotations

import inspect
import os
import sys
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from operator import attrgetter
from typing import Any

from qiskit.primitives import BaseSamplerV2
from qiskit.providers import BackendV2

from qhn.backend.bound import CircuitBackend
from qhn.backend.journal import Journal
from qhn.backend.sampler import BackendError
from qhn.backend.settings import DeviceSettings, LayoutSettings, RehearsalSettings, Settings
from qhn.backend.vendor.machine import VendorMachine
from qhn.errors import QhnError
from qhn.text import shown

GROUP = "qhn.backends"
OBJECT = "object"  # before the names of objects that a process gave


_given: dict[str, object] = {}  # objects of this process, by the names that they were given


def give(found: object) -> str:
    """Give an object of this process a name by which it can be opened, ``object:`` and its own name.

    Raises:
        ValueError: if it is no backend or sampler of Qiskit.
    """
    name = f"{OBJECT}:{machine_from(found).name}"
    _given[name] = found
    return name


def named(name: str) -> Any:
    """The factory, object or machine of a name that is not built in; None if there is none.

    Raises:
        ValueError: if the module or the package of the plug-in cannot be imported, or has no such function.
    """
    return _given[name] if name in _given else _imported(name)


@cache
def _imported(name: str) -> Any:
    """What a plug-in, or a module of the user's own, gives a name; None if there is none."""
    entry = _entry(name)
    try:
        if entry is not None:
            return entry.load()
        module, colon, attribute = name.partition(":")
        if not colon:
            return None
        if module == OBJECT:
            raise QhnError(f"backend {name} was an object of another process; give it to qhn.train again")
        if os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())
        return attrgetter(attribute)(import_module(module))
    except QhnError:
        raise
    except Exception as error:  # whatever the module of a user does when it is imported
        where = f"the plug-in {entry.value} of backend {name}" if entry else f"backend {name}"
        raise QhnError(f"{where} cannot be imported: {type(error).__name__}: {error}") from None


def _entry(name: str) -> EntryPoint | None:
    """The entry point of a plug-in for the machine of a name; one with the whole name goes before a prefix."""
    found = [one for one in entry_points(group=GROUP) if _is_of(one.name, name)]
    return max(found, key=lambda one: len(one.name), default=None)


def _is_of(entry: str, name: str) -> bool:
    return name == entry or (entry.endswith("_") and name.startswith(entry))


def spellings() -> list[str]:
    """The names of all installed plug-ins, as help texts spell them."""
    return sorted(f"{one.name}<device>" if one.name.endswith("_") else one.name for one in entry_points(group=GROUP))


def made(name: str) -> Any:
    """What the factory of a name makes, once in this process.

    Raises:
        ValueError: if there is no such factory.
        BackendError: if it fails.
    """
    found = named(name)
    if isinstance(found, BackendV2 | BaseSamplerV2) or not callable(found):
        return found
    return _called(found, name)


@cache
def _called(factory: Any, name: str) -> Any:
    try:
        takes_name = bool(inspect.signature(factory).parameters)
    except (TypeError, ValueError):
        takes_name = False
    try:
        return factory(name) if takes_name else factory()
    except QhnError:
        raise
    except Exception as error:
        raise BackendError(f"backend {name} could not be opened: {type(error).__name__}: {error}") from error


def open_plug_in(name: str, settings: Settings, journal: Journal | None = None) -> CircuitBackend:
    """Open the machine that a factory makes.

    Raises:
        ValueError: if the factory cannot be imported, makes no machine, or the settings do not fit it.
        BackendError: if the factory fails.
    """
    found = made(name)
    if found is None:
        raise QhnError(f"there is no plug-in of backend {name} here; install the package that brings it")
    return machine_from(found, settings, journal, name=name)


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
    """
    if callable(getattr(found, "compile", None)):  # a machine of this package or of a user's own
        return found  # type: ignore[return-value]
    if isinstance(found, type) or not isinstance(found, BackendV2 | BaseSamplerV2):
        raise QhnError(f"{name or 'a backend'} must be a BackendV2 or a V2 sampler of Qiskit, got {shown(found)}")
    if isinstance(found, BackendV2) and type(found).__module__.startswith("qiskit_ibm_runtime"):
        return _of_ibm(found, settings, journal)
    if settings is not None and not isinstance(settings, LayoutSettings) and settings != type(settings)():
        raise QhnError(f"{name or 'a backend'} takes LayoutSettings, got {type(settings).__name__}")
    layout = settings if isinstance(settings, LayoutSettings) else None
    own = name or getattr(found, "name", None) or type(found).__name__
    return VendorMachine(str(own), found, layout, journal, bills=bills)


def _of_ibm(found: BackendV2, settings: Settings | None, journal: Journal | None) -> CircuitBackend:
    """The machine of a device of IBM's client: the QPU itself, or a rehearsal on a stored one."""
    if getattr(found, "service", None) is not None:
        from qhn.backend.ibm.device import Device

        return Device(found, settings if isinstance(settings, DeviceSettings) else None, journal)
    from qhn.backend.rehearsal import FakeDevice

    return FakeDevice(found, settings if isinstance(settings, RehearsalSettings) else None)
