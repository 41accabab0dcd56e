"""Timers of customers in the compiled loop: which customer's is due first.

Owns: setting, stopping and taking timers, in an order that depends on customers and times alone.
Never: what a timer is for: kinds are numbers, and whoever takes a customer acts on each of them.
Source: Cormen et al., Introduction to Algorithms, heaps. When a timer is due stands in the profile
    (`timers`, by kind, at most one of each); the heap only orders customers by it. An entry that no
    timer stands behind is stale and has no effect, so the heap is laid anew from profiles at will.
"""

from __future__ import annotations

import numpy as np

from models.compiled import compiled
from models.state import I8, NO_TIMER_MS, TIMER_COUNT, Profiles, Queues

NOBODY_DUE = -1


@compiled
def timer_before(queues: Queues, one: int, other: int) -> bool:
    """Whether an entry is due before another; equal times go by the hash of the customer."""
    if queues.timer_due[one] != queues.timer_due[other]:
        return bool(queues.timer_due[one] < queues.timer_due[other])
    return bool(queues.timer_order[one] < queues.timer_order[other])


@compiled
def swap_timers(queues: Queues, one: int, other: int) -> None:
    """Exchange two entries."""
    due, order, slot = queues.timer_due[one], queues.timer_order[one], queues.timer_slot[one]
    queues.timer_due[one] = queues.timer_due[other]
    queues.timer_order[one] = queues.timer_order[other]
    queues.timer_slot[one] = queues.timer_slot[other]
    queues.timer_due[other] = due
    queues.timer_order[other] = order
    queues.timer_slot[other] = slot


@compiled
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
    while entry > 0:
        parent = (entry - 1) // 2
        if not timer_before(queues, entry, parent):
            break
        swap_timers(queues, entry, parent)
        entry = parent


@compiled
def stop_timer(profiles: Profiles, slot: int, kind: int) -> None:
    """Let a customer have no timer of a kind."""
    profiles.timers[slot, kind] = NO_TIMER_MS


@compiled
def drop_first(queues: Queues, registers: I8) -> None:
    """Take the first entry out of the heap."""
    last = registers[TIMER_COUNT] - 1
    registers[TIMER_COUNT] = last
    swap_timers(queues, 0, last)
    entry = 0
    while True:
        child = 2 * entry + 1
        if child >= last:
            break
        if child + 1 < last and timer_before(queues, child + 1, child):
            child += 1
        if not timer_before(queues, child, entry):
            break
        swap_timers(queues, child, entry)
        entry = child


@compiled
def stands(profiles: Profiles, queues: Queues, entry: int) -> bool:
    """Whether a timer stands behind an entry: not stopped, set anew, or of who made room."""
    slot = queues.timer_slot[entry]
    if profiles.customer_hash[slot, 0] != queues.timer_order[entry]:
        return False
    for kind in range(profiles.timers.shape[1]):
        if profiles.timers[slot, kind] == queues.timer_due[entry]:
            return True
    return False


@compiled
def first_due(profiles: Profiles, queues: Queues, registers: I8) -> int:
    """When the first of all timers is due; NO_TIMER_MS where there is none."""
    while registers[TIMER_COUNT] > 0:
        if stands(profiles, queues, 0):
            return int(queues.timer_due[0])
        drop_first(queues, registers)
    return NO_TIMER_MS


@compiled
def take_due(profiles: Profiles, queues: Queues, registers: I8, now_ms: int) -> int:
    """The slot of the customer with the first timer due before now, or NOBODY_DUE.

    Whoever takes one sets or stops each of the customer's timers that is due before now.
    """
    if first_due(profiles, queues, registers) >= now_ms:
        return NOBODY_DUE
    slot = int(queues.timer_slot[0])
    drop_first(queues, registers)
    return slot


@compiled
def any_due(profiles: Profiles, queues: Queues, registers: I8, slot: int, now_ms: int) -> bool:
    """Whether any timer may be due before now: of this customer, or the first of all."""
    due = bool(registers[TIMER_COUNT] > 0 and queues.timer_due[0] < now_ms)
    for kind in range(profiles.timers.shape[1]):
        due |= bool(profiles.timers[slot, kind] < now_ms)
    return due


@compiled
def grid_before(customer: np.uint64, every_ms: int, now_ms: int) -> int:
    """The last moment before now on a customer's own grid, of points `every_ms` apart."""
    phase = np.int64(customer % np.uint64(every_ms))
    return int(now_ms - 1 - (now_ms - 1 - phase) % every_ms)
