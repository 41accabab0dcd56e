"""What goes into the log comes out of it: order, bytes, bounds, reading beside a group.

Owns: the promises on producing, reading and following.
Never: knows which log it runs on, except where one is known to promise less.
Source: consumer/transport.py.
"""

from __future__ import annotations

import pytest

from consumer.partitioner import partition_of
from consumer.transport import (
    NO_HEADERS,
    Bounds,
    Headers,
    Outgoing,
    Partition,
    Position,
    Records,
    Transport,
    TransportError,
)
from tests.contract.conftest import PARTITIONS, Log
from tests.contract.member import Reader, turn_until

STAMP_MS = 1_700_000_000_000


def numbered(topic: str, partition: int | None, start: int, stop: int) -> Outgoing:
    """Return records whose value is their number."""
    values = [b"%d" % number for number in range(start, stop)]
    return Outgoing(topic, partition, keys=values, values=values)


def put(
    transport: Transport, outgoing: Outgoing, positions: dict[Partition, Position] | None = None
) -> None:
    """Produce and commit."""
    transport.produce(outgoing)
    transport.commit(positions or {})


def ends_per_commit(log: Log) -> int:
    """How many offsets the end of a commit takes in a partition that it wrote to."""
    return int(log.delivery == "exactly_once")


def joined(batches: list[Records]) -> list[bytes | None]:
    """Return the values of several batches."""
    return [value for records in batches for value in records.values]


def test_the_end_is_known_from_reading(log: Log) -> None:
    """Whoever reads a partition knows its high watermark without asking; before that, perhaps."""
    topic = log.topic()
    transport = log.member("ends", "one")
    put(transport, numbered(topic, 1, 0, 30))
    reader = Reader(transport, [topic])
    partition = Partition(topic, 1)
    turn_until(lambda: len(reader.values) == 30, reader)
    end = ends_per_commit(log)
    assert transport.high_seen(partition) in {30, 30 + end}
    assert transport.high_seen(Partition(topic, 2)) in {None, 0}
    put(transport, numbered(topic, 1, 30, 40))
    turn_until(lambda: len(reader.values) == 40, reader)
    assert transport.high_seen(partition) in {40 + end, 40 + 2 * end}


def test_order_is_kept_within_a_partition(log: Log) -> None:
    """Records of one partition arrive in the order in which they were produced."""
    topic = log.topic()
    transport = log.member("order", "one")
    for start in range(0, 300, 50):
        for index in range(PARTITIONS):
            transport.produce(numbered(topic, index, start, start + 50))
    transport.commit({})
    reader = Reader(transport, [topic])
    received: dict[Partition, list[Records]] = {}
    while sum(len(each) for batches in received.values() for each in batches) < 300 * PARTITIONS:
        for records in reader.turn(records_max=70):
            received.setdefault(records.partition, []).append(records)
    assert sorted(received) == [Partition(topic, index) for index in range(PARTITIONS)]
    for batches in received.values():
        assert joined(batches) == [b"%d" % number for number in range(300)]
        assert [offset for each in batches for offset in each.offsets] == list(range(300))


def test_a_poll_returns_each_partition_once_and_not_too_much(log: Log) -> None:
    """A poll groups by partition and keeps to its limit."""
    topic = log.topic()
    transport = log.member("limit", "one")
    for index in range(PARTITIONS):
        transport.produce(numbered(topic, index, 0, 40))
    transport.commit({})
    reader = Reader(transport, [topic])
    while len(reader.seen) < 40 * PARTITIONS:
        batches = reader.turn(records_max=33)
        assert sum(map(len, batches)) <= 33
        assert len({records.partition for records in batches}) == len(batches)


def test_keys_values_headers_and_timestamps_survive(log: Log) -> None:
    """Every part of a record comes back as it was given, absent ones as absent."""
    topic = log.topic()
    transport = log.member("parts", "one")
    headers: list[Headers] = [
        [("reason", b"\xff\x00"), ("reason", b"")],
        NO_HEADERS,
        [("none", None)],
    ]
    sent = Outgoing(
        topic,
        2,
        keys=[b"k", None, b""],
        values=[b"v", b"\x00\xfe", None],
        headers=headers,
        timestamps_ms=[STAMP_MS, STAMP_MS + 1, STAMP_MS - 5],
    )
    transport.produce(sent)
    transport.commit({})
    (records,) = transport.read(Partition(topic, 2))
    assert records.keys == sent.keys
    assert records.values == sent.values
    assert records.headers == headers
    assert records.headers[1] is NO_HEADERS
    assert records.timestamps_ms == sent.timestamps_ms


def test_keys_choose_the_partition_as_javas_partitioner_does(log: Log) -> None:
    """Without a partition the key decides, by murmur2."""
    topic = log.topic()
    transport = log.member("keys", "one")
    transport.produce(numbered(topic, None, 0, 60))
    transport.commit({})
    for index in range(PARTITIONS):
        received = joined(list(transport.read(Partition(topic, index))))
        expected = [b"%d" % n for n in range(60) if partition_of(b"%d" % n, PARTITIONS) == index]
        assert received == expected


