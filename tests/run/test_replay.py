"""Runs recomputed from their bits: the same to the last bit, and otherwise as plain sums over those bits say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qhn as package
from pictures import is_drawn
from qhn import bitstrings, checksums
from qhn.backend.rehearsal import FakeDevice
from qhn.circuit.hypernetwork import hypernetwork
from qhn.config.file import load_config
from qhn.errors import RecordError
from qhn.npz import read_npz
from qhn.problem.cost import TableProblem
from qhn.run.record import Record
from qhn.run.replay import KeptShots, Replayed, replay
from qhn.run.step import Step
from qhn.run.training import train
from qhn.seeds import Key
from runs import finished
from service import Service

SMALL = {"train.shots": 60, "train.steps": 3, "ansatz.num_layers": 1, "data.samples": 40, "data.validation_samples": 30}
TILED = {
    "train.backend": "fake_jakarta",
    "network.bias": False,  # three qubits, two chains of which fit on seven
    "device.tiles": 2,
    "device.mitigation": "readout",
    "train.shot_schedule": {"first": 30, "over": 2},
    "train.max_shots": 10**6,
}
CVAR = {"train.objective": {"name": "cvar", "alpha": 0.3}}
MMD = {"train.objective": {"name": "mmd", "width": 0.3}}
ALIKE = ("theta", "value", "std_error", "mean", "mean_std_error", "best_cost", "best_bits", "distinct")
ALIKE_IF_PAID = (*ALIKE, "grad", "grad_std_error", "raw_mean", "raw_mean_std_error", "drift", "drift_std_error")


def trained(results: Path, **settings: Any) -> Record:
    return finished(load_config("figure-1", SMALL | settings), results)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Record]:
    """A run on aer, a rehearsal with mitigation, and runs on tiles that are paid for, with mitigation and without."""
    results = tmp_path_factory.mktemp("results")
    found = {"aer": trained(results), "rehearsal": trained(results / "free", **TILED)}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(FakeDevice, "paid", True)
        found["paid"] = trained(results, **TILED)
        found["plain"] = trained(results, **TILED | {"device.mitigation": "none"})
    return found


def equal(found: Replayed, step: Step, names: tuple[str, ...]) -> None:
    for name in names:
        np.testing.assert_array_equal(getattr(found, name), getattr(step, name), err_msg=f"{name} of {step.step}")


def bits_of(record: Record, step: int) -> np.ndarray:
    with np.load(record.directory / f"samples/step-{step:06d}.npz") as stored:
        return bitstrings.unpack(stored["bits"], int(stored["num_qubits"]))


def cvar(costs: np.ndarray, alpha: float) -> float:
    """The mean of the lowest ``alpha`` of the shots, of which the last may count in part."""
    lowest, whole = np.sort(costs), int(alpha * len(costs))
    return float((lowest[:whole].sum() + (alpha * len(costs) - whole) * lowest[whole]) / (alpha * len(costs)))


# ------------------------------------------------------------------------------------------------ without a change


@pytest.mark.parametrize("name", ["paid", "plain"])
def test_what_was_paid_for_is_recomputed_to_the_last_bit(name: str, runs: dict[str, Record]) -> None:
    """On tiles, with shots that grow, with readout errors pooled over the steps."""
    steps = runs[name].steps()
    assert [found.step for found in replay(runs[name])] == [0, 1, 2]
    for found, step in zip(replay(runs[name].directory), steps, strict=True):
        equal(found, step, ALIKE_IF_PAID)
    assert (steps[-1].raw_mean is None) == (name == "plain")
    assert np.abs(steps[-1].grad).max() > 0


def test_a_run_on_the_service_is_recomputed_without_it(service: Service, tmp_path: Path) -> None:
    settings = {"train.backend": "ibm_manila", "train.max_shots": 10**6, "train.steps": 2, "device.drift_every": 2}
    record = trained(tmp_path, **settings)
    asked = service.requests.total()
    for found, step in zip(replay(record), record.steps(), strict=True):
        equal(found, step, ALIKE_IF_PAID)
    assert service.requests.total() == asked
    drift = [step.drift is not None for step in record.steps()]
    assert drift == [True, False]
    first, second = record.timing()
    assert first["price_seconds"] > second["price_seconds"]
    for entry in (first, second):
        assert entry["qpu_seconds"] == pytest.approx(entry["price_seconds"], rel=1e-3)


def test_line_searches_and_spsa_are_recomputed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All evaluations of a step count, in their order, for the best bits and for the readout errors."""
    monkeypatch.setattr(FakeDevice, "paid", True)
    lbfgs = {"train.optimizer": {"name": "lbfgs", "max_line_search": 4, "force": True}}
    settings: dict[str, Any]
    for settings in (lbfgs, {"train.gradient": "spsa", "train.optimizer": "spsa"}):
        record = trained(tmp_path, **TILED | settings)
        for found, step in zip(replay(record), record.steps(), strict=True):
            equal(found, step, ALIKE_IF_PAID)
    searched = trained(tmp_path, **TILED | lbfgs)
    (searched.directory / "samples/step-000000-1.npz").unlink()
    with pytest.raises(RecordError, match=r"step-000000-1\.npz cannot be read"):
        list(replay(searched))


