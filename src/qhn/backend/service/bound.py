"""Bound circuits on a QPU: one job for each request, or several where it exceeds the limits of the service.

The digest by which a job is found again is that of the circuits as they were asked for, of the shots and of the
settings. A process that resumes on another day may compile them onto other qubits; it still uses the bits that the job
of an earlier one measured, instead of paying twice.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence

import numpy as np
from qiskit import QuantumCircuit

from qhn.arrays import Bits
from qhn.backend.bound import CircuitPrice, CircuitSamples
from qhn.backend.circuit_digest import circuit_digest
from qhn.backend.device.bound_placement import CircuitPlacer, PlacedCircuits
from qhn.backend.device.isa import duration
from qhn.backend.device.price import job_seconds
from qhn.backend.service.jobs import Jobs
from qhn.backend.service.request import Pub, Request
from qhn.backend.service.selftest import BOUND, SHOTS, BoundSelfTest, complaint
from qhn.backend.service.submission import Submission, billed_seconds, run_all, tags_of
from qhn.backend.service.tested import SelfTests
from qhn.backend.terms import Amount
from qhn.seeds import Key


class BoundSampler:
    """A QPU that measures bound circuits.

    Args:
        placer: the device, for which circuits are compiled.
        jobs: the jobs of the run.
    """

    def __init__(self, placer: CircuitPlacer, jobs: Jobs) -> None:
        self.placer = placer
        self.jobs = jobs
        self._self_tests = SelfTests(jobs, placer.device.name, of_bound=True)

    def price(self, circuits: Sequence[QuantumCircuit], shots: int) -> CircuitPrice:
        """The size and price of the circuits, and the price of a self-test if one is due."""
        placed = self.placer.placed(circuits, shots)
        return dataclasses.replace(placed.price, self_test=self._test_amount(placed))

    def measure(self, circuits: Sequence[QuantumCircuit], shots: int, key: Key) -> CircuitSamples:
        """Measure the circuits; jobs whose bits the journal has are not run again.

        Raises:
            ValueError: if the circuits or ``shots`` are refused, or the device cannot execute them.
            BackendError: if a job or the service fails, or the device does not pass its self-test.
            Detached: if jobs are not to be waited for, and have not ended.
            BudgetExceeded: if what is left of the budget does not allow a job.
        """
        placed = self.placer.placed(circuits, shots)
        tags = tags_of(key.tag, len(placed.parts))
        seeds = key.generator().integers(2**32, size=len(tags)).tolist()
        submissions = [
            self._submission(placed, part, tag, seed) for part, tag, seed in zip(placed.parts, tags, seeds, strict=True)
        ]
        if not all(self._is_kept(one.request) for one in submissions):
            self._test(placed, key.run)
        jobs = run_all(self.jobs, submissions, keep=True)
        bits = np.concatenate([job.bits for job in jobs])
        return CircuitSamples(bits, tuple(job.job_id for job in jobs), billed_seconds(jobs))

    def _is_kept(self, request: Request) -> bool:
        journal = self.jobs.journal
        return journal is not None and journal.kept(request.tag, request.digest) is not None

    def _submission(self, placed: PlacedCircuits, part: slice, tag: str, seed: int) -> Submission:
        """The job that measures some of the circuits of a request."""
        some, use = placed.circuits[part], self.placer.settings
        applied = (use.exclude, use.qubits, use.rep_delay, use.dynamical_decoupling, use.twirling)
        digest = self._digest([one.digest for one in some], placed.shots, applied)
        return self._job([one.circuit for one in some], placed.shots, tag, digest, placed.seconds_of(part), seed)

    def _digest(self, circuits: Sequence[str], shots: int, applied: object = None) -> str:
        """The hash of everything that a job measures: the digests of its circuits, the shots, and how it is done."""
        return hashlib.sha256(repr((self.placer.device.name, circuits, shots, applied)).encode()).hexdigest()

    def _job(
        self, circuits: Sequence[QuantumCircuit], shots: int, tag: str, digest: str, price_seconds: float, seed: int = 0
    ) -> Submission:
        """The job that measures compiled circuits."""
        pubs: list[Pub] = [(circuit,) for circuit in circuits]
        request = Request(tag, digest, pubs, shots, self.placer.settings, price_seconds, seed)

        def read(bits: list[Bits]) -> tuple[Bits, list[Bits]]:
            return np.stack(bits), []

        return Submission(request, (len(circuits), shots, circuits[0].num_clbits), read)

    # ------------------------------------------------------------ the self-test

    def _test(self, placed: PlacedCircuits, run: str) -> None:
        """Refuse a device that returns bits in another order; the test costs one job in each run.

        Raises:
            BackendError: if the device does not pass the test, or has failed one that would have the same outcome.
        """
        if not self._self_tests.is_due:
            return
        test = self._test_before(placed)
        digest = self._digest([circuit_digest(circuit) for circuit in test.circuits], SHOTS)
        price = self._test_amount(placed).seconds

        def measure(tag: str) -> tuple[str, str | None]:
            (job,) = run_all(self.jobs, [self._job(test.circuits, SHOTS, tag, digest, price)], keep=False)
            return job.job_id, complaint(job.bits, test.expected)

        self._self_tests.make(run, digest, measure, circuit=BOUND)

    def _test_before(self, placed: PlacedCircuits) -> BoundSelfTest:
        return BoundSelfTest.of(placed.circuits[0].circuit, self.placer.device)

    def _test_amount(self, placed: PlacedCircuits) -> Amount:
        """The QPU seconds, jobs and shots of the self-test that is due; nothing if none is."""
        if not self._self_tests.is_due:
            return Amount()
        circuits = self._test_before(placed).circuits
        longest = max(duration(circuit, self.placer.chip) for circuit in circuits)
        executions = len(circuits) * SHOTS
        return Amount(job_seconds(1, executions, placed.rep_delay + longest), 1, executions)
