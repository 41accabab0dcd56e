"""Which files a partition's fold was folded under, and what an uninterrupted fold makes of that.

Owns: the history of every fold and of every snapshot, and what was due by those that committed.
Never: asks when models were learned; a history says all that a fold's other outputs depend on.
Source: ARCHITECTURE.md, "Recovery"; docs/contract.md, "Changing the campaign file".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Self

from consumer.clock import FixedClock
from consumer.positions import Start
from consumer.scoring import ScoringPartition
from consumer.snapshots.loading import Loading, Rooms, no_rooms
from consumer.snapshots.manifest import Manifest, Moment
from consumer.snapshots.names import MANIFEST, generation_prefix
from consumer.snapshots.snapshots import Snapshots
from consumer.telemetry import Telemetry
from consumer.transport import NO_HEADERS, Headers, Partition, Position, Records
from consumer.worker import Worker
from models.lifted import Lifted
from models.plan import Plan
from schemas.dead_letter import PREFIX
from schemas.example import decode_example
from schemas.score import decode_score
from schemas.settings import Settings
from tests.simulation.faults import HarmedStore
from tests.simulation.quiet_campaigns import loud
from tests.simulation.reference import Due, Letter, Reference, RowKey, due_of, row_facts, row_key
from tests.simulation.traffic import Traffic
from tests.world import BEGIN_MS


class Segment(NamedTuple):
    """A piece of a fold's life: the records [first, stop) under one of the seed's files."""

    file: int
    first: int
    stop: int | None = None


History = tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Outputs:
    """All that a fold of this history makes of its partition; rows and letters with the offset."""

    due: list[Due]
    rows: list[tuple[int, RowKey, tuple[object, ...]]]
    letters: list[tuple[int, Letter]]


class NotedSnapshots(Snapshots):
    """Snapshots that tell which history they are of."""

    histories: Histories
    files: HarmedStore

    def begin(self, moment: Moment, lifted: Lifted) -> None:
        partition = Partition(moment.topic, moment.partition)
        self.begun = self.histories.now.get((id(self), partition), ())
        super().begin(moment, lifted)

    def load(self, manifest: Manifest, rooms: Rooms = no_rooms) -> Loading:
        topic, index = manifest.moment.topic, manifest.moment.partition
        prefix = generation_prefix(self.group, topic, index, manifest.moment.next_offset)
        data = self.files.files.get(prefix + MANIFEST, b"")
        self.histories.loaded[id(self), Partition(topic, index)] = data
        return super().load(manifest, rooms)


class Histories:
    """The histories of a seed, and what is due by those under which its offsets were committed.

    `expected` grows with the committed offsets.
    """

    def __init__(self, traffic: Traffic, settings: Settings, plans: list[Plan]) -> None:
        self._settings = settings
        self._plans = [loud(plan) for plan in plans]
        self.expected = Reference([[] for _ in range(traffic.partitions)], {}, Counter())
        self.now: dict[tuple[int, Partition], History] = {}
        self.loaded: dict[tuple[int, Partition], bytes] = {}
        self._labelled_by: dict[RowKey, History] = {}
        self.labelled_twice = 0
        self.unknown_files = False  # Whether a tail was folded under another file, as it may be.
        self._digests = [plan.digest for plan in plans]
        self._committed: dict[Partition, History] = {}
        self._of_snapshots: dict[bytes, History] = {}
        self._folds: dict[int, tuple[ScoringPartition, History]] = {}
        self._outputs: dict[tuple[int, History], Outputs] = {}
        clock = FixedClock(BEGIN_MS)
        self._telemetry, self._clock = Telemetry(clock), clock
        topic = settings.topics.events
        self._records = [
            _records_of(traffic, Partition(topic, index)) for index in range(traffic.partitions)
        ]

    def wrote(self, snapshots: NotedSnapshots, data: bytes) -> None:
        """A manifest was written."""
        self._of_snapshots[data] = snapshots.begun

    def meet(self, worker: Worker, file: int, low: Callable[[Partition], int]) -> None:
        """Take note of the folds that a worker has begun."""
        snapshots = worker._share._around.snapshots
        for partition, scoring in worker._share.scoring.items():
            known = self._folds.get(id(scoring))
            key = id(snapshots), partition
            if known is None:
                history = self._history(scoring, self.loaded.get(key), file, low(partition))
                since = (
                    scoring.start.history_origin
                    if scoring.restored_at is None
                    else scoring.restored_at
                )
                rebuilt = worker._share._around.rebuild
                self.unknown_files |= rebuilt
                if not self.unknown_files and low(partition) <= since:
                    assert isinstance(snapshots, NotedSnapshots)
                    self._hold_to_committed(
                        partition, history, scoring.start.committed, snapshots.files
                    )
                # One that has yet to read what is gone since it began will be told so.
                begins = scoring.next_offset == since
                assert rebuilt or begins or low(partition) <= since, (
                    f"{partition} lost history, silently"
                )
                known = self._folds[id(scoring)] = scoring, history
                self.outputs(partition.index, history)
            self.now[key] = known[1]

    def _history(
        self, scoring: ScoringPartition, snapshot: bytes | None, file: int, low: int
    ) -> History:
        """The history of a fold that begins, from its snapshot on through its tail."""
        history: History = ()
        at = max(scoring.start.origin, low)
        if scoring.restored_at is not None:
            assert snapshot is not None
            history, at = self._of_snapshots[snapshot], scoring.restored_at
        for stop, digest in scoring.again:
            history = _goes_on(history, at, self._digests.index(digest), low)
            at = max(stop, at)
        return _goes_on(history, at, file, low)

    def _hold_to_committed(
        self, partition: Partition, history: History, stop: int, store: HarmedStore
    ) -> None:
        """What was committed is folded again as it was, unless a file of it was harmed."""
        before = self._committed.get(partition)
        if before is None or _until(before, stop) == _until(history, stop):
            return
        assert "campaign-files" in store.refused, f"{partition} is folded again under another file"
        self.unknown_files = True

    def commits(self, worker: Worker, partition: Partition, first: int, position: Position) -> None:
        """Offsets of a partition of events were committed: what is due of them is known now."""
        if position.offset <= first:
            return
        _, history = self._folds[id(worker._share.scoring[partition])]
        self._committed[partition] = history
        found, expected = self.outputs(partition.index, history), self.expected
        new = range(first, position.offset)
        expected.due[partition.index] += [due for due in found.due if due.offset in new]
        for offset, key, facts in found.rows:
            if offset in new:
                # Folded again under another file, an example may close elsewhere: see the docs.
                assert self._labelled_by.get(key) != history, f"{key} has two labels by one"
                assert self.unknown_files or key not in expected.rows, f"{key} has two labels"
                self.labelled_twice += key in expected.rows
                self._labelled_by[key] = history
                expected.rows.setdefault(key, []).append(facts)
        expected.letters.update(letter for offset, letter in found.letters if offset in new)

    @property
    def possible(self) -> list[tuple[int, Outputs]]:
        """Partition and outputs of every history there was, committed under or not."""
        return [(index, found) for (index, _), found in self._outputs.items()]

    def committed_under(self, partition: Partition) -> History:
        """Under which files what is committed of a partition was folded."""
        return self._committed.get(partition, ())

    def records(self, index: int) -> Records:
        """All records that are sent to a partition."""
        return self._records[index]

    def outputs(self, index: int, history: History) -> Outputs:
        """What an uninterrupted fold of this history makes of a partition."""
        known = self._outputs.get((index, history))
        if known is None:
            known = self._outputs[index, history] = self._fold(index, history)
        return known

    def _fold(self, index: int, history: History) -> Outputs:
        topics, found = self._settings.topics, Outputs([], [], [])
        fold: ScoringPartition | None = None
        records = self._records[index]
        for file, first, stop in history:
            start = Start(origin=first, committed=first, publish=first)
            going_on = ScoringPartition(
                records.partition, start, self._plans[file], self._settings, self._telemetry,
                self._clock,
            )  # fmt: skip
            if fold is not None:
                going_on.restore(fold.lift(), first)
            fold = going_on
            piece = records.cut(first, len(records) if stop is None else stop)
            for out in fold.fold(piece) if len(piece) else []:
                if out.topic == topics.scores:
                    found.due.extend(due_of(decode_score(value or b"")) for value in out.values)
                elif out.topic == topics.examples:
                    rows = (decode_example(value or b"") for value in out.values)
                    found.rows.extend(
                        (row.closed_by.offset, row_key(row), row_facts(row)) for row in rows
                    )
                elif out.topic == topics.dead_letters:
                    assert out.headers is not None
                    letters = zip(out.keys, out.values, out.headers, strict=True)
                    found.letters.extend(
                        (_offset_of(headers), (key, value, repr(headers)))
                        for key, value, headers in letters
                    )
        return found


class Committed(dict[Partition, Position]):
    """Committed positions that tell of every commit before it is done."""

    def __init__(self, told: Callable[[Partition, Position], None]) -> None:
        super().__init__()
        self._told = told

    def __ior__(self, positions: dict[Partition, Position]) -> Self:  # type: ignore[override, misc]
        for partition, position in positions.items():
            self._told(partition, position)
        self.update(positions)
        return self


def _goes_on(history: History, offset: int, file: int, low: int) -> History:
    """The history of a fold that was restored at an offset; the log may begin behind it."""
    if not history:
        return (Segment(file, max(offset, low)),)
    *before, last = history
    if last.file == file and low <= offset:
        return history
    return (*before, last._replace(stop=offset), Segment(file, max(offset, low)))


def _until(history: History, stop: int) -> History:
    """A history up to an offset, without pieces of no length."""
    cut = [
        piece._replace(stop=stop if piece.stop is None else min(stop, piece.stop))
        for piece in history
    ]
    return tuple(piece for piece in cut if piece.first < (piece.stop or 0))


def _records_of(traffic: Traffic, partition: Partition) -> Records:
    sent = [each for each in traffic.records if each.partition == partition.index]
    return Records(
        partition=partition,
        offsets=list(range(len(sent))),
        timestamps_ms=[each.stamp_ms for each in sent],
        keys=[each.key for each in sent],
        values=[each.value for each in sent],
        headers=[NO_HEADERS] * len(sent),
    )


def _offset_of(headers: Headers) -> int:
    return int(dict(headers)[PREFIX + "offset"] or b"")
