"""`score_key: campaign`: a record and a key for each campaign, and nothing else is another.

Owns: what leaves of workers with it, held to what leaves without; compaction; who is forgotten.
Never: what an entry says.
Source: docs/contract.md, "A key for each campaign".
"""

from __future__ import annotations

from itertools import groupby

import pytest

from consumer import metrics
from consumer.snapshots.memory_store import MemoryStore
from models.plan import Plan
from schemas.control import FORGET, encode_control
from schemas.score import ScoreRecord, decode_score
from tests.world import BEGIN_MS, World, plan, shopping

CAMPAIGNS = """\
version: 1
campaigns:
  buy-1d:
    goal: {event: purchase}
    horizon: 1d
    score_on: [page_view, cart_add]
    publish: changed
  click-6h:
    goal: {event: email_click}
    horizon: 6h
    score_on: [page_view]
    score_every: 3h
    example_interval: 0s
"""
EVENTS = 200


def shop() -> Plan:
    """Two campaigns, of which one has timers and one publishes changes only."""
    return plan(CAMPAIGNS)


def keyed(world: World, index: int) -> list[tuple[bytes, bytes | None]]:
    """The score records of a partition."""
    log = world.log.topics[world.settings.topics.scores][index]
    return [(key or b"", value) for key, value in zip(log.keys, log.values, strict=True)]


def folded(score_key: str) -> World:
    """A world after some shopping."""
    world = World(publish_from="start", score_key=score_key, limits={"batch_max": 20})
    world.send(shopping(EVENTS, step_ms=200_000))
    world.settle(world.start(given=shop()))
    return world


def whole(records: list[tuple[bytes, bytes | None]]) -> list[ScoreRecord]:
    """Records of campaigns, put together by the event that they are of."""
    apart = [decode_score(value or b"") for _, value in records]
    assert all(len(each.scores) == 1 for each in apart)
    found: list[ScoreRecord] = []
    for _, group in groupby(apart, key=lambda each: each.score_id):
        first, *rest = group
        first.scores += [entry for each in rest for entry in each.scores]
        found.append(first)
    return found


def test_each_campaign_has_its_record() -> None:
    """The same entries in the same order and partitions, keyed by customer and campaign."""
    plain, apart = folded("customer"), folded("campaign")
    for index in range(plain.partitions):
        records = keyed(apart, index)
        assert whole(records) == plain.scores(index)
        for key, value in records:
            score = decode_score(value or b"")
            assert key.decode() == f"{score.customer_id}:{score.scores[0].campaign}"
    assert apart.rows() == plain.rows()
    assert {score.cause for score in plain.scores()} == {"event", "timer"}


@pytest.mark.parametrize("with_snapshots", [False, True])
def test_they_are_read_back(*, with_snapshots: bool) -> None:
    """After a crash rows hold what was published."""
    store = MemoryStore() if with_snapshots else None
    world = World(
        store=store, publish_from="start", score_key="campaign", limits={"batch_max": 20},
        snapshots={"interval": "300ms"},
    )  # fmt: skip
    events = shopping(EVENTS, step_ms=200_000)
    for first in range(0, EVENTS, 50):
        world.send(events[first : first + 50])
        worker = world.start(given=shop())
        for _ in range(15):
            world.tick(worker)
        assert world.telemetry[id(worker)].served_unknown.value == 0
        world.crash(worker)
    world.settle(world.start(given=shop()))
    said = {
        (score.source.partition, score.source.offset, score.as_of, score.scores[0].campaign):
        score.scores[0] for score in world.scores()
    }  # fmt: skip
    assert len(world.rows()) > 50
    for row in world.rows():
        entry = said[row.source.partition, row.source.offset, row.as_of, row.campaign]
        assert (row.probability, row.status) == (entry.probability, entry.status)


def test_who_is_forgotten_has_empty_records() -> None:
    """They stand behind what was said before the fact and before what is said after it.

    log      view   $forget   view
    leaves   ann:*  ann:* empty   ann:*
    """
    world = World(partitions=1, publish_from="start", score_key="campaign")
    (key, first), (_, second) = (
        (b"ann", b'{"customer_id":"ann","type":"page_view","occurred_at":%d,"event_id":"%d"}'
         % (BEGIN_MS + number, number)) for number in (1, 2)
    )  # fmt: skip
    fact = encode_control(None, FORGET, "ann", BEGIN_MS)
    world.send([(key, first), (key, fact), (key, second)])
    worker = world.start(given=shop())
    world.settle(worker)
    keys = [b"ann:buy-1d", b"ann:click-6h"]
    found = [(key, value is None) for key, value in keyed(world, 0)]
    assert found == [(key, empty) for empty in (False, True, False) for key in keys]
    counted = world.telemetry[id(worker)].counter(metrics.CONTROL_FACTS, "0", "forget").value
    assert counted == 1
