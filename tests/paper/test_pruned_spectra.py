"""Spectra after pruning: what is measured, and verdicts that follow the numbers."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pictures import is_drawn
from qhn.carleman.dense_network import DenseNetwork
from qhn.carleman.spectrum import exact_spectrum
from qhn.paper import pruned_training
from qhn.paper.claims import Claim, Verdict
from qhn.paper.lab import Lab
from qhn.paper.pruned_claims import FAMILIES, judge
from qhn.paper.pruned_spectra import pruned_spectra
from qhn.paper.pruned_training import AT, HORIZON, SHARE, SHARES, Moment, Training, Trainings, num_kept
from qhn.paper.section import Writer

Eigenvalues = Callable[[Training, int], tuple[list[float], list[float]]]  # of all and of the kept parameters


def trainings(eigenvalues: Eigenvalues, errors: Callable[[Training, int], float]) -> Trainings:
    """Trainings of five seeds with given spectra, which scatter by a thousandth."""
    moments = []
    rng = np.random.default_rng(0)
    for training in Training:
        shares = (0.0,) if training is Training.DENSE else SHARES if training is Training.FINE_TUNED else (SHARE,)
        for share in shares:
            for seed in range(5):
                for step in AT:
                    factor = 1 + 1e-3 * rng.normal()
                    full, kept = (exact_spectrum(factor * np.diag(one)) for one in eigenvalues(training, step))
                    error = factor * errors(training, step) * np.arange(1, HORIZON + 1)
                    moments.append(Moment(training, share, seed, step, 0.3, 0.9, full, kept, error, 1.0))
    return Trainings(tuple(moments))


def verdicts(found: Trainings) -> dict[str, Verdict]:
    page = Writer("pruning")
    judge(page, found)
    assert len({claim.statement for claim in page.claims}) == len(page.claims)
    assert {claim.family for claim in page.claims} == {*FAMILIES, ""}
    untested = [claim.statement for claim in page.claims if not claim.family]
    assert [statement.split()[0] for statement in untested] == ["Leaving", "So"]  # proved; not testable
    return {claim.statement: claim.verdict for claim in page.claims}


def verdict(found: dict[str, Verdict], start: str) -> Verdict:
    (one,) = (verdict for statement, verdict in found.items() if statement.startswith(start))
    return one


def test_verdicts_follow_the_spectra() -> None:
    def eigenvalues(training: Training, step: int) -> tuple[list[float], list[float]]:
        size = 2.0 if (training, step) == (Training.FINE_TUNED, 0) else 1.0
        return [size, size, 0.1, -0.5 / size], [1.1 * size, 0.2]

    found = verdicts(trainings(eigenvalues, lambda training, _: 2.0 if training is Training.SAME_START else 1.0))
    assert verdict(found, "Just after pruning the positive mass is larger than before (full") is Verdict.REPRODUCED
    assert verdict(found, "The positive mass is larger just after pruning than later (kept") is Verdict.REPRODUCED
    assert verdict(found, "The negative mass, too, is larger just after pruning than before") is Verdict.NOT_REPRODUCED
    assert verdict(found, "Just after pruning more of the eigenvalues are positive") is Verdict.UNDECIDED
    assert verdict(found, "The sparse model is dissipative just after pruning") is Verdict.REPRODUCED
    assert verdict(found, "Just after pruning there is a direction in which") is Verdict.NOT_REPRODUCED
    assert verdict(found, "Linearised just after pruning, the error of the descent decays") is Verdict.NOT_REPRODUCED
    helps = "Dense training before pruning helps: the error of the linearised descent is larger from scratch, "
    assert verdict(found, f"{helps}first weights as before") is Verdict.REPRODUCED
    assert verdict(found, f"{helps}new first weights") is Verdict.UNDECIDED
    assert verdict(found, "Leaving out parameters enlarges neither mass") is Verdict.NOT_REPRODUCED  # by construction


def test_a_negative_eigenvalue_is_not_dissipative() -> None:
    def eigenvalues(training: Training, step: int) -> tuple[list[float], list[float]]:
        return [1.0, 0.5, -0.2], [0.6, -0.1 if step == 0 else 0.1]

    found = verdicts(trainings(eigenvalues, lambda *_: 1.0))
    assert verdict(found, "The sparse model is dissipative just after pruning") is Verdict.NOT_REPRODUCED
    assert verdict(found, f"The sparse model is dissipative after {AT[-1]:,} steps") is Verdict.REPRODUCED
    assert verdict(found, "Just after pruning there is a direction in which") is Verdict.REPRODUCED
    later = verdict(found, "The share of negative to positive mass is larger just after pruning than later")
    assert later is Verdict.REPRODUCED
    assert verdict(found, "Leaving out parameters enlarges neither mass") is Verdict.REPRODUCED


def test_families_of_spectra_without_effects_assert_something_in_few_cases(rng: np.random.Generator) -> None:
    """The masses of nine tests on five seeds each, between moments that scatter alike."""
    wrong = {"corrected": 0, "uncorrected": 0}
    for _ in range(20):
        moments = [
            Moment(training, SHARE if training is not Training.DENSE else 0.0, seed, step, 0.3, 0.9,
                   *(exact_spectrum(np.diag([*rng.uniform(1, 2, 4), *rng.uniform(-2, -1, 4)])) for _ in range(2)),
                   rng.uniform(1, 2, HORIZON), 1.0)
            for training in Training for seed in range(5) for step in AT
        ]  # fmt: skip
        moments += [
            replace(one, pruned=share)
            for one in moments
            if one.training is Training.FINE_TUNED
            for share in SHARES
            if share != SHARE
        ]
        page = Writer("pruning")
        judge(page, Trainings(tuple(moments)))
        masses = [claim for claim in page.claims if claim.family == "eigenvalues after pruning"]
        wrong["corrected"] += any(claim.verdict is not Verdict.UNDECIDED for claim in masses)
        wrong["uncorrected"] += any(claim.uncorrected is not Verdict.UNDECIDED for claim in masses)
    assert wrong["corrected"] <= 4 < 20 * 0.05 + 5 * np.sqrt(20 * 0.05 * 0.95)
    assert wrong["uncorrected"] >= wrong["corrected"]


def test_growth_is_that_of_linear_steps(rng: np.random.Generator) -> None:
    matrix = rng.normal(size=(6, 6))
    hessian = 0.01 * (matrix + matrix.T)
    one = Moment(
        Training.DENSE, 0.0, 0, 0, 0.0, 0.0, exact_spectrum(hessian), exact_spectrum(hessian), np.zeros(1), 1.0
    )  # fmt: skip
    step = np.linalg.matrix_power(np.eye(6) - pruned_training.RATE * hessian, HORIZON)
    assert one.mean_growth == pytest.approx(np.linalg.norm(step) / np.sqrt(6))
    assert one.worst_growth == pytest.approx(np.linalg.norm(step, 2))


def test_a_quadratic_loss_is_linearised_without_error(
    monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    model = DenseNetwork(rng.normal(size=(20, 9)), rng.normal(size=20), (9, 1), "mse", 0.01)
    monkeypatch.setattr(pruned_training, "network", lambda: model)
    monkeypatch.setattr(pruned_training, "RATE", 0.05)
    monkeypatch.setattr(pruned_training, "SHARES", (SHARE, 0.5))
    monkeypatch.setattr(pruned_training, "STEPS", AT[-1])
    found = Trainings(tuple(one for seed in (0, 1) for one in pruned_training.trainings_of(seed)))
    assert len(found.moments) == 2 * len(AT) * (1 + 2 + 2)
    assert max(one.errors[:20].max() for one in found.moments if one.step <= 10) < 1e-9
    dense = found.values(lambda one: one.kept.num_parameters, Training.DENSE, 0)
    assert dense.tolist() == [10, 10]
    kept = found.values(lambda one: one.kept.num_parameters, Training.FINE_TUNED, 0)
    assert kept.tolist() == [num_kept(SHARE, 10)] * 2
    losses = np.stack([found.values(lambda one: one.loss, Training.SAME_START, step) for step in AT])
    assert (np.diff(losses, axis=0) <= 0).all()
    assert found.breach < 1e-12


@pytest.mark.slow
@pytest.mark.pictures
def test_the_part_of_the_report_agrees_with_what_was_measured_before(tmp_path: Path) -> None:
    """Positive mass is greatest right after pruning, and so is negative mass; their ratio is worst then."""
    page = Writer("pruning")
    with ThreadPoolExecutor(1) as executor:
        lab = Lab(executor, results=tmp_path)
        pruned_spectra(page, lab)
    assert is_drawn(lab.folder / "qsgd-spectra.png")
    by_name: dict[str, Claim] = {claim.statement: claim for claim in page.claims}
    found = {name: claim.verdict for name, claim in by_name.items()}
    for start in (
        "Just after pruning the positive mass is larger than before (full",
        "The positive mass is larger just after pruning than later (full",
        "The positive mass is larger just after pruning than later (kept",
        "The negative mass, too, is larger just after pruning than later",
        "The share of negative to positive mass is larger just after pruning than later",
        "Leaving out parameters enlarges neither mass",
    ):
        assert verdict(found, start) is Verdict.REPRODUCED
    assert verdict(found, "The sparse model is dissipative just after pruning") is Verdict.NOT_REPRODUCED
