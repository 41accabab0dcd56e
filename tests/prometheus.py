"""Prometheus and promtool as tests use them, and what a PromQL expression names.

Owns: the life of a Prometheus on a free port of the loopback, and asking it.
Never: leaves one behind, or skips without a word.
Source: https://prometheus.io/docs/prometheus/latest/querying/api/
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from consumer.metric import Kind
from consumer.metrics import METRICS
from tests.broker import free_ports

STARTUP_MAX_S = 30.0
WAIT_MAX_S = 60.0
SCRAPE_S = 0.5
ALWAYS_THERE = {
    "up": frozenset[str](),
    "process_start_time_seconds": frozenset[str](),
    "process_resident_memory_bytes": frozenset[str](),
    "process_cpu_seconds_total": frozenset[str](),
    "ALERTS": frozenset({"alertname", "alertstate", "severity"}),
}
"""What Prometheus and its library say of every program, with the labels of their own."""
_NAME = re.compile(r"(?<![\w:$])((?:[a-z]+(?:_[a-z]+)*:)?propensity_[a-z0-9_]+(?::\w+)?)")
_SELECTED = re.compile(r"([\w:]+)\{([^}]*)\}")
_LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_GROUPED = re.compile(r"\b(?:by|on|without|ignoring|group_left|group_right)\s*\(([^)]*)\)")


def program(name: str) -> str:
    """Where a program is; without it the test is skipped, and fails in CI."""
    found = shutil.which(name)
    if found is None:
        message = f"{name} is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    return found


def promtool(*arguments: str | Path, given: bytes | None = None) -> str:
    """What promtool says; it must find nothing wrong."""
    checked = subprocess.run(
        [program("promtool"), *arguments],
        check=False,
        capture_output=True,
        input=given,
        timeout=WAIT_MAX_S,
    )
    said = (checked.stdout + checked.stderr).decode()
    assert checked.returncode == 0, said
    return said


def labels_of_metrics() -> dict[str, frozenset[str]]:
    """The labels of every series that we expose, and of those that are always there."""
    found = dict(ALWAYS_THERE)
    for metric in METRICS:
        if metric.kind is Kind.HISTOGRAM:
            found[f"{metric.name}_bucket"] = frozenset({*metric.labels, "le"})
            found[f"{metric.name}_sum"] = found[f"{metric.name}_count"] = frozenset(metric.labels)
        else:
            found[metric.name] = frozenset(metric.labels)
    return found


def unknown_names(expression: str, recorded: frozenset[str] = frozenset()) -> list[str]:
    """Series in an expression that nobody exposes or records, and labels that they do not have.

    What is recorded keeps the labels that its name says (`job_le:…`).
    """
    known = labels_of_metrics()
    for name in recorded:
        known[name] = frozenset(name.split(":")[0].split("_"))
    everywhere = {"job", "instance"}
    named = set(_NAME.findall(expression)) | {
        name for name in ALWAYS_THERE if re.search(rf"\b{name}\b", expression)
    }
    unknown = sorted(named - known.keys())
    possible = everywhere.union(*(known.get(name, frozenset()) for name in named))
    for name, selectors in _SELECTED.findall(expression):
        own = everywhere | known.get(name, frozenset())
        unknown += [f"{name}{{{label}}}" for label in _LABEL.findall(selectors) if label not in own]
    for group in _GROUPED.findall(expression):
        labels = [label.strip() for label in group.split(",") if label.strip()]
        unknown += [label for label in labels if label not in possible]
    return unknown


class Prometheus:
    """A running Prometheus that scrapes one address."""

    def __init__(self, address: str) -> None:
        self._address = address

    def ask(self, path: str, **parameters: str) -> Any:
        """The `data` of an answer; an error of ours is one of the test."""
        query = f"?{urlencode(parameters)}" if parameters else ""
        with urlopen(f"http://{self._address}/api/v1/{path}{query}", timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that an expression gives now."""
        data = self.ask("query", query=expression)
        assert data["resultType"] == "vector", expression
        found: list[dict[str, Any]] = data["result"]
        return found

    def said(self) -> set[str]:
        """The alerts that fire, or will if it stays like this."""
        return {each["labels"]["alertname"] for each in self.ask("alerts")["alerts"]}

    def await_series(self, expression: str) -> None:
        """Wait until an expression gives something."""
        give_up_s = monotonic() + WAIT_MAX_S
        while not self.query(expression):
            assert monotonic() < give_up_s, f"{expression} gives nothing"
            sleep(SCRAPE_S / 2)


@contextlib.contextmanager
def prometheus(folder: Path, target: str, rules: Path | None = None) -> Iterator[Prometheus]:
    """Yield a Prometheus that scrapes `target` as our job, several times in a second."""
    (port,) = free_ports(1)
    scrape = f"{round(SCRAPE_S * 1000)}ms"
    configuration = {
        "global": {"scrape_interval": scrape, "evaluation_interval": scrape},
        "rule_files": [str(rules / "*.yml")] if rules else [],
        "scrape_configs": [
            {"job_name": "propensity", "static_configs": [{"targets": [target]}]},
        ],
    }
    path = folder / "prometheus.yml"
    path.write_text(json.dumps(configuration), encoding="utf-8")  # JSON is YAML.
    address = f"127.0.0.1:{port}"
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                program("prometheus"),
                f"--config.file={path}",
                f"--storage.tsdb.path={folder / 'series'}",
                f"--web.listen-address={address}",
                "--log.level=warn",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        _await_ready(address, process, folder / "prometheus.log")
        yield Prometheus(address)
    finally:
        process.terminate()
        process.wait(STARTUP_MAX_S)


def _await_ready(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up_s = monotonic() + STARTUP_MAX_S
    while monotonic() < give_up_s and process.poll() is None:
        try:
            with urlopen(f"http://{address}/-/ready", timeout=1):
                return
        except (URLError, OSError):
            sleep(0.1)
    raise AssertionError(f"Prometheus did not start: {log.read_text(encoding='utf-8')[-2000:]}")
