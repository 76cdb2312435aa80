"""Training on a noisy machine: whether it still finds the optimum, and whether θ becomes robust."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np

from qhn import bitstrings
from qhn.arrays import Bits, Bools, Floats, Integers
from qhn.backend import NoiseSettings, RehearsalSettings, Sampler, open_backend
from qhn.backend.rehearsal import FakeDevice, open_fake
from qhn.circuit.hypernetwork import Hypernetwork
from qhn.estimator.gradient import ParameterShift, Spsa, ValueAndGrad
from qhn.estimator.measurement import Measurement
from qhn.estimator.noisy import Noisy, NoisyEstimator
from qhn.optimize.lbfgs import descend
from qhn.optimize.optimizer import SpsaGains
from qhn.paper.claims import verdict_of
from qhn.paper.family import Family
from qhn.paper.inference import Difference, mean_and_error
from qhn.paper.lab import Lab
from qhn.paper.noise_pictures import trained_with_noise
from qhn.paper.optima import GRADIENT, MNIST, optima
from qhn.paper.pictures import ORDERS
from qhn.paper.section import Writer
from qhn.seeds import Key, Purpose

Machine = float | str  # the strength of depolarising noise, or the name of a stored device
STRENGTHS = (0.0, 1.0, 2.0)
P1, P2 = 0.001, 0.00375  # total probability of a Pauli error at strength 1, after a gate on one qubit and on two
STARTS, CHUNK = 6, 2
STEPS, MORE_STEPS, SPSA_STEPS = 120, 30, 400
GAINS = SpsaGains(learning_rate=10.0, stability=50.0)  # with twice that rate it does not converge, without noise either
SHOTS = 1000
RARE = 1e-3  # a share of wrong shots too small to ask what they cost
OURS = "our question"  # the source of claims that are not the authors'
WITHOUT, SHIFT, AFTERWARDS, SPSA, WRITTEN = METHODS = (
    "without noise",
    "with noise, parameter shift",
    "without, then with noise",
    "with noise, SPSA",
    "not trained, an optimum written",
)


@dataclass(frozen=True)
class Ends:
    """The ends of training with one method; each entry is a start.

    Attributes:
        noisy: E − C* with noise, ``[starts]``.
        ideal: E − C* without noise at the same θ, ``[starts]``.
        optimal: the share of shots with noise that are optimal, ``[starts]``.
        likely: whether the most probable bitstring with noise is optimal, ``[starts]``.
        found: whether one of ``SHOTS`` shots with noise is optimal, ``[starts]``.
        gradients: number of evaluations of E with its gradient on the noisy machine, ``[starts]``.
        circuits: number of rows of angles that these evaluations measured, ``[starts]``.
    """

    noisy: Floats
    ideal: Floats
    optimal: Floats
    likely: Bools
    found: Bools
    gradients: Integers
    circuits: Integers

    @property
    def price(self) -> Floats:
        """The mean C − C* of shots that are not optimal: ``[starts]``."""
        return self.noisy / np.maximum(1 - self.optimal, np.finfo(np.float64).eps)


Results = Mapping[tuple[Machine, str], Mapping[str, Ends]]


def training_with_noise(page: Writer, lab: Lab) -> None:
    """Add to a section the authors' study of training under depolarising noise, and what training changes in θ."""
    results = study(lab, STRENGTHS, "training with noise")
    starts = lab.seeds or STARTS
    page.text(
        f"**Training with noise.** The same task and noise, {starts} starts (SPSA: {min(starts, CHUNK)}), from the "
        f"same θ in every way of training. *{WITHOUT}* is L-BFGS on the exact E. *{SHIFT}* is L-BFGS, {STEPS} steps, "
        "on the exact ⟨C⟩ of the noisy machine with its gradient by parameter shift, which takes two circuits for "
        f"each active angle and one for θ itself. *{AFTERWARDS}* goes on in that way for {MORE_STEPS} steps from "
        f"where training without noise ended. *{SPSA}* makes {SPSA_STEPS} steps of one random direction each, three "
        f"circuits a step, with the gains a = {GAINS.learning_rate:g}, A = {GAINS.stability:g}, c = 0.2, also on the "
        f"exact ⟨C⟩. *{WRITTEN}* is a comparison: the last RY layer writes an optimal bitstring, and all other angles "
        "are 0. A *wrong shot* is one that is not optimal. The last columns count starts whose most probable "
        f"bitstring on the noisy machine is optimal, and those of which one of {SHOTS:,} shots on it is, and what the "
        "noisy machine did for the training."
    )
    table(page, "s", results, {(strength, order): f"{strength:g}" for strength, order in results})
    page.picture(
        lambda: trained_with_noise(lab.folder / "noise-training.png", points(results), "strength s of the noise"),
        "E − C* with noise of circuits trained in different ways: means and standard errors over "
        "starts. SPSA is far above.",
    )
    page.text(_cost_of_errors(results))
    shown = [strength for strength in STRENGTHS if strength > 0]
    finds(
        page, "authors' program", {key: ends for key, ends in results.items() if key[0] in shown}, "depolarising noise"
    )
    lowers(page, results, shown, "depolarising noise")


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


