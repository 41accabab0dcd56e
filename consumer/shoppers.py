"""A seeded stream of shoppers: what the demo shows and what the documents replay.

Owns: invented shoppers, their habits, and the order in which they act.
Never: a clock, a file or a broker; the seed alone decides every byte.
Source: none; effects are sized so that quality visibly rises within a minute of the demo.
"""

from __future__ import annotations

import heapq
from bisect import bisect
from itertools import accumulate, count
from math import exp
from random import Random
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START_MS: Final = 1_704_067_200_000  # 2024-01-01T00:00Z: far enough back never to be the future
SHOPPERS_COUNT: Final = 2_000  # about 8,000 events per simulated day
MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
VISITS_PER_DAY_MAX: Final = 4.0
PAGES_MAX: Final = 14

DEMO_CAMPAIGNS: Final = """\
# Two questions about the demo's shoppers.
version: 1
campaigns:
  buy-1d:                # will this shopper buy within a day?
    goal: {event: purchase}
    horizon: 1d
    rate: 15%
    score_on: [page_view, cart_add, email_click]
    features:
      half_lives: [1h, 1d, 7d, 30d, all]
      categories: [channel, device]
      numbers: [price, discount]
    trigger:             # whom to offer something now
      when: {percentile: 95}
      clear: {percentile: 80}
      cooldown: 1d
      hold_out: 10%
      expires_after: 1h
  click-2d:              # will this e-mail be clicked within two days?
    goal: {event: email_click, match: [mailing_id]}
    horizon: 2d
    rate: 12%
    score_on: [email_sent]
    features:
      half_lives: [1d, 7d, 30d, all]
      categories: [kind]
      numbers: [discount]
"""

Properties: TypeAlias = dict[str, str | float]
ShopEvent: TypeAlias = dict[str, str | int | float | Properties]

_HOURS: Final = tuple(
    accumulate((2, 1, 1, 1, 1, 2, 4, 6, 7, 7, 7, 8, 9, 8, 7, 7, 8, 9, 11, 13, 14, 12, 8, 4))
)
_DEPARTMENTS: Final = ("shoes", "outdoor", "home", "toys", "books", "beauty")
_MAILINGS: Final = (("newsletter", 0.0), ("sale", 0.3), ("reminder", 0.1), ("voucher", 0.2))


class Shopper:
    """One invented customer: lasting tastes, and the cart and memory of the moment."""

    __slots__ = (
        "affinity", "bought_ms", "cart_count", "cart_value", "clicked_ms", "customer_id",
        "department", "discount", "eagerness", "thrift", "traits", "unanswered", "visits_per_day",
    )  # fmt: skip

    def __init__(self, customer_id: str, draw: Random) -> None:
        self.customer_id = customer_id
        self.visits_per_day = min(draw.lognormvariate(-0.9, 0.8), VISITS_PER_DAY_MAX)
        self.eagerness = draw.gauss(0.0, 1.0)
        self.thrift = draw.random()
        self.affinity = draw.gauss(0.0, 1.0)
        self.department = draw.choice(_DEPARTMENTS)
        device = draw.choices(("mobile", "desktop", "tablet"), (6, 3, 1))[0]
        channel = "app" if device == "mobile" and draw.random() < 0.5 else "web"
        country = draw.choices(("DE", "AT", "CH", "FR"), (5, 2, 1, 2))[0]
        self.traits: Properties = {"channel": channel, "device": device, "country": country}
        self.cart_count = 0
        self.cart_value = 0.0
        self.discount = 0.0
        self.bought_ms = START_MS - 30 * DAY_MS
        self.clicked_ms = START_MS - 30 * DAY_MS
        self.unanswered = 0


Step: TypeAlias = "Callable[[int, Shopper, int], ShopEvent | None]"


