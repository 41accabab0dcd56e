"""A bad champion is overtaken: the whole way, from events to the scores of the one promoted.

Owns: a replay in which a challenger wins, and a worker that dies in the middle of it.
Never: the rule of a contest (tests/unit/test_contest.py) or how often chance wins
    (bench/promotions.py).
Source: docs/learners.md, "Champion and challengers".
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consumer.cli import run
from consumer.telemetry import Telemetry
from schemas.campaign import EXPERTS
from schemas.score import ScoreEntry, decode_score
from schemas.times import MINUTE_MS
from tests.world import BEGIN_MS, Offered, World, plan

CAMPAIGNS = """\
version: 1
campaigns:
  buy-1h:
    goal: {event: purchase}
    horizon: 1h
    rate: 40%
    score_on: [visit]
    example_interval: 0s
    features: {categories: [channel], numbers: [price], half_lives: [1d, all]}
    learner: river_logistic
    challengers: [hedged_logistic, kernel_svm]
"""
VISITS = 3_000
HEDGED = "hedged_logistic"


def shop(visits: int = VISITS, seed: int = 7) -> Iterator[dict[str, Any]]:
    """Visits of new customers, fifteen minutes apart; two in five buy, by channel and price."""
    generator = random.Random(seed)
    effects = {"app": 1.5, "web": -0.5, "shop": -2.0}
    for number in range(visits):
        at_ms = BEGIN_MS + number * 15 * MINUTE_MS
        channel, price = generator.choice(list(effects)), generator.uniform(0.0, 4.0)
        who = {"customer_id": f"c{number}", "properties": {"channel": channel, "price": price}}
        yield {**who, "type": "visit", "event_id": f"v{number}", "occurred_at": at_ms}
        logit = effects[channel] - 1.2 * (price - 2.0) - 0.3
        if generator.random() < 1.0 / (1.0 + math.exp(-logit)):
            bought = {"type": "purchase", "event_id": f"p{number}"}
            yield {**who, **bought, "occurred_at": at_ms + 5 * MINUTE_MS}


def entries_of(scores: Iterator[bytes]) -> list[ScoreEntry]:
    """The only campaign's scores, in the order in which they left."""
    return [decode_score(line).scores[0] for line in scores]


def test_a_bad_champion_is_overtaken_in_a_replay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The challenger is promoted, serves under its name and version, and all of it is reported."""
    monkeypatch.setenv("PROPENSITY_TIMES__MODEL_REFRESH", "12h")
    (tmp_path / "events.ndjson").write_text("".join(json.dumps(each) + "\n" for each in shop()))
    (tmp_path / "campaigns.yaml").write_text(CAMPAIGNS)
    command = ["--campaigns", str(tmp_path / "campaigns.yaml"), "replay"]
    command += [str(tmp_path / "events.ndjson"), "--out"]
    for out, flags in (("out", []), ("small", ["--batch-max", "37"])):
        assert run([*command, str(tmp_path / out), *flags]) == 0
    for name in ("scores.ndjson", "examples.parquet", "quality.json"):
        assert (tmp_path / "small" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()
    report = json.loads((tmp_path / "out" / "quality.json").read_text())["campaigns"]["buy-1h"]
    (decision,) = report["decisions"]
    assert (decision["decided"], decision["learner"]) == ("promoted", HEDGED)
    assert report["learner"] == HEDGED
    assert set(report["challengers"]) == {"champion", "kernel_svm"}
    assert report["challengers"]["champion"]["rows"] > 500
    entries = entries_of(iter((tmp_path / "out" / "scores.ndjson").read_bytes().splitlines()))
    served = [entry.model.learner for entry in entries]
    change = served.index(HEDGED)
    assert set(served[:change]) == {"champion"}
    assert set(served[change:]) == {HEDGED}
    assert len(served) - change > 1_000
    before, after = entries[change - 1], entries[change]
    assert {*EXPERTS, HEDGED} == set(before.experts)
    assert {*EXPERTS, "champion"} == set(after.experts)
    assert (before.status, after.status) == ("ready", "ready")
    versions = [entry.model.version for entry in entries]
    assert versions == sorted(versions)  # All learn the same rows.
    percentiles = [entry.percentile for entry in entries[change:] if entry.percentile is not None]
    assert 35.0 < sum(percentiles) / len(percentiles) < 65.0  # Among its own predictions.


def offered() -> list[Offered]:
    """The same events as records."""
    return [(each["customer_id"].encode(), json.dumps(each).encode()) for each in shop()]


def written(world: World) -> dict[str, list[bytes]]:
    """What stands in the topics of scores, rows, states and models."""
    topics = world.settings.topics
    names = topics.scores, topics.examples, topics.states, topics.models
    return {name: world.values(name) for name in names}


def lived(crashes: set[int]) -> tuple[World, Telemetry]:
    """A world in which a worker dies while it folds some of twenty pieces of the log."""
    world, given, events = World(partitions=1, publish_from="start"), plan(CAMPAIGNS), offered()
    worker = world.start(given=given)
    size = len(events) // 20 + 1
    for piece in range(20):
        world.send(events[piece * size : (piece + 1) * size])
        if piece in crashes:
            world.tick(worker)  # Folded, learned in part and not committed.
            world.crash(worker)
            worker = world.start(given=given)
        world.settle(worker)
    return world, world.telemetry[id(worker)]


def test_a_worker_that_dies_on_the_way_changes_no_byte() -> None:
    """Before the promotion, around it and behind it: scores, rows, states, models are the same."""
    world, telemetry = lived(set())
    states = world.values(world.settings.topics.states)
    logs = world.log.topics[world.settings.topics.states]
    assert {key for log in logs for key in log.keys if key} == {
        f"buy-1h/{name}".encode() for name in ("champion", HEDGED, "kernel_svm")
    }
    assert len(states) > 40
    (record,) = world.models().values()
    assert record.learner == HEDGED
    assert [each.decided for each in record.decisions] == ["promoted"]
    crashed, _ = lived({3, 7, 8, 9, 10, 11, 15})
    kept = written(world)
    changed = [topic for topic, values in written(crashed).items() if values != kept[topic]]
    assert changed == []
    said = telemetry.exposition()[0].decode().splitlines()
    assert 'propensity_champion_changes_total{campaign="buy-1h",reason="promoted"} 1.0' in said
    of_champion, of_hedged = 'learner="champion"', f'learner="{HEDGED}"'

    def shown(metric: str) -> set[str]:
        lines = [line for line in said if line.startswith(f"propensity_{metric}{{")]
        return {name for name in (of_champion, of_hedged) if any(name in line for line in lines)}

    assert shown("challenger_positives") == {of_champion}
    assert shown("model_info") == shown("model_version") == {of_hedged}
