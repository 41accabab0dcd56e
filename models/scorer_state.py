"""A scorer's state as named arrays, out of the fold and back into one.

Owns: which arrays and facts a scorer is, and what is made anew from them.
Never: a number of the fold's that is neither kept nor made from what is kept.
Source: ARCHITECTURE.md, "Snapshots".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.intake import Intake
from models.kernel_queues import rebuild_table
from models.kernel_slots import fill_slot_table
from models.lifted import Lifted
from models.names import LongNames
from models.records import Records
from models.state import (
    ARM_ENTRIES,
    CONTROLS,
    FREE_COUNT,
    HEAP_COUNT,
    I4,
    I8,
    OPEN_COUNT,
    OUTCOMES_DUE,
    REGISTERS,
    SLOT_COUNT,
    TIMER_COUNT,
    Examples,
    Profiles,
    Queues,
    reserve_slots,
)
from models.timers import lay_timers
from models.told_states import Told
from models.trigger_states import States

U1 = NDArray[np.uint8]
FORMAT: Final = 3
"""Of what the arrays and facts mean; a wider row, or another campaign file, is the same format.

A state in which nobody entered whose outcome is counted by arm is of format 2, and one in which no
control fact was obeyed either is of format 1, which all versions read.
"""
REGISTERS_OF: Final = {1: 21, 2: 25, 3: REGISTERS}
"""How many numbers of the fold a state of a format has; the others are 0 in it."""

OUTCOMES: Final = ("outcome_due", "outcome_sequence", "outcome_place")
SWEEP_FROM = 10_000


@dataclass
class ScorerState:
    """What a scorer remembers, besides its vocabularies."""

    profiles: Records[Profiles]
    examples: Records[Examples]
    queues: Queues
    registers: I8
    customers: LongNames  # of slots
    event_ids: LongNames  # of places
    triggers: Records[States] | None  # None where no campaign has one
    waiting: I4  # who waits first and last, by policy
    told: Records[Told] | None  # None where everything is published, to any number of triggers


def pack(texts: Sequence[bytes]) -> tuple[U1, I4]:
    """Texts behind each other, and their lengths."""
    lengths = np.fromiter(map(len, texts), np.int32, len(texts))
    return np.frombuffer(b"".join(texts), np.uint8), lengths


def unpack(text: U1, lengths: I4) -> list[bytes]:
    """The texts again."""
    whole = text.tobytes()
    stops = [0, *np.cumsum(lengths, dtype=np.int64).tolist()]
    return [whole[start:stop] for start, stop in pairwise(stops)]


def lift(state: ScorerState, intake: Intake, shape: Mapping[str, Any]) -> Lifted:
    """The state as it stands; the fold must not go on while it is held."""
    registers, queues = state.registers.copy(), state.queues
    registers[TIMER_COUNT] = 0  # Of what is made anew from the profiles.
    heap = int(registers[HEAP_COUNT])
    arrays: dict[str, NDArray[Any]] = {
        "registers": registers,
        "profiles": state.profiles.lifted(int(registers[SLOT_COUNT])),
        "examples": state.examples.lifted(state.examples.rows),
        "heap_due": queues.heap_due[:heap],
        "heap_sequence": queues.heap_sequence[:heap],
        "heap_place": queues.heap_place[:heap],
        "free": queues.free[: int(registers[FREE_COUNT])],
        "order_first": queues.order_first,
        "order_last": queues.order_last,
        "seen_hash": queues.seen_hash,
        "seen_at": queues.seen_at,
    }
    if state.triggers is not None:
        arrays["triggers"] = state.triggers.lifted(int(registers[SLOT_COUNT]))
        arrays["triggers_waiting"] = state.waiting
    if state.told is not None:
        arrays["told"] = state.told.lifted(int(registers[SLOT_COUNT]))
    texts = {"vocabulary": [text.encode() for text in intake.vocabulary.texts]}
    for name, names in (("customers", state.customers), ("event_ids", state.event_ids)):
        arrays[f"{name}_rows"] = np.array(list(names.kept), np.int64)
        texts[name] = list(names.kept.values())
    for name, kept in texts.items():
        arrays[name], arrays[f"{name}_lengths"] = pack(kept)
    for group, values in enumerate(intake.count_by):
        arrays[f"sighted_{group}"] = np.array(sorted(values.sighted), np.int64)
        arrays[f"places_{group}"] = np.array(list(values.places), np.int64)
    refused = intake.vocabulary.refused
    found = 2 if registers[CONTROLS] else 1
    if registers[ARM_ENTRIES]:
        found = FORMAT
        for name in OUTCOMES:
            arrays[name] = getattr(queues, name)[: int(registers[OUTCOMES_DUE])]
    arrays["registers"] = registers[: REGISTERS_OF[found]]
    facts = {"format": found, "vocabulary_refused": refused, "shape": shape}
    return Lifted(arrays, facts)


def refuse_other_format(lifted: Lifted) -> None:
    """Refuse a state whose arrays mean something that this version does not know.

    Raises
    ------
    ValueError: it is of another format.
    """
    found = lifted.facts.get("format", 1)  # The first ones did not say it.
    if found not in range(1, FORMAT + 1):
        raise ValueError(f"a state of format {found!r}, and this version reads up to {FORMAT}")


def restore(state: ScorerState, intake: Intake, lifted: Lifted) -> None:
    """Become what was lifted; the state must be new.

    Raises
    ------
    KeyError, ValueError: it was lifted from a fold of another shape.
    """
    arrays, registers = lifted.arrays, state.registers
    registers[: len(arrays["registers"])] = arrays["registers"]  # Later ones count from 0.
    state.profiles.fill(arrays["profiles"])
    state.examples.fill(arrays["examples"])
    if state.triggers is not None:
        state.triggers.fill(arrays["triggers"])
        state.waiting[:] = arrays["triggers_waiting"]
    if state.told is not None:
        state.told.fill(arrays["told"])
    rows = state.examples.rows
    free = _free_places(arrays["free"], len(arrays["examples"]), rows)
    registers[FREE_COUNT] = len(free)
    queues = Queues(
        heap_due=arrays["heap_due"].copy(),
        heap_sequence=arrays["heap_sequence"].copy(),
        heap_place=arrays["heap_place"].copy(),
        free=np.concatenate([free, np.zeros(rows - len(free), np.int32)]),
        closed=np.zeros(rows, np.int32),
        order_first=arrays["order_first"].copy(),
        order_last=arrays["order_last"].copy(),
        seen_hash=arrays["seen_hash"].copy(),
        seen_at=arrays["seen_at"].copy(),
        seen_table=np.zeros(2 * len(arrays["seen_hash"]), np.uint64),
        slot_table=state.queues.slot_table,
        timer_due=state.queues.timer_due,
        timer_order=state.queues.timer_order,
        timer_slot=state.queues.timer_slot,
        **{
            name: arrays[name].copy() if name in arrays else getattr(state.queues, name)
            for name in OUTCOMES
        },
    )
    rebuild_table(queues, registers)
    queues = reserve_slots(state.profiles, queues, registers, 0)
    fill_slot_table(state.profiles.view, queues, registers)
    lay_timers(state.profiles.view, queues, registers)
    state.queues = queues
    for name, names in (("customers", state.customers), ("event_ids", state.event_ids)):
        texts = unpack(arrays[name], arrays[f"{name}_lengths"])
        names.kept.update(zip(arrays[f"{name}_rows"].tolist(), texts, strict=True))
    for text in unpack(arrays["vocabulary"], arrays["vocabulary_lengths"])[1:]:
        intake.vocabulary.add(text.decode())
    intake.vocabulary.refused = int(lifted.facts["vocabulary_refused"])
    for group, values in enumerate(intake.count_by):
        values.sighted = set(arrays[f"sighted_{group}"].tolist())
        places = arrays[f"places_{group}"].tolist()
        values.places = {code: place for place, code in enumerate(places)}


def _free_places(free: I4, known: int, rows: int) -> I4:
    """The free places; those that the store has beyond the known ones are taken last."""
    beyond = np.arange(rows - 1, known - 1, -1, dtype=np.int32)
    return np.concatenate([beyond, free])


def sweep_heap(queues: Queues, registers: I8, examples: Examples, more: int) -> None:
    """Take out what replaced examples left in the heap, if a third, rather than grow it.

    A sorted heap is a heap: what it gives, and when, stays the same.
    """
    count, opened = int(registers[HEAP_COUNT]), int(registers[OPEN_COUNT])
    if count + more <= len(queues.heap_due) or count < SWEEP_FROM or 2 * count < 3 * opened:
        return
    places, sequences = queues.heap_place[:count], queues.heap_sequence[:count]
    valid = np.flatnonzero(examples.sequence[places] == sequences)
    order = valid[np.lexsort((sequences[valid], queues.heap_due[valid]))]
    for column in (queues.heap_due, queues.heap_sequence, queues.heap_place):
        column[: len(order)] = column[order]
    registers[HEAP_COUNT] = len(order)
