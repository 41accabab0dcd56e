"""Bringing a partition's fold to its committed offset: a snapshot, then what came after it.

Owns: which snapshot is taken, what is read back, and when nothing may be guessed.
Never: works longer than a bounded step at a time, or folds; the tail is folded by the loop.
Source: ARCHITECTURE.md, "Recovery".
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace

from consumer.folded_under import KeptFiles, TailPiece
from consumer.logs import say
from consumer.lost_history import (
    refuse_beyond_end,
    refuse_gap,
    refuse_lost_start,
    refuse_lost_tail,
    uncommitted,
)
from consumer.positions import Start, first_offset, first_start, later_start, published_of
from consumer.score_tail import GONE, Published, ScoreTail
from consumer.scoring import ScoringPartition
from consumer.snapshots.manifest import UnusableSnapshotError
from consumer.snapshots.store import in_words
from consumer.surroundings import Surroundings
from consumer.transport import (
    Partition,
    Position,
    TopicIdentity,
    Transport,
)


class Recovery:
    """Recovers one partition of events; `step` until it says that the tail can be folded.

    Parameters
    ----------
    position: what was committed, if anything was.
    topic, scores: who the partition's topic is now, and that of its scores.
    files: the campaign files of the group.

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
        scores: TopicIdentity,
        transport: Transport,
        around: Surroundings,
        files: KeptFiles,
    ) -> None:
        self.partition = partition
        self.position = position
        self._topic = topic
        self._transport = transport
        self._around = around
        self._scores = scores
        self._plan = around.plan
        self._snapshots = around.snapshots
        self._files = files
        self._tail: list[TailPiece] = []
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
        refuse_beyond_end(self.partition, self.position.offset, bounds)
        if not self._around.rebuild:
            refuse_gap(self.partition, self.position.offset, bounds)
        yield False
        published = start.published
        start = replace(start, published=self._published_from_now(published))
        self._say_change(start)
        snapshotted = yield from self._from_snapshot(start)
        if snapshotted is None:
            if not self._around.rebuild:
                refuse_lost_start(self.partition, start, bounds)
            say("partition_without_snapshot", partition=str(self.partition), first=start.origin)
            self._scoring = yield from self._made(start, start.origin)
        self._pass_over_lost_tail()
        yield from self._read_back(start, snapshotted or published)
        if self.scoring.next_offset < start.committed:
            say("partition_read_again", partition=str(self.partition),
                first=self.scoring.next_offset, goes_on_at=start.committed)  # fmt: skip

    def _say_change(self, start: Start) -> None:
        former = start.files[-1].digest if start.files else self._plan.digest
        if former != self._plan.digest:
            say("campaign_file_changed", partition=str(self.partition), offset=start.committed,
                digest=self._plan.digest, former=former)  # fmt: skip

    def _published_from_now(self, published: Published) -> Published:
        """Where scores lie from now on; with `--rebuild` nobody asks for earlier ones again."""
        now = published.to(self._scores)
        if now.first != GONE or not self._around.rebuild:
            return now
        return now._replace(first=self._transport.bounds(self._scores_of_ours).high)

    @property
    def _scores_of_ours(self) -> Partition:
        return Partition(self._scores.name, self.partition.index)

    def _read_back(self, start: Start, published: Published) -> Iterator[bool]:
        """Read what was served of the events of the tail, from our own output."""
        tail = range(max(self.scoring.next_offset, start.publish), start.committed)
        if not tail:
            return
        scores = ScoreTail(
            self.partition,
            published,
            self._scores,
            transport=self._transport,
            most=self._around.settings.limits.served_again_max,
        )
        if not self._around.rebuild:
            scores.refuse_lost(tail)
        for _ in scores.read(tail.start, self._tail):
            yield False

    def _first(self) -> ScoringPartition:
        """A partition that was never committed."""
        self._refuse_snapshot_without_offset()
        settings = self._around.settings
        bounds = self._transport.bounds(self.partition)
        origin = first_offset(self._transport, self.partition, settings.start_from)
        published = Published(self._scores.id, self._transport.bounds(self._scores_of_ours).high)
        start = first_start(origin, bounds, settings.publish_from, self._topic, published)
        say("partition_first_read", partition=str(self.partition), first=start.origin,
            published_from=start.publish)  # fmt: skip
        return self._make(start, start.origin)

    def _made(self, start: Start, first: int) -> Generator[bool, None, ScoringPartition]:
        """A partition whose fold begins at this offset; waits for a store that does not answer."""
        said = False
        while True:
            try:
                return self._make(start, first)
            except OSError as error:
                if not said:
                    say("campaign_file_unread", partition=str(self.partition),
                        problem=in_words(error))  # fmt: skip
                said = True
                yield False

    def _make(self, start: Start, first: int) -> ScoringPartition:
        """A partition whose fold begins at this offset, under the files of its tail."""
        around = self._around
        self._tail = self._files.pieces(
            start.files, first, start.committed, patient=not around.rebuild
        )
        return ScoringPartition(
            self.partition,
            start.under(around.plan.digest),
            around.plan,
            around.settings,
            around.telemetry,
            around.clock,
            self._tail,
            around.questions.answer,
        )

    def _from_snapshot(self, start: Start) -> Generator[bool, None, Published | None]:
        """Restore the newest that can be used; say where scores lie from its time on, or None."""
        if self._snapshots is None:
            return None
        topic, index = self.partition
        for manifest in self._snapshots.newest(topic, index, not_after=start.committed):
            if not start.is_of_this_life(manifest.moment.note):
                say("snapshot_foreign", partition=str(self.partition),
                    offset=manifest.moment.next_offset)  # fmt: skip
                continue
            scoring = yield from self._made(start, manifest.moment.next_offset)
            loading = self._snapshots.load(manifest, scoring.room)
            try:
                for done in loading:
                    self.progress = done.done_bytes / max(1, done.all_bytes)
                    yield False
            except UnusableSnapshotError as error:
                say("snapshot_unusable", partition=str(self.partition), problem=error.problem)
                continue
            try:
                scoring.restore(loading.lifted, manifest.moment.next_offset)
            except (ValueError, LookupError) as error:
                say("snapshot_layout", partition=str(self.partition), problem=str(error),
                    offset=manifest.moment.next_offset)  # fmt: skip
                continue
            self._scoring = scoring
            say("partition_restored", partition=str(self.partition),
                offset=manifest.moment.next_offset,
                file_changed=manifest.moment.configuration != self._plan.digest)  # fmt: skip
            end = manifest.moment.output_ends.get(self._scores.name, GONE)
            return published_of(manifest.moment.note)._replace(first=end)
        return None

    def _refuse_snapshot_without_offset(self) -> None:
        if self._snapshots is None or self._around.rebuild:
            return
        found = next(self._snapshots.newest(*self.partition, not_after=(1 << 63) - 1), None)
        if found is not None:
            raise uncommitted(self.partition, found.moment.next_offset)

    def _pass_over_lost_tail(self) -> None:
        """Between a snapshot and the committed offset nothing may be missing either."""
        offset, low = self.scoring.next_offset, self._transport.bounds(self.partition).low
        if not self._around.rebuild:
            refuse_lost_tail(self.partition, offset, low)
        self.scoring.next_offset = max(offset, low)
