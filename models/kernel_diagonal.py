"""Compiled arithmetic of the columns beyond the dense ones, whose covariance is a diagonal.

Owns: learning and forgetting with variances alone, beside a dense block for the first columns.
Never: keeps a covariance between a column of the diagonal and any other.
Source: models.kernels_learner, with P replaced by its dense block and the diagonal of the rest;
    Graepel et al. (2010) "Web-scale Bayesian click-through rate prediction" (a diagonal alone).

The dense block is as long as `covariance`; places from there to `size` are the diagonal's.
"""

from __future__ import annotations

from models.compiled import compiled
from models.kernels_learner import (
    COVARIANCE_REPAIRS,
    CURVATURE_MIN,
    NOISE_SUM,
    NOISE_WEIGHT,
    ROWS_LEARNED,
    Floats,
    condition,
    linear_sum,
    posterior_mode,
    project,
    sigmoid,
    take_in,
    update_means,
)


@compiled
def project_wide(
    covariance: Floats, variances: Floats, gain: Floats, x: Floats, size: int
) -> float:
    """Set `gain` to P x and return v = xᵀ P x, P being block-diagonal."""
    dense = covariance.shape[0]
    variance = project(covariance, gain, x, dense)
    for i in range(dense, size):
        gain[i] = variances[i] * x[i]
        if x[i] != 0.0:
            variance += x[i] * gain[i]
    return float(variance)


@compiled
def condition_wide(
    covariance: Floats,
    variances: Floats,
    weights: Floats,
    gain: Floats,
    prior: Floats,
    tallies: Floats,
    step: float,
    shrink: float,
    size: int,
) -> None:
    """Move the Gaussian as the dense `condition` does, keeping only P_jj beyond the dense block."""
    dense = covariance.shape[0]
    condition(covariance, weights, gain, prior, tallies, step, shrink, dense)
    for j in range(dense, size):
        if gain[j] != 0.0:
            weights[j] += gain[j] * step
            variances[j] -= (gain[j] * gain[j]) * shrink
            if not variances[j] > 0.0:
                tallies[COVARIANCE_REPAIRS] += 1.0
                variances[j] = prior[j]


@compiled
def learn_logistic_wide(
    covariance: Floats,
    variances: Floats,
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
    """Learn one row with a Bernoulli likelihood, as `learn_logistic` does."""
    take_in(x, values, tallies, size)
    logit = linear_sum(weights, x[:size])
    variance = project_wide(covariance, variances, gain, x, size)
    probability = sigmoid(posterior_mode(logit, variance, label, weight))
    curvature = max(weight * probability * (1.0 - probability), CURVATURE_MIN)
    step = weight * (label - probability)
    shrink = curvature / (1.0 + curvature * variance)
    condition_wide(covariance, variances, weights, gain, prior, tallies, step, shrink, size)
    update_means(means, x, tallies, weight, size)
    tallies[ROWS_LEARNED] += 1.0


@compiled
def learn_gaussian_wide(
    covariance: Floats,
    variances: Floats,
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
    """Learn one row with a Gaussian likelihood of unknown noise, as `learn_gaussian` does."""
    take_in(x, values, tallies, size)
    error = label - linear_sum(weights, x[:size])
    variance = project_wide(covariance, variances, gain, x, size)
    shrink = weight / (1.0 + weight * variance)
    step = shrink * error
    condition_wide(covariance, variances, weights, gain, prior, tallies, step, shrink, size)
    tallies[NOISE_SUM] += shrink * error * error
    tallies[NOISE_WEIGHT] += weight
    update_means(means, x, tallies, weight, size)
    tallies[ROWS_LEARNED] += 1.0


@compiled
def forget_wide(variances: Floats, prior: Floats, keep: float, first: int, size: int) -> None:
    """Mix each precision with its prior's: 1/d ← keep/d + (1 - keep)/d₀, 0 ≤ keep < 1."""
    for j in range(first, size):
        if variances[j] != prior[j]:
            variances[j] = 1.0 / (keep / variances[j] + (1.0 - keep) / prior[j])
