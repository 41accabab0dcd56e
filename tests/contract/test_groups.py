"""Members of a group share partitions, commit, hand over, and cannot commit what they lost.

Owns: the promises on assignment, positions, pausing, seeking and fencing.
Never: knows which log it runs on, except where one is known to promise less.
Source: consumer/transport.py, "Life of a partition".
"""

from __future__ import annotations

from collections import Counter

import pytest

from consumer.transport import (
    Outgoing,
    OwnershipLostError,
    Partition,
    Position,
    Transport,
    TransportError,
)
from tests.contract.conftest import KAFKA, MEMORY, PARTITIONS, Log, MemoryUnderTest
from tests.contract.member import Reader, turn_until
from tests.contract.test_records import numbered, put


def fill(transport: Transport, topic: str, start: int, stop: int) -> None:
    """Put the numbers into every partition."""
    for index in range(PARTITIONS):
        transport.produce(numbered(topic, index, start, stop))
    transport.commit({})


def hand_over(log: Log, reader: Reader) -> None:
    """Commit what a reader has seen, when its partitions are taken back."""

    def commit(partitions: list[Partition]) -> None:
        try:
            commit_seen(reader)
        except OwnershipLostError:
            # The mock cluster refuses commits while others join; Kafka takes them.
            assert log.name == "mock", partitions

    reader.on_revoked = commit


def commit_seen(reader: Reader) -> None:
    """Commit what a reader has seen of its partitions."""
    ends: dict[Partition, Position] = {}
    for partition, offset in reader.seen:
        if partition in reader.transport.assigned():
            ends[partition] = Position(offset + 1, f"by {len(reader.seen)}")
    reader.transport.commit(ends)


def commit_until_refused(reader: Reader, positions: dict[Partition, Position]) -> None:
    """Commit and poll; a refusal may be told by the next commit."""
    for _ in range(100):
        reader.transport.commit(positions)
        reader.turn()


def test_a_commit_is_found_again_with_its_note(log: Log) -> None:
    """Positions are kept with their notes; where nothing was committed there is none."""
    topic = log.topic()
    reader = Reader(log.member("notes", "one"), [topic])
    fill(reader.transport, topic, 0, 3)
    turn_until(lambda: len(reader.seen) == 3 * PARTITIONS, reader)
    first, second = Partition(topic, 0), Partition(topic, 1)
    reader.transport.commit({first: Position(2, "digest ä"), second: Position(3, "")})
    reader.transport.commit({first: Position(3, "later")})
    reader.transport.close()
    found = log.member("notes", "two").committed([first, second, Partition(topic, 2)])
    assert found == {
        first: Position(3, "later"),
        second: Position(3, ""),
        Partition(topic, 2): None,
    }


def test_a_successor_goes_on_where_the_commit_stands(log: Log) -> None:
    """After a restart, records behind the commit come again and no others."""
    topic = log.topic()
    reader = Reader(log.member("restart", "one"), [topic])
    fill(reader.transport, topic, 0, 10)
    turn_until(lambda: len(reader.seen) == 10 * PARTITIONS, reader)
    positions = {Partition(topic, index): Position(7) for index in range(PARTITIONS)}
    reader.transport.commit(positions)
    reader.transport.close()
    assert reader.events == ["assigned", "revoked"]
    successor = Reader(log.member("restart", "one"), [topic], start=None)
    turn_until(lambda: len(successor.seen) == 3 * PARTITIONS, successor)
    assert Counter(successor.values) == Counter({b"7": 4, b"8": 4, b"9": 4})


def test_neither_sought_nor_committed_is_an_error(log: Log) -> None:
    """A partition that nobody placed is not read from anywhere by accident."""
    topic = log.topic()
    reader = Reader(log.member("unplaced", "one"), [topic], start=None)
    fill(reader.transport, topic, 0, 2)
    with pytest.raises(TransportError, match="no committed position"):
        turn_until(lambda: bool(reader.seen), reader)


def test_a_position_outside_of_the_log_is_an_error(log: Log) -> None:
    """An offset that is not kept stops with a remedy instead of jumping somewhere."""
    topic = log.topic()
    reader = Reader(log.member("outside", "one"), [topic], start=99)
    with pytest.raises(TransportError, match=r"not (in the log|there)"):
        turn_until(lambda: bool(reader.seen), reader)


def test_two_members_share_and_every_record_has_one_reader(log: Log) -> None:
    """A second member takes half; with commits at the handover each record is read once."""
    topic = log.topic()
    one = Reader(log.member("share", "one"), [topic])
    hand_over(log, one)
    fill(one.transport, topic, 0, 50)
    turn_until(lambda: len(one.seen) == 50 * PARTITIONS, one)
    two = Reader(log.member("share", "two"), [topic])
    hand_over(log, two)
    half = PARTITIONS // 2
    turn_until(
        lambda: len(one.transport.assigned()) == len(two.transport.assigned()) == half, one, two
    )
    fill(log.member("filler", "filler"), topic, 50, 100)
    turn_until(lambda: len({*one.seen, *two.seen}) == 100 * PARTITIONS, one, two)
    assert log.name == "mock" or len(one.seen) + len(two.seen) == 100 * PARTITIONS
    # Ordered names, ordered shares, except in the mock cluster.
    if log.name != "mock":
        assert one.transport.assigned() == [Partition(topic, index) for index in range(half)]
    rebalances = one.events.count("revoked")
    assert one.events == ["assigned", *["revoked", "assigned"] * rebalances]
    # On a busy machine the mock cluster has been seen to rebalance again by itself.
    assert rebalances == 1 or (log.name == "mock" and rebalances > 1)

    one.transport.close()
    turn_until(lambda: len(two.transport.assigned()) == PARTITIONS, two)
    fill(two.transport, topic, 100, 120)
    turn_until(lambda: len({*one.seen, *two.seen}) == 120 * PARTITIONS, two)
    assert log.name == "mock" or len(one.seen) + len(two.seen) == 120 * PARTITIONS


