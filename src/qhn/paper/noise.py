"""The effect of noise on trained circuits, of training with noise, and of mitigation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import numpy as np

from qhn.arrays import Bools, Floats
from qhn.backend.noise.channels import Depolarising
from qhn.backend.noise.twin import Twin
from qhn.circuit.measurement import with_measurement
from qhn.paper.chances import Shares, best_sample, chance, random_share
from qhn.paper.claims import Verdict
from qhn.paper.devices import noise_of_devices
from qhn.paper.family import Family
from qhn.paper.inference import Difference, Hypothesis, mean_and_error
from qhn.paper.lab import Lab
from qhn.paper.mitigation import readout_mitigation
from qhn.paper.noise_pictures import noise_curves
from qhn.paper.noisyends import P1, P2
from qhn.paper.noisytraining import training_with_noise
from qhn.paper.optima import EPSILON, MNIST, optima
from qhn.paper.pictures import ORDERS
from qhn.paper.plan import NOISE
from qhn.paper.section import Writer
from qhn.statistics import TWO_SIDED
from qhn.text import Row

STRENGTHS = tuple(round(0.2 * k, 1) for k in range(11))
CHUNK = 10  # circuits that a worker trains at a time
AUTHORS = "authors' program"


@dataclass(frozen=True)
class Curves:
    """Costs with noise of circuits trained without it; each row is a circuit, each column a strength of the noise.

    Attributes:
        gap: E − C* without noise, ``[circuits]``.
        converged: whether training without noise had converged, ``[circuits]``.
        rise: E with noise minus E without noise, ``[circuits, strengths]``.
        optimal: the share of shots that are optimal, ``[circuits, strengths]``.
        untrained: the share of shots that are optimal at the initial θ of each circuit, ``[circuits, strengths]``.
        random: the share of all bitstrings that are optimal, ``[circuits]``.
    """

    gap: Floats
    converged: Bools
    rise: Floats
    optimal: Floats
    untrained: Floats
    random: Floats

    @classmethod
    def joined(cls, parts: Sequence[Curves]) -> Curves:
        """The curves of all circuits of several parts."""
        return cls(*(np.concatenate([getattr(part, side.name) for part in parts]) for side in fields(cls)))

    @property
    def trained(self) -> Curves:
        """The curves of the circuits trained to an optimum, or else of the circuit that came nearest to one."""
        kept = self.gap < max(EPSILON, self.gap.min() * (1 + 1e-12))
        return Curves(*(getattr(self, side.name)[kept] for side in fields(self)))

    @property
    def slopes(self) -> Floats:
        """The slope of the line through 0 nearest to each circuit's rise: ``[circuits]``."""
        strengths = np.array(STRENGTHS)
        slopes: Floats = self.rise @ strengths / (strengths @ strengths)
        return slopes

    @property
    def bends(self) -> Floats:
        """The largest distance of each circuit's rise from its line, in units of its largest rise: ``[circuits]``."""
        distance = np.abs(self.rise - self.slopes[:, None] * np.array(STRENGTHS)).max(axis=1)
        bends: Floats = distance / self.rise.max(axis=1)
        return bends

    @property
    def sags(self) -> Floats:
        """How far each circuit's rise lies above its chord, halfway, in units of its last rise: ``[circuits]``."""
        strengths = np.array(STRENGTHS) / STRENGTHS[-1]
        half = int(np.abs(strengths - 0.5).argmin())
        sags: Floats = self.rise[:, half] / self.rise[:, -1] - strengths[half]
        return sags

    @property
    def shares(self) -> Shares:
        """The shares of optimal shots: at the worst strength of each circuit, and the best one of its initial θ."""
        return Shares(self.optimal.min(axis=1), self.untrained.max(axis=1), float(self.random[0]))


