"""A vendor's machine: what it offers decides what is asked of it.

One that reports errors of gates and readout on pairs of qubits gets a layout, tiles and a price, as IBM's devices do.
One that bills has its jobs noted in the run's journal. Any other one just samples: its circuits are compiled by Qiskit
for its instructions, or given to a V2 sampler as they are. All pass the self-test first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives import BaseSamplerV2
from qiskit.providers import BackendV2

from qhn.arrays import Bits, Floats
from qhn.backend.aer import publish
from qhn.backend.bound import CircuitPrice, CircuitSamples
from qhn.backend.bound_circuits import check_circuits, size_of
from qhn.backend.circuit_digest import circuit_digest
from qhn.backend.device.bound_placement import CircuitPlacer
from qhn.backend.device.placement import place
from qhn.backend.journal import Journal
from qhn.backend.sampler import Sampler, check_request
from qhn.backend.samples import Samples
from qhn.backend.service.bound import BoundSampler
from qhn.backend.service.jobs import Jobs
from qhn.backend.service.placed import DeviceSampler
from qhn.backend.service.request import Pub, Request
from qhn.backend.service.selftest import ROWS, SHOTS, complaint, known_test
from qhn.backend.service.submission import JobResult, Submission, billed_seconds, run_all
from qhn.backend.service.tested import SelfTests
from qhn.backend.settings import DeviceSettings, LayoutSettings, as_device_settings
from qhn.backend.terms import Amount, Terms
from qhn.backend.vendor.compiled import Compiler
from qhn.backend.vendor.connection import VendorConnection
from qhn.backend.vendor.description import backend_of, facts_of, has_calibration, package_of
from qhn.backend.vendor.results import bound_circuits
from qhn.circuit.ansatz import GateCircuit
from qhn.circuit.hypernetwork import product_state
from qhn.circuit.measurement import with_measurement
from qhn.errors import QhnError
from qhn.seeds import Key


class VendorMachine:
    """A machine that a vendor's ``BackendV2`` or V2 sampler stands for.

    Args:
        name: name of the machine.
        found: the vendor's object.
        settings: the qubits to use and how, where it reports a calibration; the defaults elsewhere.
        journal: journal in which the jobs of a machine that bills are noted.
        bills: whether its jobs are billed.

    Raises:
        ValueError: at construction, if settings are of a calibration and the machine reports none.
    """

    def __init__(
        self,
        name: str,
        found: BackendV2 | BaseSamplerV2,
        settings: LayoutSettings | None = None,
        journal: Journal | None = None,
        *,
        bills: bool = False,
    ) -> None:
        self.name, self.paid, self.found = name, bills, found
        self.device: BackendV2 | None = backend_of(found)
        self.settings = as_device_settings(settings)
        self.has_chip = self.device is not None and has_calibration(self.device)
        if not self.has_chip and self.settings != DeviceSettings():
            given = next(one for one, value in vars(self.settings).items() if value != getattr(DeviceSettings(), one))
            key = "mitigation" if given == "calibrate" else given
            raise QhnError(f"{name} reports no errors of qubits by which to choose them; leave device.{key} out")
        self.compiler = Compiler(name, self.device)
        self.terms, self.package = Terms(), package_of(found)
        connection = VendorConnection(found, self.terms, name=name, bills=bills, package=self.package)
        self.jobs, self.client = Jobs(connection, journal if bills else None), connection.client
        self._compiled: dict[GateCircuit, Sampler] = {}
        self._tested = SelfTests(self.jobs, name, of_bound=True)

    @cached_property
    def _circuits(self) -> BoundSampler:
        """The sampler of bound circuits on qubits that are chosen by their errors."""
        return BoundSampler(CircuitPlacer(self.device, self.settings), self.jobs)

    def compile(self, ansatz: GateCircuit) -> Sampler:
        """The sampler of the ansatz, on the best qubits where errors are reported, made once and then returned again.

        Raises:
            ValueError: if the machine has too few qubits or cannot execute the circuit.
        """
        if ansatz not in self._compiled:
            if self.has_chip:
                placement = place(ansatz, self.device, self.settings)
                self._compiled[ansatz] = PlacedSampler(self, DeviceSampler(placement, self.jobs))
            else:
                self._compiled[ansatz] = UnplacedSampler(self, ansatz)
        return self._compiled[ansatz]

    def measure(self, circuits: Sequence[QuantumCircuit], shots: int, key: Key) -> CircuitSamples:
        """Measure each bound circuit; on one that bills, bits that the journal has are not measured again.

        Raises:
            ValueError: if the circuits or ``shots`` are refused (:func:`qhn.backend.bound_circuits.check_circuits`), or
                the machine cannot execute them.
            BackendError: if the machine fails, returns other bits than asked for, or does not pass its self-test.
        """
        if self.has_chip:
            return self._circuits.measure(circuits, shots, key)
        checked, shots = check_circuits(circuits, shots)
        width = checked[0].num_clbits
        self.test(product_state(width), key.run)
        pubs: list[Pub] = [(compiled,) for compiled in self.compiler.all_compiled(checked)]
        digest = hashlib.sha256(repr(([circuit_digest(one) for one in checked], shots)).encode()).hexdigest()
        job = self.run(pubs, shots, key.tag, digest, key.uint32(), keep=True)
        return CircuitSamples(job.bits, (job.job_id,) if self.paid else (), billed_seconds([job]))

    def circuit_price(self, circuits: Sequence[QuantumCircuit], shots: int) -> CircuitPrice:
        """The size of each bound circuit as the machine executes it, and its price where errors are reported.

        Raises:
            ValueError: if the circuits or ``shots`` are refused, or the machine cannot execute them.
        """
        if self.has_chip:
            return self._circuits.price(circuits, shots)
        checked, shots = check_circuits(circuits, shots)
        sizes = tuple(map(size_of, self.compiler.all_compiled(checked)))
        if not self.paid:
            return CircuitPrice(sizes, shots)
        test = Amount(jobs=1, shots=ROWS * SHOTS) if self._tested.is_due else Amount()
        return CircuitPrice(sizes, shots, (0.0,), test)  # one job, of whose price nothing is known

    def describe_circuits(self, circuits: Sequence[QuantumCircuit]) -> dict[str, Any]:
        """The vendor's client, and the qubits and calibration where errors are reported, as JSON values."""
        return self.facts | (self._circuits.placer.describe(circuits) if self.has_chip else {})

    # ------------------------------------------------------------ of a machine that bills

    def seconds_left(self) -> float | None:
        """None: no vendor but IBM says what is left of an account."""
        return None

    def settle(self) -> None:
        """Write the bills of finished jobs into the journal, as far as the vendor's client tells them."""
        self.jobs.settle()

    def reconcile(self) -> None:
        """Settle bills: jobs are not found by tags, so that none can be found twice."""
        self.jobs.reconcile()

    def close(self) -> None:
        """Nothing: no session is opened."""

    # ------------------------------------------------------------ without a calibration

    def run(
        self, pubs: Sequence[Pub], shots: int, tag: str, digest: str, seed: int, *, keep: bool = False
    ) -> JobResult:
        """Measure PUBs of equally many bits, as one request.

        Args:
            pubs: compiled circuits, each with its angles if it has any.
            shots: number of measurements of each circuit.
            tag: name of the request.
            digest: hash of everything that is measured.
            seed: seed of the random numbers of a simulator.
            keep: whether the journal saves the bits.
        """
        request = Request(tag, digest, pubs, shots, self.settings, price_seconds=0.0, seed=seed)

        def read(bits: list[Bits]) -> tuple[Bits, list[Bits]]:
            return np.concatenate([one if one.ndim == 3 else one[None] for one in bits]), []

        shape = (request.rows, shots, pubs[0][0].num_clbits)
        (job,) = run_all(self.jobs, [Submission(request, shape, read)], keep=keep)
        return job

    def test(self, ansatz: GateCircuit, run: str) -> None:
        """Refuse a machine that binds angles or returns bits in another order, by circuits of known outcome.

        Raises:
            BackendError: if the machine does not pass the test, or has failed one that would have the same outcome.
        """
        if not self._tested.is_due:
            return
        found, angles, expected = known_test(ansatz)
        template = self.compiler.template(with_measurement(found.pruned))
        asked = [circuit_digest(one) for one in bound_circuits([publish(found.pruned, angles)])]
        digest = hashlib.sha256(repr((self.name, asked, SHOTS)).encode()).hexdigest()

        def measure(tag: str) -> tuple[str, str | None]:
            job = self.run(template.pubs(angles), SHOTS, tag, digest, 0)
            return job.job_id, complaint(job.bits, expected)

        self._tested.make(run, digest, measure)

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What the machine tells of itself, and whether it takes a seed, as JSON values."""
        return facts_of(self.name, self.found) | {"seed": "taken" if self.client.takes_seed else "not taken"}


class PlacedSampler:
    """A sampler of an ansatz on qubits that were chosen by the errors that a vendor's machine reports."""

    def __init__(self, machine: VendorMachine, inner: DeviceSampler) -> None:
        self._machine, self._inner = machine, inner
        self.placement, self.ansatz = inner.placement, inner.ansatz

    @property
    def circuit(self) -> QuantumCircuit:
        """The circuit that is executed: the ansatz compiled onto the qubits of all tiles, with measurements."""
        return self._inner.circuit

    def describe(self) -> dict[str, Any]:
        """The vendor's client and the placement, as JSON values."""
        return self._inner.placement.describe() | self._machine.facts

    def sample(self, thetas: Floats, shots: int, key: Key, group: int = 1) -> Samples:
        """Measure the circuit at each row of ``thetas[num_rows, num_parameters]``, at least ``shots`` times.

        Raises:
            ValueError: if ``thetas`` has a wrong shape or is not finite, or ``shots`` is below 1.
            BackendError: if the machine fails, returns other bits than asked for, or does not pass its self-test.
        """
        found = self._inner.sample(thetas, shots, key, group)
        return found if self._machine.paid else replace(found, job_ids=(), qpu_seconds=0.0)


