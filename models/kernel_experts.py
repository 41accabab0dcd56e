"""What each expert of a served mixture says of an event, in the compiled loop; and of how much.

Owns: the sums of which no reasons are wanted: of single experts, and of the value of a hurdle.
Never: asks the experts but where an example opens, which is seldom, or for a value but a hurdle.
Source: models.kernel_scores sums what is served; the learner is models.hedged_logistic.
"""

from __future__ import annotations

import math

from models.batch import CATCHING_UP, WARMING, ScoreColumns, Scratch, ServedModels
from models.compiled import inlined
from models.kernel_grid import VALUE_PLACES, on_grid
from models.kernel_hurdle import LOG_VALUE_MAX
from models.kernel_math import half_power
from models.kernel_scores import HALVINGS_PER_UNIT, category_key, category_place, probability_of
from models.plan import LANES, PlanArrays


@inlined
def sum_expert(
    plan: PlanArrays, models: ServedModels, campaign: int, expert: int, room: Scratch
) -> float:
    """The linear sum of one expert over the features that were just read."""
    total = models.expert_bias[campaign, expert]
    group = campaign // LANES
    columns, weights = plan.shared_columns[group], models.expert_weights[campaign, expert]
    for place in range(columns.shape[0]):
        if columns[place] < 0:
            break
        total += weights[place] * room.x[columns[place]]
    bends = plan.shared_bends[group]
    slopes = models.expert_bend_slope[campaign, expert]
    offsets = models.expert_bend_offset[campaign, expert]
    for bend in range(bends.shape[0]):
        column = bends[bend]
        if column < 0:
            break
        passed = room.passed[column]
        total += slopes[bend, passed] * room.x[column] + offsets[bend, passed]
    for index in range(plan.categories.shape[1]):
        category = plan.categories[campaign, index]
        if category < 0:
            break
        if room.a[category] != 0:
            key = category_key(category, room.a[category], room.b[category])
            place = category_place(models, campaign, key)
            if place >= 0:
                total += models.expert_category_weights[campaign, expert, place]
    return float(total)


@inlined
def hear_experts(
    plan: PlanArrays, models: ServedModels, campaign: int, room: Scratch, out: ScoreColumns, m: int
) -> None:
    """Write what each expert says of a score that opens an example.

    Nothing, where nobody was served what they say, or the model has no experts.
    """
    served = out.status[m] not in (WARMING, CATCHING_UP)
    for expert in range(plan.experts[campaign]):
        if served and math.isfinite(models.expert_bias[campaign, expert]):
            logit = sum_expert(plan, models, campaign, expert, room)
            out.experts[m, expert] = probability_of(logit)


@inlined
def expect_value(plan: PlanArrays, models: ServedModels, campaign: int, room: Scratch) -> float:
    """The expected value of a campaign whose learner is a hurdle, and whose group was summed.

    The same as models.kernel_hurdle.expected_of, without the library's exponential.
    """
    if plan.is_hurdle[campaign] == 0 or models.status[campaign] == WARMING:
        return 0.0
    logarithm = sum_expert(plan, models, campaign, plan.experts[campaign], room)
    grown = half_power(-min(logarithm, LOG_VALUE_MAX) * HALVINGS_PER_UNIT)
    value = max(grown * models.value_factor[campaign] - 1.0, 0.0)
    return on_grid(room.probability[campaign % LANES] * value, VALUE_PLACES)
