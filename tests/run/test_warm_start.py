"""Angles of one run as the beginning of another: taken as they are, or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from qiskit.quantum_info import Statevector

from qhn.arrays import Bits, Floats
from qhn.backend import open_backend
from qhn.circuit.hypernetwork import hypernetwork, product_state
from qhn.config import RunConfig
from qhn.config.file import load_config, with_settings
from qhn.estimator.exact import ExactEstimator
from qhn.estimator.sampling import SamplingEstimator
from qhn.problem.cost import TableProblem
from qhn.problem.landscape import enumerate_costs
from qhn.run.directories import run_directories
from qhn.run.record import Record
from qhn.run.training import train
from qhn.run.warm_start import AfterBrick, angles_of, begun_at, in_last_block, warm_started

EXACT = {"train.backend": "exact"}


@pytest.fixture
def trained(small_config: RunConfig) -> Record:
    training = train(with_settings(small_config, EXACT))
    list(training)
    training.close()
    assert training.record is not None
    return training.record


def test_a_run_begins_where_another_was_last_measured(trained: Record, small_config: RunConfig, tmp_path: Path) -> None:
    config = with_settings(small_config, {"train.initial": angles_of(trained, small_config)})
    assert config.run_id != small_config.run_id
    training = train(config)
    step = next(training)
    training.close()
    np.testing.assert_array_equal(step.theta, trained.steps()[-1].theta)
    assert training.record is not None
    again = Record.load(training.record.directory).config
    assert again.train.initial.name == "run"
    assert again.train.initial.run == trained.config.run_id
    assert again.run_id == config.run_id


def test_only_the_angles_name_the_run(trained: Record, small_config: RunConfig) -> None:
    angles = angles_of(trained, small_config)
    renamed = with_settings(small_config, {"train.initial": angles | {"run": "elsewhere"}})
    moved = with_settings(small_config, {"train.initial": angles | {"theta": [0.5, *angles["theta"][1:]]}})
    original = with_settings(small_config, {"train.initial": angles})
    assert renamed.run_id == original.run_id != moved.run_id


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ansatz.order": "authors"}, "order eq5, this one authors: .* no conversion is known"),
        ({"ansatz.num_layers": 2}, "num_layers 1, this one 2"),
        ({"ansatz": "iqp"}, "trains the ansatz hypernetwork, this one the ansatz iqp: .* a run of the same circuit"),
        ({"ansatz": {"qasm": "OPENQASM 3.0;"}}, "this one a circuit of its own: its angles mean something else here"),
        ({"network.bias": False}, "num_qubits 4, this one 3"),
        ({"network.alphabet": [0, 1]}, "other networks"),
    ],
)
def test_angles_that_mean_something_else_are_refused(
    settings: dict[str, object], message: str, trained: Record, small_config: RunConfig
) -> None:
    with pytest.raises(ValueError, match=message):
        angles_of(trained, with_settings(small_config, settings))


def test_a_wrong_number_of_angles_is_refused_before_anything_is_written(small_config: RunConfig) -> None:
    config = with_settings(small_config, {"train.initial": {"name": "run", "run": "x", "theta": [0.0, 1.0]}})
    with pytest.raises(ValueError, match="x has 2 angles, the circuit takes 16"):
        train(config)
    assert not Path("results").exists()


# ------------------------------------------------------------------------------------------- trained on this computer


@pytest.mark.parametrize("order", ["eq5", "authors"])
def test_a_product_state_before_the_last_brick_is_the_circuits_own(order: str, rng: np.random.Generator) -> None:
    """Its distribution by Qiskit's statevector is that of the product state, relabelled by the brick."""
    ansatz, product = hypernetwork(5, 2, order), product_state(5)
    theta = rng.uniform(0, 6, product.num_parameters)
    found, alone = (
        Statevector(one.circuit.assign_parameters(at)).probabilities()
        for one, at in ((ansatz, in_last_block(ansatz, theta)), (product, theta))
    )
    np.testing.assert_allclose(found[ansatz.relabelled], alone, atol=1e-12)
    table = TableProblem(rng.random(32))
    moved = enumerate_costs(AfterBrick(table, ansatz))
    assert moved @ alone == pytest.approx(table.costs @ found, abs=1e-12)


