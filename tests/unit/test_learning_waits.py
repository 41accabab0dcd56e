"""A partition of training rows that waits: what it holds, commits, says, and when it goes on.

Owns: the interface that the worker's loop has to a waiting partition.
Never: which rows are waited for; tests/unit/test_lineages.py asks that.
Source: ARCHITECTURE.md, "One campaign, two files".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO

import pytest

from consumer.clock import FixedClock
from consumer.errors import WorldError
from consumer.learning import LearningPartition
from consumer.logs import configure_logs
from consumer.other_topics import LearnedFrom
from consumer.telemetry import Telemetry
from consumer.transport import Partition, Records
from models.plan import Plan, compile_plan
from schemas.campaign import CampaignFile
from schemas.example import encode_example
from schemas.settings import Topics
from schemas.times import DAY_MS
from tests.unit.test_trainer import plan_of, random_rows

OLD, NEW = plan_of(), plan_of(horizon_ms=2 * DAY_MS)
ONE = compile_plan(CampaignFile(1, {"buy": OLD.file.campaigns["buy"]}))
PARTITION = Partition("training-examples", 2)


@pytest.fixture
def said() -> Iterator[StringIO]:
    """What is logged, as lines of JSON."""
    stream = StringIO()
    configure_logs("info", stream)
    yield stream
    configure_logs()


def events(said: StringIO) -> list[dict[str, object]]:
    """The log's lines so far."""
    return [json.loads(line) for line in said.getvalue().splitlines()]


def learning_of(plan: Plan, next_offset: int = 0) -> LearningPartition:
    """A partition that nothing came into yet."""
    return LearningPartition(
        PARTITION, next_offset, plan, Topics(), Telemetry(FixedClock(0)), LearnedFrom()
    )


def wait_of(learning: LearningPartition) -> int | None:
    """The offset at which a partition waits, if it does."""
    return None if learning.waits_for is None else learning.waits_for.offset


def learn_all(learning: LearningPartition, rows_max: int) -> None:
    """Learn what can be learned, a few rows at a time."""
    while learning.learnable:
        learning.learn(rows_max)


def records_of(values: list[bytes], first: int = 0) -> Records:
    """Rows as they are polled."""
    count = len(values)
    return Records(
        PARTITION, list(range(first, first + count)), [0] * count, [None] * count, list(values), []
    )


def states_of(learning: LearningPartition) -> dict[bytes, bytes]:
    """What a partition publishes into the topic of states."""
    outgoing, _ = learning.publish()
    return {
        key: value
        for out in outgoing
        if out.topic == Topics().states
        for key, value in zip(out.keys, out.values, strict=True)
        if key is not None and value is not None
    }


@pytest.mark.parametrize("rows_max", [1, 4, 100])
def test_a_partition_waits_and_goes_on(rows_max: int, said: StringIO) -> None:
    """It learns and commits up to the row, holds what comes after, and goes on when told so.

    rows     buy buy cart buy …
    learn    └─────┘ waits
    forget           └ cart is left out, buy learned ┘
    """
    rows = random_rows(OLD, 60)
    rows = [*(row for row in rows[:10] if row.campaign == "buy"), *rows[10:]]
    values = [encode_example(row) for row in rows]
    first = next(place for place, row in enumerate(rows) if row.campaign == "cart")
    learning = learning_of(ONE)
    learning.add(records_of(values))
    learn_all(learning, rows_max)
    assert wait_of(learning) == learning.next_offset == first
    assert (learning.waiting, learning.learnable) == (len(rows) - first, 0)
    assert learning.learn(rows_max) == 0
    learning.follow_removals({"another"})
    assert learning.learn(rows_max) == 0
    states_of(learning)
    assert learning.position.offset == first
    learning.add(records_of(values[:1], len(rows)))
    learning.follow_removals({"cart"})
    assert learning.learnable == learning.waiting == len(rows) + 1 - first
    learn_all(learning, rows_max)
    assert (learning.waiting, wait_of(learning)) == (0, None)
    assert learning.next_offset == len(rows) + 1
    whole = learning_of(ONE)
    whole.follow_removals({"cart"})
    whole.add(records_of([*values, values[0]]))
    whole.learn(len(rows) + 1)
    assert states_of(learning) == states_of(whole)
    assert [(line["event"], line["campaign"]) for line in events(said)] == [
        ("training_waits", "cart"),
        ("training_goes_on", "cart"),
    ]


def test_a_restart_waits_at_the_same_row() -> None:
    """What waits is read again from the committed offset, and what was learned is not."""
    values = [encode_example(row) for row in random_rows(OLD, 40)]
    whole, before = learning_of(ONE), learning_of(ONE)
    whole.follow_removals({"cart"})
    whole.add(records_of(values))
    whole.learn(100)
    before.add(records_of(values))
    before.learn(100)
    states, offset = states_of(before), before.position.offset
    again = learning_of(ONE, offset)
    again.restore(states)
    again.add(records_of(values[offset:], offset))
    again.learn(100)
    assert wait_of(again) == wait_of(before) == offset
    again.forget_waiting()
    assert (again.waiting, wait_of(again)) == (0, None)
    again.follow_removals({"cart"})
    again.add(records_of(values[offset:], offset))
    again.learn(100)
    assert states_of(again) == states_of(whole)


def test_a_campaign_can_be_recalled() -> None:
    """A campaign that a newer file has again is waited for again."""
    values = [encode_example(row) for row in random_rows(OLD, 40) if row.campaign == "cart"]
    learning = learning_of(ONE)
    learning.follow_removals({"cart"})
    learning.follow_removals(set())
    learning.add(records_of(values))
    assert (learning.learn(100), wait_of(learning)) == (0, 0)


def test_what_another_definition_left_is_said_once(said: StringIO) -> None:
    """A new file begins anew and publishes that; the old file afterwards does not overwrite it."""
    old = learning_of(OLD)
    old.add(records_of([encode_example(row) for row in random_rows(OLD, 20)]))
    old.learn(100)
    states = states_of(old)
    new = learning_of(NEW, 20)
    new.restore(states)
    changed = [new.changed]
    states |= states_of(new)
    assert [*changed, new.changed] == [True, False]
    late = learning_of(OLD, 20)
    late.restore(states)
    assert not late.changed
    lines = events(said)
    assert [line["campaign"] for line in lines] == ["buy", "cart"] * 2
    assert [line["lineage"] for line in lines] == [*NEW.lineages, *OLD.lineages]
    assert [line.get("older_lineage") for line in lines[:2]] == list(OLD.lineages)
    assert [line.get("newer_lineage") for line in lines[2:]] == list(NEW.lineages)


def test_a_state_of_a_newer_format_stops() -> None:
    """A state that a newer version wrote is not half read, and the sentence says what to do."""
    learning = learning_of(ONE)
    with pytest.raises(WorldError, match=r"a newer version wrote it.*Run the version"):
        learning.restore({b"buy/champion": b'{"format":2,"campaign":7}'})
