"""``make bench-errors``: how often the stated errors hold the exact value, by repetition, as the README states it."""

from __future__ import annotations

import numpy as np

import reference
from qhn.arrays import Floats
from qhn.circuit.hypernetwork import hypernetwork
from qhn.config.file import load_problem
from qhn.estimator.exact import ExactEstimator
from qhn.optimize.optimizer import Adam
from qhn.problem.cost import TableProblem
from qhn.problem.landscape import enumerate_costs
from qhn.problem.objective import Objective
from qhn.statistics import mean_and_error, mean_interval, tail_error

STARTS, REPETITIONS = 20, 400
STEPS, SHOTS = (0, 30, 60, 300), (100, 1000)
TAILS = ((0.2, 25), (0.05, 200), (0.2, 100), (0.2, 1000))  # alpha and shots: 5, 10, 20 and 200 shots in the tail
PRESETS = ("gaussian-activation", "mnist-01")


def tables(rng: np.random.Generator) -> dict[str, Floats]:
    """Tables of costs ``[2**num_qubits]`` by name, two of networks and two drawn at random."""
    found = {name: enumerate_costs(load_problem(name)) for name in PRESETS}
    return found | {"normal": rng.normal(size=256), "lognormal": np.exp(rng.normal(size=1024))}


def trained(costs: Floats, steps: tuple[int, ...]) -> dict[int, Floats]:
    """The distributions at random first θ after so many exact steps, ``[STARTS, 2**num_qubits]``."""
    ansatz = hypernetwork(len(costs).bit_length() - 1, 2)
    exact, optimizer = ExactEstimator(ansatz, TableProblem(costs)), Adam()
    theta = np.random.default_rng(1).uniform(0, 2 * np.pi, (STARTS, ansatz.num_parameters))
    state, found = optimizer.init(theta), {}
    for step in range(max(steps) + 1):
        if step in steps:
            found[step] = exact.probabilities(theta)
        theta, state, _ = optimizer.step(exact.value_and_grad, theta, state)
    return found


def drawn(costs: Floats, probabilities: Floats, shots: int, rng: np.random.Generator) -> Floats:
    """The costs of shots, ``[REPETITIONS, shots]``."""
    return costs[rng.choice(len(costs), size=(REPETITIONS, shots), p=probabilities / probabilities.sum())]


def main() -> None:
    """Print both tables."""
    rng = np.random.default_rng(2)
    every = tables(rng)
    print(f"{STARTS} first θ, {REPETITIONS} repetitions each; two layers\n")
    print("E: share of repetitions that the 95 % interval and one plain error hold, mean and worst half-width")
    for name in PRESETS:
        costs = every[name]
        for steps, distributions in trained(costs, STEPS).items():
            for shots in SHOTS:
                held, plain, width = [], [], []
                for probabilities in distributions:
                    mean, error = mean_and_error(drawn(costs, probabilities, shots, rng))
                    low, high = mean_interval(mean, error, shots, costs.min(), costs.max())
                    exact = costs @ probabilities
                    held.append(((low <= exact) & (exact <= high)).mean())
                    plain.append((np.abs(mean - exact) <= error).mean())
                    width.append(((high - low) / 2).mean())
                numbers = f"{np.mean(held):.3f} (worst θ {min(held):.3f})  {np.mean(plain):.3f}  {np.mean(width):.4f}"
                print(f"  {name:<20} {steps:>4} steps {shots:>5} shots  {numbers}  {max(width):.4f}")
    print("\nCVaR: share of repetitions that one stated error holds, by alpha · shots")
    for name, costs in every.items():
        (distributions,) = trained(costs, (0,)).values()
        row = []
        for alpha, shots in TAILS:
            held = []
            for probabilities in distributions[:10]:
                measured = drawn(costs, probabilities, shots, rng)
                value, error = (
                    Objective(alpha).transform(measured).mean(axis=-1),
                    tail_error(measured, alpha, costs.min()),
                )
                held.append((np.abs(value - reference.cvar(costs, probabilities, alpha)) <= error + 1e-12).mean())
            row.append(f"{alpha * shots:g}: {np.mean(held):.3f}")
        print(f"  {name:<20} {'  '.join(row)}")


if __name__ == "__main__":
    main()
