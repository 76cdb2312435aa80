"""The resources that a segment, or a model of any size, takes of a fault-tolerant quantum computer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from qhn.carleman.question import Rates, ResourceQuestion
from qhn.carleman.resource_report import words
from qhn.carleman.resources import Resources
from qhn.carleman.verdict import judge
from qhn.errors import QhnError
from qhn.quantum_sgd.config import QsgdConfig
from qhn.quantum_sgd.segment import json_values
from qhn.quantum_sgd.upload import Upload
from qhn.text import did_you_mean

STEPS, ORDER = 63, 2  # of a model of which neither is given, as in the table of the documentation
PREFIX = "estimate."
RATES = tuple(one.name for one in fields(Rates))
KEYS = (*(one.name for one in fields(ResourceQuestion) if one.name != "rates"), *RATES)


def question_about(settings: Mapping[str, Any]) -> ResourceQuestion:
    """What an estimate is asked about a model of any size, which need not exist.

    Args:
        settings: attributes of a :class:`ResourceQuestion` and of its rates, ``num_parameters`` among them.

    Raises:
        ValueError: if there is no such setting, or a value is out of its bounds.

    >>> question_about({"num_parameters": 7_451_044, "regime": "dissipative", "flops": 1e13}).num_steps
    63
    """
    asked, rates = _divided(settings)
    return ResourceQuestion(**{"order": ORDER, "num_steps": STEPS} | asked, rates=Rates(**rates))


def _divided(settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of a question, and those of its rates.

    Raises:
        QhnError: if there is no such setting; the message names the nearest one.
    """
    for name in settings:
        if name not in KEYS:
            hint = did_you_mean(name, KEYS, otherwise=f"there are {', '.join(KEYS)}")
            raise QhnError(f"unknown key {PREFIX}{name}; {hint}")
    rates = {name: settings[name] for name in RATES if name in settings}
    return {name: value for name, value in settings.items() if name not in rates}, rates


def question_of(config: QsgdConfig, upload: Upload, settings: Mapping[str, Any]) -> ResourceQuestion:
    """What an estimate is asked about a segment.

    Its gradient's tensors are dense, since all samples enter each entry: the sparsity is the number of parameters.

    Args:
        config: the configuration.
        upload: the segment.
        settings: attributes of the question and of its rates that replace those of the segment.
    """
    kept = upload.system.num_parameters
    of_segment = ResourceQuestion(
        num_parameters=kept,
        order=config.lift.order,
        num_steps=config.descent.steps,
        kappa=upload.condition,
        epsilon=config.solver.epsilon,
        sparsity=kept,
        degree=config.lift.chosen_degree,
        kept=kept,
        idle=upload.system.num_idle,
        stochastic=bool(config.descent.batch),
    )
    asked, rates = _divided(settings)
    other_kappa = {"kappa": None} if "regime" in asked else {}
    return replace(of_segment, **other_kappa | asked, rates=Rates(**rates))


def estimate_json(found: Resources, diagnosis: str | None = None) -> str:
    """Resources, the classical cost and the verdict as one JSON object, with the diagnosis of a segment."""
    about = {} if diagnosis is None else {"diagnosis": diagnosis}
    parts = {**about, **asdict(found), "verdict": asdict(judge(found))}
    return json.dumps(json_values(parts), allow_nan=False, ensure_ascii=False)


def estimate_words(found: Resources, diagnosis: str | None = None) -> str:
    """Resources in text, with the classical cost and the verdict, below the diagnosis of a segment."""
    return "\n\n".join(filter(None, (diagnosis, words(found))))
