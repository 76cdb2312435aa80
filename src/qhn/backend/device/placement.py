"""The placement of an ansatz on a device: its qubits, the compiled circuit of each tile, and the tiles as one.

An ansatz whose gates couple neighbours of a chain alone goes onto the best chain of the device, or onto several that
measure side by side. Any other one is routed by Qiskit's transpiler (:mod:`qhn.backend.device.routing`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from qiskit import QuantumCircuit
from qiskit.providers import BackendV2

from qhn.backend.device.chip import Chip, chip_of
from qhn.backend.device.isa import calibration_circuits, check_isa, compile_chain, duration, side_by_side
from qhn.backend.device.layout import best_chain, chain_of, check_disjoint, disjoint_chains
from qhn.backend.device.load import Load, is_chain, load_of, load_of_compiled
from qhn.backend.device.price import Task, job_seconds, rep_delay_of
from qhn.backend.device.region import Region, report
from qhn.backend.device.routing import Route, routed
from qhn.backend.settings import DeviceSettings
from qhn.circuit.ansatz import GateCircuit
from qhn.circuit.hypernetwork import product_state
from qhn.errors import QhnError


@dataclass(frozen=True)
class Placement:
    """An ansatz placed on a device: its qubits and its compiled circuits, as :func:`place` returns them.

    Attributes:
        ansatz: the ansatz that is placed.
        device: the device on which it is placed.
        chip: calibration of the device at the time of compilation.
        load: numbers of gates of the compiled circuit on each place of a chain, or on the qubits and pairs of a route.
        settings: how the device is used: shots, tiles, delay, mitigation.
        chains: the chain of each tile, the best one first; or the only route.
        tiles: the compiled circuit of each tile on all qubits of the device; bit j of ``meas`` is qubit j of the
            ansatz.
        folded: whether the last CX brick is left to :meth:`qhn.circuit.ansatz.GateCircuit.relabel`. It is if readout
            errors are inverted, which happens before the brick, so that they do not spread.
    """

    ansatz: GateCircuit
    device: BackendV2
    chip: Chip
    load: Load
    settings: DeviceSettings
    chains: Sequence[Region]
    tiles: list[QuantumCircuit]
    folded: bool

    @cached_property
    def circuit(self) -> QuantumCircuit:
        """The circuit that is executed: the tiles side by side.

        Angle i of tile t is element t·num_parameters + i of one vector.
        """
        if len(self.tiles) == 1:
            return self.tiles[0]
        return side_by_side(self.tiles, self.ansatz.num_parameters)

    @cached_property
    def calibration(self) -> list[QuantumCircuit]:
        """Circuits that prepare all bits 0 and all bits 1, measured as ``circuit`` measures them.

        There are none if readout errors are not counted.
        """
        return self.calibration_of(self.chains)

    def calibration_of(self, chains: Sequence[Region]) -> list[QuantumCircuit]:
        """Circuits that prepare all bits 0 and all bits 1, measured on some of the chains."""
        return calibration_circuits([chain.qubits for chain in chains], self.device) if self.settings.calibrate else []

    @property
    def is_chain(self) -> bool:
        """Whether every tile is a chain of neighbours, and not a route with swaps."""
        return not any(isinstance(chain, Route) for chain in self.chains)

    @property
    def most_tiles(self) -> int:
        """The largest number of tiles that are worth using on the device; those in use, if the settings say which."""
        use = self.settings
        if use.qubits or use.tiles == "auto" or not self.is_chain:
            return len(self.chains)
        return len(disjoint_chains(self.chip, self.load, "auto", exclude=use.exclude, guard=use.guard))

    @cached_property
    def bare(self) -> QuantumCircuit:
        """A circuit that turns each measured qubit by an RY of its own, and measures as ``circuit`` does.

        Its angles are those of :func:`qhn.circuit.hypernetwork.product_state`, for each tile.
        """
        alone = product_state(self.ansatz.num_qubits)
        tiles = [compiled_for(alone, self.device, chain.qubits, folded=False) for chain in self.chains]
        return tiles[0] if len(tiles) == 1 else side_by_side(tiles, alone.num_parameters)

    @property
    def qubits(self) -> tuple[tuple[int, ...], ...]:
        """The qubits of each tile on the device, in the order of the ansatz's qubits 0, 1, … of that tile."""
        return tuple(chain.qubits for chain in self.chains)

    @cached_property
    def duration(self) -> float:
        """The duration of the circuit in seconds, measurement included."""
        return duration(self.circuit, self.chip)

    def task(self, num_rows: int, group: int, shots: int) -> Task:
        """The work of measuring ``num_rows`` rows of angles, as something that has a price."""
        settings = self.settings
        return Task(
            num_rows=num_rows,
            group=group,
            shots=shots,
            duration=self.duration,
            two_qubit_gates=sum(self.load.two_qubit),
            rep_delay=rep_delay_of(self.chip, settings.rep_delay),
            max_shots=self.chip.max_shots,
            tiles=len(self.tiles),
            calibrate=settings.calibrate,
            twirling=settings.twirling,
        )

    @property
    def seconds_per_shot(self) -> float:
        """The time of one shot in seconds: the delay between shots and the circuit."""
        return rep_delay_of(self.chip, self.settings.rep_delay) + self.duration

    def job_seconds(self, circuits: int, shots: int) -> float:
        """The QPU seconds that a job of ``circuits`` circuits is expected to take."""
        return job_seconds(1, circuits * shots, self.seconds_per_shot)

    def describe(self) -> dict[str, Any]:
        """The qubits of every tile, the error suppression applied, and the calibration, as JSON values."""
        was_given = bool(self.settings.qubits)  # the user or an earlier session gave them: nothing was searched
        return {
            "circuit": "executed" if self.folded else "pruned",
            "tiles": [
                {
                    "qubits": list(chain.qubits),
                    "estimated_fidelity": round(chain.fidelity, 6),
                    **(
                        {"exact": chain.exact} | chain.facts()
                        if isinstance(chain, Route)
                        else {"exact": was_given or chain.exact}
                    ),
                }
                for chain in self.chains
            ],
            "load": {"one_qubit": self.load.one_qubit, "two_qubit": self.load.two_qubit},
            "rep_delay": rep_delay_of(self.chip, self.settings.rep_delay),
            "seconds_per_circuit": self.duration,
            "readout_errors": "counted in every job" if self.settings.calibrate else "not counted",
            "calibration": self.chip.to_json(),
        }

    def table(self) -> str:
        """The qubits in use as a table in text with their fidelities, and the qubits that are not used."""
        settings = self.settings
        return report(self.chip, self.load, self.chains, exclude=settings.exclude, searched=not settings.qubits)


