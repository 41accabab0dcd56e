"""What the log says: every line by its name, in one table.

Owns: names, levels, sentences and fields of lines; docs/logs.md is made from them.
Never: says one; `consumer.logs` does.
Source: docs/logs.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class LogLine:
    """One row of the table.

    Parameters
    ----------
    name: what a machine looks for; it stays.
    level: how bad it is.
    says: the sentence, for a person.
    fields: the names of what comes with it, apart by spaces.
    """

    name: str
    level: Level
    says: str
    fields: str = ""


_LIFE: Final = (
    LogLine("compiling", "info", "compiling for this machine, once: this takes about a minute",
            "folder"),
    LogLine("started", "info", "the worker has started",
            "group instance campaigns http"),
    LogLine("stopping", "info", "stopping: the batch is finished and committed", "signal"),
    LogLine("stopped_early", "warning", "stopped before anything began", "signal"),
    LogLine("stopped", "info", "the worker has stopped"),
    LogLine("gave_up", "error", "the worker cannot go on", "problem remedy"),
    LogLine("lines_held_back", "info", "lines of this name were held back, and none came after "
            "them", "name suppressed"),
)  # fmt: skip

_PARTITIONS: Final = (
    LogLine("partitions_assigned", "info", "partitions were assigned",
            "events examples recovering"),
    LogLine("partitions_revoked", "info", "partitions were given back", "events examples"),
    LogLine("partitions_lost", "warning", "the group gave our partitions away; we join it again",
            "events examples problem"),
    LogLine("partition_first_read", "info", "a partition is read for the first time",
            "partition first published_from"),
    LogLine("partition_restored", "info", "a partition was restored from a snapshot",
            "partition offset file_changed"),
    LogLine("partition_without_snapshot", "info",
            "a partition has no snapshot that can be used: its history is read",
            "partition first"),
    LogLine("partition_read_again", "info",
            "a partition is read again before it goes on; nothing of that leaves",
            "partition first goes_on_at"),
    LogLine("partition_goes_on", "info", "a partition goes on", "partition offset"),
    LogLine("partition_paused", "info", "a partition waits", "partition reason"),
    LogLine("partition_resumed", "info", "a partition no longer waits for this",
            "partition reason"),
    LogLine("too_many_dead_letters", "error",
            "a partition waits: too many of its records cannot be read",
            "partition offset found remedy"),
    LogLine("records_refused", "warning",
            "records cannot be read and are dead letters; this is the first of the batch",
            "partition offset stage field reason customer records"),
    LogLine("owner_gone", "warning", "a dead worker's open transaction was ended", "owner"),
)  # fmt: skip

_COMMITS: Final = (
    LogLine("commit_retried", "warning",
            "a transaction was aborted, and the same bytes are produced again", "fault problem"),
    LogLine("commit_waits", "warning", "Kafka does not take a commit yet; it is tried again",
            "problem"),
    LogLine("commit_refused", "warning", "a commit was refused: our folds are let go of",
            "problem"),
    LogLine("fenced", "warning", "somebody else writes under our name, or took us for dead",
            "problem"),
    LogLine("transaction_left_open", "warning",
            "a transaction stays open until a successor or the broker ends it", "problem"),
    LogLine("kafka_error", "info", "the Kafka client has met an error", "error problem"),
    LogLine("kafka_client", "warning", "the Kafka client says", "facility text"),
)  # fmt: skip

_SNAPSHOTS: Final = (
    LogLine("snapshot_written", "info", "a snapshot is complete",
            "partition offset bytes seconds"),
    LogLine("snapshot_failed", "error", "a snapshot could not be written; older ones stay",
            "partition offset problem"),
    LogLine("snapshot_unusable", "warning", "a snapshot cannot be used", "partition problem"),
    LogLine("snapshot_foreign", "warning",
            "a snapshot is of another life of the topic and is left alone", "partition offset"),
    LogLine("snapshot_layout", "warning", "a snapshot is of another layout and cannot be used",
            "partition offset problem"),
    LogLine("store_silent", "warning",
            "the store of snapshots does not answer and is not waited for"),
)  # fmt: skip

_FILES: Final = (
    LogLine("campaign_file_changed", "info",
            "the campaign file is another than records of this partition were folded under",
            "partition offset digest former"),
    LogLine("campaign_file_not_kept", "warning",
            "the campaign file could not be kept beside the snapshots", "problem"),
    LogLine("campaign_file_unread", "warning", "the campaign file of a tail cannot be read yet",
            "partition problem"),
    LogLine("campaign_file_gone", "warning",
            "records were folded under a campaign file that is gone, and are folded again under "
            "this one: an example of them may be labelled twice or never", "digest problem"),
    LogLine("examples_dropped", "warning",
            "open examples were dropped: their campaign was changed or is gone",
            "partition campaign examples"),
)  # fmt: skip

_MODELS: Final = (
    LogLine("learners_restored", "info", "learners stand where their states were published",
            "partition offset campaigns"),
    LogLine("lineage_begun", "info",
            "a campaign is learned anew: its definition is another than before",
            "campaign lineage older_lineage"),
    LogLine("lineage_outdated", "warning",
            "a campaign is not learned here: our campaign file holds an older definition of it "
            "than was learned last", "campaign lineage newer_lineage"),
    LogLine("training_waits", "warning", "a training partition waits",
            "partition offset campaign lineage why"),
    LogLine("training_goes_on", "info", "a training partition goes on",
            "partition offset campaign lineage why"),
    LogLine("rows_gone", "warning", "rows are gone that nobody has learned; learning goes on",
            "partition problem"),
    LogLine("example_unreadable", "error", "a training example cannot be read and is left out",
            "partition offset error"),
    LogLine("model_served", "info", "a campaign is served by another model, or otherwise",
            "campaign learner lineage version status"),
    LogLine("model_removed", "warning", "a model was removed; the campaign's rate is served",
            "campaign"),
    LogLine("champion_promoted", "info",
            "a challenger was better and serves a campaign from now on",
            "campaign learner former at offset positives gain"),
    LogLine("champion_demoted", "warning",
            "a learner was unreliable, and a challenger serves its campaign from now on",
            "campaign learner former at offset positives gain"),
    LogLine("champion_removed", "warning",
            "who served a campaign has left the campaign file, and its own learner serves",
            "campaign learner former at offset positives gain"),
    LogLine("challenger_begun", "info",
            "the outcomes of a campaign have drifted, and a fresh challenger begins",
            "campaign learner former at offset positives gain"),
    LogLine("challenger_dropped", "info",
            "a fresh challenger has had conversions enough, and was no better",
            "campaign learner former at offset positives gain"),
    LogLine("challenger_anew", "warning",
            "a challenger begins anew: its state cannot be gone on from", "campaign learner why"),
    LogLine("answers_silent", "warning",
            "a campaign's answers have fallen silent: its rows are not learned until one converts",
            "campaign version silence_log10"),
    LogLine("answers_heard", "info",
            "a campaign's answers are heard again: its rows are learned", "campaign version"),
    LogLine("drift_alarm", "warning",
            "residuals, scores or inputs of a campaign are distributed otherwise than before",
            "campaign kind version alarms"),
)  # fmt: skip

_OTHERS: Final = (
    LogLine("library_failed", "error", "a library that we use has met an error",
            "logger text error at"),
    LogLine("shoppers_begun", "info", "shoppers begin to act", "topic partitions"),
    LogLine("shoppers_done", "info", "shoppers have acted", "events"),
)  # fmt: skip

GROUPS: Final[Mapping[str, tuple[LogLine, ...]]] = {
    "A worker's life": _LIFE,
    "Partitions": _PARTITIONS,
    "Commits and Kafka": _COMMITS,
    "Snapshots": _SNAPSHOTS,
    "The campaign file": _FILES,
    "Learning and models": _MODELS,
    "Others": _OTHERS,
}

LOG_LINES: Final[Mapping[str, LogLine]] = {
    line.name: line for lines in GROUPS.values() for line in lines
}
