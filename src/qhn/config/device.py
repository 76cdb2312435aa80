"""The table ``[device]`` of a configuration: how a QPU, or a simulated machine, is used."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from qhn.backend import MACHINES, Machine, Settings, machine_of
from qhn.backend.machines import spelled
from qhn.backend.settings import Decoupling
from qhn.config.section import Section
from qhn.errors import QhnError
from qhn.estimator.readout import Mitigation
from qhn.fields import is_number
from qhn.text import shown

OF_SHOTS = frozenset(
    {"tiles", "guard", "mitigation", "rep_delay", "mode", "dynamical_decoupling", "twirling", "drift_every"}
)
OF_ESTIMATES = frozenset(
    {"mitigation", "drift_every"}
)  # settings of the analysis of a chip's bits, which the machine does not receive


def _number_of_tiles(value: Any) -> Any:
    if value != "auto" and not (is_number(value) and math.isfinite(value) and value == int(value) >= 1):
        raise QhnError(f"device.tiles must be a number of at least 1, or 'auto', got {shown(value)}")
    return value


def _chains(value: Any) -> Any:
    """A single chain of qubits ``[4, 5, 6]`` as the list ``[[4, 5, 6]]``; other values as they are."""
    return [value] if isinstance(value, (list, tuple)) and value and isinstance(value[0], int) else value


class DeviceConfig(Section):
    """Table ``[device]``: layout, delays, error mitigation and noise; see :mod:`qhn.backend.settings`.

    Attributes:
        tiles: number of disjoint chains of qubits that measure side by side; ``"auto"`` for as many as lower the price.
        guard: keep an unused qubit between two chains.
        exclude: numbers of the device's qubits that must not be used.
        qubits: qubits of each chain, qubit 0 first; empty to let them be chosen.
        rep_delay: delay between two shots in seconds; None for the device's own.
        mode: how a QPU takes jobs: ``"job"`` for single ones, or ``"session"``.
        mitigation: correction of readout errors in E and its gradient: ``"none"``, ``"readout"`` inverts them, and
            ``"mthree"`` uses the package of that name.
        dynamical_decoupling: sequence of pulses on idle qubits, or ``"none"``.
        twirling: average over random Pauli gates around two-qubit gates.
        drift_every: number of steps after which E is measured again at the first θ, to detect drift; None for never.
        simulator: simulator of a rehearsed device: ``"twin"``, whose distribution is known, or ``"aer"``, which draws
            shots.
        max_bond: bond dimension to which the twin of a deep circuit is truncated.
        p1: total probability of a Pauli error after a one-qubit gate on backend ``depolarising``.
        p2: total probability of a Pauli error after a two-qubit gate on backend ``depolarising``.
        readout_error: probability on backend ``depolarising`` that a bit is read wrongly.
        form: form of the circuit on backend ``depolarising``: ``"literal"``, or ``"pruned"`` of gates without effect.
    """

    tiles: Annotated[int | Literal["auto"], BeforeValidator(_number_of_tiles)] = 1
    guard: bool = False
    exclude: tuple[Annotated[int, Field(ge=0)], ...] = ()
    qubits: Annotated[tuple[tuple[Annotated[int, Field(ge=0)], ...], ...], BeforeValidator(_chains)] = ()
    rep_delay: float | None = Field(default=None, ge=0)
    mode: Literal["job", "session"] = "job"
    mitigation: Mitigation = "none"
    dynamical_decoupling: Decoupling = "none"
    twirling: bool = False
    drift_every: int | None = Field(default=None, ge=1)
    simulator: Literal["twin", "aer"] = "twin"
    max_bond: int = Field(default=128, ge=4)
    p1: float = Field(default=0.001, ge=0, le=0.75)
    p2: float = Field(default=0.00375, ge=0, le=0.9375)
    readout_error: float = Field(default=0.0, ge=0, lt=0.5)
    form: Literal["literal", "pruned"] = "literal"

    def settings(self, machine: Machine) -> Settings:
        """The settings with which a machine of that kind is opened; with mitigation it counts its readout errors."""
        values = self.model_dump() | {"calibrate": self.mitigation != "none"}
        return machine.settings(**{field.name: values[field.name] for field in fields(machine.settings)})

    def check(self, backend: str, defaults: Mapping[str, Any], *, has_shots: bool) -> None:
        """Refuse settings that have no effect on the backend.

        Args:
            backend: name of the backend, as in ``train.backend``.
            defaults: values that count as not set, by key, as JSON.
            has_shots: whether bits are measured, and E is not computed without shots.

        Raises:
            QhnError: if a setting has no effect there; the message names it and the backends that it belongs to.
        """
        machine = machine_of(backend)
        given = {name for name, value in self.model_dump(mode="json").items() if value != defaults[name]}
        for name in sorted(given):
            if not _takes(machine, name):
                takers = [kind for kind in MACHINES if _takes(kind, name)]
                raise QhnError(f"device.{name} goes with {spelled(takers)}, not with {backend}")
        beside = {"tiles", "exclude", "guard"} & given
        if self.qubits and beside:
            raise QhnError(
                f"device.qubits names the chains, so that device.{sorted(beside)[0]} has no effect; leave one"
            )
        if self.guard and self.tiles == 1:
            raise QhnError("device.guard keeps tiles apart, and device.tiles is 1; ask for more tiles, or leave it")
        if "max_bond" in given and self.simulator == "aer":
            raise QhnError("device.max_bond is of device.simulator = 'twin', not of 'aer'; leave one")
        if not has_shots and self.simulator == "aer":
            raise QhnError("device.simulator = 'aer' draws shots; give --shots, or leave it at twin")
        idle = OF_SHOTS & given
        if not has_shots and idle:
            raise QhnError(
                f"device.{sorted(idle)[0]} concerns measured bits, and without shots there are none; give --shots"
            )


def _takes(machine: Machine, name: str) -> bool:
    """Whether the setting with the given name has an effect on a machine, or on the estimates of its bits."""
    return machine.takes(name) or (name in OF_ESTIMATES and machine.has_chip)