def place(ansatz: GateCircuit, device: BackendV2, settings: DeviceSettings) -> Placement:
    """Choose the qubits for an ansatz on a device and compile its circuits, once.

    Raises:
        ValueError: if the device has too few usable qubits or does not take the requested delay, or several tiles are
            asked for and the ansatz is no chain.
    """
    chip = chip_of(device)
    rep_delay_of(chip, settings.rep_delay)
    placement = (_on_chains if is_chain(ansatz) else _routed)(ansatz, device, chip, settings)
    for sent in (placement.circuit, *placement.calibration):
        check_isa(sent, chip)
    return placement


def _on_chains(ansatz: GateCircuit, device: BackendV2, chip: Chip, settings: DeviceSettings) -> Placement:
    """The placement of an ansatz that is a chain, on one chain of the device for each tile."""
    folded = settings.calibrate and bool(ansatz.folded_brick)
    first = best_chain(chip, load_of(ansatz, fold=folded), exclude=settings.exclude).qubits
    load = load_of_compiled(compiled_for(ansatz, device, first, folded=folded), first)
    if settings.qubits:
        chains = [chain_of(chip, load, qubits) for qubits in settings.qubits]
        check_disjoint(chains)
    else:
        chains = disjoint_chains(chip, load, settings.tiles, exclude=settings.exclude, guard=settings.guard)
    tiles = [compiled_for(ansatz, device, chain.qubits, folded=folded) for chain in chains]
    return Placement(ansatz, device, chip, load, settings, chains, tiles, folded)


def _routed(ansatz: GateCircuit, device: BackendV2, chip: Chip, settings: DeviceSettings) -> Placement:
    """The placement of an ansatz that is no chain, which has one tile."""
    num_tiles = len(settings.qubits) or settings.tiles
    if num_tiles not in (1, "auto"):
        raise QhnError(
            f"device.tiles = {num_tiles} measures chains of neighbours side by side, and this circuit is no chain; "
            "leave it at 1"
        )
    start = settings.qubits[0] if settings.qubits else ()
    isa, route, load = routed(ansatz.pruned, device, chip, exclude=settings.exclude, start=start)
    return Placement(ansatz, device, chip, load, settings, [route], [isa], folded=False)


def compiled_for(ansatz: GateCircuit, device: BackendV2, qubits: tuple[int, ...], *, folded: bool) -> QuantumCircuit:
    """The circuit of an ansatz compiled for a chain of a device's qubits.

    Args:
        ansatz: the ansatz.
        device: the device.
        qubits: the qubits of the chain, in the order of the ansatz's qubits 0, 1, ….
        folded: whether the last CX brick is left to :meth:`qhn.circuit.ansatz.GateCircuit.relabel`.
    """
    return compile_chain(ansatz.executed if folded else ansatz.pruned, device, qubits)