@pytest.mark.parametrize(("kind", "first"), [("ideal", "exact"), ("product", "exact")])
def test_training_here_gives_the_first_angles(kind: str, first: str, small_config: RunConfig, tmp_path: Path) -> None:
    """At no shot: the device begins where the recorded training without shots ended, in the ideal circuit's E too."""
    config, told = with_settings(small_config, {"train.backend": "fake_manila", "train.seed": 4}), list[str]()
    warm = warm_started(config, kind, results=tmp_path, tell=told.append)
    (record,) = [Record.load(path) for path in run_directories(tmp_path)]
    assert record.config.train.backend == first
    assert record.last_step().shots == 0
    assert warm.train.initial.run == record.config.run_id
    exact = ExactEstimator(config.circuit(config.problem()), config.problem())
    theta = config.initial_theta(config.circuit(config.problem()))
    began, ended = exact(theta).mean, exact(warm.initial_theta(config.circuit(config.problem()))).mean
    assert ended == pytest.approx(record.last_step().mean, abs=1e-12)
    assert ended < began
    assert warm.model_copy(update={"train": config.train}) == config
    assert warm.train.optimizer.learning_rate == config.train.optimizer.learning_rate / 10
    assert len(told) == 2
    assert f"{len(record.steps())} gradients here" in told[1]
    assert warm_started(config, kind, results=tmp_path) == warm  # taken over, not trained again
    assert len(run_directories(tmp_path)) == 1


def test_many_qubits_are_trained_as_a_matrix_product_of_samples(small_config: RunConfig, tmp_path: Path) -> None:
    """Beyond what can be enumerated; the problem is a Python object here, with a digest."""

    class Ones:
        num_qubits = 30
        digest = "ones"
        cost_range = (0.0, 30.0)

        def cost(self, bits: Bits) -> Floats:
            return bits.sum(axis=-1).astype(float)

    train = {"backend": "fake_torino", "seed": 1, "shots": 20}
    config = RunConfig(experiment="ones", ansatz={"num_layers": 1}, train=train).given(Ones())
    for kind in ("ideal", "product"):
        warm = warm_started(config, kind, problem=Ones(), results=tmp_path)
        estimator = SamplingEstimator(config.circuit(Ones()), Ones(), open_backend("exact"), shots=200)
        began, ended = (estimator(one.initial_theta(config.circuit(Ones()))).mean for one in (config, warm))
        assert ended < 3 < 10 < began


def test_a_learning_rate_that_was_set_stays(small_config: RunConfig, trained: Record) -> None:
    """Unless it is set, it becomes a tenth of the default, whose first steps would lose what was trained."""
    initial = angles_of(trained, small_config)
    for settings, rate in (({}, 0.05), ({"train.optimizer.learning_rate": 0.3}, 0.3)):
        config = begun_at(with_settings(small_config, settings), initial)
        assert config.train.optimizer.learning_rate == pytest.approx(rate)
        assert config.train.optimizer.decay_steps == small_config.train.optimizer.decay_steps
    earlier = load_config("figure-1", {"train.shots": 60}, naming=1)
    assert begun_at(earlier, initial).train.optimizer == earlier.train.optimizer  # whose default rate was small
    assert begun_at(with_settings(small_config, {"train.optimizer": "sgd"}), initial).train.optimizer.name == "sgd"


def test_of_a_warm_start_at_the_command_line(qhn) -> None:
    words = ("run", "figure-1", "--backend", "fake_manila", "--steps", "2")
    found = qhn(*words, "--warm-start", "ideal")
    assert found.code == 0, found.err
    assert found.err.startswith("warm start: ideal circuit of 4 qubits, trained here\nwarm start: run ")
    assert "begun at the last angles of run" in found.out
    for more, message in (
        (("--warm-start", "cold"), "a warm start is ideal or product, got 'cold'"),
        (("--warm-start", "ideal", "--init-from", "x"), "--init-from and --warm-start both give the first angles"),
    ):
        refused = qhn(*words, *more)
        assert (refused.code, message in refused.err) == (2, True), refused.err
