"""One partition of events in a worker: its fold, its phase, and what leaves it.

Owns: the hops decode, score and encode of one partition, and the counting of records.
Never: polls or commits.
Source: ARCHITECTURE.md, "One event, six hops".
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consumer import metrics
from consumer.clock import Clock
from consumer.encoding import ScoreEncoder, encode_dead_letters
from consumer.folded_under import TailPiece
from consumer.logs import say
from consumer.meters import Histogram
from consumer.metrics import PROBABILITY_BOUNDS
from consumer.positions import Start
from consumer.snapshots.manifest import Moment
from consumer.telemetry import CampaignMeters, Telemetry
from consumer.transport import NO_TIMESTAMP, Outgoing, Partition, Position, Records
from consumer.trigger_output import TriggerEncoder, TriggerMeters
from models.batch import (
    DUPLICATE,
    LATE,
    NOT_ELIGIBLE,
    NOT_SCORED,
    OBEYED,
    OUTCOMES,
    STATUSES,
    SUPPRESSED,
    TAKEN,
)
from models.folded import Counts, Folded
from models.letter_limits import LetterLimits, LimitHit
from models.lifted import Lifted
from models.plan import Plan
from models.portrait import Portrait
from models.refusal import Refusal
from models.scorer import Scorer
from schemas.control import CONTROL_TYPES, OURS
from schemas.model_record import ModelRecord
from schemas.score import ScoreEntry
from schemas.settings import Settings

OBSERVED_MAX = 4096  # Of the scores of a batch: a backlog need not be seen to the last one.


class ScoringPartition:
    """Folds the records of one partition and says what to produce.

    Parameters
    ----------
    plan: the present campaign file.
    tail: what was committed and is folded again, in pieces of one campaign file each.
    moment: called between two hops of a batch, while the fold stands still.

    Attributes
    ----------
    again: of each piece of the tail, where it stops and the digest of its file.
    """

    def __init__(
        self,
        partition: Partition,
        start: Start,
        plan: Plan,
        settings: Settings,
        telemetry: Telemetry,
        clock: Clock,
        tail: Sequence[TailPiece] = (),
        moment: Callable[[], None] = lambda: None,
    ) -> None:
        self.partition = partition
        self._moment = moment
        self.start = start
        self.next_offset = start.origin
        self._topics = settings.topics
        self._clock = clock
        self._telemetry = telemetry
        self._meters = telemetry.partition(partition.index)
        self._obeyed = {
            name: telemetry.counter(
                metrics.CONTROL_FACTS, str(partition.index), name.removeprefix(OURS)
            )
            for name in CONTROL_TYPES
        }
        self._campaigns = [telemetry.campaign(name) for name in plan.campaigns]
        self._clauses = [clause.name for clause in plan.clauses]
        for campaign, meters in zip(plan.file.campaigns.values(), self._campaigns, strict=True):
            for clause in campaign.eligible:
                meters.not_eligible(clause.name, 0)  # Shown as 0, until there is somebody.
        self._probabilities = [
            None if campaign.predict == "value" else meters.probabilities
            for campaign, meters in zip(plan.file.campaigns.values(), self._campaigns, strict=True)
        ]
        self._encoder = ScoreEncoder(plan, *partition, by_campaign=settings.score_key == "campaign")
        self._triggers = TriggerEncoder(
            plan, settings.topics, partition.index, settings.trigger_format
        )
        self._trigger_meters = TriggerMeters(plan, telemetry)
        self._settings = settings
        self._plan = plan
        self._tail = deque(tail)
        self.again = tuple((piece.stop, piece.plan.digest) for piece in tail)
        self._models: dict[str, ModelRecord] = {}
        self._scorer = self._new_scorer()
        limits = settings.limits
        self._letters = LetterLimits(
            limits.dead_letters_consecutive_max,
            limits.dead_letters_window,
            limits.dead_letters_share_max,
        )
        self.too_many_letters: LimitHit | None = None
        self.restored_at: int | None = None
        self._last_counts = self._scorer.counts
        self._last_ignored: dict[tuple[str, str], int] = {}

    def _new_scorer(self) -> Scorer:
        """An empty fold under the file of what comes next."""
        plan, settings = self._tail[0].plan if self._tail else self._plan, self._settings
        limits = plan.limits
        if plan is self._plan:  # The settings decide; a tail has those that it was folded under.
            limits = replace(
                limits,
                record_bytes_max=settings.limits.record_bytes_max,
                keys_strict=settings.keys == "strict",
            )
        return Scorer(
            plan,
            self.partition.index,
            record_bytes_max=limits.record_bytes_max,
            keys_strict=limits.keys_strict,
        )

    @property
    def position(self) -> Position:
        """What to commit: the next offset, with the note that a restart needs."""
        return Position(max(self.next_offset, self.start.committed), self.start.note)

    @property
    def rebuilds(self) -> bool:
        """Whether records that were committed earlier are still being read again."""
        return self.next_offset < self.start.committed

    @property
    def counts(self) -> Counts:
        """What the fold holds."""
        return self._scorer.counts

    @property
    def open_by_campaign(self) -> dict[str, int]:
        """How many examples wait for their outcome, by campaign."""
        return self._scorer.open_by_campaign

    @property
    def state_bytes(self) -> int:
        """What the fold's state takes."""
        return self._scorer.state_bytes

    def portrait(self, customer: str, terms_max: int) -> tuple[Portrait, list[ScoreEntry]] | None:
        """A customer of this partition, with the scores that would be published now; or None."""
        live = self.start.sends_scores(self.next_offset)
        found = self._scorer.portrait(customer, catching_up=not live, terms_max=terms_max)
        return None if found is None else (found, self._encoder.entries_of(found))

    def go_on(self) -> None:
        """Take the partition up again, at the offset that is committed; somebody has looked."""
        self.too_many_letters = None
        self.start = replace(self.start, committed=self.next_offset)
        self._meters = self._telemetry.partition(self.partition.index)

    def moment(self, output_ends: dict[str, int]) -> Moment:
        """What a snapshot of the fold is of; everything folded was committed."""
        return Moment(
            topic=self.partition.topic,
            partition=self.partition.index,
            next_offset=self.next_offset,
            note=self.start.note,
            configuration=self._plan.digest,
            clock_ms=self.counts.clock_ms,
            output_ends=output_ends,
        )

    def lift(self) -> Lifted:
        """The state of its folds; nothing may be folded while this is held."""
        events, letters = self._scorer.lift(), self._letters.lift()
        return Lifted({**events.arrays, **letters.arrays}, {**events.facts, **letters.facts})

    def room(self, name: str, shape: tuple[int, ...], kind: np.dtype[Any]) -> NDArray[Any] | None:
        """Memory into which a snapshot's array may be loaded, before `restore`; see `Scorer`."""
        return self._scorer.room(name, shape, kind)

    def restore(self, lifted: Lifted, next_offset: int) -> None:
        """Become what was lifted before this offset."""
        self._letters.restore(lifted)
        self._restore(lifted)
        self._last_counts = self._scorer.counts
        self.next_offset = self.restored_at = next_offset

    def _restore(self, lifted: Lifted) -> None:
        for campaign, amount in self._scorer.restore(lifted).items():
            self._telemetry.campaign(campaign).dropped("superseded", amount)
            say("examples_dropped", partition=str(self.partition), campaign=campaign,
                examples=amount)  # fmt: skip

    def _follow_file(self, offset: int) -> None:
        """Fold what is at this offset under the file under which it was folded, or is to be."""
        while self._tail and offset >= self._tail[0].stop:
            was = self._tail.popleft().plan
            if (self._tail[0].plan if self._tail else self._plan) is not was:
                lifted = self._scorer.lift()
                self._scorer = self._new_scorer()
                self._last_ignored = {}
                self._restore(lifted)
                for record in self._models.values():
                    self._scorer.install(record)

    def install(self, record: ModelRecord) -> bool:
        """Serve a model from the next batch on."""
        self._models[record.campaign] = record
        return self._scorer.install(record)

    def uninstall(self, campaign: str) -> bool:
        """Serve no model of a campaign from the next batch on."""
        self._models.pop(campaign, None)
        return self._scorer.uninstall(campaign)

    def fold(self, records: Records) -> list[Outgoing]:
        """Fold a batch, cut where the phase changes, and give what leaves."""
        rebuilt = self.rebuilds
        outgoing: list[Outgoing] = []
        for piece in self._phases(records):
            outgoing += self._fold(piece)
        if rebuilt and not self.rebuilds:
            self._follow_file(self.next_offset)
            say("partition_goes_on", partition=str(self.partition), offset=self.start.committed)
        return outgoing

    def _phases(self, records: Records) -> Iterable[Records]:
        first = 0
        while first < len(records):
            offset = records.offsets[first]
            self._follow_file(offset)
            edges = [self.start.boundary_after(offset), *(piece.stop for piece in self._tail)]
            stop = bisect_left(records.offsets, min(filter(None, edges), default=1 << 63))
            yield records.cut(first, stop)
            first = stop

    def _fold(self, records: Records) -> list[Outgoing]:
        offset = records.offsets[0]
        live = self.start.sends_scores(offset)
        begun_s = self._clock.monotonic_s()
        batch = self._scorer.read(
            records.offsets, records.timestamps_ms, records.keys, records.values
        )
        self._moment()
        decoded_s = self._clock.monotonic_s()
        served = self._tail[0].served if self._tail and self.start.was_served(offset) else None
        folded = self._scorer.fold_batch(batch, catching_up=not live, served=served)
        if served is not None:
            self._telemetry.served_unknown.add(self._scorer.serve_again(folded, served))
        scored_s = self._clock.monotonic_s()
        self._telemetry.hops["decode"].observe(decoded_s - begun_s)
        self._telemetry.hops["score"].observe(scored_s - decoded_s)
        self.next_offset = records.offsets[-1] + 1
        self._moment()
        hits = self._letters.take(records.offsets, [each.row for each in folded.batch.refused])
        if not self.start.sends_rows(offset):
            return []  # Hits too were judged in their time.
        self._count(records, folded)
        if hits and self.too_many_letters is None:
            self.too_many_letters = hits[0]
        outgoing: list[Outgoing] = []
        if live:
            outgoing += self._encoder.leaving(folded, self._topics.scores)
            self._moment()
            if folded.score_count:
                self._observe_latency(records, folded)
                _observe_probabilities(folded, self._probabilities)
            self._trigger_meters.count(folded)
            outgoing += self._triggers.encode(folded)
        if folded.rows:
            rows = folded.rows
            outgoing.append(Outgoing(self._topics.examples, None, rows.keys, rows.values))
        if folded.batch.refused:
            outgoing.append(
                encode_dead_letters(self._topics.dead_letters, records, folded.batch.refused)
            )
        self._telemetry.hops["encode"].observe(self._clock.monotonic_s() - scored_s)
        return outgoing

    def _observe_latency(self, records: Records, folded: Folded) -> None:
        stamps = np.array(records.timestamps_ms)[folded.batch.rows[folded.scored]]
        stamps = stamps[stamps != NO_TIMESTAMP]
        if len(stamps):
            self._telemetry.score_latency((self._clock.now_ms() - stamps) / 1000.0)

    def _count(self, records: Records, folded: Folded) -> None:
        outcomes = np.bincount(folded.scores.outcome, minlength=OUTCOMES)
        meters = self._meters
        meters.taken.add(int(outcomes.sum() - outcomes[DUPLICATE]))
        meters.duplicates.add(int(outcomes[DUPLICATE]))
        meters.dead_letters.add(len(folded.batch.refused))
        meters.late.add(int(outcomes[LATE]))
        meters.not_scored.add(int(outcomes[NOT_SCORED]))
        meters.not_eligible.add(int(outcomes[NOT_ELIGIBLE]))
        meters.suppressed.add(int(outcomes[SUPPRESSED]))
        meters.scored.add(int(outcomes[TAKEN]))
        for row, fact in folded.batch.controls.items():
            self._obeyed[fact.type].add(int(folded.scores.outcome[row] == OBEYED))
        for (index, reason), amount in folded.withdrawn.items():
            self._campaigns[index].dropped(reason, amount)
        meters.timers_fired.add(len(folded.timed))
        self._count_refused(records, folded.batch.refused)
        _count_scores(folded, self._campaigns)
        for index, clause in np.argwhere(folded.scores.ineligible).tolist():
            amount = int(folded.scores.ineligible[index, clause])
            self._campaigns[index].not_eligible(self._clauses[clause], amount)
        for index, converted in zip(folded.rows.campaigns, folded.rows.converted, strict=True):
            campaign = self._campaigns[index]
            (campaign.converted if converted else campaign.not_converted).add()

    def _count_refused(self, records: Records, refused: list[Refusal]) -> None:
        for refusal in refused:
            self._telemetry.dead_letter(refusal.stage, refusal.error.field)
        for refusal in refused[:1]:
            key, error = records.keys[refusal.row], refusal.error
            say("records_refused", partition=str(self.partition), records=len(refused),
                offset=records.offsets[refusal.row], stage=refusal.stage, field=error.field,
                reason=error.reason,
                customer=None if key is None else key.decode("utf-8", "replace"))  # fmt: skip

    def measure(self) -> None:
        """Bring the gauges and the counters of bounds up to date."""
        counts, last = self._scorer.counts, self._last_counts
        self._meters.examples_open.set(counts.open_examples)
        self._meters.profiles.set(counts.profiles)
        self._meters.examples_overdue.set(self._scorer.overdue(self._clock.now_ms()))
        self._meters.timers_overdue.set(self._scorer.overdue_timers(self._clock.now_ms()))
        if counts.timers_passed > last.timers_passed:
            self._meters.timers_passed.add(counts.timers_passed - last.timers_passed)
        if counts.clock_ms is not None:
            self._meters.event_clock(counts.clock_ms)
        if counts.evicted > last.evicted:
            self._telemetry.evicted("profiles_max", counts.evicted - last.evicted)
        if counts.ids_dropped > last.ids_dropped:
            self._telemetry.evicted("seen_ids_max", counts.ids_dropped - last.ids_dropped)
        if counts.throttled > last.throttled:
            self._telemetry.limit_hit("open_examples_max", counts.throttled - last.throttled)
        self._last_counts = counts
        ignored = self._scorer.ignored
        for (name, reason), amount in ignored.items():
            more = amount - self._last_ignored.get((name, reason), 0)
            if more and reason == "value_clipped":
                self._telemetry.values_clipped.add(more)
            elif more:
                self._telemetry.property_ignored(name, more)
        self._last_ignored = ignored
        whole = self.start.committed - self.start.origin
        done = (self.next_offset - self.start.origin) / whole if self.rebuilds else 1.0
        self._meters.rebuild_progress.set(done)


