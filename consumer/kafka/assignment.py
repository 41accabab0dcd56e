"""What the group has given us, and where each partition stands.

Owns: which partitions are held, sought, paused.
Never: talks to a broker.
Source: consumer/transport.py, "Life of a partition".
"""

from __future__ import annotations

from collections.abc import Iterable

from consumer.transport import Partition, Position, no_position, not_ours


class Assignment:
    """The partitions of one generation of the group.

    While `placing`, starting offsets and pauses are only noted; the transport applies them.
    """

    def __init__(self, partitions: Iterable[Partition] = ()) -> None:
        self.held = frozenset(partitions)
        self.starts: dict[Partition, int] = {}
        self.committed: dict[Partition, Position | None] = {}  # As the worker was told.
        self.paused: set[Partition] = set()
        self.placing = False

    @property
    def unplaced(self) -> frozenset[Partition]:
        """Partitions of which nobody has said where they start."""
        return self.held - self.starts.keys()

    def place_at_commits(self) -> None:
        """Begin where the group stands, wherever nobody has said otherwise."""
        for partition in self.unplaced:
            position = self.committed.get(partition)
            if position is not None:
                self.starts[partition] = position.offset

    def refuse_foreign(self, partitions: Iterable[Partition]) -> None:
        """Raise `OwnershipLostError` unless all of them are ours."""
        foreign = sorted(set(partitions) - self.held)
        if foreign:
            raise not_ours(foreign[0])

    def refuse_unplaced(self) -> None:
        """Raise unless every partition that is to deliver knows where it starts."""
        if len(self.starts) == len(self.held):
            return
        lost = self.unplaced - self.paused
        if lost:
            raise no_position(min(lost))
