"""Orders of interaction whose shares of the variance are known, and the verdicts on them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from qhn.paper import interactions
from qhn.paper.claims import Claim, Verdict
from qhn.paper.section import Writer
from qhn.problem.landscape import Landscape

TASK = "gaussian-activation"


def planted(rng: np.random.Generator, pairs: float, *, spread: float = 0.02) -> np.ndarray:
    """Shares of six orders, of which S ≤ 2 make up about ``pairs`` and S = 1 a quarter of it."""
    share = np.clip(pairs + spread * rng.normal(), 0.0, 1.0)
    return np.array([0.25 * share, 0.75 * share, 0.9 * (1 - share), 0.06 * (1 - share), 0.04 * (1 - share), 0.0])


def judged(rng: np.random.Generator, pairs: float, spread: float = 0.02, number: int = 12) -> dict[str, Claim]:
    page = Writer("A page")
    samples = {TASK: [planted(rng, pairs, spread=spread) for _ in range(number)]}
    interactions.judge(page, samples, {"mnist-01": np.array([0.9, 0.08, 0.02])})
    return {claim.statement: claim for claim in page.claims}


PAIRWISE = "The cost is nearly pairwise (S ≤ 2 above 0.9)"


@pytest.mark.parametrize(
    ("pairs", "spread", "verdict"),
    [(0.97, 0.01, Verdict.REPRODUCED), (0.58, 0.02, Verdict.NOT_REPRODUCED), (0.9, 0.05, Verdict.UNDECIDED)],
)
def test_a_cost_is_nearly_pairwise_by_its_share_of_pairs(
    rng: np.random.Generator, pairs: float, spread: float, verdict: Verdict
) -> None:
    claims = judged(rng, pairs, spread)
    assert claims[f"{PAIRWISE}: the Gaussian tasks"].verdict is verdict
    assert claims[f"{PAIRWISE}: the digits"].verdict is Verdict.REPRODUCED
    few = claims["The cost is dominated by interactions of few qubits (S ≤ 4 above 0.9): the Gaussian tasks"]
    assert few.verdict is Verdict.REPRODUCED  # of those with S ≤ 4, five orders have at most four per cent
    single = claims["The cost is mostly a sum over single qubits (S = 1 above 0.5): not so the Gaussian tasks"]
    assert single.verdict is Verdict.REPRODUCED


def test_one_data_set_decides_nothing(rng: np.random.Generator) -> None:
    assert judged(rng, 0.5, number=1)[f"{PAIRWISE}: the Gaussian tasks"].verdict is Verdict.UNDECIDED


def test_shares_are_those_of_products_of_spins(rng: np.random.Generator) -> None:
    spins = np.array(list(itertools.product((1.0, -1.0), repeat=4)))
    costs = 5.0 + 3.0 * spins[:, 0] + 2.0 * spins[:, 1] * spins[:, 2] + 1.0 * spins.prod(axis=1)
    np.testing.assert_allclose(interactions.shares_of(Landscape(costs)), np.array([9, 4, 0, 1]) / 14, atol=1e-12)
