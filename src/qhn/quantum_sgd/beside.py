"""What stands beside a segment: true sparse descent, from its start and from the first, and classical Carleman."""

from __future__ import annotations

import math

import numpy as np

from qhn.arrays import Floats
from qhn.carleman.glm import GeneralisedLinearModel
from qhn.quantum_sgd.config import QsgdConfig
from qhn.quantum_sgd.reading import Reading
from qhn.quantum_sgd.segment import Beside, Segment, Told
from qhn.quantum_sgd.upload import Upload, batches_of, descended


def told_of(upload: Upload) -> Told:
    """What is known of a segment before its system is solved."""
    diagnosis = upload.diagnosis
    return Told(
        regime=str(diagnosis.regime),
        words=diagnosis.words(),
        nonlinearity=float(diagnosis.nonlinearity),
        growth=float(diagnosis.growth),
        condition=upload.condition,
        truncation_bound=upload.truncation_bound,
        num_negative=diagnosis.num_negative,
        scale=upload.step.scale,
        num_unknowns=upload.system.size,
        num_idle=upload.system.num_idle,
    )


def segment_of(
    config: QsgdConfig,
    model: GeneralisedLinearModel,
    upload: Upload,
    reading: Reading,
    number: int,
    path: Floats,
) -> Segment:
    """The segment with all that is compared.

    Args:
        config: the configuration.
        model: model of the kept parameters.
        upload: the system that was solved.
        reading: what was read.
        number: number of the segment, from 0.
        path: parameters by true descent from the very start before this segment, ``[num_kept]``.
    """
    batches, rate = batches_of(config, model, number), config.descent.learning_rate
    found = {
        "before": upload.theta,
        "after": reading.theta,
        "true": descended(model, upload.theta, rate, batches),
        "true_path": descended(model, path, rate, batches),
        "carleman": upload.carleman(),
    }
    has_classes = bool(((model.labels == 0) | (model.labels == 1)).all())
    beside = Beside(
        true=_vector(found["true"]),
        true_path=_vector(found["true_path"]),
        carleman=_vector(found["carleman"]),
        losses={name: float(model.loss(theta)) for name, theta in found.items()},
        accuracies={name: model.accuracy(theta) for name, theta in found.items()} if has_classes else {},
        loss_std_error=loss_error(model, reading.theta, reading.variance),
        loss_bias=None if reading.bias is None else loss_change(model, reading.theta, reading.bias),
    )
    return Segment(
        number, _vector(upload.theta), _vector(reading.theta), told_of(upload), reading.solved, reading.read, beside
    )


def loss_error(model: GeneralisedLinearModel, theta: Floats, variance: Floats) -> float:
    """The error of a loss that independent errors of the parameters cause, to second order.

    It is the standard deviation of ∇L·δ + ½ δᵀHδ for normal δ, and the mean ½ tr(HΣ) of what is of second order, which
    is a bias: noise raises the loss near a minimum.

    Args:
        model: the model.
        theta: the parameters, ``[num_parameters]``.
        variance: variance of the error of each, ``[num_parameters]``.
    """
    if not variance.any():
        return 0.0
    slope, curvature = model.gradient(theta), model.hessian(theta) * variance
    scatter = float(np.square(slope) @ variance + 0.5 * np.sum(curvature * curvature.T))
    return math.sqrt(scatter) + 0.5 * abs(float(np.trace(curvature)))


def loss_change(model: GeneralisedLinearModel, theta: Floats, distance: float) -> float:
    """How much a loss can change within a distance from a point, to second order."""
    largest = float(np.abs(np.linalg.eigvalsh(model.hessian(theta))).max())
    return distance * float(np.linalg.norm(model.gradient(theta))) + 0.5 * largest * distance**2


def _vector(values: Floats) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
