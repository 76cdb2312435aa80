"""The kinds of machine, one row each: how its backends are named, what is known before one is opened, what opens it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from importlib import import_module

from qhn.backend.journal import Journal
from qhn.backend.sampler import Backend
from qhn.backend.settings import DeviceSettings, NoiseSettings, NoSettings, RehearsalSettings, Settings
from qhn.errors import QhnError
from qhn.text import did_you_mean

Opens = Callable[[str, Settings, Journal | None], Backend]


@dataclass(frozen=True)
class Machine:
    """A kind of machine.

    Attributes:
        name: name of its backend; if it ends in ``_``, the prefix that the names of all its backends begin with.
        opened_by: the function that opens a backend, ``module:function``, called with the backend's name, its settings
            and the journal of the run; imported only then.
        settings: the type of its settings.
        knows_distribution: whether it can give E without shots.
        is_ideal: whether that E is without noise, so that its gradient is known exactly, too.
        has_chip: whether circuits are placed on the qubits of a chip, which has a calibration and a price.
        bills: whether its jobs are queued on a service and billed: they are noted in a journal and need a budget.
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
        """The name as it is written in help texts.

        >>> machine_of("ibm_torino").spelling
        'ibm_<device>'
        """
        return f"{self.name}<device>" if self.name.endswith("_") else self.name

    def takes(self, setting: str) -> bool:
        """Whether a setting of that name has an effect on it."""
        return setting in {field.name for field in fields(self.settings)}

    def open(self, name: str, settings: Settings | None = None, journal: Journal | None = None) -> Backend:
        """The backend of that name.

        Raises:
            QhnError: if the settings are those of another kind of machine, or there is no such backend.
            BackendError: if the service cannot be reached.
        """
        module, _, function = self.opened_by.partition(":")
        opens: Opens = getattr(import_module(module), function)
        return opens(name, self._own(settings), journal)

    def _own(self, settings: Settings | None) -> Settings:
        """The settings as its own type; those of a device serve for its rehearsal, whose others stay at their default.

        Raises:
            QhnError: if they are those of another kind of machine; the message names both types.
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
    """The kind of machine that a backend of that name is; nothing is opened.

    Raises:
        QhnError: if there is no such kind; the text names the nearest.

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
    raise QhnError(f"unknown backend {name!r}; {did_you_mean(name, here, otherwise=choices)}")


def is_ideal(name: object) -> bool:
    """Whether a backend of that name knows E exactly and without noise; False of what is no name at all.

    >>> is_ideal("exact"), is_ideal("aer"), is_ideal(3)
    (True, False, False)
    """
    return any(machine.is_ideal and machine.name == name for machine in MACHINES)


def spelled(machines: Iterable[Machine]) -> str:
    """Names of machines in a sentence.

    >>> spelled(machine for machine in MACHINES if machine.has_chip)
    'backends fake_<device> and ibm_<device>'
    """
    names = [machine.spelling for machine in machines]
    head = ", ".join(names[:-1])
    return f"backends {head} and {names[-1]}" if head else f"backend {names[-1]}"
