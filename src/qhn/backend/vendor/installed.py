"""The plug-ins that are installed, and whether they can be imported, for the check before a run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from operator import attrgetter

from qiskit.primitives import BaseSamplerV2
from qiskit.providers import BackendV2

from qhn.backend.machines import MACHINES, Machine
from qhn.backend.vendor.plug_in import GROUP
from qhn.text import in_line, shown


@dataclass(frozen=True)
class PlugIn:
    """A plug-in that is installed.

    Attributes:
        spelling: name as help texts spell it, such as ``lab_<device>``.
        where: the factory or machine, and the package that it is of.
        complaint: why it cannot be used, in words; empty if it can be imported.
    """

    spelling: str
    where: str
    complaint: str = ""


def installed() -> list[PlugIn]:
    """All plug-ins that are installed; their modules are imported, and no machine is opened."""
    found = sorted({(one.name, one.value): one for one in entry_points(group=GROUP)}.values(), key=lambda one: one.name)
    return [PlugIn(_spelling(one.name), _where(one), _complaint(one, [two.name for two in found])) for one in found]


def _spelling(name: str) -> str:
    return f"{name}<device>" if name.endswith("_") else name


def _where(entry: EntryPoint) -> str:
    return entry.value + ("" if entry.dist is None else f" of {entry.dist.name} {entry.dist.version}")


def _is_called(name: str, machine: Machine) -> bool:
    return name == machine.name or (machine.name.endswith("_") and name.startswith(machine.name))


def _complaint(entry: EntryPoint, names: Sequence[str]) -> str:
    """Why a plug-in cannot be used; empty if it can be imported."""
    built_in = next((one.spelling for one in MACHINES if _is_called(entry.name, one)), None)
    if built_in is not None:
        return f"is never used: {built_in} is built in; call the entry point otherwise"
    if names.count(entry.name) > 1:
        return f"{names.count(entry.name)} packages have a plug-in of this name; uninstall all but one"
    try:
        with redirect_stdout(sys.stderr):
            found = entry.load()
            if isinstance(found, Machine):
                module, _, function = found.opened_by.partition(":")
                found = attrgetter(function)(import_module(module))
    except (Exception, SystemExit) as error:  # whatever the module of a user does when it is imported
        return f"cannot be imported: {type(error).__name__}: {in_line(error)}"
    is_machine = isinstance(found, BackendV2 | BaseSamplerV2) or callable(found)
    return "" if is_machine else f"is no factory, backend, sampler or qhn.Machine, but {shown(found)}"
