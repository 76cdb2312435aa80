"""What a file of a study says, and what it is refused for."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from qhn.config.file import load_config
from qhn.errors import NotFoundError, QhnError
from qhn.scheduling.hyperband import Hyperband, RunAll, SuccessiveHalving
from qhn.scheduling.space import Range
from qhn.scheduling.study import Study
from qhn.scheduling.swift_hyperband import SwiftHyperband
from qhn.search.config import load_study, make_study, studies

HEAD = 'experiment = "figure-1"\n'
WRONG = [  # the file, the name of what is wrong, and the remedy
    ("", "experiment", "missing key"),
    ("experiment = [", "not valid TOML", ""),
    ('experiment = "figure-11"', "there is no preset 'figure-11'", "did you mean"),
    ('experiment = "gone.toml"', "does not exist", ""),
    (HEAD + "eta2 = 3", "unknown key eta2 of a study", "did you mean 'eta'"),
    (HEAD + "seedz = 3", "unknown key seedz", "did you mean 'seed"),
    (HEAD + "eta = 1", "eta", "greater than or equal to 2, got 1"),
    (HEAD + "eta = 2.5", "eta", "got 2.5"),
    (HEAD + "max_resource = 0", "max_resource", "got 0"),
    (HEAD + "max_resource = 100000\neta = 2", "a study has at most 10,000 trials", "would have"),
    (HEAD + 'mode = "find"', "mode", "'search' or 'survey'"),
    (HEAD + 'scheduler = "hyperbands"', "scheduler", "'hyperband'"),
    (HEAD + "trials = 5", "has as many trials as follow from R", "got trials = 5"),
    (HEAD + 'scheduler = "all"', "needs trials = 20", "got trials = none"),
    (HEAD + 'resource = "time"', "resource", "'shots', 'qpu-seconds' or 'steps'"),
    (HEAD + 'loss = "cost"', "loss", "'mean'"),
    (HEAD + 'predictor = "nusvm"', "nusvm", "did you mean 'nusvr'"),
    (HEAD + 'predictor = { name = "ridge", features = "curves" }', "features", "did you mean 'curve'"),
    pytest.param(
        HEAD + 'predictor = { name = "ridge", alpa = 1 }',
        "alpa",
        "",
        marks=pytest.mark.skipif(find_spec("sklearn") is None, reason="needs scikit-learn"),
    ),
    (HEAD + "known = 1", "known", "less than 1"),
    (HEAD + 'predictor = "nusvr"', "predictor is read by scheduler = 'swift-hyperband'", "set it"),
    (HEAD + "known = 0.3", "known is read by scheduler = 'swift-hyperband'", "leave the key out"),
    (HEAD + 'warm_start = "all"', "warm_start is read by scheduler = 'swift-hyperband'", "leave the key out"),
    (HEAD + 'warm_start = "results"', "warm_start must be 'all' or a list of directories", "got 'results'"),
    (HEAD + "full_share = 0", "full_share", "greater than 0"),
    (HEAD + "quantile = true", "quantile", "got True"),
    (HEAD + 'name = "a/b"', "name must be of letters", "name = 'mine'"),
    (HEAD + "[set]\ntrain.seed = 1", "train.seed", "seed = 0"),
    (HEAD + "[set]\ntrain.steps = 9", "max_resource", "leave train.steps out"),
    (HEAD + "[set]\ntrain.shotz = 9", "unknown key train.shotz", "did you mean 'shots'"),
    (HEAD + "[vary]\ntrain.target = [0.1]", "vary.train.target", "set it for all under [set]"),
    (HEAD + "[vary]\ntrain.seed = [1, 2]", "train.seed", "seed = 0"),
    (HEAD + "[vary]\ntrain.shots = []", "vary.train.shots", "at least one value"),
    (HEAD + "[vary]\ntrain.shots = 100", "vary.train.shots", "a list of values or a range"),
    (HEAD + "[vary]\ntrain.shots = { low = 1 }", "vary.train.shots", "low or high is missing"),
    (HEAD + "[vary]\ntrain.shots = { low = 1, high = 9, step = 2 }", "unknown key step", "a range has low"),
    (HEAD + "[vary]\ntrain.shots = { low = 9, high = 1 }", "vary.train.shots", "high must be"),
    (HEAD + "[vary]\ntrain.shots = { low = 0, high = 9, log = true }", "vary.train.shots", "low must be"),
    (HEAD + '[vary]\ntrain.shots = { low = "a", high = 9 }', "vary.train.shots", "got 'a'"),
    (HEAD + "[vary]\nansatz.num_layers = [0, -1]", "ansatz.num_layers", "got -1"),
    (HEAD + "[vary]\nansatz.layers = [0, 1]", "unknown key ansatz.layers", ""),
    (HEAD + "[set]\ntrain.shots = 9\n[vary]\ntrain.shots = [8, 9]", "stands in both", "leave one out"),
    (HEAD + "set = 3", "set", "table"),
    (HEAD + "vary = [1]", "vary", "table"),
    (HEAD + "seed = 99999999999999999999", "seed must be at most 2^63", ""),
]


@pytest.mark.parametrize(("content", "what", "remedy"), WRONG, ids=[str(n) for n in range(len(WRONG))])
def test_a_wrong_file_is_refused_in_one_line(content: str, what: str, remedy: str, tmp_path: Path, qhn) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(content)
    found = qhn("search", str(path))
    assert found.code == 2
    assert found.err.count("\n") == 1
    assert what in found.err
    assert remedy in found.err
    assert not list(tmp_path.glob("results/*/study-*"))


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        (["loss=validation", "data.validation_samples=0"], "loss = 'validation' needs validation samples"),
        (["resource=qpu-seconds"], "is not counted on aer; take resource = 'shots'"),
        (["resource=shots", "train.backend=exact", "train.shots=none"], "take resource = 'steps'"),
        (["data.samples=0"], "data.samples"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_written(settings: list[str], what: str, qhn) -> None:
    words = [word for setting in settings for word in ("--set", setting)]
    found = qhn("search", "depth", *words)
    assert found.code == 2
    assert found.err.count("\n") == 1
    assert what in found.err
    assert not list(Path("results").glob("*/*"))


def test_names_of_studies_are_listed_and_wrong_ones_refused(qhn) -> None:
    listed = qhn("search").out.splitlines()
    assert [line.split()[0] for line in listed] == list(studies())
    assert all(len(line) > 25 for line in listed)
    with pytest.raises(NotFoundError, match="there is no study 'depht'; did you mean 'depth'"):
        load_study("depht")
    assert qhn("search", "depht").code == 2
    assert "file gone.toml does not exist" in qhn("search", "gone.toml").err


@pytest.mark.parametrize("name", studies())
def test_studies_that_come_with_qhn_can_be_loaded(name: str) -> None:
    plan = load_study(name)
    assert plan.faults == {}
    assert plan.experiment in plan.config.experiment


def test_settings_take_the_place_of_the_files(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(HEAD + "eta = 2\nmax_resource = 8\n[set]\ntrain.shots = 20\n[vary]\nansatz.num_layers = [0, 1]\n")
    plan = load_study(path, {"eta": 3, "train.shots": 30, "train.optimizer.beta1": 0.5, "name": "other"})
    assert (plan.config.name, plan.config.eta, plan.config.max_resource) == ("other", 3, 8)
    assert plan.config.settings == {"train.shots": 30, "train.optimizer.beta1": 0.5}
    assert load_study(path).config.name == "mine"
    assert {config.train.shots for config in plan.configs.values()} == {30}
    assert plan.directory("here") == Path("here/figure-1/study-other")


def test_an_experiment_lies_beside_its_study(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('[data]\nname = "gaussian-mixture"\nsamples = 40\n')
    (tmp_path / "study.toml").write_text('experiment = "mine.toml"\nmax_resource = 3\n')
    assert load_study(tmp_path / "study.toml").configs[0].data.samples == 40


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({}, Hyperband(60, 3)),
        ({"scheduler": "successive-halving", "trials": 9, "eta": 2}, SuccessiveHalving(9, 60, 2)),
        ({"scheduler": "all", "trials": 9, "max_resource": 5}, RunAll(9, 5)),
    ],
)
def test_rules_have_the_numbers_of_the_file(fields: dict[str, Any], rule: Any) -> None:
    assert make_study(experiment="figure-1", **fields).config.rule() == rule


def test_the_predictor_of_swift_hyperband_has_its_options() -> None:
    pytest.importorskip("sklearn")
    fields = {"training_curves": 4, "full_share": 0.2, "known": 0.3, "quantile": 0.4}
    predictor = {"name": "nusvr", "features": "curve+settings", "C": 2.0}
    plan = make_study(experiment="figure-1", scheduler="swift-hyperband", predictor=predictor, **fields)
    rule = plan.config.rule()
    assert isinstance(rule, SwiftHyperband)
    assert {name: getattr(rule, name) for name in fields} == fields
    assert "curve+settings" in repr(rule.predictor)


def test_trials_are_those_of_the_study() -> None:
    """Hyper-parameters and seeds of the plan are those that a study of the same seed hands out."""
    vary = {"ansatz.num_layers": [0, 1], "train.optimizer.learning_rate": {"low": 0.1, "high": 1, "log": True}}
    plan = make_study(experiment="figure-1", max_resource=3, vary=vary, seed=5)
    assert plan.space.dimensions["train.optimizer.learning_rate"] == Range(0.1, 1.0, log=True)
    study = Study(plan.config.rule(), plan.space, seed=5)
    seeds = set()
    while trial := study.ask():
        config = plan.configs[trial.number]
        assert config == plan.configured(trial.values, trial.seed)
        assert config.ansatz.num_layers == trial.values["ansatz.num_layers"]
        assert config.train.optimizer.learning_rate == trial.values["train.optimizer.learning_rate"]
        assert config.train.seed == trial.seed
        seeds.add(trial.seed)
        study.tell(trial, [0.0] * (trial.until - trial.reached))
    assert len(seeds) == plan.num_trials


def test_tables_with_a_name_are_values() -> None:
    optimizers = [{"name": "sgd", "learning_rate": 1.0}, "adam"]
    plan = make_study(experiment="figure-1", max_resource=9, vary={"train": {"optimizer": optimizers}})
    assert {config.train.optimizer.name for config in plan.configs.values()} == {"adam", "sgd"}


def test_a_value_that_only_some_combinations_allow_is_no_fault() -> None:
    vary = {"train.optimizer": ["lbfgs", "adam"], "train.shots": ["none", 20]}
    plan = make_study(experiment="figure-1", set={"train.backend": "exact"}, vary=vary)
    assert 0 < len(plan.faults) < plan.num_trials
    assert all("takes the noise of sampled gradients for curvature" in words for words in plan.faults.values())


def test_a_study_says_what_defines_it() -> None:
    one, other = (make_study(experiment="figure-1", set={"train.shots": shots}).definition() for shots in (20, 30))
    assert one["set"] == {"train.shots": 20}
    assert one["runs"] != other["runs"]
    assert make_study(experiment="figure-1", set={"train.shots": 20}, max_qpu_seconds=9).definition() == one
    with pytest.raises(QhnError, match="stands in both"):
        make_study(experiment="figure-1", set={"train.shots": 20}, vary={"train.shots": [1]})
    assert load_config("figure-1").train.shots == 100
