"""Tables like those that people have, for tests."""

from __future__ import annotations

from typing import Any

import numpy as np


def passengers(rng: np.random.Generator, count: int = 300) -> dict[str, list[Any]]:
    """Columns of numbers, texts, dates and codes, some values of which are missing, and the label ``survived``."""
    sex = rng.choice(["male", "female"], count)
    age = rng.normal(30, 10, count).round(1)
    port = rng.choice(["S", "C", "Q"], count, p=[0.7, 0.2, 0.1])
    boarded = np.datetime64("2020-01-01") + rng.integers(0, 900, count)
    survived = np.where((sex == "female") ^ (rng.random(count) < 0.2), "yes", "no")
    return {
        "name": [f"passenger {row}" for row in range(count)],
        "sex": sex.tolist(),
        "age": [None if gone else value for value, gone in zip(age.tolist(), rng.random(count) < 0.2, strict=True)],
        "port": [None if gone else text for text, gone in zip(port.tolist(), rng.random(count) < 0.05, strict=True)],
        "fare": rng.exponential(30, count).round(2).tolist(),
        "boarded": boarded.tolist(),
        "cabin": rng.choice([1, 2, 30], count).tolist(),
        "survived": survived.tolist(),
    }
