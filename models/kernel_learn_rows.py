"""Rows learned in the compiled loop, one after the other, as they were read.

Owns: the order of a row's steps: judge what was served, predict, learn.
Never: admits a column, lets a day pass or looks at quality; it stops at a row that asks for it.
Source: models.campaign_learner.CampaignLearner.learn does the same for one row of any kind.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.batch import CATCHING_UP, READY, WARMING
from models.compiled import compiled, inlined
from models.kernel_hurdle import Hurdle, expected_of, learn_amount, smearing_of
from models.kernel_posteriors import Posteriors, learn_gaussian, learn_logistic, mixed_sum
from models.kernel_row_reader import READ_EXPERTS, READ_LABEL, READ_SERVED, READ_WEIGHT, ReadRows
from models.kernel_rows import expand_row
from models.kernels_judgement import (
    ROWS_SILENT,
    Watch,
    is_silent,
    watch_row,
    watch_unjudged,
)
from models.kernels_learner import WEIGHT_MAX, Floats, sigmoid
from models.kernels_quality import DAYS, Cells, count_conversion, count_delay, count_value
from models.layout import DAY_MS
from models.state import I8

VALUE_MAX = 1e12
LABELS, WEIGHTS, REFUSED, LEARNED = range(4)


class Places(NamedTuple):
    """From the features of a row to the columns of a learner, with room for one row."""

    column: I8
    knots: Floats
    hinge_column: I8
    base: Floats  # zeros between rows
    values: Floats


class Buckets(NamedTuple):
    """The daily sums of quality, and its histograms."""

    sums: Floats
    cells: Cells
    delays: Cells
    calibration: Floats
    latest_day: int


class Judging(NamedTuple):
    """What a row is judged with before it is learned."""

    buckets: Buckets
    watch: Watch
    horizon_ms: int


@inlined
def _is_usual(rows: ReadRows, row: int, buckets: Buckets, day: int, by_value: bool) -> bool:
    """Whether a row asks for nothing but to be counted and learned."""
    label, weight = rows.numbers[row, READ_LABEL], rows.numbers[row, READ_WEIGHT]
    if weight > WEIGHT_MAX:
        return False
    if not by_value and label != 0.0 and label != 1.0:  # noqa: PLR1714 - numba compiles no `in` for floats
        return False
    row_day = rows.closed_ms[row] // DAY_MS
    if row_day > day:
        return False
    if is_judged(rows, row):
        within = buckets.latest_day - DAYS < row_day <= buckets.latest_day
        return bool(within and abs(rows.numbers[row, READ_SERVED]) <= VALUE_MAX)
    return True


@inlined
def is_judged(rows: ReadRows, row: int) -> bool:
    """Whether somebody was served the learner's own prediction."""
    return rows.status[row] not in (WARMING, CATCHING_UP)


@inlined
def _gather(rows: ReadRows, row: int, places: Places, size: int) -> bool:
    """Fill the learner's columns from a row's entries; False if a hinge has no column yet."""
    start = rows.entry_stops[row - 1] if row > 0 else 0
    for entry in range(start, rows.entry_stops[row]):
        places.base[rows.entry_places[entry]] = rows.entry_values[entry]
    for column in range(size):
        places.values[column] = 0.0
    places.values[0] = 1.0
    missing = expand_row(
        places.base, places.column, places.knots, places.hinge_column, places.values
    )
    for entry in range(start, rows.entry_stops[row]):
        places.base[rows.entry_places[entry]] = 0.0
    return bool(missing < 0)


