"""Rows of arms in the compiled loop: what became of customers after their first trigger.

Owns: which row a trigger opens, when it closes, and which open examples it may change. Nothing of
    it is seen in a row of a score: which triggers there are is up to what was served.
Never: who is in which arm, or a label; an answer counts as it does for every example.
Source: docs/campaigns.md, "What acting is worth".
"""

from __future__ import annotations

import numpy as np

from models.batch import READY
from models.compiled import inlined
from models.kernel_examples import close_row, start, take_place
from models.kernel_heap import drop, rise
from models.plan import PlanArrays
from models.state import (
    I8,
    NEVER_MS,
    OUTCOMES_DUE,
    OUTCOMES_OPEN,
    THROTTLED,
    Examples,
    Profiles,
    Queues,
)
from models.trigger_states import ACTED, Triggers


@inlined
def is_reached(
    examples: Examples, plan: PlanArrays, campaign: int, place: int, entered_ms: int
) -> bool:
    """Whether an entry may have changed an example's outcome: their times overlap.

    An entry that is 0 never was. What was done lasts for the campaign's horizon.
    """
    ends_ms = entered_ms + plan.horizon_ms[campaign]
    inside = entered_ms <= examples.deadline_ms[place] and examples.at_ms[place] <= ends_ms
    return bool(entered_ms > 0 and inside)


@inlined
def tell_open(
    profiles: Profiles, examples: Examples, plan: PlanArrays, campaign: int, slot: int,
    entered_ms: int, arm: int,
) -> None:  # fmt: skip
    """Note on the open examples of a customer who enters that their outcome may be another now.

    Whom the campaign acted on stays such a one, and the row of an arm in its arm.
    """
    place = profiles.first_example[slot, campaign]
    while place >= 0:
        if (
            examples.triggered[place] == 0
            and examples.arm[place] != ACTED
            and is_reached(examples, plan, campaign, place, entered_ms)
        ):
            examples.arm[place] = arm
        place = examples.next[place]


@inlined
def open_outcome(
    profiles: Profiles,
    examples: Examples,
    queues: Queues,
    registers: I8,
    plan: PlanArrays,
    triggers: Triggers,
    policy: int,
    slot: int,
    at_ms: int,
    offset: int,
    arm: int,
) -> None:
    """Open the row that says what became of a customer after the first trigger.

    Its horizon begins with the trigger; a deadline of the score's own (`until`) stays. It has no
    features, and says what was served with the score. Where as many as `open_examples_max` are
    open, there is none, in either arm.
    """
    if registers[OUTCOMES_OPEN] >= plan.open_examples_max:
        registers[THROTTLED] += 1
        return
    states, campaign = triggers.states, int(triggers.policies.campaign[policy])
    horizon_ms, until_ms = plan.horizon_ms[campaign], states.deadline_ms[slot, policy]
    deadline = at_ms + horizon_ms
    if until_ms < states.score_at[slot, policy] + horizon_ms:
        deadline = min(deadline, max(until_ms, at_ms))
    place = take_place(profiles, examples, queues, registers, slot, campaign, at_ms)
    registers[OUTCOMES_OPEN] += 1
    examples.triggered[place], examples.arm[place] = 1, arm
    examples.start_ms[place] = NEVER_MS  # Of no interval: no score replaces it.
    examples.weight[place] = np.float32(1.0)
    examples.served[place] = states.served[slot, policy]
    examples.version[place] = states.version[slot, policy]
    examples.status[place] = READY
    examples.event_id[place, 0] = 0  # A name of no letters.
    for expert in range(examples.experts.shape[1]):
        examples.experts[place, expert] = np.nan
    for column in range(examples.units.shape[1]):
        examples.units[place, column] = 0
    for category in range(examples.category_a.shape[1]):
        examples.category_a[place, category] = 0
    keys = states.keys[slot, policy]
    start(examples, registers, plan, place, campaign, at_ms, deadline, offset, keys)
    entry = registers[OUTCOMES_DUE]
    registers[OUTCOMES_DUE] = entry + 1
    queues.outcome_due[entry] = examples.due_ms[place]
    queues.outcome_sequence[entry] = examples.sequence[place]
    queues.outcome_place[entry] = place
    rise(queues.outcome_due, queues.outcome_sequence, queues.outcome_place, entry)


@inlined
def close_outcomes(
    profiles: Profiles,
    examples: Examples,
    queues: Queues,
    registers: I8,
    plan: PlanArrays,
    triggers: Triggers,
    offset: int,
    upto_ms: int,
) -> None:
    """Close rows of arms whose time is up, those due first, so many at an event.

    They are none of the rows that an event may close besides, and have numbers of their own, in
    each campaign: what other triggers there were changes neither. They leave when their time is
    up, also where two answers are reported.
    """
    if registers[OUTCOMES_DUE] == 0:
        return
    numbers = triggers.fired.closed
    for each in range(numbers.shape[0]):
        numbers[each] = 0
    for _ in range(plan.closes_per_event_max):
        if registers[OUTCOMES_DUE] == 0 or queues.outcome_due[0] >= upto_ms:
            return
        place, sequence = int(queues.outcome_place[0]), queues.outcome_sequence[0]
        count = registers[OUTCOMES_DUE]
        drop(queues.outcome_due, queues.outcome_sequence, queues.outcome_place, count)
        registers[OUTCOMES_DUE] = count - 1
        if examples.sequence[place] != sequence:
            continue  # Its customer was forgotten.
        campaign = examples.campaign[place]
        number = numbers[campaign]
        numbers[campaign] = number + 1
        close_row(profiles, examples, queues, registers, place, number, offset)
