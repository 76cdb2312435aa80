from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from executors import AtOnce
from qhn.errors import QhnError
from qhn.sweep import advance
from qhn.sweep.classical import search_all
from qhn.sweep.plan import Sweep, make_sweep
from qhn.sweep.survey import Survey
from qhn.sweep.workers import finished_members, read_columns


def test_a_sweep_hands_out_its_jobs_as_they_are_needed(tmp_path: Path) -> None:
    exact = {"data.samples": 40, "train.backend": "exact", "train.shots": 5, "train.steps": 1}
    sweep = make_sweep(name="lazy", experiment="figure-1", seeds=6, set=exact)
    submitted: list[Any] = []

    class Noted(AtOnce):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            submitted.append(args[0])
            return super().submit(fn, *args, **kwargs)

    going = advance(sweep, Noted(), results=tmp_path, in_flight=2)
    assert (next(going).finished, len(submitted)) == (0, 0)
    assert [(at.finished, len(submitted)) for at in going] == [(1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 6)]
    assert submitted == [[member] for member in sweep.members]
    assert len(finished_members(sweep.directory(tmp_path))) == 6


def small_sweep(**others: Any) -> Sweep:
    exact = {"train.backend": "exact", "train.steps": 2}
    return make_sweep(experiment="figure-1", seeds=2, set=exact, vary={"ansatz.num_layers": [0, 1]}, **others)


def test_a_sweep_is_advanced_by_one_process_at_a_time(tmp_path: Path) -> None:
    sweep = small_sweep(repeats=1)
    with ThreadPoolExecutor(1) as executor:
        first = advance(sweep, executor, results=tmp_path)
        next(first)
        with pytest.raises(QhnError, match="is being written by another process; try again when it has ended"):
            next(advance(sweep, executor, results=tmp_path))
        *_, last = first
        assert last.finished == 4
        survey = Survey(sweep, tmp_path)
        held = advance(sweep, executor, results=tmp_path)
        next(held)
        with pytest.raises(QhnError, match="is being written by another process"):
            search_all(survey, executor)
        held.close()
        assert search_all(survey, executor).traces


@pytest.mark.parametrize("damage", [lambda c: b"", lambda c: c[:300], lambda c: c[:-30]])
def test_damaged_files_of_finished_members_are_made_again(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    sweep = small_sweep(repeats=2)
    with ThreadPoolExecutor(1) as executor:
        *_, _ = advance(sweep, executor, results=tmp_path)
        searches = search_all(Survey(sweep, tmp_path), executor)
        folder = Survey(sweep, tmp_path).folder
        for kind in ("members", "searches"):
            path = sorted((folder / kind).glob("*.npz"))[0]
            path.write_bytes(damage(path.read_bytes()))
        assert len(finished_members(folder)) == 2
        assert [at.finished for at in advance(sweep, executor, results=tmp_path)] == [2, 4]
        again = search_all(Survey(sweep, tmp_path), executor)
    assert {name: [t.best_cost for t in traces] for name, traces in again.traces.items()} == {
        name: [t.best_cost for t in traces] for name, traces in searches.traces.items()
    }


def test_no_wrong_number_is_read_of_a_damaged_file(tmp_path: Path) -> None:
    """A bit that does not matter, such as one of the time of an entry, may be another."""
    with ThreadPoolExecutor(1) as executor:
        *_, _ = advance(small_sweep(), executor, results=tmp_path)
    path = next(tmp_path.glob("*/*/members/*.npz"))
    content, whole = path.read_bytes(), read_columns(path)
    assert whole is not None
    damaged = 0
    for place in range(0, len(content), 23):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1 << place % 8]) + content[place + 1 :])
        found = read_columns(path)
        damaged += found is None
        if found is not None:
            for name, column in whole.items():
                np.testing.assert_array_equal(found[name], column)
    assert damaged > 20
