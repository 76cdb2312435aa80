"""Predictors of the end of a learning curve from its beginning, learnt from curves that are known to the end."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from qhn.arrays import Floats, Integers
from qhn.errors import QhnError
from qhn.fields import Whole, optional, settle
from qhn.learning_curves.features import as_curves, check_features, features_of, fences, is_predictable
from qhn.text import did_you_mean, in_line, shown

MIN_CURVES = 2  # from which a regression learns; below, the last known value is predicted
MAX_QUBO_CURVES = 20  # curves of a regression on an annealer: with three bits a number, 120 variables
REGRESSORS: dict[str, tuple[str, str, dict[str, Any]]] = {  # module, class, and options that were measured to do well
    "ridge": ("sklearn.linear_model", "Ridge", {"alpha": 30.0}),
    "nusvr": ("sklearn.svm", "NuSVR", {"C": 3.0, "nu": 0.5, "gamma": 0.003}),
    "svr": ("sklearn.svm", "SVR", {"C": 3.0, "epsilon": 0.1, "gamma": 0.003}),
    "qubo-svr": ("qhn.svr.regressor", "QuboSVR", {"gamma": 0.01, "random_state": 0}),
}
TARGETS = ("change", "loss")
QUBO = "qubo-svr"
QUICK_SOLVERS = ("simulated-annealing", "random")  # of a QUBO: tried out when a predictor is made
MAX_REASON = 250  # characters of what a regressor says
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
        name: the name of the regressor, one of ``REGRESSORS``.
        features: the kind of features, one of ``FEATURES``.
        target: what the regression learns: ``"change"``, or ``"loss"`` for the loss at the end itself.
        options: parameters of the regressor in place of those that were measured to do well, by name.
        max_curves: the largest number of curves that the regressor learns from; None without a limit.

    Raises:
        QhnError: at construction, if there is no such regressor, kind of features, target or parameter, a number is out
            of bounds, or a package is not installed.
    """

    name: str = "nusvr"
    features: str = "curve"
    target: str = "change"
    options: tuple[tuple[str, Any], ...] = ()
    max_curves: int | None = None

    def __post_init__(self) -> None:
        check_features(self.features)
        check_target(self.target)
        settle(self, max_curves=optional(Whole(MIN_CURVES)))
        known = sorted(regressor_of(self.name)().get_params())
        for option, _ in self.options:
            if option not in known:
                hint = did_you_mean(option, known, otherwise=f"there are {', '.join(known)}")
                raise QhnError(f"the predictor {self.name} has no option {shown(option)}; {hint}")
        try:
            self._try_out()
        except (ValueError, TypeError) as error:
            raise QhnError(f"the predictor {self.name} cannot be made so: {in_line(error, MAX_REASON)}") from None

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
        targets = ends - losses[:, -1] if self.target == "change" else ends
        if self.max_curves is not None:
            chosen = spread(targets, self.max_curves)
            losses, numbers, targets = losses[chosen], numbers[chosen], targets[chosen]
        low, high = fences(losses)
        columns = features_of(self.features, np.clip(losses, low, high), numbers)
        pipeline = _standardised(self._regressor()).fit(columns, np.clip(targets, *fences(targets)))
        return FittedRegression(self, pipeline, low, high, numbers.shape[1])

    def _try_out(self) -> None:
        """Fit a regressor to a few numbers, which checks its parameters; a machine that solves a QUBO is left alone.

        Raises:
            ValueError, TypeError: if a parameter is refused.
        """
        regressor, number = self._regressor(), MIN_CURVES
        if self.name == QUBO:
            if regressor.solver == "exact":
                number = self.max_curves or MIN_CURVES
            elif regressor.solver not in QUICK_SOLVERS:
                import_module("qhn.svr.solvers").solver_of(regressor.solver)
                regressor.set_params(solver="random", options=None)
        regressor.fit(np.arange(number)[:, None], np.arange(number))

    def _regressor(self) -> Any:
        """A new regressor, an object with scikit-learn's ``fit`` and ``predict``."""
        return regressor_of(self.name)(**REGRESSORS[self.name][2] | dict(self.options))


