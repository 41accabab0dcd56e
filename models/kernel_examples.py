"""Open examples in the compiled loop: opened by reservoir, answered, closed when due.

Owns: which scored event becomes an example, its label, and when it leaves.
Never: how a probability is computed.
Source: reservoir sampling with a reservoir of one, Vitter (1985).
"""

from __future__ import annotations

import numpy as np

from models.compiled import compiled, inlined
from models.kernel_goals import deadline_of, forbidden_same, same_keys
from models.kernel_profile import count_answer
from models.kernel_queues import (
    UNLISTED,
    heap_pop,
    heap_push,
    list_oldest,
    order_append,
    order_remove,
)
from models.plan import PlanArrays
from models.state import (
    CLOCK_MS,
    CLOSED_COUNT,
    FREE_COUNT,
    HEAP_COUNT,
    I8,
    NEXT_SEQUENCE,
    OPEN_COUNT,
    OPENED,
    OUTCOMES_OPEN,
    REPLACED,
    THROTTLED,
    U8,
    Examples,
    Profiles,
    Queues,
)

HASH_MAX = np.uint64(0xFFFFFFFFFFFFFFFF)
LEVEL_MAX = 30


@compiled
def mix(value: np.uint64) -> np.uint64:
    """A hash in which every bit depends on every bit (splitmix64, Steele et al. 2014)."""
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@compiled
def one_in(event_hash: np.uint64, seed: np.uint64, chances: np.uint64) -> bool:
    """True for one event in `chances`, decided by the event's hash."""
    return bool(mix(event_hash ^ seed) <= HASH_MAX // chances)


@inlined
def answer_examples(
    profiles: Profiles,
    examples: Examples,
    plan: PlanArrays,
    slot: int,
    mask: np.uint64,
    at_ms: int,
    value: float,
    keys: U8,
) -> None:
    """Let an event answer the open examples of its customer."""
    for campaign in range(plan.goal_mask.shape[0]):
        hit = (plan.goal_mask[campaign] & mask) != 0
        lost = (plan.lost_mask[campaign] & mask) != 0
        if not (hit or lost):
            continue
        place = profiles.first_example[slot, campaign]
        while place >= 0:
            age = at_ms - examples.at_ms[place]
            inside = age >= 0 and at_ms <= examples.deadline_ms[place]
            undecided = examples.decided[place] == 0
            scored = examples.keys[place]
            if undecided and inside and same_keys(plan, campaign, scored, keys):
                late_enough = age >= plan.after_ms[campaign]
                allowed = not forbidden_same(plan, campaign, scored, keys)
                if hit and late_enough and allowed:
                    take_hit(examples, plan, place, campaign, value)
                elif lost:
                    examples.decided[place] = 1
            place = examples.next[place]


@inlined
def take_hit(examples: Examples, plan: PlanArrays, place: int, campaign: int, value: float) -> None:
    """Note a goal event on an example."""
    if plan.predicts_value[campaign] == 1:
        examples.answer[place] += 0.0 if np.isnan(value) else value
        return
    examples.answer[place] = 1.0 - plan.first_answer[campaign]
    if plan.lost_mask[campaign] != 0:
        examples.decided[place] = 1


@inlined
def leave_chain(profiles: Profiles, examples: Examples, registers: I8, place: int) -> None:
    """Take a closed example out of its customer's chain."""
    slot, campaign = examples.slot[place], examples.campaign[place]
    if profiles.first_example[slot, campaign] == place:
        profiles.first_example[slot, campaign] = examples.next[place]
    else:
        before = profiles.first_example[slot, campaign]
        while examples.next[before] != place:
            before = examples.next[before]
        examples.next[before] = examples.next[place]
    profiles.waiting[slot] -= 1
    if profiles.waiting[slot] == 0 and profiles.newer[slot] == UNLISTED:
        list_oldest(profiles, registers, slot)


@inlined
def put_aside(examples: Examples, queues: Queues, registers: I8, place: int) -> None:
    """Let an example be open no longer, and its place be freed when what closed has been read."""
    examples.campaign[place] = -1 - examples.campaign[place]
    examples.sequence[place] = -1
    queues.closed[registers[CLOSED_COUNT]] = place
    registers[CLOSED_COUNT] += 1
    if examples.triggered[place] == 0:
        registers[OPEN_COUNT] -= 1
    else:
        registers[OUTCOMES_OPEN] -= 1


@inlined
def close(
    profiles: Profiles,
    examples: Examples,
    queues: Queues,
    registers: I8,
    place: int,
    index: int,
    offset: int,
) -> None:
    """Close the example of a score, whose answer its customer is known by from now on."""
    slot, campaign, is_hit = (
        examples.slot[place], examples.campaign[place], examples.answer[place] > 0.0,
    )  # fmt: skip
    count_answer(profiles, slot, campaign, is_hit, registers[CLOCK_MS])
    close_row(profiles, examples, queues, registers, place, index, offset)


@inlined
def close_row(
    profiles: Profiles,
    examples: Examples,
    queues: Queues,
    registers: I8,
    place: int,
    index: int,
    offset: int,
) -> None:
    """Move an example to the closed rows; its place is freed when the rows have been read."""
    leave_chain(profiles, examples, registers, place)
    examples.closed_index[place] = index
    examples.closed_offset[place] = offset
    examples.closed_ms[place] = registers[CLOCK_MS]
    put_aside(examples, queues, registers, place)


@inlined
def close_due(
    profiles: Profiles,
    examples: Examples,
    queues: Queues,
    registers: I8,
    plan: PlanArrays,
    offset: int,
    upto_ms: int,
) -> int:
    """Close what the clock has passed, oldest first; give the number of closed rows.

    `upto_ms` is the clock, or when a timer was due that waits for its turn: its score must not
    know of answers that were not due by then. In a campaign with two reported answers a passed
    deadline only decides the label: its rows leave in the order of scoring.
    """
    closed = 0
    while registers[HEAP_COUNT] > 0 and closed < plan.closes_per_event_max:
        if queues.heap_due[0] >= upto_ms:
            break
        sequence = queues.heap_sequence[0]
        place = heap_pop(queues, registers)
        if examples.sequence[place] != sequence:
            continue
        if plan.lost_mask[examples.campaign[place]] != 0:
            examples.decided[place] = 1
            continue
        close(profiles, examples, queues, registers, place, closed, offset)
        closed += 1
    return closed


@inlined
def close_decided(
    profiles: Profiles,
    examples: Examples,
    queues: Queues,
    registers: I8,
    plan: PlanArrays,
    offset: int,
    closed: int,
) -> None:
    """Close decided rows of campaigns with two reported answers, in the order of scoring."""
    for campaign in range(plan.lost_mask.shape[0]):
        if plan.lost_mask[campaign] == 0:
            continue
        place = queues.order_first[campaign]
        while place >= 0 and examples.decided[place] == 1:
            if closed >= plan.closes_per_event_max:
                return
            order_remove(queues, examples, campaign, place)
            close(profiles, examples, queues, registers, place, closed, offset)
            closed += 1
            place = queues.order_first[campaign]


@inlined
def current_example(
    profiles: Profiles,
    examples: Examples,
    plan: PlanArrays,
    slot: int,
    campaign: int,
    at_ms: int,
    keys: U8,
) -> int:
    """The open example whose interval holds this moment, or -1."""
    place = profiles.first_example[slot, campaign]
    while place >= 0:
        if (
            examples.decided[place] == 0
            and at_ms < examples.start_ms[place] + plan.interval_ms[campaign]
            and interval_keys(examples, plan, place, campaign, keys)
        ):
            return int(place)
        place = examples.next[place]
    return -1


@inlined
def interval_keys(
    examples: Examples, plan: PlanArrays, place: int, campaign: int, keys: U8
) -> bool:
    """Whether two scored events of a customer share an interval: equal `match` values."""
    for index in range(plan.match.shape[1]):
        key = plan.match[campaign, index]
        if key < 0:
            break
        if keys[key] != examples.keys[place, key]:
            return False
    return True


@inlined
def throttle_level(registers: I8, plan: PlanArrays) -> int:
    """How often the free half of the store has been halved: 0 below one half, -1 when full."""
    room = plan.open_examples_max - registers[OPEN_COUNT]
    if room <= 0:
        return -1
    level = 0
    while level < LEVEL_MAX and (room << (level + 1)) <= plan.open_examples_max:
        level += 1
    return level


@inlined
def choose_place(
    profiles: Profiles,
    examples: Examples,
    queues: Queues,
    registers: I8,
    plan: PlanArrays,
    slot: int,
    campaign: int,
    at_ms: int,
    event_hash: np.uint64,
    keys: U8,
) -> int:
    """Where this candidate's example goes, or -1 where it becomes none."""
    seed = plan.hash_seed[campaign]
    if plan.interval_ms[campaign] > 0:
        place = current_example(profiles, examples, plan, slot, campaign, at_ms, keys)
        if place >= 0:
            examples.candidates[place] += 1
            if not one_in(event_hash, seed, np.uint64(examples.candidates[place])):
                return -1
            if plan.lost_mask[campaign] != 0:
                order_remove(queues, examples, campaign, place)
            registers[REPLACED] += 1
            return place
    unit = mix(event_hash)
    if plan.interval_ms[campaign] > 0:  # All candidates of an interval share one fate.
        unit = profiles.customer_hash[slot, 0] ^ np.uint64(at_ms // plan.interval_ms[campaign])
    level = throttle_level(registers, plan)
    if level < 0 or not one_in(mix(unit), seed, np.uint64(1) << np.uint64(level)):
        registers[THROTTLED] += 1
        return -1
    place = take_place(profiles, examples, queues, registers, slot, campaign, at_ms)
    examples.weight[place] = np.float32(1 << level)
    registers[OPEN_COUNT] += 1
    registers[OPENED] += 1
    return int(place)


@inlined
def take_place(
    profiles: Profiles,
    examples: Examples,
    queues: Queues,
    registers: I8,
    slot: int,
    campaign: int,
    at_ms: int,
) -> int:
    """Give a customer a free place for an example of a campaign, the first of its interval."""
    registers[FREE_COUNT] -= 1
    place = int(queues.free[registers[FREE_COUNT]])
    examples.candidates[place] = 1
    examples.start_ms[place] = at_ms
    examples.slot[place] = slot
    examples.campaign[place] = campaign
    examples.triggered[place] = 0
    examples.next[place] = profiles.first_example[slot, campaign]
    profiles.first_example[slot, campaign] = place
    profiles.waiting[slot] += 1
    return place


@inlined
def open_example(
    examples: Examples,
    queues: Queues,
    registers: I8,
    plan: PlanArrays,
    place: int,
    campaign: int,
    at_ms: int,
    offset: int,
    keys: U8,
    deadlines: I8,
) -> None:
    """Start an example at its place: its times, its keys and its turn."""
    deadline = deadline_of(plan, campaign, at_ms, deadlines)
    start(examples, registers, plan, place, campaign, at_ms, deadline, offset, keys)
    heap_push(queues, registers, examples.due_ms[place], examples.sequence[place], place)
    if plan.lost_mask[campaign] != 0:
        order_append(queues, examples, campaign, place)


@inlined
def start(
    examples: Examples,
    registers: I8,
    plan: PlanArrays,
    place: int,
    campaign: int,
    at_ms: int,
    deadline: int,
    offset: int,
    keys: U8,
) -> None:
    """Let an example await its answer from a moment on."""
    examples.at_ms[place] = at_ms
    examples.deadline_ms[place] = deadline
    examples.due_ms[place] = deadline + plan.lateness_ms
    examples.sequence[place] = registers[NEXT_SEQUENCE]
    examples.offset[place] = offset
    examples.answer[place] = plan.first_answer[campaign]
    examples.decided[place] = 0
    for key in range(keys.shape[0]):
        examples.keys[place, key] = keys[key]
    registers[NEXT_SEQUENCE] += 1
