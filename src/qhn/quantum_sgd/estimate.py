"""The resources that a segment takes of a fault-tolerant quantum computer, by its own condition number."""

from __future__ import annotations

import json
from dataclasses import asdict

from qhn.carleman.question import ResourceQuestion
from qhn.carleman.resource_report import words
from qhn.carleman.resources import estimate_resources
from qhn.carleman.verdict import judge
from qhn.quantum_sgd.config import QsgdConfig
from qhn.quantum_sgd.segment import json_values
from qhn.quantum_sgd.upload import Upload


def question_of(config: QsgdConfig, upload: Upload) -> ResourceQuestion:
    """What an estimate is asked about a segment.

    Its gradient's tensors are dense, since all samples enter each entry: the sparsity is the number of parameters.

    Args:
        config: the configuration.
        upload: the segment.
    """
    kept = upload.system.num_parameters
    return ResourceQuestion(
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


def estimate_json(config: QsgdConfig, upload: Upload) -> str:
    """The diagnosis of a segment, its resources, the classical cost and the verdict as one JSON object."""
    found = estimate_resources(question_of(config, upload))
    parts = {"diagnosis": upload.diagnosis.words(), **asdict(found), "verdict": asdict(judge(found))}
    return json.dumps(json_values(parts), allow_nan=False, ensure_ascii=False)


def estimate_words(config: QsgdConfig, upload: Upload) -> str:
    """The resources of a segment in text, with the classical cost and the verdict."""
    return words(estimate_resources(question_of(config, upload)))
