"""Compiled arithmetic of one Gaussian posterior: guard, predict, condition, forget.

Owns: every floating-point operation on weights and covariances, in one fixed order.
Never: allocates per row, calls BLAS, lets the compiler reorder a sum.
Source: West (1985) "Dynamic generalized linear models"; Spiegelhalter & Lauritzen (1990);
    Golub & Van Loan, "Matrix Computations", 4.2 (Cholesky) and 2.1.4 (Woodbury);
    Graepel et al. (2010) "Web-scale Bayesian click-through rate prediction" (a diagonal alone);
    McDaniel et al. (2017) "Delayed Slater determinant update algorithms" (changes of rank one that
    wait until several can be made in one pass over the matrix).

P is a dense block, as long as `covariance`, and a diagonal for the columns beyond it, of which
`variances` holds the entries; where there are none beyond, nobody looks at it.
Inner loops run over contiguous entries and never accumulate into one scalar, so the compiler may
use vector instructions without changing a bit. Entries of `x` that are zero are skipped.
"""

import math

import numpy as np
from numpy.typing import NDArray

from models.compiled import compiled, inlined

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

FEATURE_MAX = 20.0
"""Feature values beyond this, of either sign, are clipped (natural scales end near 14)."""
CURVATURE_MIN = 1e-9
"""The least Fisher information of a row, so that a saturated probability still teaches."""
WEIGHT_MAX = 1e6
"""A row weighs no more than this many."""
PENDING = 4
"""So many rows change a covariance at a time; until then each is kept as a vector of its own."""
NEWTON_STEPS_MAX = 60
NEWTON_TOLERANCE = 1e-12

# Places in the array of tallies that travels with the state.
WEIGHT_TOTAL = 0
ROWS_LEARNED = 1
ROWS_IGNORED = 2
VALUES_IGNORED = 3
VALUES_CLIPPED = 4
COVARIANCE_REPAIRS = 5
NOISE_SUM = 6
NOISE_WEIGHT = 7
TALLIES = 8


@compiled
def sigmoid(logit: float) -> float:
    """Return 1 / (1 + exp(-logit)) without overflow."""
    if logit >= 0.0:
        return 1.0 / (1.0 + math.exp(-logit))
    odds = math.exp(logit)
    return odds / (1.0 + odds)


@inlined
def guarded(value: float) -> float:
    """Return the value clipped to ±FEATURE_MAX, and 0 where it is not finite."""
    if not math.isfinite(value):
        return 0.0
    return min(max(value, -FEATURE_MAX), FEATURE_MAX)


@compiled
def linear_sum(weights: Floats, values: Floats) -> float:
    """Return weights[0] + Σ weights[i]·values[i] over the non-zero values, in index order.

    `values[0]` is the bias and always counts as 1; `values` may be shorter than `weights`.
    """
    total = weights[0]
    for i in range(1, values.shape[0]):
        if values[i] != 0.0:
            total += weights[i] * guarded(values[i])
    return float(total)


@compiled
def take_in(x: Floats, values: Floats, tallies: Floats, size: int) -> None:
    """Copy guarded values into `x[:size]`, zeros beyond their end, and count what was changed."""
    x[0] = 1.0
    for i in range(1, size):
        x[i] = 0.0
    for i in range(1, values.shape[0]):
        if values[i] != 0.0:
            x[i] = guarded(values[i])
            if not math.isfinite(values[i]):
                tallies[VALUES_IGNORED] += 1.0
            elif x[i] != values[i]:
                tallies[VALUES_CLIPPED] += 1.0


@compiled
def update_means(means: Floats, x: Floats, tallies: Floats, weight: float, size: int) -> None:
    """Move the running weighted means of the columns towards this row."""
    tallies[WEIGHT_TOTAL] += weight
    share = weight / tallies[WEIGHT_TOTAL]
    for i in range(size):
        means[i] += (x[i] - means[i]) * share