class UnplacedSampler:
    """A sampler of an ansatz on a machine that reports no errors: it compiles and runs the circuit as it likes."""

    placement = None

    def __init__(self, machine: VendorMachine, ansatz: GateCircuit) -> None:
        self.machine, self.ansatz = machine, ansatz
        self._template = machine.compiler.template(with_measurement(ansatz.pruned))

    @property
    def circuit(self) -> QuantumCircuit:
        """The circuit that is executed, compiled unless that needs its angles, with measurements."""
        return self._template.circuit

    def describe(self) -> dict[str, Any]:
        """The vendor's client and the form of the circuit, as JSON values."""
        return self.machine.facts | {"circuit": "pruned"}

    def sample(self, thetas: Floats, shots: int, key: Key, group: int = 1) -> Samples:
        """Measure the circuit at each row of ``thetas[num_rows, num_parameters]``, at least ``shots`` times.

        Raises:
            ValueError: if ``thetas`` has a wrong shape or is not finite, or ``shots`` is below 1.
            BackendError: if the machine fails, returns other bits than asked for, or does not pass its self-test.
        """
        thetas, shots = check_request(thetas, self.ansatz.num_parameters, self.ansatz.num_qubits, shots)
        self.machine.test(self.ansatz, key.run)
        digest = hashlib.sha256(thetas.tobytes() + repr((self.ansatz.num_qubits, shots)).encode()).hexdigest()
        job = self.machine.run(self._template.pubs(thetas), shots, key.tag, digest, key.uint32())
        if not self.machine.paid:
            return Samples(job.bits)
        return Samples(job.bits, job_ids=(job.job_id,), qpu_seconds=job.seconds)
