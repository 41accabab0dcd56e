"""Scores in the compiled loop: one linear model a campaign, with its reasons.

Owns: the sum, its parts by source, the percentile.
Never: learning, or the profile behind the features.
Source: reasons are the linear model's own terms about the means, weight · (x - mean).
"""

from __future__ import annotations

import math

import numpy as np

from models.batch import (
    CATCHING_UP,
    NO_PERCENTILE,
    QUANTILES,
    WARMING,
    EventColumns,
    ScoreColumns,
    Scratch,
    ServedModels,
)
from models.compiled import compiled
from models.kernel_grid import (
    CONTRIBUTION_PLACES,
    PERCENTILE_PLACES,
    PROBABILITY_PLACES,
    REMAINDER_PLACES,
    VALUE_PLACES,
    on_grid,
)
from models.kernel_math import LOG_2, half_power
from models.kernel_records import row_of
from models.plan import F8, PlanArrays
from models.state import I8, SCORES, Examples, Profiles

LOGIT_MAX = 27.0  # Of a probability that twelve decimals can still say.
HALVINGS_PER_UNIT = 1.0 / LOG_2
NOBODY = -1


@compiled
def category_key(category: int, a: int, b: int) -> np.uint64:
    """One number for a category's value, or for a crossed pair of values."""
    return (np.uint64(category) << np.uint64(48)) | (np.uint64(a) << np.uint64(24)) | np.uint64(b)


@compiled
def read_categories(
    profiles: Profiles, plan: PlanArrays, events: EventColumns, row: int, slot: int, room: Scratch
) -> None:
    """The codes of each category: of the event itself, or else as last known of the customer."""
    for category in range(plan.category_parts.shape[0]):
        for part in range(2):
            place = plan.category_parts[category, part]
            code = 0
            if place >= 0:
                code = events.codes[row, place]
                known = plan.category_remembered[place]
                if code == 0 and known >= 0:
                    code = profiles.remembered[slot, known]
            if part == 0:
                room.a[category] = code
            else:
                room.b[category] = code
        crossed = plan.category_parts[category, 1] >= 0
        if crossed and (room.a[category] == 0 or room.b[category] == 0):
            room.a[category] = 0
            room.b[category] = 0


@compiled
def category_place(models: ServedModels, campaign: int, key: np.uint64) -> int:
    """Where the weight of a category's value stands, -1 where the model does not know it."""
    low, high = 0, models.category_keys.shape[1]
    while low < high:
        middle = (low + high) // 2
        if models.category_keys[campaign, middle] < key:
            low = middle + 1
        else:
            high = middle
    if low < models.category_keys.shape[1] and models.category_keys[campaign, low] == key:
        return int(low)
    return -1


@compiled
def sum_columns(plan: PlanArrays, models: ServedModels, campaign: int, room: Scratch) -> None:
    """Add the terms of the columns to their sources, a run of columns of one source at a time."""
    columns, weights, runs = plan.columns[campaign], models.weights[campaign], plan.column_runs
    for run in range(runs.shape[1]):
        part = 0.0
        for place in range(runs[campaign, run, 0], runs[campaign, run, 1]):
            part += weights[place] * room.x[np.uint32(columns[place])]
        room.source[runs[campaign, run, 2]] += part


@compiled
def sum_bends(plan: PlanArrays, models: ServedModels, campaign: int, room: Scratch) -> None:
    """Add the hinges to the sources of their columns.

    Between two knots all hinges of a column together are one straight line.
    """
    columns, runs = plan.bend_column[campaign], plan.bend_runs
    slopes, offsets = models.bend_slope[campaign], models.bend_offset[campaign]
    for run in range(runs.shape[1]):
        part = 0.0
        for bend in range(runs[campaign, run, 0], runs[campaign, run, 1]):
            column = np.uint32(columns[bend])
            passed = room.passed[column]
            part += slopes[bend, passed] * room.x[column] + offsets[bend, passed]
        room.source[runs[campaign, run, 2]] += part


@compiled
def sum_sources(plan: PlanArrays, models: ServedModels, campaign: int, room: Scratch) -> float:
    """The linear sum of a model, its parts left by source in `room.source`."""
    for source in range(plan.sources):
        room.source[source] = 0.0
    sum_columns(plan, models, campaign, room)
    sum_bends(plan, models, campaign, room)
    for index in range(plan.categories.shape[1]):
        category = plan.categories[campaign, index]
        if category < 0:
            break
        if room.a[category] != 0:
            key = category_key(category, room.a[category], room.b[category])
            source = plan.category_source[campaign, index]
            place = category_place(models, campaign, key)
            if place >= 0:
                room.source[source] += models.category_weights[campaign, place]
    total = models.bias[campaign]
    for source in range(plan.sources):
        total += room.source[source]
    return float(total)


