from __future__ import annotations

from pathlib import Path

import numpy as np

from qhn.problem.landscape import enumerate_costs
from qhn.report.landscape import LandscapeReport


def test_the_page_and_the_files_tell_of_the_same_costs(tmp_path: Path, small_config) -> None:
    report = LandscapeReport.of(small_config)
    costs = enumerate_costs(small_config.problem())
    page = report.page()
    assert f"optimum C* = {costs.min():.8g}, " in page
    assert f"mean cost of a random network {costs.mean():.6g}, highest {costs.max():.6g}" in page
    *pictures, table = report.write(tmp_path)
    assert [path.name for path in pictures] == ["density.png", "minima.png", "walsh.png"]
    assert table.parent == tmp_path / "figure-1" / f"landscape-{small_config.problem_id}"
    assert np.array_equal(np.load(table), costs)


def test_the_levels_are_the_lowest_costs_in_order(small_config) -> None:
    costs = enumerate_costs(small_config.problem())
    lines = LandscapeReport.of(small_config).page().splitlines()
    start = lines.index("lowest levels") + 2
    shown = [float(line.split()[0]) for line in lines[start : start + 8]]
    assert shown == sorted(shown)
    assert np.isclose(shown[0], costs.min(), rtol=1e-5)
