"""Compiled arithmetic of a hurdle: whether anything comes, and how much if it does.

Owns: the value that is expected of both, and how a row with a value is learned.
Never: lets a row without a value teach how great values are.
Source: Cragg (1971) "Some statistical models for limited dependent variables" (two parts); Duan
    (1983) "Smearing estimate: a nonparametric retransformation method".
"""

from __future__ import annotations

import math
from typing import NamedTuple

from models.compiled import compiled
from models.kernel_posteriors import Posteriors, learn_gaussian
from models.kernels_learner import ROWS_LEARNED, Floats

LOG_VALUE_MAX = 28.0
"""No logarithm of a value counts as more: labels end at 1e12."""
SMEARED, SMEARED_WEIGHT = 0, 1
SMEARED_AFTER_ROWS = 30
"""So many rows with a value come first: before, a residual is the value itself, in any currency."""


class Hurdle(NamedTuple):
    """How much comes where something comes, over the columns of the learner that says whether."""

    posterior: Posteriors  # of log(1 + value)
    smear: Floats  # [2] Σ weight · exp(residual) of the logarithms, and Σ weight


@compiled
def smearing_of(smear: Floats) -> float:
    """Return the mean of exp(residual), by which a mean of logarithms falls short of a mean."""
    return float(smear[SMEARED] / smear[SMEARED_WEIGHT])


@compiled
def expected_of(probability: float, log_value: float, smearing: float) -> float:
    """Return P(any) · E[value | any]; never below 0."""
    value = math.exp(min(log_value, LOG_VALUE_MAX)) * smearing - 1.0
    return float(probability * max(value, 0.0))


@compiled
def learn_amount(
    hurdle: Hurdle, values: Floats, predicted: float, label: float, weight: float, size: int
) -> None:
    """Learn how much came, a label above 0, of which the logarithm was `predicted`.

    The residual is that of the prediction before the row is learned, so that it is nobody's fit.
    """
    logarithm = math.log1p(label)
    residual = min(max(logarithm - predicted, -LOG_VALUE_MAX), LOG_VALUE_MAX)
    if hurdle.posterior.tallies[ROWS_LEARNED] >= SMEARED_AFTER_ROWS:
        hurdle.smear[SMEARED] += weight * math.exp(residual)
        hurdle.smear[SMEARED_WEIGHT] += weight
    learn_gaussian(hurdle.posterior, values, logarithm, weight, size)
