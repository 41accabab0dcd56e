"""How long a worker takes until a partition is recovered: from a snapshot, its tail, or the log.

Owns: workers of one group that are killed one after the other, and when each next one was live.
Never: a part of the worker alone; bench/snapshot.py times a snapshot without a broker.
Source: ARCHITECTURE.md, "Recovery".
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from confluent_kafka import TopicPartition

from bench.cluster import PARTITION, Cluster, event_number, started
from bench.known_customers import Log, fill
from bench.runner import OURS, Place, Said, Worker, fresh_place, running
from bench.scale import campaign_file
from bench.table import machine, spread
from bench.throughput import EVENTS_PER_S_MIN, START_MAX_S
from consumer.snapshots.names import MANIFEST

MILLION: Final = 1_000_000
NEWCOMERS: Final = 10  # One customer in so many has the first event in the tail, and an example.
SNAPSHOT_INTERVAL: Final = "20s"
SNAPSHOT_MAX_S: Final = 120.0
MEASURED_MAX_S: Final = 30.0  # Gauges are brought up to date every five seconds.
RESTORED: Final = "partition_restored"
READ_AGAIN: Final = "partition_read_again"
FROM_SNAPSHOT: Final = "snapshot"
WITH_TAIL: Final = "snapshot and tail"
FROM_LOG: Final = "no snapshot"

HEADS: Final = (
    *("recovered from", "events again", "process s", "snapshot s", "read back s", "folded s"),
    *("rest s", "live after s", "CPU s", "peak MiB"),
)


@dataclass(frozen=True)
class Size:
    """How much is recovered."""

    customers: int
    tail: int  # events
    rounds: int


FULL: Final = Size(MILLION, MILLION, 2)
QUICK: Final = Size(20_000, 50_000, 1)


@dataclass(frozen=True)
class Recovery:
    """One start of a worker, in seconds, until a score that waited for it is readable."""

    events: int  # folded again
    process_s: float  # until "started": the interpreter, the compile cache, the models
    snapshot_s: float  # loaded and in place
    read_back_s: float  # what was served of the events
    folded_s: float  # the events again, with what was served
    live_s: float  # all of it
    cpu_s: float  # user and system time of all threads of the worker by then
    peak_mib: float

    @property
    def rest_s(self) -> float:
        """Joining the group, and scoring and committing the event that waited."""
        return self.live_s - self.process_s - self.snapshot_s - self.read_back_s - self.folded_s

    @property
    def again_s(self) -> float:
        """Seconds for a million events: what was served read back, and the events folded."""
        return (self.read_back_s + self.folded_s) / self.events * MILLION


class Group:
    """One group of one worker at a time: the log that it reads and the scores it has published."""

    def __init__(self, cluster: Cluster, place: Place, customers: int) -> None:
        self._cluster = cluster
        self.place = place
        self.log = Log()
        self._customers = customers
        self._topics = fill(cluster, place, self.log, customers)
        self._reader = cluster.reader()
        self._reader.assign([TopicPartition(place.scores, PARTITION, 0)])
        self._scores = 0

    def close(self) -> None:
        """Delete the topics."""
        self._reader.close()
        self._cluster.delete(self._topics)

    def append(self, events: int) -> None:
        """Append events of customers of whom some are new."""
        for part in self.log.stretch(self._customers + self._customers // NEWCOMERS, events):
            self._cluster.load(self.place.events, part)

    @contextmanager
    def life(self, snapshot_interval: str) -> Iterator[Worker]:
        """Start a worker; at the end kill it, and wait until the broker knows."""
        place = replace(self.place, snapshot_interval=snapshot_interval)
        with running(OURS, place, Path()) as worker:
            yield worker
            worker.kill()
        self._cluster.await_empty(place.name)

    def await_scored(self, worker: Worker) -> float:
        """Wait until every event has its one committed score; return when (s since the epoch)."""
        deadline_s = time.monotonic() + START_MAX_S + self.log.count / EVENTS_PER_S_MIN
        while self._scores < self.log.count:
            worker.check_alive()
            assert time.monotonic() < deadline_s, worker.last_words()
            for message in self._reader.consume(10_000, 0.01):
                value = message.value()
                assert value is not None, message.error()
                number = event_number(value)
                assert number == self._scores, f"{number} where {self._scores} was to come"
                self._scores += 1
        return time.time()

    def fill(self) -> None:
        """Let a first worker score all there is, and die once a snapshot of that is complete."""
        filled = self.log.count
        with self.life(SNAPSHOT_INTERVAL) as worker:
            self.await_scored(worker)
            deadline_s = time.monotonic() + SNAPSHOT_MAX_S
            while self._newest_snapshot() < filled:
                assert time.monotonic() < deadline_s, worker.last_words()
                time.sleep(0.5)

    def _newest_snapshot(self) -> int:
        """The offset of the newest complete one, or -1."""
        complete = self.place.snapshots.rglob(MANIFEST)
        return max((int(manifest.parent.name) for manifest in complete), default=-1)

    def recover(self, further: int = 0) -> Recovery:
        """Start the next worker, which finds an event that waits; then let it score further ones.

        It writes no snapshot. Raises AssertionError unless it holds what the one before it held.
        """
        self.append(1)
        start_s = time.time()
        with self.life("0s") as worker:
            live_s = self.await_scored(worker) - start_s
            used = worker.cpu_s(), worker.peak_mib()
            found = from_log(worker.said(), start_s, live_s, used)
            self._check(worker)
            self.append(further)
            self.await_scored(worker)
        return found

    def _check(self, worker: Worker) -> None:
        """Every customer is known, with an open example that holds what was served."""
        assert worker.metric("propensity_examples_served_unknown_total") == 0
        deadline_s = time.monotonic() + MEASURED_MAX_S
        names = ("propensity_profiles", "propensity_examples_open")
        while (held := [worker.metric(name) for name in names]) != [self.log.customers] * 2:
            assert time.monotonic() < deadline_s, (held, self.log.customers)
            time.sleep(0.5)


def from_log(
    said: dict[str, Said], start_s: float, live_s: float, used: tuple[float, float]
) -> Recovery:
    """Take the steps from the worker's log; those that it had no need of took no time.

    `used` is its CPU seconds and the peak of its memory in MiB.
    """
    assigned = said["partitions_assigned"]
    restored = said.get(RESTORED, assigned)
    again = said.get(READ_AGAIN, {**restored, "first": 0, "goes_on_at": 0})
    goes_on = said.get("partition_goes_on", again)
    return Recovery(
        events=again["goes_on_at"] - again["first"],
        process_s=said["started"]["at_s"] - start_s,
        snapshot_s=restored["at_s"] - assigned["at_s"],
        read_back_s=again["at_s"] - restored["at_s"],
        folded_s=goes_on["at_s"] - again["at_s"],
        live_s=live_s,
        cpu_s=used[0],
        peak_mib=used[1],
    )


def measure(cluster: Cluster, place: Place, size: Size) -> dict[str, Recovery]:
    """Kill one worker after another, and time how the next one recovers."""
    group = Group(cluster, place, size.customers)
    group.fill()
    found = {FROM_SNAPSHOT: group.recover(further=size.tail), WITH_TAIL: group.recover()}
    shutil.rmtree(place.snapshots)
    found[FROM_LOG] = group.recover()
    group.close()
    return found


def table(measured: dict[str, list[Recovery]], size: Size) -> str:
    """Return the figures as Markdown: medians, with the range where there are several rounds."""
    lines = [f"| {' | '.join(HEADS)} |", "|---" * len(HEADS) + "|"]
    for name, rounds in measured.items():
        columns = (
            [each.process_s for each in rounds],
            [each.snapshot_s for each in rounds],
            [each.read_back_s for each in rounds],
            [each.folded_s for each in rounds],
            [each.rest_s for each in rounds],
            [each.live_s for each in rounds],
            [each.cpu_s for each in rounds],
        )
        cells = [spread(column, 1) for column in columns]
        peak = spread([each.peak_mib for each in rounds])
        events = f"{rounds[0].events:,}"
        lines.append(f"| {' | '.join([name, events, *cells, peak])} |")
    tail, history = (
        spread([each.again_s for each in measured[name]], 1) for name in (WITH_TAIL, FROM_LOG)
    )
    lines.append(
        f"\n{size.customers:,} customers. A million events, read back and folded: "
        f"{tail} s of the tail, {history} s of the whole history."
    )
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all rounds and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.recovery", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, for a first look")
    parser.add_argument("--rounds", type=int, help="how many groups are killed and recovered")
    options = parser.parse_args(arguments)
    size = QUICK if options.quick else FULL
    rounds = options.rounds or size.rounds
    measured: dict[str, list[Recovery]] = {}
    with started() as (cluster, folder):
        for number in range(rounds):
            print(f"round {number + 1}", file=sys.stderr, flush=True)
            name = f"recovery-{number}"
            place = fresh_place(cluster.bootstrap, folder, name, campaign_file(1))
            for case, recovery in measure(cluster, place, size).items():
                measured.setdefault(case, []).append(recovery)
    print(machine(size.tail, rounds))
    print(table(measured, size))


if __name__ == "__main__":
    main()
