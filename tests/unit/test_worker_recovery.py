"""A worker that died is taken up from its snapshot: nothing is lost, doubled or served anew.

Owns: recovery in the worker's loop, on a log and a store in memory.
Never: a real broker; tests/chaos kills real processes.
Source: ARCHITECTURE.md, "Recovery".
"""

from __future__ import annotations

import errno
from typing import Any

import pytest

from consumer.errors import WorldError
from consumer.memory_log import PartitionLog
from consumer.metrics import EXPERT_SHARE
from consumer.ownership import transactional_id, unsigned
from consumer.partitioner import partition_of
from consumer.snapshots.memory_store import MemoryStore
from consumer.snapshots.names import MANIFEST
from consumer.topics import TopicSpec
from consumer.transport import Outgoing, Partition
from consumer.worker import Worker
from schemas.campaign import EXPERTS
from schemas.learner_state import encode_learner_state
from tests.world import Offered, World, shopping

EVENTS = shopping(3_000, seed=11)
OFTEN: dict[str, Any] = {
    "snapshots": {"interval": "1s"},
    "limits": {"batch_max": 50},
    "times": {"learner_interval": "1s"},
    "publish_from": "start",
}


def scored(world: World) -> list[tuple[int, int]]:
    """Partition and offset of every scored event, in the order in which the scores left."""
    return [(s.source.partition, s.source.offset) for s in world.scores()]


def as_scored(world: World) -> dict[tuple[str, int, int], Any]:
    """What rows say of the time of scoring but for the model, and their labels."""
    found: dict[tuple[str, int, int], Any] = {}
    for row in world.rows():
        key = (row.campaign, row.source.partition, row.source.offset)
        assert key not in found, "one row of each example"
        found[key] = (row.features, row.label, row.weight, row.closed_at, row.closed_by)
    return found


def check_served(world: World) -> None:
    """Every row holds the probability, the status and the version that were published."""
    said = {
        (entry.campaign, s.source.partition, s.source.offset): entry
        for s in world.scores()
        for entry in s.scores
    }
    for row in world.rows():
        entry = said[row.campaign, row.source.partition, row.source.offset]
        assert (row.probability, row.status) == (entry.probability, entry.status)
        assert row.experts == entry.experts
        assert row.model == entry.model


def recover(world: World, worker: Worker) -> None:
    """Tick until the folds of a worker that has just started stand where they were."""
    while not worker.scoring or worker.rebuilding:
        world.tick(worker)


def uninterrupted() -> World:
    """What all others are held to."""
    world = World(store=MemoryStore(), **OFTEN)
    world.send(EVENTS)
    world.settle(world.start())
    return world


def crashing(store: MemoryStore, harm: Any = lambda: None) -> World:
    """A worker dies again and again in the middle of its work; others take its place."""
    world = World(store=store, **OFTEN)
    sent = 0
    for life in range(6):
        worker = world.start(f"life-{life}")
        for _ in range(12 + 5 * life):
            world.send(EVENTS[sent : sent + 60])
            sent += 60
            world.tick(worker)
        world.crash(worker, f"life-{life}")
        harm()
    worker = world.start("last")
    world.send(EVENTS[sent:])
    world.settle(worker)
    return world


def died_without_snapshots(events: list[Offered], **settings: Any) -> World:
    """A worker has read all events and died, and its snapshots are lost."""
    store = MemoryStore()
    world = World(store=store, **{**OFTEN, **settings})
    world.send(events)
    first = world.start("one")
    world.drain(first)
    world.crash(first, "one")
    store.files.clear()
    return world


def test_after_crashes_everything_is_there_once() -> None:
    """Scores, rows, features and what was served are those of a worker that never died."""
    store = MemoryStore()
    world, whole = crashing(store), uninterrupted()
    assert any(name.endswith(MANIFEST) for name in store.files), "there were snapshots"
    assert sorted(scored(world)) == sorted(scored(whole))
    assert len(set(scored(world))) == len(scored(world))
    assert as_scored(world) == as_scored(whole)
    check_served(world)
    for name, state in world.states().items():
        assert state.version == sum(row.campaign == name for row in world.rows())


