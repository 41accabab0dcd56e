"""Triggers in the compiled loop: who enters, who leaves, and whose goal was reached.

Owns: every decision to act on a customer.
Never: computes a score; what was served decides, now or when it is folded again.
Source: docs/campaigns.md, "Triggers".
"""

from __future__ import annotations

import numpy as np

from models.batch import READY, EventColumns, ScoreColumns
from models.compiled import compiled
from models.kernel_examples import deadline_of, forbidden_same, mix, same_keys
from models.plan import PlanArrays
from models.state import I8, U8, Profiles
from models.trigger_states import (
    APART,
    CONVERTED,
    COOLDOWN,
    ENTERED,
    EXITED,
    IN,
    NOT_READY,
    OUT,
    PERCENTILE,
    PROBABILITY,
    SETTLED,
    UNLESS,
    Policies,
    Said,
    SaidBefore,
    States,
    Triggers,
)

UNSAID = -1


@compiled
def key_of(score: np.uint64, policy: int) -> np.uint64:
    """What a score is found by among those that were said before."""
    return score ^ (np.uint64(policy + 1) * APART)


@compiled
def said_before(before: SaidBefore, key: np.uint64) -> int:
    """The last thing that was said under a key, or UNSAID."""
    low, high = 0, before.key.shape[0]
    while low < high:
        middle = (low + high) // 2
        if before.key[middle] <= key:
            low = middle + 1
        else:
            high = middle
    if low > 0 and before.key[low - 1] == key:
        return low - 1
    return UNSAID


@compiled
def is_held_out(policies: Policies, policy: int, customer: np.uint64) -> bool:
    """Whether a customer belongs to those on whom a campaign does not act."""
    return bool(mix(customer ^ policies.held_seed[policy]) < policies.held_below[policy])


@compiled
def leave_no_state(triggers: Triggers, slot: int) -> None:
    """Forget the customer of a slot, so that another one can have it."""
    for policy in range(triggers.policies.campaign.shape[0]):
        triggers.states.phase[slot, policy] = OUT
        triggers.states.entered_at[slot, policy] = 0


@compiled
def fire(
    triggers: Triggers, profiles: Profiles, policy: int, kind: int, slot: int, row: int,
    at_ms: int, said: Said,
) -> None:  # fmt: skip
    """Note that a trigger is to be sent."""
    fired = triggers.fired
    n = fired.total[0]
    fired.total[0] = n + 1
    fired.policy[n], fired.kind[n], fired.event[n] = policy, kind, row
    customer = profiles.customer_hash[slot, 0]
    fired.held_out[n] = 1 if is_held_out(triggers.policies, policy, customer) else 0
    fired.at_ms[n] = at_ms
    fired.score_one[n], fired.score_two[n], fired.score_at[n] = said.one, said.two, said.at_ms
    fired.served[n], fired.probability[n] = said.served, said.probability
    fired.percentile[n], fired.version[n] = said.percentile, said.version


@compiled
def entered_with(states: States, slot: int, policy: int) -> Said:
    """The score with which a customer entered."""
    return Said(
        states.score_one[slot, policy],
        states.score_two[slot, policy],
        states.score_at[slot, policy],
        states.served[slot, policy],
        states.probability[slot, policy],
        states.percentile[slot, policy],
        states.version[slot, policy],
    )


@compiled
def keep_entry(
    states: States, plan: PlanArrays, campaign: int, slot: int, policy: int, said: Said,
    keys: U8, deadlines: I8,
) -> None:  # fmt: skip
    """Remember a score that makes a customer enter, and what its goal is bound to."""
    states.score_one[slot, policy] = said.one
    states.score_two[slot, policy] = said.two
    states.score_at[slot, policy] = said.at_ms
    states.served[slot, policy] = said.served
    states.probability[slot, policy] = said.probability
    states.percentile[slot, policy] = said.percentile
    states.version[slot, policy] = said.version
    states.deadline_ms[slot, policy] = deadline_of(plan, campaign, said.at_ms, deadlines)
    for key in range(keys.shape[0]):
        states.keys[slot, policy, key] = keys[key]


