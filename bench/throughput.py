"""How many events a second, and per second of CPU, with what memory.

Owns: where the measured stretch starts and ends.
Never: start-up, imports and compilation, which end before the warm-up does.
Source: none.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.runner import OF_OURS, UNTOUCHED, Worker, prepare, running
from bench.workload import Workload

if TYPE_CHECKING:
    from pathlib import Path

    from bench.cluster import Cluster
    from bench.runner import Place

EVENTS_PER_S_MIN = 3_000  # Slower than this, a run is given up.
START_MAX_S = 240.0  # The first start ever compiles.


@dataclass(frozen=True)
class Throughput:
    """One run of one contestant."""

    events_per_s: float
    events_per_cpu_s: float
    peak_mib: float


def measure_throughput(
    cluster: Cluster, place: Place, contestant: str, quix: Path, log: Workload, *, warmup: int
) -> Throughput:
    """Let a contestant read `warmup` events, stop it, append the others, and let it go on."""
    topics = prepare(cluster, place, contestant)
    cluster.load(place.events, log.part(0, warmup))
    total = len(log)
    with running(contestant, place, quix) as worker:
        worker.await_outputs(cluster, place.scores, warmup, START_MAX_S)
        worker.await_settled(cluster, place, contestant)
        with worker.suspended():
            cluster.load(place.events, log.part(warmup, total))
        start_ms, start_cpu_s = time.time() * 1000, worker.cpu_s()
        timeout_s = 30.0 + total / EVENTS_PER_S_MIN
        worker.await_outputs(cluster, place.scores, total, timeout_s)
        cpu_s = worker.cpu_when_quiet_s() - start_cpu_s
        peak_mib = worker.peak_mib()
    stamps, last = cluster.read_back(place.scores, total)
    check_score(contestant, last, worker)
    cluster.delete(topics)
    elapsed_s = (int(stamps.max()) - start_ms) / 1000
    measured = total - warmup
    return Throughput(measured / elapsed_s, measured / cpu_s, peak_mib)


def check_score(contestant: str, value: bytes, worker: Worker) -> None:
    """Assert that the last record is a score with all that is claimed to be switched on."""
    if contestant == UNTOUCHED:
        return
    (score,) = json.loads(value)["scores"]
    assert 0.0 < score["probability"] < 1.0, score
    if contestant in OF_OURS:
        learned = score["model"]["version"] > 0 and score["status"] in {"ready", "unreliable"}
        assert learned, (score, worker.last_words())
        assert score["percentile"] is not None, score
        assert score["reasons"], score
