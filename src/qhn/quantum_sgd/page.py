"""The page on a quantum gradient descent: what was told, solved and read, segment by segment, beside true descent."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from qhn.quantum_sgd.config import QsgdConfig
from qhn.quantum_sgd.segment import Segment, relative
from qhn.quantum_sgd.start import Start
from qhn.run.step import Outcome
from qhn.text import Row, aligned, counted

Table = Callable[[Row, Sequence[Row]], str]


def page(
    config: QsgdConfig, start: Start, segments: Sequence[Segment], outcome: Outcome | None, table: Table = aligned
) -> str:
    """The page.

    Args:
        config: the configuration.
        start: where the descent starts.
        segments: the complete segments.
        outcome: why the descent ended; None if it has not.
        table: how tables are written, from a head and rows.
    """
    parts = [title_part(config, start, outcome)]
    if segments:
        parts += [losses_part(segments, table), told_part(segments, table)]
        parts += [solved_part(segments, table)] if segments[0].solved else []
        parts += [parameters_part(start, segments, table), complaints_part(segments), verdict_part(start, segments)]
    return "\n\n".join(filter(None, parts))


def title_part(config: QsgdConfig, start: Start, outcome: Outcome | None) -> str:
    """What is descended, from where, and where it stands."""
    dense, kept = start.dense, len(start.theta)
    before, after = float(dense.loss(start.dense_theta)), float(start.model.loss(start.theta))
    how = "exact amplitudes" if config.machine.shots is None else f"{config.machine.shots:,} shots a segment"
    solver = "classical" if config.solver.name == "classical" else f"{config.solver.name} with {how}"
    where = f" on {config.machine.backend}" if config.machine.shots is not None else ""
    state = "not done: the same command goes on" if outcome is None else outcome.message
    batch = f", {config.descent.batch:,} samples a step" if config.descent.batch else ""
    return (
        f"descent {config.name}: {config.model.loss} loss, weight decay {config.model.weight_decay:g}, "
        f"{counted(len(dense.labels), 'sample')}; {solver}{where}; {state}\n"
        f"dense training of {counted(dense.num_parameters, 'parameter')}: loss {before:.5g}; pruned to {kept} "
        f"({config.prune.method}): {after:.5g}\n"
        f"segments of T = {config.descent.steps} steps{batch} at learning rate {config.descent.learning_rate:g}; "
        f"lift of order N = {config.lift.order}, gradient of degree {config.lift.chosen_degree}, "
        f"{config.lift.closure} closure" + "".join(f"\n{remark}" for remark in start.remarks)
    )


def losses_part(segments: Sequence[Segment], table: Table) -> str:
    """The loss after each segment, beside true descent and classical Carleman linearisation, and the errors."""
    has_shots, has_circuits = any(one.read for one in segments), any(one.solved for one in segments)
    head = ["segment", "loss", "true descent", "Carleman", "error of update", "of decrease"]
    rows = [
        [
            one.number + 1,
            f"{one.loss:.6f}",
            f"{one.beside.losses['true_path']:.6f}",
            f"{one.beside.losses['carleman']:.6f}",
            percent(one.update_error),
            percent(one.decrease_error),
            *[f"± {percent(one.stated_error)}"] * has_shots,
            *[f"≤ {percent(one.solver_error)}"] * has_circuits,
        ]
        for one in segments
    ]
    note = (
        "loss: after the download; true descent: sparse gradient descent from the pruned parameters on; Carleman: the "
        "same system solved classically; errors: against true descent from the start of the segment; by shots, by the "
        "solver: what they may add to that of the decrease, as stated with the download, not known from true descent"
    )
    more = ["by shots"] * has_shots + ["by the solver"] * has_circuits
    return table(head + more, rows) + "\n\n" + note


def told_part(segments: Sequence[Segment], table: Table) -> str:
    """What was told before each segment was solved."""
    rows = [
        [
            one.number + 1,
            one.told.regime,
            f"{one.told.nonlinearity:.3g}",
            f"{one.told.growth:.4g}",
            f"{one.told.condition:.1f}",
            "–" if one.told.truncation_bound is None else f"{one.told.truncation_bound:.1e}",
            percent(one.carleman_error),
            f"{one.told.num_unknowns:,}",
        ]
        for one in segments
    ]
    head = ["segment", "regime", "R", "growth", "κ", "truncation ≤", "error of Carleman", "unknowns"]
    note = (
        "truncation: bound on the norm of the error of u(T) that the cut of the lift at order N leaves, for the "
        "gradient's Taylor polynomial, whose own error comes on top; error of Carleman: of both together, relative to "
        "the true update"
    )
    return table(head, rows) + "\n\n" + note


def solved_part(segments: Sequence[Segment], table: Table) -> str:
    """The circuits of each segment."""
    rows = []
    for one in segments:
        found, read = one.solved, one.read
        assert found is not None
        rows.append(
            [
                one.number + 1,
                found.method,
                found.qubits,
                f"{found.degree:,}",
                "–" if found.depth is None else f"{found.depth:,}",
                "–" if found.two_qubit_gates is None else f"{found.two_qubit_gates:,}",
                f"{found.success:.3g}",
                f"{found.weight:.3g}",
                f"{found.success * found.weight:.2g}",
                "–" if read is None else f"{read.shots:,}",
                "–" if read is None else f"{read.counts:,.0f}",
            ]
        )
    head = ["segment", "solver", "qubits", "degree", "depth", "two-qubit gates", "success", "weight of u(T)", "p_T"]
    return table([*head, "shots", "counts a parameter"], rows)


def parameters_part(start: Start, segments: Sequence[Segment], table: Table) -> str:
    """The parameters before the first segment and after the last one."""
    last = segments[-1]
    rows = [
        [
            name,
            f"{segments[0].before[place]:.5f}",
            f"{last.after[place]:.5f}",
            *([f"{last.read.low[place]:.5f} … {last.read.high[place]:.5f}"] if last.read else []),
            f"{last.beside.true_path[place]:.5f}",
        ]
        for place, name in enumerate(start.names)
    ]
    return table(["parameter", "pruned", "now", *["95 % of shots"] * bool(last.read), "true descent"], rows)


def complaints_part(segments: Sequence[Segment]) -> str:
    """The reasons not to trust a download, each with its segment; empty if there are none."""
    told = [f"segment {one.number + 1}: {words}" for one in segments if one.read for words in one.read.complaints]
    return "\n".join(told)


def verdict_part(start: Start, segments: Sequence[Segment]) -> str:
    """What all segments together reached, beside as many steps of true sparse descent."""
    last, losses = segments[-1], segments[-1].beside.losses
    first = segments[0].beside.losses["before"]
    path = relative(last.after, last.beside.true_path, start.theta)
    decrease = first - losses["true_path"]
    error = abs(losses["after"] - losses["true_path"]) / decrease if decrease else np.inf
    words = (
        f"after {counted(len(segments), 'segment')}: loss {first:.5f} → {losses['after']:.5f}, by true descent "
        f"{losses['true_path']:.5f}; error of the whole update {percent(path)}, of the decrease {percent(error)}"
    )
    rates = last.beside.accuracies
    if rates:
        words += f"; accuracy on these samples {rates['after']:.1%}, by true descent {rates['true_path']:.1%}"
    return words


def percent(share: float) -> str:
    """A share in per cent, with two digits that count.

    >>> percent(0.00123), percent(float("inf"))
    ('0.12 %', '∞')
    """
    return "∞" if not np.isfinite(share) else f"{float(f'{100 * share:.2g}'):g} %"