def noise(lab: Lab) -> Writer:
    """The section on noise: depolarising noise on trained circuits and in training, three devices, mitigation."""
    page = Writer("Noise: trained circuits on noisy machines (digits 0 and 1, gaussian-activation)")
    page.plan(NOISE)
    starts = lab.seeds or NOISE.starts
    chunks = [(order, start) for order in ORDERS for start in range(0, starts, CHUNK)]
    work = partial(_curves, starts=starts, mnist=lab.mnist)
    found = lab.map(work, chunks, "noise, ten circuits at a time")
    parts = list(zip(chunks, found, strict=True))
    every = {order: Curves.joined([part for (name, _), part in parts if name == order]) for order in ORDERS}
    curves = {order: curve.trained for order, curve in every.items()}
    converged = ", ".join(f"{curve.converged.sum()} of {starts} ({order})" for order, curve in every.items())
    page.text(
        f"An experiment of the authors' program that the paper does not mention, with {starts} starts an order of "
        f"gates. `{MNIST}`, 17 qubits and 2 layers, is trained without noise, by L-BFGS on the exact E until it has "
        f"converged, as did {converged}, beyond the paper's 500 iterations; those θ that came within "
        f"ε = {EPSILON:.5f} of the optimum then run with noise. Every gate of the literal circuit, the "
        "rotations without effect and the trivial first CX brick included, is followed by a random Pauli error, of "
        f"total probability {P1:g}·s after a gate on one qubit and {P2:g}·s after one on two. ⟨C⟩, and the share of "
        "shots that are optimal, are exact, from the noisy twin; the chance of an optimum among n shots is "
        "1 − (1 − share)ⁿ. *Initial θ* is the same circuits before their training, with the same noise. What follows "
        "± is the standard error of a mean."
    )
    rows: list[Row] = []
    for order, curve in curves.items():
        for strength in (0.2, 1.0, 2.0):
            k = STRENGTHS.index(strength)
            rise, error = mean_and_error(curve.rise[:, k])
            rows.append(
                (
                    order,
                    f"{strength:g}",
                    len(curve.gap),
                    f"{rise:.4f} ± {error:.4f}",
                    f"{curve.rise[:, k].min():.4f} … {curve.rise[:, k].max():.4f}",
                    *_share_cells(curve.optimal[:, k]),
                )
            )
        rows.append((order, "2, initial θ", len(curve.gap), "–", "–", *_share_cells(curve.untrained[:, -1])))
    rows.append(("–", "random bitstrings", "–", "–", "–", *_share_cells(curves["eq5"].random[:1])))
    head = ("order", "s", "circuits", "rise of ⟨C⟩", "lowest … highest", "optimal shots")
    page.table((*head, *(f"chance in {shots:,}" for shots in (NOISE.few_shots, NOISE.shots))), rows)
    page.picture(
        lambda: noise_curves(
            lab.folder / "noise.png", STRENGTHS, {name: curve.rise for name, curve in curves.items()},
            {name: curve.optimal for name, curve in curves.items()}, NOISE.slope,
            {name: curve.untrained for name, curve in curves.items()},
        ),
        "Rise of ⟨C⟩ over its value without noise, and the share of shots that are optimal: means over trained "
        "circuits, bands from the lowest to the highest. Dotted: the slope of the authors' own 100 optima on all of "
        "MNIST; dashed: the share at the initial θ, which is that of random bitstrings.",
    )  # fmt: skip
    judge(page, curves, full=lab.mnist is not None)
    training_with_noise(page, lab)
    noise_of_devices(page, lab)
    readout_mitigation(page, lab)
    return page


def _share_cells(shares: Floats) -> tuple[str, str, str]:
    """The mean share of optimal shots, and the mean chances of one among few and among many."""
    mean = float(shares.mean())
    share = f"{100 * mean:.0f} %" if mean > 0.01 else f"{100 * mean:.2g} %"
    few, many = (f"{chance(shares, shots).mean():.3f}" for shots in (NOISE.few_shots, NOISE.shots))
    return share, few, many


