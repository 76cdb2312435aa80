"""``make bench``: every speed that the README states, against peers in the same run, on one thread."""

from __future__ import annotations

import dataclasses
import json
import platform
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit_aer import AerSimulator
from qiskit_aer.primitives import SamplerV2
from qiskit_ibm_runtime import fake_provider
from scipy.optimize import minimize as scipy_minimize
from tests.bench import peers
from tests.bench.figure import draw
from tests.bench.timing import medians

from qhn import bitstrings
from qhn.backend import open_backend
from qhn.backend.aer import publish, read_bits
from qhn.backend.device.chip import chip_of
from qhn.backend.device.placement import place
from qhn.backend.noise.channels import ChipNoise
from qhn.backend.noise.twin import Twin
from qhn.backend.settings import DeviceSettings
from qhn.circuit.hypernetwork import Hypernetwork, hypernetwork
from qhn.circuit.measurement import with_measurement
from qhn.circuit.unrolled import circuit_ansatz
from qhn.config.file import load_config, load_problem
from qhn.estimator.exact import ExactEstimator
from qhn.estimator.gradient import ParameterShift
from qhn.estimator.polynomial import PolynomialEstimator
from qhn.estimator.sampling import SamplingEstimator
from qhn.exact.cut import Op, best_cut
from qhn.exact.energy import Energy
from qhn.exact.engine import energy_of
from qhn.exact.state_vector import StateVectorEnergy
from qhn.optimize.lbfgs import minimize
from qhn.problem.cost import BinnProblem
from qhn.problem.datasets import Dataset
from qhn.problem.landscape import BLOCK, enumerate_costs
from qhn.problem.quadratic import QuadraticProblem
from qhn.problem.search_space import SearchSpace
from qhn.run.training import train
from qhn.seeds import Key

FOLDER = Path("results")
SHOTS, BATCH, ROUNDS = 1000, 200, 7
FEW_SHOTS = (100, 30)  # the costs of a row that do not depend on its shots
ORDERS = ("eq5", "authors")
PACKAGES = ("qhn", "numpy", "numba", "qiskit", "qiskit-aer", "pennylane-lightning", "qulacs", "qiskit-algorithms",
            "tensorcircuit-ng", "jax")  # fmt: skip
ONE, MANY = "qhn, one initialisation", f"qhn, batch of {BATCH}"
GATES = "qhn, gate by gate as any circuit"
SHALLOW = {"lightning.qubit adjoint": peers.lightning, "qulacs backpropagation": peers.qulacs}
COMPILED = {"tensorcircuit-ng": peers.tensorcircuit, f"tensorcircuit-ng, batch of {BATCH}": peers.tensorcircuit_batch}
SLOW = {"qiskit-algorithms reverse": peers.qiskit_algorithms, "Aer, exact parameter shift": peers.aer_parameter_shift}


def peak() -> float:
    """Floating-point operations a second of a large matrix product on this machine."""
    a = np.random.default_rng(1).random((1024, 1024))
    return 2 * 1024**3 / medians({"product": lambda: a @ a}, ROUNDS)["product"]


def operations(ansatz: Hypernetwork) -> float:
    """Additions and multiplications of one gradient by our method."""
    cut = best_cut(ansatz)
    branches, total = cut.num_branches, 0.0
    columns = 4 * branches**2 if branches <= 4 else 24 * branches
    for half in (cut.low, cut.high):
        size = 1
        for op in half.ops[:, 0]:
            size *= 2 if op in (Op.GROW, Op.COPY, Op.FLIP) else 1
            total += size * {Op.RY: 22, Op.GROW: 22, Op.RZ: 11}.get(Op(int(op)), 0)
    return total + columns * 2.0**ansatz.num_qubits


def prepared(task: peers.Task, makers: dict[str, Any]) -> dict[str, Callable[[], object]]:
    """The peers that are installed, each checked against our numbers."""
    value, grad = energy_of(task.ansatz, task.costs).value_and_grad(task.thetas[:1])
    ready: dict[str, Callable[[], object]] = {}
    for name, make in makers.items():
        try:
            contender = make(task)
        except ImportError as error:
            print(f"  {name} is left out: {error}", file=sys.stderr)
            continue
        found, slopes = contender()
        np.testing.assert_allclose(found, value[0], atol=1e-9, err_msg=name)
        np.testing.assert_allclose(slopes, grad[0], atol=1e-9, err_msg=name)
        ready[name] = contender
    return ready


