"""The parts of the Kafka transport that need no broker: queue, settings, errors in words.

Owns: what happens when the client refuses.
Never: opens a connection.
Source: consumer/kafka.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from consumer.clock import FixedClock
from consumer.deadline import COMMIT_MAX_S, Patience
from consumer.kafka.asker import ask
from consumer.kafka.configuration import KafkaConfiguration
from consumer.kafka.errors import NamedError, in_words, is_passing
from consumer.kafka.outbox import Outbox
from consumer.kafka.records import records_of
from consumer.transport import (
    NO_HEADERS,
    MissingTopicError,
    Outgoing,
    OwnershipLostError,
    Partition,
    TransportError,
    UnreachableError,
)


@dataclass
class SomeError:
    """An error as the client describes it."""

    named: str
    final: bool = False
    again: bool = False

    def name(self) -> str:
        return self.named

    def str(self) -> str:
        return f"Broker: {self.named}"

    def fatal(self) -> bool:
        return self.final

    def retriable(self) -> bool:
        return self.again


def in_words_of(error: NamedError, place: str) -> TransportError:
    """An error in words, from a broker that nobody asks."""
    return in_words(error, bootstrap="nowhere", subject=place)


class NarrowProducer:
    """A producer whose queue holds a few records until it is polled."""

    def __init__(self, clock: FixedClock, *, room: int, refused_as: str = "_QUEUE_FULL") -> None:
        self._clock = clock
        self._room = self._free = room
        self._refused_as = refused_as
        self.values: list[bytes] = []

    def produce_batch(self, topic: str, messages: list[dict[str, Any]], partition: int = -1) -> int:
        del topic, partition
        taken = min(self._free, len(messages))
        self.values += [message["value"] for message in messages[:taken]]
        for message in messages[taken:]:
            message["_error"] = SomeError(self._refused_as)
        self._free -= taken
        return taken

    def produce(self, topic: str, value: bytes, *where: object, **more: object) -> None:
        del topic, where, more
        if not self._free:
            raise BufferError
        self._free -= 1
        self.values.append(value)

    def poll(self, timeout_s: float) -> int:
        self._clock.advance_ms(round(timeout_s * 1000))
        self._free = self._room
        return 0

    def flush(self, timeout_s: float) -> int:
        self._clock.advance_ms(round(timeout_s * 1000))
        return 1


def numbers(count: int, *, stamped: bool) -> Outgoing:
    values = [b"%d" % number for number in range(count)]
    stamps = [1] * count if stamped else None
    return Outgoing("topic", 0, [None] * count, values, timestamps_ms=stamps)


@pytest.mark.parametrize("stamped", [False, True])
def test_a_full_queue_is_waited_for_in_order(stamped: bool) -> None:
    """Records beyond the queue's room follow when there is room, in order, none twice."""
    clock = FixedClock()
    producer = NarrowProducer(clock, room=7)
    assert Outbox(producer, Patience(clock), in_words_of).put(numbers(30, stamped=stamped)) is None
    assert producer.values == [b"%d" % number for number in range(30)]


@pytest.mark.parametrize("stamped", [False, True])
def test_a_queue_that_stays_full_ends_in_an_error(stamped: bool) -> None:
    """Waiting for room has a deadline."""
    clock = FixedClock()
    with pytest.raises(TransportError, match="has not taken"):
        Outbox(NarrowProducer(clock, room=0), Patience(clock), in_words_of).put(
            numbers(1, stamped=stamped)
        )
    assert COMMIT_MAX_S <= clock.monotonic_s() < COMMIT_MAX_S + 1


def test_a_flush_that_never_ends_ends_in_an_error() -> None:
    """Waiting for acknowledgements has a deadline."""
    clock = FixedClock()
    with pytest.raises(TransportError, match="not acknowledged"):
        Outbox(NarrowProducer(clock, room=1), Patience(clock), in_words_of).flush()
    assert clock.monotonic_s() < COMMIT_MAX_S + 1


def test_a_refused_record_is_remembered() -> None:
    """What the client refuses for good is a failure that stays."""
    clock = FixedClock()
    outbox = Outbox(
        NarrowProducer(clock, room=3, refused_as="MSG_SIZE_TOO_LARGE"), Patience(clock), in_words_of
    )
    failure = outbox.put(numbers(5, stamped=False))
    assert failure is not None
    assert failure[0].name() == "MSG_SIZE_TOO_LARGE"
    assert outbox.flush() == failure


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("acks", 1),
        ("request.required.acks", "0"),
        ("enable.idempotence", False),
        ("enable.auto.commit", True),
        ("auto.offset.reset", "latest"),
        ("partitioner", "random"),
        ("group.id", "another"),
    ],
)
def test_what_the_promises_rest_on_cannot_be_set(key: str, value: str | int) -> None:
    """A setting that would break delivery is refused by name."""
    with pytest.raises(TransportError, match="cannot be set"):
        KafkaConfiguration({key: value}, group="g", instance="i")


