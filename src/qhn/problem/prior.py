"""Objectives that hold the distribution q of bitstrings close to a uniform prior: the ELBO, and a surrogate from shots.

A hypernetwork that minimises E = ⟨C⟩ ends at a single network. As an approximate posterior of Bayesian networks it
minimises E + KL(q, prior)/N_s, the negative evidence lower bound of each of N_s samples, where C is a negative
log-likelihood in nats. Cross-entropy is one as it is. The squared error is that of a Gaussian of variance ½, but for
½·ln π, which depends on no network: then a difference of squared errors is one of nats.

Shots do not tell an entropy. A squared maximum mean discrepancy they do, MMD² = Σ (q − u)(x)·k(x, y)·(q − u)(y), and
for a uniform prior u and a kernel k of Hamming distances the terms with u are the same for every q. Nepote et al.
(arXiv:2506.05888) propose both for Born machines; of their paper only the abstract was read, and this is a
reconstruction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from qhn.arrays import Bits, Floats
from qhn.errors import QhnError
from qhn.fields import Number, optional, settle
from qhn.problem.aggregation import Outcomes
from qhn.problem.capabilities import num_samples_of
from qhn.problem.cost import Problem
from qhn.problem.hamming_kernel import HammingKernel

ROUNDING = float(np.finfo(np.float64).eps) ** 2  # a probability below it is the rounding of an amplitude
FEWEST_SHOTS = 3  # from which U-statistics of pairs have a jackknife
STRENGTH = 1.0  # λ in the unit of N ln 2/N_s; see :class:`Mmd` for what it was measured on
WIDTH = 0.5  # of the kernel, measured there too


@dataclass(frozen=True)
class Elbo:
    """E + KL/N_s: the mean cost and the divergence KL = N ln 2 − H of N bits of entropy H from the uniform prior.

    H is in nats, and so should the cost be (:mod:`qhn.problem.prior`). Its linearisation is C + (N ln 2 + ln p)/N_s,
    whose gradient has no term of the derivative of ln p, since probabilities sum up to 1. Where p = 0 its slope is 0.

    Attributes:
        samples: N_s, above 0; 1/N_s is a temperature in the unit of the costs. None for the number of training samples
            of the problem. On few samples the prior then outweighs the costs; 16 times as many had a Brier score of
            .153 where N_s itself had .237, on the data sets of :class:`Mmd`, and E alone .152.

    Raises:
        QhnError: at construction, if ``samples`` is not above 0.

    >>> certain = Outcomes(np.array([0.2, 0.9]), lambda: np.array([[0], [1]], dtype=np.uint8), np.array([1.0, 0.0]))
    >>> found = Elbo(samples=4).linearise(certain, certain)
    >>> (certain.probabilities @ found - np.log(2) / 4).round(12)
    np.float64(0.2)
    """

    samples: float | None = None

    is_mean: ClassVar[bool] = False
    label: ClassVar[str] = "E + KL/N_s"
    penalty: ClassVar[str] = "KL to the uniform prior in nats"

    def __post_init__(self) -> None:
        settle(self, samples=optional(Number(above=0)))

    @property
    def factor(self) -> float:
        """The factor 1/N_s of the divergence."""
        return 1 / _known(self.samples, "train.objective.samples")

    def of(self, problem: Problem) -> Elbo:
        """The objective with the number of samples of a problem, unless it has one.

        Args:
            problem: the problem whose costs are averaged.

        Raises:
            QhnError: if there is no number of samples, and the problem has none.
        """
        return self if self.samples is not None else replace(self, samples=_samples_of(problem, "elbo", "samples"))

    def check_shots(self, shots: int) -> None:
        """Refuse any number of shots.

        Args:
            shots: number of shots of a row of θ.

        Raises:
            QhnError: if there are shots at all, whatever their number.
        """
        raise QhnError(
            "objective 'elbo' needs the probability of every bitstring, which shots do not tell; take objective 'mmd', "
            "or a machine without shots: --backend exact, or train.shots = 'none' on depolarising or fake_<device>"
        )

    def linearise(self, outcomes: Outcomes, reference: Outcomes) -> Floats:
        """C̃ of all bitstrings with their probabilities.

        Args:
            outcomes: all bitstrings with their costs.
            reference: bitstrings of ``outcomes`` in their order, with probabilities.

        Raises:
            QhnError: if the reference has no probabilities.
        """
        if reference.probabilities is None:
            self.check_shots(reference.costs.shape[-1])
        p = np.asarray(reference.probabilities)
        surplus: Floats = np.log(np.maximum(p, ROUNDING)) + math.log(len(p))
        return outcomes.costs + self.factor * surplus


@dataclass(frozen=True)
class Mmd:
    """E + λ·MMD²: the mean cost and the squared maximum mean discrepancy from the uniform prior.

    With the kernel k = exp(−d/(width·N)) of bitstrings that differ in d of N bits, MMD² = ⟨k⟩ − const, ⟨k⟩ over two
    bitstrings of q. Its linearisation is C + 2λ·k₁ with k₁(x) the mean of k(x, y) over y of the reference: the rows of
    parameter shift and the unshifted one give its gradient, without bias.

    From shots ⟨k⟩ is the mean over pairs of different shots (a U-statistic), which has no bias and may be below const,
    so that MMD² may be negative. C̃ is then the jackknife's pseudo-value of each shot, E and MMD² together. Its scatter
    gives the standard error, which is too large by up to √2 where q is almost uniform, and right elsewhere (Efron and
    Stein 1981: the jackknife's variance is not too small on average).

    Both defaults follow from what they mean, and were measured afterwards, beside λ of 1/16 to 4 times the default and
    widths of 1/8 to 2: on 16 data sets of the preset ``gaussian-activation`` with means × 0.5, at N_s = 2, 4, 8 and 32
    each (2 layers, 50 steps of L-BFGS without shots). No other of the 20 settings is better in both the ensemble's
    Brier score on unseen samples (mean .190) and KL to the exact posterior (3.4 nats). λ trades the one for the other:
    1/16 of it comes to .150 and 6.4 nats, 4 times as much to .216 and 2.0, E alone to .152 and 7.5, the ELBO to .237
    and 0.7. Narrower kernels trade as a larger λ does: width 1/8 comes to .199 and 2.6, width 2 to .177 and 4.9.

    Attributes:
        weight: λ in the unit of the costs, at least 0. None for N ln 2/N_s with N_s the number of training samples of
            the problem: by this KL/N_s of a single bitstring exceeds that of a uniform distribution.
        width: number of bits in which bitstrings differ whose kernel is 1/e, as a share of all, above 0.

    Raises:
        QhnError: at construction, if a setting is out of its bounds.

    >>> certain = Outcomes(np.array([0.2, 0.9]), lambda: np.array([[0], [1]], dtype=np.uint8), np.array([1.0, 0.0]))
    >>> found = Mmd(weight=1.0, width=1 / np.log(2)).linearise(certain, certain)  # k = 1/2 for different bits
    >>> round(float(certain.probabilities @ found), 12)
    0.45
    """

    weight: float | None = None
    width: float = WIDTH

    is_mean: ClassVar[bool] = False
    label: ClassVar[str] = "E + λ·MMD²"
    penalty: ClassVar[str] = "MMD² to the uniform prior"

    def __post_init__(self) -> None:
        settle(self, weight=optional(Number(low=0)), width=Number(above=0))

    @property
    def factor(self) -> float:
        """The factor λ of the discrepancy."""
        return _known(self.weight, "train.objective.weight")

    def of(self, problem: Problem) -> Mmd:
        """The objective with the λ that follows from a problem's number of samples, unless it has one.

        Args:
            problem: the problem whose costs are averaged.

        Raises:
            QhnError: if there is no λ, and the problem has no number of samples.
        """
        if self.weight is not None:
            return self
        largest = problem.num_qubits * math.log(2)
        return replace(self, weight=STRENGTH * largest / _samples_of(problem, "mmd", "weight"))

    def check_shots(self, shots: int) -> None:
        """Refuse so few shots that their pairs have no standard error.

        Args:
            shots: number of shots of a row of θ.

        Raises:
            QhnError: if there are fewer than three.
        """
        if shots < FEWEST_SHOTS:
            raise QhnError(f"objective 'mmd' compares shots in pairs and takes at least {FEWEST_SHOTS}, got {shots:,}")

    def linearise(self, outcomes: Outcomes, reference: Outcomes) -> Floats:
        """C̃ of all bitstrings, or of shots: ``[..., n]``.

        Args:
            outcomes: bitstrings with their costs, of rows of θ or all of them.
            reference: bitstrings with their probabilities, or shots ``[..., m]`` of one row or as many.

        Raises:
            QhnError: if the reference has fewer than three shots.
        """
        if reference.probabilities is not None:
            return self._of_distribution(outcomes, reference, reference.probabilities)
        if outcomes is not reference:
            return self.linearise_with_noise(outcomes, reference)[0]
        self.check_shots(outcomes.costs.shape[-1])
        bits = outcomes.bits()
        rows = bits.reshape(-1, *bits.shape[-2:])
        values = np.stack([self._pseudo_values(row) for row in rows]).reshape(outcomes.costs.shape)
        return outcomes.costs + self.factor * values

    def linearise_with_noise(self, outcomes: Outcomes, reference: Outcomes) -> tuple[Floats, Floats]:
        """C̃ of shots ``[rows, n]``, and how the mean of each row moves with m shots of the reference, ``[rows, m]``.

        Args:
            outcomes: shots of rows of θ.
            reference: shots ``[1, m]`` of one row, or ``[rows, m]`` of as many; none are among ``outcomes``.

        Raises:
            QhnError: if the reference has fewer than three shots.
        """
        num_shots = reference.costs.shape[-1]
        self.check_shots(num_shots)
        bits, at = outcomes.bits(), reference.bits()
        kernel = self.kernel(bits.shape[-1])
        offsets = np.broadcast_to([self._pseudo_values(row).mean() + 2 * kernel.uniform for row in at], len(bits))
        values, noise = np.empty(outcomes.costs.shape), np.empty((len(bits), num_shots))
        for row, others in enumerate(np.broadcast_to(at, (len(bits), *at.shape[1:]))):
            of_shots, of_others = kernel.means(bits[row], others)
            values[row] = 2 * of_shots - offsets[row]
            noise[row] = 2 * (of_others - of_others.mean()) / math.sqrt(num_shots * (num_shots - 1))
        return outcomes.costs + self.factor * values, self.factor * noise

    def kernel(self, num_qubits: int) -> HammingKernel:
        """The kernel of bitstrings of a length.

        Args:
            num_qubits: number of bits.
        """
        return HammingKernel(num_qubits, math.exp(-1 / (self.width * num_qubits)))

    def _pseudo_values(self, shots: Bits) -> Floats:
        """The jackknife's pseudo-values of MMD² of shots ``[n, num_qubits]``, whose mean it is: ``[n]``."""
        kernel, n = self.kernel(shots.shape[-1]), len(shots)
        with_others = (n * kernel.means(shots, shots)[0] - 1) / (n - 1)  # a shot's kernel with itself is 1
        mean = with_others.mean()
        found: Floats = mean - kernel.uniform + 2 * (n - 1) / (n - 2) * (with_others - mean)
        return found

    def _of_distribution(self, outcomes: Outcomes, reference: Outcomes, probabilities: Floats) -> Floats:
        """C̃ of bitstrings ``[n]`` at the distribution of all bitstrings of the reference."""
        kernel, places = self.kernel(len(probabilities).bit_length() - 1), reference.numbers()
        table = np.empty(len(probabilities))
        table[places] = probabilities
        smooth = kernel.smooth(table)
        offset = table @ smooth + kernel.uniform
        return outcomes.costs + self.factor * (2 * smooth[outcomes.numbers()] - offset)


def _known(setting: float | None, name: str) -> float:
    """A setting that was given or followed from the problem.

    Raises:
        QhnError: if it is neither.
    """
    if setting is None:
        raise QhnError(f"{name} follows from the problem, or is given; give the objective to an estimator, or set it")
    return setting


def _samples_of(problem: Problem, name: str, setting: str) -> float:
    """The number of training samples of a problem, from which a setting of an objective follows.

    Raises:
        QhnError: if the problem has none.
    """
    found = num_samples_of(problem)
    if found is None:
        raise QhnError(
            f"objective {name!r} weighs the uniform prior against a number of training samples, which this problem "
            f"does not have; set train.objective.{setting}, as in train.objective = {{name = {name!r}, {setting} = 10}}"
        )
    return found
