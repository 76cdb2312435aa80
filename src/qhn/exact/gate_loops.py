"""The loops over a whole state vector, gate by gate, compiled once by numba and kept on disk.

A state is one row of numbers ``[2·size]``, real parts and then imaginary parts; :mod:`qhn.exact.program` says what the
operations are. Its adjoint λ is such that dE = Re Σ λ*·dψ. Every gate is undone on the way back, so that only the last
state is kept.

A quadratic form F of many bits is split: the phases of its low bits are a table that is made once, and for each value
of the high bits what is left is linear in the low ones, a product of phases that doubling makes. The slopes of E with F
are the moments Σ w k_p k_q of w = −Im(λ*ψ), which the phases do not change.
"""

from __future__ import annotations

import numpy as np

from qhn.compiled import compiled, inlined

ZERO, ONE, TWO = np.uint64(0), np.uint64(1), np.uint64(2)
SHORT = np.uint64(8)  # runs below this length are not worth a loop of their own
LOW_BITS = 10  # of a quadratic form: tables of 2^10 phases stay in a core's first cache
TURN, SWAP, PHASES = (np.uint64(op) for op in range(3))  # the values of qhn.exact.program.Op; the last one is MATRIX


# ---------------------------------------------------------------- pairs of numbers in a part of the state
# A part has ``size`` amplitudes, a power of two, and no operation leaves it; offsets count from the state's beginning.


@inlined
def _spread(n, low, high):
    """The n-th index in which the bits of both strides are 0; a high stride of the state's size is no bit."""
    n = ((n & ~(low - ONE)) << ONE) | (n & (low - ONE))
    return ((n & ~(high - ONE)) << ONE) | (n & (high - ONE))


@inlined
def _num_bases(size, high):
    return size >> (TWO if high < size else ONE)


@compiled
def _turn(x, size, low, high, first, second, c, s):
    """Turn all pairs of numbers by the angle with cosine c and sine s."""
    if low < SHORT:
        for n in range(_num_bases(size, high)):
            k = _spread(n, low, high)
            a, b = x[first + k], x[second + k]
            x[first + k] = c * a - s * b
            x[second + k] = s * a + c * b
        return
    for n in range(ZERO, _num_bases(size, high), low):
        start = _spread(n, low, high)
        for k in range(start, start + low):
            a, b = x[first + k], x[second + k]
            x[first + k] = c * a - s * b
            x[second + k] = s * a + c * b


@compiled
def _turn_back(x, u, size, low, high, first, second, c, s):
    """Undo a turn on a state and its adjoint; the slope of E with its angle is returned."""
    forth, back = 0.0, 0.0  # two sums, neither of which waits for the other
    if low < SHORT:
        for n in range(_num_bases(size, high)):
            k = _spread(n, low, high)
            a, b, p, q = x[first + k], x[second + k], u[first + k], u[second + k]
            forth += q * a
            back += p * b
            x[first + k] = c * a + s * b
            x[second + k] = c * b - s * a
            u[first + k] = c * p + s * q
            u[second + k] = c * q - s * p
        return forth - back
    for n in range(ZERO, _num_bases(size, high), low):
        start = _spread(n, low, high)
        for k in range(start, start + low):
            a, b, p, q = x[first + k], x[second + k], u[first + k], u[second + k]
            forth += q * a
            back += p * b
            x[first + k] = c * a + s * b
            x[second + k] = c * b - s * a
            u[first + k] = c * p + s * q
            u[second + k] = c * q - s * p
    return forth - back


@compiled
def _swap(x, size, low, high, first, second):
    """Swap all pairs of numbers."""
    if low < SHORT:
        for n in range(_num_bases(size, high)):
            k = _spread(n, low, high)
            x[first + k], x[second + k] = x[second + k], x[first + k]
        return
    for n in range(ZERO, _num_bases(size, high), low):
        start = _spread(n, low, high)
        for k in range(start, start + low):
            x[first + k], x[second + k] = x[second + k], x[first + k]


