"""Every check of `propensity doctor` of topics, rights and the group, seen to fail and to pass.

Owns: the verdicts on what was looked up of a Kafka, with facts as a broker gives them.
Never: a broker; tests/integration/test_doctor_command.py asks a real one.
Source: docs/doctor.md, "Topics".
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from consumer.doctor.command_lines import CommandLines
from consumer.doctor.examination import CHECKS
from consumer.doctor.facts import Cluster, GroupSeen, Member, TopicSeen
from consumer.doctor.finding import Finding, as_json, exit_code, in_lines
from consumer.doctor.history_checks import History, Standing, judge_history, judge_members
from consumer.doctor.machine_checks import judge_broker
from consumer.doctor.topic_checks import (
    judge_cleanup,
    judge_partitions,
    judge_presence,
    judge_retention,
    judge_rights,
    judge_settings_of_topics,
    judge_sight,
)
from consumer.errors import WorldError
from consumer.other_topics import LearnedFrom
from consumer.positions import first_start
from consumer.snapshots.manifest import Manifest, Moment
from consumer.topics import DAY_MS, topic_specs
from consumer.transport import (
    NO_HEADERS,
    Bounds,
    DeliveryMode,
    Partition,
    Position,
    Records,
    TopicIdentity,
)
from schemas.learner_state import LearnerState, encode_learner_state
from schemas.settings import Settings, load_settings
from tests.test_tidy import ROOT

SETTINGS = Settings()
TOPICS = SETTINGS.topics
SPECS = topic_specs(SETTINGS, events_partitions=12)
LINES = CommandLines({"bootstrap.servers": "kafka:9092"}, config=None, campaigns=None)
ALL = frozenset({"READ", "WRITE", "DESCRIBE", "DESCRIBE_CONFIGS"})
IDENTITY = TopicIdentity(TOPICS.events, "id-1", 12)
NEW = {"Metadata": 13, "OffsetFetch": 10, "TxnOffsetCommit": 6}


def seen(**changes: dict[str, Any]) -> dict[str, TopicSeen]:
    """The topics as `propensity topics create` makes them; `events={"replication": 1}` differs."""
    kinds = {name: kind for kind, name in TOPICS.model_dump().items()}
    found = {}
    for spec in SPECS:
        facts: dict[str, Any] = {
            "partitions": spec.partitions,
            "replication": 3,
            "config": {"retention.ms": str(30 * DAY_MS), "min.insync.replicas": "2", **spec.config},
            "operations": ALL,
        }
        changed = changes.get(kinds[spec.name], {})
        config = {**facts["config"], **changed.get("config", {})}
        facts = {**facts, **changed}
        identity = TopicIdentity(spec.name, f"id of {spec.name}", facts["partitions"])
        found[spec.name] = TopicSeen(identity, facts["replication"], config, facts["operations"])
    return found


def only(findings: list[Finding]) -> Finding:
    """The one finding that there is."""
    (finding,) = findings
    return finding


def test_topics_as_they_are_created_are_well() -> None:
    """Nothing is found in what `propensity topics create` makes on three brokers."""
    there = seen()
    findings = [
        *judge_presence(TOPICS, there, LINES),
        *judge_partitions(TOPICS, there, LINES),
        *judge_cleanup(SPECS, there, LINES),
        *judge_retention(SETTINGS, SPECS, there, 7 * DAY_MS, LINES),
        *judge_settings_of_topics(SPECS, there, 3, LINES),
        *judge_rights(SETTINGS, there, GroupSeen((), ALL), LINES),
        *judge_sight(there, LINES),
    ]
    assert [each.verdict for each in findings] == ["ok"] * 6, findings


def test_missing_topics_are_named_together() -> None:
    """One line names them, and one command makes them."""
    there = seen()
    del there[TOPICS.scores], there[TOPICS.models]
    found = only(judge_presence(TOPICS, there, LINES))
    assert found.verdict == "failed"
    assert found.found == "propensity-scores, campaign-models do not exist"
    assert found.command == "propensity topics create"


def test_too_few_partitions_are_what_a_start_refuses() -> None:
    """The sentence is the worker's; the command gives as many as are needed."""
    found = only(judge_partitions(TOPICS, seen(scores={"partitions": 3}), LINES))
    assert found.verdict == "failed"
    assert "scores go to the partition number of their event" in found.found
    assert found.command == (
        "kafka-topics.sh --bootstrap-server kafka:9092 --alter --topic propensity-scores "
        "--partitions 12"
    )
    states = only(judge_partitions(TOPICS, seen(states={"partitions": 1}), LINES))
    assert "--topic learner-states --partitions 16" in states.command


