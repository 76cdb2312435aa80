"""Rows on tiles: pairs stay together, θ is everywhere, nothing is lost."""

from __future__ import annotations

import numpy as np
import pytest

from qhn.backend.device.tiles import arrange_rows, num_executions


@pytest.mark.parametrize("num_tiles", [1, 2, 3, 6, 7])
@pytest.mark.parametrize(("num_pairs", "num_groups"), [(1, 1), (5, 1), (98, 1), (4, 3)])
def test_pairs_share_a_tile_and_every_row_is_measured_once(num_tiles: int, num_pairs: int, num_groups: int) -> None:
    group = 1 + 2 * num_pairs
    plan = arrange_rows(num_groups * group, group, num_tiles)
    assert plan.num_executions == num_executions(num_groups * group, group, num_tiles)
    np.testing.assert_array_equal(plan.rows[plan.execution, plan.tile], np.arange(num_groups * group))
    assert len(set(zip(plan.execution.tolist(), plan.tile.tolist(), strict=True))) == num_groups * group
    tiles = plan.tile.reshape(num_groups, group)
    np.testing.assert_array_equal(tiles[:, 1::2], tiles[:, 2::2])
    assert (tiles[:, 0] == 0).all()
    if num_tiles == 1:
        assert plan.unshifted is None
    else:
        assert plan.unshifted is not None
        first = group * np.arange(num_groups)
        np.testing.assert_array_equal(plan.rows[plan.unshifted], np.repeat(first[:, None], num_tiles, axis=1))
    idle = plan.rows[~plan.is_used]
    assert not (idle % group).any()  # they repeat θ


def test_rows_without_partners_stay_on_the_first_tile() -> None:
    plan = arrange_rows(4, 1, 3)
    assert plan.tile.tolist() == [0, 0, 0, 0]
    assert plan.unshifted is None
    assert plan.num_executions == num_executions(4, 1, 3) == 4


def test_a_gradient_of_the_papers_first_task_takes_a_fifth() -> None:
    assert 5 * num_executions(197, 197, 6) <= 197
    assert 5 * num_executions(197, 197, 5) > 197


def test_samples_find_their_bits() -> None:
    plan = arrange_rows(10, 5, 2)
    bits = np.zeros((*plan.rows.shape, 1, 5), dtype=np.uint8)
    bits[:, :, 0] = (plan.rows[..., None] >> np.arange(5)) & 1  # each tile measures the number of its row
    samples = plan.samples(bits, executed=plan.num_executions)
    np.testing.assert_array_equal(samples.bits[:, 0] @ (1 << np.arange(5)), np.arange(10))
    assert samples.unshifted is not None
    np.testing.assert_array_equal(samples.unshifted[:, :, 0] @ (1 << np.arange(5)), [[0, 0], [5, 5]])
    assert samples.tiles is not None
    assert samples.tiles.tolist() == [0, 0, 0, 1, 1] * 2
    assert samples.num_shots == 6


@pytest.mark.parametrize(("rows", "group", "tiles"), [(5, 4, 1), (6, 5, 2), (5, 5, 0), (4, 4, 2)])
def test_what_does_not_fit_is_refused(rows: int, group: int, tiles: int) -> None:
    with pytest.raises(ValueError, match="rows"):
        arrange_rows(rows, group, tiles)
