"""Whether scores and inputs are distributed as they were at first: the population stability index.

Owns: the histograms of the frozen reference and of the current span, and the index of each column.
Never: sees a label; compares less than a week of event time, whose days differ.
Source: Siddiqi (2006) "Credit risk scorecards" (the index, and 0.25 as a change that matters).
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from models.columns import COLUMNS_MAX
from models.compiled import compiled, inlined
from models.kernels_learner import Floats
from models.layout import DAY_MS
from models.state import F8, I4, I8, U1

CELLS: Final = 64
BINS: Final = 10
ROWS_MIN: Final = 1_000
SPAN_MS: Final = 7 * DAY_MS
INDEX_MAX: Final = 0.25
REFERENCE, CURRENT = range(2)
SCORE: Final = 0  # The place of the score; the input at place i of a row stands at i + 1.
_ZERO: Final = 12
ROWS_REFERENCE, ROWS_CURRENT, SINCE_MS, SPANS = range(4)
SCORE_ALARMS, INPUT_ALARMS, SCORE_HIGH, INPUT_HIGH = range(4, 8)
MARKS: Final = ("rows_reference", "rows_current", "since_ms", "spans", "score_alarms",
                "input_alarms", "score_high", "input_high")  # fmt: skip


class Stability(NamedTuple):
    """What is known of scores and inputs; those of the reference never change once it is full."""

    cells: I4  # [REFERENCE or CURRENT, SCORE or input, CELLS]
    marks: I8  # as MARKS names them
    indices: Floats  # [SCORE or input] of the last whole span
    grows: U1  # [SCORE or input] 1 for what changes by its nature, and alarms nobody


def new_stability(grows: U1) -> Stability:
    """Nothing seen yet."""
    marks = np.zeros(len(MARKS), np.int64)
    marks[SINCE_MS] = -1
    places = COLUMNS_MAX + 1
    return Stability(np.zeros((2, places, CELLS), np.int32), marks, np.zeros(places), grows)


@compiled
def cell_of(value: float) -> int:
    """The cell of an input on its natural scale; cells ascend with the value, 0 has its own."""
    if value < -1.0:
        return int(max(4.0 + math.floor(max(value, -9.0) + 1.0), 0.0))
    if value < 0.0:
        return int(4.0 + math.floor((value + 1.0) * 8.0))
    if value == 0.0:
        return _ZERO
    if value < 2.0:
        return int(13.0 + math.floor(value * 8.0))
    return int(29.0 + math.floor((min(value, 10.0) - 2.0) * 4.0))


@inlined
def index_of(stability: Stability, column: int) -> float:
    """Σ (current - reference) · ln(current / reference) over 10 bins of equal mass then."""
    reference, current = stability.cells[REFERENCE, column], stability.cells[CURRENT, column]
    rows, rows_now = stability.marks[ROWS_REFERENCE], stability.marks[ROWS_CURRENT]
    zero, zero_now = 0, 0
    if column != SCORE:  # Rows leave zeros out.
        zero, zero_now = rows, rows_now
        for cell in range(CELLS):
            zero -= reference[cell]
            zero_now -= current[cell]
    index, at, shares, shares_now, before = 0.0, 0, 0.0, 0.0, 0.0
    for cell in range(CELLS):
        here = float(reference[cell] + (zero if cell == _ZERO else 0))
        now = float(current[cell] + (zero_now if cell == _ZERO else 0))
        place = min(int((before + 0.5 * here) / rows * BINS), BINS - 1)
        if place != at:
            index += _term(shares, shares_now, rows, rows_now)
            at, shares, shares_now = place, 0.0, 0.0
        shares += here
        shares_now += now
        before += here
    return float(index + _term(shares, shares_now, rows, rows_now))


@inlined
def _term(count: float, count_now: float, rows: int, rows_now: int) -> float:
    """The part of one bin; a bin that one of the two lacks counts as half a row there."""
    if count == 0.0 and count_now == 0.0:
        return 0.0
    share, share_now = max(count, 0.5) / rows, max(count_now, 0.5) / rows_now
    return (share_now - share) * math.log(share_now / share)


@inlined
def _compare(stability: Stability) -> None:
    """Compare the span with the reference; an alarm is where an index comes to be too high."""
    marks, indices, grows = stability.marks, stability.indices, stability.grows
    worst = 0.0
    for column in range(indices.shape[0]):
        indices[column] = index_of(stability, column)
        if column != SCORE and grows[column] == 0:
            worst = max(worst, indices[column])
    score_high, input_high = int(indices[SCORE] > INDEX_MAX), int(worst > INDEX_MAX)
    marks[SCORE_ALARMS] += int(score_high > marks[SCORE_HIGH])
    marks[INPUT_ALARMS] += int(input_high > marks[INPUT_HIGH])
    marks[SCORE_HIGH], marks[INPUT_HIGH] = score_high, input_high
    current = stability.cells[CURRENT]
    for column in range(current.shape[0]):
        for cell in range(CELLS):
            current[column, cell] = 0


@inlined
def take_row(
    stability: Stability,
    closed_ms: int,
    score_cell: int,
    places: I4,
    values: F8,
    first: int,
    stop: int,
    ready: bool,
) -> None:
    """Count a row's score and its inputs, those from `first` on; a place below 0 is none.

    The reference is of rows that were served while `ready`. It, and each span that is compared
    with it, has 1,000 rows at least and seven days of event time.
    """
    marks = stability.marks
    frozen = marks[SPANS] > 0
    if not (frozen or ready):
        return
    if marks[SINCE_MS] < 0:
        marks[SINCE_MS] = closed_ms
    cells = stability.cells[CURRENT if frozen else REFERENCE]
    cells[SCORE, score_cell] += 1
    for entry in range(first, stop):
        if places[entry] >= 0 and values[entry] != 0.0:
            cells[places[entry] + 1, cell_of(values[entry])] += 1
    rows = ROWS_CURRENT if frozen else ROWS_REFERENCE
    marks[rows] += 1
    if marks[rows] >= ROWS_MIN and closed_ms - marks[SINCE_MS] >= SPAN_MS:
        if frozen:
            _compare(stability)
        marks[SPANS] += 1
        marks[ROWS_CURRENT] = 0
        marks[SINCE_MS] = -1
