"""Quantum gradient descent: the lift, the solvers, the loop and what they would take, against what is claimed of them.

The claims are those of Liu et al., *Towards provably efficient quantum algorithms for large-scale machine-learning
models* (Nat. Commun. 15, 434, 2024), as its abstract and published summaries state them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qhn.arrays import Floats
from qhn.paper import lift_errors, lift_pictures
from qhn.paper.claims import Verdict, verdict_of
from qhn.paper.inference import Difference
from qhn.paper.lab import Lab
from qhn.paper.lift_errors import HORIZONS, ORDERS, SEGMENTS, Batches, Horizon, Reexpansion, Truncation
from qhn.paper.pruned_spectra import pruned_spectra
from qhn.paper.qsgd_loop import loop
from qhn.paper.qsgd_plan import QSGD
from qhn.paper.qsgd_resources import resources
from qhn.paper.qsgd_solvers import solvers
from qhn.paper.section import Writer

ABSTRACT, SUMMARY, PARENT = "Liu et al. 2024, abstract", "Liu et al. 2024, summaries", "Liu et al. 2021"


def qsgd(lab: Lab) -> Writer:
    """The section on quantum gradient descent by Carleman linearisation."""
    page = Writer("Quantum gradient descent by Carleman linearisation")
    _introduce(page)
    lab.say("truncated lifts")
    _truncation(page, lab, lift_errors.truncations())
    _regimes(page, lab, lift_errors.horizons())
    _reuploads(page, lab, lift_errors.reexpansions(), lift_errors.stochastic())
    solvers(page, lab)
    loop(page, lab)
    pruned_spectra(page, lab)
    resources(page)
    return page


def _introduce(page: Writer) -> None:
    page.text(
        "This part is about another paper: Liu, Liu, Liu, Ye, Wang, Alexeev, Eisert and Jiang, *Towards provably "
        "efficient quantum algorithms for large-scale machine-learning models*, Nat. Commun. 15, 434 (2024). Every "
        "statement of it is in our words."
    )
    page.text(
        "A step of gradient descent with a polynomial gradient is linear in the powers of the displacement from a "
        "reference (the Carleman lift). All steps of a segment together are one linear system, which a quantum solver "
        "could solve; its solution is read out, and the next segment begins there. Everything here is computed at a "
        "size that a laptop simulates. **Definitions of regimes and of R are our own** (`qhn.carleman.regimes`): the "
        "full text of the paper was not available to us, only its abstract, summaries and public code, and that code "
        "has spectra of Hessians, but no lift, no linear system and no circuit. **No quantum advantage is shown or "
        "claimed here**: circuits are simulated, and true descent and classical Carleman linearisation, which are "
        "faster at every size that runs, stand beside each of them. Statements marked *our own* are not the paper's."
    )
    page.text(
        "Lifts and solvers are computed without shots and seeds, so that their claims are judged without a test (–). "
        "What the loop does with shots, and what spectra do over seeds, is tested, in families."
    )
    page.plan(QSGD)


def _truncation(page: Writer, lab: Lab, found: Sequence[Truncation]) -> None:
    page.text("### Truncation")
    page.picture(
        lambda: lift_pictures.errors_by_order(lab.folder / "qsgd-truncation.png", found),
        f"Error of the displacement after {lift_errors.STEPS} steps, by the order N at which the lift is truncated: a "
        "quartic function of two parameters from three distances, and logistic regression on 4×4 digits with "
        f"{lift_errors.KEPT} parameters kept. The Euler closure is of first order in the learning rate.",
    )
    rows = [
        (
            one.name,
            str(one.diagnosis.regime),
            f"{one.diagnosis.nonlinearity:.3g}",
            *(f"{error:.1e}" for error in one.errors),
        )
        for one in found
    ]
    page.table(("problem", "regime", "R", *(f"N = {order}" for order in ORDERS)), rows)
    below = [one for one in found if one.diagnosis.nonlinearity < 1]
    others = [one for one in found if one.diagnosis.nonlinearity >= 1]
    falls = [(one.errors[:-1] / one.errors[1:]).tolist() for one in below]
    means = [float(np.exp(np.mean(np.log(one)))) for one in falls]
    within = all((one.errors <= one.bounds + 1e-15).all() for one in found)
    page.claim(
        SUMMARY,
        "For dissipative models (R < 1) the error of the linearisation decays with the truncation order",
        verdict_of(all(mean > 1 for mean in means) if means else None),
        "with R < 1 one more order divided the error by "
        + ", ".join(
            f"{mean:.1f} ({one.name}; least {min(fall):.1f})"
            for mean, one, fall in zip(means, below, falls, strict=True)
        )
        + f" in the geometric mean; rigorous bounds {'held' if within else 'did not hold'}. "
        + "; ".join(_elsewhere(one) for one in others),
    )


def _elsewhere(one: Truncation) -> str:
    """What more orders do where R is not below 1, in words."""
    steps = one.errors[:-1] / one.errors[1:]
    mean = float(np.exp(np.mean(np.log(steps))))
    return (
        f"With R = {one.diagnosis.nonlinearity:.2g} ({one.name}) nothing is promised, though the linear part of a step "
        f"contracts ({one.diagnosis.regime}): by {mean:.1f} in the mean, and one more order made it larger in "
        f"{int((steps < 1).sum())} of {len(steps)} cases"
    )


def _regimes(page: Writer, lab: Lab, found: Sequence[Horizon]) -> None:
    page.text("### Three regimes")
    page.picture(
        lambda: lift_pictures.three_regimes(lab.folder / "qsgd-regimes.png", found),
        "The same function with curvature +1, 0 and −0.5 at its stationary point, from a displacement of 0.3 there: "
        "condition number of the history, truncation error, and the share of the solution that is the last "
        "displacement, without idle times. What decays is cheap to solve for and expensive to read out.",
    )
    by_name = {one.name: one for one in found}
    kappa = {name: one.condition_numbers for name, one in by_name.items()}
    slope = np.polyfit(np.log(HORIZONS), np.log(kappa["flat"]), 1)[0]
    saturates = kappa["dissipative"][-1] / kappa["dissipative"][-2] < QSGD.saturated
    explodes = kappa["divergent"][-1] / kappa["divergent"][-2] > QSGD.exploded
    page.claim(
        ABSTRACT,
        "Cost is polynomial in the number of steps T for (almost) dissipative models, and not for others",
        Verdict.REPRODUCED if saturates and slope < QSGD.polynomial and explodes else Verdict.NOT_REPRODUCED,
        f"κ from T = {HORIZONS[0]} to {HORIZONS[-1]}: dissipative {_ends(kappa['dissipative'])}, flat "
        f"{_ends(kappa['flat'])} (∝ T^{slope:.2f}), divergent {_ends(kappa['divergent'])}; of one function",
    )
    weight = by_name["dissipative"].weights
    page.claim(
        PARENT,
        "The cost of reading the last displacement out grows with ‖u(0)‖/‖u(T)‖",
        Verdict.REPRODUCED if weight[-1] < QSGD.unread * weight[0] else Verdict.NOT_REPRODUCED,
        f"where displacements decay, the last has the share {weight[0]:.2g} of the solution after {HORIZONS[0]} steps, "
        f"and {weight[-1]:.1g} after {HORIZONS[-1]}; about the present θ, a displacement grows from 0 instead",
    )


def _ends(values: Floats) -> str:
    return f"{values[0]:.3g} → {values[-1]:.3g}"


def _reuploads(page: Writer, lab: Lab, found: Sequence[Reexpansion], batches: Batches) -> None:
    page.text("### Re-uploads and batches")
    gain = Difference.of_means(np.log10(batches.errors[:, 0] / batches.errors[:, 1]))
    mean, low, high = (10**end for end in (gain.value, gain.low, gain.high))
    page.picture(
        lambda: lift_pictures.reuploads(lab.folder / "qsgd-reuploads.png", found, batches),
        "Left: error of 40 steps on the digits by the number of steps between two expansions of the loss, relative to "
        "the distance that true descent covers; what an expansion of degree 2 leaves out is part of it. Right: "
        f"{batches.num_steps} steps of stochastic descent, each with the lift of its own batch, for "
        f"{len(batches.errors)} seeds, against true descent on the same polynomials.",
    )
    dense = found[0].errors
    page.text(
        f"Expanding anew every {SEGMENTS[-1]} steps instead of every {SEGMENTS[0]} lowers the error from "
        f"{dense[0]:.1g} to {dense[-1]:.1g} for all 17 parameters. In stochastic descent N = 2 is "
        f"{mean:,.0f} ({low:,.0f} to {high:,.0f}) times as accurate as N = 1 (geometric mean over seeds)."
    )
