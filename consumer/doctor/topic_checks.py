"""Whether the topics are there, fit each other, and keep what they hold long enough.

Owns: what is expected of cleanup, retention, copies and rights, and what is too little.
Never: asks a broker, or changes a topic.
Source: docs/doctor.md, "Topics".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from consumer.doctor.command_lines import CommandLines
from consumer.doctor.facts import GroupSeen, TopicSeen
from consumer.doctor.finding import Finding, or_ok
from consumer.topic_fit import misfits
from consumer.topics import DAY_MS, TopicSpec, differences, fit_to_brokers
from schemas.durations import format_duration
from schemas.settings import Settings, Topics

Seen = Mapping[str, TopicSeen]

DESCRIBE_CONFIGS = ("DESCRIBE_CONFIGS",)
CLEANUP, RETENTION, RETENTION_BYTES = "cleanup.policy", "retention.ms", "retention.bytes"
DELETED, LAG = "delete", "min.compaction.lag.ms"


def judge_presence(topics: Topics, seen: Seen, lines: CommandLines) -> list[Finding]:
    """Every topic of ours is there: a worker starts with none missing."""
    names = topics.model_dump().values()
    missing = [name for name in names if name not in seen]
    if not missing:
        return [Finding("topics", "ok", f"all {len(names)} are there")]
    said = f"{', '.join(missing)} {'does' if len(missing) == 1 else 'do'} not exist"
    return [Finding("topics", "failed", said, command=lines.ours("topics", "create"))]


def judge_partitions(topics: Topics, seen: Seen, lines: CommandLines) -> list[Finding]:
    """As a worker asks at its start."""
    counts = {name: each.partitions for name, each in seen.items() if each.partitions}
    found = [
        replace(
            Finding.of("partitions", each.error),
            command=lines.more_partitions(each.topic, each.wanted),
        )
        for each in misfits(topics, counts)
    ]
    said = ", ".join(f"{name} {count}" for name, count in counts.items())
    return or_ok("partitions", found, said) if counts else []


def judge_cleanup(specs: Sequence[TopicSpec], seen: Seen, lines: CommandLines) -> list[Finding]:
    """States and models are compacted and never deleted, all else is deleted and not compacted."""
    found = []
    for spec, config in _configured(specs, seen):
        if LAG in spec.config:
            found += _judge_lag(spec, config, lines)
            continue
        wanted = spec.config.get(CLEANUP, DELETED)
        policy = config.get(CLEANUP, DELETED)
        if policy != wanted:
            lost = (
                "all but the newest record of each key is removed"
                if wanted == DELETED
                else "what was learned is removed once it is older than the retention"
            )
            found.append(
                Finding(
                    "cleanup",
                    "failed",
                    f"{spec.name} has {CLEANUP}={policy}: {lost}",
                    f"{CLEANUP}={wanted}",
                    command=lines.configure(spec.name, CLEANUP, wanted),
                )
            )
    if not any(_configured(specs, seen)):
        return []
    return or_ok("cleanup", found, "states and models are compacted, all else is deleted")


def _judge_lag(spec: TopicSpec, config: Mapping[str, str], lines: CommandLines) -> list[Finding]:
    """Scores may be compacted, but not while a recovery may have to read them back."""
    policy, lag_ms, wanted = config.get(CLEANUP, DELETED), config.get(LAG, "0"), spec.config[LAG]
    if policy == DELETED or int(lag_ms) >= int(wanted):
        return []
    said = f"{spec.name} has {CLEANUP}={policy} and {LAG}={lag_ms}"
    return [
        Finding(
            "cleanup", "failed", f"{said}: scores that a recovery reads back may be removed",
            f"{LAG}={wanted}", command=lines.configure(spec.name, LAG, wanted),
        )
    ]  # fmt: skip


def judge_retention(
    settings: Settings,
    specs: Sequence[TopicSpec],
    seen: Seen,
    horizon_ms: int | None,
    lines: CommandLines,
) -> list[Finding]:
    """What is read again after a crash, and what a learner needs to begin, is still there.

    `horizon_ms` is the longest of the campaigns, None where their file is broken.
    """
    topics = settings.topics
    least_ms = _read_again_ms(settings)
    again = f"{format_duration(least_ms)}, for {_read_again(settings)}"
    history_ms = None if horizon_ms is None else horizon_ms + settings.times.lateness_ms
    wishes: dict[str, tuple[int | None, str]] = {
        topics.events: (
            history_ms,
            "the longest horizon and the lateness: else a new group learns nothing from history",
        ),
        topics.examples: (DAY_MS, "a day, for a partition that waits, or a worker that is stopped"),
    }
    found: list[Finding] = []
    for spec, config in _configured(specs, seen):
        if spec.config.get(CLEANUP, DELETED) != DELETED:
            continue
        kept_ms = int(config.get(RETENTION, -1))
        wish_ms, why = wishes.get(spec.name, (None, ""))
        better_ms = max(int(spec.config.get(RETENTION, 7 * DAY_MS)), least_ms, 2 * (wish_ms or 0))
        remedy = lines.configure(spec.name, RETENTION, str(better_ms))
        needed = spec.name in {topics.events, topics.scores, topics.examples}
        short = f"{spec.name} is kept {format_duration(kept_ms)}" if kept_ms >= 0 else ""
        if needed and 0 <= kept_ms < least_ms:
            found.append(Finding("retention", "failed", short, f"at least {again}", command=remedy))
        elif wish_ms is not None and 0 <= kept_ms < wish_ms:
            wished = f"at least {format_duration(wish_ms)}, {why}"
            found.append(Finding("retention", "warning", short, wished, command=remedy))
        elif needed and int(config.get(RETENTION_BYTES, -1)) >= 0:
            found.append(
                Finding(
                    "retention",
                    "warning",
                    f"{spec.name} has {RETENTION_BYTES}={config[RETENTION_BYTES]}: a busy day "
                    "shortens what is kept",
                    f"{RETENTION_BYTES}=-1, or room for {again}",
                    command=lines.configure(spec.name, RETENTION_BYTES, "-1"),
                )
            )
    if not any(_configured(specs, seen)):
        return []
    return or_ok("retention", found, f"long enough; needed are {again}")


def _read_again(settings: Settings) -> str:
    """What makes a recovery read so far back."""
    snapshots = settings.snapshots
    recovery = f"a recovery of {format_duration(settings.times.recovery_max_ms)}"
    if not snapshots.interval_ms:
        return f"{recovery}, and longer than a worker runs, which has no snapshot before its stop"
    apart = format_duration(snapshots.interval_ms)
    return f"{snapshots.generations} snapshots {apart} apart, and {recovery}"


def _read_again_ms(settings: Settings) -> int:
    """How far back a recovery may read: to the oldest snapshot, or for as long as it may take."""
    snapshots = settings.snapshots
    return max(
        snapshots.generations * snapshots.interval_ms,
        settings.times.recovery_max_ms,
    )


def judge_settings_of_topics(
    specs: Sequence[TopicSpec], seen: Seen, brokers: int, lines: CommandLines
) -> list[Finding]:
    """What `propensity topics create` would have made otherwise, and is no matter of life."""
    judged_apart = {CLEANUP, RETENTION, LAG}
    found = []
    for whole, config in _configured(specs, seen):
        spec = fit_to_brokers(whole, brokers)
        topic = seen[spec.name]
        rest = {key: value for key, value in config.items() if key not in judged_apart}
        for said in differences(
            spec, partitions=spec.partitions, replication=topic.replication, config=rest
        ):
            key = said.partition("=")[0].removeprefix("has ")
            command = lines.configure(spec.name, key, spec.config[key]) if "=" in said else ""
            remedy = (
                "" if command else "Move it to more brokers with `kafka-reassign-partitions.sh`"
            )
            found.append(
                Finding(
                    "topic settings", "warning", f"{spec.name} {said}", remedy=remedy,
                    command=command,
                )
            )  # fmt: skip
    if not any(_configured(specs, seen)):
        return []
    return or_ok("topic settings", found, "copies and sizes as `propensity topics create` has them")


def judge_rights(
    settings: Settings, seen: Seen, group: GroupSeen, lines: CommandLines
) -> list[Finding]:
    """What a worker does with each topic, and with its group, is allowed."""
    topics = settings.topics
    both = frozenset({"READ", "WRITE"})
    needs = {
        topics.events: frozenset({"READ"}),
        topics.scores: both,
        topics.examples: both,
        topics.states: both,
        topics.models: both,
        **{
            name: frozenset({"WRITE"})
            for name in (topics.triggers, topics.held_out, topics.dead_letters)
        },
    }
    held = [("topic", name, needs[name], seen[name].operations) for name in needs if name in seen]
    held.append(("group", settings.group, frozenset({"READ"}), group.operations))
    found = []
    for kind, name, needed, allowed in held:
        if allowed is None:
            found.append(
                Finding("rights", "not looked", f"the broker does not tell them of {kind} {name}")
            )
        elif lacking := sorted(needed - allowed):
            found.append(
                Finding(
                    "rights",
                    "failed",
                    f"{' and '.join(lacking)} on {kind} {name} {_is(lacking)} not allowed to us",
                    command=lines.allow(kind, name, lacking),
                )
            )
    return or_ok("rights", found, "the topics may be read and written, and the group joined")


def _is(words: Sequence[str]) -> str:
    return "is" if len(words) == 1 else "are"


def judge_sight(seen: Seen, lines: CommandLines) -> list[Finding]:
    """Topics whose settings we may not see: nobody looks at their cleanup and retention."""
    return [
        Finding(
            "rights",
            "not looked",
            f"we may not see the settings of {name}",
            command=lines.allow("topic", name, DESCRIBE_CONFIGS),
        )
        for name, topic in seen.items()
        if topic.config is None
    ]


def _configured(
    specs: Sequence[TopicSpec], seen: Seen
) -> Iterator[tuple[TopicSpec, Mapping[str, str]]]:
    """The topics that are there and whose settings we see."""
    for spec in specs:
        topic = seen.get(spec.name)
        if topic is not None and topic.config is not None:
            yield spec, topic.config
