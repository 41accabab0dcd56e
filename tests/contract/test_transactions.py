"""What leaves, leaves together: outputs and positions become visible with the commit, or never.

Owns: the promises of `exactly_once`, on the log in memory and on a real Kafka.
Never: the mock cluster, which accepts transactions and ignores them.
Source: consumer/transport.py and consumer/transactions.py.
"""

from __future__ import annotations

from time import sleep
from typing import Any

import pytest

from consumer.transactions import Fault, TransactionalProducer, TransactionFault
from consumer.transport import Outgoing, OwnershipLostError, Partition, Position, TransportError
from tests.contract.conftest import KAFKA_ONCE, MEMORY_ONCE, PARTITIONS, Log, MemoryUnderTest
from tests.contract.member import Reader, turn_until

pytestmark = pytest.mark.parametrize("log", [MEMORY_ONCE, KAFKA_ONCE], indirect=True)


class Faulty:
    """A real producer that fails where a test says so, one fault after the other."""

    def __init__(self, inner: TransactionalProducer, faults: list[tuple[str, str, Fault]]) -> None:
        self._inner = inner
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._inner, name)

        def faulty(*arguments: Any) -> Any:
            self._strike(name, "before")
            result = call(*arguments)
            self._strike(name, "after")
            return result

        return faulty if name in {"put", "send_offsets", "commit", "abort"} else call

    def _strike(self, name: str, when: str) -> None:
        if self._faults and self._faults[0][:2] == (name, when):
            _, _, kind = self._faults.pop(0)
            raise TransactionFault(kind, TransportError(f"{name} failed", "Nothing"))


def transactions_of(transport: Any) -> Any:
    """The retry core of a transport, whichever it is."""
    return getattr(transport, "_transactions", None) or transport._delivery._transactions


def joined_reader(log: Log, group: str, instance: str = "one") -> tuple[Reader, str]:
    """A member that holds all partitions of a new topic."""
    topic = log.topic()
    reader = Reader(log.member(group, instance), [topic])
    turn_until(lambda: len(reader.transport.assigned()) == PARTITIONS, reader)
    return reader, topic


def read_all(log: Log, partition: Partition) -> list[bytes | None]:
    """What a reader of committed records sees now, up to the last stable offset."""
    looker = log.member("lookers", "looker")
    looker.follow(partition, 0)
    seen: list[bytes | None] = []
    turns = 40 if not isinstance(log, MemoryUnderTest) else 1
    for _ in range(turns):
        for records in looker.poll_followed():
            seen += records.values
        if turns > 1:
            looker.bounds(partition)  # A question to the broker: time passes.
    return seen


def one_record(topic: str, value: bytes, index: int = 0) -> Outgoing:
    """A record without a key."""
    return Outgoing(topic, index, [None], [value])


def produce_and_commit(reader: Reader, outgoing: Outgoing) -> None:
    """Produce, and commit no position."""
    reader.transport.produce(outgoing)
    reader.transport.commit({})


def test_outputs_are_invisible_until_the_commit(log: Log) -> None:
    """Readers of committed records see nothing of an open transaction, then all of it."""
    reader, topic = joined_reader(log, "hidden")
    partition = Partition(topic, 0)
    reader.transport.produce(one_record(topic, b"first"))
    assert read_all(log, partition) == []
    reader.transport.commit({partition: Position(0, "note")})
    turn_until(lambda: reader.values == [b"first"], reader)
    assert reader.transport.committed([partition]) == {partition: Position(0, "note")}


@pytest.mark.parametrize(
    "faults",
    [
        [("put", "before", Fault.ABORT)],
        [("send_offsets", "before", Fault.ABORT)],
        [("send_offsets", "after", Fault.ABORT)],
        [("commit", "before", Fault.ABORT)],
        [("commit", "before", Fault.AGAIN), ("commit", "before", Fault.AGAIN)],
        [("commit", "before", Fault.ABORT), ("commit", "before", Fault.ABORT)],
        [("send_offsets", "after", Fault.AGAIN)],
        [("commit", "before", Fault.ABORT), ("abort", "before", Fault.AGAIN)],
    ],
    ids=lambda faults: " ".join(f"{name}-{when}-{kind.name}" for name, when, kind in faults),
)
def test_an_abort_that_leaves_us_the_owner_is_done_again(log: Log, faults: Any) -> None:
    """After any fault that is not the group's, the same bytes and positions are committed once."""
    reader, topic = joined_reader(log, "again")
    transactions = transactions_of(reader.transport)
    partition = Partition(topic, 0)
    reader.transport.produce(one_record(topic, b"a"))
    reader.transport.commit({partition: Position(0)})
    left = list(faults)
    transactions._producer = Faulty(transactions._producer, left)
    reader.transport.produce(one_record(topic, b"b"))
    reader.transport.produce(one_record(topic, b"c"))
    reader.transport.commit({partition: Position(1, "b and c")})
    assert left == [], "every fault struck"
    assert log.aborted == ["again"] * sum(kind is Fault.ABORT for _, _, kind in faults)
    turn_until(lambda: len(reader.values) >= 3, reader)
    assert reader.values == [b"a", b"b", b"c"]
    assert reader.transport.committed([partition]) == {partition: Position(1, "b and c")}


