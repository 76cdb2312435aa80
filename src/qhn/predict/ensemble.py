"""Prediction by an ensemble of the networks that a trained circuit yields, weighted by how often each was measured."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qhn import bitstrings, checksums, durable
from qhn.arrays import Bits, Floats
from qhn.backend.sampler import KnownDistribution
from qhn.circuit.ansatz import gate_angles
from qhn.errors import NotFoundError, QhnError
from qhn.npz import open_npz
from qhn.problem.cost import networks_of
from qhn.problem.network import check_classes, check_names
from qhn.problem.preprocessing import Preprocessing, as_features, check_array
from qhn.problem.search_space import BLOCK, SearchSpace
from qhn.run.record import Record
from qhn.run.recorded_machine import recorded_machine
from qhn.run.training import Training
from qhn.table.encoding import Encoding
from qhn.text import clipped, parse_json
from qhn.threads import in_parallel, num_cores

MAX_NETWORKS = 4096  # networks taken from an exact run's distribution
ARRAYS = ("space", "bits", "weights", "classes", "left_out", "mean", "scale", "feature_names")  # in its file
NEGLIGIBLE = 1e-6  # networks less probable than this, times the most probable one, are left out


@dataclass(frozen=True)
class Ensemble:
    """An ensemble of weighted binary networks, p(class | x) = Σ_w q(w) p_w(class | x), complete in itself.

    Attributes:
        space: the search space, which says what the bits mean.
        bits: the different networks, ``[M, num_qubits]``, in descending order of weight.
        weights: the weights q(w), ``[M]``, whose sum is 1.
        classes: the label of each class, ``[K]``.
        mean, scale: numbers ``[inputs]`` by which a feature x is standardised, (x − mean) / scale.
        left_out: total probability of the networks that were left out, before the weights were normalised.
        feature_names: one name per input; if empty, a data frame's columns count by their place.
        encoding: how the columns of a table become the features; None if they are the features.

    Raises:
        ValueError: at construction, if ``bits`` or ``weights`` has a wrong shape or values.

    >>> coin = Ensemble(SearchSpace(1), [[1, 1], [0, 1]], [0.5, 0.5], np.array(["no", "yes"]), np.zeros(1), np.ones(1))
    >>> coin.probabilities([[0.0], [5.0]]).round(3)
    array([[0.269, 0.731],
           [0.492, 0.508]])
    >>> coin.predict([0.0]), coin.num_networks, round(coin.effective_number, 12)
    (np.str_('yes'), 2, 2.0)
    """

    space: SearchSpace
    bits: Bits
    weights: Floats
    classes: NDArray[Any]
    mean: Floats
    scale: Floats
    left_out: float = 0.0
    feature_names: tuple[str, ...] = ()
    encoding: Encoding | None = None

    def __post_init__(self) -> None:
        bits = bitstrings.as_bits(self.bits, self.space.num_qubits)
        weights = np.asarray(self.weights, dtype=np.float64)
        if bits.ndim != 2 or weights.shape != bits.shape[:1] or not len(bits):
            raise QhnError(
                f"an ensemble takes bits [networks, qubits] and one weight a network, at least one network; got "
                f"{list(bits.shape)} and {list(weights.shape)}"
            )
        if not (weights >= 0).all() or abs(weights.sum() - 1) > 1e-9:
            raise QhnError(f"weights must be 0 or more and sum up to 1, got a sum of {weights.sum():g}")
        object.__setattr__(self, "bits", bits)
        object.__setattr__(self, "weights", weights)

    @classmethod
    def of(cls, run: Record | Training, step: int | None = None) -> Ensemble:
        """The ensemble of networks measured at a step's θ, by default the last step's.

        A network's weight is its share of the shots. The ensemble of an exact run has its most probable networks,
        weighted by their probabilities: up to 4,096 networks, and none that is a million times less probable than the
        first.

        Args:
            run: the record of a run, or a training, which need not be recorded.
            step: number of the step, from 0; None for the last one.

        Raises:
            ValueError: if the run has no such step, or its bits are not kept.
        """
        steps = run.steps()
        if not steps:
            name, remedy = (
                ("the training", "iterate over it")
                if isinstance(run, Training)
                else (f"run {run.directory}", "qhn resume continues it")
            )
            raise QhnError(f"{name} has no complete step yet; {remedy}")
        if step is not None and not 0 <= step < len(steps):
            raise QhnError(f"step must be from 0 to {len(steps) - 1}, the last of the run, got {step}")
        at = steps[-1 if step is None else step]
        config = run.config
        problem = networks_of(run.problem) if isinstance(run, Training) else config.networks()
        if config.train.shots is None:
            ansatz = config.circuit(problem)
            record = run.record if isinstance(run, Training) else run
            machine = config.backend() if record is None else recorded_machine(record)
            sampler = machine.compile(ansatz.unrolled)
            assert isinstance(sampler, KnownDistribution)  # no other does without shots
            bits, probabilities = most_probable(sampler.probabilities(gate_angles(ansatz, at.theta)[None])[0])
            left_out = max(0.0, 1 - float(probabilities.sum()))
        else:
            bits, probabilities = distinct_bits(run.samples(at.step))
            left_out = 0.0
        data = problem.dataset
        weights = probabilities / probabilities.sum()
        return cls(
            problem.space,
            bits,
            weights,
            data.classes,
            data.mean,
            data.scale,
            left_out=left_out,
            feature_names=data.feature_names,
            encoding=data.encoding,
        )

    def only(self, bits: ArrayLike) -> Ensemble:
        """The ensemble of one network ``[num_qubits]`` alone."""
        return replace(self, bits=np.asarray(bits)[None], weights=np.ones(1), left_out=0.0)

    @property
    def num_networks(self) -> int:
        """The number of different networks."""
        return len(self.weights)

    @property
    def effective_number(self) -> float:
        """The effective number of networks exp(−Σ q log q): as many networks of equal weight have the same entropy."""
        positive = self.weights[self.weights > 0]
        return float(np.exp(-(positive @ np.log(positive))))

    @property
    def preprocessing(self) -> Preprocessing:
        """How raw samples become the inputs of the networks."""
        return Preprocessing(self.space.num_inputs, self.mean, self.scale, self.feature_names, self.encoding)

    def probabilities(self, x: Any) -> Floats:
        """The probability of each class for raw samples, which are encoded and standardised as the training samples.

        Args:
            x: the raw samples: an array or rows ``[..., columns]``, or a data frame, a row of one or a mapping, whose
                columns are taken by their names.

        Returns:
            The probabilities ``[..., K]``.

        Raises:
            QhnError: if there are not the columns that the networks learned from, or a value is missing and nothing
                stands in for it.
        """
        return self.probabilities_of_inputs(self.preprocessing.inputs(x))

    def probabilities_of_inputs(self, inputs: Any) -> Floats:
        """The probability of each class for samples that are encoded and standardised already: ``[..., K]``.

        Args:
            inputs: the samples ``[..., inputs]`` as a :class:`~qhn.problem.datasets.Dataset` holds them.

        Raises:
            QhnError: if the last axis of ``inputs`` is not as long as the networks have inputs.
        """
        features = as_features(inputs, self.space.num_inputs)
        rows = features.reshape(-1, self.space.num_inputs)
        samples = max(1, min(len(rows), BLOCK // 64))
        networks = max(1, BLOCK // (samples * self.space.num_classes))

        def averaged(part: Floats) -> Floats:
            total = np.zeros((len(part), self.space.num_classes))
            for start in range(0, self.num_networks, networks):
                chosen = slice(start, start + networks)
                total += np.tensordot(self.weights[chosen], self.space.probabilities(self.bits[chosen], part), axes=1)
            return total

        parts = [rows[start : start + samples] for start in range(0, len(rows), samples)]
        found = in_parallel(averaged, parts, num_cores())
        empty = np.empty((0, self.space.num_classes))
        return np.concatenate([empty, *found]).reshape(*features.shape[:-1], self.space.num_classes)

    def predict(self, x: Any) -> NDArray[Any]:
        """The label of the most probable class of each raw sample, of equal ones the first: ``[...]``.

        Args:
            x: the raw samples, as for :meth:`probabilities`.

        Raises:
            QhnError: if :meth:`probabilities` refuses ``x``.
        """
        return np.asarray(self.classes[self.classes_of_inputs(self.preprocessing.inputs(x))])[()]

    def classes_of_inputs(self, inputs: Any) -> NDArray[np.intp]:
        """The place in ``classes`` of the most probable class for samples that are encoded and standardised: ``[...]``.

        Args:
            inputs: the samples ``[..., inputs]`` as a :class:`~qhn.problem.datasets.Dataset` holds them.

        Raises:
            QhnError: if the last axis of ``inputs`` is not as long as the networks have inputs.
        """
        found: NDArray[np.intp] = self.probabilities_of_inputs(inputs).argmax(axis=-1)
        return found

    def save(self, path: str | Path) -> None:
        """Write the ensemble as an ``.npz`` file of plain arrays, which :func:`load_ensemble` reads."""
        durable.export(path, self.write)

    def write(self, file: IO[bytes]) -> None:
        """Write the ensemble into an open binary file, in the format of :meth:`save`."""
        arrays = {"weights": self.weights, "classes": self.classes, **self.preprocessing.arrays()}
        arrays |= {"bits": bitstrings.pack(self.bits), "left_out": self.left_out}
        file.write(checksums.arrays(space=json.dumps(asdict(self.space)), **arrays))


def load_ensemble(path: str | Path) -> Ensemble:
    """Read an ensemble from an ``.npz`` file, such as ``ensemble.npz`` in the folder of a run.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not an ensemble file.
    """
    path = Path(path)
    if not path.is_file():
        raise NotFoundError(f"ensemble file {path} does not exist; qhn ensemble writes one")
    try:
        with open_npz(path) as stored:
            return _restored(dict(stored))
    except Exception as error:  # a damaged archive raises BadZipFile, KeyError, ValueError or EOFError
        raise QhnError(f"{path} is not an ensemble saved by qhn: {clipped(str(error))}") from None


def _restored(arrays: dict[str, NDArray[Any]]) -> Ensemble:
    """The ensemble whose arrays :meth:`Ensemble.write` wrote.

    Raises:
        QhnError: if an array is missing, or is none that an ensemble can have; the message names it.
    """
    arrays = {"feature_names": np.array([], dtype=str)} | arrays  # older versions did not write them
    check_names(arrays, set(ARRAYS), {"encoding"})
    tree = parse_json(str(arrays["space"]))
    space = SearchSpace(**{name: _tuples(value) for name, value in tree.items()})
    packed = arrays["bits"]
    if packed.dtype != np.uint8 or packed.ndim != 2 or packed.shape[1] != (space.num_qubits + 7) // 8:
        raise QhnError(f"bits must be those of {space.num_qubits} qubits, got {packed.dtype} {list(packed.shape)}")
    check_array("weights", arrays, (len(packed),))
    check_array("left_out", arrays, ())
    learned = Preprocessing.restored(arrays, space.num_inputs)
    check_classes(arrays["classes"], space.num_classes)
    left_out = float(arrays["left_out"])
    if not 0 <= left_out < 1:
        raise QhnError(f"left_out must be from 0 to 1, got {left_out:g}")
    return Ensemble(
        space,
        bitstrings.unpack(packed, space.num_qubits),
        arrays["weights"],
        arrays["classes"],
        learned.mean,
        learned.scale,
        left_out=left_out,
        feature_names=learned.feature_names,
        encoding=learned.encoding,
    )


def predictors(record: Record, step: int | None = None) -> dict[str, Ensemble]:
    """Three ensembles to predict with at a step, by name: all networks, the heaviest one, the best one so far.

    Raises:
        ValueError: if the run has no such step.
    """
    ensemble = Ensemble.of(record, step)
    best = record.steps()[-1 if step is None else step].best_bits
    sampled = record.config.train.shots is not None
    found = {"ensemble": ensemble}
    if ensemble.num_networks == 1 or ensemble.weights[0] > ensemble.weights[-1]:  # else none stands out
        found["most measured network" if sampled else "most probable network"] = ensemble.only(ensemble.bits[0])
    found["best sampled network" if sampled else "best of the most probable"] = ensemble.only([int(b) for b in best])
    return found


def distinct_bits(samples: Bits) -> tuple[Bits, Floats]:
    """The different bitstrings among measured ones ``[shots, num_qubits]``, most frequent first, and their shares.

    >>> distinct_bits(np.array([[0, 1], [1, 1], [1, 1], [1, 1]], dtype=np.uint8))
    (array([[1, 1],
           [0, 1]], dtype=uint8), array([0.75, 0.25]))
    """
    different, counts = bitstrings.distinct(samples)
    order = np.argsort(-counts, kind="stable")
    return different[order], counts[order] / len(samples)


def most_probable(probabilities: Floats) -> tuple[Bits, Floats]:
    """The most probable bitstrings, descending, and their probabilities, from those of all, ``[2**num_qubits]``.

    There are at most 4,096, none below a millionth of the highest probability.

    >>> most_probable(np.array([0.25, 1e-9, 0.0, 0.75]))
    (array([[1, 1],
           [0, 0]], dtype=uint8), array([0.75, 0.25]))
    """
    candidates = np.flatnonzero(probabilities > NEGLIGIBLE * probabilities.max())
    chosen = candidates[np.argsort(-probabilities[candidates], kind="stable")[:MAX_NETWORKS]]
    return bitstrings.from_integers(chosen, len(probabilities).bit_length() - 1), probabilities[chosen]


def _tuples(value: Any) -> Any:
    """Convert the lists of a JSON tree to tuples."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
