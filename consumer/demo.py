"""The demo: a broker in this process, a stream of shoppers, and the worker of `run`.

Owns: the pace of simulated time, and what is measured for the screen.
Never: anything that the worker would do differently for a real Kafka.
Source: README.md, "See it".
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import msgspec
import numpy as np

from consumer.clock import Clock
from consumer.http import Health
from consumer.kafka import KafkaTransport, MockCluster
from consumer.shoppers import DAY_MS, START_MS, encoded_shopper_events
from consumer.telemetry import Telemetry
from consumer.transport import Outgoing, Partition
from consumer.worker import Surroundings, Worker
from models.plan import Plan
from schemas.model_record import ModelRecord
from schemas.score import ScoreRecord, decode_score
from schemas.settings import Settings

BACKLOG_MAX = 4_000  # The cluster keeps 5 MiB a partition: the stream waits for the worker.
EVENTS_PER_TURN_MAX = 500
TIMED_EVERY = 20
LATENCIES_MAX = 2_000
SCORES_SHOWN = 5
LEARNER_INTERVAL_MS = 1_000
FETCH_WAIT_MS = 5


@dataclass
class Seen:
    """What the screen shows; all durations are of the wall clock, in seconds."""

    elapsed_s: float = 0.0
    simulated_ms: int = START_MS
    events: int = 0
    scores: int = 0
    events_per_s: float = 0.0
    scores_per_s: float = 0.0
    latency_p50_s: float = float("nan")
    latency_p99_s: float = float("nan")
    first_score_s: float | None = None
    models: dict[str, ModelRecord] = field(default_factory=dict)
    recent: list[ScoreRecord] = field(default_factory=list)


class _EventId(msgspec.Struct):
    event_id: str


class Demo:
    """Everything of the demo but its screen.

    Parameters
    ----------
    days_per_s: simulated days in a second of the wall clock.
    """

    def __init__(
        self,
        cluster: MockCluster,
        around: Surroundings,
        *,
        seed: int,
        days_per_s: float,
    ) -> None:
        settings = around.settings
        self._clock: Clock = around.clock
        self._days_per_s = days_per_s
        self._topics = settings.topics
        for topic in _names(settings):
            cluster.create_topic(topic)
        self._transport = KafkaTransport(settings.kafka, group="demo", instance="demo")
        self._reader = KafkaTransport(settings.kafka, group="demo-screen", instance="screen")
        for index in range(MockCluster.PARTITIONS):
            self._reader.follow(Partition(self._topics.scores, index), 0)
        self._worker = Worker(self._transport, around)
        self._stream = encoded_shopper_events(seed)
        self._next = next(self._stream)
        self._timed: dict[str, float] = {}
        self._latencies: deque[float] = deque(maxlen=LATENCIES_MAX)
        self._recent: deque[ScoreRecord] = deque(maxlen=SCORES_SHOWN)
        self._event_id = msgspec.json.Decoder(_EventId).decode
        self._begun_s = self._clock.monotonic_s()
        self._shown_at = (self._begun_s, 0, 0)
        self.seen = Seen()

    def start(self) -> None:
        """Let the worker join; the stream begins with the first turn."""
        self._worker.start()
        while not self._worker.scoring:
            self._worker.tick()
        self._begun_s = self._clock.monotonic_s()
        self._shown_at = (self._begun_s, 0, 0)

    def turn(self) -> None:
        """Shop a little, score it, learn from it."""
        self._shop()
        self._worker.tick(0.002)
        self._read_scores()

    def look(self) -> Seen:
        """Bring what is seen up to date."""
        now_s = self._clock.monotonic_s()
        then_s, events, scores = self._shown_at
        seen, passed_s = self.seen, max(1e-9, now_s - then_s)
        seen.elapsed_s = now_s - self._begun_s
        seen.events_per_s = (seen.events - events) / passed_s
        seen.scores_per_s = (seen.scores - scores) / passed_s
        self._shown_at = (now_s, seen.events, seen.scores)
        if self._latencies:
            p50, p99 = np.percentile(np.array(self._latencies), [50, 99]).tolist()
            seen.latency_p50_s, seen.latency_p99_s = p50, p99
        seen.models = self._worker.newest_models()
        seen.recent = list(self._recent)
        return seen

    def stop(self) -> None:
        """Commit and leave."""
        self._worker.stop()
        self._reader.close()

    def _shop(self) -> None:
        """Produce what simulated time has brought, unless the worker is behind."""
        elapsed_s = self._clock.monotonic_s() - self._begun_s
        until_ms = START_MS + int(elapsed_s * self._days_per_s * DAY_MS)
        done = sum(scoring.next_offset for scoring in self._worker.scoring)
        room = min(EVENTS_PER_TURN_MAX, BACKLOG_MAX - (self.seen.events - done))
        keys: list[bytes | None] = []
        values: list[bytes | None] = []
        times: list[int] = []
        while len(keys) < room and self._next[0] <= until_ms:
            at_ms, key, value = self._next
            keys.append(key)
            values.append(value)
            times.append(at_ms)
            if (self.seen.events + len(keys)) % TIMED_EVERY == 0:
                self._timed[self._event_id(value).event_id] = self._clock.monotonic_s()
            self._next = next(self._stream)
        if keys:
            self._transport.produce(
                Outgoing(self._topics.events, None, keys, values, timestamps_ms=times)
            )
            self.seen.events += len(keys)
            self.seen.simulated_ms = times[-1]

    def _read_scores(self) -> None:
        now_s = self._clock.monotonic_s()
        for records in self._reader.poll_followed():
            for value in records.values:
                assert value is not None
                score = decode_score(value)
                self.seen.scores += 1
                if self.seen.first_score_s is None:
                    self.seen.first_score_s = now_s - self._begun_s
                produced_s = self._timed.pop(score.event_id or "", None)
                if produced_s is not None:
                    self._latencies.append(now_s - produced_s)
                    self._recent.append(score)
        if len(self._timed) > LATENCIES_MAX:
            self._timed.clear()  # Those of events that nobody asked a score for.


def demo_settings(bootstrap: str, listen: str) -> Settings:
    """The settings of `run`, with the demo's broker and its faster clock."""
    return Settings.model_validate(
        {
            # The mock cluster answers a fetch only when its wait is over.
            "kafka": {"bootstrap.servers": bootstrap, "fetch.wait.max.ms": FETCH_WAIT_MS},
            "group": "demo",
            "instance": "demo",
            "publish_from": "start",
            "times": {"learner_interval": f"{LEARNER_INTERVAL_MS}ms"},
            "http": {"listen": listen},
        }
    )


def surroundings(settings: Settings, plan: Plan, clock: Clock) -> Surroundings:
    """What the worker needs besides its transport."""
    return Surroundings(settings, plan, clock, Telemetry(clock), Health(clock))


def _names(settings: Settings) -> list[str]:
    return [str(name) for name in settings.topics.model_dump().values()]
