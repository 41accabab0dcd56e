"""The scorer: a fold over one partition of events.

Owns: profiles, open examples, seen ids and the clock of one partition.
Never: I/O, wall time, threads or randomness; the same records and models give the same bits.
Source: ARCHITECTURE.md, "Two folds".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.batch import (
    ScoreColumns,
    Timing,
    more_scores,
    published_of,
    score_columns,
    scratch,
    timing,
)
from models.control_facts import Obedience
from models.folded import Counts, Folded, counts_of
from models.intake import Batch, Intake, text_of
from models.kernel_fold import fold_events
from models.kernel_queues import free_closed, rebuild_table
from models.kernel_slots import fill_slot_table
from models.lifted import Lifted
from models.migration import migrate, shape_of
from models.names import LongNames
from models.plan import Plan
from models.portrait import Portrait, portrait_of
from models.rows import Rows, RowWriter
from models.scorer_state import ScorerState, lift, refuse_other_format, restore, sweep_heap
from models.served_again import ServedAgain
from models.serving import Serving
from models.state import (
    CLOSED_COUNT,
    MOMENTS,
    SCORES,
    SLOT_COUNT,
    make_room,
    new_examples,
    new_profiles,
    new_queues,
    new_registers,
    reserve_examples,
    reserve_seen,
    reserve_slots,
)
from models.timers import overdue_timers, reserve_timers, timers_room
from models.told_states import is_kept, new_told, telling_of
from models.trigger_states import (
    NOTHING_SAID,
    Triggers,
    more_fired,
    new_fired,
    new_states,
    new_waiting,
    outcomes_room,
    policies_of,
)
from schemas.model_record import ModelRecord

HASH_KEY = b"propensity"


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
        self._policies = policies_of(plan)
        self._triggers = new_states(plan, self._policies)
        self._waiting = new_waiting(self._policies)
        self._telling = telling_of(plan)
        self._told = new_told(self._telling)
        # Where nobody has a timer or a trigger, these are the same for every batch.
        self._untimed = timing(plan, np.zeros(0, np.uint64))
        self._unfired = new_fired(self._policies)
        self._scratch = scratch(plan)
        self._customers = LongNames()
        self._event_ids = LongNames()

    def install(self, record: ModelRecord) -> bool:
        """Serve a model from the next record on; False if it is not of this campaign file."""
        return self._serving.install(record)

    def uninstall(self, campaign: str) -> bool:
        """Serve the campaign's rate again from the next record on; False if no model was there."""
        return self._serving.uninstall(campaign)

    def lift(self) -> Lifted:
        """The state of the fold, which must not go on while it is held."""
        return lift(self._state, self._intake, shape_of(self.plan))

    def room(self, name: str, shape: tuple[int, ...], kind: np.dtype[Any]) -> NDArray[Any] | None:
        """Memory of the fold for an array that it would hand over under this name, to be filled.

        Only of a new fold, which then is good for nothing but a `restore` of what was filled in;
        None for what is small, or lies in a fold of another shape.
        """
        if len(shape) != 1:
            return None
        if name == "profiles":
            return self._profiles.room(shape[0], kind)
        if name == "triggers":
            return self._triggers.room(shape[0], kind)
        if name == "told":
            return self._told.room(shape[0], kind)
        return self._examples.room(shape[0], kind) if name == "examples" else None

    def restore(self, lifted: Lifted) -> dict[str, int]:
        """Become the fold that was lifted; only a new one can.

        Under another campaign file, or in a newer version, what has the same name goes on. Gives
        how many open examples were dropped, by the name of their campaign.

        Raises
        ------
        ValueError, KeyError: it is of another format, or of no scorer.
        """
        refuse_other_format(lifted)
        dropped: dict[str, int] = {}
        # Wider than before, if a mixture got an expert, or customers more to be known of.
        kinds = {"profiles": self._profiles.kind, "examples": self._examples.kind}
        same = all(lifted.arrays[name].dtype == kind for name, kind in kinds.items())
        if lifted.facts["shape"] != shape_of(self.plan) or not same:
            lifted, dropped = migrate(lifted, self.plan)
        state = self._state
        restore(state, self._intake, lifted)
        self._queues = state.queues
        return dropped

    def serve_again(self, folded: Folded, served: ServedAgain) -> int:
        """Let the examples that a batch opened hold what was served of them in their time.

        Gives the number of those of which nothing is known.
        """
        scores = folded.scores
        opened = np.flatnonzero(scores.place[: folded.score_count] >= 0)[::-1]
        # A place may be taken twice within a batch: what it holds is of the last.
        places, newest = np.unique(scores.place[opened], return_index=True)
        offsets, timers = folded.sources(opened[newest])
        campaigns, examples = scores.campaign[opened[newest]], self._examples.view
        known, values, experts, versions, statuses = served.of(
            offsets, campaigns.astype(np.int64), timers
        )
        own = known & (examples.triggered[places] == 0)  # Or a trigger has taken the place since.
        places = places[own]
        examples.served[places] = values[own]
        examples.experts[places, : experts.shape[1]] = experts[own]
        examples.version[places], examples.status[places] = versions[own], statuses[own]
        return int(np.count_nonzero(~known))

    @property
    def state_bytes(self) -> int:
        """About what the state takes."""
        stores = self._profiles, self._examples, self._triggers, self._told
        return sum(store.size_bytes for store in stores)

    @property
    def _state(self) -> ScorerState:
        return ScorerState(
            self._profiles,
            self._examples,
            self._queues,
            self._registers,
            self._customers,
            self._event_ids,
            self._triggers if len(self._policies.campaign) else None,
            self._waiting,
            self._told if is_kept(self._telling) else None,
        )

    @property
    def ignored(self) -> dict[tuple[str, str], int]:
        """How often a property was ignored, by name and reason."""
        return dict(self._intake.ignored)

    @property
    def counts(self) -> Counts:
        """What the fold has done and holds."""
        return counts_of(self._registers, self._intake.vocabulary.refused)

    def portrait(
        self, customer: str, *, catching_up: bool = False, terms_max: int = 0
    ) -> Portrait | None:
        """All that is known of a customer, with the scores that would be served now; or None."""
        return portrait_of(
            customer, self.plan, self._state, self._intake, self._serving,
            catching_up=catching_up, terms_max=terms_max,
        )  # fmt: skip

    @property
    def open_by_campaign(self) -> dict[str, int]:
        """How many examples of scores wait for their outcome, by campaign."""
        examples = self._examples.view
        open_now = examples.campaign[(examples.sequence > 0) & (examples.triggered == 0)]
        counts = np.bincount(open_now[open_now >= 0], minlength=len(self.plan.campaigns))
        return dict(zip(self.plan.campaigns, counts.tolist(), strict=True))

    def overdue(self, now_ms: int) -> int:
        """Open examples whose time had come by now, had the partition's clock gone on."""
        due = self._examples.view.due_ms[self._examples.view.sequence > 0]
        return int(np.count_nonzero(due < now_ms))

    def overdue_timers(self, now_ms: int) -> int:
        """Customers with a timer that was due by now, had the partition's clock gone on."""
        return overdue_timers(self._profiles.view, self._queues, self._registers, now_ms)

    def fold(
        self,
        offsets: Sequence[int],
        stamps_ms: Sequence[int],
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        *,
        catching_up: bool = False,
        served: ServedAgain | None = None,
    ) -> Folded:
        """Fold records of the partition, in log order.

        `stamps_ms` are the log's own timestamps, -1 where there are none. Scores of records
        that are read again or as history say `catching_up`; triggers are decided again by
        what was `served` of them.
        """
        batch = self.read(offsets, stamps_ms, keys, values)
        return self.fold_batch(batch, catching_up=catching_up, served=served)

    def read(
        self,
        offsets: Sequence[int],
        stamps_ms: Sequence[int],
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
    ) -> Batch:
        """Turn records into columns; the first half of `fold`."""
        return self._intake.read(offsets, stamps_ms, keys, values)

    def fold_batch(
        self, batch: Batch, *, catching_up: bool = False, served: ServedAgain | None = None
    ) -> Folded:
        """Fold a batch that was just read; the second half of `fold`."""
        self._serving.follow_vocabulary()
        count = len(batch.rows)
        campaigns, clauses = len(self.plan.campaigns), len(self.plan.clauses)
        out = score_columns(
            scores=count * campaigns + timers_room(self.plan), events=count,
            experts=self.plan.experts_max, campaigns=campaigns, clauses=clauses,
        )  # fmt: skip
        clauses_of = batch.columns.code_clauses
        room = timing(self.plan, clauses_of) if self.plan.timers else self._untimed
        self._registers[SCORES] = self._registers[MOMENTS] = 0
        if len(self._policies.campaign):
            self._triggers.reserve(int(self._registers[SLOT_COUNT]) + count)
        if is_kept(self._telling):
            self._told.reserve(int(self._registers[SLOT_COUNT]) + count)
        slots = reserve_slots(self._profiles, self._queues, self._registers, count)
        if slots is not self._queues:
            self._queues = slots
            fill_slot_table(self._profiles.view, slots, self._registers)
        if (seen := reserve_seen(self._queues, self._registers, count)) is not self._queues:
            self._queues = seen
            rebuild_table(seen, self._registers)
        before = NOTHING_SAID if served is None else served.said_before
        triggers = Triggers(
            self._policies, self._triggers.view, self._waiting, before, served is not None,
            new_fired(self._policies) if len(self._policies.campaign) else self._unfired,
            self._telling, self._told.view,
        )  # fmt: skip
        obedience = Obedience(self._state, self.plan, batch)
        rows, timed, fired_by, stop = Rows(), list[bytes](), list[str](), 0
        while True:  # Even of nothing: that compiles it.
            out, triggers = self._with_room(count - stop, out, room, triggers)
            stop = self._run(batch, stop, out, room, catching_up, rows, timed, triggers, fired_by)
            while stop in batch.controls:
                obedience.obey(stop, triggers, out)
                stop += 1
            if stop == count:
                scores, unpublished = int(self._registers[SCORES]), list[int]()
                if len(self._telling.share):
                    out, scores, unpublished = published_of(out, scores)
                return Folded(
                    batch, out, scores, rows, room.moments, timed, triggers.fired, fired_by,
                    obedience.finish(), unpublished)  # fmt: skip

    def _with_room(
        self, events: int, out: ScoreColumns, room: Timing, triggers: Triggers
    ) -> tuple[ScoreColumns, Triggers]:
        """Room for the scores of so many events; those of their timers get it as they need it."""
        registers, campaigns = self._registers, len(self.plan.campaigns)
        scores, timers = int(registers[SCORES]), timers_room(self.plan)
        if scores + events * campaigns + timers > len(out.event):
            size = scores + max(events * campaigns + timers, scores if timers else 0)
            out = more_scores(out, scores, size)
        opens = len(out.event) - scores
        outcomes = outcomes_room(self._policies, opens)
        sweep_heap(self._queues, registers, self._examples.view, opens)
        reserve_examples(self._examples, self._queues, registers, opens, outcomes)
        if timers:
            make_room(room.moments, int(registers[MOMENTS]) + timers)
            reserve_timers(self._profiles.view, self._queues, registers, 2 * timers)
        fired = more_fired(triggers, events, opens)
        return out, triggers._replace(fired=fired)

    def _run(
        self,
        batch: Batch,
        first: int,
        out: ScoreColumns,
        room: Timing,
        catching_up: bool,
        rows: Rows,
        timed: list[bytes],
        triggers: Triggers,
        fired_by: list[str],
    ) -> int:
        """Fold from `first` on; add the rows that closed and give where it went on to."""
        scored = int(self._registers[SCORES])
        stop = fold_events(
            self._profiles.view,
            self._examples.view,
            self._queues,
            self._registers,
            self.plan.arrays,
            self._serving.models,
            batch.columns,
            batch.texts,
            room if self.plan.timers else None,
            first,
            catching_up,
            self._scratch,
            triggers,
            out,
        )
        texts, admitted = batch.texts, first + np.flatnonzero(out.admitted[first:stop])
        slots = batch.columns.slot[admitted].tolist()
        self._customers.keep(slots, texts.text, texts.customer[admitted])
        fired = room.moments.slot[len(timed) : int(self._registers[MOMENTS])]
        if len(fired):
            timed += self._customers.read(self._profiles.view.name, fired)
        opened = scored + np.flatnonzero(out.place[scored : int(self._registers[SCORES])] >= 0)
        opened = opened[out.event[opened] < len(batch.rows)]  # A timer's have no event's id.
        places = out.place[opened].tolist()
        self._event_ids.keep(places, texts.text, texts.event[out.event[opened]])
        acted = triggers.fired.slot[len(fired_by) : int(triggers.fired.total[0])]
        fired_by += map(text_of, self._customers.read(self._profiles.view.name, acted))
        self._close_rows(rows)
        return stop

    def _close_rows(self, rows: Rows) -> None:
        closed = int(self._registers[CLOSED_COUNT])
        if not closed:
            return
        gone, examples = self._queues.closed[:closed], self._examples.view
        names = self._customers.read(self._profiles.view.name, examples.slot[gone])
        leavers = [text_of(name) for name in names]
        event_ids = [text_of(name) for name in self._event_ids.read(examples.event_id, gone)]
        self._writer.write(examples, gone, leavers, event_ids, rows)
        self._event_ids.forget(gone.tolist())
        free_closed(self._queues, self._registers, closed)
