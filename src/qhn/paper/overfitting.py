"""Fig. 6: training on few samples, and when it should stop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from qhn import durable
from qhn.arrays import Floats
from qhn.config.file import load_config
from qhn.exact.energy import Energy
from qhn.optimize.lbfgs import descend
from qhn.paper import plan
from qhn.paper.early_stopping import Curves, add_claims, gap_closes, step_range
from qhn.paper.family import Family
from qhn.paper.inference import Difference
from qhn.paper.lab import Lab, circuit_of
from qhn.paper.optima import GAUSSIANS, GRADIENT
from qhn.paper.overfitting_pictures import curves_of_training, gains_of_stopping
from qhn.paper.section import Writer
from qhn.problem.cost import BinnProblem, networks_of
from qhn.problem.landscape import enumerate_costs
from qhn.text import Row

PLAN = plan.OVERFITTING
CHUNK = 8  # data sets that one worker does at a time
SIDES = ("training", "validation", "test", "few")
ByScale = dict[float, dict[int, Curves]]  # curves by the factor on the means, and by N_s


def figure_6(lab: Lab) -> Writer:
    """The section on Fig. 6, training and validation E over 50 iterations, from few samples and from many."""
    page = Writer("Fig. 6: overfitting (gaussian-activation, Gaussians closer together)")
    page.plan(PLAN)
    page.text(
        f"One start for each data set, 2 layers, eq5, {PLAN.iterations} iterations of L-BFGS on the exact E. Data set "
        "k is the same for every N_s: its samples are the first N_s of one sequence, its validation and test samples "
        "and its initial angles are shared, and so differences between numbers of samples are paired. With other means "
        "of the Gaussians the labels and the noise of the samples are the same. With N_s = 2 half of the data sets "
        "have samples of one class only. All intervals are Student's of 95 % over data sets."
    )
    curves = _all_curves(lab)
    main = curves[PLAN.means_scale]
    arrays = {
        f"{name}_{n}_at_{scale:g}": getattr(found, name)
        for scale, by_samples in curves.items()
        for n, found in by_samples.items()
        for name in SIDES
    }
    path = lab.folder / "figure-6-all.npz"
    durable.replace(path, lambda file: np.savez_compressed(file, allow_pickle=False, **arrays))
    page.picture(
        lambda: curves_of_training(lab.folder / "figure-6.png", main),
        "Above: mean training (solid) and validation E (dashed) over data sets. Below: the validation E minus its "
        "value at the end of the same training, which takes out what differs between data sets. Bands are 95 % "
        "intervals of the means, in the panels above hardly wider than the lines. Dotted: the steps at which to stop, "
        "chosen on other data sets, as in the table.",
    )
    _tabulate(page, main)
    _price(page, main)
    family = Family("Fig. 6, few samples")
    for samples, found in main.items():
        add_claims(family, found, samples, PLAN.negligible, rises=samples == min(main))
    gap_closes(family, main)
    family.judge(page)
    _scan(page, lab.folder, curves)
    return page


def _tabulate(page: Writer, curves: Mapping[int, Curves]) -> None:
    """Add the table of the final E, the gap and the form of the validation curve for each N_s."""
    head = ("N_s", "training E", "validation E", "gap", "stop at step", "fall until then", "rise after it")
    rows = [
        (
            f"{samples:,}",
            f"{found.training[:, -1].mean():.4f}",
            f"{found.validation[:, -1].mean():.4f}",
            str(Difference.of_means(found.gaps)),
            f"{step_range(found.steps)} of {PLAN.iterations}",
            str(found.fall),
            str(found.rise),
        )
        for samples, found in curves.items()
    ]
    page.table(head, rows)


def _price(page: Writer, curves: Mapping[int, Curves]) -> None:
    """Add the table of what stopping early gains, by what it takes to know when."""
    page.text(
        f"What stopping early lowers the test E by, if it stops (a) at a step fixed on other data sets, each with "
        f"{PLAN.held_out:,} validation samples; (b) where E is lowest on N_s further samples, as many as were trained "
        f"on; (c) where E is lowest on {PLAN.held_out:,} validation samples of the same data set. The last is an "
        "oracle: who has so many labelled samples would train on them. The last column says what training on the "
        "N_s further samples as well, to the end, lowers the test E by."
    )
    head = ("N_s", "(a) fixed step", "(b) N_s further samples", "(c) oracle", "oracle's samples / N_s")
    rows: list[Row] = []
    for samples, found in curves.items():
        more = curves.get(2 * samples)
        gained = "–" if more is None else str(Difference.of_means(found.test[:, -1] - more.test[:, -1]))
        share = f"{PLAN.held_out / samples:,.0f}"
        rows.append((f"{samples:,}", found.gain, found.gain_by_few, found.gain_by_oracle, share, gained))
    page.table((*head, "training on 2 N_s"), rows)


def _scan(page: Writer, folder: Path, curves: ByScale) -> None:
    """Add the table and the claims for other distances of the Gaussians."""
    page.text(
        "The paper does not say how close its Gaussians are. With other factors on their means, "
        f"{PLAN.other_data_sets} data sets each:"
    )
    head = ("factor on means", "N_s", "validation E", "stop at step", "rise after it", "(a) fixed step")
    rows = [
        (
            f"{scale:g}",
            samples,
            f"{found.validation[:, -1].mean():.4f}",
            step_range(found.steps),
            found.rise,
            found.gain,
            found.gain_by_few,
            found.gain_by_oracle,
        )
        for scale, by_samples in sorted(curves.items())
        for samples, found in by_samples.items()
        if samples in PLAN.other_samples
    ]
    page.table((*head, "(b) N_s further samples", "(c) oracle"), rows)
    page.picture(
        lambda: gains_of_stopping(folder / "figure-6-gains.png", curves, PLAN.means_scale),
        "What stopping early lowers the test E by, with 95 % intervals: left by N_s and what chooses the step, right "
        "by the factor on the means of the Gaussians with the step fixed on other data sets.",
    )
    family = Family("Fig. 6, other distances of the Gaussians")
    for scale in PLAN.other_scales:
        samples = min(curves[scale])
        where = f"means × {scale:g}: "
        add_claims(family, curves[scale][samples], samples, PLAN.negligible, rises=True, where=where)
    family.judge(page)


def _all_curves(lab: Lab) -> ByScale:
    """The curves of all data sets, at the main factor on the means and at others."""
    tasks = {PLAN.means_scale: (PLAN.samples, PLAN.data_sets)}
    tasks |= dict.fromkeys(PLAN.other_scales, (PLAN.other_samples, PLAN.other_data_sets))
    jobs = [
        _Job(scale, samples, range(start, min(start + CHUNK, number)))
        for scale, (samples, number) in tasks.items()
        for start in range(0, number, CHUNK)
    ]
    found = lab.map(partial(_curves, fixed=PLAN), jobs, "Fig. 6, some data sets at a time")
    curves: ByScale = {}
    for scale, (samples, _) in tasks.items():
        parts = [part for job, part in zip(jobs, found, strict=True) if job.scale == scale]
        joined = np.concatenate(parts)  # [data sets, numbers of samples, sides, steps]
        for k, n in enumerate(samples):
            training, validation, test, few = joined[:, k].swapaxes(0, 1)
            curves.setdefault(scale, {})[n] = Curves(training, validation, test, few, PLAN.folds)
    return curves


@dataclass(frozen=True)
class _Job:
    """Data sets that one worker does: the factor on the means, the numbers of samples, and the seeds."""

    scale: float
    samples: tuple[int, ...]
    seeds: range


def _curves(job: _Job, fixed: plan.OverfittingPlan) -> Floats:
    """The curves of some data sets: ``[data sets, numbers of samples, sides, steps]``."""
    return np.stack([data_set_curves(job.scale, job.samples, seed, fixed) for seed in job.seeds])


def data_set_curves(scale: float, samples: Sequence[int], seed: int, fixed: plan.OverfittingPlan) -> Floats:
    """The curves of training on the first samples of one data set: ``[numbers of samples, sides, steps]``.

    Args:
        scale: factor on the means of the Gaussians.
        samples: numbers of training samples.
        seed: seed of the data set and of the initial angles.
        fixed: the plan, of which the numbers of iterations and of samples held out are used.
    """
    settings = {
        "train.seed": seed, "data.samples": 2 * max(samples), "data.seed": seed, "data.means_scale": scale,
        "data.validation_samples": 2 * fixed.held_out,
    }  # fmt: skip
    config = load_config(GAUSSIANS, settings)
    problem = networks_of(config.problem())
    ansatz = circuit_of(config, problem)
    start = config.initial_theta(ansatz)[None]
    held_out = [costs_on(problem.held_out, part) for part in (slice(fixed.held_out), slice(fixed.held_out, None))]
    curves = np.empty((len(samples), len(SIDES), fixed.iterations + 1))
    for curve, number in zip(curves, samples, strict=True):
        energy = Energy(ansatz, costs_on(problem, slice(number)), num_threads=1)
        standings = descend(energy.value_and_grad, start, max_steps=fixed.iterations, tolerance=GRADIENT)
        thetas, values = zip(*((at.theta[0].copy(), float(at.value[0])) for at in standings), strict=True)
        tables = [*held_out, costs_on(problem, slice(number, 2 * number))]
        sides = [np.array(values), *(Energy(ansatz, table, num_threads=1)(np.stack(thetas)) for table in tables)]
        for side, found in zip(curve, sides, strict=True):
            side[: len(found)], side[len(found) :] = found, found[-1]
    return curves


def costs_on(problem: BinnProblem, part: slice) -> Floats:
    """The costs of all networks for a part of a problem's training samples."""
    data = problem.dataset
    return enumerate_costs(replace(problem, dataset=replace(data, x=data.x[part], y=data.y[part])))
