"""The logs that the contract is executed on: memory, librdkafka's mock cluster, a real Kafka.

Owns: making topics and members on each of them.
Never: a promise; those are in the tests.
Source: consumer/transport.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Protocol

import pytest

from consumer.kafka import KafkaTransport, MockCluster
from consumer.memory_log import MemoryLog
from consumer.memory_transport import MemoryTransport
from consumer.topics import TopicSpec
from consumer.transport import DeliveryMode, Transport

PARTITIONS = 4
SESSION_TIMEOUT_MS = 6000


class Log(Protocol):
    """A log under test; its members tell `aborted` why a transaction was."""

    name: str
    delivery: DeliveryMode
    aborted: list[str]

    def topic(self) -> str:
        """Create a topic of `PARTITIONS` partitions and return its name."""
        ...

    def member(self, group: str, instance: str) -> Transport:
        """Return a transport; the log closes it."""
        ...


class MemoryUnderTest:
    """The log in memory."""

    name = "memory"

    def __init__(self, delivery: DeliveryMode) -> None:
        self.delivery = delivery
        self.log = MemoryLog()
        self.aborted: list[str] = []
        self._names = count()

    def topic(self) -> str:
        name = f"topic-{next(self._names)}"
        self.log.create_topic(TopicSpec(name, PARTITIONS))
        return name

    def member(self, group: str, instance: str) -> Transport:
        return MemoryTransport(
            self.log,
            group=group,
            instance=instance,
            delivery=self.delivery,
            aborted=self.aborted.append,
        )


class KafkaUnderTest:
    """A broker that speaks Kafka's protocol."""

    _names = count()

    def __init__(
        self,
        name: str,
        bootstrap: str,
        cluster: MockCluster | None = None,
        delivery: DeliveryMode = "at_least_once",
    ) -> None:
        self.name = name
        self.delivery = delivery
        self.bootstrap = bootstrap
        self.aborted: list[str] = []
        self._cluster = cluster
        self._made: list[KafkaTransport] = []

    def topic(self) -> str:
        # The process in the name keeps runs on a lasting broker apart.
        name = f"contract-{id(self)}-{next(self._names)}"
        if self._cluster is not None:
            self._cluster.create_topic(name)
        else:
            self.member("creator", "creator").create_topics([TopicSpec(name, PARTITIONS)])
        return name

    def member(self, group: str, instance: str) -> Transport:
        settings: dict[str, str | int | float | bool] = {
            "bootstrap.servers": self.bootstrap,
            "session.timeout.ms": SESSION_TIMEOUT_MS,
            "max.poll.interval.ms": SESSION_TIMEOUT_MS,
            "heartbeat.interval.ms": 200,
        }
        transport = KafkaTransport(
            settings,
            group=group,
            instance=instance,
            delivery=self.delivery,
            aborted=self.aborted.append,
        )
        self._made.append(transport)
        return transport

    def close(self) -> None:
        """Close what the test left open."""
        for transport in self._made:
            transport.close()


@pytest.fixture(scope="session")
def mock_cluster() -> Iterator[MockCluster]:
    with MockCluster() as cluster:
        yield cluster


MEMORY, MOCK = "memory", "mock"
MEMORY_ONCE = "memory exactly_once"
KAFKA = pytest.param("kafka", marks=pytest.mark.kafka)
KAFKA_ONCE = pytest.param("kafka exactly_once", marks=pytest.mark.kafka)


# The mock cluster takes transactions and ignores them: there it is only asked for the other.
@pytest.fixture(params=[MEMORY, MEMORY_ONCE, MOCK, KAFKA, KAFKA_ONCE])
def log(request: pytest.FixtureRequest) -> Iterator[Log]:
    name, _, given = request.param.partition(" ")
    delivery: DeliveryMode = "exactly_once" if given else "at_least_once"
    if name == "memory":
        yield MemoryUnderTest(delivery)
        return
    if name == "mock":
        cluster = request.getfixturevalue("mock_cluster")
        under_test = KafkaUnderTest(name, cluster.bootstrap, cluster)
    else:
        bootstrap = request.getfixturevalue("kafka_bootstrap")
        under_test = KafkaUnderTest(name, bootstrap, delivery=delivery)
    yield under_test
    under_test.close()
