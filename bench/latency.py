"""How long from handing an event to the broker until its score can be read.

Owns: the paced producer, the reader, and the one clock that both use.
Never: a contestant's clock.
Source: none.
"""

from __future__ import annotations

import gc
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from confluent_kafka import KafkaException, Producer, TopicPartition

from bench.cluster import PARTITION, event_number
from bench.runner import ContestantError, prepare, running
from bench.throughput import START_MAX_S

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from bench.cluster import Cluster
    from bench.runner import Place
    from bench.workload import Workload

SKIPPED_S = 1.0  # The first second at each rate is not measured.
TICK_S = 0.001
ANSWER_MAX_S = 30.0


@dataclass(frozen=True)
class Pace:
    """A number of events a second, and for how long."""

    events_per_s: int
    seconds: float

    @property
    def count(self) -> int:
        """How many events that is."""
        return int(self.events_per_s * self.seconds)


@dataclass(frozen=True)
class Latency:
    """One run at one rate, in milliseconds."""

    p50_ms: float
    p99_ms: float
    max_ms: float


def measure_latency(
    cluster: Cluster,
    place: Place,
    contestant: str,
    quix: Path,
    log: Workload,
    *,
    history: int,
    paces: Sequence[Pace],
) -> list[Latency]:
    """Let a contestant read `history` events, then send it the next ones at each pace."""
    topics = prepare(cluster, place, contestant)
    cluster.load(place.events, log.part(0, history))
    found = []
    with running(contestant, place, quix) as worker:
        worker.await_outputs(cluster, place.scores, history, START_MAX_S)
        worker.await_settled(cluster, place, contestant)
        start = history
        for pace in paces:
            stop = start + pace.count
            found.append(_at_pace(cluster, place, log.part(start, stop), start, pace))
            worker.check_alive()
            start = stop
    cluster.delete(topics)
    return found


def _at_pace(cluster: Cluster, place: Place, part: Workload, start: int, pace: Pace) -> Latency:
    sent_ns = np.zeros(len(part), np.int64)
    read_ns = np.zeros(len(part), np.int64)
    reading = threading.Thread(
        target=_read, args=(cluster, place.scores, cluster.end(place.scores), start, read_ns)
    )
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)  # Two threads share this interpreter; neither may wait 5 ms.
    gc.disable()
    reading.start()
    try:
        time.sleep(0.2)
        _send(cluster, place.events, part, pace, sent_ns)
    finally:
        reading.join()
        gc.enable()
        sys.setswitchinterval(interval_s)
    if not read_ns.all():
        raise ContestantError(f"{int((read_ns == 0).sum())} scores did not come")
    skipped = int(SKIPPED_S * pace.events_per_s)
    return summary((read_ns - sent_ns)[skipped:] / 1e6)


def summary(latencies_ms: NDArray[np.float64]) -> Latency:
    """Return the quantiles that are reported."""
    p50_ms, p99_ms, max_ms = np.quantile(latencies_ms, (0.5, 0.99, 1.0)).tolist()
    return Latency(p50_ms, p99_ms, max_ms)


def _send(
    cluster: Cluster, topic: str, part: Workload, pace: Pace, sent_ns: NDArray[np.int64]
) -> None:
    """Send every event that is due, each stamped as it is handed to the client."""
    producer = Producer({"bootstrap.servers": cluster.bootstrap, "linger.ms": 0, "log_level": 2})
    start_s = time.perf_counter()
    row = 0
    while row < len(part):
        due = min(int((time.perf_counter() - start_s) * pace.events_per_s) + 1, len(part))
        while row < due:
            sent_ns[row] = time.perf_counter_ns()
            producer.produce(topic, part.values[row], part.keys[row], partition=PARTITION)
            row += 1
        producer.poll(0)
        time.sleep(TICK_S)
    producer.flush(ANSWER_MAX_S)


def _read(
    cluster: Cluster, topic: str, offset: int, start: int, read_ns: NDArray[np.int64]
) -> None:
    """Note when each score of the events `start`.. could first be read."""
    reader = cluster.reader()
    reader.assign([TopicPartition(topic, PARTITION, offset)])
    missing = len(read_ns)
    waiting_s = time.monotonic()
    while missing and time.monotonic() - waiting_s < ANSWER_MAX_S:
        first = reader.poll(0.1)
        if first is None:
            continue
        at_ns = time.perf_counter_ns()
        waiting_s = time.monotonic()
        for message in (first, *reader.consume(1_000, 0)):
            value = message.value()
            if message.error() is not None or value is None:
                raise KafkaException(message.error())
            row = event_number(value) - start
            if read_ns[row] == 0:
                read_ns[row] = at_ns
                missing -= 1
    reader.close()
