"""What a run would use and cost on a device, before anything is sent to it."""

from __future__ import annotations

import dataclasses
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from qhn.backend import Sampler
from qhn.backend.device.chip import Chip
from qhn.backend.device.layout import QubitChain, disjoint_chains, report
from qhn.backend.device.placement import Placement, place
from qhn.backend.device.price import Price, Task, job_seconds, price, savings, whole_seconds
from qhn.backend.ibm.selftest import ROWS, SHOTS, is_due
from qhn.backend.journal import Entry
from qhn.backend.terms import Amount
from qhn.circuit.hypernetwork import Ansatz
from qhn.errors import QhnError
from qhn.estimator.gradient import Spsa
from qhn.text import aligned

if TYPE_CHECKING:
    from qiskit.providers import BackendV2

    from qhn.config import RunConfig

MANY = 20  # qubits of a chain, all named in a line
CAVEATS = """\
A tile scales its part of the gradient by its fidelity; fewer shots and SPSA make it noisier, so that a run takes more
steps. What a shorter delay does to the zeros from which qubits start is in no calibration: it is not in the sum."""

SESSION = """\
A session is billed by the clock, from its first job until it is closed or its budget is spent: what is computed here
between two steps is billed too, and comes on top of these seconds. IBM's Open plan has no sessions."""


