"""A support vector regression for scikit-learn whose multipliers are bits: training it is solving a QUBO."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from scipy.spatial.distance import cdist

from qhn.arrays import Floats
from qhn.errors import QhnError
from qhn.fields import Number, Whole
from qhn.svr.bias import BIASES
from qhn.svr.combination import RULES, combinations
from qhn.svr.dual import Dual
from qhn.svr.encoding import Encoding
from qhn.svr.optimum import optimum
from qhn.svr.solvers import solver_of
from qhn.svr.task import Task, best
from qhn.text import shown

try:
    from sklearn.base import BaseEstimator, RegressorMixin, clone
    from sklearn.utils import check_random_state
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError(f"QuboSVR needs scikit-learn 1.6 or newer ({error}): pip install 'qhn[search]'") from None

MOST_VARIABLES = 4096  # of a QUBO: each of several dense matrices takes 128 MiB
MOST_SOLUTIONS = 1000
MAX_SEED = 2**31 - 1


class QuboSVR(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # of a package without types
    """An ε-insensitive support vector regression whose dual is a QUBO, by annealers, machines or enumeration.

    Each of the two multipliers of a sample is encoded by a few bits, so that the energy of the dual
    (:class:`qhn.svr.dual.Dual`) is a quadratic function of ``2 · num_bits`` bits a sample, all of them coupled. The
    predictions of the bitstrings of the lowest energies that a solver finds are combined. The defaults are the
    published constants (Wulff et al., Quantum Mach. Intell. 6, 59, 2024): 20 samples take 120 bits.

    The constants assume that features and targets have mean 0 and standard deviation 1. The largest multiplier, 1.756,
    and ξ, ε and γ do not adapt to other scales: standardise both, as ``TransformedTargetRegressor`` and
    ``StandardScaler`` do in a pipeline. The classical regression of the same box is ``sklearn.svm.SVR(C=1.756)``.

    A low energy is no low error: judge a solver by ``energy_gap_``, and its predictions against those from uniform
    random bits (``solver="random"``). The bitstrings are the best of all that a solver has seen, not its typical ones.

    A training of a circuit on a machine that bills is recorded, so that shots are paid for once. The reads of D-Wave's
    annealers are billed to the account of its client at each fit, and kept in ``bits_`` alone.

    Args:
        num_bits: number of bits of a multiplier.
        base: B, the ratio of the weights of a multiplier's consecutive bits.
        k0: the exponent that is subtracted from the number of each bit.
        epsilon: half of the width of the tube in which errors do not count.
        gamma: γ of the kernel exp(−γ·|x − x'|²).
        xi: ξ, the factor of the penalty on the sum of all α − α̂.
        beta: β, the factor of the penalty on samples of which both multipliers are above 0.
        solver: ``"simulated-annealing"``, ``"exact"`` (up to 24 bits), ``"random"``, ``"dwave"`` (a quantum annealer,
            by the configuration of D-Wave's own client), ``"hypernetwork"`` (a circuit that this package trains), or a
            sampler of dimod, in whose graph a clique is embedded if it has one of its own.
        options: options of the solver by name, such as ``{"num_reads": 1000, "num_sweeps": 1000}``; of a hypernetwork
            the settings of its run by dotted key, such as ``{"train.backend": "aer-mps", "ansatz.num_layers": 0}``. A
            machine that bills takes a budget, such as ``{"train.backend": "ibm_torino", "train.max_shots": 100_000}``.
        num_solutions: largest number of different bitstrings that are combined.
        combination: rule of the weights of the solutions: ``"mse"``, ``"softmax-mse"``, ``"log-cosh"``,
            ``"softmax-log-cosh"``, ``"best"``, ``"mean"``, ``"minimum-energy"``, or ``"mean-of-seven"``, the mean of
            the predictions by these (:func:`qhn.svr.combination.combinations`). It may be changed after the fit.
        bias: rule of the bias: ``"textbook"``, ``"published"`` or ``"mean-residual"`` (:mod:`qhn.svr.bias`).
        results: directory that keeps the record of a hypernetwork's training, and in which another fit of the same
            data, parameters and ``random_state`` finds it. None keeps none, except on a machine that bills, where it is
            ``$QHN_RESULTS`` or ``results`` in the working directory.
        random_state: seed of the solver. None draws one, which a machine that bills does not allow. D-Wave's annealer
            takes none.

    Attributes:
        n_features_in_: number of features.
        feature_names_in_: names of the features, if the data had names that are all text.
        bits_: the different bitstrings combined, of ascending energy, ``[num_solutions, num_variables]``.
        energies_: energy of each of them, ``[num_solutions]``.
        energy_: lowest of these energies.
        optimal_energy_: the minimum over all multipliers from 0 to the largest, which no bits can go below.
        energy_gap_: ``energy_ − optimal_energy_``, in the unit of the energies.
        relative_energy_gap_: ``energy_gap_`` divided by the size of ``optimal_energy_``; 0 without a gap, and
            infinite with one where the optimum is 0, as that of targets inside of the tube.
        dual_coefs_: α − α̂ of each solution and training sample, ``[num_solutions, num_samples]``.
        intercepts_: the bias of each solution, ``[num_solutions]``.
        weights_: the weights of the solutions by the name of each rule.
        X_fit_: the training samples, ``[num_samples, num_features]``.
        gamma_: γ of the fit.
        problem_: the energies as a problem, a :class:`qhn.QuadraticProblem`.
        solver_info_: what the solver tells of its work, by name.

    >>> x = np.linspace(-1.5, 1.5, 12)[:, None]
    >>> y = np.sin(2 * x[:, 0])
    >>> model = QuboSVR(gamma=1.0, random_state=1).fit(x, y)
    >>> bool(model.score(x, y) > 0.9), model.problem_.num_qubits, bool(model.energy_gap_ >= 0)
    (True, 72, True)
    """

    def __init__(
        self,
        *,
        num_bits: int = 3,
        base: float = 0.5,
        k0: float = 0.005,
        epsilon: float = 0.02,
        gamma: float = 0.1,
        xi: float = 0.01,
        beta: float = 0.0,
        solver: Any = "simulated-annealing",
        options: Mapping[str, Any] | None = None,
        num_solutions: int = 4,
        combination: str = "mean-of-seven",
        bias: str = "textbook",
        results: str | Path | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.num_bits = num_bits
        self.base = base
        self.k0 = k0
        self.epsilon = epsilon
        self.gamma = gamma
        self.xi = xi
        self.beta = beta
        self.solver = solver
        self.options = options
        self.num_solutions = num_solutions
        self.combination = combination
        self.bias = bias
        self.results = results
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Solve the QUBO of samples, and combine its solutions.

        Args:
            X: the features, an array or a data frame of numbers, ``[num_samples, num_features]``.
            y: the targets, ``[num_samples]``.

        Returns:
            The regressor itself.

        Raises:
            ValueError: if a parameter or the data are refused, a value is missing, there is one sample only, or the
                solver cannot take as many bits.
            BackendError: if a machine fails.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        self._check_own_parameters()
        encoding = Encoding(self.num_bits, self.base, self.k0)
        self._check_size(len(y), encoding)
        gamma = Number(above=0)("gamma", self.gamma)
        dual = Dual(_kernel(X, X, gamma), np.asarray(y, dtype=np.float64), self.epsilon, self.xi, self.beta)
        solver, task = solver_of(self.solver), self._task(dual, encoding)
        found = solver(task)
        self.bits_ = best(task, found)
        self.X_fit_, self.gamma_, self.problem_, self.solver_info_ = X, gamma, task.problem, found.info
        self._take_solutions(dual, encoding)
        self._take_gap(dual, encoding)
        return self

    def predict(self, X: Any) -> Floats:
        """The predictions of samples by the combined solutions: features ``[n, num_features]`` → ``[n]``.

        Args:
            X: the features, an array or a data frame of numbers.

        Raises:
            ValueError: if the features are not those of the fit, or a value is missing.
        """
        check_is_fitted(self)
        self._check_combination()
        X = validate_data(self, X, dtype=np.float64, reset=False)
        weights = self.weights_[self.combination]
        combined, bias = weights @ self.dual_coefs_, weights @ self.intercepts_
        found: Floats = _kernel(X, self.X_fit_, self.gamma_) @ combined + bias
        return found

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "energy_gap_")  # among the last attributes that a fit sets

    def __sklearn_clone__(self) -> QuboSVR:
        """An unfitted copy with the same sampler: one that is connected to a service cannot be copied."""
        parameters = {
            name: clone(value, safe=False) for name, value in self.get_params(deep=False).items() if name != "solver"
        }
        return type(self)(solver=self.solver, **parameters)

    def _check_own_parameters(self) -> None:
        """Refuse wrong values of the parameters that nothing else checks.

        Raises:
            QhnError: if one has a wrong value; the message names the parameter.
        """
        Whole(1, MOST_SOLUTIONS)("num_solutions", self.num_solutions)
        if self.bias not in BIASES:
            raise QhnError(f"bias must be one of {', '.join(BIASES)}, got {shown(self.bias)}")
        if self.options is not None and not isinstance(self.options, Mapping):
            raise QhnError(f"options must be a dictionary such as {{'num_reads': 100}}, got {shown(self.options)}")
        self._check_combination()

    def _check_combination(self) -> None:
        """Refuse a combination that is none.

        Raises:
            QhnError: if it is none; the message names all.
        """
        if self.combination not in RULES:
            raise QhnError(f"combination must be one of {', '.join(RULES)}, got {shown(self.combination)}")

    @staticmethod
    def _check_size(num_samples: int, encoding: Encoding) -> None:
        """Refuse samples whose QUBO would fill the memory.

        Raises:
            QhnError: if there are too many; the message names how many fit.
        """
        number = encoding.num_variables(num_samples)
        if number > MOST_VARIABLES:
            raise QhnError(
                f"{num_samples:,} samples take {number:,} bits, at most {MOST_VARIABLES:,} are solved; fit "
                f"{MOST_VARIABLES // encoding.num_variables(1):,} samples or fewer"
            )

    def _task(self, dual: Dual, encoding: Encoding) -> Task:
        """The task of the solver.

        Raises:
            ValueError: if ``random_state`` is no seed, or energies may be beyond ±1e150.
        """
        generator = check_random_state(self.random_state)
        is_number = self.random_state is not None and generator is not self.random_state
        seed = int(self.random_state) if is_number else int(generator.randint(MAX_SEED))  # type: ignore[arg-type]
        number = Whole(1)("num_solutions", self.num_solutions)
        return Task(dual.problem(encoding), number, dict(self.options or {}), seed, is_number, self.results)

    def _take_solutions(self, dual: Dual, encoding: Encoding) -> None:
        """Set the energies, coefficients, biases and weights of the solutions."""
        self.energies_ = dual.energy(*encoding.decode(self.bits_))
        order = np.argsort(self.energies_, kind="stable")  # spins and multipliers round differently
        self.bits_, self.energies_ = self.bits_[order], self.energies_[order]
        pairs = list(zip(*encoding.decode(self.bits_), strict=True))
        self.dual_coefs_ = np.array([alpha - alpha_hat for alpha, alpha_hat in pairs])
        self.intercepts_ = np.array([BIASES[self.bias](dual, *pair, encoding.largest) for pair in pairs])
        residuals = dual.targets - self.dual_coefs_ @ dual.kernel - self.intercepts_[:, None]
        self.weights_ = combinations(residuals, self.energies_)

    def _take_gap(self, dual: Dual, encoding: Encoding) -> None:
        """Set the lowest energy found, that of the minimum over all multipliers, and how far they are apart."""
        self.energy_ = float(self.energies_[0])
        self.optimal_energy_ = min(optimum(dual, encoding.largest).energy, self.energy_)
        self.energy_gap_ = self.energy_ - self.optimal_energy_
        with np.errstate(divide="ignore"):  # of targets within the tube, whose minimum is 0
            self.relative_energy_gap_ = (
                float(self.energy_gap_ / np.abs(self.optimal_energy_)) if self.energy_gap_ else 0.0
            )


def _kernel(left: Floats, right: Floats, gamma: float) -> Floats:
    """The kernel exp(−γ·|x − x'|²) of samples ``[n, num_features]`` and ``[m, num_features]``: ``[n, m]``."""
    found: Floats = np.exp(-gamma * cdist(left, right, "sqeuclidean"))
    return found
