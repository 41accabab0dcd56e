"""Memory asked for some events before it is needed.

Owns: which rows of the state the next events will touch, and a hint to the processor.
Never: a value: a hint reads nothing and changes nothing, it only moves lines towards the processor.
Source: LLVM Language Reference, `llvm.prefetch`; customers come in no order, so that every event
    would wait for some twenty lines of main memory, one group after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numba import types
from numba.core import cgutils as untyped_cgutils
from numba.extending import intrinsic

from models.batch import EventColumns
from models.compiled import inlined
from models.state import I8, SEEN_HEAD, Examples, Profiles, Queues

cgutils: Any = untyped_cgutils
LINE_BYTES = 64
ENTRY_AHEAD = 12  # Events. A step between two stages is about as long as main memory takes.
PROFILE_AHEAD = 8
EXAMPLE_AHEAD = 4


def _ask(
    _typing: object, first: types.Array, last: types.Array, row: types.Integer
) -> tuple[Any, Callable[..., Any]]:
    """Hint at the lines of a row from one of its fields up to the beginning of another."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        held = [context.make_array(signature.args[which])(context, builder, arguments[which])
                for which in (0, 1)]  # fmt: skip
        stride = cgutils.unpack_tuple(builder, held[0].strides)[0]
        word = stride.type
        start = builder.mul(builder.sext(arguments[2], word), stride)
        base, end = (builder.add(builder.ptrtoint(each.data, word), start) for each in held)
        line = builder.and_(base, word(-LINE_BYTES))
        byte, flag = cgutils.voidptr_t, cgutils.int32_t
        shape = cgutils.ir.FunctionType(cgutils.ir.VoidType(), [byte, flag, flag, flag])
        hint = cgutils.get_or_insert_function(builder.module, shape, "llvm.prefetch.p0")
        with cgutils.for_range_slice(builder, line, end, word(LINE_BYTES), word) as (place, _):
            # To be written, kept in every cache, and no instructions.
            builder.call(hint, [builder.inttoptr(place, byte), flag(1), flag(3), flag(1)])
        return context.get_dummy_value()

    return types.void(first, last, row), build


ask = cast("Callable[..., None]", intrinsic(_ask))


@inlined
def likely_slot(queues: Queues, events: EventColumns, row: int) -> int:
    """The slot that the table holds first for an event's customer, or -1: nearly always theirs."""
    mask = np.uint64(queues.slot_table.shape[0] - 1)
    return int(queues.slot_table[events.customer_hash[row, 0] & mask]) - 1


@inlined
def ask_for_entry(table: Any, entry: np.int64) -> None:
    """Hint at an entry of a table."""
    ask(table, table[1:], entry)


@inlined
def ask_for_entries(queues: Queues, registers: I8, events: EventColumns, row: int) -> None:
    """Hint at where an event's customer and its id are looked up, and an id that is forgotten."""
    slots = np.uint64(queues.slot_table.shape[0] - 1)
    seen = np.uint64(queues.seen_table.shape[0] - 1)
    ask_for_entry(queues.slot_table, np.int64(events.customer_hash[row, 0] & slots))
    ask_for_entry(queues.seen_table, np.int64(events.event_hash[row] & seen))
    leaver = (registers[SEEN_HEAD] + ENTRY_AHEAD) & (queues.seen_hash.shape[0] - 1)
    ask_for_entry(queues.seen_table, np.int64(queues.seen_hash[leaver] & seen))


@inlined
def ask_for_profile(profiles: Profiles, slot: int) -> None:
    """Hint at what an event will read and change of its customer."""
    ask(profiles.customer_hash, profiles.remembered, slot)


@inlined
def ask_for_example(profiles: Profiles, examples: Examples, slot: int) -> None:
    """Hint at the customer's newest open examples, and neighbours in the order of activity."""
    newer, older = profiles.newer[slot], profiles.older[slot]
    if newer >= 0:
        ask(profiles.older, profiles.gap_days, newer)
    if older >= 0:
        ask(profiles.newer, profiles.older, older)
    for campaign in range(profiles.first_example.shape[1]):
        place = profiles.first_example[slot, campaign]
        if place >= 0:
            ask(examples.at_ms, examples.answer, place)


@inlined
def ask_ahead(
    profiles: Profiles,
    examples: Examples,
    queues: Queues,
    registers: I8,
    events: EventColumns,
    row: int,
) -> None:
    """Hint at what the events after `row` will touch: each finds where the next stage looks."""
    count = events.at_ms.shape[0]
    if row + ENTRY_AHEAD < count:
        ask_for_entries(queues, registers, events, row + ENTRY_AHEAD)
    if row + PROFILE_AHEAD < count:
        slot = likely_slot(queues, events, row + PROFILE_AHEAD)
        if slot >= 0:
            ask_for_profile(profiles, slot)
    if row + EXAMPLE_AHEAD < count:
        slot = likely_slot(queues, events, row + EXAMPLE_AHEAD)
        if slot >= 0:
            ask_for_example(profiles, examples, slot)
