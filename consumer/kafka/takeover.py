"""Taking partitions over from a worker that died in the middle of a transaction.

Owns: who committed last, and ending what the dead left open.
Never: touches the transaction of a member of the group; fencing is the generation's job.
Source: until an open transaction ends, readers of committed records wait behind it; the broker
ends it by itself only after `transaction.timeout.ms` and up to 10 s more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, Producer
from confluent_kafka.admin import AdminClient

from consumer.clock import Clock
from consumer.kafka.asker import ask
from consumer.kafka.configuration import KafkaConfiguration, Scalar
from consumer.kafka.places import places
from consumer.kafka.transactional import INIT_MAX_S
from consumer.ownership import transactional_id, unsigned
from consumer.transport import Partition

ANSWER_MAX_S = 10.0

_LOGGER = logging.getLogger("kafka")


class Takeover:
    """Looks at the last owner of partitions, and ends its open transaction if it is gone.

    `client` adds to a configuration what all clients of the transport share.
    """

    def __init__(
        self,
        configuration: KafkaConfiguration,
        owner: str,
        admin: AdminClient,
        client: Callable[[Mapping[str, Scalar]], dict[str, Any]],
        clock: Clock,
    ) -> None:
        self._configuration = configuration
        self._group = configuration.group
        self._owner = owner
        self._client = client
        self._clock = clock
        self._admin = admin

    def settle(self, partitions: Sequence[Partition]) -> None:
        """End what dead owners of these partitions left open."""
        owners = {each for each in self._owners(partitions) if each not in {"", self._owner}}
        if not owners:
            return
        living = {transactional_id(self._group, name) for name in self._members()}
        for owner in sorted(owners - living):
            self._end_transaction(owner)
            _LOGGER.warning("%s is gone; what it left open was aborted", owner)

    def _end_transaction(self, owner: str) -> None:
        producer = Producer(self._client(self._configuration.transactional_producer(owner)))
        producer.init_transactions(INIT_MAX_S)
        producer.close()

    def _owners(self, partitions: Sequence[Partition]) -> Iterable[str]:
        asked = ConsumerGroupTopicPartitions(self._group, places(partitions))
        # What an open transaction holds is of no interest here, so it is not waited for.
        futures = self._admin.list_consumer_group_offsets(
            [asked], require_stable=False, request_timeout=ANSWER_MAX_S
        )
        answer = ask(futures[self._group].result, self._clock)
        return [unsigned(each.metadata or "")[0] for each in answer.topic_partitions or []]

    def _members(self) -> list[str]:
        futures = self._admin.describe_consumer_groups([self._group], request_timeout=ANSWER_MAX_S)
        answer = ask(futures[self._group].result, self._clock)
        return [member.client_id for member in answer.members]
