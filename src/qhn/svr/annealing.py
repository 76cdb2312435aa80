"""Solving a QUBO by samplers of dimod: simulated annealing, a quantum annealer, or one of the user's own."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np

from qhn.backend import BackendError
from qhn.errors import QhnError
from qhn.fields import Whole
from qhn.problem.quadratic import QuadraticProblem
from qhn.svr.task import MOST_READS, Found, Task, check_options
from qhn.text import in_line, shown

SIMULATED = {"num_reads": 100, "num_sweeps": 200}
ANNEALER = {"num_reads": 100}
OWN_OPTIONS = ("seed", "interrupt_function")  # options of samplers that are not the user's


def simulated(task: Task) -> Found:
    """Bitstrings from simulated annealing by dwave-samplers, 100 reads of 200 sweeps unless options say otherwise.

    Raises:
        QhnError: if dwave-samplers is missing, or it has no such option or value of one.
    """
    try:
        from dwave.samplers import SimulatedAnnealingSampler
    except ImportError as error:
        raise QhnError(
            f"solver 'simulated-annealing' needs dwave-samplers ({error}): pip install 'qhn[search]'"
        ) from None
    sampler: Any = SimulatedAnnealingSampler
    return _sampled(sampler(), task, SIMULATED | dict(task.options), "simulated-annealing")


def on_annealer(task: Task) -> Found:
    """Bitstrings from a quantum annealer of D-Wave, 100 reads unless the options say otherwise.

    Account, region and annealer are those of D-Wave's own configuration file or environment variables. The reads are
    billed by D-Wave.

    Raises:
        QhnError: if dwave-system is missing, the configuration holds no account, the annealer is too small, or it has
            no such option.
        BackendError: if the service cannot be reached.
    """
    try:
        from dwave.cloud.exceptions import ConfigFileError
        from dwave.system import DWaveSampler
    except ImportError as error:
        raise QhnError(f"solver 'dwave' needs dwave-system ({error}): pip install 'qhn[dwave]'") from None
    try:
        sampler = DWaveSampler()
    except (ValueError, ConfigFileError) as error:
        raise QhnError(
            f"D-Wave's client has no access: {error}; dwave setup writes its configuration, from which qhn takes it"
        ) from None
    except OSError as error:  # as all errors of its requests are
        raise BackendError(f"D-Wave's service cannot be reached: {error}") from error
    with sampler:
        try:
            return _sampled(sampler, task, ANNEALER | dict(task.options), "dwave")
        except OSError as error:
            raise BackendError(f"D-Wave's annealer failed: {error}") from error


def sampled(sampler: Any, task: Task) -> Found:
    """Bitstrings from a sampler of dimod; one with a graph of its own is embedded as a clique.

    It is seeded if it takes a seed; others draw new numbers each time.

    Args:
        sampler: the sampler, such as ``dwave.samplers.TabuSampler()`` or ``dwave.system.DWaveSampler()``.
        task: the task, whose options the sampler is called with.

    Raises:
        QhnError: if dimod is missing, the sampler refuses an option, or its graph is too small.
    """
    return _sampled(sampler, task, dict(task.options), type(sampler).__name__)


def _sampled(sampler: Any, task: Task, options: dict[str, Any], name: str) -> Found:
    """Bitstrings from a sampler with all its options."""
    model = _model(task.problem)
    sampler = _embedded(sampler, task.problem, name)
    check_options(name, options, [option for option in sampler.parameters if option not in OWN_OPTIONS])
    if "num_reads" in options:
        options["num_reads"] = Whole(1, MOST_READS)("num_reads", options["num_reads"])
    if "seed" in sampler.parameters:
        options["seed"] = task.seed % 2**31
    try:
        samples = sampler.sample(model, **options).change_vartype("BINARY", inplace=False)
    except (TypeError, ValueError) as error:
        raise QhnError(f"solver {name!r} refuses its options {shown(options)}: {in_line(error)}") from error
    order = np.argsort(np.asarray(samples.variables, dtype=np.int64))
    return Found(samples.record.sample[:, order].astype(np.uint8), dict(samples.info))


def _model(problem: QuadraticProblem) -> Any:
    """The energies as a model of spins for dimod, whose variables are the numbers of the qubits.

    Raises:
        QhnError: if dimod is missing.
    """
    try:
        from dimod import SPIN, BinaryQuadraticModel
    except ImportError as error:
        raise QhnError(f"a sampler needs dimod ({error}): pip install 'qhn[search]'") from None
    pairs = (problem.pairs[:, 0], problem.pairs[:, 1], problem.couplings)
    return BinaryQuadraticModel.from_numpy_vectors(problem.fields, pairs, problem.offset, SPIN)


def _embedded(sampler: Any, problem: QuadraticProblem, name: str) -> Any:
    """The sampler, with a clique embedded in its graph if it has one that lacks couplings of the problem.

    Raises:
        QhnError: if dwave-system is missing, or the graph holds no clique of that size.
    """
    neighbours = getattr(sampler, "adjacency", None)
    if neighbours is None or _holds(neighbours, problem):
        return sampler
    try:
        from dwave.system import FixedEmbeddingComposite
        from minorminer.busclique import busgraph_cache, find_clique_embedding
    except ImportError as error:
        raise QhnError(
            f"embedding in an annealer's graph needs dwave-system ({error}): pip install 'qhn[dwave]'"
        ) from None
    graph = sampler.to_networkx_graph()
    with suppress(FileExistsError):  # another process makes the folder of minorminer's cache at the same moment
        busgraph_cache.cache_rootdir()
    embedding = find_clique_embedding(problem.num_qubits, graph)
    if not embedding:
        most = len(busgraph_cache(graph).largest_clique())
        raise QhnError(
            f"the multipliers have {problem.num_qubits} bits, and the graph of {name} holds a clique of {most} at "
            "most; take fewer samples or a smaller num_bits"
        )
    return FixedEmbeddingComposite(sampler, embedding)


def _holds(neighbours: Any, problem: QuadraticProblem) -> bool:
    """Whether a graph has a node for each qubit of a problem and an edge for each of its couplings."""
    has_nodes = all(qubit in neighbours for qubit in range(problem.num_qubits))
    return has_nodes and all(second in neighbours[first] for first, second in problem.pairs.tolist())