def test_a_rebuilt_tail_holds_what_each_expert_said() -> None:
    """Examples of ready models get back, to the bit, what the scores had said of each expert.

    one ────────────── ready ──── dies, no snapshot │ two: all again, silently ── new events
    """
    events = shopping(8_000, seed=11, customers=400)
    world = died_without_snapshots(events[:6_000])
    closed = {(row.campaign, row.source) for row in world.rows()}
    ends = [len(log.values) for log in world.log.topics["customer-events"]]
    worker = world.start("two")
    world.send(events[6_000:])
    world.settle(worker)
    check_served(world)
    given_back = [
        row
        for row in world.rows()
        if row.experts
        and (row.campaign, row.source) not in closed
        and row.source.offset < ends[row.source.partition]
    ]
    assert len(given_back) > 100
    assert {tuple(row.experts) for row in given_back} == {EXPERTS}
    experts = world.models()["click-6h"].experts
    meters = world.telemetry[id(worker)]
    for name, expert in experts.items():
        assert expert.share != 1 / 3
        gauge = meters.gauge(EXPERT_SHARE, "click-6h", "champion", name)
        assert gauge.value == expert.share


@pytest.mark.parametrize("harm", ["torn", "lost", "unwritable", "unreadable", "full"])
def test_a_harmed_store_costs_time_and_nothing_else(harm: str) -> None:
    """An older snapshot is taken, or the log is read again from the beginning of history."""
    store = MemoryStore()

    def strike() -> None:
        for name in sorted(store.files)[-1:]:
            if harm == "torn":
                store.files[name] = store.files[name][:-1]
            elif harm == "lost":
                del store.files[name]
        if harm == "unwritable":
            store.unwritable = OSError(errno.EROFS, "Read-only file system", "state")
        elif harm == "unreadable":
            store.unreadable = OSError(errno.EIO, "Input/output error", "state")
        elif harm == "full":
            store.capacity_bytes = 0

    world, whole = crashing(store, strike), uninterrupted()
    assert sorted(scored(world)) == sorted(scored(whole))
    assert as_scored(world) == as_scored(whole)
    check_served(world)


NOT_UTF8 = b'{"score_id":"\xe4","campaign":"\xe4"}'


def test_bytes_that_are_no_text_among_our_scores_are_passed_over() -> None:
    """What a user put into the topic of scores keeps nobody from reading ours back."""
    world = World(store=None, **OFTEN)
    world.send(EVENTS[:500])
    first = world.start("one")
    world.settle(first)
    world.crash(first, "one")
    for index in range(world.partitions):
        world.log.append(Outgoing("propensity-scores", index, [None], [NOT_UTF8]))
    second = world.start("two")
    world.settle(second)
    assert not second.rebuilding


@pytest.mark.parametrize("topic", ["campaign-models", "learner-states"])
def test_bytes_that_are_no_text_among_what_was_learned_stop_the_worker(topic: str) -> None:
    """It is said which record cannot be read, as of other broken ones."""
    world = World(**OFTEN)
    world.log.append(Outgoing(topic, 0, [b"buy-1d"], [NOT_UTF8]))
    with pytest.raises(WorldError, match="cannot be read"):
        world.drain(world.start())


def test_a_stop_keeps_the_state_and_the_next_start_reads_nothing_again() -> None:
    """A worker that was told to stop is taken up where it stood."""
    world = World(store=MemoryStore(), **OFTEN)
    world.send(EVENTS[:1_000])
    first = world.start("one")
    world.settle(first)
    first.stop()
    second = world.start("one")
    while not second.scoring or second.rebuilding:
        world.tick(second)
    assert [s.restored_at for s in second.scoring] == [s.next_offset for s in second.scoring]


