from __future__ import annotations

import numpy as np

from qhn.compiled import compiled
from qhn.problem.log_products import LARGEST_LOG, full_after, take_exponents


@compiled
def taken(products, exponents):
    take_exponents(products.view(np.int64), exponents)


def test_exponents_and_what_is_left_are_the_products(rng: np.random.Generator) -> None:
    products = np.exp(rng.uniform(-LARGEST_LOG, LARGEST_LOG, 100))
    left, exponents = products.copy(), np.ones(100, dtype=np.int64)
    taken(left, exponents)
    assert ((left >= 1.0) & (left < 2.0)).all()
    np.testing.assert_array_equal(np.ldexp(left, exponents - 1), products)


def test_no_product_is_larger_than_the_limit(rng: np.random.Generator) -> None:
    bounds = rng.uniform(1, 300, 1000)
    is_full = full_after(bounds)
    assert is_full[-1]
    ends = np.flatnonzero(is_full)
    sums = np.add.reduceat(bounds, np.append(0, ends[:-1] + 1))
    assert sums.max() + np.log(2.0) <= LARGEST_LOG
    assert (sums[:-1] + bounds[ends[:-1] + 1] + np.log(2.0) > LARGEST_LOG).all()
