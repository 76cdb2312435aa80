"""The data behind the section on schedulers, predictors and surveys: a row for every replay, split and survey."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from qhn.paper.pictures import write_rows
from qhn.paper.predictability import Model, Scores
from qhn.paper.prediction_tables import saved
from qhn.paper.replays import Outcomes
from qhn.paper.survey_bias import QUANTITIES, Found


def write_replays(path: Path, outcomes: Mapping[str, Mapping[str, Outcomes]]) -> None:
    """Write what each replay of each method spent and found as CSV.

    Args:
        path: the file.
        outcomes: the outcomes by task and method.
    """
    names = [field.name for field in dataclasses.fields(Outcomes)]
    rows = [
        {"task": task, "method": method, "replay": replay}
        | {name: getattr(one, name)[replay] for name in names}
        | {"saved": saves[replay]}
        for task, found in outcomes.items()
        for method, one in found.items()
        for saves in [saved(found, method)]
        for replay in range(len(one))
    ]
    write_rows(path, rows)


def write_scores(path: Path, scores: Mapping[str, Mapping[Model, Scores]]) -> None:
    """Write how well each predictor predicts in each split as CSV.

    Args:
        path: the file.
        scores: the scores by task and model.
    """
    rows = [
        {"task": task, "predictor": model.name, "features": model.features, "curves": model.count, "split": split}
        | {"r2": one.r2[split], "rank": one.rank[split], "energy_gap": one.energy_gap[split]}
        for task, found in scores.items()
        for model, one in found.items()
        for split in range(len(one.r2))
    ]
    write_rows(path, rows)


def write_surveys(path: Path, surveys: Mapping[str, Sequence[Found]]) -> None:
    """Write what each survey finds about each group of trials as CSV.

    Args:
        path: the file.
        surveys: what surveys find, by task.
    """
    names = [field.name for field in dataclasses.fields(Found) if field.name not in ("group", "whole")]
    rows = [
        {"task": task, "group": one.group, "survey": survey, "quantity": quantity, "whole": one.whole[place]}
        | {name: getattr(one, name)[survey, place] for name in names}
        for task, groups in surveys.items()
        for one in groups
        for survey in range(len(one.full))
        for place, quantity in enumerate(QUANTITIES)
    ]
    write_rows(path, rows)
