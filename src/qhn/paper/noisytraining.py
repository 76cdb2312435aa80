"""Training on a noisy machine: whether it still finds the optimum, and whether θ becomes robust."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from qhn.arrays import Bools, Floats
from qhn.paper.chances import Shares, best_sample, chance
from qhn.paper.family import Family
from qhn.paper.inference import Difference, mean_and_error
from qhn.paper.lab import Lab
from qhn.paper.noise_pictures import trained_with_noise
from qhn.paper.noisyends import (
    AFTERWARDS,
    CHUNK,
    GAINS,
    METHODS,
    MORE_STEPS,
    SHIFT,
    SPSA,
    SPSA_STEPS,
    STEPS,
    WITHOUT,
    WRITTEN,
    Ends,
    Machine,
    Results,
    study,
)
from qhn.paper.pictures import ORDERS
from qhn.paper.plan import NOISE
from qhn.paper.section import Writer

STRENGTHS = (0.0, 1.0, 2.0)
RARE = 1e-3  # a share of wrong shots too small to ask what they cost
OURS = "our question"  # the source of claims that are not the authors'


def training_with_noise(page: Writer, lab: Lab) -> None:
    """Add to a section the authors' study of training under depolarising noise, and what training changes in θ."""
    results = study(lab, STRENGTHS, "training with noise")
    starts = lab.seeds or NOISE.noisy_starts
    page.text(
        f"**Training with noise.** The same task and noise, {starts} starts (SPSA: {min(starts, CHUNK)}), from the "
        f"same θ in every way of training. *{WITHOUT}* is L-BFGS on the exact E. *{SHIFT}* is L-BFGS, {STEPS} steps, "
        "on the exact ⟨C⟩ of the noisy machine with its gradient by parameter shift, which takes two circuits for "
        f"each active angle and one for θ itself. *{AFTERWARDS}* goes on in that way for {MORE_STEPS} steps from "
        f"where training without noise ended. *{SPSA}* makes {SPSA_STEPS} steps of one random direction each, three "
        f"circuits a step, with the gains a = {GAINS.learning_rate:g}, A = {GAINS.stability:g}, c = 0.2, also on the "
        f"exact ⟨C⟩. *{WRITTEN}* is a comparison: the last RY layer writes an optimal bitstring, and all other angles "
        "are 0. A *wrong shot* is one that is not optimal. The last columns count starts whose most probable "
        f"bitstring on the noisy machine is optimal, and give the chance that one of {NOISE.few_shots} shots on it is, "
        "and what the noisy machine did for the training."
    )
    table(page, "s", results, {(strength, order): f"{strength:g}" for strength, order in results})
    page.picture(
        lambda: trained_with_noise(lab.folder / "noise-training.png", points(results), "strength s of the noise"),
        "E − C* with noise of circuits trained in different ways: means and standard errors over "
        "starts. SPSA is far above.",
    )
    page.text(_cost_of_errors(results))
    shown = [strength for strength in STRENGTHS if strength > 0]
    family = Family("training with depolarising noise")
    finds(family, "authors' program", results, shown, "depolarising noise")
    lowers(family, results, shown, "depolarising noise")
    family.judge(page)


def _cost_of_errors(results: Results) -> str:
    """Text on what continued training with noise changes, and how far SPSA came."""
    strength, words, left = STRENGTHS[-1], [], []
    for order in ORDERS:
        before, after = results[strength, order][WITHOUT], results[strength, order][AFTERWARDS]
        words.append(
            f"{order}: {100 * (1 - before.optimal.mean()):.1f} → {100 * (1 - after.optimal.mean()):.1f} % wrong shots, "
            f"their C − C* {before.price.mean():.3f} → {after.price.mean():.3f}"
        )
        with_noise, without = (results[s, order][SPSA].ideal for s in (strength, 0.0))
        left.append(f"{order} {spread(without)} if trained without noise, {spread(with_noise)} with s = {strength:g}")
    return (
        f"What going on with noise changes at s = {strength:g}: {'; '.join(words)}. Many θ give the optimum without "
        "noise, and they differ in where errors lead. "
        f"E − C* without noise that {SPSA_STEPS} steps of SPSA leave: {'; '.join(left)}; it is its steps that do not "
        "suffice, before any noise."
    )


