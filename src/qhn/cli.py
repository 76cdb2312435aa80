"""``qhn <verb>``: parse, call one function, print.

Data goes to standard output, progress and errors to standard error. Exit codes: 0 done; 2 bad input; 3 stopped by a
budget or a plateau; 4 the machine or its service failed, resumable; 130 interrupted, resumable.
"""

from __future__ import annotations

import errno
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.exceptions import TyperException

if TYPE_CHECKING:
    from qhn.run import Training
    from qhn.step import Outcome

EXIT_CODES = {"done": 0, "target": 0, "converged": 0, "plateau": 3, "budget": 3, "interrupted": 130}
BAD_INPUT, FAILED, INTERRUPTED = 2, 4, 130
DEFAULT_EXPERIMENT = "gaussian-activation"

app = typer.Typer(
    help="Train circuits whose measured bitstrings are binary neural networks.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ExperimentArgument = Annotated[str, typer.Argument(help="Name of a preset (see qhn list) or path of a .toml file.")]
RunArgument = Annotated[
    str | None, typer.Argument(metavar="[RUN]", help="Path or run id of a run; the latest by default.")
]
BackendOption = Annotated[str | None, typer.Option(help="exact, aer, aer-mps, fake_<device> or ibm_<device>.")]
ShotsOption = Annotated[int | None, typer.Option(help="Measured bitstrings a row of angles; exact does without.")]
LayersOption = Annotated[int | None, typer.Option(help="Layers of the circuit; 0 is the product state.")]
OrderOption = Annotated[str | None, typer.Option(help="Order of gates in a block: eq5 or authors.")]
SeedOption = Annotated[int | None, typer.Option(help="Seed of the initial angles and of the shots.")]
StepsOption = Annotated[int | None, typer.Option(help="Stop after so many steps.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any setting, e.g. train.optimizer=sgd; repeat.")
]
ResultsOption = Annotated[Path | None, typer.Option(help="Directory of runs; $QHN_RESULTS or results by default.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary, only the run's path.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a step, then one with the outcome.")]


def _print_version(asked: bool) -> None:
    if asked:
        from qhn import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.", callback=_print_version)] = False,
) -> None:
    pass  # main() looks for --debug itself: it must work for errors in parsing too