def test_other_runs_are_recomputed_at_the_theta_of_each_step(runs: dict[str, Record]) -> None:
    for found, step in zip(replay(runs["aer"]), runs["aer"].steps(), strict=True):
        equal(found, step, ALIKE)
        assert found.grad is None
        assert found.grad_std_error is None
    for found, step in zip(replay(runs["rehearsal"]), runs["rehearsal"].steps(), strict=True):
        assert found.mean == step.raw_mean != step.mean
        equal(found, step, ("best_cost", "best_bits", "distinct"))


# --------------------------------------------------------------------------------------------------- with a change


@pytest.mark.parametrize("name", ["aer", "plain"])
def test_cvar_is_the_mean_of_the_lowest_costs(name: str, runs: dict[str, Record]) -> None:
    record = runs[name]
    problem = record.config.problem()
    for found, step in zip(replay(record, CVAR), record.steps(), strict=True):
        costs = problem.cost(record.samples(step.step))
        assert found.mean == pytest.approx(costs.mean(), abs=1e-14)
        assert found.value == pytest.approx(cvar(costs, 0.3), abs=1e-14)
        assert found.value < found.mean
        equal(found, step, ("mean", "best_cost", "best_bits", "distinct"))


@pytest.mark.parametrize("rule", ["parameter-shift", "spsa"])
def test_the_gradient_of_angles_that_turn_several_gates_is_recomputed(
    rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeDevice, "paid", True)
    shared = {"ansatz": "qaoa", "ansatz.num_layers": 1, "train.gradient": rule, "train.steps": 1, "device.tiles": 1}
    record = trained(tmp_path, **TILED | shared)
    (step,) = record.steps()
    equal(next(replay(record)), step, ALIKE_IF_PAID)
    assert step.grad.any()


