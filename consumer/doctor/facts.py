"""What was looked up of a Kafka, as plain values.

Owns: the shapes between the questions and the checks.
Never: asks, or judges.
Source: docs/doctor.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from consumer.transport import TopicIdentity


@dataclass(frozen=True, slots=True)
class Cluster:
    """The brokers: their addresses, and the newest version of each request that they all speak."""

    addresses: tuple[tuple[str, int], ...]
    versions: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TopicSeen:
    """A topic as the brokers have it.

    `replication` is that of the partition with the fewest copies. `config` is None where we may
    not see it; `operations` are those allowed to us, None where the broker does not tell.
    """

    identity: TopicIdentity
    replication: int
    config: Mapping[str, str] | None
    operations: frozenset[str] | None

    @property
    def partitions(self) -> int:
        """How many partitions it has; 0 where we may not see the topic at all."""
        return self.identity.partitions


@dataclass(frozen=True, slots=True)
class Member:
    """A member of the group: its `instance`, and the address that it comes from."""

    instance: str
    host: str


@dataclass(frozen=True, slots=True)
class GroupSeen:
    """The group as its coordinator has it; `operations` as of a topic."""

    members: tuple[Member, ...]
    operations: frozenset[str] | None
