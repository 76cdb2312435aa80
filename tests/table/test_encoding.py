"""How columns become features: what is learned of them, and what becomes of values that were not seen."""

from __future__ import annotations

import json

import numpy as np
import pytest

from qhn.errors import QhnError, QhnWarning
from qhn.table.encoding import Encoding
from qhn.table.frames import table_of

SEEN = {"age": [31.0, None, 40.0, 35.0], "sex": ["f", "m", "f", None], "size": ["S", "M", "L", "M"]}


@pytest.fixture
def encoding() -> Encoding:
    return Encoding.fit(table_of(SEEN), "median")


def test_values_that_were_not_seen_are_none_of_the_categories(encoding: Encoding) -> None:
    assert encoding.feature_names == ("age", "sex = m", "size = L", "size = M", "size = S")
    new = {"age": [None], "sex": ["x"], "size": ["XL"]}
    with pytest.warns(QhnWarning) as told:
        found = encoding.features(new)
    np.testing.assert_array_equal(found, [[35.0, 0.5, 0.0, 0.0, 0.0]])  # ½ lies midway between both categories
    assert [str(one.message).partition(":")[0] for one in told] == ["column 'sex'", "column 'size'"]


def test_what_is_missing_is_filled_by_what_was_learned(encoding: Encoding) -> None:
    found = encoding.features({"age": [None, 20.0], "sex": ["m", None], "size": [None, "S"]})
    np.testing.assert_array_equal(found, [[35.0, 1, 0, 1, 0], [20.0, 0, 0, 0, 1]])
    mean = Encoding.fit(table_of(SEEN), "mean").features({"age": [None], "sex": ["f"], "size": ["L"]})
    assert mean[0, 0] == pytest.approx(106 / 3)
    with pytest.raises(QhnError, match="column 'age' is empty"):
        Encoding.fit(table_of({"age": [1.0, 2.0]})).features({"age": [None]})


def test_an_encoding_as_text_is_the_same(encoding: Encoding) -> None:
    again = Encoding.from_text(encoding.to_text())
    assert again == encoding
    tree = json.loads(encoding.to_text())
    for wrong in (-1, 0.5, True, "4"):
        with pytest.raises(QhnError, match="num_rows of the encoding must be a whole number from 0"):
            Encoding.from_text(json.dumps(tree | {"num_rows": wrong}))


def test_only_numbers_that_need_nothing_are_features_as_they_are(encoding: Encoding) -> None:
    numbers = table_of({"a": [1.0, 2.0]})
    assert Encoding.fit(numbers).is_plain
    assert not Encoding.fit(numbers, "mean").is_plain
    assert not Encoding.fit(numbers, missing=("", "-999")).is_plain
    assert not encoding.is_plain