class Shop:
    """The shop and its customers as one queue of what happens next."""

    def __init__(self, seed: int, shoppers_count: int = SHOPPERS_COUNT) -> None:
        self._draw = Random(seed)  # noqa: S311 - invented shoppers, not secrets
        self._shoppers = [Shopper(f"c{n}", self._draw) for n in range(shoppers_count)]
        self._order = count()
        self._serial = count()
        self._queue: list[tuple[int, int, Step, Shopper, int]] = []

    def events(self) -> Iterator[tuple[int, str, ShopEvent]]:
        """Yield (time, customer, event) in the order of event time, without end."""
        nobody = self._shoppers[0]
        self._later(START_MS, self._open_day, nobody, 0)
        queue = self._queue
        while queue:
            at_ms, _, step, shopper, extra = heapq.heappop(queue)
            event = step(at_ms, shopper, extra)
            if event is not None:
                yield at_ms, shopper.customer_id, event

    def _later(self, at_ms: int, step: Step, shopper: Shopper, extra: int) -> None:
        heapq.heappush(self._queue, (at_ms, next(self._order), step, shopper, extra))

    def _happens(self, draw_logit: float) -> bool:
        return self._draw.random() < 1.0 / (1.0 + exp(-draw_logit))

    def _event(
        self, at_ms: int, shopper: Shopper, name: str, value: float | None, **more: str | float
    ) -> ShopEvent:
        event: ShopEvent = {
            "event_id": f"e{next(self._serial)}",
            "customer_id": shopper.customer_id,
            "type": name,
            "occurred_at": at_ms,
        }
        if value is not None:
            event["value"] = round(value, 2)
        event["properties"] = {**shopper.traits, **more}
        return event

    def _open_day(self, at_ms: int, nobody: Shopper, day: int) -> None:
        """Draw the day's visits and send every third shopper one of the day's mailings."""
        uniform = self._draw.random
        for index, shopper in enumerate(self._shoppers):
            chance = shopper.visits_per_day
            while chance > 0.0 and uniform() < chance:
                chance -= 1.0
                hour = bisect(_HOURS, uniform() * _HOURS[-1])
                self._later(at_ms + int((hour + uniform()) * HOUR_MS), self._visit, shopper, 0)
            if index % 3 == day % 3:
                sent_ms = at_ms + 8 * HOUR_MS + int(uniform() * HOUR_MS)
                kind = (day + index // 3) % len(_MAILINGS)
                self._later(sent_ms, self._send, shopper, day * len(_MAILINGS) + kind)
        self._later(at_ms + DAY_MS, self._open_day, nobody, day + 1)

    def _visit(self, at_ms: int, shopper: Shopper, _extra: int) -> ShopEvent:
        """Start a session, often with a search, of a geometric number of pages."""
        draw = self._draw
        pages = 1
        while pages < PAGES_MAX and draw.random() < 0.72:
            pages += 1
        self._later(at_ms + self._pause_ms(), self._browse, shopper, pages)
        if draw.random() < 0.35:
            return self._event(at_ms, shopper, "search", None, department=shopper.department)
        return self._page(at_ms, shopper)

    def _pause_ms(self) -> int:
        return int(8_000 + self._draw.expovariate(1 / 40_000))

    def _page(self, at_ms: int, shopper: Shopper) -> ShopEvent:
        draw = self._draw
        usual = draw.random() < 0.7
        department = shopper.department if usual else draw.choice(_DEPARTMENTS)
        price = round(draw.lognormvariate(3.4, 0.6), 2)
        discount = shopper.discount if usual else draw.choice((0.0, 0.0, 0.1, 0.3))
        return self._event(
            at_ms, shopper, "page_view", None, department=department, price=price, discount=discount
        )

    def _browse(self, at_ms: int, shopper: Shopper, pages: int) -> ShopEvent | None:
        """One step of a session: a page, something into or out of the cart, or the till."""
        if pages <= 0:
            return self._leave(at_ms, shopper)
        draw = self._draw
        self._later(at_ms + self._pause_ms(), self._browse, shopper, pages - 1)
        wants = -2.9 + 0.8 * shopper.eagerness + 1.6 * self._clicked(at_ms, shopper)
        if self._happens(wants + 2.0 * shopper.thrift * shopper.discount):
            price = draw.lognormvariate(3.4, 0.5) * (1.0 - shopper.discount)
            shopper.cart_count += 1
            shopper.cart_value += price
            return self._event(at_ms, shopper, "cart_add", price, discount=shopper.discount)
        if shopper.cart_count and draw.random() < 0.05 + 0.12 * shopper.thrift:
            price = shopper.cart_value / shopper.cart_count
            shopper.cart_count -= 1
            shopper.cart_value -= price
            return self._event(at_ms, shopper, "cart_remove", price)
        return self._page(at_ms, shopper)

    def _leave(self, at_ms: int, shopper: Shopper) -> ShopEvent | None:
        """Buy what is in the cart, or leave it; a cart left behind often brings one back."""
        if not shopper.cart_count:
            return None
        tired = exp(-(at_ms - shopper.bought_ms) / (3.0 * DAY_MS))
        dear = shopper.thrift * shopper.cart_value / 60.0
        wants = -1.2 + 1.6 * shopper.eagerness - 1.5 * tired - dear
        wants += 1.5 * self._clicked(at_ms, shopper) + 4.0 * shopper.thrift * shopper.discount
        if not self._happens(wants):
            if self._draw.random() < 0.45:
                hours = self._draw.lognormvariate(1.8, 0.7)
                self._later(at_ms + int(hours * HOUR_MS), self._visit, shopper, 0)
            return None
        total, items = shopper.cart_value, shopper.cart_count
        shopper.cart_count, shopper.cart_value, shopper.discount = 0, 0.0, 0.0
        shopper.bought_ms = at_ms
        return self._event(at_ms, shopper, "purchase", total, items=items)

    def _clicked(self, at_ms: int, shopper: Shopper) -> float:
        """1 just after an e-mail's click, fading within a day."""
        return exp(-(at_ms - shopper.clicked_ms) / (0.5 * DAY_MS))

    def _mail(self, at_ms: int, shopper: Shopper, name: str, mailing: int) -> ShopEvent:
        kind, discount = _MAILINGS[mailing % len(_MAILINGS)]
        return self._event(
            at_ms, shopper, name, None, mailing_id=f"m{mailing}", kind=kind, discount=discount
        )

    def _send(self, at_ms: int, shopper: Shopper, mailing: int) -> ShopEvent:
        """Send a mailing; liking mailings opens it, a pile of unread ones does not."""
        shopper.unanswered += 1
        if self._happens(-0.6 + 1.3 * shopper.affinity - 0.15 * min(shopper.unanswered, 8)):
            hours = self._draw.lognormvariate(0.9, 0.9)
            self._later(at_ms + int(hours * HOUR_MS), self._open, shopper, mailing)
        return self._mail(at_ms, shopper, "email_sent", mailing)

    def _open(self, at_ms: int, shopper: Shopper, mailing: int) -> ShopEvent:
        """Open a mailing; the thrifty click on discounts."""
        shopper.unanswered = 0
        discount = _MAILINGS[mailing % len(_MAILINGS)][1]
        if self._happens(-2.0 + 0.9 * shopper.affinity + 9.0 * shopper.thrift * discount):
            self._later(at_ms + self._pause_ms(), self._click, shopper, mailing)
        return self._mail(at_ms, shopper, "email_open", mailing)

    def _click(self, at_ms: int, shopper: Shopper, mailing: int) -> ShopEvent:
        """Click: the shop opens with the mailing's discount in mind."""
        shopper.clicked_ms = at_ms
        shopper.discount = _MAILINGS[mailing % len(_MAILINGS)][1]
        self._later(at_ms + self._pause_ms(), self._visit, shopper, 0)
        return self._mail(at_ms, shopper, "email_click", mailing)


def shopper_events(
    seed: int, *, shoppers_count: int = SHOPPERS_COUNT, days_max: int | None = None
) -> Iterator[tuple[int, str, ShopEvent]]:
    """Yield (occurred_at_ms, customer_id, event), ordered by time; endless without `days_max`."""
    stop_ms = None if days_max is None else START_MS + days_max * DAY_MS
    for at_ms, customer_id, event in Shop(seed, shoppers_count).events():
        if stop_ms is not None and at_ms >= stop_ms:
            return
        yield at_ms, customer_id, event


def encoded_shopper_events(
    seed: int, *, shoppers_count: int = SHOPPERS_COUNT, days_max: int | None = None
) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield (occurred_at_ms, key, value) as they stand in a topic."""
    encode = msgspec.json.Encoder().encode
    stream = shopper_events(seed, shoppers_count=shoppers_count, days_max=days_max)
    for at_ms, customer_id, event in stream:
        yield at_ms, customer_id.encode(), encode(event)
