"""The table of all kinds of machine: names of their backends, their properties, and the functions that open them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from importlib import import_module

from qhn.backend.bound import CircuitBackend
from qhn.backend.journal import Journal
from qhn.backend.settings import DeviceSettings, NoiseSettings, NoSettings, RehearsalSettings, Settings
from qhn.errors import QhnError
from qhn.text import did_you_mean, shown

Opens = Callable[[str, Settings, Journal | None], CircuitBackend]


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
        has_chip: whether circuits are placed on the qubits of a chip, which has a calibration and a price.
        bills: whether jobs are queued on a service and billed, so that they are noted in a journal and need a budget.
    """

    name: str
    opened_by: str
    settings: type[Settings] = NoSettings
    knows_distribution: bool = False
    is_ideal: bool = False
    has_chip: bool = False
    bills: bool = False

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
        module, _, function = self.opened_by.partition(":")
        opens: Opens = getattr(import_module(module), function)
        return opens(name, self._own(settings), journal)

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


MACHINES = (
    Machine("exact", "qhn.backend.exact:open_exact", knows_distribution=True, is_ideal=True),
    Machine("aer", "qhn.backend.aer:open_aer"),
    Machine("aer-mps", "qhn.backend.aer:open_aer"),
    Machine("depolarising", "qhn.backend.depolarising:open_depolarising", NoiseSettings, knows_distribution=True),
    Machine("fake_", "qhn.backend.rehearsal:open_fake", RehearsalSettings, knows_distribution=True, has_chip=True),
    Machine("ibm_", "qhn.backend.ibm.device:open_device", DeviceSettings, has_chip=True, bills=True),
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
        if name == machine.name or (machine.name.endswith("_") and name.startswith(machine.name)):
            return machine
    here = [machine.name for machine in MACHINES if not machine.has_chip]
    chips = " or ".join(machine.spelling for machine in MACHINES if machine.has_chip)
    choices = f"choose {', '.join(here)}, {chips}"
    raise QhnError(f"unknown backend {shown(name)}; {did_you_mean(name, here, otherwise=choices)}")


def is_ideal(name: object) -> bool:
    """Whether a backend of that name knows E exactly and without noise; False of what is no name at all.

    >>> is_ideal("exact"), is_ideal("aer"), is_ideal(3)
    (True, False, False)
    """
    return isinstance(name, str) and any(machine.is_ideal and machine.name == name for machine in MACHINES)


def spelled(machines: Iterable[Machine]) -> str:
    """The names of machines, joined for use in a sentence.

    >>> spelled(machine for machine in MACHINES if machine.has_chip)
    'backends fake_<device> and ibm_<device>'
    """
    names = [machine.spelling for machine in machines]
    head = ", ".join(names[:-1])
    return f"backends {head} and {names[-1]}" if head else f"backend {names[-1]}"
