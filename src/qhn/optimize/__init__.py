"""Optimizers, as pairs of pure functions: the next θ from a function that returns values and gradients."""

from __future__ import annotations

from qhn.optimize.lbfgs import Lbfgs, minimize
from qhn.optimize.optimizer import Adam, Optimizer, Sgd, SpsaGains

__all__ = ["Adam", "Lbfgs", "Optimizer", "Sgd", "SpsaGains", "minimize"]
