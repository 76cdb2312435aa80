"""Costs that are kept on disk: by several processes at once, and whatever became of the end of a file."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from qhn import bitstrings
from qhn.black_box.cache import CostCache
from qhn.errors import QhnError, RecordWarning
from qhn.problem.cost import TableProblem
from qhn.problem.evaluations import Evaluations

BITS = bitstrings.pack(bitstrings.from_integers(np.arange(1024), 10))
COSTS = np.random.default_rng(3).normal(size=1024)


def test_several_caches_of_one_folder_share_what_they_hold(tmp_path: Path) -> None:
    first, second = (CostCache(tmp_path / "costs", 10) for _ in range(2))
    first.append(BITS[:5], COSTS[:5])
    second.append(BITS[5:9], COSTS[5:9])
    packed, costs = second.read()
    np.testing.assert_array_equal(packed, BITS[:5])
    np.testing.assert_array_equal(costs, COSTS[:5])
    assert len(second.read()[1]) == 0, "each row once"
    first.append(BITS[9:11], COSTS[9:11])
    np.testing.assert_array_equal(second.read()[1], COSTS[9:11])
    assert sorted(CostCache(tmp_path / "costs", 10).read()[1]) == sorted(COSTS[:11])


@pytest.mark.parametrize("left", range(1, 14))
def test_a_row_that_is_torn_is_none_and_is_read_when_it_is_complete(left: int, tmp_path: Path) -> None:
    CostCache(tmp_path / "costs", 10).append(BITS[:3], COSTS[:3])
    (path,) = (tmp_path / "costs").iterdir()
    content = path.read_bytes()
    path.write_bytes(content[:-left])
    reader = CostCache(tmp_path / "costs", 10)
    with warnings.catch_warnings(action="error"):
        np.testing.assert_array_equal(reader.read()[1], COSTS[:2])
        path.write_bytes(content)
        np.testing.assert_array_equal(reader.read()[1], COSTS[2:3])


def test_a_row_that_was_changed_is_none(tmp_path: Path) -> None:
    CostCache(tmp_path / "costs", 10).append(BITS[:3], COSTS[:3])
    (path,) = (tmp_path / "costs").iterdir()
    size = path.stat().st_size // 3
    for place in range(size, 2 * size):
        content = bytearray(path.read_bytes())
        content[place] ^= 1
        (tmp_path / "costs" / "other.costs").write_bytes(content)
        with pytest.warns(RecordWarning, match="has 1 damaged rows, whose bitstrings are evaluated again"):
            assert len(CostCache(tmp_path / "costs", 10).read()[1]) == 5


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x" * 140)
    (tmp_path / "costs").mkdir()
    (tmp_path / "costs" / "a.costs").symlink_to(tmp_path / "secret")
    with pytest.raises(QhnError, match="symbolic link"):
        CostCache(tmp_path / "costs", 10).read()
    (tmp_path / "linked").symlink_to(tmp_path / "costs")
    with pytest.raises(QhnError, match="symbolic link"):
        CostCache(tmp_path / "linked", 10)


@pytest.mark.parametrize("num_qubits", [10, 40])
def test_evaluations_merge_what_may_be_known_and_tell_of_a_contradiction(num_qubits: int) -> None:
    class Unknown(TableProblem):
        num_qubits = property(lambda self: size)  # type: ignore[assignment]

    size = num_qubits
    bits = np.unique(np.random.default_rng(1).integers(0, 2, (60, size), dtype=np.uint8), axis=0)[:50]
    packed, costs = bitstrings.pack(bits), np.arange(50.0)
    memory = Evaluations(Unknown([0.0, 1.0]))
    assert memory.merge(packed[:20], costs[:20]) is None
    twice = np.concatenate([packed[10:], packed[10:15]])
    assert memory.merge(twice, np.concatenate([costs[10:], costs[10:15]])) is None
    assert memory.distinct == 50
    np.testing.assert_array_equal(memory.cost(bits), costs)
    assert memory.has(bits).all()
    assert len(memory.unknown(bits)) == 0
    found = memory.merge(packed[7:8], np.array([7.5]))
    assert found is not None
    np.testing.assert_array_equal(found[0], bits[7])
    assert found[1:] == (7.0, 7.5)
    assert memory.merge(packed[7:8], np.array([7.0 * (1 + 1e-12)])) is None, "rounding is no contradiction"
