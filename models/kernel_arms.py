"""Arms in the compiled loop: on whom a campaign acts, and whom it holds out.

Owns: which customer is in which arm, and which rows say so.
Never: when a customer enters; models.kernel_triggers decides that.
Source: docs/campaigns.md, "What acting is worth".
"""

from __future__ import annotations

import numpy as np

from models.batch import ScoreColumns
from models.compiled import compiled, inlined
from models.kernel_examples import mix
from models.kernel_outcomes import is_reached
from models.plan import PlanArrays
from models.state import FREE_COUNT, I8, OUTCOMES_DUE, SCORES, Examples, Profiles, Queues
from models.trigger_states import (
    ACTED,
    HELD_OUT,
    UNTOUCHED,
    WAITS_ENDED_MAX,
    Policies,
    Triggers,
)


@compiled
def is_held_out(policies: Policies, policy: int, customer: np.uint64) -> bool:
    """Whether a customer belongs to those on whom a campaign does not act."""
    return bool(mix(customer ^ policies.held_seed[policy]) < policies.held_below[policy])


@inlined
def arm_of(policies: Policies, policy: int, customer: np.uint64) -> int:
    """The arm of a customer in a campaign, or UNTOUCHED where nobody is held out."""
    if policies.held_below[policy] == np.uint64(0):
        return UNTOUCHED
    return HELD_OUT if is_held_out(policies, policy, customer) else ACTED


@inlined
def tell_arm(
    triggers: Triggers, profiles: Profiles, examples: Examples, plan: PlanArrays, campaign: int,
    slot: int, place: int,
) -> None:  # fmt: skip
    """Note on an example that opens whether the customer's last entry may change its outcome."""
    examples.arm[place] = UNTOUCHED
    policy = triggers.policies.of_campaign[campaign]
    if policy < 0:
        return
    entered_ms = triggers.states.entered_at[slot, policy]
    if is_reached(examples, plan, campaign, place, entered_ms):
        customer = profiles.customer_hash[slot, 0]
        examples.arm[place] = arm_of(triggers.policies, policy, customer)


@inlined
def has_places(policies: Policies, queues: Queues, registers: I8, out: ScoreColumns) -> bool:
    """Whether each score may open an example and a row of an arm, and each wait that ends one."""
    measured = 0
    for below in policies.held_below:
        measured += 1 if below > np.uint64(0) else 0
    if measured == 0:
        return True
    scores = out.event.shape[0] - registers[SCORES]
    outcomes = scores + measured * WAITS_ENDED_MAX
    has_times = registers[OUTCOMES_DUE] + outcomes <= queues.outcome_due.shape[0]
    return bool(has_times and scores + outcomes <= registers[FREE_COUNT])
