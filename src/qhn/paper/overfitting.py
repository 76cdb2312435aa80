"""Fig. 6: training on few samples, and when it should stop."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np

from qhn import durable
from qhn.arrays import Floats
from qhn.config.file import load_config
from qhn.exact.energy import Energy
from qhn.optimize.lbfgs import descend
from qhn.paper.claims import verdict_of
from qhn.paper.inference import mean_and_error
from qhn.paper.lab import Lab, circuit_of
from qhn.paper.optima import GRADIENT
from qhn.paper.pictures import overfitting
from qhn.paper.section import Writer
from qhn.problem.cost import networks_of
from qhn.problem.landscape import enumerate_costs

SAMPLES = (2, 4, 6, 8, 1000)
DATA_SETS, STEPS = 100, 51
CHUNK = 10  # data sets that one worker does at a time
SMALL = 0.01  # share of E below which a rise does not matter
HELD_OUT = 1000  # samples for validation, and as many for the test
MEANS = 0.5  # factor on the means of the Gaussians; the paper does not state its own


def figure_6(lab: Lab) -> Writer:
    """The section on Fig. 6, training and validation E over 50 iterations, from few samples and from many."""
    page = Writer("Fig. 6: overfitting (gaussian-activation, Gaussians closer together)")
    page.text(
        f"{DATA_SETS} data sets for each number of samples N_s, one start each, 2 layers, eq5, {STEPS - 1} iterations "
        f"of L-BFGS on the exact E. All means × {MEANS:g} (the paper does not say how close its Gaussians are). Curves "
        "are means over data sets; bands and ± are standard errors, and a claim needs two of them. Early stopping "
        f"takes, for each data set, the step of its lowest E on {HELD_OUT:,} validation samples, and is judged on "
        f"another {HELD_OUT:,}, the test samples."
    )
    chunks = [(samples, start) for samples in SAMPLES for start in range(0, DATA_SETS, CHUNK)]
    found = lab.map(partial(_curves, chunk=CHUNK), chunks, "Fig. 6, ten data sets at a time")
    curves = {}
    for samples in SAMPLES:
        parts = [sides for (number, _), sides in zip(chunks, found, strict=True) if number == samples]
        curves[samples] = tuple(np.concatenate(side) for side in zip(*parts, strict=True))
    names = ("training", "validation", "test")
    arrays = {f"{name}_{n}": side for n, sides in curves.items() for name, side in zip(names, sides, strict=True)}
    path = lab.folder / "figure-6-all.npz"
    durable.replace(path, lambda file: np.savez_compressed(file, allow_pickle=False, **arrays))
    page.picture(
        lambda: overfitting(lab.folder / "figure-6.png", {n: (sides[0], sides[1]) for n, sides in curves.items()}),
        "Training (solid) and validation E (dashed), with the lowest point of the latter (dotted).",
    )
    _judge(page, curves)
    return page


def _judge(page: Writer, curves: dict[int, tuple[Floats, ...]]) -> None:
    """Add the table and the claims from the curves of each N_s.

    The curves are E on training, validation and test data, ``[data sets, STEPS]`` each.
    """
    head = ["N_s", "training E", "validation E", "gap", "lowest mean validation at", "rise after it"]
    head += ["early stopping lowers test E by", "median step of early stopping"]
    rows, gaps, rises, gains = [], {}, {}, {}
    for samples, (training, validation, test) in curves.items():
        half = len(validation) // 2  # one half of the data sets says where the mean is lowest, the other how it rises
        lowest = int(validation[:half].mean(axis=0).argmin())
        stop = validation.argmin(axis=1)
        gaps[samples] = mean_and_error(validation[:, -1] - training[:, -1])
        rises[samples] = mean_and_error(validation[half:, -1] - validation[half:, lowest])
        gains[samples] = mean_and_error(test[:, -1] - test[np.arange(len(test)), stop])
        rows.append(
            (
                f"{samples:,}",
                f"{training[:, -1].mean():.4f}",
                f"{validation[:, -1].mean():.4f}",
                "{:.4f} ± {:.4f}".format(*gaps[samples]),
                f"step {lowest} of {STEPS - 1}",
                "{:.4f} ± {:.4f}".format(*rises[samples]),
                "{:.4f} ± {:.4f}".format(*gains[samples]),
                f"{np.median(stop):.0f}",
            )
        )
    page.table(head, rows)
    page.claim(
        "Fig. 6",
        "With N_s = 2 the validation E falls and then rises",
        verdict_of(_positive(rises[2])),
        "rise of its mean over one half of the data sets, after the step where the other half's is lowest: "
        "{:.4f} ± {:.4f}".format(*rises[2]),
    )
    page.claim(
        "Fig. 6",
        "With N_s = 2 stopping early helps",
        verdict_of(_positive(gains[2])),
        "it lowers E on test data, which chose nothing, by {:.4f} ± {:.4f}".format(*gains[2]),
    )
    rise, error = rises[1000]
    final = float(curves[1000][1][:, -1].mean())
    page.claim(
        "Fig. 6",
        "With many samples the validation E falls throughout",
        verdict_of(True if rise + 2 * error < SMALL * final else False if rise > 2 * error else None),
        f"N_s = 1,000: rise likewise {rise:.5f} ± {error:.5f}, of E = {final:.4f}",
    )
    steps = [_positive(_minus(gaps[few], gaps[many])) for few, many in pairwise(SAMPLES)]
    page.claim(
        "Fig. 6",
        "The gap between training and validation closes as N_s grows",
        verdict_of(True if all(steps) else False if False in steps else None),
        ", ".join(f"N_s = {n:,}: {gap:.4f} ± {error:.4f}" for n, (gap, error) in gaps.items()),
    )


def _positive(found: tuple[float, float]) -> bool | None:
    """Whether a mean is above 0 by two standard errors; None if it is within them."""
    mean, error = found
    return None if abs(mean) <= 2 * error else mean > 0


def _minus(first: tuple[float, float], second: tuple[float, float]) -> tuple[float, float]:
    return first[0] - second[0], float(np.hypot(first[1], second[1]))


def _curves(job: tuple[int, int], chunk: int) -> tuple[Floats, ...]:
    """The curves of ``chunk`` data sets: E on training, validation and test data, ``[chunk, STEPS]`` each."""
    samples, start = job
    found = [_curve(samples, seed) for seed in range(start, start + chunk)]
    return tuple(np.stack(side) for side in zip(*found, strict=True))


def _curve(samples: int, seed: int) -> Floats:
    """The curves of one data set: E on training, validation and test data, ``[3, STEPS]``."""
    settings = {
        "train.seed": seed, "data.samples": samples, "data.seed": seed, "data.means_scale": MEANS,
        "data.validation_samples": 2 * HELD_OUT,
    }  # fmt: skip
    config = load_config("gaussian-activation", settings)
    problem = networks_of(config.problem())
    held_out = problem.held_out
    ansatz = circuit_of(config, problem)
    parts = [problem]
    for side in (slice(0, HELD_OUT), slice(HELD_OUT, None)):
        data = replace(held_out.dataset, x=held_out.dataset.x[side], y=held_out.dataset.y[side])
        parts.append(replace(held_out, dataset=data))
    energies = [Energy(ansatz, enumerate_costs(part)) for part in parts]
    curve = np.empty((3, STEPS))
    standings = descend(
        energies[0].value_and_grad, config.initial_theta(ansatz)[None], max_steps=STEPS - 1, tolerance=GRADIENT
    )
    for step, at in enumerate(standings):
        curve[:, step:] = [[float(at.value[0])], *([energy(at.theta)[0]] for energy in energies[1:])]
    return curve
