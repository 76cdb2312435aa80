"""A classifier for scikit-learn: a circuit is trained on a table, and the networks that it yields predict classes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from qhn import bitstrings
from qhn.arrays import Floats
from qhn.errors import QhnError
from qhn.predict.classifier_config import config_of, fitted_to
from qhn.predict.classifier_training import dataset_of, finished, problem_of
from qhn.predict.ensemble import Ensemble
from qhn.problem.cost import BinnProblem
from qhn.run.training import Training
from qhn.text import shown

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.class_weight import compute_class_weight
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError(
        f"HypernetworkClassifier needs scikit-learn 1.6 or newer ({error}): pip install 'qhn[sklearn]'"
    ) from None

PREDICTORS = ("ensemble", "best", "most-probable")
MAX_SEED = 2**31 - 1


class HypernetworkClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # of a package without types
    """A classifier by small networks of few weight values, which a trained quantum circuit yields.

    Each bit of a network, one for each weight and choice, is a qubit of the circuit. Its angles are trained so that the
    networks measured have a low loss on the data; predictions are the mean of these networks, or those of one of them.
    A network without hidden layers takes (features + 1) · C qubits and those of its choices, C = 1 for two classes and
    the number of classes for more.

    Parameters that have the name of a key of a configuration file mean the same, and take the same values. The defaults
    were chosen by 5-fold cross-validation on eight tables (moons, a mixture of Gaussians, XOR, 980 samples against 20,
    diabetes, breast cancer, iris, wine), of which these networks take 5 to 17 qubits. Their mean accuracy was 0.85,
    that of logistic regression 0.87 and of the most frequent class 0.55; with weights −1 and 1 alone it was 0.80, with
    ``loss="cross-entropy"`` 0.83, with one layer 0.83 and with three 0.86. XOR needs a hidden layer. Where networks are
    sampled (breast cancer with 30 features, 33 qubits; wine with 13, 44 qubits) three layers lost 0.02.

    Args:
        hidden: width of each hidden layer, or lists of possible widths; empty without a hidden layer.
        alphabet: pair of weight values, or 2^k pairs, of which a network has one. The default searches four pairs with
            two qubits.
        bias: whether units have biases, or both options.
        activation: activation of the hidden units (``"sigmoid"``, ``"relu"``, ``"tanh"`` or ``"sign"``), or options.
        loss: ``"mse"`` for the squared error of the probabilities, or ``"cross-entropy"``.
        class_weight: weight of each class in the loss, a dictionary by label; ``"balanced"`` for weights in inverse
            proportion to the classes' numbers of samples; None for equal ones.
        ansatz: name of a kind of circuit, a dictionary with the keys of the table ``[ansatz]``, or a circuit.
        num_layers: number of layers of the circuit, if its kind has layers.
        backend: name of the machine: ``"exact"``, ``"aer"``, ``"aer-mps"``, ``"depolarising"``, ``"fake_<device>"``,
            ``"ibm_<device>"``, or that of any other one (:func:`qhn.backend.open_backend`).
        shots: number of measured networks per row of angles; None computes all networks' mean cost without shots, on
            up to 24 qubits. ``"auto"`` is None on backend ``"exact"`` up to 20 qubits, 100 beyond them, and a number
            that suits the machine elsewhere.
        gradient: rule for the gradient, a name or a dictionary. ``"auto"`` is ``"parameter-shift"``, or where shots are
            taken and it needs more than 200 rows of angles, SPSA along 30 random directions.
        optimizer: optimizer of the angles, a name or a dictionary.
        objective: function of the costs to minimise, such as ``"mean"`` or ``{"name": "cvar", "alpha": 0.2}``.
        steps: largest number of training steps. The learning rate of most optimizers falls to 0 over 60 steps, whatever
            this number is; the setting ``train.optimizer.decay_steps`` changes that.
        max_shots: largest number of shots of one fit; None for no limit.
        max_qpu_seconds: largest number of QPU seconds of one fit; a machine that bills needs this or ``max_shots``.
        max_evaluations: largest number of different networks evaluated in one fit; None for no limit.
        standardise: whether features are shifted and scaled to mean 0 and standard deviation 1.
        validation_fraction: share of the samples of each class that is held out of the training, for the validation
            cost of each step and the setting ``train.patience``; 0 to train on all.
        predict_by: ``"ensemble"`` to predict by all networks, weighted by their probabilities; ``"best"`` by that of
            the lowest cost, or ``"most-probable"`` by that of the largest weight. It may be changed after the fit.
        settings: values by dotted key of a configuration for all else, such as ``{"device.tiles": 2}``; None for none.
        results: directory that keeps a record of the training, and in which another fit of the same data, parameters
            and ``random_state`` finds it and goes on. None keeps none, except on a machine that bills, where it is
            ``$QHN_RESULTS`` or ``results`` in the working directory.
        random_state: seed of the first angles, the shots and the validation samples. None draws one, which a machine
            that bills does not allow: another fit would pay again.

    Attributes:
        classes_: the labels, sorted, ``[num_classes]``.
        n_features_in_: number of features.
        feature_names_in_: names of the features, if the data had names that are all text.
        network_: the network of the lowest cost that the training met, a :class:`qhn.Network`.
        ensemble_: the networks measured at the last step with their weights, a :class:`qhn.Ensemble`.
        steps_: the steps of the training, a list of :class:`qhn.Step`.
        energy_: the mean cost at each step, ``[n_iter_]``.
        n_iter_: number of steps.
        num_qubits_: number of qubits.
        outcome_: why the training ended, a sentence.
        config_: the configuration of the training, a :class:`qhn.RunConfig`.
        record_: directory of the record; None if none was kept.

    >>> from sklearn.datasets import load_iris
    >>> x, y = load_iris(return_X_y=True, as_frame=True)
    >>> is_flower = y > 0
    >>> classifier = HypernetworkClassifier(steps=30, random_state=1).fit(x, is_flower)
    >>> classifier.score(x, is_flower), classifier.num_qubits_
    (1.0, 7)
    >>> classifier.predict(x[:2]), classifier.predict_proba(x[:2]).shape
    (array([False, False]), (2, 2))
    """

    def __init__(
        self,
        *,
        hidden: Any = (),
        alphabet: Any = ((-1.0, 1.0), (0.0, 1.0), (-1.0, 0.0), (-2.0, 2.0)),
        bias: Any = True,
        activation: Any = "sigmoid",
        loss: str = "mse",
        class_weight: Mapping[Any, float] | str | None = None,
        ansatz: Any = "hypernetwork",
        num_layers: int = 2,
        backend: str = "exact",
        shots: int | str | None = "auto",
        gradient: Any = "auto",
        optimizer: Any = "adam",
        objective: Any = "mean",
        steps: int = 60,
        max_shots: int | None = None,
        max_qpu_seconds: float | None = None,
        max_evaluations: int | None = None,
        standardise: bool = True,
        validation_fraction: float = 0.0,
        predict_by: str = "ensemble",
        settings: Mapping[str, Any] | None = None,
        results: str | Path | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.hidden = hidden
        self.alphabet = alphabet
        self.bias = bias
        self.activation = activation
        self.loss = loss
        self.class_weight = class_weight
        self.ansatz = ansatz
        self.num_layers = num_layers
        self.backend = backend
        self.shots = shots
        self.gradient = gradient
        self.optimizer = optimizer
        self.objective = objective
        self.steps = steps
        self.max_shots = max_shots
        self.max_qpu_seconds = max_qpu_seconds
        self.max_evaluations = max_evaluations
        self.standardise = standardise
        self.validation_fraction = validation_fraction
        self.predict_by = predict_by
        self.settings = settings
        self.results = results
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Train the circuit on samples.

        Args:
            X: the features, an array or a data frame of numbers, ``[num_samples, num_features]``.
            y: the label of each sample, ``[num_samples]``: text, numbers or truth values.

        Returns:
            The classifier itself.

        Raises:
            ValueError: if a parameter or the data are refused; a value is missing; or there is one class only.
            BackendError: if the machine fails; a training that is kept goes on with another fit.
        """
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self._check_own_parameters()
        parameters, seed = self.get_params(deep=False), self._seed()
        config = config_of(parameters, seed)
        classes, numbers = np.unique(y, return_inverse=True)
        data = dataset_of(X, numbers, classes, parameters, seed, getattr(self, "feature_names_in_", ()))
        problem = problem_of(config, data, self._class_weights(classes, y))
        training = finished(problem, fitted_to(problem, config, parameters), parameters)
        self.classes_ = classes
        self._take(training, problem)
        return self

    def predict_proba(self, X: Any) -> Floats:
        """The probability of each class: features ``[num_samples, num_features]`` → ``[num_samples, num_classes]``.

        The classes are in the order of ``classes_``.

        Args:
            X: the features, an array or a data frame of numbers.

        Raises:
            ValueError: if the features are not those of the fit, or a value is missing.
        """
        check_is_fitted(self)
        return self._predictor().probabilities(validate_data(self, X, dtype=np.float64, reset=False))

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable label of each sample, of equal ones the first: ``[num_samples]``.

        Args:
            X: the features, an array or a data frame of numbers, ``[num_samples, num_features]``.

        Raises:
            ValueError: if the features are not those of the fit, or a value is missing.
        """
        labels: NDArray[Any] = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[labels])

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "ensemble_")  # the last attribute that a fit sets

    def _check_own_parameters(self) -> None:
        """Refuse values of the parameters that are no keys of a configuration.

        Raises:
            QhnError: if one has a wrong value; the message names the parameter.
        """
        if self.predict_by not in PREDICTORS:
            raise QhnError(
                f"predict_by must be {', '.join(PREDICTORS[:-1])} or {PREDICTORS[-1]}, got {shown(self.predict_by)}"
            )
        if not isinstance(self.standardise, (bool, np.bool_)):
            raise QhnError(f"standardise must be True or False, got {shown(self.standardise)}")

    def _seed(self) -> int:
        """The seed of the training, drawn as scikit-learn's estimators do unless it is a number.

        Raises:
            ValueError: if ``random_state`` is no seed.
        """
        generator = check_random_state(self.random_state)
        is_number = self.random_state is not None and generator is not self.random_state
        return int(self.random_state) if is_number else int(generator.randint(MAX_SEED))  # type: ignore[arg-type]

    def _class_weights(self, classes: NDArray[Any], y: NDArray[Any]) -> list[float] | None:
        """The weight of each class in the loss; None if all are equal.

        Raises:
            ValueError: if ``class_weight`` is none of scikit-learn's.
        """
        if self.class_weight is None:
            return None
        weights: list[float] = compute_class_weight(self.class_weight, classes=classes, y=y).tolist()
        return weights

    def _take(self, training: Training, problem: BinnProblem) -> None:
        """Set the attributes that a training gives."""
        self.steps_ = training.steps()
        self.energy_ = np.array([step.mean for step in self.steps_])
        self.n_iter_ = len(self.steps_)
        self.num_qubits_ = problem.num_qubits
        self.network_ = problem.network(self._best_bits())
        self.outcome_ = "" if training.outcome is None else training.outcome.message
        self.config_ = training.config
        self.record_ = None if training.record is None else training.record.directory
        self.ensemble_ = Ensemble.of(training)

    def _best_bits(self) -> NDArray[np.uint8]:
        """The bits of the network of the lowest cost, ``[num_qubits]``."""
        return bitstrings.from_text(self.steps_[-1].best_bits)

    def _predictor(self) -> Ensemble:
        """The networks that predict, as ``predict_by`` says.

        Raises:
            QhnError: if it has a wrong value.
        """
        self._check_own_parameters()
        if self.predict_by == "ensemble":
            return self.ensemble_
        return self.ensemble_.only(self._best_bits() if self.predict_by == "best" else self.ensemble_.bits[0])
