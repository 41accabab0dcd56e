"""Workers as an operator starts them, on a real Kafka that is spoken to with kcat.

Owns: the processes of `propensity run` and `kcat`, and the topics of one test.
Never: ends a process that it did not start, or looks inside a worker.
Source: README.md, "With your Kafka".
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic, sleep
from typing import Any, NamedTuple, TypeVar

from confluent_kafka.admin import AdminClient

from schemas.settings import Topics

PROPENSITY = Path(sys.executable).parent / "propensity"
WAIT_MAX_S = 240.0  # A first start compiles, on a busy machine for minutes.
STOP_MAX_S = 5.0
Found = TypeVar("Found")

TOPICS = tuple(kind.upper() for kind in Topics.model_fields)


class Record(NamedTuple):
    """One record as kcat prints it."""

    partition: int
    offset: int
    key: str
    value: str


class Site:
    """Topics, a group and a campaign file of one test's own.

    `kafka` are settings of librdkafka, for our program and for kcat alike.
    """

    def __init__(
        self,
        bootstrap: str,
        folder: Path,
        campaigns: Path,
        name: str,
        kafka: Mapping[str, str] | None = None,
    ) -> None:
        self.bootstrap = bootstrap
        self.kafka = dict(kafka or {})
        self.folder = folder
        self._campaigns = campaigns
        self._name = f"{name}-{os.getpid()}"
        self._workers: list[LiveWorker] = []

    def topic(self, kind: str) -> str:
        """The name of one of our topics."""
        return f"{self._name}-{kind.lower()}"

    def environment(self, **more: str) -> dict[str, str]:
        """What every command is told."""
        topics = {f"PROPENSITY_TOPICS__{kind}": self.topic(kind) for kind in TOPICS}
        clients = {
            f"PROPENSITY_KAFKA__{key.replace('.', '_').upper()}": value
            for key, value in self.kafka.items()
        }
        return {
            **os.environ,
            **topics,
            **clients,
            "PROPENSITY_KAFKA__BOOTSTRAP_SERVERS": self.bootstrap,
            "PROPENSITY_KAFKA__SESSION_TIMEOUT_MS": "2000",
            "PROPENSITY_KAFKA__HEARTBEAT_INTERVAL_MS": "200",
            "PROPENSITY_CAMPAIGNS": str(self._campaigns),
            "PROPENSITY_GROUP": self._name,
            "PROPENSITY_HTTP__LISTEN": "127.0.0.1:0",
            "PROPENSITY_PUBLISH_FROM": "start",
            **more,
        }

    def propensity(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [PROPENSITY, *arguments],
            cwd=self.folder,
            env=self.environment(**more),
            check=False,
            capture_output=True,
            text=True,
            timeout=WAIT_MAX_S,
        )

    def worker(self, instance: str = "one") -> LiveWorker:
        """Start a worker and wait until it says so."""
        worker = LiveWorker(self, instance, self.folder / f"{len(self._workers)}-{instance}.log")
        self._workers.append(worker)
        return worker

    def make_anew(self, kind: str, partitions: int) -> None:
        """Delete a topic and create it again."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        for gone in admin.delete_topics([self.topic(kind)]).values():
            gone.result()
        await_that(
            lambda: self.topic(kind) in admin.list_topics(timeout=10.0).topics,
            lambda there: not there,
        )
        created = self.propensity("topics", "create", "--partitions", str(partitions))
        assert created.returncode == 0, created.stderr

    def close(self) -> None:
        """End what still runs."""
        for worker in self._workers:
            worker.kill()

    def produce(self, keyed: Path) -> None:
        """Send a file of keys and events, parted by tabs, with kcat."""
        arguments = ["-t", self.topic("EVENTS"), "-K", "\t", "-l", str(keyed)]
        subprocess.run(["kcat", "-P", *self._kcat, *arguments], check=True)

    def consume(self, kind: str) -> list[Record]:
        """All that a topic holds now, read with kcat."""
        form = r"%p\t%o\t%k\t%s\n"
        topic = self.topic(kind)
        arguments = ["-t", topic, "-o", "beginning", "-e", "-q", "-f", form]
        read = subprocess.run(
            ["kcat", "-C", *self._kcat, *arguments],
            check=True,
            capture_output=True,
            text=True,
        )
        rows = [line.split("\t", 3) for line in read.stdout.splitlines()]
        return [Record(int(row[0]), int(row[1]), row[2], row[3]) for row in rows]

    @property
    def _kcat(self) -> list[str]:
        """How kcat connects."""
        told = [word for key, value in self.kafka.items() for word in ("-X", f"{key}={value}")]
        return ["-b", self.bootstrap, *told]

    def await_records(self, kind: str, count: int) -> list[Record]:
        """All that a topic holds, once it is as much as that."""
        return await_that(lambda: self.consume(kind), lambda found: len(found) >= count)


class LiveWorker:
    """A process of `propensity run`."""

    def __init__(self, site: Site, instance: str, log: Path) -> None:
        self.instance = instance
        self._log = log
        with log.open("wb") as stderr:
            self._process = subprocess.Popen(
                [PROPENSITY, "run"],
                cwd=site.folder,
                env=site.environment(PROPENSITY_INSTANCE=instance),
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )
        await_that(self.said, lambda lines: "started" in lines or self._process.poll() is not None)
        assert self._process.poll() is None, log.read_text(encoding="utf-8")
        started = next(entry for entry in self.entries() if entry["event"] == "started")
        self.address: str = started["http"].removeprefix("http://")

    def entries(self) -> list[dict[str, Any]]:
        """Its log."""
        lines = self._log.read_text(encoding="utf-8").splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def said(self) -> list[str]:
        """What its log says, without the details."""
        return [entry["event"] for entry in self.entries()]

    def get(self, path: str) -> tuple[int, str]:
        """Ask it over HTTP."""
        connection = HTTPConnection(self.address, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def await_ready(self) -> None:
        """Wait until it scores all that it was given."""
        await_that(lambda: self.get("/readyz"), lambda answer: answer[0] == 200)

    def metrics(self, name: str) -> dict[str, float]:
        """The values of one metric, by labels."""
        lines = [line for line in self.get("/metrics")[1].splitlines() if line.startswith(name)]
        pairs = [line.removeprefix(name).rpartition(" ") for line in lines]
        return {labels: float(value) for labels, _, value in pairs}

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Send a signal; give the exit code and how long it took."""
        begun_s = monotonic()
        self._process.send_signal(number)
        return self._process.wait(WAIT_MAX_S), monotonic() - begun_s

    def kill(self) -> None:
        """End it at once, if it still runs."""
        self._process.kill()
        self._process.wait()


def await_that(ask: Callable[[], Found], good: Callable[[Found], bool]) -> Found:
    """Ask until the answer is good; give the last answer either way."""
    give_up_s = monotonic() + WAIT_MAX_S
    while True:
        found = ask()
        if good(found) or monotonic() > give_up_s:
            return found
        sleep(0.1)


def scored_positions(scores: list[Record]) -> list[tuple[int, int]]:
    """Partition and offset of each scored event, in the order of the score topic's partitions."""
    sources: list[Mapping[str, int]] = [json.loads(record.value)["source"] for record in scores]
    return [(source["partition"], source["offset"]) for source in sources]
