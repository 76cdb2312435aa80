from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qhn import ExactEstimator, RunConfig, load_config, train
from qhn.errors import RecordError
from qhn.optimize.lbfgs import descend
from qhn.sweep.batch import Batch, BatchState, can_advance_together

EXACT = {"train.backend": "exact", "train.steps": 25, "ansatz.num_layers": 1, "data.samples": 60}
OPTIMIZERS = ["lbfgs", "adam", "sgd", "spsa"]
CVAR = {"name": "cvar", "alpha": 0.7}  # with a smaller share all members converge at once
OBJECTIVES = ["mean", CVAR]


def configs(count: int, settings: dict[str, object]) -> list[RunConfig]:
    return [load_config("figure-1", EXACT | settings | {"train.seed": seed}) for seed in range(count)]


def content(state: BatchState) -> dict[str, tuple[object, ...]]:
    """Everything in a state, byte for byte."""
    return {name: (array.dtype.str, array.shape, array.tobytes()) for name, array in state.arrays().items()}


def through_a_file(state: BatchState, path: Path) -> BatchState:
    state.save(path)
    return BatchState.load(path)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam", "sgd"])
@pytest.mark.parametrize("objective", [*OBJECTIVES, "elbo", "mmd"], ids=["mean", "cvar", "elbo", "mmd"])
def test_each_member_takes_the_steps_of_its_own_run(optimizer: str, objective: Any) -> None:
    members = configs(3, {"train.optimizer": optimizer, "train.objective": objective})
    batch = Batch(members)
    state = batch.advance(batch.begin())
    assert state.run_ids.tolist() == [config.run_id for config in members]
    for row, config in enumerate(members):
        steps = list(train(config, record=False))
        last = state.num_steps[row] - 1
        assert last + 1 <= len(steps)  # L-BFGS also ends when a step lowers E by less than rounding
        np.testing.assert_allclose(state.mean[row, : last + 1], [s.mean for s in steps[: last + 1]], atol=1e-9)
        assert state.validation is not None
        np.testing.assert_allclose(state.validation[row, last], steps[last].validation, atol=1e-9)
        np.testing.assert_allclose(state.theta[row], steps[last].theta, atol=1e-5)
        np.testing.assert_allclose(state.value[row], steps[last].value, atol=1e-9)
        np.testing.assert_allclose(state.grad[row], steps[last].grad, atol=1e-5)


def test_lbfgs_takes_the_steps_of_descend_byte_for_byte() -> None:
    """The rules by which a row ends stand in both, since the state of ``descend`` cannot be kept."""
    settings = {"train.optimizer": "lbfgs", "train.steps": 200, "ansatz.num_layers": 2}
    batch = Batch(configs(30, settings))
    state = batch.begin()
    limits = {"max_steps": 199, "tolerance": batch.configs[state.run_ids[0]].train.tolerance}
    for number, expected in enumerate(descend(batch.estimator.value_and_grad, state.theta, **limits)):
        state = batch.advance(state, until=number + 1)
        np.testing.assert_array_equal(state.num_steps, expected.num_steps + 1)
        np.testing.assert_array_equal(state.num_gradients, expected.num_evaluations)
        np.testing.assert_array_equal(state.converged, expected.converged)
        for name in ("theta", "value", "grad"):
            assert getattr(state, name).tobytes() == getattr(expected, name).tobytes()
    assert state.ended.all() or number == 199
    assert len(set(state.num_steps.tolist())) > 3  # members ended at different steps
    assert content(batch.advance(state)) == content(state)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("objective", OBJECTIVES, ids=["mean", "cvar"])
def test_a_batch_goes_on_after_a_pause_as_if_there_had_been_none(
    optimizer: str, objective: Any, tmp_path: Path
) -> None:
    members = configs(6, {"train.optimizer": optimizer, "train.objective": objective})
    batch = Batch(members)
    whole = batch.advance(batch.begin())
    assert 12 <= whole.mean.shape[1] == whole.num_steps.max() <= 25
    for pauses in ([0], [1], [2, 11], [24, 25], range(26)):
        state = batch.begin()
        for until in pauses:
            before = content(state)
            paused = batch.advance(state, until)
            assert content(state) == before  # a state is a value
            assert paused.mean.shape == (6, min(until, whole.num_steps.max()))
            state = through_a_file(paused, tmp_path / "state.npz")
            assert content(state) == content(paused)
        assert content(Batch(members).advance(state)) == content(whole)


