"""What topics the program uses, and how each must be set up.

Owns: the partition counts, cleanup policies and retentions of our topics.
Never: talks to a broker; the transport creates what is described here.
Source: https://kafka.apache.org/documentation/#topicconfigs
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from schemas.settings import Settings

DAY_MS = 86_400_000
EVENTS_PARTITIONS = 12
EXAMPLES_PARTITIONS = 16
REPLICATION = 3


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as it should be: `replication` is an upper limit, fewer brokers mean fewer copies."""

    name: str
    partitions: int
    replication: int = REPLICATION
    config: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TopicOutcome:
    """What became of one `TopicSpec`; `differences` are sentences about a topic that exists."""

    name: str
    action: Literal["created", "would create", "exists"]
    partitions: int
    replication: int
    config: dict[str, str] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)


def topic_specs(
    settings: Settings, *, events_partitions: int, replication: int = REPLICATION
) -> list[TopicSpec]:
    """Describe every topic of ours, the input first.

    Scores and triggers go to the input's partition number, so they have as many partitions.
    """
    topics = settings.topics
    kept_7d = {"cleanup.policy": "delete", "retention.ms": str(7 * DAY_MS)}
    kept_30d = {"cleanup.policy": "delete", "retention.ms": str(30 * DAY_MS)}
    # The newest record of each key is kept for good.
    states = {"cleanup.policy": "compact", "max.message.bytes": str(8 * 1024 * 1024)}
    # Every worker reads this topic whole at its start: small segments are compacted sooner.
    models = {**states, "segment.ms": "600000", "segment.bytes": str(16 * 1024 * 1024)}

    def spec(name: str, partitions: int, config: dict[str, str]) -> TopicSpec:
        return TopicSpec(name=name, partitions=partitions, replication=replication, config=config)

    return [
        spec(topics.events, events_partitions, {}),
        spec(topics.scores, events_partitions, kept_7d),
        spec(topics.triggers, events_partitions, kept_30d),
        spec(topics.held_out, events_partitions, kept_30d),
        spec(topics.examples, EXAMPLES_PARTITIONS, kept_30d),
        spec(topics.states, EXAMPLES_PARTITIONS, states),
        spec(topics.models, 1, models),
        spec(topics.dead_letters, 1, kept_30d),
    ]
