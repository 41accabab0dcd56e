"""The demo: shoppers, the real worker and a reader of its scores, turn by turn in one loop.

Owns: the order of a turn, when the shoppers wait for the worker, and what there is to see.
Never: prints; never scores or learns otherwise than `propensity run` does.
Source: README.md, "See it".
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from consumer import metrics
from consumer.clock import Clock
from consumer.demo_scores import WINDOW_S, Pick, ScoreReader
from consumer.demo_stream import EVENTS_PER_DAY, Pace, ShopperStream
from consumer.score_words import ScoreWords, goal_in_words, score_in_words
from consumer.telemetry import CampaignMeters, Telemetry
from consumer.transport import Transport
from consumer.trigger_output import triggered
from consumer.worker import Worker
from models.plan import Plan
from schemas.model_record import ModelRecord
from schemas.settings import Settings
from schemas.times import parse_time

TICK_MAX_S: Final = 0.005
EVENTS_UNDERWAY_MAX: Final = 2_000
# The broker keeps 5 MiB of rows per partition; this is a fifth of that.
ROWS_UNDERWAY_MAX: Final = 500
SCORES_SHOWN: Final = 6
SCORE_EVERY_S: Final = 1.0
HISTORY_EVERY_S: Final = 1.0
HISTORY_MAX: Final = 60
QUALITY_WINDOW: Final = "7d"


@dataclass(frozen=True, slots=True)
class CampaignView:
    """What there is to see of a campaign: quality of the scores as they were served."""

    name: str
    goal: str
    model: ModelRecord | None
    history: tuple[float, ...]

    @property
    def version(self) -> int:
        """How many outcomes were learned."""
        return 0 if self.model is None else self.model.version

    @property
    def status(self) -> str:
        """The status of the model that serves."""
        return "warming" if self.model is None else self.model.status

    def figure(self, name: str) -> float | None:
        """A figure of the last seven days, None while there is none."""
        return None if self.model is None else self.model.quality.get(f"{name}_{QUALITY_WINDOW}")

    @property
    def gain(self) -> float | None:
        """By how much the log-loss is below that of the base rate, as a share of it."""
        return _gain(self.model)


@dataclass(frozen=True, slots=True)
class View:
    """What there is to see at one moment."""

    elapsed_s: float
    at_ms: int
    events: int
    scores: int
    triggers: int
    events_per_s: float
    scores_per_s: float
    latency_ms: tuple[float, float] | None
    campaigns: tuple[CampaignView, ...]
    recent: tuple[ScoreWords, ...]


@dataclass(slots=True)
class _Rates:
    """Two counters over the last seconds."""

    seen: deque[tuple[float, int, int]] = field(default_factory=deque)

    def per_s(self, now_s: float, events: int, scores: int) -> tuple[float, float]:
        self.seen.append((now_s, events, scores))
        while len(self.seen) > 2 and self.seen[1][0] <= now_s - WINDOW_S:
            self.seen.popleft()
        then_s, events_then, scores_then = self.seen[0]
        passed_s = now_s - then_s
        if passed_s <= 0.0:
            return 0.0, 0.0
        return (events - events_then) / passed_s, (scores - scores_then) / passed_s


class Demo:
    """Everything but the terminal.

    Parameters
    ----------
    worker: started, on its own transport.
    outside: another client of the same broker: it produces events and reads scores.
    days_per_s: how fast the shoppers' time runs.
    """

    def __init__(
        self,
        worker: Worker,
        outside: Transport,
        settings: Settings,
        plan: Plan,
        telemetry: Telemetry,
        clock: Clock,
        *,
        seed: int,
        days_per_s: float,
    ) -> None:
        self._worker = worker
        self._clock = clock
        self._campaigns = plan.file.campaigns
        self._meters = {name: telemetry.campaign(name) for name in plan.campaigns}
        self._entered = [
            telemetry.counter(metrics.TRIGGERS, campaign.name, "entered")
            for campaign in triggered(plan)
        ]
        topics = settings.topics
        partitions = outside.partition_count(topics.events)
        self._stream = ShopperStream(outside, topics.events, partitions, seed=seed, clock=clock)
        self._reader = ScoreReader(outside, topics.scores, partitions, self._stream, clock)
        self._begun_s = clock.monotonic_s()
        self._pace = Pace(days_per_s * EVENTS_PER_DAY, self._begun_s)
        self._rates = _Rates()
        self._history: dict[str, deque[float]] = {
            name: deque(maxlen=HISTORY_MAX) for name in plan.campaigns
        }
        self._history_at_s = self._pick_at_s = self._begun_s
        self._recent: deque[ScoreWords] = deque(maxlen=SCORES_SHOWN)
        self.first_score_s: float | None = None

    def turn(self) -> None:
        """Send what is due, let the worker do a batch, read what it answered."""
        self._stream.send(self._pace.due(self._clock.monotonic_s(), held=self._held()))
        self._worker.tick(TICK_MAX_S)
        self._reader.read()
        now_s = self._clock.monotonic_s()
        if self.first_score_s is None and self._reader.count:
            self.first_score_s = now_s
        if now_s >= self._pick_at_s:
            self._pick(now_s)
        if now_s >= self._history_at_s:
            self._history_at_s = now_s + HISTORY_EVERY_S
            for name, model in self._worker.newest_models().items():
                gain = _gain(model)
                if gain is not None:
                    self._history[name].append(gain)

    def view(self) -> View:
        """What there is to see now."""
        now_s = self._clock.monotonic_s()
        done, scores = self._done(), self._reader.count
        events_per_s, scores_per_s = self._rates.per_s(now_s, done, scores)
        models = self._worker.newest_models()
        return View(
            elapsed_s=now_s - self._begun_s,
            at_ms=self._stream.at_ms,
            events=done,
            scores=scores,
            triggers=int(sum(entered.value for entered in self._entered)),
            events_per_s=events_per_s,
            scores_per_s=scores_per_s,
            latency_ms=self._reader.latency_ms(),
            campaigns=tuple(
                CampaignView(
                    name, goal_in_words(campaign), models.get(name), tuple(self._history[name])
                )
                for name, campaign in self._campaigns.items()
            ),
            recent=tuple(self._recent),
        )

    def _held(self) -> bool:
        """Whether the shoppers wait: for partitions to be assigned, or for the worker."""
        if not self._worker.scoring:
            return True
        rows = sum(_rows_underway(meters) for meters in self._meters.values())
        return self._stream.sent - self._done() > EVENTS_UNDERWAY_MAX or rows > ROWS_UNDERWAY_MAX

    def _done(self) -> int:
        return sum(scoring.next_offset for scoring in self._worker.scoring)

    def _pick(self, now_s: float) -> None:
        pick = self._reader.pick()
        if pick is not None:
            self._pick_at_s = now_s + SCORE_EVERY_S
            self._recent.append(self._in_words(pick))

    def _in_words(self, pick: Pick) -> ScoreWords:
        record, entry = pick
        known = self._stream.circumstances(
            record.customer_id, record.event_id, parse_time(record.as_of)
        )
        return score_in_words(record, entry, self._campaigns[entry.campaign], known)


def _rows_underway(meters: CampaignMeters) -> int:
    closed = meters.converted.value + meters.not_converted.value
    return int(closed - meters.examples_learned.value)


def _gain(model: ModelRecord | None) -> float | None:
    if model is None:
        return None
    relative = model.quality.get(f"normalised_entropy_{QUALITY_WINDOW}")
    return None if relative is None else 1.0 - relative
