"""Whether a worker could go on from its commits: with the log, the topics and the snapshots.

Owns: asking start-up's own refusals of every partition, without starting.
Never: a rule of its own; `consumer.lost_history` and `consumer.other_topics` have them.
Source: ARCHITECTURE.md, "Recovery".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from consumer.doctor.facts import Member
from consumer.doctor.finding import Finding, or_ok
from consumer.errors import WorldError
from consumer.lost_history import (
    refuse_beyond_end,
    refuse_gap,
    refuse_lost_start,
    refuse_lost_tail,
    refuse_rows_gone,
    uncommitted,
)
from consumer.positions import later_start
from consumer.snapshots.manifest import Manifest
from consumer.transport import Bounds, DeliveryMode, Partition, Position, TopicIdentity


class Standing(NamedTuple):
    """Where a partition stands: what was committed, and what the log holds."""

    partition: Partition
    position: Position | None
    bounds: Bounds


def judge_members(members: Sequence[Member]) -> list[Finding]:
    """Each worker has an `instance` of its own: what it writes is fenced by it."""
    found = [
        Finding(
            "group",
            "failed",
            f"{number} members of the group are called {instance}",
            "a name of its own for each",
            "Give each worker an `instance` of its own, such as its host's or its pod's name",
            'export PROPENSITY_INSTANCE="$(hostname)"',
        )
        for instance, number in Counter(each.instance for each in members).items()
        if number > 1
    ]
    names = ", ".join(sorted(each.instance for each in members))
    return or_ok("group", found, f"members: {names}" if members else "no worker runs yet")


def judge_history(
    topic: TopicIdentity,
    events: Sequence[Standing],
    examples: Sequence[Standing],
    snapshots: Mapping[Partition, Sequence[Manifest] | WorldError],
    delivery: DeliveryMode,
) -> list[Finding]:
    """The refusals of a start, one for each kind: those of other partitions are counted.

    `snapshots`: those of a partition of events at or below its committed offset, newest first, or
    why a worker would not read them.
    """
    check = "history"
    refusals = [*_of_events(topic, events, snapshots), *_of_examples(examples, delivery)]
    found = [Finding.of(check, error) for error in refusals[:1]]
    if len(refusals) > 1:
        first = found[0]
        said = f"{first.found}; and {len(refusals) - 1} more partitions"
        found = [Finding(check, "failed", said, remedy=first.remedy)]
    committed = sum(each.position is not None for each in events)
    with_snapshot = sum(isinstance(each, Sequence) and bool(each) for each in snapshots.values())
    said = (
        f"{committed} of {len(events)} partitions have a committed offset, {with_snapshot} a "
        "snapshot to go on from"
    )
    return or_ok(check, found, said if committed else "nothing was committed yet: a first start")


def _of_events(
    topic: TopicIdentity,
    events: Sequence[Standing],
    snapshots: Mapping[Partition, Sequence[Manifest] | WorldError],
) -> Iterator[WorldError]:
    for standing in events:
        try:
            _refuse(topic, standing, snapshots.get(standing.partition, ()))
        except WorldError as error:
            yield error


def _refuse(
    topic: TopicIdentity, standing: Standing, snapshots: Sequence[Manifest] | WorldError
) -> None:
    partition, position, bounds = standing
    if isinstance(snapshots, WorldError):
        raise snapshots
    if position is None:
        if snapshots:
            raise uncommitted(partition, snapshots[0].moment.next_offset)
        return
    start = later_start(position, bounds, topic)
    refuse_beyond_end(partition, position.offset, bounds)
    refuse_gap(partition, position.offset, bounds)
    ours = [each for each in snapshots if start.is_of_this_life(each.moment.note)]
    if ours:
        refuse_lost_tail(partition, ours[0].moment.next_offset, bounds.low)
    else:
        refuse_lost_start(partition, start, bounds)


def _of_examples(examples: Sequence[Standing], delivery: DeliveryMode) -> Iterator[WorldError]:
    for partition, position, bounds in examples:
        if position is None:
            continue
        try:
            refuse_beyond_end(partition, position.offset, bounds, what="rows")
            refuse_rows_gone(
                partition, position.offset, bounds, exactly_once=delivery == "exactly_once"
            )
        except WorldError as error:
            yield error