@dataclass(frozen=True)
class FittedRegression:
    """A regression that has learnt the end of curves.

    Attributes:
        regression: the kind of regression.
        pipeline: the fitted regressor, with the standardisation of features and targets.
        low: the lower bound to which losses are cut at each point of the grid that is known of a curve, ``[p]``.
        high: the upper bound, ``[p]``.
        num_settings: number of hyper-parameters, as numbers, of each curve that was learnt.
    """

    regression: Regression
    pipeline: Any
    low: Floats
    high: Floats
    num_settings: int

    @property
    def regressor(self) -> Any:
        """The fitted regressor, such as a QuboSVR with its ``energy_gap_``."""
        return self.pipeline.regressor_[-1]

    def predict(self, curves: ArrayLike, settings: ArrayLike) -> Floats:
        """The predicted losses at the end of curves ``[m, p]``: ``[m]``; infinite where nothing can be predicted.

        Raises:
            QhnError: if the arrays do not fit together, or the beginnings are of another length than those it learnt.
        """
        losses, numbers = as_curves(curves, settings)
        if losses.shape[1] != len(self.low):
            raise QhnError(f"curves must be known at {len(self.low)} points as those learnt, got {losses.shape[1]}")
        if numbers.shape[1] != self.num_settings:
            raise QhnError(f"settings must be {self.num_settings} numbers as those learnt, got {numbers.shape[1]}")
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
        options: parameters of the regressor, such as ``C`` or ``solver``, and ``max_curves``, the largest number of
            curves that it learns from: 20 for ``"qubo-svr"``.

    Raises:
        QhnError: if there is no such predictor, kind of features or option, or a package is not installed.

    >>> curves, finals = np.array([[0.9, 0.6], [0.8, 0.4], [0.7, 0.2]]), np.array([0.4, 0.2, 0.0])
    >>> ridge = predictor("ridge", alpha=1e-6).fit(curves, np.empty((3, 0)), finals)
    >>> ridge.predict([[0.85, 0.5]], np.empty((1, 0))).round(3)
    array([0.3])
    """
    if name not in PREDICTORS:
        hint = did_you_mean(str(name), PREDICTORS, otherwise=f"there are {', '.join(PREDICTORS)}")
        raise QhnError(f"there is no predictor {shown(name)}; {hint}")
    if name == "last":
        check_target(target)
        if options:
            raise QhnError(f"the predictor last has no options, got {', '.join(sorted(options))}")
        check_features(features)
        return LastValue()
    max_curves = options.pop("max_curves", MAX_QUBO_CURVES if name == QUBO else None)
    return Regression(name, features, target, tuple(sorted(options.items())), max_curves)


def check_target(target: Any) -> None:
    """Refuse a target that is none.

    Raises:
        QhnError: if it is none; the message names all.
    """
    if target not in TARGETS:
        raise QhnError(f"target must be {' or '.join(TARGETS)}, got {shown(target)}")


def regressor_of(name: str) -> type[Any]:
    """The class of a regressor, which has the parameters and methods of scikit-learn.

    Args:
        name: the name of the regressor, one of ``REGRESSORS``.

    Raises:
        QhnError: if a package that it needs is not installed.
    """
    module, class_name, _ = REGRESSORS[name]
    try:
        import_module("sklearn")
        found: type[Any] = getattr(import_module(module), class_name)
    except ImportError as error:
        words = f"the predictor {name} needs a package that is missing ({error})"
        raise QhnError(f"{words}: pip install 'qhn[search]'") from None
    return found


def _standardised(regressor: Any) -> Any:
    """A regressor whose features and targets are standardised."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return TransformedTargetRegressor(make_pipeline(StandardScaler(), regressor), transformer=StandardScaler())


def spread(targets: Floats, number: int) -> Integers:
    """The indices, ascending, of at most ``number`` curves whose targets are spread evenly over the order of all.

    So the few curves from which a regression learns show it the whole range. On 600 curves of three tasks, 20 chosen so
    of 100 explained .68 of the variance, the first 20 .63, 20 with ends spread evenly .65, and all 100 .71.

    Args:
        targets: what is learnt of each curve, ``[n]``.
        number: the largest number of curves, at least 2.

    >>> spread(np.array([0.5, 0.1, 0.4, 0.2, 0.3]), 3).tolist()
    [0, 1, 4]
    """
    ascending = np.argsort(targets, kind="stable")
    places = np.linspace(0, len(targets) - 1, min(number, len(targets))).round().astype(np.int64)
    return np.sort(ascending[places])
