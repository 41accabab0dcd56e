"""A campaign file that is changed on one worker after the other.

Owns: three workers, two files: what goes on, what begins anew, what waits.
Never: how a state is carried over; tests/property/test_folds_migration.py asks that.
Source: docs/contract.md, "Changing the campaign file".
"""

from __future__ import annotations

import errno
from typing import Any

import pytest
import structlog

from consumer.snapshots.memory_store import MemoryStore
from consumer.snapshots.names import MANIFEST
from consumer.warm_up import plan_of
from tests.world import CAMPAIGNS, World, plan, settings_with, shopping

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


HARMLESS = (
    CAMPAIGNS.replace("[page_view, cart_add]", "[page_view, purchase]")
    .replace("6h\n    features", "2h\n    features")
    .replace("score_on: [page_view]\n    example", "score_on: [cart_add]\n    example")
)


def died_and_changed(store: MemoryStore) -> World:
    """A worker with a tail is killed, and its successor has another file."""
    world = World(partitions=1, store=store, **OFTEN)
    world.send(EVENTS[:1_500])
    first = world.start("one", given=plan())
    world.settle(first)
    kept = {name for name in store.files if name.endswith(MANIFEST)}
    world.send(EVENTS[1_500:3_000])
    world.drain(first)
    for name in [name for name in store.files if name.endswith(MANIFEST) and name not in kept]:
        del store.files[name]
    world.crash(first, "one")
    return world


def labels(world: World) -> list[tuple[str, int]]:
    """What every row is of."""
    return [(row.campaign, row.source.offset) for row in world.rows()]


def test_a_tail_is_folded_again_under_the_file_that_it_was_committed_under() -> None:
    """Each example has one label, although another file would have opened others.

    committed under   old ───────────────────┤ new ──────────
    snapshot          ──┤
    folded again        old, silently ───────┤ new, live
    """
    world = died_and_changed(MemoryStore())
    assert plan().lineages == plan(HARMLESS).lineages, "nothing is dropped"
    second = world.start("two", given=plan(HARMLESS))
    world.send(EVENTS[3_000:])
    world.settle(second)
    assert len(set(labels(world))) == len(labels(world))
    uninterrupted = World(partitions=1, store=MemoryStore(), **OFTEN)
    uninterrupted.send(EVENTS[:3_000])
    one = uninterrupted.start("one", given=plan())
    uninterrupted.settle(one)
    one.stop()
    uninterrupted.send(EVENTS[3_000:])
    uninterrupted.settle(uninterrupted.start("two", given=plan(HARMLESS)))
    assert sorted(labels(world)) == sorted(labels(uninterrupted))
    world.crash(second, "two")
    third = world.start("three", given=plan(HARMLESS))
    world.settle(third)
    assert len(set(labels(world))) == len(labels(world))


def test_without_the_file_of_a_tail_the_present_one_is_taken_and_it_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A store that lost the file does not stop anybody; the log names the file."""
    structlog.reset_defaults()
    store = MemoryStore()
    world = died_and_changed(store)
    (name,) = [name for name in store.files if "campaign-files" in name]
    store.files[name] = store.files[name][:-1]
    second = world.start("two", given=plan(HARMLESS))
    world.send(EVENTS[3_000:])
    world.settle(second)
    assert world.committed("customer-events") == world.high("customer-events")
    said = capsys.readouterr().err
    assert "campaign_file_gone" in said
    assert plan().digest in said


def test_a_tail_is_folded_again_under_the_limits_of_then() -> None:
    """Settings that decide when a row closes are kept with the file."""
    world = died_and_changed(MemoryStore())
    late = settings_with(**{**OFTEN, "times": {"learner_interval": "1s", "lateness": "3h"}})
    second = world.start("two", given=plan_of(plan().file, late))
    world.send(EVENTS[3_000:])
    world.settle(second)
    assert len(set(labels(world))) == len(labels(world))


def test_a_store_that_does_not_answer_is_waited_for() -> None:
    """A file that cannot be read now is not gone: the partition waits, and nothing is guessed."""
    store = MemoryStore()
    world = died_and_changed(store)
    second = world.start("two", given=plan(HARMLESS))
    store.unreadable = OSError(errno.EIO, "Input/output error", "store")
    for _ in range(30):
        world.tick(second)
    assert second.rebuilding, "it waits"
    store.unreadable = None
    world.send(EVENTS[3_000:])
    world.settle(second)
    assert len(set(labels(world))) == len(labels(world))


def test_a_file_that_could_not_be_kept_is_kept_later() -> None:
    """A store that was full at the start gets the file as soon as it takes something."""
    store = MemoryStore()
    store.unwritable = OSError(errno.ENOSPC, "No space left on device", "store")
    world = World(partitions=1, store=store, **OFTEN)
    world.send(EVENTS[:500])
    worker = world.start("one")
    world.drain(worker)
    assert not store.files
    store.unwritable = None
    world.clock.advance_ms(20_000)
    world.drain(worker)
    assert any("campaign-files" in name for name in store.files)