@pytest.mark.parametrize(
    ("kind", "policy", "wanted"),
    [
        ("states", "delete", "compact"),
        ("models", "compact,delete", "compact"),
        ("events", "compact", "delete"),
        ("scores", "compact", "delete"),
        ("dead_letters", "compact,delete", "delete"),
    ],
)
def test_a_wrong_cleanup_loses_something(kind: str, policy: str, wanted: str) -> None:
    """What is learned must not expire, and what is a history must not be compacted."""
    there = seen(**{kind: {"config": {"cleanup.policy": policy}}})
    found = only(judge_cleanup(SPECS, there, LINES))
    assert found.verdict == "failed"
    assert f"has cleanup.policy={policy}" in found.found
    assert found.command.endswith(f"--add-config cleanup.policy={wanted}")


@pytest.mark.parametrize(
    ("config", "verdict"),
    [
        ({"cleanup.policy": "compact"}, "failed"),
        ({"cleanup.policy": "compact,delete", "min.compaction.lag.ms": "3600000"}, "failed"),
        ({"cleanup.policy": "compact", "min.compaction.lag.ms": "604800000"}, "ok"),
        ({"cleanup.policy": "delete"}, "ok"),
    ],
)
def test_scores_of_campaigns_may_be_compacted_but_not_soon(
    config: dict[str, str], verdict: str
) -> None:
    """With a key for each campaign the newest of each is kept, once nobody reads them back."""
    settings = load_settings(overrides={"score_key": "campaign"})
    specs = topic_specs(settings, events_partitions=12)
    found = only(judge_cleanup(specs, seen(scores={"config": config}), LINES))
    assert found.verdict == verdict
    if verdict == "failed":
        assert "a recovery reads back" in found.found
        assert found.command.endswith("--add-config min.compaction.lag.ms=604800000")


@pytest.mark.parametrize("kind", ["events", "scores", "examples"])
def test_a_retention_shorter_than_a_recovery_fails(kind: str) -> None:
    """Two snapshots and a recovery reach back so far; behind that, a worker stops."""
    settings = load_settings(overrides={"snapshots": {"interval": "2h", "generations": 3}})
    least_ms = 6 * 3_600_000

    def judged(kept_ms: int) -> list[Finding]:
        there = seen(**{kind: {"config": {"retention.ms": str(kept_ms)}}})
        return judge_retention(settings, SPECS, there, None, LINES)

    found = only(judged(least_ms - 1))
    assert found.verdict == "failed"
    assert found.expected.startswith("at least 6h, for 3 snapshots 2h apart")
    mended = int(found.command.rpartition("=")[2])
    assert all(each.verdict == "ok" for each in judged(mended))
    assert only(judged(least_ms)).verdict != "failed"


def test_a_worker_without_snapshots_needs_all_since_it_began() -> None:
    """How long that is nobody knows; the report says so."""
    settings = load_settings(overrides={"snapshots": {"interval": "0s"}})
    found = only(judge_retention(settings, SPECS, seen(), None, LINES))
    assert found.found.endswith("which has no snapshot before its stop")


def test_a_retention_shorter_than_a_horizon_disappoints() -> None:
    """Whoever begins anew would find no outcome in the log; the remedy is enough."""

    def judged(kept_ms: int) -> Finding:
        there = seen(events={"config": {"retention.ms": str(kept_ms)}})
        return only(judge_retention(SETTINGS, SPECS, there, 7 * DAY_MS, LINES))

    found = judged(7 * DAY_MS)
    assert (found.verdict, found.found) == ("warning", "customer-events is kept 7d")
    assert judged(int(found.command.rpartition("=")[2])).verdict == "ok"
    assert judged(-1).verdict == "ok"


def test_a_bound_of_bytes_disappoints() -> None:
    """Nobody knows how long it lasts."""
    there = seen(events={"config": {"retention.bytes": "1000"}})
    found = only(judge_retention(SETTINGS, SPECS, there, DAY_MS, LINES))
    assert found.verdict == "warning"
    assert found.command.endswith("--add-config retention.bytes=-1")


def test_copies_and_sizes_that_differ_are_warnings() -> None:
    """They may be meant; the settings have a command."""
    there = seen(models={"config": {"max.message.bytes": "1000012"}}, events={"replication": 1})
    one, two = judge_settings_of_topics(SPECS, there, 3, LINES)
    assert (one.verdict, two.verdict) == ("warning", "warning")
    assert one.found == "customer-events is kept 1 times, not 3"
    assert two.command.endswith("--add-config max.message.bytes=8388608")
    on_one_broker = judge_settings_of_topics(SPECS, seen(), 1, LINES)
    assert only(on_one_broker).verdict == "ok"


