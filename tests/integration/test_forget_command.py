"""`propensity forget` on a real Kafka, with a worker that obeys.

Owns: what the command sends, prints and exits with.
Never: what a fact does to a fold; tests/unit/test_control_facts.py has that.
Source: docs/contract.md, "Control facts".
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from consumer.cli import run
from schemas.times import format_time
from tests.integration.test_dead_letters_command import Live, live
from tests.world import BEGIN_MS, event

__all__ = ["live"]
pytestmark = pytest.mark.kafka
FILE = """\
version: 1
input: {type: kind}
campaigns:
  buy:
    goal: {event: buy}
    horizon: 1d
    score_on: [view]
"""


def test_a_customer_is_forgotten_in_every_partition(
    live: Live, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """In the form that the campaign file reads, behind all that is there; a worker takes it."""
    topics, file = live.settings.topics, tmp_path / "campaigns.yaml"
    file.write_text(FILE, encoding="utf-8")
    capfd.readouterr()
    arguments = ["--campaigns", str(file), "forget", "--customer", "c 1"]
    assert run([*arguments, "--suppress", "--json"]) == 0
    sent = json.loads(capfd.readouterr().out)
    assert sent == {
        "customer": "c 1", "types": ["$forget", "$suppress"], "topic": topics.events,
        "partitions": 2,
    }  # fmt: skip
    for records in live.held(topics.events):
        assert records.keys == [b"c 1"] * 2
        found = [json.loads(value or b"") for value in records.values]
        assert [each["kind"] for each in found] == ["$forget", "$suppress"]
        assert {each["customer_id"] for each in found} == {"c 1"}
    file.write_text(FILE.replace("input: {type: kind}\n", ""), encoding="utf-8")
    assert run(arguments) == 0
    said = f"c 1: $forget sent to 2 partitions of {topics.events}"
    assert capfd.readouterr().out.splitlines() == [said]
    key, value = event("c 1", "view", BEGIN_MS, event_id=format_time(BEGIN_MS))
    live.send(key, value, [], to=topics.events)
    live.work(until=lambda: live.count(topics.dead_letters) == 4)


def test_a_name_that_no_event_can_have_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is asked of Kafka."""
    for name, found in (("", "0 characters"), ("x" * 129, "129 characters")):
        assert run(["forget", "--customer", name]) == 2
        assert f"{found}; an id has 1 to 128" in " ".join(capsys.readouterr().err.split())
