"""Training by samples in the controls: models that learn by the score function, and circuits at as many networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import inf

import numpy as np

from qhn.arrays import Floats
from qhn.baseline.score_function import Model, Training, restarts
from qhn.baseline.tally import Tally
from qhn.paper.courses import exact_of
from qhn.paper.lab import Lab
from qhn.problem.cost import TableProblem
from qhn.problem.landscape import Landscape
from qhn.run.record import load_run
from qhn.seeds import Key, Purpose
from qhn.sweep.survey import Group, Survey

SEARCH = 101  # step of the random numbers that models draw


@dataclass(frozen=True)
class Sampled:
    """The end of a search by a model that is trained by samples, with restarts.

    Attributes:
        above: E − C* of the run whose last samples had the lowest mean.
        best_above: C − C* of the best network that any run drew.
        distinct: number of different networks evaluated.
        runs: number of runs.
    """

    above: float
    best_above: float
    distinct: int
    runs: int


@dataclass(frozen=True)
class Search:
    """A search by a model that is trained by samples, a job of a worker.

    Attributes:
        model: the model.
        max_distinct: number of different networks that it evaluates.
        seed: seed of all that it draws.
        together: number of runs that advance together.
    """

    model: Model
    max_distinct: int
    seed: int
    together: int = Training().together


def sampled(job: Search, costs: Floats) -> Sampled:
    """Train a model by samples, with restarts, until it has evaluated some number of different networks.

    Args:
        job: the search.
        costs: the costs of all bitstrings, ``[2**num_bits]``.
    """
    rng = Key(job.seed, Purpose.BASELINE, SEARCH).generator()
    tally = Tally(TableProblem(costs), job.max_distinct, rng)
    runs = list(restarts(job.model, tally, rng, Training(together=job.together)))
    best = min(runs, key=lambda run: run.mean)
    mean = float(job.model.probabilities(best.parameters[None])[0] @ costs)
    trace, lowest = tally.trace("model"), float(costs.min())
    return Sampled(mean - lowest, trace.best_cost - lowest, trace.distinct, len(runs))


def search_with(
    lab: Lab, searches: Mapping[str, Search], repeats: int, landscape: Landscape
) -> dict[str, list[Sampled]]:
    """Search with models that are trained by samples; the results of all repeats by the model's name.

    Args:
        lab: the workers.
        searches: the first search with each model, by its name; the others differ in their seed.
        repeats: number of searches with each model.
        landscape: the costs of all bitstrings.
    """
    jobs = [replace(search, seed=search.seed + number) for search in searches.values() for number in range(repeats)]
    found = lab.map(partial(sampled, costs=landscape.costs), jobs, "controls, models trained by samples")
    return {name: found[k * repeats : (k + 1) * repeats] for k, name in enumerate(searches)}


def above_within(survey: Survey, group: Group, most: float = inf) -> Floats:
    """The differences E − C* of the whole distribution of circuits trained by samples, within a number of networks.

    E is that of the angles to which the last step led whose measurements were of no more different networks, together
    with all before; so a start whose first step took more counts with its initial angles.

    Args:
        survey: the survey of a sweep of trainings by samples, whose runs are recorded.
        group: the starts of a circuit.
        most: number of different networks.

    Returns:
        The differences, ``[starts]``.
    """
    runs = {member.id: member.config.run_id for member in survey.sweep.members}
    columns, thetas = group.columns, []
    for name, counts, steps, last in zip(
        columns["member"], columns["distinct_at"], columns["num_steps"], columns["theta"], strict=True
    ):
        taken = int((counts[:steps] <= most).sum())
        if taken == steps:
            thetas.append(last)
            continue
        record = load_run(survey.results / survey.sweep.experiment / runs[str(name)])
        thetas.append(np.asarray(record.steps()[taken].theta))
    above: Floats = exact_of(group.config)(np.stack(thetas)).mean - group.optimum
    return above
