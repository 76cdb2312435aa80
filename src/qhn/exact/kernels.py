"""The loops of the exact engine, compiled once by numba and kept on disk.

The states of ``width`` initialisations lie side by side: one row of numbers ``[2, size, width]``, real parts and then
imaginary parts. An amplitude is ``width`` consecutive numbers, a gate on bit q works on runs of ``width·2^q``, and all
inner loops run over consecutive memory and count in unsigned integers (which cannot mean "from the end"), so that the
compiler turns them into vector instructions.

For a number E that depends on a state ψ, its adjoint λ is such that dE = Re Σ λ*·dψ. Every gate is undone on the way
back, so that only the last state is kept.
"""

from __future__ import annotations

import numpy as np

from qhn.compiled import compiled, inlined

ZERO, ONE, TWO = np.uint64(0), np.uint64(1), np.uint64(2)
MAX_PRODUCT_BRANCHES = 4  # 2R² < 12R: branches up to which R² real products are faster than amplitudes
ENTRIES_AT_A_TIME = 2**15  # entries of cumulative distributions: 256 KiB, which stay in a core's cache
GROW, RY, RZ, CX, COPY = (np.uint64(op) for op in range(5))  # the values of qhn.exact.cut.Op; the remaining one is FLIP


# ---------------------------------------------------------------- two runs of consecutive numbers, from i and from j


@inlined
def _turn(x, i, j, run, c, s):
    """Rotate two runs of numbers, from i and from j, by the angles with cosines ``c[width]`` and sines ``s[width]``."""
    if c.size == 1:
        cosine, sine = c[0], s[0]
        for k in range(run):
            a, b = x[i + k], x[j + k]
            x[i + k] = cosine * a - sine * b
            x[j + k] = sine * a + cosine * b
        return
    width = np.uint64(c.size)
    for k in range(ZERO, run, width):
        for w in range(width):
            a, b = x[i + k + w], x[j + k + w]
            x[i + k + w] = c[w] * a - s[w] * b
            x[j + k + w] = s[w] * a + c[w] * b


@inlined
def _turn_back(x, u, i, j, run, c, s, slope):
    """Undo a rotation on states x and their adjoints u; add the slopes of E with the angles to ``slope[width]``."""
    if c.size == 1:
        cosine, sine, total = c[0], s[0], 0.0
        for k in range(run):
            a, b, p, q = x[i + k], x[j + k], u[i + k], u[j + k]
            total += q * a - p * b
            x[i + k] = cosine * a + sine * b
            x[j + k] = cosine * b - sine * a
            u[i + k] = cosine * p + sine * q
            u[j + k] = cosine * q - sine * p
        slope[0] += total
        return
    width = np.uint64(c.size)
    for k in range(ZERO, run, width):
        for w in range(width):
            a, b, p, q = x[i + k + w], x[j + k + w], u[i + k + w], u[j + k + w]
            slope[w] += q * a - p * b
            x[i + k + w] = c[w] * a + s[w] * b
            x[j + k + w] = c[w] * b - s[w] * a
            u[i + k + w] = c[w] * p + s[w] * q
            u[j + k + w] = c[w] * q - s[w] * p


@compiled
def _swap(x, i, j, run):
    """Swap two runs of numbers."""
    for k in range(run):
        x[i + k], x[j + k] = x[j + k], x[i + k]


@compiled
def _repeat(x, i, j, run):
    """Write the first run of numbers over the second; an assignment of slices takes two seconds to compile."""
    for k in range(run):
        x[j + k] = x[i + k]


@compiled
def _add(x, i, j, run):
    """Add the second run of numbers to the first."""
    for k in range(run):
        x[i + k] += x[j + k]


# ---------------------------------------------------------------- one gate
# ``size`` counts the numbers of the part of the state that has grown so far, real or imaginary; the imaginary parts
# begin at ``imag``. Strides are ``width << bit``.


