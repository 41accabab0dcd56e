"""Control facts through whole workers: crashes, metrics, and snapshots that age out.

Owns: workers on a log in memory, and facts as `propensity forget` sends them.
Never: what each fact means; test_control_facts.py has that.
Source: docs/contract.md, "Control facts".
"""

from __future__ import annotations

from consumer import metrics
from consumer.control_sender import Sent, send_control
from consumer.memory_transport import MemoryTransport
from consumer.snapshots.beside import Inline
from consumer.snapshots.manifest import Manifest
from consumer.snapshots.memory_store import MemoryStore
from consumer.snapshots.snapshots import Snapshots
from consumer.transport import Outgoing
from consumer.worker import Worker
from schemas.control import CONTROL_TYPES, FORGET, SUPPRESS
from schemas.times import MINUTE_MS
from tests.unit.test_worker_recovery import OFTEN
from tests.world import BEGIN_MS, PARTITIONS, World, event, shopping

EVENTS = shopping(300, customers=6)
LAST_MS = BEGIN_MS + 400 * MINUTE_MS
INTERVAL_MS = 300_000


def send(world: World, customer: str, *types: str) -> Sent:
    """Send control facts as the command does."""
    transport = MemoryTransport(world.log, group="propensity", instance="operator")
    topic = world.settings.topics.events
    return send_control(transport, topic, customer, types, None, LAST_MS)


def counted(world: World, worker: Worker) -> dict[str, float]:
    """Facts obeyed, by type, in all partitions."""
    meters = world.telemetry[id(worker)]
    return {
        name[1:]: sum(
            meters.counter(metrics.CONTROL_FACTS, str(index), name[1:]).value
            for index in range(PARTITIONS)
        )
        for name in CONTROL_TYPES
    }


def view(customer: str, number: int) -> tuple[bytes | None, bytes | None]:
    """A customer looks at a page, after all that was there."""
    at_ms = LAST_MS + number * MINUTE_MS
    return event(customer, "page_view", at_ms, event_id=f"late{number}", channel="app")


def test_a_suppressed_customer_gets_nothing_not_even_after_a_crash() -> None:
    """The fact in the snapshot, or in the tail behind it: what is scored are the others.

    events ── snapshot ── fact ── view │ crash │ view ── snapshot │ crash │ view
    """
    store = MemoryStore()
    world = World(store=store, **OFTEN)
    world.send(EVENTS)
    worker = world.start()
    world.settle(worker)
    assert any(score.customer_id == "c1" for score in world.scores())
    sent = send(world, "c1", SUPPRESS)
    assert (sent.partitions, sent.types) == (PARTITIONS, ["$suppress"])
    before = len(world.scores())
    world.send([view("c1", 0), view("c2", 0)])
    world.drain(worker)
    assert counted(world, worker) == dict.fromkeys(("unsuppress", "consent", "forget"), 0) | {
        "suppress": PARTITIONS
    }
    for number in (1, 2):
        world.crash(worker)
        worker = world.start()
        world.send([view("c1", number), view("c2", number)])
        world.settle(worker)
    assert [score.customer_id for score in world.scores()[before:]].count("c1") == 0
    assert [score.customer_id for score in world.scores()[before:]].count("c2") == 3
    meters = world.telemetry[id(worker)]
    suppressed = [
        meters.counter(metrics.EVENTS_SUPPRESSED, str(index)).value for index in range(PARTITIONS)
    ]
    assert sum(suppressed) == 1


def test_forgetting_reaches_a_customer_wherever_a_sender_put_them() -> None:
    """The fact goes to every partition, and only where somebody is known there is a difference."""
    world = World(keys="strict", publish_from="start")
    key, value = view("c1", 0)
    for index in range(PARTITIONS):
        world.log.append(Outgoing(world.settings.topics.events, index, [key], [value]))
    worker = world.start()
    world.settle(worker)
    folds = [fold for _, fold in sorted(worker._share.scoring.items())]
    assert [fold.counts.profiles for fold in folds] == [1] * PARTITIONS
    send(world, "c1", FORGET, SUPPRESS)
    world.settle(worker)
    assert [fold.counts.withdrawn for fold in folds] == [2] * PARTITIONS
    assert counted(world, worker)["forget"] == PARTITIONS
    assert all(fold.portrait("c1", 0) is not None for fold in folds), "the suppression is kept"
    send(world, "c1", FORGET)
    world.drain(worker)
    assert [fold.counts.profiles for fold in folds] == [1] * PARTITIONS, "sent at the same time"


def test_two_snapshots_later_nothing_is_older_than_the_fact() -> None:
    """That is how long a forgotten customer is in the store, while the partition goes on."""
    store = MemoryStore()
    world = World(partitions=1, store=store, **{**OFTEN, "snapshots": {"interval": "5m"}})
    worker = world.start()
    for number in range(4):
        world.send([view("c1", number)])
        world.clock.advance_ms(INTERVAL_MS)
        world.drain(worker)
    assert len(generations(world)) == 2
    send(world, "c1", FORGET)
    fact = world.ends(world.settings.topics.events)[0] - 1
    waited_ms = -world.clock.now_ms()
    while min(each.moment.next_offset for each in generations(world)) <= fact:
        world.send([view("c2", waited_ms % 7)])
        world.drain(worker)
        world.clock.advance_ms(1_000)
    waited_ms += world.clock.now_ms()
    assert waited_ms <= 2 * INTERVAL_MS + 10_000


def generations(world: World) -> list[Manifest]:
    """The snapshots of the first partition that could be used."""
    assert world.store is not None
    snapshots = Snapshots(world.store, world.settings.group, Inline(), world.clock)
    return list(snapshots.newest(world.settings.topics.events, 0, not_after=1 << 62))