def table(page: Writer, head: str, results: Results, names: Mapping[tuple[Machine, str], str]) -> None:
    """Add a table with one row per machine, order of gates and method."""
    rows = []
    for (machine, order), methods in results.items():
        for method, found in methods.items():
            count, wrong = len(found.noisy), max(0.0, 1 - float(found.optimal.mean()))
            rows.append(
                (
                    order, names[machine, order], method, count, spread(found.noisy), spread(found.ideal, 5),
                    f"{100 * wrong:.0f} %", f"{found.price.mean():.3f}" if wrong > RARE else "–",
                    f"{found.likely.sum()} of {count}", f"{chance(found.optimal, NOISE.few_shots).mean():.2f}",
                    f"{found.gradients.mean():,.0f}", f"{found.circuits.mean():,.0f}",
                )
            )  # fmt: skip
    page.table(
        ("order", head, "trained", "starts", "E − C* with noise", "same θ without noise", "wrong shots", "their C − C*",
         "most probable is optimal", f"chance in {NOISE.few_shots} shots", "gradients", "circuits measured"),
        sorted(rows, key=lambda row: ORDERS.index(row[0])),
    )  # fmt: skip


def spread(values: Floats, digits: int = 4) -> str:
    """The mean and its standard error in words."""
    mean, error = mean_and_error(values)
    mean = round(mean, digits) + 0.0  # no −0
    return f"{mean:.{digits}f} ± {error:.{digits}f}" if len(values) > 1 else f"{mean:.{digits}f}"


def points(results: Results) -> dict[str, dict[str, list[tuple[Machine, float, float]]]]:
    """Means and standard errors of E − C* with noise for a picture, by order of gates and method.

    SPSA is left out, because its values are far above the others.
    """
    shown = [method for method in METHODS if method != SPSA]
    return {
        order: {
            method: [
                (machine, *mean_and_error(methods[method].noisy))
                for (machine, name), methods in results.items()
                if name == order and method in methods
            ]
            for method in shown
        }
        for order in ORDERS
    }


def finds(family: Family, source: str, results: Results, machines: Sequence[Machine], noise: str) -> None:
    """Add the claims that training on noisy machines finds the optimum, beside controls without training."""
    some = {order: [results[machine, order] for machine in machines] for order in ORDERS}
    shares = {order: over_machines([methods[SHIFT] for methods in found]) for order, found in some.items()}
    trained = [methods[SHIFT] for found in some.values() for methods in found]
    spsa = np.concatenate([methods[SPSA].optimal for found in some.values() for methods in found])
    likely, ideal = (np.concatenate([getattr(end, name) for end in trained]) for name in ("likely", "ideal"))
    best_sample(
        family,
        source,
        f"after training with {noise} by parameter shift",
        shares,
        f"The most probable bitstring is optimal in {likely.sum()} of {len(likely)} trainings, and E − C* of their θ "
        f"without noise is {spread(ideal, 5)}. SPSA does not converge, with a chance of "
        f"{chance(spsa, NOISE.shots).mean():.3f}",
    )


def over_machines(found: Sequence[Ends], kept: Bools | None = None) -> Shares:
    """The shares of optimal shots on the machine that is worst for each trained circuit, and best for its initial θ.

    Args:
        found: the ends on each machine, of the same starts.
        kept: the starts to count, ``[starts]``; all by default.
    """
    rows = slice(None) if kept is None else kept
    return Shares(
        trained=np.min([end.optimal for end in found], axis=0)[rows],
        untrained=np.max([end.untrained for end in found], axis=0)[rows],
        random=float(found[0].random[0]),
    )


def lowers(family: Family, results: Results, machines: Sequence[Machine], noise: str) -> None:
    """Add the claim that circuits trained with noise have a lower E with it, in pairs with the same start."""
    for method, statement in (
        (SHIFT, f"Training with {noise} makes θ robust: E with noise ends lower than after training without"),
        (AFTERWARDS, f"… and so does going on with {noise} from where training without it ended"),
    ):
        lowered, gains, words = {}, {}, []
        for order in ORDERS:
            shares = np.array([share_lowered(results[machine, order], method) for machine in machines])
            lowered[order] = shares.mean(axis=0)
            gains[order] = Difference.of_means(lowered[order])
            each = ", ".join(f"{100 * share.mean():.0f}" for share in shares)
            ideal = np.concatenate([results[machine, order][method].ideal for machine in machines])
            words.append(
                f"{order}: lower by {100 * gains[order].value:.0f} % ({_percent(gains[order].low)} to "
                f"{_percent(gains[order].high)}; {each} at {', '.join(map(_name, machines))}); without noise "
                f"their θ have E − C* = {ideal.mean():.5f}"
            )
        apart = Difference.of_means(lowered["eq5"] - lowered["authors"])  # in pairs: both orders begin at the same θ
        family.order(OURS, statement, gains, apart, "; ".join(words))


def share_lowered(methods: Mapping[str, Ends], method: str) -> Floats:
    """The share by which E − C* with noise is lower than after training without noise: ``[starts]``."""
    share: Floats = 1 - methods[method].noisy / methods[WITHOUT].noisy
    return share


def _percent(share: float) -> str:
    return f"{round(100 * share)}" if np.isfinite(share) else f"{share}"  # no −0


def _name(machine: Machine) -> str:
    return machine if isinstance(machine, str) else f"s = {machine:g}"
