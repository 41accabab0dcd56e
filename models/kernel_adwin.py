"""A window over a stream of numbers that drops what is older than the last change of their mean.

Owns: the exponential histogram of the window, and the test of every cut of it.
Never: says what a change means; grows with the stream.
Source: Bifet & Gavaldà (2007) "Learning from time-changing data with adaptive windowing", ADWIN2
    with the bound by variance of its section 4.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from models.compiled import compiled, inlined
from models.kernels_learner import Floats
from models.state import I8

DELTA: Final = 1e-4
LEVELS: Final = 40
BUCKETS: Final = 5  # Of one size; with one more, the two oldest become one of double the size.
CLOCK: Final = 32  # The cuts are tested at every so many numbers.
ROWS_MIN: Final = 5  # On either side of a cut.
COUNT, TOTAL, SPREAD, SEEN = range(4)


class Adwin(NamedTuple):
    """The window: buckets of 1, 2, 4, … numbers, the oldest of each size first."""

    totals: Floats  # [LEVELS, BUCKETS + 1] the sum of a bucket
    spreads: Floats  # the same shape: Σ (number - mean of the bucket)²
    filled: I8  # [LEVELS] how many buckets of this size there are
    whole: Floats  # COUNT, TOTAL and SPREAD of the window, and how many numbers were SEEN


def new_adwin() -> Adwin:
    """An empty window."""
    room = (LEVELS, BUCKETS + 1)
    return Adwin(np.zeros(room), np.zeros(room), np.zeros(LEVELS, np.int64), np.zeros(4))


@inlined
def _merged_spread(count: float, total: float, other: float, other_total: float) -> float:
    """What two parts have of spread beyond their own: that of their means."""
    gap = total / count - other_total / other
    return gap * gap * (count * other / (count + other))


@inlined
def _take_oldest(adwin: Adwin, level: int, buckets: int) -> None:
    for place in range(buckets, adwin.filled[level]):
        adwin.totals[level, place - buckets] = adwin.totals[level, place]
        adwin.spreads[level, place - buckets] = adwin.spreads[level, place]
    adwin.filled[level] -= buckets


@inlined
def _append(adwin: Adwin, level: int, total: float, spread: float) -> None:
    place = adwin.filled[level]
    adwin.totals[level, place] = total
    adwin.spreads[level, place] = spread
    adwin.filled[level] += 1


@inlined
def _insert(adwin: Adwin, number: float) -> None:
    whole = adwin.whole
    if whole[COUNT] > 0.0:
        whole[SPREAD] += _merged_spread(whole[COUNT], whole[TOTAL], 1.0, number)
    whole[COUNT] += 1.0
    whole[TOTAL] += number
    _append(adwin, 0, number, 0.0)
    size = 1.0
    for level in range(LEVELS - 1):
        if adwin.filled[level] <= BUCKETS:
            return
        one, other = adwin.totals[level, 0], adwin.totals[level, 1]
        spread = adwin.spreads[level, 0] + adwin.spreads[level, 1]
        _append(adwin, level + 1, one + other, spread + _merged_spread(size, one, size, other))
        _take_oldest(adwin, level, 2)
        size *= 2.0


@inlined
def _drop_oldest(adwin: Adwin) -> None:
    whole = adwin.whole
    for level in range(LEVELS - 1, -1, -1):
        if adwin.filled[level] > 0:
            size = float(1 << level)
            whole[COUNT] -= size
            whole[TOTAL] -= adwin.totals[level, 0]
            gap = _merged_spread(whole[COUNT], whole[TOTAL], size, adwin.totals[level, 0])
            whole[SPREAD] = max(whole[SPREAD] - adwin.spreads[level, 0] - gap, 0.0)
            _take_oldest(adwin, level, 1)
            return


@inlined
def _has_cut(adwin: Adwin) -> bool:
    """Whether the means before and after some cut differ more than chance allows."""
    count, total = adwin.whole[COUNT], adwin.whole[TOTAL]
    if count < 2.0 * ROWS_MIN:
        return False
    variance = adwin.whole[SPREAD] / count
    surprise = math.log(2.0 * math.log(count) / DELTA)
    before, before_total = 0.0, 0.0
    for level in range(LEVELS - 1, -1, -1):
        for place in range(adwin.filled[level]):
            before += float(1 << level)
            before_total += adwin.totals[level, place]
            after = count - before
            if after < ROWS_MIN:
                return False
            if before >= ROWS_MIN:
                parts = 1.0 / before + 1.0 / after
                bound = math.sqrt(2.0 * parts * variance * surprise) + 2.0 / 3.0 * parts * surprise
                if abs(before_total / before - (total - before_total) / after) > bound:
                    return True
    return False


@compiled
def take_number(adwin: Adwin, number: float) -> bool:
    """Take a number from 0 to 1 into the window; whether the mean was found to have changed."""
    _insert(adwin, number)
    adwin.whole[SEEN] += 1.0
    changed = False
    if adwin.whole[SEEN] % CLOCK == 0.0:
        while _has_cut(adwin):
            _drop_oldest(adwin)
            changed = True
    return changed
