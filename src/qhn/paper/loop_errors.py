"""The loop of upload, solution and download against true sparse descent, by the number of shots of a segment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from qhn.arrays import Bits, Floats
from qhn.bitstrings import from_integers
from qhn.carleman.download import Downloaded, download
from qhn.paper.inference import Difference
from qhn.paper.qsgd_plan import LOOP
from qhn.quantum_sgd.beside import loss_error, segment_of
from qhn.quantum_sgd.config import QsgdConfig
from qhn.quantum_sgd.load import load_descent
from qhn.quantum_sgd.reading import Reading, Task
from qhn.quantum_sgd.segment import Segment
from qhn.quantum_sgd.start import start_of
from qhn.quantum_sgd.upload import batches_of, descended, upload

EXACT = 0  # number of shots that stands for exact amplitudes
SHOTS = (1_000, 10_000, 100_000, 1_000_000)  # of a segment, over both of its circuits
SEEDS = LOOP.seeds  # whole descents for each number of shots
REPEATS, MOST_SHOTS = LOOP.repeats, LOOP.most_shots  # downloads of the first segment for each number of shots
DESCENT = "digits"


def setting(shots: int = EXACT) -> QsgdConfig:
    """The descent of the 4×4 digits that comes with qhn, with a number of shots a segment."""
    return load_descent(DESCENT, {} if shots == EXACT else {"machine.shots": shots})


@dataclass(frozen=True, eq=False)
class Uploaded:
    """A segment whose circuits are drawn from ideally: each distribution is computed once, from its statevector.

    Attributes:
        task: the segment.
    """

    task: Task

    @cached_property
    def probabilities(self) -> list[Floats]:
        """The probability of every outcome of each circuit; the solution's qubits come first in an outcome."""
        from qiskit.quantum_info import Statevector

        solvers = self.task.circuits.solvers
        return [Statevector(one.circuit).probabilities([*one.solution, *one.ancillas]) for one in solvers]

    def downloaded(self, shots: int, rng: np.random.Generator) -> Downloaded:
        """The download from a number of shots over all circuits, however few."""

        def measure(_: object, each: int) -> Bits:
            width = self.task.circuits.solvers[0].num_qubits
            drawn = [rng.choice(len(one), each, p=one / one.sum()) for one in self.probabilities]
            return np.stack([from_integers(outcomes, width) for outcomes in drawn])

        return download(self.task.circuits, measure, shots, forced=True)

    def reading(self, shots: int, rng: np.random.Generator) -> Reading:
        """The parameters after the segment, from shots or, if their number is 0, from exact amplitudes."""
        if shots == EXACT:
            return self.task.read(None)
        found = self.downloaded(shots, rng)
        return Reading(self.task.upload.landed(found.displacement), np.square(found.std_error))


def descent(case: tuple[int, int]) -> list[Segment]:
    """The segments of a whole descent, given by its number of shots a segment and its seed."""
    shots, seed = case
    config, rng = setting(shots), np.random.default_rng([seed, shots])
    start = start_of(config)
    theta = path = start.theta
    segments: list[Segment] = []
    for number in range(config.descent.segments):
        system = upload(config, start.model, theta, number)
        assert system is not None
        system.diagnosis.check()
        reading = Uploaded(Task(config, number, system)).reading(shots, rng)
        segments.append(segment_of(config, start.model, system, reading, number, path))
        theta, path = np.array(segments[-1].after), np.array(segments[-1].beside.true_path)
    return segments


