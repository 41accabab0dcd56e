"""Sending dead letters again, on the log in memory and through a worker.

Owns: what goes, what is refused, that nothing goes round for ever or twice by accident.
Never: how a letter looks; test_letters.py does.
Source: the contract, "Dead letter".
"""

from __future__ import annotations

import pytest

from consumer.letters import LetterId, LetterTopic, Wanted
from consumer.memory_log import MemoryLog
from consumer.memory_transport import MemoryTransport
from consumer.redrive import Plan, Redrive
from consumer.transport import Headers, Outgoing, Partition, Records
from schemas.dead_letter import dead_letter, dead_letter_headers
from schemas.errors import InvalidRecord
from schemas.redriven import REDRIVEN_HEADER
from schemas.settings import Topics
from schemas.times import HOUR_MS
from tests.world import BEGIN_MS, World, event

ERROR = InvalidRecord("customer_id", "nothing", "a text", "missing_field")
ALL = Wanted()
TOPICS = Topics()


def explained(topic: str = "customer-events", partition: int = 1) -> Headers:
    """Our headers of a record from there."""
    return [*dead_letter_headers(topic, partition, 17, "decode", ERROR)]


def log_of(*letters: tuple[bytes | None, bytes | None, Headers]) -> MemoryLog:
    """A log with two partitions of events, and these letters."""
    log = MemoryLog({"customer-events": 2, "dead-letters": 1, "learner-states": 1})
    for key, value, headers in letters:
        log.append(Outgoing("dead-letters", 0, [key], [value], [headers]))
    return log


def redrive(log: MemoryLog, wanted: Wanted = ALL, *, again: bool = False) -> Plan:
    """Plan and send everything that may go."""
    work = Redrive(MemoryTransport(log, group="g", instance="i"), TOPICS, again=again)
    plan = work.plan(wanted)
    told: list[str] = []
    assert work.send(plan, lambda going: told.append(str(going.id))) == len(plan.going)
    assert told == [str(each.id) for each in plan.going]
    return plan


def events(log: MemoryLog, index: int = 1) -> Records:
    """What a partition of events holds."""
    partition = Partition("customer-events", index)
    return log.partition(partition).slice(partition, 0, 1_000_000, 1_000_000)


def whys(plan: Plan) -> list[str]:
    """Why letters were refused."""
    return [each.why for each in plan.refused]


def test_a_letter_goes_back_as_it_came() -> None:
    """Key, value and the sender's headers, to its own partition, with a count behind them."""
    theirs: Headers = [("trace", b"\xff"), ("none", None), ("__connect.errors.topic", b"theirs")]
    log = log_of((b"\x00k", b"\xffv", [*theirs, *explained()]), (None, None, explained()))
    redrive(log)
    sent = events(log)
    assert (sent.keys, sent.values) == ([b"\x00k", None], [b"\xffv", None])
    count = (REDRIVEN_HEADER, b"1")
    assert sent.headers == [[*theirs, count], [count]]


def test_a_second_redrive_sends_nothing_twice() -> None:
    """Markers in the topic remember what has gone; only `again` sends it once more."""
    log = log_of((b"a", b"1", explained()), (b"b", b"2", explained()))
    assert len(redrive(log, Wanted(ids=frozenset([LetterId(0, 1)]))).going) == 1
    second = redrive(log)
    assert [each.id for each in second.going] == [LetterId(0, 0)]
    assert second.before == 1
    third = redrive(log)
    assert (third.going, third.refused, third.before, third.foreign) == ([], [], 2, 0)
    assert events(log).values == [b"2", b"1"]
    named = redrive(log, Wanted(ids=frozenset([LetterId(0, 0)])))
    assert whys(named) == ["it was redriven before; `--again` sends it once more"]
    assert len(redrive(log, again=True).going) == 2


def test_a_crash_before_remembering_sends_twice_at_most() -> None:
    """What went without a marker goes again: a duplicate, and nothing is lost."""
    log = log_of((b"a", b"1", explained()))

    class Crashing(MemoryTransport):
        def produce(self, outgoing: Outgoing) -> None:
            if outgoing.topic == "dead-letters":
                raise KeyboardInterrupt
            super().produce(outgoing)

    work = Redrive(Crashing(log, group="g", instance="i"), TOPICS)
    with pytest.raises(KeyboardInterrupt):
        work.send(work.plan(ALL), lambda _: None)
    assert len(redrive(log).going) == 1
    assert len(redrive(log).going) == 0
    assert events(log).values == [b"1", b"1"]


