"""The qubits of a device that take one circuit, as a value and as a table in text."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from qhn.backend.device.chip import Chip
from qhn.backend.device.layout import QubitChain, chain_of
from qhn.backend.device.load import Load
from qhn.text import aligned


class Region(Protocol):
    """The qubits of a device that take one circuit: a chain, or a route of a circuit that is none."""

    @property
    def qubits(self) -> tuple[int, ...]:
        """The device's qubits on which the ansatz's qubits 0, 1, … are measured."""
        ...

    @property
    def used(self) -> tuple[int, ...]:
        """All qubits of the device that the circuit uses."""
        ...

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """The pairs ``(a, b)``, a < b, of the device's qubits on which gates act."""
        ...

    @property
    def readout(self) -> float:
        """The product of 1 − error over all readouts."""
        ...

    @property
    def one_qubit(self) -> float:
        """The product of 1 − error over all one-qubit gates."""
        ...

    @property
    def two_qubit(self) -> float:
        """The product of 1 − error over all two-qubit gates."""
        ...

    @property
    def exact(self) -> bool:
        """Whether it is certain that no other qubits of the device are better."""
        ...

    @property
    def fidelity(self) -> float:
        """The estimated probability that nothing goes wrong in a shot."""
        ...


def report(
    chip: Chip, load: Load, chains: Sequence[Region], *, exclude: Iterable[int] = (), searched: bool = True
) -> str:
    """The qubits in use as a table in text with their fidelities, and the qubits of the chip that were not used.

    Args:
        chip: calibration of the device.
        load: numbers of gates of the circuit on each place of a chain.
        chains: the chains, one per tile, or a route.
        exclude: qubits of the device that were not to be used.
        searched: whether the chains were searched rather than given.
    """
    head = ("tile", "fidelity", "readout", "one-qubit", "two-qubit", "worst readout", "worst pair", "qubits")
    lines = [aligned(head, [_row(chip, str(tile), chain) for tile, chain in enumerate(chains)])]
    pairs, exclude = chip.pairs, sorted(set(exclude))
    lines += _remarks(chip, load, chains, searched=searched)
    dead = [f"{a}-{b}" for (a, b), error in sorted(pairs.items()) if error >= 1]
    for what, names in (
        (f"pairs {chip.dead}", dead),
        ("faulty qubits", sorted(chip.faulty)),
        ("excluded qubits", exclude),
    ):
        if names:
            lines.append(f"not used, {what}: {', '.join(map(str, names))}")
    lines += [gap.words() for gap in chip.assumed]
    free = chip.num_qubits - sum(len(chain.used) for chain in chains)
    lines.append(f"{free} of {chip.num_qubits} qubits of {chip.name} stay unused")
    return "\n".join(lines)


def _remarks(chip: Chip, load: Load, chains: Sequence[Region], *, searched: bool) -> Iterator[str]:
    """What is to be said of the chains, or of a route, in view of the others that the chip has."""
    first = chains[0]
    if not isinstance(first, QubitChain):
        yield (
            f"the circuit is no chain: Qiskit's transpiler chose {len(first.used)} qubits and the swaps, "
            f"{sum(load.two_qubit)} two-qubit gates in all; a better choice may exist"
        )
        return
    with contextlib.suppress(ValueError):  # they are no chain
        simple = chain_of(chip, load, range(load.num_qubits))
        yield f"the first {load.num_qubits} qubits of the chip would have {simple.fidelity:.3f}"
    if searched and not first.exact and len(chains) == 1:
        yield "the search was cut short: a better chain may exist"


def _row(chip: Chip, name: str, chain: Region) -> list[str]:
    worst = max(chain.qubits, key=lambda qubit: chip.readout_error[qubit])
    pairs = chip.pairs
    weakest = max(chain.pairs, key=lambda hop: pairs[hop], default=None)
    return [
        name,
        *(f"{factor:.3f}" for factor in (chain.fidelity, chain.readout, chain.one_qubit, chain.two_qubit)),
        f"{chip.readout_error[worst]:.2%} on {worst}",
        "none" if weakest is None else f"{pairs[weakest]:.2%} on {weakest[0]}-{weakest[1]}",
        " ".join(map(str, chain.qubits)),
    ]
