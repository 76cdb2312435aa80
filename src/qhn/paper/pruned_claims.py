"""Statements on the Hessian's spectrum after pruning, with verdicts from differences over seeds.

Differences are those of one seed at two moments, so that what the moments of a seed share cancels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from qhn.carleman.spectrum import Spectrum
from qhn.paper.claims import Verdict, verdict_of
from qhn.paper.family import Family
from qhn.paper.inference import Difference
from qhn.paper.pruned_training import AT, HORIZON, SHARE, SHARES, Moment, Training, Trainings
from qhn.paper.qsgd_plan import PRUNED as PLAN
from qhn.paper.section import Writer

PAPER, OURS = "Liu et al. 2024, summaries", "our own"
LAST = AT[-1]
PRUNED, TUNED, DENSE = (Training.FINE_TUNED, 0), (Training.FINE_TUNED, LAST), (Training.DENSE, LAST)
BEFORE = "just after pruning less at the end of the dense training"
AFTER = f"just after pruning less after {LAST:,} steps of fine-tuning"
Quantity = Callable[[Moment], Any]
When = tuple[Training, int]


def kept_positive(one: Moment) -> float:
    """The positive mass of the kept parameters' Hessian for each of them."""
    return one.kept.positive.value / one.kept.num_parameters


def kept_negative(one: Moment) -> float:
    """The negative mass of the kept parameters' Hessian for each of them."""
    return one.kept.negative.value / one.kept.num_parameters


def percent_positive(one: Spectrum) -> float:
    """The percentage of the eigenvalues that are positive; all must be known."""
    return 100 * float((one.eigenvalues > 0).mean())


def last_error(one: Moment) -> float:
    """The error of the linearised descent at the end of the horizon."""
    return float(one.errors[-1])


@dataclass(frozen=True, eq=False)
class _Judge:
    """What adds claims to a family that a mean of differences over seeds is positive, with Student's 95 % interval."""

    family: Family
    found: Trainings

    def compare(self, source: str, statement: str, quantity: Quantity, first: When, second: When, what: str) -> None:
        """Add the claim that a quantity is larger at a first moment than at a second one of the same seed."""
        self.claim(source, statement, {share: self.paired(quantity, first, second, share) for share in SHARES}, what)

    def paired(self, quantity: Quantity, first: When, second: When, share: float = SHARE) -> Difference:
        """The mean over seeds of a quantity at a first moment less that at a second one."""
        values = [self.found.values(quantity, *when, share) for when in (first, second)]
        return Difference.of_means(values[0] - values[1])

    def single(self, quantity: Quantity, when: When) -> dict[float, Difference]:
        """The mean over seeds of a quantity at a moment, for each share of pruned parameters."""
        return {share: Difference.of_means(self.found.values(quantity, *when, share)) for share in SHARES}

    def claim(self, source: str, statement: str, by_share: Mapping[float, Difference], what: str) -> None:
        """Add a claim that is judged with the share of ``SHARE`` pruned; other shares are evidence without a test."""
        others = "; ".join(f"{share:.0%}: {one.words(3)}" for share, one in by_share.items() if share != SHARE)
        evidence = f"{by_share[SHARE].words(3)} ({what})" + (f"; without a test: pruned {others}" if others else "")
        self.family.add(source, f"{statement}, {SHARE:.0%} pruned", by_share[SHARE].above(), evidence=evidence)


def judge(page: Writer, found: Trainings) -> None:
    """Add the claims on pruned networks, each with its verdict.

    Args:
        page: the section.
        found: the trainings.
    """
    for question, parts in FAMILIES.items():
        claims = _Judge(Family(question), found)
        for add in parts:
            add(claims)
        claims.family.judge(page)
    _proved(page, found)
    page.claim(
        PAPER,
        "So it is for models of 7 and 103 million parameters",
        Verdict.UNTESTABLE,
        "spectra here are those of 289 parameters; the published code has spectra only, and no linearised descent",
    )


def _masses(claims: _Judge) -> None:
    """Add the claims on numbers and masses of eigenvalues."""
    for source, statement, quantity, second, what in (
        (
            PAPER, "Just after pruning more of the eigenvalues are positive (full Hessian)",
            lambda one: percent_positive(one.full), DENSE, f"percentage points, {BEFORE}",
        ), (
            PAPER, "Just after pruning the positive mass is larger than before (full Hessian)",
            lambda one: one.full.positive.value, DENSE, BEFORE,
        ), (
            PAPER, "Just after pruning the positive mass per parameter is larger than before (kept against dense)",
            lambda one: 1000 * kept_positive(one), DENSE, f"in thousandths, {BEFORE}",
        ), (
            PAPER, "The positive mass is larger just after pruning than later (full Hessian)",
            lambda one: one.full.positive.value, TUNED, AFTER,
        ), (
            PAPER, "The positive mass is larger just after pruning than later (kept Hessian)",
            lambda one: one.kept.positive.value, TUNED, AFTER,
        ), (
            OURS, "The negative mass, too, is larger just after pruning than before (full Hessian)",
            lambda one: one.full.negative.value, DENSE, BEFORE,
        ), (
            OURS, "The negative mass, too, is larger just after pruning than later (kept Hessian)",
            lambda one: one.kept.negative.value, TUNED, AFTER,
        ), (
            OURS, "The share of negative to positive mass is larger just after pruning than before (kept, dense)",
            lambda one: one.ratio, DENSE, BEFORE,
        ), (
            OURS, "The share of negative to positive mass is larger just after pruning than later (kept Hessian)",
            lambda one: one.ratio, TUNED, AFTER,
        ),
    ):  # fmt: skip
        claims.compare(source, statement, quantity, PRUNED, second, what)


