"""What topics the program uses, and how each must be set up.

Owns: the partition counts, cleanup policies and retentions of our topics.
Never: talks to a broker; the transport creates what is described here.
Source: https://kafka.apache.org/documentation/#topicconfigs
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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

    @classmethod
    def of(cls, spec: TopicSpec, *, dry_run: bool) -> TopicOutcome:
        """Return the outcome of a topic that was missing."""
        return cls(
            name=spec.name,
            action="would create" if dry_run else "created",
            partitions=spec.partitions,
            replication=spec.replication,
            config=dict(spec.config),
        )


def topic_specs(
    settings: Settings, *, events_partitions: int, replication: int = REPLICATION
) -> list[TopicSpec]:
    """Describe every topic of ours, the input first.

    Scores and triggers go to the input's partition number, so they have as many partitions.
    """
    topics = settings.topics
    kept_7d = {"cleanup.policy": "delete", "retention.ms": str(7 * DAY_MS)}
    scores = kept_7d
    if settings.score_key == "campaign":  # What a recovery reads back must not be compacted yet.
        scores = {"cleanup.policy": "compact", "min.compaction.lag.ms": str(7 * DAY_MS)}
    kept_30d = {"cleanup.policy": "delete", "retention.ms": str(30 * DAY_MS)}
    # The newest record of each key is kept for good.
    states = {"cleanup.policy": "compact", "max.message.bytes": str(8 * 1024 * 1024)}
    # Every worker reads this topic whole at its start: small segments are compacted sooner.
    models = {**states, "segment.ms": "600000", "segment.bytes": str(16 * 1024 * 1024)}

    def spec(name: str, partitions: int, config: dict[str, str]) -> TopicSpec:
        return TopicSpec(name=name, partitions=partitions, replication=replication, config=config)

    return [
        spec(topics.events, events_partitions, {}),
        spec(topics.scores, events_partitions, scores),
        spec(topics.triggers, events_partitions, kept_30d),
        spec(topics.held_out, events_partitions, kept_30d),
        spec(topics.examples, EXAMPLES_PARTITIONS, kept_30d),
        spec(topics.states, EXAMPLES_PARTITIONS, states),
        spec(topics.models, 1, models),
        spec(topics.dead_letters, 1, kept_30d),
    ]


def fit_to_brokers(spec: TopicSpec, brokers: int) -> TopicSpec:
    """Take no more copies than there are brokers; with three, a write needs two of them."""
    replication = min(spec.replication, brokers)
    config = dict(spec.config)
    if replication >= REPLICATION:
        config.setdefault("min.insync.replicas", "2")
    return replace(spec, replication=replication, config=config)


def differences(
    spec: TopicSpec, *, partitions: int, replication: int, config: Mapping[str, str | None]
) -> list[str]:
    """Say in words how an existing topic is not as described."""
    found: list[str] = []
    if partitions != spec.partitions:
        found.append(f"has {partitions} partitions, not {spec.partitions}")
    if replication < spec.replication:
        found.append(f"is kept {replication} times, not {spec.replication}")
    for key, wanted in spec.config.items():
        if key in config and config[key] != wanted:
            found.append(f"has {key}={config[key]}, not {wanted}")
    return found
