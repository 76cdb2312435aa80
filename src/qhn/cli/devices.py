"""Verbs of the command line about devices: estimate, doctor, jobs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    SetOption,
    ShotsOption,
    StepsOption,
    TilesOption,
    TrustOption,
    find,
    load,
    planned,
)
from qhn.cli.terminal import put, tell
from qhn.errors import QhnError

if TYPE_CHECKING:
    from qiskit.providers import BackendV2

    from qhn.config import RunConfig

MapOption = Annotated[Path | None, typer.Option("--map", help="Draw the chip and its chains into this PNG file.")]
BudgetOption = Annotated[float, typer.Option(help="QPU seconds to spend; 600 in 28 days are the Open plan's.")]
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
    budget: BudgetOption = 600.0,
    chip_map: MapOption = None,
    trust: TrustOption = False,
    as_json: JsonOption = False,
) -> None:
    """Choose qubits of a device and price a run on it; runs nothing."""
    if chip_map is not None and (chip_map.suffix != ".png" or not chip_map.parent.is_dir()):
        raise QhnError(f"--map must name a .png file in a directory that exists, got {chip_map}")
    if not 0 < budget < math.inf:
        raise QhnError(f"--budget must be above 0 seconds, got {budget:g}")
    options = {"backend": backend, "shots": shots, "ansatz": ansatz, "layers": layers, "order": order, "steps": steps}
    options |= {"tiles": tiles, "mitigation": mitigation}
    config = load(planned(experiment, label, settings, say=not as_json, **options), settings, **options)
    if _is_unpriced(config, chip_map, as_json, trust):
        return
    from qhn.budget.quote import quote
    from qhn.report.attempt import attempt

    found = quote(config, _device(config.train.backend), budget, trust=trust)
    put(json.dumps(found.values()) if as_json else found.text())
    if chip_map is None:
        return
    drawn = None
    with attempt(str(chip_map)):
        from qhn.report.chip_map import chip_map as draw

        drawn = draw(chip_map, found.chip, found.chains)
    if drawn is not None and not as_json:
        put(f"\n{drawn}, and beside it the same as .pdf and its data as .csv")


def _is_unpriced(config: RunConfig, chip_map: Path | None, as_json: bool, trust: bool) -> bool:
    """Whether shots of a run have no price that is known, as on a simulator; if so, that is printed."""
    from qhn.backend import MACHINES

    name, kind = config.train.backend, config.train.machine
    if kind.is_priced:
        return False
    if chip_map is not None:
        raise QhnError(f"--map draws a device, and {name} is none; give --backend fake_torino, for example")
    if kind.bills:
        return _has_no_price(config, as_json, trust)
    is_built_in = any(kind == machine for machine in MACHINES)
    what = f"nothing is billed on {name}, which computes here" if is_built_in else f"qhn bills nothing on {name}"
    words = f"{what}; give --backend fake_<device> or ibm_<device>"
    put(json.dumps({"backend": name, "billed": False}) if as_json else words)
    return True


def _has_no_price(config: RunConfig, as_json: bool, trust: bool) -> bool:
    """True, once the shots and jobs of a run were printed on a machine that bills them by a price nobody knows here."""
    from qhn.backend.terms import Amount
    from qhn.budget.forecast import Forecast
    from qhn.run.plan import prepare

    forecast = Forecast(config, prepare(config, named=True, trust=trust).ansatz)
    total, name = sum(forecast.steps, Amount()), config.train.backend
    found = {"backend": name, "billed": True, "steps": len(forecast.steps), "jobs": total.jobs, "shots": total.shots}
    words = f"{len(forecast.steps):,} steps and a self-test take {total.shots:,} shots in {total.jobs:,} jobs"
    words += (
        f" on {name}, which bills them by a price that qhn does not know; train.max_shots or train.max_jobs limit it"
    )
    put(json.dumps(found) if as_json else words)
    return True


@app.command()
def doctor() -> None:
    """Whether all is in place for a run on a QPU: versions, account, what is left of it, devices; costs nothing."""
    from qhn.backend.ibm.doctor import examine

    verdicts = set()
    for finding in examine():
        verdicts.add(finding.verdict)
        put(finding.line())
    if "unreachable" in verdicts:
        raise typer.Exit(FAILED)
    if verdicts & {"bad", "no account"}:
        raise typer.Exit(BAD_INPUT)


@app.command()
def jobs(
    name: RunArgument = None, results: ResultsOption = None, trust: TrustOption = False, as_json: JsonOption = False
) -> None:
    """The jobs of a run on a QPU: how far they are, what they cost, and what came of them."""
    from qhn.backend.machines import named_by_user
    from qhn.report.jobs import jobs_of_run, ledger_of, table
    from qhn.run.record import Record

    record = Record.load(find(name, results))
    if trust:
        named_by_user(record.config.train.backend)
    if not record.config.train.machine.bills:
        raise QhnError(
            f"{record.config.run_id} ran on {record.config.train.backend}, whose shots are not paid for: no jobs"
        )
    lines, complaint = jobs_of_run(record)
    if complaint:
        tell(f"qhn: {complaint}; this is what was last known")
    spent, limit = ledger_of(record).spent, record.config.train.max_qpu_seconds
    if as_json:
        put(json.dumps({"jobs": [vars(line) for line in lines], "qpu_seconds": spent.seconds}))
        return
    of = "" if limit is None else f" of {limit:,g}"
    plural = "s" * (spent.jobs != 1)
    paid = f"{spent.seconds:,.1f}{of} QPU seconds" if spent.seconds or limit else f"{spent.shots:,} shots"
    total = f"{paid} in {spent.jobs:,} job{plural}"
    put(f"{table(lines)}\n\n{total}" if lines else "no job was submitted yet")


def _device(name: str) -> BackendV2:
    """Qiskit's object of the machine called ``name``, which has a chip."""
    from qhn.backend import open_backend

    return getattr(open_backend(name), "device")  # noqa: B009 – not every machine has one
