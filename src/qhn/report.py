"""What a finished or unfinished run says: one page for the terminal, figures with their data, from the record alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qhn import bitstrings
from qhn.config import Section
from qhn.landscape import Landscape, enumerate_costs
from qhn.objective import Objective, mean_and_error, with_error
from qhn.problem import BinnProblem, Evaluations
from qhn.record import Record
from qhn.seeds import Key, Purpose
from qhn.step import Step

Floats = NDArray[np.float64]
MAX_LOSSES = 2**30  # a report enumerates all networks if that takes no more losses of one network on one sample
RANDOM_NETWORKS = 200_000  # and beyond draws at most so many random networks
DEFAULT_CVAR = 0.2


@dataclass(frozen=True)
class Report:
    """A run to be reported on.

    Raises:
        ValueError: at construction, if it has no complete step.
    """

    record: Record

    def __post_init__(self) -> None:
        if not self.steps:
            raise ValueError(f"run {self.record.directory} has no complete step yet; qhn resume continues it")

    @cached_property
    def steps(self) -> list[Step]:
        return self.record.steps()

    @cached_property
    def problem(self) -> BinnProblem:
        return self.record.config.problem()

    @cached_property
    def landscape(self) -> Landscape | None:
        """All costs, or None if they are too many; kept in the run's ``landscape.npy`` once computed."""
        size = 2**self.problem.num_qubits
        if size * len(self.problem.dataset.y) > MAX_LOSSES:
            return None
        path = self.record.directory / "landscape.npy"
        try:
            costs = np.load(path)
        except (OSError, ValueError, EOFError):
            costs = np.empty(0)
        if costs.shape != (size,) or costs.dtype != np.float64:
            costs = enumerate_costs(self.problem)
            self.record.write_file(path.name, lambda file: np.save(file, costs))
        return Landscape(costs)

    @property
    def best_bits(self) -> bitstrings.Bits:
        """The best network's bits ``[num_qubits]``."""
        return np.array([int(bit) for bit in self.steps[-1].best_bits], dtype=np.uint8)

    def sampled_costs(self, step: int) -> Floats:
        """Costs of the bitstrings measured at a step's θ, ``[shots]``, looked up among the recorded evaluations."""
        known = Evaluations(self.problem)
        known.add(*self.record.evaluations())
        return known.cost(self.record.samples(step))

    # ------------------------------------------------------------ the page

    def summary(self) -> str:
        """One page: the best network in words, E, CVaR, best C, the optimum, accuracy, and random search beside it."""
        config, last, data = self.record.config, self.steps[-1], self.problem.dataset
        outcome = self.record.outcome()
        ansatz = config.circuit(self.problem.num_qubits)
        held_out = f"{len(data.y_validation):,} validation" if data.has_validation else "no validation"
        ended = outcome.name if outcome else f"unfinished, {config.train.steps} planned"
        lines = [
            f"{config.experiment} {config.run_id}: {len(self.steps)} steps, {ended}",
            f"  circuit     {ansatz.num_qubits} qubits, num_layers {ansatz.num_layers}, order {ansatz.order}, "
            f"{int(ansatz.active.sum())} active of {ansatz.num_parameters} angles",
            f"  machine     {config.train.backend}, {config.train.shots:,} shots a row, {last.shots:,} in all",
            f"  data        {data.name}, {len(data.y):,} training and {held_out} samples, loss {self.problem.loss}",
            f"  training    {_settings(config.train.gradient)}, {_settings(config.train.optimizer)}, "
            f"objective {_settings(config.train.objective)}, seed {config.train.seed}",
            "",
            *self._most_measured(),
            "",
            f"best sampled network, bits {last.best_bits} (qubit 0 first)",
            *(f"  {line}" for line in self.problem.network(self.best_bits).describe().splitlines()),
            "",
            *(f"{name:<32}{value}" for name, value in self._numbers()),
        ]
        return "\n".join(lines)

    @cached_property
    def measured_most(self) -> tuple[bitstrings.Bits, float]:
        """The network measured most often at the last step, ``[num_qubits]``, and its share of the shots."""
        bits = self.record.samples(self.steps[-1].step)
        different, counts = np.unique(bitstrings.pack(bits), axis=0, return_counts=True)
        usual = int(counts.argmax())
        return bitstrings.unpack(different[usual], bits.shape[1]), float(counts[usual] / counts.sum())

    def _most_measured(self) -> list[str]:
        bits, share = self.measured_most
        head = f"most measured network of the last step, {share:.1%} of the shots"
        if np.array_equal(bits, self.best_bits):
            return [f"{head}: it is also the best sampled one"]
        lines = self.problem.network(bits).describe().splitlines()
        return [
            f"{head}, bits {bitstrings.text(bits)}",
            *(f"  {line}" for line in lines),
            f"  C {float(self.problem.cost(bits)):.6g}, accuracy {self._accuracy(bits)}",
        ]

    def _accuracy(self, bits: bitstrings.Bits) -> str:
        training, validation = self.problem.accuracy(bits)
        held_out = "" if validation is None else f", {float(validation):.1%} validation"
        return f"{float(training):.1%} training{held_out}"

    def _numbers(self) -> list[tuple[str, str]]:
        last, space = self.steps[-1], 2**self.problem.num_qubits
        landscape = self.landscape
        optimum = landscape.optimum if landscape else None
        objective = self.record.config.train.objective.build()
        cvar = objective if not objective.is_mean else Objective(DEFAULT_CVAR)
        tail = cvar.transform(self.sampled_costs(last.step))
        found = next(step.step for step in self.steps if step.best_cost == last.best_cost)
        majority = max(self.problem.dataset.y.mean(), 1 - self.problem.dataset.y.mean())
        rows = [("E = ⟨C⟩ at the last step", with_error(last.mean, last.mean_std_error) + _above(last.mean, optimum))]
        rows.append((f"CVaR of its lowest {cvar.alpha:.0%}", with_error(*map(float, mean_and_error(tail)))))
        if last.validation is not None:
            rows.append(("⟨C⟩ on validation data", f"{last.validation:.6g}"))
        rows.append(("best sampled C", f"{last.best_cost:.6g} (step {found})" + _above(last.best_cost, optimum)))
        if landscape:
            rows.append(("optimum C*", f"{landscape.optimum:.6g}, {landscape.degeneracy} of {space:,} networks"))
        rows.append(("accuracy of the best network", self._accuracy(self.best_bits)))
        rows.append(("accuracy of the larger class", f"{majority:.1%} training"))
        share = last.distinct / space
        seen = f"{last.distinct:,} of {_count(self.problem.num_qubits)}{_percent(share)}"
        rows.append(("distinct networks evaluated", seen))
        rows.append(("best C of as many random ones", self._random_search(last.distinct)))
        if share > 0.1:
            remark = "so much of the space was seen that the best sample says little about the search; E does"
            rows.append(("", remark))
        return rows

    def _random_search(self, count: int) -> str:
        if self.landscape:
            return f"{self.landscape.expected_best_of_random(count):.6g} expected"
        drawn = min(count, RANDOM_NETWORKS)
        rng = Key(self.record.config.train.seed, Purpose.RANDOM_SEARCH).generator()
        bits = rng.integers(0, 2, (drawn, self.problem.num_qubits), dtype=np.uint8)
        return f"{float(self.problem.cost(bits).min()):.6g} in one draw of {drawn:,}"

    def provenance(self) -> str:
        """Sessions, machines, versions and time that the run took."""
        timing = self.record.timing()
        seconds, qpu_seconds = (sum(entry[name] or 0.0 for entry in timing) for name in ("seconds", "qpu_seconds"))
        lines = [f"{seconds:,.1f} s in {len(timing)} steps, {qpu_seconds:,.1f} QPU s, in {self.record.directory}"]
        for session in self.record.manifest():
            versions = ", ".join(f"{name} {version}" for name, version in session["versions"].items())
            backend = ", ".join(f"{name} {value}" for name, value in session["backend"].items())
            lines += [f"  {session['time']}  {session['machine']}", f"    {versions}", f"    backend: {backend}"]
        return "\n".join(lines)

    # ------------------------------------------------------------ figures

    def figures(self) -> list[Path]:
        """Draw all figures into the run's ``figures/`` and return their paths; their data is saved beside them."""
        from qhn import figures

        folder = self.record.directory / "figures"
        folder.mkdir(exist_ok=True)
        optimum = self.landscape.optimum if self.landscape else None
        last = self.steps[-1].step
        network = self.problem.network(self.best_bits)
        objective = self.record.config.train.objective.build()
        trained = "" if objective.is_mean else f"CVaR of the lowest {objective.alpha:.0%}"
        paths = [
            figures.training_curve(folder, self.steps, optimum, trained),
            figures.cost_distribution(folder, self.sampled_costs(0), self.sampled_costs(last), last, optimum),
        ]
        bits, share = self.measured_most
        shown = {"": (network, f"best sampled, C = {self.steps[-1].best_cost:.4g}")}
        if not np.array_equal(bits, self.best_bits):
            title = f"most measured ({share:.1%}), C = {float(self.problem.cost(bits)):.4g}"
            shown["-measured"] = (self.problem.network(bits), title)
        data = self.problem.dataset
        for suffix, (drawn, title) in shown.items():
            if data.num_features == 2:
                paths.append(figures.decision_boundary(folder / f"decision{suffix}.png", drawn, data, title))
            if drawn.image_shape:
                paths.append(figures.weight_image(folder / f"weights{suffix}.png", drawn, title))
        return paths


def _above(value: float, optimum: float | None) -> str:
    return "" if optimum is None else f", {value - optimum:.3g} above C*"


def _settings(chosen: Section) -> str:
    """A gradient, optimizer or objective with the values it was given, in words."""
    values = chosen.model_dump()
    name = values.pop("name")
    inside = ", ".join(f"{key} {value:g}" for key, value in values.items())
    return f"{name} ({inside})" if inside else str(name)


def _percent(share: float) -> str:
    return f" ({share:.1%})" if share > 0.001 else ""


def _count(num_qubits: int) -> str:
    return f"{2**num_qubits:,}" if num_qubits <= 30 else f"2^{num_qubits}"
