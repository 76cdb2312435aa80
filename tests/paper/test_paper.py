from __future__ import annotations

import csv
import html
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from pictures import is_drawn
from qhn.backend import NoiseSettings
from qhn.backend.depolarising import DepolarisingBackend
from qhn.backend.noise.twin import Twin
from qhn.circuit.hypernetwork import Order, hypernetwork
from qhn.circuit.measurement import with_measurement
from qhn.errors import QhnError
from qhn.estimator.exact import ExactEstimator
from qhn.estimator.gradient import Spsa
from qhn.estimator.noisy import NoisyEstimator
from qhn.lock import Lock
from qhn.optimize.optimizer import SpsaGains
from qhn.paper import devices, dynamics, mitigation, noise, noisyends, noisytraining, optima, overfitting, plan
from qhn.paper.claims import Claim, Verdict, by_order, verdict_of
from qhn.paper.contrast import above, pooled
from qhn.paper.inference import Difference
from qhn.paper.lab import Lab
from qhn.paper.pictures import gap_bins, gap_shares
from qhn.paper.reproduce import PARTS, as_html, reproduce, write_report
from qhn.paper.section import Section, Writer
from qhn.problem.cost import TableProblem
from qhn.sweep.plan import load_sweep
from qhn.sweep.survey import Rate, Survey


def test_the_interval_of_a_difference_is_newcombes() -> None:
    """The first example of table II in Newcombe's paper, 56 of 70 against 48 of 80, method 10."""
    difference = Difference.of(Rate(56, 70), Rate(48, 80))
    np.testing.assert_allclose(
        (difference.value, difference.low, difference.high), (0.2, 0.0524, 0.3339), rtol=0, atol=6e-5
    )
    assert difference.above().holds is True
    assert Difference.of(Rate(48, 80), Rate(56, 70)).above().holds is False
    assert pooled(Rate(1, 2), Rate(3, 8)) == Rate(4, 10)
    assert Difference.of_means([0.2]).above().holds is None  # one value says nothing of its error


@pytest.mark.parametrize(
    ("text", "authors", "verdict"),
    [
        (True, True, Verdict.REPRODUCED),
        (True, None, Verdict.TEXT_AT_LEAST),
        (True, False, Verdict.TEXT_ONLY),
        (None, True, Verdict.AUTHORS_AT_LEAST),
        (False, True, Verdict.AUTHORS_ONLY),
        (None, None, Verdict.UNDECIDED),
        (None, False, Verdict.NOT_REPRODUCED),
        (False, False, Verdict.NOT_REPRODUCED),
    ],
)
def test_a_verdict_needs_significance(text: bool | None, authors: bool | None, verdict: Verdict) -> None:
    assert by_order({"eq5": text, "authors": authors}) is verdict


def test_a_rate_is_above_a_share_only_beyond_its_interval() -> None:
    assert above(Rate(0, 3), 0.25) is None
    assert above(Rate(0, 200), 0.25) is False
    assert above(Rate(120, 200), 0.25) is True
    assert [verdict_of(holds) for holds in (True, False, None)] == [
        Verdict.REPRODUCED, Verdict.NOT_REPRODUCED, Verdict.UNDECIDED
    ]  # fmt: skip


def test_a_histogram_of_energies_shows_all_starts_and_nothing_below_the_optimum(
    rng: np.random.Generator,
) -> None:
    for gaps in (np.abs(rng.normal(size=50)), np.array([-1e-16, 0.0, 1e-12]), 10.0 ** rng.uniform(-12, 2, 99)):
        edges = gap_bins(gaps.max())
        assert edges[0] > 0
        assert edges[-1] > gaps.max()
        shares = gap_shares(gaps, edges)
        assert abs(shares.sum() - 1) < 1e-12
        above = gaps[gaps >= edges[1]]
        np.testing.assert_allclose(shares[1:] * len(gaps), np.histogram(above, edges[1:])[0])


