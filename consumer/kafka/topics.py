"""Creating topics on Kafka, and comparing those that exist.

Owns: the administrator's calls.
Never: changes an existing topic.
Source: https://kafka.apache.org/documentation/#topicconfigs
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.cimpl import NewTopic

from consumer.clock import Clock
from consumer.kafka.asker import ANSWER_MAX_S, RETRY_S
from consumer.topics import TopicOutcome, TopicSpec, differences, fit_to_brokers

NO_ID = "AAAAAAAAAAAAAAAAAAAAAA"


def create_topic(
    admin: AdminClient, wanted: TopicSpec, *, dry_run: bool, clock: Clock
) -> TopicOutcome:
    """Create a topic unless it is there; KafkaException says why it could not be.

    Returns when the topic has leaders, so that whoever comes next finds it.
    """
    metadata = admin.list_topics(timeout=ANSWER_MAX_S)
    spec = fit_to_brokers(wanted, len(metadata.brokers))
    if spec.name not in metadata.topics:
        if dry_run:
            return TopicOutcome.of(spec, dry_run=True)
        if _create(admin, spec):
            _await_leaders(admin, spec.name, clock)
            return TopicOutcome.of(spec, dry_run=False)
    return _compare(admin, spec, _await_leaders(admin, spec.name, clock))


def topic_id(admin: AdminClient, topic: str, answer_max_s: float) -> str:
    """The id that a topic got when it was made; empty where the broker gives none."""
    (asked,) = admin.describe_topics(
        TopicCollection([topic]), request_timeout=answer_max_s
    ).values()
    try:
        return id_of(asked.result(2 * answer_max_s))
    except KafkaException as error:
        if error.args[0].name() not in {"UNSUPPORTED_VERSION", "_UNSUPPORTED_FEATURE"}:
            raise
        return ""


def id_of(described: Any) -> str:
    """The id in a description of a topic; empty where the broker gives none."""
    found = str(described.topic_id)
    return "" if found == NO_ID else found


def _create(admin: AdminClient, spec: TopicSpec) -> bool:
    """Return whether it was us who created it."""
    topic = NewTopic(
        spec.name,
        num_partitions=spec.partitions,
        replication_factor=spec.replication,
        config=spec.config,
    )
    (done,) = admin.create_topics([topic], operation_timeout=ANSWER_MAX_S).values()
    try:
        done.result(2 * ANSWER_MAX_S)
    except KafkaException as error:
        if error.args[0].name() != "TOPIC_ALREADY_EXISTS":
            raise
        return False
    return True


def _await_leaders(admin: AdminClient, topic: str, clock: Clock) -> Mapping[int, Any]:
    """Return the partitions, once each has a leader or the deadline has passed."""
    give_up_s = clock.monotonic_s() + ANSWER_MAX_S
    while True:
        found = admin.list_topics(timeout=ANSWER_MAX_S).topics.get(topic)
        if found is not None and all(each.leader >= 0 for each in found.partitions.values()):
            return dict(found.partitions)
        if clock.monotonic_s() > give_up_s:
            raise KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE))
        clock.wait_s(RETRY_S)


def _compare(admin: AdminClient, spec: TopicSpec, partitions: Mapping[int, Any]) -> TopicOutcome:
    resource = ConfigResource(ConfigResource.Type.TOPIC, spec.name)
    (described,) = admin.describe_configs([resource], request_timeout=ANSWER_MAX_S).values()
    config = {key: entry.value for key, entry in described.result(2 * ANSWER_MAX_S).items()}
    replication = min(len(partition.replicas) for partition in partitions.values())
    return TopicOutcome(
        name=spec.name,
        action="exists",
        partitions=len(partitions),
        replication=replication,
        config={key: str(config.get(key)) for key in spec.config},
        differences=differences(
            spec, partitions=len(partitions), replication=replication, config=config
        ),
    )
