"""A customer's scores at a moment at which nothing has happened, in the compiled loop.

Owns: asking the models about a customer without an event.
Never: changes a profile, opens an example, or counts anything.
Source: models.kernel_fold scores events; the sums are the same functions.
"""

from __future__ import annotations

import numpy as np

from models.batch import EventColumns, ScoreColumns, Scratch, ServedModels
from models.compiled import compiled
from models.kernel_clauses import clauses_held
from models.kernel_experts import expect_value
from models.kernel_profile import read_features
from models.kernel_scores import read_categories, score_campaign, sum_group
from models.kernel_slots import NO_SLOT, slot_of
from models.plan import LANES, PlanArrays
from models.state import I4, I8, Profiles


@compiled
def score_customer(
    profiles: Profiles,
    slot_table: I4,
    plan: PlanArrays,
    models: ServedModels,
    events: EventColumns,
    catching_up: bool,
    room: Scratch,
    out: ScoreColumns,
    registers: I8,
) -> int:
    """Score the customer for every campaign that they are eligible for; give the slot, or NO_SLOT.

    `registers` are not those of the fold: only how many scores there are is written to them.
    """
    slot = slot_of(profiles, slot_table, events.customer_hash[0, 0], events.customer_hash[0, 1])
    if slot == NO_SLOT:
        return NO_SLOT
    events.slot[0] = np.int32(slot)
    only = int(np.int64(0))  # No literal: for the type of one, all would be compiled again.
    read_features(profiles, plan, slot, events.at_ms[0], events.numbers[0], room)
    read_categories(profiles, plan, events, 0, slot, room)
    held = clauses_held(profiles, plan, events.code_clauses, slot, events.at_ms[0])
    for campaign in range(plan.score_mask.shape[0]):
        if campaign % LANES == 0:
            sum_group(plan, models, campaign // LANES, room)
        if plan.for_mask[campaign] & ~held != 0:
            continue
        expected = expect_value(plan, models, campaign, room)
        score_campaign(plan, models, campaign, only, catching_up, expected, room, out, registers)
    return slot
