"""`propensity topics create` on a real Kafka.

Owns: what the command prints and creates.
Never: a promise of the transport; those are in tests/contract.
Source: the contract, "Commands".
"""

from __future__ import annotations

import json
import os

import pytest

from consumer.cli import run
from schemas.settings import Topics

TOPICS = tuple(kind.upper() for kind in Topics.model_fields)


@pytest.fixture
def _settings(kafka_bootstrap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROPENSITY_KAFKA__BOOTSTRAP_SERVERS", kafka_bootstrap)
    for name in TOPICS:
        topic = f"{name.lower()}-{os.getpid()}"
        monkeypatch.setenv(f"PROPENSITY_TOPICS__{name}", topic)


@pytest.mark.kafka
@pytest.mark.usefixtures("_settings")
def test_topics_are_created_once(capfd: pytest.CaptureFixture[str]) -> None:
    """A dry run creates nothing; a second run finds all; differences are warnings."""

    def outcomes(*options: str) -> list[dict[str, object]]:
        assert run(["topics", "create", "--json", *options]) == 0
        topics: list[dict[str, object]] = json.loads(capfd.readouterr().out)["topics"]
        assert len(topics) == len(TOPICS)
        return topics

    assert {each["action"] for each in outcomes("--dry-run")} == {"would create"}
    created = outcomes("--partitions", "5")
    assert {each["action"] for each in created} == {"created"}
    assert [each["partitions"] for each in created[:2]] == [5, 5]
    again = outcomes()
    assert {each["action"] for each in again} == {"exists"}
    assert [each["differences"] for each in again] == [[]] * len(TOPICS)

    assert run(["topics", "create", "--partitions", "6"]) == 0
    captured = capfd.readouterr()
    assert "has 5 partitions, not 6" in captured.err
    assert captured.out.count("exists") == len(TOPICS)


def test_an_address_where_nobody_answers(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """One sentence, a remedy, exit 2."""
    monkeypatch.setenv("PROPENSITY_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    assert run(["topics", "create"]) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("propensity: No Kafka broker answers at 127.0.0.1:1. Check ")
