"""What each expert of a served mixture says of an event, in the compiled loop.

Owns: the sums of single experts, of which no reasons are wanted.
Never: what is served; it asks only where an example opens, which is seldom.
Source: models.kernel_scores sums what is served; the learner is models.hedged_logistic.
"""

from __future__ import annotations

import math

from models.batch import CATCHING_UP, WARMING, ScoreColumns, Scratch, ServedModels
from models.compiled import compiled
from models.kernel_scores import category_key, category_place, probability_of
from models.plan import LANES, PlanArrays


@compiled
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


@compiled
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
