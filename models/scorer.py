"""The scorer: a fold over one partition of events.

Owns: profiles, open examples, seen ids and the clock of one partition.
Never: I/O, wall time, threads or randomness; the same records and models give the same bits.
Source: ARCHITECTURE.md, "Two folds".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from xxhash import xxh3_64_intdigest

from models.batch import ScoreColumns, score_columns, scratch
from models.intake import Batch, Intake
from models.kernel_fold import fold_events, free_closed
from models.kernel_profile import reset_profile
from models.kernel_queues import choose_victim, rebuild_table
from models.plan import Plan
from models.rows import Rows, RowWriter
from models.serving import Serving
from models.state import (
    CLOCK_MS,
    CLOSED_COUNT,
    HEAP_COUNT,
    NEVER_MS,
    OPEN_COUNT,
    OPENED,
    REPLACED,
    SCORES,
    SEEN_DROPPED,
    THROTTLED,
    new_examples,
    new_profiles,
    new_queues,
    new_registers,
    reserve_examples,
    reserve_profiles,
    reserve_seen,
)
from schemas.model_record import ModelRecord

HASH_KEY = b"propensity"
SWEEP_FROM = 10_000


class Folded(NamedTuple):
    """What a batch gave. The first `score_count` entries of `scores` hold."""

    batch: Batch
    scores: ScoreColumns
    score_count: int
    rows: Rows


class Counts(NamedTuple):
    """What the fold has done since it began, and holds now."""

    opened: int
    replaced: int
    throttled: int
    evicted: int
    ids_dropped: int
    texts_refused: int
    open_examples: int
    profiles: int
    clock_ms: int | None


class Scorer:
    """Folds the records of one partition, in batches that may be cut anywhere.

    Parameters
    ----------
    plan: the compiled campaign file, with the limits.
    partition: the number of the partition, written into every row.
    hash_key: keys the customer's hash in rows; at most 64 bytes.
    """

    def __init__(
        self,
        plan: Plan,
        partition: int = 0,
        *,
        hash_key: bytes = HASH_KEY,
        record_bytes_max: int = 65_536,
        keys_strict: bool = True,
    ) -> None:
        self.plan = plan
        self._intake = Intake(plan, record_bytes_max=record_bytes_max, keys_strict=keys_strict)
        self._serving = Serving(plan, self._intake)
        self._writer = RowWriter(plan, self._intake, partition, hash_key)
        self._profiles = new_profiles(plan)
        self._examples = new_examples(plan)
        self._queues = new_queues(plan)
        self._registers = new_registers()
        self._scratch = scratch(plan)
        self._slots: dict[str, int] = {}
        self._customers: list[str] = []
        self._event_ids: list[str] = []
        self._evicted = 0

    def install(self, record: ModelRecord) -> bool:
        """Serve a model from the next record on; False if it is not of this campaign file."""
        return self._serving.install(record)

    @property
    def ignored(self) -> dict[tuple[str, str], int]:
        """How often a property was ignored, by name and reason."""
        return dict(self._intake.ignored)

    @property
    def counts(self) -> Counts:
        """What the fold has done and holds."""
        registers = self._registers
        clock_ms = int(registers[CLOCK_MS])
        return Counts(
            opened=int(registers[OPENED]),
            replaced=int(registers[REPLACED]),
            throttled=int(registers[THROTTLED]),
            evicted=self._evicted,
            ids_dropped=int(registers[SEEN_DROPPED]),
            texts_refused=self._intake.vocabulary.refused,
            open_examples=int(registers[OPEN_COUNT]),
            profiles=len(self._slots),
            clock_ms=None if clock_ms == NEVER_MS else clock_ms,
        )

    def overdue(self, now_ms: int) -> int:
        """Open examples whose time had come by now, had the partition's clock gone on."""
        due = self._examples.due_ms[self._examples.sequence > 0]
        return int(np.count_nonzero(due < now_ms))

    def fold(
        self,
        offsets: Sequence[int],
        stamps_ms: Sequence[int],
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        *,
        catching_up: bool = False,
    ) -> Folded:
        """Fold records of the partition, in log order.

        `stamps_ms` are the log's own timestamps, -1 where there are none. Scores of records
        that are read again or as history say `catching_up`.
        """
        batch = self.read(offsets, stamps_ms, keys, values)
        return self.fold_batch(batch, catching_up=catching_up)

    def read(
        self,
        offsets: Sequence[int],
        stamps_ms: Sequence[int],
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
    ) -> Batch:
        """Turn records into columns; the first half of `fold`."""
        return self._intake.read(offsets, stamps_ms, keys, values)

    def fold_batch(self, batch: Batch, *, catching_up: bool = False) -> Folded:
        """Fold a batch that was just read; the second half of `fold`."""
        self._serving.follow_vocabulary()
        count = len(batch.customers)
        campaigns = len(self.plan.campaigns)
        out = score_columns(count, campaigns)
        self._registers[SCORES] = 0
        self._sweep_heap(count * campaigns)
        reserve_examples(self._examples, self._queues, self._registers, count * campaigns)
        self._event_ids += [""] * (self._examples.at_ms.shape[0] - len(self._event_ids))
        if (seen := reserve_seen(self._queues, self._registers, count)) is not self._queues:
            self._queues = seen
            rebuild_table(seen, self._registers)
        rows = Rows()
        self._fold_events(batch, out, catching_up, rows)
        return Folded(batch, out, int(self._registers[SCORES]), rows)

    def _fold_events(
        self,
        batch: Batch,
        out: ScoreColumns,
        catching_up: bool,
        rows: Rows,
    ) -> None:
        """Give every customer a slot and run the loop; cut where one has to make room."""
        profiles_max = self.plan.limits.profiles_max
        get, slots = self._slots.get, batch.columns.slot
        first = 0
        chosen: list[int] = []
        for row, customer in enumerate(batch.customers):
            slot = get(customer)
            if slot is None:
                if len(self._slots) >= profiles_max:
                    slots[first:row] = chosen
                    self._run(batch, first, row, out, catching_up, rows)
                    first, chosen = row, []
                    slot = self._evict()
                slot = self._admit(customer, slot)
            chosen.append(slot)
        slots[first:] = chosen
        self._run(batch, first, len(batch.customers), out, catching_up, rows)

    def _sweep_heap(self, more: int) -> None:
        """Take out what replaced examples left in the heap, if a third, rather than grow it.

        A sorted heap is a heap: what it gives, and when, stays the same.
        """
        queues, count = self._queues, int(self._registers[HEAP_COUNT])
        opened = int(self._registers[OPEN_COUNT])
        if count + more <= len(queues.heap_due) or count < SWEEP_FROM or 2 * count < 3 * opened:
            return
        places, sequences = queues.heap_place[:count], queues.heap_sequence[:count]
        valid = np.flatnonzero(self._examples.sequence[places] == sequences)
        order = valid[np.lexsort((sequences[valid], queues.heap_due[valid]))]
        for column in (queues.heap_due, queues.heap_sequence, queues.heap_place):
            column[: len(order)] = column[order]
        self._registers[HEAP_COUNT] = len(order)

    def _evict(self) -> int | None:
        slot = int(choose_victim(self._profiles, self._registers))
        if slot < 0:
            return None  # Every customer has an open example, and those are bounded.
        del self._slots[self._customers[slot]]
        self._evicted += 1
        return slot

    def _admit(self, customer: str, slot: int | None) -> int:
        if slot is None:
            slot = len(self._customers)
            self._customers.append(customer)
            reserve_profiles(self._profiles, slot + 1)
        self._customers[slot] = customer
        self._slots[customer] = slot
        reset_profile(self._profiles, slot)
        self._profiles.customer_hash[slot] = xxh3_64_intdigest(customer.encode())
        return slot

    def _run(
        self,
        batch: Batch,
        first: int,
        stop: int,
        out: ScoreColumns,
        catching_up: bool,
        rows: Rows,
    ) -> None:
        scored = int(self._registers[SCORES])
        fold_events(
            self._profiles,
            self._examples,
            self._queues,
            self._registers,
            self.plan.arrays,
            self._serving.models,
            batch.columns,
            first,
            stop,
            catching_up,
            self._scratch,
            out,
        )
        places = out.place[scored : int(self._registers[SCORES])]
        events = out.event[scored : int(self._registers[SCORES])]
        opened = np.flatnonzero(places >= 0)
        for place, event in zip(places[opened].tolist(), events[opened].tolist(), strict=True):
            self._event_ids[place] = batch.event_ids[event]
        closed = int(self._registers[CLOSED_COUNT])
        if not closed:
            return
        gone = self._queues.closed[:closed]
        leavers = [self._customers[slot] for slot in self._examples.slot[gone].tolist()]
        event_ids = [self._event_ids[place] for place in gone.tolist()]
        self._writer.write(self._examples, gone, leavers, event_ids, rows)
        for place in gone.tolist():
            self._event_ids[place] = ""
        free_closed(self._queues, self._registers, closed)
