"""Our partitions and positions as the client's objects.

Owns: the translation, and nothing else.
Never: talks to a broker.
Source: confluent_kafka.TopicPartition.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from confluent_kafka import TopicPartition

from consumer.transport import Partition, Position


def place(partition: Partition, offset: int) -> TopicPartition:
    """Return one partition at an offset (or at a time, where a time is asked for)."""
    return TopicPartition(partition.topic, partition.index, offset)


def places(partitions: Iterable[Partition]) -> list[TopicPartition]:
    """Return partitions without offsets."""
    return [TopicPartition(each.topic, each.index) for each in partitions]


def offsets(positions: Mapping[Partition, Position]) -> list[TopicPartition]:
    """Return what is to be committed, with its notes."""
    return [
        TopicPartition(partition.topic, partition.index, position.offset, metadata=position.note)
        for partition, position in positions.items()
    ]