@inlined
def project(
    covariance: Floats, variances: Floats, pending: Floats, gain: Floats, x: Floats, size: int
) -> float:
    """Set `gain` to P x and return v = xᵀ P x, the variance of the row's weighted sum.

    P is `covariance` less the sum of q qᵀ over the rows q of `pending`. Four columns are added at
    a time, in their order: a gain is read and written a quarter as often, and has the same bits.
    """
    dense = min(size, covariance.shape[0])
    for i in range(dense):
        gain[i] = 0.0
    for j in range(0, dense - 3, 4):
        one, two, three, four = x[j], x[j + 1], x[j + 2], x[j + 3]
        if one == 0.0 and two == 0.0 and three == 0.0 and four == 0.0:
            continue
        row_1, row_2, row_3, row_4 = (
            covariance[j], covariance[j + 1], covariance[j + 2], covariance[j + 3]
        )  # fmt: skip
        for i in range(dense):
            some = (gain[i] + row_1[i] * one) + row_2[i] * two
            gain[i] = (some + row_3[i] * three) + row_4[i] * four
    for j in range(dense - dense % 4, dense):
        value = x[j]
        if value != 0.0:
            row = covariance[j]
            for i in range(dense):
                gain[i] += row[i] * value
    _project_pending(pending, gain, x, dense)
    variance = 0.0
    for i in range(dense):
        if x[i] != 0.0:
            variance += x[i] * gain[i]
    variance = max(variance, 0.0)
    for i in range(dense, size):
        gain[i] = variances[i] * x[i]
        if x[i] != 0.0:
            variance += x[i] * gain[i]
    return float(variance)


@inlined
def _project_pending(pending: Floats, gain: Floats, x: Floats, dense: int) -> None:
    """Subtract from `gain` what the rows of `pending` take away of P x, in their order."""
    one, two, three, four = pending[0], pending[1], pending[2], pending[3]
    at_1, at_2, at_3, at_4 = 0.0, 0.0, 0.0, 0.0
    for i in range(dense):
        value = x[i]
        if value != 0.0:
            at_1 += one[i] * value
            at_2 += two[i] * value
            at_3 += three[i] * value
            at_4 += four[i] * value
    for i in range(dense):
        some = (gain[i] - at_1 * one[i]) - at_2 * two[i]
        gain[i] = (some - at_3 * three[i]) - at_4 * four[i]


@inlined
def condition(
    covariance: Floats,
    variances: Floats,
    pending: Floats,
    weights: Floats,
    gain: Floats,
    prior: Floats,
    tallies: Floats,
    step: float,
    shrink: float,
    size: int,
) -> None:
    """Move the Gaussian: w ← w + step·g and P ← P - shrink·g gᵀ, with g = P x.

    √shrink·g is added to `pending`, and every fourth row settles all four. Beyond the dense block
    only P_jj is kept; one that rounding drove to zero or below falls back to its prior.
    """
    dense = min(size, covariance.shape[0])
    for i in range(size):
        weights[i] += gain[i] * step
    place = int(tallies[ROWS_LEARNED]) % PENDING
    root = math.sqrt(shrink)
    row = pending[place]
    for i in range(dense):
        row[i] = gain[i] * root
    if place == PENDING - 1:
        settle(covariance, pending, prior, tallies, dense)
    for j in range(dense, size):
        variances[j] -= (gain[j] * gain[j]) * shrink
        if not variances[j] > 0.0:
            tallies[COVARIANCE_REPAIRS] += 1.0
            variances[j] = prior[j]


@compiled
def settle(covariance: Floats, pending: Floats, prior: Floats, tallies: Floats, dense: int) -> None:
    """Take what is pending out of the covariance: P ← P - Σ q qᵀ over its rows, and 0 pends.

    A covariance is far larger than the fastest memory, so that it is read and written once for
    four rows. Both triangles get the same products, so P stays symmetric to the bit. A diagonal
    entry that rounding drove to zero or below falls back to its prior, alone, and is counted.
    """
    one, two, three, four = pending[0], pending[1], pending[2], pending[3]
    for j in range(dense):
        at_1, at_2, at_3, at_4 = one[j], two[j], three[j], four[j]
        if at_1 == 0.0 and at_2 == 0.0 and at_3 == 0.0 and at_4 == 0.0:
            continue
        row = covariance[j]
        for i in range(dense):
            some = (row[i] - at_1 * one[i]) - at_2 * two[i]
            row[i] = (some - at_3 * three[i]) - at_4 * four[i]
    for j in range(dense):
        if not covariance[j, j] > 0.0:
            tallies[COVARIANCE_REPAIRS] += 1.0
            for i in range(dense):
                covariance[j, i] = 0.0
                covariance[i, j] = 0.0
            covariance[j, j] = prior[j]
    for place in range(PENDING):
        for i in range(dense):
            pending[place, i] = 0.0


