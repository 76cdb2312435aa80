"""Batches of exact trainings, which advance together, can be paused, and go on with some of the members.

The members are runs of one circuit on one problem that differ in their seed, and so in their initial angles; with other
optimizers than L-BFGS their learning rates may differ as well.
Each member takes the steps that a run of its own would take (:mod:`qhn.run.training`); the engine serves all of them
with the same products with the table of costs. With L-BFGS a member that has ended is not evaluated again; with the
other optimizers it is, at the same angles, as long as it is in the batch.

:class:`Batch` is what does not change, :class:`BatchState` all that does: plain arrays, from which a paused batch goes
on byte for byte as if it had never been paused. How the numbers of a member depend on which others are evaluated with
it is said at :meth:`BatchState.select`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qhn import durable
from qhn.arrays import Bits, Bools, Floats, Integers
from qhn.black_box.cost import begin_evaluations
from qhn.circuit.ansatz import gate_angles
from qhn.config import RunConfig
from qhn.config.strategy import LbfgsConfig
from qhn.config.train import UniformConfig
from qhn.errors import QhnError, RecordError
from qhn.estimator.exact import ExactEstimator
from qhn.estimator.gradient import ValueAndGrad
from qhn.npz import open_npz
from qhn.optimize.lbfgs import Lbfgs, LbfgsState
from qhn.optimize.line_search import Point
from qhn.optimize.optimizer import TOLERANCE, Optimizer, vanishes
from qhn.problem.capabilities import validation_of
from qhn.problem.landscape import enumerate_costs, polynomial_for_table

VALUE_TOLERANCE = 1e-12  # L-BFGS has converged when a step lowers the objective by less, relative: rounding
REMEMBERED = ("steps", "changes", "weights")  # arrays of an L-BFGS state whose axis 0 is the place in its memory
OPTIMIZER = "optimizer_"  # begins the names of the arrays of the optimizer's state in a file


def can_advance_together(config: RunConfig) -> bool:
    """Whether a run can be a member of a batch.

    It takes no shots, no stop rule but steps and tolerance ends it, and its E is a sum over all bitstrings.

    Args:
        config: the configuration of the run.

    >>> from qhn.config.file import load_config
    >>> can_advance_together(load_config("figure-1", {"train.backend": "exact"}))
    True
    """
    train = config.train
    if not train.is_ideal or any(rule is not None for rule in (train.target, train.plateau, train.patience)):
        return False
    if config.cost is None or config.cost.code:  # networks and programs offer no polynomial
        return True
    return polynomial_for_table(config.problem()) is None


def shared_by_members(config: RunConfig) -> str:
    """A name for all that the members of a batch share: what a step measures, and not where it leads.

    Members differ in their seed, in the distribution of their first angles, and in the settings of their optimizer,
    unless it is L-BFGS, whose members search their lines together.

    Args:
        config: the configuration of the run.
    """
    optimizer = config.train.optimizer
    if not isinstance(optimizer, LbfgsConfig):
        optimizer = type(optimizer).model_validate({"name": optimizer.name})
    own = {"seed": 0, "initial": UniformConfig(), "optimizer": optimizer}
    shared = config.model_copy(update={"train": config.train.model_copy(update=own)})
    return shared.run_id + shared.stop_rules_id


@dataclass(frozen=True)
class BatchState:
    """The state of all members of a batch after some steps: plain arrays whose axis 0 is the member.

    A step of a member is one θ at which its objective was evaluated and written down, as in a run of its own.

    Attributes:
        run_ids: the run id of each member as text, ``[B]``.
        theta: angles at the last step in radians, ``[B, num_parameters]``; before the first step the initial ones.
        next_theta: angles at which the next step begins, ``[B, num_parameters]``: those that the optimizer chose, or
            with L-BFGS, which searches a line from ``theta``, the same as ``theta``.
        value: the objective at ``theta``, ``[B]``; nan before the first step.
        grad: the gradient of the objective at ``theta``, ``[B, num_parameters]``; nan before the first step.
        mean: E = ⟨C⟩ at every step, ``[B, steps]``, up to the last step of the longest member; a member that ended
            earlier repeats its last E.
        validation: the mean validation cost at every step, ``[B, steps]``; a member that ended earlier repeats its last
            one. None without validation data.
        num_steps: number of steps that each member took, ``[B]``.
        num_gradients: number of evaluations of the objective and its gradient that each member took, ``[B]``.
        converged: whether the gradient vanished or, with L-BFGS, the objective no longer fell, ``[B]``.
        ended: whether the member takes no more steps, ``[B]``: it has converged, or L-BFGS found no descent.
        optimizer: arrays of the optimizer's state by name; axis 0 is the member, except of scalars.
    """

    run_ids: NDArray[np.str_]
    theta: Floats
    next_theta: Floats
    value: Floats
    grad: Floats
    mean: Floats
    validation: Floats | None
    num_steps: Integers
    num_gradients: Integers
    converged: Bools
    ended: Bools
    optimizer: dict[str, NDArray[Any]]

    def __len__(self) -> int:
        """The number of members."""
        return len(self.run_ids)

    def select(self, members: ArrayLike) -> BatchState:
        """The state of some members, with which the batch goes on without the others.

        With a CVaR as the objective, θ, the value and the gradient are computed member by member, and are the same
        bytes in any company. E and validation costs are computed by matrix products that members share, whose last bits
        depend on the number of columns: from here on these numbers, and with the mean as the objective all others,
        agree with those of the whole batch to rounding, about 1e-15 of the costs per evaluation. Steps amplify it:
        little where a training converges, without bound where it is chaotic, as with too large a learning rate. The
        same rounding happens whenever a member of an L-BFGS batch ends.

        Args:
            members: places on axis 0 in any order, or one Boolean a member, ``[n]``.

        Raises:
            IndexError: if there is no such place.
        """
        chosen = np.asarray(members)
        rows = np.arange(len(self))[chosen if chosen.size else chosen.astype(np.int64)]
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        taken = {name: value[rows] for name, value in values.items() if isinstance(value, np.ndarray)}
        optimizer = {name: part[rows] if part.ndim else part for name, part in self.optimizer.items()}
        return replace(self, **taken, optimizer=optimizer)

    @classmethod
    def joined(cls, states: Sequence[BatchState]) -> BatchState:
        """The state of the members of several states, in their order, which have taken the same steps.

        A state whose members ended earlier has fewer columns of E, and repeats its last one.

        Args:
            states: the states, at least one.
        """
        columns = max(state.mean.shape[1] for state in states)
        padded = [state._with_columns(columns) for state in states]
        names = [f.name for f in fields(cls) if isinstance(getattr(states[0], f.name), np.ndarray)]
        optimizer = {
            name: np.concatenate([state.optimizer[name] for state in states])
            if part.ndim
            else np.asarray(np.max([state.optimizer[name] for state in states]))
            for name, part in states[0].optimizer.items()
        }
        values = {name: np.concatenate([getattr(state, name) for state in padded]) for name in names}
        return replace(states[0], **values, optimizer=optimizer)

    def _with_columns(self, columns: int) -> BatchState:
        """The state with as many columns of E and of the validation costs, of which the last ones are repeated."""
        if self.mean.shape[1] == columns:
            return self
        more = ((0, 0), (0, columns - self.mean.shape[1]))
        validation = None if self.validation is None else np.pad(self.validation, more, mode="edge")
        return replace(self, mean=np.pad(self.mean, more, mode="edge"), validation=validation)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All arrays of the state by name, as :func:`numpy.savez` takes them: numbers and text, no objects."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "optimizer"}
        own = {name: value for name, value in values.items() if value is not None}
        return own | {OPTIMIZER + name: part for name, part in self.optimizer.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> BatchState:
        """The state whose arrays :meth:`arrays` returned.

        Args:
            arrays: the arrays by name.

        Raises:
            RecordError: if an array is missing, has another shape or type than a state has, or is not finite.
        """
        stored = dict(arrays)
        optimizer = {name.removeprefix(OPTIMIZER): stored.pop(name) for name in arrays if name.startswith(OPTIMIZER)}
        if "velocity" in optimizer:
            optimizer.setdefault(
                "num_steps", np.array(0)
            )  # once SGD did not count its steps, and its rate was constant
        try:
            names = [f.name for f in fields(cls) if f.name not in ("validation", "optimizer")]
            own = {name: stored[name] for name in names}
        except KeyError as error:
            raise RecordError(f"the state of a batch lacks {error}") from None
        state = cls(**own, validation=stored.get("validation"), optimizer=optimizer)
        state._check()
        return state

    def _check(self) -> None:
        """Refuse arrays that do not belong together.

        Raises:
            RecordError: if one has another shape or type than a state has, or is not finite; the message names it.
        """
        members, angles, steps = self.run_ids.shape, self.theta.shape, self.mean.shape
        if len(members) != 1 or len(angles) != 2 or len(steps) != 2:
            raise RecordError("the state of a batch has run_ids, theta or mean of another shape")
        flags = dict.fromkeys(("converged", "ended"), (members, "b"))
        counts = dict.fromkeys(("num_steps", "num_gradients"), (members, "iu"))
        forms = flags | counts | dict.fromkeys(("theta", "next_theta", "grad"), (members + angles[1:], "f"))
        forms |= {"run_ids": (members, "U"), "value": (members, "f")}
        forms |= dict.fromkeys(("mean", "validation"), (members + steps[1:], "f"))
        for name, (shape, kinds) in forms.items():
            array = getattr(self, name)
            if array is not None and (array.shape != shape or array.dtype.kind not in kinds):
                raise RecordError(f"the state of a batch has {name} of {array.dtype} {list(array.shape)}")
        for name, part in self.optimizer.items():
            if part.dtype.kind not in "biuf" or (part.ndim and part.shape[:1] != members):
                raise RecordError(f"the state of a batch has {OPTIMIZER}{name} of {part.dtype} {list(part.shape)}")
        for name, part in {"theta": self.theta, "next_theta": self.next_theta, "mean": self.mean}.items():
            if not np.isfinite(part).all():
                raise RecordError(f"the state of a batch has {name} that is not finite")

    def save(self, path: str | Path) -> None:
        """Write the state as an ``.npz`` file, which replaces an older one as a whole.

        Args:
            path: the path of the file.

        Raises:
            OSError: if the file cannot be written.
        """
        durable.export(path, lambda file: np.savez(file, allow_pickle=False, **self.arrays()))

    @classmethod
    def load(cls, path: str | Path) -> BatchState:
        """Read a state from a file that :meth:`save` wrote, byte for byte.

        Args:
            path: the file.

        Args:
            path: the path of the file.

        Raises:
            FileNotFoundError: if there is no such file.
            RecordError: if the file is damaged.
        """
        try:
            with open_npz(Path(path), own=True) as stored:
                arrays = dict(stored)
        except OSError:
            raise
        except Exception as error:  # numpy raises BadZipFile, KeyError, ValueError, EOFError or zlib.error here
            raise RecordError(f"{path} is damaged ({type(error).__name__}: {error})") from None
        return cls.from_arrays(arrays)


class Batch:
    """Exact trainings of one circuit on one problem, which advance together.

    Args:
        configs: the configurations of the members, at least one.
        results: directory of results in which costs of a function of the user's are kept; None to keep none.

    Attributes:
        configs: the configurations of the members by run id.
        estimator: the exact estimator of the objective, with the table of all costs.
        optimizer: the rule for the next θ of the first member.

    Raises:
        QhnError: if ``configs`` is empty or names a run twice, if members differ in more than
            :func:`shared_by_members` says, take shots, have a stop rule other than steps and tolerance, or have too
            many qubits.

    >>> from qhn.config.file import load_config
    >>> settings = {"train.backend": "exact", "train.optimizer": "lbfgs", "train.steps": 200}
    >>> batch = Batch([load_config("figure-1", settings | {"train.seed": seed}) for seed in range(20)])
    >>> paused = batch.advance(batch.begin(), until=10)
    >>> paused.theta.shape, paused.mean.shape
    ((20, 32), (20, 10))
    >>> best = paused.select(paused.value.argsort()[:5])        # the others stop here
    >>> ended = batch.advance(best)
    >>> len(ended), bool(ended.converged.all())
    (5, True)
    """

    def __init__(self, configs: Sequence[RunConfig], results: str | Path | None = None) -> None:
        if not configs:
            raise QhnError("a batch takes at least one run, got none")
        first = configs[0]
        shared = shared_by_members(first)
        for config in configs:
            if not can_advance_together(config) or shared_by_members(config) != shared:
                raise QhnError(
                    "a batch takes exact runs of one circuit and problem, without target, plateau and patience, which "
                    "differ in their seed, first angles and learning rate only"
                )
        problem = first.problem(trust=True)
        begin_evaluations(problem, None if results is None else Path(results))
        self.configs: dict[str, RunConfig] = {config.run_id: config for config in configs}
        if len(self.configs) < len(configs):
            raise QhnError("a batch takes each run once, got one twice")
        self.optimizer: Optimizer = first.train.optimizer.build()
        self._optimizers = {config.run_id: config.train.optimizer.build() for config in configs}
        self._rules = first.train
        self._ansatz = first.circuit(problem)
        self.estimator = ExactEstimator(self._ansatz, problem, objective=first.train.objective.build())
        given = first.train.tolerance
        self._tolerance = TOLERANCE * self.estimator.scale if given is None else given
        self._held_out: ExactEstimator | None = None
        if (held_out := validation_of(problem)) is not None:
            self._held_out = ExactEstimator(self._ansatz, problem, costs=enumerate_costs(held_out))

    def begin(self) -> BatchState:
        """The state of all members before the first step, at their initial angles."""
        theta = np.stack([config.initial_theta(self._ansatz) for config in self.configs.values()])
        num = len(theta)
        nothing = np.empty((num, 0))
        return BatchState(
            run_ids=np.array(list(self.configs)),
            theta=theta,
            next_theta=theta,
            value=np.full(num, np.nan),
            grad=np.full(theta.shape, np.nan),
            mean=nothing,
            validation=None if self._held_out is None else nothing,
            num_steps=np.zeros(num, dtype=np.int64),
            num_gradients=np.zeros(num, dtype=np.int64),
            converged=np.zeros(num, dtype=bool),
            ended=np.zeros(num, dtype=bool),
            optimizer=_members_first(self.optimizer.init(theta)),
        )

    def advance(self, state: BatchState, until: int | None = None) -> BatchState:
        """Train the members of a state until they have taken a number of steps or have ended.

        Advancing to a step in one go and with pauses in between gives the same bytes. ``state`` is not changed.

        Args:
            state: where all members stand, or some of them (:meth:`BatchState.select`); at first :meth:`begin`.
            until: number of steps that a member has taken afterwards, counted from its start; by default, and at most,
                ``train.steps`` of the configuration. If they have taken as many already, nothing is done.

        Returns:
            The state afterwards.

        Raises:
            QhnError: if ``until`` is out of range, or the state is that of other runs.
        """
        limit = self._rules.steps if until is None else until
        if not 0 <= limit <= self._rules.steps:
            raise QhnError(f"until must be from 0 to train.steps = {self._rules.steps}, got {limit}")
        strange = [name for name in state.run_ids.tolist() if name not in self.configs]
        if strange:
            raise QhnError(f"the state is that of other runs: {strange[0]} is not in this batch")
        mean, validation = [state.mean], [] if state.validation is None else [state.validation]
        for _ in range(state.mean.shape[1], limit):
            if state.ended.all():
                break
            moved = ~state.ended
            state = self._line_search(state) if isinstance(self.optimizer, Lbfgs) else self._step(state)
            is_mean = self.estimator.objective.is_mean
            angles = gate_angles(self._ansatz, state.theta[moved])
            energy = state.value[moved] if is_mean else self.estimator.energy(angles)
            mean.append(_next_column(mean[-1], moved, energy))
            if self._held_out is not None:
                validation.append(_next_column(validation[-1], moved, self._held_out.energy(angles)))
        return replace(
            state,
            mean=np.concatenate(mean, axis=1),
            validation=np.concatenate(validation, axis=1) if validation else None,
        )

    def most_probable(self, state: BatchState) -> Bits:
        """The most probable bitstring at the last step of each member, ``[B, num_qubits]``, qubit 0 first.

        Args:
            state: the state of all members, or of some of them.
        """
        found = [self.estimator.most_probable(theta)[0] for theta in state.theta]
        return np.stack(found) if found else np.empty((0, self._ansatz.num_qubits), dtype=np.uint8)

    def entropy(self, state: BatchState) -> Floats:
        """The entropy in bits of the distribution over bitstrings at the last step of each member, ``[B]``.

        Args:
            state: the state of all members, or of some of them.
        """
        return self.estimator.distribution.entropy(gate_angles(self._ansatz, state.theta))

    # ------------------------------------------------------------ one step

    def _step(self, state: BatchState) -> BatchState:
        """One step of an optimizer that takes one gradient per step."""
        theta, moved = state.next_theta, ~state.ended
        info = self.estimator.value_and_grad(theta)
        following, optimizer = self._update(state, info)
        # once converged is for good: in other company the last bits of a gradient may be others
        converged = state.converged | vanishes(info.grad, info.value, self._tolerance)
        return replace(
            state,
            theta=theta,
            next_theta=np.where(converged[:, None], theta, following),
            value=np.where(moved, info.value, state.value),
            grad=np.where(moved[:, None], info.grad, state.grad),
            num_steps=state.num_steps + moved,
            num_gradients=state.num_gradients + moved,
            converged=converged,
            ended=converged,
            optimizer=optimizer,
        )

    def _update(self, state: BatchState, info: ValueAndGrad) -> tuple[Floats, dict[str, NDArray[Any]]]:
        """The next θ of each member by its own optimizer, and the arrays of the optimizers' states."""
        own = [self._optimizers[name] for name in state.run_ids.tolist()]
        following, arrays = np.empty_like(state.next_theta), dict(state.optimizer)
        for optimizer in dict.fromkeys(own):
            rows = np.flatnonzero([one == optimizer for one in own])
            theta, found = state.next_theta[rows], replace(info, value=info.value[rows], grad=info.grad[rows])
            before = {name: part[rows] if part.ndim else part for name, part in state.optimizer.items()}
            kind = type(optimizer.init(theta))
            following[rows], after, _ = optimizer.step(partial(_known, found), theta, kind(**before))
            for name, part in _members_first(after).items():
                arrays[name] = _put(arrays[name], rows, part) if part.ndim else part
        return following, arrays

    def _line_search(self, state: BatchState) -> BatchState:
        """One step of L-BFGS for the members that have not ended; the first one evaluates the initial angles.

        Rule by rule this is a step of :func:`qhn.optimize.lbfgs.descend`, whose state cannot be kept.
        """
        assert isinstance(self.optimizer, Lbfgs)
        if not state.num_steps.any():
            value, grad = self._evaluate(state.theta)
            converged = vanishes(grad, value, self._tolerance)
            once = np.ones_like(state.num_steps)
            return replace(
                state, value=value, grad=grad, num_steps=once, num_gradients=once, converged=converged, ended=converged
            )
        rows = np.flatnonzero(~state.ended)
        before = Point(state.theta[rows], state.value[rows], state.grad[rows])
        memory = _memory({name: part[rows] if part.ndim else part for name, part in state.optimizer.items()})
        had_pairs = (memory.weights != 0).any(axis=0)
        found, memory = self.optimizer.advance(self._evaluate, before, memory)
        point = found.point
        stuck = (point.theta == before.theta).all(axis=1)
        small = before.value - point.value <= VALUE_TOLERANCE * np.maximum(
            self._tolerance / TOLERANCE, np.abs(point.value)
        )
        converged = vanishes(point.grad, point.value, self._tolerance) | (~stuck & small)
        ended = converged | (stuck & ~had_pairs)  # without memory, no descent along the gradient itself
        theta = _put(state.theta, rows, point.theta)
        return replace(
            state,
            theta=theta,
            next_theta=theta,
            value=_put(state.value, rows, point.value),
            grad=_put(state.grad, rows, point.grad),
            num_steps=_put(state.num_steps, rows, state.num_steps[rows] + 1),
            num_gradients=_put(state.num_gradients, rows, state.num_gradients[rows] + found.num_evaluations),
            converged=_put(state.converged, rows, converged),
            ended=_put(state.ended, rows, ended),
            optimizer={
                name: _put(state.optimizer[name], rows, part) if part.ndim else part
                for name, part in _members_first(memory).items()
            },
        )

    def _evaluate(self, thetas: Floats) -> tuple[Floats, Floats]:
        found = self.estimator.value_and_grad(thetas)
        return found.value, found.grad


