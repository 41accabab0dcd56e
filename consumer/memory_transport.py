"""The transport on a log in memory: one member, its reader and its producer.

Owns: the client's half: where it stands, what is paused, when its callbacks run.
Never: waits, reads a clock or starts a thread; a poll with nothing to give returns at once.
Source: promises in consumer/transport.py, executed by tests/contract.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from consumer.clock import Clock, FixedClock
from consumer.deadline import REBALANCE_MAX_S, Patience
from consumer.memory_coordinator import MemoryProducer
from consumer.memory_log import Group, Membership, MemoryLog
from consumer.ownership import signed, transactional_id, unsigned
from consumer.topics import TopicOutcome, TopicSpec
from consumer.transactions import Aborted, Transactions, unheard
from consumer.transport import (
    Bounds,
    DeliveryMode,
    MissingTopicError,
    Outgoing,
    Partition,
    PartitionsChanged,
    Position,
    Records,
    TopicIdentity,
    no_position,
    not_ours,
    offset_gone,
)

READ_RECORDS_MAX = 1000
FOLLOWED_RECORDS_MAX = 1000


class MemoryTransport:
    """A member of a group on a `MemoryLog`.

    >>> log = MemoryLog({"events": 1})
    >>> transport = MemoryTransport(log, group="readers", instance="one")
    >>> transport.produce(Outgoing("events", 0, keys=[b"k"], values=[b"v"]))
    >>> [records.values for records in transport.read(Partition("events", 0))]
    [[b'v']]
    """

    def __init__(
        self,
        log: MemoryLog,
        *,
        group: str,
        instance: str,
        delivery: DeliveryMode = "at_least_once",
        clock: Clock | None = None,
        aborted: Aborted = unheard,
    ) -> None:
        self._log = log
        self._group: Group = log.group(group)
        self._group_name = group
        self._instance = instance
        self._owner = transactional_id(group, instance) if delivery == "exactly_once" else ""
        self._producer = MemoryProducer(log, self._owner, instance)
        self._patience = Patience(clock or FixedClock())
        self._transactions = Transactions(self._producer, self._patience, aborted)
        self._member: Membership | None = None
        self._topics: list[str] = []
        self._next: dict[Partition, int] = {}
        self._paused: set[Partition] = set()
        self._followed: dict[Partition, int] = {}
        self._served_last = Partition("", -1)

    def subscribe(
        self,
        topics: Sequence[str],
        *,
        assigned: PartitionsChanged,
        revoked: PartitionsChanged,
        lost: PartitionsChanged,
    ) -> None:
        """Join the group; the first `poll` runs `assigned`."""
        assert self._member is None, "subscribed already"
        for topic in topics:
            self.partition_count(topic)
        self._topics = list(topics)
        self._assigned_callback = assigned
        self._revoked_callback = revoked
        self._lost_callback = lost
        self._join()

    def poll(self, records_max: int, timeout_s: float) -> list[Records]:
        """Return what is there; partitions take turns to be first."""
        del timeout_s  # Nothing can arrive while we hold the only thread.
        self._settle()
        partitions = [each for each in self.assigned() if each not in self._paused]
        partitions.sort(key=lambda each: (each <= self._served_last, each))
        batches: list[Records] = []
        left = records_max
        for partition in partitions:
            if left == 0:
                break
            records = self._take(partition, left)
            if len(records):
                batches.append(records)
                left -= len(records)
                self._served_last = partition
        return batches

    def seek(self, partition: Partition, offset: int) -> None:
        """Deliver from this offset on."""
        if partition not in self.assigned():
            raise not_ours(partition)
        self._next[partition] = offset

    def pause(self, partitions: Sequence[Partition]) -> None:
        """Deliver nothing of these until `resume`."""
        self._paused.update(partitions)

    def resume(self, partitions: Sequence[Partition]) -> None:
        """Deliver them again."""
        self._paused.difference_update(partitions)

    def assigned(self) -> list[Partition]:
        """Return what is ours now, sorted."""
        return [] if self._member is None else list(self._member.held)

    def committed(self, partitions: Sequence[Partition]) -> dict[Partition, Position | None]:
        """Return the group's committed positions."""
        if self._owner and self._member is not None:
            self._end_what_the_dead_left_open(partitions)
        self._log.coordinator.await_stable(self._group, set(partitions))
        found = {partition: self._group.committed.get(partition) for partition in partitions}
        return {
            partition: position and Position(position.offset, unsigned(position.note)[1])
            for partition, position in found.items()
        }

    def bounds(self, partition: Partition) -> Bounds:
        """Return the first offset kept and the high watermark."""
        return self._log.bounds(partition)

    def high_seen(self, partition: Partition) -> int | None:
        """Return the high watermark; a log in memory is always up to date."""
        return self._log.bounds(partition).high

    def offset_at(self, partition: Partition, time_ms: int) -> int:
        """Return the first offset stamped at or after this time."""
        log = self._log.partition(partition)
        rows = zip(log.offsets, log.timestamps_ms, strict=True)
        return next((offset for offset, stamp_ms in rows if stamp_ms >= time_ms), log.high)

    def partition_count(self, topic: str) -> int:
        """Return how many partitions a topic has."""
        count = self._log.partition_counts().get(topic)
        if count is None:
            raise MissingTopicError(topic)
        return count

    def topic_identity(self, topic: str) -> TopicIdentity:
        """Return a topic's id and number of partitions."""
        count = self.partition_count(topic)
        return TopicIdentity(topic, self._log.topic_ids[topic], count)

    def read(
        self, partition: Partition, start: int | None = None, stop: int | None = None
    ) -> Iterator[Records]:
        """Read [start, stop), by default all that is there now."""
        low, high = self.bounds(partition)
        offset = low if start is None else start
        _refuse_outside(partition, offset, low, high)
        end = high if stop is None else min(stop, high)
        return self._read(partition, offset, end)

    def follow(self, partition: Partition, start: int) -> None:
        """Keep reading a partition from this offset on."""
        _refuse_outside(partition, start, *self.bounds(partition))
        self._followed[partition] = start

    def poll_followed(self) -> list[Records]:
        """Return what has arrived of the followed partitions."""
        batches: list[Records] = []
        for partition, offset in self._followed.items():
            log = self._log.partition(partition)
            records = log.slice(partition, offset, log.stable, FOLLOWED_RECORDS_MAX)
            if len(records):
                self._followed[partition] = records.offsets[-1] + 1
                batches.append(records)
        return batches

    def produce(self, outgoing: Outgoing) -> None:
        """Append at once; in a transaction, hidden until it ends."""
        if self._owner:
            self._transactions.put(outgoing)
        else:
            self._log.coordinator.strike("put", self._instance)
            self._log.append(outgoing)

    def commit(self, positions: Mapping[Partition, Position]) -> None:
        """Record positions, unless the group has moved on."""
        signed_positions = self._signed(positions)
        if self._owner:
            self._transactions.commit(signed_positions)
            return
        self._log.coordinator.strike("commit", self._instance)
        if positions:
            assert self._member is not None
            self._group.refuse_stale(self._member, positions)
        self._group.committed |= signed_positions
        self._log.coordinator.strike("committed", self._instance)

    def _signed(self, positions: Mapping[Partition, Position]) -> dict[Partition, Position]:
        foreign = sorted(set(positions) - set(self.assigned()))
        if foreign:
            self._transactions.give_up()
            raise not_ours(foreign[0])
        for partition, position in positions.items():
            # A topic that was made anew may end before what is committed.
            already = self._group.committed.get(partition, Position(0)).offset
            assert 0 <= position.offset <= max(already, self._log.partition(partition).high)
        return {each: signed(position, self._owner) for each, position in positions.items()}

    def _end_what_the_dead_left_open(self, partitions: Sequence[Partition]) -> None:
        living = {transactional_id(self._group_name, each.name) for each in self._group.members}
        for partition in partitions:
            position = self._group.committed.get(partition)
            owner = "" if position is None else unsigned(position.note)[0]
            if owner and owner not in living:
                self._log.coordinator.init(owner)

    def create_topics(
        self, specs: Sequence[TopicSpec], *, dry_run: bool = False
    ) -> list[TopicOutcome]:
        """Create what is missing."""
        return [self._log.create_topic(spec, dry_run=dry_run) for spec in specs]

    def hurry(self, most_s: float) -> None:
        """Let all waiting end within so many seconds from now."""
        self._patience.hurry(most_s)

    def close(self) -> None:
        """Give the partitions back and leave the group."""
        member = self._member
        if member is None:
            self._transactions.give_up()
            return
        if member.expelled:
            self._member = None
            member.held, held = [], member.held
            self._transactions.lost()
            if held:
                self._lost_callback(held)
            return
        if member.held:
            self._revoked_callback(list(member.held))
            member.held = []
        self._transactions.give_up()
        self._member = None  # Who fails before this is thought a member until its session ends.
        self._group.leave(member)
        self._group.complete(self._log.partition_counts())

    def _join(self) -> Membership:
        self._member = Membership(name=self._instance, topics=self._topics)
        self._group.join(self._member)
        self._producer.group, self._producer.member = self._group, self._member
        return self._member

    def _settle(self) -> None:
        """Play our part in the group's rebalance, if there is one."""
        member = self._member
        if member is None:
            return
        if member.expelled:
            self._drop(self._lost_callback)
            self._transactions.lost()
            member = self._join()
        if self._group.rebalancing and not member.joined:
            self._drop(self._revoked_callback)
            self._group.rejoin(member, self._log.partition_counts())
        if member.given is not None:
            member.held, member.given = member.given, None
            self._place(member.held)

    def _drop(self, callback: PartitionsChanged) -> None:
        assert self._member is not None
        with self._patience.within(REBALANCE_MAX_S):
            if self._member.held:
                callback(list(self._member.held))
            if not self._member.expelled:
                # What the callback has not committed is another's now.
                self._transactions.give_up()
        self._member.held = []
        self._next.clear()
        self._paused.clear()

    def _place(self, partitions: list[Partition]) -> None:
        with self._patience.within(REBALANCE_MAX_S):
            if self._owner:
                self._producer.be_ready()
            self._assigned_callback(list(partitions))
        for partition in partitions:
            position = self._group.committed.get(partition)
            if position is not None:  # The offset, whoever signed it.
                self._next.setdefault(partition, position.offset)

    def _take(self, partition: Partition, records_max: int) -> Records:
        offset = self._next.get(partition)
        if offset is None:
            raise no_position(partition)
        _refuse_outside(partition, offset, *self.bounds(partition))
        log = self._log.partition(partition)
        records = log.slice(partition, offset, log.stable, records_max)
        if len(records):
            self._next[partition] = records.offsets[-1] + 1
        return records

    def _read(self, partition: Partition, offset: int, end: int) -> Iterator[Records]:
        while offset < end:
            log = self._log.partition(partition)
            records = log.slice(partition, offset, min(end, log.stable), READ_RECORDS_MAX)
            if not len(records):
                return
            yield records
            offset = records.offsets[-1] + 1


def _refuse_outside(partition: Partition, offset: int, low: int, high: int) -> None:
    if not low <= offset <= high:
        raise offset_gone(partition, offset, low, high)
