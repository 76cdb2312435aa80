"""Machines that are not built in, by name: of an installed plug-in, or ``module:factory`` of the user's own.

A plug-in is a package with an entry point in the group ``qhn.backends``. The name of the entry point is that of the
machine or, if it ends in ``_``, the prefix of the names of several. What it names is a factory: a function that returns
a ``BackendV2`` or a V2 sampler, and takes the name of the machine if it has to be given anything. Or it is a
:class:`qhn.backend.Machine`, which says more of it: that it bills, or how it is opened with settings and a journal.

What a module prints when it is imported, and what a factory prints, goes to the standard error: the standard output of
``qhn`` is data.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from operator import attrgetter
from types import ModuleType
from typing import Any

from qiskit.primitives import BaseSamplerV2
from qiskit.providers import BackendV2

from qhn.backend.bound import CircuitBackend
from qhn.backend.journal import Journal
from qhn.backend.names import OBJECT
from qhn.backend.rehearsal import FakeDevice, stored_devices
from qhn.backend.sampler import BackendError
from qhn.backend.settings import LayoutSettings, RehearsalSettings, Settings, as_device_settings
from qhn.backend.vendor.machine import VendorMachine
from qhn.errors import QhnError
from qhn.text import in_line, shown

GROUP = "qhn.backends"
MAX_WORDS = 300  # characters of the message of an exception

_given: dict[str, object] = {}  # objects of this process, by the names that they were given
_found: dict[str, Any] = {}  # what modules and plug-ins name in this process, by the names of their machines
_made: dict[str, Any] = {}  # what factories made in this process, by the names of their machines


def give(found: object) -> str:
    """Give an object of this process a name by which it can be opened, ``object:`` and its own name.

    A stored device of IBM's client is named as it is without an object, ``fake_<device>``.

    Raises:
        ValueError: if it is no backend or sampler of Qiskit, or its shots are paid for.
        BackendError: if it does not describe itself.
    """
    machine = machine_from(found)
    if not isinstance(found, BackendV2 | BaseSamplerV2):
        raise QhnError(f"a machine of your own is named by module:factory or a plug-in, got {shown(found)}")
    _refuse_bills(machine, machine.name)
    stored = machine.name.startswith("fake_") and type(found).__module__.startswith("qiskit_ibm_runtime")
    if stored and stored_devices().get(machine.name).__class__ is type(found):
        return machine.name
    name = f"{OBJECT}{machine.name}"
    _given[name] = found
    return name


def named(name: str) -> Any:
    """The factory, object or machine of a name that is not built in; None if there is none.

    Raises:
        ValueError: if the module or the package of the plug-in cannot be imported, or has no such function.
    """
    return _given[name] if name in _given else _imported(name)


def is_named(name: str) -> bool:
    """Whether the code of a machine may be run: that of an installed plug-in, or what this process has imported."""
    if name in _given or name in _found:
        return True
    try:
        return _entry(name) is not None
    except QhnError:  # of two packages
        return False


def _imported(name: str) -> Any:
    """What a plug-in, or a module of the user's own, gives a name; None if there is none."""
    if name not in _found:
        found = _loaded(name)
        if found is None:
            return None
        _found[name] = found
    return _found[name]


def _loaded(name: str) -> Any:
    entry = _entry(name)
    module, colon, attribute = name.partition(":")
    if entry is None and not colon:
        return None
    if entry is None and name.startswith(OBJECT):
        raise QhnError(
            f"backend {in_line(name)} was an object of another process; give it to qhn.train again, backend=…"
        )
    where = f"the plug-in {entry.value} of backend {in_line(name)}" if entry else f"backend {in_line(name)}"
    with _as_error(f"{where} cannot be imported", QhnError):
        if entry is not None:
            return entry.load()
        if os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())
        return attrgetter(attribute)(import_module(module))


@contextmanager
def _as_error(what: str, kind: type[QhnError] | type[BackendError]) -> Iterator[None]:
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


def _entry(name: str) -> EntryPoint | None:
    """The entry point of a plug-in for the machine of a name; one with the whole name goes before a prefix.

    Raises:
        ValueError: if two packages bring a machine of that name.
    """
    found = [one for one in entry_points(group=GROUP) if _is_of(one.name, name)]
    nearest = max(found, key=lambda one: len(one.name), default=None)
    same = {one.value: one for one in found if nearest is not None and one.name == nearest.name}
    if len(same) > 1:
        places = " and ".join(f"{one.value} of {one.dist.name if one.dist else 'no package'}" for one in same.values())
        raise QhnError(f"backend {in_line(name)} is brought by {places}; uninstall one, or name it module:factory")
    return nearest


