"""Why a partition delivers nothing for a while; it goes on when no reason is left.

Owns: the reasons, and telling the transport when the first comes and the last goes.
Never: decides that a partition must wait.
Source: ARCHITECTURE.md, "Waiting partitions".
"""

from __future__ import annotations

from typing import Literal, Protocol

from consumer.transport import Partition, Transport

Reason = Literal[
    "recovery", "snapshot", "backlog", "dead_letters", "ahead_of_others", "unknown_lineage"
]


class Told(Protocol):
    """Hears whether a partition waits, when that changes."""

    def __call__(self, partition: Partition, reason: Reason, *, waits: bool) -> None:
        """Take note."""
        ...


class Holds:
    """The reasons for which partitions are paused."""

    def __init__(self, transport: Transport, told: Told) -> None:
        self._transport = transport
        self._told = told
        self._reasons: dict[Partition, set[Reason]] = {}

    def hold(self, partition: Partition, reason: Reason) -> None:
        """Let a partition wait."""
        reasons = self._reasons.setdefault(partition, set())
        if not reasons:
            self._transport.pause([partition])
        if reason not in reasons:
            reasons.add(reason)
            self._told(partition, reason, waits=True)

    def release(self, partition: Partition, reason: Reason) -> None:
        """Take one reason away; without any, the partition goes on."""
        reasons = self._reasons.get(partition)
        if reasons is None or reason not in reasons:
            return
        reasons.remove(reason)
        self._told(partition, reason, waits=False)
        if not reasons:
            del self._reasons[partition]
            self._transport.resume([partition])

    def held(self, partition: Partition, reason: Reason) -> bool:
        """Whether a partition waits for this reason."""
        return reason in self._reasons.get(partition, ())

    def waits(self, partition: Partition) -> bool:
        """Whether a partition waits for any reason."""
        return partition in self._reasons

    def forget(self, partition: Partition) -> None:
        """The partition is not ours any more."""
        for reason in self._reasons.pop(partition, set()):
            self._told(partition, reason, waits=False)
