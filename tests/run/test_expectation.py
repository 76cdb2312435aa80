"""What a run on a device should measure, by rehearsals on the twin of its calibration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from qhn import RunConfig, train
from qhn.backend.rehearsal import stored_device
from qhn.config.file import with_settings
from qhn.errors import QhnError, RecordError
from qhn.run.expectation import Expectation, expect, keep, kept, place_of

SMALL = ("--set", "data.samples=40", "--set", "data.validation_samples=30", "--layers", "1", "--shots", "60")
ESTIMATE = ("estimate", "figure-1", *SMALL, "--steps", "3", "--backend", "fake_manila")


def test_the_interval_holds_the_share_of_new_runs_that_it_states(rng: np.random.Generator) -> None:
    """On normal numbers, of which no spread is known before."""
    held, number = 0, 4000
    for _ in range(number):
        energies = rng.normal(0.5, 0.1, (5, 1))
        low, high = Expectation("r", "b", "", (), energies).interval
        held += float(np.diff(norm.cdf([low[0], high[0]], 0.5, 0.1))[0])
    assert abs(held / number - 0.95) < 0.005


def test_the_first_rehearsal_is_the_recorded_one_and_all_begin_at_its_angles(small_config: RunConfig) -> None:
    config = with_settings(small_config, {"train.backend": "ibm_manila", "train.max_qpu_seconds": 60})
    found = expect(config, stored_device("fake_manila"), 3)
    rehearsed = with_settings(small_config, {"train.backend": "fake_manila"})
    steps = list(train(rehearsed, record=False))
    np.testing.assert_array_equal(found.energies[0], [step.mean for step in steps])
    assert found.energies.shape == (3, 4)
    assert len(set(found.energies[:, 0])) == 3
    assert found.run_id == config.run_id
    assert (found.backend, found.qubits) == ("fake_manila", found.qubits)
    assert np.ptp(found.energies[:, 0]) < 6 * steps[0].mean_std_error  # other shots at the same angles


def test_a_rehearsal_ends_where_the_budget_of_the_run_does(small_config: RunConfig) -> None:
    config = with_settings(small_config, {"train.backend": "ibm_manila", "train.max_qpu_seconds": 8})
    assert expect(config, stored_device("fake_manila"), 3).energies.shape == (3, 2)


def test_it_is_kept_until_the_run_begins(tmp_path: Path) -> None:
    first, second = (
        Expectation("r", "fake_manila", "2024", ((0, 1),), np.full((3, 2), value)) for value in (0.5, 0.25)
    )
    folder = tmp_path / "results" / "e"
    assert kept(folder, "r") is None
    assert keep(first, folder) == place_of(folder, "r")
    assert keep(second, folder) is not None
    (folder / "r").mkdir()
    assert keep(first, folder) is None
    found = kept(folder, "r")
    assert found is not None
    np.testing.assert_array_equal(found.energies, second.energies)
    assert (found.qubits, found.calibration) == (((0, 1),), "2024")


@pytest.mark.parametrize("damage", ["cut", "changed", "other"])
def test_damage_is_named(tmp_path: Path, damage: str) -> None:
    path = keep(Expectation("r", "fake_manila", "2024", ((0, 1),), np.full((3, 2), 0.5)), tmp_path)
    assert path is not None
    text = path.read_text()
    path.write_text({"cut": text[:50], "changed": text.replace("0.5", "0.4", 1), "other": text}[damage])
    if damage == "other":
        path.rename(place_of(tmp_path, "s"))
    with pytest.raises(RecordError, match="is damaged: "):
        kept(tmp_path, "s" if damage == "other" else "r")


def test_the_command_prints_and_keeps_it(qhn) -> None:
    found = qhn(*ESTIMATE, "--rehearsals", "4")
    assert found.code == 0
    lines = found.out.splitlines()
    assert "4 rehearsals on the twin of fake_manila, calibration of" in found.out
    assert lines[-6].split() == ["step", "E", "expected", "95", "%", "from", "to"]
    path = Path(lines[-1])
    (low, mean, high) = (float(lines[-5].split()[place]) for place in (2, 1, 3))
    known = kept(path.parent, path.name.removesuffix("-expected.json"))
    assert known is not None
    np.testing.assert_allclose([known.mean[0], *(ends[0] for ends in known.interval)], [mean, low, high], atol=1e-4)
    assert qhn("run", *ESTIMATE[1:], "--quiet").out.strip() == str(path.parent / known.run_id)
    assert "has begun: what was expected of it stays" in qhn(*ESTIMATE, "--rehearsals", "3").out
    assert not qhn("list").err


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (("--rehearsals", "2"), "--rehearsals must be at least 3, got 2"),
        (("--rehearsals", "1001"), "--rehearsals must be at most 1,000, got 1001"),
        (("--rehearsals", "3", "--shots", "none"), "a device measures shots; give --shots"),
    ],
)
def test_what_it_cannot_do(qhn, more: tuple[str, ...], text: str) -> None:
    found = qhn("estimate", "figure-1", "--backend", "fake_manila", *more)
    assert found.code == 2
    assert text in found.err


def test_a_simulator_is_not_rehearsed(qhn, small_config: RunConfig) -> None:
    found = qhn("estimate", "figure-1", "--backend", "aer", "--rehearsals", "3")
    assert found.code == 2
    assert "--rehearsals are of a device, and aer is none" in found.err
    with pytest.raises(QhnError, match="rehearsals must be 3 to 1,000, got 0"):
        expect(with_settings(small_config, {"train.backend": "fake_manila"}), stored_device("fake_manila"), 0)
