"""Configurations from TOML, settings and Python: what is read, and what is refused in a sentence."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from qhn.circuit.hypernetwork import hypernetwork
from qhn.config import RunConfig
from qhn.config.file import load_config, parse_config, parse_setting, presets, with_settings
from qhn.config.section import Section
from qhn.errors import QhnError

DESIGN = """
[data]
file = "heart.csv"
label = "target"

[network]
hidden = [[2, 3]]
alphabet = [[0, 1], [-1, 1], [-2, 1], [-3, 1]]
bias = true
activation = ["sigmoid", "relu"]
loss = "cross-entropy"
qubit_order = "forward"

[ansatz]
num_layers = 3
order = "authors"

[train]
backend = "aer-mps"
shots = 50
gradient = { name = "spsa", perturbation = 0.1 }
optimizer = "sgd"
steps = 5
objective = { name = "cvar", alpha = 0.5 }
seed = 11
"""


@pytest.fixture
def users_file(tmp_path: Path) -> Path:
    rows = np.random.default_rng(1).normal(size=(30, 2))
    text = "age,pressure,target\n" + "\n".join(f"{a},{b},{i % 2}" for i, (a, b) in enumerate(rows))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "heart.csv").write_text(text)
    path = tmp_path / "mine" / "heart.toml"
    path.write_text(DESIGN)
    return path


def test_a_users_file_with_everything_searched(users_file: Path) -> None:
    config = load_config(users_file)
    assert config.experiment == "heart"
    problem = config.problem()
    assert problem.num_qubits == 6 + 3 + 1 + 3 + 1 + 1 + 2
    assert problem.loss == "cross-entropy"
    assert config.train.optimizer.name == "sgd"
    assert config.train.objective.build().alpha == 0.5
    assert config.train.gradient.build(config.circuit(config.problem())).num_rows == 3


def test_identity_follows_what_changes_the_numbers_and_nothing_else(users_file: Path) -> None:
    config = load_config(users_file)
    moved = users_file.parent / "elsewhere"
    moved.mkdir()
    for path in users_file.parent.glob("heart.*"):
        (moved / path.name).write_bytes(path.read_bytes())
    assert load_config(moved / "heart.toml").run_id == config.run_id
    rules = {"train.steps": 99, "train.target": 0.1, "train.plateau": 3, "train.patience": 4, "train.max_shots": 10**6}
    for key, value in rules.items():
        assert load_config(users_file, {key: value}).run_id == config.run_id
    changes = {
        "train.shots": 51,
        "train.seed": 12,
        "train.backend": "aer",
        "ansatz.order": "eq5",
        "ansatz.num_layers": 2,
        "network.bias": False,
        "data.standardise": False,
        "train.objective.alpha": 0.4,
    }
    ids = {load_config(users_file, {key: value}).run_id for key, value in changes.items()}
    assert len(ids | {config.run_id}) == len(changes) + 1
    with (moved / "heart.csv").open("a") as file:
        file.write("\n1,2,0")
    assert load_config(moved / "heart.toml").run_id != config.run_id


@pytest.mark.parametrize("name", presets())
def test_stop_rules_never_change_the_identity_of_a_preset(name: str) -> None:
    rules = {"steps": 3, "target": 0.1, "max_shots": 10**6, "max_qpu_seconds": 600.0, "max_jobs": 9}
    for rule, value in rules.items():
        key = f"train.{rule}"
        assert load_config(name, {key: value}).run_id == load_config(name).run_id
        assert with_settings(load_config(name), {key: value}).run_id == load_config(name).run_id


def test_identity_of_the_presets_is_stable() -> None:
    """A change here makes of the same command another run: a preset has changed, or a default (test_defaults)."""
    assert {name: load_config(name).run_id for name in presets()} == RUN_IDS


def test_a_run_refuses_data_that_changed_under_it(users_file: Path) -> None:
    config = load_config(users_file)
    with (users_file.parent / "heart.csv").open("a") as file:
        file.write("\n1,2,0")
    with pytest.raises(ValueError, match="has changed since"):
        config.problem()


def test_settings_are_read_as_toml_or_text() -> None:
    assert parse_setting("network.hidden=[[2, 3]]") == ("network.hidden", [[2, 3]])
    assert parse_setting("train.backend = aer-mps") == ("train.backend", "aer-mps")
    assert load_config("figure-1", {"train.optimizer": "sgd"}).train.optimizer.learning_rate == 4.0
    assert load_config("figure-1", {"train.optimizer.learning_rate": 0.5}).train.optimizer.name == "adam"
    with pytest.raises(ValueError, match="key=value"):
        parse_setting("train.shots")


def test_replaced_data_inherits_nothing(users_file: Path) -> None:
    path = users_file.parent / "heart.csv"
    config = load_config("gaussian-activation", {"data.file": str(path), "data.label": "target"})
    assert config.problem().dataset.name == "heart.csv"


def test_normalised_json_gives_the_same_configuration(users_file: Path) -> None:
    for config in (load_config("gaussian-width"), load_config(users_file)):
        again = parse_config(config.model_dump(mode="json"))
        assert again == config
        assert again.run_id == config.run_id
    assert with_settings(config, {"train.steps": 9}).train.steps == 9


WRONG = [
    ({"train.optimizer": "lbfgs"}, "takes the noise of sampled gradients for curvature; use --backend exact"),
    ({"train.backend": "exact", "train.shots": 5, "train.optimizer": "lbfgs"}, "train.optimizer.force = true"),
    ({"train.backend": "exact", "train.gradient": "spsa"}, "give --shots, or leave train.gradient at parameter-shift"),
    ({"train.shotz": 5}, "unknown key train.shotz; did you mean 'shots'?"),
    ({"train.shots": 0}, "train.shots: .* greater than or equal to 1, got 0"),
    ({"train.shots": "many"}, "train.shots: .* got 'many'"),
    ({"train.seed": -1}, "train.seed: .* got -1"),
    (
        {"train.optimizer": "adm"},
        "train.optimizer must name one of 'adam', 'sgd', 'sinusoid', 'spsa', 'lbfgs', got 'adm'",
    ),
    ({"train.optimizer.learning_rat": 1}, "unknown key train.optimizer.learning_rat; did you mean 'learning_rate'?"),
    ({"train.optimizer.momentum": 0.5}, "key train.optimizer.momentum does not go with this kind of train.optimizer"),
    ({"train.gradient": {"perturbation": 0.1}}, "key train.gradient.perturbation does not go with this kind of"),
    ({"train.hidden": [3]}, r"unknown key train.hidden; it belongs into \[network\]"),
    ({"train.optimizer.shots": 3}, r"unknown key train.optimizer.shots; it belongs into \[train\]"),
    ({"network.alphabet": [1]}, "network.alphabet must be two numbers"),
    ({"ansatz.num_layers": "deep"}, "ansatz.num_layers: .* got 'deep'"),
    ({"train.objective": {"name": "cvar", "alpha": 0}}, r"alpha of CVaR must be a finite number in \(0, 1\], got 0"),
    (
        {"train.objective": "elbo"},
        r"'elbo' needs the probability of every .*; take objective 'mmd', or a machine without",
    ),
    ({"train.backend": "fake_fez", "train.objective": "elbo"}, "or train.shots = 'none' on depolarising or fake_<dev"),
    ({"train.backend": "exact", "train.objective.name": "elbo", "train.objective.sample": 3}, "did you mean 'samples'"),
    ({"train.objective": {"name": "mmd", "samples": 3}}, "key train.objective.samples does not go with this kind"),
    ({"train.objective": {"name": "mmd", "weight": -1}}, "weight must be a finite number of at least 0, got -1"),
    ({"train.objective": {"name": "mmd", "width": "far"}}, "train.objective.width: .* got 'far'"),
    ({"train.objective": "mmd", "train.shots": 2}, "'mmd' compares shots in pairs and takes at least 3, got 2"),
    ({"train.objective": "mmd", "train.shots": 9, "train.shot_schedule": {"first": 1, "over": 3}}, "at least 3, got 1"),
    ({"train.backend": "arr"}, "unknown backend 'arr'; did you mean 'aer'?"),
    ({"train": 5}, "train: .* table"),
    ({"network.hidden": [3, 0]}, r"hidden must be at least 1, got 0"),
    ({"network.hidden": [8, []]}, "hidden must offer 1, 2, 4, … options, a power of two, got 0"),
    ({"network.hidden": [[2, 3, 4]]}, "power of two, got 3"),
    ({"network.activation": "foo"}, "one of sigmoid, relu, tanh, sign, got 'foo'"),
    ({"network.alphabet": [1, 1]}, "two different numbers"),
    ({"network.loss": "hinge"}, "network.loss: .* 'mse' or 'cross-entropy', got 'hinge'"),
    ({"ansatz.order": "eq6"}, "ansatz.order: .* 'eq5' or 'authors', got 'eq6'"),
    ({"ansatz.num_layers": -1}, "ansatz.num_layers: .* got -1"),
    ({"data.name": "iris"}, "data must name one of .*, got 'iris'"),
    ({"data.digits": [0, 1]}, "key data.digits does not go with this kind of data"),
    ({"foo.bar": 1}, "unknown key foo; known are ansatz, data"),
    ({"experiment": "../up"}, "experiment: .* got '../up'"),
]


@pytest.mark.parametrize(("settings", "message"), WRONG)
def test_every_mistake_is_one_sentence(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        load_config("gaussian-activation", settings)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("gaussian-activation: ")


def test_missing_files(tmp_path: Path, users_file: Path) -> None:
    with pytest.raises(FileNotFoundError, match="did you mean 'gaussian-width'"):
        load_config("gaussian-widht")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        load_config(tmp_path / "none.toml")
    (users_file.parent / "heart.csv").unlink()
    with pytest.raises(ValueError, match=r"data file .*heart.csv does not exist"):
        load_config(users_file)
    users_file.write_text("[data\n")
    with pytest.raises(ValueError, match="not valid TOML"):
        load_config(users_file)
    users_file.write_text("[network]\nhidden = [3]\n")
    with pytest.raises(ValueError, match=r"missing table \[data\]: give name"):
        load_config(users_file)


def test_configurations_are_frozen() -> None:
    config = load_config("figure-1")
    with pytest.raises(ValueError, match="frozen"):
        config.experiment = "other"
    assert isinstance(config, RunConfig)


RUN_IDS = {
    "digits-8x8": "e3627b9fdc",
    "digits-8x8-four": "d9602cf42b",
    "figure-1": "d379f6eb07",
    "gaussian-activation": "2bf3ff15ff",
    "gaussian-width": "7a9e8109f0",
    "labs-13": "5ebcf11b87",
    "maxcut-16": "16b4e132f1",
    "mnist-01": "cca9abe31c",
    "mnist-01-published": "a50806c2d2",
    "mnist-37-encoding": "6d68268453",
}


def test_exact_takes_shots_only_if_they_are_asked_for(tmp_path: Path) -> None:
    assert load_config("gaussian-activation", {"train.backend": "exact"}).train.shots is None
    assert load_config("gaussian-activation", {"train.backend": "exact", "train.shots": 50}).train.shots == 50
    exact = load_config("gaussian-activation", {"train.backend": "exact"})
    assert with_settings(exact, {"train.seed": 5}).train.shots is None
    assert with_settings(exact, {"train.backend": "aer"}).train.shots == "auto"
    assert parse_config(exact.model_dump(mode="json")) == exact
    file = tmp_path / "mine.toml"
    file.write_text('data.name = "gaussian-mixture"\n[train]\nbackend = "exact"\nshots = 70\n')
    assert load_config(file).train.shots == 70
    assert load_config(file, {"train.seed": 3}).train.shots == 70
    file.write_text('data.name = "gaussian-mixture"\n[train]\nbackend = "exact"\n')
    assert load_config(file).train.shots is None
    ids = {load_config("figure-1", s).run_id for s in ({}, {"train.backend": "exact"})}
    ids.add(load_config("figure-1", {"train.backend": "exact", "train.shots": 1000}).run_id)
    assert len(ids) == 3
    forced = {"train.backend": "exact", "train.optimizer": {"name": "lbfgs", "force": True}}
    plain = {"train.backend": "exact", "train.optimizer": "lbfgs"}
    assert load_config("figure-1", forced).run_id == load_config("figure-1", plain).run_id


# ---------------------------------------------------------------- [device]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"device.tiles": 0}, "device.tiles must be a number of at least 1, or 'auto', got 0"),
        ({"device.tiles": float("inf")}, "device.tiles must be a number of at least 1, or 'auto', got inf"),
        ({"device.tiles": float("nan")}, "device.tiles must be a number of at least 1, or 'auto', got nan"),
        ({"device.tiles": "many"}, "device.tiles must be a number of at least 1, or 'auto', got 'many'"),
        (
            {"device.tiles": 2},
            "device.tiles goes with backends fake_<device>, twin_<device> and ibm_<device>, not with aer",
        ),
        ({"device.p1": 0.1}, "device.p1 goes with backend depolarising, not with aer"),
        (
            {"train.backend": "ibm_x", "device.max_bond": 9},
            "device.max_bond goes with backends depolarising, fake_<device> and twin_<device>, not with ibm_x",
        ),
        (
            {"train.backend": "fake_fez", "train.shots": "none", "device.tiles": 2},
            "device.tiles concerns measured bits",
        ),
        (
            {"train.backend": "fake_fez", "device.mitigation": "readout", "train.objective": "cvar"},
            "device.mitigation corrects means, and the objective, CVaR of the lowest 20%, is none",
        ),
        (
            {"train.backend": "fake_fez", "device.mitigation": "readout", "train.objective": "mmd"},
            "device.mitigation corrects means, and the objective, E + λ·MMD², is none",
        ),
        ({"train.shots": "none"}, "train.shots must be at least 1 on backend aer"),
        ({"train.backend": "fake_fez", "device.qubits": [1, 2], "device.tiles": 3}, "device.tiles has no effect"),
        ({"train.backend": "fake_fez", "device.guard": True}, "device.guard keeps tiles apart, and device.tiles is 1"),
        ({"train.backend": "fake_fez", "device.simulator": "aer", "device.max_bond": 9}, "not of 'aer'; leave one"),
        ({"train.backend": "fake_fez", "train.shots": "none", "device.twirling": True}, "device.twirling concerns"),
        ({"device.tile": 2}, "unknown key device.tile; did you mean 'tiles'"),
        ({"train.shot_schedule": {"first": 2000, "over": 3}}, "train.shot_schedule.first is 2000, and train.shots"),
    ],
)
def test_device_settings_without_effect_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        load_config("figure-1", settings)


def test_shots_rise_from_few_to_all() -> None:
    settings = {"train.shots": 1000, "train.shot_schedule": {"first": 10, "over": 4}}
    shots = load_config("figure-1", settings).train.shots_rule(hypernetwork(4, 2))
    assert [shots.at(step) for step in (0, 2, 4, 9)] == [10, 100, 1000, 1000]


def test_how_a_device_is_used_names_the_run() -> None:
    plain = load_config("figure-1", {"train.backend": "fake_fez"})
    tiled = load_config("figure-1", {"train.backend": "fake_fez", "device.tiles": "auto"})
    assert plain.run_id != tiled.run_id
    assert plain.problem_id == tiled.problem_id
    assert load_config("figure-1", {"train.backend": "fake_fez", "device.tiles": 1}).run_id == plain.run_id


# ---------------------------------------------------------------- types of values


def sections() -> list[type[Section]]:
    """Every table of a configuration and of a sweep, with those of each kind."""
    found, ahead = [], list(Section.__subclasses__())
    while ahead:
        section = ahead.pop()
        found.append(section)
        ahead += section.__subclasses__()
    return found


def test_a_truth_value_is_a_number_in_no_table_and_a_number_no_truth_value() -> None:
    """All fields of all sections, whoever adds one: of numbers, of lists of numbers, and of truth values."""
    checked = 0
    for section in sections():
        for name, field in section.model_fields.items():
            kinds = re.findall(r"\b(?:int|float|bool|str|dict)\b", str(field.annotation))
            if not kinds or {"str", "dict"} & set(kinds):
                continue
            wrong = [True, np.bool_(False), [True], "7"] if "bool" not in kinds else [1, np.float64(0.0), [1], "yes"]
            for value in wrong:
                with pytest.raises(ValidationError) as error:
                    section.model_validate({field.alias or name: value})
                assert (field.alias or name) in {str(fault["loc"][0]) for fault in error.value.errors()}
                checked += 1
    assert checked > 150


def test_numbers_of_numpy_are_numbers_in_every_table() -> None:
    config = RunConfig(
        data={"name": "gaussian-mixture", "samples": np.int64(50)},
        network={"hidden": [np.int8(3)], "bias": [np.bool_(True)], "alphabet": (np.float32(-1), np.int64(1))},
        train={"shots": np.int32(20), "optimizer": {"name": "adam", "learning_rate": np.float64(0.5)}},
    )
    plain = RunConfig(
        data={"name": "gaussian-mixture", "samples": 50},
        network={"hidden": [3]},
        train={"shots": 20, "optimizer": {"learning_rate": 0.5}},
    )
    assert config == plain
    assert config.run_id == plain.run_id


def test_a_setting_does_not_hide_a_wrong_value_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[data]\nname = "gaussian-mixture"\n[train]\nsteps = "many"\nshots = -4\n')
    with pytest.raises(ValueError, match=r"mine\.toml: train\.steps: input should be an integer, got 'many'"):
        load_config(file, {"train.steps": 3, "train.shots": 5})
    file.write_text('[data]\nname = "gaussian-mixture"\n[train]\nsteps = 9\nshots = -4\n')
    with pytest.raises(ValueError, match=r"train\.shots: input should be greater than or equal to 1, got -4"):
        load_config(file, {"train.shots": 5})
    file.write_text('[data]\nname = "gaussian-mixture"\n[train]\nsteps = 9\nbackend = "exact"\n')
    assert load_config(file, {"train.steps": 3, "train.backend": "aer"}).train.steps == 3


@pytest.mark.parametrize("key", ["train.shots", "train.target", "train.backend", "data.samples", "device.tiles"])
@pytest.mark.parametrize("value", [np.ones(2), np.zeros(0), np.ones((1, 1)), np.array([1 + 1j])], ids=str)
def test_an_array_is_a_list_and_no_number(key: str, value: np.ndarray) -> None:
    with pytest.raises(QhnError, match=rf"{key}.* got {re.escape(str(value.tolist()))}"):
        load_config("figure-1", {key: value})


def test_arrays_are_lists_where_lists_are_taken() -> None:
    lists = {"network.hidden": [[2, 4]], "network.alphabet": [-2.0, 1.0], "train.backend": "fake_fez"}
    arrays = lists | {"network.hidden": np.array([[2, 4]]), "network.alphabet": np.array([-2.0, 1.0])}
    assert load_config("figure-1", arrays) == load_config("figure-1", lists)
    with pytest.raises(QhnError, match=r"network\.hidden.* got \(1\+1j\)"):
        load_config("figure-1", {"network.hidden": np.array([1 + 1j])})


def test_weights_of_classes_are_a_word_or_a_table_by_label(tmp_path: Path) -> None:
    rows = "".join(f"{i % 7},{int(i % 4 == 0)}\n" for i in range(20))
    (tmp_path / "rare.csv").write_text("x,target\n" + rows)
    path = tmp_path / "rare.toml"
    path.write_text('[data]\nfile = "rare.csv"\nlabel = "target"\n[network]\nclass_weight = { 1 = 20, 0 = 1 }\n')
    config = load_config(path)
    assert config.problem().class_weights == (1.0, 20.0)
    assert parse_config(config.model_dump(mode="json", by_alias=True)) == config
    same = load_config(path, {"network.class_weight": {"0": 1.0, "1": 20}})
    balanced = load_config(path, {"network.class_weight": "balanced"})
    without = load_config(path, {"network.class_weight": "none"})
    assert same.run_id == config.run_id
    assert len({found.run_id for found in (config, balanced, without)}) == 3
    assert balanced.problem().class_weights == pytest.approx((15 / (2 * 11), 15 / (2 * 4)))
    assert without.problem().class_weights is None
    assert RunConfig(data={"file": tmp_path / "rare.csv", "label": "target"}).run_id == without.run_id


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("balance", "network.class_weight must be 'none', 'balanced', or a table .*, got 'balance'"),
        ([1, 2], "network.class_weight must be 'none', 'balanced', or a table"),
        ({"red": 1, "blue": 0}, "network.class_weight of 'blue' must be a finite number above 0, got 0"),
        ({"red": 1, "blue": True}, "network.class_weight of 'blue' must be a number above 0, got True"),
    ],
)
def test_weights_that_are_none_are_refused_in_a_sentence(value: object, message: str) -> None:
    with pytest.raises(QhnError, match=message):
        load_config("figure-1", {"network.class_weight": value})


def test_weights_must_be_those_of_the_classes_of_the_data() -> None:
    with pytest.raises(QhnError, match="no weight of 'blue'; the classes are 'red', 'blue'"):
        load_config("figure-1", {"network.class_weight": {"red": 2}, "network.activation": "sigmoid"}).problem()
