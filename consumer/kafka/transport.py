"""The transport on Kafka: one group member, one asker, one follower, one producer.

Owns: the client's objects, when they are made and closed, and what their callbacks mean.
Never: retries without a deadline, commits what is not in the log, or waits over 0.2 s in a poll.
Source: https://docs.confluent.io/platform/current/clients/confluent-kafka-python/html/
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property, partial
from typing import Any

from confluent_kafka import (
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from consumer.clock import Clock, SystemClock
from consumer.deadline import Patience
from consumer.kafka.asker import ANSWER_MAX_S, MEMBER_ANSWER_MAX_S, RETRY_S, Asker
from consumer.kafka.assignment import Assignment
from consumer.kafka.configuration import KafkaConfiguration, Scalar
from consumer.kafka.delivery import Acknowledged, Delivery
from consumer.kafka.errors import FENCED, LOGIN_REFUSED, NamedError, in_words
from consumer.kafka.outbox import Outbox
from consumer.kafka.places import place, places
from consumer.kafka.reader import READ_RECORDS_MAX, WAIT_MAX_S, read, records_in, take
from consumer.kafka.takeover import Takeover
from consumer.kafka.topics import create_topic, topic_id
from consumer.kafka.transactional import InTransactions, KafkaProducer
from consumer.logs import say
from consumer.ownership import signed, transactional_id
from consumer.topics import TopicOutcome, TopicSpec
from consumer.transactions import Aborted, unheard
from consumer.transport import (
    Bounds,
    DeliveryMode,
    Outgoing,
    OwnershipLostError,
    Partition,
    PartitionsChanged,
    Position,
    Records,
    TopicIdentity,
    TransportError,
    offset_gone,
)

Rebalanced = Callable[[Consumer, list[TopicPartition]], None]

_LOGGER = logging.getLogger("kafka")


class KafkaTransport:
    """`Transport` on Kafka; `kafka` is the dictionary of librdkafka settings.

    With `exactly_once`, what is produced and what is committed form one transaction. With
    `at_least_once`, positions are committed once everything produced is acknowledged, without
    waiting for the answer: an error in it is raised by the next `commit`. While partitions are
    being given back, commits wait. `aborted` hears why a transaction was aborted.
    """

    def __init__(
        self,
        kafka: Mapping[str, Scalar],
        *,
        group: str,
        instance: str,
        delivery: DeliveryMode = "at_least_once",
        clock: Clock | None = None,
        aborted: Aborted = unheard,
    ) -> None:
        self._clock: Clock = clock or SystemClock()
        self._patience = Patience(self._clock)
        self._configuration = KafkaConfiguration(kafka, group=group, instance=instance)
        self._fatal: KafkaError | None = None
        self._assignment = Assignment()
        self._giving_back = False
        self._rebalanced = False
        self._member: Consumer | None = None
        self._follower: Consumer | None = None
        self._owner = transactional_id(group, instance) if delivery == "exactly_once" else ""
        self._takeover: Takeover | None = None
        with self._in_words():
            asker = self._consumer({"isolation.level": "read_uncommitted"})
            self._asker = Asker(asker, patience=self._patience, in_words=self._error)
            self._acknowledged: Acknowledged | None = None
            self._delivery = self._make_delivery(aborted)

    def _make_delivery(self, aborted: Aborted) -> Delivery:
        own = self._configuration
        configuration = own.transactional_producer(self._owner) if self._owner else own.producer()
        in_words = partial(self._error, subject=own.group)

        def told(error: KafkaError | None, message: Message) -> None:
            self._outbox.told(error, message)

        def make() -> Producer:
            return Producer({**self._client(configuration), "on_delivery": told})

        self._outbox = Outbox(make(), self._patience, self._error)
        if self._owner:
            self._takeover = Takeover(own, self._owner, self._admin, self._client, self._patience)
            kafka = KafkaProducer(make, self._outbox, self._joined, self._patience, in_words)
            return InTransactions(kafka, self._patience, aborted)
        self._acknowledged = Acknowledged(
            self._outbox, self._joined, self._asker, self._patience, in_words
        )
        return self._acknowledged

    def subscribe(
        self,
        topics: Sequence[str],
        *,
        assigned: PartitionsChanged,
        revoked: PartitionsChanged,
        lost: PartitionsChanged,
    ) -> None:
        assert self._member is None, "subscribed already"
        for topic in topics:
            self.partition_count(topic)
        self._assigned_callback = assigned
        self._revoked_callback = revoked
        self._lost_callback = lost
        with self._in_words():
            answers = {"on_commit": self._acknowledged.on_commit} if self._acknowledged else {}
            self._member = self._consumer(answers)
            self._member.subscribe(
                list(topics),
                on_assign=self._bounded(self._on_assign),
                on_revoke=self._bounded(self._on_revoke),
                on_lost=self._bounded(self._on_lost),
            )
        self._asker.answer_max_s = MEMBER_ANSWER_MAX_S

    def poll(self, records_max: int, timeout_s: float) -> list[Records]:
        member = self._joined()
        self._raise_fatal()
        self._rebalanced = False
        with self._in_words():
            messages = take(member, records_max, min(timeout_s, WAIT_MAX_S))
            if self._rebalanced:
                self._start_over(messages)
                return []
        self._assignment.refuse_unplaced()
        return records_in(messages, self._error)

    def seek(self, partition: Partition, offset: int) -> None:
        self._assignment.refuse_foreign([partition])
        self._assignment.starts[partition] = offset
        if not self._assignment.placing:
            with self._in_words(str(partition)):
                self._move(partition, offset)

    def pause(self, partitions: Sequence[Partition]) -> None:
        ours = self._assignment.held.intersection(partitions)
        self._assignment.paused |= ours
        if ours and not self._assignment.placing:
            with self._in_words():
                self._joined().pause(places(ours))

    def resume(self, partitions: Sequence[Partition]) -> None:
        ours = self._assignment.held.intersection(partitions)
        self._assignment.paused -= ours
        if ours and not self._assignment.placing:
            with self._in_words():
                self._joined().resume(places(ours))

    def assigned(self) -> list[Partition]:
        return sorted(self._assignment.held)

    def committed(self, partitions: Sequence[Partition]) -> dict[Partition, Position | None]:
        if not partitions:
            return {}
        with self._in_words():
            if self._takeover is not None and self._member is not None:
                self._takeover.settle(partitions)
            found = self._asker.committed(partitions, self._member)
        self._assignment.committed.update(found)
        return found

    def bounds(self, partition: Partition) -> Bounds:
        with self._in_words(partition.topic):
            return self._asker.bounds(partition)

    def high_seen(self, partition: Partition) -> int | None:
        asked = place(partition, OFFSET_END)
        with self._in_words(partition.topic):
            _, high = self._joined().get_watermark_offsets(asked, cached=True)
        return high if high >= 0 else None

    def offset_at(self, partition: Partition, time_ms: int) -> int:
        high = self.bounds(partition).high
        with self._in_words(partition.topic):
            found = self._asker.offset_at(partition, time_ms)
        return found if found >= 0 else high

    def partition_count(self, topic: str) -> int:
        with self._in_words(topic):
            return self._asker.partition_count(topic)

    def topic_identity(self, topic: str) -> TopicIdentity:
        with self._in_words(topic):
            found = self._asker.about(
                topic,
                lambda: topic_id(self._admin, topic, self._patience.left_s(ANSWER_MAX_S)),
            )
            return TopicIdentity(topic, found, self.partition_count(topic))

    def read(
        self, partition: Partition, start: int | None = None, stop: int | None = None
    ) -> Iterator[Records]:
        offset, high = self._start(partition, start)
        return self._read(partition, offset, high if stop is None else min(stop, high))

    def follow(self, partition: Partition, start: int) -> None:
        offset, _ = self._start(partition, start)
        with self._in_words(str(partition)):
            if self._follower is None:
                self._follower = self._consumer()
            self._follower.incremental_assign([place(partition, offset)])

    def poll_followed(self) -> list[Records]:
        if self._follower is None:
            return []
        with self._in_words():
            return records_in(self._follower.consume(READ_RECORDS_MAX, 0), self._error)

    def produce(self, outgoing: Outgoing) -> None:
        self._raise_fatal()
        with self._in_words(outgoing.topic):
            self._delivery.put(outgoing)

    def commit(self, positions: Mapping[Partition, Position]) -> None:
        self._raise_fatal()
        try:
            self._assignment.refuse_foreign(positions)
        except OwnershipLostError:
            self._delivery.forget()
            raise
        mine = {each: signed(position, self._owner) for each, position in positions.items()}
        with self._in_words(self._configuration.group):
            self._delivery.commit(mine, giving_back=self._giving_back)

    def create_topics(
        self, specs: Sequence[TopicSpec], *, dry_run: bool = False
    ) -> list[TopicOutcome]:
        def create(spec: TopicSpec) -> TopicOutcome:
            with self._in_words(spec.name):
                return create_topic(self._admin, spec, dry_run=dry_run, clock=self._clock)

        return [create(spec) for spec in specs]

    def hurry(self, most_s: float) -> None:
        self._patience.hurry(most_s)

    def close(self) -> None:
        with ExitStack() as stack, self._in_words():
            stack.callback(self._asker.consumer.close)
            if self._follower is not None:
                stack.callback(self._follower.close)
            if self._member is not None:
                stack.callback(self._member.close)
            self._delivery.close()

    def _bounded(self, callback: Rebalanced) -> Rebalanced:
        """All that a callback of the group waits for shares one deadline: others wait for us."""

        def run(consumer: Consumer, partitions: list[TopicPartition]) -> None:
            self._rebalanced = True
            with self._patience.within(self._configuration.rebalance_max_s):
                callback(consumer, partitions)

        return run

    def _on_assign(self, consumer: Consumer, offered: list[TopicPartition]) -> None:
        """Let the worker say where each partition starts; else it starts where it was left."""
        self._delivery.forget()
        with self._in_words(self._configuration.group):
            self._delivery.be_ready()
        ours = self._assignment = Assignment(Partition(p.topic, p.partition) for p in offered)
        ours.placing = True
        self._assigned_callback(self.assigned())
        self.committed(sorted(ours.unplaced - ours.committed.keys()))
        ours.place_at_commits()
        ours.placing = False
        still = ours.paused | ours.unplaced
        consumer.assign([place(p, ours.starts.get(p, OFFSET_END)) for p in self.assigned()])
        # A pause outlives the assignment in the client, but not in our promise.
        consumer.resume(places(ours.held - still))
        consumer.pause(places(still))

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Let the worker commit; an eager protocol takes all partitions at once."""
        del consumer, partitions
        self._giving_back = True
        try:
            if self._assignment.held:
                self._revoked_callback(self.assigned())
            with self._in_words():
                self._delivery.give_back()
        finally:
            self._giving_back = False
            self._assignment = Assignment()
            self._delivery.forget()

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        del consumer, partitions
        held = self.assigned()
        self._assignment = Assignment()
        self._delivery.lost()
        if held:
            self._lost_callback(held)

    def _on_error(self, error: KafkaError) -> None:
        # Who was fenced hears of it from the next call as well, and can go on.
        if error.name() not in FENCED and (error.fatal() or error.name() in LOGIN_REFUSED):
            self._fatal = error
        elif self._member is not None:  # A start that fails says one sentence, and that is all.
            say("kafka_error", error=error.name(), problem=error.str())

    def _raise_fatal(self) -> None:
        """Raise what makes going on pointless; it stays."""
        if self._fatal is not None:
            raise self._error(self._fatal)

    def _joined(self) -> Consumer:
        assert self._member is not None, "not subscribed"
        return self._member

    def _start_over(self, messages: list[Message]) -> None:
        """Forget what a poll brought that saw a rebalance: it may be of either generation."""
        ours = self._assignment
        for records in records_in(messages, self._error):
            if records.partition in ours.starts:
                self._move(records.partition, ours.starts[records.partition])

    def _move(self, partition: Partition, offset: int) -> None:
        """Seek; right after an assignment the client may not be ready yet."""
        deadline = self._patience.at_most(ANSWER_MAX_S)
        while True:
            try:
                self._joined().seek(place(partition, offset))
            except KafkaException as error:
                if error.args[0].name() != "_STATE" or deadline.passed:
                    raise
                self._patience.wait_s(RETRY_S)
            else:
                return

    def _read(self, partition: Partition, offset: int, stop: int) -> Iterator[Records]:
        if offset >= stop:
            return
        with ExitStack() as stack, self._in_words(partition.topic):
            # The end is there or comes at once: the broker need not wait for more to send.
            reader = self._consumer({"enable.partition.eof": True, "fetch.wait.max.ms": 20})
            stack.callback(reader.close)
            reader.assign([place(partition, offset)])
            span = range(offset, stop)
            yield from read(reader, partition, span, clock=self._clock, in_words=self._error)

    def _start(self, partition: Partition, start: int | None) -> tuple[int, int]:
        """Return the offset to start at, and the high watermark."""
        low, high = self.bounds(partition)
        offset = low if start is None else start
        if not low <= offset <= high:
            raise offset_gone(partition, offset, low, high)
        return offset, high

    @cached_property
    def _admin(self) -> AdminClient:
        """Made when first asked something: most who produce or read never do."""
        return AdminClient(self._client(self._configuration.client()))

    def _client(self, configuration: Mapping[str, Scalar]) -> dict[str, Any]:
        return {**configuration, "error_cb": self._on_error, "logger": _LOGGER}

    def _consumer(self, more: Mapping[str, Any] | None = None) -> Consumer:
        return Consumer({**self._client(self._configuration.consumer()), **(more or {})})

    @contextmanager
    def _in_words(self, subject: str = "") -> Iterator[None]:
        """Say what Kafka raises in an operator's words."""
        try:
            yield
        except KafkaException as error:
            # A refused login shows as a silent broker; what the client noted says more.
            raise self._error(self._fatal or error.args[0], subject) from error

    def _error(self, error: NamedError, subject: str = "") -> TransportError:
        return in_words(error, bootstrap=self._configuration.bootstrap, subject=subject)
