"""Objectives with a uniform prior beside the plain mean: success, overfitting, calibration, and the exact posterior."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from qhn import durable
from qhn.arrays import Floats
from qhn.paper import plan
from qhn.paper.family import Family
from qhn.paper.inference import Difference
from qhn.paper.lab import Lab
from qhn.paper.noisytraining import OURS
from qhn.paper.objective_claims import (
    NAMES,
    gain,
    identity,
    on_depth,
    on_few_samples,
    on_shots,
    on_success,
    pulls_of,
)
from qhn.paper.objective_ends import QUANTITIES
from qhn.paper.objective_studies import (
    ARMS,
    INITIAL,
    SUCCESS,
    TRAINED,
    FewSamples,
    Sampled,
    by_settings,
    depths,
    few_samples,
    many_samples,
    sampled,
    settings_of,
    uniform_divergences,
)
from qhn.paper.objectives_pictures import curves, divergences, losses, reliability
from qhn.paper.pictures import name_of
from qhn.paper.section import Writer
from qhn.problem.prior import WIDTH
from qhn.sweep.survey import Rate
from qhn.text import Row

CHUNK = 5  # data sets that one worker does at a time
SHOWN = {
    "training": "training E",
    "validation": "E, unseen",
    "brier": "Brier",
    "log_loss": "log loss",
    "accuracy": "accuracy",
    "calibration_error": "calibration error",
    "entropy": "entropy",
    "divergence": "KL to posterior",
    "optimal": "P(optimal)",
    "mode_is_optimal": "most probable is optimal",
}


def objectives(lab: Lab) -> Writer:
    """The section on objectives that hold the distribution close to a uniform prior, beside the plain mean."""
    fixed = plan.OBJECTIVES
    page = Writer("Objectives with a prior: the ELBO and its surrogate from shots (gaussian-activation)")
    page.text(
        "Nepote et al. (arXiv:2506.05888), of whose paper only the abstract was read, add a prior to E. Here that is "
        "`elbo`, F = E + (N ln 2 − H)/N_s with the entropy H of the exact distribution, and `mmd`, E + λ·MMD² to the "
        "uniform prior, which shots tell too. All circuits have 2 layers in eq5 unless said otherwise; all objectives "
        "start from the same θ on the same data set, and every interval but Wilson's of rates is Student's over data "
        "sets, of paired differences where two are compared. *Prior* is the uniform distribution of all 2^14 networks, "
        "*posterior* is q(w) ∝ exp(−N_s·C(w)), which no distribution surpasses in F; neither is trained."
    )
    page.plan(fixed)
    few = _few(lab, fixed)
    many = np.concatenate(_map(lab, many_samples, fixed.many_data_sets, fixed, "success on many samples"))
    deep, surplus = (
        np.concatenate(part) for part in zip(*_map(lab, depths, fixed.deep_data_sets, fixed, "depths"), strict=True)
    )
    runs = [run for part in _map(lab, sampled, fixed.sampled_starts, fixed, "runs by shots") for run in part]
    nearest = deep.min(axis=-1)
    _on_few(page, lab, few, fixed)
    _on_many(page, many, fixed)
    _on_depth(page, lab, nearest, deep, fixed)
    _on_shots(page, runs, fixed)
    _on_settings(page, lab, fixed)
    words = identity(max(few.largest_error, float(np.abs(surplus - deep).max())), fixed)
    page.claim(OURS, *words)
    family = Family("objectives with a prior")
    on_success(family, many, few, fixed)
    on_few_samples(family, few, fixed)
    on_depth(family, nearest, fixed)
    on_shots(family, runs, fixed)
    family.judge(page)
    return page


def _map(lab: Lab, study: Any, number: int, fixed: plan.ObjectivesPlan, what: str) -> list[Any]:
    """What a study finds on the first so many seeds, some at a time."""
    number = min(lab.seeds or number, number)
    jobs = [range(start, min(start + CHUNK, number)) for start in range(0, number, CHUNK)]
    return lab.map(partial(study, fixed=fixed), jobs, f"objectives, {what}")


def _few(lab: Lab, fixed: plan.ObjectivesPlan) -> FewSamples:
    """The results on few samples, which are saved."""
    parts = _map(lab, few_samples, fixed.data_sets, fixed, "few samples")
    few = FewSamples(fixed.samples, *(np.concatenate(side) for side in zip(*parts, strict=True)))
    arrays: dict[str, Any] = {"values": few.values, "curves": few.curves, "bins": few.bins}
    names = {"samples": fixed.samples, "arms": ARMS, "quantities": QUANTITIES, "objectives": TRAINED}
    arrays |= {name: np.array(values) for name, values in names.items()}
    path = lab.folder / "objectives-few-samples.npz"
    durable.replace(path, lambda file: np.savez_compressed(file, allow_pickle=False, **arrays))
    return few


def _on_few(page: Writer, lab: Lab, few: FewSamples, fixed: plan.ObjectivesPlan) -> None:
    """Add what each objective comes to on few samples."""
    page.text(
        f"**Few samples.** Fig. 6's first {len(few.values)} data sets and starts, means × {fixed.means_scale:g}, "
        f"{fixed.iterations} iterations of L-BFGS. Unseen samples are {fixed.points} points of scrambled Sobol "
        "sequences, which stand for the Gaussians themselves. E on them is what a network drawn from q loses, the "
        "Brier score what the ensemble of all networks loses, which is never more; entropy and KL are in nats. With "
        "N_s = 2 half of the data sets have samples of one class only. A low calibration error alone is no merit: who "
        "always answers ½, as the prior almost does, is calibrated. Where the exact posterior predicts worse than E "
        "alone, neither the circuit nor its training is to blame, but the objective: N_s squared errors weigh little "
        "against a prior of 14 bits."
    )
    head = ("N_s", "arm", *SHOWN.values())
    rows: list[Row] = [
        (samples, NAMES[arm], *(f"{few.of(quantity, arm, samples).mean():.3f}" for quantity in SHOWN))
        for samples in few.samples
        for arm in ARMS
    ]
    page.table(head, rows)
    page.text("What an objective improves against E alone (positive is better), with 95 % intervals:")
    quantities = ("validation", "brier", "log_loss", "accuracy", "calibration_error")
    rows = [
        (samples, NAMES[arm], *(str(Difference.of_means(gain(few, one, arm, samples))) for one in quantities))
        for samples in few.samples
        for arm in ("elbo", "mmd", "posterior")
    ]
    page.table(("N_s", "arm", *(SHOWN[one] for one in quantities)), rows)
    page.picture(
        lambda: losses(lab.folder / "objectives-losses.png", few),
        "What single networks and ensembles lose on unseen samples by N_s, means over data sets with 95 % intervals.",
    )
    page.picture(
        lambda: curves(lab.folder / "objectives-curves.png", few),
        "E of the distribution along its training, whichever objective is minimised: on the training samples (dotted) "
        "and on unseen ones (solid, with bands of 95 % of the means).",
    )
    page.picture(
        lambda: reliability(lab.folder / "objectives-reliability.png", few),
        "Share of right predictions of the ensembles against their confidence, in ten bins, over all data sets "
        "together; marks are larger where there are more points, bins with less than 1 % are left out. Above the "
        "dashed line an ensemble knows more than it says, below it less.",
    )


def _on_many(page: Writer, many: Floats, fixed: plan.ObjectivesPlan) -> None:
    """Add what each objective finds on as many samples as in Fig. 2."""
    page.text(
        f"**Success.** {len(many)} data sets of {fixed.many:,} samples of Fig. 2's task, one start each, at most "
        f"{fixed.many_iterations} iterations. C − C* is that of the most probable network."
    )
    head = ["objective", "E − C*", f"E − C* < {fixed.epsilon:g}", "P(optimal)", "most probable is optimal"]
    rows: list[Row] = []
    for column, arm in enumerate(TRAINED):
        found = dict(zip(SUCCESS, many[:, column].T, strict=True))
        rates = {name: str(Rate(int(found[name].sum()), len(many))) for name in ("near", "mode_is_optimal")}
        rows.append(
            (
                NAMES[arm],
                Difference.of_means(found["gap"]).words(4),
                rates["near"],
                Difference.of_means(found["optimal"]).words(3),
                rates["mode_is_optimal"],
                f"{found['mode_gap'].mean():.4f}",
                f"{found['entropy'].mean():.2f}",
                f"{found['steps'].mean():.0f}",
            )
        )
    page.table([*head, "its C − C*", "entropy, nats", "iterations"], rows)


def _on_depth(page: Writer, lab: Lab, nearest: Floats, deep: Floats, fixed: plan.ObjectivesPlan) -> None:
    """Add how near circuits of all depths come to the posterior."""
    uniform = uniform_divergences(range(len(nearest)), fixed)
    page.text(
        f"**What a circuit can represent.** KL(q, posterior) after {fixed.deep_iterations} iterations on the ELBO, the "
        f"lower of {len(INITIAL)} starts ({' and '.join(INITIAL)} initial angles), means over {len(nearest)} data "
        "sets. As the end of a search it is an upper bound of what the circuit can represent: the scatter between "
        "starts says how loose. The last column is KL of the uniform distribution, which takes no training."
    )
    rows: list[Row] = []
    for column, samples in enumerate(fixed.deep_samples):
        found = [Difference.of_means(values).words(3) for values in nearest[:, column].T]
        apart = np.ptp(deep[:, column], axis=-1).mean(axis=0)
        level = Difference.of_means(uniform[samples]).words(3)
        rows.append((samples, *found, ", ".join(f"{one:.3f}" for one in apart), level))
    names = [name_of(depth) for depth in fixed.layers]
    page.table(("N_s", *names, "starts differ by, at each depth", "uniform"), rows)
    page.picture(
        lambda: divergences(lab.folder / "objectives-depth.png", nearest, uniform, fixed),
        "KL from the trained distribution to the exact posterior by depth, in nats, with 95 % intervals over data "
        "sets; dashed: that of the uniform distribution; dotted: the distance that counts as represented.",
    )


def _on_shots(page: Writer, runs: list[Sampled], fixed: plan.ObjectivesPlan) -> None:
    """Add what the surrogate does by shots."""
    off, scatter = pulls_of(runs)
    page.text(
        f"**By shots.** {len(runs)} runs as `qhn run gaussian-activation --backend exact --shots {fixed.shots} --set "
        f"train.objective=mmd` does them (N_s = {fixed.sampled_samples}, parameter shift, Adam, {len(runs[0].exact)} "
        "steps), each beside the run of the same rule and start by exact gradients. Values are exact ones of "
        "E + λ·MMD² at the angles of each run."
    )
    values = {
        "at the start": [run.exact[0] for run in runs],
        "at the end, by shots": [run.by_shots[-1] for run in runs],
        "at the end, exact gradients": [run.exact[-1] for run in runs],
    }
    rows: list[Row] = [(name, Difference.of_means(found).words(3)) for name, found in values.items()]
    rows += [
        ("share of the fall that shots reach", Difference.of_means([run.fallen for run in runs]).words(2)),
        ("stated value − exact one, standard errors", off.words(2)),
        ("their scatter, standard errors", scatter.words(2)),
    ]
    page.table(("E + λ·MMD²", "mean"), rows)


def _on_settings(page: Writer, lab: Lab, fixed: plan.ObjectivesPlan) -> None:
    """Add the table of settings, on data sets of which no claim knows."""
    settings = settings_of(fixed)
    number = min(lab.seeds or fixed.pilots, fixed.pilots)
    jobs = [range(fixed.first_pilot + k, fixed.first_pilot + k + 1) for k in range(number)]
    study = partial(by_settings, fixed=fixed, samples=fixed.samples, settings=settings)
    found = np.concatenate(lab.map(study, jobs, "objectives, settings")).mean(axis=0)
    page.text(
        f"**Settings**, on {number} other data sets, on which no claim rests; means over them. The factor multiplies "
        "the weight of the prior: KL/N_s of the ELBO, and of the exact posterior beside it, in which 1/16 counts every "
        "sample 16 times, or "
        f"λ = N ln 2/N_s of the surrogate, whose kernel falls to 1/e at the width's share of all bits. Defaults are "
        f"factor 1 and width {WIDTH:g}; the module `qhn.problem.prior` says what they were judged by, on 16 data sets."
    )
    quantities = ("brier", "accuracy", "divergence")
    head = ["objective", "factor", "width"]
    head += [f"{SHOWN[quantity]}, N_s = {samples}" for quantity in quantities for samples in fixed.samples]
    rows: list[Row] = []
    for column, (kind, factor, width) in enumerate([("mean", 0.0, 0.0), *settings]):
        cells = [f"{value:.3f}" for one in quantities for value in found[:, column, QUANTITIES.index(one)]]
        is_mmd = kind == "mmd"
        rows.append((NAMES[kind], f"{factor:g}" if factor else "–", f"{width:g}" if is_mmd else "–", *cells))
    page.table(head, rows)
