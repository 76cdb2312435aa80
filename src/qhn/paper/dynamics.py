"""Beyond the paper: entropy and entanglement along training, and what success depends on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from qhn import statistics
from qhn.arrays import Floats
from qhn.config.file import load_config
from qhn.estimator.exact import ExactEstimator
from qhn.exact.distribution import schmidt_spectrum
from qhn.optimize.lbfgs import descend
from qhn.paper.depth_pictures import by_data_set
from qhn.paper.family import APART, Family
from qhn.paper.inference import Difference
from qhn.paper.lab import Lab, circuit_of
from qhn.paper.optima import GRADIENT
from qhn.paper.optimum import Found, optimum_itself
from qhn.paper.pictures import ORDERS, along_training, name_of
from qhn.paper.section import Writer
from qhn.paper.success import in_words, paired
from qhn.problem.landscape import enumerate_costs
from qhn.sweep.survey import Survey
from qhn.text import spell

SHOWN_STEPS = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256)
STARTS = 40
DATA_SETS = 12
DEPTHS = (0, 1, 2, 3, 4)
NEARLY = 0.01  # bits of entropy, in the median, below which a distribution is nearly one bitstring
RANK_THRESHOLD = 1e-6  # a Schmidt coefficient counts if its probability is above


def training(lab: Lab) -> Writer:
    """The section on entropy and entanglement along training."""
    page = Writer("Entropy and entanglement along training (gaussian-activation, eq5)")
    page.text(
        f"{STARTS} starts a circuit, L-BFGS on the exact E. Entropy is that of the distribution over bitstrings (at "
        "most 14 bits); entanglement entropy and Schmidt rank are those of the state, cut between qubits 6 and 7. "
        f"The rank counts squared Schmidt coefficients above {RANK_THRESHOLD:g}; it is bounded by 2^layers. A start "
        "that has converged keeps its last values."
    )
    found = lab.map(partial(_along, starts=STARTS), list(DEPTHS), "entropy and entanglement, depths")
    quantities = ("entropy / bits", "entanglement entropy / bits", "Schmidt rank")
    values = {
        quantity: {name_of(depth): result[index] for depth, result in zip(DEPTHS, found, strict=True)}
        for index, quantity in enumerate(quantities)
    }
    page.picture(
        lambda: along_training(lab.folder / "training.png", SHOWN_STEPS, values), "Medians and quartiles over starts."
    )
    rows: list[tuple[Any, ...]] = []
    for depth, (entropy, entanglement, rank) in zip(DEPTHS, found, strict=True):
        ends = [f"{np.median(part[:, 0]):.3g} → {np.median(part[:, -1]):.2g}" for part in (entropy, entanglement)]
        rows.append((name_of(depth), *ends, f"{rank[:, 0].mean():.1f} → {rank[:, -1].mean():.1f}", f"{rank.max():.0f}"))
    head = ("circuit", "entropy", "entanglement entropy", "mean Schmidt rank", "largest")
    page.table(head, rows)
    if max(float(np.median(entropy[:, -1])) for entropy, _, _ in found) < NEARLY:
        page.text(
            "Whatever the depth, training ends in (nearly) a single bitstring, a product state: what entanglement "
            "there is belongs to the path, not to the solution."
        )
    return page


def _along(num_layers: int, starts: int) -> tuple[Floats, Floats, Floats]:
    """Entropy, entanglement entropy and Schmidt rank along training, ``[starts, shown steps]`` each."""
    settings = {"train.backend": "exact", "train.optimizer": "lbfgs", "ansatz.num_layers": num_layers}
    config = load_config("gaussian-activation", settings)
    problem = config.problem()
    ansatz = circuit_of(config, problem)
    estimator = ExactEstimator(ansatz, problem, costs=enumerate_costs(problem))
    seeds = [load_config("gaussian-activation", settings | {"train.seed": seed}) for seed in range(starts)]
    thetas = np.stack([member.initial_theta(ansatz) for member in seeds])
    shown: list[Floats] = []
    for number, at in enumerate(
        descend(estimator.value_and_grad, thetas, max_steps=SHOWN_STEPS[-1], tolerance=GRADIENT)
    ):
        if number in SHOWN_STEPS:
            shown.append(at.theta.copy())
    shown += [at.theta] * (len(SHOWN_STEPS) - len(shown))  # all have converged
    entropy = np.stack([estimator.distribution.entropy(theta) for theta in shown], axis=1)
    middle = ansatz.num_qubits // 2
    spectra = [[schmidt_spectrum(ansatz, row, cut=middle) ** 2 for row in theta] for theta in shown]
    entanglement = np.array([[statistics.entropy(probabilities) for probabilities in step] for step in spectra]).T
    rank = np.array([[float((probabilities > RANK_THRESHOLD).sum()) for probabilities in step] for step in spectra]).T
    return entropy, entanglement, rank


def data_sets(lab: Lab) -> Writer:
    """The section on how success depends on the data set drawn."""
    page = Writer("How success depends on the data set drawn (gaussian-activation)")
    starts = lab.seeds or 100
    surveys = []
    for number in range(1, DATA_SETS + 1):
        own = list(range(number * starts, (number + 1) * starts))
        name = f"data-set-{number}"
        surveys.append(lab.survey("data-set", {"name": name, "data.seed": number, "seeds": own}))
    config = surveys[0].sweep.config
    depths = config.vary["ansatz.num_layers"]
    lowest = [survey.groups[0].optimum for survey in surveys]
    page.text(
        f"{DATA_SETS} data sets of 1,000 samples, {starts} starts each, different ones for each. C* lies between "
        f"{min(lowest):.5f} and {max(lowest):.5f}. The spread of rates over data sets is compared with what {starts} "
        "starts alone would give (binomial); differences are means over data sets, paired, ± their standard error. All "
        "circuits have the same starts on a data set, so what these have in common cancels in its difference; *for : "
        "against* are the numbers of starts with more successes on the one side and on the other."
    )
    family = Family("success against depth, over data sets")
    for epsilon in config.epsilon:
        rates = {
            order: {depth: [survey.group(order, depth).success(epsilon) for survey in surveys] for depth in depths}
            for order in ORDERS
        }
        name = "data-sets" if epsilon == config.epsilon[0] else f"data-sets-{epsilon:g}"
        draw = partial(by_data_set, lab.folder / f"{name}.png", rates, epsilon)
        page.picture(draw, f"E − C* < {epsilon:g}; each thin line is one data set.")
        rows: list[tuple[Any, ...]] = []
        for order, found in rates.items():
            product = np.array([rate.value for rate in found[0]])
            for depth in depths:
                value = np.array([rate.value for rate in found[depth]])
                binomial = np.sqrt((value * (1 - value)).mean() / starts)
                gain = value - product
                rows.append(
                    (
                        order,
                        name_of(depth),
                        f"{value.mean():.3f}",
                        f"{value.min():.2f} to {value.max():.2f}",
                        f"{value.std(ddof=1):.3f}",
                        f"{binomial:.3f}",
                        "" if depth == 0 else f"{gain.mean():+.3f} ± {gain.std(ddof=1) / np.sqrt(len(gain)):.3f}",
                    )
                )
        head = ("order", "circuit", f"success, ε = {epsilon:g}", "range", "spread", "binomial", "minus product")
        page.table(head, rows)
        _shape_over_data_sets(family, surveys, epsilon)
    family.judge(page)
    landscapes = [landscape for survey in surveys if (landscape := survey.groups[0].landscape)]
    optimum_itself(page, lab, "data-sets", "over data sets", Found.of_data_sets(surveys), (2, 3), landscapes)
    return page


def _shape_over_data_sets(family: Family, surveys: Sequence[Survey], epsilon: float) -> None:
    """Add the claims of Fig. 2 on depth at one ε, from the mean over data sets of paired differences."""
    for statement, higher, lower in (
        ("One layer is worse than the product state", (0,), (1,)),
        ("Two or three layers are better than the product state", (2, 3), (0,)),
    ):
        pairs = [paired(survey, higher, lower, epsilon) for survey in surveys]
        gains = {name: Difference.of_means([one[name].difference.value for one in pairs]) for name in pairs[0]}
        counts = {name: np.sum([(one[name].more, one[name].fewer) for one in pairs], axis=0) for name in pairs[0]}
        starts = ", ".join(f"{name} {more:,} : {fewer:,}" for name, (more, fewer) in counts.items())
        family.order(
            "Fig. 2, other data",
            f"{statement} (ε = {epsilon:g}), as a mean over data sets",
            {order: gains[order] for order in ORDERS},
            gains[APART],
            f"{in_words(higher)} minus {in_words(lower)} (starts for : against: {starts})",
        )


def initial(lab: Lab) -> Writer:
    """The section on how success depends on the distribution of the initial θ."""
    page = Writer("How success depends on the initial distribution (gaussian-activation, eq5)")
    survey = lab.survey("initial")
    page.text(
        f"{len(survey.groups[0])} starts each. `uniform` is the paper's U(0, 2π); `normal` begins near the bitstring "
        "of zeros, `superposition` near the state in which all bitstrings are equally likely (width: standard "
        "deviation of all angles, in radians)."
    )
    epsilons = survey.sweep.config.epsilon
    head = ("circuit", "initial θ", *(f"E − C* < {epsilon:g}" for epsilon in epsilons), "gradients a start")
    rows = [
        (
            name_of(group.values[0]),
            spell(group.values[1]),
            *(str(group.success(epsilon)) for epsilon in epsilons),
            f"{group.columns['num_gradients'].mean():,.0f}",
        )
        for group in survey.groups
    ]
    page.table(head, rows)
    return page
