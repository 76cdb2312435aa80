"""Features of a network, put in order by their names or refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from qhn.predict.ensemble import Ensemble
from qhn.problem.network import Network
from qhn.problem.preprocessing import as_features
from qhn.problem.search_space import SearchSpace

NAMES = ("age", "weight", "height")
X = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


class Frame:
    """A data frame as far as pandas and polars agree."""

    def __init__(self, columns: dict[Any, np.ndarray]) -> None:
        self._columns = columns
        self.columns = list(columns)

    def __getitem__(self, name: Any) -> np.ndarray:
        return self._columns[name]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(list(self._columns.values()), dtype=dtype).T


def structured(columns: dict[Any, np.ndarray]) -> np.ndarray:
    array = np.empty(2, dtype=[(name, float) for name in columns])
    for name, values in columns.items():
        array[name] = values
    return array


MAKERS = [Frame, dict, structured]


def columns(*names: Any) -> dict[Any, np.ndarray]:
    return {name: X[:, NAMES.index(str(name).strip())] if str(name).strip() in NAMES else X[:, 0] for name in names}


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("order", [NAMES, NAMES[::-1], ("height", "age", "weight"), ("label", *NAMES[::-1])])
def test_columns_are_put_in_order_by_name(make: Callable[..., Any], order: tuple[str, ...]) -> None:
    np.testing.assert_array_equal(as_features(make(columns(*order)), 3, NAMES), X)


@pytest.mark.parametrize("make", MAKERS)
def test_a_missing_column_is_refused_with_its_name(make: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="x has no column 'weight', a feature of the network; did you mean 'weigth'"):
        as_features(make(columns("age", "weigth", "height")), 3, NAMES)


def test_columns_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="several columns 'age'"):
        as_features(Frame(columns("age", " age", "weight", "height")), 3, NAMES)


def test_numbered_columns_and_arrays_count_by_their_place() -> None:
    frame = Frame({j: X[:, j] for j in range(3)})
    for x in (X, X.tolist(), frame):
        np.testing.assert_array_equal(as_features(x, 3, NAMES), X)
    np.testing.assert_array_equal(as_features(Frame(columns("age", "height", "weight")), 3), X[:, [0, 2, 1]])


def test_text_in_the_place_of_numbers_is_refused_in_one_line() -> None:
    with pytest.raises(ValueError, match="x must hold numbers: could not convert string to float"):
        as_features([["a", "b", "c"]], 3, NAMES)


def test_networks_and_ensembles_predict_the_same_of_reordered_columns(rng: np.random.Generator) -> None:
    space = SearchSpace(3)
    bits = rng.integers(0, 2, (5, space.num_qubits))
    several = Ensemble(
        space, bits, np.full(5, 0.2), np.array(["no", "yes"]), np.zeros(3), np.ones(3), feature_names=NAMES
    )
    one = Network((np.array([[1.0], [-1.0], [1.0]]),), (np.zeros(1),), "sigmoid", (-1.0, 1.0), feature_names=NAMES)
    frame = Frame(columns("height", "age", "weight"))
    for predictor in (several, one):
        np.testing.assert_array_equal(predictor.probabilities(frame), predictor.probabilities(X))
        np.testing.assert_array_equal(predictor.predict(frame), predictor.predict(X))


def test_numbered_columns_have_the_names_of_features_that_are_numbers() -> None:
    numbers = ("0", "1", "2")
    frame = Frame({j: X[:, j] for j in (2, 0, 1)})
    np.testing.assert_array_equal(as_features(frame, 3, numbers), X)
    np.testing.assert_array_equal(as_features(Frame({j: X[:, min(j, 2)] for j in (3, 2, 1, 0)}), 3, numbers), X)
    with pytest.raises(ValueError, match="x has numbered columns out of order, 2, 0, 1; sort them, or name them"):
        as_features(frame, 3, NAMES)
    np.testing.assert_array_equal(as_features(Frame({j: X[:, j - 4] for j in (4, 5, 6)}), 3, NAMES), X)


def test_a_row_of_a_structured_array_is_put_in_order() -> None:
    row = structured(columns(*NAMES[::-1]))[1]
    np.testing.assert_array_equal(as_features(row, 3, NAMES), X[1])


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("dtype", [complex, "datetime64[D]", "timedelta64[s]"])
def test_what_numpy_would_convert_without_a_word_is_refused(make: Callable[..., Any], dtype: Any) -> None:
    with pytest.raises(ValueError, match="x must hold real numbers, got"):
        as_features(X.astype(np.int64).astype(dtype), 3, NAMES)
    if make is not structured:  # whose columns are numbers here
        named = {name: values.astype(np.int64).astype(dtype) for name, values in columns(*NAMES).items()}
        with pytest.raises(ValueError, match="x must hold real numbers, got"):
            as_features(make(named), 3, NAMES)


def test_masked_and_infinite_values_are_not_taken_for_numbers() -> None:
    masked = np.ma.masked_array(X, mask=X > 5)
    for x in (masked, {name: masked[:, j] for j, name in enumerate(NAMES)}, [[None, 1.0, 2.0]]):
        with pytest.raises(ValueError, match="x has missing values"):
            as_features(x, 3, NAMES)
    np.testing.assert_array_equal(as_features(np.ma.masked_array(X, mask=False), 3, NAMES), X)
    for wrong in (np.inf, -np.inf, 1e300):
        with pytest.raises(ValueError, match=r"x must hold numbers up to 1e\+100, got"):
            as_features([[1.0, wrong, 2.0]], 3, NAMES)
