"""How a machine is to be used: a device, a rehearsal on its stored calibration, or a noise model without a device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from qhn.errors import QhnError

Decoupling = Literal["none", "XX", "XpXm", "XY4"]


@dataclass(frozen=True)
class NoSettings:
    """The settings of a machine that has none: ideal simulators."""


@dataclass(frozen=True)
class DeviceSettings:
    """How a device is to be used; everything but the circuit and the number of shots.

    Attributes:
        tiles: number of disjoint chains of qubits that measure side by side; ``"auto"`` for as many as lower the price
            of a gradient.
        guard: keep an unused qubit between two chains.
        exclude: numbers of the device's qubits that must not be used.
        qubits: the qubits of each chain, if they are not to be chosen; the number of chains then is that of the tiles.
        rep_delay: delay between two shots in seconds; None for the device's own.
        mode: how a QPU takes jobs: ``"job"`` for single ones (a batch, where a step is too large for one), or
            ``"session"``.
        calibrate: count readout errors in every job, with two more circuits whose bits are known.
        dynamical_decoupling: sequence of pulses on idle qubits, or ``"none"``.
        twirling: average over random Pauli gates around two-qubit gates.

    Raises:
        QhnError: at construction, if ``tiles`` is neither a number of at least 1 nor ``"auto"``.

    >>> DeviceSettings(tiles=2).mode
    'job'
    """

    tiles: int | Literal["auto"] = 1
    guard: bool = False
    exclude: tuple[int, ...] = ()
    qubits: tuple[tuple[int, ...], ...] = ()
    rep_delay: float | None = None
    mode: Literal["job", "session"] = "job"
    calibrate: bool = False
    dynamical_decoupling: Decoupling = "none"
    twirling: bool = False

    def __post_init__(self) -> None:
        if self.tiles != "auto" and not (isinstance(self.tiles, int) and self.tiles >= 1):
            raise QhnError(f"tiles must be a number of at least 1, or 'auto', got {self.tiles!r}")


@dataclass(frozen=True)
class RehearsalSettings(DeviceSettings):
    """How a device is rehearsed on its stored calibration: used as the device would be, and simulated.

    Attributes:
        simulator: the noisy twin (``"twin"``, exact), or Aer with the same noise (``"aer"``, shots only).
        max_bond: bond dimension to which the twin of a deep circuit is truncated.
    """

    simulator: Literal["twin", "aer"] = "twin"
    max_bond: int = 128


@dataclass(frozen=True)
class NoiseSettings:
    """A noise model without a device: random Pauli errors after every gate.

    Attributes:
        p1, p2: total probability of a Pauli error after a gate on one and on two qubits.
        readout_error: probability of reading a bit wrong.
        form: of the circuit, as the paper draws it (``"literal"``), or without gates that never matter (``"pruned"``).
        max_bond: bond dimension to which the density operator of a deep circuit is truncated.
    """

    p1: float = 0.001
    p2: float = 0.00375
    readout_error: float = 0.0
    form: Literal["literal", "pruned"] = "literal"
    max_bond: int = 128


Settings = NoSettings | DeviceSettings | NoiseSettings