def _growth(claims: _Judge) -> None:
    """Add the claims on how a disturbance of the kept parameters grows, by the spectrum alone."""
    what = f"logarithm of the factor of {HORIZON} linearised steps, root mean square over directions"
    claims.claim(
        PAPER,
        "Just after pruning a disturbance decays on average",
        claims.single(lambda one: -np.log(one.mean_growth), PRUNED),
        f"minus the {what}",
    )
    claims.compare(
        PAPER,
        "Just after pruning a disturbance decays faster on average than before (kept against dense)",
        lambda one: np.log(one.mean_growth),
        DENSE,
        PRUNED,
        f"{what}, at the end of the dense training less just after pruning",
    )
    claims.claim(
        OURS,
        "Just after pruning there is a direction in which a disturbance grows",
        claims.single(lambda one: np.log(one.worst_growth), PRUNED),
        f"logarithm of the largest factor of {HORIZON} linearised steps",
    )


def _errors(claims: _Judge) -> None:
    """Add the claims on the error of the linearised descent."""
    early = PLAN.early
    longer = np.exp(_ends(claims.paired(lambda one: np.log(one.way), PRUNED, DENSE)))
    claims.claim(
        PAPER,
        "Linearised just after pruning, the error of the descent decays",
        claims.single(lambda one: one.errors[early - 1] - one.errors[-1], PRUNED),
        f"error after {early} steps less that after {HORIZON}, as shares of the way gone",
    )
    claims.compare(
        PAPER, "Linearised just after pruning, the error is smaller than before",
        last_error, DENSE, PRUNED,
        f"error after {HORIZON} steps from the end of the dense training less that from just after pruning, where the "
        f"gradient is no longer small: the way of the true descent is {longer[0]:.1f} ({longer[1]:.1f} to "
        f"{longer[2]:.1f}) times as long (geometric mean)",
    )  # fmt: skip
    claims.compare(
        OURS, "Sparse training makes the error of a new linearisation smaller",
        last_error, PRUNED, TUNED,
        f"error after {HORIZON} steps from just after pruning less that from step {LAST:,} of fine-tuning",
    )  # fmt: skip


def _dissipative(claims: _Judge) -> None:
    """Add the claims that no eigenvalue of the kept parameters' Hessian is negative."""
    for when, words in ((PRUNED, "just after pruning"), (TUNED, f"after {LAST:,} steps of fine-tuning")):
        smallest = claims.found.values(lambda one: one.kept.smallest, *when, SHARE)
        claims.claim(
            PAPER,
            f"The sparse model is dissipative {words}: no eigenvalue of the kept Hessian is negative",
            claims.single(lambda one: 1000 * one.kept.smallest, when),
            f"mean of the smallest eigenvalue in thousandths, which is below 0 in {(smallest < 0).sum()} of "
            f"{len(smallest)} seeds; with one below 0, R is infinite",
        )


def _scratch(claims: _Judge) -> None:
    """Add the claims on trainings from scratch, which are made with one share of pruned parameters."""
    for training in (Training.SAME_START, Training.NEW_START):
        for words, quantity, what in (
            ("the error of the linearised descent", lambda one: np.log10(last_error(one)), "powers of ten"),
            ("the share of negative to positive mass", lambda one: one.ratio, "kept Hessian"),
        ):
            claims.claim(
                PAPER,
                f"Dense training before pruning helps: {words} is larger {training}",
                {SHARE: claims.paired(quantity, (training, 0), PRUNED)},
                f"{what}, at its first step less just after pruning",
            )


FAMILIES: dict[str, tuple[Callable[[_Judge], None], ...]] = {
    "eigenvalues after pruning": (_masses,),
    "growth of disturbances after pruning": (_growth, _dissipative),
    "error of the linearised descent": (_errors,),
    "sparse training from scratch": (_scratch,),
}


def _ends(found: Difference) -> tuple[float, float, float]:
    return found.value, found.low, found.high


def _proved(page: Writer, found: Trainings) -> None:
    """Add the claim that follows from Cauchy's interlacing."""
    growth = [
        max(one.kept.positive.value - one.full.positive.value, one.kept.negative.value - one.full.negative.value)
        for one in found.moments
    ]
    page.claim(
        OURS,
        "Leaving out parameters enlarges neither mass of the Hessian at the same point (proved: Cauchy's interlacing)",
        verdict_of(found.breach <= PLAN.rounding and max(growth) <= PLAN.rounding),
        f"eigenvalues at all {len(found.moments)} moments interlace but for {found.breach:.0e}; pruning also moves the "
        "point, and of that nothing is proved",
    )
