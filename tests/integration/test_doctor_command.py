"""`propensity doctor` on a real Kafka: what is well passes, and each harm is found and mended.

Owns: harming what the command looks at, and typing the remedies that it prints.
Never: the rule of a verdict; tests/unit has those.
Source: docs/doctor.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep, time
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
)
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType
from confluent_kafka.cimpl import NewTopic

from consumer.cli import run
from consumer.clock import SystemClock
from consumer.doctor.command_lines import CommandLines
from consumer.doctor.examination import CHECKS, Examination
from schemas.settings import Topics, load_settings
from tests.broker import NoBrokerError, kafka_tools, own_broker, skip_or_fail
from tests.test_tidy import ROOT

PARTITIONS = 3
REMEDY_MAX_S = 120
CAMPAIGNS = """\
version: 1
campaigns:
  buy:
    goal: {event: purchase}
    horizon: 1d
    score_on: [page_view]
"""
TOOLS = {
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
    "kafka-configs.sh": "org.apache.kafka.tools.ConfigCommand",
    "kafka-acls.sh": "org.apache.kafka.tools.AclCommand",
}
AUTHORIZER = """\
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
"""
KINDS = tuple(Topics.model_fields)

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def bootstrap() -> Iterator[str]:
    """A Kafka with an authorizer, which allows what nobody has written a rule for."""
    broker = own_broker(more_properties=AUTHORIZER)
    try:
        found = broker.__enter__()
    except NoBrokerError as error:
        skip_or_fail(str(error))
        return
    try:
        yield found.bootstrap
    finally:
        broker.__exit__(None, None, None)


class Site:
    """Topics, a group, a campaign file and a store of one test's own."""

    def __init__(self, bootstrap: str, folder: Path, name: str, shown: Any) -> None:
        self.bootstrap = bootstrap
        self.folder = folder
        self.group = name
        self.admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
        self.campaigns = folder / "campaigns.yaml"
        self.campaigns.write_text(CAMPAIGNS, encoding="utf-8")
        self._shown = shown

    def topic(self, kind: str) -> str:
        """The name of one of our topics."""
        return f"{self.group}-{kind}"

    def create(self, kind: str, partitions: int, **config: str) -> None:
        """Make a topic as nobody should."""
        named = {key.replace("_", "."): value for key, value in config.items()}
        topic = NewTopic(self.topic(kind), partitions, 1, config=named)
        self.admin.create_topics([topic])[self.topic(kind)].result(20)

    def create_the_rest(self) -> None:
        """Make those that are missing as they should be."""
        assert run(["topics", "create", "--partitions", str(PARTITIONS)]) == 0
        self._shown.readouterr()

    def await_rule(self, rule: AclBinding) -> None:
        """Wait until the broker goes by a rule: it is told of it in its own time."""
        wanted = AclBindingFilter(
            rule.restype, rule.name, ResourcePatternType.LITERAL, rule.principal, rule.host,
            AclOperation.ANY, AclPermissionType.ANY,
        )  # fmt: skip
        give_up_s = monotonic() + 20
        while not self.admin.describe_acls(wanted).result(20):
            assert monotonic() < give_up_s, "the rule does not come"
            sleep(0.05)

    def produce(self, key: str, value: str, partition: int, stamp_ms: int = 0) -> None:
        """Send one record."""
        producer = Producer({"bootstrap.servers": self.bootstrap})
        producer.produce(self.topic("events"), value, key, partition, timestamp=stamp_ms)
        assert producer.flush(20) == 0

    def send_events(self, count: int, partition: int = 0) -> None:
        """Send events as they should be, of as many customers."""
        for number in range(count):
            customer = f"c{number}-{partition}"
            self.produce(customer, event(customer), partition)

    def doctor(self) -> tuple[int, dict[str, list[dict[str, str]]]]:
        """The exit code, and the findings of each check."""
        code = run(["doctor", "--json"])
        report = json.loads(self._shown.readouterr().out)
        assert report["exit"] == code
        found: dict[str, list[dict[str, str]]] = {}
        for each in report["findings"]:
            found.setdefault(each["check"], []).append(each)
        assert list(found) == list(CHECKS)
        return code, found

    def ends(self) -> dict[str, list[int]]:
        """The end of every partition of ours."""
        found: dict[str, list[int]] = {}
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "nobody"})
        for name, topic in self.admin.list_topics(timeout=10).topics.items():
            if name.startswith(self.group):
                places = [TopicPartition(name, index) for index in topic.partitions]
                found[name] = [consumer.get_watermark_offsets(each)[1] for each in places]
        consumer.close()
        return found

    def groups(self) -> list[str]:
        """The groups that the broker knows."""
        listed = self.admin.list_consumer_groups(request_timeout=10).result(20)
        return [each.group_id for each in listed.valid or []]

    def type(self, commands: list[str]) -> str:
        """Type commands into a shell that has Kafka's tools and ours; give what they print."""
        programs = self.folder / "bin"
        programs.mkdir(exist_ok=True)
        for name, main in TOOLS.items():
            java = f"java -cp '{kafka_tools()}' -Xmx128m -XX:TieredStopAtLevel=1 {main}"
            (programs / name).write_text(f'#!/bin/sh\nexec {java} "$@"\n', encoding="utf-8")
            (programs / name).chmod(0o755)
        path = os.pathsep.join([str(programs), str(Path(sys.executable).parent)])
        typed = subprocess.run(
            ["bash", "-euc", "\n".join(commands)],
            env={**os.environ, "PATH": f"{path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)},
            check=False,
            capture_output=True,
            text=True,
            timeout=REMEDY_MAX_S,
        )
        assert typed.returncode == 0, typed.stdout + typed.stderr
        return typed.stdout


@pytest.fixture
def site(
    bootstrap: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Site:
    """A place whose settings every command finds in the environment."""
    found = Site(bootstrap, tmp_path, request.node.name.replace("_", "-"), capfd)
    monkeypatch.chdir(tmp_path)
    settings = {
        "KAFKA__BOOTSTRAP_SERVERS": bootstrap,
        "GROUP": found.group,
        "INSTANCE": "one",
        "CAMPAIGNS": str(found.campaigns),
        "SNAPSHOTS__URL": str(tmp_path / "state"),
        # Bounds for which any machine has room.
        "LIMITS__PROFILES_MAX": "1000",
        "LIMITS__OPEN_EXAMPLES_MAX": "1000",
        **{f"TOPICS__{kind.upper()}": found.topic(kind) for kind in KINDS},
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"PROPENSITY_{name}", value)
    return found


def event(customer: str) -> str:
    fields = {"customer_id": customer, "type": "page_view", "occurred_at": int(time() * 1000)}
    return json.dumps(fields)


def failed(found: dict[str, list[dict[str, str]]]) -> dict[str, dict[str, str]]:
    """The first finding of each check that failed."""
    return {
        check: each
        for check, findings in found.items()
        for each in reversed(findings)
        if each["verdict"] == "failed"
    }


def test_what_is_well(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing is found, and nothing is left in the topics or of a group: exit 0, in lines too."""
    site.create_the_rest()
    site.send_events(4)
    ends = site.ends()
    code, found = site.doctor()
    assert site.ends() == ends
    assert sum(ends[site.topic("events")]) == 4
    assert site.group not in site.groups()
    assert [each for findings in found.values() for each in findings
            if each["verdict"] != "ok"] == []  # fmt: skip
    assert code == 0
    assert run(["doctor"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert (
        lines[-1] == f"{len(CHECKS)} findings: {len(CHECKS)} ok, 0 warning, 0 failed, 0 not looked"
    )


def test_harmed_topics_are_mended_by_what_is_printed(site: Site) -> None:
    """Too few partitions, a wrong cleanup, a short retention, a lacking right, a missing topic."""
    site.create("scores", 1)
    site.create("states", 16, cleanup_policy="delete")
    site.create("events", PARTITIONS, retention_ms="60000")
    site.create_the_rest()
    gone = site.topic("dead_letters")
    site.admin.delete_topics([gone])[gone].result(20)
    somebody = AclBinding(
        ResourceType.TOPIC, site.topic("models"), ResourcePatternType.LITERAL,
        "User:somebody", "*", AclOperation.READ, AclPermissionType.ALLOW,
    )  # fmt: skip
    site.admin.create_acls([somebody])[somebody].result(20)
    site.await_rule(somebody)

    code, found = site.doctor()
    assert code == 1
    harmed = failed(found)
    assert set(harmed) == {"topics", "partitions", "cleanup", "retention", "rights"}
    assert gone in harmed["topics"]["found"]
    assert site.topic("scores") in harmed["partitions"]["found"]
    assert site.topic("states") in harmed["cleanup"]["found"]
    assert site.topic("events") in harmed["retention"]["found"]
    assert site.topic("models") in harmed["rights"]["found"]
    assert [each["verdict"] for each in found["rights"]] == ["failed", "not looked"]

    bad = [each for findings in found.values() for each in findings if each["verdict"] != "ok"]
    assert {each["check"] for each in bad} == {*harmed, "topic settings"}
    site.type([each["command"] for each in bad])
    code, found = site.doctor()
    assert (code, failed(found)) == (0, {})


def test_harmed_events_and_stores_are_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Foreign keys, nonsense, a clock ahead, and a store that cannot be: each with its remedy."""
    site.create_the_rest()
    site.produce("order-1", event("c1"), partition=0)
    site.produce("c2", "nonsense", partition=1)
    site.produce("c3", event("c3"), 2, stamp_ms=int(time() * 1000) + 1_800_000)
    (site.folder / "file").write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("PROPENSITY_SNAPSHOTS__URL", str(site.folder / "file" / "state"))

    code, found = site.doctor()
    assert code == 1
    harmed = failed(found)
    assert set(harmed) == {"keys", "events", "clock", "snapshot store"}
    assert "'order-1'" in harmed["keys"]["found"]
    assert f"{site.topic('events')}[1] offset 0" in harmed["events"]["found"]
    assert "nonsense" in site.type([harmed["events"]["command"]])

    variable, value = harmed["keys"]["command"].removeprefix("export ").split("=")
    monkeypatch.setenv(variable, value)
    monkeypatch.setenv("PROPENSITY_SNAPSHOTS__URL", str(site.folder / "state"))
    _, found = site.doctor()
    assert set(failed(found)) == {"events", "clock"}


def test_a_broken_campaign_file_and_lost_records(site: Site) -> None:
    """The file's first mistake is shown; what is gone unread is said as a worker would."""
    site.create_the_rest()
    site.send_events(6)
    topic = site.topic("events")
    consumer = Consumer({"bootstrap.servers": site.bootstrap, "group.id": site.group})
    consumer.commit(offsets=[TopicPartition(topic, 0, 2)], asynchronous=False)
    consumer.close()
    until = TopicPartition(topic, 0, 5)
    site.admin.delete_records([until])[until].result(20)
    site.campaigns.write_text(CAMPAIGNS.replace("goal", "gaol"), encoding="utf-8")

    code, found = site.doctor()
    assert code == 1
    harmed = failed(found)
    assert set(harmed) == {"campaign file", "history"}
    assert "did you mean `goal`?" in harmed["campaign file"]["found"]
    assert "3 records are gone unread" in harmed["history"]["found"]
    shown = site.type([f"{harmed['campaign file']['command']} || test $? = 1"])
    assert "campaigns.buy.gaol" in shown


def test_a_store_that_hangs_and_a_setting_that_nobody_knows(site: Site) -> None:
    """Neither keeps the report: it says who is silent, and what the client refused."""
    folder = site.folder / "state" / site.group / "doctor-marks"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "two.json")  # Nobody will ever write into it.
    settings = load_settings(overrides={"kafka": {"no.such.setting": "1"}})
    lines = CommandLines(settings.kafka, config=None, campaigns=None)
    findings = Examination(settings, lines, SystemClock(), store_max_s=1).run()
    unseen = {each.check: each.found for each in findings if each.verdict == "not looked"}
    assert "does not answer within 1 s" in unseen["snapshot store"]
    assert 'No such configuration property: "no.such.setting"' in unseen["broker"]
    assert unseen["disk"] == "needs the snapshot store"


def test_a_broker_that_is_away(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said once, and what needs it was not looked at: exit 2."""
    monkeypatch.setenv("PROPENSITY_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    code, found = site.doctor()
    assert code == 2
    (broker,) = found["broker"]
    assert broker["verdict"] == "not looked"
    assert broker["found"] == "No Kafka broker answers at 127.0.0.1:1"
    said = [each["found"] for findings in found.values() for each in findings
            if each["verdict"] == "not looked"]  # fmt: skip
    assert set(said) == {broker["found"], "needs the broker"}
    looked = {check for check, (first, *_) in found.items() if first["verdict"] == "ok"}
    assert looked == {"versions", "campaign file", "snapshot store", "disk"}
