"""Where a partition starts: its committed position, or the rules of a first start.

Owns: what is remembered in the note of a commit, and the three phases of a partition.
Never: reads a record or commits.
Source: ARCHITECTURE.md, "Where a partition starts".
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from consumer.transport import Bounds, Partition, Position, Transport


class _Note(msgspec.Struct, frozen=True):
    """`origin`: where the fold's history begins. `publish`: nothing before it is published."""

    origin: int
    publish: int


@dataclass(frozen=True, slots=True)
class Start:
    """The phases of one partition by offset.

    From `origin` to `committed` everything is read again and nothing leaves. From there to
    `publish` history is learned and no score leaves. Then everything leaves.
    """

    origin: int
    committed: int
    publish: int

    @property
    def note(self) -> str:
        """What the commits of this partition carry."""
        return msgspec.json.encode(_Note(self.origin, self.publish)).decode()

    def boundary_after(self, offset: int) -> int | None:
        """The next offset at which the phase changes, or None in the last phase."""
        later = [edge for edge in (self.committed, self.publish) if edge > offset]
        return min(later, default=None)

    def sends_rows(self, offset: int) -> bool:
        """Whether rows and dead letters of this offset leave."""
        return offset >= self.committed

    def sends_scores(self, offset: int) -> bool:
        """Whether scores of this offset leave."""
        return offset >= self.committed and offset >= self.publish


def first_offset(transport: Transport, partition: Partition, start_from: str | int) -> int:
    """Where the history of a partition begins that was never committed.

    `start_from` is `earliest`, `latest` or a time in milliseconds since the epoch.
    """
    if isinstance(start_from, int):
        return transport.offset_at(partition, start_from)
    bounds = transport.bounds(partition)
    return bounds.low if start_from == "earliest" else bounds.high


def first_start(origin: int, bounds: Bounds, publish_from: str) -> Start:
    """The phases of a partition that was never committed."""
    publish = bounds.high if publish_from == "now" else origin
    return Start(origin=origin, committed=origin, publish=max(origin, publish))


def later_start(position: Position, bounds: Bounds) -> Start:
    """The phases of a partition that was committed before.

    What the note cannot say is taken from the log: the history starts at the first record kept.
    """
    try:
        note = msgspec.json.decode(position.note, type=_Note)
    except msgspec.DecodeError:
        note = _Note(bounds.low, position.offset)
    origin = min(max(note.origin, bounds.low), position.offset)
    return Start(origin=origin, committed=position.offset, publish=note.publish)