def gradient_task(num_qubits: int, num_layers: int, order: str, batch: int = BATCH) -> peers.Task:
    rng = np.random.default_rng(num_qubits)
    ansatz = hypernetwork(num_qubits, num_layers, order)  # type: ignore[arg-type]
    thetas = rng.uniform(0, 2 * np.pi, (batch, ansatz.num_parameters))
    return peers.Task(ansatz, rng.normal(size=2**num_qubits), thetas)


def alternating_task(num_qubits: int, num_layers: int) -> peers.Task:
    """A circuit of layers of RZZ, on a ring and its diameters, and of RX, with an angle for each gate."""
    rng = np.random.default_rng(num_qubits)
    edges = [(qubit, (qubit + 1) % num_qubits) for qubit in range(num_qubits)]
    edges += [(qubit, qubit + num_qubits // 2) for qubit in range(num_qubits // 2)]
    angles = iter(ParameterVector("angle", num_layers * (len(edges) + num_qubits)))
    circuit = QuantumCircuit(num_qubits)
    circuit.h(range(num_qubits))
    for _ in range(num_layers):
        for edge in edges:
            circuit.rzz(next(angles), *edge)
        for qubit in range(num_qubits):
            circuit.rx(next(angles), qubit)
    ansatz = circuit_ansatz(circuit).unrolled
    thetas = rng.uniform(0, 2 * np.pi, (1, ansatz.num_parameters))
    return peers.Task(ansatz, rng.normal(size=2**num_qubits), thetas)


def gate_by_gate(task: peers.Task) -> Callable[[], object]:
    """The engine of any circuit, even if there is a faster one for this circuit."""
    energy = StateVectorEnergy(task.ansatz, task.costs)
    return lambda: energy.value_and_grad(task.thetas[:1])


def ours(task: peers.Task) -> dict[str, Callable[[], object]]:
    energy = energy_of(task.ansatz, task.costs)
    return {ONE: lambda: energy.value_and_grad(task.thetas[:1]), MANY: lambda: energy.value_and_grad(task.thetas)}


def bench_gradient(num_layers: int, order: str, flops: float) -> dict[str, Any]:
    """One exact gradient of all angles at 14 qubits."""
    task = gradient_task(14, num_layers, order)
    makers = SHALLOW | (COMPILED | SLOW if num_layers == 2 else {})
    seconds = medians(ours(task) | {GATES: gate_by_gate(task)} | prepared(task, makers), ROUNDS)
    for name in seconds:
        seconds[name] /= BATCH if "batch" in name else 1
    share = operations(task.ansatz) / seconds[MANY] / flops
    return {
        "what": f"one exact gradient, N=14, {num_layers} layers, {order}",
        "num_qubits": 14, "num_layers": num_layers, "order": order,
        "seconds": seconds, "reference": MANY, "share_of_peak": share,
    }  # fmt: skip


def bench_growth(num_qubits: int) -> dict[str, Any]:
    """One exact gradient of one initialisation, 2 layers."""
    task = gradient_task(num_qubits, 2, "eq5", batch=1)
    few = num_qubits >= 20
    makers = SHALLOW if num_qubits < 24 else {"lightning.qubit adjoint": peers.lightning}
    contenders = {ONE: ours(task)[ONE], GATES: gate_by_gate(task)} | prepared(task, makers)
    seconds = medians(contenders, 1 if num_qubits >= 22 else 3 if few else ROUNDS)
    return {
        "what": f"one exact gradient of one initialisation, N={num_qubits}, 2 layers, eq5",
        "num_qubits": num_qubits, "num_layers": 2, "order": "eq5", "seconds": seconds, "reference": ONE,
    }  # fmt: skip


def bench_deep(num_layers: int) -> dict[str, Any]:
    """Our engine alone, as depth grows, with and without a cut."""
    task = gradient_task(14, num_layers, "eq5", batch=1)
    whole = Energy(task.ansatz, task.costs, cut=14)
    contenders = {ONE: ours(task)[ONE], "qhn, circuit left whole": lambda: whole.value_and_grad(task.thetas)}
    contenders[GATES] = gate_by_gate(task)
    contenders |= prepared(task, {"lightning.qubit adjoint": peers.lightning})
    return {
        "what": f"one exact gradient of one initialisation, N=14, {num_layers} layers, eq5",
        "num_qubits": 14, "num_layers": num_layers, "order": "eq5",
        "seconds": medians(contenders, 3), "reference": ONE,
    }  # fmt: skip


def bench_any_circuit(num_qubits: int) -> dict[str, Any]:
    """One exact gradient of a circuit that is no hypernetwork, as those of QAOA."""
    task = alternating_task(num_qubits, 4)
    seconds = medians({GATES: gate_by_gate(task)} | prepared(task, SHALLOW), 1 if num_qubits >= 22 else 3)
    what = f"one exact gradient, N={num_qubits}, {task.ansatz.num_parameters} angles in 4 layers of RZZ and RX"
    return {"what": what, "num_qubits": num_qubits, "seconds": seconds, "reference": GATES}


def bench_memory() -> dict[str, Any]:
    """Peak memory of a process that takes one gradient at 24 qubits; Linux only, since others do not reset the peak."""
    script = (
        "import numpy as np; from pathlib import Path; from qhn import Energy, hypernetwork; a = hypernetwork(24, 2);"
        "Energy(a, np.random.default_rng(1).normal(size=2**24)).value_and_grad(np.ones((1, a.num_parameters)));"
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    kilobytes = int(found.stdout) if found.returncode == 0 else 0
    return {"what": "memory of one gradient, N=24, 2 layers", "bytes": kilobytes * 1024 or None}


def bench_sampled(shots: int) -> dict[str, Any]:
    """A parameter-shift gradient of gaussian-activation: every row sampled, C included."""
    problem, ansatz = load_problem("gaussian-activation"), hypernetwork(14, 2)
    theta = np.random.default_rng(1).uniform(0, 2 * np.pi, ansatz.num_parameters)
    rows = ParameterShift(ansatz.active).shifted(theta, Key(0))
    estimators = {
        name: SamplingEstimator(ansatz, problem, open_backend(name), shots=shots) for name in ("exact", "aer")
    }
    circuit = with_measurement(ansatz.circuit)
    sampler = SamplerV2(seed=1, options={"backend_options": {"method": "statevector"}})

    def plain_aer() -> np.ndarray:
        bits = read_bits(sampler.run([publish(circuit, rows)], shots=shots).result())
        different, inverse = np.unique(bitstrings.to_integers(bits), return_inverse=True)
        costs = problem.cost(bitstrings.from_integers(different, 14))
        means: np.ndarray = costs[inverse.reshape(bits.shape[:2])].mean(axis=1)
        return means

    exact = Energy(ansatz, problem.table_of_costs())(rows)  # type: ignore[arg-type]
    for means in (plain_aer(), *(estimator.value_and_grad(theta).estimates.mean for estimator in estimators.values())):
        assert np.abs(means - exact).max() < 6 * 0.3 / np.sqrt(shots), "the contenders disagree"
    seconds = medians(
        {
            "qhn on backend exact": lambda: estimators["exact"].value_and_grad(theta),
            "qhn on backend aer": lambda: estimators["aer"].value_and_grad(theta),
            "Aer's SamplerV2, one broadcast PUB": plain_aer,
        },
        5,
    )
    what = f"one sampled gradient, N=14, 2 layers: {len(rows)} rows × {shots:,} shots, C included"
    return {"what": what, "seconds": seconds, "reference": "qhn on backend exact"}


def bench_long_chain(shots: int) -> dict[str, Any]:
    """Shots of a chain that no state vector holds."""
    ansatz = hypernetwork(65, 2)
    thetas = np.random.default_rng(1).uniform(0, 2 * np.pi, (BATCH, ansatz.num_parameters))
    samplers = {name: open_backend(name).compile(ansatz) for name in ("exact", "aer-mps")}
    few = 4
    first, second = (sampler.sample(thetas[:few], shots, Key(1)).bits.mean(axis=1) for sampler in samplers.values())
    assert np.abs(first - second).max() < 6 * np.sqrt(0.5 / shots), "the contenders disagree"
    seconds = medians(
        {
            "qhn on backend exact": lambda: samplers["exact"].sample(thetas, shots, Key(1)),
            "Aer's matrix product state, scaled": lambda: samplers["aer-mps"].sample(thetas[:few], shots, Key(1)),
        },
        3,
    )
    seconds["Aer's matrix product state, scaled"] *= BATCH / few
    what = f"{BATCH} rows × {shots:,} shots, N=65, 2 layers"
    return {"what": what, "seconds": seconds, "reference": "qhn on backend exact"}


def bench_qubo(shots: int) -> dict[str, Any]:
    """A gradient of a dense QUBO on a chain that no state vector holds, exactly and from shots."""
    ansatz, rng = hypernetwork(100, 2), np.random.default_rng(1)
    problem = QuadraticProblem.from_qubo(rng.normal(size=(100, 100)))
    theta = rng.uniform(0, 2 * np.pi, ansatz.num_parameters)
    exact = PolynomialEstimator(ansatz, problem)
    rows = ParameterShift(ansatz.active).shifted(theta, Key(0))
    sampled = SamplingEstimator(ansatz, problem, open_backend("exact"), shots=shots)
    found, known = sampled.value_and_grad(theta, Key(1)), exact.energy.value_and_grad(theta[None])[1][0]
    error = np.where(ansatz.active, found.grad_std_error, 1.0)
    assert (np.abs(found.grad - known) < 6 * error).all(), "the contenders disagree"
    seconds = medians(
        {
            "qhn, matrix products": lambda: exact.energy.value_and_grad(theta[None]),
            "qhn, exact E of every shifted row": lambda: exact.energy(rows),
            f"qhn, {shots:,} shots of every shifted row": lambda: sampled.value_and_grad(theta),
        },
        3,
    )
    what = f"one gradient of a dense QUBO, N=100, 2 layers, {len(rows):,} rows if shifted"
    return {"what": what, "seconds": seconds, "reference": "qhn, matrix products"}


def bench_noisy() -> dict[str, Any]:
    """All rows of a gradient on a device's noise; Aer takes half a minute a row and does one, with errors checked."""
    device, ansatz = fake_provider.FakeTorino(), hypernetwork(14, 2)
    isa = place(ansatz, device, DeviceSettings()).circuit
    chip = chip_of(device)
    measure = device.target["measure"]
    readout = np.array([[measure[(qubit,)].error] * 2 for qubit in range(chip.num_qubits)])  # as Aer has it
    twin = Twin(isa, ChipNoise(dataclasses.replace(chip, readout=readout)))
    costs = enumerate_costs(load_problem("gaussian-activation"))
    theta = np.random.default_rng(1).uniform(0, 2 * np.pi, ansatz.num_parameters)
    rows = ParameterShift(ansatz.active).shifted(theta, Key(0))
    bound = isa.assign_parameters({parameter: theta[parameter.index] for parameter in isa.parameters})
    simulator = AerSimulator.from_backend(device, seed_simulator=1)

    started = time.perf_counter()
    counts = simulator.run(bound, shots=SHOTS).result().get_counts()
    a_row = time.perf_counter() - started
    found = np.repeat([int(text, 2) for text in counts], list(counts.values()))
    drawn = twin.sample(theta[None], SHOTS, np.random.default_rng(1))
    for numbers in (found, bitstrings.to_integers(drawn[0])):
        error = costs[numbers].std() / np.sqrt(SHOTS)
        assert abs(costs[numbers].mean() - twin.energies(theta[None], costs)[0]) < 6 * error, "the contenders disagree"
    seconds = medians(
        {
            "qhn's twin": lambda: twin.sample(rows, SHOTS, np.random.default_rng(1)),
            "qhn's twin, E without shots": lambda: twin.energies(rows, costs),
        },
        ROUNDS,
    )
    seconds["Aer with the device's noise, one row scaled"] = a_row * len(rows)
    what = f"one gradient with the noise of fake_torino, N=14, 2 layers: {len(rows)} rows × {SHOTS:,} shots"
    return {"what": what, "seconds": seconds, "reference": "qhn's twin"}


def loop_costs(problem: BinnProblem, bits: bitstrings.Bits) -> np.ndarray:
    """One decoded network after the other."""
    data = problem.dataset
    costs = []
    for row in bits:
        p = problem.space.decode(row).output(data.x)
        if problem.loss == "mse":
            costs.append(np.mean((p - data.y) ** 2))
        else:
            costs.append(-np.mean(data.y * np.log(p) + (1 - data.y) * np.log1p(-p)))
    return np.array(costs)


def bench_costs(name: str, settings: dict[str, Any] | None = None) -> dict[str, Any]:
    """All networks of a preset: from two halves of the bits, network by network in blocks, and in a plain loop."""
    problem = load_config(name, settings).problem()
    everything = bitstrings.from_integers(np.arange(2**problem.num_qubits), problem.num_qubits)
    part = everything[:: len(everything) // 512]
    table = problem.table_of_costs()
    assert table is not None
    np.testing.assert_allclose(table, problem.cost(everything), rtol=1e-12)
    np.testing.assert_allclose(problem.cost(part), loop_costs(problem, part), rtol=1e-9)
    blocks = [everything[start : start + BLOCK] for start in range(0, len(everything), BLOCK)]
    seconds = medians(
        {
            "qhn, table": lambda: problem.table_of_costs(),
            "qhn, any networks": lambda: [problem.cost(block) for block in blocks],
            "one network after the other, scaled": lambda: loop_costs(problem, part),
        },
        3,
    )
    seconds["one network after the other, scaled"] *= len(everything) / len(part)
    what = f"C of all 2^{problem.num_qubits} networks of {name} on {len(problem.dataset.y):,} samples"
    return {"what": what, "seconds": seconds, "reference": "qhn, table"}


def bench_single_costs() -> dict[str, Any]:
    """Random networks of digits-8x8: from tables of e^z, as networks of any kind, and in a plain loop."""
    problem, data = load_problem("digits-8x8"), load_problem("digits-8x8").dataset
    bits = np.random.default_rng(1).integers(0, 2, (20_000, problem.num_qubits), dtype=np.uint8)
    part = bits[:200]

    def any_networks() -> np.ndarray:
        return problem._in_blocks(bits, problem.samples, problem._losses)

    np.testing.assert_allclose(problem.cost(bits), any_networks(), rtol=1e-12)
    np.testing.assert_allclose(problem.cost(part), loop_costs(problem, part), rtol=1e-9)
    seconds = medians(
        {
            "qhn": lambda: problem.cost(bits),
            "qhn, as networks of any kind": any_networks,
            "one network after the other, scaled": lambda: loop_costs(problem, part),
        },
        ROUNDS,
    )
    seconds["one network after the other, scaled"] *= len(bits) / len(part)
    what = f"C of {len(bits):,} random networks of {problem.num_qubits} bits of digits-8x8 on {len(data.y)} samples"
    return {"what": what, "seconds": seconds, "reference": "qhn"}


def bench_many_rows(num_features: int, num_classes: int, loss: Literal["mse", "cross-entropy"]) -> dict[str, Any]:
    """All networks without hidden layers on 100,000 rows: their costs together, each by itself, and on equal rows."""
    rng, rows, part = np.random.default_rng(1), 100_000, 64
    y = rng.integers(0, num_classes, rows).astype(float)
    x = rng.normal(size=(rows, num_features)) + 0.3 * y[:, None]
    names, zero = tuple(map(str, range(num_features))), np.zeros(num_features)
    data = Dataset(x, y, x[:0], y[:0], np.arange(num_classes), names, zero, zero + 1.0)
    space = SearchSpace(num_features, num_classes=num_classes)
    problem = BinnProblem(space, data, loss)
    repeated = BinnProblem(
        space, dataclasses.replace(data, x=np.resize(x[:1000], x.shape), y=np.resize(y[:1000], rows)), loss
    )
    bits = rng.integers(0, 2, (part, space.num_qubits), dtype=np.uint8)

    def one_by_one() -> np.ndarray:
        return problem._in_blocks(bits, problem.samples, problem._losses)

    costs = problem._tabulated()
    assert costs is not None
    np.testing.assert_allclose(costs[bitstrings.to_integers(bits)], one_by_one(), rtol=1e-11)
    seconds = medians(
        {
            "qhn, table": problem._tabulated,
            "qhn, table, 1,000 different rows": lambda: dataclasses.replace(repeated)._tabulated(),
            "qhn, each network by itself, scaled": one_by_one,
        },
        1,
    )
    seconds["qhn, each network by itself, scaled"] *= 2**space.num_qubits / part
    what = f"{loss} of all 2^{space.num_qubits} networks of {num_classes} classes on {rows:,} rows"
    return {"what": what, "seconds": seconds, "reference": "qhn, table"}


def bench_record() -> dict[str, Any]:
    """One exact step of gaussian-activation, with and without its record; waiting for the disk is part of it."""
    with TemporaryDirectory() as results:
        config = load_config("gaussian-activation", {"train.backend": "exact", "train.steps": 5_000})
        runs = {"recorded": train(config, results=results), "not recorded": train(config, record=False)}
        contenders = {name: lambda run=run: [next(run) for _ in range(20)] for name, run in runs.items()}
        seconds = {name: found / 20 for name, found in medians(contenders, ROUNDS).items()}
        for run in runs.values():
            run.close()
    return {"what": "one step of an exact run, N=14, 2 layers", "seconds": seconds, "reference": "not recorded"}


def bench_lbfgs() -> dict[str, Any]:
    """Minima of E from 200 initialisations of gaussian-activation, 2 layers."""
    problem, ansatz = load_problem("gaussian-activation"), hypernetwork(14, 2)
    estimator = ExactEstimator(ansatz, problem)
    thetas = np.random.default_rng(1).uniform(0, 2 * np.pi, (BATCH, ansatz.num_parameters))

    def scalar(theta: np.ndarray) -> tuple[float, np.ndarray]:
        found = estimator.value_and_grad(theta)
        return float(found.value), found.grad

    def one_by_one(rows: np.ndarray) -> np.ndarray:
        options = {"maxiter": 300, "gtol": 1e-6, "ftol": 1e-12}
        found = [scipy_minimize(scalar, row, jac=True, method="L-BFGS-B", options=options).fun for row in rows]
        return np.array(found)

    few = thetas[:20]
    gap = np.abs(minimize(estimator.value_and_grad, few).value - one_by_one(few))
    seconds = medians(
        {
            "qhn, all starts advance together": lambda: minimize(estimator.value_and_grad, thetas),
            "scipy's L-BFGS-B on our gradient, scaled": lambda: one_by_one(few),
        },
        3,
    )
    seconds["scipy's L-BFGS-B on our gradient, scaled"] *= len(thetas) / len(few)
    what = f"minima of E from {BATCH} starts, N=14, 2 layers ({(gap < 1e-6).sum()} of {len(few)} the same as scipy's)"
    return {"what": what, "seconds": seconds, "reference": "qhn, all starts advance together"}


def show(result: dict[str, Any]) -> None:
    print(result["what"])
    for name, seconds in sorted(result.get("seconds", {}).items(), key=lambda item: item[1]):
        ratio = seconds / result["seconds"][result["reference"]]
        print(f"  {_time(seconds):>10}  {ratio:>8.1f} ×  {name}")
    if "share_of_peak" in result:
        print(f"  {result['share_of_peak']:.0%} of the arithmetic peak in the batch")
    if result.get("bytes"):
        print(f"  {result['bytes'] / 2**30:.2f} GiB, with Python and its libraries")
    print(flush=True)


def _time(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e3)):
        if seconds * scale >= 1:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def main() -> None:
    warnings.filterwarnings("ignore")  # of the peers
    flops = peak()
    print(f"arithmetic peak of one thread, of a matrix product: {flops / 1e9:.0f} GFLOP/s\n")
    sections: list[Callable[[], dict[str, Any]]] = [
        *(lambda k=k, o=o: bench_gradient(k, o, flops) for k in (2, 1, 3, 4) for o in ORDERS),  # type: ignore[misc]
        *(lambda k=k: bench_deep(k) for k in (6, 8)),  # type: ignore[misc]
        *(lambda n=n: bench_any_circuit(n) for n in (14, 20, 22)),  # type: ignore[misc]
        *(lambda s=s: bench_sampled(s) for s in (SHOTS, *FEW_SHOTS)),  # type: ignore[misc]
        *(lambda s=s: bench_long_chain(s) for s in (SHOTS, FEW_SHOTS[0])),  # type: ignore[misc]
        lambda: bench_qubo(FEW_SHOTS[0]),
        bench_noisy,
        bench_lbfgs,
        lambda: bench_costs("gaussian-activation"),
        lambda: bench_costs("gaussian-activation", {"data.samples": 10_000}),
        lambda: bench_costs("mnist-01"),
        bench_single_costs,
        *(
            lambda f=features, c=classes, loss=loss: bench_many_rows(f, c, loss)  # type: ignore[misc]
            for features, classes in ((16, 2), (5, 3))
            for loss in ("mse", "cross-entropy")
        ),
        bench_record,
        bench_memory,
        *(lambda n=n: bench_growth(n) for n in (16, 18, 20, 22, 24)),  # type: ignore[misc]
    ]
    results = []
    for section in sections:
        results.append(section())
        show(results[-1])
    machine = {"system": platform.system(), "machine": platform.machine(), "flops": flops}
    versions = {name: installed(name) for name in PACKAGES}
    FOLDER.mkdir(exist_ok=True)
    target = FOLDER / "bench.json"
    target.write_text(json.dumps({"machine": machine, "versions": versions, "results": results}, indent=2) + "\n")
    print(target)
    print(draw(results, FOLDER / "bench.png"))


if __name__ == "__main__":
    main()
