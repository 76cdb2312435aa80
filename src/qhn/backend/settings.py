"""How a device is to be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from qhn.errors import QhnError

Decoupling = Literal["none", "XX", "XpXm", "XY4"]


@dataclass(frozen=True)
class DeviceSettings:
    """How a device is to be used; everything but the circuit and the number of shots.

    Attributes:
        tiles: disjoint chains that measure side by side; ``"auto"`` for as many as are worth it.
        guard: keep an unused qubit between chains.
        exclude: qubits of the device not to use.
        qubits: the chains to use, if they are not to be chosen; their number then is that of the tiles.
        rep_delay: seconds between shots; None for the device's own.
        mode: of a QPU: single jobs (of a step that is too large for one, a batch), or a session.
        calibrate: count readout errors in every job, with two circuits of known bits.
        dynamical_decoupling: pulses on idle qubits.
        twirling: random Pauli gates around two-qubit gates, averaged over.
        simulator: that stands in for a stored device: the noisy twin, or Aer with the same noise.
        max_bond: bond dimension to which the twin of a deep circuit is truncated.
        p1, p2: total probability of a Pauli error after a gate, of the model without a device.
        readout_error: chance of reading a bit wrong, of the same.
        form: of the circuit, of the same: as the paper draws it, or without gates that never matter.

    Raises:
        ValueError: at construction, if ``tiles`` is neither a number of at least 1 nor auto.
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
    simulator: Literal["twin", "aer"] = "twin"
    max_bond: int = 128
    p1: float = 0.001
    p2: float = 0.00375
    readout_error: float = 0.0
    form: Literal["literal", "pruned"] = "literal"

    def __post_init__(self) -> None:
        if self.tiles != "auto" and not (isinstance(self.tiles, int) and self.tiles >= 1):
            raise QhnError(f"tiles must be a number of at least 1, or 'auto', got {self.tiles!r}")
