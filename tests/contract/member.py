"""A worker in small: it reads to the end, and remembers what happened to it.

Owns: polling until something holds, within a deadline.
Never: judges; the tests do.
Source: consumer/transport.py, "Life of a partition".
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from consumer.transport import Partition, Records, Transport

PATIENCE_S = 20.0


def ignore(partitions: list[Partition]) -> None:
    """Do nothing about it."""
    del partitions


class Reader:
    """A member of a group that starts every partition at its commit, or else at `start`."""

    def __init__(self, transport: Transport, topics: list[str], *, start: int | None = 0) -> None:
        self.transport = transport
        self.events: list[str] = []
        self.seen: list[tuple[Partition, int]] = []
        self.values: list[bytes | None] = []
        self.start = start
        self.on_assigned: Callable[[list[Partition]], None] = ignore
        self.on_revoked: Callable[[list[Partition]], None] = ignore
        transport.subscribe(topics, assigned=self._assigned, revoked=self._revoked, lost=self._lost)

    def _assigned(self, partitions: list[Partition]) -> None:
        self.events.append("assigned")
        for partition, position in self.transport.committed(partitions).items():
            if position is None and self.start is not None:
                self.transport.seek(partition, self.start)
        self.on_assigned(partitions)

    def _revoked(self, partitions: list[Partition]) -> None:
        self.events.append("revoked")
        self.on_revoked(partitions)

    def _lost(self, partitions: list[Partition]) -> None:
        self.events.append("lost")
        ignore(partitions)

    def turn(self, records_max: int = 100) -> list[Records]:
        """Poll once and remember."""
        batches = self.transport.poll(records_max, 0.05)
        for records in batches:
            self.seen += [(records.partition, offset) for offset in records.offsets]
            self.values += records.values
        return batches


def turn_until(condition: Callable[[], bool], *readers: Reader) -> None:
    """Let the readers take turns until something holds."""
    give_up_s = monotonic() + PATIENCE_S
    while not condition():
        for reader in readers:
            reader.turn()
        assert monotonic() < give_up_s, [
            (reader.events, reader.transport.assigned(), len(reader.seen)) for reader in readers
        ]