def _known(found: ValueAndGrad, theta: Floats) -> ValueAndGrad:
    """The value and gradient that are known at θ already."""
    return found


def _next_column(curves: Floats, moved: Bools, values: Floats) -> Floats:
    """The next column of curves ``[B, steps]``: new values for members that moved, the last values for others."""
    column = np.empty(len(curves)) if curves.shape[1] == 0 else curves[:, -1].copy()
    column[moved] = values
    return column[:, None]


def _put(array: NDArray[Any], rows: NDArray[np.intp], values: NDArray[Any]) -> NDArray[Any]:
    """A copy of an array with other values in some rows."""
    result = array.copy()
    result[rows] = values
    return result


def _members_first(optimizer: Any) -> dict[str, NDArray[Any]]:
    """The arrays of an optimizer's state by name, with axis 0 the member, which L-BFGS has on axis 1 of its memory."""
    arrays: dict[str, NDArray[Any]] = {name: np.asarray(part) for name, part in optimizer._asdict().items()}
    if isinstance(optimizer, LbfgsState):
        arrays |= {name: np.moveaxis(arrays[name], 1, 0).copy() for name in REMEMBERED}
    return arrays


def _memory(arrays: dict[str, NDArray[Any]]) -> LbfgsState:
    """Restore the state of L-BFGS from the arrays of :func:`_members_first`; the arrays are copies."""
    remembered = {name: np.moveaxis(arrays[name], 0, 1).copy() for name in REMEMBERED}
    return LbfgsState(**arrays | remembered)