@app.command()
def run(
    experiment: ExperimentArgument = DEFAULT_EXPERIMENT,
    backend: BackendOption = None,
    shots: ShotsOption = None,
    layers: LayersOption = None,
    order: OrderOption = None,
    seed: SeedOption = None,
    steps: StepsOption = None,
    settings: SetOption = None,
    results: ResultsOption = None,
    restart: Annotated[bool, typer.Option(help="Set an existing run of this configuration aside.")] = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train; the same command again resumes, or shows a finished run."""
    config = _load(experiment, settings, backend, shots, layers, order, seed, steps)
    from qhn.run import train

    _advance(lambda: train(config, results=results, restart=restart), quiet, as_json)


@app.command()
def resume(
    name: RunArgument = None,
    steps: StepsOption = None,
    settings: SetOption = None,
    results: ResultsOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Go on with an interrupted run, or extend a finished one."""
    from qhn.run import resume as resume_run

    directory = _find_run(name, results)
    chosen = _settings(settings, {"train.steps": steps})
    _advance(lambda: resume_run(directory, chosen), quiet, as_json)


@app.command("list")
def list_runs(results: ResultsOption = None) -> None:
    """Presets, and runs with where they stand."""
    from qhn.configfile import presets
    from qhn.objective import with_error
    from qhn.record import Record, results_directory, run_directories
    from qhn.step import RecordError

    typer.echo("presets")
    for name, title in presets().items():
        typer.echo(f"  {name:<21} {title}")
    found = run_directories(results_directory(results))
    typer.echo(f"\nruns in {results_directory(results)}" + ("" if found else ": none"))
    if found:
        head = ("experiment", "run", "backend", "layers", "order", "shots", "seed", "steps", "ended")
        typer.echo("  {:<21} {:<12} {:<11} {:>6} {:<7} {:>6} {:>5} {:>9}  {:<12} E, best C".format(*head))
    for directory in found:
        try:
            record = Record.load(directory)
            steps, outcome, train, ansatz = record.steps(), record.outcome(), record.config.train, record.config.ansatz
        except RecordError as error:
            typer.echo(f"  {directory.parent.name:<21} {directory.name:<12} {error}")
            continue
        last = steps[-1] if steps else None
        values = f"{with_error(last.mean, last.mean_std_error)}, {last.best_cost:.6g}" if last else ""
        typer.echo(
            f"  {directory.parent.name:<21} {directory.name:<12} {train.backend:<11} {ansatz.num_layers:>6} "
            f"{ansatz.order:<7} {train.shots or '–':>6} {train.seed:>5} {f'{len(steps)}/{train.steps}':>9}  "
            f"{outcome.name if outcome else 'unfinished':<12} {values}"
        )


@app.command()
def show(name: RunArgument = None, results: ResultsOption = None) -> None:
    """What a run found, what its bits mean, what was used."""
    from qhn.record import Record
    from qhn.report import Report

    report = Report(Record.load(_find_run(name, results)))
    typer.echo(report.summary() + "\n\n" + report.problem.space.summary() + "\n\n" + report.provenance())


@app.command()
def report(name: RunArgument = None, results: ResultsOption = None) -> None:
    """Draw a run's figures and print its page."""
    from qhn.record import Record
    from qhn.report import Report

    page = Report(Record.load(_find_run(name, results)))
    paths = page.figures()
    typer.echo(page.summary() + "\n")
    for path in paths:
        typer.echo(str(path))


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
    from qhn.circuitfile import FORMS, drawing, openqasm, write_files
    from qhn.configfile import presets
    from qhn.spelling import did_you_mean

    if form not in FORMS:
        raise ValueError(f"unknown form {form!r}; {did_you_mean(form, FORMS, otherwise='choose ' + ', '.join(FORMS))}")
    names = list(presets()) if experiment is None and output is not None else [experiment or DEFAULT_EXPERIMENT]
    for name in names:
        config = _load(name, None, layers=layers, order=order)
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
    from qhn.figures import density_of_states, local_minima, walsh_weights
    from qhn.landscape import Landscape, enumerate_costs
    from qhn.record import results_directory

    config = _load(experiment, settings)
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
    method: Annotated[str, typer.Option(help="One search by name, or all.")] = "all",
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

    from qhn.baseline import METHODS, polish, search, success_rate
    from qhn.figures import baseline_curves
    from qhn.landscape import MAX_QUBITS, Landscape, enumerate_costs
    from qhn.problem import Problem, TableProblem
    from qhn.record import results_directory
    from qhn.spelling import did_you_mean

    if method not in (*METHODS, "all"):
        options = (*METHODS, "all")
        hint = did_you_mean(method, options, otherwise="choose " + ", ".join(options))
        raise ValueError(f"unknown method {method!r}; {hint}")
    for name, value in (("--repeats", repeats), ("--evaluations", evaluations)):
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    if seed < 0:
        raise ValueError(f"--seed must be at least 0, got {seed}")
    config = _load(experiment, settings)
    problem = config.problem()
    size = 2**problem.num_qubits
    budget = min(evaluations or min(size // 2, 20_000), size)
    known = Landscape(enumerate_costs(problem)) if problem.num_qubits <= MAX_QUBITS else None
    table: Problem = TableProblem(known.costs) if known else problem
    traces = {}
    for name in METHODS if method == "all" else (method,):
        typer.echo(f"{name}: {repeats} × {budget:,} of {size:,} networks", err=True)
        searched = problem if name == "straight-through" else table
        traces[name] = [search(searched, name, budget, seed + repeat) for repeat in range(repeats)]
    lowest = known.optimum if known else min(trace.best_cost for found in traces.values() for trace in found)
    target = lowest + (known.width if known else 1e-12 * abs(lowest))
    what = f"C* = {lowest:.8g}, the optimum" if known else f"lowest C found = {lowest:.8g}"
    typer.echo(f"{repeats} searches each, {budget:,} of {size:,} networks evaluated; {what}\n")
    above = "C - C*" if known else "C - lowest"
    columns = ("method", f"median {above}", "mean", "polished", "reached", "95% interval", "networks to it")
    typer.echo("{:<17} {:>18} {:>10} {:>10} {:>8} {:>16} {:>15}".format(*columns))
    for name, found in traces.items():
        best = np.array([trace.best_cost for trace in found]) - lowest
        polished = np.array([polish(table, trace.bits).cost for trace in found]) - lowest
        middles = (np.median(best), best.mean(), np.median(polished))
        words = [f"{value if value > target - lowest else 0.0:.3g}" for value in middles]  # no rounding errors
        rate, low, high = success_rate(found, target, budget)
        to_it = np.median([trace.count_to(target) for trace in found])
        reached = f"{float(to_it):,.0f}" if np.isfinite(to_it) else f"> {budget:,}"
        interval = f"{float(low):.0%} to {float(high):.0%}"
        typer.echo(f"{name:<17} {words[0]:>18} {words[1]:>10} {words[2]:>10} {rate:>8.0%} {interval:>16} {reached:>15}")
    folder = results_directory(results) / config.experiment / f"baseline-{config.problem_id}"
    folder.mkdir(parents=True, exist_ok=True)
    path = baseline_curves(folder, traces, known.optimum if known else None)
    typer.echo(f"\n{path}\n{path.with_suffix('.csv')}")


@app.command()
def evaluate(
    source: Annotated[str, typer.Argument(help="A run (its last θ), a preset or a .toml file.")],
    theta: Annotated[Path | None, typer.Option(help="Angles in radians, one row a θ: .npy, .npz, .json, .csv.")] = None,
    backend: BackendOption = None,
    shots: ShotsOption = None,
    seed: SeedOption = None,
    settings: SetOption = None,
    results: ResultsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Estimate E of given angles."""
    from qhn.evaluate import evaluate_theta, read_theta

    chosen = _settings(settings, {"train.backend": backend, "train.shots": shots, "train.seed": seed})
    chosen = {"train.optimizer": "adam", "train.gradient": "parameter-shift"} | chosen  # neither is used here
    config, angles = _source(source, results, chosen)
    if theta is not None:
        angles = read_theta(theta)
    if angles is None:
        raise ValueError("an experiment has no θ of its own; give a file of angles with --theta")
    lines = evaluate_theta(config, angles)
    for line in lines:
        words = line.pop("text")
        typer.echo(json.dumps(line, allow_nan=False) if as_json else words)


# ---------------------------------------------------------------- shared by the verbs


def _load(
    experiment: str,
    settings: list[str] | None,
    backend: str | None = None,
    shots: int | None = None,
    layers: int | None = None,
    order: str | None = None,
    seed: int | None = None,
    steps: int | None = None,
) -> Any:
    from qhn.configfile import load_config

    options = {
        "train.backend": backend,
        "train.shots": shots,
        "ansatz.num_layers": layers,
        "ansatz.order": order,
        "train.seed": seed,
        "train.steps": steps,
    }
    return load_config(experiment, _settings(settings, options))


def _settings(settings: list[str] | None, options: dict[str, Any]) -> dict[str, Any]:
    """``--set`` values and then the options that were given."""
    from qhn.configfile import parse_setting

    given = {key: value for key, value in options.items() if value is not None}
    return dict(parse_setting(text) for text in settings or []) | given


def _find_run(name: str | None, results: Path | None) -> Path:
    from qhn.record import find_run, results_directory

    return find_run(results_directory(results), name)


def _source(source: str, results: Path | None, settings: dict[str, Any]) -> tuple[Any, Any]:
    """Configuration and last θ of a run, or configuration of an experiment and None."""
    from qhn.configfile import load_config, presets, with_settings
    from qhn.record import Record

    if source in presets() or source.endswith(".toml"):
        return load_config(source, settings), None
    record = Record.load(_find_run(source, results))
    steps = record.steps()
    return with_settings(record.config, settings), steps[-1].theta if steps else None


def _advance(start: Callable[[], Training], quiet: bool, as_json: bool) -> None:
    """Run the steps with a display, then draw and print the report."""
    from qhn.backend import BackendError
    from qhn.display import plain_lines, progress

    training = start()
    signals = (signal.SIGINT, signal.SIGTERM)
    previous = [signal.signal(number, _stop_after_step(training)) for number in signals]
    try:
        if quiet or as_json:
            for step in training:
                if as_json:
                    typer.echo(step.to_json())
        elif sys.stderr.isatty():
            progress(training)
        else:
            plain_lines(training)
    except BackendError as error:
        raise BackendError(f"{error}; complete steps are kept, and qhn resume goes on") from error
    finally:
        for number, handler in zip(signals, previous, strict=True):
            signal.signal(number, handler)
        training.close()
    _conclude(training, quiet, as_json)


def _stop_after_step(training: Training) -> Callable[[int, Any], None]:
    def handler(number: int, frame: Any) -> None:
        signal.signal(number, signal.default_int_handler)  # the second time stops at once
        print("\nstopping after this step; once more stops at once", file=sys.stderr)
        training.request_stop()

    return handler


def _conclude(training: Training, quiet: bool, as_json: bool) -> None:
    from qhn.report import Report

    record, outcome = training.record, training.outcome
    assert record is not None
    assert outcome is not None
    has_steps = bool(record.steps())
    if has_steps:
        report = Report(record)
        figures = report.figures()
    if as_json:
        typer.echo(json.dumps({"outcome": outcome.name, "message": outcome.message, "run": str(record.directory)}))
    elif quiet:
        typer.echo(str(record.directory))
    else:
        if has_steps:
            typer.echo(report.summary())
            typer.echo("\n" + "\n".join(str(path) for path in [*figures, record.directory / "network.npz"]))
        typer.echo(_last_words(outcome, record.directory))
    raise typer.Exit(EXIT_CODES[outcome.name])


def _last_words(outcome: Outcome, directory: Path) -> str:
    if outcome.name == "interrupted":
        return f"{outcome.message}; go on with: qhn resume {directory}"
    return outcome.message


def main() -> None:
    """The console script: one line for an error, a traceback only with ``--debug``."""
    debug = "--debug" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--debug"]
    if len(sys.argv) == 1:
        sys.argv.append("--help")
    try:
        code = app(standalone_mode=False)
    except TyperException as error:
        code = _complain(error.format_message(), BAD_INPUT, debug)
    except (KeyboardInterrupt, typer.Abort):
        code = _complain("stopped; complete steps are kept, and qhn resume goes on", INTERRUPTED, False)
    except BrokenPipeError:  # the reader of our output has gone: nothing is left to say
        sys.stdout = None
        code = INTERRUPTED
    except (ValueError, OSError, MemoryError) as error:
        lost = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EIO, errno.EDQUOT)
        code = _complain(_explain(error), FAILED if lost else BAD_INPUT, debug)
    except RuntimeError as error:
        from qhn.backend import BackendError

        if not isinstance(error, BackendError):
            raise
        code = _complain(str(error), FAILED, debug)
    sys.exit(code)


def _explain(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or type(error).__name__


def _complain(message: str, code: int, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exc()
    print(f"qhn: {' '.join(message.split())}", file=sys.stderr)
    return code
