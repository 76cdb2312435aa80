"""A test of whether a device binds angles to the intended gates and returns bits in the intended order.

Releases of the client have returned bits in reverse, and bound angles to the wrong parameters. So before the first paid
step the run's own circuit is measured at angles whose outcome is known. In a hypernetwork RY by 0 or π leaves a bit or
flips it, CX maps basis states to basis states, and RZ by π/2 does nothing to them – but would, if it were bound where
an RY should be. For other circuits such angles are searched for (:mod:`qhn.backend.service.certain`). Where there are
none, or the outcome would drown in noise, each qubit is turned by an RY of its own instead: that tests the order of
angles and bits, not the run's circuit.

Bound circuits have no angles that could be bound to wrong gates. Of them, the order of bits alone is tested: known bits
are prepared on the qubits that the first circuit measures, and read into its classical bits.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from qiskit import QuantumCircuit
from qiskit.providers import BackendV2

from qhn.arrays import Bits, Floats
from qhn.backend.device.isa import measured_qubits, prepared_circuits
from qhn.backend.device.placement import Placement
from qhn.backend.events import CLIENT, Entry
from qhn.backend.service.certain import certain_outcomes
from qhn.circuit.ansatz import GateCircuit
from qhn.circuit.hypernetwork import Hypernetwork, product_state

ROWS, SHOTS = 4, 100  # sets of angles, and shots of each set
BARE = "one rotation of each qubit, since no outcome of the run's circuit is certain and legible"
BOUND = "bits prepared on the measured qubits, since bound circuits have no angles"
REVERSED = "bits come back in reverse order"
LEGIBLE = 0.1  # estimated fidelity below which the outcome of the run's circuit may drown in noise
CLEAR = 0.8  # mean share of the shots that agree on a bit, below which noise may be what is wrong
ENOUGH = 0.9  # share of the bits whose most frequent value must be right; the others may be noise


@dataclass(frozen=True)
class SelfTest:
    """What a self-test measures, and what an ideal machine would.

    Attributes:
        circuit: the circuit that is measured, with all tiles.
        angles: sets of angles, ``[ROWS, num_tiles·num_parameters]``.
        expected: the bits of an ideal machine, ``[ROWS, num_tiles, num_qubits]``.
        is_bare: whether the circuit is not that of the run, but one RY for each of its qubits.
    """

    circuit: QuantumCircuit
    angles: Floats
    expected: Bits
    is_bare: bool

    @classmethod
    def of(cls, placement: Placement) -> SelfTest:
        """The self-test of a placed ansatz, the same in every call."""
        ansatz, num_rows = placement.ansatz, ROWS * len(placement.tiles)
        found: tuple[Floats, Bits] | None = None
        if isinstance(ansatz, Hypernetwork):
            found = known_outcomes(ansatz, num_rows)
        elif min(chain.fidelity for chain in placement.chains) > LEGIBLE:
            found = certain_outcomes(ansatz, num_rows)
        is_bare = found is None
        thetas, bits = found or known_outcomes(product_state(ansatz.num_qubits), num_rows)
        return cls(
            circuit=placement.bare if is_bare else placement.circuit,
            angles=thetas.reshape(ROWS, -1),
            expected=bits.reshape(ROWS, len(placement.tiles), -1),
            is_bare=is_bare,
        )


@dataclass(frozen=True)
class BoundSelfTest:
    """What a self-test before bound circuits measures, and what an ideal machine would.

    Attributes:
        circuits: compiled circuits that prepare known bits, ``ROWS`` of them.
        expected: the bits of an ideal machine, ``[ROWS, num_bits]``.
    """

    circuits: list[QuantumCircuit]
    expected: Bits

    @classmethod
    def of(cls, circuit: QuantumCircuit, device: BackendV2) -> BoundSelfTest:
        """The self-test before a compiled bound circuit, the same in every call."""
        qubits = measured_qubits(circuit)
        expected = known_bits(qubits)
        return cls(prepared_circuits(expected, qubits, device), expected)


def known_bits(qubits: Sequence[int]) -> Bits:
    """Bits to prepare on qubits that are measured into bits 0, 1, …: ``[ROWS, len(qubits)]``, the same in every call.

    No row reads the same in reverse, unless every row does. A qubit that is measured into several bits has one value.

    >>> known_bits([5, 3, 5, 4])[0].tolist()
    [1, 0, 1, 0]
    """
    index = np.unique(qubits, return_inverse=True)[1]
    is_symmetric = (index == index[::-1]).all()
    rng = np.random.default_rng(len(index))
    found: list[Bits] = []
    while len(found) < ROWS:
        bits = rng.integers(2, size=index.max() + 1, dtype=np.uint8)[index]
        if is_symmetric or (bits != bits[::-1]).any():
            found.append(bits)
    return np.array(found)


def known_outcomes(ansatz: Hypernetwork, num_rows: int) -> tuple[Floats, Bits]:
    """Angles of a hypernetwork ``[num_rows, num_parameters]``, and the bits that an ideal machine measures.

    The bits have shape ``[num_rows, num_qubits]``. Both are the same in every call. No row of bits reads the same in
    reverse, unless there is only one qubit.

    >>> from qhn.circuit.hypernetwork import hypernetwork
    >>> thetas, bits = known_outcomes(hypernetwork(3, 1), 1)
    >>> sorted(set((thetas / np.pi).ravel().tolist())), bits.tolist()
    ([0.0, 0.5, 1.0], [[0, 1, 1]])
    """
    rng = np.random.default_rng(ansatz.num_qubits)
    thetas: list[Floats] = []
    outcomes: list[Bits] = []
    while len(thetas) < num_rows:
        num_blocks = ansatz.num_parameters // (2 * ansatz.num_qubits)
        angles = np.full((num_blocks, 2, ansatz.num_qubits), np.pi / 2)
        angles[:, 0] = np.pi * rng.integers(2, size=(num_blocks, ansatz.num_qubits))
        theta = angles.ravel()
        bits = np.zeros(ansatz.num_qubits, dtype=np.uint8)
        for gate in ansatz.gates():
            if gate.name == "cx":
                bits[gate.qubits[1]] ^= bits[gate.qubits[0]]
            elif gate.name == "ry" and gate.angle is not None:
                bits[gate.qubits[0]] ^= theta[gate.angle] > 1
        if ansatz.num_qubits == 1 or (bits != bits[::-1]).any():
            thetas.append(theta)
            outcomes.append(bits)
    return np.array(thetas), np.array(outcomes)


def known_test(ansatz: GateCircuit) -> tuple[GateCircuit, Floats, Bits]:
    """A circuit with angles ``[ROWS, num_parameters]`` and the bits ``[ROWS, num_qubits]`` that it should measure.

    It is the ansatz where outcomes of it are certain, and otherwise an RY of each qubit.
    """
    found: tuple[Floats, Bits] | None
    found = known_outcomes(ansatz, ROWS) if isinstance(ansatz, Hypernetwork) else certain_outcomes(ansatz, ROWS)
    if found is not None:
        return ansatz, *found
    bare = product_state(ansatz.num_qubits)
    return bare, *known_outcomes(bare, ROWS)


def complaint(measured: Bits, expected: Bits) -> str | None:
    """The difference between measured and expected bits, in words; None if they agree up to noise.

    Args:
        measured: measured bits ``[..., shots, num_qubits]``.
        expected: bits that an ideal machine measures, ``[..., num_qubits]``.
    """
    ones = measured.mean(axis=-2)
    mostly, agreement = ones > 0.5, np.maximum(ones, 1 - ones).mean()
    right, reverse = ((mostly == bits).mean() for bits in (expected, expected[..., ::-1]))
    if right >= ENOUGH:
        return None
    if reverse >= ENOUGH:
        return REVERSED
    if not measured.any():
        return "every bit comes back as 0, as if nothing was measured"
    found = f"only {right:.0%} of the bits come back as they were prepared"
    if agreement < CLEAR:
        return f"{found}, and on a bit only {agreement:.0%} of the shots agree: noise, or angles in a wrong order"
    return f"{found}: angles or bits are in a wrong order"


def versions(packages: Iterable[str] = CLIENT) -> dict[str, str]:
    """The installed versions of packages that could get an order wrong; a self-test holds for these only.

    Args:
        packages: names of the packages; one that is not installed has the version ``"none"``.
    """
    return {name: _version(name) for name in packages}


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "none"


def is_due(self_tests: Iterable[Entry]) -> bool:
    """Whether none of the given self-tests was passed with the versions of Qiskit and its client that are installed."""
    return not any(test.complaint is None and _is_of_client(test) for test in self_tests)


def failed_before(own: Sequence[Entry], others: Iterable[Entry], device: str, digest: str) -> Entry | None:
    """The self-test that failed as another one would; None if another one may pass.

    It is the latest test of the device with the installed versions, if that failed. Of other runs those count that
    measured the same, and those that tell of the client: bits in reverse order are so on all qubits.

    Args:
        own: outcomes of the run's own self-tests, in order.
        others: outcomes of the self-tests of other runs.
        device: name of the device.
        digest: hash of everything that another test would measure.
    """
    similar = (test for test in others if test.device == device)
    similar = (test for test in similar if test.digest == digest or test.complaint in (None, REVERSED))
    same = [test for test in (*similar, *own) if _is_of_client(test) and _is_of_this_release(test)]
    latest = max(reversed(same), key=lambda test: test.written or 0.0, default=None)
    return None if latest is None or latest.complaint is None else latest


def _is_of_client(test: Entry) -> bool:
    """Whether a test was made with the versions of Qiskit, its client and a vendor's that are installed."""
    stated = test.versions or {}
    return {**stated, "qhn": ""} == {**versions({*CLIENT, *stated}), "qhn": ""}


def _is_of_this_release(test: Entry) -> bool:
    """Whether a test was made with the installed version of qhn; early ones do not state theirs."""
    installed = versions().get("qhn")
    return (test.versions or {}).get("qhn", installed) == installed
