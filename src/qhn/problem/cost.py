"""The cost C of a bitstring, which is what a run minimises.

A problem is any object with ``num_qubits`` and ``cost(bits)``; training needs nothing else of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Protocol, cast

import numpy as np
from numpy.typing import ArrayLike

from qhn import bitstrings
from qhn.arrays import Bits, Floats
from qhn.errors import QhnError
from qhn.problem.class_weights import ClassWeight, weights_in_words, weights_of_classes
from qhn.problem.datasets import Dataset
from qhn.problem.network import Network, over_classes
from qhn.problem.samples import Samples
from qhn.problem.search_space import BLOCK, SearchSpace
from qhn.threads import in_parallel, num_cores

if TYPE_CHECKING:
    from qhn.problem.logistic import LogisticLosses

MAX_COST = 1e150
MANY_SAMPLES = 2**14  # samples from which on the costs of all networks are computed at once, if that is possible
MOST_LOSSES = 2.0**35  # losses of one network on one sample up to which that takes seconds
TABLE_QUBITS = 20  # qubits up to which the costs of all networks are kept: 8 MiB
NO_VALIDATION = (
    "the data set has no validation samples; set data.validation_fraction or data.validation_samples above 0"
)


class Problem(Protocol):
    """A cost of bitstrings; lower is better."""

    @property
    def num_qubits(self) -> int:
        """The number of bits of a bitstring, one qubit each."""
        ...

    def cost(self, bits: Bits) -> Floats:
        """The cost C of each bitstring, deterministic and finite: ``uint8[..., num_qubits]`` → ``float64[...]``."""
        ...


@dataclass(frozen=True)
class BinnProblem:
    """The loss of binary networks on a data set, C(w) = (1/N_s) Σ loss (arXiv:2301.08292, Eq. 2).

    With weights v_c of the classes it is C(w) = Σ_i v_{y_i} loss_i / Σ_i v_{y_i}: a sample of weight 2 counts as two
    samples of weight 1.

    Attributes:
        space: the family of binary networks, and which bit is which weight.
        dataset: the samples; only its training part enters the cost.
        loss: the loss of a sample with label y: ``"mse"``, the squared error (output − y)², or ``"cross-entropy"`` in
            nats. With K > 2 classes of probabilities p_c they are Σ_c (p_c − [y = c])² and −log p_y.
        class_weight: the weights of the classes, which also hold for the validation cost: one weight per class in the
            order of ``dataset.classes``, a mapping from labels to weights, or ``"balanced"`` for n / (K·n_c), n_c of
            the n training samples being of class c; None if all samples count alike. A problem keeps what it is given
            as a tuple in the order of the classes.

    Raises:
        ValueError: at construction, if the data does not fit the networks, the loss their output, or the weights the
            classes.

    >>> from qhn.problem.built_in_data import gaussian_mixture
    >>> problem = BinnProblem(SearchSpace(2), gaussian_mixture(100))
    >>> problem.cost(np.array([[1, 1, 1], [0, 0, 1]], dtype=np.uint8)).round(3)
    array([0.058, 0.62 ])
    """

    space: SearchSpace
    dataset: Dataset
    loss: Literal["mse", "cross-entropy"] = "mse"
    class_weight: ClassWeight = None

    def __post_init__(self) -> None:
        if self.dataset.num_features != self.space.num_inputs:
            raise QhnError(
                f"the networks have {self.space.num_inputs} inputs, the data {self.dataset.num_features} features"
            )
        if self.dataset.num_classes != self.space.num_classes:
            raise QhnError(
                f"the networks tell {self.space.num_classes} classes, the data has {self.dataset.num_classes}"
            )
        if self.loss not in ("mse", "cross-entropy"):
            raise QhnError(f"loss must be mse or cross-entropy, got {self.loss!r}")
        if self.loss == "cross-entropy" and not self.space.layers and self.space.activations != ("sigmoid",):
            raise QhnError(
                "cross-entropy needs a sigmoid output: with hidden = [] the activation acts on the output, "
                f"and it is {list(self.space.activations)}; use activation = 'sigmoid' or loss = 'mse'"
            )
        weights = weights_of_classes(self.class_weight, self.dataset.classes, self.dataset.y)
        object.__setattr__(self, "class_weight", weights)

    @property
    def num_qubits(self) -> int:
        """The number of bits of a network, one qubit each."""
        return self.space.num_qubits

    def cost(self, bits: ArrayLike) -> Floats:
        """The mean loss C over the training samples: bits ``[..., num_qubits]`` → ``[...]``."""
        if self._table is not None:
            costs: Floats = self._table[bitstrings.to_integers(bitstrings.as_bits(bits, self.num_qubits))]
            return costs
        return self._mean_losses(bits, self.samples, self._logistic)

    def table_of_costs(self) -> Floats | None:
        """The costs C of all bitstrings, ``[2**num_qubits]``, qubit 0 least significant, if one follows from others.

        None is returned where each network must be computed by itself (:mod:`qhn.problem.cost_table`).
        """
        return self._tabulated() if self._table is None else self._table.copy()

    def validation_cost(self, bits: ArrayLike) -> Floats:
        """The mean loss C over the validation samples: bits ``[..., num_qubits]`` → ``[...]``.

        Raises:
            ValueError: if the data set has no validation samples.
        """
        if not self.dataset.has_validation:
            raise QhnError(NO_VALIDATION)
        return self._mean_losses(bits, self.validation_samples, self._logistic_validation)

    @cached_property
    def held_out(self) -> BinnProblem:
        """The problem of the same networks whose cost is the validation cost.

        Raises:
            ValueError: if the data set has no validation samples.
        """
        data = self.dataset
        if not data.has_validation:
            raise QhnError(NO_VALIDATION)
        return replace(self, dataset=replace(data, x=data.x_validation, y=data.y_validation))

    @property
    def validation(self) -> BinnProblem | None:
        """The problem whose cost is the validation cost; None if the data set has no validation samples."""
        return self.held_out if self.dataset.has_validation else None

    @property
    def class_weights(self) -> tuple[float, ...] | None:
        """The weight of each class, in the order of the data's classes; None if all samples count alike."""
        return cast("tuple[float, ...] | None", self.class_weight)

    @cached_property
    def samples(self) -> Samples:
        """The training samples with their weights."""
        return Samples.of(self.dataset.x, self.dataset.y, self.class_weights)

    @cached_property
    def validation_samples(self) -> Samples:
        """The validation samples with their weights."""
        return Samples.of(self.dataset.x_validation, self.dataset.y_validation, self.class_weights)

    @property
    def num_samples(self) -> int:
        """The number of training samples, whatever the weights of their classes."""
        return len(self.dataset.y)

    @cached_property
    def cost_range(self) -> tuple[float, float]:
        """Bounds of the cost of all networks: no loss is below 0, and outputs or logits are bounded."""
        logits = self.space.largest_logits(self.samples.x)
        if self.loss == "cross-entropy":
            several = self.dataset.num_classes > 2
            each = 2 * logits + np.log(self.dataset.num_classes) if several else np.logaddexp(0.0, logits)
        elif self.dataset.num_classes > 2:
            each = np.full(len(logits), 2.0)  # two distributions differ by no more, in the sum of squares
        else:
            is_bounded = self.space.layers or set(self.space.activations) <= {"sigmoid"}
            each = np.ones(len(logits)) if is_bounded else np.square(np.maximum(logits, 1.0) + 1.0)
        return 0.0, float(self.samples.mean(each[None])[0])

    @property
    def noun(self) -> str:
        """What one bitstring stands for."""
        return "network"

    @property
    def digest(self) -> str:
        """SHA-256 of the search space, the loss, the weights of the classes and the data, in hexadecimal."""
        data = self.dataset
        weights = () if self.class_weights is None else (self.class_weights,)
        found = hashlib.sha256(repr((self.space, self.loss, *weights)).encode())
        for array in (data.x, data.y, data.x_validation, data.y_validation):
            found.update(repr(array.shape).encode() + np.ascontiguousarray(array, dtype="<f8").tobytes())
        return found.hexdigest()

    def summary(self) -> str:
        """What each qubit stands for: a table with one line a field of bits."""
        return self.space.summary()

    def loss_in_words(self) -> str:
        """The name of the loss and the weights of the classes, as one line of text."""
        if self.class_weights is None:
            return self.loss
        return f"{self.loss} with weights of classes {weights_in_words(self.class_weights, self.dataset.classes)}"

    def describe(self, bits: ArrayLike) -> list[str]:
        """The network of one bitstring ``[num_qubits]`` in words, as lines of text."""
        return self.network(bits).describe().splitlines()

    def accuracy(self, bits: ArrayLike) -> tuple[Floats, Floats | None]:
        """The share of right predictions on the samples of each part: bits ``[..., num_qubits]`` → two ``[...]``.

        The first is the training accuracy, the second the validation accuracy, or None without validation samples.
        """
        training = self._in_blocks(bits, self.samples, self._hits)
        if not self.dataset.has_validation:
            return training, None
        return training, self._in_blocks(bits, self.validation_samples, self._hits)

    def network(self, bits: ArrayLike) -> Network:
        """The network that one bitstring ``[num_qubits]`` encodes, with the data's classes and feature scales."""
        data = self.dataset
        return replace(
            self.space.decode(bits),
            classes=data.classes,
            mean=data.mean,
            scale=data.scale,
            feature_names=data.feature_names,
            image_shape=data.image_shape,
            encoding=data.encoding,
        )

    @cached_property
    def _table(self) -> Floats | None:
        """The costs of all networks, where samples are so many that they take no longer than those of a few networks.

        None is returned elsewhere. It depends on the problem alone, so that a cost is always rounded alike.
        """
        num_samples = len(self.samples)
        if num_samples < MANY_SAMPLES or 2.0**self.num_qubits > min(2.0**TABLE_QUBITS, MOST_LOSSES / num_samples):
            return None
        return self._tabulated()

    def _tabulated(self) -> Floats | None:
        from qhn.problem.cost_table import table_of_costs  # which waits for numba

        return table_of_costs(self.space, self.samples, self.loss)

    @cached_property
    def _logistic(self) -> LogisticLosses | None:
        """The losses of logistic networks on the training samples; None where they are computed as of any network."""
        return self._logistic_on(self.samples)

    @cached_property
    def _logistic_validation(self) -> LogisticLosses | None:
        """The losses of logistic networks on the validation samples; None as of :attr:`_logistic`."""
        return self._logistic_on(self.validation_samples)

    def _logistic_on(self, samples: Samples) -> LogisticLosses | None:
        if self.loss != "cross-entropy" or self.space.layers:
            return None
        from qhn.problem.logistic import LogisticLosses  # which waits for numba

        return LogisticLosses.of(self.space, samples)

    def _mean_losses(self, bits: ArrayLike, samples: Samples, logistic: LogisticLosses | None) -> Floats:
        """The mean loss of each network over samples: ``[..., num_qubits]`` → ``[...]``."""
        if logistic is None:
            return self._in_blocks(bits, samples, self._losses)
        return self._in_blocks(bits, samples, lambda part, _: logistic.means(part))

    def _losses(self, bits: Bits, samples: Samples) -> Floats:
        """The mean loss of each network over the samples: ``[B]``."""
        x, y = samples.x, samples.y
        if self.loss == "mse":
            errors = self.space.output(bits, x) - self._target(y)
            return samples.mean(np.square(errors, out=errors))
        z = self.space.forward(bits, x)
        if self.dataset.num_classes > 2:
            z -= over_classes(np.maximum, z)[..., None]  # log Σ e^z without overflow
            right = z[:, np.arange(len(y)), y.astype(np.intp)]
            return samples.mean(np.log(over_classes(np.add, np.exp(z))) - right)
        # log(1 + e^z) − y·z = z·(½ − y) + |z|/2 + log(1 + e^−|z|), without overflow
        means: Floats = z @ ((0.5 - y) * samples.weights) / samples.total
        np.negative(np.abs(z, out=z), out=z)
        means -= 0.5 * samples.mean(z)
        np.log(1.0 + np.exp(z, out=z), out=z)  # not log1p: it is several times slower, and 1e-16 is lost either way
        means += samples.mean(z)
        return means

    def _target(self, y: Floats) -> Floats:
        """The targets of the outputs: labels ``[S]``, or for more than two classes one-hot rows ``[S, classes]``."""
        return y if self.dataset.num_classes == 2 else np.eye(self.dataset.num_classes)[y.astype(np.intp)]

    def _hits(self, bits: Bits, samples: Samples) -> Floats:
        """The share of right predictions of each network: ``[B]``."""
        output = self.space.output(bits, samples.x)
        predicted = output > 0.5 if self.dataset.num_classes == 2 else output.argmax(axis=-1)
        return samples.share(predicted == samples.y)

    def _in_blocks(self, bits: ArrayLike, samples: Samples, function: Callable[[Bits, Samples], Floats]) -> Floats:
        """``function(bits, samples)``, in blocks of networks whose arrays stay in a core's cache: ``[...]``."""
        array = bitstrings.as_bits(bits, self.num_qubits)
        rows = array.reshape(-1, self.num_qubits)
        block = max(1, BLOCK // len(samples))
        blocks = [rows[start : start + block] for start in range(0, len(rows), block)]
        results = in_parallel(lambda part: function(part, samples), blocks, num_cores())
        return np.concatenate([np.empty(0), *results]).reshape(array.shape[:-1])


def networks_of(problem: Problem) -> BinnProblem:
    """The problem, which must be one of networks on data.

    Raises:
        QhnError: if its bitstrings stand for something else.
    """
    if not isinstance(problem, BinnProblem):
        raise QhnError(f"this needs networks on data, and the problem is a {type(problem).__name__}")
    return problem


def as_costs(costs: ArrayLike) -> Floats:
    """Costs as an array of numbers, a copy of what is given.

    Raises:
        QhnError: if they are text, dates, truth values or complex numbers, some are masked, or rows differ in length.

    >>> as_costs([1, 2])
    array([1., 2.])
    """
    try:
        given = np.asarray(costs)
    except ValueError:
        raise QhnError("costs must be an array of numbers, all rows of the same length") from None
    if given.dtype.kind not in "iuf" or np.ma.is_masked(costs):
        kind = "masked values" if np.ma.is_masked(costs) else f"an array of {given.dtype}"
        raise QhnError(f"costs must be real numbers, got {kind}")
    with np.errstate(over="ignore"):  # of a wider float: what becomes infinite is refused
        return given.astype(np.float64)


def check_costs(costs: Floats, name: Callable[[int], str] = "entry {}".format) -> None:
    """Refuse costs of which means, squares and differences are no numbers.

    Args:
        costs: costs of some bitstrings, ``[n]``.
        name: gives the name of the i-th of them, for the message.

    Raises:
        QhnError: if a cost is not finite, or beyond ±1e150; the message names the first one.
    """
    wrong = ~np.isfinite(costs)
    if wrong.any():
        place = int(wrong.argmax())
        raise QhnError(f"costs must be finite, got {costs[place]} for {name(place)}")
    if costs.size and np.abs(costs).max() > MAX_COST:
        place = int((np.abs(costs) > MAX_COST).argmax())
        raise QhnError(
            f"costs must be from -{MAX_COST:g} to {MAX_COST:g}, so that their squares are numbers, got "
            f"{costs[place]:g} for {name(place)}; scale them"
        )


class TableProblem:
    """A cost given as a table of 2^num_qubits numbers, indexed with qubit 0 as the least significant bit.

    Raises:
        ValueError: if the table's length is not a power of two, or a cost is not finite.

    >>> TableProblem([3.0, 1.0, 4.0, 1.5]).cost(np.array([1, 0], dtype=np.uint8))
    np.float64(1.0)
    """

    def __init__(self, costs: ArrayLike) -> None:
        self.costs = as_costs(costs)
        size = self.costs.size
        if self.costs.ndim != 1 or size < 2 or size & (size - 1):
            raise QhnError(f"a table of costs must hold 2^num_qubits numbers, got shape {list(self.costs.shape)}")
        check_costs(self.costs)

    @property
    def num_qubits(self) -> int:
        """The number of qubits, the binary logarithm of the table's length."""
        return int(self.costs.size).bit_length() - 1

    @property
    def digest(self) -> str:
        """SHA-256 of the costs, in hexadecimal."""
        return hashlib.sha256(np.ascontiguousarray(self.costs, dtype="<f8").tobytes()).hexdigest()

    def cost(self, bits: ArrayLike) -> Floats:
        """The table's entry of each bitstring: bits ``[..., num_qubits]`` → ``[...]``."""
        result: Floats = self.costs[bitstrings.to_integers(bitstrings.as_bits(bits, self.num_qubits))]
        return result