def test_without_a_snapshot_and_without_history_the_worker_stops() -> None:
    """Profiles that would be incomplete are built knowingly or not at all."""
    world = died_without_snapshots(EVENTS[:1_000])
    for log in world.log.topics["customer-events"]:
        log.delete_before(10)
    second = world.start("two")
    with pytest.raises(WorldError, match="no snapshot that can be used") as caught:
        world.drain(second)
    assert "--rebuild" in caught.value.remedy
    second.abandon()
    third = world.start("three", rebuild=True)
    world.send(EVENTS[1_000:1_200])
    world.drain(third)
    assert len(set(scored(world))) == len(scored(world)) > 0


def test_a_snapshot_without_an_offset_stops_the_worker() -> None:
    """A group whose offsets expired must not score its history again."""
    world = World(store=MemoryStore(), **OFTEN)
    world.send(EVENTS[:1_000])
    first = world.start("one")
    world.settle(first)
    first.stop()
    world.log.group("propensity").committed.clear()
    with pytest.raises(WorldError, match="has a snapshot of offset"):
        world.drain(world.start("two"))


def test_recovery_has_a_deadline() -> None:
    """A recovery that does not come to its end stops the worker and says how far it came."""
    world = died_without_snapshots(EVENTS, times={"recovery_max": "1s"})
    second = world.start("two")
    with pytest.raises(WorldError, match="Recovery has not finished within 1 s"):
        world.drain(second)


def test_an_emptied_log_without_a_snapshot_stops_the_worker() -> None:
    """Where retention took all that was read, profiles are not quietly begun anew."""
    world = died_without_snapshots(EVENTS[:1_000])
    for log in world.log.topics["customer-events"]:
        log.delete_before(log.high)
    with pytest.raises(WorldError, match="no snapshot that can be used"):
        world.drain(world.start("two"))


def test_a_snapshot_of_another_topic_of_the_name_is_left_alone() -> None:
    """A topic that was made anew has other customers at the same offsets."""
    world = World(store=MemoryStore(), **OFTEN)
    world.send(EVENTS[:1_000])
    first = world.start("one")
    world.settle(first)
    first.stop()
    for topic in ("customer-events", "training-examples", "learner-states", "campaign-models"):
        partitions = len(world.log.topics.pop(topic))
        world.log.create_topic(TopicSpec(topic, partitions))
    world.log.group("propensity").committed.clear()
    world.send(EVENTS[2_000:2_030])
    second = world.start("two", rebuild=True)
    world.tick(second)
    world.tick(second)
    world.crash(second, "two")
    world.send(EVENTS[2_030:2_060])
    third = world.start("three")
    world.drain(third)
    customers = {key for key, _ in EVENTS[2_000:2_060]}
    assert sum(scoring.counts.profiles for scoring in third.scoring) == len(customers)


@pytest.mark.parametrize("made_anew", [True, False])
def test_a_topic_that_changed_under_a_running_worker_stops_it(made_anew: bool) -> None:
    """A rebalance brings folds back where they stood, but not to another topic of the name."""
    world = World(store=MemoryStore(), **OFTEN)
    world.send(EVENTS[:1_000])
    worker = world.start("one")
    world.settle(worker)
    if made_anew:
        del world.log.topics["customer-events"]
        world.log.create_topic(TopicSpec("customer-events", world.partitions))
        world.send(EVENTS[:1_200])
    else:
        for topic in ("customer-events", "propensity-scores"):
            world.log.topics[topic].append(PartitionLog())
    world.log.group("propensity")._rebalance()
    with pytest.raises(WorldError, match="made anew" if made_anew else "and has 3") as caught:
        world.drain(worker)
    assert "new `group`" in caught.value.remedy


