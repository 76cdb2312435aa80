"""Predictors of the end of a learning curve from its beginning, learnt from curves that are known to the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from qhn.arrays import Floats, Integers
from qhn.errors import QhnError
from qhn.learning_curves.features import as_curves, check_features, features_of, fences, is_predictable
from qhn.text import did_you_mean, shown

MIN_CURVES = 2  # from which a regression learns; below, the last known value is predicted
MAX_QUBO_CURVES = 20  # curves of a regression on an annealer: with three bits a number, 120 variables
REGRESSORS: dict[str, tuple[str, str, dict[str, Any]]] = {  # module, class, and options that were measured to do well
    "ridge": ("sklearn.linear_model", "Ridge", {"alpha": 30.0}),
    "nusvr": ("sklearn.svm", "NuSVR", {"C": 3.0, "nu": 0.5, "gamma": 0.003}),
    "svr": ("sklearn.svm", "SVR", {"C": 3.0, "epsilon": 0.1, "gamma": 0.003}),
    "qubo-svr": ("qhn.svr", "QuboSVR", {}),
}
TARGETS = ("change", "loss")
PREDICTORS = ("last", *REGRESSORS)


class FittedPredictor(Protocol):
    """A predictor that has learnt from whole curves."""

    def predict(self, curves: ArrayLike, settings: ArrayLike) -> Floats:
        """The predicted losses at the end of curves, ``[m]``; infinite where nothing can be predicted.

        Args:
            curves: losses at the beginning, on the common grid of resource, ``[m, p]``; nan before the first step.
            settings: hyper-parameters as numbers, ``[m, k]``.
        """


class Predictor(Protocol):
    """A way to predict the end of a learning curve from its beginning."""

    def fit(self, curves: ArrayLike, settings: ArrayLike, finals: ArrayLike) -> FittedPredictor:
        """Learn from curves whose end is known.

        Args:
            curves: losses at the beginning, on the common grid of resource, ``[n, p]``; nan before the first step.
            settings: hyper-parameters as numbers, ``[n, k]``, where k may be 0.
            finals: losses at the end, ``[n]``.
        """


@dataclass(frozen=True)
class LastValue:
    """The predictor that takes the last known loss of a curve for its end; it learns nothing.

    >>> LastValue().fit([[0.5, 0.4]], np.empty((1, 0)), [0.1]).predict([[0.6, 0.3]], np.empty((1, 0)))
    array([0.3])
    """

    def fit(self, curves: ArrayLike, settings: ArrayLike, finals: ArrayLike) -> LastValue:
        """The predictor itself; curves whose end is known teach it nothing."""
        return self

    def predict(self, curves: ArrayLike, settings: ArrayLike) -> Floats:
        """The last losses of curves ``[m, p]``: ``[m]``; infinite where nothing can be predicted."""
        losses, _ = as_curves(curves, settings)
        return np.where(is_predictable(losses), losses[:, -1], np.inf)


@dataclass(frozen=True)
class Regression:
    """A predictor that learns the end of curves by a regression on features of their beginning.

    What is learnt is the change from the last known loss to the loss at the end: on 600 curves of three tasks that
    explained more of the variance than learning the loss itself, the more so from few curves. Features and targets are
    standardised, after values of trainings that diverged have been cut. Curves that cannot be continued, or whose end
    is not finite, teach it nothing; with fewer than two others it predicts the last known value.

    Attributes:
        make: the function that makes a new regressor, an object with scikit-learn's ``fit`` and ``predict``.
        features: the kind of features, one of ``FEATURES``.
        target: what the regression learns: ``"change"``, or ``"loss"`` for the loss at the end itself.
        max_curves: the largest number of curves that the regressor learns from; None without a limit.
    """

    make: Callable[[], Any]
    features: str = "curve"
    target: str = "change"
    max_curves: int | None = None

    def fit(self, curves: ArrayLike, settings: ArrayLike, finals: ArrayLike) -> FittedPredictor:
        """Learn from curves ``[n, p]`` with hyper-parameters ``[n, k]`` and losses at the end ``[n]``.

        Raises:
            QhnError: if the arrays do not fit together.
        """
        losses, numbers = as_curves(curves, settings)
        ends = np.asarray(finals, dtype=np.float64)
        if ends.shape != (len(losses),):
            raise QhnError(
                f"finals must have one loss for each of the {len(losses)} curves, got the shape {ends.shape}"
            )
        is_usable = is_predictable(losses) & is_predictable(ends[:, None])
        losses, numbers, ends = losses[is_usable], numbers[is_usable], ends[is_usable]
        if len(ends) < MIN_CURVES:
            return LastValue()
        if self.max_curves is not None:
            chosen = spread(ends, self.max_curves)
            losses, numbers, ends = losses[chosen], numbers[chosen], ends[chosen]
        low, high = fences(losses)
        columns = features_of(self.features, np.clip(losses, low, high), numbers)
        targets = ends - losses[:, -1] if self.target == "change" else ends
        pipeline = _standardised(self.make()).fit(columns, np.clip(targets, *fences(targets)))
        return FittedRegression(self, pipeline, low, high)


@dataclass(frozen=True)
class FittedRegression:
    """A regression that has learnt the end of curves.

    Attributes:
        regression: the kind of regression.
        pipeline: the fitted regressor, with the standardisation of features and targets.
        low: the lower bound to which losses are cut at each point of the grid that is known of a curve, ``[p]``.
        high: the upper bound, ``[p]``.
    """

    regression: Regression
    pipeline: Any
    low: Floats
    high: Floats

    def predict(self, curves: ArrayLike, settings: ArrayLike) -> Floats:
        """The predicted losses at the end of curves ``[m, p]``: ``[m]``; infinite where nothing can be predicted.

        Raises:
            QhnError: if the arrays do not fit together, or the beginnings are of another length than those it learnt.
        """
        losses, numbers = as_curves(curves, settings)
        if losses.shape[1] != len(self.low):
            raise QhnError(f"curves must be known at {len(self.low)} points as those learnt, got {losses.shape[1]}")
        is_usable = is_predictable(losses)
        predictions = np.full(len(losses), np.inf)
        if is_usable.any():
            known = losses[is_usable]
            columns = features_of(self.regression.features, np.clip(known, self.low, self.high), numbers[is_usable])
            beyond = known[:, -1] if self.regression.target == "change" else 0.0
            predictions[is_usable] = beyond + self.pipeline.predict(columns)
        return predictions


def predictor(name: str = "nusvr", features: str = "curve", target: str = "change", **options: Any) -> Predictor:
    """A predictor of the end of learning curves.

    Args:
        name: ``"last"`` for the last known value; ``"ridge"``, ``"nusvr"`` or ``"svr"`` for a regression by
            scikit-learn; ``"qubo-svr"`` for a support vector regression whose dual is solved as a QUBO.
        features: what the regression sees of a curve: ``"curve"``, ``"curve+differences"``, ``"curve+settings"`` or
            ``"curve+differences+settings"``.
        target: what the regression learns: ``"change"`` for the change from the last known loss to the loss at the end,
            or ``"loss"`` for the loss at the end itself, as it is published.
        options: parameters of the regressor, such as ``C`` or ``solver``; for ``"qubo-svr"`` also ``max_curves``, the
            largest number of curves it learns from.

    Raises:
        QhnError: if there is no such predictor, kind of features or option, or a package is not installed.

    >>> curves, finals = np.array([[0.9, 0.6], [0.8, 0.4], [0.7, 0.2]]), np.array([0.4, 0.2, 0.0])
    >>> ridge = predictor("ridge", alpha=1e-6).fit(curves, np.empty((3, 0)), finals)
    >>> ridge.predict([[0.85, 0.5]], np.empty((1, 0))).round(3)
    array([0.3])
    """
    if name not in PREDICTORS:
        hint = did_you_mean(str(name), PREDICTORS, otherwise=f"there are {', '.join(PREDICTORS)}")
        raise QhnError(f"there is no predictor {shown(str(name))}; {hint}")
    check_features(features)
    if target not in TARGETS:
        raise QhnError(f"target must be {' or '.join(TARGETS)}, got {shown(target)}")
    if name == "last":
        if options:
            raise QhnError(f"the predictor last has no options, got {', '.join(sorted(options))}")
        return LastValue()
    max_curves = options.pop("max_curves", MAX_QUBO_CURVES) if name == "qubo-svr" else None
    return Regression(_maker(name, options), features, target, max_curves)


def _maker(name: str, options: dict[str, Any]) -> Callable[[], Any]:
    """A function that makes the regressor of a predictor, whose options are known to exist."""
    module, class_name, measured = REGRESSORS[name]
    try:
        regressor = getattr(import_module(module), class_name)
        import_module("sklearn.pipeline")
    except ImportError as error:
        raise QhnError(
            f"the predictor {name} needs a package that is missing ({error}): pip install 'qhn[search]'"
        ) from None
    known = sorted(regressor().get_params())
    for option in options:
        if option not in known:
            hint = did_you_mean(option, known, otherwise=f"there are {', '.join(known)}")
            raise QhnError(f"the predictor {name} has no option {shown(option)}; {hint}")
    return lambda: regressor(**measured | options)


def _standardised(regressor: Any) -> Any:
    """A regressor whose features and targets are standardised."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return TransformedTargetRegressor(make_pipeline(StandardScaler(), regressor), transformer=StandardScaler())


def spread(finals: Floats, number: int) -> Integers:
    """The indices, ascending, of at most ``number`` curves whose ends are spread evenly over the order of all ends.

    So the few curves that a regression can take show its target from the best to the worst.

    >>> spread(np.array([0.5, 0.1, 0.4, 0.2, 0.3]), 3).tolist()
    [0, 1, 4]
    """
    ascending = np.argsort(finals, kind="stable")
    places = np.unique(np.linspace(0, len(finals) - 1, min(number, len(finals))).round().astype(np.int64))
    return np.sort(ascending[places])