def test_members_that_end_at_different_steps_do_not_mind_pauses(tmp_path: Path) -> None:
    settings = {"train.optimizer": "lbfgs", "train.steps": 200, "ansatz.num_layers": 2}
    batch = Batch(configs(12, settings))
    whole = batch.advance(batch.begin())
    assert len(set(whole.num_steps.tolist())) > 3
    assert whole.mean.shape[1] == whole.num_steps.max()
    for pause in (1, int(whole.num_steps.min()), int(np.median(whole.num_steps)), int(whole.num_steps.max()), 200):
        paused = through_a_file(batch.advance(batch.begin(), pause), tmp_path / "state.npz")
        assert content(batch.advance(paused)) == content(whole)


def test_a_converged_member_stays_where_it_is_with_gradient_descent() -> None:
    batch = Batch(configs(6, {"train.optimizer": "adam", "train.steps": 60, "train.tolerance": 0.02}))
    whole = batch.advance(batch.begin())
    assert 0 < whole.converged.sum() < 6 or len(set(whole.num_steps.tolist())) > 1
    state = batch.begin()
    for until in range(1, 61):
        before, state = state, batch.advance(state, until)
        for name in ("theta", "value", "num_steps", "num_gradients"):
            assert (getattr(state, name)[before.ended] == getattr(before, name)[before.ended]).all()
    assert content(state) == content(whole)
    for row, last in enumerate(whole.num_steps - 1):
        assert (whole.mean[row, last:] == whole.mean[row, last]).all()
        assert whole.converged[row] == (np.abs(whole.grad[row]).max() <= 0.02)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_a_member_that_has_ended_stays_so_whatever_its_gradient_is(optimizer: str) -> None:
    settings = {"train.optimizer": optimizer, "train.steps": 60}
    loose, strict = Batch(configs(6, settings | {"train.tolerance": 0.05})), Batch(configs(6, settings))
    state = loose.begin()
    while not state.ended.any():
        state = loose.advance(state, until=state.mean.shape[1] + 1)
    assert not state.ended.all()
    state = replace(state, value=np.where(state.ended, 7.0, state.value))
    later = strict.advance(state)
    assert (later.num_steps > state.num_steps).tolist() == (~state.ended).tolist()
    ended = np.flatnonzero(state.ended)
    for name in ("theta", "next_theta", "value", "grad", "converged", "ended", "num_gradients"):
        np.testing.assert_array_equal(getattr(later, name)[ended], getattr(state, name)[ended])


class TurnsWrong:
    """An estimator whose gradient points downhill after some calls, so that no line search succeeds."""

    def __init__(self, estimator: ExactEstimator, good_calls: int) -> None:
        self.estimator, self.left = estimator, good_calls
        self.objective = estimator.objective

    def value_and_grad(self, thetas: Any) -> Any:
        self.left -= 1
        found = self.estimator.value_and_grad(thetas)
        return found if self.left >= 0 else replace(found, value=found.value + 1 - self.left, grad=-found.grad)


def test_a_member_that_finds_no_descent_ends_without_having_converged() -> None:
    batch = Batch(configs(4, {"train.optimizer": "lbfgs"}))
    state, exact = batch.begin(), batch.estimator
    expected = list(descend(TurnsWrong(exact, 5).value_and_grad, state.theta, max_steps=24, tolerance=1e-6))[-1]
    batch.estimator = TurnsWrong(exact, 5)
    state = batch.advance(state)
    assert state.ended.all()
    assert not state.converged.any()
    for name in ("theta", "value", "grad", "converged"):
        np.testing.assert_array_equal(getattr(state, name), getattr(expected, name))
    np.testing.assert_array_equal(state.num_steps, expected.num_steps + 1)
    np.testing.assert_array_equal(state.num_gradients, expected.num_evaluations)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("objective", OBJECTIVES, ids=["mean", "cvar"])
