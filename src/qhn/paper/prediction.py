"""Fewer shots for many runs: schedulers, predictors and surveys, replayed on learning curves that are made here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

from qhn.errors import QhnError
from qhn.paper import prediction_claims, prediction_data, prediction_pictures, prediction_tables
from qhn.paper.curve_pool import Pool
from qhn.paper.hypernetwork_curves import DEPTHS, RATES, SHOTS, STEPS, Recipe, hypernetwork_pool
from qhn.paper.lab import Lab
from qhn.paper.mlp_curves import MlpRecipe, mlp_pool
from qhn.paper.plan import PREDICTION
from qhn.paper.predictability import score_all
from qhn.paper.prediction_methods import BASE, METHODS, MODELS, SHOWN
from qhn.paper.replays import EARLIER, replay_all
from qhn.paper.section import Writer
from qhn.paper.survey_bias import survey_all

TASKS = ("gaussian-activation", "gaussian-width", "mnist-01")
PACKAGES = {"sklearn": "scikit-learn", "dimod": "dimod", "dwave.samplers": "dwave-samplers"}


@dataclass(frozen=True)
class Sizes:
    """How much is replayed.

    Attributes:
        trials: number of curves of a hypernetwork task.
        mlp_trials: number of curves of the neural network.
        replays: number of replays of a method.
        splits: number of splits into curves to learn from and others.
        surveys: number of surveys.
    """

    trials: int = 240
    mlp_trials: int = 240
    replays: int = PREDICTION.replays
    splits: int = PREDICTION.splits
    surveys: int = PREDICTION.surveys

    @classmethod
    def of(cls, seeds: int | None) -> Sizes:
        """The sizes for a number of starts a circuit and learning rate; the default ones for None."""
        circuits = len(DEPTHS) * len(RATES)
        return cls() if seeds is None else cls(circuits * seeds, circuits * seeds, seeds, seeds, seeds)


def prediction(lab: Lab) -> Writer:
    """The section on schedulers that stop runs early, the predictors they use, and surveys with early stopping.

    Raises:
        QhnError: if packages of the extra ``search`` are not installed.
    """
    _check_packages()
    sizes = Sizes.of(lab.seeds)
    page = Writer("Fewer shots for many runs: schedulers, predictors, surveys")
    _introduce(page, sizes)
    mnist = None if lab.mnist is None else str(lab.mnist)
    makers: list[Callable[[], Pool]] = [
        *(lambda task=task: hypernetwork_pool(lab, Recipe(task, mnist=mnist), sizes.trials) for task in TASKS),
        lambda: mlp_pool(lab, MlpRecipe(), sizes.mlp_trials),
    ]
    study(page, lab, [make() for make in makers], sizes)
    return page


def study(page: Writer, lab: Lab, pools: list[Pool], sizes: Sizes) -> None:
    """Add what schedulers, predictors and surveys do on some pools of curves.

    Args:
        page: the section.
        lab: the workers, and the folder of the pictures.
        pools: pools of whole curves.
        sizes: how much is replayed.
    """
    outcomes = {pool.name: replay_all(lab, pool, METHODS, sizes.replays) for pool in pools}
    for pool in pools:
        prediction_tables.savings(page, pool, outcomes[pool.name])
    prediction_data.write_replays(lab.folder / "prediction-replays.csv", outcomes)
    page.picture(
        lambda: prediction_pictures.spent_against_regret(lab.folder / "prediction-spent.png", outcomes, BASE.name),
        "Resource spent, as a share of what Hyperband with η = 2 spends, against regret: means over replays with 95 % "
        "intervals, of which the part below a regret of 0, which there is not, is left out. Open marks: η = 3. Optuna "
        "and QUBOs have fewer replays, of the first draws alone: their regret is not to be compared with that of the "
        "others by eye.",
    )
    shown = pools[min(2, len(pools) - 1)]
    page.picture(
        lambda: prediction_pictures.one_study(lab.folder / "prediction-curves.png", shown, SHOWN),
        f"A replay of {SHOWN.name} on {shown.name}: learning curves as far as they were trained, in all brackets. Red "
        "crosses: stopped at a decision point; black: the winner.",
    )
    prediction_claims.claim_savings(page, outcomes)
    scores = {pool.name: score_all(lab, pool, MODELS, sizes.splits) for pool in pools}
    for pool in pools:
        prediction_tables.predictors(page, pool, scores[pool.name])
    prediction_data.write_scores(lab.folder / "prediction-scores.csv", scores)
    page.picture(
        lambda: prediction_pictures.solvers(lab.folder / "prediction-solvers.png", scores),
        "The share of variance that a support vector regression explains, and the gap of its dual energy to the "
        "continuous optimum, by the solver of the QUBO: means over splits with 95 % intervals, shown between an R² of "
        "−1.5 and 1, the most there is.",
    )
    prediction_claims.claim_solvers(page, scores)
    surveys = {}
    for pool in pools:
        rule, surveys[pool.name] = survey_all(lab, pool, sizes.surveys)
        prediction_tables.surveys(page, pool, rule, surveys[pool.name])
    prediction_data.write_surveys(lab.folder / "prediction-surveys.csv", surveys)
    prediction_claims.claim_surveys(page, surveys)


def _check_packages() -> None:
    missing = [name for module, name in PACKAGES.items() if not _is_installed(module)]
    if missing:
        raise QhnError(f"the part prediction needs {', '.join(missing)}: pip install 'qhn[search,peers]'")


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ImportError:  # of the package that a module is in
        return False


def _introduce(page: Writer, sizes: Sizes) -> None:
    page.text(
        f"{sizes.trials} trainings of each hypernetwork task, made here: {', '.join(map(str, DEPTHS))} layers, "
        f"learning rates {', '.join(map(str, RATES))}, first angles and shots of their own; {SHOTS} shots of each row "
        f"of angles, drawn from the ideal circuit. The unit of **resource** is the shots of {STEPS} steps of the "
        "product state; every training takes the same shots, so that a deeper circuit makes fewer steps, over which "
        "its learning rate falls to 0. A scheduler sees E as the shots measured it; **regret** is of the exact E. "
        f"{sizes.mlp_trials} trainings of scikit-learn's `MLPClassifier` on its digits (learning rate, width, penalty, "
        "batch size drawn at random) stand beside them; the unit is an epoch, the loss the cross entropy of validation "
        "images, and regret is of that of test images."
    )
    page.text(
        f"A **replay** sets {EARLIER} curves aside as those of an earlier sweep, and draws trials from the others, as "
        "many as the brackets of Hyperband begin, none of them twice if there are enough. Replays of one number are of "
        "the same draws for all methods of one η. Intervals are 95 % intervals over replays, by "
        f"resampling them; of fewer than {PREDICTION.few} replays they are Student's. "
        "**There is one pool a task**: replays share curves, so that intervals tell how the draw and the order of "
        "trials matter, and not how another pool would differ. *Saved* is against Hyperband with η = 2. *Regret* is "
        "the loss of the winner less the lowest of all trials drawn; *against all* is less that of the trial chosen if "
        "all are trained to the end. *Stopped* counts trials at decision points, in all rounds; *wrongly* those that "
        "would have been promoted at the end of their round."
    )
    page.text(
        "What is saved is resource: shots, QPU seconds, epochs. It is not latency: a synchronous scheduler waits for "
        "the slowest trial of each round, and a decision point adds another wait. Nothing here is an advantage of a "
        "quantum machine: the QUBO of a regression is solved as well, for what it is worth, by classical annealing, "
        "and uniformly random bits stand beside every solver. A circuit is trained as a solver only on 12 bits, "
        "of which 1,000 random bitstrings are a large share of all."
    )
    page.text(
        "Every replay, split and survey, from which tests and intervals follow, is in `prediction-replays.csv`, "
        "`prediction-scores.csv` and `prediction-surveys.csv`."
    )
    page.plan(PREDICTION)
