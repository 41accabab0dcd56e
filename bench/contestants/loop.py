"""The loop around the pass-through and the obvious function: at least once, in batches.

Owns: consume, produce to the same partition, commit what the broker has acknowledged.
Never: what a record means.
Source: docs of librdkafka; batches, because one record at a time costs six times as much.
"""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, KafkaException, Producer

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.contestants.arguments import Arguments

BATCH_MAX = 1_000
COMMIT_INTERVAL_S = 1.0


def run_loop(arguments: Arguments, transform: Callable[[bytes], bytes] | None) -> None:
    """Publish `transform(value)`, or the value as it came, for every record until told to stop."""
    stopped: list[int] = []
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda number, _frame: stopped.append(number))
    consumer = Consumer(
        {
            "bootstrap.servers": arguments.bootstrap,
            "group.id": arguments.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
    )
    producer = Producer({"bootstrap.servers": arguments.bootstrap, "linger.ms": 0})
    consumer.subscribe([arguments.events])
    committed_s = time.monotonic()
    moved = False
    while not stopped:
        first = consumer.poll(0.1)
        if first is not None:
            messages = [first, *consumer.consume(BATCH_MAX - 1, 0)]
            outgoing = []
            for message in messages:
                value = message.value()
                if message.error() is not None or value is None:
                    raise KafkaException(message.error())
                outgoing.append(
                    {
                        "key": message.key(),
                        "value": transform(value) if transform else value,
                        "partition": message.partition(),
                    }
                )
            _publish(producer, arguments.scores, outgoing)
            moved = True
        if moved and time.monotonic() - committed_s >= COMMIT_INTERVAL_S:
            producer.flush()
            consumer.commit(asynchronous=True)
            committed_s, moved = time.monotonic(), False
    producer.flush()
    if moved:
        consumer.commit(asynchronous=False)
    consumer.close()


def _publish(producer: Producer, topic: str, outgoing: list[dict[str, bytes | int | None]]) -> None:
    """Produce all of them, waiting whenever the client's queue is full."""
    sent = producer.produce_batch(topic, outgoing)
    producer.poll(0)
    while sent < len(outgoing):
        producer.poll(0.01)
        rest = [each for each in outgoing if each.pop("_error", None) is not None]
        outgoing, sent = rest, producer.produce_batch(topic, rest)
