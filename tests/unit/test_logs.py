"""Logs: JSON for machines, no secrets and no customers for anybody, and nothing said too often.

Owns: the form of a log line, what is held back, and that code, table and document agree.
Never: when a line is said.
Source: consumer/logs.py.
"""

import ast
import errno
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from consumer.clock import FixedClock
from consumer.log_lines import LOG_LINES
from consumer.logs import LINES_MAX, WINDOW_S, configure_logs, say, say_held_back
from consumer.logs_document import document
from tests.test_tidy import ROOT, calls, modules


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def entries(stream: io.StringIO) -> list[dict[str, Any]]:
    """What was said so far."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_machine_reads_json(stream: io.StringIO) -> None:
    """Anything that is not a terminal gets one JSON object a line, with the name of the line."""
    configure_logs(stream=stream)
    say("partition_goes_on", partition="customer-events[1]", offset=7)
    (entry,) = entries(stream)
    assert entry["event"] == "partition_goes_on"
    assert entry["message"] == "a partition goes on"
    assert entry["level"] == "info"
    assert (entry["partition"], entry["offset"]) == ("customer-events[1]", 7)
    assert entry["timestamp"].endswith("Z")


def test_a_person_reads_a_line() -> None:
    """A terminal gets a sentence and the fields."""
    stream = Terminal()
    configure_logs(stream=stream)
    say("partition_goes_on", partition="customer-events[1]", offset=7)
    assert "a partition goes on" in stream.getvalue()
    assert "partition_goes_on" not in stream.getvalue()
    assert "customer-events[1]" in stream.getvalue()


def test_quieter_levels_are_dropped(stream: io.StringIO) -> None:
    """What is below the level is not written."""
    configure_logs(level="warning", stream=stream)
    say("partition_goes_on")
    say("fenced")
    assert [entry["event"] for entry in entries(stream)] == ["fenced"]


def test_what_nobody_has_set_up_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """A command that says nothing of logs still keeps stdout for its results."""
    structlog.reset_defaults()
    say("fenced", problem="x")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert json.loads(shown.err)["event"] == "fenced"


def test_no_password_is_written(stream: io.StringIO) -> None:
    """Secrets are hidden at any depth, whatever librdkafka calls them."""
    configure_logs(stream=stream)
    say("started", kafka={"sasl.password": "hush", "group.id": "g"}, token="hush")  # noqa: S106 - no real secret
    assert "hush" not in stream.getvalue()
    assert entries(stream)[0]["kafka"]["group.id"] == "g"


def test_a_customer_is_named_only_as_it_is_allowed(stream: io.StringIO) -> None:
    """Nobody is, unless it is said how; absent customers stay absent."""
    configure_logs(stream=stream)
    say("records_refused", customer="Ada")
    configure_logs(stream=stream, customer=str.upper)
    say("records_refused", customer="Ada")
    say("records_refused", customer=None)
    assert [entry["customer"] for entry in entries(stream)] == ["********", "ADA", None]


def test_a_line_said_too_often_is_held_back_and_counted(stream: io.StringIO) -> None:
    """The next one says how many were; other names are said meanwhile, and none is lost uncounted.

    fenced    20 said, 5 held back | 60 s | one says 5, 19 more, 3 held back | the end says 3
    """
    clock = FixedClock()
    configure_logs(stream=stream, now_s=clock.monotonic_s)
    for _ in range(LINES_MAX + 5):
        say("fenced")
    say("commit_refused")
    assert [e["event"] for e in entries(stream)] == ["fenced"] * LINES_MAX + ["commit_refused"]
    assert all("suppressed" not in entry for entry in entries(stream))
    clock.advance_ms(round(WINDOW_S * 1000))
    for _ in range(LINES_MAX + 3):
        say("fenced")
    later = entries(stream)[LINES_MAX + 1 :]
    assert [entry.get("suppressed") for entry in later] == [5] + [None] * (LINES_MAX - 1)
    say_held_back()
    say_held_back()
    (last,) = entries(stream)[2 * LINES_MAX + 1 :]
    assert (last["event"], last["name"], last["suppressed"]) == ("lines_held_back", "fenced", 3)


def test_the_kafka_client_speaks_json_too(stream: io.StringIO) -> None:
    """What librdkafka logs is a line like others, from warnings up."""
    configure_logs(stream=stream)
    kafka = logging.getLogger("kafka")
    kafka.warning("%s [%s] %s", "FAIL", "rdkafka#consumer-1", "Connect to b:9092 failed")
    kafka.info("%s [%s] %s", "CONNECT", "rdkafka#consumer-1", "Connecting")
    (entry,) = entries(stream)
    assert (entry["event"], entry["level"], entry["facility"]) == (
        "kafka_client",
        "warning",
        "FAIL",
    )
    assert "Connect to b:9092 failed" in entry["text"]


def test_an_exception_in_a_library_is_said_without_its_text(stream: io.StringIO) -> None:
    """The kind and the place are enough to look for it; the text may hold a customer's id."""
    configure_logs(stream=stream)
    nobody: dict[str, str] = {}
    try:
        nobody["Ada-4711"]
    except KeyError:
        logging.getLogger("uvicorn.error").exception("Exception in application\n%s", "Ada-4711")
    (entry,) = entries(stream)
    assert (entry["event"], entry["error"]) == ("library_failed", "KeyError")
    assert entry["text"] == "Exception in application"
    assert "test_an_exception_in_a_library" in entry["at"][-1]
    assert "Ada-4711" not in stream.getvalue()


