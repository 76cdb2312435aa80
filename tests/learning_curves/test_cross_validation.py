from __future__ import annotations

import numpy as np
import pytest

from qhn.errors import QhnError
from qhn.learning_curves.cross_validation import out_of_fold
from qhn.learning_curves.predictors import LastValue, predictor

pytest.importorskip("sklearn")


def test_no_curve_is_predicted_from_itself(rng: np.random.Generator) -> None:
    """Ends that are noise cannot be predicted from other curves, however well a regression could fit them."""
    metrics = pytest.importorskip("sklearn.metrics")
    curves, finals = rng.normal(size=(80, 30)), rng.normal(size=80)
    way = predictor("ridge", target="loss", alpha=1e-6)
    fitted = way.fit(curves, np.empty((80, 0)), finals).predict(curves, np.empty((80, 0)))
    assert metrics.r2_score(finals, fitted) > 0.2
    assert metrics.r2_score(finals, out_of_fold(way, curves, np.empty((80, 0)), finals)) < 0


def test_out_of_fold_predictions_are_those_of_scikit_learn(rng: np.random.Generator) -> None:
    """As many folds as curves: leave-one-out needs no random division."""
    sklearn = pytest.importorskip("sklearn.model_selection")
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    curves, settings = rng.normal(size=(20, 4)), rng.normal(size=(20, 1))
    finals = curves[:, -1] + 0.1 * settings[:, 0] + 0.01 * rng.normal(size=20)
    found = out_of_fold(
        predictor("ridge", "curve+settings", target="loss", alpha=2), curves, settings, finals, folds=99
    )
    model = TransformedTargetRegressor(make_pipeline(StandardScaler(), Ridge(alpha=2)), transformer=StandardScaler())
    expected = sklearn.cross_val_predict(model, np.hstack([curves, settings]), finals, cv=sklearn.LeaveOneOut())
    np.testing.assert_allclose(found, expected)


def test_the_division_into_folds_follows_from_the_seed(rng: np.random.Generator) -> None:
    curves, finals, none = rng.random((30, 5)), rng.random(30), np.empty((30, 0))
    first = out_of_fold(predictor("ridge"), curves, none, finals, seed=1)
    np.testing.assert_array_equal(out_of_fold(predictor("ridge"), curves, none, finals, seed=1), first)
    assert (out_of_fold(predictor("ridge"), curves, none, finals, seed=2) != first).any()


def test_a_curve_that_cannot_be_continued_is_predicted_to_end_infinitely_high() -> None:
    curves = np.array([[0.5, 0.4], [0.5, np.inf], [0.3, 0.2]])
    assert out_of_fold(LastValue(), curves, np.empty((3, 0)), [0.4, 0.4, 0.2]).tolist() == [0.4, np.inf, 0.2]


def test_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(QhnError, match=r"at least 2, got \(1,\) for 1 curves"):
        out_of_fold(LastValue(), [[0.5]], np.empty((1, 0)), [0.4])
    with pytest.raises(QhnError, match="folds must be at least 2, got 1"):
        out_of_fold(LastValue(), [[0.5], [0.4]], np.empty((2, 0)), [0.4, 0.3], folds=1)
