from __future__ import annotations

import numpy as np
import pytest

from qhn.errors import QhnError
from qhn.learning_curves.features import FEATURES, as_curves, check_features, features_of, fences, is_predictable

NAN, INF = np.nan, np.inf


def test_before_its_first_step_a_curve_has_its_first_known_value() -> None:
    curves, _ = as_curves([[NAN, NAN, 0.5, 0.4], [0.9, 0.8, 0.7, 0.6], [NAN] * 4], np.empty((3, 0)))
    np.testing.assert_array_equal(curves, [[0.5, 0.5, 0.5, 0.4], [0.9, 0.8, 0.7, 0.6], [NAN] * 4])


def test_the_given_curves_stay_as_they_are() -> None:
    given = np.array([[NAN, 0.5]])
    as_curves(given, np.empty((1, 0)))
    np.testing.assert_array_equal(given, [[NAN, 0.5]])


def test_a_curve_is_predictable_if_all_its_values_are_finite_and_can_be_squared() -> None:
    curves = np.array([[0.5, 0.4], [NAN, NAN], [0.5, INF], [0.5, NAN], [-INF, 0.1], [0.5, 1e300], [0.5, -1e99]])
    assert is_predictable(curves).tolist() == [True, False, False, False, False, False, True]


@pytest.mark.parametrize("kind", FEATURES)
def test_features_are_those_of_the_kind(kind: str, rng: np.random.Generator) -> None:
    curves, settings = rng.random((4, 5)), rng.random((4, 2))
    columns = features_of(kind, curves, settings)
    np.testing.assert_array_equal(columns[:, :5], curves)
    if "differences" in kind:
        np.testing.assert_allclose(columns[:, :1] + columns[:, 5:9].cumsum(axis=1), curves[:, 1:])
    if "settings" in kind:
        np.testing.assert_array_equal(columns[:, -2:], settings)
    assert columns.shape[1] == 5 + 4 * ("differences" in kind) + 2 * ("settings" in kind)


def test_a_single_point_has_no_differences() -> None:
    assert features_of("curve+differences", np.array([[0.5]]), np.empty((1, 0))).tolist() == [[0.5]]


def test_fences_leave_usual_values_inside_and_those_of_a_diverged_training_outside(rng: np.random.Generator) -> None:
    low, high = fences(np.concatenate([rng.normal(size=(200, 1)), [[1e9], [-1e9]]]))
    assert -30 < low[0] < -5 < 5 < high[0] < 30


def test_a_column_whose_quartiles_are_equal_has_no_fence() -> None:
    low, high = fences(np.array([[0.0], [0.0], [0.0], [0.0], [1.0]]))
    assert (low[0], high[0]) == (-INF, INF)


@pytest.mark.parametrize(
    ("curves", "settings", "words"),
    [
        ([0.5, 0.4], np.empty((2, 0)), r"curves must have the shape .* got \(2,\)"),
        (np.empty((2, 0)), np.empty((2, 0)), r"a resource of at least 1, got \(2, 0\)"),
        ([[0.5]], np.empty((2, 0)), r"a row for each of the 1 curves, got the shape \(2, 0\).*one of \(1, 0\)"),
        ([[0.5]], [1.0], r"got the shape \(1,\)"),
        ([[0.5]], [[NAN]], "settings must be finite numbers"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(curves: object, settings: object, words: str) -> None:
    with pytest.raises(QhnError, match=words):
        as_curves(curves, settings)  # type: ignore[arg-type]


def test_a_misspelt_kind_of_features_is_refused_with_the_nearest() -> None:
    with pytest.raises(QhnError, match=r"got 'curve\+diferences'; did you mean 'curve\+differences'"):
        check_features("curve+diferences")
    with pytest.raises(QhnError, match="got 3; there are curve, "):
        check_features(3)