def study(
    lab: Lab, machines: Sequence[Machine], what: str, task: str = MNIST, methods: Sequence[str] = METHODS
) -> Results:
    """The ends of training by machine and order of gates, and by method."""
    starts = lab.seeds or STARTS
    jobs = [(machine, order, first) for machine in machines for order in ORDERS for first in range(0, starts, CHUNK)]
    work = partial(ends, starts=starts, mnist=lab.mnist, task=task, methods=methods)
    parts: dict[tuple[Machine, str], list[dict[str, Ends]]] = {}
    for (machine, order, _), part in zip(jobs, lab.map(work, jobs, what), strict=True):
        parts.setdefault((machine, order), []).append(part)
    return {key: {name: _joined([part[name] for part in some if name in part]) for name in some[0]}
            for key, some in parts.items()}  # fmt: skip


def ends(
    job: tuple[Machine, str, int], starts: int, mnist: Path | None, task: str = MNIST, methods: Sequence[str] = METHODS
) -> dict[str, Ends]:
    """The ends of training of some starts on a machine in an order of gates, by method.

    SPSA and the written optimum come with the first starts only.
    """
    machine, order, first = job
    trained = optima(task, order, range(first, min(first + CHUNK, starts)), mnist)
    ansatz, landscape = trained.ansatz, trained.exact.landscape
    sampler = sampler_of(machine, ansatz)
    assert isinstance(sampler, Noisy)
    estimator = NoisyEstimator(ansatz, trained.problem, sampler, costs=landscape.costs)
    num_shifts = ParameterShift(ansatz.active).num_rows
    reached: dict[str, tuple[Floats, Integers, int]] = {}
    none = np.zeros(len(trained.initial), dtype=np.int64)
    if WITHOUT in methods:
        reached[WITHOUT] = trained.found.theta, none, 0
    for method, theta, steps in ((SHIFT, trained.initial, STEPS), (AFTERWARDS, trained.found.theta, MORE_STEPS)):
        if method in methods and machine != 0:
            *_, found = descend(estimator.value_and_grad, theta, max_steps=steps, tolerance=GRADIENT)
            reached[method] = found.theta, found.num_evaluations, num_shifts
    if SPSA in methods and first == 0:
        rule = Spsa(ansatz.active)
        reached[SPSA] = by_spsa(estimator, trained.initial, rule), none + SPSA_STEPS, rule.num_rows
    if WRITTEN in methods and first == 0:
        reached[WRITTEN] = writing(ansatz, landscape.optimal_bits[0])[None], none[:1], 0
    optimal = landscape.costs <= landscape.optimum + landscape.width
    result = {}
    for method, (theta, gradients, rows) in reached.items():
        probabilities = estimator.probabilities(theta)
        shots = bitstrings.to_integers(sampler.sample(theta, SHOTS, Key(first, Purpose.EVALUATION)).bits)
        result[method] = Ends(
            noisy=sampler.energies(theta, landscape.costs) - landscape.optimum,
            ideal=trained.exact(theta).mean - landscape.optimum,
            optimal=probabilities[:, optimal].sum(axis=1),
            likely=optimal[probabilities.argmax(axis=1)],
            found=np.any(optimal[shots], axis=1),
            gradients=gradients,
            circuits=gradients * rows,
        )
    return result