@pytest.mark.parametrize("when", ["before", "after"])
def test_nothing_is_produced_again_once_a_commit_may_have_happened(log: Log, when: str) -> None:
    """An unknown outcome and then a fault: only a new process can find out what is committed."""
    reader, topic = joined_reader(log, "unknown")
    transactions = transactions_of(reader.transport)
    faults = [("commit", when, Fault.AGAIN), ("commit", "before", Fault.ABORT)]
    transactions._producer = Faulty(transactions._producer, faults)
    reader.transport.produce(one_record(topic, b"perhaps"))
    with pytest.raises(TransportError):
        reader.transport.commit({Partition(topic, 0): Position(0)})
    expected = [b"perhaps"] if when == "after" else []
    for _ in range(100):  # The broker writes the ends of a transaction in its own time.
        if read_all(log, Partition(topic, 0)) == expected:
            break
        sleep(0.05)
    assert read_all(log, Partition(topic, 0)) == expected


def test_lost_ownership_takes_the_outputs_along(log: Log) -> None:
    """When the group refuses, what was produced under the old generation is never seen."""
    reader, topic = joined_reader(log, "lost")
    transactions = transactions_of(reader.transport)
    partition = Partition(topic, 0)
    real = transactions._producer
    transactions._producer = Faulty(real, [("send_offsets", "before", Fault.LOST)])
    reader.transport.produce(one_record(topic, b"never"))
    with pytest.raises(OwnershipLostError):
        reader.transport.commit({partition: Position(0)})
    assert log.aborted == ["lost"]
    reader.transport.produce(one_record(topic, b"later"))
    reader.transport.commit({partition: Position(0)})
    turn_until(lambda: len(reader.values) >= 1, reader)
    assert reader.values == [b"later"]


def test_a_namesake_fences_the_one_before(log: Log) -> None:
    """Two workers with one name: the second aborts what the first left open, and stays."""
    first, topic = joined_reader(log, "twins")
    partition = Partition(topic, 0)
    first.transport.produce(one_record(topic, b"left open"))
    second = Reader(log.member("twins", "one"), [topic])
    if isinstance(log, MemoryUnderTest):
        log.log.expel("twins", "one")
    turn_until(lambda: len(second.transport.assigned()) == PARTITIONS, second)
    second.transport.produce(one_record(topic, b"mine"))
    second.transport.commit({partition: Position(0)})
    turn_until(lambda: len(second.values) >= 1, second)
    assert second.values == [b"mine"]
    with pytest.raises(OwnershipLostError):
        produce_and_commit(first, one_record(topic, b"zombie"))
    assert log.aborted == ["fenced"]
    turn_until(lambda: read_all(log, partition) == [b"mine"], second)


def test_a_successor_ends_what_the_dead_left_open(log: Log) -> None:
    """Readers do not wait for the broker's timeout behind a transaction of somebody gone."""
    dead, topic = joined_reader(log, "heirs", "dead")
    partition = Partition(topic, 0)
    dead.transport.commit({Partition(topic, index): Position(0) for index in range(PARTITIONS)})
    dead.transport.produce(one_record(topic, b"left open"))
    heir = Reader(log.member("heirs", "heir"), [topic])
    if isinstance(log, MemoryUnderTest):
        log.log.expel("heirs", "dead")
    turn_until(lambda: len(heir.transport.assigned()) == PARTITIONS, heir)
    heir.transport.produce(one_record(topic, b"goes on"))
    heir.transport.commit({partition: Position(0)})
    turn_until(lambda: len(heir.values) >= 1, heir)
    assert heir.values == [b"goes on"]
