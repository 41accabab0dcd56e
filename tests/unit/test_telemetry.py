"""The metrics: names, documents, cells, and what a scrape shows.

Owns: the table's promises and the arithmetic of cells.
Never: what the worker counts when.
Source: https://prometheus.io/docs/practices/naming/
"""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer import metrics
from consumer.clock import FixedClock
from consumer.meters import Counter, Family, Histogram
from consumer.metric import Kind
from consumer.metric_labels import LABELS
from consumer.metrics import METRICS
from consumer.metrics_document import document
from consumer.telemetry import HOPS, Telemetry
from models.judgement import Judgement
from models.quality import make_quality
from models.uplift import Uplift
from tests.prometheus import promtool

ROOT = Path(__file__).parents[2]
NOW_MS = 1_800_000_000_000


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry(FixedClock(NOW_MS), librdkafka="2.16.0")


def shown(telemetry: Telemetry) -> dict[str, float]:
    """Every sample of the exposition, by name and labels."""
    body, content_type = telemetry.exposition()
    assert content_type.startswith("text/plain")
    lines = [line for line in body.decode().splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def test_names_follow_the_rules() -> None:
    """Names are ours and unique; a counter says total, and nothing else does."""
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    for metric in METRICS:
        assert re.fullmatch(r"propensity_[a-z0-9_]+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
        assert not re.search(r"_(ms|us|milliseconds|percent|kb|mb)(_|$)", metric.name)
        assert ("_seconds" in metric.name) == metric.unit.startswith("seconds")
        since_the_epoch = metric.unit == "seconds since the epoch"
        assert metric.name.endswith("_timestamp_seconds") == since_the_epoch
        assert metric.name.endswith("_ratio") == (metric.unit in {"ratio", "index"})
        assert metric.name.endswith("_bytes") == (metric.unit == "bytes")
        assert metric.name.endswith("_info") == (metric.unit == "1")
        assert not any("customer" in label or label.endswith("id") for label in metric.labels)
        assert bool(metric.bounds) == (metric.kind is Kind.HISTOGRAM)
        assert metric.meaning.endswith(".")


def test_every_label_is_explained() -> None:
    """A label has one meaning throughout, and none is explained that is not used."""
    assert {label for metric in METRICS for label in metric.labels} == set(LABELS)


def test_the_document_is_the_table() -> None:
    """docs/metrics.md is what the table makes."""
    written = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    assert written == document(), "run: make docs"


def test_events_are_counted_by_what_became_of_them(telemetry: Telemetry) -> None:
    """Each outcome of a partition's events stands alone."""
    partition = telemetry.partition(3)
    partition.taken.add(7)
    partition.late.add(2)
    partition.duplicates.add()
    samples = shown(telemetry)
    assert samples['propensity_events_total{outcome="taken",partition="3"}'] == 7
    assert samples['propensity_events_total{outcome="duplicate",partition="3"}'] == 1
    assert samples['propensity_events_total{outcome="dead_letter",partition="3"}'] == 0
    assert samples['propensity_events_late_total{partition="3"}'] == 2


def test_freshness_is_measured_when_somebody_looks() -> None:
    """A partition that falls silent ages, though nobody counts anything any more."""
    clock = FixedClock(NOW_MS)
    telemetry = Telemetry(clock)
    telemetry.partition(0).event_clock(NOW_MS - 4_000)
    assert shown(telemetry)['propensity_event_freshness_seconds{partition="0"}'] == 4
    clock.advance_ms(60_000)
    assert shown(telemetry)['propensity_event_freshness_seconds{partition="0"}'] == 64


def test_a_partition_that_has_gone_is_not_shown(telemetry: Telemetry) -> None:
    """Gauges of a revoked partition vanish; what was counted stays counted."""
    telemetry.partition(1).taken.add()
    telemetry.partition(1).profiles.set(5)
    telemetry.partition(1).event_clock(NOW_MS)
    telemetry.lag("customer-events", 1).set(9)
    telemetry.lag("customer-events", 2).set(9)
    telemetry.forget_partition("customer-events", 1)
    samples = shown(telemetry)
    assert samples['propensity_events_total{outcome="taken",partition="1"}'] == 1
    gauges = [name for name in samples if 'partition="1"' in name and "_total" not in name]
    assert gauges == []
    assert samples['propensity_lag_records{partition="2",topic="customer-events"}'] == 9


def test_a_campaign_has_one_status_and_one_model(telemetry: Telemetry) -> None:
    """The newest status and lineage are shown, and no other."""
    campaign = telemetry.campaign("buy-7d")
    campaign.status("warming")
    campaign.status("ready")
    campaign.model(10, "aa", "f1")
    campaign.model(12, "bb", "f2")
    campaign.quality("7d", {"log_loss": 0.25, "auc": None})
    samples = shown(telemetry)
    statuses = {name for name, value in samples.items() if "model_status" in name and value == 1}
    assert statuses == {'propensity_model_status{campaign="buy-7d",status="ready"}'}
    assert len([name for name in samples if "model_info" in name]) == 1
    label = '{campaign="buy-7d",learner="champion",window="7d"}'
    assert samples[f"propensity_quality_log_loss_nats{label}"] == 0.25
    assert f"propensity_quality_auc_ratio{label}" not in samples


@pytest.mark.parametrize("predict", ["conversion", "value"])
def test_every_figure_of_quality_has_a_metric(telemetry: Telemetry, predict: str) -> None:
    """What the learners measure is shown, or left out by name."""
    figures = {
        name.removesuffix("_7d"): 1.0
        for name in make_quality(predict).summary()
        if name.endswith("_7d")
    }
    telemetry.campaign("buy-7d").quality("7d", figures)
    gauges = {name for name in shown(telemetry) if name.startswith("propensity_quality_")}
    assert len(gauges) == len(set(figures) - metrics.QUALITY_LEFT_OUT) > 4


@pytest.mark.parametrize("predict", ["conversion", "value"])
def test_what_is_watched_is_shown(telemetry: Telemetry, predict: str) -> None:
    """Alarms, stability, silence, the calibrator's gain and arms stand under their kinds."""
    figures = dict.fromkeys((*Judgement(predict, 1).summary(), *Uplift().summary()), 2.0)
    assert figures.keys() >= set(metrics.WATCHED)
    telemetry.campaign("buy-7d").watched({**figures, "silence_log10": None})
    samples = shown(telemetry)
    label = 'campaign="buy-7d"'
    inputs = f'{{{label},kind="inputs",learner="champion"}}'
    assert samples[f"propensity_drift_alarms_total{inputs}"] == 2
    assert not any("silence" in name for name in samples)
    assert sum(label in name and value == 2 for name, value in samples.items()) == 14


def test_alarms_stand_where_the_learner_counted(telemetry: Telemetry) -> None:
    """A worker that is new to a learner shows its count, and a new lineage begins at nothing."""
    campaign = telemetry.campaign("buy-7d")
    name = 'propensity_drift_alarms_total{campaign="buy-7d",kind="scores",learner="champion"}'
    for alarms in (3.0, 3.0, 4.0, 0.0):
        campaign.watched({"alarms_scores": alarms})
        assert shown(telemetry)[name] == alarms


def test_what_has_not_happened_is_shown_as_zero(telemetry: Telemetry) -> None:
    """The first abort, eviction or dropped row is an increase that an alert can see."""
    telemetry.campaign("buy-7d")
    samples = shown(telemetry)
    assert samples['propensity_transactions_aborted_total{reason="again"}'] == 0
    assert samples['propensity_evictions_total{limit="profiles_max"}'] == 0
    assert samples['propensity_limit_hits_total{limit="open_examples_max"}'] == 0
    dropped = 'propensity_examples_dropped_total{campaign="buy-7d",reason="silent"}'
    assert samples[dropped] == 0


def test_senders_cannot_fill_the_memory(telemetry: Telemetry) -> None:
    """Names that senders choose are bounded; those beyond the bound count as other."""
    for number in range(150):
        telemetry.property_ignored(f"p{number}")
    samples = shown(telemetry)
    counted = {name: value for name, value in samples.items() if "properties_ignored" in name}
    assert len(counted) == 101
    assert counted['propensity_properties_ignored_total{property="other"}'] == 50
    assert sum(counted.values()) == 150


def test_all_hops_are_there_from_the_start(telemetry: Telemetry) -> None:
    """A graph of a hop is zero before its first batch, and not missing."""
    samples = shown(telemetry)
    for hop in HOPS:
        assert samples[f'propensity_hop_duration_seconds_count{{hop="{hop}"}}'] == 0


def test_a_histogram_counts_at_and_below_its_bounds(telemetry: Telemetry) -> None:
    """Bounds are inclusive and buckets cumulative, as the format wants them."""
    telemetry.score_latency(np.array([0.0005, 0.0006, 100.0]))
    samples = shown(telemetry)
    assert samples['propensity_score_latency_seconds_bucket{le="0.0005"}'] == 1
    assert samples['propensity_score_latency_seconds_bucket{le="0.001"}'] == 2
    assert samples['propensity_score_latency_seconds_bucket{le="+Inf"}'] == 3
    assert samples["propensity_score_latency_seconds_count"] == 3
    assert samples["propensity_score_latency_seconds_sum"] == pytest.approx(100.0011)


@given(st.lists(st.floats(0, 100)))
def test_observing_at_once_is_observing_one_by_one(values: list[float]) -> None:
    """A batch of observations leaves the histogram that single ones leave."""
    one_by_one, at_once = Histogram(metrics.LATENCY_BOUNDS_S), Histogram(metrics.LATENCY_BOUNDS_S)
    for value in values:
        one_by_one.observe(value)
    at_once.observe_each(np.array(values, dtype=np.float64))
    assert one_by_one.counts == at_once.counts
    assert one_by_one.total == pytest.approx(at_once.total)


def test_a_full_family_shares_a_cell() -> None:
    """Label sets beyond the limit share the one called other."""
    family = Family(Counter, sets_max=2)
    for name in "abcd":
        family.at(name).add()
    assert {labels: cell.value for labels, cell in family.items()} == {
        ("a",): 1,
        ("b",): 1,
        ("other",): 2,
    }


def test_prometheus_finds_nothing_to_complain_of(telemetry: Telemetry) -> None:
    """Prometheus's own linter accepts names, kinds and help texts."""
    partition = telemetry.partition(0)
    partition.taken.add()
    partition.event_clock(NOW_MS)
    telemetry.campaign("buy-7d").model(1, "aa", "f1")
    body, _ = telemetry.exposition()
    ours = b"".join(line for line in body.splitlines(keepends=True) if b"propensity_" in line)
    promtool("check", "metrics", given=ours)
