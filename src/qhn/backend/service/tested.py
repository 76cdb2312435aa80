"""The self-tests of a run: made before the first request if one is due, and not paid for again where one has failed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence

from qhn.backend.events import Entry, Event
from qhn.backend.history import History
from qhn.backend.journal import Journal
from qhn.backend.sampler import BackendError
from qhn.backend.service.jobs import Jobs
from qhn.backend.service.selftest import BOUND, failed_before, is_due, versions

REMEDY = (
    "Install qiskit and the client of the machine as qhn requires them, then qhn resume; or make another test with "
    "qhn resume --retry-self-test"
)


class SelfTests:
    """The self-tests of a run on a device.

    Args:
        jobs: the jobs of the run.
        device: name of the device.
        of_bound: whether the run measures bound circuits, of which the order of bits alone is tested. A test of a
            training, which passes only if that order is right, counts for them; theirs does not count for a training.
    """

    def __init__(self, jobs: Jobs, device: str, *, of_bound: bool = False) -> None:
        self.jobs = jobs
        self.device = device
        self.of_bound = of_bound
        self._is_passed = False

    @property
    def is_due(self) -> bool:
        """Whether a test must be passed before anything else is measured; none is due of jobs run in this process."""
        if self._is_passed or self.jobs.connection.is_local:
            return False
        return is_due(self._that_count(self._history().self_tests()))

    def make(
        self, run: str, digest: str, measure: Callable[[str], tuple[str, str | None]], *, circuit: str | None = None
    ) -> None:
        """Make a test and note its outcome; one on its way is awaited.

        Args:
            run: identifier of the run.
            digest: hash of everything that the test measures.
            measure: function that runs the job of the test under the given tag, and returns the job's id and what is
                wrong, None if nothing is.
            circuit: what the test measures, if not the circuit of the run.

        Raises:
            BackendError: if the device does not pass the test, or has failed one that would have the same outcome.
        """
        history = self._history()
        earlier = history.self_tests()
        tag = f"qhn:{run}:test:{len(earlier)}"
        if not self.jobs.terms.conduct.retry_self_test and not history.is_under_way(tag):
            self._refuse_failed(self._that_count(earlier), digest)
        job_id, wrong = measure(tag)
        if self.jobs.journal is not None:
            outcome = Entry(
                Event.SELF_TEST,
                job_id=job_id,
                digest=digest,
                complaint=wrong,
                versions=versions(self.jobs.connection.packages),
                device=self.device,
                circuit=circuit,
            )
            self.jobs.journal.append(outcome)
        if wrong is not None:
            raise BackendError(f"{self.device} did not pass the self-test before the first step: {wrong}. {REMEDY}")
        self._is_passed = True

    def _refuse_failed(self, own: Sequence[Entry], digest: str) -> None:
        """Refuse to pay for a self-test that would fail as an earlier one did.

        Raises:
            BackendError: if there is such an earlier one; the message names its job and time.
        """
        others: list[Entry] = []
        for path in self.jobs.terms.other_journals():
            with contextlib.suppress(ValueError, OSError):  # another run's damage is not this one's
                others += Journal(path).history().self_tests()
        failed = failed_before(own, self._that_count(others), self.device, digest)
        if failed is not None:
            where = "" if failed in own else " of another run"
            raise BackendError(
                f"{self.device} did not pass the self-test{where} ({failed.job_id}, {failed.time}): "
                f"{failed.complaint}; with the same versions it is not paid for again, and nothing was submitted. "
                f"{REMEDY}"
            )

    def _that_count(self, tests: Iterable[Entry]) -> list[Entry]:
        """The tests that tell something of this run: a test without angles that was passed says nothing of angles."""
        return [test for test in tests if self.of_bound or test.circuit != BOUND or test.complaint is not None]

    def _history(self) -> History:
        return History() if self.jobs.journal is None else self.jobs.journal.history()
