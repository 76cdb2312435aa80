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
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from operator import attrgetter
from typing import Any

from qiskit.primitives import BaseSamplerV2
from qiskit.providers import BackendV2

from qhn.backend.bound import CircuitBackend
from qhn.backend.journal import Journal
from qhn.backend.names import OBJECT
from qhn.backend.objects import as_error, machine_from
from qhn.backend.rehearsal import stored_devices
from qhn.backend.sampler import BackendError
from qhn.backend.settings import Settings
from qhn.errors import QhnError
from qhn.text import in_line, shown

GROUP = "qhn.backends"

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
    with as_error(f"{where} cannot be imported", QhnError):
        if entry is not None:
            return entry.load()
        if os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())
        return attrgetter(attribute)(import_module(module))


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
        with as_error(f"backend {in_line(name)} could not be opened", BackendError):
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
    with as_error(f"the plug-in {opened_by} of backend {in_line(name)} cannot be imported", QhnError):
        opens = attrgetter(function)(import_module(module))
    with as_error(f"backend {in_line(name)} could not be opened", BackendError):
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
