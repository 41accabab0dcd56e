"""When partitions are snapshotted: one after another, each at an offset just committed.

Owns: whose turn it is, and withholding a partition while its state is copied.
Never: copies or writes; `snapshots` does. A failure is counted and said, never raised.
Source: ARCHITECTURE.md, "Snapshots".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from consumer.clock import Clock
from consumer.deadline import STORE_MAX_S
from consumer.holds import Holds
from consumer.logs import say
from consumer.scoring import ScoringPartition
from consumer.snapshots.snapshots import Snapshots
from consumer.snapshots.writing import Outcome, Written
from consumer.telemetry import Telemetry
from consumer.transport import Partition, Transport

AGAIN_S = 1.0  # After one that could not begin: a commit's answer may be on its way.
WRITTEN_BYTES_PER_S = 100e6  # At the stop: a state that would take longer is left to the tail.


class SnapshotRounds:
    """Snapshots every partition once an interval, spread over it; with 0, only at the stop.

    `before_commit` is called when everything folded is about to be committed, `after_commit` when
    it is, and `step` in every turn. Where a commit's answer is not waited for, it `asks` the group
    what is committed.

    Where the scores of a partition end is asked before the commit, and the commit proves that the
    partition was still ours then. Asked afterwards, by a worker that hung and was replaced, the
    end would lie behind scores of its successor, which nobody would read back.
    """

    def __init__(
        self,
        snapshots: Snapshots,
        interval_s: float,
        *,
        transport: Transport,
        scores_topic: str,
        asks: bool,
        holds: Holds,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._snapshots = snapshots
        self._interval_s = interval_s
        self._again_s = min(interval_s, AGAIN_S)
        self._transport = transport
        self._scores_topic = scores_topic
        self._asks = asks
        self._holds = holds
        self._clock = clock
        self._telemetry = telemetry
        self._due_s: dict[Partition, float] = {}
        self._offsets: dict[Partition, int] = {}  # of the newest snapshot
        self._ends: dict[Partition, dict[str, int]] = {}  # of outputs, for the commit that comes
        self._copying: Partition | None = None
        self._give_up_s: float | None = None

    @property
    def copying(self) -> bool:
        """Whether a partition waits for the next chunk to be copied."""
        return self._copying is not None

    def add(self, partition: Partition, offset: int | None) -> None:
        """A partition begins to be ours; its newest snapshot is of this offset."""
        share = (len(self._due_s) % 16 + 1) / 16
        self._due_s[partition] = self._clock.monotonic_s() + share * self._interval_s
        if offset is not None:
            self._offsets[partition] = offset

    def forget(self, partition: Partition) -> None:
        """A partition is ours no longer."""
        self._due_s.pop(partition, None)
        self._offsets.pop(partition, None)
        self._ends.pop(partition, None)
        if self._copying == partition:
            self._copying = None
            self._snapshots.abandon(f"{partition} went to another worker")

    def before_commit(self, scoring: Mapping[Partition, ScoringPartition]) -> list[Partition]:
        """Prepare the partition that has waited longest, if its time has come: it is committed."""
        now_s = self._clock.monotonic_s()
        if not self._interval_s or self._snapshots.busy or not self._due_s:
            return []
        partition = min(self._due_s, key=self._due_s.__getitem__)
        if now_s < self._due_s[partition]:
            return []
        self._due_s[partition] = now_s + self._again_s
        return self._prepared([partition], scoring)

    def after_commit(self, scoring: Mapping[Partition, ScoringPartition]) -> None:
        """Begin with the partition that was prepared."""
        for partition in list(self._ends):
            if self._begin(partition, scoring):
                self._due_s[partition] = self._clock.monotonic_s() + self._interval_s
                self._copying = partition
                self._holds.hold(partition, "snapshot")
                self.step()

    def step(self) -> None:
        """Copy a chunk of the one on its way, and take note of its outcome."""
        if self._copying is not None:
            begun_s = self._clock.monotonic_s()
            copied = self._snapshots.step()
            self._telemetry.snapshot_pause.observe(self._clock.monotonic_s() - begun_s)
            if copied:
                self._holds.release(self._copying, "snapshot")
                self._copying = None
        self._note(self._snapshots.poll())

    def before_stop(self, scoring: Mapping[Partition, ScoringPartition]) -> list[Partition]:
        """Prepare whatever has something new, before the last commit."""
        return self._prepared(sorted(self._due_s), scoring)

    def stop(self, scoring: Mapping[Partition, ScoringPartition]) -> None:
        """After the last commit: write what can be written in a moment, and finish."""
        self._give_up_s = self._clock.monotonic_s() + STORE_MAX_S
        self._note(self._snapshots.finish(self._left_s))
        for partition in list(self._ends):
            left_s = self._left_s
            held = scoring.get(partition)
            if held is None or held.state_bytes > left_s * WRITTEN_BYTES_PER_S:
                continue
            if self._begin(partition, scoring):
                self._note(self._snapshots.finish(self._left_s))

    def close(self) -> None:
        """Give up what is on its way."""
        self._snapshots.close(self._left_s)

    @property
    def _left_s(self) -> float:
        """What is left of the time that the store has after we were told to stop."""
        if self._give_up_s is None:
            return STORE_MAX_S
        return max(0.0, self._give_up_s - self._clock.monotonic_s())

    def _prepared(
        self, partitions: Iterable[Partition], scoring: Mapping[Partition, ScoringPartition]
    ) -> list[Partition]:
        """Those of which there is something new; where their scores end by now is kept."""
        self._ends.clear()
        for partition in partitions:
            held = scoring.get(partition)
            if held is None or held.rebuilds or self._offsets.get(partition) == held.next_offset:
                continue
            scores = Partition(self._scores_topic, partition.index)
            self._ends[partition] = {self._scores_topic: self._transport.bounds(scores).high}
        return list(self._ends)

    def _begin(self, partition: Partition, scoring: Mapping[Partition, ScoringPartition]) -> bool:
        """Begin with one that was prepared, if what it holds is committed."""
        ends, held = self._ends.pop(partition), scoring[partition]
        if self._asks:
            position = self._transport.committed([partition])[partition]
            if position is None or position.offset != held.next_offset:
                return False
        self._snapshots.begin(held.moment(ends), held.lift())
        self._offsets[partition] = held.next_offset
        return True

    def _note(self, outcome: Outcome | None) -> None:
        if outcome is None:
            return
        if isinstance(outcome, Written):
            moment = outcome.manifest.moment
            self._telemetry.snapshot_written(
                moment.partition, outcome.size_bytes, outcome.seconds, self._clock.now_ms()
            )
            say("snapshot_written", partition=str(Partition(moment.topic, moment.partition)),
                offset=moment.next_offset, bytes=outcome.size_bytes,
                seconds=round(outcome.seconds, 3))  # fmt: skip
            return
        moment = outcome.moment
        partition = Partition(moment.topic, moment.partition)
        if self._offsets.get(partition) == moment.next_offset:
            del self._offsets[partition]
        self._telemetry.snapshots_failed.add()
        say("snapshot_failed", partition=str(partition), offset=moment.next_offset,
            problem=outcome.problem)  # fmt: skip