@compiled
def _rotate_y(psi, imag, size, run, c, s):
    """Apply RY to all pairs of amplitudes that differ in one bit."""
    for part in (ZERO, imag):
        for i in range(part, part + size, TWO * run):
            _turn(psi, i, i + run, run, c, s)


@compiled
def _rotate_y_back(psi, lam, imag, size, run, c, s, slope):
    """Undo RY on a state and its adjoint; add the slopes of E with the angles to ``slope``."""
    for part in (ZERO, imag):
        for i in range(part, part + size, TWO * run):
            _turn_back(psi, lam, i, i + run, run, c, s, slope)


@compiled
def _rotate_z(psi, imag, size, run, c, s):
    """Apply the phase diag(1, e^{iθ}), which rotates real into imaginary parts."""
    for i in range(run, size, TWO * run):
        _turn(psi, i, imag + i, run, c, s)


@compiled
def _rotate_z_back(psi, lam, imag, size, run, c, s, slope):
    """Undo the phase on a state and its adjoint; add the slopes of E with the angles to ``slope``."""
    for i in range(run, size, TWO * run):
        _turn_back(psi, lam, i, imag + i, run, c, s, slope)


@compiled
def _controlled_not(psi, imag, size, control, target):
    """Swap the amplitudes that differ in the target's bit where the control's is set; both are given as strides."""
    run, high = min(control, target), max(control, target)
    for part in (ZERO, imag):
        for i in range(part, part + size, TWO * high):
            for j in range(i + control, i + control + high, TWO * run):
                _swap(psi, j, j + target, run)


@compiled
def _grow(psi, imag, size, c, s):
    """Append a qubit in the state (c, s): ψ → (c·ψ, s·ψ)."""
    for part in (ZERO, imag):
        psi[part + size : part + TWO * size] = 0.0
        _turn(psi, part, part + size, size, c, s)


@compiled
def _grow_back(psi, lam, imag, size, c, s, slope):
    """Remove an appended qubit from a state and its adjoint; add the slopes of E with the angles to ``slope``."""
    for part in (ZERO, imag):
        _turn_back(psi, lam, part, part + size, size, c, s, slope)


@compiled
def _copy(psi, imag, size, run):
    """Append a branch bit that repeats a bit: ψ → (ψ where the bit is 0, ψ where it is 1)."""
    for part in (ZERO, imag):
        psi[part + size : part + TWO * size] = 0.0
        for i in range(part + run, part + size, TWO * run):
            _swap(psi, i, i + size, run)


@compiled
def _copy_back(state, imag, size, run):
    """Undo :func:`_copy`: make two branches one again, and drop the zeros that it filled in."""
    for part in (ZERO, imag):
        for i in range(part + run, part + size, TWO * run):
            _swap(state, i, i + size, run)


@compiled
def _flip(psi, imag, size, run):
    """Append a branch bit that flips a bit: ψ → (ψ, Xψ)."""
    for part in (ZERO, imag):
        _repeat(psi, part, part + size, size)
        for i in range(part + size, part + TWO * size, TWO * run):
            _swap(psi, i, i + run, run)


@compiled
def _flip_back(lam, imag, size, run):
    """Undo :func:`_flip` on an adjoint: add the flipped branch to the other one."""
    for part in (ZERO, imag):
        for i in range(part, part + size, TWO * run):
            _add(lam, i, i + size + run, run)
            _add(lam, i + run, i + size, run)


# ---------------------------------------------------------------- all gates of a half


@compiled
def _circle(tangents, out):
    """The cosine and sine of each angle φ from tan(φ/2): ``[P, width]`` → ``[P, 2, width]``.

    The formulas are those of the rational points of the circle: they turn one tangent, which NumPy computes eight at a
    time, into a cosine and a sine.
    """
    for p in range(tangents.shape[0]):
        for w in range(tangents.shape[1]):
            t = tangents[p, w]
            scale = 1.0 / (1.0 + t * t)
            out[p, 0, w] = (1.0 - t * t) * scale
            out[p, 1, w] = 2.0 * t * scale


