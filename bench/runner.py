"""Starts a contestant as a process of its own and watches what it uses.

Owns: the contestants' command lines and topics, and their life.
Never: runs a contestant inside the bench.
Source: /proc of Linux, by way of psutil.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil

from bench.cluster import BROKER_STAMPS
from bench.contestants.arguments import Arguments, as_flags
from bench.workload import CAMPAIGN, GOAL, HORIZON_MS, LATENESS_MS, RATE
from schemas.settings import Topics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.cluster import Cluster

ROOT: Final = Path(__file__).resolve().parent.parent
STOP_MAX_S: Final = 15.0
QUIET_MAX_S: Final = 10.0
QUIET_SHARE: Final = 0.04  # of a core
MODEL_MAX_S: Final = 30.0
SERVED_AFTER_S: Final = 1.0
EXAMPLES_PARTITIONS: Final = 16

UNTOUCHED: Final = "pass-through"
OBVIOUS: Final = "obvious loop"
QUIX: Final = "Quix Streams"
OURS: Final = "propensity"
OURS_AT_LEAST_ONCE: Final = "propensity, at least once"
OF_OURS: Final = (OURS, OURS_AT_LEAST_ONCE)
CONTESTANTS: Final = (UNTOUCHED, OBVIOUS, QUIX, *OF_OURS)

Said = dict[str, Any]  # One line of our log.


class ContestantError(Exception):
    """A contestant ended, or was not done in time; the message holds its last words."""


@dataclass(frozen=True)
class Place:
    """Where one run takes place: its input, its own outputs and a folder."""

    bootstrap: str
    name: str
    events: str
    folder: Path
    campaigns: str = CAMPAIGN  # The text of our campaign file.
    snapshot_interval: str = "5m"  # The default.

    @property
    def scores(self) -> str:
        """The topic of the scores."""
        return f"{self.name}-scores"

    @property
    def snapshots(self) -> Path:
        """The folder of our snapshots."""
        return self.folder / "state"

    def topics(self) -> dict[str, str]:
        """Return our topics, by the names that the settings file has for them."""
        named = {key: f"{self.name}-{key.replace('_', '-')}" for key in Topics.model_fields}
        return {**named, "events": self.events}


def fresh_place(bootstrap: str, folder: Path, name: str, campaigns: str = CAMPAIGN) -> Place:
    """Return a place with a folder of its own below another."""
    own = folder / name
    own.mkdir()
    return Place(bootstrap, name, f"{name}-events", own, campaigns)


def prepare(cluster: Cluster, place: Place, contestant: str) -> list[str]:
    """Create the topics that a contestant reads and writes; return them."""
    wanted: dict[str, tuple[int, dict[str, str]]] = {
        place.events: (1, {}),
        place.scores: (1, BROKER_STAMPS),
    }
    if contestant in OF_OURS:
        for key, name in place.topics().items():
            if key in {"events", "scores"}:
                continue
            many = key in {"examples", "states"}
            large = {"max.message.bytes": str(8 << 20)} if key in {"states", "models"} else {}
            policy = {"cleanup.policy": "compact"} if key in {"states", "models"} else {}
            wanted[name] = (EXAMPLES_PARTITIONS if many else 1, {**large, **policy})
    cluster.create(wanted)
    return list(wanted)


def command(contestant: str, place: Place, quix: Path) -> list[str]:
    """Return the command that starts a contestant."""
    if contestant in OF_OURS:
        return [
            sys.executable,
            "-m",
            "consumer",
            "--config",
            str(_settings(place, contestant)),
            "run",
        ]
    module, python = {
        UNTOUCHED: ("pass_through", sys.executable),
        OBVIOUS: ("obvious_loop", sys.executable),
        QUIX: ("quix_loop", str(quix)),
    }[contestant]
    arguments = Arguments(
        bootstrap=place.bootstrap,
        group=place.name,
        events=place.events,
        scores=place.scores,
        goal=GOAL,
        horizon_ms=HORIZON_MS,
        lateness_ms=LATENESS_MS,
        rate=RATE,
    )
    return [python, "-m", f"bench.contestants.{module}", *as_flags(arguments)]


def _settings(place: Place, contestant: str) -> Path:
    """Write our settings and campaign file: the defaults, but for names and places."""
    campaigns = place.folder / "campaigns.yaml"
    campaigns.write_text(place.campaigns, encoding="utf-8")
    settings = place.folder / "settings.yaml"
    content = {
        "kafka": {"bootstrap.servers": place.bootstrap},
        "group": place.name,
        "instance": "bench-1",
        "topics": place.topics(),
        "campaigns": str(campaigns),
        "start_from": "earliest",
        "publish_from": "start",
        "delivery": "exactly_once" if contestant == OURS else "at_least_once",
        "snapshots": {"url": str(place.snapshots), "interval": place.snapshot_interval},
        "http": {"listen": "127.0.0.1:0"},
    }
    settings.write_text(json.dumps(content, indent=1), encoding="utf-8")  # JSON is YAML, too.
    return settings


def said_in(log: Path) -> dict[str, Said]:
    """Return the first line for each thing that our log says, with `at_s` since the epoch."""
    found: dict[str, Said] = {}
    for line in log.read_text(encoding="utf-8").splitlines():
        if line.startswith("{"):  # The clients of Kafka speak plainly.
            entry = json.loads(line)
            at_s = datetime.fromisoformat(entry["timestamp"]).timestamp()
            found.setdefault(entry["event"], {**entry, "at_s": at_s})
    return found


class Worker:
    """A contestant's process."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._watched = psutil.Process(process.pid)
        self._log = log

    def cpu_s(self) -> float:
        """Return user and system seconds of all its threads, and of its children if any."""
        total = 0.0
        for each in (self._watched, *self._watched.children(recursive=True)):
            times = each.cpu_times()
            total += times.user + times.system
        return total

    def cpu_when_quiet_s(self) -> float:
        """Return the CPU seconds once it has nothing left to do: learning counts, too."""
        deadline_s = time.monotonic() + QUIET_MAX_S
        before, after = -1.0, self.cpu_s()
        while after - before > 0.5 * QUIET_SHARE and time.monotonic() < deadline_s:
            time.sleep(0.5)
            before, after = after, self.cpu_s()
        return after

    def await_settled(self, cluster: Cluster, place: Place, contestant: str) -> None:
        """Wait until it is idle; and ours until the models that it has learned are served."""
        self.cpu_when_quiet_s()
        if contestant in OF_OURS:
            self.await_outputs(cluster, place.topics()["models"], 1, MODEL_MAX_S)
            time.sleep(SERVED_AFTER_S)
            self.cpu_when_quiet_s()

    @contextlib.contextmanager
    def suspended(self) -> Iterator[None]:
        """Keep it from running for a few seconds: shorter than a session with the broker."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def peak_mib(self) -> float:
        """Return the peak of resident memory (VmHWM)."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024

    def check_alive(self) -> None:
        """Raise ContestantError with its last words if it has ended."""
        if self._process.poll() is not None:
            raise ContestantError(f"ended with {self._process.returncode}: {self.last_words()}")

    def kill(self) -> None:
        """End it as a crash does: nothing is finished, nothing is written."""
        self._process.kill()
        self._process.wait()

    def said(self) -> dict[str, Said]:
        """Return what our log says by now; see `said_in`."""
        return said_in(self._log)

    def metric(self, name: str) -> float:
        """Return what our /metrics shows: the sum over all labels."""
        address = self.said()["started"]["http"]
        with urllib.request.urlopen(f"{address}/metrics") as answer:  # noqa: S310 - our own worker
            lines = answer.read().decode().splitlines()
        named = [line for line in lines if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(float(line.rpartition(" ")[2]) for line in named)

    def last_words(self) -> str:
        """Return the end of what it has printed."""
        return self._log.read_text(encoding="utf-8", errors="replace")[-3000:]

    def await_outputs(self, cluster: Cluster, topic: str, count: int, timeout_s: float) -> int:
        """Wait until `count` outputs have been appended; return how many have by then."""
        deadline_s = time.monotonic() + timeout_s
        while (end := cluster.end(topic)) < count:
            self.check_alive()
            if time.monotonic() > deadline_s:
                raise ContestantError(f"{end} of {count} scores in time: {self.last_words()}")
            time.sleep(0.003)
        return end


@contextlib.contextmanager
def running(contestant: str, place: Place, quix: Path) -> Iterator[Worker]:
    """Start a contestant, and stop it as an operator would: SIGTERM, and time to finish."""
    log = place.folder / "worker.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command(contestant, place, quix),
            cwd=place.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Worker(process, log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_MAX_S)
        except subprocess.TimeoutExpired:
            print(f"{contestant}: did not stop within {STOP_MAX_S:.0f} s", file=sys.stderr)
            process.kill()
            process.wait()
