"""The broker as the bench sees it: topics made, logs loaded, outputs read back.

Owns: the bench's own clients and the settings of the topics that it measures on.
Never: a contestant's clients.
Source: https://kafka.apache.org/documentation/#topicconfigs
"""

from __future__ import annotations

import contextlib
import re
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.broker import kafka_broker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from bench.workload import Workload

PARTITION: Final = 0  # One partition: every contestant sees one order and one event clock.
READ_TIMEOUT_S: Final = 30.0
EVENT_NUMBER: Final = re.compile(rb'"event_id": ?"e(\d+)"')
# The broker's own stamp on the outputs: when they were readable, whatever a contestant stamps.
BROKER_STAMPS: Final = {"message.timestamp.type": "LogAppendTime"}


class WrongOutputError(Exception):
    """A contestant did not publish one score for every event."""


def event_number(value: bytes) -> int:
    """Return the number in the event id that a score (or an event) carries."""
    found = EVENT_NUMBER.search(value)
    if found is None:
        raise WrongOutputError(f"no event_id in {value[:200]!r}")
    return int(found[1])


@contextlib.contextmanager
def started() -> Iterator[tuple[Cluster, Path]]:
    """Start a broker, or take the one that is named; give it with a folder for this bench."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # Broker and workers are stopped.
    with (
        kafka_broker(heap_mib_max=1024) as bootstrap,
        tempfile.TemporaryDirectory(prefix="propensity-bench-") as folder,
    ):
        yield Cluster(bootstrap), Path(folder)


class Cluster:
    """Clients of one broker."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})
        self._looker = self.reader()

    def create(self, topics: Mapping[str, tuple[int, dict[str, str]]]) -> None:
        """Create topics: name -> (partitions, settings)."""
        wanted = [
            NewTopic(name, num_partitions=partitions, replication_factor=1, config=config)
            for name, (partitions, config) in topics.items()
        ]
        for future in self._admin.create_topics(wanted).values():
            future.result()
        for name in topics:
            self._await_visible(name)

    def _await_visible(self, topic: str) -> None:
        """Wait until our own client has heard of the topic."""
        deadline_s = time.monotonic() + READ_TIMEOUT_S
        while True:
            try:
                self._looker.list_topics(topic, timeout=5)  # What it knows may be old.
                self.end(topic)
            except KafkaException:
                if time.monotonic() > deadline_s:
                    raise
                time.sleep(0.05)
            else:
                return

    def delete(self, topics: list[str]) -> None:
        """Delete topics, so that a long bench does not fill the disk."""
        for future in self._admin.delete_topics(topics).values():
            future.result()

    def load(self, topic: str, log: Workload) -> None:
        """Append a log to a topic."""
        producer = Producer({"bootstrap.servers": self.bootstrap, "linger.ms": 20, "log_level": 2})
        for keys, values in log.slices(10_000):
            messages = [{"key": k, "value": v} for k, v in zip(keys, values, strict=True)]
            sent = producer.produce_batch(topic, messages, partition=PARTITION)
            assert sent == len(messages), "the client's queue holds ten such slices"
            assert producer.flush(READ_TIMEOUT_S) == 0, "the broker did not take the log"
        assert self.end(topic) >= len(log)

    def end(self, topic: str) -> int:
        """Return the high watermark."""
        return self._looker.get_watermark_offsets(TopicPartition(topic, PARTITION), timeout=10)[1]

    def await_empty(self, group: str) -> None:
        """Wait until the broker has noticed that a group's members are gone."""
        deadline_s = time.monotonic() + READ_TIMEOUT_S
        while self._admin.describe_consumer_groups([group])[group].result().members:
            assert time.monotonic() < deadline_s, "a session lasts ten seconds"
            time.sleep(0.1)

    def reader(self) -> Consumer:
        """Return a consumer that sees committed records only and commits nothing."""
        return Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "log_level": 2,
                "group.id": "bench-reader",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
            }
        )

    def read_back(self, topic: str, count: int) -> tuple[NDArray[np.int64], bytes]:
        """Return the append time (ms) of each of `count` outputs, and the last of them.

        Raises WrongOutputError unless they are one for every event 0..count-1.
        """
        reader = self.reader()
        reader.assign([TopicPartition(topic, PARTITION, 0)])
        numbers = np.full(count, -1, np.int64)
        stamps = np.zeros(count, np.int64)
        last = b""
        row = 0
        deadline_s = time.monotonic() + READ_TIMEOUT_S
        while row < count and time.monotonic() < deadline_s:
            for message in reader.consume(10_000, 0.2):
                value = message.value()
                if message.error() is not None or value is None:
                    raise KafkaException(message.error())
                if row == count:
                    raise WrongOutputError(f"more than {count} scores in {topic}")
                last = value
                numbers[row] = event_number(last)
                stamps[row] = message.timestamp()[1]
                row += 1
        reader.close()
        if not np.array_equal(np.sort(numbers), np.arange(count)):
            distinct = len(np.unique(numbers[:row]))
            raise WrongOutputError(f"{topic}: {row} scores of {distinct} events, not of {count}")
        return stamps, last
