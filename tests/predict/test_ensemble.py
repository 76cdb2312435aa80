"""Prediction by the average of measured networks, against the networks one by one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import qhn
import reference
from pictures import is_drawn
from qhn import bitstrings
from qhn.config import RunConfig
from qhn.config.file import load_config, with_settings
from qhn.predict.calibration import calibration
from qhn.predict.ensemble import Ensemble, most_probable, predictors
from qhn.problem.search_space import SearchSpace
from qhn.report.figures import reliability
from qhn.run.record import Record
from qhn.run.training import train


def finish(config: RunConfig, results: Path) -> Record:
    training = train(config, results=results)
    list(training)
    assert training.record is not None
    return training.record


def drawn(space: SearchSpace, rng: np.random.Generator, count: int = 9) -> Ensemble:
    bits = rng.integers(0, 2, (count, space.num_qubits), dtype=np.uint8)
    weights = rng.dirichlet(np.ones(count))
    classes = np.array(["a", "b", "c"][: space.num_classes])
    return Ensemble(space, bits, weights, classes, rng.normal(size=3), rng.uniform(0.5, 2, 3))


SPACES = [
    SearchSpace(3),
    SearchSpace(3, (2,), activations=("sigmoid", "relu"), qubit_order="reversed"),
    SearchSpace(3, ((2, 3), (2,)), alphabets=((0.0, 1.0), (-1.0, 1.0)), bias=(False, True), num_classes=3),
    SearchSpace(3, activations=("relu",)),
]


@pytest.mark.parametrize("space", SPACES)
def test_it_is_the_weighted_mean_of_decoded_networks(
    space: SearchSpace, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensemble, x = drawn(space, rng), rng.normal(size=(4, 5, 3))
    parts = {"classes": ensemble.classes, "mean": ensemble.mean, "scale": ensemble.scale}
    networks = [replace(space.decode(bits), **parts) for bits in ensemble.bits]
    expected = sum(w * net.probabilities(x) for w, net in zip(ensemble.weights, networks, strict=True))
    np.testing.assert_allclose(ensemble.probabilities(x), expected, rtol=1e-12)
    assert (ensemble.predict(x) == ensemble.classes[expected.argmax(axis=-1)]).all()
    alone = ensemble.only(ensemble.bits[3])
    np.testing.assert_array_equal(alone.predict(x), networks[3].predict(x))
    assert alone.probabilities(x[0, 0]).shape == (space.num_classes,)
    assert ensemble.probabilities(np.empty((0, 3))).shape == (0, space.num_classes)
    monkeypatch.setattr("qhn.predict.ensemble.BLOCK", 128)  # two samples and a few networks at a time
    np.testing.assert_allclose(ensemble.probabilities(x), expected, rtol=1e-12)


@pytest.mark.parametrize("space", SPACES)
def test_its_file_is_complete(space: SearchSpace, rng: np.random.Generator, tmp_path: Path) -> None:
    ensemble, x = replace(drawn(space, rng), left_out=0.25), rng.normal(size=(7, 3))
    ensemble.save(tmp_path / "e.npz")
    found = qhn.load_ensemble(tmp_path / "e.npz")
    assert found.space == space
    assert found.left_out == 0.25
    np.testing.assert_array_equal(found.probabilities(x), ensemble.probabilities(x))
    np.testing.assert_array_equal(found.predict(x), ensemble.predict(x))
    content = (tmp_path / "e.npz").read_bytes()
    assert content.count(b"PK\5\6") == 1  # one archive, with its checksum at the end
    (tmp_path / "e.npz").write_bytes(content[:60] + bytes([content[60] ^ 1]) + content[61:])
    with pytest.raises(ValueError, match="its checksum is another"):
        qhn.load_ensemble(tmp_path / "e.npz")
    (tmp_path / "e.npz").write_bytes(b"PK nothing")
    with pytest.raises(ValueError, match="not an ensemble saved by qhn"):
        qhn.load_ensemble(tmp_path / "e.npz")
    with pytest.raises(FileNotFoundError, match="qhn ensemble writes one"):
        qhn.load_ensemble(tmp_path / "gone.npz")


def test_the_mean_loses_less_than_its_members_by_their_spread(rng: np.random.Generator) -> None:
    ensemble = drawn(SPACES[0], rng)
    x, y = rng.normal(size=(50, 3)), rng.integers(0, 2, 50)
    members = [ensemble.only(bits).probabilities(x) for bits in ensemble.bits]
    mean = ensemble.probabilities(x)
    brier = ensemble.weights @ [calibration(p, y).brier for p in members]
    spread = ensemble.weights @ [np.square(p - mean)[:, 1].mean() for p in members]
    assert calibration(mean, y).brier == pytest.approx(brier - spread)  # Krogh and Vedelsby's decomposition
    assert calibration(mean, y).cross_entropy <= ensemble.weights @ [calibration(p, y).cross_entropy for p in members]


def test_the_effective_number_counts_equal_networks() -> None:
    space = SearchSpace(3)
    bits = bitstrings.from_integers(np.arange(8), 4)
    one = Ensemble(space, bits, np.full(8, 1 / 8), np.array([0, 1]), np.zeros(3), np.ones(3))
    assert one.effective_number == pytest.approx(8)
    assert one.only(bits[0]).effective_number == 1
    assert replace(one, weights=[0.5, 0.5, 0, 0, 0, 0, 0, 0]).effective_number == pytest.approx(2)


def test_a_sampled_run_weighs_by_its_shots(small_config: RunConfig, tmp_path: Path) -> None:
    record = finish(small_config, tmp_path)
    problem = record.config.problem()
    x = problem.dataset.raw(problem.dataset.x)
    for step in (None, 1):
        shots = record.samples(3 if step is None else step)
        expected = np.mean([problem.network(bits).probabilities(x) for bits in shots], axis=0)
        ensemble = Ensemble.of(record, step)
        np.testing.assert_allclose(ensemble.probabilities(x), expected, rtol=1e-12)
        assert ensemble.left_out == 0
        assert ensemble.num_networks == len({bitstrings.text(bits) for bits in shots})
    for wrong in (4, -1):
        with pytest.raises(ValueError, match="step must be from 0 to 3"):
            Ensemble.of(record, wrong)
    three = predictors(record)
    assert list(three) == ["ensemble", "most measured network", "best sampled network"]
    from qhn.report.page import Report

    report = Report(record)
    np.testing.assert_array_equal(three["most measured network"].bits[0], report.most_likely[0])
    np.testing.assert_array_equal(three["best sampled network"].bits[0], report.best_bits)
    assert three["ensemble"].weights[0] == report.most_likely[1]


def test_an_exact_run_weighs_by_probability_and_shots_agree(small_config: RunConfig, tmp_path: Path) -> None:
    exact = finish(with_settings(small_config, {"train.backend": "exact"}), tmp_path)
    config, theta = exact.config, exact.steps()[-1].theta
    problem = config.problem()
    x = problem.dataset.raw(problem.dataset.x)
    probabilities = reference.probabilities(reference.literal_circuit(4, 1, "eq5", theta))
    networks = [problem.network(bits) for bits in bitstrings.from_integers(np.arange(16), 4)]
    each = np.stack([network.probabilities(x) for network in networks])
    ensemble = Ensemble.of(exact)
    expected = np.tensordot(probabilities, each, axes=1)
    assert ensemble.left_out < 16e-6
    np.testing.assert_allclose(ensemble.probabilities(x), expected, atol=2 * ensemble.left_out + 1e-12)
    assert list(predictors(exact))[1:] == ["most probable network", "best of the most probable"]
    shots = np.random.default_rng(3).choice(16, 20_000, p=probabilities / probabilities.sum())
    spread = np.sqrt((probabilities @ each.reshape(16, -1) ** 2).reshape(expected.shape) - expected**2)
    sampled = each[shots].mean(axis=0)
    assert (np.abs(sampled - ensemble.probabilities(x)) < 5 * spread / np.sqrt(20_000) + 1e-4).all()


def test_few_of_many_networks_are_kept(rng: np.random.Generator) -> None:
    probabilities = rng.dirichlet(np.ones(2**14))
    bits, kept = most_probable(probabilities)
    assert len(kept) == 4096
    np.testing.assert_array_equal(kept, np.sort(probabilities)[::-1][:4096])
    np.testing.assert_array_equal(probabilities[bitstrings.to_integers(bits)], kept)
    assert len(most_probable(np.full(2**13, 2.0**-13))[1]) == 4096


def test_wrong_ensembles_and_features_are_refused(rng: np.random.Generator) -> None:
    ensemble = drawn(SPACES[0], rng)
    with pytest.raises(ValueError, match="sum up to 1, got a sum of 9"):
        replace(ensemble, weights=np.ones(9))
    with pytest.raises(ValueError, match="one weight a network"):
        replace(ensemble, weights=np.ones(1))
    with pytest.raises(ValueError, match=r"x must have shape \[\.\.\., 3\]"):
        ensemble.predict([1.0, 2.0])
    with pytest.raises(ValueError, match="missing values"):
        ensemble.predict([1.0, 2.0, np.nan])


def test_a_run_without_steps_has_no_ensemble(small_config: RunConfig, tmp_path: Path) -> None:
    training = train(small_config, results=tmp_path)
    training.close()
    assert training.record is not None
    with pytest.raises(ValueError, match="no complete step yet"):
        Ensemble.of(training.record)


@pytest.mark.pictures
def test_the_picture_has_its_bins_beside_it(rng: np.random.Generator, tmp_path: Path) -> None:
    p = rng.dirichlet(np.ones(2), size=60)
    found = calibration(p, rng.integers(0, 2, 60))
    path = reliability(
        tmp_path / "calibration.png", {"training": {"ensemble": found}, "validation": {"ensemble": found}}
    )
    assert is_drawn(path)
    head, *rows = path.with_suffix(".csv").read_text().splitlines()
    assert head == "samples,predictor,from,to,count,confidence,right"
    assert [int(row.split(",")[4]) for row in rows] == 2 * found.counts.tolist()
    assert [row.split(",")[5] for row in rows[:4]] == [""] * 4


def test_digits_of_four_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qhn.run.recorder.write_circuit", lambda record, circuit: None)  # its drawing takes seconds
    config = load_config("digits-8x8-four", {"train.steps": 1, "train.shots": 20})
    ensemble = Ensemble.of(finish(config, tmp_path))
    p = ensemble.probabilities(np.zeros((3, 64)))
    assert p.shape == (3, 4)
    np.testing.assert_allclose(p.sum(axis=-1), 1)


@pytest.mark.parametrize("backend", ["exact", "aer"])
def test_a_training_that_is_not_recorded_gives_the_ensemble_of_its_record(
    small_config: RunConfig, backend: str, tmp_path: Path
) -> None:
    config = with_settings(small_config, {"train.backend": backend})
    training = train(config, record=False)
    with pytest.raises(ValueError, match="the training has no complete step yet"):
        Ensemble.of(training)
    list(training)
    ensemble, recorded = Ensemble.of(training), Ensemble.of(finish(config, tmp_path))
    np.testing.assert_array_equal(ensemble.bits, recorded.bits)
    np.testing.assert_array_equal(ensemble.weights, recorded.weights)
    assert ensemble.left_out == recorded.left_out
    if backend == "aer":
        with pytest.raises(ValueError, match="the bits of step 1 are gone"):
            Ensemble.of(training, 1)
