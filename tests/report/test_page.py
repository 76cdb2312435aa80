from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats

from pictures import is_drawn
from qhn.config import RunConfig
from qhn.config.file import load_config, with_settings
from qhn.problem.cost import TableProblem
from qhn.problem.landscape import enumerate_costs
from qhn.problem.search_space import SearchSpace
from qhn.report.figures import weight_image
from qhn.report.page import Report
from qhn.run.record import load_run
from qhn.run.training import train


def run(config: RunConfig, results: Path) -> Report:
    training = train(config, results=results)
    list(training)
    assert training.record is not None
    return Report(load_run(training.record.directory))


def columns(path: Path) -> dict[str, list[str]]:
    with path.open() as file:
        rows = list(csv.reader(file))
    return dict(zip(rows[0], map(list, zip(*rows[1:], strict=True)), strict=True))


def test_the_page_states_each_number_apart(small_config: RunConfig, tmp_path: Path) -> None:
    report = run(small_config, tmp_path)
    page, last = report.summary(), report.steps[-1]
    costs = enumerate_costs(report.problem)
    validation = [step.validation for step in report.steps]
    for expected in (
        f"figure-1 {small_config.run_id}: 4 steps, done",
        "4 qubits, num_layers 1, order eq5, 12 active of 16 angles",
        "parameter-shift, adam (decay_steps 25, learning_rate 0.5, ",
        "objective mean, seed 7",
        f"best sampled network, bits {last.best_bits}",
        "most measured network of the last step, ",
        "E = ⟨C⟩ at the last step",
        "CVaR of its lowest 20%",
        f"lowest validation ⟨C⟩           {min(validation):.6g} at step {validation.index(min(validation))}",
        f"best sampled C                  {last.best_cost:.6g}",
        f"optimum C*                      {costs.min():.6g}, 1 of 16 networks",
        f"distinct networks evaluated     {last.distinct} of 16",
        "best C of as many random ones",
        "says little about the search",
    ):
        assert expected in page
    assert report.problem.network(report.best_bits).describe().splitlines()[1] in page


@pytest.mark.pictures
def test_figures_come_with_the_data_behind_them(small_config: RunConfig, tmp_path: Path) -> None:
    report = run(small_config, tmp_path)
    paths = report.figures()
    names = [path.name for path in paths]
    expected = [
        "training.png",
        "costs.png",
        "curvature.png",
        "decision.png",
        "decision-measured.png",
        "confusion.png",
        "roc.png",
    ]
    assert names == expected
    assert all(map(is_drawn, paths))
    training = columns(paths[0].with_suffix(".csv"))
    assert [float(x) for x in training["mean"]] == [step.mean for step in report.steps]
    assert [float(x) for x in training["best_cost"]] == [step.best_cost for step in report.steps]
    costs = columns(paths[1].with_suffix(".csv"))
    assert sum(map(float, costs["first_step"])) == pytest.approx(1)
    sampled = report.costs(3)[0]
    np.testing.assert_allclose(sampled, report.problem.cost(report.record.samples(3)), rtol=1e-14)
    inside = [(sampled >= float(a)) & (sampled < float(b)) for a, b in zip(costs["from"], costs["to"], strict=True)]
    np.testing.assert_allclose(np.mean(inside[:-1], axis=1), [float(x) for x in costs["last_step"]][:-1], atol=1e-12)
    with np.load(paths[3].with_suffix(".npz")) as stored:
        point = stored["x"][3], stored["y"][5]
        assert stored["output"][5, 3] == pytest.approx(report.problem.network(report.best_bits).output(point))


@pytest.mark.pictures
def test_pixels_are_drawn_as_an_image_and_there_may_be_no_validation(tmp_path: Path) -> None:
    report = run(load_config("mnist-01", {"train.steps": 1, "train.shots": 20, "ansatz.num_layers": 0}), tmp_path)
    paths = report.figures()
    names = [
        "training.png",
        "costs.png",
        "curvature.png",
        "weights.png",
        "weights-measured.png",
        "confusion.png",
        "roc.png",
    ]
    assert [path.name for path in paths] == names
    assert all(map(is_drawn, paths))
    weights = columns(paths[3].with_suffix(".csv"))
    drawn = np.array([[float(x) for x in weights[f"column_{j}"]] for j in range(1, 5)]).T
    expected = report.problem.network(report.best_bits).weights[0].reshape(4, 4)
    np.testing.assert_array_equal(drawn, expected)
    assert "no validation samples" in report.summary()
    assert "lowest validation" not in report.summary()
    assert columns(paths[0].with_suffix(".csv"))["validation"] == [""]


@pytest.mark.pictures
def test_several_classes_have_a_colour_each(tmp_path: Path, rng: np.random.Generator) -> None:
    x = np.repeat([[-2.0, 0.0], [2.0, 0.0], [0.0, 3.0]], 20, axis=0) + 0.3 * rng.normal(size=(60, 2))
    lines = [f"{a},{b},{['red', 'green', 'blue'][i // 20]}" for i, (a, b) in enumerate(x)]
    (tmp_path / "three.csv").write_text("a,b,label\n" + "\n".join(lines))
    settings = {"data.file": str(tmp_path / "three.csv"), "network.activation": "sigmoid", "network.hidden": [2, 2]}
    few = {"network.bias": False, "train.backend": "exact", "train.steps": 2, "train.shots": 50}
    report = run(load_config("figure-1", settings | few), tmp_path)
    assert "2-2-2-3 network" in report.summary()
    assert "33.3%" in next(line for line in report.summary().splitlines() if "always 'blue'" in line)
    path = next(path for path in report.figures() if path.name == "decision.png")
    assert is_drawn(path)
    with np.load(path.with_suffix(".npz")) as stored:
        assert stored["output"].shape == (200, 200, 3)
        point = stored["x"][3], stored["y"][5]
        expected = report.problem.network(report.best_bits).probabilities(point)
        np.testing.assert_allclose(stored["output"][5, 3], expected, rtol=1e-12)


