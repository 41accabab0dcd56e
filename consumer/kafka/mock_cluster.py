"""librdkafka's mock cluster: a broker inside this process, for trying things out.

Owns: its life, and how a topic comes to be in it.
Never: asked about transactions, fencing, times or retention: it accepts and ignores them.
Source: https://github.com/confluentinc/librdkafka/blob/master/src/rdkafka_mock.h
"""

from __future__ import annotations

import logging
from typing import Self

from confluent_kafka import Producer

ANSWER_MAX_S = 10.0


class MockCluster:
    """One broker on a free loopback port; it keeps at most 5 MiB per partition.

    Used as a context manager, or closed by hand.
    """

    PARTITIONS = 4

    def __init__(self) -> None:
        logger = logging.getLogger("kafka")
        self._owner = Producer(
            {"test.mock.num.brokers": 1, "bootstrap.servers": "", "logger": logger}
        )
        brokers = self._owner.list_topics(timeout=ANSWER_MAX_S).brokers.values()
        self.bootstrap = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)

    def create_topic(self, topic: str) -> None:
        """Make a topic appear, with `PARTITIONS` partitions: a producer's question does it."""
        self._owner.list_topics(topic, timeout=ANSWER_MAX_S)

    def close(self) -> None:
        """Stop the broker; clients that are still there only see it gone."""
        self._owner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()
