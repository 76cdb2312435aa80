"""Contenders in turn, so that the drift of a noisy machine hits all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

TURN = 0.05  # seconds that a fast contender is repeated for


def medians(contenders: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of one call of each contender over the rounds; in every round, each has its turn."""
    repeats = {}
    for name, contender in contenders.items():
        seconds = _time(contender, 1)  # also warms up
        if seconds < TURN:
            seconds = _time(contender, 1)
        repeats[name] = max(1, min(1000, int(TURN / seconds)))
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            samples[name].append(_time(contender, repeats[name]))
    return {name: statistics.median(values) for name, values in samples.items()}


def _time(contender: Callable[[], object], repeats: int) -> float:
    started = time.perf_counter()
    for _ in range(repeats):
        contender()
    return (time.perf_counter() - started) / repeats