def test_settings_that_we_may_not_see() -> None:
    """Nobody looked, and the command grants the right to."""
    there = seen()
    there[TOPICS.scores] = TopicSeen(TopicIdentity(TOPICS.scores, "", 12), 3, None, ALL)
    found = only(judge_sight(there, LINES))
    assert found.verdict == "not looked"
    assert "--operation DescribeConfigs --topic propensity-scores" in found.command
    assert exit_code([found]) == 2


def test_a_right_that_is_lacking() -> None:
    """It is named with its topic or group, and granted by the command."""
    secured = CommandLines(
        {"bootstrap.servers": "kafka:9093", "security.protocol": "SASL_SSL",
         "sasl.username": "scorer"},
        config=None,
        campaigns=None,
    )  # fmt: skip
    there = seen(scores={"operations": frozenset({"DESCRIBE"})}, events={"operations": None})
    group = GroupSeen((), frozenset({"DESCRIBE"}))
    events, scores, of_group = judge_rights(SETTINGS, there, group, secured)
    assert events.verdict == "not looked"
    assert scores.verdict == of_group.verdict == "failed"
    assert scores.found == "READ and WRITE on topic propensity-scores are not allowed to us"
    assert scores.command == (
        "kafka-acls.sh --bootstrap-server kafka:9093 --command-config client.properties --add "
        "--allow-principal User:scorer --operation Read --operation Write --topic propensity-scores"
    )
    assert of_group.command.endswith("--operation Read --group propensity")


def test_two_members_of_one_name() -> None:
    """They fence each other in turns."""
    one, two = Member("shop-1", "10.0.0.1"), Member("shop-1", "10.0.0.2")
    assert only(judge_members([one, two])).verdict == "failed"
    assert only(judge_members([one, Member("shop-2", "10.0.0.2")])).verdict == "ok"
    assert only(judge_members([])).found == "no worker runs yet"


@pytest.mark.parametrize(
    ("versions", "delivery", "verdict"),
    [
        (NEW, "exactly_once", "ok"),
        ({**NEW, "TxnOffsetCommit": 2}, "exactly_once", "failed"),
        ({**NEW, "OffsetFetch": 6}, "exactly_once", "failed"),
        ({**NEW, "TxnOffsetCommit": 2}, "at_least_once", "ok"),
        ({**NEW, "Metadata": 9}, "exactly_once", "warning"),
        ({}, "exactly_once", "not looked"),
    ],
)
def test_brokers_that_are_too_old(versions: dict[str, int], delivery: Any, verdict: str) -> None:
    """What they speak decides, for what the delivery needs."""
    found = only(judge_broker(Cluster((("kafka", 9092),), versions), delivery))
    assert found.verdict == verdict


PARTITION = Partition(TOPICS.events, 0)
FIRST = first_start(0, Bounds(0, 100), "start", IDENTITY)


def standing(offset: int | None, low: int, high: int, note: str = FIRST.note) -> Standing:
    position = None if offset is None else Position(offset, note)
    return Standing(PARTITION, position, Bounds(low, high))


def manifest(offset: int, note: str = FIRST.note) -> Manifest:
    moment = Moment(topic=TOPICS.events, partition=0, next_offset=offset, note=note)
    return Manifest(program="0.1.0", group="propensity", moment=moment, facts={}, arrays=[],
                    parts=[])  # fmt: skip


OTHER_LIFE = first_start(0, Bounds(0, 100), "start", IDENTITY._replace(id="id-0")).note


