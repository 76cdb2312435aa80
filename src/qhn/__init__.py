"""Quantum hypernetworks: circuits whose measured bitstrings are binary neural networks.

Everything below is imported when first used, so that ``import qhn`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qhn.ansatz import Ansatz, hypernetwork, product_state
    from qhn.backend import BackendError, DeviceSettings, open_backend
    from qhn.baseline import Trace, polish, search, success_rate
    from qhn.binn import SearchSpace
    from qhn.config import RunConfig
    from qhn.configfile import load_config, load_problem, presets
    from qhn.datasets import Dataset, digits_8x8, gaussian_mixture, load_file, mnist_4x4
    from qhn.ensemble import Ensemble, load_ensemble
    from qhn.estimator import ExactEstimator, SamplingEstimator
    from qhn.exact.chain import Chain
    from qhn.exact.distribution import Distribution, schmidt_spectrum
    from qhn.exact.energy import Energy
    from qhn.gradient import ParameterShift, Spsa, ValueAndGrad
    from qhn.landscape import Landscape, enumerate_costs
    from qhn.lbfgs import Lbfgs, minimize
    from qhn.network import Network, load_network
    from qhn.noisy import NoisyEstimator
    from qhn.objective import Estimates, Objective
    from qhn.optimizer import Adam, Sgd, SpsaGains
    from qhn.problem import BinnProblem, Evaluations, Problem, TableProblem
    from qhn.record import Record, load_run
    from qhn.replaying import Replayed, replay
    from qhn.run import Training, resume, train
    from qhn.seeds import Key
    from qhn.step import RecordError, Step

_MODULES = {
    "ansatz": ("Ansatz", "hypernetwork", "product_state"),
    "backend": ("BackendError", "DeviceSettings", "open_backend"),
    "baseline": ("Trace", "polish", "search", "success_rate"),
    "binn": ("SearchSpace",),
    "config": ("RunConfig",),
    "configfile": ("load_config", "load_problem", "presets"),
    "datasets": ("Dataset", "digits_8x8", "gaussian_mixture", "load_file", "mnist_4x4"),
    "ensemble": ("Ensemble", "load_ensemble"),
    "estimator": ("ExactEstimator", "SamplingEstimator"),
    "exact.chain": ("Chain",),
    "exact.distribution": ("Distribution", "schmidt_spectrum"),
    "exact.energy": ("Energy",),
    "gradient": ("ParameterShift", "Spsa", "ValueAndGrad"),
    "landscape": ("Landscape", "enumerate_costs"),
    "lbfgs": ("Lbfgs", "minimize"),
    "network": ("Network", "load_network"),
    "noisy": ("NoisyEstimator",),
    "objective": ("Estimates", "Objective"),
    "optimizer": ("Adam", "Sgd", "SpsaGains"),
    "problem": ("BinnProblem", "Evaluations", "Problem", "TableProblem"),
    "record": ("Record", "load_run"),
    "replaying": ("Replayed", "replay"),
    "run": ("Training", "resume", "train"),
    "seeds": ("Key",),
    "step": ("RecordError", "Step"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__version__ = "0.1.0"
__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'qhn' has no attribute {name!r}")
    return getattr(import_module(f"qhn.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
