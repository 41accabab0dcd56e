"""A log in memory: topics, committed positions and groups, for tests, simulation and replay.

Owns: the broker's half (`MemoryLog`): what is stored, and who holds which partition.
Never: reads a clock, starts a thread or draws a random number; calls decide everything.
Source: eager `range` assignment as Kafka's RangeAssignor; promises in tests/contract.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from consumer.memory_coordinator import Coordinator
from consumer.partitioner import partition_of
from consumer.topics import TopicOutcome, TopicSpec
from consumer.transport import (
    NO_HEADERS,
    NO_TIMESTAMP,
    Bounds,
    Headers,
    MissingTopicError,
    Outgoing,
    OwnershipLostError,
    Partition,
    Position,
    Records,
    TransportError,
)

BROKERS = 1


class PartitionLog:
    """The records of one partition. Offsets may have gaps, so they are kept, not computed."""

    def __init__(self) -> None:
        self.low = 0
        self.high = 0
        self.offsets: list[int] = []
        self.timestamps_ms: list[int] = []
        self.keys: list[bytes | None] = []
        self.values: list[bytes | None] = []
        self.headers: list[Headers] = []
        self.open: dict[str, list[range]] = {}  # By transaction: the offsets that it holds.

    @property
    def stable(self) -> int:
        """The last stable offset: readers of committed records see nothing from here on."""
        return min((held[0].start for held in self.open.values()), default=self.high)

    def append(
        self,
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        headers: Sequence[Headers] | None,
        timestamps_ms: Sequence[int],
        transaction: str | None = None,
    ) -> None:
        """Append columns of equal length; within a transaction, hidden until it ends."""
        count = len(values)
        if transaction is not None and count:
            held = self.open.setdefault(transaction, [])
            held.append(range(self.high, self.high + count))
        assert len(keys) == len(timestamps_ms) == count
        assert headers is None or len(headers) == count
        self.offsets.extend(range(self.high, self.high + count))
        self.high += count
        self.timestamps_ms.extend(timestamps_ms)
        self.keys.extend(keys)
        self.values.extend(values)
        self.headers.extend([NO_HEADERS] * count if headers is None else headers)

    def append_control(self) -> None:
        """Take one offset without a record, as the end of a transaction does."""
        self.high += 1

    def end(self, transaction: str, *, committed: bool) -> None:
        """Show what a transaction holds, or take it out; either way its end has an offset."""
        held = self.open.pop(transaction, [])
        if not committed:
            for offsets in held:
                first, stop = (bisect_left(self.offsets, edge) for edge in
                               (offsets.start, offsets.stop))  # fmt: skip
                for column in self._columns():
                    del column[first:stop]
        if held:
            self.append_control()

    def _columns(self) -> list[list[Any]]:
        return [self.offsets, self.timestamps_ms, self.keys, self.values, self.headers]

    def delete_before(self, offset: int) -> None:
        """Forget the records before an offset, as retention does."""
        assert offset <= self.high
        self.low = max(self.low, offset)
        count = bisect_left(self.offsets, self.low)
        for column in self._columns():
            del column[:count]

    def compact(self) -> None:
        """Keep the newest record of each key, as `cleanup.policy=compact` does in time."""
        newest = {key: index for index, key in enumerate(self.keys)}
        kept = sorted(newest.values())
        self.offsets = [self.offsets[index] for index in kept]
        self.timestamps_ms = [self.timestamps_ms[index] for index in kept]
        self.keys = [self.keys[index] for index in kept]
        self.values = [self.values[index] for index in kept]
        self.headers = [self.headers[index] for index in kept]

    def slice(self, partition: Partition, start: int, stop: int, records_max: int) -> Records:
        """Copy at most `records_max` records of [start, stop)."""
        first = bisect_left(self.offsets, start)
        last = min(bisect_left(self.offsets, stop, first), first + records_max)
        return Records(
            partition=partition,
            offsets=self.offsets[first:last],
            timestamps_ms=self.timestamps_ms[first:last],
            keys=self.keys[first:last],
            values=self.values[first:last],
            headers=self.headers[first:last],
        )


@dataclass(slots=True, eq=False)
class Membership:
    """One member as the group sees it. `name` orders members, as client.id does in Kafka."""

    name: str
    topics: list[str]
    generation: int = -1
    held: list[Partition] = field(default_factory=list)
    joined: bool = False
    given: list[Partition] | None = None
    expelled: bool = False


class Group:
    """A consumer group: members, the generation, who holds what, committed positions."""

    def __init__(self) -> None:
        self.generation = 0
        self.members: list[Membership] = []
        self.committed: dict[Partition, Position] = {}
        self.rebalancing = False

    def join(self, member: Membership) -> None:
        """Add a member; everybody gives back what they hold and joins anew."""
        assert member not in self.members
        self.members.append(member)
        self.members.sort(key=lambda each: each.name)
        self._rebalance()

    def leave(self, member: Membership) -> None:
        """Remove a member, by its own will or because its session expired."""
        if member in self.members:
            self.members.remove(member)
            self._rebalance()

    def rejoin(self, member: Membership, partition_counts: Mapping[str, int]) -> None:
        """Note that a member holds nothing any more; the last one completes the rebalance."""
        member.joined = True
        self.complete(partition_counts)

    def complete(self, partition_counts: Mapping[str, int]) -> None:
        """Hand the partitions out if every member has joined."""
        if not self.rebalancing or not all(member.joined for member in self.members):
            return
        self.rebalancing = False
        self.generation += 1
        for member in self.members:
            member.given = []
            member.generation = self.generation
        for topic in sorted({topic for member in self.members for topic in member.topics}):
            takers = [member for member in self.members if topic in member.topics]
            self._share(topic, partition_counts[topic], takers)

    def refuse_stale(self, member: Membership, positions: Mapping[Partition, Position]) -> None:
        """Raise `OwnershipLostError` unless the member may commit these positions."""
        if member.expelled or member.generation != self.generation:
            message = f"The group moved on to generation {self.generation}"
            raise OwnershipLostError(message)
        foreign = sorted(set(positions) - set(member.held))
        if foreign:
            message = f"{foreign[0]} is not assigned to {member.name}"
            raise OwnershipLostError(message)

    def _rebalance(self) -> None:
        self.rebalancing = True
        for member in self.members:
            member.joined = False
            member.given = None

    @staticmethod
    def _share(topic: str, partitions: int, takers: list[Membership]) -> None:
        each, extra = divmod(partitions, len(takers))
        start = 0
        for rank, taker in enumerate(takers):
            stop = start + each + (rank < extra)
            assert taker.given is not None
            taker.given.extend(Partition(topic, index) for index in range(start, stop))
            start = stop


class MemoryLog:
    """The broker: `MemoryTransport`s made on the same log share its topics and groups.

    `now_ms` stamps records whose producer gives no time; without it they have none.
    """

    def __init__(
        self, topics: Mapping[str, int] | None = None, now_ms: Callable[[], int] | None = None
    ) -> None:
        self.topics: dict[str, list[PartitionLog]] = {}
        self.configs: dict[str, dict[str, str]] = {}
        self._groups: dict[str, Group] = {}
        self._topics_made = 0
        self.topic_ids: dict[str, str] = {}
        self._now_ms = now_ms
        self._keyless = 0
        self.coordinator = Coordinator(self)
        for name, partitions in (topics or {}).items():
            self.create_topic(TopicSpec(name=name, partitions=partitions))

    def create_topic(self, spec: TopicSpec, *, dry_run: bool = False) -> TopicOutcome:
        """Create a topic if it is missing."""
        there = self.topics.get(spec.name)
        if there is None and not dry_run:
            self.topics[spec.name] = [PartitionLog() for _ in range(spec.partitions)]
            self.configs[spec.name] = dict(spec.config)
            self._topics_made += 1
            self.topic_ids[spec.name] = f"made-{self._topics_made}"
        partitions = spec.partitions if there is None else len(there)
        differences = []
        if partitions != spec.partitions:
            differences.append(f"has {partitions} partitions, not {spec.partitions}")
        return TopicOutcome(
            name=spec.name,
            action="exists" if there is not None else "would create" if dry_run else "created",
            partitions=partitions,
            replication=BROKERS,
            config=dict(spec.config),
            differences=differences,
        )

    def group(self, name: str) -> Group:
        """Return a group, made when first asked for."""
        return self._groups.setdefault(name, Group())

    def expel(self, group: str, instance: str) -> None:
        """Let a member's session expire, as when it hangs or dies."""
        members = self.group(group).members
        member = next(each for each in members if each.name == instance)
        member.expelled = True
        self.group(group).leave(member)

    def partition_counts(self) -> dict[str, int]:
        """Return the number of partitions of every topic."""
        return {name: len(partitions) for name, partitions in self.topics.items()}

    def partition(self, partition: Partition) -> PartitionLog:
        """Return one partition's log; a missing one is the world's fault."""
        logs = self.topics.get(partition.topic)
        if logs is None:
            raise MissingTopicError(partition.topic)
        if not 0 <= partition.index < len(logs):
            raise TransportError(
                f"Topic {partition.topic!r} has {len(logs)} partitions and no {partition.index}",
                "Ask for a partition that it has, or recreate the topic with more",
            )
        return logs[partition.index]

    def bounds(self, partition: Partition) -> Bounds:
        """Return a partition's first kept offset and its high watermark."""
        log = self.partition(partition)
        return Bounds(low=log.low, high=log.high)

    def append(self, outgoing: Outgoing, transaction: str | None = None) -> None:
        """Append records, to the partition given or by key."""
        stamp = NO_TIMESTAMP if self._now_ms is None else self._now_ms()
        stamps = outgoing.timestamps_ms or [stamp] * len(outgoing.values)
        if outgoing.partition is not None:
            log = self.partition(Partition(outgoing.topic, outgoing.partition))
            log.append(outgoing.keys, outgoing.values, outgoing.headers, stamps, transaction)
            return
        self.partition(Partition(outgoing.topic, 0))
        logs = self.topics[outgoing.topic]
        headers = outgoing.headers or [NO_HEADERS] * len(outgoing.values)
        rows = zip(outgoing.keys, outgoing.values, headers, stamps, strict=True)
        for key, value, header, stamp_ms in rows:
            if key is None:
                self._keyless += 1
                index = self._keyless % len(logs)
            else:
                index = partition_of(key, len(logs))
            logs[index].append([key], [value], [header], [stamp_ms], transaction)
