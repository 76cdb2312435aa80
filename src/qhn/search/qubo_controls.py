"""The controls of a predictor that is trained as a QUBO: the same regression from the best of uniform random bits.

How well a QUBO is solved says little about how well its regression predicts. So its energy gap stands beside its R²,
and beside both stands what the best of random bitstrings come to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from qhn.learning_curves.predictors import FittedRegression, Predictor, Regression
from qhn.search.prediction_quality import Lesson

QUBO = "qubo-svr"
RANDOM = "random"
ANNEALING = "simulated-annealing"  # the default
FREE = (ANNEALING, "exact", RANDOM)  # solvers that may be asked again for a report


def is_qubo(predictor: Predictor) -> bool:
    """Whether a predictor is trained as a QUBO."""
    return isinstance(predictor, Regression) and predictor.name == QUBO


def solver_of(predictor: Predictor) -> str:
    """The name of the solver of a predictor that is trained as a QUBO; empty for any other.

    >>> from qhn.learning_curves.predictors import LastValue
    >>> solver_of(LastValue())
    ''
    """
    if not (isinstance(predictor, Regression) and is_qubo(predictor)):
        return ""
    solver = dict(predictor.options).get("solver", ANNEALING)
    return solver if isinstance(solver, str) else type(solver).__name__


def can_refit(predictor: Predictor) -> bool:
    """Whether a predictor may learn again for a report: not if that takes a machine, or the training of a circuit."""
    return not is_qubo(predictor) or solver_of(predictor) in FREE


def controls_of(predictor: Predictor) -> list[Predictor]:
    """The controls of a predictor that is trained as a QUBO; none of any other."""
    if not (isinstance(predictor, Regression) and is_qubo(predictor)) or solver_of(predictor) == RANDOM:
        return []
    kept = {name: value for name, value in predictor.options if name not in ("solver", "options", "results")}
    return [replace(predictor, options=tuple(sorted((kept | {"solver": RANDOM}).items())))]


def energy_gap(predictor: Predictor, known: Sequence[Lesson]) -> float:
    """How far the energies of the QUBOs of lessons are above the least of their duals, relative to it: the median.

    Args:
        predictor: a predictor that is trained as a QUBO.
        known: the lessons.
    """
    gaps = []
    for lesson in known:
        fitted = predictor.fit(lesson.curves, lesson.settings, lesson.finals)
        if isinstance(fitted, FittedRegression):
            gaps.append(fitted.regressor.relative_energy_gap_)
    return float(np.median(gaps)) if gaps else np.nan
