"""How long scores and explanations take beside a full load, and what asking costs the load.

Owns: who asks how often, and stretches of a log that are read with and without questions.
Never: a question that the worker was not under load for.
Source: none; a stretch is measured as in bench/whole_worker.py.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Final
from urllib.parse import urlsplit

import numpy as np

from bench.cluster import Cluster, started
from bench.known_customers import Log, fill
from bench.runner import OURS, Worker, fresh_place, running
from bench.scale import campaign_file
from bench.table import machine, spread
from bench.throughput import EVENTS_PER_S_MIN, START_MAX_S

PATHS: Final = ("scores", "explain")
TIMEOUT_S: Final = 30.0


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    customers: int
    stretch: int  # events in each
    pairs: int  # stretches with questions, and as many without


FULL: Final = Size(24_000, 400_000, 6)
QUICK: Final = Size(2_000, 60_000, 2)


@dataclass
class Measured:
    """Stretches without and with questions, and what each question took."""

    quiet_per_s: list[float] = field(default_factory=list)
    asked_per_s: list[float] = field(default_factory=list)
    quiet_cpu_us: list[float] = field(default_factory=list)
    asked_cpu_us: list[float] = field(default_factory=list)
    took_ms: list[float] = field(default_factory=list)
    idle_ms: list[float] = field(default_factory=list)
    refused: int = 0


class Asker:
    """Asks a worker about customers in turn, so many times a second.

    On one connection for each time of asking: a worker closes those that are quiet.
    """

    def __init__(self, address: str, customers: int, per_s: float) -> None:
        self._address = urlsplit(address).netloc
        self._customers = customers
        self._every_s = 1.0 / per_s
        self._stop = threading.Event()
        self.took_ms: list[float] = []
        self.refused = 0

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """Ask in a thread of its own for as long as this lasts."""
        self._stop.clear()
        self._connection = HTTPConnection(self._address, timeout=TIMEOUT_S)
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()
            self._connection.close()

    def ask(self, number: int) -> None:
        """Ask once, and note how long it took."""
        customer = f"c{number * 7_919 % self._customers:07d}"
        begun_s = time.perf_counter()
        self._connection.request("GET", f"/v1/customers/{customer}/{PATHS[number % 2]}")
        answer = self._connection.getresponse()
        answer.read()
        self.took_ms.append((time.perf_counter() - begun_s) * 1000.0)
        self.refused += answer.status != 200

    def _run(self) -> None:
        due_s, number = time.perf_counter(), 0
        while not self._stop.is_set():
            self.ask(number)
            number += 1
            due_s += self._every_s
            time.sleep(max(0.0, due_s - time.perf_counter()))


def measure(cluster: Cluster, folder: Path, size: Size, per_s: float) -> Measured:
    """Let one worker read stretches of a log, every second one while it is asked."""
    place = fresh_place(cluster.bootstrap, folder, "questions", campaign_file(1))
    log, found = Log(), Measured()
    fill(cluster, place, log, size.customers)
    with running(OURS, place, Path()) as worker:
        worker.await_outputs(cluster, place.scores, log.count, START_MAX_S)
        worker.cpu_when_quiet_s()
        asker = Asker(worker.said()["started"]["http"], size.customers, per_s)
        for number in range(2 * size.pairs + 1):
            with worker.suspended():
                for events in log.stretch(size.customers, size.stretch):
                    cluster.load(place.events, events)
            is_asked = number % 2 == 0
            with asker.asking() if is_asked else contextlib.nullcontext():
                begun_s, cpu_s = time.perf_counter(), worker.cpu_s()
                allowed_s = 60.0 + log.count / EVENTS_PER_S_MIN
                worker.await_outputs(cluster, place.scores, log.count, allowed_s)
                passed_s = time.perf_counter() - begun_s
            cpu_us = (worker.cpu_when_quiet_s() - cpu_s) / size.stretch * 1e6
            if number:  # The first one warms up.
                _note(found, size.stretch / passed_s, cpu_us, is_asked=is_asked)
            else:
                asker.took_ms.clear()
        found.took_ms, asker.took_ms = asker.took_ms, []
        _ask_idle(asker, worker, found, per_s)
        found.refused = asker.refused
    return found


def _note(found: Measured, per_s: float, cpu_us: float, *, is_asked: bool) -> None:
    (found.asked_per_s if is_asked else found.quiet_per_s).append(per_s)
    (found.asked_cpu_us if is_asked else found.quiet_cpu_us).append(cpu_us)


def _ask_idle(asker: Asker, worker: Worker, found: Measured, per_s: float) -> None:
    """Ask while nothing comes: the loop sleeps in its poll."""
    with asker.asking():
        time.sleep(500.0 / per_s)
    worker.check_alive()
    found.idle_ms = asker.took_ms


def table(found: Measured, per_s: float) -> str:
    """Return the figures as Markdown.

    Examples
    --------
    >>> found = Measured([100.0], [99.0], [10.0], [10.1], [1.0, 2.0], [0.5])
    >>> print(table(found, 50.0).splitlines()[-1])
    Events/s while asked: 99.0 % of those while not.
    """
    lines = [
        f"| {per_s:g} questions a second | questions | p50 ms | p99 ms | most ms |",
        "|---" * 5 + "|",
        *(
            f"| {name} | {len(took)} | "
            + " | ".join(f"{each:.1f}" for each in np.quantile(took, (0.5, 0.99, 1.0)))
            + " |"
            for name, took in (("full load", found.took_ms), ("idle", found.idle_ms))
        ),
        "",
        "| | events/s | µs of CPU per event |",
        "|---|---|---|",
        f"| not asked | {spread(found.quiet_per_s)} | {spread(found.quiet_cpu_us, 2)} |",
        f"| asked | {spread(found.asked_per_s)} | {spread(found.asked_cpu_us, 2)} |",
    ]
    share = median(found.asked_per_s) / median(found.quiet_per_s)
    lines.append(f"\nRefused: {found.refused}. ")
    lines.append(f"Events/s while asked: {share:.1%} of those while not.".replace("%", " %"))
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.questions", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, for a first look")
    parser.add_argument("--per-second", type=float, default=10.0, help="how often somebody asks")
    options = parser.parse_args(arguments)
    size = QUICK if options.quick else FULL
    with started() as (cluster, folder):
        print("questions beside a full load", file=sys.stderr, flush=True)
        found = measure(cluster, folder, size, options.per_second)
    print(machine(size.stretch * size.pairs * 2, 1))
    print(table(found, options.per_second))


if __name__ == "__main__":
    main()
