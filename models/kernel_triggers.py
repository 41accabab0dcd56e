"""Triggers in the compiled loop: who enters, who leaves, and whose goal was reached.

Owns: every decision to act on a customer.
Never: computes a score; what was served decides, now or when it is folded again.
Source: docs/campaigns.md, "Triggers".
"""

from __future__ import annotations

import numpy as np

from models.batch import READY, EventColumns, ScoreColumns
from models.compiled import inlined
from models.kernel_arms import arm_of, is_held_out
from models.kernel_clauses import clauses_held
from models.kernel_goals import deadline_of, forbidden_same, same_keys
from models.kernel_outcomes import open_outcome, tell_open
from models.kernel_said import UNSAID, key_of, said_before
from models.kernel_told import forget_told, is_limited, note_contact
from models.plan import PlanArrays
from models.state import ARM_ENTRIES, CLOCK_MS, I8, U8, Examples, Profiles, Queues
from models.trigger_states import (
    ANSWERED,
    CLEARED,
    CONTACT_LIMIT,
    CONVERTED,
    COOLDOWN,
    ENTERED,
    EXITED,
    FORGOTTEN,
    IN,
    NO_CONSENT,
    NOT_READY,
    OUT,
    PERCENTILE,
    PROBABILITY,
    SETTLED,
    UNLESS,
    UNTOUCHED,
    WAITING,
    WAITS_ENDED_MAX,
    Said,
    States,
    Triggers,
)

NOTHING = -1


@inlined
def begin_waiting(triggers: Triggers, slot: int, policy: int, now_ms: int) -> None:
    """Let a customer wait behind all others: of one policy each waits as long by the clock."""
    states, queues = triggers.states, triggers.queues
    last = queues[policy, 1]
    states.phase[slot, policy] = WAITING
    states.due_ms[slot, policy] = now_ms + triggers.policies.wait_ms[policy]
    states.before[slot, policy] = last
    states.after[slot, policy] = 0
    if last > 0:
        states.after[last - 1, policy] = slot + 1
    else:
        queues[policy, 0] = slot + 1
    queues[policy, 1] = slot + 1


@inlined
def stop_waiting(triggers: Triggers, slot: int, policy: int) -> None:
    """Take a customer out of those who wait; he is out."""
    states, queues = triggers.states, triggers.queues
    before, after = states.before[slot, policy], states.after[slot, policy]
    states.phase[slot, policy] = OUT
    if before > 0:
        states.after[before - 1, policy] = after
    else:
        queues[policy, 0] = after
    if after > 0:
        states.before[after - 1, policy] = before
    else:
        queues[policy, 1] = before


@inlined
def end_waits(
    triggers: Triggers,
    profiles: Profiles,
    examples: Examples,
    queues: Queues,
    plan: PlanArrays,
    registers: I8,
    events: EventColumns,
    row: int,
) -> None:
    """Let those enter whose wait the clock has passed, but for a clause or the limit by then."""
    states = triggers.states
    for policy in range(triggers.policies.campaign.shape[0]):
        unless = plan.unless_mask[triggers.policies.campaign[policy]]
        for _ in range(WAITS_ENDED_MAX):
            slot = triggers.queues[policy, 0] - 1
            if slot < 0 or states.due_ms[slot, policy] >= registers[CLOCK_MS]:
                break
            due_ms = states.due_ms[slot, policy]
            stop_waiting(triggers, slot, policy)
            if clauses_held(profiles, plan, events.code_clauses, slot, due_ms) & unless != 0:
                triggers.fired.withheld[policy, UNLESS] += 1
                continue
            if is_limited(triggers.telling, triggers.told, slot, due_ms):
                triggers.fired.withheld[policy, CONTACT_LIMIT] += 1
                continue
            enter(
                triggers, profiles, examples, queues, plan, registers, policy, slot, due_ms,
                events.offset[row],
            )  # fmt: skip


