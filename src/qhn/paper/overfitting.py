"""Fig. 6: training on few samples, and where it should stop."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from qhn.batch import train_together
from qhn.configfile import load_config
from qhn.paper.claims import Verdict
from qhn.paper.lab import Lab
from qhn.paper.pictures import overfitting
from qhn.paper.section import Writer

Floats = NDArray[np.float64]
SAMPLES = (2, 4, 6, 8, 1000)
DATA_SETS, STEPS = 100, 51
CHUNK = 10  # data sets that one worker does at a time
MEANS = 0.5  # factor on the means of the Gaussians; the paper does not state its own


def figure_6(lab: Lab) -> Writer:
    """Training and validation E over 50 iterations, from few samples and from many."""
    page = Writer("Fig. 6: overfitting (gaussian-activation, Gaussians closer together)")
    page.text(
        f"{DATA_SETS} data sets for each number of samples N_s, one start each, 2 layers, eq5, {STEPS - 1} iterations "
        f"of L-BFGS on the exact E; 1,000 validation samples. All means × {MEANS:g} (the paper does not say how close "
        "its Gaussians are). Curves are means over data sets; bands are their standard errors. Early stopping takes, "
        "for each data set, the step of its lowest validation E."
    )
    chunks = [(samples, start) for samples in SAMPLES for start in range(0, DATA_SETS, CHUNK)]
    found = lab.map(partial(_curves, chunk=CHUNK), chunks, "Fig. 6, ten data sets at a time")
    curves = {}
    for samples in SAMPLES:
        parts = [pair for (number, _), pair in zip(chunks, found, strict=True) if number == samples]
        training, validation = (np.concatenate([pair[side] for pair in parts]) for side in (0, 1))
        curves[samples] = (training, validation)
    arrays = {f"{side}_{n}": pair[k] for n, pair in curves.items() for k, side in enumerate(("training", "validation"))}
    np.savez_compressed(lab.folder / "figure-6-all.npz", allow_pickle=False, **arrays)
    page.picture(overfitting(lab.folder / "figure-6.png", curves), "Training (blue) and validation E (red, dashed).")
    head = ["N_s", "training E", "validation E", "gap", "lowest mean validation at", "rise after it"]
    head += ["early stopping gains, mean ± error", "median step of early stopping"]
    rows, gaps, rises = [], {}, {}
    for samples, (training, validation) in curves.items():
        mean = validation.mean(axis=0)
        lowest = int(mean.argmin())
        rise = validation[:, -1] - validation[:, lowest]
        gain = validation[:, -1] - validation.min(axis=1)
        gaps[samples] = float((validation[:, -1] - training[:, -1]).mean())
        rises[samples] = (float(rise.mean()), float(rise.std(ddof=1) / np.sqrt(len(rise))))
        rows.append(
            (
                f"{samples:,}",
                f"{training[:, -1].mean():.4f}",
                f"{validation[:, -1].mean():.4f}",
                f"{gaps[samples]:.4f}",
                f"step {lowest} of {STEPS - 1}",
                f"{rises[samples][0]:.4f} ± {rises[samples][1]:.4f}",
                f"{gain.mean():.4f} ± {gain.std(ddof=1) / np.sqrt(len(gain)):.4f}",
                f"{np.median(validation.argmin(axis=1)):.0f}",
            )
        )
    page.table(head, rows)
    rise, error = rises[2]
    page.claim(
        "Fig. 6",
        "With N_s = 2 the validation E falls and then rises: stopping early helps",
        Verdict.REPRODUCED if rise > 2 * error > 0 else Verdict.UNDECIDED if rise > 0 else Verdict.NOT_REPRODUCED,
        f"rise of the mean after its lowest point: {rise:.4f} ± {error:.4f}",
    )
    rise, error = rises[1000]
    page.claim(
        "Fig. 6",
        "With many samples the validation E falls throughout",
        Verdict.REPRODUCED if rise <= 2 * error + 1e-12 else Verdict.NOT_REPRODUCED,
        f"N_s = 1,000: rise after its lowest point {rise:.5f} ± {error:.5f}",
    )
    ordered = [gaps[samples] for samples in SAMPLES]
    page.claim(
        "Fig. 6",
        "The gap between training and validation closes as N_s grows",
        Verdict.REPRODUCED if ordered == sorted(ordered, reverse=True) else Verdict.NOT_REPRODUCED,
        ", ".join(f"N_s = {samples:,}: {gap:.4f}" for samples, gap in gaps.items()),
    )
    return page


def _curves(job: tuple[int, int], chunk: int) -> tuple[Floats, Floats]:
    """Training and validation E ``[chunk, STEPS]`` of so many data sets from a number on."""
    samples, start = job
    training: list[Floats] = []
    validation: list[Floats] = []
    for seed in range(start, start + chunk):
        settings = {
            "train.backend": "exact", "train.optimizer": "lbfgs", "train.steps": STEPS, "train.seed": seed,
            "data.samples": samples, "data.seed": seed, "data.means_scale": MEANS,
        }  # fmt: skip
        batch = train_together([load_config("gaussian-activation", settings)])
        assert batch.validation is not None
        for target, curve in ((training, batch.mean[0]), (validation, batch.validation[0])):
            target.append(np.pad(curve, (0, STEPS - len(curve)), mode="edge"))
    return np.stack(training), np.stack(validation)