@inlined
def posterior_mode(logit: float, variance: float, label: float, weight: float) -> float:
    """Return the most probable logit of a row after its label: z = z₀ + v·ω·(y - p(z)).

    The left side minus the right rises with a slope of at least 1, and the root lies between z₀
    and the plain gradient step: Newton's method, halving whenever it would leave that interval.
    """
    span = weight * variance
    reach = logit + span * (label - sigmoid(logit))
    low, high = min(logit, reach), max(logit, reach)
    mode = logit
    for _ in range(NEWTON_STEPS_MAX):
        probability = sigmoid(mode)
        excess = mode - logit - span * (label - probability)
        if excess > 0.0:
            high = mode
        else:
            low = mode
        nearer = mode - excess / (1.0 + span * probability * (1.0 - probability))
        if not low < nearer < high:
            nearer = 0.5 * (low + high)
        if abs(nearer - mode) <= NEWTON_TOLERANCE * (1.0 + abs(mode)):
            return float(nearer)
        mode = nearer
    return float(mode)


@compiled
def touched_columns(covariance: Floats, prior: Floats, places: Integers, size: int) -> int:
    """Write the places whose covariance has ever left the prior, ascending; return how many."""
    count = 0
    for j in range(size):
        moved = covariance[j, j] != prior[j]
        for i in range(size):
            if i != j and covariance[j, i] != 0.0:
                moved = True
                break
        if moved:
            places[count] = j
            count += 1
    return count


@inlined
def subtract_multiple(target: Floats, factor: float, source: Floats) -> None:
    """Subtract `factor` times `source`, entry by entry.

    Counted from 0, so that the compiler knows that no index is negative and uses vectors.
    """
    for i in range(target.shape[0]):
        target[i] -= factor * source[i]


@inlined
def cholesky_upper(matrix: Floats, pivot_min: Floats) -> None:
    """Overwrite the upper triangle by U with UᵀU = matrix; pivots are held at their known least."""
    size = matrix.shape[0]
    for k in range(size):
        root = math.sqrt(max(matrix[k, k], pivot_min[k]))
        row_k = matrix[k]
        row_k[k] = root
        for i in range(k + 1, size):
            row_k[i] /= root
        for j in range(k + 1, size):
            factor = row_k[j]
            if factor != 0.0:
                subtract_multiple(matrix[j, j:], factor, row_k[j:])


@inlined
def substitute(upper: Floats, rows: Floats) -> None:
    """Overwrite `rows` by U⁻ᵀ·rows, U upper triangular."""
    size = upper.shape[0]
    for k in range(size):
        row_k = rows[k]
        root = upper[k, k]
        for i in range(size):
            row_k[i] /= root
        for j in range(k + 1, size):
            share = upper[k, j]
            if share != 0.0:
                subtract_multiple(rows[j], share, row_k)


@inlined
def subtract_square(matrix: Floats, rows: Floats) -> None:
    """Subtract rowsᵀ·rows from the upper triangle of `matrix`."""
    size = matrix.shape[0]
    for k in range(size):
        row_k = rows[k]
        for j in range(size):
            share = row_k[j]
            if share != 0.0:
                subtract_multiple(matrix[j, j:], share, row_k[j:])


@compiled
def forget(
    covariance: Floats,
    prior: Floats,
    places: Integers,
    block: Floats,
    factor: Floats,
    solved: Floats,
    pivot_min: Floats,
    keep: float,
) -> None:
    """Mix the precision with the prior's: P ← (keep·P⁻¹ + (1 - keep)·P₀⁻¹)⁻¹, 0 < keep < 1.

    By Woodbury with E = P₀·keep/(1 - keep) and UᵀU = P + E this is (P - MᵀM)/keep, M = U⁻ᵀP:
    one factorisation of a well-conditioned matrix, and P itself is never inverted. Only `places`
    take part (columns on their prior are a fixed point). A pivot of P + E is at least that of E.
    `block`, `factor`, `solved` (square) and `pivot_min` are scratch as long as `places`.
    """
    count = places.shape[0]
    spread = keep / (1.0 - keep)
    for j in range(count):
        for i in range(count):
            entry = covariance[places[j], places[i]]
            block[j, i] = entry
            factor[j, i] = entry
            solved[j, i] = entry
        pivot_min[j] = spread * prior[places[j]]
        factor[j, j] += pivot_min[j]
    cholesky_upper(factor, pivot_min)
    substitute(factor, solved)
    subtract_square(block, solved)
    for j in range(count):
        for i in range(j, count):
            mixed = block[j, i] / keep
            covariance[places[j], places[i]] = mixed
            covariance[places[i], places[j]] = mixed


@compiled
def forget_diagonal(variances: Floats, prior: Floats, keep: float, first: int, size: int) -> None:
    """Mix each precision with its prior's: 1/d ← keep/d + (1 - keep)/d₀, 0 ≤ keep < 1."""
    for j in range(first, size):
        if variances[j] != prior[j]:
            variances[j] = 1.0 / (keep / variances[j] + (1.0 - keep) / prior[j])
