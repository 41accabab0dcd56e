"""Looking at a Kafka: its topics, a sample of events, and where each partition stands.

Owns: what is asked of a transport for the checks, and how much of it.
Never: judges, joins the group, or writes.
Source: docs/doctor.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from consumer.doctor.history_checks import Standing
from consumer.errors import WorldError
from consumer.snapshots.manifest import Manifest
from consumer.snapshots.snapshots import Snapshots
from consumer.transport import Partition, Records, Transport

SAMPLED_PARTITIONS_MAX: Final = 12
SAMPLED_RECORDS_MAX: Final = 200
SAMPLED_STATES_MAX: Final = 20  # Each may take megabytes.
MANIFESTS_MAX: Final = 3
ANY_OFFSET: Final = (1 << 63) - 1


def newest_events(transport: Transport, topic: str, partitions: int) -> list[Records]:
    """The newest events, of some of the partitions where there are many."""
    step = -(-partitions // SAMPLED_PARTITIONS_MAX)
    return _newest(transport, topic, range(0, partitions, step), SAMPLED_RECORDS_MAX)


def newest_states(transport: Transport, topic: str, partitions: int) -> list[Records]:
    """The states that were published last, of every partition."""
    return _newest(transport, topic, range(partitions), SAMPLED_STATES_MAX)


def _newest(transport: Transport, topic: str, indices: range, records_max: int) -> list[Records]:
    return [
        records
        for index in indices
        for records in _tail(transport, Partition(topic, index), records_max)
    ]


def _tail(transport: Transport, partition: Partition, records_max: int) -> Iterator[Records]:
    low, high = transport.bounds(partition)
    if low < high:
        yield from transport.read(partition, max(low, high - records_max), high)


def standings(transport: Transport, topic: str, partitions: int) -> list[Standing]:
    """Where each partition of a topic stands."""
    all_of_it = [Partition(topic, index) for index in range(partitions)]
    committed = transport.committed(all_of_it)
    return [Standing(each, committed.get(each), transport.bounds(each)) for each in all_of_it]


def kept_snapshots(
    snapshots: Snapshots, events: Sequence[Standing]
) -> dict[Partition, Sequence[Manifest] | WorldError]:
    """The newest snapshots of each partition that a worker would look at, or why it would not."""
    found: dict[Partition, Sequence[Manifest] | WorldError] = {}
    for partition, position, _ in events:
        not_after = ANY_OFFSET if position is None else position.offset
        newest = snapshots.newest(*partition, not_after=not_after)
        try:
            found[partition] = list(islice(newest, MANIFESTS_MAX))
        except WorldError as error:
            found[partition] = error
    return found
