"""Every check of `propensity doctor` of events, snapshots and the machine, seen to fail and pass.

Owns: the verdicts on samples of records, stores, disks, memory and versions.
Never: a broker; a store that is used is a folder of the test's own.
Source: docs/doctor.md, "Events", "Snapshots" and "This machine".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from consumer.doctor import machine
from consumer.doctor.command_lines import CommandLines
from consumer.doctor.event_checks import (
    Sample,
    judge_clock,
    judge_events,
    judge_keys,
    read_sample,
)
from consumer.doctor.facts import Member
from consumer.doctor.finding import Finding
from consumer.doctor.machine_checks import (
    Footprint,
    judge_campaigns,
    judge_memory,
    judge_versions,
    package_names,
)
from consumer.doctor.store_checks import (
    MIB,
    filesystem_of,
    judge_disk,
    judge_sharing,
    leave_mark,
    refused_store,
)
from consumer.snapshots.store import open_store
from consumer.transport import NO_HEADERS, Partition, Records
from models.refusal import Door
from schemas.campaign_file import load_campaigns, parse_campaigns
from schemas.errors import CampaignFileError
from schemas.event import EventDecoder, InputMapping
from schemas.settings import Limits, Settings

SETTINGS = Settings()
LINES = CommandLines({"bootstrap.servers": "kafka:9092"}, config=None, campaigns=None)
Pair = tuple[bytes | None, bytes | None]
NOW_MS = 1_790_000_000_000
CAMPAIGNS = (
    "version: 1\ncampaigns:\n  a:\n    goal: {event: x}\n    horizon: 7d\n    score_on: [y]\n"
)


def only(findings: list[Finding]) -> Finding:
    (finding,) = findings
    return finding


def event(customer: str, **changes: Any) -> bytes:
    fields = {"customer_id": customer, "type": "y", "occurred_at": NOW_MS, **changes}
    return json.dumps(fields).encode()


def records(index: int, pairs: Sequence[Pair]) -> Records:
    """Keys and values in one partition, all stamped at the same time."""
    count = len(pairs)
    return Records(
        Partition("customer-events", index),
        offsets=list(range(100, 100 + count)),
        timestamps_ms=[NOW_MS] * count,
        keys=[key for key, _ in pairs],
        values=[value for _, value in pairs],
        headers=[NO_HEADERS] * count,
    )


def sampled(*batches: Records, keys: str = "strict", mapping: InputMapping | None = None) -> Sample:
    door = Door(EventDecoder(mapping), future_max_ms=300_000, keys_strict=keys == "strict")
    return read_sample(batches, door)


GOOD: list[Pair] = [(f"c{number}".encode(), event(f"c{number}")) for number in range(9)]


def test_good_events_are_well() -> None:
    """Keys and events are as the contract has them; no events at all are no failure."""
    for sample in (sampled(records(0, GOOD)), sampled()):
        assert only(judge_keys(sample, SETTINGS, LINES)).verdict == "ok"
        assert only(judge_events(sample, SETTINGS, LINES)).verdict == "ok"


def test_keys_that_are_not_the_customer() -> None:
    """One is a warning, a partition full of them a failure; the remedy lets them in."""
    foreign: list[Pair] = [(b"order-1", event("c1"))]
    few = only(judge_keys(sampled(records(0, [*GOOD, *foreign])), SETTINGS, LINES))
    assert few.verdict == "warning"
    assert "partition" not in few.found
    all_of_it = sampled(records(0, GOOD * 9), records(1, foreign))
    found = only(judge_keys(all_of_it, SETTINGS, LINES))
    assert found.verdict == "failed"
    assert "customer-events[1] offset 100: key: found the key 'order-1'" in found.found
    assert found.command == "export PROPENSITY_KEYS=partitioned"
    trusting = Settings(keys="partitioned")
    assert only(judge_keys(sampled(records(1, foreign), keys="partitioned"), trusting, LINES)
                ).verdict == "ok"  # fmt: skip


@pytest.mark.parametrize("keys", ["strict", "partitioned"])
def test_a_customer_in_two_partitions(keys: Any) -> None:
    """Two senders part by key in two ways: no key is wrong, and profiles are in halves."""
    sample = sampled(records(0, GOOD), records(1, GOOD[:1]), keys=keys)
    found = only(judge_keys(sample, Settings(keys=keys), LINES))
    assert found.verdict == "failed"
    assert "'c0' lie in customer-events[0] and in customer-events[1]" in found.found
    assert "murmur2_random" in found.remedy


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"nonsense", "JSON"),
        (None, "a message without a value"),
        (event("c1", type=""), "type: found an empty text"),
        (event("c1", occurred_at=NOW_MS + 301_000), "a time 301 s ahead of the message's own"),
    ],
)
def test_events_that_cannot_be_read(value: bytes | None, said: str) -> None:
    """A few are a warning, most of a partition a failure; the record can be looked at."""
    bad: list[Pair] = [(b"c1", value)]
    few = only(judge_events(sampled(records(0, [*GOOD, *bad])), SETTINGS, LINES))
    assert few.verdict == "warning"
    assert said in few.found
    most = only(judge_events(sampled(records(0, [*GOOD[:1], *bad, *bad])), SETTINGS, LINES))
    assert most.verdict == "failed"
    assert most.command == ("kcat -C -b kafka:9092 -t customer-events -p 0 -o 102 -c 1 -e -K ': '")


def test_events_are_read_by_the_campaign_files_mapping() -> None:
    """What `input` maps is no nonsense."""
    value = b'{"who": "c1", "type": "y", "occurred_at": 1790000000000}'
    batch = records(0, [(b"c1", value)])
    assert only(judge_events(sampled(batch), SETTINGS, LINES)).verdict == "failed"
    mapped = sampled(batch, mapping=InputMapping(customer_id="who"))
    assert only(judge_events(mapped, SETTINGS, LINES)).verdict == "ok"


@pytest.mark.parametrize(
    ("ahead_ms", "verdict"),
    [(-86_400_000, "ok"), (5_000, "ok"), (6_000, "warning"), (300_001, "failed")],
)
def test_a_clock_that_is_behind(ahead_ms: int, verdict: str) -> None:
    """What was stamped in our future tells; what was stamped long ago tells nothing."""
    found = only(judge_clock(NOW_MS + ahead_ms, NOW_MS, 300_000, broker_stamps=True))
    assert found.verdict == verdict
    assert "the broker" in found.found
    assert only(judge_clock(-1, NOW_MS, 300_000, broker_stamps=False)).verdict == "ok"


def test_a_store_is_used_as_a_worker_uses_it(tmp_path: Path) -> None:
    """A mark is left and found by others; a folder that cannot be made is said."""
    store = open_store(str(tmp_path / "state"))
    assert leave_mark(store, "shop", "one") == {"one"}
    assert leave_mark(store, "shop", "two") == {"one", "two"}
    assert leave_mark(store, "other", "one") == {"one"}
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    url = str(tmp_path / "file")
    with pytest.raises(OSError, match="file") as raised:
        leave_mark(open_store(url), "shop", "one")
    found = refused_store(url, raised.value)
    assert found.verdict == "failed"
    assert "A file stands where a folder should be" in found.remedy
    assert found.command == f"ls -ld {url}"


HERE, ELSEWHERE = Member("one", "10.0.0.1"), Member("two", "10.0.0.2")


@pytest.mark.parametrize(
    ("verdict", "url", "filesystem", "members", "marks"),
    [
        ("ok", "/state", "ext4", [], {"one"}),
        ("ok", "/state", "ext4", [HERE], {"one"}),
        ("failed", "/state", "ext4", [HERE, ELSEWHERE], {"one"}),
        ("failed", "/state", "", [ELSEWHERE], {"one"}),
        ("ok", "/state", "ext4", [HERE, ELSEWHERE], {"one", "two"}),
        ("ok", "/state", "nfs4", [HERE, ELSEWHERE], {"one"}),
        ("ok", "s3://bucket/state", "", [HERE, ELSEWHERE], {"one"}),
    ],
)
def test_a_store_that_others_do_not_see(
    verdict: str, url: str, filesystem: str, members: list[Member], marks: set[str]
) -> None:
    """A folder of one host is no store for workers on two, unless the other has left a mark."""
    found = only(judge_sharing(url, filesystem, members, HERE, frozenset(marks), LINES))
    assert found.verdict == verdict
    if verdict == "failed":
        assert "two at 10.0.0.2" in found.found


def test_mounts_are_read_as_linux_writes_them(tmp_path: Path) -> None:
    """The deepest mount counts, and of two at one place the later."""
    text = (
        "22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n"
        "30 22 0:30 / /var/state rw master:1 - ext4 /dev/sdb rw\n"
        "31 30 0:31 / /var/state rw - nfs4 server:/x rw\n"
        "32 22 0:32 / /var/state\\040two rw - tmpfs tmpfs rw\n"
    )
    assert filesystem_of(Path("/var/state/group"), text) == "nfs4"
    assert filesystem_of(Path("/var/state two"), text) == "tmpfs"
    assert filesystem_of(Path("/var/stateless"), text) == "ext4"
    assert filesystem_of(tmp_path, "") == ""
    assert filesystem_of(tmp_path, machine.mounts()) != ""


@pytest.mark.parametrize(
    ("free_mib", "verdict"), [(10, "failed"), (250, "warning"), (600, "ok"), (None, "ok")]
)
def test_a_disk_that_is_full(free_mib: int | None, verdict: str) -> None:
    """There must be room for another snapshot of each partition."""
    free = None if free_mib is None else free_mib * MIB
    assert only(judge_disk("/state", free, [200 * MIB, 300 * MIB])).verdict == (
        "failed" if free_mib == 250 else verdict
    )
    assert only(judge_disk("/state", free, [100 * MIB] * 5)).verdict == verdict
    assert only(judge_disk("/state", free, [])).verdict == ("failed" if free_mib == 10 else "ok")


def test_memory_that_is_too_small() -> None:
    """What is held must fit, what may come should; the remedy sets bounds that fit."""
    footprint = Footprint(profile_bytes=320, example_bytes=448, partitions=12)
    limits, whole = Limits(), 16 * 1024 * MIB
    found = only(judge_memory(whole, footprint, limits, 0, LINES))
    assert found.verdict == "warning"
    values = {
        name.lower(): int(value)
        for name, value in (
            each.removeprefix("export PROPENSITY_LIMITS__").split("=")
            for each in found.command.split(" && ")
        )
    }
    fitting = Limits(**values)
    assert only(judge_memory(whole, footprint, fitting, 0, LINES)).verdict == "ok"
    assert only(judge_memory(whole, footprint, fitting, whole, LINES)).verdict == "failed"


def test_packages_that_are_too_old_or_not_there() -> None:
    """Each is named, with what installs it; those of extras are not asked for."""
    asked = ["click>=8.3", "river<0.27,>=0.26.1", "msgspec>=0.22", "s3fs>=2026; extra == 's3'"]
    assert package_names(asked) == ["click", "river", "msgspec"]
    there = {"click": "8.10.0", "river": "0.26.0", "msgspec": None}
    river, msgspec = judge_versions("propensity 0", asked, there)
    assert (river.verdict, river.found) == ("failed", "the package river is 0.26.0")
    assert msgspec.command == "pip install 'msgspec>=0.22'"
    good = {"click": "8.3", "river": "0.26.1", "msgspec": "1.0"}
    assert only(judge_versions("propensity 0", asked, good)).verdict == "ok"
    ours = machine.requirements()
    assert ours, "the project is installed where its tests run"
    assert only(judge_versions("p", ours, machine.installed(package_names(ours)))).verdict == "ok"


def test_a_campaign_file_that_is_broken_or_will_disappoint(tmp_path: Path) -> None:
    """Mistakes are counted and shown by `propensity check`; types never seen are warned of."""
    path = tmp_path / "campaigns.yaml"
    path.write_text(CAMPAIGNS.replace("goal", "gaol").replace("7d", "7 days"), encoding="utf-8")
    with pytest.raises(CampaignFileError) as raised:
        load_campaigns(path)
    found = only(judge_campaigns(path, raised.value, None, LINES))
    assert found.verdict == "failed"
    assert "campaigns.yaml:4: campaigns.a.gaol" in found.found
    assert "and 1 more" in found.found
    assert found.command == f"propensity check {path}"
    file = parse_campaigns(CAMPAIGNS)
    assert only(judge_campaigns(path, file, None, LINES)).verdict == "ok"
    unseen = only(judge_campaigns(path, file, sampled(records(0, GOOD)).types, LINES))
    assert unseen.verdict == "warning"
    assert "`x`" in unseen.found


def test_the_machine_tells_what_it_has(tmp_path: Path) -> None:
    """Memory, room and addresses are found, also for a folder that is not there yet."""
    assert machine.memory_bytes() > 100 * MIB
    assert machine.free_bytes(tmp_path / "not" / "there") == machine.free_bytes(tmp_path)
    assert machine.address_towards([("127.0.0.1", 9092)]) == "127.0.0.1"
    assert machine.address_towards([("host.invalid", 9092)]) == ""
