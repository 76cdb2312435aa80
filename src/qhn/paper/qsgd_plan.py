"""What was fixed before looking in the part on quantum gradient descent, in its loop and for its pruned networks."""

from __future__ import annotations

from dataclasses import dataclass

from qhn.paper.plan import Plan, fixed


@dataclass(frozen=True)
class QsgdPlan(Plan):
    """The plan of the part on quantum gradient descent, but for its loop and its pruned networks."""

    saturated: float = fixed(1.2, "κ of twice the steps divided by κ, below which it has ceased to grow")
    polynomial: float = fixed(2.0, "the power of T below which the growth of κ is called polynomial; T² is the paper's")
    exploded: float = fixed(10.0, "κ of twice the steps divided by κ, above which it grows as no low power does")
    unread: float = fixed(0.01, "of the first share of the last displacement, below which it is costly to read out")
    hhl: float = fixed(0.02, "error of HHL at 9 phase qubits: ten times the bins' width of 1/512")


QSGD = QsgdPlan()


@dataclass(frozen=True)
class LoopPlan(Plan):
    """The plan of the loop of upload, solution and download."""

    seeds: int = fixed(8, "whole descents for each number of shots; an exponent is known to ± .1")
    repeats: int = fixed(200, "downloads for each number of shots, at most; a share near .95 is known to ± .015")
    most_shots: int = fixed(30_000_000, "shots of all downloads of one number of shots: 30 of 10⁶, for time")
    followed: float = fixed(0.01, "error of a segment's update, relative: ten times the solver's ε of 10⁻³")
    exponent: float = fixed(-0.5, "of errors in the shots, if they are those of shots alone")
    near_exponent: float = fixed(0.1, "distance from that exponent which is none; −⅓ and −1 are far")
    enough_shots: int = fixed(100_000, "shots a segment from which the loss falls truly")
    decrease: float = fixed(0.01, "error of the decrease of the loss, relative, that no user sees")
    within: float = fixed(0.9, "share of downloads within twice the stated error; 95 % if that error is right")
    stated: float = fixed(0.95, "confidence of the intervals of a download")
    held: float = fixed(
        0.925, "share that holds from which 95 % intervals are right: liberal criterion of Bradley, 1978"
    )


LOOP = LoopPlan()


@dataclass(frozen=True)
class PrunedPlan(Plan):
    """The plan of the spectra after pruning."""

    seeds: int = fixed(16, "trainings of each kind; a difference of 1.2 standard deviations is found, corrected")
    share: float = fixed(
        0.9, "of the parameters that are pruned, on which claims are judged: the paper's sparse models"
    )
    shares: tuple[float, ...] = fixed((0.5, 0.75, 0.9, 0.95), "that are pruned; those not judged are evidence")
    horizon: int = fixed(100, "steps of the linearised descent: a tenth of a training")
    early: int = fixed(10, "steps of it at which its error is early")
    rounding: float = fixed(1e-9, "by which exact eigenvalues may break what is proved")


PRUNED = PrunedPlan()
