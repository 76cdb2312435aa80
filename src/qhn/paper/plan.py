"""What was fixed before looking: numbers of starts, thresholds and margins of every part of the report.

Each part has its plan, a frozen dataclass, which the part reads and the report prints. A threshold that was chosen
after its data were seen can be met by any data.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from qhn.text import Row


def fixed(value: Any, reason: str) -> Any:
    """A field of a plan with its value and the reason for it, in words."""
    return dataclasses.field(default=value, metadata={"reason": reason})


@dataclass(frozen=True)
class Plan:
    """The plan of a part: its fields are numbers that were fixed before looking, each with its reason."""

    def rows(self) -> list[Row]:
        """The name, value and reason of every field, for a table."""
        fields = dataclasses.fields(self)
        return [
            (one.name.replace("_", " "), _spelled(getattr(self, one.name)), one.metadata["reason"]) for one in fields
        ]


def _spelled(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(_spelled(one) for one in value)
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class DepthPlan(Plan):
    """The plan of Figs. 2 and 3: success against the depth of the circuit."""

    starts: int = fixed(1000, "of each circuit; a difference of 0.1 near ½ is found in nine of ten cases, corrected")
    high: float = fixed(0.25, "a rate above this is that of a method that works: four starts find it once")
    strict: float = fixed(0.003, "a distance from C* that only optimal networks satisfy; the paper's is 0.03")


DEPTH = DepthPlan()


@dataclass(frozen=True)
class ConvergencePlan(Plan):
    """The plan of the test whether success still rises with more steps."""

    checkpoints: tuple[int, ...] = fixed((250, 500, 700, 1000, 2000), "steps at which success is shown")
    most_steps: int = fixed(2000, "steps of starts that had not converged, more than the slowest of 40 a circuit took")
    margin: float = fixed(0.02, "a change of success by less is a plateau; that of no start of 200 is known to 0.014")


CONVERGENCE = ConvergencePlan()


@dataclass(frozen=True)
class PlateausPlan(Plan):
    """The plan of the variance of gradients against the number of qubits and the depth."""

    draws: int = fixed(512, "of uniform θ, each of which gives the gradient by all angles")
    global_draws: int = fixed(4096, "of θ for one bitstring at constant depth, whose gradients have heavy tails")
    layers: tuple[int, ...] = fixed((0, 1, 2, 4), "constant depths; the paper's optimum is at 2 or 3")
    flat: float = fixed(0.1, "bits of variance lost a qubit below which there is no plateau: less than 2^(−N/10)")
    exponential: float = fixed(0.5, "bits of variance lost a qubit above which there is one: deep circuits lose 1")


PLATEAUS = PlateausPlan()


@dataclass(frozen=True)
class InteractionsPlan(Plan):
    """The plan of Fig. 5: the orders of interaction that make up the cost."""

    most: float = fixed(0.9, "share of the variance that counts as nearly all of it, or as dominating it")
    few: int = fixed(4, "qubits of an interaction of few")
    half: float = fixed(0.5, "share of the variance that counts as most of it")
    data_sets: int = fixed(12, "drawn for each Gaussian task, whose W(S) depends on its sample")


INTERACTIONS = InteractionsPlan()


@dataclass(frozen=True)
class OverfittingPlan(Plan):
    """The plan of Fig. 6: training on few samples, and when it should stop."""

    samples: tuple[int, ...] = fixed((2, 4, 6, 8, 1000), "the paper's numbers N_s of training samples")
    iterations: int = fixed(50, "the paper's")
    data_sets: int = fixed(
        480, "a gain of 0.004 with a standard deviation of 0.02 is found in nine of ten cases among 25 tests"
    )
    folds: int = fixed(10, "the step for each tenth of the data sets is chosen on the other nine")
    held_out: int = fixed(1000, "validation samples, the paper's number, and as many for the test")
    negligible: float = fixed(0.01, "share of the final E below which a rise or a gain is no more than a trace")
    means_scale: float = fixed(0.5, "factor on the means of the Gaussians; the paper does not state its own")
    other_scales: tuple[float, ...] = fixed((0.3, 0.4, 0.7, 1.0), "other factors, since the first is a guess")
    other_samples: tuple[int, ...] = fixed((2, 4), "N_s at the other factors")
    other_data_sets: int = fixed(160, "at each other factor; the seeds are those of the first")


OVERFITTING = OverfittingPlan()


@dataclass(frozen=True)
class FrugalPlan(Plan):
    """The plan of the part on QPU seconds."""

    starts: int = fixed(100, "of each rule; a difference of .27 near ½ is found in nine of ten cases, corrected")
    noisy_starts: int = fixed(40, "of `gaussian-activation` with the noise of a device; few, as the noise is simulated")
    noisy_digit_starts: int = fixed(20, "of `mnist-01` with that noise; an interval is ± .2 wide")
    near: float = fixed(0.03, "the paper's distance of E from C* for a success on the Gaussian tasks")
    half: float = fixed(0.5, "a rate above this is that of a rule of which most starts succeed")


FRUGAL = FrugalPlan()


@dataclass(frozen=True)
class LookAheadPlan(Plan):
    """The plan of the part on looking ahead."""

    starts: int = fixed(40, "of each rule, the same for all; a gain of .8 standard deviations is found, corrected")
    near: float = fixed(0.03, "the paper's distance of E from C* for a success on the Gaussian tasks")
    near_minimum: float = fixed(0.1, "radians by which each angle is displaced from a minimum, small against 2π")
    resamples: int = fixed(20_000, "p-values down to 1/10,000, so that a family of 128 tests can decide")


LOOK_AHEAD = LookAheadPlan()


@dataclass(frozen=True)
class PredictionPlan(Plan):
    """The plan of the part on schedulers, predictors and surveys."""

    replays: int = fixed(30, "of each method; savings scatter by 2 %, so that 2 % more are found")
    splits: int = fixed(20, "of each predictor into curves to learn from and others")
    surveys: int = fixed(200, "of each task; a coverage of 96 % is told from 90 % in seven of ten cases, corrected")
    known: float = fixed(0.25, "of each curve, from which its end is predicted: an early decision, which saves most")
    solved: float = fixed(0.25, "of all trials of a pool, whose ends count as successes: rare, and yet in each survey")
    surviving: float = fixed(0.5, "of the trials of a group, those that go on if η = 2")
    few: int = fixed(11, "values, below which means have Student's intervals: resamples of fewer scatter too little")
    resamples: int = fixed(20_000, "p-values down to 1/10,000, so that each family can decide")
    least_saved: float = fixed(0.04, "the lower end of what Wulff et al. save against Hyperband")
    most_saved: float = fixed(0.14, "the upper end of what they save")
    least_saved_warm: float = fixed(
        0.23, "the lower end of what earlier replays with a warm start, on other curves, had saved"
    )
    most_saved_warm: float = fixed(0.26, "its upper end")
    same: float = fixed(0.01, "a difference of losses that is none to a user: a third of the paper's ε")
    as_much: float = fixed(0.02, "a difference of shares of resource that is none: half of the least that was claimed")
    as_well: float = fixed(0.05, "a difference of shares of variance that is none: a twentieth of all of it")
    small_bias: float = fixed(0.1, "of the bias of survivors: as good as gone")
    held: float = fixed(0.9, "intervals of 95 % that hold in fewer cases err twice as often as they say")


PREDICTION = PredictionPlan()


@dataclass(frozen=True)
class ControlsPlan(Plan):
    """The plan of the controls of “entanglement helps”."""

    starts: int = fixed(
        300, "of each control; beside 1,000 of a circuit .15 near ½ is found in nine of ten cases, corrected"
    )
    scattered: int = fixed(200, "of circuits with CX on random pairs, whose E takes a state vector: 0.3 s each")
    restarts: int = fixed(300, "starts of each circuit whose gradients are spent on the product state instead")
    row_restarts: int = fixed(100, "the same in circuit rows, which pay for up to a hundred starts each")
    sampled: int = fixed(
        20, "of each circuit trained by samples; judged at ε = 0.03, since they tell no small rates apart"
    )
    searches: int = fixed(30, "by each model that is trained by samples")
    evaluations: int = fixed(3000, "different networks of such a search; the circuits are judged at as many")
    equal_searches: int = fixed(20, "by models on as many networks as the circuit's whole training takes")
    equal_together: int = fixed(128, "runs that advance together in those, for time")
    shots: int = fixed(100, "a row, of the circuit beside these searches: the most of the section on search")
    epsilons: tuple[float, float] = fixed((0.03, 0.003), "the paper's, and ours, that only optimal networks satisfy")


CONTROLS = ControlsPlan()


@dataclass(frozen=True)
class DigitsPlan(Plan):
    """The plan of Fig. 4: success on digits against the depth of the circuit."""

    starts: int = fixed(200, "the paper's; a difference of 0.3, as its figure has, is found in all but 1 of 10⁴ cases")
    full_starts: int = fixed(
        500, "on full MNIST: a share of 0.6 is shown to be about 0.6 in nine of ten cases, corrected"
    )
    product: float = fixed(0.6, "the paper's share of starts of the product state that succeed, read off Fig. 4")
    layers: float = fixed(0.9, "the paper's share with two and three layers, read off Fig. 4")
    margin: float = fixed(0.1, "a share that differs by less is “about” the paper's, whose figure is read to 0.03")
    paper_epsilon: float = fixed(5e-5, "the paper's distance of E from C* for a success")
    loose_epsilon: float = fixed(3.3e-4, "a distance that takes in the second basin of full MNIST, ours")


DIGITS = DigitsPlan()


@dataclass(frozen=True)
class NoisePlan(Plan):
    """The plan of the study of noise."""

    starts: int = fixed(40, "trained without noise in each order of gates, for curves against the strength of noise")
    noisy_starts: int = fixed(
        12,
        "trained with noise, in pairs; raised after 6 had left gains over the initial θ undecided, so not fixed before",
    )
    mitigated: int = fixed(8, "circuits for each task, device and order of gates whose bias is mitigated")
    bend: float = fixed(0.05, "share of the largest rise that a straight rise may be off its line")
    slope: float = fixed(0.0283, "mean of the authors' own 100 optima, recomputed; of the successful ones 0.0280")
    slope_error: float = fixed(0.0004, "its standard error")
    slope_margin: float = fixed(0.1, "relative difference of two slopes that counts as none")
    shots: int = fixed(1000, "among which the best sample is sought")
    few_shots: int = fixed(10, "the same where random bitstrings have hardly a chance")
    surely: float = fixed(0.95, "chance from which on the best sample is optimal")
    half: tuple[float, float] = fixed((0.4, 0.6), "shares of a bias that count as half of it")
    pull: float = fixed(0.5, "standard errors that results may be off in the mean, of the exact value")
    scatter: tuple[float, float] = fixed((0.75, 1.33), "scatter of results in their stated standard errors")


NOISE = NoisePlan()


@dataclass(frozen=True)
class BeyondPlan(Plan):
    """The plan of the part beyond enumeration: when a circuit counts as trained, and what it is compared by."""

    first_seed: int = fixed(10, "of the starts; the rule for training was chosen on starts 0 to 3")
    starts: int = fixed(6, "of each circuit; E at the end scatters by 0.03 between starts")
    fallen: float = fixed(0.9, "share of the way from the mean C of random networks to the lowest known C that E falls")
    accuracy: float = fixed(0.9, "training accuracy of the ensemble; the larger class alone has about a half")
    margin: float = fixed(0.01, "nats by which a best sampled C may be worse and yet count as as good")
    samples: int = fixed(4000, "fresh networks of each trained distribution, for E and accuracies")
    random: int = fixed(100_000, "random networks, for the mean C before training")


BEYOND = BeyondPlan()


@dataclass(frozen=True)
class ObjectivesPlan(Plan):
    """The plan of the part on objectives that hold the distribution close to a uniform prior."""

    data_sets: int = fixed(100, "of few samples, the first of Fig. 6; half a standard deviation is found, corrected")
    samples: tuple[int, ...] = fixed((2, 4, 8), "numbers N_s of training samples at which Fig. 6 overfits")
    iterations: int = fixed(50, "of L-BFGS on few samples, the paper's")
    means_scale: float = fixed(0.5, "factor on the means of the Gaussians, that of Fig. 6")
    points: int = fixed(768, "that stand for all samples; twice as many changed Brier scores by 0.0001 in a pilot")
    folds: int = fixed(10, "the step at which to stop is chosen for each tenth of the data sets on the others")
    negligible: float = fixed(0.01, "share of the final E below which a rise is no more than a trace, as in Fig. 6")
    many: int = fixed(1000, "samples of the success study, those of Fig. 2")
    many_data_sets: int = fixed(80, "of as many samples, a start each; a difference of 0.3 in success is found")
    many_iterations: int = fixed(500, "of L-BFGS on many samples, the paper's")
    epsilon: float = fixed(0.03, "the paper's distance of E from C* for a success")
    margin: float = fixed(0.01, "a difference of E that is none to a user: a third of ε")
    deep_data_sets: int = fixed(16, "on which circuits of all depths meet the posterior, two starts each")
    deep_samples: tuple[int, ...] = fixed((8, 64), "N_s of a posterior near the prior, and of one far from it")
    layers: tuple[int, ...] = fixed((0, 1, 2, 3), "depths, as in Fig. 2")
    deep_iterations: int = fixed(300, "of L-BFGS; the last half of them lowered KL by 0.01 to 0.03 in a pilot")
    represented: float = fixed(0.1, "nats of KL below which no event's probability is off by more than 0.22 (Pinsker)")
    sampled_starts: int = fixed(
        20, "of the surrogate by shots; raised after 12 had left their stated values undecided, so not fixed before"
    )
    sampled_samples: int = fixed(8, "N_s of these")
    shots: int = fixed(100, "a row: few, so that the noise of shots shows")
    fallen: float = fixed(0.5, "share of the fall by exact gradients from which training by shots counts as working")
    pull: float = fixed(0.25, "standard errors that stated values may be off in the mean, of the exact value")
    scatter: tuple[float, float] = fixed((0.75, 1.33), "scatter of stated values in their standard errors")
    rounding: float = fixed(1e-9, "nats within which an identity holds")
    first_pilot: int = fixed(10_000, "seed of the data sets on which settings were chosen; claims have others")
    pilots: int = fixed(4, "of these data sets in the table of settings; the defaults were judged on 16")
    strengths: tuple[float, ...] = fixed((1 / 16, 0.25, 1.0, 4.0), "factors on the prior's weight in that table")
    widths: tuple[float, ...] = fixed((0.125, 2.0), "of the kernel in that table, beside the default")


OBJECTIVES = ObjectivesPlan()
