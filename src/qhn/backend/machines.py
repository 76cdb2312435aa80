"""The table of all kinds of machine: names of their backends, their properties, and the functions that open them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib import import_module
from operator import attrgetter
from typing import Any

from qhn.backend.bound import CircuitBackend, MeasuresCircuits
from qhn.backend.journal import Journal
from qhn.backend.names import OBJECT, TWIN
from qhn.backend.settings import DeviceSettings, LayoutSettings, NoiseSettings, NoSettings, RehearsalSettings, Settings
from qhn.errors import QhnError
from qhn.text import did_you_mean, shown

Opens = Callable[[str, Settings, Journal | None], Any]
IBM = "qhn.backend.ibm."  # before the modules that open machines of IBM


@dataclass(frozen=True)
class Machine:
    """A kind of machine, such as a simulator or the QPUs of a vendor.

    Attributes:
        name: name of the machine's backend; if it ends in ``_``, the prefix of the names of all its backends.
        opened_by: function that opens a backend, as ``module:function``; imported only when a backend
            is opened, and called with its name, its settings and the journal of the run.
        settings: type of the machine's settings.
        knows_distribution: whether the machine can compute the expected cost E without shots.
        is_ideal: whether this E is free of noise, so that its gradient can be computed exactly, too.
        chip: whether circuits are placed on the qubits of a chip, which has a calibration and a price; None if only the
            open machine shows that.
        bills: whether jobs are queued on a service and billed, so that they are noted in a journal and need a budget.

    ``opened_by`` may return a ``BackendV2`` or a V2 sampler of Qiskit as well as a :class:`CircuitBackend`.
    """

    name: str
    opened_by: str
    settings: type[Settings] = NoSettings
    knows_distribution: bool = False
    is_ideal: bool = False
    chip: bool | None = False
    bills: bool = False

    @property
    def has_chip(self) -> bool:
        """Whether circuits are placed on the qubits of a chip, by its calibration; a plug-in is opened to know it.

        Raises:
            ValueError: if the plug-in gives no machine.
            BackendError: if it cannot be opened.
        """
        if self.chip is not None:
            return self.chip
        return _shows_chip.__wrapped__(self) if self.name.startswith(OBJECT) else _shows_chip(self)

    @property
    def is_priced(self) -> bool:
        """Whether shots have a price in QPU seconds: on a chip that bills, or that is rehearsed."""
        return (self.bills or self.knows_distribution) and self.has_chip

    @property
    def bills_seconds(self) -> bool:
        """Whether QPU seconds are billed, as by IBM; the vendor of a plug-in has prices of its own."""
        return self.bills and self.opened_by.startswith(IBM)

    @property
    def spelling(self) -> str:
        """The name of the machine as help texts spell it.

        >>> machine_of("ibm_torino").spelling
        'ibm_<device>'
        """
        return f"{self.name}<device>" if self.name.endswith("_") else self.name

    def takes(self, setting: str) -> bool:
        """Whether the setting with the given name has an effect on this machine."""
        return setting in {field.name for field in fields(self.settings)}

    def open(self, name: str, settings: Settings | None = None, journal: Journal | None = None) -> CircuitBackend:
        """Open the backend with the given name; arguments are those of :func:`qhn.backend.open_backend`.

        Raises:
            ValueError: if the settings are those of another kind of machine, or there is no such backend.
            BackendError: if the service cannot be reached.
        """
        own = self._own(settings)
        if self.opened_by.startswith("qhn."):
            module, _, function = self.opened_by.partition(":")
            opens: Opens = attrgetter(function)(import_module(module))
            found = opens(name, own, journal)
        else:
            from qhn.backend.vendor.plug_in import opened  # imported late: Qiskit's primitives take half a second

            found = opened(self.opened_by, name, own, journal)
        if isinstance(found, MeasuresCircuits):
            return found  # type: ignore[return-value]  # it has the methods of a backend, too
        from qhn.backend.objects import machine_from

        return machine_from(found, own, journal, name=name, bills=self.bills)

    def _own(self, settings: Settings | None) -> Settings:
        """The settings as the machine's type; a device's settings serve for its rehearsal, with defaults added.

        Raises:
            ValueError: if the settings are those of another kind of machine; the message states both types.
        """
        if settings is None or isinstance(settings, NoSettings):
            return self.settings()
        if self.settings is NoSettings or type(settings) is self.settings:
            return settings
        if issubclass(self.settings, type(settings)):
            return self.settings(**{field.name: getattr(settings, field.name) for field in fields(settings)})
        raise QhnError(f"backend {self.spelling} takes {self.settings.__name__}, got {type(settings).__name__}")


@cache
def _shows_chip(machine: Machine) -> bool:
    """Whether a machine, once it is open, has a chip whose calibration is known; it is opened once in this process."""
    return bool(getattr(machine.open(machine.name), "has_chip", False))


MACHINES = (
    Machine("exact", "qhn.backend.exact:open_exact", knows_distribution=True, is_ideal=True),
    Machine("aer", "qhn.backend.aer:open_aer"),
    Machine("aer-mps", "qhn.backend.aer:open_aer"),
    Machine("depolarising", "qhn.backend.depolarising:open_depolarising", NoiseSettings, knows_distribution=True),
    Machine("fake_", "qhn.backend.rehearsal:open_fake", RehearsalSettings, knows_distribution=True, chip=True),
    Machine("twin_", "qhn.backend.vendor.twin:open_twin", RehearsalSettings, knows_distribution=True, chip=True),
    Machine("ibm_", "qhn.backend.ibm.device:open_device", DeviceSettings, chip=True, bills=True),
)


def machine_of(name: str) -> Machine:
    """The kind of machine that the backend with the given name belongs to; no backend is opened.

    Raises:
        ValueError: if there is no such kind; the message suggests the nearest name.

    >>> machine_of("fake_torino").has_chip, machine_of("aer").bills
    (True, False)
    """
    if name == "least-busy":
        raise QhnError("backend least-busy is chosen at the command line: qhn run … --backend least-busy")
    for machine in MACHINES:
        if _is_of(name, machine):
            return machine
    if (found := _plug_in(name)) is not None:
        return found
    here = [machine.name for machine in MACHINES if not machine.has_chip]
    names = ", ".join([*here, *(machine.spelling for machine in MACHINES if machine.has_chip)])
    from qhn.backend.vendor.plug_in import spellings

    plug_ins = ", ".join(spellings()) or "a plug-in that is installed"
    choices = f"choose {names}, {plug_ins}, or module:factory"
    raise QhnError(f"unknown backend {shown(name)}; {did_you_mean(name, here, otherwise=choices)}")


PLUG_INS = "qhn.backend.vendor.plug_in:open_plug_in"
OF_RECORDS = "qhn.backend.vendor.plug_in:open_recorded"
_RECORDED: dict[str, Machine] = {}  # machines of records that were read, as far as the records tell, by name


def recorded(name: str, *, has_chip: bool, bills: bool) -> None:
    """Take note of the machine of a record, so that the record can be read where the code of the machine is missing.

    No code is imported for a record: a machine ``module:factory`` that a record names is known by what is noted here,
    until the user names it (:func:`named_by_user`).

    Args:
        name: name of the backend.
        has_chip: whether the record holds a calibration.
        bills: whether it holds a journal of jobs.
    """
    name = name.removeprefix(TWIN)
    known = _RECORDED.get(name)
    chip, billed = has_chip or bool(known and known.chip), bills or bool(known and known.bills)
    _RECORDED[name] = Machine(name, OF_RECORDS, RehearsalSettings, chip=chip, bills=billed)


def named_by_user(name: str) -> None:
    """Import the code of a machine that is not built in, since the user named it.

    Raises:
        ValueError: if it cannot be imported.
    """
    if not any(_is_of(name, machine) for machine in MACHINES):
        from qhn.backend.vendor.plug_in import named

        named(name)
    elif name.startswith(TWIN):
        named_by_user(name.removeprefix(TWIN))


def _is_of(name: str, machine: Machine) -> bool:
    return name == machine.name or (machine.name.endswith("_") and name.startswith(machine.name))


def _plug_in(name: str) -> Machine | None:
    """The machine of an installed plug-in, or of ``module:factory``; None if the name is neither.

    One whose module cannot be imported has any settings, so that its configuration can be read; opening it says what is
    wrong.
    """
    from qhn.backend.vendor.plug_in import is_named, named  # imported late, for names that are not built in

    if name in _RECORDED and not is_named(name):
        return _RECORDED[name]
    try:
        found = named(name)
    except QhnError:
        return _RECORDED.get(name) or Machine(name, PLUG_INS, RehearsalSettings, chip=True)
    if isinstance(found, Machine):
        return replace(found, name=name)
    return None if found is None else Machine(name, PLUG_INS, LayoutSettings, chip=None)


def is_ideal(name: object) -> bool:
    """Whether a backend of that name knows E exactly and without noise; False of what is no name at all.

    >>> is_ideal("exact"), is_ideal("aer"), is_ideal(3)
    (True, False, False)
    """
    return isinstance(name, str) and any(machine.is_ideal and machine.name == name for machine in MACHINES)


def spelled(machines: Iterable[Machine]) -> str:
    """The names of machines, joined for use in a sentence.

    >>> spelled(machine for machine in MACHINES if machine.has_chip)
    'backends fake_<device>, twin_<device> and ibm_<device>'
    """
    names = [machine.spelling for machine in machines]
    head = ", ".join(names[:-1])
    return f"backends {head} and {names[-1]}" if head else f"backend {names[-1]}"
