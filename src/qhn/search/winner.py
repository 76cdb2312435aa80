"""What stands beside the best run of a study: its E measured anew, and what classical searches find as cheaply.

The loss of the best run is the lowest of many noisy ones. Measured anew, with other shots, E at the same angles has no
reason to be too low. And whatever a study found by evaluating so many different bitstrings, classical searches may
evaluate as many.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from qhn.baseline.classical import methods_for, search
from qhn.config import RunConfig
from qhn.errors import QhnError
from qhn.estimator.means import stated
from qhn.problem.capabilities import noun_of
from qhn.problem.cost import Problem, TableProblem
from qhn.problem.landscape import Landscape, enumerate_costs, is_small
from qhn.run.evaluate import evaluate_theta
from qhn.run.record import Record
from qhn.run.step import Step
from qhn.search.runs import RunStudy
from qhn.text import aligned

REPEATS = 10  # of each classical search


def winner_part(opened: RunStudy, directory: Path) -> str:
    """The part of a study's page on its best run and classical searches.

    Args:
        opened: the study of runs.
        directory: the directory of the best run.

    Raises:
        RecordError: if the record of a run is damaged.
    """
    record = Record.load(directory)
    steps = record.steps()
    lines = [f"the best run, {directory}, at its last step: E = {steps[-1].stated_mean()}"]
    lines += _measured_anew(record.config, steps[-1])
    problem = record.config.problem(trust=True)
    if record.config.train.shots is None:
        lines.append("without shots every step takes all bitstrings, so that no classical search stands beside it")
    elif not is_small(problem):
        lines.append(f"classical searches stand beside it in qhn baseline {opened.plan.config.experiment}")
    else:
        lines += _searched(opened, record.config, problem)
    return "\n".join(lines)


def _measured_anew(config: RunConfig, last: Step) -> list[str]:
    """What E is at the last angles of a run with other shots, unless it has no shots or they are paid for."""
    if config.train.shots is None or config.train.machine.bills:
        return []
    try:
        anew = evaluate_theta(config, last.theta, trust=True)[0]
    except QhnError:
        return []
    error = np.inf if anew["std_error"] is None else anew["std_error"]
    words = stated(anew["mean"], error, anew["interval"])
    return [f"measured anew at the same angles, with {anew['shots']:,} other shots: E = {words}"]


def distinct_of(opened: RunStudy) -> tuple[int, float]:
    """The number of different bitstrings that the runs of a study evaluated, and the lowest C among them.

    Those of each run are counted on their own, so that it is the most that all of them can be together.

    Args:
        opened: the study of runs, which take shots.

    Raises:
        RecordError: if the record of a run is damaged.
    """
    total, lowest = 0, np.inf
    for facts in opened.study.facts.values():
        if facts.get("run") and facts.get("steps"):
            record = Record.load(opened.results / opened.plan.experiment / facts["run"])
            step = record.steps()[facts["steps"] - 1]
            total, lowest = total + step.distinct, min(lowest, step.best_cost)
    return total, lowest


def _searched(opened: RunStudy, config: RunConfig, problem: Problem) -> list[str]:
    """A table of classical searches with as many different bitstrings as the whole study evaluated."""
    if len({one.problem_id for one in opened.plan.configs.values()}) > 1:
        return ["trials differ in their problem, so that no classical search stands beside them"]
    noun, landscape = noun_of(problem), Landscape(enumerate_costs(problem))
    total, lowest = distinct_of(opened)
    budget = min(total, len(landscape.costs))
    table, enough = TableProblem(landscape.costs), landscape.optimum + landscape.width
    rows = [["this study", f"{lowest:.6g}", _share(float(lowest <= enough)), ""]]
    for method in methods_for(table):
        traces = [search(table, method, budget, seed, target=enough) for seed in range(REPEATS)]
        best = np.array([trace.best_cost for trace in traces])
        rows.append(
            [
                method,
                f"{np.median(best):.6g}",
                _share(float((best <= enough).mean())),
                f"{np.median([trace.distinct for trace in traces]):,.0f}",
            ]
        )
    head = ["classical searches", "lowest C", "reach C*", f"{noun}s until they end"]
    size = len(landscape.costs)
    every = f"all {size:,}" if total >= size else f"up to {total:,} of {size:,}"
    note = f"medians of {REPEATS} searches, each of which may evaluate as many different {noun}s as this study: {every}"
    return ["", aligned(head, rows), f"C* = {landscape.optimum:.6g}; {note}"]


def _share(share: float) -> str:
    return f"{share:.0%}"
