"""The order of timers beside the compiled loop: room for it, and laying it anew.

Owns: what is made of the timers in profiles: their heap, and those that are overdue.
Never: sets a timer, but when a state comes to another campaign file.
Source: models.kernel_timers. A sorted heap is a heap: what it gives, and when, stays the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.plan import Plan
from models.state import (
    I8,
    NO_TIMER_MS,
    SLOT_COUNT,
    TIMER_COUNT,
    U8,
    Profiles,
    Queues,
    make_room,
)

STALE_MAX = 10_000  # So many stale entries are never worth laying the heap anew.


def timers_room(plan: Plan) -> int:
    """Entries that one event may add, and scores that its timers may make, at most."""
    return (plan.arrays.timers_per_event_max + 2) * len(plan.timers)


def reserve_timers(profiles: Profiles, queues: Queues, registers: I8, more: int) -> None:
    """Make room for so many entries more; stale ones go first, if they are most."""
    if registers[TIMER_COUNT] + more <= len(queues.timer_due):
        return
    live_max = int(registers[SLOT_COUNT]) * profiles.timers.shape[1]
    if registers[TIMER_COUNT] > 2 * live_max + STALE_MAX:
        lay_timers(profiles, queues, registers)
    make_room(_heap(queues), int(registers[TIMER_COUNT]) + more)


def lay_timers(profiles: Profiles, queues: Queues, registers: I8) -> None:
    """Lay the heap anew from the profiles."""
    due = profiles.timers[: int(registers[SLOT_COUNT])]
    slots, kinds = np.nonzero(due < NO_TIMER_MS)
    due_ms, order = due[slots, kinds], profiles.customer_hash[slots, 0]
    sort = np.lexsort((order, due_ms))
    make_room(_heap(queues), len(sort))
    queues.timer_due[: len(sort)] = due_ms[sort]
    queues.timer_order[: len(sort)] = order[sort]
    queues.timer_slot[: len(sort)] = slots[sort]
    registers[TIMER_COUNT] = len(sort)


def overdue_timers(profiles: Profiles, queues: Queues, registers: I8, now_ms: int) -> int:
    """Customers with a timer that was due by now, had the partition's clock gone on."""
    entries = np.flatnonzero(queues.timer_due[: int(registers[TIMER_COUNT])] < now_ms)
    slots = np.unique(queues.timer_slot[entries])
    return int(np.count_nonzero((profiles.timers[slots] < now_ms).any(axis=1)))


def armed(customers: U8, every_ms: int, clock_ms: int) -> NDArray[np.int64]:
    """When timers of customers are due that begin now: the first moment of each one's grid.

    Parameters
    ----------
    customers: the first half of their hashes.
    """
    phases = (customers % np.uint64(every_ms)).astype(np.int64)
    return clock_ms - (clock_ms - phases) % every_ms + every_ms


def timers_shape(plan: Plan) -> list[list[Any]]:
    """What the kinds of timers in a state are, as JSON."""
    return [[c.name, c.score_every_ms, c.idle_max_ms] for c in plan.timers]


def _heap(queues: Queues) -> tuple[NDArray[Any], ...]:
    return queues.timer_due, queues.timer_order, queues.timer_slot
