"""A campaign file that is changed on one worker after the other.

Owns: three workers, two files: what goes on, what begins anew, what waits.
Never: how a state is carried over; tests/property/test_folds_migration.py asks that.
Source: docs/contract.md, "Changing the campaign file".
"""

from __future__ import annotations

from typing import Any

from consumer.snapshots.memory_store import MemoryStore
from tests.world import CAMPAIGNS, World, plan, shopping

EVENTS = shopping(5_000, seed=21)
CHANGED = (
    CAMPAIGNS.replace("horizon: 6h", "horizon: 8h")
    + """\
  carts-2h:
    goal: {event: cart_add}
    horizon: 2h
    rate: 20%
    score_on: [page_view]
    example_interval: 1h
"""
)
OFTEN: dict[str, Any] = {
    "snapshots": {"interval": "1s"},
    "limits": {"batch_max": 60},
    "times": {"learner_interval": "1s"},
    "publish_from": "start",
}


def test_a_rolling_change_over_three_workers() -> None:
    """Each worker stops and comes back with the new file; nothing is lost, doubled or mixed.

    one    old ───────── stop │ new ──────────────────────────
    two    old ──────────────────────── stop │ new ───────────
    three  old ────────────────────────────────────── stop │ new
    """
    world = World(partitions=6, store=MemoryStore(), **OFTEN)
    old, new = plan(), plan(CHANGED)
    names = ("one", "two", "three")
    workers = {name: world.start(name, given=old) for name in names}
    sent = 0

    def go_on(ticks: int) -> None:
        nonlocal sent
        for _ in range(ticks):
            world.send(EVENTS[sent : sent + 40])
            sent += 40
            world.tick(*workers.values())

    go_on(25)
    for name in names:
        workers.pop(name).stop()
        go_on(5)
        workers[name] = world.start(name, given=new)
        go_on(15)
    world.send(EVENTS[sent:])
    world.settle(*workers.values())

    scores = world.scores()
    answered = [(s.source.partition, s.source.offset) for s in scores]
    assert len(set(answered)) == len(answered)
    assert world.committed("customer-events") == world.high("customer-events")
    rows = world.rows()
    identities = [(r.campaign, r.lineage, r.source.partition, r.source.offset) for r in rows]
    assert len(set(identities)) == len(identities)
    said = {(s.source.partition, s.source.offset, e.campaign, e.model.lineage): e
            for s in scores for e in s.scores}  # fmt: skip
    for row in rows:
        entry = said.get((row.source.partition, row.source.offset, row.campaign, row.lineage))
        assert (entry is None) == (row.status == "catching_up")
        assert entry is None or entry.probability == row.probability

    states = world.states()
    kept, changed, added = new.campaigns.index("buy-1d"), "click-6h", "carts-2h"
    assert states["buy-1d"].lineage == old.lineages[0] == new.lineages[kept], "it went on"
    assert states["buy-1d"].version == sum(r.campaign == "buy-1d" for r in rows)
    assert states[changed].lineage == new.lineages[new.campaigns.index(changed)]
    assert old.lineages[1] in states[changed].superseded
    for name in (changed, added):
        assert states[name].version == sum(
            r.campaign == name and r.lineage == states[name].lineage for r in rows
        )
        assert states[name].version > 0
