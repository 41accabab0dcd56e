"""What a log loses: its head by retention, its records by being made anew, its keys by partitions.

Owns: drawing whether, when and how far; and which exits of a worker that allows.
Never: restarts anything.
Source: docs/guarantees.md, "In both modes"; consumer/positions.py.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from typing import TYPE_CHECKING

from consumer.memory_log import MemoryLog, PartitionLog
from consumer.snapshots.manifest import Moment
from consumer.snapshots.snapshots import Snapshots
from consumer.topics import TopicSpec
from consumer.transport import Outgoing, Partition
from tests.simulation.traffic import Traffic

if TYPE_CHECKING:
    from tests.simulation.group_life import GroupLife

UNREAD = "are gone unread"
NOT_THERE = "is not there: the log holds"
NO_HISTORY = "no snapshot that can be used"
NOT_READ_BACK = "is to be read back, and"
OTHER_TOPIC = (
    "was made anew", "partitions and has", "or has lost records", "partition number of their",
    "is not there: the log holds", "partitions and no",
)  # fmt: skip
STRANGER = b"stranger"
NEW_RECORDS = 40


class KeptLog(MemoryLog):
    """A log that lets nobody read what retention took, and remembers it for the checks."""

    def __init__(self) -> None:
        super().__init__()
        self.deleted: dict[Partition, list[tuple[int, bytes | None]]] = {}

    def delete_before(self, partition: Partition, offset: int) -> None:
        """Let a partition lose its head."""
        log = self.partition(partition)
        count = bisect_left(log.offsets, offset)
        kept = self.deleted.setdefault(partition, [])
        kept.extend(zip(log.offsets[:count], log.values[:count], strict=True))
        log.delete_before(offset)

    def compact(self, partition: Partition) -> None:
        """Let a partition lose all but the newest record of each key."""
        log = self.partition(partition)
        held = list(zip(log.offsets, log.values, strict=True))
        log.compact()
        there = set(log.offsets)
        self.deleted.setdefault(partition, []).extend(row for row in held if row[0] not in there)

    def everything(self, topic: str, index: int) -> list[tuple[int, bytes | None]]:
        """Offsets and values of all that a partition ever held and nobody aborted."""
        log = self.topics[topic][index]
        deleted = self.deleted.get(Partition(topic, index), [])
        return sorted(
            [*deleted, *zip(log.offsets, log.values, strict=True)], key=lambda row: row[0]
        )


class Retention:
    """Heads of logs that go. `beyond`: also what nobody has read, or no snapshot holds.

    Without `goes_on` the seed ends where a worker has stopped for that; with it, `--rebuild` is
    said from then on. `unlearned` are the rows that a learner has passed over then, as far as no
    state holds them.
    """

    def __init__(self, seed: int) -> None:
        self._draws = draws = random.Random(f"{seed}/retention")
        self._odds = draws.choice((0.0, 0.0, 0.0, 0.02, 0.1))
        self._beyond = draws.random() < 0.4
        self.goes_on = draws.random() < 0.6
        self._outputs = outputs = random.Random(f"{seed}/retention of outputs")
        self._output_odds = outputs.choice((0.0, 0.0, 0.0, 0.02, 0.1))
        self._outputs_beyond = outputs.random() < 0.4
        self.has_stopped = False
        self.unlearned: dict[Partition, list[range]] = {}

    @property
    def may_rebuild(self) -> bool:
        """Whether history may be lost in this seed, and somebody goes on knowingly."""
        loses = self._odds > 0.0 or (self._output_odds > 0.0 and self._outputs_beyond)
        return loses and self.goes_on

    def turn(self, life: GroupLife) -> None:
        """Between two ticks: perhaps a head goes."""
        if self._odds and self._draws.random() < self._odds:
            self._turn(life)
        if self._output_odds and self._outputs.random() < self._output_odds:
            self._turn_outputs(life)

    def _turn(self, life: GroupLife) -> None:
        topics = life.settings.topics
        topic = self._draws.choice((topics.events, topics.examples))
        partition = Partition(topic, self._draws.randrange(len(life.log.topics[topic])))
        position = life.group.committed.get(partition)
        if position is None:
            return
        offset = position.offset
        if topic == topics.events:
            offset = self._offset(life, partition, offset)
        if offset > life.log.bounds(partition).low:
            life.note(f"{partition} is kept from {offset} on; committed is {position.offset}")
            life.seen.add("retention" if offset <= position.offset else "unread records gone")
            life.log.delete_before(partition, offset)

    def _offset(self, life: GroupLife, partition: Partition, committed: int) -> int:
        bounds = life.log.bounds(partition)
        if self._beyond and self._draws.random() < 0.3:
            return self._draws.randrange(bounds.low, bounds.high + 1)
        newest = _newest(life, partition, committed)
        return 0 if newest is None else newest.next_offset

    def _turn_outputs(self, life: GroupLife) -> None:
        """Scores that a snapshot is newer than go; or any score, and rows that nobody learned."""
        topics, beyond = life.settings.topics, self._outputs_beyond and self._outputs.random() < 0.3
        topic = self._outputs.choice((topics.scores, topics.examples))
        partition = Partition(topic, self._outputs.randrange(len(life.log.topics[topic])))
        reader = partition if topic == topics.examples else Partition(topics.events, partition[1])
        position = life.group.committed.get(reader)
        if position is None:
            return
        log = life.log.topics[topic][partition.index]
        if beyond:
            offset, kind = self._outputs.randrange(log.low, log.stable + 1), f"{topic} gone"
        elif topic == topics.examples:
            return
        else:
            newest = _newest(life, reader, position.offset)
            offset = 0 if newest is None else newest.output_ends[topic]
            kind = "retention of scores"
        if log.low < offset <= log.stable:
            life.note(f"{partition} is kept from {offset} on")
            life.seen.add(kind)
            life.log.delete_before(partition, offset)

    def passed_over(
        self, partition: Partition, committed: int, begun_at: int, *, knowingly: bool
    ) -> None:
        """A learner commits that may have begun behind what was committed of its rows."""
        if begun_at > committed:
            assert knowingly, f"{partition} lost rows, silently"
            self.unlearned.setdefault(partition, []).append(range(committed, begun_at))

    def passed_over_with(self, partition: Partition, offset: int) -> list[range]:
        """The rows, this one among them, that learners passed over because they were gone."""
        return [each for each in self.unlearned.get(partition, ()) if offset in each]

    def allows(self, life: GroupLife, problem: str) -> bool:
        """Whether a worker may stop with these words, history being lost; it is noted."""
        topics = life.settings.topics
        lows = {
            (topic, index): log.low
            for topic in (topics.events, topics.examples, topics.scores)
            for index, log in enumerate(life.log.topics[topic])
        }
        unread = any(
            position.offset < lows.get(partition, 0)
            for partition, position in life.group.committed.items()
        )
        gone = {topic for (topic, _), low in lows.items() if low > 0}
        allowed = (
            (UNREAD in problem and unread)
            # What is being read again may go as well, under the eyes of who reads it.
            or (NOT_THERE in problem and bool(gone))
            or (NO_HISTORY in problem and topics.events in gone)
            or (NOT_READ_BACK in problem and topics.scores in gone)
        )
        self.has_stopped |= allowed
        return allowed


def _newest(life: GroupLife, partition: Partition, committed: int) -> Moment | None:
    snapshots: Snapshots = life.looking_at_snapshots()
    newest = next(snapshots.newest(*partition, not_after=committed), None)
    return None if newest is None else newest.moment


class OtherTopic:
    """The topic of events is made anew, or is given partitions, while workers live or not."""

    def __init__(self, seed: int, traffic: Traffic) -> None:
        self._draws = draws = random.Random(f"{seed}/other topic")
        self.kind = draws.choice(("made anew", "grown")) if draws.random() < 0.06 else ""
        self._at_tick = draws.randrange(10, traffic.records[-1].tick + 25)
        self._kills = draws.random() < 0.5
        self.is_here = False

    def turn(self, life: GroupLife) -> None:
        """Between two ticks: perhaps it happens now, once the group has committed."""
        topics = life.settings.topics
        if not self.kind or life.ticks < self._at_tick or self.is_here:
            return
        logs = life.log.topics[topics.events]
        if any(Partition(topics.events, index) not in life.group.committed
               for index in range(len(logs))):  # fmt: skip
            return
        self.is_here = True
        life.note(f"the topic of events is {self.kind}")
        life.seen.add(f"topic {self.kind}")
        if self._kills:
            for name in list(life.living):
                life.bury(name)
        if self.kind == "grown":
            logs.append(PartitionLog())
            if self._draws.random() < 0.7:
                life.log.topics[topics.scores].append(PartitionLog())
        else:
            self._make_anew(life, logs)
        life.group._rebalance()

    def _make_anew(self, life: GroupLife, logs: list[PartitionLog]) -> None:
        """The same name, and records of others: at least as many where somebody lives."""
        topic, count = life.settings.topics.events, len(logs)
        del life.log.topics[topic]
        life.log.create_topic(TopicSpec(topic, count))
        shorter = self._kills and self._draws.random() < 0.5
        for index, log in enumerate(logs):
            records = NEW_RECORDS + (0 if shorter else log.high)
            life.log.append(
                Outgoing(topic, index, [STRANGER] * records, [_event(n) for n in range(records)])
            )

    def allows(self, problem: str) -> bool:
        """Whether a worker may stop with these words."""
        return self.is_here and any(words in problem for words in OTHER_TOPIC)


def _event(number: int) -> bytes:
    return b'{"customer_id":"stranger","type":"page_view","event_id":"s%d","occurred_at":%d}' % (
        number,
        1_764_000_000_000 + number,
    )