@cache
def rehearsal_of(name: str) -> FakeDevice:
    """The stored device of that name, whose calibration takes a while to read."""
    return open_fake(name, RehearsalSettings())


@cache
def sampler_of(machine: Machine, ansatz: Hypernetwork) -> Sampler:
    """The sampler of a circuit on a machine: the literal circuit under depolarising noise, or as a device runs it."""
    if isinstance(machine, str):
        return rehearsal_of(machine).compile(ansatz)
    return open_backend("depolarising", NoiseSettings(p1=P1 * machine, p2=P2 * machine)).compile(ansatz)


def by_spsa(estimator: NoisyEstimator, thetas: Floats, rule: Spsa) -> Floats:
    """The angles that ``SPSA_STEPS`` steps of SPSA reach from each row."""
    theta, state = thetas, GAINS.init(thetas)
    for step in range(SPSA_STEPS):

        def gradient(rows: Floats, key: Key = Key(0, step=step)) -> ValueAndGrad:  # noqa: B008 – of this step
            return estimator.value_and_grad(rows, key, Measurement(rule, shots=0))

        theta, state, _ = GAINS.step(gradient, theta, state)
    return theta


def writing(ansatz: Hypernetwork, bits: Bits) -> Floats:
    """The angles ``[num_parameters]`` whose last RY layer prepares the bits ``[num_qubits]``, all others 0."""
    theta = np.zeros((ansatz.num_blocks, 2, ansatz.num_qubits))
    theta[-1, 0] = np.pi * ansatz.relabel(bits)
    return theta.ravel()


def _joined(parts: Sequence[Ends]) -> Ends:
    return Ends(*(np.concatenate(side) for side in zip(*map(astuple, parts), strict=True)))


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
                    f"{found.likely.sum()}, {found.found.sum()} of {count}",
                    f"{found.gradients.mean():,.0f}", f"{found.circuits.mean():,.0f}",
                )
            )  # fmt: skip
    page.table(
        ("order", head, "trained", "starts", "E − C* with noise", "same θ without noise", "wrong shots", "their C − C*",
         "most probable, best shot optimal", "gradients", "circuits measured"),
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


def finds(page: Writer, source: str, results: Results, noise: str) -> None:
    """Add the claim that training on the noisy machine finds the optimum."""
    found = [methods[SHIFT] for methods in results.values()]
    likely, seen = (np.concatenate([getattr(end, name) for end in found]) for name in ("likely", "found"))
    spsa = np.concatenate([methods[SPSA].found for methods in results.values()])
    page.claim(
        source,
        f"Training with {noise} by parameter shift finds the optimum in {SHOTS:,} shots",
        verdict_of(bool(seen.all())),
        f"in {seen.sum()} of {len(seen)} trainings, and the most probable bitstring is optimal in "
        f"{likely.sum()}; E − C* of their θ without noise {spread(np.concatenate([end.ideal for end in found]), 5)}. "
        f"SPSA does not converge; its best shot is optimal in {spsa.sum()} of {len(spsa)}",
    )


def lowers(page: Writer, results: Results, machines: Sequence[Machine], noise: str) -> None:
    """Add the claim that circuits trained with noise have a lower E with it, in pairs with the same start."""
    family = Family(f"training with {noise}")
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
    family.judge(page)


def share_lowered(methods: Mapping[str, Ends], method: str) -> Floats:
    """The share by which E − C* with noise is lower than after training without noise: ``[starts]``."""
    share: Floats = 1 - methods[method].noisy / methods[WITHOUT].noisy
    return share


def _percent(share: float) -> str:
    return f"{round(100 * share)}" if np.isfinite(share) else f"{share}"  # no −0


def _name(machine: Machine) -> str:
    return machine if isinstance(machine, str) else f"s = {machine:g}"
