"""The keys of ``[data]`` about a table, checked before the table is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qhn.config.file import load_config
from qhn.errors import QhnError


@pytest.fixture
def configured(tmp_path: Path) -> Any:
    """A function that configures a run on a data file of a name."""

    def configure(name: str, **keys: Any) -> Any:
        if name.endswith(".npz"):
            np.savez(tmp_path / name, x=np.arange(8.0).reshape(8, 1) ** 2, label=np.arange(8) % 2)
        else:
            rows = "".join(f"{row * row},{'fm'[row % 3 % 2]},{row % 2}\n" for row in range(8))
            (tmp_path / name).write_text(f"age,sex,label\n{rows}")
        path = tmp_path / "c.toml"
        path.write_text(f"[data]\nfile = '{name}'\n")
        return load_config(str(path), {f"data.{key}": value for key, value in keys.items()})

    return configure


@pytest.mark.parametrize(
    ("name", "keys", "words"),
    [
        ("d.csv", {"drop": ["label"]}, "c.toml: drop names 'label', the label, from which nothing is learned"),
        ("d.csv", {"drop": ["age"], "columns": ["age"]}, "columns and drop both name 'age'; take it out of one"),
        ("d.csv", {"separator": ";;"}, "separator must be one mark"),
        ("d.csv", {"encoding": "klingon"}, "got 'klingon'"),
        ("d.csv", {"max_categories": 0}, "max_categories: input should be greater than or equal to 1, got 0"),
        ("d.csv", {"impute": "mode"}, "impute: input should be 'none', 'mean' or 'median', got 'mode'"),
        ("d.npz", {"separator": ";"}, r"separator is for tables, and .*d\.npz is a file of arrays; leave it out"),
        ("d.npz", {"drop": ["age"]}, r"drop is for tables, and .*d\.npz is a file of arrays; leave it out"),
        ("d.npz", {"impute": "mean"}, r"impute is for tables, and .*d\.npz is a file of arrays; leave it out"),
        ("d.parquet", {"decimal": ","}, r"decimal is for text files, and .*d\.parquet is none; leave it out"),
        ("d.xlsx", {"encoding": "latin-1"}, r"encoding is for text files, and .*d\.xlsx is none; leave it out"),
    ],
)
def test_keys_that_cannot_be_are_refused(configured: Any, name: str, keys: dict[str, Any], words: str) -> None:
    with pytest.raises(QhnError, match=words) as found:
        configured(name, **keys)
    assert "\n" not in str(found.value)


def test_keys_reach_the_data(configured: Any) -> None:
    assert configured("d.csv").data.load().feature_names == ("age", "sex = m")
    assert configured("d.csv", drop=["age"], max_categories=1).data.load().feature_names == ("sex = f",)
    assert configured("d.csv", max_categories="none").data.max_categories is None
    assert configured("d.csv", columns=["age"]).data.load().encoding is None
    assert configured("d.npz").data.load().feature_names == ("x 1",)
