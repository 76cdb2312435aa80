"""The rules that end a run: by its steps, by its budget, and by what is left in the account."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qhn.backend.sampler import QuotaError
from qhn.backend.terms import Amount, BudgetExceeded, Detached, ids_of
from qhn.budget.ledger import Ledger
from qhn.budget.limits import Budgets
from qhn.config.train import TrainConfig
from qhn.optimize.optimizer import TOLERANCE, vanishes
from qhn.run.step import Ending, Outcome, Step, lowest_validation

ROUNDING = 1e-9  # relative: a budget of three steps is enough for three


def reached(rules: TrainConfig, steps: Sequence[Step], scale: float = 1.0) -> Outcome | None:
    """The outcome of a run whose steps fulfil a stop rule, by the first such rule; None if the run goes on.

    Args:
        rules: the training's configuration, with its stop rules.
        steps: the steps so far.
        scale: how far a typical cost lies above the optimum, which ``train.tolerance`` is relative to unless it is set.

    >>> from qhn.config.file import load_config
    >>> reached(load_config("figure-1").train, []) is None
    True
    """
    if steps and rules.target is not None and steps[-1].value <= rules.target:
        return Outcome(Ending.TARGET, f"the objective reached train.target = {rules.target:g}; set it to none to go on")
    if steps and rules.shots is None:
        limit = TOLERANCE * scale if rules.tolerance is None else rules.tolerance
        if vanishes(steps[-1].grad, steps[-1].value, limit):
            words = f"{TOLERANCE:g} of the scale of the costs" if rules.tolerance is None else f"{limit:g}"
            return Outcome(Ending.CONVERGED, f"no component of the gradient exceeds train.tolerance = {words}")
    if rules.shots is None and len(steps) > 2 and all((s.theta == steps[-1].theta).all() for s in steps[-3:]):
        return Outcome(Ending.PLATEAU, "θ no longer changes: no step down the gradient lowers the objective")
    if len(steps) >= rules.steps:
        largest = np.abs(steps[-1].grad).max(initial=0.0)
        largest = np.abs(steps[-1].grad).max(initial=0.0)
        left = "" if rules.shots is not None else f" without convergence, with a gradient of up to {largest:.2g} left"
        return Outcome(Ending.DONE, f"{rules.steps} steps done{left}; more with --set train.steps={2 * rules.steps}")
    if rules.plateau is not None and steps_since_progress(steps) >= rules.plateau:
        shots = "" if rules.shots is None else "more shots, "
        advice = f"try {shots}another seed, or a smaller learning_rate; --set train.plateau=… goes on"
        return Outcome(Ending.PLATEAU, f"no progress beyond the error in {rules.plateau} steps; {advice}")
    if rules.patience is not None and steps:
        lowest, cost = lowest_validation(steps)
        if steps[-1].step - lowest.step >= rules.patience:
            reason = f"the validation cost has not fallen below {cost:.6g}, that of step {lowest.step}, "
            advice = "qhn ensemble --step best-validation predicts from there; --set train.patience=none goes on"
            return Outcome(Ending.EARLY_STOPPING, f"{reason}in {rules.patience} steps; {advice}")
    return None


def over_budget(rules: Budgets, needed: Amount, known: Ledger, table: str = "train") -> Outcome | None:
    """The outcome of a run whose next step could take more than is left of a budget; None if it can be made.

    Args:
        rules: the budgets.
        needed: the most that the step can take: QPU seconds, jobs and shots.
        known: what the run has spent; jobs of the step that were submitted already are not paid for again.
        table: table of the configuration that holds the budgets, for the message.

    >>> from qhn.config.file import load_config
    >>> rules = load_config("figure-1", {"train.max_shots": 1000}).train
    >>> over_budget(rules, Amount(shots=600), Ledger(Amount(shots=600))).message
    'a step takes 600 shots, 400 of train.max_shots remain'
    """
    spent, more = known.spent, needed.beyond(known.paid_ahead)
    if not more.shots:
        return None
    seconds, limit = spent.seconds + more.seconds, rules.max_qpu_seconds
    if limit is not None and seconds > limit * (1 + ROUNDING):
        left = f"{max(0.0, limit - spent.seconds):,.2f} of {table}.max_qpu_seconds"
        return Outcome(Ending.BUDGET, f"a step takes up to {more.seconds:,.2f} QPU seconds, {left} remain")
    if rules.max_jobs is not None and spent.jobs + more.jobs > rules.max_jobs:
        left = f"{max(0, rules.max_jobs - spent.jobs):,} of {table}.max_jobs"
        return Outcome(Ending.BUDGET, f"a step takes {more.jobs:,} job{'s' * (more.jobs > 1)}, {left} remain")
    if rules.max_shots is not None and spent.shots + more.shots > rules.max_shots:
        left = f"{max(0, rules.max_shots - spent.shots):,} of {table}.max_shots"
        return Outcome(Ending.BUDGET, f"a step takes {more.shots:,} shots, {left} remain")
    return None


def over_evaluations(rules: TrainConfig, needed: int, known: int) -> Outcome | None:
    """The outcome of a run whose next step could exceed ``train.max_evaluations``; None if it can be made.

    Args:
        rules: the training's configuration, with its budgets.
        needed: the most bitstrings that the step can evaluate and that are not known yet.
        known: the number of different bitstrings evaluated so far.

    >>> from qhn.config.file import load_config
    >>> rules = load_config("figure-1", {"train.max_evaluations": 10}).train
    >>> over_evaluations(rules, needed=6, known=8).message
    'a step evaluates up to 6 new bitstrings, 2 of train.max_evaluations remain; raise it to go on'
    """
    if rules.max_evaluations is None or known + needed <= rules.max_evaluations:
        return None
    left = f"{max(0, rules.max_evaluations - known):,} of train.max_evaluations remain"
    words = f"a step evaluates up to {needed:,} new bitstrings, {left}; raise it to go on"
    return Outcome(Ending.BUDGET, words)


def beyond_account(needed: Amount, known: Ledger, left: float | None) -> Outcome | None:
    """The outcome of a run whose next step could take more QPU seconds than the account has; None if it can be made.

    The service would let the jobs of such a step wait until the account has more.

    Args:
        needed: the most that the step can take.
        known: what the run has spent; jobs of the step that were submitted already are not paid for again.
        left: QPU seconds left in the account; None if there is no limit or it is unknown.
    """
    more = needed.beyond(known.paid_ahead)
    if left is None or not more.shots or more.seconds <= left * (1 + ROUNDING):
        return None
    words = f"a step takes up to {more.seconds:,.2f} QPU seconds, the account has {left:,.2f} left in this period"
    return Outcome(Ending.QUOTA, f"{words}; qhn resume when it has more")


def stopped_by(error: Detached | BudgetExceeded | QuotaError) -> Outcome:
    """The outcome of a session in which a machine took no further job, or whose jobs are not waited for.

    Args:
        error: what the machine raised.

    >>> stopped_by(BudgetExceeded("what is next takes 3")).name.exit_code
    3
    """
    if isinstance(error, Detached):
        return detached(error.job_ids)
    return Outcome(Ending.QUOTA if isinstance(error, QuotaError) else Ending.BUDGET, str(error))


def detached(job_ids: Sequence[str]) -> Outcome:
    """The outcome of a session that does not wait for its jobs.

    Args:
        job_ids: the jobs that have not ended; empty if none could be submitted because too many wait already.
    """
    if not job_ids:
        return Outcome(Ending.DETACHED, "as many jobs wait as the account's plan allows; try qhn resume --detach later")
    ids = ids_of(job_ids)
    jobs = f"job {ids[0]} is" if len(ids) == 1 else f"{len(ids)} jobs are"
    return Outcome(
        Ending.DETACHED, f"{jobs} on the way; qhn jobs says how far, qhn resume goes on with what comes of it"
    )


def steps_since_progress(steps: Sequence[Step]) -> int:
    """The number of steps since the objective last fell below its earlier minimum by more than its standard error.

    It is the plain standard error. Where it is unknown, as that of a CVaR of a few shots, every new minimum counts.

    Args:
        steps: the steps so far.
    """
    lowest, since = np.inf, 0
    for step in steps:
        since += 1
        least = step.std_error if np.isfinite(step.std_error) else 0.0
        if step.value < lowest - least or lowest == np.inf:
            lowest, since = step.value, 0
    return since