@pytest.mark.parametrize("unread", [0, 20])
def test_a_log_that_begins_behind_the_snapshot_stops_the_worker(unread: int) -> None:
    """What came between a snapshot and the log's beginning is missed knowingly or not at all."""
    store = MemoryStore()
    world = World(partitions=1, store=store, **OFTEN)
    world.send(EVENTS[:1_000])
    first = world.start("one")
    world.settle(first)
    world.crash(first, "one")
    (committed,) = world.committed("customer-events").values()
    for name in [name for name in store.files if f"/{committed:020d}/" in name]:
        del store.files[name]
    assert any(name.endswith(MANIFEST) for name in store.files), "there is an older one"
    world.send(EVENTS[1_000:1_100])
    world.log.topics["customer-events"][0].delete_before(committed + unread)
    second = world.start("two")
    with pytest.raises(WorldError, match="gone unread" if unread else "no snapshot that") as caught:
        recover(world, second)
    assert "--rebuild" in caught.value.remedy
    second.abandon()
    third = world.start("three", rebuild=True)
    recover(world, third)
    world.drain(third)
    assert world.committed("customer-events") == world.high("customer-events")
    expected = [*range(committed), *range(committed + unread, 1_100)]
    assert {offset for _, offset in scored(world)} <= set(expected)
    assert len(set(scored(world))) == len(scored(world))


def test_learners_are_restored_in_the_loop_with_their_partition_waiting() -> None:
    """A batch of states a turn; until then no readiness, and positions are signed and committed.

    turn       1 assigned, batch   2 batch   3 …   restored   learns
    committed  ──────── as it was, signed by the new owner ───┤
    """
    world = World(**OFTEN)
    world.send(EVENTS[:500])
    first = world.start("one")
    world.settle(first)
    first.stop()
    before = world.committed("training-examples")
    state = next(iter(world.states().values()))
    topic = world.settings.topics.states
    index = partition_of(state.campaign.encode(), len(world.log.topics[topic]))
    key, value = f"{state.campaign}/{state.learner}".encode(), encode_learner_state(state)
    world.log.append(Outgoing(topic, index, [key] * 3_500, [value] * 3_500))
    second = world.start("two")
    partition = Partition("training-examples", index)
    gauge = world.telemetry[id(second)].recovery(*partition)
    progress: list[float] = []
    while not second.scoring or second.rebuilding:
        world.tick(second)
        if partition in second.rebuilding:
            progress.append(gauge.value)
            assert not world.health[id(second)].readiness()[0]
            assert world.committed("training-examples") == before
    assert len(set(progress)) > 3, "in steps"
    assert progress == sorted(progress), "shown"
    assert gauge.value == 1.0
    note = world.log.group("propensity").committed[partition].note
    assert unsigned(note)[0] == transactional_id("propensity", "two")
    world.drain(second)
    assert world.health[id(second)].readiness()[0]
    world.send(EVENTS[500:1_500])
    world.settle(second)
    for name, newest in world.states().items():
        assert newest.version == sum(row.campaign == name for row in world.rows())


def test_what_was_served_is_read_back_within_a_bound() -> None:
    """More of it than is allowed stops the worker, which says how to go on."""
    world = died_without_snapshots(EVENTS, limits={"batch_max": 50, "served_again_max": 500})
    second = world.start("two")
    with pytest.raises(WorldError, match="more than 500 predictions") as caught:
        world.drain(second)
    assert "served_again_max" in caught.value.remedy


def test_a_first_start_looks_for_snapshots_in_the_loop() -> None:
    """A partition that was never committed is signed before anything is made of it."""
    world = World(store=MemoryStore(), **OFTEN)
    world.send(EVENTS[:200])
    worker = world.start()
    steps: list[str] = []
    world.log.coordinator.strike = lambda step, _instance: steps.append(step)
    world.tick(worker)
    assert steps[0] == "begin"
    assert steps.index("send_offsets") < steps.index("put"), "signed first"
    notes = world.log.group("propensity").committed
    assert {unsigned(at.note)[0] for at in notes.values()} == {"propensity/one"}
    assert {each.topic for each in notes} == {"customer-events", "training-examples"}