@dataclass(frozen=True, eq=False)
class Descents:
    """Whole descents of several seeds with the same number of shots a segment.

    Attributes:
        shots: number of shots of a segment; 0 for exact amplitudes.
        descents: the segments of each descent.
    """

    shots: int
    descents: Sequence[Sequence[Segment]]

    @property
    def update_errors(self) -> Floats:
        """The error of each segment's update relative to the true one from its start: ``[num_seeds, num_segments]``."""
        return np.array([[one.update_error for one in segments] for segments in self.descents])

    @property
    def end_errors(self) -> Floats:
        """The distance of the last θ from that of true descent, relative to the whole way: ``[num_seeds]``."""
        ends = [(s[0].before, s[-1].after, s[-1].beside.true_path) for s in self.descents]
        return np.array([np.linalg.norm(np.subtract(a, b)) / np.linalg.norm(np.subtract(b, o)) for o, a, b in ends])

    @property
    def decrease_errors(self) -> Floats:
        """The error of the decrease of the loss in all segments, relative to the true one: ``[num_seeds]``."""
        return np.array([self._share(s, s[-1].loss - s[-1].beside.losses["true_path"]) for s in self.descents])

    def _share(self, segments: Sequence[Segment], difference: float) -> float:
        first = segments[0].beside.losses["before"]
        return abs(difference) / (first - segments[-1].beside.losses["true_path"])


@dataclass(frozen=True, eq=False)
class Coverage:
    """Many downloads of the first segment with the same number of shots.

    Attributes:
        shots: number of shots of a download.
        counts: signal counts a parameter that are expected.
        errors: distance from what the circuits hold, relative to its norm, ``[num_repeats]``.
        stated: root of the summed squares of the stated errors, relative to the same norm, ``[num_repeats]``.
        inside: whether the 95 % interval of each parameter holds the value that the circuits hold,
            ``[num_repeats, num_kept]``.
        inside_true: whether it holds the value of true descent, from which truncation and the solver differ, too.
        is_decrease_within: whether the loss differs from that by true descent by at most twice its stated error,
            ``[num_repeats]``.
    """

    shots: int
    counts: float
    errors: Floats
    stated: Floats
    inside: Floats
    inside_true: Floats
    is_decrease_within: Floats


def share_that_holds(inside: Floats) -> Difference:
    """The share of parameters whose interval holds a value, as a mean over downloads, each of which is one draw.

    Args:
        inside: whether the interval of each parameter does, ``[num_repeats, num_kept]``.

    >>> together = np.repeat([[1.0], [0.0], [1.0], [1.0], [1.0]], 4, axis=1)  # all intervals of a download, or none
    >>> share_that_holds(together).words(2)
    '0.80 (0.20 to 1.00)'
    """
    return Difference.of_resamples(inside.mean(axis=1))


def coverage(shots: int) -> Coverage:
    """The coverage of the intervals of downloads of the first segment."""
    config, rng = setting(shots), np.random.default_rng(shots)
    start = start_of(config)
    system = upload(config, start.model, start.theta, 0)
    assert system is not None
    one = Uploaded(Task(config, 0, system))
    held = one.task.read(None).theta - system.reference
    batches = batches_of(config, start.model, 0)
    true = descended(start.model, start.theta, config.descent.learning_rate, batches) - system.reference
    found = [one.downloaded(shots, rng) for _ in range(min(REPEATS, MOST_SHOTS // shots))]

    def within(one: Downloaded) -> bool:
        theta = system.landed(one.displacement)
        error = abs(start.model.loss(theta) - start.model.loss(system.landed(true)))
        return bool(error <= 2 * loss_error(start.model, theta, np.square(one.std_error)))

    low, high = np.stack([each.interval for each in found]).transpose(2, 0, 1)
    values, norm = np.stack([each.displacement for each in found]), float(np.linalg.norm(held))
    return Coverage(
        shots,
        one.task.circuits.signal_counts(norm, shots // len(one.task.circuits.solvers)),
        np.linalg.norm(values - held, axis=1) / norm,
        np.linalg.norm([each.std_error for each in found], axis=1) / norm,
        ((low <= held) & (held <= high)).astype(np.float64),
        ((low <= true) & (true <= high)).astype(np.float64),
        np.array([within(one) for one in found], dtype=np.float64),
    )
