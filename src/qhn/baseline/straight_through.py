"""Binary networks trained by gradients of real weights behind binary ones: the straight-through estimator.

Behind each bit of a weight or bias stands a latent number v in [−1, 1]; the bit is 1 where v is above 0 (Hubara et al.,
NeurIPS 2016). The network computes with the binary weights, and the gradient of its loss by them, on all training
samples, is taken for the gradient by v. The choices of activation, width, alphabet and bias cannot be differentiated:
they are fixed during a run, and restarts take all combinations in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from qhn import bitstrings
from qhn.arrays import Bits, Floats
from qhn.baseline.tally import Tally, rounds
from qhn.optimize.optimizer import Adam
from qhn.problem.cost import BinnProblem
from qhn.problem.network import ACTIVATIONS
from qhn.problem.samples import Samples
from qhn.problem.search_space import SearchSpace

LEARNING_RATE = 0.1  # step of the latent numbers
MAX_STEPS = 100  # steps of a run
PASSES = 3  # over the samples, for C and its gradient: one forward, and backward two products where forward has one
PATIENCE = 10  # steps without a flip after which a run ends
SLOPES: dict[str, Callable[[Floats, Floats], Floats]] = {  # dh/dz of h = activation(z), straight through for sign
    "sigmoid": lambda z, h: h * (1 - h),
    "relu": lambda z, h: (z > 0).astype(np.float64),
    "tanh": lambda z, h: 1 - h * h,
    "sign": lambda z, h: (np.abs(z) <= 1).astype(np.float64),
}


def straight_through(problem: BinnProblem, tally: Tally, rng: np.random.Generator) -> None:
    """Train networks from random starts until the tally's limit is reached; the tally counts every network computed."""
    space = problem.space
    chosen = [bit for f in space.fields if f.name.startswith("choice of ") for bit in range(space.num_qubits)[f.slice]]
    combinations = bitstrings.from_integers(np.arange(2 ** len(chosen)), len(chosen))
    turn = 0
    for runs in rounds():
        starts = tally.starts(runs)
        turned = in_field_order(space, starts).copy()
        turned[:, chosen] = combinations[(turn + np.arange(runs)) % len(combinations)]
        turn += runs
        turned = in_field_order(space, turned)
        starts = in_field_order(space, np.where(tally.knows(turned)[:, None], starts, turned))
        choices = bitstrings.to_integers(starts[:, chosen])
        for choice in np.unique(choices):
            _train(problem, starts[choices == choice], tally, rng)


def _train(problem: BinnProblem, bits: Bits, tally: Tally, rng: np.random.Generator) -> None:
    """Train networks ``[R, num_qubits]``, given in field order, that agree in all choices."""
    family = Family.of(problem.space, bits[0])
    adam = Adam(LEARNING_RATE, beta1=0.9, decay_steps=None)  # without a horizon: a search goes on until nothing flips
    latent = rng.random(bits.shape) * np.where(bits, 1.0, -1.0)
    state, grad = adam.init(latent), np.zeros_like(latent)
    flipped, still = np.ones(len(bits), dtype=bool), np.zeros(len(bits), dtype=np.int64)
    for _ in range(MAX_STEPS):
        tally.cost(in_field_order(problem.space, bits))
        if flipped.any():  # the gradient of the others is what it was
            grad[flipped] = family.gradient(problem, bits[flipped])
        latent, state = adam.update(latent, grad, state)
        latent = np.clip(latent, -1.0, 1.0)
        before, bits = bits, (latent > 0).astype(np.uint8)
        flipped = (bits != before).any(axis=1)
        still = np.where(flipped, 0, still + 1)
        on = still < PATIENCE
        if not on.any():
            break
        latent, state, grad, bits, flipped, still = (
            *(latent[on], state.rows(on), grad[on]),
            *(bits[on], flipped[on], still[on]),
        )


def in_field_order(space: SearchSpace, bits: Bits) -> Bits:
    """Reorder bits ``[..., num_qubits]`` from the order of qubits to the order of fields, or back."""
    return bits[..., ::-1] if space.qubit_order == "reversed" else bits


@dataclass(frozen=True)
class Layer:
    """Weights ``[inputs, outputs]`` and biases ``[outputs]`` of one layer, both for bits 0 and for bits 1.

    A width chosen below the largest leaves weights that are 0 for either.
    """

    weights: tuple[Floats, Floats]
    biases: tuple[Floats, Floats]
    weight_bits: slice
    bias_bits: slice | None


