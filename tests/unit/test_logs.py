"""Logs: JSON for machines, no secrets for anybody.

Owns: the form of a log line.
Never: which lines are written.
Source: consumer/logs.py.
"""

import io
import json
from collections.abc import Iterator

import pytest
import structlog

from consumer.logs import configure_logs, log


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_a_machine_reads_json() -> None:
    """Anything that is not a terminal gets one JSON object a line."""
    stream = io.StringIO()
    configure_logs(stream=stream)
    log().info("assigned", partitions=[1, 2])
    entry = json.loads(stream.getvalue())
    assert entry["event"] == "assigned"
    assert entry["level"] == "info"
    assert entry["partitions"] == [1, 2]
    assert entry["timestamp"].endswith("Z")


def test_a_person_reads_a_line() -> None:
    """A terminal gets text."""
    stream = Terminal()
    configure_logs(stream=stream)
    log().info("assigned", partitions=3)
    assert "assigned" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_quieter_levels_are_dropped() -> None:
    """What is below the level is not written."""
    stream = io.StringIO()
    configure_logs(level="warning", stream=stream)
    log().info("assigned")
    assert stream.getvalue() == ""


def test_no_password_is_written() -> None:
    """Secrets are hidden at any depth, whatever librdkafka calls them."""
    stream = io.StringIO()
    configure_logs(stream=stream)
    log().info("starts", kafka={"sasl.password": "hush", "group.id": "g"}, token="hush")  # noqa: S106 - no real secret
    assert "hush" not in stream.getvalue()
    assert json.loads(stream.getvalue())["kafka"]["group.id"] == "g"
