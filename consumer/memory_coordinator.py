"""The transactions of a log in memory: who writes under which name, and what is still open.

Owns: epochs, open transactions, and the positions that wait in them.
Never: retries, waits or decides; a fault is struck where a test says so.
Source: Kafka's transaction coordinator, as far as a client can see it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from consumer.transactions import Fault, TransactionFault
from consumer.transport import Outgoing, OwnershipLostError, Partition, Position, TransportError

if TYPE_CHECKING:
    from consumer.memory_log import Group, Membership, MemoryLog

Strike = Callable[[str, str], None]
"""Called with a step and an instance's name; raises what is to go wrong there."""


@dataclass(slots=True)
class OpenTransaction:
    """What one name has written and not ended."""

    group: Group | None = None
    positions: dict[Partition, Position] = field(default_factory=dict)


class Coordinator:
    """All transactions of a log, by the names under which they are written."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log
        self._epochs: dict[str, int] = {}
        self._open: dict[str, OpenTransaction] = {}
        self.strike: Strike = lambda _step, _instance: None

    def init(self, name: str) -> int:
        """Abort what this name left open and fence whoever wrote under it; give the epoch."""
        self._end(name, committed=False)
        self._epochs[name] = self._epochs.get(name, -1) + 1
        return self._epochs[name]

    def append(self, name: str, epoch: int, outgoing: Outgoing) -> None:
        """Append within the transaction of a name."""
        self._refuse_fenced(name, epoch)
        self._open.setdefault(name, OpenTransaction())
        self._log.append(outgoing, name)

    def send_offsets(
        self,
        name: str,
        epoch: int,
        group: Group,
        member: Membership,
        positions: Mapping[Partition, Position],
    ) -> None:
        """Let the transaction hold positions; the group refuses those of another generation."""
        self._refuse_fenced(name, epoch)
        try:
            group.refuse_stale(member, positions)
        except OwnershipLostError as error:
            raise TransactionFault(Fault.LOST, error) from error
        held = self._open.setdefault(name, OpenTransaction())
        held.group = group
        held.positions.update(positions)

    def end(self, name: str, epoch: int, *, committed: bool) -> None:
        """End the transaction of a name; one that has ended stays as it is."""
        self._refuse_fenced(name, epoch)
        self._end(name, committed=committed)

    def await_stable(self, group: Group, partitions: set[Partition]) -> None:
        """Let the time pass after which a broker ends the transactions that hold positions."""
        for name, held in list(self._open.items()):
            if held.group is group and partitions & held.positions.keys():
                self.init(name)

    def _end(self, name: str, *, committed: bool) -> None:
        held = self._open.pop(name, None)
        if held is None:
            return
        for logs in self._log.topics.values():
            for log in logs:
                log.end(name, committed=committed)
        if committed and held.group is not None:
            held.group.committed |= held.positions

    def _refuse_fenced(self, name: str, epoch: int) -> None:
        if self._epochs[name] != epoch:
            error = TransportError(
                f"Another worker writes as {name}", "Give each worker an `instance` of its own"
            )
            raise TransactionFault(Fault.FENCED, error)


class MemoryProducer:
    """`TransactionalProducer` on a log in memory."""

    def __init__(self, log: MemoryLog, name: str, instance: str) -> None:
        self._log = log
        self._name = name
        self._instance = instance
        self._epoch: int | None = None
        self.group: Group | None = None
        self.member: Membership | None = None

    def be_ready(self) -> int:
        """Fence a namesake and abort what it left open; once."""
        if self._epoch is None:
            self._epoch = self._log.coordinator.init(self._name)
        return self._epoch

    def begin(self) -> None:
        self.be_ready()
        self._strike("begin")

    def put(self, outgoing: Outgoing) -> None:
        self._strike("put")
        self._log.coordinator.append(self._name, self.be_ready(), outgoing)

    def send_offsets(self, positions: Mapping[Partition, Position]) -> None:
        self._strike("send_offsets")
        assert self.group is not None
        assert self.member is not None
        self._log.coordinator.send_offsets(
            self._name, self.be_ready(), self.group, self.member, positions
        )

    def commit(self) -> None:
        self._strike("commit")
        self._log.coordinator.end(self._name, self.be_ready(), committed=True)
        self._strike("committed")

    def abort(self) -> None:
        self._strike("abort")
        self._log.coordinator.end(self._name, self.be_ready(), committed=False)

    def renew(self) -> None:
        self._epoch = None

    def _strike(self, step: str) -> None:
        self._log.coordinator.strike(step, self._instance)
