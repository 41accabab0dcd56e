"""Moments at which customers are scored on timers, in the compiled loop.

Owns: which moments come of the timers that are due, and what is noted of those that were scored.
Never: scores; models.kernel_fold does, in the order that stands here.
Source: docs/campaigns.md, "On a timer".
"""

from __future__ import annotations

import numpy as np

from models.batch import DueMoments, ScoreColumns, Timing
from models.compiled import inlined
from models.kernel_heap import rise
from models.kernel_timers import grid_before, set_timer, stop_timer
from models.plan import PlanArrays
from models.state import (
    CLOCK_MS,
    I8,
    MOMENTS,
    NO_TIMER_MS,
    SCORES,
    TIMERS_FIRED,
    TIMERS_PASSED,
    Profiles,
    Queues,
)


@inlined
def take_kinds(
    profiles: Profiles, queues: Queues, registers: I8, plan: PlanArrays, slot: int, now_ms: int
) -> tuple[int, np.uint64]:
    """Of a customer's timers that were due before now, those of the earliest moment, and set anew.

    A timer stands for the last moment before now on its grid: those that a silence passed over are
    gone. One stops if by then its customer has not been seen for too long. Gives the moment, or
    NO_TIMER_MS where none is left, and the bits of the timers.
    """
    at_ms, mask = NO_TIMER_MS, np.uint64(0)
    customer = profiles.customer_hash[slot, 0]
    for kind in range(plan.every_ms.shape[0]):
        if profiles.timers[slot, kind] < now_ms:
            at_ms = min(at_ms, grid_before(customer, plan.every_ms[kind], now_ms))
    for kind in range(plan.every_ms.shape[0]):
        due_ms, every_ms = profiles.timers[slot, kind], plan.every_ms[kind]
        if due_ms < now_ms and grid_before(customer, every_ms, now_ms) == at_ms:
            if at_ms - profiles.seen_at[slot] > plan.idle_ms[kind]:
                stop_timer(profiles, slot, kind)
                continue
            registers[TIMERS_PASSED] += (at_ms - due_ms) // every_ms
            set_timer(profiles, queues, registers, slot, kind, at_ms + every_ms)
            mask |= plan.timer_mask[kind]
    return at_ms, mask


@inlined
def choose_moments(
    profiles: Profiles,
    queues: Queues,
    registers: I8,
    plan: PlanArrays,
    due: DueMoments,
    count: int,
    slot: int,
    now_ms: int,
) -> int:
    """Put a customer's moments before now to those that are to be scored; give how many it are."""
    while True:
        at_ms, mask = take_kinds(profiles, queues, registers, plan, slot, now_ms)
        if at_ms == NO_TIMER_MS:
            return count
        if mask != 0:
            due.slot[count], due.mask[count] = slot, mask
            due.at_ms[count], due.rank[count] = at_ms, profiles.customer_hash[slot, 0]
            due.entry[count] = count
            rise(due.at_ms, due.rank, due.entry, count)
            count += 1


@inlined
def note_moment(registers: I8, timing: Timing, out: ScoreColumns, first: int, events: int) -> None:
    """Note of the scores from `first` on that they are of the moment that was scored."""
    moment, moments, number = timing.moment, timing.moments, registers[MOMENTS]
    registers[MOMENTS] = number + 1
    registers[TIMERS_FIRED] += 1
    moments.slot[number], moments.at_ms[number] = moment.slot[0], moment.at_ms[0]
    moments.offset[number] = moment.offset[0]
    for half in range(2):
        moments.score_hash[number, half] = moment.score_hash[0, half]
    for m in range(first, registers[SCORES]):
        out.event[m] = events + number


@inlined
def begin_timers(
    profiles: Profiles, queues: Queues, registers: I8, plan: PlanArrays, slot: int
) -> None:
    """Let a customer who was seen have every timer, from the next moment of each grid on."""
    after_ms = registers[CLOCK_MS] + 1
    for kind in range(plan.every_ms.shape[0]):
        if profiles.timers[slot, kind] == NO_TIMER_MS:
            every_ms = plan.every_ms[kind]
            last_ms = grid_before(profiles.customer_hash[slot, 0], every_ms, after_ms)
            set_timer(profiles, queues, registers, slot, kind, last_ms + every_ms)
