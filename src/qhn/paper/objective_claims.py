"""The claims on objectives that hold the distribution close to a uniform prior; all are judged in one family.

Every number is a mean over data sets of what an objective changes against the plain mean from the same start.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product
from math import inf

import numpy as np

from qhn.arrays import Floats
from qhn.paper import plan
from qhn.paper.claims import Verdict, verdict_of
from qhn.paper.early_stopping import Curves
from qhn.paper.family import Family
from qhn.paper.inference import Difference, Hypothesis
from qhn.paper.noisytraining import OURS
from qhn.paper.objective_studies import SUCCESS, TRAINED, FewSamples, Sampled
from qhn.paper.pictures import name_of

NAMES = {"mean": "E alone", "elbo": "the ELBO", "mmd": "the MMD surrogate", "prior": "prior", "posterior": "posterior"}
BETTER = {  # what an ensemble should have, with the sign of better
    "validation": ("lowers E on unseen samples", -1),
    "brier": ("lowers the ensemble's Brier score on unseen samples", -1),
    "log_loss": ("lowers the ensemble's log loss on unseen samples", -1),
    "accuracy": ("raises the ensemble's accuracy on unseen samples", 1),
    "calibration_error": ("lowers the ensemble's calibration error on unseen samples", -1),
}
RISES = "with E alone it rises"


def gain(few: FewSamples, quantity: str, arm: str, samples: int, against: str = "mean") -> Floats:
    """Differences by which an arm is better than another in a quantity, on each data set: ``[data sets]``."""
    sign = BETTER[quantity][1]
    return sign * (few.of(quantity, arm, samples) - few.of(quantity, against, samples))


def on_few_samples(family: Family, few: FewSamples, fixed: plan.ObjectivesPlan) -> None:
    """Add the claims on training by few samples: losses and calibration on unseen samples, and overfitting."""
    for arm, (quantity, (words, _)), samples in product(("elbo", "mmd"), BETTER.items(), few.samples):
        better = Difference.of_means(gain(few, quantity, arm, samples)).above()
        family.add(OURS, f"With N_s = {samples} {NAMES[arm]} {words}, against E alone", better)
    for against, samples in product(("mean", "elbo"), few.samples):
        whose = "networks that E alone finds" if against == "mean" else "the circuit trained by the ELBO"
        family.add(
            OURS,
            f"With N_s = {samples} the exact posterior's ensemble has a lower Brier score than {whose}",
            Difference.of_means(gain(few, "brier", "posterior", samples, against)).above(),
        )
    least = min(few.samples)
    curves = {arm: curves_of(few, arm, least, fixed) for arm in TRAINED}
    tests = {RISES: curves["mean"].rise.above()} | {
        f"with {NAMES[arm]} its rise is negligible": curves[arm].rise.inside(
            -inf, fixed.negligible * float(curves[arm].validation[:, -1].mean())
        )
        for arm in ("elbo", "mmd")
    }
    family.add(OURS, f"With N_s = {least} E on unseen samples rises late in training with E alone only", tests)


def curves_of(few: FewSamples, arm: str, samples: int, fixed: plan.ObjectivesPlan) -> Curves:
    """The curves of an arm, whose validation E is that of the population and so serves as test E as well."""
    unseen = few.curve("validation", arm, samples)
    return Curves(few.curve("training", arm, samples), unseen, unseen, unseen, min(fixed.folds, len(unseen)))


def on_success(family: Family, many: Floats, few: FewSamples, fixed: plan.ObjectivesPlan) -> None:
    """Add the claims on success.

    Args:
        family: the family of tests.
        many: results on many samples, ``[data sets, objectives, success]``.
        few: results on few samples.
        fixed: the plan.
    """
    least, most = max(few.samples), fixed.many
    for arm in ("elbo", "mmd"):
        change = many[:, TRAINED.index(arm)] - many[:, 0]
        margin = fixed.margin
        family.add(
            OURS,
            f"With N_s = {most:,} {NAMES[arm]} ends as near to C* as E alone, to {margin:g}",
            Difference.of_means(change[:, SUCCESS.index("gap")]).inside(-margin, margin),
        )
        modes = {
            least: few.of("mode_is_optimal", arm, least) - few.of("mode_is_optimal", "mean", least),
            most: change[:, SUCCESS.index("mode_is_optimal")],
        }
        family.add(
            OURS,
            f"The most probable network is optimal more often with {NAMES[arm]} than with E alone",
            {f"N_s = {samples:,}": Difference.of_means(values).above() for samples, values in modes.items()},
        )


def on_depth(family: Family, nearest: Floats, fixed: plan.ObjectivesPlan) -> None:
    """Add the claims on how near circuits come to the posterior.

    Args:
        family: the family of tests.
        nearest: the lowest KL of any start, ``[data sets, numbers of samples, depths]``.
        fixed: the plan.
    """
    by_depth = dict(zip(fixed.layers, np.moveaxis(nearest, 2, 0), strict=True))
    for few, more in pairwise(fixed.layers):
        fall = _by_samples(by_depth[few] - by_depth[more], fixed.deep_samples)
        words = f"By the ELBO, circuits with {name_of(more)} end nearer to the posterior than {_circuits(few)}"
        family.add(OURS, words, {samples: one.above() for samples, one in fall.items()})
    deepest = fixed.layers[-1]
    tests = {
        n: one.inside(-inf, fixed.represented) for n, one in _by_samples(by_depth[deepest], fixed.deep_samples).items()
    }
    family.add(OURS, f"{_start(_circuits(deepest))} reach the posterior to {fixed.represented:g} nats of KL", tests)


def on_shots(family: Family, runs: Sequence[Sampled], fixed: plan.ObjectivesPlan) -> None:
    """Add the claims on training the surrogate by shots."""
    fallen = Difference.of_means([run.fallen for run in runs])
    family.add(
        OURS,
        f"By {fixed.shots} shots a row the surrogate falls by {fixed.fallen:.0%} or more of what exact gradients reach",
        fallen.above(fixed.fallen),
    )
    off, scatter = pulls_of(runs)
    tests: dict[str, Hypothesis] = {
        "mean": off.inside(-fixed.pull, fixed.pull),
        "scatter": scatter.inside(*fixed.scatter),
    }
    family.add(OURS, "The surrogate's stated values and standard errors are right, in standard errors", tests)


def pulls_of(runs: Sequence[Sampled]) -> tuple[Difference, Difference]:
    """The mean of the pulls over starts, and the scatter of all, which are of independent shots."""
    pulls = np.stack([run.pulls for run in runs])
    return Difference.of_means(pulls.mean(axis=1)), Difference.of_scatter(pulls.ravel())


def identity(largest_error: float, fixed: plan.ObjectivesPlan) -> tuple[str, Verdict, str]:
    """The statement that KL/N_s is what an ELBO lies above its minimum by, with verdict and evidence."""
    words = "F(q) − F(posterior) = KL(q, posterior)/N_s, F by the objective of a run and KL by SciPy"
    return words, verdict_of(largest_error < fixed.rounding), f"largest deviation of N_s·F from KL {largest_error:.1g}"


def _by_samples(values: Floats, samples: Sequence[int]) -> dict[str, Difference]:
    """The means over data sets of values ``[data sets, numbers of samples]``, by N_s in words."""
    return {f"N_s = {n}": Difference.of_means(column) for n, column in zip(samples, values.T, strict=True)}


def _circuits(num_layers: int) -> str:
    """The circuits of a depth in words."""
    return f"circuits with {name_of(num_layers)}" if num_layers else "product states"


def _start(words: str) -> str:
    return words[0].upper() + words[1:]
