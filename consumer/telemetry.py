"""What the worker tells about itself, as Prometheus reads it.

Owns: the typed ways to say it, bound once per partition, campaign and topic; the exposition.
Never: a metric that consumer/metrics.py does not declare; a decision.
Source: https://prometheus.github.io/client_python/collector/custom/
"""

import platform
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from consumer import __version__, metrics
from consumer.clock import Clock
from consumer.meters import Counter, Family, Gauge, Histogram
from consumer.metric import Kind, Metric
from consumer.metrics import METRICS

ABORTED: Final = ("again", "lost", "fenced", "given_back", "failed")
DROPPED: Final = ("repeated", "superseded", "silent", "triggered", "suppressed", "forgotten")
EVICTED: Final = ("profiles_max", "seen_ids_max")
LIMITS: Final = ("open_examples_max", "unknown_campaign", "unreadable_example")
HOPS: Final = ("poll", "decode", "score", "encode", "publish", "commit", "learn")
STATUSES: Final = ("warming", "ready", "unreliable", "paused", "catching_up")
_SENDERS_NAMES_MAX: Final = 100


class Telemetry:
    """The metrics of one worker.

    Parameters
    ----------
    clock
        Freshness is measured with it when somebody scrapes.
    librdkafka
        Version of the Kafka client's library; empty where there is none.
    """

    def __init__(self, clock: Clock, librdkafka: str = "") -> None:
        self._clock = clock
        self._families: dict[str, Family[Counter] | Family[Gauge] | Family[Histogram]] = {}
        self._counters: dict[str, Family[Counter]] = {}
        self._gauges: dict[str, Family[Gauge]] = {}
        self._histograms: dict[str, Family[Histogram]] = {}
        for metric in METRICS:
            self._declare(metric)
        self.hops: Mapping[str, Histogram] = {
            hop: self.histogram(metrics.HOP_DURATION, hop) for hop in HOPS
        }
        self.batch_size = self.histogram(metrics.BATCH_SIZE)
        self._commits = self.counter(metrics.COMMITS)
        self.commits_refused = self.counter(metrics.COMMITS_REFUSED)
        self.snapshots_failed = self.counter(metrics.SNAPSHOTS_FAILED)
        self.snapshot_pause = self.histogram(metrics.SNAPSHOT_PAUSE)
        self.served_unknown = self.counter(metrics.SERVED_UNKNOWN)
        self.rebalances = self.counter(metrics.REBALANCES)
        self.values_clipped = self.counter(metrics.VALUES_CLIPPED)
        self._score_latency = self.histogram(metrics.SCORE_LATENCY)
        self._worker_turn = self.gauge(metrics.WORKER_TURN)
        self._begin_at_zero()
        self.gauge(metrics.BUILD_INFO, __version__, platform.python_version(), librdkafka).set(1)
        self._registry = CollectorRegistry()
        self._registry.register(_Exposed(self))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def _begin_at_zero(self) -> None:
        """Show what has not happened yet: an increase from nothing at all is seen by nobody."""
        for metric, names in (
            (metrics.TRANSACTIONS_ABORTED, ABORTED),
            (metrics.EVICTIONS, EVICTED),
            (metrics.LIMIT_HITS, LIMITS),
        ):
            for name in names:
                self.counter(metric, name)

    def counter(self, metric: Metric, *labels: str) -> Counter:
        """Give one counter of the table; bind it once."""
        assert len(labels) == len(metric.labels)
        return self._counters[metric.name].at(*labels)

    def gauge(self, metric: Metric, *labels: str) -> Gauge:
        """Give one gauge of the table; bind it once."""
        assert len(labels) == len(metric.labels)
        return self._gauges[metric.name].at(*labels)

    def histogram(self, metric: Metric, *labels: str) -> Histogram:
        """Give one histogram of the table; bind it once."""
        assert len(labels) == len(metric.labels)
        return self._histograms[metric.name].at(*labels)

    def partition(self, index: int) -> "PartitionMeters":
        """Give the meters of one partition of the events topic."""
        return PartitionMeters(self, str(index))

    def campaign(self, name: str, learner: str = "champion") -> "CampaignMeters":
        """Give the meters of one learner of a campaign."""
        return CampaignMeters(self, name, learner)

    def lag(self, topic: str, partition: int) -> Gauge:
        """Give the gauge of how many offsets are still to be read."""
        return self.gauge(metrics.LAG, topic, str(partition))

    def recovery(self, topic: str, partition: int) -> Gauge:
        """Give the gauge of how far a partition's recovery has come."""
        return self.gauge(metrics.RECOVERY_PROGRESS, topic, str(partition))

    def stalled(self, topic: str, partition: int) -> Gauge:
        """Give the gauge of how long a partition has had records to read and read none."""
        return self.gauge(metrics.PARTITION_STALLED, topic, str(partition))

    def events_waiting(self, partition: int) -> Gauge:
        """Give the gauge of how many events of a partition were not taken yet."""
        return self.gauge(metrics.EVENTS_WAITING, str(partition))

    def owned(self, topic: str, partitions: int) -> None:
        """Say how many partitions of a topic this worker owns."""
        self.gauge(metrics.PARTITIONS, topic).set(partitions)

    def paused(self, topic: str, partition: int, reason: str, *, waits: bool) -> None:
        """Say whether a partition waits for a reason."""
        self.gauge(metrics.PARTITION_PAUSED, topic, str(partition), reason).set(waits)

    def produced(self, topic: str) -> Counter:
        """Give the counter of records handed to the broker."""
        return self.counter(metrics.RECORDS_PRODUCED, topic)

    def committed(self) -> None:
        """Count a commit of outputs and offsets, and say when it was."""
        self._commits.add()
        self.gauge(metrics.COMMIT_TIME).set(self._clock.now_ms() / 1000)

    def transaction_aborted(self, reason: str) -> None:
        """Count a transaction that was aborted, by one of `ABORTED`."""
        assert reason in ABORTED, reason
        self.counter(metrics.TRANSACTIONS_ABORTED, reason).add()

    def score_latency(self, durations_s: NDArray[np.float64]) -> None:
        """Observe event to score, in seconds, for every event of a batch that has a stamp."""
        self._score_latency.observe_each(durations_s)

    def dead_letter(self, stage: str, field: str) -> None:
        """Count one unreadable record; the events outcome is counted by its partition."""
        self.counter(metrics.DEAD_LETTERS, stage, field).add()

    def property_ignored(self, name: str, amount: int = 1) -> None:
        """Count a property that was left out, by the name its sender gave it."""
        self.counter(metrics.PROPERTIES_IGNORED, name).add(amount)

    def limit_hit(self, limit: str, amount: int = 1) -> None:
        """Count that a limit held something back."""
        self.counter(metrics.LIMIT_HITS, limit).add(amount)

    def evicted(self, limit: str, amount: int = 1) -> None:
        """Count entries that made room for newer ones."""
        self.counter(metrics.EVICTIONS, limit).add(amount)

    def snapshot_written(self, partition: int, size_bytes: int, took_s: float, now_ms: int) -> None:
        """Say that a partition's snapshot is complete."""
        label = str(partition)
        self.gauge(metrics.SNAPSHOT_TIME, label).set(now_ms / 1000)
        self.gauge(metrics.SNAPSHOT_BYTES, label).set(size_bytes)
        self.histogram(metrics.SNAPSHOT_DURATION).observe(took_s)

    def turned(self) -> None:
        """Say that the worker's loop has turned."""
        self._worker_turn.set(self._clock.now_ms() / 1000)

    def forget_partition(self, topic: str, index: int) -> None:
        """Show the gauges of a partition that has gone no longer; its counters stay."""
        label = str(index)
        for metric in METRICS:
            if metric.kind is Kind.GAUGE and metric.labels == ("partition",):
                self._gauges[metric.name].forget(label)
            if metric.kind is Kind.GAUGE and metric.labels == ("topic", "partition"):
                self._gauges[metric.name].forget(topic, label)

    def forget_learning_partition(self, topic: str, index: int) -> None:
        """The same for a partition of training examples, which has no events."""
        for metric in (metrics.LAG, metrics.PARTITION_STALLED, metrics.RECOVERY_PROGRESS):
            self._gauges[metric.name].forget(topic, str(index))

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """Give the body and the content type of ``/metrics`` for an ``Accept`` header."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def families(
        self,
    ) -> Iterator[tuple[Metric, "Family[Counter] | Family[Gauge] | Family[Histogram]"]]:
        """Give every metric with its cells, freshness measured now."""
        now_s = self._clock.now_ms() / 1000
        for labels, clock in self._gauges[metrics.EVENT_CLOCK.name].items():
            self.gauge(metrics.EVENT_FRESHNESS, *labels).set(now_s - clock.value)
        for metric in METRICS:
            yield metric, self._families[metric.name]

    def forget_gauge(self, metric: Metric, *labels: str) -> None:
        """Show a gauge no more."""
        self._gauges[metric.name].forget(*labels)

    def champion_changed(self, campaign: str, reason: str) -> None:
        """Count that another learner serves a campaign."""
        self.counter(metrics.CHAMPION_CHANGES, campaign, reason).add()

    def forget_learner(self, campaign: str, learner: str) -> None:
        """Show the figures of a learner that serves no longer not any more; its counters stay."""
        for metric in METRICS:
            if metric.kind is Kind.GAUGE and metric.labels[:2] == ("campaign", "learner"):
                family = self._gauges[metric.name]
                for labels in family.labels():
                    if labels[:2] == (campaign, learner) and metric not in metrics.CONTESTS:
                        family.forget(*labels)

    def forget_model_info(self, campaign: str, learner: str) -> None:
        """Show only the newest lineage of a learner."""
        family = self._gauges[metrics.MODEL_INFO.name]
        for labels in family.labels():
            if labels[:2] == (campaign, learner):
                family.forget(*labels)

    def _declare(self, metric: Metric) -> None:
        if metric.kind is Kind.COUNTER:
            bounded = "property" in metric.labels or "field" in metric.labels
            counters = Family(Counter, _SENDERS_NAMES_MAX) if bounded else Family(Counter)
            self._families[metric.name] = self._counters[metric.name] = counters
        elif metric.kind is Kind.GAUGE:
            self._families[metric.name] = self._gauges[metric.name] = Family(Gauge)
        else:
            histograms = Family(lambda: Histogram(metric.bounds))
            self._families[metric.name] = self._histograms[metric.name] = histograms


class PartitionMeters:
    """What one partition of the events topic counts; every attribute is bound once."""

    def __init__(self, telemetry: Telemetry, partition: str) -> None:
        counter, gauge = telemetry.counter, telemetry.gauge
        self.taken = counter(metrics.EVENTS, partition, "taken")
        self.duplicates = counter(metrics.EVENTS, partition, "duplicate")
        self.dead_letters = counter(metrics.EVENTS, partition, "dead_letter")
        self.late = counter(metrics.EVENTS_LATE, partition)
        self.not_scored = counter(metrics.EVENTS_NOT_SCORED, partition)
        self.not_eligible = counter(metrics.EVENTS_NOT_ELIGIBLE, partition)
        self.suppressed = counter(metrics.EVENTS_SUPPRESSED, partition)
        self.scored = counter(metrics.SCORED_EVENTS, partition)
        self.examples_open = gauge(metrics.EXAMPLES_OPEN, partition)
        self.examples_overdue = gauge(metrics.EXAMPLES_OVERDUE, partition)
        self.timers_fired = counter(metrics.TIMERS, partition, "fired")
        self.timers_passed = counter(metrics.TIMERS, partition, "passed")
        self.timers_overdue = gauge(metrics.TIMERS_OVERDUE, partition)
        self.profiles = gauge(metrics.PROFILES, partition)
        self.rebuild_progress = gauge(metrics.REBUILD_PROGRESS, partition)
        self._telemetry = telemetry
        self._partition = partition

    def event_clock(self, clock_ms: int) -> None:
        """Say where the partition's event clock stands; not before it has seen an event."""
        self._telemetry.gauge(metrics.EVENT_CLOCK, self._partition).set(clock_ms / 1000)


