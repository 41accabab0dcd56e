"""Whether the topics are there and fit each other, looked at before the group is joined.

Owns: which topic must have at least as many partitions as which other.
Never: creates or changes one; `propensity topics create` does.
Source: ARCHITECTURE.md, "Topics".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from consumer.errors import WorldError
from consumer.transport import Transport
from schemas.settings import Topics


class Misfit(NamedTuple):
    """A topic that has no partition for some of its source's."""

    topic: str
    there: int
    source: str
    wanted: int
    rule: str

    @property
    def error(self) -> WorldError:
        """What stops a worker."""
        return WorldError(
            f"The topic {self.topic} has {self.there} partition{'s' * (self.there != 1)} and "
            f"{self.source} {self.wanted}; {self.rule}",
            f"Give {self.topic} {self.wanted} partitions",
        )


def misfits(topics: Topics, counts: Mapping[str, int]) -> list[Misfit]:
    """The topics that have fewer partitions than they need, of those whose number is known."""
    found = []
    for source, topic, rule in (
        (topics.events, topics.scores, "scores go to the partition number of their event"),
        (topics.events, topics.triggers, "triggers go to the partition number of their event"),
        (topics.events, topics.held_out, "triggers go to the partition number of their event"),
        (topics.examples, topics.states, "states go to the partition number of their rows"),
    ):
        wanted, there = counts.get(source, 0), counts.get(topic)
        if there is not None and there < wanted:
            found.append(Misfit(topic, there, source, wanted, rule))
    return found


def check_topics(transport: Transport, topics: Topics) -> None:
    """Ask for every topic of ours.

    Raises
    ------
    TransportError: a topic is missing, or the broker cannot be reached.
    WorldError: a topic has too few partitions.
    """
    counts = {topic: transport.partition_count(topic) for topic in topics.model_dump().values()}
    for misfit in misfits(topics, counts):
        raise misfit.error