def _is_of(entry: str, name: str) -> bool:
    return name == entry or (entry.endswith("_") and name.startswith(entry))


def spellings() -> list[str]:
    """The names of all installed plug-ins, as help texts spell them."""
    return sorted({f"{one.name}<device>" if one.name.endswith("_") else one.name for one in entry_points(group=GROUP)})


def made(name: str) -> Any:
    """What the factory of a name makes, once in this process.

    Raises:
        ValueError: if there is no such factory.
        BackendError: if it fails.
    """
    found = named(name)
    if isinstance(found, BackendV2 | BaseSamplerV2) or not callable(found):
        return found
    if name not in _made:
        with _as_error(f"backend {in_line(name)} could not be opened", BackendError):
            _made[name] = found(name) if _takes_name(found) else found()
    return _made[name]


def _takes_name(factory: Any) -> bool:
    """Whether a factory has to be given the name of the machine: a first argument without a default."""
    try:
        first = next(iter(inspect.signature(factory).parameters.values()), None)
    except (TypeError, ValueError):  # of a function that Python cannot describe
        return False
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return first is not None and first.kind in positional and first.default is inspect.Parameter.empty


def opened(opened_by: str, name: str, settings: Settings, journal: Journal | None) -> Any:
    """What the function of a plug-in's :class:`qhn.backend.Machine` returns.

    Args:
        opened_by: the function, ``module:function``.
        name: name of the machine.
        settings: settings of the machine.
        journal: journal in which the jobs of a machine that bills are noted.

    Raises:
        ValueError: if the function cannot be imported.
        BackendError: if it fails.
    """
    module, _, function = opened_by.partition(":")
    with _as_error(f"the plug-in {opened_by} of backend {in_line(name)} cannot be imported", QhnError):
        opens = attrgetter(function)(import_module(module))
    with _as_error(f"backend {in_line(name)} could not be opened", BackendError):
        return opens(name, settings, journal)


def open_plug_in(name: str, settings: Settings, journal: Journal | None = None) -> CircuitBackend:
    """Open the machine that a factory makes.

    Raises:
        ValueError: if the factory cannot be imported, makes no machine, or the settings do not fit it.
        BackendError: if the factory fails.
    """
    if named(name) is None:
        raise QhnError(f"there is no plug-in of backend {in_line(name)} here; install the package that brings it")
    found = machine_from(made(name), settings, journal, name=name)
    missing = [attribute for attribute in ("name", "paid", "measure") if not hasattr(found, attribute)]
    if missing:
        raise QhnError(f"{in_line(name)} must be a BackendV2, a V2 sampler or a machine; it has no {missing[0]}")
    _refuse_bills(found, name)
    return found


def _refuse_bills(found: CircuitBackend, name: str) -> None:
    """Refuse a machine that bills where nothing says so: its jobs would not be noted, and nothing would limit them.

    Raises:
        ValueError: if it bills.
    """
    if found.paid:
        own = f"name it, backend {in_line(found.name)}" if found.name.startswith("ibm_") else "open it by a"
        more = "" if found.name.startswith("ibm_") else " qhn.backend.Machine with bills=True"
        raise QhnError(f"shots on {in_line(name)} are paid for: {own}{more}, so that its jobs and budget are kept")


def open_recorded(name: str, settings: Settings, journal: Journal | None = None) -> CircuitBackend:
    """Refuse to run the code of a machine ``module:factory`` that only a record names; open that of a plug-in.

    Raises:
        ValueError: if it is such code, or the plug-in is missing; the message says how the machine is opened.
        BackendError: if the factory of the plug-in fails.
    """
    if name.startswith(OBJECT) or ":" not in name:
        return open_plug_in(name, settings, journal)
    raise QhnError(
        f"backend {in_line(name)} is code of yours, which is not run because a record names it: give the command that "
        "began the run once more, or --trust"
    )


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
    with _as_error(f"backend {own} does not describe itself", BackendError):
        return VendorMachine(own, found, layout, journal, bills=bills)


def _of_ibm(found: BackendV2, settings: Settings | None, journal: Journal | None) -> CircuitBackend:
    """The machine of a device of IBM's client: the QPU itself, or a rehearsal on a stored one."""
    asked = as_device_settings(settings)
    if getattr(found, "service", None) is not None:
        from qhn.backend.ibm.device import Device

        return Device(found, asked, journal)
    return FakeDevice(found, asked if isinstance(asked, RehearsalSettings) else RehearsalSettings(**vars(asked)))
