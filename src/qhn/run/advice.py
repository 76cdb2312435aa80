"""Advice on a run: settings that are allowed, and that others would serve better."""

from __future__ import annotations

from qhn.circuit.ansatz import Ansatz
from qhn.config import RunConfig
from qhn.config.strategy import ParameterShiftConfig

SAVED = 2  # ratio of rows from which on another rule is worth a word


def advice_on_rate(decay_steps: int | None, planned: int) -> str:
    """What to know of a learning rate that has not fallen when a run ends, in one line; empty if it has.

    Args:
        decay_steps: the number of steps over which the learning rate falls to 0; None if it does not fall.
        planned: the number of steps that the run will take, at most ``decay_steps``.
    """
    if decay_steps is None or planned >= decay_steps:
        return ""
    return (
        f"the learning rate falls to 0 over {decay_steps:,} steps, and this run ends after {planned:,}, with θ "
        f"still on the way; a run begun with --set train.optimizer.decay_steps={max(planned, 1)} comes to rest"
    )


def advice_on_rows(config: RunConfig, ansatz: Ansatz) -> str:
    """What to know of a circuit in which few angles turn many gates, in one line; empty if they do not.

    The parameter-shift rule measures two rows a gate. As many random directions as there are angles, two rows each,
    give a gradient whose error by the choice of directions is about its own size, as is that by shot noise where few
    shots are made. So SPSA is worth a word if it takes half as many rows then.

    Args:
        config: the configuration of the run.
        ansatz: the circuit of the run.
    """
    if config.train.shots is None or not isinstance(config.train.gradient, ParameterShiftConfig):
        return ""
    rows, angles = config.train.gradient.build(ansatz).num_rows, int(ansatz.active.sum())
    fewer = 1 + 2 * angles
    if not ansatz.shared_angles.size or rows < SAVED * fewer:
        return ""
    return (
        f"a gradient takes {rows:,} rows, since {angles:,} angles turn {rows // 2:,} gates; SPSA along {angles:,} "
        f"directions takes {fewer:,}: --set train.gradient.name=spsa --set train.gradient.num_directions={angles}"
    )