def judge(page: Writer, curves: Mapping[str, Curves], *, full: bool) -> None:
    """Add the claims on trained circuits under depolarising noise to a section.

    Args:
        page: the section.
        curves: the curves of trained circuits, by order of gates.
        full: whether the images are all of MNIST, as the authors' are.
    """
    family = Family("trained circuits under depolarising noise")
    bends = {order: Difference.of_means(curve.bends) for order, curve in curves.items()}
    sags = {order: Difference.of_means(curve.sags) for order, curve in curves.items()}
    family.add(
        AUTHORS,
        f"⟨C⟩ of a trained circuit rises linearly with the strength of the noise (off its line by less than "
        f"{100 * NOISE.bend:g} % of its largest rise)",
        {order: bend.inside(-NOISE.bend, NOISE.bend) for order, bend in bends.items()},
        evidence="; ".join(
            f"{order} off by {bends[order].words(1, 100)} % of the largest rise, above the chord halfway by "
            f"{sag.words(1, 100)} % (p = {sag.p_value:.1g} of no bend)"
            for order, sag in sags.items()
        ),
    )
    slopes = {order: Difference.of_means(curve.slopes) for order, curve in curves.items()}
    statement = f"The slope is that of the authors' own 100 optima, {NOISE.slope:g} ± {NOISE.slope_error:g}"
    statement += f", to {100 * NOISE.slope_margin:g} % (the program's order of gates)"
    words = "; ".join(f"{order} {slope.words(4)}" for order, slope in slopes.items())
    spread = curves["authors"].slopes.std() / slopes["authors"].value
    words += f"; circuits differ by {100 * spread:.0f} %"
    if full:
        family.add(AUTHORS, statement, as_published(slopes["authors"]), evidence=words)
    else:
        words += "; on the bundled images, whose costs are other ones"
        page.claim(AUTHORS, statement, Verdict.UNTESTABLE, words)
    shares = {order: curve.shares for order, curve in curves.items()}
    remark = "Each trained circuit counts at the strength that is worst for it, each initial θ at the best"
    best_sample(family, AUTHORS, "of a trained circuit at every strength of the noise", shares, remark)
    family.judge(page)


def as_published(slope: Difference) -> Hypothesis:
    """The statement that a slope is that of the authors' optima to the margin of the plan, with the errors of both.

    >>> [as_published(Difference(at, at - 0.0004, at + 0.0004)).holds for at in (0.0285, 0.0311, 0.0350)]
    [True, None, False]
    """
    bound = TWO_SIDED * NOISE.slope_error
    published = Difference(NOISE.slope, NOISE.slope - bound, NOISE.slope + bound)
    margin = NOISE.slope_margin * NOISE.slope
    return (slope - published).inside(-margin, margin)


def _curves(job: tuple[str, int], starts: int, mnist: Path | None) -> Curves:
    """The curves of some of the starts in one order of gates, trained without noise and then run with it."""
    order, first = job
    seeds = range(first, min(first + CHUNK, starts))
    trained = optima(MNIST, order, seeds, mnist)
    found, ansatz, landscape = trained.found, trained.exact.ansatz, trained.exact.landscape
    is_optimal = (landscape.costs <= landscape.optimum + landscape.width).astype(np.float64)
    shape = (len(STRENGTHS), len(seeds))
    rise, optimal, untrained = np.empty(shape), np.empty(shape), np.empty(shape)
    for k, strength in enumerate(STRENGTHS):
        twin = Twin(with_measurement(ansatz.circuit), Depolarising(p1=P1 * strength, p2=P2 * strength))
        rise[k] = twin.energies(found.theta, landscape.costs) - found.value
        optimal[k] = twin.energies(found.theta, is_optimal)
        untrained[k] = twin.energies(trained.initial, is_optimal)
    random = np.full(len(seeds), random_share(landscape))
    return Curves(trained.gap, found.converged, rise.T, optimal.T, untrained.T, random)
