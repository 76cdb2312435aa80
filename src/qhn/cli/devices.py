"""Verbs of the command line about devices: estimate, doctor, jobs."""

from __future__ import annotations

import json
import math
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qhn.cli.app import app
from qhn.cli.options import (
    BAD_INPUT,
    DEFAULT_EXPERIMENT,
    FAILED,
    AnsatzOption,
    BackendOption,
    ExperimentArgument,
    LabelOption,
    LayersOption,
    MitigationOption,
    OrderOption,
    ResultsOption,
    RunArgument,
    SeedOption,
    SetOption,
    ShotsOption,
    StepsOption,
    TilesOption,
    TrustOption,
    check_range,
    find,
    load,
    planned,
)
from qhn.cli.terminal import put, tell
from qhn.errors import QhnError
from qhn.text import counted

if TYPE_CHECKING:
    from qiskit.providers import BackendV2

    from qhn.budget.forecast import Forecast
    from qhn.config import RunConfig
    from qhn.run.expectation import Expectation

MapOption = Annotated[Path | None, typer.Option("--map", help="Draw the chip and its chains into this PNG file.")]
BudgetOption = Annotated[float, typer.Option(help="QPU seconds to spend; 600 in 28 days are the Open plan's.")]
RehearsalsOption = Annotated[
    int | None, typer.Option(help="Rehearse so often on the device's twin, for the E to expect of each step; 20, say.")
]
KeepOption = Annotated[
    Path | None,
    typer.Option("--keep-answers", metavar="DIR", help="Write what the service says of the jobs, redacted."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")]


@app.command()
def estimate(
    experiment: ExperimentArgument = DEFAULT_EXPERIMENT,
    label: LabelOption = None,
    backend: BackendOption = None,
    shots: ShotsOption = None,
    ansatz: AnsatzOption = None,
    layers: LayersOption = None,
    order: OrderOption = None,
    steps: StepsOption = None,
    tiles: TilesOption = None,
    mitigation: MitigationOption = None,
    settings: SetOption = None,
    seed: SeedOption = None,
    budget: BudgetOption = 600.0,
    rehearsals: RehearsalsOption = None,
    chip_map: MapOption = None,
    results: ResultsOption = None,
    trust: TrustOption = False,
    as_json: JsonOption = False,
) -> None:
    """Choose qubits of a device and price a run on it; submits nothing."""
    if chip_map is not None and (chip_map.suffix != ".png" or not chip_map.parent.is_dir()):
        raise QhnError(f"--map must name a .png file in a directory that exists, got {chip_map}")
    if not 0 < budget < math.inf:
        raise QhnError(f"--budget must be above 0 seconds, got {budget:g}")
    if rehearsals is not None:
        from qhn.run.expectation import FEWEST, MOST

        check_range("--rehearsals", rehearsals, FEWEST, MOST)
    options = {"backend": backend, "shots": shots, "ansatz": ansatz, "layers": layers, "order": order, "steps": steps}
    options |= {"tiles": tiles, "mitigation": mitigation, "seed": seed}
    config = load(planned(experiment, label, settings, say=not as_json, **options), settings, **options)
    if _has_no_price(config, chip_map, rehearsals, as_json, trust):
        return
    from qhn.budget.quote import quote
    from qhn.report.attempt import attempt

    device = _device(config.train.backend)
    found = quote(config, device, budget, trust=trust)
    if not as_json:
        put(found.text())
    expected = None if rehearsals is None else _expected(config, device, rehearsals, results, trust, as_json)
    if as_json:
        put(json.dumps(found.values() | ({} if expected is None else {"expected": expected.to_json()})))
    if chip_map is None:
        return
    drawn = None
    with attempt(str(chip_map)):
        from qhn.report.chip_map import chip_map as draw

        drawn = draw(chip_map, found.chip, found.chains)
    if drawn is not None and not as_json:
        put(f"\n{drawn}, and beside it the same as .pdf and its data as .csv")


def _expected(
    config: RunConfig, device: BackendV2, rehearsals: int, results: Path | None, trust: bool, as_json: bool
) -> Expectation:
    """What the run should measure by rehearsals on the device's twin, printed and kept beside the run's directory."""
    from qhn.run.directories import results_directory
    from qhn.run.expectation import expect, keep

    watched = sys.stderr.isatty() and not as_json
    found = expect(config, device, rehearsals, trust=trust, tell=tell if watched else lambda words: None)
    path = keep(found, results_directory(results) / config.experiment)
    if not as_json:
        put(f"\n{found.words()}\n\n{found.table()}\n")
        put(f"the run {config.run_id} has begun: what was expected of it stays" if path is None else str(path))
    return found


def _has_no_price(config: RunConfig, chip_map: Path | None, rehearsals: int | None, as_json: bool, trust: bool) -> bool:
    """Whether shots on the machine of a run have no price in QPU seconds; if so, print what is known instead."""
    machine, name = config.train.machine, config.train.backend
    if machine.is_priced:
        return False
    from qhn.backend.terms import Amount

    twin = f"twin_{name}" if machine.has_chip else "fake_torino"
    if chip_map is not None:
        kind = "has no price" if machine.has_chip else "is none"
        raise QhnError(f"--map draws a device, and {name} {kind}; give --backend {twin}, for example")
    if rehearsals is not None:
        kind = "has no price" if machine.has_chip else "is none"
        raise QhnError(f"--rehearsals are of a device, and {name} {kind}; give --backend {twin}, for example")
    known: dict[str, Any] = {"backend": name, "billed": machine.bills}
    if machine.bills:
        steps = _forecast(config, trust).steps
        total = sum(steps, Amount())
        known |= {"steps": len(steps), "jobs": total.jobs, "shots": total.shots, "first_step_shots": steps[0].shots}
        words = (
            f"the first step takes {steps[0].shots:,} shots, a self-test of the device included, all "
            f"{counted(len(steps), 'step')} {total.shots:,} in {counted(total.jobs, 'job')}, or more if one of {name} "
            f"takes few circuits; what {name} bills for them is not known here: limit train.max_shots"
        )
    elif machine.has_chip:
        words = f"nothing is billed on {name}; {twin} shows its qubits, and a price by the formula of IBM's devices"
    else:
        words = f"nothing is billed on {name}; give --backend fake_<device> or ibm_<device>"
    put(json.dumps(known) if as_json else words)
    return True


def _forecast(config: RunConfig, trust: bool) -> Forecast:
    """The forecast of a run on a machine whose shots have no price, which is not opened for it."""
    from qhn.budget.forecast import Forecast

    return Forecast(config, config.circuit(config.problem(trust=True), trust=trust))


@app.command()
def doctor(
    experiment: Annotated[
        str | None, typer.Argument(metavar="[EXPERIMENT]", help="With --protocol: a preset, a .toml file or a table.")
    ] = None,
    protocol: Annotated[
        bool, typer.Option("--protocol", help="Check every point of the protocol before a run on --backend.")
    ] = False,
    label: LabelOption = None,
    backend: BackendOption = None,
    shots: ShotsOption = None,
    ansatz: AnsatzOption = None,
    layers: LayersOption = None,
    order: OrderOption = None,
    seed: SeedOption = None,
    steps: StepsOption = None,
    tiles: TilesOption = None,
    mitigation: MitigationOption = None,
    settings: SetOption = None,
    results: ResultsOption = None,
    trust: TrustOption = False,
) -> None:
    """Whether all is in place for a run on a QPU: versions, account, what is left of it, devices; costs nothing."""
    options = {"shots": shots, "ansatz": ansatz, "layers": layers, "order": order, "seed": seed, "steps": steps}
    options |= {"tiles": tiles, "mitigation": mitigation}
    if protocol:
        named = {"label": label} | options | {"results": results}
        words = [experiment or DEFAULT_EXPERIMENT]
        words += [part for name, value in named.items() if value is not None for part in (f"--{name}", str(value))]
        words += [part for one in settings or () for part in ("--set", one)]
        source = planned(words[0], label, settings, say=False, backend=backend, **options)
        from qhn.run.protocol import Protocol

        config = load(source, settings, backend=backend, **options)
        findings = Protocol(config, results, shlex.join(words + ["--trust"] * trust), trust).examine()
    else:
        given: dict[str, Any] = {"experiment": experiment, "--label": label, "--backend": backend, "--results": results}
        given |= {f"--{name}": value for name, value in options.items()} | {"--set": settings, "--trust": trust or None}
        extra = next((name for name, value in given.items() if value is not None), None)
        if extra is not None:
            raise QhnError(f"{extra} goes with qhn doctor --protocol; qhn doctor alone looks at no experiment")
        from qhn.backend.doctor import examine

        findings = examine()
    verdicts = set()
    for finding in findings:
        verdicts.add(finding.verdict)
        put(finding.line())
    if "unreachable" in verdicts:
        raise typer.Exit(FAILED)
    if verdicts & {"bad", "no account"}:
        raise typer.Exit(BAD_INPUT)


@app.command()
def jobs(
    name: RunArgument = None,
    results: ResultsOption = None,
    keep: KeepOption = None,
    trust: TrustOption = False,
    as_json: JsonOption = False,
) -> None:
    """The jobs of a run on a QPU: how far they are, what they cost, and what came of them."""
    from qhn.backend.machines import named_by_user
    from qhn.report.jobs import jobs_of_run, ledger_of, table
    from qhn.run.record import Record

    record = Record.load(find(name, results))
    if trust:
        named_by_user(record.config.train.backend)
    if not record.config.train.machine.bills:
        takers = "ibm_<device> and plug-ins that bill"
        raise QhnError(f"{record.config.run_id} ran on {record.config.train.backend}; qhn keeps jobs of {takers}")
    if keep is not None:
        from qhn.report.answers import keep_answers
        from qhn.run.recorded_problem import problem_of

        ansatz = record.config.circuit(problem_of(record), trust=trust)
        for line in keep_answers(record, ansatz.unrolled, keep):
            tell(line)
    lines, complaint = jobs_of_run(record)
    if complaint:
        tell(f"qhn: {complaint}; this is what was last known")
    spent, train = ledger_of(record).spent, record.config.train
    if as_json:
        told = {"jobs": [vars(line) for line in lines], "qpu_seconds": spent.seconds, "shots": spent.shots}
        put(json.dumps(told))
        return
    in_seconds = train.machine.bills_seconds
    if in_seconds:
        of = "" if train.max_qpu_seconds is None else f" of {train.max_qpu_seconds:,g}"
        total = f"{spent.seconds:,.1f}{of} QPU seconds"
    else:
        of = "" if train.max_shots is None else f" of {train.max_shots:,}"
        total = f"{spent.shots:,}{of} shots"
    parts = sum(len(line.ids) for line in lines)
    total += f" in {counted(spent.jobs, 'job')}" + f", which are {parts:,} of the vendor's" * (parts != len(lines))
    put(f"{table(lines, in_seconds=in_seconds)}\n\n{total}" if lines else "no job was submitted yet")


def _device(name: str) -> BackendV2:
    """Qiskit's object of the machine called ``name``, which has a chip."""
    from qhn.backend import open_backend

    return getattr(open_backend(name), "device")  # noqa: B009 – not every machine has one
