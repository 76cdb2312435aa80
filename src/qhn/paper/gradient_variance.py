"""The variance of gradients at random angles, for costs of several kinds and sizes and circuits of any depth.

Gradients are exact, by the adjoint method. Over uniform angles the mean of every gradient is 0, since E is periodic,
and its variance is the mean of its square. Two limits are known in closed form. In the product state

    Var ∂E/∂θ_k = Σ_{S∋k} c_S² / 2^|S|

for the angle of RY on qubit k, with c_S the coefficients of the cost as a polynomial of spins. In a circuit so deep
that both its parts, before and behind the angle, are unitary 2-designs (McClean et al., Nat. Commun. 9, 4812, 2018)

    Var ∂E/∂θ_k = Var C · d² / (2 (d + 1)(d² − 1)) ≈ Var C / 2^(N+1),    d = 2^N,

whatever the cost, with Var C its variance over all bitstrings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from qhn import bitstrings
from qhn.arrays import Floats, Integers
from qhn.circuit.hypernetwork import Hypernetwork, Order, hypernetwork
from qhn.config.file import load_config
from qhn.exact.chain_energy import ChainEnergy
from qhn.exact.energy import Energy
from qhn.exact.protocol import ExactEnergy
from qhn.exact.state_vector import StateVectorEnergy
from qhn.problem.cost import BinnProblem, networks_of
from qhn.problem.landscape import enumerate_costs
from qhn.problem.polynomial import SpinPolynomial
from qhn.problem.search_space import SearchSpace

SHALLOW = 4  # layers up to which the cut of a chain is faster than its state vector
RESAMPLES = 200  # of the angles drawn, from which errors are taken
DATA = 300  # samples of the Gaussian task, at all sizes


@dataclass(frozen=True)
class Case:
    """A cost, a circuit, and how many random angles are drawn.

    Attributes:
        cost: the name of a cost of ``COSTS``.
        num_qubits: number of qubits N.
        num_layers: number of layers of the circuit.
        order: order of the gates.
        draws: number of θ drawn.
        seed: seed of θ, and of data or couplings where the cost has any.
    """

    cost: str
    num_qubits: int
    num_layers: int
    order: Order
    draws: int
    seed: int = 0


@dataclass(frozen=True)
class Slopes:
    """The squares of gradients at random angles.

    Attributes:
        case: the cost, circuit and angles.
        variances: variance of ∂E/∂θ_k over random θ, of each angle k that has an effect, ``[num_active]``.
        blocks: the block of the circuit in which each of these angles is, ``[num_active]``.
        error: standard error of the median of the variances, relative to it, from resamples of θ.
        energy_variance: variance of E over random θ.
        cost_variance: variance of C over all bitstrings.
        unit: the unit of the cost: its standard deviation over all bitstrings, or for a projector, whose standard
            deviation vanishes itself, its range.
    """

    case: Case
    variances: Floats
    blocks: Integers
    error: float
    energy_variance: float
    cost_variance: float
    unit: float

    @property
    def median(self) -> float:
        """The median of the variances over angles, in units of the cost squared."""
        return float(np.median(self.variances)) / self.unit**2

    @property
    def share(self) -> float:
        """The number of qubits times the median.

        N angles of a layer share the variance of a cost of many terms, so that the median falls as 1/N even where every
        term keeps its gradient.
        """
        return self.case.num_qubits * self.median

    def at(self, position: str) -> float:
        """N times the mean variance of the angles in the ``"first"``, ``"middle"`` or ``"last"`` block of a circuit."""
        least, most = int(self.blocks.min()), int(self.blocks.max())
        block = {"first": least, "middle": (least + most + 1) // 2, "last": most}[position]
        return self.case.num_qubits * float(self.variances[self.blocks == block].mean()) / self.unit**2

    @property
    def shots(self) -> float:
        """The shots a row of parameter shift at which the root mean square of a median gradient equals its shot noise.

        The rule takes half the difference of two means, with half the variance of one shot by their number. On average
        over θ every bitstring is as probable, so that the mean variance of a shot is Var C − Var E.
        """
        return (self.cost_variance - self.energy_variance) / (2 * self.median * self.unit**2)


def slopes(case: Case) -> Slopes:
    """The variances of the gradients of a case."""
    circuit = hypernetwork(case.num_qubits, case.num_layers, case.order)
    cost = cost_of(case.cost, case.num_qubits, case.seed)
    key = [case.seed, case.num_qubits, case.num_layers]
    thetas = np.random.default_rng(key).uniform(0, 2 * np.pi, (case.draws, circuit.num_parameters))
    if isinstance(cost, SpinPolynomial):
        variance = float(np.square(cost.coefficients[[bool(term) for term in cost.terms]]).sum())
    else:
        variance = float(cost.var())
    values, grads = _engine(circuit, cost).value_and_grad(thetas)
    active = np.flatnonzero(circuit.active)
    squares = np.square(grads[:, active])
    unit = 1.0 if case.cost == GLOBAL else float(np.sqrt(variance))
    variances = squares.mean(axis=0)
    draws = np.random.default_rng(0).multinomial(case.draws, np.full(case.draws, 1 / case.draws), size=RESAMPLES)
    medians = np.median(draws @ squares / case.draws, axis=1)
    error = float(medians.std() / np.median(variances))
    return Slopes(case, variances, active // (2 * case.num_qubits), error, float(values.var()), variance, unit)


def _engine(circuit: Hypernetwork, cost: Floats | SpinPolynomial) -> ChainEnergy | ExactEnergy:
    """The engine that is fast for a circuit of this depth, on one thread."""
    if circuit.num_layers > SHALLOW:
        bits = bitstrings.from_integers(np.arange(2**circuit.num_qubits), circuit.num_qubits)
        table = cost(bits) if isinstance(cost, SpinPolynomial) else cost
        return StateVectorEnergy(circuit, table, num_threads=1)
    if isinstance(cost, SpinPolynomial):
        return ChainEnergy(circuit, cost, num_threads=1)
    return Energy(circuit, cost, num_threads=1)


def of_product(polynomial: SpinPolynomial) -> Floats:
    """The variance of ∂E/∂θ of RY on each qubit of the product state, in closed form, ``[num_qubits]``.

    >>> of_product(SpinPolynomial.of(2, {(0,): 2.0, (0, 1): 1.0}))
    array([2.25, 0.25])
    """
    found = np.zeros(polynomial.num_qubits)
    for term, factor in zip(polynomial.terms, polynomial.coefficients, strict=True):
        found[list(term)] += factor**2 / 2 ** len(term)
    return found


def of_design(num_qubits: int) -> float:
    """The variance of ∂E/∂θ between two unitary 2-designs, in units of the variance of C over all bitstrings.

    >>> round(of_design(10) * 2**11, 3)
    0.999
    """
    d = 2**num_qubits
    return float(d**2 / (2 * (d + 1) * (d**2 - 1)))


def gaussians(num_qubits: int, seed: int) -> Floats:
    """All costs of the task of Fig. 2 with (N − 2)/4 hidden units, as a table."""
    settings = {"network.hidden": [(num_qubits - 2) // 4], "data.samples": DATA, "data.validation_samples": 0}
    return enumerate_costs(load_config("gaussian-activation", settings | {"data.seed": seed}).problem())


def digits(num_qubits: int, seed: int) -> Floats:
    """All costs of logistic regression, as in Fig. 4, on the N − 1 most variable of 8×8 pixels, as a table."""
    whole = networks_of(load_config("digits-8x8", {}).problem())
    data = whole.dataset
    chosen = np.sort(np.argsort(-data.x.std(axis=0), kind="stable")[: num_qubits - 1])
    fewer = replace(
        data, x=data.x[:, chosen], x_validation=data.x_validation[:, chosen], feature_names=(), image_shape=None
    )
    space = SearchSpace(num_inputs=num_qubits - 1, hidden=(), alphabets=((-1.0, 1.0),))
    return enumerate_costs(BinnProblem(space, fewer, loss="cross-entropy"))


def chain(num_qubits: int, seed: int) -> SpinPolynomial:
    """A sum of terms of one spin and of two neighbours, with normal coefficients."""
    factors = np.random.default_rng([seed, num_qubits]).normal(size=(2, num_qubits))
    terms: dict[tuple[int, ...], float] = {(qubit,): float(factors[0, qubit]) for qubit in range(num_qubits)}
    terms |= {(qubit, qubit + 1): float(factors[1, qubit]) for qubit in range(num_qubits - 1)}
    return SpinPolynomial.of(num_qubits, terms)


def projector(num_qubits: int, seed: int) -> Floats:
    """The costs 1 of one bitstring and 0 of all others, as a table."""
    costs = np.zeros(2**num_qubits)
    costs[0] = 1.0
    return costs


GAUSSIANS, DIGITS, LOCAL, GLOBAL = "Gaussians", "digits", "local chain", "one bitstring"
COSTS: dict[str, Callable[[int, int], Floats | SpinPolynomial]] = {
    GAUSSIANS: gaussians,
    DIGITS: digits,
    LOCAL: chain,
    GLOBAL: projector,
}


@cache
def cost_of(name: str, num_qubits: int, seed: int) -> Floats | SpinPolynomial:
    """The cost of the given name and size, made once in a process."""
    return COSTS[name](num_qubits, seed)
