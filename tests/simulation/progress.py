"""How far the group of a life has come with what was sent.

Owns: which partitions have something left, and whether anything is.
Never: lets time pass.
Source: consumer/transport.py, on committed positions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.memory_log import PartitionLog
from consumer.transport import Partition, Position

if TYPE_CHECKING:
    from tests.simulation.group_life import GroupLife

NOWHERE = Position(-1)


def behind(life: GroupLife) -> set[Partition]:
    """The partitions of which not all is folded, or learned, and committed."""
    committed = life.group.committed
    return {
        partition
        for partition, log in _logs(life)
        if log.offsets and committed.get(partition, NOWHERE).offset <= log.offsets[-1]
    }


def is_done(life: GroupLife) -> bool:
    """Whether all that was sent is folded, learned and committed."""
    return not behind(life) and not any(log.open for _, log in _logs(life))


def _logs(life: GroupLife) -> list[tuple[Partition, PartitionLog]]:
    topics = life.settings.topics
    return [
        (Partition(topic, index), log)
        for topic in (topics.events, topics.examples)
        for index, log in enumerate(life.log.topics[topic])
    ]
