"""Frozen defaults: ids and missing values follow from the naming of a configuration, not from the defaults of today."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qhn.config import RunConfig
from qhn.config import defaults as frozen
from qhn.config.defaults import FIRST, NAMING, Defaults, defaults_of, filled, present_defaults, without_defaults
from qhn.config.file import load_config, parse_config, with_settings

WRITTEN = json.loads((Path(__file__).parent / "written.json").read_text())
EARLIER = range(FIRST, NAMING)
FREEZE = """
The defaults of the code are not those of src/qhn/config/defaults-{naming}.json, by which runs get their ids.
 - If runs have been named by naming {naming} already (it is in a version that others use), and a default has changed:
   raise NAMING in src/qhn/config/defaults.py first.
 - Then: python scripts/freeze_defaults.py
   It asks which value of an added key means what was done before, and tells how to answer.
"""


def names(defaults: Defaults) -> set[tuple[str, str, str]]:
    return {(table, kind, key) for table, kinds in defaults.items() for kind, keys in kinds.items() for key in keys}


def test_the_newest_naming_has_the_defaults_of_the_code() -> None:
    assert defaults_of(NAMING) == present_defaults(RunConfig), FREEZE.format(naming=NAMING)


@pytest.mark.parametrize("naming", EARLIER)
def test_earlier_namings_know_every_key(naming: int) -> None:
    assert names(defaults_of(naming)) >= names(present_defaults(RunConfig)), FREEZE.format(naming=NAMING)


@pytest.mark.parametrize("written", WRITTEN, ids=lambda written: written["what"])
def test_ids_are_those_with_which_runs_were_written(written: dict) -> None:
    """By the version whose defaults are naming 1, which wrote down these configurations and their ids."""
    config = parse_config({"naming": 1} | written["config"])
    found = {name: getattr(config, name) for name in ("run_id", "problem_id", "stop_rules_id")}
    assert found == {name: written[name] for name in found}
    newer = parse_config({"naming": NAMING} | config.model_dump(mode="json", exclude={"naming"}))
    assert newer.run_id != config.run_id
    assert newer.problem_id == config.problem_id  # the costs are the same, and compare


def test_what_is_left_out_is_filled_in_by_the_naming_and_does_not_count_as_given() -> None:
    sparse = {"naming": 1, "data": {"name": "gaussian-mixture"}, "train": {"seed": 3, "optimizer": {"beta1": 0.5}}}
    config = RunConfig.model_validate(sparse)
    assert config.train.shots == 1000
    assert config.train.optimizer.learning_rate == 0.2
    assert config.model_dump(mode="json", exclude_unset=True) == sparse
    assert config.train.model_fields_set == {"seed", "optimizer"}
    assert with_settings(config, {"train.steps": 9}).naming == 1
    assert RunConfig.model_validate(sparse | {"train": {"backend": "exact"}}).train.shots is None
    assert RunConfig.model_validate(sparse | {"train": {"optimizer": "sgd"}}).train.optimizer.momentum == 0.9


def test_a_key_that_was_added_later_changes_no_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if Adam had got a decay, whose absence is null and whose default is now 20."""
    tree = {"backend": "aer", "optimizer": {"name": "adam", "learning_rate": 0.3}}
    plain = {"backend": "aer", "optimizer": "adam"}
    before = [without_defaults(filled(tree, 1, "train"), 1, "train"), filled(plain, 1, "train")["optimizer"]]
    monkeypatch.setitem(defaults_of(1)["train.optimizer"]["adam"], "decay", None)
    assert filled(tree, 1, "train")["optimizer"]["decay"] is None
    assert without_defaults(filled(tree, 1, "train"), 1, "train") == before[0] == {"optimizer": {"learning_rate": 0.3}}
    assert filled(plain, 1, "train")["optimizer"] == before[1] | {"decay": None}
    assert without_defaults(filled({}, 1), 1) == without_defaults(filled({"train": plain}, 1), 1)
    other = {"optimizer": {"name": "adam", "decay": 20}}
    assert without_defaults(filled(other, 1, "train"), 1, "train") == {"optimizer": {"decay": 20}}


def test_a_default_table_may_differ_from_the_defaults_of_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(defaults_of(1)["train"][""], "optimizer", {"name": "adam", "beta1": 0.5})
    assert filled({}, 1, "train")["optimizer"]["beta1"] == 0.5
    assert "optimizer" not in without_defaults(filled({}, 1, "train"), 1, "train")
    assert without_defaults(filled({"optimizer": "adam"}, 1, "train"), 1, "train") == {"optimizer": {}}


def test_no_user_sets_the_naming(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('naming = 1\ndata.name = "gaussian-mixture"\n')
    for source, settings in ((file, {}), ("figure-1", {"naming": 1}), ("figure-1", {"naming.of": 1})):
        with pytest.raises(ValueError, match="unknown key naming"):
            load_config(source, settings)
    with pytest.raises(ValueError, match="unknown key naming"):
        with_settings(load_config("figure-1"), {"naming": 1})
    for naming in (0, NAMING + 1, True, "1", 1.5, [1]):
        with pytest.raises(ValueError, match="naming"):
            parse_config({"naming": naming, "data": {"name": "gaussian-mixture"}})


def test_every_frozen_file_is_of_a_naming() -> None:
    files = {path.name for path in Path(frozen.__file__).parent.glob("defaults-*.json")}
    assert files == {f"defaults-{naming}.json" for naming in range(FIRST, NAMING + 1)}