@pytest.mark.parametrize("other", [CVAR, MMD], ids=["cvar", "mmd"])
def test_the_gradient_of_another_objective_is_that_of_its_own_run(
    other: dict[str, Any], tmp_path: Path, runs: dict[str, Record]
) -> None:
    """A run that is trained on the other objective measures the same bits at its first step."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(FakeDevice, "paid", True)
        its_own = trained(tmp_path, **TILED | other | {"device.mitigation": "none", "train.steps": 1})
    (step,) = its_own.steps()
    equal(next(replay(runs["plain"], other)), step, ALIKE_IF_PAID)
    assert not np.array_equal(step.grad, runs["plain"].steps()[0].grad)


def test_mitigation_can_be_left_out_and_exchanged(runs: dict[str, Record]) -> None:
    steps = runs["paid"].steps()
    for raw, other, step in zip(
        replay(runs["paid"], {"device.mitigation": "none"}),
        replay(runs["paid"], {"device.mitigation": "mthree"}),
        steps,
        strict=True,
    ):
        assert (raw.mean, raw.mean_std_error) == (step.raw_mean, step.raw_mean_std_error)
        assert raw.raw_mean is None
        assert other.raw_mean == step.raw_mean
        assert other.mean not in (step.mean, step.raw_mean)
        assert abs(other.mean - step.mean) < 3 * step.mean_std_error
    with_cvar = CVAR | {"device.mitigation": "none"}
    assert next(replay(runs["paid"], with_cvar)).mean == steps[0].raw_mean


@pytest.mark.parametrize("name", ["aer", "plain"])
def test_another_cost_is_summed_over_the_same_bits(
    name: str, runs: dict[str, Record], rng: np.random.Generator
) -> None:
    record = runs[name]
    num_qubits = record.checkpoint().num_qubits
    table = rng.normal(size=2**num_qubits)
    ansatz, best = record.config.circuit(record.config.problem()), np.inf
    for found, step in zip(replay(record, problem=TableProblem(table)), record.steps(), strict=True):
        rows = table[bitstrings.to_integers(bits_of(record, step.step))]
        assert found.mean == pytest.approx(rows[0].mean(), abs=1e-14)
        assert found.mean_std_error == pytest.approx(rows[0].std(ddof=1) / np.sqrt(rows.shape[1]), abs=1e-14)
        if name == "plain":
            expected = np.zeros(ansatz.num_parameters)
            expected[ansatz.active] = 0.5 * (rows[1::2] - rows[2::2]).mean(axis=1)
            np.testing.assert_allclose(found.grad, expected, atol=1e-14)
        best = min(best, rows.min())
        assert found.best_cost <= best
        assert table[int(found.best_bits[::-1], 2)] == found.best_cost
        assert found.distinct == step.distinct


def test_other_data_and_another_loss_are_those_of_another_run(tmp_path: Path) -> None:
    """Recomputed from the bits alone, by the costs of a run that would have them."""
    sigmoid = {"network.activation": "sigmoid"}
    weights = {"network.class_weight": {"red": 3, "blue": 1}}
    record = trained(tmp_path, **sigmoid)
    for other in ({"data.seed": 5}, {"network.loss": "cross-entropy"}, {"network.alphabet": [-3, 1]}, weights):
        problem = load_config("figure-1", SMALL | sigmoid | other).problem()
        found = list(replay(record, other))
        for one, step in zip(found, record.steps(), strict=True):
            assert one.mean == pytest.approx(problem.cost(record.samples(step.step)).mean(), abs=1e-14)
            assert abs(one.mean - step.mean) > 1e-6
    with pytest.raises(ValueError, match="the run measured 3 qubits, the problem has 2 bits"):
        replay(record, {"network.bias": False})


# -------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"train.objective": "cvar", "train.shots": 100}, "train.shots"),
        ({"ansatz.order": "authors"}, "ansatz.order"),
        ({"train.gradient": "spsa"}, "train.gradient"),
        ({"train.backend": "fake_manila"}, "train.backend"),
        ({"train.seed": 8}, "train.seed"),
        ({"device.tiles": 1}, "device.tiles"),
    ],
)
def test_what_decides_the_bits_cannot_be_changed(settings: dict[str, Any], name: str, runs: dict[str, Record]) -> None:
    with pytest.raises(ValueError, match=rf"{name} says what is measured, and that has happened; replay can change"):
        replay(runs["plain"], settings)


def test_what_was_not_counted_is_not_corrected(runs: dict[str, Record], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no readout errors were counted in this run, so that .*'readout' cannot"):
        replay(runs["plain"], {"device.mitigation": "readout"})
    with pytest.raises(ValueError, match="takes the readout errors counted at each step, which only runs that are"):
        replay(runs["rehearsal"], {"device.mitigation": "mthree"})
    with pytest.raises(ValueError, match="corrects means, and the objective, CVaR of the lowest 30%, is none"):
        replay(runs["paid"], CVAR)
    with pytest.raises(ValueError, match="a problem of your own takes the place of data and network"):
        replay(runs["plain"], {"data.seed": 3}, TableProblem(np.zeros(8)))
    with pytest.raises(ValueError, match="the run measured 3 qubits, the problem has 2 bits"):
        replay(runs["plain"], problem=TableProblem(np.zeros(4)))
    exact = trained(tmp_path, **{"train.backend": "exact", "train.shots": "none"})
    with pytest.raises(ValueError, match="took no shots: there are no bits to replay"):
        replay(exact)
    training = train(load_config("figure-1", SMALL | {"train.seed": 3}), results=tmp_path)
    assert training.record is not None
    with pytest.raises(ValueError, match="has no complete step yet"):
        replay(training.record)


@pytest.fixture
def copy(runs: dict[str, Record], tmp_path: Path) -> Record:
    """The paid run, to be damaged."""
    source = runs["paid"].directory
    return Record.load(shutil.copytree(source, tmp_path / "results" / "figure-1" / source.name))


def test_damaged_missing_and_exchanged_bits_are_told(copy: Record) -> None:
    second, third = (copy.directory / f"samples/step-00000{step}.npz" for step in (1, 2))
    content = second.read_bytes()
    second.write_bytes(third.read_bytes())
    found = replay(copy)
    next(found)
    with pytest.raises(RecordError, match=r"step-000001\.npz cannot be read \(it holds the bits of .*step-000002\)"):
        next(found)
    second.write_bytes(content[: len(content) // 2])
    with pytest.raises(RecordError, match=r"step-000001\.npz cannot be read"):
        list(replay(copy))
    second.unlink()
    with pytest.raises(RecordError, match=r"step-000001\.npz cannot be read \(No such file or directory\)"):
        list(replay(copy))


def test_it_is_no_machine(runs: dict[str, Record]) -> None:
    machine = KeptShots(runs["paid"])
    sampler = machine.compile(hypernetwork(3, 1))
    assert (machine.name, machine.paid, sampler.circuit) == ("fake_jakarta", False, None)
    assert sampler.describe()["method"] == "kept bits"
    with pytest.raises(RecordError, match="other angles, or with other shots"):
        sampler.sample(np.zeros((1, 12)), 30, Key(7))


# ------------------------------------------------------------------------------------------------ the command line


def test_the_command_says_whether_the_record_agrees(copy: Record, qhn) -> None:
    before = {path: path.read_bytes() for path in copy.directory.rglob("*") if path.is_file()}
    result = qhn("replay", copy.directory.name)
    assert result.code == 0
    words = "all 3 steps agree with the record: E, its gradient and the best network follow from the bits again\n"
    assert result.out == words
    assert {path: path.read_bytes() for path in copy.directory.rglob("*") if path.is_file()} == before
    path = copy.directory / "samples/step-000001.npz"
    content = path.read_bytes()
    arrays = read_npz(path)
    arrays["bits"][0, 0] ^= 0b10000000  # qubit 0 of the first shot at θ
    path.write_bytes(checksums.arrays(**arrays))
    result = qhn("replay", copy.directory.name)
    assert result.code == 2
    assert "step 1 does not agree with its bits in mean: 0." in result.err
    assert "Traceback" not in result.err
    path.write_bytes(content[:300] + bytes([content[300] ^ 1]) + content[301:])
    result = qhn("replay", copy.directory.name)
    assert result.code == 2
    assert "step-000001.npz cannot be read (it was changed after it was written" in result.err


def test_a_record_of_shots_agrees_with_its_own_bits_and_refuses_what_they_do_not_tell(tmp_path: Path, qhn) -> None:
    record = trained(tmp_path, **MMD)
    for found, step in zip(replay(record), record.steps(), strict=True):
        equal(found, step, ALIKE)
        assert step.std_error > 0
    assert "all 3 steps agree" in qhn("replay", str(record.directory)).out
    refused = qhn("replay", str(record.directory), "--set", "train.objective=elbo")
    assert (refused.code, refused.out) == (2, "")
    assert "take objective 'mmd', or a machine without shots" in refused.err


def test_other_runs_agree_as_far_as_they_keep_bits(runs: dict[str, Record], qhn) -> None:
    words = "all 3 steps agree with the record: E and the best network follow from the bits again; the bits of"
    assert words in qhn("replay", str(runs["aer"].directory)).out
    assert "E without mitigation and the best" in qhn("replay", str(runs["rehearsal"].directory)).out


@pytest.mark.pictures
def test_changes_are_a_table_and_a_picture_with_its_data(copy: Record, qhn) -> None:
    words = ("replay", copy.directory.name, "--set", "device.mitigation=none")
    result = qhn(*words, "--set", "train.objective={name='cvar', alpha=0.3}")
    assert result.code == 0, result.err
    head, *lines = result.out.splitlines()
    assert "CVaR of the lowest 30%" in head
    assert [line.split()[0] for line in lines[:3]] == ["0", "1", "2"]
    png, csv = (Path(line) for line in lines[-2:])
    assert is_drawn(png)
    assert csv.parent == copy.directory / "figures"
    table = np.genfromtxt(csv, delimiter=",", names=True)
    steps = copy.steps()
    np.testing.assert_array_equal(table["recorded"], [step.mean for step in steps])
    np.testing.assert_array_equal(table["mean"], [step.raw_mean for step in steps])
    assert (table["objective"] < table["mean"]).all()
    other = qhn(*words)
    assert other.out.splitlines()[-1] != str(csv)  # another change has another name


def test_json_has_one_object_a_step(copy: Record, qhn) -> None:
    lines = [json.loads(line) for line in qhn("replay", copy.directory.name, "--json").out.splitlines()]
    assert [line["mean"] for line in lines] == [step.mean for step in copy.steps()]
    assert lines[0]["grad"] == copy.steps()[0].grad.tolist()
    refused = qhn("replay", copy.directory.name, "--set", "train.shots=70")
    assert (refused.code, refused.out) == (2, "")
    assert "train.shots says what is measured" in refused.err


def test_it_is_public() -> None:
    assert package.replay is replay
    assert package.Replayed is Replayed