def test_a_section_survives_its_file() -> None:
    page = Writer("A title")
    page.text("Some words with ε.")
    page.table(("a", "b"), [(1, "x|y")])
    page.claim("Fig. 1", "It works", Verdict.UNTESTABLE, "no data")
    section = page.section(1.5)
    again = Section.from_json(section.to_json())
    assert again == section
    assert again.claims == (Claim("Fig. 1", "It works", Verdict.UNTESTABLE, "no data"),)
    assert "x\\|y" in again.markdown()
    assert "**not testable here**" in again.markdown()


@pytest.mark.slow
@pytest.mark.pictures
def test_parts_of_the_paper_with_two_starts(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as executor:
        lab = Lab(executor, tmp_path, seeds=2)
        paths = reproduce(lab, ["method", "5", "2"])
    report, page, claims = (path.read_text() for path in paths)
    assert [path.name for path in paths] == ["report.md", "report.html", "claims.json"]
    titles = re.findall(r"^## (.*)$", report, flags=re.M)
    assert [title.split(":")[0] for title in titles] == ["All claims", "The method", "Fig. 2", "Fig. 5", "Time"]
    for name in re.findall(r"\]\((\S+\.png)\)", report):
        assert is_drawn(tmp_path / "paper" / name)
        assert any((tmp_path / "paper" / name).with_suffix(ending).exists() for ending in (".csv", ".npz"))
    assert page.count("data:image/png;base64,") == report.count(".png)") >= 4
    assert "<table>" in page
    tree = {claim["statement"]: claim for claim in json.loads(claims)}
    literal = tree["With the gates as printed, half the difference of E at θ ± π/2 is the gradient"]
    assert literal["verdict"] == "not reproduced"
    assert tree["With gates exp(−iθσ/2), as in the authors' program, it is"]["verdict"] == "reproduced"
    assert tree["The best network has C ≈ 0.008, and its activation is ReLU"]["verdict"] == "reproduced"
    assert "of 2 starts" in tree["The product state, without entanglement, already works (ε = 0.03)"]["evidence"]
    (tmp_path / "paper" / "sections" / "5.json").unlink()
    write_report(tmp_path / "paper")
    assert "Fig. 5" not in (tmp_path / "paper" / "report.md").read_text()


def test_the_part_without_orders_of_gates(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as executor:
        reproduce(Lab(executor, tmp_path, seeds=1), ["encoding"])
    report = (tmp_path / "paper" / "report.md").read_text()
    assert "The optimum selects {0, 1} with C = 0.60364 | **not testable here**" in report
    assert "the cheapest circuit is at ε = 5e-05 " in report


def test_unknown_parts_are_refused(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as executor, pytest.raises(ValueError, match=r"unknown part 'encodnig'.*did you mean"):
        reproduce(Lab(executor, tmp_path), ["encodnig"])
    assert list(PARTS)[:8] == ["method", "2", "3", "4", "5", "6", "objectives", "encoding"]


def test_the_report_is_written_by_one_process_and_names_a_damaged_section(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as executor:
        lab = Lab(executor, tmp_path, seeds=1)
        with Lock(lab.folder), pytest.raises(QhnError, match="paper is being written by another process"):
            reproduce(lab, ["encoding"])
    assert [path.name for path in lab.folder.iterdir()] == [".lock"]
    (lab.folder / "sections").mkdir()
    for content in (b"", b'{"title": 1}', b"[]", b'{"title": "x", "blocks": [], "claims": [{"verdict": "odd"}]}'):
        (lab.folder / "sections" / "method.json").write_bytes(content)
        with pytest.raises(QhnError, match=r"sections/method.json is damaged .* delete it"):
            write_report(lab.folder)


@pytest.mark.slow
@pytest.mark.pictures
def test_parts_beyond_the_paper_on_a_small_scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = replace(plan.OVERFITTING, samples=(2, 4, 1000), data_sets=4, folds=2, other_data_sets=2)
    monkeypatch.setattr(overfitting, "PLAN", small)
    monkeypatch.setattr(overfitting, "CHUNK", 2)
    monkeypatch.setattr(dynamics, "STARTS", 3)
    monkeypatch.setattr(dynamics, "DATA_SETS", 2)
    monkeypatch.setattr(dynamics, "DEPTHS", (0, 2))
    with ThreadPoolExecutor(1) as executor:
        reproduce(Lab(executor, tmp_path, seeds=2), ["6", "training", "data-sets"])
    folder = tmp_path / "paper"
    assert all(map(is_drawn, folder.glob("*.png")))
    with np.load(folder / "figure-6-all.npz") as stored:
        for samples in small.samples:
            training = stored[f"training_{samples}_at_0.5"]
            assert training.shape == (4, small.iterations + 1)
            assert (np.diff(training, axis=1) <= 1e-12).all()
            validation, test = stored[f"validation_{samples}_at_0.5"], stored[f"test_{samples}_at_0.5"]
            assert not np.allclose(validation, test, rtol=1e-6)
        assert stored["training_4_at_1"].shape == (2, small.iterations + 1)
    report = (folder / "report.md").read_text()
    assert "| product | 1.0 → 1.0 | 1 |" in re.sub(r"\| product \|[^|]*\|[^|]*\|", "| product |", report)  # rank of it
    survey = Survey(load_sweep("data-set", {"name": "data-set-2", "data.seed": 2, "seeds": [4, 5]}), tmp_path)
    assert len(survey.groups) == 8  # each data set has starts of its own


@pytest.mark.slow
@pytest.mark.pictures
def test_the_part_on_noise_on_a_small_scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise, "STRENGTHS", (0.0, 0.2, 1.0, 2.0))
    monkeypatch.setattr(noisytraining, "STRENGTHS", (0.0, 1.0))
    for name in ("STEPS", "MORE_STEPS", "SPSA_STEPS"):
        monkeypatch.setattr(noisyends, name, 2)
    for module in (devices, mitigation):
        monkeypatch.setattr(module, "DEVICES", ("fake_boston",))
    monkeypatch.setattr(mitigation, "TASKS", (optima.GAUSSIANS,))
    with ThreadPoolExecutor(1) as executor:
        reproduce(Lab(executor, tmp_path, seeds=1), ["noise"])
    folder = tmp_path / "paper"
    assert all(map(is_drawn, folder.glob("*.png")))
    columns = np.genfromtxt(folder / "noise.csv", delimiter=",", names=True)
    for order in ("eq5", "authors"):
        assert abs(columns[f"rise_{order}"][0]) < 1e-9  # no noise, no rise
        assert 0.02 < columns[f"rise_{order}"][2] < 0.04  # that of the authors' optima, 0.0283, belongs to other images
        assert np.all(np.diff(columns[f"optimal_{order}"]) < 0)
    claims = json.loads((folder / "claims.json").read_text())
    assert [claim["verdict"] for claim in claims if claim["statement"].startswith("The slope")] == ["not testable here"]
    assert all(claim["family"] for claim in claims if not claim["statement"].startswith("The slope"))
    report = (folder / "report.md").read_text()
    assert set(re.findall(r"\]\((\S+)\.png\)", report)) == {
        "noise", "noise-training", "noise-devices", "noise-mitigation"
    }  # fmt: skip
    with (folder / "noise-mitigation.csv").open() as file:
        left = {(row["task"], row["order"], row["mitigation"]): float(row["left"]) for row in csv.DictReader(file)}
    for task in mitigation.TASKS:
        assert left[task, "authors", "folded"] == pytest.approx(100, abs=1e-9)  # there is no brick to fold
        assert left[task, "authors", "both"] == left[task, "authors", "inverted"]
        assert 30 < left[task, "eq5", "both"] < left[task, "eq5", "inverted"] < 80


def test_training_on_a_machine_without_noise_is_training_without_noise() -> None:
    methods = (noisyends.WITHOUT, noisyends.WRITTEN)
    for order in ("eq5", "authors"):
        found = noisyends.ends((0.0, order, 0), starts=1, mnist=None, methods=methods)
        for end in found.values():
            np.testing.assert_allclose(end.noisy, end.ideal, rtol=0, atol=1e-9)
            assert end.likely.all()
            assert (end.untrained < 0.1).all()
            assert end.random[0] == 64 / 2**17
        assert abs(found[noisyends.WRITTEN].optimal[0] - 1) < 1e-9


def test_training_with_noise_goes_on_to_lower_energies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noisyends, "MORE_STEPS", 8)
    methods = (noisyends.WITHOUT, noisyends.AFTERWARDS)
    found = noisyends.ends((2.0, "eq5", 0), starts=1, mnist=None, methods=methods)
    assert noisytraining.share_lowered(found, noisyends.AFTERWARDS)[0] > 0.05
    after = found[noisyends.AFTERWARDS]
    assert 9 <= after.gradients[0] < 20
    assert after.circuits[0] == after.gradients[0] * (1 + 2 * 7 * 17)  # the first RZ layer has no effect
    assert found[noisyends.WITHOUT].circuits[0] == 0


def test_spsa_descends_on_a_noisy_machine(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noisyends, "SPSA_STEPS", 60)
    ansatz = hypernetwork(4, 1)
    sampler = DepolarisingBackend(NoiseSettings(p1=0.01, p2=0.03)).compile(ansatz)
    estimator = NoisyEstimator(ansatz, TableProblem(rng.normal(size=16)), sampler)
    thetas = rng.uniform(0, 2 * np.pi, (3, ansatz.num_parameters))
    monkeypatch.setattr(noisyends, "GAINS", SpsaGains(learning_rate=2.0))
    reached = noisyends.by_spsa(estimator, thetas, Spsa(ansatz.active))
    assert (estimator(reached).mean < estimator(thetas).mean - 0.2).all()


@dataclass(frozen=True)
class Misreading:
    """Perfect gates and readout errors of their own on every qubit."""

    rates: np.ndarray

    def after(self, name: str, qubits: tuple[int, ...]) -> np.ndarray:
        return np.eye(4 ** len(qubits))

    def readout(self, qubit: int) -> np.ndarray:
        p01, p10 = self.rates[qubit]
        return np.array([[1 - p01, p10], [p01, 1 - p10]])


@pytest.mark.parametrize("order", ["eq5", "authors"])
def test_with_perfect_gates_mitigation_takes_off_all_of_the_bias(order: Order, rng: np.random.Generator) -> None:
    ansatz, costs = hypernetwork(6, 2, order), rng.normal(size=64)
    rates = rng.uniform(0.01, 0.1, (6, 2))
    thetas = rng.uniform(0, 2 * np.pi, (3, ansatz.num_parameters))
    ideal = ExactEstimator(ansatz, TableProblem(costs))(thetas).mean
    pruned, executed = (
        Twin(with_measurement(circuit), Misreading(rates)) for circuit in (ansatz.pruned, ansatz.executed)
    )

    class Folded:
        @staticmethod
        def energies(thetas: np.ndarray, costs: np.ndarray) -> np.ndarray:
            return executed.energies(thetas, costs[ansatz.relabelled] if order == "eq5" else costs)

    folded = Folded()
    none, brick, inverse, both = mitigation.four_energies(ansatz, pruned, folded, thetas, costs, rates)
    np.testing.assert_allclose(inverse, ideal, atol=1e-10)
    np.testing.assert_allclose(both, ideal, atol=1e-10)
    assert (np.abs(none - ideal) > 1e-3).all()
    assert np.allclose(none, brick, atol=1e-10) == (order == "authors")


@pytest.mark.parametrize("order", ["eq5", "authors"])
def test_a_device_measures_the_bias_that_its_twin_says_is_left(order: Order) -> None:
    found = mitigation.biases((0, ("gaussian-activation", "fake_torino", order)), 2, None)
    assert (np.abs(found.sampled - found.own) < 5 * found.std_error).all()
    none, folded, inverse, both = np.abs(found.bias)
    assert (both < 0.75 * none).all()
    assert (inverse < none).all()
    assert (folded < 1.5 * none).all()


def test_a_caption_is_emphasised_whatever_its_characters(tmp_path: Path) -> None:
    (tmp_path / "figure.png").write_bytes(b"")
    writer = Writer("A section")
    caption = "E - C* below, C* of one_two [a] `b`, and 3 * 4."
    writer.picture(lambda: tmp_path / "figure.png", caption)
    page = html.unescape(as_html(writer.section(1.0).markdown(), tmp_path))
    assert f"<em>{caption}</em>" in page
    assert f'alt="{caption}"' in page