@inlined
def leave(triggers: Triggers, slot: int, reason: int) -> None:
    """Let a customer be out everywhere, and nobody be told; cooldowns go on."""
    for policy in range(triggers.policies.campaign.shape[0]):
        if triggers.states.phase[slot, policy] == WAITING:
            stop_waiting(triggers, slot, policy)
            triggers.fired.withheld[policy, reason] += 1
        triggers.states.phase[slot, policy] = OUT


@inlined
def leave_no_state(triggers: Triggers, slot: int) -> None:
    """Forget the customer of a slot, so that another one can have it."""
    leave(triggers, slot, FORGOTTEN)
    for policy in range(triggers.policies.campaign.shape[0]):
        triggers.states.entered_at[slot, policy] = 0
    forget_told(triggers.telling, triggers.told, slot)


@inlined
def fire(
    triggers: Triggers, profiles: Profiles, policy: int, kind: int, slot: int, at_ms: int,
    said: Said,
) -> None:  # fmt: skip
    """Note that a trigger is to be sent."""
    fired = triggers.fired
    n = fired.total[0]
    fired.total[0] = n + 1
    fired.policy[n], fired.kind[n], fired.slot[n] = policy, kind, slot
    customer = profiles.customer_hash[slot, 0]
    fired.held_out[n] = 1 if is_held_out(triggers.policies, policy, customer) else 0
    fired.at_ms[n] = at_ms
    fired.score_one[n], fired.score_two[n], fired.score_at[n] = said.one, said.two, said.at_ms
    fired.served[n], fired.probability[n] = said.served, said.probability
    fired.percentile[n], fired.version[n] = said.percentile, said.version


@inlined
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


@inlined
def enter(
    triggers: Triggers,
    profiles: Profiles,
    examples: Examples,
    queues: Queues,
    plan: PlanArrays,
    registers: I8,
    policy: int,
    slot: int,
    at_ms: int,
    offset: int,
) -> None:
    """Let a customer in with the score that is kept; the first time opens the row of an arm."""
    states = triggers.states
    is_first = states.entered_at[slot, policy] == 0
    states.phase[slot, policy] = IN
    states.entered_at[slot, policy] = at_ms
    note_contact(triggers.telling, triggers.told, slot, at_ms)
    said = entered_with(states, slot, policy)
    fire(triggers, profiles, policy, ENTERED, slot, at_ms, said)
    arm = arm_of(triggers.policies, policy, profiles.customer_hash[slot, 0])
    if arm == UNTOUCHED:
        return
    registers[ARM_ENTRIES] += 1
    tell_open(profiles, examples, plan, triggers.policies.campaign[policy], slot, at_ms, arm)
    if is_first:
        open_outcome(
            profiles, examples, queues, registers, plan, triggers, policy, slot, at_ms, offset, arm
        )


@inlined
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


@inlined
def level_of(measure: int, said: Said) -> float:
    """What is held against `when` and `clear`."""
    if measure == PERCENTILE:
        return said.percentile
    return said.probability if measure == PROBABILITY else said.served


@inlined
def forbidden_by(
    triggers: Triggers,
    profiles: Profiles,
    plan: PlanArrays,
    campaign: int,
    slot: int,
    at_ms: int,
    held: np.uint64,
) -> int:
    """Why a customer does not enter whose score is high enough, or NOTHING.

    Who waits is held to the limit for all campaigns when the wait is over.
    """
    policies = triggers.policies
    policy = policies.of_campaign[campaign]
    if at_ms - triggers.states.entered_at[slot, policy] < policies.cooldown_ms[policy]:
        return COOLDOWN
    if plan.unless_mask[campaign] & held != 0:
        return UNLESS
    if profiles.consent_refused[slot] != 0:
        return NO_CONSENT
    if policies.wait_ms[policy] == 0 and is_limited(triggers.telling, triggers.told, slot, at_ms):
        return CONTACT_LIMIT
    return NOTHING


