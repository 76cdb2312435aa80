"""The random control of a regression that is trained as a QUBO, and how far both are from the optimum."""

from __future__ import annotations

import pytest

from qhn.learning_curves.predictors import LastValue, predictor
from qhn.search.prediction_quality import largest, lessons
from qhn.search.qubo_controls import can_refit, controls_of, energy_gap, is_qubo, solver_of
from qhn.search.report import StudyReport
from studies import done, swift

pytest.importorskip("dwave.samplers")
pytest.importorskip("sklearn")


def test_the_control_differs_in_its_solver_only() -> None:
    mine = predictor("qubo-svr", num_bits=2, options={"num_reads": 10})
    (control,) = controls_of(mine)
    assert (solver_of(mine), solver_of(control)) == ("simulated-annealing", "random")
    assert dict(control.options)["num_bits"] == 2  # type: ignore[attr-defined]
    assert "options" not in dict(control.options)  # type: ignore[attr-defined]
    assert controls_of(control) == controls_of(LastValue()) == []


@pytest.mark.parametrize(("solver", "free"), [("exact", True), ("hypernetwork", False), ("dwave", False)])
def test_no_machine_is_asked_again_for_a_report(solver: str, free: bool) -> None:
    few = 2 if solver == "exact" else 20  # as many curves as it can enumerate the bits of
    assert can_refit(predictor("qubo-svr", solver=solver, max_curves=few)) == free
    assert can_refit(LastValue())
    assert not is_qubo(LastValue())


def test_annealing_is_nearer_to_the_optimum_than_random_bits() -> None:
    mine = predictor("qubo-svr", options={"num_reads": 20})
    known = largest(lessons(done(swift(27))), most=2)
    (control,) = controls_of(mine)
    assert 0 <= energy_gap(mine, known) < 0.05 < energy_gap(control, known)


def test_the_page_says_both_gaps() -> None:
    page = StudyReport(done(swift(27, predictor("qubo-svr", options={"num_reads": 20})))).page()
    assert "by simulated-annealing, " in page
    assert "qubo-svr by random of curve" in page
    assert "relative energy gap" in page


def test_a_page_asks_no_circuit(monkeypatch: pytest.MonkeyPatch) -> None:
    study = done(swift(27, predictor("qubo-svr", options={"num_reads": 5})))
    monkeypatch.setattr("qhn.search.qubo_controls.FREE", ("random",))
    page = StudyReport(study).page()
    assert "is not cross-validated: its solver would be asked, and paid, again" in page
    assert "by simulated-annealing, " not in page
