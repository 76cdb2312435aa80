"""``make bench``: how fast costs are evaluated, and a sampled gradient against naive Aer."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
from qiskit_aer import AerSimulator

from qhn import bitstrings
from qhn.ansatz import hypernetwork
from qhn.backend import open_backend
from qhn.backend.sampler import measured
from qhn.configfile import load_problem
from qhn.estimator import SamplingEstimator
from qhn.gradient import ParameterShift
from qhn.problem import BinnProblem, Problem
from qhn.seeds import Key

TARGET = Path("results") / "bench.json"
SHOTS = 1000


def medians(contenders: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each contender; every round runs all of them, so that drift of the machine hits all."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for contender in contenders.values():
        contender()  # warm up
    for _ in range(rounds):
        for name, contender in contenders.items():
            started = time.perf_counter()
            contender()
            seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}


def loop_costs(problem: BinnProblem, bits: bitstrings.Bits) -> np.ndarray:
    """The peer of the cost benchmark: one decoded network after the other."""
    data = problem.dataset
    costs = []
    for row in bits:
        p = problem.space.decode(row).output(data.x)
        if problem.loss == "mse":
            costs.append(np.mean((p - data.y) ** 2))
        else:
            costs.append(-np.mean(data.y * np.log(p) + (1 - data.y) * np.log1p(-p)))
    return np.array(costs)


def bench_costs(name: str) -> dict[str, object]:
    """All networks of a preset, and one by one a part of them, scaled."""
    problem = load_problem(name)
    everything = bitstrings.from_integers(np.arange(2**problem.num_qubits), problem.num_qubits)
    part = everything[:: len(everything) // 512]
    np.testing.assert_allclose(problem.cost(part), loop_costs(problem, part), rtol=1e-9)
    seconds = medians({"qhn": lambda: problem.cost(everything), "loop": lambda: loop_costs(problem, part)}, rounds=3)
    loop = seconds["loop"] * len(everything) / len(part)
    return {
        "what": f"C of all 2^{problem.num_qubits} networks of {name} on {len(problem.dataset.y):,} samples",
        "seconds": {"qhn": seconds["qhn"], "one network after the other, scaled": loop},
        "networks_per_second": len(everything) / seconds["qhn"],
        "ratio": loop / seconds["qhn"],
    }


def naive_means(simulator: AerSimulator, circuits: list, problem: Problem) -> np.ndarray:
    """The peer of the gradient benchmark: a job a circuit, counts as text, costs of each row anew."""
    means = []
    for circuit in circuits:
        counts = simulator.run(circuit, shots=SHOTS).result().get_counts()
        bits = np.array([[int(bit) for bit in reversed(text)] for text in counts], dtype=np.uint8)
        means.append(np.average(problem.cost(bits), weights=list(counts.values())))
    return np.array(means)


def bench_gradient() -> dict[str, object]:
    """One parameter-shift gradient of gaussian-activation at 2 layers and 1,000 shots, C included."""
    problem, ansatz = load_problem("gaussian-activation"), hypernetwork(14, 2)
    theta = np.random.default_rng(1).uniform(0, 2 * np.pi, ansatz.num_parameters)
    estimator = SamplingEstimator(ansatz, problem, open_backend("aer"), shots=SHOTS, seed=1)
    rows = ParameterShift(ansatz.active).shifted(theta, Key(0))
    literal = measured(ansatz.circuit)
    circuits = [literal.assign_parameters(dict(zip(literal.parameters, row, strict=True))) for row in rows]
    simulator = AerSimulator(method="statevector")
    found = estimator.value_and_grad(theta).estimates
    pulls = (naive_means(simulator, circuits, problem) - found.mean) / found.std_error / np.sqrt(2)
    assert np.abs(pulls).max() < 5, "the contenders disagree"
    seconds = medians(
        {
            "qhn": lambda: estimator.value_and_grad(theta),
            "naive": lambda: naive_means(simulator, circuits, problem),
        },
        rounds=5,
    )
    return {
        "what": f"one sampled gradient, N=14, 2 layers: {len(rows)} rows × {SHOTS:,} shots, C included",
        "seconds": {"qhn, one job": seconds["qhn"], "one Aer job a circuit": seconds["naive"]},
        "ratio": seconds["naive"] / seconds["qhn"],
    }


def main() -> None:
    results = [bench_gradient(), bench_costs("gaussian-activation"), bench_costs("mnist-01")]
    for result in results:
        print(result["what"])
        for name, seconds in result["seconds"].items():
            print(f"  {seconds:>9.3f} s  {name}")
        print(f"  {result['ratio']:>9.1f} ×  ratio")
    machine = {"system": platform.system(), "machine": platform.machine(), "cores": os.cpu_count()}
    versions = {name: version(name) for name in ("qhn", "qiskit", "qiskit-aer", "numpy")}
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(json.dumps({"machine": machine, "versions": versions, "results": results}, indent=2) + "\n")
    print(TARGET)


if __name__ == "__main__":
    main()
