"""Numbers are numbers: no truth value, text, complex or infinite one is taken for one, and numpy's are numbers too."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

import qhn
from qhn.backend import DeviceSettings, NoiseSettings, RehearsalSettings, open_backend
from qhn.backend.noise.channels import Depolarising
from qhn.circuit.angles import MAX_ANGLE
from qhn.circuit.hypernetwork import Hypernetwork, product_state
from qhn.circuit.initial import Normal, Superposition, Uniform
from qhn.errors import QhnError
from qhn.estimator.exact import ExactEstimator
from qhn.estimator.gradient import Spsa
from qhn.estimator.noisy import NoisyEstimator
from qhn.estimator.sampling import SamplingEstimator
from qhn.fields import Number, Whole, each, truth
from qhn.optimize.lbfgs import Lbfgs
from qhn.optimize.optimizer import Adam, Sgd, Sinusoid, SpsaGains
from qhn.problem.cost import MAX_COST, TableProblem
from qhn.problem.evaluations import costs_of
from qhn.problem.objective import Objective
from qhn.problem.search_space import SearchSpace
from qhn.seeds import Key

RECORDS: list[tuple[Any, dict[str, Any], dict[str, Any]]] = [  # class, arguments, fields that are integers or numbers
    (Hypernetwork, {"num_qubits": 3, "num_layers": 1}, {"num_qubits": 2, "num_layers": 1}),
    (SearchSpace, {"num_inputs": 2}, {"num_inputs": 2, "num_classes": 3}),
    (DeviceSettings, {}, {"tiles": 2, "rep_delay": 0.5}),
    (RehearsalSettings, {}, {"max_bond": 8, "tiles": 1}),
    (NoiseSettings, {}, {"p1": 0.5, "p2": 0.5, "readout_error": 0.25, "max_bond": 8}),
    (Depolarising, {"p1": 0.1, "p2": 0.1}, {"p1": 0.5, "p2": 0.5, "readout_error": 0.25}),
    (Objective, {}, {"alpha": 0.5}),
    (Adam, {}, {"learning_rate": 0.5, "beta1": 0.5, "beta2": 0.5, "epsilon": 0.5, "decay_steps": 5}),
    (Sinusoid, {}, {"damping": 0.5, "decay_steps": 5}),
    (Sgd, {}, {"learning_rate": 0.5, "momentum": 0.5}),
    (SpsaGains, {}, {"learning_rate": 0.5, "decay": 0.5, "stability": 2.0}),
    (Lbfgs, {}, {"memory": 3, "max_line_search": 5}),
    (Spsa, {"active": np.ones(3, dtype=bool)}, {"perturbation": 0.5, "decay": 0.5, "num_directions": 2}),
    (Uniform, {}, {"low": -0.5, "high": 2.0}),
    (Normal, {}, {"width": 0.5}),
    (Superposition, {}, {"width": 0.5}),
    (Key, {"seed": 1}, {"seed": 2, "step": 3, "evaluation": 1}),
]
FIELDS = [(record, given, name, value) for record, given, fields in RECORDS for name, value in fields.items()]


@pytest.mark.parametrize(("record", "given", "name", "value"), FIELDS)
def test_a_field_takes_numbers_and_nothing_else(record: Any, given: dict[str, Any], name: str, value: Any) -> None:
    for numpys in (
        (np.int64(value), np.int8(value)) if isinstance(value, int) else (np.float64(value), np.float32(value))
    ):
        made = getattr(record(**given | {name: numpys}), name)
        assert made == value
        assert type(made) is type(value)
    for wrong in (True, np.bool_(True), str(value), complex(value), float("nan"), float("inf"), -1e308, [value], None):
        if wrong is None and name in ("rep_delay", "epsilon", "decay_steps"):
            continue
        with pytest.raises(QhnError, match=name):
            record(**given | {name: wrong})
    if isinstance(value, int):
        with pytest.raises(QhnError, match=r"integer.*got 2\.5|number of at least 1.*got 2\.5"):
            record(**given | {name: 2.5})


@pytest.mark.parametrize("name", ["guard", "calibrate", "twirling"])
def test_a_truth_value_is_no_number(name: str) -> None:
    for wrong in (1, 0.0, "yes", None):
        with pytest.raises(QhnError, match=f"{name} must be True or False"):
            DeviceSettings(**{name: wrong})
    assert getattr(DeviceSettings(**{name: np.bool_(True)}), name) is True


def test_the_error_names_the_bounds() -> None:
    rules = {
        "an integer of at least 1, got 1.5": (Whole(1), 1.5),
        "at least 1, got 0": (Whole(1), 0),
        "at most 1,000, got 2000": (Whole(1, 1000), 2000),
        "a finite number in (0, 1], got 0": (Number(above=0, high=1), 0),
        "a finite number in [0, 1), got 1.0": (Number(0, below=1), 1.0),
        "a finite number above 0, got nan": (Number(above=0), float("nan")),
        "a number of at least 0, got True": (Number(0), True),
        "a list, got 3": (each(Whole()), 3),
        "True or False, got 1": (truth, 1),
    }
    for words, (rule, value) in rules.items():
        with pytest.raises(QhnError) as error:
            rule("x", value)
        assert str(error.value) == f"x must be {words}"


def test_both_ways_to_write_hidden_layers_mean_the_same_network() -> None:
    """Integers are layers, from the inputs up; a list inside is the possible widths of one of them."""
    for hidden, shape in (
        ([4, 8], "2-4-8-1"),
        ([3], "2-3-1"),
        ([], "2-1"),
        ([[2, 4]], "2-2-1"),
        ([[2, 4], 8], "2-2-8-1"),
    ):
        table = {"data.samples": 20, "network.hidden": hidden, "network.activation": "sigmoid"}
        config = qhn.load_config("gaussian-activation", table)
        widths = tuple(tuple(item) if isinstance(item, list) else item for item in hidden)
        space = SearchSpace(2, hidden=widths)
        assert config.problem().space.fields == space.fields
        assert space.decode(np.zeros(space.num_qubits, dtype=np.uint8)).shape == shape
    assert SearchSpace(2, hidden=(np.int64(4),)) == SearchSpace(2, hidden=(4,))
    for wrong in ((True,), (2.5,), ((1, True),), ("4",), 4, None):
        with pytest.raises(QhnError, match="hidden must be"):
            SearchSpace(2, hidden=wrong)  # type: ignore[arg-type]
    with pytest.raises(QhnError, match="alphabets must be a number"):
        SearchSpace(2, alphabets=((False, True),))


# ---------------------------------------------------------------- angles, shots, objectives, costs

ANSATZ = product_state(2)
PROBLEM = TableProblem([0.0, 1.0, 2.0, 3.0])


def estimators(**options: Any) -> list[Any]:
    noisy = open_backend("depolarising").compile(ANSATZ)
    return [
        ExactEstimator(ANSATZ, PROBLEM, **options),
        NoisyEstimator(ANSATZ, PROBLEM, noisy, **options),
        *(
            SamplingEstimator(ANSATZ, PROBLEM, open_backend(n), shots=20, **options)
            for n in ("exact", "aer", "fake_manila")
        ),
    ]


@pytest.mark.parametrize(
    ("theta", "words"),
    [
        (np.zeros(4, dtype=complex), "must be real numbers, angles in radians, got an array of complex128"),
        (np.zeros(4, dtype=bool), "must be real numbers"),
        (
            np.ma.masked_array(np.zeros(4), mask=[1, 0, 0, 0]),
            "must be real numbers, angles in radians, got masked values",
        ),
        (["a", "b", "c", "d"], "must be real numbers"),
        ([[0.0] * 4, [0.0]], "all rows of the same length"),
        (None, "must be real numbers"),
        (np.zeros(3), r"must have shape \[..., 4\], got \[3\]"),
        (np.zeros((2, 5)), r"must have shape \[..., 4\], got \[2, 5\]"),
        (1.0, r"must have shape \[..., 4\], got \[\]"),
        ([0.0, 0.0, np.nan, 0.0], "must be finite, got nan"),
        ([0.0, 0.0, -np.inf, 0.0], "must be finite, got -inf"),
        ([0.0, -1e308, 0.0, 0.0], r"must be from -1e\+09 to 1e\+09 radians, got -1e\+308"),
    ],
)
def test_angles_that_are_none_are_refused_by_every_estimator(theta: Any, words: str) -> None:
    for estimator in estimators():
        with pytest.raises(QhnError, match=words):
            estimator(theta)
        with pytest.raises(QhnError, match=words):
            estimator.value_and_grad(theta)


def test_no_rows_are_refused_or_have_no_values() -> None:
    exact, *others = estimators()
    assert exact(np.zeros((0, 4))).mean.shape == (0,)
    for estimator in others:
        with pytest.raises(QhnError, match=r"thetas must have at least one row of angles, got shape \[0, 4\]"):
            estimator(np.zeros((0, 4)))


def test_angles_of_other_types_are_angles() -> None:
    for estimator in estimators():
        expected = estimator(np.zeros(4), Key(1)).mean
        for theta in ([0, 0, 0, 0], np.zeros(4, dtype=np.float32), np.zeros(4, dtype=np.int8)):
            np.testing.assert_allclose(estimator(theta, Key(1)).mean, expected)


@pytest.mark.parametrize("shots", [True, 1.5, "20", None, 0, -3, np.nan])
def test_shots_are_an_integer(shots: Any) -> None:
    with pytest.raises(QhnError, match="shots must be"):
        SamplingEstimator(ANSATZ, PROBLEM, shots=shots)
    for name in ("exact", "aer", "depolarising", "fake_manila"):
        with pytest.raises(QhnError, match="shots must be"):
            open_backend(name).compile(ANSATZ).sample(np.zeros((1, 4)), shots, Key(1))
    assert SamplingEstimator(ANSATZ, PROBLEM, shots=np.int32(20)).shots == 20  # type: ignore[arg-type]


def test_an_objective_may_be_named() -> None:
    theta = np.full(4, 0.7)
    for named, given in zip(estimators(objective="cvar"), estimators(objective=Objective(0.2)), strict=True):
        assert named(theta, Key(1)).objective == given(theta, Key(1)).objective
    for wrong, words in (
        ("cvr", "no objective 'cvr'; did you mean 'cvar'"),
        (0.2, "a name or an object"),
        (True, "a name"),
    ):
        with pytest.raises(QhnError, match=words):
            ExactEstimator(ANSATZ, PROBLEM, objective=wrong)


class Steep:
    num_qubits = 2

    def cost(self, bits: np.ndarray) -> np.ndarray:
        return np.where(bits[..., 0], 1e308, -1e308)


def test_costs_whose_squares_are_no_numbers_are_refused() -> None:
    words = r"costs must be from -1e\+150 to 1e\+150, .* got -?1e\+308 for"
    with pytest.raises(QhnError, match=f"{words} entry 1; scale them"):
        TableProblem([0.0, 1e308, 0.0, -1e308])
    with pytest.raises(QhnError, match=f"{words} bitstring 00"):
        costs_of(Steep(), np.zeros((1, 2), dtype=np.uint8))
    with pytest.raises(QhnError, match=f"{words} entry 0"):
        ExactEstimator(ANSATZ, PROBLEM, costs=[-1e308] * 4)
    with pytest.raises(QhnError, match=f"{words} bitstring"):
        SamplingEstimator(ANSATZ, Steep(), shots=20)(np.full(4, 0.7))
    largest = ExactEstimator(ANSATZ, TableProblem([MAX_COST, -MAX_COST, 0.0, MAX_COST]))
    assert np.isfinite(largest.value_and_grad(np.full(4, 0.7)).grad).all()
    sampled = SamplingEstimator(ANSATZ, TableProblem([MAX_COST, -MAX_COST, 0.0, MAX_COST]), shots=50)
    found = sampled.value_and_grad(np.full(4, 0.7))
    assert np.isfinite([*found.grad, *found.grad_std_error, found.std_error]).all()


def test_settled_fields_are_pythons_own() -> None:
    settings = DeviceSettings(exclude=np.array([1, 2]), qubits=[[np.int64(3), 4]])  # type: ignore[arg-type]
    assert json.dumps(dataclasses.asdict(settings))
    assert settings == DeviceSettings(exclude=(1, 2), qubits=((3, 4),))
    assert Uniform(high=MAX_ANGLE).high == MAX_ANGLE


@pytest.mark.parametrize(
    "costs",
    [
        [0, 1j, 2, 3],
        ["0", "1", "2", "3"],
        [True, False, True, False],
        [10**400, 0, 0, 0],
        [None, 0, 1, 2],
        {0: 1},
        np.zeros(4, dtype="datetime64[s]"),
        np.ma.masked_array([0.0, 1.0, 2.0, 3.0], mask=[0, 1, 0, 0]),
    ],
    ids=lambda costs: str(costs)[:20],
)
def test_costs_are_real_numbers(costs: Any) -> None:
    with pytest.raises(QhnError, match="costs must be real numbers, got"):
        TableProblem(costs)
    for make in (
        ExactEstimator,
        lambda *given, **more: NoisyEstimator(*given, open_backend("depolarising").compile(ANSATZ), **more),
    ):
        with pytest.raises(QhnError, match="costs must be real numbers, got"):
            make(ANSATZ, PROBLEM, costs=costs)


def test_starts_are_angles_and_a_cut_is_an_integer() -> None:
    exact = ExactEstimator(ANSATZ, PROBLEM)
    for wrong in (np.zeros((2, 4), dtype=complex), np.full((1, 4), np.nan), [["a"] * 4]):
        with pytest.raises(QhnError, match="thetas must be"):
            qhn.minimize(exact.value_and_grad, wrong)
    for cut in (True, 1.5, "1"):
        with pytest.raises(QhnError, match="cut must be an integer"):
            qhn.schmidt_spectrum(ANSATZ, np.zeros(4), cut=cut)