@compiled
def level_of(measure: int, said: Said) -> float:
    """What is held against `when` and `clear`."""
    if measure == PERCENTILE:
        return said.percentile
    return said.probability if measure == PROBABILITY else said.served


@compiled
def decide(
    triggers: Triggers,
    profiles: Profiles,
    plan: PlanArrays,
    campaign: int,
    slot: int,
    events: EventColumns,
    row: int,
    held: np.uint64,
    scores: ScoreColumns,
    m: int,
) -> None:
    """Let a score that was made decide; only one that says `ready` changes anything.

    `held` are the bits of the clauses that hold for the customer.
    """
    policies, states = triggers.policies, triggers.states
    policy = policies.of_campaign[campaign]
    if policy < 0:
        return
    one, two = events.score_hash[row, 0], events.score_hash[row, 1]
    at_ms = events.at_ms[row]
    ready = scores.status[m] == READY
    said = Said(
        one, two, at_ms, scores.served[m], scores.probability[m], scores.percentile[m],
        scores.version[m],
    )  # fmt: skip
    if triggers.is_again:
        before = triggers.before
        place = said_before(before, key_of(one, policy))
        if place == UNSAID:
            return
        ready = before.status[place] == READY
        said = Said(
            one, two, at_ms, before.served[place], before.probability[place],
            before.percentile[place], before.version[place],
        )  # fmt: skip
    level, is_out = level_of(policies.measure[policy], said), states.phase[slot, policy] == OUT
    if not ready:
        if is_out and level >= policies.when[policy]:
            triggers.fired.withheld[policy, NOT_READY] += 1
    elif not is_out and level < policies.clear[policy]:
        states.phase[slot, policy] = OUT
        fire(triggers, profiles, policy, EXITED, slot, scores.event[m], at_ms, said)
    elif is_out and level >= policies.when[policy]:
        if at_ms - states.entered_at[slot, policy] < policies.cooldown_ms[policy]:
            triggers.fired.withheld[policy, COOLDOWN] += 1
            return
        if plan.unless_mask[campaign] & held != 0:
            triggers.fired.withheld[policy, UNLESS] += 1
            return
        keep_entry(
            states, plan, campaign, slot, policy, said, events.keys[row], events.deadlines[row]
        )
        states.phase[slot, policy] = IN
        states.entered_at[slot, policy] = at_ms
        fire(triggers, profiles, policy, ENTERED, slot, scores.event[m], at_ms, said)


@compiled
def note_goals(
    triggers: Triggers,
    profiles: Profiles,
    plan: PlanArrays,
    slot: int,
    events: EventColumns,
    row: int,
    late: bool,
) -> None:
    """Let an event be the goal of customers who are in, or the other answer; a late one is none."""
    states, mask, at_ms, keys = (
        triggers.states, events.mask[row], events.at_ms[row], events.keys[row],
    )  # fmt: skip
    for policy in range(triggers.policies.campaign.shape[0]):
        campaign = triggers.policies.campaign[policy]
        hit = (plan.goal_mask[campaign] & mask) != 0
        lost = (plan.lost_mask[campaign] & mask) != 0
        if late or not (hit or lost) or states.phase[slot, policy] != IN:
            continue
        age, scored = at_ms - states.score_at[slot, policy], states.keys[slot, policy]
        inside = age >= 0 and at_ms <= states.deadline_ms[slot, policy]
        if not inside or not same_keys(plan, campaign, scored, keys):
            continue
        if (
            hit
            and age >= plan.after_ms[campaign]
            and not forbidden_same(plan, campaign, scored, keys)
        ):
            states.phase[slot, policy] = SETTLED
            if plan.first_answer[campaign] == 0.0:  # Or the goal was that this does not happen.
                said = entered_with(states, slot, policy)
                fire(triggers, profiles, policy, CONVERTED, slot, row, at_ms, said)
        elif lost:
            states.phase[slot, policy] = SETTLED
