"""The survey of a study whose trials are runs: with the optimum of each group's problem, where it is known."""

from __future__ import annotations

import math

from qhn.config import RunConfig
from qhn.search.runs import RunStudy
from qhn.search.survey import Survey
from qhn.sweep.survey import Problems


def survey_of(study: RunStudy) -> Survey:
    """The results of a study of runs in mode survey.

    Args:
        study: the study, whose trials are all trained as far as its rule says.

    Raises:
        QhnError: if the study is of another mode, or some of its trials are not trained yet.

    >>> import tempfile
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from qhn.search.config import make_study
    >>> from qhn.search.runs import open_study
    >>> plan = make_study(experiment="figure-1", mode="survey", seeds=4, max_resource=2, set={"train.shots": 20})
    >>> with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as executor:
    ...     opened = open_study(plan, folder)
    ...     progress = list(opened.advance(executor))[-1]
    ...     [len(group) for group in survey_of(opened).groups]
    [4]
    """
    config = study.plan.config
    problems, configs = Problems(study.results), study.plan.configs
    firsts = range(0, study.plan.num_trials, config.seeds or 1)
    optima = [_optimum(problems, configs.get(trial)) for trial in firsts]
    return Survey(study.study, config.chosen_predictor, config.epsilon, optima)


def _optimum(problems: Problems, config: RunConfig | None) -> float:
    """The lowest cost of a run's problem; nan where it is not known, or the run cannot be made."""
    landscape = None if config is None else problems.landscape(config)
    return math.nan if landscape is None else landscape.optimum
