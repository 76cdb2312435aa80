from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qhn.paper import plateaus
from qhn.paper.claims import Verdict
from qhn.paper.gradient_variance import GLOBAL, LOCAL, Case, Slopes, cost_of, of_design, of_product, slopes
from qhn.paper.lab import Lab
from qhn.paper.plan import PLATEAUS
from qhn.paper.section import Writer
from qhn.problem.polynomial import SpinPolynomial


def test_the_product_state_has_the_closed_form() -> None:
    found = slopes(Case(LOCAL, 8, 0, "eq5", 8000))
    polynomial = cost_of(LOCAL, 8, 0)
    assert isinstance(polynomial, SpinPolynomial)
    np.testing.assert_allclose(found.variances, of_product(polynomial), rtol=0.1)
    one = slopes(Case(GLOBAL, 4, 0, "eq5", 20000))
    np.testing.assert_allclose(one.variances, (3 / 8) ** 3 / 8, rtol=0.1)  # ⟨sin²⟩/4 and three times ⟨cos⁴⟩
    assert one.unit == 1.0


def test_deep_circuits_are_two_designs() -> None:
    for cost in (LOCAL, GLOBAL):
        found = slopes(Case(cost, 4, 24, "eq5", 4000))
        inside = (found.blocks > 16) & (found.blocks < 32)
        mean = found.variances[inside].mean() / found.cost_variance
        assert mean == pytest.approx(of_design(4), rel=0.05)


def test_the_error_of_the_median_is_its_scatter() -> None:
    medians, errors = [], []
    for seed in range(30):
        found = slopes(replace(Case(GLOBAL, 6, 2, "eq5", 200), seed=seed))  # the seed draws other angles
        medians.append(found.median)
        errors.append(found.error)
    assert 0.5 < np.mean(errors) / (np.std(medians, ddof=1) / np.mean(medians)) < 2


def test_shots_make_signal_and_noise_equal() -> None:
    """On one qubit E = cos θ: Var ∂E = ½, a shot has the mean variance ½, and half the difference a quarter of both."""
    found = slopes(Case(GLOBAL, 1, 0, "eq5", 20000))  # the projector is (1 ± cos θ)/2
    assert found.shots == pytest.approx(0.5, rel=0.05)


def planted(bits_constant: float, bits_deep: float, bits_global: float) -> Writer:
    """The claims on variances that fall by known numbers of bits a qubit, with a scatter of 5 %."""
    rng, found = np.random.default_rng(3), {}
    for cost, sizes in plateaus.SIZES.items():
        for depth in (*PLATEAUS.layers, plateaus.HALF, plateaus.FULL):
            for order in plateaus.ORDERS:
                lost = bits_global if cost == GLOBAL else bits_deep if isinstance(depth, str) else bits_constant
                found[cost, depth, order] = [
                    Slopes(
                        Case(cost, size, 1, order, 1),
                        np.full(3, 2.0 ** (-lost * size) / size * rng.normal(1, 0.05)),
                        np.zeros(3, dtype=np.int64), 0.05, 0.0, 1.0, 1.0,
                    )
                    for size in sizes
                ]  # fmt: skip
    page = Writer("planted")
    plateaus.judge(page, found)
    return page


def test_verdicts_on_planted_variances() -> None:
    yes, no = Verdict.REPRODUCED, Verdict.NOT_REPRODUCED
    assert [claim.verdict for claim in planted(0.0, 1.0, 1.4).claims] == [yes, yes, yes, no, no, no, yes]
    assert [claim.verdict for claim in planted(1.0, 0.0, 0.0).claims] == [no, no, no, yes, yes, yes, no]


def test_fewer_starts_draw_fewer_angles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SIZES", "DEEP_SIZES"):
        monkeypatch.setattr(plateaus, name, {LOCAL: (4, 5)})
    with ThreadPoolExecutor(1) as executor:
        few, planned = Lab(executor, tmp_path, seeds=1), Lab(executor, tmp_path)
        assert (plateaus.num_draws(few), plateaus.num_draws(planned)) == (20, PLATEAUS.draws)
        found = plateaus.measure(few)
    assert {one.case.draws for some in found.values() for one in some} == {20}
