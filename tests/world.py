"""A log in memory, workers on it, and shoppers' events: what tests of the worker are made of.

Owns: the topics, the time that passes between two batches, and reading back what left.
Never: a broker, a thread or a wait; the clock moves when a test ticks.
Source: the worker's promises, in consumer/worker.py.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from consumer.clock import FixedClock
from consumer.health import Health
from consumer.memory_log import MemoryLog
from consumer.memory_transport import MemoryTransport
from consumer.partitioner import partition_of
from consumer.snapshots.beside import Inline
from consumer.snapshots.snapshots import Snapshots
from consumer.snapshots.store import SnapshotStore
from consumer.surroundings import Surroundings
from consumer.telemetry import Telemetry
from consumer.topics import topic_specs
from consumer.transport import Headers, Outgoing, Partition
from consumer.warm_up import plan_of
from consumer.worker import Worker
from models.plan import Plan
from schemas.campaign_file import load_campaigns
from schemas.example import TrainingExample, decode_example
from schemas.learner_state import LearnerState, decode_learner_state
from schemas.model_record import ModelRecord, decode_model_record
from schemas.score import ScoreRecord, decode_score
from schemas.settings import Settings, load_settings

BEGIN_MS = 1_764_000_000_000
PARTITIONS = 2
TICK_MS = 60  # More than a commit interval.
TICKS_MAX = 20_000

CAMPAIGNS = """\
version: 1
campaigns:
  buy-1d:
    goal: {event: purchase}
    horizon: 1d
    rate: 10%
    score_on: [page_view, cart_add]
    example_interval: 6h
    features: {categories: [channel], half_lives: [1h, 1d, all]}
  click-6h:
    goal: {event: email_click}
    horizon: 6h
    rate: 10%
    score_on: [page_view]
    example_interval: 0s
"""

Offered = tuple[bytes | None, bytes | None]


def settings_with(**overrides: Any) -> Settings:
    """Settings as a file without a word would give them, but for these."""
    return load_settings(None, overrides)


@cache
def plan(campaigns: str = CAMPAIGNS) -> Plan:
    """The compiled campaign file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "campaigns.yaml"
        path.write_text(campaigns, encoding="utf-8")
        return plan_of(load_campaigns(path), settings_with())


def shopping(
    count: int, *, seed: int = 1, customers: int = 120, step_ms: int = 20_000
) -> list[Offered]:
    """Keys and values of events in order of time; who puts into the cart buys more often."""
    generator = random.Random(seed)
    carts = dict.fromkeys(range(customers), 0)
    offered: list[Offered] = []
    at_ms = BEGIN_MS
    for number in range(count):
        at_ms += generator.randrange(2 * step_ms)
        customer = generator.randrange(customers)
        draw = generator.random()
        buys = 0.02 + min(0.3, 0.1 * carts[customer])
        kind = "purchase" if draw < buys else "cart_add" if draw < buys + 0.2 else "page_view"
        if kind == "page_view" and generator.random() < 0.1:
            kind = "email_click"
        carts[customer] = 0 if kind == "purchase" else carts[customer] + (kind == "cart_add")
        offered.append(event(f"c{customer}", kind, at_ms, event_id=f"e{seed}-{number}",
                             channel=generator.choice(["app", "web"])))  # fmt: skip
    return offered


def event(customer: str, kind: str, at_ms: int, *, event_id: str, **properties: str) -> Offered:
    """Key and value of one event."""
    fields = {
        "event_id": event_id, "customer_id": customer, "type": kind, "occurred_at": at_ms,
        "properties": properties,
    }  # fmt: skip
    return customer.encode(), json.dumps(fields).encode()