@inlined
def _judge(rows: ReadRows, row: int, judging: Judging, by_value: bool) -> bool:
    """Count the row against the prediction as it was served, and watch what that means.

    Gives whether it is a witness of its own.
    """
    buckets, watch, horizon_ms = judging
    label, weight = rows.numbers[row, READ_LABEL], rows.numbers[row, READ_WEIGHT]
    served, closed_ms = rows.numbers[row, READ_SERVED], rows.closed_ms[row]
    slot = closed_ms // DAY_MS % DAYS
    if by_value:
        count_value(buckets.sums, buckets.cells, slot, label, served, weight)
    else:
        probability = min(max(served, 0.0), 1.0)
        count_conversion(buckets.sums, buckets.cells, slot, label, probability, weight)
    if label > 0.0:
        count_delay(buckets.delays, slot, float(closed_ms - rows.as_of_ms[row]), weight)
    start = rows.entry_stops[row - 1] if row > 0 else 0
    alone = watch_row(
        watch, buckets.calibration[slot], rows.customer[row], closed_ms, horizon_ms, label, served,
        weight, rows.entry_places, rows.entry_values, start, rows.entry_stops[row],
        rows.status[row] == READY, by_value
    )  # fmt: skip
    return bool(alone)


@inlined
def _hear(rows: ReadRows, row: int, said: Floats, alone: bool) -> None:
    """What each expert said of the row when it was scored, if that is evidence of its own."""
    for expert in range(said.shape[0]):
        said[expert] = rows.numbers[row, READ_EXPERTS + expert] if alone else np.nan


@inlined
def _learn(
    rows: ReadRows,
    row: int,
    learner: Posteriors,
    hurdle: Hurdle,
    values: Floats,
    label: float,
    weight: float,
    size: int,
    by_value: bool,
    is_hurdle: bool,
    alone: bool,
) -> float:
    """Learn the row; gives what the learner had said of it before."""
    linear = mixed_sum(learner.weights, learner.shares, values)
    if by_value and not is_hurdle:
        learn_gaussian(learner, values, label, weight, size)
        return float(linear)
    predicted = sigmoid(linear)
    if is_hurdle:
        posterior = hurdle.posterior
        logarithm = mixed_sum(posterior.weights, posterior.shares, values)
        predicted = expected_of(predicted, logarithm, smearing_of(hurdle.smear))
        if label > 0.0:
            learn_amount(hurdle, values, logarithm, label, weight, size)
    _hear(rows, row, learner.said, alone)
    learn_logistic(learner, values, 1.0 if label > 0.0 else 0.0, weight, size)
    return float(predicted)


@compiled
def learn_rows(
    rows: ReadRows,
    skipped: NDArray[np.bool_],
    first: int,
    stop: int,
    rows_max: int,
    learner: Posteriors,
    hurdle: Hurdle,
    size: int,
    places: Places,
    judging: Judging,
    day: int,
    by_value: bool,
    is_hurdle: bool,
    totals: Floats,
    predictions: Floats,
) -> int:
    """Take up to `rows_max` rows from `first` on; gives the first that was not taken.

    It stops after a row with which answers fall silent, or are heard again; while they are
    silent, rows are judged and not learned. `hurdle` counts where `is_hurdle`. `totals` takes the
    sums of labels and of weights on, and counts the names without room and the rows learned;
    `predictions` receives what the learner said of each before it saw the row's label.
    """
    numbers = judging.watch.numbers
    taken, learned = 0, 0
    for row in range(first, stop):
        if skipped[row]:
            continue
        if taken == rows_max:
            return row
        if not _is_usual(rows, row, judging.buckets, day, by_value):
            return row
        if not _gather(rows, row, places, size):
            return row
        taken += 1
        was_silent = is_silent(numbers)
        label, weight = rows.numbers[row, READ_LABEL], rows.numbers[row, READ_WEIGHT]
        alone = False
        if is_judged(rows, row):
            alone = _judge(rows, row, judging, by_value)
        else:
            watch_unjudged(judging.watch, label, by_value)
        if is_silent(numbers):
            numbers[ROWS_SILENT] += 1.0
        else:
            totals[LABELS] += label * weight
            totals[WEIGHTS] += weight
            totals[REFUSED] += rows.refused[row]
            totals[LEARNED] += 1.0
            values = places.values[:size]
            predictions[learned] = _learn(
                rows, row, learner, hurdle, values, label, weight, size, by_value, is_hurdle, alone
            )
            learned += 1
        if is_silent(numbers) != was_silent:
            return row + 1
    return stop
