"""Creating topics on Kafka, and comparing those that exist.

Owns: the administrator's calls.
Never: changes an existing topic.
Source: https://kafka.apache.org/documentation/#topicconfigs
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.cimpl import NewTopic

from consumer.topics import TopicOutcome, TopicSpec, differences, fit_to_brokers

ANSWER_MAX_S = 10.0


def create_topic(admin: AdminClient, wanted: TopicSpec, *, dry_run: bool) -> TopicOutcome:
    """Create a topic unless it is there; KafkaException says why it could not be."""
    metadata = admin.list_topics(timeout=ANSWER_MAX_S)
    spec = fit_to_brokers(wanted, len(metadata.brokers))
    there = metadata.topics.get(spec.name)
    if there is not None:
        return _compare(admin, spec, there.partitions)
    if not dry_run:
        topic = NewTopic(
            spec.name,
            num_partitions=spec.partitions,
            replication_factor=spec.replication,
            config=spec.config,
        )
        (done,) = admin.create_topics([topic], operation_timeout=ANSWER_MAX_S).values()
        done.result(2 * ANSWER_MAX_S)
    return TopicOutcome.of(spec, dry_run=dry_run)


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
