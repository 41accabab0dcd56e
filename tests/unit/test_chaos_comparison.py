"""What a chaos run compares: nothing where nothing happened, and every row that is not as decided.

Owns: that the comparison sees what becomes of rows of arms, and of the arm that a row says.
Never: a broker, or a fault: what is harmed is what a quiet run left.
Source: tests/chaos/comparison.py.
"""

from __future__ import annotations

from functools import cache

import pytest

from consumer.snapshots.memory_store import MemoryStore
from tests.chaos.comparison import PLAN, Left, differences
from tests.chaos.traffic import Stored
from tests.chaos.workload import events
from tests.world import World

EVENTS, PIECE = 4_000, 250


def stored(world: World, topic: str) -> list[Stored]:
    """A topic as a reader finds it."""
    return [
        Stored(index, offset, stamp_ms, key, value, list(headers))
        for index, log in enumerate(world.log.topics[topic])
        for offset, stamp_ms, key, value, headers in zip(
            log.offsets, log.timestamps_ms, log.keys, log.values, log.headers, strict=True
        )
    ]


@cache
def quiet_run() -> tuple[Left, int]:
    """What one worker leaves that learns while events come, and of how many partitions."""
    world = World(store=MemoryStore(), publish_from="start", snapshots={"interval": "0s"})
    worker, sent = world.start(given=PLAN), list(events(5, EVENTS))
    for first in range(0, len(sent), PIECE):
        world.send(sent[first : first + PIECE])
        world.settle(worker)
    topics = world.settings.topics
    return Left(*(stored(world, getattr(topics, kind)) for kind in Left._fields)), world.partitions


def test_a_quiet_run_differs_in_nothing() -> None:
    """Also where models come while it runs; there are rows of both arms in it."""
    left, partitions = quiet_run()
    assert differences(left, partitions) == []
    for arm in (b"acted", b"held_out"):
        assert sum(b'"acted":"%s"' % arm in row for row in left.outcomes) > 3
    rows = [each.value or b"" for each in left.examples]
    assert any(b'"acted":"acted"' in row for row in set(rows) - set(left.outcomes))


@pytest.mark.parametrize("triggered", [True, False])
@pytest.mark.parametrize("harm", ["gone", "twice", "other arm", "other number"])
def test_what_is_not_as_decided_is_seen(harm: str, *, triggered: bool) -> None:
    """One row that is missing, doubled, in another arm, or numbered as another one."""
    left, partitions = quiet_run()
    examples, of_arms = list(left.examples), set(left.outcomes)
    place = next(
        place
        for place, each in enumerate(examples)
        if (each.value in of_arms) == triggered and b'"acted":"acted"' in (each.value or b"")
    )
    value = examples[place].value or b""
    if harm == "gone":
        del examples[place]
    elif harm == "twice":
        examples.append(examples[place])
    elif harm == "other arm":
        other = value.replace(b'"acted":"acted"', b'"acted":"held_out"')
        examples[place] = examples[place]._replace(value=other)
    else:
        other = value.replace(b'"index":', b'"index":7')
        examples[place] = examples[place]._replace(value=other)
    found = differences(left._replace(examples=examples), partitions)
    assert any(each.startswith("rows") for each in found), found[:3]