@pytest.mark.parametrize(
    ("verdict", "events", "snapshots", "said"),
    [
        ("warning", standing(50, 0, 100), [], "1 of 1 partitions have a committed offset, 1 of"),
        ("ok", standing(50, 30, 100), [manifest(40)], "each of them a snapshot to go on from"),
        ("ok", standing(None, 0, 100), [], "a first start"),
        ("failed", standing(None, 0, 100), [manifest(40)], "no committed offset for it"),
        ("failed", standing(50, 60, 100), [manifest(40)], "10 records are gone unread"),
        ("failed", standing(500, 0, 100), [], "another topic now, or has lost records"),
        ("failed", standing(50, 30, 100), [], "has no snapshot that can be used, and its history"),
        ("failed", standing(50, 45, 100), [manifest(40)], "its history is only kept from 45"),
        ("failed", standing(50, 30, 100), [manifest(40, OTHER_LIFE)], "has no snapshot that can"),
        ("failed", standing(50, 0, 100, OTHER_LIFE), [], "was made anew since the last commit"),
        ("failed", standing(50, 0, 100), WorldError("A newer one wrote it", "Run it"), "newer"),
    ],
)
def test_what_a_start_would_refuse(
    verdict: str, events: Standing, snapshots: list[Manifest] | WorldError, said: str
) -> None:
    """The doctor says it with the worker's sentence, and without a start."""
    history = History(LearnedFrom(IDENTITY), [events], [], [], {PARTITION: snapshots})
    found = only(judge_history(history, TOPICS, "exactly_once"))
    assert (found.verdict, said in found.found) == (verdict, True), found


def test_rows_that_nobody_has_learned() -> None:
    """They are gone from the training examples; other partitions are counted."""
    rows = [
        Standing(Partition(TOPICS.examples, index), Position(3), Bounds(9, 20)) for index in (0, 1)
    ]

    def judged(standings: list[Standing], delivery: DeliveryMode) -> Finding:
        history = History(LearnedFrom(IDENTITY), [], standings, [], {})
        return only(judge_history(history, TOPICS, delivery))

    found = judged(rows, "exactly_once")
    assert found.verdict == "failed"
    assert "6 rows are gone unread; and 1 more like it" in found.found
    end = [Standing(Partition(TOPICS.examples, 0), Position(3), Bounds(4, 4))]
    assert judged(end, "exactly_once").verdict == "ok"
    assert judged(end, "at_least_once").verdict == "failed"


def test_states_of_other_topics_or_versions() -> None:
    """What a learner has learned names rows of the topics of then; the newest state counts."""
    examples = TopicIdentity(TOPICS.examples, "id-2", 16)
    state = LearnerState(campaign="a", lineage="1", learner="champion", covered=0, version=0)

    def judged(*values: bytes | None) -> Finding:
        many = len(values)
        stored = Records(
            Partition(TOPICS.states, 0), list(range(many)), [0] * many, [b"a/champion"] * many,
            list(values), [NO_HEADERS] * many,
        )  # fmt: skip
        history = History(LearnedFrom(IDENTITY, examples), [], [], [stored], {})
        return only(judge_history(history, TOPICS, "exactly_once"))

    same = encode_learner_state(LearnedFrom(IDENTITY, examples).sign(state))
    anew = IDENTITY._replace(id="id-0")
    other = encode_learner_state(LearnedFrom(anew, examples).sign(state))
    assert judged(other, same).verdict == "ok"
    assert judged(other, None).verdict == "ok"
    assert "customer-events was made anew since the learner state" in judged(same, other).found
    assert "cannot be read" in judged(b"{}").found


def test_the_report_says_everything_twice() -> None:
    """A person gets lines, a script the same as JSON; a failure goes before what nobody saw."""
    ok = Finding("topics", "ok", "all 6 are there")
    failed = Finding("keys", "failed", "no\x1b[2J", "a key", "Key them", "export A=b")
    unseen = Finding("events", "not looked", "needs the broker")
    assert [exit_code(each) for each in ([ok], [ok, failed, unseen], [ok, unseen])] == [0, 1, 2]
    lines = in_lines([ok, failed, unseen])
    assert lines == [
        "ok          topics  all 6 are there",
        "FAILED      keys    no\\x1b[2J; expected: a key",
        "                    Key them.",
        "                    $ export A=b",
        "not looked  events  needs the broker",
        "3 findings: 1 ok, 0 warning, 1 failed, 1 not looked",
    ]
    report = as_json([ok, failed, unseen])
    assert report["exit"] == 1
    assert report["counts"] == {"ok": 1, "warning": 0, "failed": 1, "not looked": 1}


def test_the_document_has_every_check_in_the_order_of_the_report() -> None:
    """Whoever reads a line of the report finds what it asks, and why."""
    text = (ROOT / "docs/doctor.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([a-z ]+) \| .* \| .* \|$", text, re.MULTILINE)
    assert [name for name in rows if name not in {"exit", "check"}] == list(CHECKS)


def test_files_that_were_named_are_named_in_remedies() -> None:
    """A remedy that is pasted finds the same settings."""
    lines = CommandLines({}, config=Path("my settings.yaml"), campaigns=Path("c.yaml"))
    assert lines.ours("topics", "create") == (
        "propensity --config 'my settings.yaml' --campaigns c.yaml topics create"
    )