class CampaignMeters:
    """What one learner of a campaign counts; every attribute is bound once."""

    def __init__(self, telemetry: Telemetry, campaign: str, learner: str) -> None:
        counter, gauge = telemetry.counter, telemetry.gauge
        self.scores: Mapping[str, Counter] = {
            status: counter(metrics.SCORES, campaign, status) for status in STATUSES
        }
        self.unchanged = counter(metrics.SCORES_UNPUBLISHED, campaign, "unchanged")
        self.examples_opened = counter(metrics.EXAMPLES_OPENED, campaign)
        self.converted = counter(metrics.EXAMPLES_CLOSED, campaign, "converted")
        self.not_converted = counter(metrics.EXAMPLES_CLOSED, campaign, "not_converted")
        self.examples_learned = counter(metrics.EXAMPLES_LEARNED, campaign, learner)
        self.probabilities = telemetry.histogram(metrics.SCORE_PROBABILITY, campaign)
        self._dropped: Mapping[str, Counter] = {
            reason: counter(metrics.EXAMPLES_DROPPED, campaign, reason) for reason in DROPPED
        }
        self.version = gauge(metrics.MODEL_VERSION, campaign, learner)
        self._statuses = {
            status: gauge(metrics.MODEL_STATUS, campaign, status) for status in STATUSES
        }
        self._telemetry = telemetry
        self._campaign = campaign
        self._learner = learner

    def dropped(self, reason: str, amount: int = 1) -> None:
        """Count examples not learned, for a reason of `DROPPED`."""
        self._dropped[reason].add(amount)

    def not_eligible(self, clause: str, amount: int) -> None:
        """Count scores that were not given, as a clause of `for` did not hold."""
        self._telemetry.counter(metrics.NOT_ELIGIBLE, self._campaign, clause).add(amount)

    def status(self, status: str) -> None:
        """Say the status of the model that serves."""
        assert status in self._statuses, status
        for name, gauge in self._statuses.items():
            gauge.set(name == status)

    def model(self, version: int, lineage: str, features: str) -> None:
        """Say which model serves."""
        self.version.set(version)
        self._telemetry.forget_model_info(self._campaign, self._learner)
        self._telemetry.gauge(
            metrics.MODEL_INFO, self._campaign, self._learner, lineage, features
        ).set(1)

    def shares(self, shares: Mapping[str, float]) -> None:
        """Say the share of each expert in the mixture that serves."""
        for expert, share in shares.items():
            self._telemetry.gauge(metrics.EXPERT_SHARE, self._campaign, self._learner, expert).set(
                share
            )

    def no_model(self) -> None:
        """Say that no model serves: the campaign's rate does."""
        self.version.set(0)
        self._telemetry.forget_model_info(self._campaign, self._learner)
        self.status("warming")

    def quality(self, window: str, figures: Mapping[str, float | None]) -> None:
        """Say the figures of one window; ``None`` is not known yet and is not shown."""
        for figure, value in figures.items():
            metric = metrics.QUALITY.get(figure)
            assert metric is not None or figure in metrics.QUALITY_LEFT_OUT, figure
            if metric is not None and value is not None:
                self._telemetry.gauge(metric, self._campaign, self._learner, window).set(value)

    def watched(self, figures: Mapping[str, float | None]) -> None:
        """Say what is watched besides; ``None`` is not known yet and is not shown."""
        for figure, (metric, *kind) in metrics.WATCHED.items():
            value = figures.get(figure)
            if value is None:
                continue
            labels = (self._campaign, self._learner, *kind)
            if metric.kind is Kind.COUNTER:
                self._telemetry.counter(metric, *labels).follow(value)
            else:
                self._telemetry.gauge(metric, *labels).set(value)


