"""Quote for a run on a device: the qubits it would use and the QPU seconds it would cost, before it is submitted."""

from __future__ import annotations

import dataclasses
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from qhn.backend.device.chip import Chip
from qhn.backend.device.placement import place
from qhn.backend.device.price import Price, price, savings
from qhn.backend.device.region import Region
from qhn.backend.settings import as_device_settings
from qhn.black_box.cost import BlackBox
from qhn.budget.forecast import Forecast, qpu_time
from qhn.circuit.ansatz import in_words
from qhn.errors import QhnError
from qhn.estimator.gradient import Spsa
from qhn.optimize.shots import priced_shots
from qhn.text import aligned

if TYPE_CHECKING:
    from qiskit.providers import BackendV2

    from qhn.config import RunConfig

CAVEATS = """\
A tile scales its part of the gradient by its fidelity; fewer shots and SPSA make it noisier, so that a run takes more
steps. What a shorter delay does to the zeros from which qubits start is in no calibration."""

SESSION = """\
A session is billed by the clock, from its first job until it is closed or its budget is spent: what is computed here
between two steps is billed too, and comes on top of these seconds. IBM's Open plan has no sessions."""


@dataclass(frozen=True)
class Quote:
    """Qubits, circuits, shots and QPU seconds of a run on a device, with ways to make it cheaper.

    Attributes:
        title: one line that names the experiment, the device and the circuit.
        billed: whether the device is a QPU that bills seconds, and not a simulated one.
        chip: the calibrated device: its qubits, couplings and error rates.
        chains: the chosen qubits of each tile: one chain per tile, or the only route of a circuit that is no chain.
        layout: table of the reasons for which these qubits were chosen.
        asked_shots: number of shots per row in the configuration; twirling rounds it up.
        gradient: price of one gradient.
        gradients: largest number of gradients of a step.
        seconds: QPU seconds of each step of the run at its largest number of gradients, ``[num_steps]``.
        budget: QPU seconds that may be spent.
        savings: prices of a gradient with cheaper settings, by the name of the change.
        drift_every: number of steps between gradients that measure two more rows for the drift; None for never.
        self_test: QPU seconds of the device's self-test before the first step; 0 if nothing is billed.
        in_session: whether the run would be billed by the clock, as a session.
        evaluations: the most calls of a cost function of the user's for one gradient; None for other problems.
        in_seconds: whether a device that bills does so in QPU seconds.
        run_shots: number of shots of all steps, self-test included.
    """

    title: str
    billed: bool
    chip: Chip
    chains: Sequence[Region]
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
    evaluations: int | None = None
    in_seconds: bool = True
    run_shots: int = 0

    @property
    def run_seconds(self) -> float:
        """The QPU seconds of all steps, each with its largest number of gradients."""
        return sum(self.seconds)

    @property
    def steps_in_budget(self) -> int:
        """The number of steps that the budget allows; steps beyond the configured ones cost what the last one does."""
        spent = list(accumulate(self.seconds, initial=self.self_test))[1:]
        if spent[-1] > self.budget:
            return bisect_right(spent, self.budget)
        return len(spent) + int((self.budget - spent[-1]) // self.seconds[-1])

    def affordable(self, one: Price) -> int:
        """The number of steps within the budget if every gradient had the given price."""
        return int((self.budget - self.self_test) // (self.gradients * one.seconds))

    def text(self) -> str:
        """The whole quote as text for a terminal."""
        one, k = self.gradient, self.drift_every
        more = one.shots - self.asked_shots
        rounded = f" ({more} more than asked for, by twirling)" if more else ""
        at_most = f" of at most {self.gradients} gradients" if self.gradients > 1 else ""
        sums = [
            f"a gradient  {one.rows:,} rows in {one.circuits:,} circuits × {one.shots:,} shots{rounded}, "
            f"{one.jobs} job{'s' * (one.jobs > 1)}: {qpu_time(one.seconds)}",
            f"{'':11} {one.executions:,} executions of {1e6 * one.seconds_per_shot:,.1f} µs, "
            f"{one.two_qubit_gates:,} two-qubit gates a circuit",
            *([] if self.evaluations is None else [f"{'':11} up to {self.evaluations:,} bitstrings evaluated"]),
            *([f"{'':11} two rows more in steps 0, {k}, {2 * k} …, for the drift"] if k else []),
            *([f"a self-test of the device before the first step: {qpu_time(self.self_test)}"] if self.billed else []),
            f"the run     {len(self.seconds):,} steps{at_most}: {qpu_time(self.self_test + self.run_seconds)}",
            f"the budget  {qpu_time(self.budget)}: {self.steps_in_budget:,} steps",
        ]
        head = ("what saves", "circuits", "shots", "QPU s a gradient", "steps in the budget")
        rows = [
            (what, f"{p.circuits:,}", f"{p.shots:,}", f"{p.seconds:,.1f}", f"{self.affordable(p):,}")
            for what, p in self.savings.items()
        ]
        parts = [self.title, self.layout, "\n".join(sums), aligned(head, rows), CAVEATS]
        if self.in_session:
            parts.append(SESSION)
        if self.billed and not self.in_seconds:
            parts.append(
                f"These are QPU seconds by the formula of IBM's devices. What the vendor bills for the run's "
                f"{self.run_shots:,} shots is not known here: limit train.max_shots."
            )
        if not self.billed:
            parts.append(
                f"{self.chip.name} stands in for a device and bills nothing; these are what a device would bill."
            )
        return "\n\n".join(parts)

    def values(self) -> dict[str, Any]:
        """The whole quote as JSON values."""
        return {
            "backend": self.chip.name,
            "billed": self.billed,
            "calibration": self.chip.date,
            "assumed": [gap.words() for gap in self.chip.assumed],
            "tiles": [vars(chain) | {"fidelity": chain.fidelity} for chain in self.chains],
            "gradient": _values(self.gradient),
            "drift_every": self.drift_every,
            "evaluations": self.evaluations,
            "self_test_seconds": self.self_test,
            "step_seconds": self.seconds,
            "run_seconds": self.run_seconds,
            "run_shots": self.run_shots,
            "budget": self.budget,
            "steps_in_budget": self.steps_in_budget,
            "savings": {what: _values(one) for what, one in self.savings.items()},
        }


def _values(one: Price) -> dict[str, Any]:
    return dataclasses.asdict(one) | {"executions": one.executions}


def quote(config: RunConfig, device: BackendV2, budget: float, *, trust: bool = False) -> Quote:
    """Choose qubits of the device for the run, compile and check its circuit, and price it.

    Args:
        config: the configuration of the run.
        device: the Qiskit device on which it would run.
        budget: QPU seconds that may be spent.
        trust: whether every program that the configuration names may be run, also one that stands for a circuit.

    Raises:
        ValueError: if the device cannot run the configuration, or it has no shots.
    """
    if config.train.shots is None:
        raise QhnError("a device measures shots; give --shots")
    problem = config.problem(trust=True)
    ansatz = config.circuit(problem, trust=trust)
    machine, name = config.train.machine, config.train.backend
    use = as_device_settings(config.device.settings(machine))
    placed = place(ansatz.unrolled, device, use)
    forecast = Forecast(config, ansatz, placed)
    chip = placed.chip
    strategy, last_step = forecast.strategy, config.train.steps - 1
    last = strategy.on(strategy.gradient.active, strategy.shots.at(last_step), last_step, evaluation=1)
    task = forecast.task(last)
    return Quote(
        title=f"{config.experiment} on {name}, calibration of {chip.date[:10] or 'unknown date'}: "
        f"{ansatz.num_qubits} qubits, {in_words(ansatz)}",
        billed=machine.bills,
        chip=chip,
        chains=placed.chains,
        layout=placed.table(),
        asked_shots=last.shots,
        gradient=price(task),
        gradients=forecast.num_gradients,
        seconds=tuple(forecast.step_seconds),
        budget=budget,
        savings=savings(
            task,
            chip,
            placed.most_tiles,
            Spsa(ansatz.active).num_rows,
            shots_of=priced_shots if config.train.has_priced_shots else None,
        ),
        drift_every=config.device.drift_every,
        self_test=forecast.self_test().seconds,
        in_session=use.mode == "session",
        in_seconds=machine.bills_seconds or not machine.bills,
        run_shots=sum(one.shots for one in forecast.steps),
        evaluations=min(forecast.bitstrings([last]), 2**ansatz.num_qubits) if isinstance(problem, BlackBox) else None,
    )
