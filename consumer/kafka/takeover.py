"""Taking partitions over from a worker that died in the middle of a transaction.

Owns: who committed last, and ending what the dead left open.
Never: touches the transaction of a member of the group; fencing is the generation's job.
Source: until an open transaction ends, readers of committed records wait behind it; the broker
ends it by itself only after `transaction.timeout.ms` and up to 10 s more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from consumer.deadline import Patience
from consumer.kafka.asker import ANSWER_MAX_S, QUESTION_MAX_S, ask
from consumer.kafka.configuration import KafkaConfiguration, Scalar
from consumer.kafka.errors import is_passing
from consumer.kafka.places import places
from consumer.kafka.transactional import INIT_MAX_S
from consumer.logs import say
from consumer.ownership import transactional_id, unsigned
from consumer.transport import Partition

TRY_MAX_S = 0.1


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
        patience: Patience,
    ) -> None:
        self._configuration = configuration
        self._group = configuration.group
        self._owner = owner
        self._client = client
        self._patience = patience
        self._admin = admin

    def settle(self, partitions: Sequence[Partition]) -> None:
        """End what dead owners of these partitions left open, of all of them at once."""
        owners = {each for each in self._owners(partitions) if each not in {"", self._owner}}
        if not owners:
            return
        living = {transactional_id(self._group, name) for name in self._members()}
        self._end_transactions(owners - living)

    def _end_transactions(self, owners: Iterable[str]) -> None:
        """Be each of them for a moment; the client works for all while one is waited for."""
        configuration = self._configuration.transactional_producer
        left = {owner: Producer(self._client(configuration(owner))) for owner in sorted(owners)}
        deadline = self._patience.at_most(INIT_MAX_S)
        while left:
            for owner, producer in list(left.items()):
                try:
                    producer.init_transactions(TRY_MAX_S)
                except KafkaException as error:
                    if not is_passing(error.args[0]) or deadline.passed:
                        raise
                    continue
                del left[owner]
                producer.close()
                say("owner_gone", owner=owner)

    def _owners(self, partitions: Sequence[Partition]) -> Iterable[str]:
        asked = ConsumerGroupTopicPartitions(self._group, places(partitions))
        # What an open transaction holds is of no interest here, so it is not waited for.
        answer = self._ask(
            lambda most_s: self._admin.list_consumer_group_offsets(
                [asked], require_stable=False, request_timeout=most_s
            )
        )
        return [unsigned(each.metadata or "")[0] for each in answer.topic_partitions or []]

    def _members(self) -> list[str]:
        answer = self._ask(
            lambda most_s: self._admin.describe_consumer_groups(
                [self._group], request_timeout=most_s
            )
        )
        return [member.client_id for member in answer.members]

    def _ask(self, question: Callable[[float], Mapping[str, Any]]) -> Any:
        """Ask about the group, each time anew."""

        def answer() -> Any:
            return question(self._patience.left_s(QUESTION_MAX_S))[self._group].result()

        return ask(answer, self._patience, ANSWER_MAX_S)