@compiled
def _forward(ops, turns, psi):
    """Apply all operations of one half to its state."""
    imag, size = np.uint64(psi.size // 2), np.uint64(turns.shape[2])
    width = size
    psi[:size] = 1.0
    psi[imag : imag + size] = 0.0
    for k in range(len(ops)):
        op, first, second = ops[k, 0], ops[k, 1], ops[k, 2]
        if op == RY:
            _rotate_y(psi, imag, size, width << second, turns[first, 0], turns[first, 1])
        elif op == RZ:
            _rotate_z(psi, imag, size, width << second, turns[first, 0], turns[first, 1])
        elif op == CX:
            _controlled_not(psi, imag, size, width << first, width << second)
        else:
            if op == GROW:
                _grow(psi, imag, size, turns[first, 0], turns[first, 1])
            elif op == COPY:
                _copy(psi, imag, size, width << first)
            else:
                _flip(psi, imag, size, width << first)
            size *= TWO


@compiled
def _backward(ops, turns, psi, lam, slopes):
    """Undo all operations of one half, on its state and adjoint; add the slopes of E to ``slopes``."""
    imag, width = np.uint64(psi.size // 2), np.uint64(turns.shape[2])
    size = imag
    for k in range(len(ops) - 1, -1, -1):
        op, first, second = ops[k, 0], ops[k, 1], ops[k, 2]
        if op == RY:
            run = width << second
            _rotate_y_back(psi, lam, imag, size, run, turns[first, 0], turns[first, 1], slopes[first])
        elif op == RZ:
            run = width << second
            _rotate_z_back(psi, lam, imag, size, run, turns[first, 0], turns[first, 1], slopes[first])
        elif op == CX:
            _controlled_not(psi, imag, size, width << first, width << second)
            _controlled_not(lam, imag, size, width << first, width << second)
        else:
            size //= TWO
            if op == GROW:
                _grow_back(psi, lam, imag, size, turns[first, 0], turns[first, 1], slopes[first])
            elif op == COPY:
                _copy_back(psi, imag, size, width << first)
                _copy_back(lam, imag, size, width << first)
            else:
                _flip_back(lam, imag, size, width << first)


@compiled
def forward(ops, tangents, turns, psi):
    """Compute the states of both halves.

    Args:
        ops: the operations of each half, ``uint64[num_ops, 3]``; see :class:`qhn.exact.cut.Op`.
        tangents: the tangents of half the angle by which each gate turns, ``[num_parameters, width]``.
        turns: the cosines and sines of the angles by which each gate turns, ``[num_parameters, 2, width]``, filled
            here.
        psi: the state of each half, ``[2·R·size·width]``, filled here.
    """
    _circle(tangents, turns)
    for half in range(2):
        _forward(ops[half], turns, psi[half])


@compiled
def backward(ops, turns, psi, lam, slopes):
    """Add the slopes of E with the turns of all gates to ``slopes[num_parameters, width]``.

    The states and adjoints of the halves, ``[2·R·size·width]`` each, are overwritten.
    """
    for half in range(2):
        _backward(ops[half], turns, psi[half], lam[half], slopes)


# ---------------------------------------------------------------- products of branches


@compiled
def _products(psi, sign, out):
    """Compute the real products of one half's branches; ``sign`` is that of the products of imaginary parts."""
    _, num_branches, size, width = psi.shape
    root = np.sqrt(2.0)
    for i in range(size):
        k = 0
        for r in range(num_branches):
            for w in range(width):
                x, y = psi[0, r, i, w], psi[1, r, i, w]
                out[i, k, w] = x * x + y * y
            k += 1
            for s in range(r + 1, num_branches):
                for w in range(width):
                    x, y, v, z = psi[0, r, i, w], psi[1, r, i, w], psi[0, s, i, w], psi[1, s, i, w]
                    out[i, k, w] = root * (x * v + y * z)
                    out[i, k + 1, w] = sign * root * (y * v - x * z)
                k += 2


@compiled
def _products_back(psi, sign, slopes, lam):
    """Compute the adjoint of one half's state from the slopes of E with its products."""
    _, num_branches, size, width = psi.shape
    root = np.sqrt(2.0)
    for i in range(size):
        k = 0
        for r in range(num_branches):
            for w in range(width):
                lam[0, r, i, w] = 0.0
                lam[1, r, i, w] = 0.0
        for r in range(num_branches):
            for w in range(width):
                lam[0, r, i, w] += 2.0 * slopes[i, k, w] * psi[0, r, i, w]
                lam[1, r, i, w] += 2.0 * slopes[i, k, w] * psi[1, r, i, w]
            k += 1
            for s in range(r + 1, num_branches):
                for w in range(width):
                    x, y, v, z = psi[0, r, i, w], psi[1, r, i, w], psi[0, s, i, w], psi[1, s, i, w]
                    even, odd = root * slopes[i, k, w], sign * root * slopes[i, k + 1, w]
                    lam[0, r, i, w] += even * v - odd * z
                    lam[1, r, i, w] += even * z + odd * v
                    lam[0, s, i, w] += even * x + odd * y
                    lam[1, s, i, w] += even * y - odd * x
                k += 2


@compiled
def products(psi, out):
    """The R² real functions of each half's bits whose products with the other half's sum up to the probabilities.

    |Σ_r A_r B_r|² = Σ_r |A_r|²|B_r|² + Σ_{r<s} [2 Re(A_r A_s*) Re(B_r B_s*) − 2 Im(A_r A_s*) Im(B_r B_s*)]

    Each half takes a factor √2, and the second half the minus sign.

    Args:
        psi: the state of each half, ``[2, R, size, width]``.
        out: the products of each half, ``[size, R², width]``, filled here.
    """
    for half in range(2):
        _products(psi[half], 1.0 - 2.0 * half, out[half])


@compiled
def products_back(psi, slopes, lam):
    """Compute the adjoints of the states from the slopes of E with their products.

    Args:
        psi: the state of each half, ``[2, R, size, width]``.
        slopes: the slopes of E with the products of each half, ``[size, R², width]``.
        lam: the adjoint of each half's state, ``[2, R, size, width]``, filled here.
    """
    for half in range(2):
        _products_back(psi[half], 1.0 - 2.0 * half, slopes[half], lam[half])


# ---------------------------------------------------------------- one initialisation after the other


@compiled
def transpose(x, out):
    """Transpose a matrix ``[n, m]`` into ``out[m, n]``, several times faster than NumPy where m is small."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[j, i] = x[i, j]


# ---------------------------------------------------------------- sampling
# A cumulative distribution of n outcomes has n + 1 entries, the first of them 0. Those of several distributions lie
# side by side in columns, so that sums and searches work on all of them at once.


@compiled
def _search(cumulative, width, targets, places):
    """Find the outcome of each target by bisection, a level at a time for all targets.

    It is the one at which the cumulative distribution passes the target, so that outcomes of probability 0 are never
    drawn.

    Args:
        cumulative: the cumulative distributions of n = 2^k outcomes, ``[(n + 1)·width]``.
        width: number of distributions side by side.
        targets: the target of each shot.
        places: the column of each shot, in ``uint64``; replaced by the outcome times ``width`` plus the column.
    """
    jump = (np.uint64(cumulative.size) // width - ONE) // TWO
    while jump > ZERO:
        step = jump * width
        for n in range(targets.size):
            place = places[n]
            places[n] = place + (step if cumulative[place + step] <= targets[n] else ZERO)
        jump >>= ONE


@compiled
def _marginal(a, b):
    """The cumulative distribution of the high half's bits, p(h) = Σ_rs B_r[h] B_s*[h] ⟨A_s|A_r⟩: ``[high + 1]``."""
    _, num_branches, low_size = a.shape
    high_size = b.shape[2]
    marginal = np.zeros(high_size + 1)
    for r in range(num_branches):
        for s in range(r + 1):
            even, odd, weight = 0.0, 0.0, 1.0 if s == r else 2.0
            for i in range(low_size):
                even += a[0, r, i] * a[0, s, i] + a[1, r, i] * a[1, s, i]
                odd += a[1, r, i] * a[0, s, i] - a[0, r, i] * a[1, s, i]
            even, odd = weight * even, weight * odd
            for j in range(high_size):
                marginal[j + 1] += even * (b[0, r, j] * b[0, s, j] + b[1, r, j] * b[1, s, j])
                marginal[j + 1] -= odd * (b[1, r, j] * b[0, s, j] - b[0, r, j] * b[1, s, j])
    for j in range(high_size):
        marginal[j + 1] = marginal[j] + max(marginal[j + 1], 0.0)
    return marginal


@compiled
def _ranks(high, high_size):
    """The different values of integers below ``high_size``, ascending, and the rank of each integer among them."""
    ranks = np.zeros(high_size, dtype=np.uint64)
    for shot in range(high.size):
        ranks[high[shot]] = ONE
    values, num = np.empty(high_size, dtype=np.uint64), 0
    for h in range(high_size):
        if ranks[h] > ZERO:
            values[num], ranks[h] = h, num
            num += 1
    return values[:num], _taken(ranks, high)


@compiled
def _taken(values, places):
    """The values at some places."""
    out = np.empty(places.size, dtype=values.dtype)
    for n in range(places.size):
        out[n] = values[places[n]]
    return out


@compiled
def _places_between(values, low, high):
    """The places of the values from ``low`` to below ``high``."""
    places, num = np.empty(values.size, dtype=np.uint64), ZERO
    for n in range(np.uint64(values.size)):
        places[num] = n
        num += ONE if low <= values[n] < high else ZERO
    return places[:num]


@compiled
def _branch_products(psi, factor, sign):
    """Compute the real products of one half's branches, whose products with the other half's make the probabilities.

    Args:
        psi: the state of the half, ``[2, R, size]``.
        factor: factor of the products of different branches; those of both halves make 2.
        sign: sign of the products of imaginary parts; those of both halves make −1.

    Returns:
        The products, ``[R², size]``.
    """
    _, num_branches, size = psi.shape
    out = np.empty((num_branches * num_branches, size))
    k = 0
    for r in range(num_branches):
        for i in range(size):
            out[k, i] = psi[0, r, i] * psi[0, r, i] + psi[1, r, i] * psi[1, r, i]
        k += 1
        for s in range(r + 1, num_branches):
            for i in range(size):
                x, y, v, z = psi[0, r, i], psi[1, r, i], psi[0, s, i], psi[1, s, i]
                out[k, i] = factor * (x * v + y * z)
                out[k + 1, i] = factor * sign * (y * v - x * z)
            k += 2
    return out


@compiled
def _columns(values, columns):
    """The columns of a matrix that are named: ``[K, size]`` → ``[K, columns.size]``."""
    out = np.empty((values.shape[0], columns.size))
    for k in range(values.shape[0]):
        for c in range(columns.size):
            out[k, c] = values[k, columns[c]]
    return out


@compiled
def _add_up_products(low, high, cumulative):
    """Fill cumulative distributions ``[low + 1, width]`` from real products of branches.

    Args:
        low: the products of the low half, ``[R², low]``; R² is 1, or 1 more than a multiple of 3.
        high: the products of the high half for each column, ``[R², width]``.
        cumulative: the cumulative distributions, filled here.
    """
    num_products, low_size = low.shape
    width = high.shape[1]
    cumulative[0] = 0.0
    for i in range(low_size):
        x = low[0, i]
        for c in range(width):
            cumulative[i + 1, c] = cumulative[i, c] + x * high[0, c]
        for k in range(1, num_products, 3):
            x, y, z = low[k, i], low[k + 1, i], low[k + 2, i]
            for c in range(width):
                cumulative[i + 1, c] += x * high[k, c] + y * high[k + 1, c] + z * high[k + 2, c]


@compiled
def _add_up_amplitudes(a, real, imag, cumulative):
    """Fill cumulative distributions ``[low + 1, width]`` from amplitudes, which is faster with many branches.

    Args:
        a: the state of the low half, ``[2, R, low]``.
        real: the real parts of the state of the high half for each column, ``[R, width]``.
        imag: the imaginary parts, in the same shape.
        cumulative: the cumulative distributions, filled here.
    """
    _, num_branches, low_size = a.shape
    width = real.shape[1]
    even, odd = np.empty(width), np.empty(width)
    cumulative[0] = 0.0
    for i in range(low_size):
        even[:] = 0.0
        odd[:] = 0.0
        for r in range(num_branches):
            x, y = a[0, r, i], a[1, r, i]
            for c in range(width):
                even[c] += x * real[r, c] - y * imag[r, c]
                odd[c] += y * real[r, c] + x * imag[r, c]
        for c in range(width):
            cumulative[i + 1, c] = cumulative[i, c] + even[c] * even[c] + odd[c] * odd[c]


@compiled
def _draw_low(cumulative, columns, uniforms):
    """Draw an outcome from the distribution of its column for each shot.

    Args:
        cumulative: the cumulative distributions, ``[low + 1, width]``; they need not end at 1.
        columns: the column of each shot, in ``uint64``; replaced by the outcomes.
        uniforms: a uniform random number in [0, 1) for each shot.
    """
    width, totals = np.uint64(cumulative.shape[1]), cumulative[-1]
    targets = np.empty(columns.size)
    for n in range(columns.size):
        targets[n] = uniforms[n] * totals[columns[n]]
    _search(cumulative.reshape(-1), width, targets, columns)
    scale = 1.0 / width
    for n in range(columns.size):
        columns[n] = np.uint64((columns[n] + 0.5) * scale)  # columns[n] // width, in vector instructions


@compiled
def draw(psi, uniforms, names, out):
    """Draw the bits h of each shot from p(h), and then the bits l from p(l | h).

    Args:
        psi: the states of the low and of the high half, ``[2, R, size, width]``.
        uniforms: uniform random numbers in [0, 1), ``[width, 2, shots]``.
        names: the integers of the states of each half, ``int64[size]``; those of a bitstring are ``low ^ high``.
        out: integers of the drawn bitstrings, ``int64[width, shots]``, filled here.
    """
    for lane in range(len(out)):
        a, b = psi[0][..., lane].copy(), psi[1][..., lane].copy()
        _, num_branches, low_size = a.shape
        marginal = _marginal(a, b)
        high = np.zeros(out.shape[1], dtype=np.uint64)
        _search(marginal, ONE, uniforms[lane, 0] * marginal[-1], high)
        values, ranks = _ranks(high, b.shape[2])

        few = num_branches <= MAX_PRODUCT_BRANCHES
        low_products = _branch_products(a, 2.0, -1.0) if few else a[0]
        high_products = _branch_products(b, 1.0, 1.0) if few else b[0]
        step = max(1, ENTRIES_AT_A_TIME // low_size)
        for first in range(0, values.size, step):
            chosen = values[first : first + step]
            cumulative = np.empty((low_size + 1, chosen.size))
            if few:
                _add_up_products(low_products, _columns(high_products, chosen), cumulative)
            else:
                _add_up_amplitudes(a, _columns(b[0], chosen), _columns(b[1], chosen), cumulative)
            shots = _places_between(ranks, np.uint64(first), np.uint64(first + step))
            low = _taken(ranks, shots) - np.uint64(first)
            _draw_low(cumulative, low, _taken(uniforms[lane, 1], shots))
            for n in range(shots.size):
                out[lane, shots[n]] = names[0][low[n]] ^ names[1][high[shots[n]]]