class World:
    """One log, and the workers that a test starts on it.

    `settings` are those of every worker, unless `start` is told others; `store` keeps snapshots.
    """

    def __init__(
        self, *, partitions: int = PARTITIONS, store: SnapshotStore | None = None, **settings: Any
    ) -> None:
        self.store = store
        self.settings = settings_with(**settings)
        self.log = MemoryLog()
        self.clock = FixedClock(BEGIN_MS)
        self.partitions = partitions
        self.workers: list[Worker] = []
        self.telemetry: dict[int, Telemetry] = {}
        self.health: dict[int, Health] = {}
        for spec in topic_specs(self.settings, events_partitions=partitions, replication=1):
            self.log.create_topic(spec)

    def send(self, offered: Iterable[Offered], *, topic: str | None = None) -> None:
        """Append records where their keys belong."""
        for key, value in offered:
            index = 0 if key is None else partition_of(key, self.partitions)
            self.log.append(Outgoing(topic or self.settings.topics.events, index, [key], [value]))

    def worker(
        self,
        instance: str = "one",
        *,
        given: Plan | None = None,
        rebuild: bool = False,
        **settings: Any,
    ) -> Worker:
        """Make a worker that has not started yet."""
        mine = settings_with(**settings) if settings else self.settings
        telemetry, health = Telemetry(self.clock), Health(self.clock)
        snapshots = Snapshots(self.store, mine.group, Inline(), self.clock) if self.store else None
        around = Surroundings(
            mine, given or plan(), self.clock, telemetry, health, snapshots, rebuild
        )
        transport = MemoryTransport(
            self.log,
            group=mine.group,
            instance=instance,
            delivery=mine.delivery,
            clock=self.clock,
            aborted=telemetry.transaction_aborted,
        )
        worker = Worker(transport, around)
        self.telemetry[id(worker)], self.health[id(worker)] = telemetry, health
        self.workers.append(worker)
        return worker

    def start(
        self,
        instance: str = "one",
        *,
        given: Plan | None = None,
        rebuild: bool = False,
        **settings: Any,
    ) -> Worker:
        """Make a worker and let it join the group."""
        worker = self.worker(instance, given=given, rebuild=rebuild, **settings)
        worker.start()
        return worker

    def tick(self, *workers: Worker) -> int:
        """One batch of each, and the time of more than a commit."""
        taken = sum(worker.tick() for worker in workers)
        self.clock.advance_ms(TICK_MS)
        return taken

    def drain(self, *workers: Worker) -> None:
        """Tick until all that is there was folded, learned and committed."""
        quiet = 0
        for _ in range(TICKS_MAX):
            waiting = any(worker._rows_waiting() or worker.rebuilding for worker in workers)
            quiet = 0 if self.tick(*workers) or waiting else quiet + 1
            if quiet > 3:  # A rebalance takes a tick of each, a commit one more.
                return
        raise AssertionError("the workers do not come to rest")

    def settle(self, *workers: Worker) -> None:
        """Drain, with states and models published and taken up."""
        self.drain(*workers)
        self.clock.advance_ms(self.settings.times.learner_interval_ms)
        self.drain(*workers)

    def crash(self, worker: Worker, instance: str = "one") -> None:
        """Let a worker vanish: nothing is committed, its session expires."""
        self.log.expel(self.settings.group, instance)
        self.workers.remove(worker)

    def values(self, topic: str, index: int | None = None) -> list[bytes]:
        """What a topic holds, partition by partition."""
        logs = self.log.topics[topic]
        chosen = logs if index is None else [logs[index]]
        return [value for log in chosen for value in log.values if value is not None]

    def scores(self, index: int | None = None) -> list[ScoreRecord]:
        """The score records that left."""
        return [decode_score(each) for each in self.values(self.settings.topics.scores, index)]

    def rows(self) -> list[TrainingExample]:
        """The rows that left."""
        return [decode_example(each) for each in self.values(self.settings.topics.examples)]

    def states(self) -> dict[str, LearnerState]:
        """The newest state of each campaign."""
        read = [decode_learner_state(each) for each in self.values(self.settings.topics.states)]
        return {state.campaign: state for state in read}

    def models(self) -> dict[str, ModelRecord]:
        """The newest model of each campaign."""
        read = [decode_model_record(each) for each in self.values(self.settings.topics.models)]
        return {record.campaign: record for record in read}

    def dead_letters(self) -> list[tuple[bytes | None, bytes | None, Headers]]:
        """Key, value and headers of the dead letters."""
        logs = self.log.topics[self.settings.topics.dead_letters]
        return [row for log in logs for row in zip(log.keys, log.values, log.headers, strict=True)]

    def committed(self, topic: str) -> dict[int, int]:
        """The group's committed offsets of a topic."""
        positions = self.log.group(self.settings.group).committed
        return {
            partition.index: position.offset
            for partition, position in positions.items()
            if partition.topic == topic
        }

    def ends(self, topic: str) -> dict[int, int]:
        """The offsets behind the last record of each partition; ends of transactions follow."""
        logs = self.log.topics[topic]
        return {index: log.offsets[-1] + 1 if log.offsets else 0 for index, log in enumerate(logs)}

    def high(self, topic: str) -> dict[int, int]:
        """The high watermarks of a topic."""
        return {
            index: self.log.bounds(Partition(topic, index)).high
            for index in range(len(self.log.topics[topic]))
        }


def offsets(scores: Iterable[ScoreRecord], index: int) -> list[int]:
    """Which events of a partition were scored, in the order in which the scores left."""
    return [score.source.offset for score in scores if score.source.partition == index]


def ascending(numbers: Sequence[int]) -> bool:
    """Whether each is greater than the one before."""
    return all(a < b for a, b in pairwise(numbers))
