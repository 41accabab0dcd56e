"""The port to the log: what the worker asks of Kafka, and nothing more.

Owns: the shapes of records in batches, positions, and the promises every transport keeps.
Never: imports a vendor's client, reads a clock, or looks inside a record.
Source: the promises are executed by tests/contract against every implementation.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from consumer.errors import WorldError
from consumer.topics import TopicOutcome, TopicSpec

Headers = list[tuple[str, bytes | None]]

NO_HEADERS: Headers = []
"""Shared by all records without headers: compare with `is`, never append."""

NO_TIMESTAMP = -1

DeliveryMode = Literal["exactly_once", "at_least_once"]


class Partition(NamedTuple):
    """One partition of one topic."""

    topic: str
    # The field hides tuple.index, which nobody asks of a partition.
    index: int  # type: ignore[assignment]

    def __str__(self) -> str:
        return f"{self.topic}[{self.index}]"


class Position(NamedTuple):
    """The next offset to be read, and a note (the commit's metadata, at most 4 KiB)."""

    offset: int
    note: str = ""


class Bounds(NamedTuple):
    """First offset kept, and the high watermark: the offset the next record will get."""

    low: int
    high: int


class TopicIdentity(NamedTuple):
    """A topic as the broker knows it: one made anew under the same name has another id.

    The id is empty, and the number 0, where the broker does not tell.
    """

    name: str = ""
    id: str = ""
    partitions: int = 0


UNKNOWN_TOPIC = TopicIdentity()


@dataclass(slots=True)
class Records:
    """Consecutive records of one partition, as columns of equal length.

    Offsets ascend but may have gaps (compaction, control records).
    Timestamps are milliseconds since the epoch, -1 where there is none.
    """

    partition: Partition
    offsets: list[int]
    timestamps_ms: list[int]
    keys: list[bytes | None]
    values: list[bytes | None]
    headers: list[Headers]

    def __len__(self) -> int:
        return len(self.offsets)

    def below(self, offset: int) -> Records:
        """Return the records before an offset."""
        return self.cut(0, bisect_left(self.offsets, offset))

    def cut(self, first: int, stop: int) -> Records:
        """Return the records from one row up to another; all of them are the batch itself."""
        if (first, stop) == (0, len(self)):
            return self
        return Records(
            partition=self.partition,
            offsets=self.offsets[first:stop],
            timestamps_ms=self.timestamps_ms[first:stop],
            keys=self.keys[first:stop],
            values=self.values[first:stop],
            headers=self.headers[first:stop],
        )


@dataclass(slots=True)
class Outgoing:
    """Records for one topic, as columns of equal length.

    `partition=None` chooses by key as Java's default partitioner does (murmur2).
    """

    topic: str
    partition: int | None
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    headers: Sequence[Headers] | None = None
    timestamps_ms: Sequence[int] | None = None


class TransportError(WorldError):
    """The log cannot be reached, read or written, or lacks something."""


class OwnershipLostError(TransportError):
    """The group gave our partitions to somebody else; the commit was refused.

    Not a reason to exit: drop what was folded for them and go on polling.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem, "The partitions' new owner goes on from the last commit")


class UnreachableError(TransportError):
    """Nobody answers."""


class MissingTopicError(TransportError):
    """A topic does not exist."""

    def __init__(self, topic: str) -> None:
        super().__init__(
            f"Topic {topic!r} does not exist", "Run `propensity topics create` for those missing"
        )


def no_position(partition: Partition) -> TransportError:
    """Say that a partition was neither sought nor ever committed."""
    return TransportError(
        f"{partition} has no committed position", "Say where a first start begins (`start_from`)"
    )


def offset_gone(partition: Partition, offset: int, low: int, high: int) -> TransportError:
    """Say that a position lies outside of what is kept."""
    return TransportError(
        f"Offset {offset} of {partition} is not there: the log holds {low} to {high}",
        "Keep events longer than the worker may stand still, or start a new group",
    )


def not_ours(partition: Partition) -> OwnershipLostError:
    """Say that a partition is not assigned to this worker."""
    return OwnershipLostError(f"{partition} is not assigned to this worker")


PartitionsChanged = Callable[[list[Partition]], None]


class Transport(Protocol):
    """A member of one consumer group, with a reader beside the group and a producer.

    Delivery is `exactly_once`, where what is produced and the positions committed with it become
    visible together or not at all, or `at_least_once`, where what is produced is visible at once.

    Life of a partition: `assigned` is called (once per generation of the group, perhaps with an
    empty list); from then on until `revoked` or `lost` returns, it is ours. In `assigned`, or
    later while it is paused, `seek` says where it starts; not sought, it starts at its committed
    position. With neither, `poll` raises `TransportError`. All callbacks run inside `poll` or
    `close`; `revoked` may still commit, `lost` may not.

    Every method may raise `TransportError`.
    """

    def subscribe(
        self,
        topics: Sequence[str],
        *,
        assigned: PartitionsChanged,
        revoked: PartitionsChanged,
        lost: PartitionsChanged,
    ) -> None:
        """Join the group for these topics; a topic that does not exist is an error."""
        ...

    def poll(self, records_max: int, timeout_s: float) -> list[Records]:
        """Return up to `records_max` records, order kept within each partition.

        Waits at most `timeout_s` for the first one. A partition may occur more than once.
        """
        ...

    def seek(self, partition: Partition, offset: int) -> None:
        """Deliver from this offset on; the partition must be ours."""
        ...

    def pause(self, partitions: Sequence[Partition]) -> None:
        """Deliver nothing of these partitions until `resume`; lasts while they are ours."""
        ...

    def resume(self, partitions: Sequence[Partition]) -> None:
        """Deliver them again, from where they stood."""
        ...

    def assigned(self) -> list[Partition]:
        """Return the partitions that are ours now, sorted."""
        ...

    def committed(self, partitions: Sequence[Partition]) -> dict[Partition, Position | None]:
        """Return the group's committed positions; None where there is none."""
        ...

    def bounds(self, partition: Partition) -> Bounds:
        """Ask the broker for the first offset kept and the high watermark."""
        ...

    def high_seen(self, partition: Partition) -> int | None:
        """Return the high watermark as the last fetch brought it, without asking anybody.

        None before the first fetch. For measuring: it costs nothing and cannot fail.
        """
        ...

    def offset_at(self, partition: Partition, time_ms: int) -> int:
        """Return the first offset stamped at or after this time; the high watermark if none."""
        ...

    def partition_count(self, topic: str) -> int:
        """Return how many partitions a topic has; a missing topic is an error."""
        ...

    def topic_identity(self, topic: str) -> TopicIdentity:
        """Return a topic's id and number of partitions; a missing topic is an error."""
        ...

    def read(
        self, partition: Partition, start: int | None = None, stop: int | None = None
    ) -> Iterator[Records]:
        """Read committed records in [start, stop) without the group.

        Default: from the first kept to the high watermark at the call. Whoever leaves the
        iterator early closes it.
        """
        ...

    def follow(self, partition: Partition, start: int) -> None:
        """Keep reading a partition without the group, beside those already followed."""
        ...

    def poll_followed(self) -> list[Records]:
        """Return what has arrived of the followed partitions, without waiting."""
        ...

    def produce(self, outgoing: Outgoing) -> None:
        """Hand records over; they are surely in the log only after the next `commit`."""
        ...

    def commit(self, positions: Mapping[Partition, Position]) -> None:
        """Wait until everything produced is in the log, then record these positions.

        The only place that commits. Raises, and records nothing, if any record was not
        delivered. Raises `OwnershipLostError` if a partition is no longer ours: with
        `exactly_once`, what was produced since the last commit is then gone. An error the broker
        reports late is raised by the next call.
        """
        ...

    def create_topics(
        self, specs: Sequence[TopicSpec], *, dry_run: bool = False
    ) -> list[TopicOutcome]:
        """Create what is missing and compare what exists; changes no existing topic."""
        ...

    def hurry(self, most_s: float) -> None:
        """Let all waiting end within so many seconds from now, also that which is under way.

        For the stop; a signal's handler may call it. What does not finish raises.
        """
        ...

    def close(self) -> None:
        """Give the partitions back (through `revoked`), leave the group, free everything."""
        ...
