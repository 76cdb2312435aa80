"""The linear system whose solution is the whole history of a lifted descent.

Its unknown Y holds the lifted displacement y(t) at every time t. The first row says what y(0) is, each further one
y(t) − A y(t−1) = b, and the idle ones after the last step y(t) − y(t−1) = 0, which raise the share of the last
displacement in the solution. Times and components are padded to powers of two, so that each has a register of qubits:
the index of component c at time t is t · block + c.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, eigsh, splu

from qhn.arrays import Floats
from qhn.carleman.closure import Lift
from qhn.errors import QhnError
from qhn.fields import Whole
from qhn.text import shown

MAX_SIZE = 2**16  # unknowns of a system
DENSE = 1024  # unknowns up to which singular values are computed from the dense matrix


@dataclass(frozen=True, eq=False)
class HistorySystem:
    """The linear system matrix · Y = right_side of a lifted descent.

    Attributes:
        lifts: the lift of each step; all are equal in gradient descent, and differ by the batch in stochastic descent.
        start: the lifted displacement before the first step, ``[dimension]``.
        num_times: number of times 0, 1, …, a power of two above the number of steps; those after the last step are
            idle.

    >>> from qhn.carleman.closure import GradientMap, lift
    >>> from qhn.carleman.polynomial import PolynomialGradient
    >>> bowl = PolynomialGradient(np.zeros(1), 0.0, (np.zeros(1), np.ones((1, 1))))
    >>> system = HistorySystem.of(lift(GradientMap(bowl, 0.5), 1), np.array([1.0]), num_steps=3)
    >>> system.solution().tolist()
    [1.0, 0.5, 0.25, 0.125]
    """

    lifts: tuple[Lift, ...]
    start: Floats
    num_times: int

    @classmethod
    def of(
        cls,
        lifts: Lift | Sequence[Lift],
        displacement: Floats,
        num_steps: int | None = None,
        num_times: int | None = None,
    ) -> HistorySystem:
        """The system of a descent from a displacement.

        Args:
            lifts: lift of every step, or one for each step.
            displacement: displacement before the first step, ``[num_parameters]``.
            num_steps: number of steps T, at least 1; it may be left out where each step has a lift.
            num_times: number of times, a power of two above T; None for the smallest.

        Raises:
            ValueError: if numbers do not fit each other, or the system is too large.
        """
        if isinstance(lifts, Lift):
            every = (lifts,) * Whole(1)("num_steps", num_steps)
        else:
            every = tuple(lifts)
            if not every or num_steps not in (None, len(every)):
                raise QhnError(f"num_steps must be the number of lifts, {len(every)}, got {shown(num_steps)}")
        if any((lift.basis, lift.scale) != (every[0].basis, every[0].scale) for lift in every):
            raise QhnError("all steps must have the same basis and scale")
        start = every[0].start(displacement)
        times = power_of_two(len(every) + 1) if num_times is None else Whole(2)("num_times", num_times)
        if times != power_of_two(times) or times <= len(every):
            raise QhnError(f"num_times must be a power of two above the {len(every)} steps, got {times}")
        system = cls(every, start, times)
        if system.size > MAX_SIZE:
            raise QhnError(
                f"{times} times of {system.block} components are {system.size:,} unknowns, more than {MAX_SIZE:,}; "
                "keep fewer parameters, or lower the order or the number of steps"
            )
        return system

    @property
    def num_steps(self) -> int:
        """The number of steps T."""
        return len(self.lifts)

    @property
    def dimension(self) -> int:
        """The number of components of the lifted displacement, without padding."""
        return self.lifts[0].basis.dimension

    @property
    def num_parameters(self) -> int:
        """The number of parameters."""
        return self.lifts[0].basis.num_parameters

    @property
    def block(self) -> int:
        """The number of components with padding, a power of two."""
        return power_of_two(self.dimension)

    @property
    def size(self) -> int:
        """The number of unknowns, a power of two."""
        return self.num_times * self.block

    @property
    def num_idle(self) -> int:
        """The number of copies of the last displacement beyond the one at the time of the last step."""
        return self.num_times - self.num_steps - 1

    @cached_property
    def matrix(self) -> sparse.csr_array:
        """The matrix, ``[size, size]``: 1 on the diagonal, and the negative lifts below it."""
        size, block = self.size, self.block
        entries = sparse.eye_array(size, format="coo")
        rows, columns, values = [entries.row], [entries.col], [entries.data]
        for time in range(1, self.num_times):
            step = self._step(time)
            rows.append(step.row + time * block)
            columns.append(step.col + (time - 1) * block)
            values.append(-step.data)
        places = (np.concatenate(rows), np.concatenate(columns))
        return sparse.csr_array((np.concatenate(values), places), shape=(size, size))

    def _step(self, time: int) -> Any:
        """The linear part of the map to a time, in coordinates; the identity on all components in idle times."""
        if time > self.num_steps:
            return sparse.eye_array(self.block, format="coo")
        return self.lifts[time - 1].matrix.tocoo()

    @cached_property
    def right_side(self) -> Floats:
        """The right side, ``[size]``: the start at time 0, and the inhomogeneity at the time of each step."""
        found = np.zeros((self.num_times, self.block))
        found[0, : self.dimension] = self.start
        for time, lift in enumerate(self.lifts, 1):
            found[time, : self.dimension] = lift.offset
        return found.ravel()

    def solution(self) -> Floats:
        """The solution by forward substitution, ``[size]``."""
        found = np.zeros((self.num_times, self.block))
        found[0, : self.dimension] = self.start
        for time in range(1, self.num_times):
            before = found[time - 1, : self.dimension]
            is_step = time <= self.num_steps
            lift = self.lifts[min(time, self.num_steps) - 1]
            found[time, : self.dimension] = lift.matrix @ before + lift.offset if is_step else before
        return found.ravel()

    def last(self, solution: Floats) -> Floats:
        """The displacement after the last step in a solution ``[size]``, as the mean of its copies."""
        copies = solution.reshape(self.num_times, self.block)[self.num_steps :, : self.num_parameters]
        return np.asarray(self.lifts[0].scale * copies.mean(axis=0))

    def last_indices(self) -> Any:
        """The places of the last displacement in a solution: ``[1 + num_idle, num_parameters]``."""
        times = np.arange(self.num_steps, self.num_times)
        return times[:, None] * self.block + np.arange(self.num_parameters)

    def weight_of_last(self, solution: Floats) -> float:
        """The share of the solution's square norm that the last displacement and its idle copies have.

        It is the probability to measure one of them once the solver has succeeded.
        """
        total = float(np.square(solution).sum())
        return float(np.square(solution[self.last_indices()]).sum()) / total if total else 0.0

    def condition_number(self) -> float:
        """The condition number κ of the matrix: its largest singular value divided by its smallest."""
        if self.size <= DENSE:
            values = np.linalg.svd(self.matrix.toarray(), compute_uv=False)
            return float(values[0] / values[-1])
        matrix = self.matrix.tocsc()
        factors = splu(matrix, permc_spec="NATURAL", diag_pivot_thresh=0.0)  # a triangle: nothing fills in
        shape = matrix.shape
        inverse = LinearOperator(shape, lambda x: factors.solve(factors.solve(x.ravel(), trans="T")))
        square = LinearOperator(shape, lambda x: matrix.T @ (matrix @ x.ravel()))
        first = np.random.default_rng(0).normal(size=self.size)
        high, low = (eigsh(one, k=1, v0=first, return_eigenvectors=False)[0] for one in (square, inverse))
        return float(np.sqrt(high * low))


def power_of_two(number: int) -> int:
    """The smallest power of two that is at least a number of at least 1.

    >>> [power_of_two(number) for number in (1, 2, 5)]
    [1, 2, 8]
    """
    return 1 << (number - 1).bit_length()
