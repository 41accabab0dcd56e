"""What goes into the topics of a chaos run, and what an ordinary reader sees come out.

Owns: sending at a steady rate, following the scores, and reading whole topics at the end.
Never: sees what is not committed.
Source: the contract, "Reading scores".
"""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from consumer.partitioner import partition_of
from schemas.score import decode_score
from tests.world import Offered

READ_MAX_S = 60.0


class Feeder:
    """Sends events, so many a second; knows which offset was sent when."""

    def __init__(
        self, bootstrap: str, topic: str, partitions: int, events: Iterator[Offered], rate: float
    ) -> None:
        self._producer = Producer(
            {"bootstrap.servers": bootstrap, "enable.idempotence": True, "log_level": 0}
        )
        self._topic = topic
        self._partitions = partitions
        self._events = events
        self._rate = rate
        self._began_s = monotonic()
        self.sent = 0
        self._sent_at: list[list[tuple[float, int]]] = [[] for _ in range(partitions)]

    @property
    def delivered(self) -> list[int]:
        """How many records of each partition the broker has acknowledged."""
        return [len(each) for each in self._sent_at]

    def turn(self) -> None:
        """Send what is due."""
        due = int((monotonic() - self._began_s) * self._rate)
        while self.sent < due:
            self._send(*next(self._events))
        self._producer.poll(0)

    def finish(self) -> None:
        """Wait until all that was sent is in the log."""
        assert self._producer.flush(READ_MAX_S) == 0, "events were not taken"

    def first_after(self, partition: int, at_s: float) -> int | None:
        """The first offset that was sent after a moment, once it is known."""
        for sent_s, offset in reversed(self._sent_at[partition]):
            if sent_s <= at_s:
                break
            found = offset
        else:
            return None
        return found if self._sent_at[partition][-1][0] > at_s else None

    def _send(self, key: bytes | None, value: bytes | None) -> None:
        partition = partition_of(key or b"", self._partitions)
        sent_s = monotonic()
        self.sent += 1

        def delivered(error: KafkaError | None, message: Message) -> None:
            assert error is None, error
            offset = message.offset()
            assert offset is not None
            self._sent_at[partition].append((sent_s, offset))

        self._producer.produce(
            self._topic, value=value, key=key, partition=partition, on_delivery=delivered
        )


class Watcher:
    """Follows the scores as anybody would who reads committed records."""

    def __init__(self, bootstrap: str, topic: str, partitions: int) -> None:
        self._consumer = _reader(bootstrap)
        self._consumer.assign([TopicPartition(topic, index, 0) for index in range(partitions)])
        self.newest = dict.fromkeys(range(partitions), -1)
        self.seen = 0

    def turn(self, wait_s: float) -> None:
        """Read what is there."""
        for message in self._consumer.consume(1_000, wait_s):
            value = message.value()
            if message.error() is None and value is not None:
                source = decode_score(value).source
                self.newest[source.partition] = max(self.newest[source.partition], source.offset)
                self.seen += 1

    def close(self) -> None:
        """Leave."""
        self._consumer.close()


class Stored(NamedTuple):
    """A record as it stands in a topic."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


def read_all(bootstrap: str, topic: str) -> list[Stored]:
    """Every committed record of a topic, partition by partition."""
    consumer = _reader(bootstrap)
    found: list[Stored] = []
    try:
        count = len(consumer.list_topics(topic, READ_MAX_S).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, index, 0) for index in range(count)])
        give_up_s = monotonic() + READ_MAX_S
        ended: set[int] = set()
        while len(ended) < count:
            assert monotonic() < give_up_s, f"{topic} is not read to its end"
            for message in consumer.consume(10_000, 0.2):
                error = message.error()
                if error is None:
                    found.append(_stored(message))
                elif error.name() == "_PARTITION_EOF":
                    ended.add(int(message.partition() or 0))
                elif not error.retriable():
                    raise KafkaException(error)
    finally:
        consumer.close()
    return sorted(found, key=lambda each: each[:2])


def _stored(message: Message) -> Stored:
    partition, offset = message.partition(), message.offset()
    assert partition is not None
    assert offset is not None
    headers: list[tuple[str, bytes | None]] = []
    for header in message.headers() or []:
        name, content = str(header[0]), header[1]
        headers.append((name, content if isinstance(content, bytes) else None))
    key, value = message.key(), message.value()
    assert key is None or isinstance(key, bytes)
    assert value is None or isinstance(value, bytes)
    return Stored(partition, offset, message.timestamp()[1], key, value, headers)


def _reader(bootstrap: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "chaos-reader",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 50,
            "log_level": 0,
        }
    )
