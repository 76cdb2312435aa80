from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from qhn.estimator.exact import ExactEstimator
from qhn.optimize.lbfgs import descend
from qhn.paper.convergence import continued
from qhn.paper.lab import Lab
from qhn.sweep.plan import make_sweep
from qhn.sweep.survey import Survey
from qhn.sweep.workers import advance


def test_starts_that_had_converged_stay_and_the_others_go_on(tmp_path: Path) -> None:
    sweep = make_sweep(
        name="short", experiment="figure-1", seeds=12, epsilon=[0.1],
        set={"train.backend": "exact", "train.optimizer": "lbfgs", "train.steps": 14, "train.tolerance": 1e-6},
        vary={"ansatz.order": ["eq5"], "ansatz.num_layers": [0, 2]},
    )  # fmt: skip
    with ThreadPoolExecutor(1) as executor:
        list(advance(sweep, executor, results=tmp_path))
        survey = Survey(sweep, tmp_path)
        found = continued(Lab(executor, tmp_path), survey, "short")
    assert any(0 < group.converged.value < 1 for group in survey.groups)
    for one in found:
        had = one.group.columns["outcome"] == "converged"
        np.testing.assert_array_equal(one.values[had], np.repeat(one.group.mean[had, None], len(one.marks), axis=1))
        assert (one.values[:, -1] <= one.group.mean + 1e-12).all()
        assert one.converged_by(2000).value == 1
        estimator = ExactEstimator(one.group.config.circuit(one.group.problem), one.group.problem)
        *_, last = descend(estimator.value_and_grad, one.group.columns["theta"], max_steps=1986, tolerance=1e-6)
        np.testing.assert_allclose(one.values[:, -1], last.value, atol=1e-9)
        became, ceased = one.change(14, 2000, 0.1)
        assert one.success(2000, 0.1).successes - one.success(14, 0.1).successes == became - ceased
