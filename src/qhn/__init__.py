"""Quantum hypernetworks: circuits whose measured bitstrings are binary neural networks.

Every public name is imported when it is first used, so that ``import qhn`` is fast.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qhn.backend import (
        BackendError,
        DeviceSettings,
        Journal,
        LayoutSettings,
        Machine,
        NoiseSettings,
        RehearsalSettings,
        open_backend,
    )
    from qhn.baseline.classical import Trace, polish, search, success_rate
    from qhn.black_box.cost import BlackBox
    from qhn.budget.limits import Limits
    from qhn.carleman.closure import GradientMap, Lift, lift
    from qhn.carleman.dense_network import DenseNetwork
    from qhn.carleman.download import Downloaded, TooFewCountsError, download
    from qhn.carleman.glm import GeneralisedLinearModel
    from qhn.carleman.hhl import hhl
    from qhn.carleman.history import HistorySystem
    from qhn.carleman.interference import Interference
    from qhn.carleman.jets import EnergyJet
    from qhn.carleman.linear_solver import SolverCircuit
    from qhn.carleman.polynomial import PolynomialGradient
    from qhn.carleman.pruning import prune
    from qhn.carleman.qsvt import qsvt
    from qhn.carleman.question import ResourceQuestion
    from qhn.carleman.regimes import Diagnosis, diagnose, truncation_bound
    from qhn.carleman.resources import Resources, estimate_resources
    from qhn.carleman.spectrum import Spectrum, exact_spectrum, spectrum
    from qhn.carleman.walsh import WalshCost, walsh_cost
    from qhn.circuit.ansatz import Ansatz
    from qhn.circuit.hypernetwork import Hypernetwork, hypernetwork, product_state
    from qhn.circuit.unrolled import CircuitAnsatz, circuit_ansatz
    from qhn.config import RunConfig
    from qhn.config.file import load_config, load_problem, presets
    from qhn.errors import EvaluationError, NotFoundError, QhnError
    from qhn.estimator.exact import ExactEstimator
    from qhn.estimator.gradient import ParameterShift, Spsa, ValueAndGrad
    from qhn.estimator.means import Estimates
    from qhn.estimator.measurement import Measurement
    from qhn.estimator.noisy import NoisyEstimator
    from qhn.estimator.polynomial import PolynomialEstimator
    from qhn.estimator.sampling import SamplingEstimator
    from qhn.exact.chain import Chain
    from qhn.exact.chain_energy import ChainEnergy
    from qhn.exact.distribution import Distribution, schmidt_spectrum
    from qhn.exact.energy import Energy
    from qhn.exact.light_cone_energy import LightConeEnergy
    from qhn.learning_curves.curve import LearningCurve
    from qhn.learning_curves.predictors import predictor
    from qhn.learning_curves.sources import find_curves
    from qhn.learning_curves.store import load_curves, save_curves
    from qhn.optimize.lbfgs import Lbfgs, minimize
    from qhn.optimize.optimizer import Adam, Sgd, Sinusoid, SpsaGains
    from qhn.predict.classifier import HypernetworkClassifier
    from qhn.predict.ensemble import Ensemble, load_ensemble
    from qhn.problem.built_in_data import digits_8x8, gaussian_mixture, mnist_4x4
    from qhn.problem.cost import BinnProblem, Problem, TableProblem
    from qhn.problem.datasets import Dataset, load_file
    from qhn.problem.evaluations import Evaluations
    from qhn.problem.labs import LabsProblem
    from qhn.problem.landscape import Landscape, enumerate_costs
    from qhn.problem.max_cut import MaxCutProblem, max_cut
    from qhn.problem.network import Network, load_network
    from qhn.problem.objective import Objective
    from qhn.problem.polynomial import SpinPolynomial
    from qhn.problem.prior import Elbo, Mmd
    from qhn.problem.quadratic import QuadraticProblem
    from qhn.problem.search_space import SearchSpace
    from qhn.quantum_sgd.load import load_descent
    from qhn.quantum_sgd.loop import QuantumDescent, quantum_descent
    from qhn.run.circuit_machine import CircuitMachine
    from qhn.run.record import Record, load_run
    from qhn.run.replay import Replayed, replay
    from qhn.run.step import Step
    from qhn.run.training import Training, resume, train
    from qhn.scheduling.curves import KnownCurves
    from qhn.scheduling.hyperband import Hyperband, RunAll, SuccessiveHalving
    from qhn.scheduling.space import Range, Space
    from qhn.scheduling.study import Study
    from qhn.scheduling.swift_hyperband import SwiftHyperband
    from qhn.scheduling.trial import Trial
    from qhn.seeds import Key
    from qhn.svr.regressor import QuboSVR

_MODULES = {
    "backend": (
        "BackendError",
        "DeviceSettings",
        "Journal",
        "LayoutSettings",
        "Machine",
        "NoiseSettings",
        "RehearsalSettings",
        "open_backend",
    ),
    "baseline.classical": ("Trace", "polish", "search", "success_rate"),
    "budget.limits": ("Limits",),
    "carleman.closure": ("GradientMap", "Lift", "lift"),
    "carleman.dense_network": ("DenseNetwork",),
    "carleman.download": ("Downloaded", "TooFewCountsError", "download"),
    "carleman.glm": ("GeneralisedLinearModel",),
    "carleman.hhl": ("hhl",),
    "carleman.history": ("HistorySystem",),
    "carleman.interference": ("Interference",),
    "carleman.jets": ("EnergyJet",),
    "carleman.linear_solver": ("SolverCircuit",),
    "carleman.polynomial": ("PolynomialGradient",),
    "carleman.pruning": ("prune",),
    "carleman.qsvt": ("qsvt",),
    "carleman.question": ("ResourceQuestion",),
    "carleman.regimes": ("Diagnosis", "diagnose", "truncation_bound"),
    "carleman.resources": ("Resources", "estimate_resources"),
    "carleman.spectrum": ("Spectrum", "exact_spectrum", "spectrum"),
    "carleman.walsh": ("WalshCost", "walsh_cost"),
    "circuit.ansatz": ("Ansatz",),
    "circuit.hypernetwork": ("Hypernetwork", "hypernetwork", "product_state"),
    "circuit.unrolled": ("CircuitAnsatz", "circuit_ansatz"),
    "config": ("RunConfig",),
    "config.file": ("load_config", "load_problem", "presets"),
    "errors": ("EvaluationError", "NotFoundError", "QhnError"),
    "estimator.exact": ("ExactEstimator",),
    "estimator.gradient": ("ParameterShift", "Spsa", "ValueAndGrad"),
    "estimator.means": ("Estimates",),
    "estimator.measurement": ("Measurement",),
    "estimator.noisy": ("NoisyEstimator",),
    "estimator.polynomial": ("PolynomialEstimator",),
    "estimator.sampling": ("SamplingEstimator",),
    "exact.chain": ("Chain",),
    "exact.chain_energy": ("ChainEnergy",),
    "exact.distribution": ("Distribution", "schmidt_spectrum"),
    "exact.energy": ("Energy",),
    "exact.light_cone_energy": ("LightConeEnergy",),
    "learning_curves.curve": ("LearningCurve",),
    "learning_curves.predictors": ("predictor",),
    "learning_curves.sources": ("find_curves",),
    "learning_curves.store": ("load_curves", "save_curves"),
    "optimize.lbfgs": ("Lbfgs", "minimize"),
    "optimize.optimizer": ("Adam", "Sgd", "Sinusoid", "SpsaGains"),
    "predict.classifier": ("HypernetworkClassifier",),
    "predict.ensemble": ("Ensemble", "load_ensemble"),
    "black_box.cost": ("BlackBox",),
    "problem.cost": ("BinnProblem", "Problem", "TableProblem"),
    "problem.built_in_data": ("digits_8x8", "gaussian_mixture", "mnist_4x4"),
    "problem.datasets": ("Dataset", "load_file"),
    "problem.evaluations": ("Evaluations",),
    "problem.labs": ("LabsProblem",),
    "problem.landscape": ("Landscape", "enumerate_costs"),
    "problem.max_cut": ("MaxCutProblem", "max_cut"),
    "problem.network": ("Network", "load_network"),
    "problem.objective": ("Objective",),
    "problem.polynomial": ("SpinPolynomial",),
    "problem.prior": ("Elbo", "Mmd"),
    "problem.quadratic": ("QuadraticProblem",),
    "problem.search_space": ("SearchSpace",),
    "quantum_sgd.load": ("load_descent",),
    "quantum_sgd.loop": ("QuantumDescent", "quantum_descent"),
    "run.circuit_machine": ("CircuitMachine",),
    "run.record": ("Record", "load_run"),
    "run.replay": ("Replayed", "replay"),
    "run.step": ("Step",),
    "run.training": ("Training", "resume", "train"),
    "scheduling.curves": ("KnownCurves",),
    "scheduling.hyperband": ("Hyperband", "RunAll", "SuccessiveHalving"),
    "scheduling.space": ("Range", "Space"),
    "scheduling.study": ("Study",),
    "scheduling.swift_hyperband": ("SwiftHyperband",),
    "scheduling.trial": ("Trial",),
    "seeds": ("Key",),
    "svr.regressor": ("QuboSVR",),
}
_OF_EXTRAS = ("HypernetworkClassifier", "QuboSVR")  # names that need more than qhn installs; `import *` leaves them out
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__version__ = "0.1.0"
__all__ = [*(name for name in _HOME if name not in _OF_EXTRAS), "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'qhn' has no attribute {name!r}")
    return getattr(import_module(f"qhn.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    missing = () if find_spec("sklearn") else _OF_EXTRAS  # `help` asks for every name that is listed here
    return sorted([*(name for name in _HOME if name not in missing), "__version__"])