def said_in_code() -> Iterator[tuple[str, set[str], str]]:
    """Name and fields of each line that the code says with both written out."""
    for path, call in [
        *calls("say"),
        *calls("self.say_partitions"),
        *calls("self._share.say_partitions"),
    ]:
        if path.parts[0] != "consumer" or isinstance(call.args[0], ast.Name):
            continue
        names = [
            node.value
            for node in ast.walk(call.args[0])
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        fields = {keyword.arg for keyword in call.keywords if keyword.arg is not None}
        if ast.unparse(call.func) != "say":
            fields |= {"events", "examples"}
        for name in names:
            yield name, fields, f"{path}:{call.lineno}"


def test_the_code_says_only_lines_of_the_table_with_their_fields() -> None:
    """A line that operators look for keeps its name and its fields."""
    found = list(said_in_code())
    assert len(found) > 30
    wrong = [
        f"{place} says {name} with {sorted(fields)}"
        for name, fields, place in found
        if name not in LOG_LINES or not fields <= set(LOG_LINES[name].fields.split())
    ]
    assert wrong == []


def test_the_table_has_no_line_that_nobody_says() -> None:
    """Each name of the table stands somewhere in the code of the worker or its commands."""
    texts = {
        node.value
        for path, module in modules().items()
        if path.parts[0] == "consumer" and path.name != "log_lines.py"
        for node in ast.walk(module)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert [name for name in LOG_LINES if name not in texts] == []


def test_nobody_logs_past_the_table() -> None:
    """The logger itself is asked for in one module, and nobody prints."""
    elsewhere = [
        f"{path}:{call.lineno}"
        for name in ("structlog.get_logger", "logging.getLogger", "print")
        for path, call in calls(name)
        if path.parts[0] in {"consumer", "models", "schemas"} and path.name != "logs.py"
    ]
    kafkas = {"transport.py", "mock_cluster.py", "administrator.py"}  # Loggers for the client.
    assert [each for each in elsewhere if each.split(":")[0].split("/")[-1] not in kafkas] == []


def test_the_document_is_the_table() -> None:
    """docs/logs.md is what `make docs` writes."""
    assert (ROOT / "docs/logs.md").read_text(encoding="utf-8") == document()


class _Full(io.StringIO):
    """A stream whose disk is full, until there is room again."""

    is_full = True

    def write(self, text: str) -> int:
        """Refuse it, or take it."""
        if self.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


def test_a_line_that_cannot_be_written_stops_nobody() -> None:
    """It is counted, and the next one of its name says so."""
    stream = _Full()
    configure_logs(stream=stream)
    say("store_silent")
    say("store_silent")
    stream.is_full = False
    say("store_silent")
    assert [json.loads(line)["suppressed"] for line in stream.getvalue().splitlines()] == [2]
