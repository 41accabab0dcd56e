"""Timers of customers in the compiled loop: which customer's is due first.

Owns: setting, stopping and taking timers, in an order that depends on customers and times alone.
Never: what a timer is for: kinds are numbers, and whoever takes a customer acts on each of them.
Source: when a timer is due stands in the profile (`timers`, by kind, at most one of each); the heap
    only orders customers by it. An entry that no timer stands behind is stale and has no effect, so
    the heap is laid anew from profiles at will.
"""

from __future__ import annotations

import numpy as np

from models.compiled import inlined
from models.kernel_heap import drop, rise
from models.state import I8, NO_TIMER_MS, TIMER_COUNT, Profiles, Queues

NOBODY_DUE = -1


@inlined
def set_timer(
    profiles: Profiles, queues: Queues, registers: I8, slot: int, kind: int, due_ms: int
) -> None:
    """Let a customer's timer of a kind be due at a moment, instead of when it was.

    There must be room for an entry: `models.timers.reserve_timers`.
    """
    profiles.timers[slot, kind] = due_ms
    entry = registers[TIMER_COUNT]
    queues.timer_due[entry] = due_ms
    queues.timer_order[entry] = profiles.customer_hash[slot, 0]
    queues.timer_slot[entry] = slot
    registers[TIMER_COUNT] = entry + 1
    rise(queues.timer_due, queues.timer_order, queues.timer_slot, entry)


@inlined
def stop_timer(profiles: Profiles, slot: int, kind: int) -> None:
    """Let a customer have no timer of a kind."""
    profiles.timers[slot, kind] = NO_TIMER_MS


@inlined
def drop_first(queues: Queues, registers: I8) -> None:
    """Take the first entry out of the heap."""
    count = registers[TIMER_COUNT]
    registers[TIMER_COUNT] = count - 1
    drop(queues.timer_due, queues.timer_order, queues.timer_slot, count)


@inlined
def stands(profiles: Profiles, queues: Queues, entry: int) -> bool:
    """Whether a timer stands behind an entry: not stopped, set anew, or of who made room."""
    slot = queues.timer_slot[entry]
    if profiles.customer_hash[slot, 0] != queues.timer_order[entry]:
        return False
    for kind in range(profiles.timers.shape[1]):
        if profiles.timers[slot, kind] == queues.timer_due[entry]:
            return True
    return False


@inlined
def first_due(profiles: Profiles, queues: Queues, registers: I8) -> int:
    """When the first of all timers is due; NO_TIMER_MS where there is none."""
    while registers[TIMER_COUNT] > 0:
        if stands(profiles, queues, 0):
            return int(queues.timer_due[0])
        drop_first(queues, registers)
    return NO_TIMER_MS


@inlined
def take_due(profiles: Profiles, queues: Queues, registers: I8, now_ms: int) -> int:
    """The slot of the customer with the first timer due before now, or NOBODY_DUE.

    Whoever takes one sets or stops each of the customer's timers that is due before now.
    """
    if first_due(profiles, queues, registers) >= now_ms:
        return NOBODY_DUE
    slot = int(queues.timer_slot[0])
    drop_first(queues, registers)
    return slot


@inlined
def any_due(profiles: Profiles, queues: Queues, registers: I8, slot: int, now_ms: int) -> bool:
    """Whether any timer may be due before now: of this customer, or the first of all."""
    due = bool(registers[TIMER_COUNT] > 0 and queues.timer_due[0] < now_ms)
    for kind in range(profiles.timers.shape[1]):
        due |= bool(profiles.timers[slot, kind] < now_ms)
    return due


@inlined
def grid_before(customer: np.uint64, every_ms: int, now_ms: int) -> int:
    """The last moment before now on a customer's own grid, of points `every_ms` apart."""
    phase = np.int64(customer % np.uint64(every_ms))
    return int(now_ms - 1 - (now_ms - 1 - phase) % every_ms)
