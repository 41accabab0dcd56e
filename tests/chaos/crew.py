"""The workers of a chaos run, as processes.

Owns: starting, stopping, freezing and killing them, and what they said.
Never: ends a process that it did not start, or looks inside a worker.
Source: README.md, "With your Kafka".
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from schemas.settings import Topics

ROOT = Path(__file__).parent.parent.parent
COMMAND = (sys.executable, "-m", "consumer", "run")

TOPICS = tuple(kind.upper() for kind in Topics.model_fields)
START_MAX_S = 300.0  # A first start compiles, on a busy machine for minutes.
STOP_MAX_S = 90.0
LOG_TAIL_LINES = 30


def environment(bootstrap: str, group: str, campaigns: Path, **more: str) -> dict[str, str]:
    """What workers are told; all else is as it is by default."""
    topics = {f"PROPENSITY_TOPICS__{kind}": topic(group, kind) for kind in TOPICS}
    return {
        **os.environ,
        **topics,
        "PYTHONPATH": str(ROOT),
        "PROPENSITY_KAFKA__BOOTSTRAP_SERVERS": bootstrap,
        "PROPENSITY_CAMPAIGNS": str(campaigns),
        "PROPENSITY_GROUP": group,
        "PROPENSITY_HTTP__LISTEN": "127.0.0.1:0",
        "PROPENSITY_PUBLISH_FROM": "start",
        **more,
    }


def topic(group: str, kind: str) -> str:
    """The name of one of our topics."""
    return f"{group}-{kind.lower()}"


class CrewMember:
    """One worker under one name, through all of its lives."""

    def __init__(self, name: str, folder: Path, told: dict[str, str]) -> None:
        self.name = name
        self._folder = folder
        self._told = {**told, "PROPENSITY_INSTANCE": name}
        self._lives = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.is_frozen = False

    @property
    def log(self) -> Path:
        """What the present life says."""
        return self._folder / f"{self.name}-{self._lives}.log"

    @property
    def runs(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def is_awake(self) -> bool:
        """Whether its process is there and not stopped."""
        return self.runs and not self.is_frozen

    @property
    def code(self) -> int | None:
        """How the last life ended; None while it lasts."""
        return None if self._process is None else self._process.poll()

    def start(self, **more: str) -> None:
        """Begin another life."""
        assert not self.runs
        self._lives += 1
        with self.log.open("wb") as stderr:
            self._process = subprocess.Popen(
                COMMAND,
                cwd=self._folder,
                env={**self._told, **more},
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self._process is not None
        self._process.send_signal(number)
        self.is_frozen = number == signal.SIGSTOP

    def limit_files(self, size_bytes: int | None) -> None:
        """Let no file of its grow beyond a size, or let them again."""
        assert self._process is not None
        whole = resource.RLIM_INFINITY
        soft = whole if size_bytes is None else size_bytes
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (soft, whole))

    def wait(self, most_s: float = STOP_MAX_S) -> int:
        """Wait for the end of this life and give its exit code."""
        assert self._process is not None
        return self._process.wait(most_s)

    def kill(self) -> None:
        """End it at once, if it still runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self.is_frozen = False

    def entries(self) -> list[dict[str, Any]]:
        """The log of the present life."""
        lines = self.log.read_text(encoding="utf-8").splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n") and line[0] == "{"]

    def tail(self) -> str:
        """The last lines of its log, for whoever looks for the reason."""
        return "\n".join(self.log.read_text(encoding="utf-8").splitlines()[-LOG_TAIL_LINES:])

    @property
    def has_started(self) -> bool:
        """Whether the present life said so."""
        return any(entry["event"] == "started" for entry in self.entries())

    def await_started(self) -> None:
        """Wait until it says so."""
        give_up_s = monotonic() + START_MAX_S
        while not self.has_started:
            assert self.runs, self.tail()
            assert monotonic() < give_up_s, self.tail()
            sleep(0.1)

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        (entry,) = [each for each in self.entries() if each["event"] == "started"]
        connection = HTTPConnection(entry["http"].removeprefix("http://"), timeout=5)
        try:
            connection.request("GET", "/metrics")
            lines = connection.getresponse().read().decode().splitlines()
        finally:
            connection.close()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))
