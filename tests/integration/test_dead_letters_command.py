"""`propensity dead-letters` on a real Kafka, with a worker that refuses.

Owns: what the commands print, send and exit with.
Never: starts a worker process; the worker runs here, on Kafka's transport.
Source: the contract, "Dead letter" and "Commands".
"""

from __future__ import annotations

import json
import os
from base64 import b64decode
from collections.abc import Callable, Iterator
from time import monotonic

import pytest

from consumer.cli import run
from consumer.clock import SystemClock
from consumer.health import Health
from consumer.kafka import KafkaTransport
from consumer.surroundings import Surroundings
from consumer.telemetry import Telemetry
from consumer.topics import topic_specs
from consumer.transport import Headers, Outgoing, Partition, Records
from consumer.worker import Worker
from schemas.settings import Settings, Topics, load_settings
from tests.world import plan

WAIT_MAX_S = 300.0  # A first start compiles, on a busy machine for minutes.
BROKEN = b'{"type":1,\x1b[2J'
pytestmark = pytest.mark.kafka


class Live:
    """Topics of one test's own, a transport on them, and a worker."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.transport = KafkaTransport(settings.kafka, group=settings.group, instance="test")
        self.transport.create_topics(topic_specs(settings, events_partitions=2, replication=1))

    def send(self, key: bytes | None, value: bytes | None, headers: Headers, *, to: str) -> None:
        """Send one record to partition 0 (letters) or 1 (events)."""
        index = int(to == self.settings.topics.events)
        self.transport.produce(Outgoing(to, index, [key], [value], [headers]))
        self.transport.commit({})

    def held(self, topic: str) -> list[Records]:
        """All that a topic holds."""
        count = self.transport.partition_count(topic)
        return [
            records
            for index in range(count)
            for records in self.transport.read(Partition(topic, index))
        ]

    def count(self, topic: str) -> int:
        """How many records a topic holds."""
        return sum(len(records) for records in self.held(topic))

    def work(self, until: Callable[[], bool]) -> None:
        """Let a worker fold until something holds."""
        clock = SystemClock()
        mine = KafkaTransport(self.settings.kafka, group=self.settings.group, instance="worker")
        around = Surroundings(self.settings, plan(), clock, Telemetry(clock), Health(clock))
        worker = Worker(mine, around)
        end = worker.abandon
        try:
            worker.start()
            give_up_s = monotonic() + WAIT_MAX_S
            while not until():
                worker.tick()
                assert monotonic() < give_up_s
            worker.commit()
            end = worker.stop
        finally:
            end()


@pytest.fixture
def live(
    kafka_bootstrap: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Live]:
    name = f"{request.node.name.replace('_', '-')[:60]}-{os.getpid()}"
    monkeypatch.setenv("PROPENSITY_KAFKA__BOOTSTRAP_SERVERS", kafka_bootstrap)
    monkeypatch.setenv("PROPENSITY_GROUP", name)
    for topic in map(str.upper, Topics.model_fields):
        monkeypatch.setenv(f"PROPENSITY_TOPICS__{topic}", f"{name}-{topic.lower()}")
    made = Live(load_settings())
    yield made
    made.transport.close()


def lines(capfd: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> list[str]:
    """Run a command; give the lines on stdout, without what the worker logged before."""
    capfd.readouterr()
    assert run(["dead-letters", *arguments]) == code
    return capfd.readouterr().out.splitlines()


def test_a_refused_record_is_listed_shown_and_redriven(
    live: Live, capfd: pytest.CaptureFixture[str]
) -> None:
    """From the worker's refusal to the worker's next refusal, with the count in between."""
    topics = live.settings.topics
    live.send(b"k", BROKEN, [("trace", b"7")], to=topics.events)
    live.work(until=lambda: live.count(topics.dead_letters) == 1)
    (listed,) = [json.loads(line) for line in lines(capfd, "list", "--json")]
    assert listed["topic"] == topics.events
    assert (listed["id"], listed["partition"], listed["offset"]) == ("0:0", 1, 0)
    assert (listed["state"], listed["size"], listed["stage"]) == ("waiting", len(BROKEN), "decode")
    header, row = lines(capfd, "list")
    assert header.startswith("ID")
    assert row.startswith("0:0")
    assert row.endswith(listed["reason"])
    (kind,) = [json.loads(line) for line in lines(capfd, "list", "--summary", "--json")]
    assert (kind["count"], kind["stage"]) == (1, "decode")

    shown = lines(capfd, "show", "0:0")
    assert r'  {"type":1,\x1b[2J' in shown
    assert "  trace: 7" in shown
    whole = json.loads(lines(capfd, "show", "0:0", "--json")[0])
    assert b64decode(whole["value"]) == BROKEN
    assert lines(capfd, "show", "0:0", "--raw") == [BROKEN.decode()]
    assert lines(capfd, "redrive", "0:0", "--dry-run") == [
        f"would redrive 0:0 to {topics.events}[1], for the 1st time"
    ]
    assert live.count(topics.events) == 1
    assert lines(capfd, "redrive", "0:0")[0].startswith("redriven 0:0 to ")
    assert json.loads(lines(capfd, "list", "--json")[0])["state"] == "redriven"
    # The letter, its marker, and the letter of the record that went round.
    live.work(until=lambda: live.count(topics.dead_letters) == 3)
    again = json.loads(lines(capfd, "show", "0:2", "--json")[0])
    assert (again["times_redriven"], again["offset"]) == (1, 1)
    sent = [(each["name"], b64decode(each["value"])) for each in again["headers"][:2]]
    assert sent == [("trace", b"7"), ("__propensity.redriven", b"1")]
    assert lines(capfd, "redrive", "--all", "--times-max", "1", code=1) == []


def test_all_go_once(live: Live, capfd: pytest.CaptureFixture[str]) -> None:
    """Many letters need a yes; a second time nothing goes; foreign records are left alone."""
    topics = live.settings.topics
    for number in range(3):
        live.send(b"k%d" % number, BROKEN, [], to=topics.events)
    live.send(b"f", b"foreign", [], to=topics.dead_letters)
    live.work(until=lambda: live.count(topics.dead_letters) == 4)
    capfd.readouterr()
    assert run(["dead-letters", "redrive", "--all"]) == 2
    asked = capfd.readouterr()
    assert asked.out == ""
    assert "3 letters would be sent, and there is no terminal to ask in" in asked.err
    went = lines(capfd, "redrive", "--partition", "1", "--since", "2020-01-01T00:00:00Z", "--yes")
    assert len(went) == 3
    assert lines(capfd, "redrive", "--all", "--yes") == []
    keys = [key for records in live.held(topics.events) for key in records.keys]
    assert keys == [b"k0", b"k1", b"k2"] * 2
    states = [json.loads(line)["state"] for line in lines(capfd, "list", "--json")]
    assert sorted(states) == ["foreign", "redriven", "redriven", "redriven"]
    assert len(lines(capfd, "list", "--limit", "2")) == 3


def test_what_cannot_be_sent_is_named(live: Live, capfd: pytest.CaptureFixture[str]) -> None:
    """An id that nobody has is refused by name with exit 1; a reading of it cannot run."""
    assert run(["dead-letters", "redrive", "0:5"]) == 1
    dead_letters = live.settings.topics.dead_letters
    assert capfd.readouterr().err == f"refused 0:5: {dead_letters} holds no such letter.\n"
    assert run(["dead-letters", "show", "9:5"]) == 2
    assert f"There is no letter 9:5 in {dead_letters}" in capfd.readouterr().err


def test_a_topic_that_is_missing(
    live: Live, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without a dead-letter topic nothing can run, and the remedy is said."""
    del live
    monkeypatch.setenv("PROPENSITY_TOPICS__DEAD_LETTERS", "nowhere")
    assert run(["dead-letters", "list"]) == 2
    assert "Run `propensity topics create`" in capfd.readouterr().err