def test_read_stops_at_the_high_watermark_and_where_told(log: Log) -> None:
    """Reading needs no group, and takes exactly [start, stop)."""
    topic = log.topic()
    transport = log.member("read", "one")
    partition = Partition(topic, 1)
    assert list(transport.read(partition)) == []
    transport.produce(numbered(topic, 1, 0, 10))
    transport.commit({})
    whole = transport.read(partition)
    transport.produce(numbered(topic, 1, 10, 12))
    transport.commit({})
    assert joined(list(whole)) == [b"%d" % number for number in range(10)]
    assert joined(list(transport.read(partition, 3, 5))) == [b"3", b"4"]
    end = ends_per_commit(log)
    assert joined(list(transport.read(partition, 11 + end, 99))) == [b"11"]
    assert list(transport.read(partition, 4, 4)) == []
    beyond = 13 + 2 * end
    with pytest.raises(TransportError, match=str(beyond)):
        list(transport.read(partition, beyond))


def test_bounds_and_offset_at(log: Log) -> None:
    """The watermarks, and the first offset at or after a time; the high watermark if none."""
    topic = log.topic()
    transport = log.member("bounds", "one")
    partition = Partition(topic, 0)
    assert transport.bounds(partition) == Bounds(0, 0)
    assert transport.offset_at(partition, STAMP_MS) == 0
    for number in range(5):
        stamps = [STAMP_MS + 1000 * number]
        transport.produce(Outgoing(topic, 0, [b"k"], [b"v"], timestamps_ms=stamps))
    transport.commit({})
    # The end of a transaction may be written a moment after the commit is answered.
    assert transport.bounds(partition) in {Bounds(0, 5), Bounds(0, 5 + ends_per_commit(log))}
    if log.name == "mock":
        return  # It answers every question about times with the end.
    assert transport.offset_at(partition, 0) == 0
    assert transport.offset_at(partition, STAMP_MS + 1001) == 2
    assert transport.offset_at(partition, STAMP_MS + 2000) == 2
    # The end of a transaction, if it is there, has the broker's time, which is now.
    assert transport.offset_at(partition, STAMP_MS + 9000) in {5, 5 + ends_per_commit(log)}


def test_following_sees_what_arrives_later(log: Log) -> None:
    """Followed partitions deliver from their start on, beside any group, as records arrive."""
    topic = log.topic()
    transport = log.member("follow", "one")
    transport.produce(numbered(topic, 0, 0, 4))
    transport.commit({})
    transport.follow(Partition(topic, 0), 2)
    transport.follow(Partition(topic, 3), 0)
    received: list[bytes | None] = []
    while len(received) < 2:
        received += joined(transport.poll_followed())
    transport.produce(numbered(topic, 3, 7, 9))
    transport.commit({})
    while len(received) < 4:
        received += joined(transport.poll_followed())
    assert received == [b"2", b"3", b"7", b"8"]
    assert transport.poll_followed() == []


def test_a_missing_topic_is_named_with_its_remedy(log: Log) -> None:
    """Asking for a topic that is not there says so, and what to do, and does not create it."""
    transport = log.member("missing", "one")
    for _ in range(2):
        with pytest.raises(TransportError, match="'nowhere' does not exist") as caught:
            transport.partition_count("nowhere")
        assert "propensity topics create" in caught.value.remedy
    with pytest.raises(TransportError, match="'nowhere' does not exist"):
        Reader(transport, ["nowhere"])


def test_partition_count(log: Log) -> None:
    """A topic has as many partitions as it was created with."""
    assert log.member("count", "one").partition_count(log.topic()) == PARTITIONS


def test_many_records_in_large_batches_all_arrive(log: Log) -> None:
    """Batches beyond the client's queue are waited for, and none is dropped."""
    topic = log.topic()
    transport = log.member("many", "one")
    for start in range(0, 30_000, 10_000):
        transport.produce(numbered(topic, 0, start, start + 10_000))
    transport.commit({})
    received = joined(list(transport.read(Partition(topic, 0))))
    assert received == [b"%d" % number for number in range(30_000)]


def test_delivery_to_a_partition_that_is_not_there_fails_the_commit(log: Log) -> None:
    """A record that cannot be delivered raises at once or at the commit, and stays an error."""
    topic = log.topic()
    transport = log.member("undelivered", "one")
    with pytest.raises(TransportError):
        put(transport, numbered(topic, 77, 0, 1))
    if log.name != "memory":
        with pytest.raises(TransportError):
            transport.commit({})


def test_turns_end_when_nothing_comes(log: Log) -> None:
    """An empty topic is polled without error."""
    reader = Reader(log.member("empty", "one"), [log.topic()])
    turn_until(lambda: len(reader.transport.assigned()) == PARTITIONS, reader)
    assert reader.turn() == []
    assert reader.events == ["assigned"]