@dataclass(frozen=True)
class Family:
    """All networks of a search space that agree in their choices."""

    layers: tuple[Layer, ...]
    activation: str

    @classmethod
    def of(cls, space: SearchSpace, bits: Bits) -> Family:
        """The family of networks with the choices of one bitstring ``[num_qubits]`` in field order."""
        ends = []
        for bit in (0, 1):
            filled = bits.copy()
            for f in space.fields:
                if not f.name.startswith("choice of "):
                    filled[f.slice] = bit
            ends.append(space.decode(in_field_order(space, filled)))
        place = {f.name: f.slice for f in space.fields}
        layers, num_inputs = [], space.num_inputs
        for index in range(len(ends[0].weights)):
            weight_bits = place[f"weights {index + 1}"]
            num_outputs = (weight_bits.stop - weight_bits.start) // num_inputs
            low, high = (_padded(network.weights[index], (num_inputs, num_outputs)) for network in ends)
            low_bias, high_bias = (_padded(network.biases[index], (num_outputs,)) for network in ends)
            layers.append(Layer((low, high), (low_bias, high_bias), weight_bits, place.get(f"bias {index + 1}")))
            num_inputs = num_outputs
        return cls(tuple(layers), ends[0].activation)

    def gradient(self, problem: BinnProblem, bits: Bits) -> Floats:
        """The gradient of C by the latent numbers at binary networks, both ``[R, num_qubits]`` in field order."""
        num, weights, biases = len(bits), [], []
        for layer in self.layers:
            shape = layer.weights[0].shape
            weights.append(np.where(bits[:, layer.weight_bits].reshape(num, *shape), *layer.weights[::-1]))
            bias_bits = bits[:, layer.bias_bits] if layer.bias_bits else np.zeros((num, shape[1]), dtype=np.uint8)
            biases.append(np.where(bias_bits, *layer.biases[::-1]))
        slopes = loss_gradient(weights, biases, self.activation, problem.loss, problem.samples)
        grad = np.zeros(bits.shape)
        for layer, by_weights, by_biases in zip(self.layers, *slopes, strict=True):
            low, high = layer.weights
            grad[:, layer.weight_bits] = (by_weights * (0.5 * (high - low))).reshape(num, -1)
            if layer.bias_bits:
                low, high = layer.biases
                grad[:, layer.bias_bits] = by_biases * (0.5 * (high - low))
        return grad


def loss_gradient(
    weights: Sequence[Floats], biases: Sequence[Floats], activation: str, loss: str, samples: Samples
) -> tuple[list[Floats], list[Floats]]:
    """Gradients of the mean loss of R networks by their weights and biases, in the shapes of these.

    Args:
        weights: the weights of each layer, ``[R, inputs, outputs]``. A single output is a sigmoid, or without a hidden
            layer the activation; several outputs are a softmax, and a squared error is then summed over them.
        biases: the biases of each layer, ``[R, outputs]``.
        activation: name of the activation of the hidden units.
        loss: name of the loss, ``"mse"`` or ``"cross-entropy"``.
        samples: S samples and their weights.
    """
    x, y = samples.x, samples.y
    values, sums = [np.broadcast_to(x.T, (len(weights[0]), *x.T.shape))], []  # [R, units, S] of each layer
    for layer_weights, bias in zip(weights, biases, strict=True):
        z = layer_weights.transpose(0, 2, 1) @ values[-1] + bias[..., None]
        sums.append(z)
        values.append(ACTIVATIONS[activation](z))
    error = _output_gradient(sums[-1], "sigmoid" if len(weights) > 1 else activation, loss, y)
    error = error * samples.weights / samples.total
    by_weights: list[Floats] = []
    by_biases: list[Floats] = []
    for index in reversed(range(len(weights))):
        by_weights.insert(0, values[index] @ error.transpose(0, 2, 1))
        by_biases.insert(0, error.sum(axis=2))
        if index:
            error = (weights[index] @ error) * SLOPES[activation](sums[index - 1], values[index])
    return by_weights, by_biases


def _output_gradient(z: Floats, activation: str, loss: str, y: Floats) -> Floats:
    """The gradient of each sample's loss by the logits, both ``[R, outputs, S]``."""
    if z.shape[1] == 1:
        output = ACTIVATIONS[activation](z)
        return output - y if loss == "cross-entropy" else 2 * (output - y) * SLOPES[activation](z, output)
    output = np.exp(z - z.max(axis=1, keepdims=True))
    output /= output.sum(axis=1, keepdims=True)
    error: Floats = output - np.eye(z.shape[1])[:, y.astype(np.intp)]
    if loss == "cross-entropy":
        return error
    by_output = 2 * error
    gradient: Floats = output * (by_output - (by_output * output).sum(axis=1, keepdims=True))
    return gradient


def _padded(array: Floats, shape: tuple[int, ...]) -> Floats:
    """Pad an array with zeros to a shape."""
    padded = np.zeros(shape)
    padded[tuple(slice(length) for length in array.shape)] = array
    return padded
