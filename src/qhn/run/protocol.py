"""Whether everything is in place for a run that is paid for: the protocol of docs/hardware.md, point by point.

Nothing is submitted, and nothing stays in the results directory. On a stored device the same points are checked
without an account.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qhn.backend import BackendError, open_backend
from qhn.backend.device.placement import Placement, place
from qhn.backend.doctor import Finding, age_of, examine_account, examine_installation
from qhn.backend.journal import Journal
from qhn.backend.names import TWIN
from qhn.backend.service.selftest import ROWS, SHOTS, SelfTest, failed_before, is_due
from qhn.backend.settings import DeviceSettings
from qhn.budget.forecast import Forecast, qpu_time
from qhn.circuit.ansatz import Ansatz
from qhn.config import RunConfig
from qhn.config.file import with_settings
from qhn.errors import QhnError
from qhn.run.directories import journals_beside, results_directory, run_directories
from qhn.run.expectation import kept
from qhn.run.plan import prepare
from qhn.run.record import Record, lock_of
from qhn.run.step import Ending
from qhn.run.writable import examine_locks, examine_room
from qhn.text import counted, in_line

if TYPE_CHECKING:
    from qiskit.providers import BackendV2

IBM = "ibm_"  # the machines whose account qhn can ask what it has left
MARGIN = 1.25  # ratio of a budget to the price, as qhn run proposes it
SPARE_BYTES = 50_000_000  # for pictures, calibrations and the table of costs, beside the measured bits
BROKEN_OFF = (Ending.QUOTA, Ending.INTERRUPTED, Ending.DETACHED, Ending.PAUSED)  # outcomes of a run that would go on


@dataclass(frozen=True)
class Protocol:
    """The points to check before a run on a device.

    Attributes:
        config: the configuration of the run.
        results: the directory of all runs; None for the default.
        words: the experiment and options of the command line without the backend, for commands that mend something.
        trust: whether every program that the configuration names may be run.

    Raises:
        QhnError: at construction, if the run is not one on a device, with shots.
    """

    config: RunConfig
    results: Path | None = None
    words: str = ""
    trust: bool = False

    def __post_init__(self) -> None:
        backend = self.config.train.backend
        if not self.config.train.machine.is_priced:
            raise QhnError(
                f"the protocol is of a run on a device with a price in QPU seconds, and {backend} has none; "
                "give --backend ibm_<device>"
            )
        if self.config.train.shots is None:
            raise QhnError("a device measures shots; give --shots")

    def examine(self) -> Iterator[Finding]:
        """Check all points in order; those that need the device only if it can be reached.

        Raises:
            QhnError: if the configuration cannot be run on any machine.
        """
        ansatz = prepare(self.config, named=True, trust=self.trust).ansatz
        yield from examine_installation()
        yield self._answers()
        device, left = yield from self._reached()
        placement = None
        if device is not None:
            placement = yield from self._placed(device, ansatz)
        if placement is not None:
            yield from self._priced(Forecast(self.config, ansatz, placement), left)
            yield self._self_test(placement)
        yield from self._disk(None if placement is None else Forecast(self.config, ansatz, placement))
        yield self._record()
        yield self._rehearsed()
        yield self._expected(placement)

    def _answers(self) -> Finding:
        """Whether the installed client makes of recorded answers what it made of them when they were recorded."""
        from qhn.backend.ibm.answers import answers

        try:
            found = answers()
            wrong = {name: said for name, answer in found.items() if (said := answer.complaint()) is not None}
        except (QhnError, OSError) as error:
            return Finding("answers", "bad", f"{error}; install qhn again")
        if not found:
            return Finding("answers", "bad", "no recorded answer of the service comes with qhn; install it again")
        if wrong:
            name, said = next(iter(wrong.items()))
            remedy = "the installed client reads answers otherwise: install qiskit-ibm-runtime as qhn requires it"
            return Finding("answers", "bad", f"{name} {said}; {remedy}")
        return Finding("answers", "ok", f"{counted(len(found), 'recorded answer')} of the service read as recorded")

    def _reached(self) -> Generator[Finding, None, tuple[BackendV2 | None, float | None]]:
        """Check the account and whether the device works; returns it, None if it does not, and the seconds left."""
        name = self.config.train.backend
        if self.config.train.machine.name != IBM:
            try:
                found = open_backend(name)
            except QhnError as error:
                yield Finding("device", "bad", str(error))
            except BackendError as error:
                yield Finding("device", "unreachable", f"{error}; try again later")
            else:
                is_billed = self.config.train.machine.bills
                more = "what its account has left is not asked for" if is_billed else "simulated: nothing is billed"
                yield Finding("device", "ok", f"{name} opens; {more}")
                return getattr(found, "device"), None  # noqa: B009 – not every machine has one
            return None, None
        from qhn.backend.ibm.account import account_device, devices, seconds_left

        service = yield from examine_account()
        if service is None:
            return None, None
        left = seconds_left(service)
        try:
            reached = {device.name: device for device in devices(service)}
            if name not in reached:
                others = ", ".join(reached) or "none"
                yield Finding("device", "bad", f"the account does not reach {in_line(name)}; it reaches {others}")
                return None, left
            facts, found = reached[name], account_device(name)
        except QhnError as error:
            yield Finding("device", "bad", str(error))
            return None, left
        except BackendError as error:
            yield Finding("device", "unreachable", f"{error}; try again later")
            return None, left
        words = f"{name}, {facts.num_qubits} qubits, {counted(facts.queue, 'job')} waiting"
        if facts.operational:
            yield Finding("device", "ok", words)
        else:
            yield Finding(
                "device", "bad", f"{words}, paused: jobs would wait; try again later, or --backend least-busy"
            )
        return found, left

    def _placed(self, device: BackendV2, ansatz: Ansatz) -> Generator[Finding, None, Placement | None]:
        """Check the calibration, and that the circuit fits onto the device; returns the placed circuit."""
        settings = self.config.device.settings(self.config.train.machine)
        assert isinstance(settings, DeviceSettings)
        try:
            placement = place(ansatz.unrolled, device, settings)
        except QhnError as error:
            yield Finding("layout", "bad", str(error))
            return None
        except Exception as error:  # of a client that does not answer: its texts can hold account data
            yield Finding("layout", "unreachable", f"{device.name} was not described ({type(error).__name__})")
            return None
        chip = placement.chip
        age = age_of(chip.date) if self.config.train.machine.bills else ""
        gaps = f"; not reported: {', '.join(gap.what for gap in chip.assumed)}" if chip.assumed else ""
        words = f"{chip.date or 'at an unknown time'}{age}{gaps}"
        yield Finding("calibrated", "note" if age.endswith("old") or not chip.date else "ok", words)
        qubits = "-".join(map(str, placement.qubits[0]))
        more = f" and {counted(len(placement.tiles) - 1, 'more tile')}" if len(placement.tiles) > 1 else ""
        fidelity = placement.chains[0].fidelity
        yield Finding("layout", "ok", f"qubits {qubits}{more}, estimated fidelity {fidelity:.3f}")
        return placement

    def _priced(self, forecast: Forecast, left: float | None) -> Iterator[Finding]:
        """Check the price against the budget of the run, and the budget against what the account has left."""
        price, budget = forecast.seconds, self.config.train.max_qpu_seconds
        first = forecast.step(0).seconds + forecast.self_test().seconds
        test = " and a self-test" * self.config.train.machine.bills
        known = f"{counted(self.config.train.steps, 'step')}{test} take {qpu_time(price)}"
        enough = math.ceil(MARGIN * price)
        if budget is None and self.config.train.max_shots is None:
            yield Finding("budget", "bad", f"{known}, without a limit; add --set train.max_qpu_seconds={enough}")
        elif budget is not None and budget < price:
            what = "not even a first step fits" if budget < first else "the run would end early"
            remedy = f"--set train.max_qpu_seconds={enough}, fewer steps, or what qhn estimate says"
            yield Finding("budget", "bad", f"{known}, train.max_qpu_seconds is {budget:g}: {what}; {remedy}")
        else:
            limit = f"{budget:g} may be spent" if budget is not None else f"train.max_shots limits it ({price:,.1f} s)"
            yield Finding("budget", "ok", f"{known}, {limit}")
        if not self.config.train.machine.bills:
            return
        if left is None:
            yield Finding("seconds", "note", "the account names no limit, or the service does not say what is left")
        elif left < price:
            yield Finding(
                "seconds", "bad", f"{left:,.1f} left of the account, {price:,.1f} needed; wait, or fewer steps"
            )
        elif budget is not None and left < budget:
            yield Finding("seconds", "note", f"{left:,.1f} left of the account, less than the budget of {budget:g}")
        else:
            yield Finding("seconds", "ok", f"{left:,.1f} left of the account")

    def _self_test(self, placement: Placement) -> Finding:
        """Whether the self-test before the first step is prepared, passed before, or has failed on this device."""
        from qhn.backend.service.placed import measured_digest

        test = SelfTest.of(placement)
        digest, device = measured_digest(placement, test.angles, SHOTS, 0), placement.chip.name
        try:
            record = self._directory / "jobs.jsonl"
            own = Journal(record).history().self_tests() if record.exists() else []
            others = [one for path in journals_beside(self._directory) for one in _self_tests(path)]
        except (QhnError, OSError) as error:
            return Finding("self-test", "bad", str(error))
        if own and not is_due(own):
            return Finding("self-test", "ok", "passed before in this run, with the same versions")
        failed = failed_before(own, others, device, digest)
        if failed is not None:
            words = f"failed on {device} at {failed.time} (job {failed.job_id}): {failed.complaint}"
            return Finding("self-test", "bad", f"{words}; other versions, or qhn run … --retry-self-test")
        what = "one rotation of each qubit" if test.is_bare else "the circuit of the run"
        return Finding("self-test", "ok", f"prepared: {what} at {ROWS} sets of angles of known outcome × {SHOTS} shots")

    @property
    def _directory(self) -> Path:
        """The directory that the run will have."""
        return results_directory(self.results) / self.config.experiment / self.config.run_id

    def _disk(self, forecast: Forecast | None) -> Iterator[Finding]:
        """Whether the results directory can be written and locked, and has room for the measured bits."""
        needed = SPARE_BYTES
        if forecast is not None and forecast.placement is not None:
            width = len(forecast.placement.tiles) * forecast.ansatz.num_qubits
            needed += sum(one.shots for one in forecast.steps) * 2 * math.ceil(width / 8)  # kept twice at most
        place = results_directory(self.results)
        yield from (examine_room(place, needed), examine_locks(place))

    def _record(self) -> Finding:
        """Whether the run is new, or can go on."""
        record = Record(self._directory, self.config)
        if not record.exists:
            return Finding("run", "ok", f"{self.config.run_id} is new")
        try:
            record = Record.load(self._directory)
            with lock_of(self._directory):
                taken, outcome = record.checkpoint().num_steps, record.outcome()
        except (QhnError, OSError) as error:
            return Finding("run", "bad", str(error))
        ended = f", {outcome.name}" if outcome else ""
        words = f"{self.config.run_id} has begun: {counted(taken, 'step')}{ended}; qhn resume goes on"
        return Finding("run", "note", f"{words}, and --restart begins anew")

    def _rehearsed(self) -> Finding:
        """Whether the same run was rehearsed to its end, on a stored device or on the twin of a present calibration."""
        for directory in run_directories(results_directory(self.results)):
            try:
                record = Record.load(directory)
                train = record.config.train
                if not train.machine.chip or train.machine.bills:  # a plug-in is not opened to know it
                    continue
                same = with_settings(record.config, {"train.backend": self.config.train.backend})
                outcome, taken = record.outcome(), record.checkpoint().num_steps
            except (QhnError, OSError):  # another run's damage is not this one's
                continue
            if same.run_id == self.config.run_id and outcome is not None and outcome.name not in BROKEN_OFF:
                words = f"{directory} on {train.backend}: {counted(taken, 'step')}, {outcome.name}"
                return Finding("rehearsed", "ok", words)
        name = self.config.train.backend
        rehearsal = f"{TWIN}{name}" if self.config.train.machine.bills else name
        return Finding("rehearsed", "bad", f"none with these settings: qhn run {self.words} --backend {rehearsal}")

    def _expected(self, placement: Placement | None) -> Finding:
        """Whether it was written down what the run should measure, with the present calibration and qubits."""
        backend = self.config.train.backend
        command = f"qhn estimate {self.words} --backend {backend} --rehearsals 20"
        try:
            found = kept(self._directory.parent, self.config.run_id)
        except QhnError as error:
            return Finding("expected", "bad", str(error))
        if found is None:
            return Finding("expected", "bad", f"E with its interval is not written down: {command}")
        last = found.energies.shape[1] - 1
        low, high = (float(ends[last]) for ends in found.interval)
        words = f"E {low:.4g} to {high:.4g} at step {last}, by {found.words()}"
        if placement is not None and (found.calibration, found.qubits) != (placement.chip.date, placement.qubits):
            what = "calibrated anew" if found.calibration != placement.chip.date else "placed on other qubits"
            return Finding("expected", "bad", f"{words}; the device was {what} since: {command}")
        return Finding("expected", "ok", words)


def _self_tests(path: Path) -> Sequence[Any]:
    """The self-tests in a journal of another run; none if it is damaged, which is not this run's."""
    try:
        return Journal(path).history().self_tests()
    except (QhnError, OSError):
        return ()