def test_settings_reach_the_client_that_they_concern() -> None:
    """Shared settings go to every client, others to their own only, over our defaults."""
    given: dict[str, str | int | float | bool] = {
        "bootstrap.servers": "there:1",
        "sasl.username": "me",
        "linger.ms": 20,
        "fetch.min.bytes": 9,
        "acks": -1,
        "enable.auto.commit": "false",
    }
    configuration = KafkaConfiguration(given, group="g", instance="i")
    consumer, producer = configuration.consumer(), configuration.producer()
    assert consumer["sasl.username"] == producer["sasl.username"] == "me"
    assert producer["linger.ms"] == 20
    assert producer["acks"] == "all"
    assert consumer["fetch.min.bytes"] == 9
    assert consumer["group.id"] == "g"
    assert consumer["client.id"] == producer["client.id"] == "i"
    assert "linger.ms" not in consumer
    assert "fetch.min.bytes" not in producer
    assert configuration.bootstrap == "there:1"


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("_TRANSPORT", UnreachableError, "No Kafka broker answers at there:1"),
        ("_AUTHENTICATION", TransportError, "refuses the login"),
        ("TOPIC_AUTHORIZATION_FAILED", TransportError, "Grant"),
        ("UNKNOWN_TOPIC_OR_PART", MissingTopicError, "propensity topics create"),
        ("ILLEGAL_GENERATION", OwnershipLostError, "refused the commit"),
        ("_AUTO_OFFSET_RESET", TransportError, "not in the log"),
        ("MSG_SIZE_TOO_LARGE", TransportError, "max.message.bytes"),
        ("_MSG_TIMED_OUT", TransportError, "did not acknowledge"),
        ("SOMETHING_NEW", TransportError, "SOMETHING_NEW"),
    ],
)
def test_errors_are_told_with_a_remedy(name: str, kind: type[TransportError], words: str) -> None:
    """Each error becomes a sentence that names the fault, and one that says what to do."""
    told = in_words(SomeError(name), bootstrap="there:1", subject="events")
    assert type(told) is kind
    assert words in str(told)
    assert told.remedy


def test_a_fatal_error_never_passes() -> None:
    """What the client calls fatal ends the process, whatever its name."""
    assert is_passing(SomeError("_TRANSPORT"))
    assert is_passing(SomeError("WHATEVER", again=True))
    assert not is_passing(SomeError("_TRANSPORT", final=True))
    assert not is_passing(SomeError("TOPIC_AUTHORIZATION_FAILED"))


@dataclass
class SomeMessage:
    """A record as the client brings it."""

    place: tuple[str, int, int]
    stamp_ms: int = 5
    given: list[tuple[str, bytes | None]] | None = None

    def topic(self) -> str:
        return self.place[0]

    def partition(self) -> int:
        return self.place[1]

    def offset(self) -> int:
        return self.place[2]

    def timestamp(self) -> tuple[int, int]:
        return (1, self.stamp_ms)

    def key(self) -> bytes:
        return b"key %d" % self.place[2]

    def value(self) -> bytes:
        return b"value %d" % self.place[2]

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return self.given


def test_interleaved_runs_are_joined_by_partition() -> None:
    """Same index in two topics, and runs that come back, still give one batch per partition."""
    places = [("a", 0, 1), ("a", 0, 2), ("b", 0, 7), ("b", 1, 3), ("a", 0, 5), ("b", 1, 4)]
    found = records_of([SomeMessage(place) for place in places])
    assert found is not None
    assert {each.partition: each.offsets for each in found} == {
        Partition("a", 0): [1, 2, 5],
        Partition("b", 0): [7],
        Partition("b", 1): [3, 4],
    }
    assert found[0].values == [b"value 1", b"value 2", b"value 5"]
    assert all(header is NO_HEADERS for each in found for header in each.headers)


def test_a_message_without_a_timestamp_may_be_an_error() -> None:
    """Such messages are looked at one by one."""
    assert records_of([SomeMessage(("a", 0, 1)), SomeMessage(("a", 0, 2), stamp_ms=-1)]) is None


class Restarted:
    """A broker that denies its topics until it has been asked a few times."""

    def __init__(self, denials: int) -> None:
        self.denials = denials

    def answer(self) -> str:
        self.denials -= 1
        if self.denials >= 0:
            raise KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
        return "there"


def test_a_topic_that_was_there_is_asked_for_again() -> None:
    """A broker that has just started has not read of its topics yet; one never seen is missing."""
    patience = Patience(FixedClock())
    assert ask(Restarted(3).answer, patience, 10.0, was_there=True) == "there"
    with pytest.raises(KafkaException):
        ask(Restarted(3).answer, patience, 10.0)


def test_a_topic_that_stays_away_is_missing_after_all() -> None:
    """It is asked for until the time is up, and no longer."""
    with pytest.raises(KafkaException):
        ask(Restarted(10_000).answer, Patience(FixedClock()), 10.0, was_there=True)
