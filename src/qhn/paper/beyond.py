"""Beyond enumeration: hypernetworks of 65 qubits trained by samples, beside classical searches of as many networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from qhn.arrays import Bits, Floats
from qhn.baseline.classical import METHODS, Trace
from qhn.config import RunConfig
from qhn.exact.chain import Chain
from qhn.paper.beyond_pictures import Course, courses
from qhn.paper.family import Family
from qhn.paper.inference import Difference
from qhn.paper.lab import Lab, circuit_of
from qhn.paper.noisytraining import OURS
from qhn.paper.pictures import name_of
from qhn.paper.plan import BEYOND, BeyondPlan
from qhn.paper.section import Writer
from qhn.predict.metrics import metrics
from qhn.problem.cost import BinnProblem, networks_of
from qhn.problem.samples import Samples
from qhn.seeds import Key, Purpose
from qhn.sweep.classical import AT_MOST, Searches
from qhn.sweep.survey import Group, Survey

RIVALS = ("annealing", "descent")  # searches that the best sampled network is compared with


@dataclass(frozen=True)
class End:
    """What a trained distribution is worth, from networks that were drawn after training.

    Attributes:
        mean: E, the mean C of the networks.
        validation: mean C of the networks on the validation data.
        accuracy: share of right predictions of the ensemble, which averages the probabilities of all networks, on the
            training and on the validation data.
        entropy: entropy of the distribution in bits.
    """

    mean: float
    validation: float
    accuracy: tuple[float, float]
    entropy: float


@dataclass(frozen=True)
class Trained:
    """The starts of one circuit after training.

    Attributes:
        name: the circuit in words.
        mean: E of each start, from fresh networks, ``[starts]``.
        accuracy: training accuracy of the ensemble of each start, ``[starts]``.
        best: lowest C that each start sampled, ``[starts]``.
        rivals: lowest C of each classical search of as many different networks, ``[repeats]`` by method.
    """

    name: str
    mean: Floats
    accuracy: Floats
    best: Floats
    rivals: Mapping[str, Floats]


def beyond_enumeration(lab: Lab) -> Writer:
    """The section on a task with so many networks that a run sees a negligible share of them."""
    page = Writer("Beyond enumeration: 65 qubits, trained (digits-8x8)")
    starts = min(lab.seeds or BEYOND.starts, BEYOND.starts)
    seeds = list(range(BEYOND.first_seed, BEYOND.first_seed + starts))
    survey = lab.survey("beyond", {"seeds": seeds})
    searches = lab.searches(survey)
    problem = survey.groups[0].networks
    ends = _ends(lab, survey)
    traces = searches.traces[survey.groups[0].config.problem_id]
    random = _mean_of_random(problem)
    lowest = min([trace.best_cost for trace in traces] + [float(group.polished.min()) for group in survey.groups])
    _introduce(page, survey, random, lowest)
    page.table(("fixed before looking", "value", "why"), BEYOND.rows())
    _table_of_circuits(page, survey, ends, random, lowest)
    _table_of_searches(page, survey, traces)
    lines = [_course_of(group) for group in survey.groups] + _courses_of(survey, searches)
    page.picture(
        lambda: courses(lab.folder / "beyond.png", lines, random, lowest),
        "Left: E of the circuits while they are trained, means over starts and 10 steps, with 95 % intervals of the "
        "mean over starts; dotted: mean C of random networks and lowest known C. Right: mean of the lowest C so far, "
        "sampled by the circuits (solid) and found by classical searches (dashed).",
    )
    trained = [_trained(group, ends[place], traces) for place, group in enumerate(survey.groups)]
    judge(trained, random, lowest).judge(page)
    page.text(
        "None of this is a quantum advantage. The product state *is* the product-Bernoulli model, which a laptop "
        "trains directly (`product` above), and the circuit of two layers is a matrix product state of bond dimension "
        "4, sampled here classically and exactly. E, the mean over the trained distribution, is what training lowers; "
        "the best sampled network is one of as many as a search evaluates, and says little about training."
    )
    return page


def judge(trained: Sequence[Trained], random: float, lowest: float, plan: BeyondPlan = BEYOND) -> Family:
    """The claims on training where enumeration is impossible, to be judged together.

    Args:
        trained: the trained circuits, the product state first.
        random: the mean C of random networks.
        lowest: the lowest known C.
        plan: the thresholds.
    """
    family = Family("training beyond enumeration")
    for circuit in trained:
        fallen = Difference.of_means((random - circuit.mean) / (random - lowest))
        accuracy = Difference.of_means(circuit.accuracy)
        family.add(
            OURS,
            f"{circuit.name}: E falls to useful networks, by {plan.fallen:.0%} of the way to the lowest known C, "
            f"with a training accuracy of the ensemble above {plan.accuracy:g}",
            {"share fallen": fallen.above(plan.fallen), "accuracy": accuracy.above(plan.accuracy)},
        )
    family.add(
        OURS,
        "E after training is below the best network of random search at as many evaluations",
        {circuit.name: _gap(circuit.rivals["random"], circuit.mean).above() for circuit in trained},
    )
    for rival in RIVALS:
        family.add(
            OURS,
            f"The best sampled network is as good as that of {rival} at as many evaluations, to {plan.margin:g} nats",
            {circuit.name: _gap(circuit.rivals[rival], circuit.best).above(-plan.margin) for circuit in trained},
        )
    product, *layered = trained
    family.add(
        OURS,
        "Layers lead to a lower E than the product state reaches with as many shots",
        {circuit.name: _gap(product.mean, circuit.mean).above() for circuit in layered},
    )
    return family


def _gap(first: Floats, second: Floats) -> Difference:
    """The mean of ``first − second``, of independent values that are paired by their places."""
    number = min(len(first), len(second))
    return Difference.of_means(first[:number] - second[:number])


def end_of(job: tuple[RunConfig, Floats]) -> End:
    """What the distribution of a configuration's circuit at angles θ is worth.

    Args:
        job: the configuration and θ, ``[num_parameters]``.
    """
    config, theta = job
    problem = networks_of(config.problem())
    chain = Chain(circuit_of(config, problem), num_threads=1)
    rng = Key(config.train.seed, Purpose.EVALUATION).generator()
    bits = chain.sample(theta[None], BEYOND.samples, rng)
    entropy = -float(chain.log_probabilities(theta[None], bits).mean()) / np.log(2)
    networks = bits[0]
    accuracy = (_accuracy(problem, networks, problem.samples), _accuracy(problem, networks, problem.validation_samples))
    return End(float(problem.cost(networks).mean()), float(problem.validation_cost(networks).mean()), accuracy, entropy)


def _accuracy(problem: BinnProblem, bits: Bits, samples: Samples) -> float:
    """The share of right predictions of the networks' mean probabilities."""
    return metrics(problem.space.probabilities(bits, samples.x).mean(axis=0), samples.y.astype(np.intp)).accuracy


