"""The examination: looks at everything once, in order, and lets each check judge.

Owns: the order of the checks, what each of them needs, and what is said where that is missing.
Never: a rule; waits longer than its deadlines for anybody.
Source: docs/doctor.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import TimeoutError as StoreSilentError
from contextlib import closing
from pathlib import Path
from typing import Final, TypeVar

from consumer.clock import Clock
from consumer.doctor import machine
from consumer.doctor.command_lines import CommandLines
from consumer.doctor.event_checks import (
    Sample,
    judge_clock,
    judge_events,
    judge_keys,
    read_sample,
)
from consumer.doctor.facts import Cluster, GroupSeen, Member, TopicSeen
from consumer.doctor.finding import Finding
from consumer.doctor.history_checks import History, Standing, judge_history, judge_members
from consumer.doctor.look import kept_snapshots, newest_events, newest_states, standings
from consumer.doctor.machine_checks import (
    Footprint,
    judge_broker,
    judge_campaigns,
    judge_memory,
    judge_versions,
    package_names,
)
from consumer.doctor.store_checks import (
    filesystem_of,
    judge_disk,
    judge_sharing,
    leave_mark,
    refused_store,
)
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
from consumer.kafka import KafkaTransport
from consumer.kafka.administrator import Administrator
from consumer.kafka.version import librdkafka_version
from consumer.other_topics import LearnedFrom
from consumer.snapshots.beside import SideThread
from consumer.snapshots.manifest import Manifest, UnusableSnapshotError
from consumer.snapshots.snapshots import Snapshots
from consumer.snapshots.store import open_store
from consumer.topics import EVENTS_PARTITIONS, topic_specs
from consumer.transport import Partition, Records, TransportError, UnreachableError
from models.plan import compile_plan
from models.refusal import Door
from models.state import new_examples, new_profiles
from schemas.campaign import CampaignFile
from schemas.campaign_file import load_campaigns
from schemas.errors import CampaignFileError
from schemas.event import EventDecoder
from schemas.settings import Settings

BROKER_MAX_S: Final = 20.0
STORE_MAX_S: Final = 10.0
SAMPLE_TELLS_MIN: Final = 100
"""Of so many events it means something that a type is not among them."""

CHECKS: Final = (
    *("versions", "campaign file", "broker", "rights", "topics", "partitions", "cleanup"),
    *("retention", "topic settings", "group", "keys", "events", "clock", "history"),
    *("snapshot store", "shared store", "disk", "memory"),
)
"""In the order of the report: what comes first mends some of what comes later."""

Found = TypeVar("Found")


class Examination:
    """One examination of one set of settings.

    Parameters
    ----------
    lines: how remedies are said as commands.
    store_max_s: how long the store of snapshots may take for each question.
    """

    def __init__(
        self,
        settings: Settings,
        lines: CommandLines,
        clock: Clock,
        *,
        store_max_s: float = STORE_MAX_S,
    ) -> None:
        self._settings = settings
        self._lines = lines
        self._clock = clock
        self._store_max_s = store_max_s
        self._findings: list[Finding] = []
        self._cluster: Cluster | None = None
        self._seen: dict[str, TopicSeen] | None = None
        self._group: GroupSeen | None = None
        self._sample: Sample | None = None
        self._standings: tuple[list[Standing], list[Standing]] | None = None
        self._states: list[Records] = []
        self._campaigns: CampaignFile | CampaignFileError | None = None
        self._side = SideThread()

    def run(self) -> list[Finding]:
        """Look at everything; the findings in the order of `CHECKS`."""
        self._look_at_programs()
        self._load_campaigns()
        self._look_at_cluster()
        if self._seen is not None:
            self._look_at_records()
        self._judge_campaigns()
        self._look_at_store()
        told = {each.check for each in self._findings}
        for check in CHECKS:
            if check not in told:
                self._findings.append(Finding(check, "not looked", self._missing_for(check)))
        return sorted(self._findings, key=lambda each: CHECKS.index(each.check))

    def _missing_for(self, check: str) -> str:
        """Why a check had nothing to judge; what it needs has a line of its own."""
        if self._seen is None and check != "disk":
            return "needs the broker"
        needed = {
            **dict.fromkeys(("partitions", "cleanup", "retention"), "needs the topics"),
            "topic settings": "needs the topics",
            "memory": "needs a valid campaign file and the topic of events",
            "disk": "needs the snapshot store",
            "shared store": "needs the snapshot store",
            "history": "needs the topics of events and examples, and the snapshot store",
        }
        return needed.get(check, "needs the topic of events and a valid campaign file")

    def _look_at_programs(self) -> None:
        needed = machine.requirements()
        self._findings += judge_versions(
            machine.programs(librdkafka_version()),
            needed,
            machine.installed(package_names(needed)),
        )

    def _load_campaigns(self) -> None:
        try:
            self._campaigns = load_campaigns(self._settings.campaigns)
        except CampaignFileError as error:
            self._campaigns = error

    def _judge_campaigns(self) -> None:
        assert self._campaigns is not None
        sample = self._sample
        read = 0 if sample is None else sample.size - len(sample.refused) - len(sample.foreign)
        self._findings += judge_campaigns(
            self._settings.campaigns,
            self._campaigns,
            sample.types if sample is not None and read >= SAMPLE_TELLS_MIN else None,
            self._lines,
        )

    def _look_at_cluster(self) -> None:
        """Ask the brokers of themselves, of the topics and of the group."""
        settings, lines = self._settings, self._lines
        try:
            administrator = Administrator(
                settings.kafka,
                group=settings.group,
                instance=f"{settings.instance}-doctor",
                clock=self._clock,
            )
            self._cluster = administrator.cluster()
            self._findings += judge_broker(self._cluster, settings.delivery)
            seen = administrator.topics(list(settings.topics.model_dump().values()))
            self._group = administrator.group(settings.group)
        except TransportError as error:
            self._findings.append(Finding.of("broker", error, "not looked"))
            return
        self._seen = seen
        events = seen.get(settings.topics.events)
        specs = topic_specs(
            settings, events_partitions=events.partitions if events else EVENTS_PARTITIONS
        )
        file = self._campaigns
        horizons = (
            [each.horizon_ms for each in file.campaigns.values()]
            if isinstance(file, CampaignFile)
            else []
        )
        self._findings += [
            *judge_presence(settings.topics, seen, lines),
            *judge_partitions(settings.topics, seen, lines),
            *judge_cleanup(specs, seen, lines),
            *judge_retention(settings, specs, seen, max(horizons, default=None), lines),
            *judge_settings_of_topics(specs, seen, len(self._cluster.addresses), lines),
            *judge_rights(settings, seen, self._group, lines),
            *judge_sight(seen, lines),
            *judge_members(self._group.members),
        ]

    def _look_at_records(self) -> None:
        """Read the newest events, and where the group stands."""
        settings = self._settings
        try:
            transport = KafkaTransport(
                # Nobody waits here for an open transaction.
                {**settings.kafka, "isolation.level": "read_uncommitted"},
                group=settings.group,
                instance=f"{settings.instance}-doctor",
                clock=self._clock,
            )
        except TransportError as error:
            self._findings.append(Finding.of("broker", error))
            return
        with closing(transport):
            transport.hurry(BROKER_MAX_S)
            for check, look in (("events", self._read_sample), ("history", self._ask_positions)):
                try:
                    look(transport)
                except UnreachableError as error:
                    self._findings.append(Finding.of(check, error, "not looked"))
                    return
                except TransportError as error:
                    self._findings.append(Finding.of(check, error, "not looked"))

    def _partitions_of(self, topic: str) -> int:
        seen = (self._seen or {}).get(topic)
        return 0 if seen is None else seen.partitions

    def _read_sample(self, transport: KafkaTransport) -> None:
        settings, file = self._settings, self._campaigns
        topic = settings.topics.events
        partitions = self._partitions_of(topic)
        if not partitions or not isinstance(file, CampaignFile):
            return
        door = Door(
            EventDecoder(file.input, settings.limits.record_bytes_max),
            future_max_ms=settings.times.future_max_ms,
            keys_strict=settings.keys == "strict",
        )
        sample = self._sample = read_sample(newest_events(transport, topic, partitions), door)
        config = (self._seen or {})[topic].config or {}
        self._findings += [
            *judge_keys(sample, settings, self._lines),
            *judge_events(sample, settings, self._lines),
            *judge_clock(
                sample.newest_stamp_ms,
                self._clock.now_ms(),
                settings.times.future_max_ms,
                broker_stamps=config.get("message.timestamp.type") == "LogAppendTime",
            ),
        ]

    def _ask_positions(self, transport: KafkaTransport) -> None:
        topics = self._settings.topics
        events, examples = self._partitions_of(topics.events), self._partitions_of(topics.examples)
        if events and examples:
            self._standings = (
                standings(transport, topics.events, events),
                standings(transport, topics.examples, examples),
            )
            self._states = newest_states(
                transport, topics.states, self._partitions_of(topics.states)
            )

    def _look_at_store(self) -> None:
        """Use the store as a worker would, and ask what is in it."""
        settings = self._settings
        url = settings.snapshots.url
        try:
            store = open_store(url)
            marks = self._in_time(lambda: leave_mark(store, settings.group, settings.instance))
        except StoreSilentError:
            said = f"{url} does not answer within {self._store_max_s:.0f} s"
            self._findings.append(Finding("snapshot store", "not looked", said))
            return
        except WorldError as error:
            self._findings.append(Finding.of("snapshot store", error))
            return
        except OSError as error:
            self._findings.append(refused_store(url, error))
            return
        self._findings.append(
            Finding("snapshot store", "ok", f"{url} can be written, read and listed")
        )
        if self._group is not None and self._cluster is not None:
            ours = Member(settings.instance, machine.address_towards(self._cluster.addresses))
            self._findings += judge_sharing(
                url, self._filesystem(url), self._group.members, ours, marks, self._lines
            )
        unusable: list[UnusableSnapshotError] = []
        snapshots = Snapshots(
            store, settings.group, self._side, self._clock, report=unusable.append
        )
        self._look_at_snapshots(snapshots, unusable)

    def _look_at_snapshots(
        self, snapshots: Snapshots, unusable: Sequence[UnusableSnapshotError]
    ) -> None:
        settings = self._settings
        url = settings.snapshots.url
        free = None if url.startswith("s3://") else machine.free_bytes(Path(url).resolve())
        if self._standings is None or self._seen is None:
            self._findings += judge_disk(url, free, [])
            return
        events, examples = self._standings
        try:
            kept = self._in_time(lambda: kept_snapshots(snapshots, events))
        except StoreSilentError:
            said = f"the snapshots cannot be listed within {self._store_max_s:.0f} s"
            self._findings.append(Finding("history", "not looked", said))
            return
        topics = settings.topics
        learned_from = LearnedFrom(
            self._seen[topics.events].identity, self._seen[topics.examples].identity
        )
        history = History(learned_from, events, examples, self._states, kept)
        self._findings += judge_history(history, topics, settings.delivery)
        self._findings += [Finding.of("history", each, "warning") for each in unusable[:1]]
        newest = list(_newest(kept))
        self._findings += judge_disk(url, free, [each.size_bytes for each in newest])
        self._judge_memory(sum(each.raw_bytes for each in newest))

    def _judge_memory(self, held_bytes: int) -> None:
        file, settings = self._campaigns, self._settings
        partitions = self._partitions_of(settings.topics.events)
        if not isinstance(file, CampaignFile) or not partitions or self._group is None:
            return
        plan = compile_plan(file)  # What a row takes does not depend on limits.
        share = -(-partitions // max(1, len(self._group.members)))
        # Rows of arms have as much room of their own.
        stores = 1 + any(campaign.is_measured for campaign in file.campaigns.values())
        footprint = Footprint(
            new_profiles(plan).kind.itemsize, stores * new_examples(plan).kind.itemsize, share
        )
        self._findings += judge_memory(
            machine.memory_bytes(),
            footprint,
            settings.limits,
            held_bytes * share // partitions,
            self._lines,
        )

    def _filesystem(self, url: str) -> str:
        return (
            "" if url.startswith("s3://") else filesystem_of(Path(url).resolve(), machine.mounts())
        )

    def _in_time(self, work: Callable[[], Found]) -> Found:
        """Do it beside us: a store that hangs does not keep the report."""
        return self._side.run(work).result(self._store_max_s)


def _newest(
    kept: dict[Partition, Sequence[Manifest] | WorldError],
) -> Iterator[Manifest]:
    for manifests in kept.values():
        if not isinstance(manifests, WorldError):
            yield from manifests[:1]
