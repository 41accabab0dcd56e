"""Compiled arithmetic of the dense learners: guard, predict, learn, forget.

Owns: every floating-point operation on weights and covariances, in one fixed order.
Never: allocates per row, calls BLAS, lets the compiler reorder a sum.
Source: West (1985) "Dynamic generalized linear models"; Spiegelhalter & Lauritzen (1990);
    Golub & Van Loan, "Matrix Computations", 4.2 (Cholesky) and 2.1.4 (Woodbury).

Inner loops run over contiguous entries and never accumulate into one scalar, so the compiler may
use vector instructions without changing a bit. Entries of `x` that are zero are skipped.
"""

import math

import numpy as np
from numpy.typing import NDArray

from models.compiled import compiled

Floats = NDArray[np.float64]

FEATURE_MAX = 20.0
"""Feature values beyond this, of either sign, are clipped (natural scales end near 14)."""
CURVATURE_MIN = 1e-9
"""The least Fisher information of a row, so that a saturated probability still teaches."""
WEIGHT_MAX = 1e6
"""A row weighs no more than this many."""

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


@compiled
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


@compiled
def rank_one_update(
    covariance: Floats,
    weights: Floats,
    gain: Floats,
    x: Floats,
    prior: Floats,
    tallies: Floats,
    slope: float,
    curvature: float,
    size: int,
) -> float:
    """Condition a Gaussian on one row; return v = xᵀ P x as it was before.

    With g = P x and s = `curvature`: w ← w + g·slope/(1 + s v), P ← P - g gᵀ·s/(1 + s v).
    Both triangles get the same product, so P stays symmetric to the bit. A diagonal entry that
    rounding drove to zero or below falls back to its prior, alone.
    """
    for i in range(size):
        gain[i] = 0.0
    for j in range(size):
        value = x[j]
        if value != 0.0:
            row = covariance[j]
            for i in range(size):
                gain[i] += row[i] * value
    variance = 0.0
    for i in range(size):
        if x[i] != 0.0:
            variance += x[i] * gain[i]
    variance = max(variance, 0.0)
    step = slope / (1.0 + curvature * variance)
    shrink = curvature / (1.0 + curvature * variance)
    for i in range(size):
        weights[i] += gain[i] * step
    for j in range(size):
        at_j = gain[j]
        if at_j != 0.0:
            row = covariance[j]
            for i in range(size):
                row[i] -= (at_j * gain[i]) * shrink
    for j in range(size):
        if not covariance[j, j] > 0.0:
            tallies[COVARIANCE_REPAIRS] += 1.0
            for i in range(size):
                covariance[j, i] = 0.0
                covariance[i, j] = 0.0
            covariance[j, j] = prior[j]
    return float(variance)


@compiled
def learn_logistic(
    covariance: Floats,
    weights: Floats,
    prior: Floats,
    means: Floats,
    gain: Floats,
    x: Floats,
    tallies: Floats,
    values: Floats,
    label: float,
    weight: float,
    size: int,
) -> None:
    """Learn one row with a Bernoulli likelihood (extended Kalman, "online Laplace")."""
    take_in(x, values, tallies, size)
    probability = sigmoid(linear_sum(weights, x[:size]))
    curvature = max(weight * probability * (1.0 - probability), CURVATURE_MIN)
    slope = weight * (label - probability)
    rank_one_update(covariance, weights, gain, x, prior, tallies, slope, curvature, size)
    update_means(means, x, tallies, weight, size)
    tallies[ROWS_LEARNED] += 1.0


@compiled
def learn_gaussian(
    covariance: Floats,
    weights: Floats,
    prior: Floats,
    means: Floats,
    gain: Floats,
    x: Floats,
    tallies: Floats,
    values: Floats,
    label: float,
    weight: float,
    size: int,
) -> None:
    """Learn one row with a Gaussian likelihood of unknown noise.

    The covariance is kept in units of the noise variance (the normal-inverse-gamma family), so the
    weights do not depend on the noise, and scaling every label scales every weight.
    """
    take_in(x, values, tallies, size)
    error = label - linear_sum(weights, x[:size])
    variance = rank_one_update(
        covariance, weights, gain, x, prior, tallies, weight * error, weight, size
    )
    tallies[NOISE_SUM] += weight * error * (error / (1.0 + weight * variance))
    tallies[NOISE_WEIGHT] += weight
    update_means(means, x, tallies, weight, size)
    tallies[ROWS_LEARNED] += 1.0


@compiled
def touched_columns(covariance: Floats, prior: Floats, size: int) -> NDArray[np.int64]:
    """Return the positions whose covariance has ever left the prior, ascending."""
    touched = np.empty(size, np.int64)
    count = 0
    for j in range(size):
        moved = covariance[j, j] != prior[j]
        for i in range(size):
            if i != j and covariance[j, i] != 0.0:
                moved = True
                break
        if moved:
            touched[count] = j
            count += 1
    return touched[:count]


@compiled
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
                row_j = matrix[j]
                for i in range(j, size):
                    row_j[i] -= factor * row_k[i]


@compiled
def forget(covariance: Floats, prior: Floats, keep: float, size: int) -> None:
    """Mix the precision with the prior's: P ← (keep·P⁻¹ + (1 - keep)·P₀⁻¹)⁻¹, 0 < keep < 1.

    By Woodbury with E = P₀·keep/(1 - keep) and UᵀU = P + E this is (P - MᵀM)/keep, M = U⁻ᵀP:
    one factorisation of a well-conditioned matrix, and P itself is never inverted. Columns that
    never left their prior are a fixed point and are left out.
    """
    places = touched_columns(covariance, prior, size)
    count = places.shape[0]
    spread = keep / (1.0 - keep)
    pivot_min = np.empty(count)
    block = np.empty((count, count))
    factor = np.empty((count, count))
    for j in range(count):
        for i in range(count):
            block[j, i] = covariance[places[j], places[i]]
            factor[j, i] = block[j, i]
        pivot_min[j] = spread * prior[places[j]]
        factor[j, j] += pivot_min[j]
    cholesky_upper(factor, pivot_min)
    solved = block.copy()
    for k in range(count):
        row_k = solved[k]
        root = factor[k, k]
        for i in range(count):
            row_k[i] /= root
        for j in range(k + 1, count):
            share = factor[k, j]
            if share != 0.0:
                row_j = solved[j]
                for i in range(count):
                    row_j[i] -= share * row_k[i]
    for k in range(count):
        row_k = solved[k]
        for j in range(count):
            share = row_k[j]
            if share != 0.0:
                row_j = block[j]
                for i in range(j, count):
                    row_j[i] -= share * row_k[i]
    for j in range(count):
        for i in range(j, count):
            mixed = block[j, i] / keep
            covariance[places[j], places[i]] = mixed
            covariance[places[i], places[j]] = mixed
