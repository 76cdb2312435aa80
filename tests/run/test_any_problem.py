"""A cost of the user's own: any object with num_qubits and cost(bits) is trained, recorded, resumed and shown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import qhn as package
from qhn.config import RunConfig
from qhn.report.page import Report
from qhn.run.record import Record

CONFIG = RunConfig(experiment="spins", ansatz={"num_layers": 1}, train={"backend": "aer", "shots": 60, "steps": 4})
COUPLINGS = np.random.default_rng(4).normal(size=(5, 5))


class Spins:
    """An Ising energy, with nothing but what is required."""

    num_qubits = 5
    calls = 0

    def cost(self, bits: np.ndarray) -> np.ndarray:
        self.calls += 1
        spins = 2.0 * np.asarray(bits) - 1
        return np.einsum("...i,ij,...j->...", spins, COUPLINGS, spins)


class KnownSpins(Spins):
    """The same with words, and a digest by which it is known again."""

    digest = "0b5e"
    noun = "spin state"

    def summary(self) -> str:
        return "qubit j  spin j"

    def describe(self, bits: np.ndarray) -> list[str]:
        return ["spins " + "".join("+" if bit else "-" for bit in bits)]


def trained(problem: object, results: Path, config: RunConfig = CONFIG) -> Record:
    training = package.train(config, problem=problem, results=results)
    steps = list(training)
    training.close()
    assert [step.step for step in steps] == list(range(config.train.steps))
    assert training.record is not None
    return training.record


@pytest.mark.parametrize("train", [{"backend": "aer", "shots": 60}, {"backend": "exact"}, {"backend": "fake_manila"}])
def test_it_is_trained_as_a_table_of_the_same_costs_is(train: dict[str, object], tmp_path: Path) -> None:
    """The same steps to the last bit, wherever they are made; but only of the table is the range of costs known."""
    config = CONFIG.model_copy(update={"train": RunConfig(train=train | {"steps": 3}).train})
    table = package.TableProblem(package.enumerate_costs(Spins()))
    own, tabled = trained(Spins(), tmp_path, config), trained(table, tmp_path, config)
    steps = [[replace(step, mean_interval=None).to_json() for step in record.steps()] for record in (own, tabled)]
    assert steps[0] == steps[1]
    known = [all(step.mean_interval for step in record.steps()) for record in (own, tabled)]
    assert known == [False, config.train.shots is not None]


def test_a_problem_with_a_digest_is_resumed_as_if_never_interrupted(tmp_path: Path) -> None:
    whole = trained(KnownSpins(), tmp_path / "whole")
    training = package.train(CONFIG, problem=KnownSpins(), results=tmp_path)
    next(training), next(training)
    training.close()
    resumed = trained(KnownSpins(), tmp_path)  # by the same call
    assert resumed.directory == training.record.directory
    assert (resumed.directory / "steps.jsonl").read_bytes() == (whole.directory / "steps.jsonl").read_bytes()
    longer = package.resume(resumed.directory, {"train.steps": 6}, problem=KnownSpins())
    assert len(list(longer)) == 6
    longer.close()


def test_another_problem_or_none_is_refused_and_nothing_is_changed(tmp_path: Path) -> None:
    record = trained(KnownSpins(), tmp_path)
    before = {path: path.read_bytes() for path in record.directory.rglob("*") if path.is_file()}
    other = package.TableProblem(np.arange(32.0))
    for problem, message in ((None, "a KnownSpins, a Python object; give it"), (other, "with digest 0b5e, the one")):
        with pytest.raises(ValueError, match=message):
            package.resume(record.directory, problem=problem)
    on_data = package.train(package.load_config("figure-1", {"train.steps": 1}), results=tmp_path)
    on_data.close()
    with pytest.raises(ValueError, match="is in its configuration"):
        package.resume(on_data.record.directory, problem=other)
    assert before == {path: path.read_bytes() for path in before}


def test_without_a_digest_every_call_begins_a_run_and_the_page_says_so(tmp_path: Path) -> None:
    one, other = trained(Spins(), tmp_path), trained(Spins(), tmp_path)
    assert one.directory != other.directory
    assert "Spins, without a digest: the run cannot be resumed" in Report(one).summary()
    with pytest.raises(ValueError, match="has no digest"):
        package.resume(one.directory, problem=Spins())


def test_page_and_pictures_come_from_the_record_alone(tmp_path: Path, qhn) -> None:
    """In the problem's words; its code is not run, and what the record does not know is left out."""
    record = trained(KnownSpins(), tmp_path)
    best = json.loads((record.directory / "best.json").read_text())
    page = qhn("show", str(record.directory))
    assert page.code == 0
    assert "problem     KnownSpins, digest 0b5e" in page.out
    assert f"best sampled spin state, bits {best['bits']} (qubit 0 first)\n  {best['spin state'][0]}" in page.out
    assert best["cost"] == pytest.approx(float(KnownSpins().cost([int(bit) for bit in best["bits"]])))
    assert "random ones" not in page.out
    assert "best C of as many random ones" in Report(record, KnownSpins()).summary()
    drawn = qhn("report", str(record.directory))
    assert drawn.code == 0
    drawn = {path.name for path in (record.directory / "figures").glob("*.png")}
    assert drawn == {"training.png", "costs.png", "curvature.png"}
    refused = qhn("resume", str(record.directory))
    assert (refused.code, "from Python" in refused.err) == (2, True)


def test_a_table_is_kept_as_the_data_of_the_run(tmp_path: Path) -> None:
    costs = package.enumerate_costs(Spins())
    record = trained(package.TableProblem(costs), tmp_path)
    np.testing.assert_array_equal(np.load(record.directory / "landscape.npy"), costs)
    assert f"optimum C*                      {costs.min():.6g}" in Report(record).summary()


def test_it_is_replayed_with_its_own_cost(tmp_path: Path) -> None:
    record = trained(KnownSpins(), tmp_path)
    found = [step.mean for step in package.replay(record, problem=KnownSpins())]
    assert found == [step.mean for step in record.steps()]
    with pytest.raises(ValueError, match="a Python object"):
        list(package.replay(record))


@pytest.mark.parametrize("problem", [object(), type("Odd", (), {"num_qubits": 0, "cost": len})()])
def test_what_is_no_problem_is_refused_before_anything_is_written(problem: object, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a problem needs num_qubits, a number of at least 1, and a method cost"):
        package.train(CONFIG, problem=problem, results=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_configuration_that_names_no_problem_is_refused() -> None:
    with pytest.raises(ValueError, match="give it as problem=…"):
        package.train(CONFIG, record=False)
    with pytest.raises(ValueError, match=r"unknown key instance"):
        package.load_config("figure-1", {"instance.type": "Mine"})
