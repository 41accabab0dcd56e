"""`propensity campaigns` on a real Kafka.

Owns: that tombstones arrive where the records lie.
Never: what is listed and refused; tests/unit/test_campaigns_command.py has that.
Source: the contract, "Commands".
"""

from __future__ import annotations

import json
import os

import pytest

from consumer.cli import run
from consumer.kafka import KafkaTransport
from consumer.topics import topic_specs
from consumer.transport import Outgoing, Partition
from schemas.model_record import encode_model_record
from schemas.settings import load_settings
from tests.random_models import random_model
from tests.world import plan


@pytest.mark.kafka
def test_a_campaign_is_listed_and_removed(
    kafka_bootstrap: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Tombstones stand behind the model and behind each state; another campaign stays."""
    monkeypatch.setenv("PROPENSITY_KAFKA__BOOTSTRAP_SERVERS", kafka_bootstrap)
    for topic in ("MODELS", "STATES"):
        monkeypatch.setenv(f"PROPENSITY_TOPICS__{topic}", f"campaigns-{os.getpid()}-{topic}")
    settings = load_settings()
    models, states = settings.topics.models, settings.topics.states
    transport = KafkaTransport(settings.kafka, group="test", instance="test")
    specs = topic_specs(settings, events_partitions=1, replication=1)
    transport.create_topics([spec for spec in specs if spec.name in {models, states}])
    for name in ("buy-1d", "click-6h"):
        value = encode_model_record(random_model(plan(), name, 7))
        transport.produce(Outgoing(models, 0, [name.encode()], [value]))
        for index in (2, 9):
            state = b'{"lineage":"1","learner":"champion","version":%d}' % index
            transport.produce(Outgoing(states, index, [f"{name}/champion".encode()], [state]))
    transport.commit({})

    assert run(["campaigns", "list", "--json"]) == 0
    known = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [each["campaign"] for each in known] == ["buy-1d", "click-6h"]
    assert known[0]["state"]["version"] in {2, 9}
    assert known[0]["model"]["version"] == 7
    assert known[0]["newest"] is not None

    assert run(["campaigns", "remove", "buy-1d", "--force", "--yes"]) == 0
    assert capfd.readouterr().out.splitlines() == [
        f"removed buy-1d from {models}[0]",
        f"removed buy-1d/champion from {states}[2]",
        f"removed buy-1d/champion from {states}[9]",
    ]
    for place in (Partition(models, 0), Partition(states, 2), Partition(states, 9)):
        (records,) = transport.read(place)
        assert records.keys[2] is not None
        assert records.keys[2].startswith(b"buy-1d")
        assert [value is None for value in records.values] == [False, False, True]
    transport.close()
    assert run(["campaigns", "list", "--json"]) == 0
    assert len(capfd.readouterr().out.splitlines()) == 1
    assert run(["campaigns", "remove", "buy-1d", "--force", "--yes"]) == 1
    assert "hold nothing of campaign 'buy-1d'" in capfd.readouterr().err
