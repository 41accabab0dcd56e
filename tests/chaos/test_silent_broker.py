"""The broker answers nobody while partitions are given back, or while a worker is told to stop.

Owns: that both end within their deadline, and that nothing half-done is seen.
Never: a broker that others use is frozen.
Source: ARCHITECTURE.md, "Deadlines".
"""

from __future__ import annotations

import signal
from contextlib import closing, suppress
from time import monotonic

import pytest

from consumer.cli import EXIT_COULD_NOT_RUN
from consumer.kafka import KafkaTransport
from consumer.topics import TopicSpec
from consumer.transport import (
    DeliveryMode,
    Outgoing,
    Partition,
    Position,
    TransportError,
)
from tests.broker import Broker
from tests.chaos.conftest import MakeScene
from tests.contract.member import Reader, turn_until

POLL_INTERVAL_MS = 8_000
REVOKE_MAX_S = POLL_INTERVAL_MS / 2000 + 7.0  # One call of the client may be under way.
STOP_MAX_S = 15.0

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


@pytest.mark.parametrize("delivery", ["exactly_once", "at_least_once"])
def test_a_partition_is_given_back_in_time(broker: Broker, delivery: DeliveryMode) -> None:
    """The commit of a rebalance is given up; the successor starts at the one before."""

    def member(instance: str) -> KafkaTransport:
        settings: dict[str, str | int | float | bool] = {
            "bootstrap.servers": broker.bootstrap,
            "session.timeout.ms": 6_000,
            "max.poll.interval.ms": POLL_INTERVAL_MS,
            "heartbeat.interval.ms": 200,
        }
        return KafkaTransport(settings, group="g", instance=instance, delivery=delivery)

    place, out = Partition("in", 0), Partition("out", 0)
    with closing(member("two")) as other:
        other.create_topics([TopicSpec("in", 1), TopicSpec("out", 1)])
        one = member("one")
        first = Reader(one, ["in"])
        turn_until(lambda: one.assigned() == [place], first)
        one.produce(Outgoing("in", 0, [b"k"] * 9, [b"v"] * 9))
        one.commit({place: Position(0)})
        one.poll(1, 0.2)

        def freeze(partitions: list[Partition]) -> None:
            del partitions
            broker.suspend()
            one.produce(Outgoing("out", 0, [b"k"], [b"half-done"]))
            one.commit({place: Position(5)})

        first.on_revoked = freeze
        second = Reader(other, ["in"])
        began_s: list[float] = []

        def revoked() -> bool:
            second.turn()
            began_s.append(monotonic())
            return "revoked" in first.events

        with pytest.raises(TransportError):
            turn_until(revoked, first)
        assert monotonic() - began_s[-1] < REVOKE_MAX_S
        first.on_revoked = lambda _: None
        one.hurry(0.0)
        with suppress(TransportError):
            one.close()
        broker.resume()
        turn_until(lambda: other.assigned() == [place] and len(second.seen) == 9, second)
        assert second.seen[0] == (place, 0)
        if delivery == "exactly_once":
            assert list(other.read(out)) == []


def test_who_is_told_to_stop_goes(broker: Broker, make_scene: MakeScene) -> None:
    """Nobody answers, and the process has gone in time; its last batch is done again."""
    scene = make_scene(broker.bootstrap, "one")
    scene.begin()
    scene.turn_until(scene.more_scores(300))
    broker.suspend()
    (member,) = scene.crew
    begun_s = monotonic()
    member.send(signal.SIGTERM)
    code = member.wait(3 * STOP_MAX_S)
    took_s = monotonic() - begun_s
    broker.resume()
    assert took_s < STOP_MAX_S, member.tail()
    assert code == EXIT_COULD_NOT_RUN, member.tail()
    assert "Traceback" not in member.tail()
    member.start()
    member.await_started()
    scene.turn_until(scene.more_scores(300))
    scene.end_traffic()
    assert scene.stop() == [0]
    assert scene.differences() == []