def test_two_topics_are_assigned_together(log: Log) -> None:
    """A member reads all its topics, and knows each record's."""
    topics = [log.topic(), log.topic()]
    reader = Reader(log.member("topics", "one"), topics)
    for topic in topics:
        fill(reader.transport, topic, 0, 5)
    turn_until(lambda: len(reader.seen) == 10 * PARTITIONS, reader)
    counts = Counter(partition for partition, _ in reader.seen)
    assert counts == {Partition(t, i): 5 for t in topics for i in range(PARTITIONS)}


def test_a_paused_partition_is_silent_until_resumed(log: Log) -> None:
    """Pausing holds one partition back while others go on, also from the callback on."""
    topic = log.topic()
    reader = Reader(log.member("pause", "one"), [topic])
    turn_until(lambda: len(reader.transport.assigned()) == PARTITIONS, reader)
    held = Partition(topic, 1)
    reader.transport.pause([held])
    fill(reader.transport, topic, 0, 5)
    turn_until(lambda: len(reader.seen) == 5 * (PARTITIONS - 1), reader)
    for _ in range(5):
        assert reader.turn() == []
    reader.transport.resume([held])
    turn_until(lambda: len(reader.seen) == 5 * PARTITIONS, reader)
    assert Counter(partition for partition, _ in reader.seen)[held] == 5


def test_a_partition_can_be_placed_later_while_it_is_paused(log: Log) -> None:
    """A long restore goes on in the loop: paused when assigned, sought and resumed when ready."""
    topic = log.topic()
    transport = log.member("later", "one")
    fill(transport, topic, 0, 5)
    reader = Reader(transport, [topic], start=None)
    reader.on_assigned = transport.pause
    turn_until(lambda: len(transport.assigned()) == PARTITIONS, reader)
    for _ in range(3):
        assert reader.turn() == []
    for partition in transport.assigned():
        transport.seek(partition, 3)
    transport.resume(transport.assigned())
    turn_until(lambda: len(reader.seen) == 2 * PARTITIONS, reader)
    assert {offset for _, offset in reader.seen} == {3, 4}


def test_seek_goes_back_and_forward(log: Log) -> None:
    """After a seek the next record is the one asked for."""
    topic = log.topic()
    reader = Reader(log.member("seek", "one"), [topic])
    fill(reader.transport, topic, 0, 20)
    turn_until(lambda: len(reader.seen) == 20 * PARTITIONS, reader)
    partition = Partition(topic, 3)
    for target in (5, 18, 0):
        reader.seen.clear()
        reader.transport.seek(partition, target)
        turn_until(lambda: reader.seen[-1:] == [(partition, 19)], reader)
        assert reader.seen == [(partition, offset) for offset in range(target, 20)]
    with pytest.raises(OwnershipLostError):
        reader.transport.seek(Partition(topic, 99), 0)


def test_a_commit_for_a_partition_that_is_not_ours_is_refused(log: Log) -> None:
    """Only what the group has given may be committed."""
    topic = log.topic()
    reader = Reader(log.member("foreign", "one"), [topic])
    with pytest.raises(OwnershipLostError):
        reader.transport.commit({Partition(topic, 0): Position(0)})
    turn_until(lambda: len(reader.transport.assigned()) == PARTITIONS, reader)
    reader.transport.commit({Partition(topic, 0): Position(0)})
    with pytest.raises(OwnershipLostError):
        reader.transport.commit({Partition("another", 0): Position(0)})


@pytest.mark.parametrize("log", [MEMORY, KAFKA], indirect=True)  # The mock fences nobody.
def test_a_commit_by_an_expelled_member_is_refused(log: Log) -> None:
    """A member that the group gave up on cannot move the positions of its successor."""
    topic = log.topic()
    one = Reader(log.member("fenced", "one"), [topic])
    fill(one.transport, topic, 0, 5)
    turn_until(lambda: len(one.seen) == 5 * PARTITIONS, one)
    two = Reader(log.member("fenced", "two"), [topic])
    if isinstance(log, MemoryUnderTest):
        log.log.expel("fenced", "one")
    # The first one no longer polls; on Kafka it heartbeats on, and may stay for
    # `max.poll.interval.ms`, which its settings make short here.
    turn_until(lambda: len(two.transport.assigned()) == PARTITIONS, two)
    partition = Partition(topic, 0)
    two.transport.commit({partition: Position(5, "two")})
    with pytest.raises(OwnershipLostError):
        commit_until_refused(one, {partition: Position(1, "one")})
    two.turn()
    assert log.member("fenced", "three").committed([partition]) == {partition: Position(5, "two")}


def test_nothing_is_committed_when_a_record_was_not_delivered(log: Log) -> None:
    """A position never gets ahead of the outputs that belong to it."""
    topic = log.topic()
    reader = Reader(log.member("together", "one"), [topic])
    turn_until(lambda: len(reader.transport.assigned()) == PARTITIONS, reader)
    partition = Partition(topic, 0)
    reader.transport.commit({partition: Position(0, "before")})
    lost = Outgoing(topic, 55, [None], [b"lost"])
    with pytest.raises(TransportError):
        put(reader.transport, lost, {partition: Position(0, "after")})
    found = log.member("together", "two").committed([partition])
    assert found == {partition: Position(0, "before")}
