"""The part of the report on the Hessian's spectrum after pruning: picture, tables and claims."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from qhn.carleman.pruning import prune
from qhn.carleman.spectrum import exact_spectrum, spectrum
from qhn.paper import pruned_training as setting
from qhn.paper.lab import Lab
from qhn.paper.pictures import write_rows
from qhn.paper.pruned_claims import judge, kept_negative, kept_positive, percent_positive
from qhn.paper.pruned_pictures import CAPTION, spectra_along_trainings
from qhn.paper.pruned_training import AT, HORIZON, SHARE, SHARES, Moment, Training, Trainings, network, num_kept
from qhn.paper.qsgd_plan import PRUNED
from qhn.paper.section import Writer

LARGE = 34  # hidden units of a network of 613 parameters
COLUMNS: dict[str, Callable[[Moment], Any]] = {
    "loss": lambda one: one.loss,
    "full +": lambda one: one.full.positive.value,
    "full −": lambda one: one.full.negative.value,
    "kept + a parameter": kept_positive,
    "kept − a parameter": kept_negative,
    "kept −/+": lambda one: one.ratio,
    "kept λ min": lambda one: one.kept.smallest,
    "positive, % of full": lambda one: percent_positive(one.full),
    "of kept": lambda one: percent_positive(one.kept),
    f"growth in {HORIZON} steps": lambda one: one.mean_growth,
    "at most": lambda one: one.worst_growth,
    f"way in {HORIZON} steps": lambda one: one.way,
    "error of linearisation": lambda one: one.errors[-1],
}


def pruned_spectra(page: Writer, lab: Lab) -> None:
    """Add to a section what spectra after pruning are, and which statements on them hold.

    Args:
        page: the section.
        lab: the workers and folders.
    """
    moments = lab.map(setting.trainings_of, list(range(setting.SEEDS)), "trainings of 289 parameters with spectra")
    found = Trainings(tuple(one for seed in moments for one in seed))
    page.text("### Hessian spectra after pruning")
    page.text(
        "A tanh network 16–16–1 with biases (289 parameters) on 500 of the bundled 4×4 digits 0 and 1, logistic loss, "
        f"weight decay {setting.WEIGHT_DECAY:g}, gradient descent on all images with η = {setting.RATE:g}. After "
        f"{setting.STEPS:,} steps {', '.join(f'{share:.0%}' for share in SHARES)} of the parameters are pruned by "
        f"magnitude in one shot, and the kept ones trained for {setting.STEPS:,} steps from their values; with "
        f"{SHARE:.0%} pruned also from scratch, from the first weights of before or from new ones. {setting.SEEDS} "
        "seeds, all eigenvalues exact. The *full* Hessian is that by all parameters at the pruned point, the *kept* "
        "one its principal submatrix, which is what governs a sparse training. Masses are sums of positive "
        "eigenvalues, and of magnitudes of negative ones. The linearised descent goes on with the gradient of one "
        f"quadratic expansion (N = 1) for {HORIZON} steps; its error is a share of the way of the true descent. Growth "
        "is the factor by which these steps enlarge a disturbance of the kept parameters, as root mean square over "
        "directions, and at most."
    )
    page.plan(PRUNED)
    page.picture(lambda: spectra_along_trainings(lab.folder / "qsgd-spectra.png", found), CAPTION)
    write_rows(lab.folder / "qsgd-spectra-seeds.csv", _of_seeds(found))
    page.text("The numbers of every seed, from which tests and intervals follow, are in `qsgd-spectra-seeds.csv`.")
    _table(page, found)
    judge(page, found)
    _large(page)


def _of_seeds(found: Trainings) -> list[dict[str, Any]]:
    """The numbers of every moment of every seed, a row each."""
    early = f"error of linearisation after {PRUNED.early} steps"
    return [
        {"training": str(one.training), "pruned": one.pruned, "seed": one.seed, "step": one.step}
        | {name: float(quantity(one)) for name, quantity in COLUMNS.items()}
        | {early: float(one.errors[PRUNED.early - 1])}
        for one in found.moments
    ]


def _table(page: Writer, found: Trainings) -> None:
    """Add the table of medians over seeds."""
    others = [(Training.FINE_TUNED, share, (0, AT[-1])) for share in SHARES if share != SHARE]
    shown: list[tuple[Training, float, tuple[int, ...]]] = [*((one, SHARE, AT) for one in Training), *others]
    rows = [
        (
            str(training),
            "–" if training is Training.DENSE else f"{share:.0%}",
            step,
            *(f"{np.median(found.values(quantity, training, step, share)):.3g}" for quantity in COLUMNS.values()),
        )
        for training, share, steps in shown
        for step in steps
    ]
    page.table(("training", "pruned", "step", *COLUMNS), rows)


def _large(page: Writer) -> None:
    """Add the check of estimated spectra against an exact one, above the size where they are exact."""
    model = network(LARGE)
    theta, _ = prune(model.initial(0), num_kept(SHARE, model.num_parameters))
    exact = exact_spectrum(model.hessian(theta))
    estimated = spectrum(
        lambda vectors: model.hessian_product(theta, vectors), model.num_parameters, ends=LARGE, steps=60
    )
    page.text(
        "Above 500 parameters spectra are estimated from products with vectors. Of a network of "
        f"{model.num_parameters}, with {SHARE:.0%} of its first weights pruned and intervals of "
        f"{estimated.confidence:.0%}:"
    )
    rows = [
        (name, f"{getattr(exact, part).value:.5g}", str(getattr(estimated, part)))
        for name, part in (("positive mass", "positive"), ("negative mass", "negative"), ("trace", "trace"))
    ]
    rows += [
        (name, f"{true:.8g}", f"{value:.8g} ± {estimated.residual:.0e}")
        for name, true, value in (
            ("smallest", exact.smallest, estimated.smallest),
            ("largest", exact.largest, estimated.largest),
        )
    ]
    page.table(("", "exact", "estimated"), rows)
