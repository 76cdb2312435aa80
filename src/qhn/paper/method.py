"""The paper's statements about gates and gradients, checked with numbers."""

from __future__ import annotations

import numpy as np

from qhn.config.file import load_config
from qhn.estimator.exact import ExactEstimator
from qhn.estimator.gradient import ParameterShift
from qhn.paper.claims import Verdict
from qhn.paper.lab import Lab, circuit_of
from qhn.paper.section import Writer
from qhn.seeds import Key

NONE = 1e-10


def method(lab: Lab) -> Writer:
    """The section on the gradient rule, the angles without effect, and the CX bricks."""
    page = Writer("The method: gates, gradient and circuit")
    config = load_config("gaussian-activation", {"train.backend": "exact"})
    problem = config.problem()
    ansatz = circuit_of(config, problem)
    exact = ExactEstimator(ansatz, problem)
    theta = config.initial_theta(ansatz)
    grad = exact.value_and_grad(theta).grad
    rows = ParameterShift(np.ones(ansatz.num_parameters, dtype=bool)).shifted(theta, Key(0))
    plus, minus = exact.energy(rows)[1:].reshape(-1, 2).T
    half = np.abs((plus - minus) / 2 - grad).max()
    # e^{iθσ} turns by twice the angle of exp(−iθσ/2), so a shift of π/2 in it is one of π here
    doubled = np.repeat(theta[None], 2 * ansatz.num_parameters, axis=0)
    index = np.arange(ansatz.num_parameters)
    doubled[index, index] += np.pi
    doubled[ansatz.num_parameters + index, index] -= np.pi
    plus, minus = exact.energy(doubled).reshape(2, -1)
    literal = np.abs(plus - minus).max() / 2
    page.text(
        "Checked at a random θ of gaussian-activation, 2 layers, eq5, against the exact gradient of the adjoint "
        f"method, whose largest component there is {np.abs(grad).max():.4f}."
    )
    page.claim(
        "Eq. 6 with RY = e^{iθσ}",
        "With the gates as printed, half the difference of E at θ ± π/2 is the gradient",
        Verdict.NOT_REPRODUCED if literal < NONE else Verdict.REPRODUCED,
        f"largest half difference of the shifted energies, over all angles: {literal:.0e}, where the gradient is "
        f"{np.abs(grad).max():.4f}",
    )
    page.claim(
        "Eq. 6",
        "With gates exp(−iθσ/2), as in the authors' program, it is",
        Verdict.REPRODUCED if half < NONE else Verdict.NOT_REPRODUCED,
        f"largest difference from the adjoint gradient {half:.0e}",
    )
    count = 2 * ansatz.num_qubits * ansatz.num_blocks
    inert = int((np.abs(grad[~ansatz.active]) < NONE).sum())
    page.claim(
        "Eq. 5",
        f"The circuit has 2·N·L = {count} parameters, with L = {ansatz.num_blocks} blocks, two a layer",
        Verdict.REPRODUCED if ansatz.num_parameters == count else Verdict.NOT_REPRODUCED,
        f"{ansatz.num_parameters}, but {inert} of them, one RZ a qubit, have no effect in either order of gates: only "
        f"{int(ansatz.active.sum())} can be trained",
    )
    page.claim(
        "Eq. 5",
        "The upper limit of its product of CX gates, as printed, entangles all qubits",
        Verdict.NOT_REPRODUCED,
        "by inspection: for even N the last qubit would never take part; the program's bricks reach it, and so do ours",
    )
    page.claim(
        "definition of success",
        "The printed formula for success",
        Verdict.NOT_REPRODUCED,
        "by inspection a misprint; success here is E(θ) − C* < ε at the end of training",
    )
    return page
