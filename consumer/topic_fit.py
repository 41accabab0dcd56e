"""Whether the topics are there and fit each other, looked at before the group is joined.

Owns: which topic must have at least as many partitions as which other.
Never: creates or changes one; `propensity topics create` does.
Source: ARCHITECTURE.md, "Topics".
"""

from __future__ import annotations

from consumer.errors import WorldError
from consumer.transport import Transport
from schemas.settings import Topics


def check_topics(transport: Transport, topics: Topics) -> None:
    """Ask for every topic of ours.

    Raises
    ------
    TransportError: a topic is missing, or the broker cannot be reached.
    WorldError: a topic has too few partitions.
    """
    _check(transport, topics.events, topics.scores, "scores", "event")
    _check(transport, topics.examples, topics.states, "states", "rows")
    for topic in (topics.models, topics.dead_letters):
        transport.partition_count(topic)


def _check(transport: Transport, source: str, topic: str, what: str, whose: str) -> None:
    """Refuse a topic that has no partition for some of its source's."""
    wanted = transport.partition_count(source)
    there = transport.partition_count(topic)
    if there < wanted:
        raise WorldError(
            f"The topic {topic} has {there} partition{'s' * (there != 1)} and {source} {wanted}; "
            f"{what} go to the partition number of their {whose}",
            f"Give {topic} {wanted} partitions",
        )
