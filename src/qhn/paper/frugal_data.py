"""The data behind the tables of the part on QPU seconds: a row for every start, and for every classical search."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from qhn.arrays import Floats
from qhn.baseline.classical import Trace
from qhn.paper.courses import Course


def rows_of(
    task: str, training: str, course: Course, epsilon: float | None, sooner: Floats | None = None
) -> list[dict[str, Any]]:
    """What each start came to by one way of training.

    Args:
        task: name of the task.
        training: name of the way of training.
        course: the course of all starts.
        epsilon: the E − C* below which a step has solved the task; None if its most probable network must be optimal.
        sooner: whether each start was solved by the QPU seconds of a default run, ``[starts]``; None if that is not
            asked.

    >>> import numpy as np
    >>> ones = np.ones((1, 2), dtype=int)
    >>> course = Course(np.array([[0.2, 0.1]]), ones > 0, ones, 100 * ones, np.array([0.0]), np.array([7]))
    >>> rows_of("task", "some rule", course, 0.03)[0]["solved_halfway"], rows_of("task", "x", course, None)[0]["solved"]
    (0, 1)
    """
    solved = course.solved(epsilon)
    half = solved.shape[1] // 2 - 1
    return [
        {
            "task": task,
            "training": training,
            "seed": seed,
            "steps": solved.shape[1],
            "shots": int((course.rows[seed] * course.shots[seed]).sum()),
            "gap": float(course.gap[seed, -1]),
            "solved": int(solved[seed, -1]),
            "solved_halfway": int(solved[seed, half]) if half >= 0 else "",
            "solved_in_seconds_of_default": "" if sooner is None else int(sooner[seed]),
            "best_sampled": float(course.best[seed]),
            "distinct": int(course.distinct[seed]),
        }
        for seed in range(len(solved))
    ]


def rows_of_searches(task: str, traces: Iterable[Trace], optimum: float, width: float) -> list[dict[str, Any]]:
    """What each classical search of a task found.

    Args:
        task: name of the task.
        traces: the searches.
        optimum: the lowest C.
        width: distance of a C from C* up to which a network counts as optimal.
    """
    numbers: dict[str, int] = {}
    rows: list[dict[str, Any]] = []
    for trace in traces:
        numbers[trace.method] = numbers.get(trace.method, -1) + 1
        rows.append(
            {
                "task": task,
                "search": trace.method,
                "seed": numbers[trace.method],
                "best": trace.best_cost - optimum,
                "networks_to_the_optimum": trace.count_to(optimum + width),
            }
        )
    return rows
