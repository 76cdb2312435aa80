"""Which trials advance as one batch."""

from __future__ import annotations

import pytest

from qhn.config import RunConfig
from qhn.scheduling.trial import Trial
from qhn.search.batches import can_be_in_batch, in_jobs


def trials(number: int, reached: int = 0) -> list[Trial]:
    return [Trial(one, {}, one, reached, 9) for one in range(number)]


def test_a_job_holds_at_most_100_trials_of_one_company() -> None:
    stage = trials(205)
    jobs = in_jobs(stage, ["a"] * 205)
    assert [len(job) for job in jobs] == [100, 100, 5]
    assert [trial for job in jobs for trial in job] == stage


def test_trials_of_another_company_or_resource_are_in_another_job() -> None:
    stage = [*trials(4), *trials(2, reached=3)]
    jobs = in_jobs(stage, ["a", "b", None, "a", "a", None])
    assert [[(trial.number, trial.reached) for trial in job] for job in jobs] == [
        [(0, 0), (3, 0)],
        [(1, 0)],
        [(2, 0)],
        [(0, 3)],
        [(1, 3)],
    ]


@pytest.mark.parametrize(
    ("loss", "train", "is_possible"),
    [
        ("mean", {}, True),
        ("validation", {}, True),
        ("value", {}, True),
        ("best_cost", {}, False),
        ("mean", {"shots": 10}, False),
        ("value", {"objective": {"name": "cvar", "alpha": 0.5}}, False),
    ],
)
def test_only_exact_trials_whose_loss_a_batch_knows_advance_together(
    loss: str, train: dict[str, object], is_possible: bool
) -> None:
    config = RunConfig(experiment="figure-1", train={"backend": "exact", "shots": None} | train)
    assert can_be_in_batch(config, loss) is is_possible