def _ends(lab: Lab, survey: Survey) -> list[list[End]]:
    """What each start of each circuit has reached."""
    jobs = [(group.config, theta) for group in survey.groups for theta in group.columns["theta"]]
    found = lab.map(end_of, jobs, "beyond, trained distributions")
    ends = np.cumsum([0, *map(len, survey.groups)])
    return [found[start:stop] for start, stop in pairwise(ends)]


def _mean_of_random(problem: BinnProblem) -> float:
    rng = Key(0, Purpose.RANDOM_SEARCH).generator()
    bits = rng.integers(0, 2, (BEYOND.random, problem.num_qubits), dtype=np.uint8)
    return float(problem.cost(bits).mean())


def _trained(group: Group, ends: Sequence[End], traces: Sequence[Trace]) -> Trained:
    """The starts of a circuit, beside searches of as many different networks as the median start evaluated."""
    rivals = {
        method: np.array([float(trace.best_at(group.budgets[0])) for trace in traces if trace.method == method])
        for method in METHODS
    }
    mean, accuracy = np.array([end.mean for end in ends]), np.array([end.accuracy[0] for end in ends])
    return Trained(name_of(group.values[0]), mean, accuracy, group.columns["best_cost"], rivals)


# ---------------------------------------------------------------- words, tables and curves


