"""Bringing a partition's fold to its committed offset: a snapshot, then what came after it.

Owns: which snapshot is taken, what is read back, and when nothing may be guessed.
Never: works longer than a bounded step at a time, or folds; the tail is folded by the loop.
Source: ARCHITECTURE.md, "Recovery".
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

import msgspec

from consumer.errors import WorldError
from consumer.logs import log
from consumer.other_topics import ANOTHER_TOPIC
from consumer.positions import Start, first_offset, first_start, later_start
from consumer.scoring import ScoringPartition
from consumer.snapshots.manifest import UnusableSnapshotError
from consumer.surroundings import Surroundings
from consumer.transport import (
    Bounds,
    Partition,
    Position,
    Records,
    TopicIdentity,
    Transport,
)
from models.served_again import ServedAgain
from schemas.score import ScoreRecord, decode_score


class Recovery:
    """Recovers one partition of events; `step` until it says that the tail can be folded.

    Parameters
    ----------
    position: what was committed, if anything was.
    topic: who the partition's topic is now.

    Raises, at any step
    -------------------
    WorldError: the fold cannot be what it was, and nobody said to go on all the same.
    """

    def __init__(
        self,
        partition: Partition,
        position: Position | None,
        *,
        topic: TopicIdentity,
        transport: Transport,
        around: Surroundings,
    ) -> None:
        self.partition = partition
        self.position = position
        self._topic = topic
        self._transport = transport
        self._around = around
        self._scores = Partition(around.settings.topics.scores, partition.index)
        self._plan = around.plan
        self._snapshots = around.snapshots
        self._scoring: ScoringPartition | None = None
        self.progress = 0.0
        self._steps = self._run()

    def step(self) -> bool:
        """Do a bounded piece; True when it is done."""
        return next(self._steps, True)

    @property
    def scoring(self) -> ScoringPartition:
        """The partition, its fold at a snapshot's offset or at the beginning of its history."""
        assert self._scoring is not None, "not yet recovered"
        return self._scoring

    def _run(self) -> Iterator[bool]:
        if self.position is None:
            self._scoring = self._first()
            return
        bounds = self._transport.bounds(self.partition)
        start = later_start(self.position, bounds, self._topic)
        self._refuse_gap(self.position.offset, bounds)
        yield False
        scores_from = yield from self._from_snapshot(start)
        if scores_from is None:
            self._refuse_lost_history(start, bounds)
            self._scoring = self._make(start)
            scores_from = 0
        self._pass_over_lost_tail()
        if self.scoring.next_offset < start.committed:
            yield from self._read_back(scores_from, self.position.offset)
            log().info("a partition is read again before it goes on; nothing of that leaves",
                       partition=str(self.partition), first=self.scoring.next_offset,
                       goes_on_at=start.committed)  # fmt: skip

    def _first(self) -> ScoringPartition:
        """A partition that was never committed."""
        self._refuse_snapshot_without_offset()
        settings = self._around.settings
        bounds = self._transport.bounds(self.partition)
        origin = first_offset(self._transport, self.partition, settings.start_from)
        start = first_start(origin, bounds, settings.publish_from, self._topic)
        log().info("a partition is read for the first time", partition=str(self.partition),
                   first=start.origin, published_from=start.publish)  # fmt: skip
        return self._make(start)

    def _make(self, start: Start) -> ScoringPartition:
        around = self._around
        return ScoringPartition(
            self.partition, start, around.plan, around.settings, around.telemetry, around.clock
        )

    def _from_snapshot(self, start: Start) -> Generator[bool, None, int | None]:
        """Restore the newest that can be used; give the score topic's end at its time, or None."""
        if self._snapshots is None:
            return None
        topic, index = self.partition
        for manifest in self._snapshots.newest(topic, index, not_after=start.committed):
            if manifest.moment.note != start.note:
                log().warning("a snapshot is of another life of the topic and is left alone",
                              partition=str(self.partition),
                              offset=manifest.moment.next_offset)  # fmt: skip
                continue
            scoring = self._make(start)
            loading = self._snapshots.load(manifest, scoring.room)
            try:
                for done in loading:
                    self.progress = done.done_bytes / max(1, done.all_bytes)
                    yield False
            except UnusableSnapshotError as error:
                log().warning("a snapshot cannot be used", problem=error.problem)
                continue
            scoring.restore(loading.lifted, manifest.moment.next_offset)
            self._scoring = scoring
            log().info("a partition was restored from a snapshot", partition=str(self.partition),
                       offset=manifest.moment.next_offset,
                       file_changed=manifest.moment.configuration != self._plan.digest
                       )  # fmt: skip
            return manifest.moment.output_ends.get(self._scores.topic, 0)
        return None

    def _read_back(self, scores_from: int, committed: int) -> Iterator[bool]:
        """Read what was served of the events of the tail, from our own output."""
        served = ServedAgain(self._plan)
        bounds = self._transport.bounds(self._scores)
        first = min(max(scores_from, bounds.low), bounds.high)
        tail = range(self.scoring.next_offset, committed)
        for records in self._transport.read(self._scores, first, bounds.high):
            served.add(
                score
                for score in scores_of(records)
                if score.source.offset in tail
                and (score.source.topic, score.source.partition) == self.partition
            )
            self._refuse_more(len(served))
            yield False
        self.scoring.served = served

    def _refuse_snapshot_without_offset(self) -> None:
        if self._snapshots is None or self._around.rebuild:
            return
        found = next(self._snapshots.newest(*self.partition, not_after=(1 << 63) - 1), None)
        if found is not None:
            raise WorldError(
                f"{self.partition} has a snapshot of offset {found.moment.next_offset}, and the "
                "group has no committed offset for it: what was published since is not known",
                "Is `group` right, and were its offsets kept (`offsets.retention.minutes`)? "
                "`propensity run --rebuild` begins anew from `start_from`",
            )

    def _refuse_more(self, count: int) -> None:
        most = self._around.settings.limits.served_again_max
        if count > most:
            raise WorldError(
                f"{self.partition} has served more than {most} predictions since the snapshot that "
                "it is recovered from: they would take more memory than is allowed",
                "Raise `limits: {served_again_max: …}` (33 bytes each, 49 with "
                "experts), and snapshot more often (`snapshots: {interval: …}`)",
            )

    def _refuse_gap(self, offset: int, bounds: Bounds) -> None:
        if offset > bounds.high:
            raise WorldError(
                f"{self.partition} was committed at {offset} and ends at {bounds.high}: it is "
                "another topic now, or has lost records",
                ANOTHER_TOPIC,
            )
        if offset < bounds.low and not self._around.rebuild:
            raise WorldError(
                f"{self.partition} was committed at {offset}, and the log begins at {bounds.low}: "
                f"{bounds.low - offset} records are gone unread",
                "Keep events longer than the worker may stand still; `propensity run --rebuild` "
                "goes on without them",
            )

    def _refuse_lost_history(self, start: Start, bounds: Bounds) -> None:
        """Without a snapshot the history must be there from its beginning."""
        if start.history_origin >= bounds.low or self._around.rebuild:
            return
        raise WorldError(
            f"{self.partition} has no snapshot that can be used, and its history from offset "
            f"{start.history_origin} is only kept from {bounds.low}: profiles would be incomplete",
            "Look for the snapshots (`snapshots: {url: …}`, shared by all hosts); "
            "`propensity run --rebuild` goes on with what is left",
        )

    def _pass_over_lost_tail(self) -> None:
        """Between a snapshot and the committed offset nothing may be missing either."""
        offset, low = self.scoring.next_offset, self._transport.bounds(self.partition).low
        if offset < low and not self._around.rebuild:
            raise WorldError(
                f"{self.partition} has no snapshot that can be used after offset {offset}, and its "
                f"history is only kept from {low}: profiles would be incomplete",
                "Look for newer snapshots (`snapshots: {url: …}`, shared by all hosts); "
                "`propensity run --rebuild` goes on with what is left",
            )
        self.scoring.next_offset = max(offset, low)


def scores_of(records: Records) -> Iterator[ScoreRecord]:
    """The score records among them; others (a user's own, say) are none of ours."""
    for value in records.values:
        if value is not None:
            try:
                yield decode_score(value)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
