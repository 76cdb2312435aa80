"""E(θ) and other objectives, their gradients and standard errors: from measured bits, exactly, or under known noise."""

from __future__ import annotations

from qhn.estimator.exact import ExactEstimator
from qhn.estimator.gradient import Gradient, ParameterShift, Spsa, ValueAndGrad
from qhn.estimator.means import Estimates, Means
from qhn.estimator.measurement import Measurement
from qhn.estimator.noisy import NoisyEstimator
from qhn.estimator.polynomial import PolynomialEstimator
from qhn.estimator.sampling import SamplingEstimator

__all__ = [
    "Estimates",
    "ExactEstimator",
    "Gradient",
    "Means",
    "Measurement",
    "NoisyEstimator",
    "ParameterShift",
    "PolynomialEstimator",
    "SamplingEstimator",
    "Spsa",
    "ValueAndGrad",
]
