"""Compiled counting of outcomes against predictions.

Owns: the histogram of log-odds per day, and AUC and calibration error from it.
Never: sums in an order that depends on batches; knows which campaign it measures.
Source: Fawcett (2006) "An introduction to ROC analysis" (AUC with ties at one half);
    Naeini et al. (2015) "Obtaining well calibrated probabilities" (equal-mass bins).
"""

import math

import numpy as np
from numpy.typing import NDArray

from models.compiled import compiled
from models.kernels_learner import Floats

Cells = NDArray[np.float32]

DAYS = 28
LOGIT_MIN = -10.0
BINS_PER_LOGIT = 40.0
BINS = 640
"""Log-odds from -10 to 6 in steps of 0.025; what lies beyond belongs to the outermost bins."""
PROBABILITY_MIN = 1e-12

# Columns of the daily sums of a campaign that predicts a conversion.
ROWS = 0
WEIGHT = 1
ACTUAL = 2
PREDICTED = 3
LOSS = 4
# The same of a campaign that predicts a value, instead of LOSS.
ABSOLUTE_ERROR = 4
SQUARED_ERROR = 5
SQUARED_ACTUAL = 6

# Columns of a day's histogram cells.
NEGATIVES = 0
POSITIVES = 1
PREDICTIONS = 2


@compiled
def bin_of(probability: float) -> int:
    """Return the histogram bin of a probability strictly between 0 and 1."""
    logit = math.log(probability) - math.log1p(-probability)
    place = math.floor((logit - LOGIT_MIN) * BINS_PER_LOGIT)
    return min(max(place, 0), BINS - 1)


@compiled
def bounded(probability: float) -> float:
    """Return a probability strictly between 0 and 1: no single row decides by itself."""
    return min(max(probability, PROBABILITY_MIN), 1.0 - PROBABILITY_MIN)


@compiled
def log_loss(inside: float, converted: bool) -> float:
    """Return the log-loss of one outcome, at most 27.6; the probability is a bounded one."""
    return -math.log(inside) if converted else -math.log1p(-inside)


@compiled
def count_conversion(
    sums: Floats, cells: Cells, slot: int, label: float, probability: float, weight: float
) -> None:
    """Count one outcome, 0 or above, under the day's slot."""
    inside = bounded(probability)
    day = sums[slot]
    day[ROWS] += 1.0
    day[WEIGHT] += weight
    day[ACTUAL] += weight if label > 0.0 else 0.0
    day[PREDICTED] += weight * probability
    day[LOSS] += weight * log_loss(inside, label > 0.0)
    cell = cells[slot, bin_of(inside)]
    cell[POSITIVES if label > 0.0 else NEGATIVES] += weight
    cell[PREDICTIONS] += weight * probability


@compiled
def count_value(sums: Floats, slot: int, label: float, predicted: float, weight: float) -> None:
    """Count one outcome that is a value under the day's slot."""
    error = predicted - label
    day = sums[slot]
    day[ROWS] += 1.0
    day[WEIGHT] += weight
    day[ACTUAL] += weight * label
    day[PREDICTED] += weight * predicted
    day[ABSOLUTE_ERROR] += weight * abs(error)
    day[SQUARED_ERROR] += weight * (error * error)
    day[SQUARED_ACTUAL] += weight * (label * label)


@compiled
def add_days(total: Floats, sums: Floats, latest: int, days: int) -> None:
    """Add the sums of the last `days` to `total`, from the oldest day to the newest."""
    for age in range(days - 1, -1, -1):
        slot = (latest - age) % DAYS
        for place in range(total.shape[0]):
            total[place] += sums[slot, place]


@compiled
def add_histograms(histogram: Floats, cells: Cells, sums: Floats, latest: int, days: int) -> None:
    """Add the cells of the last `days` to `histogram`, oldest day first.

    Both are flat: `cells` has the shape (DAYS, BINS * 3). A day without rows has empty cells, and
    adding nothing changes no bit.
    """
    for age in range(days - 1, -1, -1):
        slot = (latest - age) % DAYS
        if sums[slot, ROWS] > 0.0:
            day = cells[slot]
            for place in range(histogram.shape[0]):
                histogram[place] += day[place]


@compiled
def area_under_curve(histogram: Floats) -> float:
    """Return the share of (positive, negative) pairs in the right order; ties count one half."""
    negatives = 0.0
    positives = 0.0
    ordered = 0.0
    for place in range(histogram.shape[0]):
        here = histogram[place, POSITIVES]
        others = histogram[place, NEGATIVES]
        ordered += here * (negatives + 0.5 * others)
        negatives += others
        positives += here
    pairs = positives * negatives
    return float(ordered / pairs) if pairs > 0.0 else math.nan


@compiled
def calibration_error(histogram: Floats, gaps: Floats) -> float:
    """Return Σ |predicted - actual| over groups of equal mass, as a share of the mass.

    A bin goes whole to the group in which its middle falls. `gaps` (one zero for each group)
    receives Σ (predicted - actual).
    """
    groups = gaps.shape[0]
    mass = 0.0
    for place in range(histogram.shape[0]):
        mass += histogram[place, NEGATIVES] + histogram[place, POSITIVES]
    before = 0.0
    for place in range(histogram.shape[0]):
        here = histogram[place, NEGATIVES] + histogram[place, POSITIVES]
        if here > 0.0:
            group = min(int((before + 0.5 * here) / mass * groups), groups - 1)
            gaps[group] += histogram[place, PREDICTIONS] - histogram[place, POSITIVES]
        before += here
    total = 0.0
    for group in range(groups):
        total += abs(gaps[group])
    return float(total / mass) if mass > 0.0 else math.nan
