"""Reading Kafka: a bounded stretch of one partition, and what one poll brings.

Owns: how to wait, where a stretch ends, and which errors end it.
Never: imports the client, or belongs to a group.
Source: control records occupy offsets and compaction leaves gaps, so an end is seen, not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from consumer.clock import Clock
from consumer.kafka.errors import NamedError, is_passing
from consumer.kafka.records import records_of, records_of_sound
from consumer.transport import Partition, Records, TransportError

SILENCE_MAX_S = 30.0
WAIT_MAX_S = 0.2
READ_RECORDS_MAX = 5000
PARTITION_EOF = "_PARTITION_EOF"

InWords = Callable[[NamedError, str], TransportError]


def take(consumer: Any, records_max: int, timeout_s: float) -> list[Any]:
    """Wait for the first message only; `consume` alone would wait for all of them."""
    first = consumer.poll(timeout_s)
    return [] if first is None else [first, *consumer.consume(records_max - 1, 0)]


def records_in(messages: list[Any], in_words: InWords) -> list[Records]:
    """Return the records; raise an error among them unless it passes by itself."""
    if not messages:
        return []
    found = records_of(messages)
    if found is not None:
        return found
    sound: list[Any] = []
    for message in messages:
        error = message.error()
        if error is None:
            sound.append(message)
        elif not is_passing(error):
            raise in_words(error, str(message.topic()))
    return records_of_sound(sound) if sound else []


def read(
    consumer: Any, partition: Partition, span: range, *, clock: Clock, in_words: InWords
) -> Iterator[Records]:
    """Read a span of offsets with a consumer assigned at its start that reports ends."""
    offset, stop = span.start, span.stop
    give_up_s = clock.monotonic_s() + SILENCE_MAX_S
    while offset < stop:
        messages = take(consumer, READ_RECORDS_MAX, WAIT_MAX_S)
        ends = [each.offset() for each in messages if _is_end(each)]
        if ends:
            messages = [each for each in messages if not _is_end(each)]
        for records in records_in(messages, in_words):
            offset = records.offsets[-1] + 1
            below = records.below(stop)
            if len(below):
                yield below
        offset = max(offset, *ends, 0)
        if messages:
            give_up_s = clock.monotonic_s() + SILENCE_MAX_S
        elif clock.monotonic_s() > give_up_s:
            raise TransportError(
                f"{partition} cannot be read beyond {offset}, although it goes on to {stop}",
                "Check the broker; a producer's open transaction hides records until it ends",
            )


def _is_end(message: Any) -> bool:
    error = message.error()
    return error is not None and error.name() == PARTITION_EOF