@inlined
def decide(
    triggers: Triggers,
    profiles: Profiles,
    examples: Examples,
    queues: Queues,
    plan: PlanArrays,
    campaign: int,
    slot: int,
    events: EventColumns,
    row: int,
    held: np.uint64,
    registers: I8,
    scores: ScoreColumns,
    m: int,
) -> bool:
    """Let a score that was made decide; only one that says `ready` changes anything.

    `held` are the bits of the clauses that hold for the customer. Gives whether anything changed.
    A wait begins at the score: a timer fires before the event that moves the clock past it.
    """
    policies, states = triggers.policies, triggers.states
    policy = int(policies.of_campaign[campaign])
    if policy < 0:
        return False
    one, two = events.score_hash[row, 0], events.score_hash[row, 1]
    at_ms = events.at_ms[row]
    ready = scores.status[m] == READY
    said = Said(
        one, two, at_ms, scores.served[m], scores.probability[m], scores.percentile[m],
        scores.version[m],
    )  # fmt: skip
    if triggers.is_again:
        before = triggers.before
        place = said_before(before, key_of(one, campaign))
        if place == UNSAID:
            return False
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
        if states.phase[slot, policy] == WAITING:
            stop_waiting(triggers, slot, policy)
            triggers.fired.withheld[policy, CLEARED] += 1
            return True
        states.phase[slot, policy] = OUT
        fire(triggers, profiles, policy, EXITED, slot, at_ms, said)
        return True
    elif is_out and level >= policies.when[policy]:
        reason = forbidden_by(triggers, profiles, plan, campaign, slot, at_ms, held)
        if reason != NOTHING:
            triggers.fired.withheld[policy, reason] += 1
            return False
        keep_entry(
            states, plan, campaign, slot, policy, said, events.keys[row], events.deadlines[row]
        )
        if policies.wait_ms[policy] > 0:
            begin_waiting(triggers, slot, policy, max(registers[CLOCK_MS], at_ms))
        else:
            enter(
                triggers, profiles, examples, queues, plan, registers, policy, slot, at_ms,
                events.offset[row],
            )  # fmt: skip
        return True
    return False


@inlined
def note_goals(
    triggers: Triggers,
    profiles: Profiles,
    plan: PlanArrays,
    slot: int,
    events: EventColumns,
    row: int,
    late: bool,
) -> None:
    """Let an event be the goal of a customer who is in or waits, or the other answer.

    A late one ends a wait, and is no conversion: late events send nothing.
    """
    states, mask, at_ms, keys = (
        triggers.states, events.mask[row], events.at_ms[row], events.keys[row],
    )  # fmt: skip
    for policy in range(triggers.policies.campaign.shape[0]):
        campaign = triggers.policies.campaign[policy]
        hit = (plan.goal_mask[campaign] & mask) != 0
        lost = (plan.lost_mask[campaign] & mask) != 0
        waits = states.phase[slot, policy] == WAITING
        is_in = states.phase[slot, policy] == IN and not late
        if not (hit or lost) or not (waits or is_in):
            continue
        age, scored = at_ms - states.score_at[slot, policy], states.keys[slot, policy]
        inside = age >= 0 and at_ms <= states.deadline_ms[slot, policy]
        if not inside or not same_keys(plan, campaign, scored, keys):
            continue
        late_enough = age >= plan.after_ms[campaign]
        reached = hit and late_enough and not forbidden_same(plan, campaign, scored, keys)
        if waits and (reached or lost):
            stop_waiting(triggers, slot, policy)
            triggers.fired.withheld[policy, ANSWERED] += 1
        elif reached:
            states.phase[slot, policy] = SETTLED
            if plan.first_answer[campaign] == 0.0:  # Or the goal was that this does not happen.
                said = entered_with(states, slot, policy)
                fire(triggers, profiles, policy, CONVERTED, slot, at_ms, said)
        elif lost:
            states.phase[slot, policy] = SETTLED
