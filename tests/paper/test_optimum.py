"""The optimum itself: factors on planted starts and data sets, verdicts where the right one is known, and pictures."""

from __future__ import annotations

import csv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pictures import is_drawn
from qhn.paper import optimum
from qhn.paper.claims import Verdict
from qhn.paper.lab import Lab
from qhn.paper.optimum import Found, optimum_itself
from qhn.paper.ratio import ratio
from qhn.paper.section import Writer
from qhn.problem.landscape import Landscape
from qhn.sweep.survey import Rate

DEEP = (2, 3)
NEAR, STRICT = 0.03, 0.003


def starts(rates: dict[tuple[str, int, float], float], number: int = 20_000) -> Found:
    """Starts of which exactly the given shares succeed, those of each circuit others."""
    places = np.arange(number)
    return Found(
        {key: (np.roll(places, 37 * k) < rate * number).astype(float) for k, (key, rate) in enumerate(rates.items())}, 1
    )


def rates(near: float, text: float, authors: float) -> dict[tuple[str, int, float], float]:
    """Rates of a product state that succeeds with .5 and .08, and of layers."""
    found = {
        (order, 0, epsilon): rate for order in ("eq5", "authors") for epsilon, rate in ((NEAR, 0.5), (STRICT, 0.08))
    }
    found |= {(order, depth, NEAR): near for order in ("eq5", "authors") for depth in (1, 2, 3)}
    return found | {
        (o, depth, STRICT): rate for o, rate in (("eq5", text), ("authors", authors)) for depth in (1, 2, 3)
    }


R, N, U = Verdict.REPRODUCED, Verdict.NOT_REPRODUCED, Verdict.UNDECIDED


@pytest.mark.parametrize(
    ("near", "text", "authors", "expected"),
    [
        (0.6, 0.05, 0.02, (R, R, R, R)),  # 4 times rarer
        (0.6, 0.08, 0.05, (R, N, R, R)),  # 1.6 times
        (0.6, 0.08, 0.005, (R, R, N, R)),  # 16 times
        (0.5, 0.08, 0.02, (U, R, R, R)),  # rarer, but no more come near
        (0.4, 0.08, 0.02, (N, R, R, R)),
        (0.6, 0.20, 0.16, (N, N, R, R)),  # half as rare
        (0.6, 0.02, 0.08, (U, N, R, N)),
        (0.6, 0.08, 0.08 / 3, (R, U, R, R)),  # on the bound
    ],
)
def test_verdicts_on_planted_starts(near: float, text: float, authors: float, expected: tuple[Verdict, ...]) -> None:
    page = Writer("planted")
    optimum.judge(page, "planted", starts(rates(near, text, authors)), DEEP)
    assert tuple(claim.verdict for claim in page.claims) == expected
    assert {claim.family for claim in page.claims} == {"the optimum itself, planted"}


def test_a_factor_is_the_ratio_of_counts_with_its_own_interval() -> None:
    found = starts(rates(0.6, 0.05, 0.02))
    factor = found.factor(("authors", (0,)), ("authors", DEEP))
    expected = ratio(Rate(1600, 20_000), Rate(800, 40_000))
    assert (factor.value, factor.low, factor.high) == (4.0, expected.low, expected.high)
    assert found.by_units(("authors", (0,)), ("authors", DEEP)).value == pytest.approx(4.0)
    gain = found.gain("authors", DEEP, NEAR)
    assert gain.value == pytest.approx(0.1)
    assert gain.low < 0.1 < gain.high


def planted_sets(rng: np.random.Generator, factors: np.ndarray) -> Found:
    """Data sets of 100,000 starts on which layers are so many times rarer, the same for all depths and orders."""
    product = rng.uniform(0.04, 0.1, len(factors))
    shares = {}
    for order in ("eq5", "authors"):
        for depth in range(4):
            shares[order, depth, STRICT] = product / (factors if depth and order == "authors" else 1.0)
            shares[order, depth, NEAR] = np.full(len(factors), 0.5 + 0.1 * bool(depth)) + 1e-3 * product
    return Found({key: np.round(share, 5) for key, share in shares.items()}, 100_000)


def test_a_factor_over_data_sets_counts_each_once_however_many_starts_it_has(rng: np.random.Generator) -> None:
    steady, wild = planted_sets(rng, np.full(12, 4.0)), planted_sets(rng, np.array([1.5, 12.0] * 6))
    verdicts = []
    for found in (steady, wild):
        page = Writer("planted")
        optimum.judge(page, "planted", found, DEEP)
        verdicts.append([claim.verdict for claim in page.claims])
        pooled = found.by_counts(("authors", (0,)), ("authors", DEEP))
        assert pooled.above(2.0).holds is True  # millions of starts decide it, if they were of one data set
    assert verdicts[0] == [R, R, R, R]
    assert verdicts[1] == [R, U, U, R]


@pytest.mark.pictures
@pytest.mark.parametrize("clustered", [False, True])
def test_the_page_has_picture_data_and_table(clustered: bool, tmp_path: Path, rng: np.random.Generator) -> None:
    found = planted_sets(rng, np.full(12, 4.0)) if clustered else starts(rates(0.6, 0.05, 0.0))
    landscape = Landscape(np.array([0.0, 0.01, 0.02, 1.0]))
    page = Writer("planted")
    with ThreadPoolExecutor(1) as executor:
        optimum_itself(page, Lab(executor, tmp_path), "planted", "planted", found, DEEP, [landscape])
    assert is_drawn(tmp_path / "paper" / "planted-optimum.png")
    with (tmp_path / "paper" / "planted-optimum.csv").open() as file:
        rows = {(row["quantity"], row["order"], int(row["num_layers"])): row for row in csv.DictReader(file)}
    factor = rows["times rarer, 0.003", "authors", 2]
    assert float(factor["value"]) == (pytest.approx(4.0, rel=1e-3) if clustered else np.inf)
    assert 1 < float(factor["low"]) < float(factor["high"])
    assert float(rows["success, 0.03", "eq5", 0]["value"]) == pytest.approx(0.5, abs=1e-3)
    text = page.section(0.0).markdown()
    assert "lie 75.00% of all networks, and within 0.003 only the optimal ones, 25.00%" in text
    assert ("all starts as one" in text, "paired by start" in text) == (clustered, not clustered)
    assert clustered or "| authors | 2 and 3 layers | 0.600 (0.595 to 0.605) | 0.000 (0.000 to 0.000) | ∞ (" in text
