"""Verdicts of Fig. 4 on rates that are known."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from qhn.paper import digits
from qhn.paper.claims import Claim, Verdict
from qhn.paper.contrast import Contrast
from qhn.paper.section import Writer
from qhn.sweep.survey import Rate

TITLE = "weights −3, +1"
STARTS = 400
PAPER, LOOSE = 5e-5, 3.3e-4


def judged(eq5: dict[int, float], authors: dict[int, float], count: int = digits.MNIST_01) -> dict[str, Claim]:
    """The claims for shares of success by depth at the paper's ε; at ours all starts succeed."""
    page = Writer("A page")
    rates = {
        (order, depth, epsilon): Rate(round(STARTS * shares[depth]) if epsilon == PAPER else STARTS, STARTS)
        for (order, shares), depth, epsilon in product((("eq5", eq5), ("authors", authors)), range(4), (PAPER, LOOSE))
    }
    digits.judge(page, {TITLE: rates}, count)
    return {claim.statement: claim for claim in page.claims}


ABOUT_60 = f"The product state succeeds in about 60 % of the starts (ε = 5·10⁻⁵); {TITLE}"
ABOUT_90 = f"Two and three layers succeed in about 90 %; {TITLE}"
MORE = f"Two and three layers succeed more often than the product state (ε = 5e-05); {TITLE}"
AS_PUBLISHED = {0: 0.6, 1: 0.6, 2: 0.9, 3: 0.9}


def test_shares_as_published_are_reproduced_and_others_are_not() -> None:
    claims = judged(AS_PUBLISHED, {0: 0.6, 1: 0.6, 2: 0.7, 3: 0.7})
    assert claims[ABOUT_60].verdict is Verdict.REPRODUCED
    assert claims[ABOUT_90].verdict is Verdict.TEXT_ONLY
    assert claims[MORE].verdict is Verdict.REPRODUCED  # in both orders, though less in the program's
    assert claims[MORE.replace("5e-05", "0.00033")].verdict is Verdict.UNDECIDED  # all succeed in every circuit
    assert claims[MORE.replace("5e-05", "0.00033")].source == "our question, on 12,665 images"
    fewer = judged({0: 0.9, 1: 0.6, 2: 0.6, 3: 0.6}, {0: 0.9, 1: 0.6, 2: 0.6, 3: 0.6})
    assert {fewer[name].verdict for name in (ABOUT_60, ABOUT_90, MORE)} == {Verdict.NOT_REPRODUCED}


def test_few_starts_do_not_make_shares_equivalent(rng: np.random.Generator) -> None:
    """Overlapping intervals of few starts had counted as agreement; a share beyond the margin is not called about."""
    assert digits.about(Contrast.of("runs", Rate(12, 20)), 0.6).holds is None
    called = [digits.about(Contrast.of("runs", Rate(n, 400)), 0.6).holds for n in rng.binomial(400, 0.7, 300).tolist()]
    assert np.mean([one is True for one in called]) < 0.025 + 3 * np.sqrt(0.025 / 300)
    called = [digits.about(Contrast.of("runs", Rate(n, 400)), 0.6).holds for n in rng.binomial(400, 0.6, 300).tolist()]
    assert np.mean([one is True for one in called]) > 0.9


@pytest.mark.parametrize("count", [1000])
def test_other_images_decide_nothing_of_the_paper(count: int) -> None:
    claims = judged(AS_PUBLISHED, AS_PUBLISHED, count)
    assert {claims[name].verdict for name in (ABOUT_60, ABOUT_90)} == {Verdict.UNTESTABLE}
    assert claims["Two and three layers succeed more often than the product state"].verdict is Verdict.UNTESTABLE
    assert claims[MORE].verdict is Verdict.REPRODUCED
    assert claims[MORE].source == "our question, on 1,000 images"
