"""Warm starts: the angles of one run, perhaps trained without shots, as the first angles of another on a device.

The circuits of this package are easily simulated at the depths at which devices run them. A warm start trains the ideal
circuit here, where it costs no QPU time, and leaves to the device what is left to do.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from qhn.arrays import Bits, Floats
from qhn.circuit.hypernetwork import Hypernetwork
from qhn.config import RunConfig
from qhn.config.defaults import FIRST
from qhn.config.file import with_settings
from qhn.config.section import Section
from qhn.config.strategy import AdamConfig
from qhn.errors import QhnError
from qhn.problem.capabilities import digest_of
from qhn.problem.cost import Problem
from qhn.problem.landscape import MAX_ENUMERABLE_QUBITS, polynomial_for_table
from qhn.run.record import Record
from qhn.run.training import Training, train
from qhn.text import clipped

MOST_SHOWN = 24  # characters of a value in a message: a hash or a program may be long
KINDS = ("ideal", "product")
EXACT_STEPS = 300  # of L-BFGS at most; it converges in about 120 gradients at 14 qubits


def warm_started(
    config: RunConfig,
    kind: str = "ideal",
    *,
    problem: Problem | None = None,
    results: str | Path | None = None,
    tell: Callable[[str], object] = lambda words: None,
    trust: bool = False,
) -> RunConfig:
    """The configuration of the same run that begins at angles trained on this computer.

    Up to 24 qubits, and for the mean of a polynomial cost, the training is exact, by L-BFGS; else the ideal circuit is
    sampled as a matrix product and trained by Adam. It begins at the first angles of the run, drawn with its seed, and
    is itself a recorded run on backend ``exact``, which is resumed or taken over if it exists.

    Args:
        config: the configuration of the run.
        kind: ``"ideal"`` trains the circuit of the run; ``"product"`` only its last rotations, with all other angles 0,
            so that the state is a product, which works for any number of layers.
        problem: the problem of the run if it is a Python object.
        results: directory of all runs; by default ``$QHN_RESULTS`` or ``results``.
        tell: function that is called with a line of text as the training begins and ends.
        trust: whether every program that the configuration names may be run, also one that stands for a circuit.

    Raises:
        QhnError: if there is no such kind, or the problem of the run is no network and ``problem`` is not given.
        RecordError: if another process is making the training, or its record is damaged.

    >>> from tempfile import TemporaryDirectory
    >>> from qhn.config.file import load_config
    >>> config = load_config("figure-1", {"train.backend": "fake_torino"})
    >>> with TemporaryDirectory() as results:
    ...     warm = warm_started(config, results=results)
    >>> warm.train.initial.name, len(warm.train.initial.theta)
    ('run', 32)
    """
    if kind not in KINDS:
        raise QhnError(f"a warm start is {' or '.join(KINDS)}, got {kind!r}")
    known = config.problem(trust=True) if problem is None else problem
    ansatz = config.circuit(known, trust=trust)
    in_block: Callable[[Floats], Floats] = np.asarray
    if kind == "product":
        if not isinstance(ansatz, Hypernetwork):
            raise QhnError(
                f"a product state can begin a hypernetwork, not ansatz {ansatz.name}; use --warm-start ideal"
            )
        if ansatz.num_layers:
            problem = known = AfterBrick(known, ansatz)
            in_block = partial(in_last_block, ansatz)
    tell(f"warm start: {kind} circuit of {ansatz.num_qubits} qubits, trained here")
    classical = _classical(config, known)
    if isinstance(known, AfterBrick):
        classical = with_settings(classical, {"ansatz.num_layers": 0})
    training = train(classical, problem=problem, results=results, trust=trust)
    gradients = _finish(training)
    assert training.record is not None, "the training is recorded"
    last = training.record.steps()[-1]
    theta = in_block(last.theta)
    tell(f"warm start: run {training.config.run_id}, {gradients:,} gradients here, ideal E = {last.stated_mean()}")
    return begun_at(config, {"name": "run", "run": training.config.run_id, "theta": theta.tolist()})


def begun_at(config: RunConfig, initial: Mapping[str, Any]) -> RunConfig:
    """The configuration of a run that begins at trained angles, with a learning rate that does not lose them at once.

    Adam's first steps move every angle by its learning rate, whatever the gradient. Unless it is set, it becomes a
    tenth of its default.

    Args:
        config: the configuration of the run.
        initial: the table ``[train.initial]`` with the angles, as :func:`angles_of` returns it.
    """
    settings: dict[str, Any] = {"train.initial": dict(initial)}
    optimizer = config.train.optimizer
    is_set = "learning_rate" in optimizer.model_fields_set or config.naming == FIRST  # whose rate was a small one
    if isinstance(optimizer, AdamConfig) and not is_set:
        settings["train.optimizer.learning_rate"] = optimizer.learning_rate / 10
    return with_settings(config, settings)


def _classical(config: RunConfig, problem: Problem) -> RunConfig:
    """The configuration of the training on this computer: of the same problem and circuit, from the same angles."""
    kept = {name: getattr(config.train, name) for name in ("objective", "initial", "seed")}
    by_polynomial = polynomial_for_table(problem) is not None and config.train.objective.build().is_mean
    if problem.num_qubits <= MAX_ENUMERABLE_QUBITS or by_polynomial:
        own: dict[str, Any] = {"shots": None, "optimizer": "lbfgs", "steps": EXACT_STEPS}
    else:
        own = {"shots": "auto"}
    train = type(config.train)(backend="exact", **own, **kept)
    return config.model_copy(update={"train": train, "device": type(config.device)()})


def _finish(training: Training) -> int:
    """Make all steps of a training; returns the number of steps."""
    with contextlib.closing(training):
        return sum(1 for _ in training)


def in_last_block(ansatz: Hypernetwork, product: Floats) -> Floats:
    """The angles of a circuit whose state before its trailing CX brick is a given product state.

    Args:
        ansatz: the circuit.
        product: angles ``[2 * num_qubits]`` of :func:`qhn.circuit.hypernetwork.product_state`, in radians.

    Returns:
        Angles ``[num_parameters]``: those of the product state in the last block, and 0 elsewhere.
    """
    theta = np.zeros((ansatz.num_blocks, 2 * ansatz.num_qubits))
    theta[-1] = product
    return theta.ravel()


@dataclass(frozen=True)
class AfterBrick:
    """The problem that a product state before the trailing CX brick of a circuit minimises.

    Attributes:
        problem: the problem whose cost is that of the bits after the brick.
        ansatz: the circuit with the brick.
    """

    problem: Problem
    ansatz: Hypernetwork

    @property
    def num_qubits(self) -> int:
        """The number of bits of a bitstring."""
        return self.problem.num_qubits

    @property
    def digest(self) -> str:
        """A text that is equal for equal costs; empty if the problem has none."""
        theirs = digest_of(self.problem)
        return hashlib.sha256(f"{theirs} after {self.ansatz.folded_brick}".encode()).hexdigest() if theirs else ""

    def cost(self, bits: Bits) -> Floats:
        """The cost of each bitstring ``[..., num_qubits]`` as it is before the brick: ``[...]``."""
        return self.problem.cost(self.ansatz.relabel(bits))


def _keys(*sections: Section) -> list[str]:
    """The keys of tables of a configuration, each once; files are told by their content alone."""
    keys = dict.fromkeys(key for section in sections for key in type(section).model_fields)
    return [key for key in keys if key != "file"]


def _value(section: Section, key: str) -> Any:
    """The value of a key; none if this kind of table does not have it."""
    return getattr(section, key, "none")


def _kind(section: Section) -> str:
    """The kind of circuit that a table ``[ansatz]`` describes, in words."""
    name, file = getattr(section, "name", None), getattr(section, "file", None)
    return f"the ansatz {name}" if name else f"the circuit file {file.name}" if file else "a circuit of its own"


def angles_of(record: Record, config: RunConfig) -> dict[str, Any]:
    """The setting ``train.initial`` with which a run begins at the last measured angles of another run.

    Args:
        record: the record of the run whose angles are taken.
        config: the configuration of the run that begins with them.

    Returns:
        A table ``[train.initial]`` for :func:`begun_at`, with ``name``, ``run`` (the id of the other run) and ``theta``
        (``[num_parameters]``, radians).

    Raises:
        QhnError: if the recorded run has no step, or its circuit or networks differ from those of ``config``; no
            conversion of angles is known between circuits, nor between the two orders of gates.
    """
    name = f"run {record.config.run_id}"
    steps = record.steps()
    if not steps:
        raise QhnError(f"{name} has no complete step, so there are no angles to begin with")
    theirs, ours = record.config, config
    if type(theirs.ansatz) is not type(ours.ansatz):
        raise QhnError(
            f"{name} trains {_kind(theirs.ansatz)}, this one {_kind(ours.ansatz)}: its angles mean something else "
            "here, and no conversion is known; begin with a run of the same circuit"
        )
    for what, had, wanted in (
        *((key, _value(theirs.ansatz, key), _value(ours.ansatz, key)) for key in _keys(theirs.ansatz, ours.ansatz)),
        ("num_qubits", record.checkpoint().num_qubits, ours.problem(trust=True).num_qubits),
    ):
        if had != wanted:
            had, wanted = (clipped(" ".join(str(value).split()), MOST_SHOWN) for value in (had, wanted))
            raise QhnError(
                f"{name} has {what} {had}, this one {wanted}: its angles mean something else here, and no conversion "
                f"is known; run this one with {what} {had}, or begin with a run that has {wanted}"
            )
    if theirs.network != ours.network:
        raise QhnError(f"{name} trains other networks ([network] differs), so that its qubits mean something else")
    return {"name": "run", "run": theirs.run_id, "theta": steps[-1].theta.tolist()}