@compiled
def probability_of(logit: float) -> float:
    """The logistic function of a logit that is held within ±LOGIT_MAX, on its grid."""
    odds = half_power(max(-LOGIT_MAX, min(LOGIT_MAX, logit)) * HALVINGS_PER_UNIT)
    return on_grid(1.0 / (1.0 + odds), PROBABILITY_PLACES)


@compiled
def logit_of(probability: float) -> float:
    """The logit of a probability strictly between 0 and 1."""
    return math.log(probability) - math.log1p(-probability)


@compiled
def percentile_of(quantiles: F8, served: float) -> float:
    """The mid-rank of a prediction among the quantiles of recent ones, 0–100."""
    below, high = 0, QUANTILES
    while below < high:
        middle = (below + high) // 2
        if quantiles[middle] < served:
            below = middle + 1
        else:
            high = middle
    upto, high = below, QUANTILES
    while upto < high and quantiles[upto] == served:
        middle = (upto + high) // 2
        if quantiles[middle] <= served:
            upto = middle + 1
        else:
            high = middle
    return on_grid(50.0 * (below + upto) / QUANTILES, PERCENTILE_PLACES)


@compiled
def strongest(
    plan: PlanArrays, models: ServedModels, campaign: int, room: Scratch, out: ScoreColumns, m: int
) -> float:
    """Write the strongest contributions and give their sum; equal ones go by source."""
    one = two = three = 0.0
    first, second, third = NOBODY, NOBODY, NOBODY
    for source in range(plan.sources):
        part = room.source[source] + models.source_offset[campaign, source]
        # No branch: which is the stronger is anybody's guess, and a wrong one costs more than all.
        over_one, over_two, over_three = (
            abs(part) > abs(one), abs(part) > abs(two), abs(part) > abs(three),
        )  # fmt: skip
        three = two if over_two else (part if over_three else three)
        third = second if over_two else (source if over_three else third)
        two = one if over_one else (part if over_two else two)
        second = first if over_one else (source if over_two else second)
        one = part if over_one else one
        first = source if over_one else first
    out.source[m, 0], out.source[m, 1], out.source[m, 2] = first, second, third
    one, two, three = (
        on_grid(one, CONTRIBUTION_PLACES),
        on_grid(two, CONTRIBUTION_PLACES),
        on_grid(three, CONTRIBUTION_PLACES),
    )
    out.contribution[m, 0], out.contribution[m, 1], out.contribution[m, 2] = one, two, three
    return one + two + three


@compiled
def score_campaign(
    plan: PlanArrays,
    models: ServedModels,
    campaign: int,
    row: int,
    catching_up: bool,
    room: Scratch,
    out: ScoreColumns,
    registers: I8,
) -> int:
    """Score one event for one campaign and give the position of the score."""
    m = registers[SCORES]
    registers[SCORES] = m + 1
    linear = sum_sources(plan, models, campaign, room)
    value = plan.predicts_value[campaign] == 1
    if value:
        linear = predicted = on_grid(linear, VALUE_PLACES)
    else:
        predicted = probability_of(linear)
        linear = logit_of(predicted)
    status = models.status[campaign]
    out.event[m] = row
    out.campaign[m] = campaign
    out.version[m] = models.version[campaign]
    out.status[m] = CATCHING_UP if catching_up else status
    if status == WARMING:
        rate = on_grid(models.rate[campaign], VALUE_PLACES if value else PROBABILITY_PLACES)
        out.served[m] = rate
        out.baseline[m] = on_grid(rate if value else logit_of(rate), REMAINDER_PLACES)
        out.other[m] = 0.0
        out.percentile[m] = NO_PERCENTILE
        return int(m)
    out.served[m] = predicted
    out.baseline[m] = models.baseline[campaign]
    named = strongest(plan, models, campaign, room, out, m)
    out.other[m] = on_grid(linear - models.baseline[campaign] - named, REMAINDER_PLACES)
    out.percentile[m] = percentile_of(models.quantiles[campaign], out.served[m])
    return int(m)


@compiled
def keep_features(
    examples: Examples, plan: PlanArrays, place: int, campaign: int, room: Scratch
) -> None:
    """Store in an example the features, as scored."""
    columns, units = plan.columns[campaign], row_of(examples.units, place)
    for index in range(np.uint64(columns.shape[0])):
        units[index] = room.units[np.uint32(max(columns[index], 0))]
    for index in range(plan.categories.shape[1]):
        category = plan.categories[campaign, index]
        if category < 0:
            break
        examples.category_a[place, index] = room.a[category]
        examples.category_b[place, index] = room.b[category]