@pytest.mark.parametrize("pause", [0, 1, 9])
def test_members_go_on_without_the_others(optimizer: str, objective: Any, pause: int, tmp_path: Path) -> None:
    """Byte for byte where members are evaluated one by one, as of a CVaR; else matrix products round differently."""
    settings = {"train.optimizer": optimizer, "train.objective": objective}
    if optimizer == "sgd":
        settings["train.optimizer"] = {"name": "sgd", "learning_rate": 0.1}  # the default one is chaotic here
    batch = Batch(configs(8, settings))
    whole = batch.advance(batch.begin())
    paused = batch.advance(batch.begin(), pause)
    for left in ([6, 1, 3], [5]):
        chosen = paused.select(left)
        assert chosen.run_ids.tolist() == whole.run_ids[left].tolist()
        alone = Batch([batch.configs[name] for name in chosen.run_ids.tolist()])
        ended = alone.advance(through_a_file(chosen, tmp_path / "state.npz"))
        assert content(ended) == content(batch.advance(chosen))  # whether the batch knows of the others
        expected = whole.select(left)
        for name in ("num_steps", "num_gradients", "converged", "ended"):
            np.testing.assert_array_equal(getattr(ended, name), getattr(expected, name))
        if objective != "mean":
            for name in ("theta", "next_theta", "value", "grad"):
                assert getattr(ended, name).tobytes() == getattr(expected, name).tobytes()
        np.testing.assert_allclose(ended.theta, expected.theta, atol=1e-8)
        np.testing.assert_allclose(ended.value, expected.value, atol=1e-10)
        for name in ("mean", "validation"):
            curves, longer = getattr(ended, name), getattr(expected, name)
            np.testing.assert_allclose(curves, longer[:, : curves.shape[1]], atol=1e-10)
            assert (longer[:, curves.shape[1] :] == longer[:, -1:]).all()  # they had all ended, the others had not


def test_members_are_selected_by_place_or_by_truth() -> None:
    batch = Batch(configs(4, {"train.optimizer": "lbfgs"}))
    state = batch.advance(batch.begin(), 3)
    assert len(state) == 4
    assert content(state.select([1, 3])) == content(state.select([False, True, False, True]))
    assert content(state.select(range(4))) == content(state)
    nobody = state.select([])
    assert len(nobody) == 0
    assert batch.advance(nobody).mean.shape == (0, 3)
    assert batch.most_probable(nobody).shape == (0, 4)
    for wrong in ([4], [True, False]):
        with pytest.raises(IndexError):
            state.select(wrong)


def test_what_is_said_of_the_end_is_so() -> None:
    members = configs(8, {"train.optimizer": "lbfgs", "train.steps": 200, "data.validation_samples": 0})
    batch = Batch(members)
    state = batch.advance(batch.begin())
    assert state.validation is None
    assert (state.mean[:, 1:] <= state.mean[:, :-1] + 1e-12).all()
    problem = members[0].problem()
    ansatz = members[0].circuit(members[0].problem())
    exact = ExactEstimator(ansatz, problem)
    np.testing.assert_allclose(exact(state.theta).mean, state.mean[:, -1], atol=1e-12)
    probabilities = exact.distribution.probabilities(state.theta)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), batch.most_probable(state) @ (1 << np.arange(4)))
    np.testing.assert_allclose(exact.distribution.entropy(state.theta), batch.entropy(state))
    flat = np.abs(exact.value_and_grad(state.theta).grad).max(axis=1) <= 1e-6
    assert state.converged[flat].all()
    assert (state.num_gradients >= state.num_steps).all()


def test_before_the_first_step_nothing_is_known_but_the_initial_angles() -> None:
    members = configs(2, {"train.optimizer": "adam"})
    batch = Batch(members)
    state = batch.begin()
    ansatz = members[0].circuit(members[0].problem())
    np.testing.assert_array_equal(state.theta, [config.initial_theta(ansatz) for config in members])
    assert np.isnan(state.value).all()
    assert np.isnan(state.grad).all()
    assert (state.mean.shape, state.num_steps.tolist()) == ((2, 0), [0, 0])
    assert content(batch.advance(state, until=0)) == content(state)


def test_a_run_may_get_more_steps_than_it_was_to_have() -> None:
    settings = {"train.optimizer": "lbfgs"}
    short, long = Batch(configs(3, settings | {"train.steps": 4})), Batch(configs(3, settings))
    state = short.advance(short.begin())
    assert content(long.advance(state)) == content(long.advance(long.begin()))
    assert content(short.advance(long.advance(state), until=2)) == content(long.advance(state))  # nothing is undone


