"""What the topics of models and states hold of each campaign, and taking it out of them.

Owns: which records are a campaign's, and the tombstones that remove them.
Never: reads a campaign file; decides whether something may be removed.
Source: the contract, "Records": both topics keep the newest record of each key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from consumer.transport import Outgoing, Partition, Transport
from schemas.settings import Topics

UNKNOWN = "?"


class _Written(msgspec.Struct):
    """What we look at of a model or a state, of whatever version."""

    lineage: str = UNKNOWN
    learner: str = UNKNOWN
    version: int | None = None
    status: str | None = None
    quality: dict[str, float | None] = {}


@dataclass(frozen=True, slots=True)
class Held:
    """The newest record of one key in one partition; not `readable` if it is no JSON of ours."""

    partition: Partition
    key: bytes
    at_ms: int
    lineage: str
    learner: str
    version: int | None
    status: str | None
    quality: Mapping[str, float | None]
    readable: bool

    @property
    def campaign(self) -> str:
        """The campaign that the key names."""
        return self.key.decode("utf-8", "replace").partition("/")[0]


@dataclass(slots=True)
class KnownLearner:
    """What is known of one learner of a campaign: its model, and its states."""

    campaign: str
    learner: str
    models: list[Held] = field(default_factory=list)
    states: list[Held] = field(default_factory=list)

    @property
    def newest(self) -> Held:
        """The record that was written last; of a model and a state together, the model."""
        return max([*self.models, *self.states], key=lambda held: held.at_ms)

    @property
    def model(self) -> Held | None:
        """The newest model."""
        return max(self.models, key=lambda held: held.at_ms, default=None)

    @property
    def state(self) -> Held | None:
        """The newest state: after the partitions were made more, an older one may lie elsewhere."""
        return max(self.states, key=lambda held: held.at_ms, default=None)

    @property
    def records(self) -> list[Held]:
        """Everything that is held of it."""
        return [*self.models, *self.states]


def known_learners(transport: Transport, topics: Topics) -> list[KnownLearner]:
    """What both topics hold, by campaign and learner."""
    found: dict[tuple[str, str], KnownLearner] = {}

    def of(held: Held) -> KnownLearner:
        name = held.campaign, held.learner
        return found.setdefault(name, KnownLearner(*name))

    for held in _newest(transport, topics.models):
        of(held).models.append(held)
    for held in _newest(transport, topics.states):
        of(held).states.append(held)
    return [found[name] for name in sorted(found)]


def remove(transport: Transport, topics: Topics, records: list[Held], *, whole: bool) -> None:
    """Write a tombstone for each, where it lies, and wait until they are in the log.

    `whole`: nothing else is known of their campaigns. Workers hear of that in the topic of models,
    and so of campaigns too that have no model yet: rows of those are waited for no longer.
    """
    keys = [(held.partition, held.key) for held in records]
    if whole:
        models = Partition(topics.models, 0)
        keys += [(models, held.campaign.encode()) for held in records]
    for partition, key in dict.fromkeys(keys):
        transport.produce(Outgoing(partition.topic, partition.index, [key], [None]))
    transport.commit({})


def _newest(transport: Transport, topic: str) -> list[Held]:
    """The newest record of each key that has one, partition by partition."""
    newest: list[Held] = []
    for index in range(transport.partition_count(topic)):
        partition = Partition(topic, index)
        held: dict[bytes, Held] = {}
        for records in transport.read(partition):
            rows = zip(records.keys, records.values, records.timestamps_ms, strict=True)
            for key, value, at_ms in rows:
                if key is not None and value is None:
                    held.pop(key, None)
                elif key is not None:
                    held[key] = _read(partition, key, value or b"", at_ms)
        newest += held.values()
    return newest


def _read(partition: Partition, key: bytes, value: bytes, at_ms: int) -> Held:
    try:
        written, readable = msgspec.json.decode(value, type=_Written), True
    except msgspec.DecodeError:
        written, readable = _Written(), False
    named = key.decode("utf-8", "replace").partition("/")[2]  # Keys of states name the learner.
    return Held(
        partition,
        key,
        at_ms,
        written.lineage,
        named or written.learner,
        written.version,
        written.status,
        written.quality,
        readable,
    )
