"""The curvature on a run's page and in its figure, for every kind of run."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from pictures import is_drawn
from qhn.carleman.spectrum import exact_spectrum
from qhn.config import RunConfig
from qhn.config.file import with_settings
from qhn.estimator.exact import ExactEstimator
from qhn.report import curvature
from qhn.report.page import Report
from qhn.run.training import train
from runs import finished


def report_on(config: RunConfig, results: Path, **settings: Any) -> Report:
    names = {name.replace("__", "."): value for name, value in settings.items()}
    return Report(finished(with_settings(config, names), results))


def line(page: str, name: str) -> str:
    (found,) = (line for line in page.splitlines() if line.startswith(f"  {name}"))
    return found.removeprefix(f"  {name}").strip()


def columns(path: Path) -> dict[str, np.ndarray]:
    with path.open() as file:
        names, *rows = csv.reader(file)
    values = ([float(cell) if cell else np.nan for cell in column] for column in zip(*rows, strict=True))
    return dict(zip(names, map(np.array, values), strict=True))


@pytest.mark.pictures
def test_a_run_with_shots_states_what_it_measured(small_config: RunConfig, tmp_path: Path) -> None:
    report = report_on(small_config, tmp_path)
    page, last = report.summary(), report.steps[-1]
    assert last.hessian_diag is not None
    digits = line(page, "trace of the Hessian").partition(" ± ")[0]
    assert float(digits) == pytest.approx(last.hessian_diag.sum(), abs=0.06)
    assert line(page, "sum of positive eigenvalues").endswith("by the diagonal, with 95 %")
    assert "eigenvalues of the ideal circuit" in line(page, "exact Hessian")
    assert line(page, "along step 2")
    (path,) = (path for path in report.figures() if path.name == "curvature.png")
    assert is_drawn(path)
    found = columns(path.with_suffix(".csv"))
    np.testing.assert_allclose(found["trace"], [step.hessian_diag.sum() for step in report.steps])  # type: ignore[union-attr]
    np.testing.assert_allclose(found["trace_std_error"], [step.trace_std_error for step in report.steps])
    assert np.isfinite(found["along_curvature"][:-1]).all()
    assert np.isnan(found["along_curvature"][-1])


@pytest.mark.pictures
def test_an_exact_run_shows_the_exact_hessian(small_config: RunConfig, tmp_path: Path) -> None:
    report = report_on(small_config, tmp_path, train__backend="exact", train__shots="none")
    page, ansatz = report.summary(), report.ansatz
    hessian = ExactEstimator(ansatz, report.problem).hessian(report.steps[-1].theta)
    spectrum = exact_spectrum(hessian[np.ix_(ansatz.active, ansatz.active)])
    assert line(page, "trace of the Hessian") == f"{np.trace(hessian):.6g}, 12 angles"
    assert f"{spectrum.eigenvalues[0]:.3g} to {spectrum.eigenvalues[-1]:.3g}" in line(page, "exact Hessian")
    assert "%" not in line(page, "largest, smallest eigenvalue")
    (path,) = (path for path in report.figures() if path.name == "curvature.png")
    found = columns(path.with_suffix(".csv"))
    np.testing.assert_allclose(found["exact_positive_mass"] - found["exact_negative_mass"], found["trace"], atol=1e-12)
    assert (found["positive_mass"] <= found["exact_positive_mass"] + 1e-12).all()
    assert (found["along_std_error"][:-1] == 0).all()


@pytest.mark.parametrize(
    ("settings", "diagonal", "along"),
    [
        ({"train__gradient": "spsa"}, "spsa measures no second derivatives", "a random part of the gradient"),
        ({"train__objective": "cvar"}, "the rows of cvar give no second derivatives", "a step of cvar depends on"),
        ({"train__optimizer": "sinusoid"}, None, "a step of sinusoid depends on the E that it starts from"),
    ],
)
def test_what_is_not_known_is_said(
    settings: dict[str, Any], diagonal: str | None, along: str, small_config: RunConfig, tmp_path: Path
) -> None:
    page = report_on(small_config, tmp_path, **settings).summary()
    assert along in line(page, "along the steps")
    if diagonal:
        assert diagonal in line(page, "second derivatives")
        assert "sum of positive" not in page
    else:
        assert line(page, "trace of the Hessian")


def test_noise_without_shots_gives_an_exact_diagonal(small_config: RunConfig, tmp_path: Path) -> None:
    report = report_on(small_config, tmp_path, train__backend="depolarising", train__shots="none")
    assert "±" not in line(report.summary(), "trace of the Hessian")
    assert report.curvature.diagonals[0].is_exact


def test_a_hessian_that_takes_long_is_left_out(
    small_config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = report_on(small_config, tmp_path, train__backend="exact", train__shots="none")
    monkeypatch.setattr(curvature, "MOST_WORK", 1.0)
    page = report.summary()
    assert "an exact Hessian takes 24 gradients" in line(page, "second derivatives")
    assert "exact Hessian  " not in page
    assert "along all steps" in page


def test_a_record_of_an_older_version_is_shown_without_errors(small_config: RunConfig, tmp_path: Path) -> None:
    report = report_on(small_config, tmp_path)
    for step in report.steps:
        object.__setattr__(step, "hessian_diag_std_error", None)
        object.__setattr__(step, "trace_std_error", None)
    page = report.summary()
    assert line(page, "trace of the Hessian").endswith("± ?, 12 angles")
    assert "this record holds no errors" in line(page, "bounds by the diagonal")
    assert all(path.exists() for path in report.figures())


def test_where_angles_turn_several_gates_no_sinusoid_is_assumed(small_config: RunConfig, tmp_path: Path) -> None:
    angle, circuit = Parameter("a"), QuantumCircuit(4)
    for qubit in range(4):
        circuit.ry(angle, qubit)
    circuit.cx(0, 1)
    circuit.ry(Parameter("b"), 1)
    for shots in (50, "none"):
        settings = {"train.backend": "exact", "train.shots": shots}
        config = with_settings(small_config, settings)
        training = train(config, ansatz=circuit, results=tmp_path)
        list(training)
        assert training.record is not None
        page = Report(training.record).summary()
        assert "inactive angles" not in page
        if shots == "none":
            assert line(page, "trace of the Hessian").endswith("2 angles")
        else:
            assert "an angle turns several gates" in line(page, "second derivatives")
        assert "eigenvalues" in line(page, "exact Hessian")


def test_a_saddle_diverges_at_any_learning_rate() -> None:
    saddle, bowl = (curvature._verdict(exact_spectrum(np.diag([2.0, other]))) for other in (-0.5, 0.5))
    assert saddle == "gradient descent: divergent at any η, by the negative eigenvalues"
    assert bowl == "gradient descent with η below 2/λmax = 1: dissipative"
