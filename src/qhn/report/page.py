"""The report on a run, made from its record alone: a page for the terminal, and figures with their data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from qhn import bitstrings
from qhn.arrays import Bits, Floats
from qhn.backend import NoiseSettings
from qhn.circuit.ansatz import Ansatz, gate_angles, in_words
from qhn.config.python_problem import PythonConfig
from qhn.config.section import Section
from qhn.config.train import TrainConfig
from qhn.errors import QhnError
from qhn.estimator.exact import ExactEstimator
from qhn.estimator.means import stated, truncated, with_error
from qhn.estimator.noisy import OfAllCosts, without_shots
from qhn.estimator.polynomial import PolynomialEstimator
from qhn.predict.ensemble import distinct_bits, most_probable
from qhn.predict.predictions import Predictions
from qhn.problem.aggregation import HasPenalty, Outcomes, measured_value
from qhn.problem.capabilities import description_of, noun_of, number_of_bitstrings, summary_of
from qhn.problem.cost import BinnProblem, Problem
from qhn.problem.evaluations import Evaluations
from qhn.problem.landscape import BLOCK, MAX_ENUMERABLE_QUBITS, Landscape, cost_range, is_small
from qhn.problem.objective import Objective, as_objective
from qhn.report.attempt import attempt
from qhn.report.classification import ClassificationReport
from qhn.report.curvature import CurvatureReport
from qhn.report.device import DeviceReport
from qhn.report.folder import figures_folder
from qhn.report.jobs import ledger_of
from qhn.report.networks import NetworkReport
from qhn.run.provenance import all_costs
from qhn.run.record import Record
from qhn.run.recorded_machine import recorded_machine
from qhn.run.recorded_problem import RecordedProblem, problem_of
from qhn.run.step import Step, lowest_validation
from qhn.seeds import Key, Purpose
from qhn.statistics import MIN_TAIL, entropy

RANDOM_NETWORKS = 1_000_000  # random bitstrings that are drawn at most, where C of all is not known
DEFAULT_CVAR = 0.2  # share of lowest costs in the CVaR that is shown if none was trained
APART = ("tiles", "price", "load")  # facts of a backend that are left out of its line on the page
ROUNDING = 1e-12  # relative: sums in another order differ so


@dataclass(frozen=True)
class Report:
    """The report on a run.

    Attributes:
        record: the record of the run.
        given: the problem of the run, if it is a Python object; without it, the page is limited to costs in the record.
        trust: whether a program that stands for the circuit may be run; one that gives the costs never is.

    Raises:
        QhnError: at construction, if the run has no complete step.

    >>> from tempfile import TemporaryDirectory
    >>> import qhn
    >>> config = qhn.load_config("figure-1", {"train.steps": 2, "train.shots": 50})
    >>> with TemporaryDirectory() as results:
    ...     training = qhn.train(config, results=results)
    ...     steps = list(training)
    ...     page = Report(training.record).summary()
    >>> print(page.splitlines()[1].strip())
    circuit     4 qubits, num_layers 2, order eq5, 28 active of 32 angles
    """

    record: Record
    given: Problem | None = None
    trust: bool = False

    def __post_init__(self) -> None:
        if not self.steps:
            raise QhnError(f"run {self.record.directory} has no complete step yet; qhn resume continues it")

    @cached_property
    def steps(self) -> list[Step]:
        """All complete steps of the run, in order."""
        return self.record.steps()

    @cached_property
    def problem(self) -> Problem:
        """The problem of the run; for a Python object that is not given, what the record holds of it."""
        if self.given is not None:
            return self.given
        return problem_of(self.record)

    @cached_property
    def networks(self) -> NetworkReport | None:
        """The report on binary networks and their data; None for other problems."""
        return NetworkReport(self.problem) if isinstance(self.problem, BinnProblem) else None

    @cached_property
    def classification(self) -> ClassificationReport | None:
        """The report on how the networks classify the data; None for other problems."""
        if not isinstance(self.problem, BinnProblem):
            return None
        return ClassificationReport(Predictions(self.problem, self._predictors()))

    @cached_property
    def curvature(self) -> CurvatureReport:
        """The report on the curvature of E along the run."""
        ideal = self.ideal if self.landscape else None
        num_tiles = len(self.device.facts.tiles) if self.device else 1
        return CurvatureReport(self.record.config.train, self.steps, self.ansatz, ideal, num_tiles)

    def warning(self) -> str:
        """A line on what the user should beware of in the run's result; empty if there is nothing."""
        return self.classification.predictions.warning() if self.classification else ""

    def _predictors(self) -> dict[str, tuple[Bits, Floats]]:
        """The bits and the weights of the best network, the most likely one, and all of the last step, by name."""
        alone, (bits, _) = np.ones(1), self.most_likely
        best, usual = f"best of the {self._offered} {self.noun}s", f"{self._offered} {self.noun}"
        if not self.is_exact:
            best, usual = f"best sampled {self.noun}", f"most measured {self.noun}"
        found = {best: (self.best_bits[None], alone)}
        if self._told_apart and not np.array_equal(bits, self.best_bits):
            found[usual] = (bits[None], alone)
        if self._knows_costs:
            last = self.steps[-1].step
            every, weights = (
                most_probable(self.costs(last)[1]) if self.knows_all else distinct_bits(self.record.samples(last))
            )
            if len(every) > 1:
                found[f"ensemble of {len(every):,} {self.noun}s"] = (every, weights / weights.sum())
        return found

    @property
    def noun(self) -> str:
        """The word for what one bitstring stands for, such as ``network``."""
        return noun_of(self.problem)

    @cached_property
    def landscape(self) -> Landscape | None:
        """The costs of all bitstrings; None if they are too many, or the record does not hold them."""
        if isinstance(self.problem, RecordedProblem):
            return None if self.problem.table is None else Landscape(self.problem.table)
        return Landscape(all_costs(self.record, self.problem, keep=False)) if self._can_enumerate else None

    @property
    def _can_enumerate(self) -> bool:
        """Whether C of all bitstrings can be computed in a short time, or has been for the run."""
        return not isinstance(self.problem, RecordedProblem) and (is_small(self.problem) or self.knows_all)

    @property
    def is_exact(self) -> bool:
        """Whether the run took no shots."""
        return self.record.config.train.shots is None

    @property
    def knows_all(self) -> bool:
        """Whether the run took no shots, and its E is a sum over all bitstrings."""
        return self.is_exact and self.problem.num_qubits <= MAX_ENUMERABLE_QUBITS

    @cached_property
    def ansatz(self) -> Ansatz:
        """The circuit of the run."""
        return self.record.config.circuit(self.problem, trust=self.trust)

    @cached_property
    def ideal(self) -> ExactEstimator:
        """The exact estimator for the ideal circuit; it can be used only if :attr:`landscape` is known."""
        assert self.landscape is not None
        return ExactEstimator(self.ansatz, self.problem, objective=self._cvar, costs=self.landscape.costs)

    @cached_property
    def machine(self) -> OfAllCosts:
        """The estimator that a run which knows all costs used: that of the ideal circuit, or of a noisy one."""
        config = self.record.config
        if config.train.is_ideal:
            return self.ideal
        assert self.landscape is not None
        sampler = recorded_machine(self.record).compile(self.ansatz.unrolled)
        costs = self.landscape.costs
        found = without_shots(self.ansatz, self.problem, sampler, objective=self._cvar, costs=costs)
        assert not isinstance(found, PolynomialEstimator)
        return found

    @cached_property
    def device(self) -> DeviceReport | None:
        """The report on the device of the last session; None on other machines."""
        return DeviceReport.of(self.record, self.ansatz.unrolled)

    @property
    def _cvar(self) -> Objective:
        """The CVaR that was trained, or that of the lowest fifth."""
        objective = self.record.config.train.objective.build()
        if isinstance(objective, Objective) and not objective.is_mean:
            return objective
        return Objective(DEFAULT_CVAR)

    @property
    def best_bits(self) -> Bits:
        """The bits of the best bitstring, ``[num_qubits]``, qubit 0 first."""
        return bitstrings.from_text(self.steps[-1].best_bits)

    def costs(self, step: int) -> tuple[Floats, Floats]:
        """The costs of bitstrings at the θ of a step, and their weights, which sum up to 1.

        In a run that knows all costs they are those of all bitstrings, weighted by probability; in a run with shots
        those of the measured bitstrings, one entry per shot, weighted equally.

        Args:
            step: number of the step, from 0.

        Returns:
            The costs C, ``[n]``, and the weights, ``[n]``.
        """
        if self.knows_all:
            probabilities = self.machine.probabilities(self.steps[step].theta[None])[0]
            return self.machine.landscape.costs, probabilities
        known = Evaluations(self.problem)
        known.add(*self.record.evaluations())
        costs = known.cost(self.record.samples(step))
        return costs, np.full(len(costs), 1 / len(costs))

    # ------------------------------------------------------------ the page

    def summary(self) -> str:
        """A page of text: settings, the best bitstring, E, CVaR, best C, optimum, random search, accuracies."""
        config, last = self.record.config, self.steps[-1]
        outcome = self.record.outcome()
        ansatz = self.ansatz
        ended = outcome.name if outcome else f"unfinished, {config.train.steps} planned"
        lines = [
            f"{config.experiment} {config.run_id}: {len(self.steps)} step{'s' * (len(self.steps) != 1)}, {ended}",
            f"  circuit     {ansatz.num_qubits} qubits, {in_words(ansatz)}, "
            f"{int(ansatz.active.sum())} active of {ansatz.num_parameters} angles",
            f"  machine     {self._machine()}, "
            + (f"{self._shots()} a row, {last.shots:,} in all" if config.train.shots else "no shots"),
            *(self.device.lines() if self.device else []),
            self._problem_line(),
            f"  training    {'exact gradient' if config.train.is_ideal else _settings(config.train.gradient)}, "
            f"{_settings(config.train.optimizer)}, "
            + (f"angles {_settings(config.train.angles)}, " if config.train.angles.name != "all" else "")
            + f"objective {_settings(config.train.objective)}, seed {config.train.seed}{_warm_start(config.train)}",
            "",
            *self._most_likely_lines(),
            "",
            f"{f'best of the {self._offered} {self.noun}s' if self.is_exact else f'best sampled {self.noun}'}, "
            f"bits {last.best_bits} (qubit 0 first)",
            *(f"  {line}" for line in description_of(self.problem, self.best_bits)),
            "",
            *(f"{name:<32}{value}" for name, value in self._numbers()),
            "",
            *self.curvature.lines(),
            *(["", *self.classification.lines()] if self.classification else []),
        ]
        return "\n".join(lines)

    def _problem_line(self) -> str:
        """The data, the table ``[problem]``, or the Python object that was given as the problem, in one line."""
        if self.networks:
            return self.networks.data_line()
        cost, instance = self.record.config.cost, self.record.config.instance
        if isinstance(cost, PythonConfig):
            version = f", version {cost.version}" if cost.version else ""
            return f"  problem     {cost.python}, source {cost.sha256[:10]}{version}"
        meaning = summary_of(self.problem).splitlines()[0]
        if instance is None:
            return f"  problem     {cost.name if cost else self.noun}: {meaning}"
        known = f"digest {instance.digest[:10]}" if instance.digest else "without a digest: the run cannot be resumed"
        words = "" if isinstance(self.problem, RecordedProblem) else f": {meaning}"
        return f"  problem     {instance.type}, {known}{words}"

    def _shots(self) -> str:
        """The number of shots per row of angles, in words."""
        strategy = self.record.config.strategy(self.ansatz)
        shots = [step.measurement(strategy).shots for step in self.steps]
        few, many = min(shots), max(shots)
        twirled = ", rounded up by twirling," if self.record.config.device.twirling else ""
        return f"{f'{few:,} to ' if few != many else ''}{many:,} shots{twirled}"

    def _machine(self) -> str:
        """The name of the backend and whether it takes no seed, or the depolarising noise, in words."""
        config = self.record.config
        model = config.machine_settings
        if not isinstance(model, NoiseSettings):
            sessions = self.record.sessions()
            is_seedless = bool(sessions) and sessions[-1].backend.facts.get("seed") == "not taken"
            return config.train.backend + " (takes no seed, so that the same run measures other bits)" * is_seedless
        errors = f"p1 {model.p1:g}, p2 {model.p2:g}, readout error {model.readout_error:g}"
        return f"{config.train.backend} after every gate of the {model.form} circuit ({errors})"

    @cached_property
    def most_likely(self) -> tuple[Bits, float]:
        """The bitstring measured most often at the last step, ``[num_qubits]``, and its share of the shots.

        In a run without shots it is the most probable bitstring, with its probability; where not all probabilities are
        known, it is the one that the estimator offers, with nan.
        """
        if self.knows_all:
            return self.machine.most_probable(self.steps[-1].theta)
        if self.is_exact:
            return PolynomialEstimator(self.ansatz, self.problem).likely_bits(self.steps[-1].theta), np.nan
        bits = self.record.samples(self.steps[-1].step)
        different, counts = bitstrings.distinct(bits)
        usual = int(counts.argmax())
        return different[usual], float(counts[usual] / counts.sum())

    @property
    def _offered(self) -> str:
        """The word for the bitstrings that a run without shots evaluates, one at each θ."""
        return "most probable" if self.knows_all else "favoured"

    @property
    def _knows_costs(self) -> bool:
        """Whether costs at the θ of a step are known, of all bitstrings or of measured ones (:meth:`costs`)."""
        return self.knows_all or not self.is_exact

    @property
    def _told_apart(self) -> bool:
        """Whether a bitstring was measured more than once at the last step, so that one is the most likely."""
        shots = 0 if self.is_exact else len(self.record.samples(self.steps[-1].step))
        return shots <= 1 or self.most_likely[1] * shots > 1.5

    def _most_likely_lines(self) -> list[str]:
        if self.is_exact and not self.knows_all and isinstance(self.problem, RecordedProblem):
            return ["what the circuit favours at the last step follows from the cost, which is not in the record"]
        bits, share = self.most_likely
        if not self._told_apart:
            return [f"at the last step no {self.noun} was measured twice"]
        head = f"most measured {self.noun} of the last step, {share:.1%} of the shots"
        same = "it is also the best sampled one"
        if self.is_exact:
            head, same = f"most probable {self.noun} of the last step, p = {share:.4g}", "it is also the best of them"
        if np.isnan(share):
            head = f"{self.noun} that the circuit favours at the last step"
        if np.array_equal(bits, self.best_bits):
            return [f"{head}: {same}"]
        return [
            f"{head}, bits {bitstrings.text(bits)}",
            *(f"  {line}" for line in description_of(self.problem, bits)),
            f"  C {float(self.problem.cost(bits)):.6g}",
        ]

    def _numbers(self) -> list[tuple[str, str]]:
        last, space = self.steps[-1], 2**self.problem.num_qubits
        landscape = self.landscape
        optimum = landscape.optimum if landscape else None
        found = next(step.step for step in self.steps if step.best_cost == last.best_cost)
        rows = [("E = ⟨C⟩ at the last step", last.stated_mean() + _above(last.mean, optimum))]
        if last.discarded_weight:
            rows.append(("", f"of a simulation that was {truncated(last.discarded_weight)}"))
        if last.raw_mean is not None and last.raw_mean_std_error is not None:
            raw = stated(last.raw_mean, last.raw_mean_std_error, last.raw_mean_interval)
            rows.append(("E of these bits, not inverted", raw))
        if landscape and self.device and not self.is_exact:
            twin = self.device.twin_energies(gate_angles(self.ansatz, last.theta), landscape.costs)
            if twin is not None:
                words = f"{twin.plain:.6g}"
                if twin.mitigated is not None:
                    words = f"{twin.mitigated:.6g}; {twin.plain:.6g} in a run without mitigation"
                words += "" if twin.is_exact else f"; {truncated(twin.discarded)}"
                rows.append((f"E of the noisy twin, {'exact' if twin.is_exact else 'truncated'}", words))
        if landscape and not self.record.config.train.is_ideal:
            ideal = float(self.ideal.energy(gate_angles(self.ansatz, last.theta)[None])[0])
            rows.append(("E of the ideal circuit, exact", f"{ideal:.6g}" + _above(ideal, optimum)))
        rows += self._trained()
        rows += [self._tail()] if self._knows_costs else []
        if last.validation is not None:
            lowest, cost = lowest_validation(self.steps)
            rows.append((f"⟨C⟩ on validation data{', raw' * (last.raw_mean is not None)}", f"{last.validation:.6g}"))
            rows.append(("lowest validation ⟨C⟩", f"{cost:.6g} at step {lowest.step}"))
        if self.knows_all:
            probabilities = self.costs(last.step)[1]
            rows.append(
                ("entropy of the distribution", f"{entropy(probabilities):.4g} of {self.problem.num_qubits} bits")
            )
        best = f"best of the {self._offered} C" if self.is_exact else "best sampled C"
        rows.append((best, f"{last.best_cost:.6g} (step {found})" + _above(last.best_cost, optimum)))
        if landscape:
            rows.append(("optimum C*", f"{landscape.optimum:.6g}, {landscape.degeneracy} of {space:,} {self.noun}s"))
        if self.knows_all:
            rows.append((f"distinct {self.noun}s evaluated", f"all {space:,}: exact E is a sum over them"))
            return rows
        share = last.distinct / space
        seen = f"{last.distinct:,} of {number_of_bitstrings(self.problem.num_qubits)}{_percent(share)}"
        rows.append((f"distinct {self.noun}s evaluated", seen))
        if not isinstance(self.problem, RecordedProblem):  # a recorded problem knows no other costs
            rows.append(("best C of as many random ones", self._random_search(last.distinct)))
        if share > 0.1:
            remark = "so much of the space was seen that the best sample says little about the search; E does"
            rows.append(("", remark))
        return rows

    def _trained(self) -> list[tuple[str, str]]:
        """The objective at the last step, if it is neither E nor a CVaR, which have rows of their own."""
        objective, last = as_objective(self.record.config.train.objective.build(), self.problem), self.steps[-1]
        if objective.is_mean or objective == self._cvar:
            return []
        rows = [(objective.label, with_error(last.value, last.std_error))]
        return rows + ([self._penalty(objective)] if isinstance(objective, HasPenalty) else [])

    def _penalty(self, objective: HasPenalty) -> tuple[str, str]:
        """The quantity that is a penalty, and what it adds to E at the last step, as a row of the page."""
        last = self.steps[-1]
        added, error = last.value - last.mean, 0.0
        if not self.is_exact:
            bits = self.record.samples(last.step)
            added, error = map(float, measured_value(objective, Outcomes(np.zeros(len(bits)), lambda: bits)))
        adds = f"adds {with_error(added, error)} to E"
        if not objective.factor:
            return objective.penalty, adds
        return objective.penalty, f"{with_error(added / objective.factor, error / objective.factor)}, {adds}"

    def _tail(self) -> tuple[str, str]:
        """The CVaR at the last step, as a row of the page."""
        cvar, last = self._cvar, self.steps[-1]
        name = f"CVaR of its lowest {cvar.alpha:.0%}"
        if self.is_exact:
            return name, f"{float(self.machine(last.theta).objective):.6g}"
        costs = self.costs(last.step)[0]
        outcomes = Outcomes(costs, lambda: self.record.samples(last.step))
        value, error = map(float, measured_value(cvar, outcomes, self._lowest))
        return name, f"{value:.6g}, {self._unknown(cvar, costs)}" if np.isnan(error) else with_error(value, error)

    @property
    def _lowest(self) -> float | None:
        """The lowest cost that is possible, or a bound of it; None if it is not known."""
        if self.landscape:
            return self.landscape.optimum
        ends = cost_range(self.problem)
        return ends[0] if ends else None

    @staticmethod
    def _unknown(cvar: Objective, costs: Floats) -> str:
        """Why the error of a CVaR is unknown, in words."""
        if cvar.alpha * len(costs) < MIN_TAIL:
            return f"error unknown: {cvar.alpha * len(costs):.3g} shots in the tail, fewer than {MIN_TAIL}"
        return "error unknown: all shots of the tail cost the same, and rarer ones may cost less"

    def _random_search(self, count: int) -> str:
        if self.landscape:
            return f"{self.landscape.expected_best_of_random(count):.6g} expected"
        drawn = min(count, RANDOM_NETWORKS)
        rng = Key(self.record.config.train.seed, Purpose.RANDOM_SEARCH).generator()
        lowest = np.inf
        for start in range(0, drawn, BLOCK):
            bits = rng.integers(0, 2, (min(BLOCK, drawn - start), self.problem.num_qubits), dtype=np.uint8)
            lowest = min(lowest, float(self.problem.cost(bits).min()))
        return f"{lowest:.6g} in one draw of {drawn:,}" + (", fewer than that" if drawn < count else "")

    def provenance(self) -> str:
        """A text on where the numbers come from: time that the run took, its sessions, machines and versions."""
        timing = self.record.timing()
        seconds = sum(entry["seconds"] or 0.0 for entry in timing)
        qpu_seconds = ledger_of(self.record).spent.seconds if self.record.config.train.machine.bills_seconds else 0.0
        lines = [f"{seconds:,.1f} s in {len(timing)} steps, {qpu_seconds:,.1f} QPU s, in {self.record.directory}"]
        for session in self.record.sessions():
            versions = ", ".join(f"{name} {version}" for name, version in session.versions.items())
            facts = session.backend.facts
            backend = ", ".join(f"{name} {value}" for name, value in facts.items() if name not in APART)
            lines += [f"  {session.time}  {session.machine}", f"    {versions}", f"    backend: {backend}"]
        return "\n".join(lines)

    # ------------------------------------------------------------ figures

    def figures(self, output: Path | None = None) -> list[Path]:
        """Draw all figures of the run, with their data beside them.

        A figure that cannot be drawn is left out, and a warning says why.

        Args:
            output: the folder to draw into; None for ``figures/`` of the run, which then also keeps C of all
                bitstrings, or for another folder if the run is read-only (:func:`qhn.report.folder.figures_folder`).

        Returns:
            The paths of the PNG files.
        """
        folder = figures_folder(self.record, output)
        if folder.parent == self.record.directory and self._can_enumerate:
            all_costs(self.record, self.problem)
        optimum = self.landscape.optimum if self.landscape else None
        last, sampled = self.steps[-1].step, not self.is_exact
        trained = self.record.config.train.objective.build().label
        costs = (self.costs(0), self.costs(last)) if self._knows_costs else None
        paths = []
        with attempt("training.png"):
            from qhn.report.figures import training_curve

            best_of = "sampled" if sampled else self._offered
            paths.append(training_curve(folder, self.steps, optimum, trained, best_of=best_of))
        if costs:
            with attempt("costs.png"):
                from qhn.report.figures import cost_distribution

                paths.append(cost_distribution(folder, *costs, last, optimum, sampled=sampled))
        if self.curvature.is_drawn:
            with attempt("curvature.png"):
                from qhn.report.curvature_figure import curvature_curves

                paths.append(curvature_curves(folder, self.curvature))
        if self.device:
            paths += self.device.figures(folder)
        if self.networks:
            paths += self._network_figures(folder, self.networks)
        if self.classification:
            paths += self.classification.figures(folder)
        return paths

    def _network_figures(self, folder: Path, networks: NetworkReport) -> list[Path]:
        """Draw the best network, and the most likely one if it is another; nothing of other problems."""
        bits, share = self.most_likely
        best, usual = "best sampled", "most measured"
        if self.is_exact:
            best, usual = "best of the most probable", "most probable at the last step"
        shown = {"": (self.best_bits, f"{best}, C = {self.steps[-1].best_cost:.4g}")}
        if self._told_apart and not np.array_equal(bits, self.best_bits):
            title = f"{usual} ({share:.1%}), C = {float(self.problem.cost(bits)):.4g}"
            shown["-last" if self.is_exact else "-measured"] = (bits, title)
        return [path for suffix, what in shown.items() for path in networks.figures(folder, suffix, *what)]


def _above(value: float, optimum: float | None) -> str:
    if optimum is None:
        return ""
    above = value - optimum
    return f", {0 if abs(above) <= ROUNDING * abs(optimum) else above:.3g} above C*"


def _settings(chosen: Section) -> str:
    """A gradient, optimizer or objective with the values it was given, in words."""
    values = chosen.model_dump()
    name = values.pop("name")
    given = {key: value for key, value in values.items() if value is not False and value is not None}
    inside = ", ".join(key if value is True else f"{key} {value:g}" for key, value in given.items())
    return f"{name} ({inside})" if inside else str(name)


def _warm_start(train: TrainConfig) -> str:
    """The run whose last angles were the first of this one, in words; empty if there is none."""
    return f", begun at the last angles of run {train.initial.run}" if train.initial.name == "run" else ""


def _percent(share: float) -> str:
    return f" ({share:.1%})" if share > 0.001 else ""