@compiled
def _multiply(x, start, size, low, high, first, second, matrix):
    """Multiply the amplitudes of two qubits, given as strides, by a matrix ``[4, 4]``, in the part from ``start``."""
    imag = np.uint64(x.size // 2)
    for n in range(size >> TWO):
        k = start + _spread(n, low, high)
        places = (k, k + first, k + second, k + first + second)
        a, b, c, d = (
            complex(x[places[0]], x[imag + places[0]]),
            complex(x[places[1]], x[imag + places[1]]),
            complex(x[places[2]], x[imag + places[2]]),
            complex(x[places[3]], x[imag + places[3]]),
        )
        for row in range(4):
            value = matrix[row, 0] * a + matrix[row, 1] * b + matrix[row, 2] * c + matrix[row, 3] * d
            x[places[row]] = value.real
            x[imag + places[row]] = value.imag


# ---------------------------------------------------------------- phases of a quadratic form
# Phases are a row of numbers like a state: real parts and then imaginary parts.


@inlined
def _double(phases, half, angle):
    """Append to the first ``half`` phases the same ones, turned by an angle."""
    imag, c, s = np.uint64(phases.size // 2), np.cos(angle), np.sin(angle)
    for k in range(half):
        a, b = phases[k], phases[imag + k]
        phases[half + k] = c * a - s * b
        phases[imag + half + k] = s * a + c * b


@inlined
def _rotate(x, start, phases, sign):
    """Multiply consecutive amplitudes by phases, or by their inverses where the sign is −1."""
    size, width = np.uint64(x.size // 2), np.uint64(phases.size // 2)
    for k in range(width):
        a, b, c, d = x[start + k], x[size + start + k], phases[k], sign * phases[width + k]
        x[start + k] = a * c - b * d
        x[size + start + k] = a * d + b * c


@compiled
def _low_phases(form, num_low):
    """The phases of the low bits alone: ``[2·2^num_low]``."""
    phases, factors = np.empty((2, 2 << num_low))
    imag = ONE << np.uint64(num_low)
    phases[0], phases[imag] = 1.0, 0.0
    for q in range(num_low):
        half = ONE << np.uint64(q)
        factors[0], factors[imag] = np.cos(form[q, q]), np.sin(form[q, q])
        for p in range(q):
            _double(factors, ONE << np.uint64(p), form[p, q])
        for k in range(half):
            a, b, c, d = phases[k], phases[imag + k], factors[k], factors[imag + k]
            phases[half + k] = a * c - b * d
            phases[imag + half + k] = a * d + b * c
    return phases


@compiled
def _row_phases(form, num_low, row, low_phases, phases):
    """Fill the phases of all values of the low bits for one value of the high bits."""
    num_qubits = len(form)
    angle = 0.0
    for p in range(num_low, num_qubits):
        if row >> (p - num_low) & 1:
            for q in range(p, num_qubits):
                angle += form[p, q] if row >> (q - num_low) & 1 else 0.0
    phases[0], phases[phases.size // 2] = np.cos(angle), np.sin(angle)
    for p in range(num_low):
        angle = 0.0
        for q in range(num_low, num_qubits):
            angle += form[p, q] if row >> (q - num_low) & 1 else 0.0
        _double(phases, ONE << np.uint64(p), angle)
    _rotate(phases, ZERO, low_phases, 1.0)


@compiled
def _phases(x, form):
    """Multiply all amplitudes by the phases of a quadratic form."""
    num_low = min(len(form), LOW_BITS)
    low_phases = _low_phases(form, num_low)
    phases = np.empty(low_phases.size)
    for row in range(x.size // phases.size):
        _row_phases(form, num_low, row, low_phases, phases)
        _rotate(x, np.uint64(row) << np.uint64(num_low), phases, 1.0)


@inlined
def _fold(v, half):
    """Add the upper half of some numbers to the lower one; the sum of the upper half is returned."""
    total = 0.0
    for k in range(half):
        total += v[half + k]
        v[k] += v[half + k]
    return total


@compiled
def _phases_back(x, u, form, slopes):
    """Undo the phases on a state and its adjoint; add the slopes of E with the form to ``slopes``, in its shape."""
    num_qubits = len(form)
    num_low = min(num_qubits, LOW_BITS)
    low_phases = _low_phases(form, num_low)
    phases, firsts = np.empty(low_phases.size), np.empty(num_low)
    weights, totals = np.zeros((2, 1 << num_low))
    size, width = np.uint64(x.size // 2), np.uint64(weights.size)
    for row in range(x.size // phases.size):
        start = np.uint64(row) << np.uint64(num_low)
        for k in range(width):
            w = x[start + k] * u[size + start + k] - u[start + k] * x[size + start + k]
            weights[k] = w
            totals[k] += w
        for q in range(num_low - 1, -1, -1):
            firsts[q] = _fold(weights, ONE << np.uint64(q))
        for q in range(num_low, num_qubits):
            if row >> (q - num_low) & 1:
                for p in range(num_low):
                    slopes[p, q] += firsts[p]
                for p in range(num_low, q + 1):
                    slopes[p, q] += weights[0] if row >> (p - num_low) & 1 else 0.0
        _row_phases(form, num_low, row, low_phases, phases)
        _rotate(x, start, phases, -1.0)
        _rotate(u, start, phases, -1.0)
    for q in range(num_low - 1, -1, -1):
        half = ONE << np.uint64(q)
        weights[:half] = totals[half : TWO * half]
        slopes[q, q] += _fold(totals, half)
        for p in range(q - 1, -1, -1):
            slopes[p, q] += _fold(weights, ONE << np.uint64(p))


@compiled
def _form(program, op, angles):
    """The quadratic form of an operation's terms: ``[num_qubits, num_qubits]``, zero below the diagonal."""
    form = np.zeros((program.num_qubits, program.num_qubits))
    for k in range(op[3], op[4]):
        form[program.terms[k, 0], program.terms[k, 1]] += program.weights[k] * angles[program.terms[k, 2]]
    return form


# ---------------------------------------------------------------- whole circuits


@compiled
def _apply(program, op, start, size, angles, x):
    """Apply an operation that flips bits to the part of the state from ``start``."""
    kind, low, high = op[0], op[1], min(op[2], size)
    first, second = start + op[3], start + op[4]
    if kind == TURN:
        half = 0.5 * angles[op[5]]
        _turn(x, size, low, high, first, second, np.cos(half), np.sin(half))
    elif kind == SWAP:
        _swap(x, size, low, high, first, second)
    else:
        _multiply(x, start, size, low, high, op[3], op[4], program.matrices[op[5], 0])


@compiled
def _undo(program, op, start, size, angles, x, u, slopes):
    """Undo an operation that flips bits on a part of a state and its adjoint; add the slope of E with its angle."""
    kind, low, high = op[0], op[1], min(op[2], size)
    first, second = start + op[3], start + op[4]
    if kind == TURN:
        half = 0.5 * angles[op[5]]
        slopes[op[5]] += 0.5 * _turn_back(x, u, size, low, high, first, second, np.cos(half), np.sin(half))
        return
    for numbers in (x, u):
        if kind == SWAP:
            _swap(numbers, size, low, high, first, second)
        else:
            _multiply(numbers, start, size, low, high, op[3], op[4], program.matrices[op[5], 1])


@compiled
def forward(program, angles, x):
    """Compute the state of a circuit.

    Args:
        program: the operations, a :class:`qhn.exact.program.Program`.
        angles: the angles of the circuit in radians, and then the constants.
        x: the state ``[2·size]``, filled here.
    """
    x[:] = 0.0
    x[0] = 1.0
    for group in program.groups:
        op = program.ops[group[0]]
        if op[0] == PHASES:
            _phases(x, _form(program, op, angles))
            continue
        for start in range(ZERO, np.uint64(x.size // 2), group[2]):
            for n in range(group[0], group[1]):
                _apply(program, program.ops[n], start, group[2], angles, x)


@compiled
def backward(program, angles, x, u, slopes):
    """Add the slopes of E with all angles to ``slopes``, in the shape of ``angles``.

    The state x and its adjoint u are overwritten; all other arguments are those of :func:`forward`.
    """
    for group in program.groups[::-1]:
        op = program.ops[group[0]]
        if op[0] == PHASES:
            form = _form(program, op, angles)
            by_form = np.zeros(form.shape)
            _phases_back(x, u, form, by_form)
            for k in range(op[3], op[4]):
                term = program.terms[k]
                slopes[term[2]] += program.weights[k] * by_form[term[0], term[1]]
            continue
        for start in range(ZERO, np.uint64(x.size // 2), group[2]):
            for n in range(group[0], group[1]):
                _undo(program, program.ops[group[0] + group[1] - ONE - n], start, group[2], angles, x, u, slopes)


@compiled
def squares(x, out):
    """The probabilities ``[size]`` of a state, filled into ``out``."""
    size = np.uint64(out.size)
    for k in range(size):
        out[k] = x[k] * x[k] + x[size + k] * x[size + k]


@compiled
def mean(x, costs):
    """The mean E of ``costs[size]`` in a state."""
    size, total = np.uint64(costs.size), 0.0
    for k in range(size):
        total += costs[k] * (x[k] * x[k] + x[size + k] * x[size + k])
    return total


@compiled
def adjoint(x, costs, u):
    """Fill the adjoint λ = 2Cψ of a state into ``u``."""
    size = np.uint64(costs.size)
    for k in range(size):
        u[k] = 2.0 * costs[k] * x[k]
        u[size + k] = 2.0 * costs[k] * x[size + k]
