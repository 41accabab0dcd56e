"""Compiled counting of outcomes against predictions.

Owns: the histograms of predictions and of delays per day; ranking and calibration from them.
Never: sums in an order that depends on batches; knows which campaign it measures.
Source: Fawcett (2006) "An introduction to ROC analysis" (AUC with ties at one half); Davis &
    Goadrich (2006) "The relationship between precision-recall and ROC curves" (interpolation);
    Naeini et al. (2015) "Obtaining well calibrated probabilities" (equal-mass bins).
"""

import math

import numpy as np
from numpy.typing import NDArray

from models.compiled import compiled, inlined
from models.kernels_learner import Floats

Cells = NDArray[np.float32]

DAYS = 28
LOGIT_MIN = -10.0
BINS_PER_LOGIT = 40.0
BINS = 640
"""Log-odds from -10 to 6 in steps of 0.025; what lies beyond belongs to the outermost bins."""
PROBABILITY_MIN = 1e-12
VALUE_MIN = 1e-3
BINS_PER_VALUE_LOGIT = 18.5
"""Values from 0.001 to 1e12 in steps of 5.6 %; what is less, or negative, belongs to the first."""
DELAY_BINS = 128
DELAY_MIN_MS = 1_000.0
BINS_PER_DELAY_LOG = 7.0
"""Delays from a second to 2.8 years in steps of 15 %."""
DECILES = 10

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

# Columns of a day's histogram cells; those of a value hold weights, actual and predicted values.
NEGATIVES = 0
POSITIVES = 1
PREDICTIONS = 2
# Columns of a part of a histogram: a decile, or a group of equal mass.
MASS = 0
TRUE = 1
SAID = 2


@compiled
def bin_of(probability: float) -> int:
    """Return the histogram bin of a probability strictly between 0 and 1."""
    logit = math.log(probability) - math.log1p(-probability)
    place = math.floor((logit - LOGIT_MIN) * BINS_PER_LOGIT)
    return min(max(place, 0), BINS - 1)


@inlined
def bin_of_value(predicted: float) -> int:
    """Return the histogram bin of a predicted value."""
    if predicted <= VALUE_MIN:
        return 0
    place = math.floor((math.log(predicted) - math.log(VALUE_MIN)) * BINS_PER_VALUE_LOGIT)
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
def count_delay(delays: Cells, slot: int, delay_ms: float, weight: float) -> None:
    """Count how long a positive took to be known, under the day's slot; nothing if negative."""
    if delay_ms >= 0.0:
        place = math.floor(math.log(max(delay_ms / DELAY_MIN_MS, 1.0)) * BINS_PER_DELAY_LOG)
        delays[slot, min(place, DELAY_BINS - 1)] += weight


@compiled
def count_value(
    sums: Floats, cells: Cells, slot: int, label: float, predicted: float, weight: float
) -> None:
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
    cell = cells[slot, bin_of_value(predicted)]
    cell[NEGATIVES] += weight
    cell[POSITIVES] += weight * label
    cell[PREDICTIONS] += weight * predicted


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
def average_precision(histogram: Floats) -> float:
    """Return the area under precision over recall, the highest predictions first.

    Within a bin positives and others are evenly mixed, so precision changes smoothly.
    """
    total = 0.0
    for place in range(histogram.shape[0]):
        total += histogram[place, POSITIVES]
    above, mass, area = 0.0, 0.0, 0.0
    for place in range(histogram.shape[0] - 1, -1, -1):
        here = histogram[place, POSITIVES]
        both = here + histogram[place, NEGATIVES]
        if here > 0.0:
            share = here / both
            bend = (above - mass * share) / both * math.log1p(both / mass) if mass > 0.0 else 0.0
            area += here * (share + bend)
        above += here
        mass += both
    return float(area / total) if total > 0.0 else math.nan


@inlined
def mass_of(cell: Floats, by_value: bool) -> float:
    """Return the weight of a cell's rows."""
    return float(cell[NEGATIVES] if by_value else cell[NEGATIVES] + cell[POSITIVES])


@compiled
def fill_deciles(histogram: Floats, deciles: Floats, by_value: bool) -> None:
    """Split a histogram into tenths of the mass, the highest predictions first.

    `deciles` (zeros, 10 by MASS, TRUE, SAID) receives the sums; a bin on an edge is split in
    proportion.
    """
    total = 0.0
    for place in range(histogram.shape[0]):
        total += mass_of(histogram[place], by_value)
    tenth, decile = total / DECILES, 0
    for place in range(histogram.shape[0] - 1, -1, -1):
        cell = histogram[place]
        whole = mass_of(cell, by_value)
        left = whole
        while left > 0.0:
            room = tenth - deciles[decile, MASS] if decile < DECILES - 1 else left
            part = min(left, max(room, 0.0))
            deciles[decile, MASS] += part
            deciles[decile, TRUE] += cell[POSITIVES] * (part / whole)
            deciles[decile, SAID] += cell[PREDICTIONS] * (part / whole)
            left -= part
            if left > 0.0:
                decile += 1


@compiled
def column_sum(parts: Floats, column: int) -> float:
    """Return the sum over the parts of a histogram."""
    total = 0.0
    for place in range(parts.shape[0]):
        total += parts[place, column]
    return total


@compiled
def fill_groups(histogram: Floats, groups: Floats) -> None:
    """Split a histogram into groups of equal mass, the lowest predictions first.

    A bin goes whole to the group in which its middle falls. `groups` (zeros, groups by MASS,
    TRUE, SAID) receives the sums.
    """
    mass, before = 0.0, 0.0
    for place in range(histogram.shape[0]):
        mass += mass_of(histogram[place], False)
    for place in range(histogram.shape[0]):
        here = mass_of(histogram[place], False)
        if here > 0.0:
            middle = int((before + 0.5 * here) / mass * groups.shape[0])
            group = groups[min(middle, groups.shape[0] - 1)]
            group[MASS] += here
            group[TRUE] += histogram[place, POSITIVES]
            group[SAID] += histogram[place, PREDICTIONS]
        before += here


@compiled
def calibration_error(groups: Floats) -> float:
    """Return Σ |predicted - actual| over groups of equal mass, as a share of the mass."""
    mass, total = 0.0, 0.0
    for group in range(groups.shape[0]):
        mass += groups[group, MASS]
        total += abs(groups[group, SAID] - groups[group, TRUE])
    return float(total / mass) if mass > 0.0 else math.nan


@compiled
def delay_at(histogram: Floats, share: float) -> float:
    """Return the delay, in milliseconds, that a share of the mass does not exceed."""
    total = 0.0
    for place in range(histogram.shape[0]):
        total += histogram[place]
    reached = 0.0
    for place in range(histogram.shape[0]):
        here = histogram[place]
        if here > 0.0 and reached + here >= share * total:
            within = place + (share * total - reached) / here
            return float(DELAY_MIN_MS * math.exp(within / BINS_PER_DELAY_LOG))
        reached += here
    return math.nan