def _observe_probabilities(folded: Folded, meters: list[Histogram | None]) -> None:
    """Observe what was published: all campaigns of a batch at once, for they are many."""
    count = min(folded.score_count, OBSERVED_MAX)
    campaign = folded.scores.campaign[:count].astype(np.int64)
    served = folded.scores.served[:count]
    width = len(PROBABILITY_BOUNDS) + 1
    cells = campaign * width + np.searchsorted(PROBABILITY_BOUNDS, served, side="left")
    counts = np.bincount(cells, minlength=len(meters) * width).reshape(-1, width)
    totals = np.bincount(campaign, served, minlength=len(meters))
    for index in np.flatnonzero(counts.any(axis=1)):
        meter = meters[index]
        if meter is not None:
            meter.observe_counted(counts[index].tolist(), float(totals[index]))


def _count_scores(folded: Folded, campaigns: list[CampaignMeters]) -> None:
    scores, count = folded.scores, folded.score_count
    kinds = scores.campaign[:count].astype(np.int64) * len(STATUSES) + scores.status[:count]
    for kind, amount in enumerate(np.bincount(kinds).tolist()):
        if amount:
            campaign, status = divmod(kind, len(STATUSES))
            campaigns[campaign].scores[STATUSES[status]].add(amount)
    for campaign, amount in enumerate(folded.unpublished):
        campaigns[campaign].unchanged.add(amount)
    opened = scores.campaign[:count][scores.place[:count] >= 0]
    for campaign, amount in enumerate(np.bincount(opened).tolist()):
        if amount:
            campaigns[campaign].examples_opened.add(amount)