def test_only_one_circuit_on_one_problem_goes_together() -> None:
    first = configs(1, {})[0]
    for other in ({"ansatz.num_layers": 2}, {"data.seed": 2}, {"train.steps": 26}, {"train.optimizer": "sgd"}):
        with pytest.raises(ValueError, match="differ in their seed, first angles and learning rate only"):
            Batch([first, configs(1, other)[0]])
    with pytest.raises(ValueError, match="learning rate only"):
        Batch(
            configs(1, {"train.optimizer": "lbfgs"}) + configs(1, {"train.optimizer": {"name": "lbfgs", "memory": 3}})
        )
    for setting in ({"train.shots": 10}, {"train.target": 0.1}, {"train.plateau": 5}, {"train.patience": 5}):
        assert not can_advance_together(configs(1, setting)[0])
    with pytest.raises(ValueError, match="at least one run, got none"):
        Batch([])
    with pytest.raises(ValueError, match="each run once"):
        Batch([first, first])


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "spsa"])
def test_members_with_learning_rates_of_their_own_take_the_steps_of_their_own_runs(optimizer: str) -> None:
    rates = (0.05, 0.3, 0.3, 1.0)
    members = [
        configs(5, {"train.optimizer": {"name": optimizer, "learning_rate": rate}, "train.initial": initial})[seed]
        for seed, (rate, initial) in enumerate(zip(rates, ("uniform", "normal", "uniform", "normal"), strict=True))
    ]
    batch = Batch(members)
    state = batch.advance(batch.begin())
    for row, config in enumerate(members):
        steps = list(train(config, record=False))
        np.testing.assert_allclose(state.mean[row, : len(steps)], [step.mean for step in steps], atol=1e-9)
        np.testing.assert_allclose(state.theta[row], steps[-1].theta, atol=1e-5)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_members_of_several_states_go_on_together(optimizer: str) -> None:
    settings = {"train.optimizer": optimizer, "train.objective": {"name": "cvar", "alpha": 0.7}, "train.steps": 12}
    batch = Batch(configs(6, settings))
    paused = batch.advance(batch.begin(), until=5)
    joined = BatchState.joined([paused.select([3, 1]), paused.select([5])])
    assert content(joined) == content(paused.select([3, 1, 5]))
    assert content(batch.advance(joined)) == content(batch.advance(paused.select([3, 1, 5])))


def test_a_state_whose_members_ended_earlier_repeats_its_last_numbers() -> None:
    batch = Batch(configs(8, {"train.optimizer": "lbfgs", "train.steps": 200}))
    ended = batch.advance(batch.begin())
    short = int(ended.num_steps.argmin())
    alone = batch.advance(batch.begin().select([short]))
    assert alone.mean.shape[1] < ended.mean.shape[1]
    joined = BatchState.joined([alone, ended])
    assert joined.mean.shape == (9, ended.mean.shape[1])
    assert set(joined.mean[0, alone.mean.shape[1] :]) == {alone.mean[0, -1]}
    assert content(batch.advance(joined)) == content(joined)


def test_what_does_not_fit_is_said_in_a_sentence(tmp_path: Path) -> None:
    batch = Batch(configs(2, {}))
    state = batch.begin()
    for until in (-1, 26):
        with pytest.raises(ValueError, match=f"until must be from 0 to train.steps = 25, got {until}"):
            batch.advance(state, until)
    with pytest.raises(ValueError, match=r"of other runs: .* is not in this batch"):
        Batch(configs(1, {})).advance(state)
    with pytest.raises(FileNotFoundError):
        BatchState.load(tmp_path / "none.npz")
    (tmp_path / "torn.npz").write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(RecordError, match=r"torn.npz is damaged"):
        BatchState.load(tmp_path / "torn.npz")
    arrays = state.arrays()
    del arrays["num_steps"]
    with pytest.raises(RecordError, match="lacks 'num_steps'"):
        BatchState.from_arrays(arrays)


def test_a_state_is_plain_arrays_with_the_member_first() -> None:
    for optimizer in OPTIMIZERS:
        batch = Batch(configs(3, {"train.optimizer": optimizer}))
        state = batch.advance(batch.begin(), 2)
        for array in state.arrays().values():
            assert array.dtype.kind in "fibU"
            assert array.ndim == 0 or len(array) == 3
        other = BatchState.from_arrays(state.arrays())
        assert {f.name for f in fields(other)} == {f.name for f in fields(state)}
        assert content(replace(other)) == content(state)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("theta", lambda a: a[:, :3]),
        ("theta", lambda a: a * np.nan),
        ("mean", lambda a: a[:1]),
        ("num_steps", lambda a: a.astype(float)),
        ("ended", lambda a: a.astype(str)),
        ("run_ids", lambda a: a[None]),
        ("optimizer_first_moment", lambda a: a[:1]),
    ],
)
def test_arrays_of_a_state_that_do_not_fit_are_refused(name: str, change, tmp_path: Path) -> None:
    batch = Batch(configs(3, {"train.optimizer": "adam"}))
    arrays = batch.advance(batch.begin(), until=2).arrays()
    np.savez(tmp_path / "x.npz", **arrays | {name: change(arrays[name])})
    with pytest.raises(RecordError, match="the state of a batch has"):
        BatchState.load(tmp_path / "x.npz")
