"""Tune scikit-learn's MLPClassifier on its digits by Swift-Hyperband, on the cores of this machine, dask or MPI.

A trial is a network of a random width, learning rate, penalty and batch size; a unit of resource is an epoch. A network
that is paused is kept in the folder of its trial, with the state of its optimizer and of its random numbers, so that a
promoted one is in the end the same as if it had never been paused. Killed anywhere, the same command goes on::

    pip install 'qhn[search]'
    python examples/tune_mlp.py --workers 4
    python examples/tune_mlp.py --executor dask --address tcp://host:8786
    mpiexec -n 5 python examples/tune_mlp.py --executor mpi
"""

from __future__ import annotations

import argparse
import os
import pickle
import sys
from functools import cache
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from qhn import Hyperband, Range, RunAll, Study, SwiftHyperband, Trial
from qhn.cli.progress import study_progress
from qhn.learning_curves.predictors import predictor
from qhn.parallel.executors import open_executor

DIGITS = np.arange(10)
SPACE = {
    "width": Range(8, 128, log=True, integer=True),
    "rate": Range(1e-4, 1e-1, log=True),
    "alpha": Range(1e-6, 1e-1, log=True),
    "batch": [16, 32, 64, 128, 256],
}


@cache
def data() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Images and digits to train on, to compare networks by, and to test the best one."""
    images, digits = load_digits(return_X_y=True)
    rest, test, of_rest, of_test = train_test_split(images / 16, digits, test_size=397, random_state=0, stratify=digits)
    train, held, of_train, of_held = train_test_split(rest, of_rest, test_size=400, random_state=1, stratify=of_rest)
    return {"train": (train, of_train), "validation": (held, of_held), "test": (test, of_test)}


def new_network(trial: Trial) -> MLPClassifier:
    """A network before its first epoch; the generator that it is given shuffles every epoch anew."""
    values = trial.values
    return MLPClassifier(
        hidden_layer_sizes=(values["width"],),
        learning_rate_init=values["rate"],
        alpha=values["alpha"],
        batch_size=values["batch"],
        random_state=np.random.RandomState(trial.seed),
    )


def kept(folder: Path, epochs: int) -> Path:
    """The file of a network after a number of epochs."""
    return folder / f"after-{epochs:04d}.pickle"


def train(trial: Trial) -> list[float]:
    """Train a network on from where it was paused, and return its validation loss after every epoch.

    The network that it goes on from stays until the next one has gone on from this: if the process is killed before
    the losses are told, it is trained from there again.
    """
    before = kept(trial.folder, trial.reached)
    network = pickle.loads(before.read_bytes()) if trial.reached else new_network(trial)
    images, digits = data()["train"]
    held, of_held = data()["validation"]
    losses = []
    with threadpool_limits(1):  # the result does not depend on the number of cores
        for _ in range(trial.reached, trial.until):
            network.partial_fit(images, digits, classes=DIGITS)
            losses.append(log_loss(of_held, network.predict_proba(held), labels=DIGITS))
    new = trial.folder / f".{os.getpid()}.part"
    new.write_bytes(pickle.dumps(network))
    new.replace(kept(trial.folder, trial.until))
    for path in trial.folder.glob("after-*.pickle"):
        if path.name < before.name:
            path.unlink()
    return losses


def rule_of(arguments: argparse.Namespace) -> SwiftHyperband | Hyperband | RunAll:
    """The rule that is asked for; all rules begin the same trials."""
    most, eta = arguments.epochs, arguments.eta
    if arguments.rule == "swift":
        return SwiftHyperband(most, predictor(arguments.predictor), eta)
    plain = Hyperband(most, eta)
    return plain if arguments.rule == "hyperband" else RunAll(plain.num_trials, most)


def main() -> None:
    """Run or resume the study, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rule", choices=["swift", "hyperband", "all"], default="swift")
    parser.add_argument("--predictor", default="nusvr", help="last, ridge, nusvr or svr")
    parser.add_argument("--epochs", type=int, default=50, help="the most epochs that a network is trained")
    parser.add_argument("--eta", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="by default results/tune-mlp-<rule>")
    parser.add_argument("--executor", default="processes", help="processes, dask or mpi")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--address", help="of a dask scheduler")
    arguments = parser.parse_args()
    folder = (arguments.folder or Path("results") / f"tune-mlp-{arguments.rule}").absolute()

    with open_executor(arguments.executor, arguments.workers, arguments.address) as executor:
        study = Study(rule_of(arguments), SPACE, folder=folder, seed=arguments.seed)
        last = study_progress(study.train(train, executor), quiet=False)
        for job, error in last.failures:
            print(f"trial {job[0].number}: {error}", file=sys.stderr)
    if not study.is_done:
        sys.exit("the study is not done; the same command goes on")

    best, plain = study.best(), Hyperband(arguments.epochs, arguments.eta)
    if best is None:
        sys.exit(f"all networks have failed, the first with {study.facts[0].get('error', 'no number as a loss')}")
    network = pickle.loads(kept(folder / "trials" / f"{best.number:04d}", best.reached).read_bytes())
    values = ", ".join(f"{name} {value:.3g}" for name, value in best.values.items())
    print(f"best network      trial {best.number}: {values}")
    print(f"validation loss   {study.curves.last(best.number):.6f} after {best.reached} epochs")
    print(f"test accuracy     {network.score(*data()['test']):.4f} on {len(data()['test'][1])} held-out digits")
    print(f"epochs            {study.units:,} for {study.rule.num_trials} networks")
    print(f"  of Hyperband    {plain.most_units:,}: {1 - study.units / plain.most_units:.1%} saved")
    everything = plain.num_trials * arguments.epochs
    print(f"  of all networks {everything:,}: {1 - study.units / everything:.1%} saved")


if __name__ == "__main__":
    main()
