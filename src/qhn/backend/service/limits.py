"""The limit in QPU seconds after which a service ends a job, within what is left of the run's budget."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qhn.backend.service.request import Request
from qhn.backend.terms import BudgetExceeded, Terms

ROUNDING = 1e-6  # seconds
LIMIT_FACTOR = 2  # multiple of a job's price at which the service ends it


def execution_limits(requests: Sequence[Request], terms: Terms) -> list[int]:
    """Whole QPU seconds after which the service ends each job: twice its price, or less if less is left.

    Args:
        requests: the requests that are about to be submitted.
        terms: conditions of use, which know what is left of the budget.

    Raises:
        BudgetExceeded: if the budget does not even have the jobs' price left.
    """
    left = terms.left()
    prices = [math.ceil(request.price_seconds) for request in requests]
    needs = {
        "max_qpu_seconds": (sum(prices), left.seconds),
        "max_jobs": (len(requests), left.jobs),
        "max_shots": (sum(request.rows * request.shots for request in requests), left.shots),
    }
    for rule, (need, most) in needs.items():
        if need > max(0.0, most) + ROUNDING:
            remain = f"{max(0.0, most):,.2f}" if rule == "max_qpu_seconds" else f"{max(0, most):,}"
            budget = f"{terms.table}.{rule}"
            raise BudgetExceeded(f"what is next takes up to {need:,}, and {remain} of {budget} remain")
    if math.isinf(left.seconds):
        return [math.ceil(LIMIT_FACTOR * request.price_seconds) for request in requests]
    more = (left.seconds + ROUNDING - sum(prices)) / max(1, len(requests))
    return [
        min(math.ceil(LIMIT_FACTOR * request.price_seconds), price + math.floor(more))
        for request, price in zip(requests, prices, strict=True)
    ]
