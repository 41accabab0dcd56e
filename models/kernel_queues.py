"""Orders in the compiled loop: due times, scoring order, activity, seen ids.

Owns: the entries of a heap of due times, lists in arrays, and a hash set with a ring behind it.
Never: what the things in them mean.
Source: Cormen et al., Introduction to Algorithms, open addressing.
"""

from __future__ import annotations

import numpy as np

from models.compiled import compiled, inlined
from models.kernel_heap import drop, rise
from models.state import (
    CLOCK_MS,
    CLOSED_COUNT,
    FREE_COUNT,
    HEAP_COUNT,
    I8,
    LRU_FIRST,
    LRU_LAST,
    NEVER_MS,
    SEEN_COUNT,
    SEEN_DROPPED,
    SEEN_HEAD,
    U8,
    Examples,
    Profiles,
    Queues,
)

UNLISTED = -2


@inlined
def heap_push(queues: Queues, registers: I8, due_ms: int, sequence: int, place: int) -> None:
    """Add an entry; there must be room."""
    entry = registers[HEAP_COUNT]
    queues.heap_due[entry] = due_ms
    queues.heap_sequence[entry] = sequence
    queues.heap_place[entry] = place
    registers[HEAP_COUNT] = entry + 1
    rise(queues.heap_due, queues.heap_sequence, queues.heap_place, entry)


@inlined
def heap_pop(queues: Queues, registers: I8) -> int:
    """Remove the first entry, which may be stale, and give its place."""
    place, count = queues.heap_place[0], registers[HEAP_COUNT]
    registers[HEAP_COUNT] = count - 1
    drop(queues.heap_due, queues.heap_sequence, queues.heap_place, count)
    return int(place)


@inlined
def order_append(queues: Queues, examples: Examples, campaign: int, place: int) -> None:
    """Put an example behind all others of its campaign."""
    last = queues.order_last[campaign]
    examples.order_prev[place] = last
    examples.order_next[place] = -1
    if last >= 0:
        examples.order_next[last] = place
    else:
        queues.order_first[campaign] = place
    queues.order_last[campaign] = place


@inlined
def order_remove(queues: Queues, examples: Examples, campaign: int, place: int) -> None:
    """Take an example out of its campaign's order."""
    before, behind = examples.order_prev[place], examples.order_next[place]
    if before >= 0:
        examples.order_next[before] = behind
    else:
        queues.order_first[campaign] = behind
    if behind >= 0:
        examples.order_prev[behind] = before
    else:
        queues.order_last[campaign] = before


@inlined
def unlist(profiles: Profiles, registers: I8, slot: int) -> None:
    """Take a customer out of the order of activity."""
    newer, older = profiles.newer[slot], profiles.older[slot]
    if newer == UNLISTED:
        return
    if newer >= 0:
        profiles.older[newer] = older
    else:
        registers[LRU_FIRST] = older
    if older >= 0:
        profiles.newer[older] = newer
    else:
        registers[LRU_LAST] = newer
    profiles.newer[slot] = UNLISTED
    profiles.older[slot] = UNLISTED


@inlined
def list_newest(profiles: Profiles, registers: I8, slot: int) -> None:
    """Make a customer the most recently active one."""
    if registers[LRU_FIRST] == slot:
        return
    unlist(profiles, registers, slot)
    first = registers[LRU_FIRST]
    profiles.newer[slot] = -1
    profiles.older[slot] = first
    if first >= 0:
        profiles.newer[first] = slot
    else:
        registers[LRU_LAST] = slot
    registers[LRU_FIRST] = slot


@compiled
def list_oldest(profiles: Profiles, registers: I8, slot: int) -> None:
    """Put a customer back at the end of the order of activity."""
    last = registers[LRU_LAST]
    profiles.older[slot] = -1
    profiles.newer[slot] = last
    if last >= 0:
        profiles.older[last] = slot
    else:
        registers[LRU_FIRST] = slot
    registers[LRU_LAST] = slot


@inlined
def is_told_of(profiles: Profiles, slot: int) -> bool:
    """Whether a control fact is known of a customer, which has to be kept."""
    suppressed = profiles.suppressed_until[slot] != NEVER_MS
    return bool(suppressed or profiles.consent_refused[slot] != 0)


@inlined
def choose_victim(profiles: Profiles, registers: I8) -> int:
    """The least recently active customer without open examples, or -1; taken off the list.

    Those with open examples leave the list until their last example closes, and those of whom a
    control fact is known until their next event.
    """
    while registers[LRU_LAST] >= 0:
        slot = registers[LRU_LAST]
        unlist(profiles, registers, slot)
        if profiles.waiting[slot] == 0 and not is_told_of(profiles, slot):
            return int(slot)
    return -1


@inlined
def table_place(table: U8, key: np.uint64) -> int:
    """The place of a hash in the table, or the empty place where it belongs."""
    mask = np.uint64(table.shape[0] - 1)
    place = key & mask
    while table[place] != 0 and table[place] != key:
        place = (place + np.uint64(1)) & mask
    return int(place)


@inlined
def table_remove(table: U8, key: np.uint64) -> None:
    """Remove a hash, moving back those that were displaced by it."""
    size = table.shape[0]
    hole = np.int64(table_place(table, key))
    if table[hole] == 0:
        return
    table[hole] = 0
    place = (hole + 1) & (size - 1)
    while table[place] != 0:
        home = np.int64(table[place] & np.uint64(size - 1))
        distance_hole = (hole - home) & (size - 1)
        distance_place = (place - home) & (size - 1)
        if distance_hole < distance_place:
            table[hole] = table[place]
            table[place] = 0
            hole = place
        place = (place + 1) & (size - 1)


@compiled
def rebuild_table(queues: Queues, registers: I8) -> None:
    """Fill an empty table from the ring."""
    size = queues.seen_hash.shape[0]
    for index in range(registers[SEEN_COUNT]):
        key = queues.seen_hash[(registers[SEEN_HEAD] + index) % size]
        queues.seen_table[table_place(queues.seen_table, key)] = key


@inlined
def see(queues: Queues, registers: I8, key: np.uint64, keep_ms: int, ids_max: int) -> bool:
    """Whether an event id was seen lately; if not it is remembered."""
    size = queues.seen_hash.shape[0]
    horizon = registers[CLOCK_MS] - keep_ms
    while registers[SEEN_COUNT] > 0:
        head = registers[SEEN_HEAD]
        full = registers[SEEN_COUNT] >= ids_max
        if queues.seen_at[head] >= horizon and not full:
            break
        if full and queues.seen_at[head] >= horizon:
            registers[SEEN_DROPPED] += 1
        table_remove(queues.seen_table, queues.seen_hash[head])
        registers[SEEN_HEAD] = (head + 1) % size
        registers[SEEN_COUNT] -= 1
    place = table_place(queues.seen_table, key)
    if queues.seen_table[place] == key:
        return True
    queues.seen_table[place] = key
    tail = (registers[SEEN_HEAD] + registers[SEEN_COUNT]) % size
    queues.seen_hash[tail] = key
    queues.seen_at[tail] = registers[CLOCK_MS]
    registers[SEEN_COUNT] += 1
    return False


@compiled
def free_closed(queues: Queues, registers: I8, count: int) -> None:
    """Give the places of the first `count` closed rows back, when the rows have been read."""
    free = registers[FREE_COUNT]
    for index in range(count):
        queues.free[free + index] = queues.closed[index]
    registers[FREE_COUNT] = free + count
    registers[CLOSED_COUNT] = 0
