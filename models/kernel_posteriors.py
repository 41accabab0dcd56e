"""Compiled arithmetic of several Gaussian posteriors over the same columns: predict, judge, learn.

Owns: the order of a row's steps in all of them, and the shares that they have in what is served.
Never: lets one posterior see another; a learner of one posterior is the case of one.
Source: West (1985) "Dynamic generalized linear models"; Spiegelhalter & Lauritzen (1990);
    Herbster & Warmuth (1998) "Tracking the best expert" (the fixed share).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from models.compiled import compiled, inlined
from models.kernels_learner import (
    CURVATURE_MIN,
    NOISE_SUM,
    NOISE_WEIGHT,
    ROWS_LEARNED,
    Floats,
    condition,
    linear_sum,
    posterior_mode,
    project,
    settle,
    sigmoid,
    take_in,
    update_means,
)

FIXED_SHARE = 1e-4
"""So much of all shares goes to where they rest with each judgement: none is lost for good."""
LIKELIHOOD_MIN = 1e-12
"""No expert is held to have been surer than this."""


class Posteriors(NamedTuple):
    """E Gaussian posteriors over the same columns, bias first; the first `size` columns hold."""

    covariance: Floats  # [E, dense, dense]
    variances: Floats  # [E, columns] of the columns beyond the dense ones
    pending: Floats  # [E, 4, dense] rows that the covariance has yet to take in
    weights: Floats  # [E, columns]
    shares: Floats  # [E] of each posterior in what is served; they sum to 1
    rest: Floats  # [E] the shares where nothing speaks for any posterior; they sum to 1
    said: Floats  # [E] what each said of the row when it was scored; NaN where that is unknown
    prior: Floats  # [columns] the prior variances
    means: Floats  # [columns]
    gain: Floats  # [columns] scratch
    x: Floats  # [columns] scratch
    tallies: Floats


@compiled
def mixed_sum(weights: Floats, shares: Floats, values: Floats) -> float:
    """Return Σ share · (the linear sum of a posterior's weights), in the order of posteriors."""
    total = shares[0] * linear_sum(weights[0], values)
    for expert in range(1, shares.shape[0]):
        total += shares[expert] * linear_sum(weights[expert], values)
    return float(total)


@inlined
def _log_likelihood(probability: float, label: float) -> float:
    inside = min(max(probability, LIKELIHOOD_MIN), 1.0 - LIKELIHOOD_MIN)
    return math.log(inside if label > 0.0 else 1.0 - inside)


@inlined
def judge_experts(
    shares: Floats,
    rest: Floats,
    said: Floats,
    weights: Floats,
    x: Floats,
    label: float,
    weight: float,
) -> None:
    """Move each share by how likely its expert holds the outcome: W ← W · (L·L')ʷ, normalised.

    L is the likelihood by what it said when the row was scored, L' by what it says now, before
    it learns the row. Then `FIXED_SHARE` of all goes to where shares rest. Where it is unknown
    what an expert said, nothing moves. `said` is used up.
    """
    count = shares.shape[0]
    best = -math.inf
    for expert in range(count):
        if not math.isfinite(said[expert]):
            return
        now = sigmoid(linear_sum(weights[expert], x))
        likelihoods = _log_likelihood(said[expert], label) + _log_likelihood(now, label)
        said[expert] = weight * likelihoods
        best = max(best, said[expert])
    total = 0.0
    for expert in range(count):
        shares[expert] *= math.exp(said[expert] - best)
        total += shares[expert]
    for expert in range(count):
        kept = (1.0 - FIXED_SHARE) * shares[expert] / total
        shares[expert] = kept + FIXED_SHARE * rest[expert]


@compiled
def learn_logistic(
    learner: Posteriors, values: Floats, label: float, weight: float, size: int
) -> None:
    """Learn one row with a Bernoulli likelihood: online Laplace, expanded at the new mode.

    The extended Kalman step is the first Newton step of this. It overshoots while the covariance
    is wide and rows are heavy (a row of weight 10 could move a logit by 30); the mode cannot.
    """
    (
        held, beyond, all_pending, all_weights, shares, rest, said, prior, means, gain, x, tallies
    ) = learner  # fmt: skip
    take_in(x, values, tallies, size)
    if shares.shape[0] > 1:
        judge_experts(shares, rest, said, all_weights, x[:size], label, weight)
    for expert in range(shares.shape[0]):
        covariance, variances, weights = held[expert], beyond[expert], all_weights[expert]
        pending = all_pending[expert]
        logit = linear_sum(weights, x[:size])
        variance = project(covariance, variances, pending, gain, x, size)
        probability = sigmoid(posterior_mode(logit, variance, label, weight))
        curvature = max(weight * probability * (1.0 - probability), CURVATURE_MIN)
        step = weight * (label - probability)
        shrink = curvature / (1.0 + curvature * variance)
        condition(
            covariance, variances, pending, weights, gain, prior, tallies, step, shrink, size
        )  # fmt: skip
    update_means(means, x, tallies, weight, size)
    tallies[ROWS_LEARNED] += 1.0


@compiled
def learn_at_once(
    learner: Posteriors, values: Floats, label: float, weight: float, size: int
) -> None:
    """Learn one row as `learn_logistic` does, and leave nothing pending: for a few columns."""
    learn_logistic(learner, values, label, weight, size)
    held, _, all_pending, _, _, _, _, prior, _, _, _, tallies = learner
    for expert in range(held.shape[0]):
        settle(held[expert], all_pending[expert], prior, tallies, size)


@compiled
def learn_gaussian(
    learner: Posteriors, values: Floats, label: float, weight: float, size: int
) -> None:
    """Learn one row with a Gaussian likelihood of unknown noise, in a single posterior.

    The covariance is kept in units of the noise variance (the normal-inverse-gamma family), so the
    weights do not depend on the noise, and scaling every label scales every weight.
    """
    held, beyond, all_pending, all_weights, _, _, _, prior, means, gain, x, tallies = learner
    covariance, variances, pending, weights = held[0], beyond[0], all_pending[0], all_weights[0]
    take_in(x, values, tallies, size)
    error = label - linear_sum(weights, x[:size])
    variance = project(covariance, variances, pending, gain, x, size)
    shrink = weight / (1.0 + weight * variance)
    step = shrink * error
    condition(covariance, variances, pending, weights, gain, prior, tallies, step, shrink, size)
    tallies[NOISE_SUM] += shrink * error * error
    tallies[NOISE_WEIGHT] += weight
    update_means(means, x, tallies, weight, size)
    tallies[ROWS_LEARNED] += 1.0
