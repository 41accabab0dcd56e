"""The dashboard Operations: is it working? For whoever is paged, from the top to the bottom.

Owns: which panels there are, and what each asks.
Never: a metric that workers do not have; a test asks a live Prometheus for every one.
Source: docs/runbook.md, "The first minute".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from grafana_foundation_sdk.models import dashboard

from ops.grafana.panels import (
    GRAPH_HEIGHT,
    GRAPH_WIDTH,
    GREEN,
    ORANGE,
    RED,
    Ask,
    Panel,
    Step,
    figure,
    graph,
    listing,
    page,
    variable,
    with_rows,
)

HERE: Final = 'instance=~"$instance"'
RATE: Final = "$__rate_interval"
ALERTS: Final = 'ALERTS{alertname=~"Propensity.*", alertstate="firing", severity="%s"}'
LATE: Final = (Step(None, GREEN), Step(1.0, RED))


def quantile(share: float, metric: str, *by: str, where: str = HERE) -> str:
    """A quantile of a histogram, over all workers that were chosen."""
    labels = ", ".join([*by, "le"])
    buckets = f"sum by ({labels}) (rate({metric}_bucket{{{where}}}[{RATE}]))"
    return f"histogram_quantile({share}, {buckets})"


def rate(metric: str, *by: str) -> str:
    """What a counter gains in a second, by labels."""
    labels = f" by ({', '.join(by)})" if by else ""
    return f"sum{labels} (rate({metric}{{{HERE}}}[{RATE}]))"


def gained(metric: str, *by: str) -> str:
    """What a counter has gained since the point before, by labels."""
    labels = f" by ({', '.join(by)})" if by else ""
    return f"sum{labels} (increase({metric}{{{HERE}}}[{RATE}]))"


def quantiles(metric: str, *shares: float, where: str = HERE) -> list[Ask]:
    """Some quantiles of one histogram."""
    return [Ask(quantile(each, metric, where=where), f"{each:.0%}") for each in shares]


def now() -> Sequence[Panel]:
    """Whether customers are scored, how late, and what waits."""
    waiting = f'sum(propensity_partition_paused{{{HERE}, reason!="snapshot"}})'
    unreadable = f'sum(rate(propensity_events_total{{{HERE}, outcome="dead_letter"}}[{RATE}]))'
    return [
        figure("Alerts",
               "What fires now: pages wake somebody, tickets wait for the morning.", "none",
               [Ask(f"count({ALERTS % severity}) or vector(0)", f"{severity}s")
                for severity in ("page", "ticket")],
               Step(None, GREEN), Step(1, RED)),
        figure("Workers", "Workers that answer.", "none", [Ask('sum(up{job="propensity"})')],
               Step(None, RED), Step(1, GREEN)),
        figure("Scored", "Events answered with a score.", "cps",
               [Ask(rate("propensity_scored_events_total"))]),
        figure("Latency, 99 %",
               "From the broker's stamp on an event to its score handed to the broker.",
               "s", [Ask(quantile(0.99, "propensity_score_latency_seconds"))],
               Step(None, GREEN), Step(0.25, ORANGE), Step(1, RED)),
        figure("Waiting", "Events in the log that were not taken yet.", "short",
               [Ask(f"sum(propensity_events_waiting{{{HERE}}})")],
               Step(None, GREEN), Step(1_000, ORANGE), Step(100_000, RED)),
        figure("Held back", "Partitions that wait for something besides a snapshot.", "none",
               [Ask(f"{waiting} or vector(0)")],
               Step(None, GREEN), Step(1, ORANGE)),
        figure("Last turn", "How long ago the slowest worker's loop turned.", "s",
               [Ask(f"max(time() - propensity_worker_turn_timestamp_seconds{{{HERE}}})")],
               Step(None, GREEN), Step(10, ORANGE), Step(60, RED)),
        figure("Unreadable", "Share of the records that cannot be read.", "percentunit",
               [Ask(f"{unreadable} / {rate('propensity_events_total')}")],
               Step(None, GREEN), Step(0.001, ORANGE), Step(0.01, RED)),
    ]  # fmt: skip


def latency() -> Sequence[Panel]:
    """Where the time goes."""
    return [
        graph("Latency of scores",
              "From the broker's stamp on an event to its score handed to the broker. "
              "Triggers need the first second.", "s",
              *quantiles("propensity_score_latency_seconds", 0.5, 0.9, 0.99), limits=LATE),
        graph("Hops, 99 %", "Time that one batch spends in one hop.", "s",
              Ask(quantile(0.99, "propensity_hop_duration_seconds", "hop"), "{{hop}}")),
        graph("Events waiting", "Events in the log that were not taken yet, by partition.", "short",
              Ask(f"sum by (partition) (propensity_events_waiting{{{HERE}}})", "{{partition}}")),
        graph("Freshness", "How far the event clock of a partition is behind the wall clock.", "s",
              Ask(f"max by (partition) (propensity_event_freshness_seconds{{{HERE}}})",
                  "{{partition}}"), least=None),
        graph("Batches", "Events in one batch; large ones mean a backlog.", "short",
              *quantiles("propensity_batch_events", 0.5, 0.99)),
        graph("Records not yet read",
              "Offsets to the end of each topic, training examples included.",
              "short", Ask(f"sum by (topic) (propensity_lag_records{{{HERE}}})", "{{topic}}")),
    ]  # fmt: skip


def traffic() -> Sequence[Panel]:
    """What comes and what leaves."""
    return [
        graph("Events", "What became of each event.", "cps",
              Ask(rate("propensity_events_total", "outcome"), "{{outcome}}"), stacked=True),
        graph("Taken and not scored", "Too late to be scored, wanted by no campaign, of somebody "
              "for whom none is, of who is suppressed, or a control fact.", "cps",
              Ask(rate("propensity_events_late_total"), "late"),
              Ask(rate("propensity_events_not_scored_total"), "not wanted"),
              Ask(rate("propensity_events_not_eligible_total"), "not eligible"),
              Ask(rate("propensity_events_suppressed_total"), "suppressed"),
              Ask(rate("propensity_control_facts_total", "type"), "{{type}}"),
              Ask(rate("propensity_scored_events_total"), "scored"), stacked=True),
        graph("Timers", "Moments of `score_every` that were scored or passed over, and customers "
              "who wait for theirs.", "short",
              Ask(rate("propensity_timers_total", "outcome"), "{{outcome}} a second"),
              Ask(f"sum (propensity_timers_overdue{{{HERE}}})", "overdue")),
        graph("Records produced", "Records handed to the broker.", "cps",
              Ask(rate("propensity_records_produced_total", "topic"), "{{topic}}")),
    ]  # fmt: skip


def partitions() -> Sequence[Panel]:
    """Who owns what, and what waits."""
    recovery = f"min by (topic, partition) (propensity_recovery_progress_ratio{{{HERE}}})"
    rebuild = f"min by (partition) (propensity_rebuild_progress_ratio{{{HERE}}})"
    return [
        graph("Partitions", "Partitions that each worker owns.", "short",
              Ask(f"sum by (instance, topic) (propensity_partitions{{{HERE}}})",
                  "{{instance}} {{topic}}")),
        graph("Held back", "Partitions that wait, by what for.", "short",
              Ask(f"sum by (reason) (propensity_partition_paused{{{HERE}}})", "{{reason}}"),
              stacked=True),
        graph("Standing still", "How long partitions have had records to read and read none.", "s",
              Ask("max by (topic, partition) "
                  f"(propensity_partition_stalled_seconds{{{HERE}}})", "{{topic}}[{{partition}}]"),
              limits=(Step(None, GREEN), Step(60, RED))),
        graph("Recovery", "Share of a partition's state that is read again.", "percentunit",
              Ask(recovery, "{{topic}}[{{partition}}]")),
        graph("History folded again", "Share of a partition's history that is folded again.",
              "percentunit", Ask(rebuild, "{{partition}}")),
        graph("Rebalances", "Partitions were given or taken.", "short",
              Ask(gained("propensity_rebalances_total", "instance"), "{{instance}}")),
    ]  # fmt: skip


def transactions() -> Sequence[Panel]:
    """Whether what is made is seen."""
    commit = f'{HERE}, hop="commit"'
    return [
        graph("Commits", "Transactions that ended, and those that were aborted, by reason.", "cps",
              Ask(rate("propensity_commits_total"), "committed"),
              Ask(rate("propensity_commits_refused_total"), "refused"),
              Ask(rate("propensity_transactions_aborted_total", "reason"), "{{reason}}")),
        graph("Duration of a commit", "A minute is the most; then the worker ends.", "s",
              *quantiles("propensity_hop_duration_seconds", 0.5, 0.99, where=commit),
              limits=(Step(None, GREEN), Step(5, RED))),
        graph("Since the last commit", "An idle worker has nothing to commit.", "s",
              Ask(f"time() - propensity_commit_timestamp_seconds{{{HERE}}}", "{{instance}}"),
              least=None),
    ]  # fmt: skip


def losses() -> Sequence[Panel]:
    """What cannot be read, or had no room."""
    return [
        graph("Dead letters", "Records that could not be read, by what was wrong.", "cps",
              Ask(rate("propensity_dead_letters_total", "stage", "field"), "{{stage}} {{field}}")),
        graph("Values left out",
              "Properties that were ignored, and numbers that were clipped.", "cps",
              Ask(f"topk(10, {rate('propensity_properties_ignored_total', 'property')})",
                  "{{property}}"),
              Ask(rate("propensity_values_clipped_total"), "clipped")),
        graph("Limits", "What made room for newer, and what a limit held back.", "short",
              Ask(gained("propensity_evictions_total", "limit"), "{{limit}}: made room"),
              Ask(gained("propensity_limit_hits_total", "limit"), "{{limit}}: held back")),
    ]  # fmt: skip


def state() -> Sequence[Panel]:
    """What is kept, and what it costs."""
    age = f"max by (partition) (time() - propensity_snapshot_timestamp_seconds{{{HERE}}})"
    return [
        graph("Age of snapshots", "The next recovery folds all events since then.", "s",
              Ask(age, "{{partition}}"), limits=(Step(None, GREEN), Step(1800, RED)), least=None),
        graph("Making snapshots",
              "How long one takes, and for how long the loop stands still.", "s",
              Ask(quantile(0.99, "propensity_snapshot_duration_seconds"), "to be complete"),
              Ask(quantile(0.99, "propensity_snapshot_pause_seconds"), "pause of the loop")),
        graph("Snapshots that failed",
              "Older ones stay. Beside them, examples whose score was not found "
              "in a recovery.", "short",
              Ask(gained("propensity_snapshots_failed_total", "instance"), "{{instance}}"),
              Ask(gained("propensity_examples_served_unknown_total"), "scores not found")),
        graph("Snapshot sizes", "Compressed.", "bytes",
              Ask(f"max by (partition) (propensity_snapshot_bytes{{{HERE}}})", "{{partition}}")),
        graph("Customers", "Customers whose profile is held, by worker.", "short",
              Ask(f"sum by (instance) (propensity_profiles{{{HERE}}})", "{{instance}}")),
        graph("Memory", "Of each worker.", "bytes",
              Ask(f'process_resident_memory_bytes{{{HERE}, job="propensity"}}', "{{instance}}")),
        graph("Processor", "Cores that each worker takes.", "short",
              Ask(f'rate(process_cpu_seconds_total{{{HERE}, job="propensity"}}[{RATE}])',
                  "{{instance}}")),
        graph("Requests", "Answers of the HTTP port, by route and status.", "reqps",
              Ask(rate("propensity_http_requests_total", "route", "code"), "{{route}} {{code}}")),
        graph("Answers, 99 %", "From a request until its answer begins.", "s",
              Ask(quantile(0.99, "propensity_http_request_duration_seconds", "route"),
                  "{{route}}")),
        listing("What is running", "Versions of the program, the interpreter and the Kafka client.",
                {"workers": "count by (version, python, librdkafka) "
                 f"(propensity_build_info{{{HERE}}})"}, height=GRAPH_HEIGHT, width=2 * GRAPH_WIDTH),
    ]  # fmt: skip


def operations() -> dashboard.Dashboard:
    """The dashboard."""
    meaning = "Is it working? Are customers scored, how late, and what waits for what?"
    rows: Mapping[str, Sequence[Panel]] = {
        "Now": now(),
        "How late": latency(),
        "What comes and what leaves": traffic(),
        "Partitions": partitions(),
        "Transactions": transactions(),
        "What was not read, and had no room": losses(),
        "State": state(),
    }
    instance = variable("instance", "Worker", "label_values(propensity_build_info, instance)")
    return with_rows(page("Operations", meaning, "now-1h").with_variable(instance), rows)
