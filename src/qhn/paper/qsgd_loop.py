"""The part of the report on the loop of upload, solution and download: picture, table and claims."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from qhn.arrays import Floats
from qhn.carleman.download import MIN_COUNTS
from qhn.carleman.symmetric import SymmetricBasis
from qhn.paper import loop_errors, solver_pictures
from qhn.paper.claims import verdict_of
from qhn.paper.contrast import Contrast
from qhn.paper.family import Family
from qhn.paper.inference import Difference
from qhn.paper.lab import Lab
from qhn.paper.loop_errors import EXACT, SEEDS, SHOTS, Coverage, Descents, share_that_holds
from qhn.paper.qsgd_plan import LOOP
from qhn.paper.section import Writer
from qhn.sweep.survey import Rate

SUMMARY, OURS = "Liu et al. 2024, summaries", "our own"


def loop(page: Writer, lab: Lab) -> None:
    """Add to a section what the loop reaches beside true sparse descent, by the number of shots.

    Args:
        page: the section.
        lab: the workers and folders.
    """
    cases = [(EXACT, 0), *itertools.product(SHOTS, range(SEEDS))]
    segments = lab.map(loop_errors.descent, cases, "descents of the digits")
    found = [
        Descents(shots, [one for case, one in zip(cases, segments, strict=True) if case[0] == shots])
        for shots in (EXACT, *SHOTS)
    ]
    covered = lab.map(loop_errors.coverage, list(SHOTS), "downloads")
    _introduce(page, found[0])
    page.plan(LOOP)
    page.picture(
        lambda: solver_pictures.loop_errors(lab.folder / "qsgd-loop.png", found, covered),
        f"Whole descents of {found[0].update_errors.shape[1]} segments, {SEEDS} seeds of the shots for each number of "
        "them: distance of the last θ from that of true descent, and error of the loss; shares of 95 % intervals of "
        "downloads of the first segment that hold what the circuits hold, and what true descent reaches.",
    )
    _table(page, found, covered)
    _judge(page, found, covered)


def _introduce(page: Writer, exact: Descents) -> None:
    config, segments = loop_errors.setting(), exact.descents[0]
    solved, first, last = segments[0].solved, segments[0].beside.losses, segments[-1].beside.losses
    assert solved is not None
    rows = SymmetricBasis(config.prune.keep, config.lift.order).dimension
    carleman = max(one.carleman_error for one in segments)
    page.text("### The loop against true sparse descent")
    page.text(
        f"Logistic regression on the 4×4 digits 0 and 1 (one data set): {config.dense.steps} steps of dense training, "
        f"17 parameters pruned to {config.prune.keep} by magnitude, {len(segments)} segments of T = "
        f"{config.descent.steps} steps, η = {config.descent.learning_rate:g}, N = {config.lift.order}, QSVT with ε = "
        f"{config.solver.epsilon:g} on {solved.qubits} qubits (degree {solved.degree}, κ = "
        f"{segments[0].told.condition:.3g}), magnitudes and signs from two interference circuits. True sparse descent "
        f"lowers the loss from {first['before']:.5f} to {last['true_path']:.5f}; the loop with exact amplitudes to "
        f"{last['after']:.5f}. Classical Carleman linearisation of the same systems errs by {carleman:.1e} of a "
        f"segment's update at most, **and takes {len(segments) * config.descent.steps} products of a matrix of "
        f"{rows} rows with a vector**. R of the segments is "
        f"{', '.join(f'{one.told.nonlinearity:.2g}' for one in segments)}: above 1 nothing had been promised."
    )


def _table(page: Writer, found: Sequence[Descents], covered: Sequence[Coverage]) -> None:
    downloads = {one.shots: one for one in covered}
    rows = []
    for one in found:
        download = downloads.get(one.shots)
        rows.append(
            (
                "exact amplitudes" if one.shots == EXACT else f"{one.shots:,}",
                _percent(one.update_errors),
                _percent(one.end_errors),
                _percent(one.decrease_errors),
                "–" if download is None else f"{download.counts:,.0f}",
                "–" if download is None else f"{100 * _rms(download.errors):.2g} %",
                "–" if download is None else f"{100 * _rms(download.stated):.2g} %",
                "–" if download is None else _share(download.inside),
                "–" if download is None else _share(download.inside_true),
            )
        )
    head = (
        "shots a segment", "update of a segment", "whole way", "decrease of the loss", "counts a parameter",
        "one download", "as stated", "95 % intervals that hold what the circuits hold", "true descent",
    )  # fmt: skip
    page.text(
        "Errors are relative, as root mean square and, in brackets, at most. What a segment errs is mended by the next "
        "ones, as far as the descent contracts. The last five columns are of "
        f"{len(covered[0].errors)} downloads of the first segment, {len(covered[-1].errors)} with {SHOTS[-1]:,} shots. "
        f"Below {MIN_COUNTS:g} counts a parameter the loop refuses to measure unless it is told not to; here it was."
    )
    page.table(head, rows)


def _judge(page: Writer, found: Sequence[Descents], covered: Sequence[Coverage]) -> None:
    exact, sampled = found[0], found[1:]
    page.claim(
        SUMMARY,
        "Pruned training by upload, solution, download and re-upload follows sparse gradient descent",
        verdict_of(exact.update_errors.max() <= LOOP.followed),
        f"exact amplitudes: every update within {100 * exact.update_errors.max():.2g} % of the true one, the decrease "
        f"of the loss within {100 * exact.decrease_errors.max():.1g} %; one data set with 4 parameters, simulated",
    )
    family = Family("the loop with shots")
    _claim_exponent(family, sampled, covered)
    _claim_decrease(family, sampled, covered)
    _claim_coverage(family, covered)
    family.judge(page)


def _claim_exponent(family: Family, sampled: Sequence[Descents], covered: Sequence[Coverage]) -> None:
    """Add the claim that errors are those of shots."""
    clear = [one for one in covered if one.counts >= MIN_COUNTS]
    repeats = min(len(one.errors) for one in clear)
    shots = [one.shots for one in clear]
    slope = _exponent(shots, [one.errors[:repeats] for one in clear])
    whole = _exponent(shots, [one.end_errors for one in sampled if one.shots in shots])
    low, high = LOOP.exponent - LOOP.near_exponent, LOOP.exponent + LOOP.near_exponent
    family.add(
        OURS,
        "The error of a download falls as the inverse root of the shots",
        slope.inside(low, high),
        evidence=f"exponent {slope.words(2)} over {repeats} repeats of {min(shots):,} to {max(shots):,} shots, with at "
        f"least {MIN_COUNTS:g} counts a parameter; that of the last θ {whole.words(2)} over {SEEDS} seeds, whose last "
        f"digits are the solver's; {low:g} to {high:g} was asked for",
    )


def _claim_decrease(family: Family, sampled: Sequence[Descents], covered: Sequence[Coverage]) -> None:
    """Add the claims that the loss falls as it should: nearly, with many shots; as nearly as is stated, with few."""
    enough = [one for one in sampled if one.shots >= LOOP.enough_shots]
    worst = max(float(one.decrease_errors.max()) for one in enough)
    family.add(
        OURS,
        f"With {LOOP.enough_shots:,} shots a segment and more, the decrease of the loss is in the mean less than "
        f"{LOOP.decrease:.0%} off",
        {
            f"{one.shots:,} shots": replace(
                Difference.of_means(LOOP.decrease - one.decrease_errors).above(),
                words=f"{Difference.of_means(one.decrease_errors).words(5, 100)} %",
            )
            for one in enough
        },
        evidence="mean of all segments "
        + "; ".join(
            f"{Difference.of_means(one.decrease_errors).words(5, 100)} % off with {one.shots:,} shots" for one in enough
        )
        + f"; at most {100 * worst:.2g} % in {sum(len(one.decrease_errors) for one in enough)} descents",
    )
    few = [one for one in covered if one.shots < LOOP.enough_shots]
    rates = {f"{one.shots:,} shots": _rate(one.is_decrease_within) for one in few}
    family.add(
        OURS,
        f"With fewer, the decrease is within twice its stated error in more than {LOOP.within:.0%} of downloads",
        {
            name: replace(Difference.contrast(Contrast.of(name, rate) - LOOP.within).above(), words=str(rate))
            for name, rate in rates.items()
        },
        evidence="; ".join(f"{name}: {rate}" for name, rate in rates.items()) + " of those of the first segment",
    )


def _claim_coverage(family: Family, covered: Sequence[Coverage]) -> None:
    """Add the claim that intervals hold as often as they state, which takes a share that is shown not to be lower."""
    family.add(
        OURS,
        f"Stated {LOOP.stated:.0%} intervals hold what the circuits hold in more than {LOOP.held:.1%} of cases",
        {
            f"{one.shots:,} shots": replace(share_that_holds(one.inside).above(LOOP.held), words=_share(one.inside))
            for one in covered
        },
        evidence="; ".join(f"{one.shots:,} shots: {_share(one.inside)}" for one in covered)
        + "; intervals are over downloads. Of true descent "
        + "; ".join(_share(one.inside_true) for one in covered)
        + ", from which truncation and the solver's ε keep the circuits",
    )


def _exponent(shots: Sequence[int], errors: Sequence[Floats]) -> Difference:
    """The exponent with which errors ``[num_repeats]`` of each number of shots grow with it, as a mean over repeats."""
    slopes: Floats = np.polyfit(np.log10(shots), np.log10(np.array(errors)), 1)[0]
    return Difference.of_means(slopes)


def _rate(inside: Floats) -> Rate:
    return Rate(int(inside.sum()), inside.size)


def _share(inside: Floats) -> str:
    return share_that_holds(inside).words(3)


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def _percent(values: Floats) -> str:
    return f"{100 * _rms(values):.2g} % ({100 * float(np.max(values)):.2g} %)"
