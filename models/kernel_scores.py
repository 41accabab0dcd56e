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
    RANKS,
    WARMING,
    EventColumns,
    ScoreColumns,
    Scratch,
    ServedModels,
)
from models.compiled import compiled, inlined
from models.kernel_grid import (
    CONTRIBUTION_PLACES,
    PERCENTILE_PLACES,
    PROBABILITY_PLACES,
    REMAINDER_PLACES,
    VALUE_PLACES,
    on_grid,
)
from models.kernel_lanes import add_bends, add_columns
from models.kernel_math import LOG_2, half_power
from models.kernel_records import row_of
from models.plan import F8, LANES, PlanArrays
from models.state import I8, SCORES, Examples, Profiles

LOGIT_MAX = 27.0  # Of a probability that twelve decimals can still say.
HALVINGS_PER_UNIT = 1.0 / LOG_2
NOBODY = -1


@compiled
def category_key(category: int, a: int, b: int) -> np.uint64:
    """One number for a category's value, or for a crossed pair of values."""
    return (np.uint64(category) << np.uint64(48)) | (np.uint64(a) << np.uint64(24)) | np.uint64(b)


@inlined
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


@inlined
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


@inlined
def sum_sources(plan: PlanArrays, models: ServedModels, group: int, room: Scratch) -> None:
    """Fill `room.source` with the parts of the linear sums of a group's campaigns, by source.

    Between two knots all hinges of a column together are one straight line.
    """
    sums, x, passed = room.source, room.x, room.passed
    for source in range(plan.sources):
        for lane in range(LANES):
            sums[source, lane] = 0.0
    columns, weights = plan.shared_columns[group], models.weights[group]
    for run in range(plan.column_runs.shape[1]):
        first, last, source = plan.column_runs[group, run]
        add_columns(first, last, source, sums, columns, x, weights)
    bends = plan.shared_bends[group]
    slopes, offsets = models.bend_slope[group], models.bend_offset[group]
    for run in range(plan.bend_runs.shape[1]):
        first, last, source = plan.bend_runs[group, run]
        add_bends(first, last, source, sums, bends, x, passed, slopes, offsets)
    first = group * LANES
    for campaign in range(first, min(first + LANES, plan.categories.shape[0])):
        for index in range(plan.categories.shape[1]):
            category = plan.categories[campaign, index]
            if category < 0:
                break
            if room.a[category] != 0:
                key = category_key(category, room.a[category], room.b[category])
                source = plan.category_source[campaign, index]
                place = category_place(models, campaign, key)
                if place >= 0:
                    sums[source, campaign - first] += models.category_weights[campaign, place]


@inlined
def probability_of(logit: float) -> float:
    """The logistic function of a logit that is held within ±LOGIT_MAX, on its grid."""
    odds = half_power(max(-LOGIT_MAX, min(LOGIT_MAX, logit)) * HALVINGS_PER_UNIT)
    return on_grid(1.0 / (1.0 + odds), PROBABILITY_PLACES)


@inlined
def sum_group(plan: PlanArrays, models: ServedModels, group: int, room: Scratch) -> None:
    """The linear sums of the campaigns of a group and their probabilities, side by side."""
    sum_sources(plan, models, group, room)
    for lane in range(LANES):
        total = models.bias[group, lane]
        for source in range(plan.sources):
            total += room.source[source, lane]
        room.linear[lane] = total
    for lane in range(LANES):
        room.probability[lane] = probability_of(room.linear[lane])


@inlined
def logit_of(probability: float) -> float:
    """The logit of a probability strictly between 0 and 1."""
    return math.log(probability / (1.0 - probability))


@compiled
def percentile_of(quantiles: F8, served: float) -> float:
    """The mid-rank of a prediction among the quantiles of recent ones, 0–100.

    Behind the quantiles, up to a power of two, stands infinity.
    """
    below, step = 0, RANKS // 2
    while step > 0:  # Without a branch on what is found: it would be guessed wrong.
        below += step * int(quantiles[below + step - 1] < served)
        step //= 2
    upto = below
    while quantiles[upto] == served:
        upto += 1
    return on_grid(50.0 * (below + upto) / QUANTILES, PERCENTILE_PLACES)


@inlined
def strongest(
    plan: PlanArrays, models: ServedModels, campaign: int, room: Scratch, out: ScoreColumns, m: int
) -> float:
    """Write the strongest contributions and give their sum; equal ones go by source."""
    lane = campaign % LANES
    one = two = three = 0.0
    first, second, third = NOBODY, NOBODY, NOBODY
    for source in range(plan.sources):
        part = room.source[source, lane] + models.source_offset[campaign, source]
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


@inlined
def score_campaign(
    plan: PlanArrays,
    models: ServedModels,
    campaign: int,
    row: int,
    catching_up: bool,
    expected: float,
    room: Scratch,
    out: ScoreColumns,
    registers: I8,
) -> int:
    """Score one event for one campaign, whose group was summed; give the score's position.

    `expected` is the value where the learner is a hurdle, whose reasons are of the probability.
    """
    m = registers[SCORES]
    registers[SCORES] = m + 1
    lane = campaign % LANES
    value, hurdle = plan.predicts_value[campaign] == 1, plan.is_hurdle[campaign] == 1
    if value and not hurdle:
        linear = predicted = on_grid(room.linear[lane], VALUE_PLACES)
    else:
        predicted = room.probability[lane]
        linear = logit_of(predicted)
    status = models.status[campaign]
    out.event[m] = row
    out.campaign[m] = campaign
    out.version[m] = models.version[campaign]
    out.status[m] = CATCHING_UP if catching_up else status
    if status == WARMING:
        rate = on_grid(models.rate[campaign], VALUE_PLACES if value else PROBABILITY_PLACES)
        prior = on_grid(models.prior[campaign], PROBABILITY_PLACES) if hurdle else rate
        linear = rate if value and not hurdle else logit_of(prior)
        out.served[m], out.probability[m] = rate, prior
        out.baseline[m] = on_grid(linear, REMAINDER_PLACES)
        out.other[m] = 0.0
        out.percentile[m] = NO_PERCENTILE
        return int(m)
    out.served[m], out.probability[m] = expected if hurdle else predicted, predicted
    out.baseline[m] = models.baseline[campaign]
    named = strongest(plan, models, campaign, room, out, m)
    out.other[m] = on_grid(linear - models.baseline[campaign] - named, REMAINDER_PLACES)
    out.percentile[m] = percentile_of(models.quantiles[campaign], out.served[m])
    return int(m)


@inlined
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
