"""Whether programs are new enough, the campaign file is sound, and memory will do.

Owns: what the broker must speak, what packages must be there, and what a customer takes.
Never: looks at the machine; whoever looks hands over what was found.
Source: docs/doctor.md, "This machine".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from consumer.doctor.command_lines import CommandLines
from consumer.doctor.facts import Cluster
from consumer.doctor.finding import Finding, or_ok
from consumer.doctor.store_checks import in_mib
from consumer.transport import DeliveryMode
from schemas.campaign import CampaignFile
from schemas.campaign_warnings import SeenEvents, warnings_of
from schemas.errors import CampaignFileError
from schemas.settings import Limits

NEEDED_EXACTLY_ONCE: Final[Mapping[str, int]] = {"TxnOffsetCommit": 3, "OffsetFetch": 7}
"""KIP-447, Kafka 2.5: a commit in a transaction is fenced by the group's generation."""

TOPIC_IDS: Final = ("Metadata", 10)
"""KIP-516, Kafka 2.8: a topic that was made anew is told from the one before."""

SHARE_OF_MEMORY: Final = 0.75  # The rest is for models, batches, a snapshot's copy and Python.
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:.*,)?\s*[^>]*>=\s*([0-9.]+)")


def judge_broker(cluster: Cluster, delivery: DeliveryMode) -> list[Finding]:
    """Brokers answer, and speak what the delivery needs."""
    addresses = ", ".join(f"{host}:{port}" for host, port in cluster.addresses)
    brokers = f"{len(cluster.addresses)} broker{'s' * (len(cluster.addresses) != 1)} ({addresses})"
    name, wanted = TOPIC_IDS
    missing = {*NEEDED_EXACTLY_ONCE, name} - cluster.versions.keys()
    if missing:
        return [Finding("broker", "not looked", f"{brokers}, which do not say how new they are")]
    old = {
        request: cluster.versions[request]
        for request, least in NEEDED_EXACTLY_ONCE.items()
        if cluster.versions[request] < least
    }
    if old and delivery == "exactly_once":
        return [
            Finding(
                "broker",
                "failed",
                f"{brokers}, older than Kafka 2.5: they speak {_listed(old)}",
                f"{_listed(NEEDED_EXACTLY_ONCE)}, for `delivery: exactly_once`",
                "Upgrade the brokers, or take records twice after a crash",
                "export PROPENSITY_DELIVERY=at_least_once",
            )
        ]
    spoken = cluster.versions[name]
    if spoken < wanted:
        return [
            Finding(
                "broker",
                "warning",
                f"{brokers}, older than Kafka 2.8: they speak {_listed({name: spoken})}",
                f"{name} {wanted}: without ids of topics, one that was made anew is not noticed",
                "Upgrade the brokers",
            )
        ]
    return [Finding("broker", "ok", f"{brokers}, new enough")]


def _listed(versions: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def judge_versions(
    said: str, requirements: Sequence[str], installed: Mapping[str, str | None]
) -> list[Finding]:
    """Every package is as new as this program asks; `said` names the programs themselves."""
    found = []
    for name, least in _minima(requirements):
        version = installed.get(name)
        if version is None or _numbers(version) < _numbers(least):
            there = "is not there" if version is None else f"is {version}"
            found.append(
                Finding(
                    "versions",
                    "failed",
                    f"the package {name} {there}",
                    f"at least {least}",
                    command=f"pip install '{name}>={least}'",
                )
            )
    return or_ok("versions", found, said)


def package_names(requirements: Sequence[str]) -> list[str]:
    """The packages that are looked at."""
    return [name for name, _ in _minima(requirements)]


def _minima(requirements: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Names and least versions, but for those of extras, which most have no use for.

    >>> list(_minima(["click>=8.3", "river<0.27,>=0.26.1", "s3fs>=2026; extra == 's3'"]))
    [('click', '8.3'), ('river', '0.26.1')]
    """
    for requirement in requirements:
        specifier, semicolon, _ = requirement.partition(";")
        match = _REQUIREMENT.match(specifier)
        if match is not None and not semicolon:
            yield match[1], match[2]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(digits) for digits in re.findall(r"\d+", version.partition("+")[0]))


def judge_campaigns(
    path: Path,
    file: CampaignFile | CampaignFileError,
    seen: SeenEvents | None,
    lines: CommandLines,
) -> list[Finding]:
    """As `propensity check --events` judges, with a sample of the topic for the events."""
    check = "campaign file"
    if isinstance(file, CampaignFileError):
        remedy = lines.ours("check", str(path))
        first, *others = file.problems
        more = f"; and {len(others)} more" if others else ""
        return [Finding(check, "failed", f"{first}{more}", command=remedy)]
    found = [Finding(check, "warning", str(each)) for each in warnings_of(file, seen)]
    names = ", ".join(file.campaigns)
    return or_ok(check, found, f"{path} is valid: {names}")


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a worker's share takes: bytes of a customer and of an open example, and partitions."""

    profile_bytes: int
    example_bytes: int
    partitions: int

    def at_most_bytes(self, limits: Limits) -> int:
        """All of it at its bounds."""
        profiles = limits.profiles_max * self.profile_bytes
        return self.partitions * (profiles + limits.open_examples_max * self.example_bytes)


def judge_memory(
    memory_bytes: int, footprint: Footprint, limits: Limits, held_bytes: int, lines: CommandLines
) -> list[Finding]:
    """What is known of customers fits, now and when the limits are reached.

    `held_bytes`: what the newest snapshots of as many partitions take unpacked.
    """
    room_bytes = round(memory_bytes * SHARE_OF_MEMORY)
    each = room_bytes // max(1, footprint.partitions) // 2
    fitting = {
        "PROFILES_MAX": max(1, min(limits.profiles_max, each // footprint.profile_bytes)),
        "OPEN_EXAMPLES_MAX": max(1, min(limits.open_examples_max, each // footprint.example_bytes)),
    }
    command = " && ".join(lines.set(f"LIMITS__{name}", most) for name, most in fitting.items())
    room = f"{in_mib(room_bytes)} (three quarters of {in_mib(memory_bytes)})"
    most_bytes = footprint.at_most_bytes(limits)
    if held_bytes > room_bytes:
        return [
            Finding(
                "memory",
                "failed",
                f"what the newest snapshots hold takes {in_mib(held_bytes)} for "
                f"{footprint.partitions} partitions of a worker",
                f"at most {room}",
                "Add memory or workers, which share the partitions; or forget those who were not "
                "seen for longest",
                command,
            )
        ]
    if most_bytes > room_bytes:
        return [
            Finding(
                "memory",
                "warning",
                f"{footprint.partitions} partitions of a worker may grow to {in_mib(most_bytes)}: "
                f"`profiles_max` {limits.profiles_max} of {footprint.profile_bytes} bytes, and "
                f"`open_examples_max` {limits.open_examples_max} of {footprint.example_bytes}, "
                "each",
                f"at most {room}",
                "Add memory or workers before so many customers come, or set bounds that fit",
                command,
            )
        ]
    return [Finding("memory", "ok", f"at most {in_mib(most_bytes)} of {room}")]
