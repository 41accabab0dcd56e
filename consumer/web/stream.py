"""Pictures of the worker, pushed to every page that is open: server-sent events.

Owns: looking once a second while somebody watches, for all of them together.
Never: looks while nobody does.
Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from consumer.enquiries import Found
from consumer.explanation import NOT_A_CAUSE, circumstances
from consumer.health import Health
from consumer.questions import TooManyQuestionsError
from consumer.score_words import answer_in_words, reasons_in_words
from consumer.telemetry import Telemetry
from consumer.web.picture import Cells, Counts, counts_of, picture_of, point_of
from consumer.web.replies import refusal
from consumer.worker_view import WorkerView
from models.quality_report import Report
from schemas.score import ScoreEntry, decode_score
from schemas.segment_call import decode_any
from schemas.trigger import TriggerKind

Json = dict[str, Any]

WATCHERS_MAX: Final = 16
EVERY_S: Final = 1.0
CURVES_EVERY: Final = 5  # Looks: outcomes come slowly.
ANSWER_MAX_S: Final = 0.5
POINTS_KEPT: Final = 600
RATE_OVER: Final = 5  # Looks: of a single second a rate jumps.
RECENT_KEPT: Final = 8
RECENT_EACH: Final = 2
_KINDS: Final[Mapping[TriggerKind, str]] = {
    "entered": "The score is high enough, and nothing speaks against acting",
    "exited": "The score is low again",
    "converted": "The goal was reached",
}
_encode = msgspec.json.Encoder().encode


class Stream:
    """Looks at the worker for all watchers; `view` is there once the worker is."""

    def __init__(self, telemetry: Telemetry, health: Health) -> None:
        self.view: WorkerView | None = None
        self.is_closed = False
        self._telemetry = telemetry
        self._health = health
        self._watchers: set[asyncio.Event] = set()
        self._looking: asyncio.Task[None] | None = None
        self._looks: deque[Counts] = deque(maxlen=RATE_OVER + 1)
        self._points: deque[Json] = deque(maxlen=POINTS_KEPT)
        self._recent: deque[Json] = deque(maxlen=RECENT_KEPT)
        self._shown: deque[str] = deque(maxlen=4 * RECENT_KEPT)
        self._curves: Mapping[str, Report] = {}
        self._picture: Json = {}

    async def follow(self, _request: Request) -> Response:
        """Every picture from now on, the first one with the last minutes behind it."""
        if len(self._watchers) >= WATCHERS_MAX:
            return refusal(HTTPStatus.SERVICE_UNAVAILABLE, "Too many pages are open")
        return StreamingResponse(self._pictures(), media_type="text/event-stream")

    async def _pictures(self) -> AsyncIterator[bytes]:
        news = asyncio.Event()
        self._watchers.add(news)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_on())
        try:
            yield self._told(list(self._points))
            while not self.is_closed:
                await news.wait()
                news.clear()
                yield self._told(list(self._points)[-1:])
        finally:
            self._watchers.discard(news)

    def _told(self, points: list[Json]) -> bytes:
        """One event: a picture, or what is waited for before there is a worker."""
        picture = self._picture
        if self.view is None:
            _, line = self._health.readiness()
            picture = {"worker": {"says": line.strip()}}
        return b"data: " + _encode({**picture, "points": points}) + b"\n\n"

    async def _look_on(self) -> None:
        looks = 0
        while self._watchers and not self.is_closed:
            if self.view is not None:
                await self._look(self.view, with_curves=looks % CURVES_EVERY == 0)
                looks += 1
            for news in self._watchers:
                news.set()
            await asyncio.sleep(EVERY_S)
        for news in self._watchers:
            news.set()
        self._looks.clear()

    async def _look(self, view: WorkerView, *, with_curves: bool) -> None:
        cells, clock = Cells(self._telemetry), view.clock
        now_ms, now = clock.now_ms(), counts_of(cells, clock.monotonic_s())
        if self._looks:
            self._points.append(point_of(cells, self._looks[0], now, now_ms))
        self._looks.append(now)
        if with_curves:
            await self._look_at_curves(view)
        await self._look_at_scores(view)
        self._picture = {
            **picture_of(view, self._health, cells, now_ms, self._curves),
            "recent": list(self._recent)[::-1],
            "triggers": [_decided(*each, view) for each in reversed(view.lately.triggers())],
            "caveat": NOT_A_CAUSE,
        }

    async def _look_at_curves(self, view: WorkerView) -> None:
        try:
            asked = asyncio.wrap_future(view.enquiries.curves())
            self._curves = await asyncio.wait_for(asked, ANSWER_MAX_S)
        except (TooManyQuestionsError, TimeoutError):
            return  # The next look asks again.

    async def _look_at_scores(self, view: WorkerView) -> None:
        """Put a few of the scores that left since the last look into words."""
        told = 0
        for value in reversed(view.lately.scores()):
            record = decode_score(value)
            if told >= RECENT_EACH or record.score_id in self._shown:
                break
            try:
                asked = asyncio.wrap_future(view.enquiries.customer(record.customer_id))
                found = await asyncio.wait_for(asked, ANSWER_MAX_S)
            except (TooManyQuestionsError, TimeoutError):
                return
            if isinstance(found, Found) and record.scores:
                self._shown.append(record.score_id)
                entry = max(record.scores, key=lambda each: each.percentile or 0.0)
                told_now = _told(record.customer_id, record.as_of, entry, found, view)
                others = [each for each in self._recent if each["customer"] != record.customer_id]
                self._recent = deque([*others, told_now], maxlen=RECENT_KEPT)
                told += 1


def _told(customer: str, as_of: str, entry: ScoreEntry, found: Found, view: WorkerView) -> Json:
    campaign = view.plan.file.campaigns[entry.campaign]
    return {
        "customer": customer,
        "as_of": as_of,
        "campaign": entry.campaign,
        "words": answer_in_words(entry, campaign),
        "because": reasons_in_words(entry, circumstances(found.portrait, view.plan)),
        "probability": entry.probability,
        "expected_value": entry.expected_value,
        "percentile": entry.percentile,
        "band": entry.band,
        "status": entry.status,
    }


def _decided(topic: str, value: bytes, view: WorkerView) -> Json:
    """A trigger: whom it is about, and whether anybody is to act."""
    trigger = decode_any(value)
    held_out = topic == view.settings.topics.held_out
    because = [_KINDS[trigger.kind]]
    if held_out:
        because.append("Held out: nobody is to act, so that acting can be compared with not acting")
    return {
        "id": trigger.trigger_id,
        "kind": trigger.kind,
        "customer": trigger.customer_id,
        "campaign": trigger.campaign,
        "as_of": trigger.as_of,
        "because": because,
    }