class _Exposed(Collector):
    """Hands the cells to the Prometheus library when somebody scrapes."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def describe(self) -> list[CounterMetricFamily]:
        """Nothing is known to the registry beforehand; names are unique by a test."""
        return []

    def collect(
        self,
    ) -> Iterator[CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily]:
        for metric, family in self._telemetry.families():
            yield _exposed(metric, family)


def _exposed(
    metric: Metric, family: Family[Counter] | Family[Gauge] | Family[Histogram]
) -> CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily:
    exposed: CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily
    if metric.kind is Kind.COUNTER:
        exposed = CounterMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    elif metric.kind is Kind.GAUGE:
        exposed = GaugeMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    else:
        exposed = HistogramMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    for labels, cell in family.items():
        if isinstance(cell, Histogram):
            assert isinstance(exposed, HistogramMetricFamily)
            exposed.add_metric(labels, _cumulative(cell), cell.total)
        else:
            assert not isinstance(exposed, HistogramMetricFamily)
            exposed.add_metric(labels, cell.value)
    return exposed


def _cumulative(histogram: Histogram) -> list[tuple[str, float]]:
    """Give each bound with the observations at or below it, as the exposition has them."""
    buckets: list[tuple[str, float]] = []
    seen = 0
    for bound, count in zip((*histogram.bounds, float("inf")), histogram.counts, strict=True):
        seen += count
        buckets.append(("+Inf" if bound == float("inf") else repr(bound), seen))
    return buckets


def window_figures(quality: dict[str, float | None], window: str) -> dict[str, float | None]:
    """The figures of one window of a record's quality, by the names that metrics use."""
    end = f"_{window}"
    return {name.removesuffix(end): v for name, v in quality.items() if name.endswith(end)}
