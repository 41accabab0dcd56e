"""What the page shows of a worker at one moment, from what it counts anyway.

Owns: rates between two looks, and the shape of a picture.
Never: does anything per event, or keeps a worker waiting: it reads numbers that are there.
Source: docs/page.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from consumer import __version__, metrics
from consumer.health import Health
from consumer.meters import Histogram
from consumer.metric import Metric
from consumer.score_words import goal_in_words
from consumer.telemetry import Telemetry, window_figures
from consumer.transport import Headers
from consumer.worker_view import WorkerView
from models.quality_report import Report
from models.uplift import Uplift
from schemas.dead_letter import PREFIX
from schemas.model_record import ModelRecord

Json = dict[str, Any]

FIGURES_WINDOW: Final = "7d"
FIGURES: Final = (
    *("rows", "positives", "log_loss", "base_log_loss", "normalised_entropy", "auc", "lift_10"),
    *("predicted_to_actual", "mean_absolute_error", "normalised_error"),
)
QUANTILES: Final = (0.5, 0.99)


class Counts(NamedTuple):
    """What has happened so far; a rate is the difference of two of them."""

    at_s: float
    taken: float
    duplicates: float
    dead_letters: float
    late: float
    scored: float
    latencies: tuple[int, ...]


class Cells:
    """The present numbers of a worker's metrics, by name."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._families = {metric.name: family for metric, family in telemetry.families()}

    def of(self, metric: Metric) -> Iterator[tuple[tuple[str, ...], Any]]:
        """Labels and cell of each set of labels."""
        yield from self._families[metric.name].items()

    def values(self, metric: Metric, **labels: str) -> Iterator[float]:
        """The values of the counters or gauges that have these labels."""
        wanted = [(metric.labels.index(name), value) for name, value in labels.items()]
        for found, cell in self.of(metric):
            if all(found[place] == value for place, value in wanted):
                yield cell.value

    def total(self, metric: Metric, **labels: str) -> float:
        """Their sum."""
        return float(sum(self.values(metric, **labels)))


def counts_of(cells: Cells, now_s: float) -> Counts:
    """What a worker has counted by now."""
    (latency,) = [cell for _, cell in cells.of(metrics.SCORE_LATENCY)]
    return Counts(
        at_s=now_s,
        taken=cells.total(metrics.EVENTS, outcome="taken"),
        duplicates=cells.total(metrics.EVENTS, outcome="duplicate"),
        dead_letters=cells.total(metrics.EVENTS, outcome="dead_letter"),
        late=cells.total(metrics.EVENTS_LATE),
        scored=cells.total(metrics.SCORED_EVENTS),
        latencies=tuple(latency.counts),
    )


def point_of(cells: Cells, before: Counts, now: Counts, now_ms: int) -> Json:
    """Rates since an earlier look, and how far behind we are: a point of the charts."""
    passed_s = max(now.at_s - before.at_s, 1e-3)

    def rate(name: str) -> float:
        more: float = getattr(now, name) - getattr(before, name)
        return round(max(0.0, more) / passed_s, 1)

    recent = [after - first for first, after in zip(before.latencies, now.latencies, strict=True)]
    p50_s, p99_s = (quantile(metrics.SCORE_LATENCY.bounds, recent, share) for share in QUANTILES)
    freshness = list(cells.values(metrics.EVENT_FRESHNESS))
    return {
        "at_ms": now_ms,
        **{name: rate(name) for name in ("taken", "duplicates", "dead_letters", "late", "scored")},
        "latency_p50_s": p50_s,
        "latency_p99_s": p99_s,
        "freshness_s": round(max(freshness), 3) if freshness else None,
        "waiting": cells.total(metrics.EVENTS_WAITING),
    }


def quantile(bounds: tuple[float, ...], counts: Iterable[int], share: float) -> float | None:
    """A quantile of a histogram, by a straight line within its cell; None of nothing.

    >>> quantile((1.0, 2.0), [0, 10, 0], 0.5)
    1.5
    >>> quantile((1.0, 2.0), [0, 0, 0], 0.5) is None
    True
    """
    held = list(counts)
    left = share * sum(held)
    if not left:
        return None
    for place, count in enumerate(held):
        if left <= count:
            low = bounds[place - 1] if place else 0.0
            high = bounds[place] if place < len(bounds) else low
            return low + (high - low) * left / count
        left -= count
    return bounds[-1]


def picture_of(
    view: WorkerView, health: Health, cells: Cells, now_ms: int, curves: Mapping[str, Report]
) -> Json:
    """Everything but the charts over time."""
    _, line = health.readiness()
    models = view.models()
    return {
        "at_ms": now_ms,
        "worker": {
            "instance": view.settings.instance,
            "group": view.settings.group,
            "version": __version__,
            "says": line.strip(),
            "partitions": cells.total(metrics.PARTITIONS, topic=view.settings.topics.events),
        },
        "totals": {
            "scored": cells.total(metrics.SCORED_EVENTS),
            "customers": cells.total(metrics.PROFILES),
            "open_examples": cells.total(metrics.EXAMPLES_OPEN),
        },
        "clock_ms": round(1000 * max(cells.values(metrics.EVENT_CLOCK), default=0.0)),
        "campaigns": [
            _campaign(view, name, models.get(name), cells, curves.get(name))
            for name in view.plan.campaigns
        ],
        "letters": _letters(cells, view.lately.letters()),
    }


def _campaign(
    view: WorkerView, name: str, model: ModelRecord | None, cells: Cells, curves: Report | None
) -> Json:
    campaign = view.plan.file.campaigns[name]
    figures = {} if model is None else window_figures(model.quality, FIGURES_WINDOW)
    uplift = None if model is None else Uplift.of(model.quality)
    return {
        "name": name,
        "goal": goal_in_words(campaign),
        "predict": campaign.predict,
        "status": "warming" if model is None else model.status,
        "learner": None if model is None else model.learner,
        "learned": 0 if model is None else model.version,
        "figures": {figure: figures.get(figure) for figure in FIGURES},
        "histogram": _histogram(cells, name),
        "curves": curves,
        "uplift": None if uplift is None else uplift.words,
    }


def _histogram(cells: Cells, campaign: str) -> Json | None:
    """How many scores were published of each size."""
    for labels, cell in cells.of(metrics.SCORE_PROBABILITY):
        if labels == (campaign,) and isinstance(cell, Histogram) and any(cell.counts):
            return {"bounds": cell.bounds, "counts": cell.counts}
    return None


def _letters(cells: Cells, recent: list[Headers]) -> Json:
    by = [
        {"stage": stage, "field": field, "count": cell.value}
        for (stage, field), cell in cells.of(metrics.DEAD_LETTERS)
    ]
    return {
        "total": sum(each["count"] for each in by),
        "by": sorted(by, key=lambda each: -each["count"]),
        "recent": [_letter(headers) for headers in reversed(recent)],
    }


def _letter(headers: Headers) -> Json:
    """Where a letter came from and what was wrong with it; the last of each header is ours."""
    said = {name: (value or b"").decode("utf-8", "replace") for name, value in headers}
    return {
        name: said.get(f"{PREFIX}{header}", "")
        for name, header in (
            ("topic", "topic"),
            ("partition", "partition"),
            ("offset", "offset"),
            ("stage", "stage"),
            ("message", "exception.message"),
        )
    }