def test_letters_are_in_the_log_before_they_are_remembered() -> None:
    """A marker for what never arrived would lose a letter."""
    log = log_of(*((b"a", b"%d" % number, explained()) for number in range(1_100)))
    steps: list[str] = []

    class Watched(MemoryTransport):
        def produce(self, outgoing: Outgoing) -> None:
            steps.append(outgoing.topic)
            super().produce(outgoing)

        def commit(self, positions: object) -> None:
            del positions
            steps.append("surely")

    work = Redrive(Watched(log, group="g", instance="i"), TOPICS)
    assert work.send(work.plan(ALL), lambda _: None) == 1_100
    whole = ["customer-events"] * 500 + ["surely", "dead-letters", "surely"]
    rest = ["customer-events"] * 100 + ["surely", "dead-letters", "surely"]
    assert steps == [*whole, *whole, *rest]
    assert events(log).values == [b"%d" % number for number in range(1_100)]


def test_what_cannot_go_is_refused_and_named() -> None:
    """Cut, round too often, from nowhere, from one of our own topics: each has its reason."""
    own = dead_letter_headers("customer-events", 1, 17, "decode", ERROR)
    cut = dead_letter(b"k", b"x" * 3_000, [], own, bytes_max=2_000)
    log = log_of(
        (cut.key, cut.value, cut.headers),
        (b"k", b"v", [(REDRIVEN_HEADER, b"3"), *explained()]),
        (b"k", b"v", explained("gone")),
        (b"k", b"v", explained("customer-events", 2)),
        (b"k", b"v", explained("learner-states", 0)),
        (b"k", b"v", explained("no topic\x1b")),
        (b"k", b"v", explained("..")),
        (b"k", b"v", [("somebody's", b"own")]),
    )
    plan = redrive(log)
    assert (plan.going, plan.foreign) == ([], 1)
    assert [each.id.offset for each in plan.refused] == list(range(7))
    wanted = [
        "it was cut (value: ", "it was redriven 3 times, at most 3 are allowed",
        "its topic gone does not exist", "its topic customer-events has 2 partitions and no 2",
        "it says that it came from learner-states, which only the worker writes",
        "its topic no topic\x1b does not exist", "its topic .. does not exist",
    ]  # fmt: skip
    for why, begins in zip(whys(plan), wanted, strict=True):
        assert why.startswith(begins)
    named = redrive(log, Wanted(ids=frozenset([LetterId(0, 7), LetterId(0, 99), LetterId(5, 0)])))
    holds_none = "dead-letters holds no such letter"
    assert whys(named) == ["it is no letter of ours", holds_none, holds_none]
    assert named.foreign == 0


def test_a_record_refused_again_comes_back_with_its_count() -> None:
    """Through a worker the count goes up each time, until the redrive refuses.

    send ── worker ── letter ── redrive ── worker ── letter ── …
    """
    world = World(publish_from="start")
    worker = world.start()
    trace: Headers = [("trace", b"7")]
    world.log.append(Outgoing("customer-events", 1, [b"k"], [b'{"type":1}'], [trace]))
    going = []
    for _ in range(5):
        world.drain(worker)
        plan = redrive(world.log)
        going.append(len(plan.going))
    assert going == [1, 1, 1, 0, 0]
    letters = LetterTopic(MemoryTransport(world.log, group="g", instance="i"), "dead-letters")
    found = list(letters.each(ALL))
    assert [each.times for each in found] == [0, 1, 2, 3]
    assert all(each.sent[0] == trace[0] and len(each.sent) <= 2 for each in found)
    assert [each.letter.offset for each in found if each.letter] == [0, 1, 2, 3]
    assert {each.value for each in found} == {b'{"type":1}'}
    (why,) = whys(plan)
    assert why.startswith("it was redriven 3 times, at most 3 are allowed; ")
    worker.stop()


def test_what_is_no_longer_wrong_is_scored() -> None:
    """A record refused as too far ahead of its stamp gets a new stamp, and is taken once."""
    world = World(publish_from="start")
    worker = world.start()
    key, value = event("c1", "page_view", BEGIN_MS + HOUR_MS, event_id="early")
    world.log.append(Outgoing("customer-events", 1, [key], [value], None, [BEGIN_MS]))
    world.drain(worker)
    assert (len(world.dead_letters()), len(world.scores())) == (1, 0)
    for again in (False, True):
        assert len(redrive(world.log, again=again).going) == 1
        world.drain(worker)
    assert [score.event_id for score in world.scores()] == ["early"]
    assert len([row for row in world.dead_letters() if row[0] is not None]) == 1
    worker.stop()


def test_after_a_restart_with_other_limits_the_log_has_been_read_again() -> None:
    """What a raised limit lets in is taken from the log itself; sent again it is a duplicate."""
    world = World(publish_from="start", limits={"record_bytes_max": 256})
    large = event("c1", "page_view", BEGIN_MS, event_id="large", channel="x" * 400)
    worker = world.start()
    world.send([large])
    world.drain(worker)
    worker.stop()
    worker = world.start(publish_from="start")
    while len(worker.scoring) < 2 or worker.rebuilding:
        world.tick(worker)
    assert len(redrive(world.log).going) == 1
    world.drain(worker)
    assert sum(scoring.counts.profiles for scoring in worker.scoring) == 1
    assert (len(world.dead_letters()), len(world.scores())) == (2, 0)
    worker.stop()
