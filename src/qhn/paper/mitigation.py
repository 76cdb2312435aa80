"""The share of the bias of E on real devices that inverting readout errors takes off, with and without folding.

Folding leaves the last CX brick to the relabelling of measured bits.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from qhn.arrays import Floats
from qhn.backend.rehearsal import FakeDevice, RehearsalSampler
from qhn.backend.settings import RehearsalSettings
from qhn.circuit.hypernetwork import Hypernetwork
from qhn.estimator.noisy import Noisy
from qhn.estimator.readout import inverted, inverted_for
from qhn.estimator.sampling import SamplingEstimator
from qhn.paper.claims import by_order
from qhn.paper.devices import DEVICES
from qhn.paper.family import Family
from qhn.paper.inference import Difference, Hypothesis, mean_and_error
from qhn.paper.lab import Lab
from qhn.paper.noise_pictures import remaining_bias
from qhn.paper.noisyends import rehearsal_of, sampler_of
from qhn.paper.noisytraining import OURS, spread
from qhn.paper.optima import GAUSSIANS, MNIST, optima
from qhn.paper.pictures import ORDERS
from qhn.paper.plan import NOISE
from qhn.paper.section import Writer

TASKS = (GAUSSIANS, MNIST)


@dataclass(frozen=True)
class Biases:
    """The biases of E, E with noise minus E without at the same θ; the last axis is the start.

    Attributes:
        bias: the biases without mitigation, with folding alone, with inversion alone and with both, on one chain of
            qubits: ``[4, starts]``.
        own: the bias with folding and inversion on the chain that is the best one for the folded circuit: ``[starts]``.
        sampled: the bias ``own``, estimated from shots with counted readout errors: ``[starts]``.
        std_error: the standard error of ``sampled`` that the estimator states: ``[starts]``.
    """

    bias: Floats
    own: Floats
    sampled: Floats
    std_error: Floats

    @property
    def taken(self) -> Floats:
        """The shares of the bias that folding, inversion and both take off: ``[3, starts]``."""
        share: Floats = 1 - self.bias[1:] / self.bias[0]
        return share

    @property
    def pulls(self) -> Floats:
        """The distances of the sampled biases from the exact ones in units of their stated errors: ``[starts]``."""
        pull: Floats = (self.sampled - self.own) / self.std_error
        return pull


def readout_mitigation(page: Writer, lab: Lab) -> None:
    """Add to a section the exact bias of E at trained θ, by device, order of gates and mitigation."""
    starts = lab.seeds or NOISE.mitigated
    page.text(
        f"**Mitigation of readout errors.** The bias of E, E with noise minus E without at the same θ, of {starts} "
        "circuits trained without noise (gaussian-activation: mostly at networks that are not optimal), exactly and "
        "with the true readout errors. *None* is the circuit that devices run by default, with the last CX brick; "
        "*folded* applies that brick to the measured bits instead; *inverted* averages C′, the cost of measured bits "
        'whose mean without readout errors is E; *both* is `device.mitigation = "readout"`. These four are on the '
        "same chain of qubits. In the program's order of gates there is no brick to fold. *Own chain* is both on the "
        f"chain that is best for the folded circuit, and *{NOISE.shots:,} shots* the same as a run measures it, with "
        "readout errors counted in two more circuits; every θ has a calibration of its own. Numbers are means over θ ± "
        "their standard errors; what both leave is due to the gates."
    )
    names = list(itertools.product(TASKS, DEVICES, ORDERS))
    jobs = list(enumerate(names))
    found = dict(zip(names, lab.map(partial(biases, starts=starts, mnist=lab.mnist), jobs, "mitigation"), strict=True))
    rows = []
    for (task, device, order), each in found.items():
        folded, inverse, both = each.taken
        has_brick = order == "eq5"
        rows.append(
            (
                task, device, order, spread(each.bias[0]), _change(folded) if has_brick else "–", _change(inverse),
                _change(both) if has_brick else "the same",
                f"{spread(each.own)} ({_change(1 - each.own / each.bias[0])})", spread(each.sampled),
            )
        )  # fmt: skip
    head = ("task", "device", "order", "bias, none", "folded", "inverted", "both", "bias, both, own chain")
    page.table((*head, f"{NOISE.shots:,} shots"), rows)
    left = {key: 1 - each.taken for key, each in found.items()}
    page.picture(
        lambda: remaining_bias(lab.folder / "noise-mitigation.png", left, NOISE.half),
        "What is left of the bias of E, in percent: means and standard errors over trained circuits, on one chain. "
        "Shaded: what counts as half. In the program's order no brick is folded, so that “both” is “inverted”.",
    )
    judge(page, found)


def judge(page: Writer, found: Mapping[tuple[str, str, str], Biases]) -> None:
    """Add the claims on mitigation to a section, from the biases by task, device and order of gates."""
    family = Family("mitigation of readout errors")
    taken = {order: {key[:2]: each.taken for key, each in found.items() if key[2] == order} for order in ORDERS}
    mean = {order: np.mean(list(shares.values()), axis=0) for order, shares in taken.items()}
    family.add(
        OURS,
        "Folding the last CX brick alone makes the bias of E larger (eq5)",
        Difference.of_means(-mean["eq5"][0]).above(),
        evidence=f"{_change(mean['eq5'][0])} in the mean: "
        f"{_each({key: shares[0] for key, shares in taken['eq5'].items()})}",
    )
    low, high = NOISE.half
    family.add(
        OURS,
        f"Readout inversion with folding halves the bias of E ({100 * low:g} to {100 * high:g} %, in the mean over "
        "tasks and devices)",
        {order: Difference.of_means(shares[2]).inside(low, high) for order, shares in mean.items()},
        by_order,
        "; ".join(
            f"{order} {_change(mean[order][2])} in the mean: {_each({key: each[2] for key, each in shares.items()})}"
            for order, shares in taken.items()
        ),
    )
    errors = np.concatenate([each.std_error for each in found.values()])
    pulls = np.concatenate([each.pulls for each in found.values()])
    family.add(
        OURS,
        f"A run with {NOISE.shots:,} shots and counted readout errors measures that bias within its stated errors",
        within_errors(pulls),
        evidence=f"in units of the stated errors, which are {errors.mean():.4f} in the mean, results are off the exact "
        f"one by {Difference.of_means(pulls)} in the mean of {len(pulls)} circuits, and scatter by "
        f"{Difference.of_scatter(pulls).words(2)}",
    )
    family.judge(page)


def within_errors(pulls: Floats) -> dict[str, Hypothesis]:
    """The statements that results scatter around the exact values, and as much as their stated errors say.

    Args:
        pulls: the differences from exact values in units of the stated errors, ``[n]``.
    """
    return {
        "mean pull": Difference.of_means(pulls).inside(-NOISE.pull, NOISE.pull),
        "scatter of pulls": Difference.of_scatter(pulls).inside(*NOISE.scatter),
    }


def _each(shares: dict[tuple[str, str], Floats]) -> str:
    """The change of the bias for every task and device, in words."""
    return ", ".join(f"{task} {device} {_change(values)}" for (task, device), values in shares.items())


def _change(taken: Floats) -> str:
    """The change of the bias in percent, from the shares that are taken off: ``[starts]``."""
    mean, error = mean_and_error(-100 * taken)
    return f"{mean:+.0f} ± {error:.0f} %"


def biases(job: tuple[int, tuple[str, str, str]], starts: int, mnist: Path | None) -> Biases:
    """The biases of circuits trained without noise for a task, on a device, in an order of gates.

    The number of the job seeds its shots, so that the errors of different devices differ.
    """
    number, (task, name, order) = job
    trained = optima(task, order, range(starts), mnist)
    ansatz, thetas, costs = trained.ansatz, trained.found.theta, trained.exact.landscape.costs
    device, pruned = rehearsal_of(name).device, sampler_of(name, ansatz)
    assert isinstance(pruned, RehearsalSampler)
    (chain,) = pruned.placement.chains
    folded = FakeDevice(device, RehearsalSettings(calibrate=True, qubits=(chain.qubits,))).compile(ansatz)
    best = FakeDevice(device, RehearsalSettings(calibrate=True))
    own = best.compile(ansatz)
    assert isinstance(folded, RehearsalSampler)
    assert isinstance(own, RehearsalSampler)
    ideal = trained.exact(thetas).mean
    measured = []
    for row, theta in enumerate(thetas):
        seed = number * starts + row  # or errors of several devices would be alike
        estimator = SamplingEstimator(ansatz, trained.problem, best, shots=NOISE.shots, seed=seed, mitigation="readout")
        measured.append(estimator(theta))
    return Biases(
        bias=four_energies(ansatz, pruned, folded, thetas, costs, rates_of(pruned)) - ideal,
        own=own.energies(thetas, inverted_for(ansatz, costs, rates_of(own), folded=own.placement.folded)) - ideal,
        sampled=np.array([float(found.mean) for found in measured]) - ideal,
        std_error=np.array([float(found.std_error) for found in measured]),
    )


def rates_of(sampler: RehearsalSampler) -> Floats:
    """The true rates of readout errors on the best chain, as :func:`qhn.estimator.readout.inverted` takes them.

    Returns:
        The probabilities that a qubit in 0 is read as 1, and one in 1 as 0: ``[num_qubits, 2]``.
    """
    return np.array([sampler.placement.chip.readout[qubit] for qubit in sampler.placement.chains[0].qubits])


def four_energies(
    ansatz: Hypernetwork, pruned: Noisy, folded: Noisy, thetas: Floats, costs: Floats, rates: Floats
) -> Floats:
    """The exact E without mitigation, with folding, with inversion and with both: ``[4, B]``.

    Args:
        ansatz: the circuit.
        pruned: the machine that measures the circuit with its last CX brick.
        folded: the machine that measures it without that brick, and relabels the bits.
        thetas: angles in radians, ``[B, num_parameters]``.
        costs: costs of all bitstrings, ``[2**num_qubits]``.
        rates: rates of readout errors, ``[num_qubits, 2]``.
    """
    return np.stack(
        [
            pruned.energies(thetas, costs),
            folded.energies(thetas, costs),
            pruned.energies(thetas, inverted(costs, rates)),
            folded.energies(thetas, inverted_for(ansatz, costs, rates, folded=bool(ansatz.folded_brick))),
        ]
    )
