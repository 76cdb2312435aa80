"""What a run on a device should measure: E of each step with its 95 % interval, from rehearsals on the device's twin.

Every rehearsal is the whole run as it is configured, from the same first angles, on the noise of the device's
calibration as it is now; only the random numbers of its shots are others. Their spread is what shots and the path that
they send θ on do to E. What the calibration does not know is not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qhn import checksums
from qhn.arrays import Floats
from qhn.backend import RehearsalSettings, machine_of
from qhn.backend.rehearsal import FakeDevice
from qhn.config import RunConfig
from qhn.durable import replace as replace_file
from qhn.errors import QhnError, RecordError
from qhn.run.plan import prepare
from qhn.run.record import shown_error
from qhn.run.recorder import Unrecorded
from qhn.run.session import BackendFacts
from qhn.run.training import Training
from qhn.text import aligned

if TYPE_CHECKING:
    from qiskit.providers import BackendV2

FEWEST, MOST = 3, 1000  # rehearsals
SHARE = 0.95  # of new runs whose E lies in the interval, if it is normally distributed


@dataclass(frozen=True)
class Expectation:
    """What a run on a device should measure at each step.

    Attributes:
        run_id: identifier of the run.
        backend: name of the device.
        calibration: date of the device's calibration.
        qubits: numbers of the device's qubits of each tile.
        energies: E as it is measured, with the mitigation of the run, ``[num_rehearsals, num_steps]``.

    >>> found = Expectation("r", "fake_torino", "2024-05-01", ((0, 1),), np.array([[0.5, 0.2], [0.6, 0.3], [0.7, 0.4]]))
    >>> [ends.round(2).tolist() for ends in found.interval]
    [[0.1, -0.2], [1.1, 0.8]]
    """

    run_id: str
    backend: str
    calibration: str
    qubits: tuple[tuple[int, ...], ...]
    energies: Floats

    @property
    def num_rehearsals(self) -> int:
        """The number of rehearsals."""
        return len(self.energies)

    @property
    def mean(self) -> Floats:
        """The mean of E over the rehearsals, ``[num_steps]``."""
        mean: Floats = self.energies.mean(axis=0)
        return mean

    @property
    def interval(self) -> tuple[Floats, Floats]:
        """The ends of the 95 % interval of E in another run, ``[num_steps]`` each, by Student's t distribution.

        It holds what one more run measures, and not the mean: it does not become narrower than the spread of runs.
        """
        from scipy.stats import t  # half a second to import

        number = self.num_rehearsals
        quantile = float(t.ppf((1 + SHARE) / 2, number - 1))
        half = quantile * self.energies.std(axis=0, ddof=1) * np.sqrt(1 + 1 / number)
        return self.mean - half, self.mean + half

    def table(self) -> str:
        """The expected E of each step with its interval as text."""
        rows = [
            (f"{step}", f"{mean:.4f}", f"{low:.4f}", f"{high:.4f}")
            for step, (mean, low, high) in enumerate(zip(self.mean, *self.interval, strict=True))
        ]
        return aligned(("step", "E expected", "95 % from", "to"), rows)

    def words(self) -> str:
        """One sentence on where the numbers come from."""
        date = self.calibration[:10] or "unknown date"
        return f"{self.num_rehearsals:,} rehearsals on the twin of {self.backend}, calibration of {date}"

    def to_json(self) -> dict[str, Any]:
        """The attributes as JSON values, with the mean and the interval for other programs."""
        low, high = self.interval
        return {
            "run_id": self.run_id,
            "backend": self.backend,
            "calibration": self.calibration,
            "qubits": [list(tile) for tile in self.qubits],
            "mean": self.mean.tolist(),
            "low": low.tolist(),
            "high": high.tolist(),
            "energies": self.energies.tolist(),
        }

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> Expectation:
        """The inverse of :meth:`to_json`.

        Raises:
            ValueError: if the values are not those of an expectation.
        """
        try:
            energies = np.array(tree["energies"], dtype=np.float64)
            qubits = tuple(tuple(map(int, tile)) for tile in tree["qubits"])
            names = [str(tree[name]) for name in ("run_id", "backend", "calibration")]
        except (KeyError, TypeError) as error:
            raise QhnError(f"it holds no expected E ({type(error).__name__})") from None
        if energies.ndim != 2 or len(energies) < FEWEST:
            raise QhnError(f"it holds no expected E of {FEWEST} rehearsals or more")
        return cls(names[0], names[1], names[2], qubits, energies)


def expect(
    config: RunConfig,
    device: BackendV2,
    rehearsals: int,
    *,
    trust: bool = False,
    tell: Callable[[str], object] = lambda words: None,
) -> Expectation:
    """Rehearse a run on the twin of a device several times; nothing is submitted, and nothing is recorded.

    The first rehearsal draws the shots that a recorded one with the same seed draws on the same calibration; the others
    take the seeds that follow.

    Args:
        config: the configuration of the run, whose backend is the device.
        device: the device, of which only the description and the calibration are used.
        rehearsals: number of rehearsals.
        trust: whether every program that the configuration names may be run.
        tell: a function that is called with a line of text before each rehearsal.

    Raises:
        QhnError: if the device cannot run the configuration, or the number of rehearsals is out of bounds.
    """
    if not FEWEST <= rehearsals <= MOST:
        raise QhnError(f"rehearsals must be {FEWEST} to {MOST:,}, got {rehearsals:,}")
    if config.train.shots is None:
        raise QhnError("a device measures shots; give --shots")
    settings = config.device.settings(machine_of("fake_"))
    assert isinstance(settings, RehearsalSettings)
    plan, machine = prepare(config, named=True, trust=trust), FakeDevice(device, settings)
    energies: list[list[float]] = []
    for number in range(rehearsals):
        tell(f"rehearsal {number + 1} of {rehearsals}")
        train = config.train.model_copy(update={"seed": config.train.seed + number})
        seeded = replace(plan, config=config.model_copy(update={"train": train}))
        training = Training(seeded, Unrecorded(), machine)
        energies.append([step.mean for step in training])
    common = min(map(len, energies))
    facts = BackendFacts(machine.compile(plan.ansatz.unrolled).describe())
    date = str(facts.facts["calibration"]["date"])
    return Expectation(config.run_id, device.name, date, facts.qubits, np.array([found[:common] for found in energies]))


def place_of(folder: Path, run_id: str) -> Path:
    """The path of the file that keeps what a run should measure, beside the directory of the run.

    Args:
        folder: the directory of the experiment's runs.
        run_id: identifier of the run.
    """
    return folder / f"{run_id}-expected.json"


def keep(expectation: Expectation, folder: Path) -> Path | None:
    """Write what a run should measure beside the run's directory, in place of an earlier one.

    Args:
        expectation: what the run should measure.
        folder: the directory of the experiment's runs, which is made if need be.

    Returns:
        The path of the file; None if the run has begun: what was expected of it is no longer changed then.
    """
    if (folder / expectation.run_id).exists():
        return None
    folder.mkdir(parents=True, exist_ok=True)
    path = place_of(folder, expectation.run_id)
    content = checksums.document(expectation.to_json())
    replace_file(path, lambda file: file.write(content))
    return path


def kept(folder: Path, run_id: str) -> Expectation | None:
    """What a run should measure, as :func:`keep` wrote it; None if it was not asked for before the run.

    Args:
        folder: the directory of the experiment's runs.
        run_id: identifier of the run.

    Raises:
        RecordError: if the file is damaged, or is that of another run.
    """
    path = place_of(folder, run_id)
    try:
        found = Expectation.from_json(checksums.parse_document(path.read_bytes()))
        if found.run_id != run_id:
            raise QhnError("it is of another run")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise RecordError(f"{path} is damaged: {shown_error(error)}; move it away") from None
    return found