def _introduce(page: Writer, survey: Survey, random: float, lowest: float) -> None:
    group = survey.groups[0]
    problem, train = group.networks, group.config.train
    seen = int(max(np.median(circuit.columns["distinct"]) for circuit in survey.groups))
    shots = int(np.median(group.columns["shots"]))
    larger = max(np.mean(problem.samples.y), 1 - np.mean(problem.samples.y))
    page.text(
        f"Logistic regression on 64 pixels of the digits 3 and 8, weights ±1: 2^{problem.num_qubits} networks, of "
        f"which a run sees at most {seen:,}, a share of {seen / 2**problem.num_qubits:.0e}. The circuits are sampled "
        f"exactly as matrix products, without truncation. Random networks have a mean C of {random:.3f}, the lowest C "
        f"that anything found is {lowest:.4f}; a constant prediction has {np.log(2):.3f} and is right for {larger:.2f} "
        "of the training samples. The optimum is not known."
    )
    page.text(
        f"All circuits are trained by the same rule with the same {shots:,} shots: {train.steps} steps of Adam on "
        "gradients of SPSA, along 100 random directions of 0.3 an angle, 5 shots a row, from near the uniform "
        "superposition. Parameter shift spends its shots on one angle at a time: with about as many (10 a row, 60 "
        "steps) E of two layers ended between 0.6 and 1.6 by Adam, SGD and sinusoid jumps, one start each. "
        "Searches evaluate as many different networks as the circuits, but for "
        f"{', '.join(f'{name} ({most:,}, each with a gradient on all samples)' for name, most in AT_MOST.items())}."
    )


def _table_of_circuits(
    page: Writer, survey: Survey, ends: Sequence[Sequence[End]], random: float, lowest: float
) -> None:
    head = ["circuit", "starts", "distinct networks", "E, mean", "share fallen", "entropy, bits", "ensemble right"]
    head += [
        "… validation",
        "validation ⟨C⟩",
        "best sampled C, mean",
        "… polished",
        "best network right",
        "… validation",
    ]
    rows: list[list[Any]] = []
    for group, found in zip(survey.groups, ends, strict=True):
        mean = Difference.of_means([end.mean for end in found])
        fallen = Difference.of_means([(random - end.mean) / (random - lowest) for end in found])
        right, unseen = np.mean([end.accuracy for end in found], axis=0)
        row: list[Any] = [name_of(group.values[0]), len(group), f"{np.median(group.columns['distinct']):,.0f}"]
        row += [mean.words(3), fallen.words(3), f"{np.mean([end.entropy for end in found]):.1f}"]
        row += [f"{right:.3f}", f"{unseen:.3f}", f"{np.mean([end.validation for end in found]):.3f}"]
        row += [f"{group.columns['best_cost'].mean():.4f}", f"{group.polished.mean():.4f}"]
        rows.append([*row, *_accuracies(group.networks, group.columns["best_bits"])])
    page.table(head, rows)


def _table_of_searches(page: Writer, survey: Survey, traces: Sequence[Trace]) -> None:
    names = [f"best C, mean, as many as {name_of(group.values[0])}" for group in survey.groups]
    rows: list[list[Any]] = []
    for method in METHODS:
        found = [trace for trace in traces if trace.method == method]
        means = [np.mean([trace.best_at(group.budgets[0]) for trace in found]) for group in survey.groups]
        row: list[Any] = [method, len(found), f"{np.median([trace.distinct for trace in found]):,.0f}"]
        accuracies = _accuracies(survey.groups[0].networks, np.array([trace.bits for trace in found]))
        rows.append([*row, *(f"{mean:.4f}" for mean in means), *accuracies])
    page.table(["search", "repeats", "distinct networks", *names, "best network right", "… validation"], rows)


def _accuracies(problem: BinnProblem, bits: Any) -> list[str]:
    """The mean training and validation accuracies of single networks ``[n, num_qubits]``, in words."""
    training, validation = problem.accuracy(bits)
    assert validation is not None
    return [f"{training.mean():.3f}", f"{validation.mean():.3f}"]


def _course_of(group: Group) -> Course:
    """The course of a circuit's training."""
    distinct = group.columns["distinct_at"].mean(axis=0)
    best = group.columns["best_costs"].mean(axis=0)
    return Course(name_of(group.values[0]), distinct, best, group.columns["mean"])


def _courses_of(survey: Survey, searches: Searches) -> list[Course]:
    """The courses of the classical searches, each until it ended."""
    found = []
    for method in METHODS:
        traces = [t for t in searches.traces[survey.groups[0].config.problem_id] if t.method == method]
        counts = np.geomspace(100, min(trace.distinct for trace in traces), 80).round()
        found.append(Course(method, counts, np.mean([trace.best_at(counts) for trace in traces], axis=0)))
    return found
