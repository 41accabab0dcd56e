"""What a scorer fold remembers, as arrays: profiles, open examples, seen ids, clocks.

Owns: the shape of the state, its growth, and nothing of its meaning.
Never: an object per customer or per example.
Source: a slot is a row of the profiles; a place is a row of the examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.layout import ANSWERS, COUNT_BY_VALUES_MAX
from models.plan import Plan
from models.records import Records, rows_for

F4 = NDArray[np.float32]
F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
I4 = NDArray[np.int32]
I2 = NDArray[np.int16]
U8 = NDArray[np.uint64]
B1 = NDArray[np.int8]
U1 = NDArray[np.uint8]

NEVER_MS = -(1 << 62)
NO_TIMER_MS = 1 << 62
NAME_BYTES = 40  # Of a row: a length, and as many letters as a UUID has.

# Numbers of the fold that are no arrays: positions in `Registers`.
CLOCK_MS, NEXT_SEQUENCE, OPEN_COUNT, FREE_COUNT, HEAP_COUNT = 0, 1, 2, 3, 4
LRU_FIRST, LRU_LAST, SEEN_HEAD, SEEN_COUNT, CLOSED_COUNT = 5, 6, 7, 8, 9
OPENED, REPLACED, THROTTLED, SEEN_DROPPED, SCORES = 10, 11, 12, 13, 14
SLOT_COUNT, EVICTED = 15, 16
TIMER_COUNT, MOMENTS, TIMERS_FIRED, TIMERS_PASSED = 17, 18, 19, 20
FREE_SLOT, FREE_SLOTS, WITHDRAWN, CONTROLS = 21, 22, 23, 24
OUTCOMES_DUE, OUTCOMES_OPEN, ARM_ENTRIES = 25, 26, 27
REGISTERS = 28


class Profiles(NamedTuple):
    """One row per customer slot."""

    counts: F4  # [slot, stream, half-life] decayed to `last_at`
    values: F4  # [slot, stream, half-life]
    last_at: I8  # [slot, stream] NEVER_MS before the first event
    gap_days: F4  # [slot, stream] between the last two events
    first_at: I8  # [slot]
    seen_at: I8  # [slot] of the newest event
    suppressed_until: I8  # [slot] before this moment nothing is said of them; or NEVER_MS
    timers: I8  # [slot, kind] when each is due, or NO_TIMER_MS
    customer_hash: U8  # [slot, 2]
    by: F4  # [slot, group * COUNT_BY_VALUES_MAX] decayed to `by_at`
    by_at: I8  # [slot, group]
    answers: F4  # [slot, campaign, 4] hits, misses, and both decayed
    answers_at: I8  # [slot, campaign]
    remembered: I4  # [slot, property] code of the last known value; 0 is none
    remembered_at: I8  # [slot, property]
    happened_at: I8  # [slot, register] when the event of a clause last happened, or NEVER_MS
    first_example: I4  # [slot, campaign] head of a chain of open examples, newest first, or -1
    waiting: I4  # [slot] how many examples of the customer are open
    newer: I4  # [slot] neighbours in the order of activity, -1 at the ends, -2 when not listed
    older: I4
    name: U1  # [slot, NAME_BYTES] who it is, as kernel_names keeps it
    consent_refused: B1  # [slot] 1 where the last known consent says no


class Examples(NamedTuple):
    """One row per open example."""

    units: I4  # [place, N] the campaign's columns as scored, in steps of the features' grid
    category_a: I4  # [place, K] codes of the campaign's categories as scored
    category_b: I4
    experts: F8  # [place, experts] probability of each expert as scored; nan where unknown
    served: F8  # [place] probability (or value) as served
    version: I8  # [place] of the model that scored
    status: B1  # [place] of the score as served
    campaign: I2  # [place]; -1 is free
    slot: I4
    at_ms: I8
    start_ms: I8  # the start of its interval
    deadline_ms: I8  # the last moment at which a goal counts
    due_ms: I8  # it closes when the clock passes this
    sequence: I8  # its order of scoring; a heap entry with another number is stale
    offset: I8  # of the scored event
    event_id: U1  # [place, NAME_BYTES] of the scored event, as kernel_names keeps it
    arm: B1  # ACTED or HELD_OUT where an entry may have changed its outcome, else UNTOUCHED
    triggered: B1  # 1: it is of a first trigger, and not of a score
    keys: U8  # [place, key]
    candidates: I4
    weight: F4  # what throttling adds
    answer: F8  # goals so far (conversion: 0 or 1), or their values
    decided: B1
    next: I4  # chain of the customer in the campaign
    order_next: I4  # chain of the campaign, in the order of scoring
    order_prev: I4
    closed_index: I4  # position among the rows closed by one event; rows of arms have their own
    closed_offset: I8
    closed_ms: I8


class Queues(NamedTuple):
    """Orders over the open examples, the ids seen lately, and who has which slot."""

    heap_due: I8
    heap_sequence: I8
    heap_place: I4
    outcome_due: I8  # the same of rows of arms, which ordinary ones know nothing of
    outcome_sequence: I8
    outcome_place: I4
    free: I4
    closed: I4
    order_first: I4  # [campaign]
    order_last: I4
    seen_hash: U8  # ring, oldest first from SEEN_HEAD
    seen_at: I8
    seen_table: U8  # open addressing; 0 is empty
    slot_table: I4  # customers by hash, open addressing; slot + 1, 0 is empty
    timer_due: I8  # heap of timers, made from the profiles
    timer_order: U8  # the first half of the customer's hash
    timer_slot: I4


def new_profiles(plan: Plan) -> Records[Profiles]:
    """An empty store for the customers of one partition."""
    streams, ages = len(plan.layout.streams), len(plan.layout.half_lives_ms)
    groups, campaigns = max(1, len(plan.layout.count_by)), len(plan.campaigns)
    remembered = max(1, len(plan.remembered))
    return Records(
        Profiles,
        {
            "customer_hash": (np.uint64, (2,)),
            "first_at": (np.int64, ()),
            "seen_at": (np.int64, ()),
            "suppressed_until": (np.int64, ()),
            "timers": (np.int64, (max(1, len(plan.timers)),)),
            "last_at": (np.int64, (streams,)),
            "answers_at": (np.int64, (campaigns,)),
            "by_at": (np.int64, (groups,)),
            "remembered_at": (np.int64, (remembered,)),
            "happened_at": (np.int64, (max(1, len(plan.registers)),)),
            "first_example": (np.int32, (campaigns,)),
            "waiting": (np.int32, ()),
            "newer": (np.int32, ()),
            "older": (np.int32, ()),
            "gap_days": (np.float32, (streams,)),
            "answers": (np.float32, (campaigns, len(ANSWERS))),
            "counts": (np.float32, (streams, ages)),
            "values": (np.float32, (streams, ages)),
            "remembered": (np.int32, (remembered,)),
            "by": (np.float32, (groups * COUNT_BY_VALUES_MAX if plan.layout.count_by else 1,)),
            "name": (np.uint8, (NAME_BYTES,)),
            "consent_refused": (np.int8, ()),
        },
    )


def new_examples(plan: Plan) -> Records[Examples]:
    """An empty store for the open examples of one partition."""
    categories = (plan.arrays.categories.shape[1],)
    return Records(
        Examples,
        {
            "at_ms": (np.int64, ()),
            "start_ms": (np.int64, ()),
            "deadline_ms": (np.int64, ()),
            "sequence": (np.int64, ()),
            "next": (np.int32, ()),
            "candidates": (np.int32, ()),
            "slot": (np.int32, ()),
            "campaign": (np.int16, ()),
            "status": (np.int8, ()),
            "decided": (np.int8, ()),
            "answer": (np.float64, ()),
            "due_ms": (np.int64, ()),
            "offset": (np.int64, ()),
            "version": (np.int64, ()),
            "served": (np.float64, ()),
            "experts": (np.float64, (max(1, plan.experts_max),)),
            "closed_offset": (np.int64, ()),
            "closed_ms": (np.int64, ()),
            "keys": (np.uint64, (max(1, len(plan.keys)),)),
            "weight": (np.float32, ()),
            "order_next": (np.int32, ()),
            "order_prev": (np.int32, ()),
            "closed_index": (np.int32, ()),
            "units": (np.int32, (plan.arrays.columns.shape[1],)),
            "category_a": (np.int32, categories),
            "category_b": (np.int32, categories),
            "event_id": (np.uint8, (NAME_BYTES,)),
            "arm": (np.int8, ()),
            "triggered": (np.int8, ()),
        },
    )


def new_queues(plan: Plan) -> Queues:
    """Empty queues."""
    campaigns = len(plan.campaigns)
    return Queues(
        heap_due=np.zeros(0, np.int64),
        heap_sequence=np.zeros(0, np.int64),
        heap_place=np.zeros(0, np.int32),
        outcome_due=np.zeros(0, np.int64),
        outcome_sequence=np.zeros(0, np.int64),
        outcome_place=np.zeros(0, np.int32),
        free=np.zeros(0, np.int32),
        closed=np.zeros(0, np.int32),
        order_first=np.full(campaigns, -1, np.int32),
        order_last=np.full(campaigns, -1, np.int32),
        seen_hash=np.zeros(1024, np.uint64),
        seen_at=np.zeros(1024, np.int64),
        seen_table=np.zeros(2048, np.uint64),
        slot_table=np.zeros(1024, np.int32),
        timer_due=np.zeros(0, np.int64),
        timer_order=np.zeros(0, np.uint64),
        timer_slot=np.zeros(0, np.int32),
    )


def new_registers() -> I8:
    """The numbers of an empty fold."""
    registers = np.zeros(REGISTERS, np.int64)
    registers[CLOCK_MS] = NEVER_MS
    registers[NEXT_SEQUENCE] = 1
    registers[LRU_FIRST] = registers[LRU_LAST] = -1
    return registers


def grow(array: NDArray[Any], rows: int) -> None:
    """Lengthen an array; what is new is zero."""
    # In place: the allocator remaps the pages of a large block instead of copying them.
    array.resize((rows, *array.shape[1:]), refcheck=False)


def make_room(arrays: Sequence[NDArray[Any]], rows: int) -> None:
    """Let arrays that are equally long have so many rows at least; what is new is zero."""
    have = len(arrays[0])
    if rows > have:
        for array in arrays:
            grow(array, rows_for(have, rows))


def reserve_examples(
    examples: Records[Examples], queues: Queues, registers: I8, more: int, outcomes: int = 0
) -> None:
    """Make room for `more` examples beyond those that are open, and so many rows of arms."""
    have, free, most = queues.free.shape[0], int(registers[FREE_COUNT]), more + outcomes
    if most > free:
        examples.reserve(have + most - free)
        grow(queues.free, examples.rows)
        grow(queues.closed, examples.rows)
        added = examples.rows - have
        queues.free[free : free + added] = np.arange(examples.rows - 1, have - 1, -1)
        registers[FREE_COUNT] = free + added
    heap = (queues.heap_due, queues.heap_sequence, queues.heap_place)
    make_room(heap, int(registers[HEAP_COUNT]) + more)
    heap = (queues.outcome_due, queues.outcome_sequence, queues.outcome_place)
    make_room(heap, int(registers[OUTCOMES_DUE]) + outcomes)


def reserve_slots(profiles: Records[Profiles], queues: Queues, registers: I8, more: int) -> Queues:
    """Make room for `more` customers; a table that would be half full is laid anew, empty."""
    slots = int(registers[SLOT_COUNT]) + more
    profiles.reserve(slots)
    size = queues.slot_table.shape[0]
    if 2 * slots <= size:
        return queues
    while size < 2 * slots:
        size *= 2
    return queues._replace(slot_table=np.zeros(size, np.int32))


def reserve_seen(queues: Queues, registers: I8, more: int) -> Queues:
    """Make room for `more` event ids; the ring and its table double."""
    count = int(registers[SEEN_COUNT])
    size = queues.seen_hash.shape[0]
    if count + more <= size:
        return queues
    while size < count + more:
        size *= 2
    ring = (int(registers[SEEN_HEAD]) + np.arange(count)) % queues.seen_hash.shape[0]
    hashes = np.zeros(size, np.uint64)
    times = np.zeros(size, np.int64)
    hashes[:count] = queues.seen_hash[ring]
    times[:count] = queues.seen_at[ring]
    registers[SEEN_HEAD] = 0
    return queues._replace(
        seen_hash=hashes, seen_at=times, seen_table=np.zeros(2 * size, np.uint64)
    )
