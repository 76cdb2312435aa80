"""The settings of a machine: a device, a rehearsal on its stored calibration, or a noise model without a device."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from qhn.errors import QhnError
from qhn.fields import Number, Whole, each, optional, plain, settle, truth
from qhn.text import shown

QUBIT = Whole(0)  # the number of a device's qubit
BOND = Whole(1)
Decoupling = Literal["none", "XX", "XpXm", "XY4"]


@dataclass(frozen=True)
class NoSettings:
    """The settings of an ideal simulator, which has none."""


@dataclass(frozen=True)
class LayoutSettings:
    """The qubits of a device to use, and how, on any machine that reports errors of its qubits.

    Attributes:
        tiles: number of disjoint chains of qubits that measure side by side; ``"auto"`` for the number at which a
            gradient costs least.
        guard: whether an unused qubit is kept between two chains.
        exclude: numbers of the device's qubits that must not be used.
        qubits: numbers of the device's qubits of each chain; empty to choose the best. If given, the number of chains
            is the number of tiles.
        calibrate: whether every job counts readout errors, with two more circuits whose outcomes are known.

    Raises:
        ValueError: at construction, if a value is of another type or out of bounds.
    """

    tiles: int | Literal["auto"] = 1
    guard: bool = False
    exclude: tuple[int, ...] = ()
    qubits: tuple[tuple[int, ...], ...] = ()
    calibrate: bool = False

    def __post_init__(self) -> None:
        settle(
            self,
            tiles=_tiles,
            exclude=each(QUBIT),
            qubits=each(each(QUBIT)),
            **dict.fromkeys(("guard", "calibrate"), truth),
        )


@dataclass(frozen=True)
class DeviceSettings(LayoutSettings):
    """How a device of IBM measures, apart from the circuit and the number of shots.

    Attributes:
        rep_delay: delay between two shots in seconds; None for the device's default.
        mode: how jobs are submitted: ``"job"`` for single jobs (a batch, where a step is too large for one job), or
            ``"session"``.
        dynamical_decoupling: name of the pulse sequence on idle qubits, or ``"none"``.
        twirling: whether random Pauli gates are averaged over around two-qubit gates.

    Raises:
        ValueError: at construction, if a value is of another type or out of bounds.

    >>> DeviceSettings(tiles=2).mode
    'job'
    """

    rep_delay: float | None = None
    mode: Literal["job", "session"] = "job"
    dynamical_decoupling: Decoupling = "none"
    twirling: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, rep_delay=optional(Number(low=0)), twirling=truth)


def as_device_settings(settings: object) -> DeviceSettings:
    """The settings of a device that chooses qubits as others ask; the defaults if they do not ask."""
    if isinstance(settings, DeviceSettings):
        return settings
    if not isinstance(settings, LayoutSettings):
        return DeviceSettings()
    return DeviceSettings(**{field.name: getattr(settings, field.name) for field in fields(LayoutSettings)})


@dataclass(frozen=True)
class RehearsalSettings(DeviceSettings):
    """The settings of a rehearsal: those of the device, which is simulated from its stored calibration.

    Attributes:
        simulator: ``"twin"`` for this package's own noise model, which is computed exactly, or ``"aer"`` for Aer's,
            which gives shots only.
        max_bond: bond dimension to which the density operator of a deep circuit is truncated in the twin.
    """

    simulator: Literal["twin", "aer"] = "twin"
    max_bond: int = 128

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, max_bond=BOND)


@dataclass(frozen=True)
class NoiseSettings:
    """A noise model without a device: random Pauli errors after every gate.

    Attributes:
        p1, p2: total probability of a Pauli error after a gate on one qubit and after a gate on two qubits.
        readout_error: probability of reading a bit wrong, equal for 0 and 1.
        form: form of the circuit: as the paper draws it (``"literal"``), or without gates that never matter
            (``"pruned"``).
        max_bond: bond dimension to which the density operator of a deep circuit is truncated.
    """

    p1: float = 0.001
    p2: float = 0.00375
    readout_error: float = 0.0
    form: Literal["literal", "pruned"] = "literal"
    max_bond: int = 128

    def __post_init__(self) -> None:
        probability = Number(low=0, high=1)
        settle(self, p1=probability, p2=probability, readout_error=probability, max_bond=BOND)


def _tiles(name: str, value: Any) -> int | Literal["auto"]:
    try:
        return "auto" if value == "auto" else Whole(1)(name, value)
    except QhnError:
        raise QhnError(f"{name} must be a number of at least 1, or 'auto', got {shown(plain(value))}") from None


Settings = NoSettings | LayoutSettings | NoiseSettings
