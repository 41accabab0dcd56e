"""What the log in memory does beyond the contract: gaps, retention, expulsion, murmur2.

Owns: the faults that simulation draws from.
Never: claims that Kafka behaves so; tests/contract compares them.
Source: consumer/memory_log.py.
"""

from __future__ import annotations

import pytest

from consumer.memory_log import MemoryLog
from consumer.memory_transport import MemoryTransport
from consumer.partitioner import murmur2
from consumer.topics import TopicSpec, topic_specs
from consumer.transport import Bounds, Outgoing, Partition, Position, TransportError
from schemas.settings import Settings

PARTITION = Partition("events", 0)


def log_with(count: int) -> MemoryLog:
    log = MemoryLog({"events": 1}, now_ms=lambda: 77)
    values = [b"%d" % number for number in range(count)]
    log.append(Outgoing("events", 0, keys=[b"k%d" % (n % 3) for n in range(count)], values=values))
    return log


def test_control_records_leave_gaps() -> None:
    """The end of a transaction takes an offset that no reader ever sees."""
    log = log_with(2)
    log.partition(PARTITION).append_control()
    log.append(Outgoing("events", 0, [b"k"], [b"after"]))
    log.partition(PARTITION).append_control()
    transport = MemoryTransport(log, group="g", instance="one")
    (records,) = transport.read(PARTITION)
    assert records.offsets == [0, 1, 3]
    assert records.timestamps_ms == [77, 77, 77]
    assert transport.bounds(PARTITION) == Bounds(0, 5)
    assert list(transport.read(PARTITION, 2, 3)) == []


def test_compaction_keeps_the_newest_of_each_key() -> None:
    """A compacted partition keeps offsets and bounds, and the last record of each key."""
    log = log_with(8)
    log.partition(PARTITION).compact()
    (records,) = MemoryTransport(log, group="g", instance="one").read(PARTITION)
    assert records.offsets == [5, 6, 7]
    assert log.bounds(PARTITION) == Bounds(0, 8)


def test_retention_moves_the_low_watermark() -> None:
    """What retention took is an error to whoever still stands there."""
    log = log_with(10)
    transport = MemoryTransport(log, group="g", instance="one")
    transport.subscribe(
        ["events"],
        assigned=lambda partitions: transport.seek(partitions[0], 3),
        revoked=print,
        lost=print,
    )
    assert sum(map(len, transport.poll(2, 0))) == 2
    log.partition(PARTITION).delete_before(7)
    assert transport.bounds(PARTITION) == Bounds(7, 10)
    with pytest.raises(TransportError, match="holds 7 to 10"):
        transport.poll(2, 0)


def test_an_expelled_member_hears_that_it_lost_and_joins_again() -> None:
    """`lost` runs in the next poll; then the member is assigned anew."""
    log = log_with(1)
    heard: list[str] = []
    transport = MemoryTransport(log, group="g", instance="one")
    transport.subscribe(
        ["events"],
        assigned=lambda partitions: heard.append(f"assigned {len(partitions)}"),
        revoked=lambda partitions: heard.append(f"revoked {len(partitions)}"),
        lost=lambda partitions: heard.append(f"lost {len(partitions)}"),
    )
    log.group("g").committed[PARTITION] = Position(1, "")
    transport.poll(1, 0)
    log.expel("g", "one")
    transport.poll(1, 0)
    transport.close()
    assert heard == ["assigned 1", "lost 1", "assigned 1", "revoked 1"]


def test_creating_topics_is_idempotent_and_tells_differences() -> None:
    """What exists stays as it is, and its difference is said."""
    transport = MemoryTransport(MemoryLog({"events": 3}), group="g", instance="one")
    specs = [TopicSpec("events", 4), TopicSpec("new", 2)]
    assert [each.action for each in transport.create_topics(specs, dry_run=True)] == [
        "exists",
        "would create",
    ]
    first, second = transport.create_topics(specs)
    assert first.differences == ["has 3 partitions, not 4"]
    assert (second.action, second.partitions) == ("created", 2)
    assert transport.partition_count("new") == 2


def test_our_topics_fit_the_input() -> None:
    """Scores have the input's partitions, states and examples share theirs, models have one."""
    settings = Settings()
    specs = {each.name: each for each in topic_specs(settings, events_partitions=5)}
    names = settings.topics
    assert specs[names.events].partitions == specs[names.scores].partitions == 5
    assert specs[names.examples].partitions == specs[names.states].partitions
    assert specs[names.models].partitions == 1
    compacted = {
        name for name, each in specs.items() if each.config.get("cleanup.policy") == "compact"
    }
    assert compacted == {names.states, names.models}
    assert set(specs) == set(names.model_dump().values())


@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_as_java_computes_it(key: bytes, hashed: int) -> None:
    """The values of Kafka's own test of its hash."""
    assert murmur2(key) == hashed & 0xFFFFFFFF
