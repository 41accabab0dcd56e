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
from consumer.learning import read_state
from consumer.lost_history import (
    refuse_beyond_end,
    refuse_gap,
    refuse_lost_start,
    refuse_lost_tail,
    refuse_rows_gone,
    uncommitted,
)
from consumer.other_topics import LearnedFrom
from consumer.positions import later_start
from consumer.snapshots.manifest import Manifest
from consumer.transport import (
    Bounds,
    DeliveryMode,
    Partition,
    Position,
    Records,
    TopicIdentity,
)
from schemas.settings import Topics


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


class History(NamedTuple):
    """What a start would find.

    `snapshots`: those of a partition of events at or below its committed offset, newest first, or
    why a worker would not read them. `states`: the newest records of the topic of states.
    """

    learned_from: LearnedFrom
    events: Sequence[Standing]
    examples: Sequence[Standing]
    states: Sequence[Records]
    snapshots: Mapping[Partition, Sequence[Manifest] | WorldError]


def judge_history(history: History, topics: Topics, delivery: DeliveryMode) -> list[Finding]:
    """The first of the refusals of a start: the others are counted."""
    check = "history"
    refusals = [
        *_of_events(history),
        *_of_examples(history.examples, delivery),
        *_of_states(history, topics),
    ]
    if refusals:
        first, *others = refusals
        more = f"; and {len(others)} more like it" if others else ""
        return [Finding(check, "failed", f"{first.problem}{more}", remedy=first.remedy)]
    committed = [each.partition for each in history.events if each.position is not None]
    if not committed:
        return [Finding(check, "ok", "nothing was committed yet: a first start")]
    without = [each for each in committed if not history.snapshots.get(each)]
    said = f"{len(committed)} of {len(history.events)} partitions have a committed offset"
    if without:
        return [
            Finding(
                check,
                "warning",
                f"{said}, {len(without)} of them no snapshot",
                "a snapshot of each, once a worker has run for `snapshots: {interval: …}`",
                "See whether this is the `snapshots.url` and the `group` of the workers; without "
                "snapshots a start reads the whole log again",
            )
        ]
    return [Finding(check, "ok", f"{said}, and each of them a snapshot to go on from")]


def _of_events(history: History) -> Iterator[WorldError]:
    topic = history.learned_from.events
    for standing in history.events:
        try:
            _refuse(topic, standing, history.snapshots.get(standing.partition, ()))
        except WorldError as error:
            yield error


def _of_states(history: History, topics: Topics) -> Iterator[WorldError]:
    newest: dict[bytes, bytes | None] = {}
    for records in history.states:
        pairs = zip(records.keys, records.values, strict=True)
        newest |= {key: value for key, value in pairs if key is not None}
    for key, value in newest.items():
        try:
            if value is not None:
                history.learned_from.refuse_others(read_state(key, value, topics))
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