@dataclass(frozen=True)
class Quote:
    """A run on a device, as it was asked for.

    Attributes:
        title: the experiment, the device and the circuit.
        billed: whether the device is real.
        chip: its calibration.
        chains: the qubits of each tile.
        layout: why these, as a table.
        asked_shots: a row; twirling rounds them up.
        gradient: what one costs.
        gradients: that a step takes at most.
        seconds: of each step of the run, at most, ``steps`` of them.
        budget: QPU seconds that may be spent.
        savings: what would make a gradient cheaper.
        drift_every: after so many steps a gradient has two rows more; None for never.
        self_test: QPU seconds of the device's test before the first step; 0 if nothing is billed.
        in_session: whether the run would be billed by the clock.
    """

    title: str
    billed: bool
    chip: Chip
    chains: list[QubitChain]
    layout: str
    asked_shots: int
    gradient: Price
    gradients: int
    seconds: tuple[float, ...]
    budget: float
    savings: dict[str, Price]
    drift_every: int | None = None
    self_test: float = 0.0
    in_session: bool = False

    @property
    def run_seconds(self) -> float:
        """QPU seconds of all steps, at most."""
        return sum(self.seconds)

    @property
    def steps_in_budget(self) -> int:
        """Steps of the run that the budget allows; more than were asked for cost what the last one does."""
        spent = list(accumulate(self.seconds, initial=self.self_test))[1:]
        if spent[-1] > self.budget:
            return bisect_right(spent, self.budget)
        return len(spent) + int((self.budget - spent[-1]) // self.seconds[-1])

    def affordable(self, one: Price) -> int:
        """Steps within the budget if all were at such a price of a gradient."""
        return int((self.budget - self.self_test) // (self.gradients * one.seconds))

    def text(self) -> str:
        """All of it, for a terminal."""
        one, k = self.gradient, self.drift_every
        more = one.shots - self.asked_shots
        rounded = f" ({more} more than asked for, by twirling)" if more else ""
        at_most = f" of at most {self.gradients} gradients" if self.gradients > 1 else ""
        sums = [
            f"a gradient  {one.rows:,} rows in {one.circuits:,} circuits × {one.shots:,} shots{rounded}, "
            f"{one.jobs} job{'s' * (one.jobs > 1)}: {_time(one.seconds)}",
            f"{'':11} {one.executions:,} executions of {1e6 * one.seconds_per_shot:,.1f} µs, "
            f"{one.two_qubit_gates:,} two-qubit gates a circuit",
            *([f"{'':11} two rows more in steps 0, {k}, {2 * k} …, for the drift"] if k else []),
            *([f"a self-test of the device before the first step: {_time(self.self_test)}"] if self.billed else []),
            f"the run     {len(self.seconds):,} steps{at_most}: {_time(self.self_test + self.run_seconds)}",
            f"the budget  {_time(self.budget)}: {self.steps_in_budget:,} steps",
        ]
        head = ("what saves", "circuits", "shots", "QPU s a gradient", "steps in the budget")
        rows = [
            (what, f"{p.circuits:,}", f"{p.shots:,}", f"{p.seconds:,.1f}", f"{self.affordable(p):,}")
            for what, p in self.savings.items()
        ]
        parts = [self.title, self.layout, "\n".join(sums), aligned(head, rows), CAVEATS]
        if self.in_session:
            parts.append(SESSION)
        if not self.billed:
            parts.append(
                f"{self.chip.name} stands in for a device and bills nothing; these are what a device would bill."
            )
        return "\n\n".join(parts)

    def values(self) -> dict[str, Any]:
        """All of it, as JSON values."""
        return {
            "backend": self.chip.name,
            "billed": self.billed,
            "calibration": self.chip.date,
            "tiles": [dataclasses.asdict(chain) | {"fidelity": chain.fidelity} for chain in self.chains],
            "gradient": _values(self.gradient),
            "drift_every": self.drift_every,
            "self_test_seconds": self.self_test,
            "step_seconds": self.seconds,
            "run_seconds": self.run_seconds,
            "budget": self.budget,
            "steps_in_budget": self.steps_in_budget,
            "savings": {what: _values(one) for what, one in self.savings.items()},
        }


def _values(one: Price) -> dict[str, Any]:
    return dataclasses.asdict(one) | {"executions": one.executions}


def quote(config: RunConfig, device: BackendV2, budget: float) -> Quote:
    """Choose qubits of the device for the run, compile and check its circuit, and price it.

    Args:
        config: the run.
        device: that it would run on.
        budget: QPU seconds that may be spent.

    Raises:
        ValueError: if the device cannot run it so.
    """
    train, use = config.train, config.device.settings()
    if train.shots is None:
        raise QhnError("a device measures shots; give --shots")
    ansatz = config.circuit(config.problem().num_qubits)
    placed = place(ansatz, device, use)
    chip, chains, load = placed.chip, placed.chains, placed.load
    as_many = use.qubits or use.tiles == "auto"
    most = chains if as_many else disjoint_chains(chip, load, "auto", exclude=use.exclude, guard=use.guard)
    last = task_at(config, placed, train.steps - 1, 1)
    return Quote(
        title=f"{config.experiment} on {device.name}, calibration of {chip.date[:10] or 'unknown date'}: "
        f"{ansatz.num_qubits} qubits, num_layers {ansatz.num_layers}, order {ansatz.order}",
        billed=device.name.startswith("ibm_"),
        chip=chip,
        chains=chains,
        layout=report(chip, load, chains, exclude=use.exclude),
        asked_shots=train.shots,
        gradient=price(last, chip),
        gradients=train.optimizer.build().max_evaluations,
        seconds=tuple(seconds_of_steps(config, placed)),
        budget=budget,
        savings=savings(last, chip, len(most), Spsa(ansatz.active).num_rows),
        drift_every=config.device.drift_every,
        self_test=price_of_self_test(placed.seconds_per_shot, self_test_is_due(config, ())).seconds,
        in_session=use.mode == "session",
    )


def placement_of(sampler: Sampler) -> Placement | None:
    """Where on a device a sampler runs; None if it runs on none."""
    found = getattr(sampler, "placement", None)
    return found if isinstance(found, Placement) else None


def task_at(config: RunConfig, placed: Placement, step: int, evaluation: int = 0) -> Task:
    """One gradient at a step of a run."""
    num_rows = config.gradient_at(placed.ansatz, step, evaluation).num_rows
    return placed.task(num_rows, num_rows, config.train.shots_at(step))


def seconds_of_steps(config: RunConfig, placed: Placement) -> list[float]:
    """QPU seconds of each step of a run, at most."""
    gradients = config.train.optimizer.build().max_evaluations
    return [amount_at(config, placed, step, gradients).seconds for step in range(config.train.steps)]


def price_at(config: RunConfig, placed: Placement, step: int, evaluation: int = 0) -> Price:
    """Of one gradient at a step of a run.

    Raises:
        ValueError: if it is beyond a limit of the service.
    """
    return price(task_at(config, placed, step, evaluation), placed.chip)


def amount_at(config: RunConfig, placed: Placement, step: int, gradients: int, *, whole: bool = False) -> Amount:
    """What so many gradients at a step of a run take, in whole seconds a job if asked for.

    Raises:
        ValueError: as :func:`price_at`.
    """
    amounts = []
    for evaluation in range(min(2, gradients)):  # all but the first are alike
        one = price_at(config, placed, step, evaluation)
        seconds = whole_seconds(one.jobs, one.seconds) if whole else one.seconds
        amounts.append(Amount(seconds, one.jobs, one.executions))
    return _sum_of(gradients, amounts[0], amounts[-1])


def _sum_of(gradients: int, first: Amount, other: Amount) -> Amount:
    """Of a first gradient and others."""
    more = gradients - 1
    others = Amount(more * other.seconds, more * other.jobs, more * other.shots)
    return first + others


def price_of_step(config: RunConfig, ansatz: Ansatz, placed: Placement | None, step: int = 0) -> Amount:
    """What a step takes at most, calibration circuits included; beside a device no seconds and no jobs.

    On a QPU seconds are whole ones (:func:`qhn.backend.device.price.whole_seconds`).

    Args:
        config: the run.
        ansatz: its circuit.
        placed: on a device, if it is one.
        step: its number.
    """
    gradients = config.train.optimizer.build().max_evaluations
    if placed is None or config.train.shots is None:
        return Amount(shots=gradients * config.train.gradient.build(ansatz).num_rows * config.train.shots_at(step))
    return amount_at(config, placed, step, gradients, whole=is_billed(config))


def needed_by_steps(config: RunConfig, ansatz: Ansatz, placed: Placement | None) -> list[Amount]:
    """What each step of a run takes at most; the first with the self-test of a QPU."""
    needed = [price_of_step(config, ansatz, placed, step) for step in range(config.train.steps)]
    if placed is not None:
        needed[0] += price_of_self_test(placed.seconds_per_shot, self_test_is_due(config, ()))
    return needed


def price_of_run(config: RunConfig, placed: Placement | None) -> float:
    """QPU seconds that a run should take, the self-test of a QPU included; 0 beside devices."""
    if placed is None or config.train.shots is None:
        return 0.0
    test = price_of_self_test(placed.seconds_per_shot, self_test_is_due(config, ()))
    return test.seconds + sum(seconds_of_steps(config, placed))


def self_test_is_due(config: RunConfig, self_tests: Iterable[Entry]) -> bool:
    """Whether a run tests its machine before its next step; only QPUs are tested."""
    return is_billed(config) and is_due(self_tests)


def is_billed(config: RunConfig) -> bool:
    """Whether a run is on a QPU."""
    return config.train.backend.startswith("ibm_")


def price_of_self_test(seconds_per_shot: float, due: bool) -> Amount:
    """What it takes; nothing if it is not due."""
    executions = ROWS * SHOTS
    return Amount(job_seconds(1, executions, seconds_per_shot), 1, executions) if due else Amount()


def price_by_facts(config: RunConfig, facts: dict[str, Any], shots: int, *, has_drift: bool = False) -> Amount:
    """The same, of a step of so many shots, from what :func:`price_facts` said to a record."""

    def gradient(counts: dict[str, Any]) -> Amount:
        jobs, executions = counts["jobs"], counts["circuits"] * shots
        seconds = job_seconds(jobs, executions, facts["seconds_per_shot"])
        return Amount(whole_seconds(jobs, seconds) if is_billed(config) else seconds, jobs, executions)

    others = gradient(facts.get("without_drift", facts))
    return _sum_of(facts["gradients"], gradient(facts) if has_drift else others, others)


def price_facts(config: RunConfig, placed: Placement) -> dict[str, Any]:
    """What a run would take of a QPU, as a record keeps it."""
    first, seconds = price_at(config, placed, 0), seconds_of_steps(config, placed)
    other = price_at(config, placed, 0, 1)
    without_drift = {"without_drift": {"circuits": other.circuits, "jobs": other.jobs}}
    return {
        "rows": first.rows,
        "circuits": first.circuits,
        "shots": first.shots,
        "two_qubit_gates": first.two_qubit_gates,
        "seconds_per_shot": first.seconds_per_shot,
        "jobs": first.jobs,
        "gradients": config.train.optimizer.build().max_evaluations,
        "qpu_seconds_of_a_step": round(seconds[0], 2),
        "steps": len(seconds),
        "qpu_seconds_of_the_run": round(sum(seconds), 1),
        **(without_drift if config.device.drift_every else {}),
    }


def price_words(facts: dict[str, Any]) -> str:
    """The same in words."""
    shots = f"{facts['circuits']:,} circuits × {facts['shots']:,} shots"
    return (
        f"the first step takes {shots}, {facts['qpu_seconds_of_a_step']:,.1f} QPU s, "
        f"all {facts['steps']:,} steps {_time(facts['qpu_seconds_of_the_run'])}"
    )


def layout_words(facts: dict[str, Any]) -> str:
    """Qubits of a device, from what its sampler says of itself."""
    tiles = facts["tiles"]
    chain = "-".join(_shortened([str(qubit) for qubit in tiles[0]["qubits"]]))
    others = f" and {len(tiles) - 1} more tile{'s' * (len(tiles) > 2)}" if len(tiles) > 1 else ""
    return f"qubits {chain} of {facts['name']}{others}, estimated fidelity {tiles[0]['estimated_fidelity']:.3f}"


def _shortened(words: list[str]) -> list[str]:
    return words if len(words) <= MANY else [*words[: MANY // 2], "…", *words[-MANY // 2 :]]


def _time(seconds: float) -> str:
    longer = "" if seconds < 120 else f" ({seconds / 60:,.0f} min)" if seconds < 7200 else f" ({seconds / 3600:,.1f} h)"
    return f"{seconds:,.1f} QPU seconds{longer}"
