"""Verbs on an experiment: circuit, landscape, baseline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qhn.cli.app import app
from qhn.cli.options import (
    DEFAULT_EXPERIMENT,
    ExperimentArgument,
    LayersOption,
    OrderOption,
    ResultsOption,
    SetOption,
    load,
)
from qhn.errors import QhnError

METHOD_HELP = "random, descent, annealing, cross-entropy, product, straight-through, or all."


@app.command()
def circuit(
    experiment: Annotated[str | None, typer.Argument(help="A preset or a .toml file; all presets by default.")] = None,
    layers: LayersOption = None,
    order: OrderOption = None,
    form: Annotated[str, typer.Option(help="literal (the paper's), pruned or executed.")] = "literal",
    qasm: Annotated[bool, typer.Option(help="Print OpenQASM 3 instead of a drawing.")] = False,
    output: Annotated[Path | None, typer.Option(help="Write .qasm and .txt files into this directory.")] = None,
) -> None:
    """Print or write the circuit of an experiment."""
    from qhn.circuit.openqasm import FORMS, drawing, openqasm, write_files
    from qhn.config.file import presets
    from qhn.text import did_you_mean

    if form not in FORMS:
        raise QhnError(f"unknown form {form!r}; {did_you_mean(form, FORMS, otherwise='choose ' + ', '.join(FORMS))}")
    names = list(presets()) if experiment is None and output is not None else [experiment or DEFAULT_EXPERIMENT]
    for name in names:
        config = load(name, None, layers=layers, order=order)
        ansatz = config.circuit(config.problem().num_qubits)
        if output is not None:
            for path in write_files(ansatz, config.experiment, output):
                typer.echo(str(path))
        else:
            typer.echo(openqasm(ansatz, form) if qasm else drawing(ansatz, form))


@app.command()
def landscape(
    experiment: ExperimentArgument = DEFAULT_EXPERIMENT,
    settings: SetOption = None,
    results: ResultsOption = None,
) -> None:
    """Enumerate every network: optimum, levels, minima, interactions."""
    import numpy as np

    from qhn.bitstrings import text
    from qhn.problem.landscape import Landscape, enumerate_costs
    from qhn.report.figures import density_of_states, local_minima, walsh_weights
    from qhn.run.record import results_directory

    config = load(experiment, settings)
    problem = config.problem()
    found = Landscape(enumerate_costs(problem))
    typer.echo(problem.space.summary())
    typer.echo(f"\noptimum C* = {found.optimum:.8g}, {found.degeneracy} of {found.costs.size:,} networks; the first:")
    best = problem.network(found.optimal_bits[0])
    training, validation = problem.accuracy(found.optimal_bits[0])
    held_out = "" if validation is None else f", validation {float(validation):.1%}"
    typer.echo("  bits " + text(found.optimal_bits[0]) + " (qubit 0 first)\n  " + best.describe().replace("\n", "\n  "))
    typer.echo(
        f"  accuracy: training {float(training):.1%}{held_out}\n\nlowest levels\n  cost        networks   above C*"
    )
    for cost, count in found.levels(8):
        typer.echo(f"  {cost:<11.6g} {count:>8,}   {cost - found.optimum:.3g}")
    typer.echo(f"mean cost of a random network {found.costs.mean():.6g}, highest {found.sorted_costs[-1]:.6g}")
    typer.echo("\none-flip minima\n  cost        basin    plateau")
    minima, size = found.local_minima, found.costs.size
    for row in range(min(8, len(minima))):
        share = f"{minima.basins[row] / size:.1%}"
        typer.echo(f"  {minima.costs[row]:<11.6g} {share:>6} {minima.members[row]:>10,}")
    optimal = minima.costs <= found.optimum + found.width
    reached = minima.basins[optimal].sum() / size
    typer.echo(
        f"{len(minima):,} in all; descent from a random network finds the optimum with a chance of {reached:.1%}"
    )
    weights = found.walsh_weights[1:]
    if weights.sum() > 0:
        shares = [f"{weight / weights.sum():.1%} S={order}" for order, weight in enumerate(weights[:4], 1)]
        typer.echo(f"\nvariance of C from interactions of S qubits: {', '.join(shares)}")
    folder = results_directory(results) / config.experiment / f"landscape-{config.problem_id}"
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "costs.npy", found.costs)
    drawn = [draw(folder, found) for draw in (density_of_states, local_minima, walsh_weights)]
    typer.echo("\n" + "\n".join(str(path) for path in [*drawn, folder / "costs.npy"]))


@app.command()
def baseline(
    experiment: ExperimentArgument = DEFAULT_EXPERIMENT,
    method: Annotated[str, typer.Option(help=METHOD_HELP)] = "all",
    evaluations: Annotated[
        int | None,
        typer.Option(help="Different networks that a search may evaluate; half of them, up to 20,000, by default."),
    ] = None,
    repeats: Annotated[int, typer.Option(help="Searches with each method, with seeds from --seed up.")] = 20,
    seed: Annotated[int, typer.Option(help="Seed of the first repeat.")] = 0,
    settings: SetOption = None,
    results: ResultsOption = None,
) -> None:
    """Search classically, counting different networks evaluated."""
    import numpy as np

    from qhn.baseline.classical import METHODS, polish, search, success_rate
    from qhn.problem.cost import Problem, TableProblem
    from qhn.problem.landscape import MAX_ENUMERABLE_QUBITS, Landscape, enumerate_costs
    from qhn.report.figures import baseline_curves
    from qhn.run.record import results_directory
    from qhn.text import did_you_mean

    if method not in (*METHODS, "all"):
        options = (*METHODS, "all")
        hint = did_you_mean(method, options, otherwise="choose " + ", ".join(options))
        raise QhnError(f"unknown method {method!r}; {hint}")
    for name, value in (("--repeats", repeats), ("--evaluations", evaluations)):
        if value is not None and value < 1:
            raise QhnError(f"{name} must be at least 1, got {value}")
    if seed < 0:
        raise QhnError(f"--seed must be at least 0, got {seed}")
    config = load(experiment, settings)
    problem = config.problem()
    size = 2**problem.num_qubits
    budget = min(evaluations or min(size // 2, 20_000), size)
    known = Landscape(enumerate_costs(problem)) if problem.num_qubits <= MAX_ENUMERABLE_QUBITS else None
    table: Problem = TableProblem(known.costs) if known else problem
    traces = {}
    for name in METHODS if method == "all" else (method,):
        typer.echo(f"{name}: {repeats} × {budget:,} of {size:,} networks", err=True)
        searched = problem if name == "straight-through" else table
        traces[name] = [search(searched, name, budget, seed + repeat) for repeat in range(repeats)]
    ends = {name: np.array([polish(table, trace.bits).cost for trace in found]) for name, found in traces.items()}
    lowest = known.optimum if known else min(cost.min() for cost in ends.values())  # a polish never raises C
    target = lowest + (known.width if known else 1e-12 * abs(lowest))
    what = f"C* = {lowest:.8g}, the optimum" if known else f"lowest C found, polished ones included = {lowest:.8g}"
    typer.echo(f"{repeats} searches each, {budget:,} of {size:,} networks evaluated; {what}\n")
    above = "C - C*" if known else "C - lowest"
    columns = ("method", f"median {above}", "mean", "polished", "reached", "95% interval", "networks to it")
    typer.echo("{:<17} {:>18} {:>10} {:>10} {:>8} {:>16} {:>15}".format(*columns))
    for name, found in traces.items():
        best = np.array([trace.best_cost for trace in found]) - lowest
        polished = ends[name] - lowest
        middles = (np.median(best), best.mean(), np.median(polished))
        words = [f"{value if abs(value) > target - lowest else 0.0:.3g}" for value in middles]  # but for rounding
        rate, low, high = success_rate(found, target, budget)
        to_it = np.median([trace.count_to(target) for trace in found])
        reached = f"{float(to_it):,.0f}" if np.isfinite(to_it) else f"> {budget:,}"
        interval = f"{float(low):.0%} to {float(high):.0%}"
        typer.echo(f"{name:<17} {words[0]:>18} {words[1]:>10} {words[2]:>10} {rate:>8.0%} {interval:>16} {reached:>15}")
    folder = results_directory(results) / config.experiment / f"baseline-{config.problem_id}"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{method}-{budget}-evaluations-{repeats}-repeats-seed-{seed}"
    path = baseline_curves(folder / f"{name}.png", traces, known.optimum if known else None)
    typer.echo(f"\n{path}\n{path.with_suffix('.csv')}")