@pytest.mark.pictures
@pytest.mark.parametrize(
    ("hidden", "names"), [((), ["z[0]", "z[1]", "z[2]"]), (((7,),), [f"h{k}" for k in range(1, 8)])]
)
def test_the_weights_of_every_unit_are_an_image(hidden: tuple, names: list[str], tmp_path: Path) -> None:
    space = SearchSpace(4, hidden, num_classes=3)
    network = replace(space.decode([0, 1] * (space.num_qubits // 2) + [1] * (space.num_qubits % 2)), image_shape=(2, 2))
    assert network.unit_names(1) == names
    path = weight_image(tmp_path / "w.png", network, "title")
    assert is_drawn(path)
    weights = columns(path.with_suffix(".csv"))
    assert weights["unit"] == [str(k) for k in range(1, len(names) + 1) for _ in range(2)]
    drawn = np.array([[float(v) for v in weights[f"column_{j}"]] for j in (1, 2)]).T
    np.testing.assert_array_equal(drawn.reshape(-1, 4), network.weights[0].T)


def test_beyond_enumeration_random_search_is_really_done(tmp_path: Path) -> None:
    settings = {
        "network.hidden": [6],
        "train.backend": "aer-mps",
        "train.steps": 1,
        "train.shots": 10,
        "data.samples": 20,
        "ansatz.num_layers": 0,
    }
    report = run(load_config("gaussian-activation", settings), tmp_path)
    assert report.problem.num_qubits == 26
    assert report.landscape is None
    page = report.summary()
    assert "optimum" not in page
    assert f"in one draw of {report.steps[-1].distinct:,}" in page


def test_a_run_without_steps_cannot_be_reported(small_config: RunConfig, tmp_path: Path) -> None:
    training = train(small_config, results=tmp_path)
    training.close()
    assert training.record is not None
    with pytest.raises(ValueError, match="no complete step yet"):
        Report(training.record)


def test_cvar_of_the_objective_is_shown(small_config: RunConfig, tmp_path: Path) -> None:
    config = with_settings(small_config, {"train.objective": {"name": "cvar", "alpha": 0.3}})
    assert "CVaR of its lowest 30%" in run(config, tmp_path).summary()


@pytest.mark.parametrize("settings", [{"train.backend": "exact"}, {"train.backend": "depolarising"}], ids=str)
def test_parts_of_the_elbo_are_shown_apart(settings: dict[str, Any], small_config: RunConfig, tmp_path: Path) -> None:
    report = run(with_settings(small_config, settings | {"train.shots": "none", "train.objective": "elbo"}), tmp_path)
    last = report.steps[-1]
    p = report.machine.probabilities(last.theta[None])[0]
    divergence = scipy.stats.entropy(p, np.full(16, 1 / 16))
    assert last.value == pytest.approx(last.mean + divergence / 40, rel=1e-12)  # of 40 samples
    words = report.summary()
    assert f"E + KL/N_s                      {last.value:.6g}\n" in words
    assert f"KL to the uniform prior in nats {divergence:.6g}, adds {divergence / 40:.6g} to E\n" in words
    assert "objective elbo, seed 7" in words


def test_parts_of_the_surrogate_are_shown_with_errors(small_config: RunConfig, tmp_path: Path) -> None:
    report = run(with_settings(small_config, {"train.objective": {"name": "mmd", "weight": 0.5}}), tmp_path)
    last = report.steps[-1]
    found = re.search(r"MMD² to the uniform prior +(\S+) ± (\S+), adds (\S+) ± (\S+) to E\n", report.summary())
    assert found is not None
    discrepancy, error, added, added_error = map(float, found.groups())
    assert added == pytest.approx(last.value - last.mean, abs=0.05 * added_error + 1e-4)
    assert (discrepancy, error) == pytest.approx((2 * added, 2 * added_error), rel=0.1)
    assert "the rows of mmd give no second derivatives" in report.summary()
    none = run(with_settings(small_config, {"train.objective": {"name": "mmd", "weight": 0.0}}), tmp_path)
    assert "MMD² to the uniform prior       adds 0 to E\n" in none.summary()


def test_a_problem_of_ones_own_leaves_its_number_of_samples_in_the_record(tmp_path: Path) -> None:
    class Mine(TableProblem):
        num_samples = 25

    config = RunConfig(experiment="mine", train={"backend": "exact", "objective": "elbo", "steps": 2})
    training = train(config, problem=Mine(np.arange(8.0)), results=tmp_path)
    list(training)
    assert training.record is not None
    assert training.record.config.train.objective.model_dump() == {"name": "elbo", "samples": 25}
    assert "KL to the uniform prior in nats" in Report(training.record).summary()
    with pytest.raises(ValueError, match=r"set train.objective.samples, as in train.objective"):
        train(RunConfig(train={"backend": "exact", "objective": "elbo"}), problem=TableProblem(np.arange(8.0)))
