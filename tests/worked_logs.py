"""Seeded logs of four businesses, for the worked campaigns of docs/campaigns.

Owns: who acts in them, why, and when each record arrives.
Never: a clock or a file; the seed alone decides every byte.
Source: none; the effects are of the size that such businesses have, and noisy.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import exp, log
from random import Random
from typing import NamedTuple

from consumer.shoppers import DAY_MS, HOUR_MS, START_MS, shopper_events

WEEK_MS = 7 * DAY_MS
LEAVING_PER_WEEK = 0.035
OFFER_KINDS = ("new_in", "discount", "bundle")
OFFER_VALID_MS = 5 * DAY_MS


class Arrival(NamedTuple):
    """When a record came, and what it is."""

    at_ms: int
    value: bytes


class _Journal:
    """Events as they are written down; `reported_ms` is when they came, if later."""

    def __init__(self) -> None:
        self._arrivals: list[Arrival] = []

    def add(
        self,
        customer: str,
        what: str,
        at_ms: float,
        *,
        reported_ms: float | None = None,
        **properties: str | float,
    ) -> None:
        """One more event."""
        event = {
            "event_id": f"e{len(self._arrivals)}",
            "customer_id": customer,
            "type": what,
            "occurred_at": int(at_ms),
            "properties": properties,
        }
        came_ms = int(at_ms if reported_ms is None else reported_ms)
        self._arrivals.append(Arrival(came_ms, json.dumps(event).encode()))

    def until(self, stop_ms: float) -> list[Arrival]:
        """All that came before, in the order in which it came."""
        return sorted((each for each in self._arrivals if each.at_ms < stop_ms), key=_came)


def _came(arrival: Arrival) -> int:
    return arrival.at_ms


def _chance(logit: float) -> float:
    return 1.0 / (1.0 + exp(-logit))


def shop(seed: int, *, shoppers: int = 400, days: int = 60) -> list[Arrival]:
    """The demo's shoppers: visits, carts, purchases and mailings."""
    events = shopper_events(seed, shoppers_count=shoppers, days_max=days)
    return [Arrival(at_ms, json.dumps(event).encode()) for at_ms, _, event in events]


def streaming(seed: int, *, subscribers: int = 500, days: int = 240) -> list[Arrival]:
    """A streaming service: who tires of it watches less each week, and then nothing at all.

    One in three of those who leave closes the account; some of the others come back.
    """
    draw, journal = Random(seed), _Journal()
    stop_ms = START_MS + days * DAY_MS
    for number in range(subscribers):
        who, device = f"s{number}", draw.choice(("tv", "phone", "browser"))
        at_ms = START_MS + draw.random() * (days - 60) * DAY_MS * (number % 2)
        usual, tired = draw.lognormvariate(0.9, 0.6), 0
        while at_ms < stop_ms:
            tired = tired + 1 if tired or draw.random() < LEAVING_PER_WEEK else 0
            plays = 0 if tired > 4 else _several(draw, usual * 0.6**tired)
            for _ in range(plays):
                play_ms = at_ms + draw.random() * WEEK_MS
                journal.add(who, "login", play_ms, device=device)
                journal.add(
                    who, "play", play_ms + 60_000, device=device, minutes=draw.randrange(90)
                )
            if tired == 5 and draw.random() < 0.33:
                journal.add(who, "account_closed", at_ms)
                break
            if tired > 4 and draw.random() < 0.06:
                tired = 0
            at_ms += WEEK_MS
    return journal.until(stop_ms)


def _several(draw: Random, mean: float) -> int:
    """A Poisson number."""
    number, left = 0, draw.random()
    limit = exp(-mean)
    while left > limit:
        number += 1
        left *= draw.random()
    return number


def mailings(seed: int, *, customers: int = 600, days: int = 70) -> list[Arrival]:
    """Each day some customers are considered for three offers, and sent one of them by lot."""
    draw, journal = Random(seed), _Journal()
    liking = [{kind: draw.gauss(0.0, 1.0) for kind in OFFER_KINDS} for _ in range(customers)]
    for day in range(days):
        for number in range(day % 5, customers, 5):
            who, at_ms = f"m{number}", START_MS + day * DAY_MS + (6 + 2 * draw.random()) * HOUR_MS
            offers = {kind: f"{kind}-{day}" for kind in OFFER_KINDS}
            discount = {kind: draw.choice((10, 20, 40)) for kind in OFFER_KINDS}
            for place, kind in enumerate(OFFER_KINDS):
                journal.add(who, "offer_considered", at_ms + place, offer=offers[kind], kind=kind,
                            discount=discount[kind])  # fmt: skip
            kind, sent_ms = draw.choice(OFFER_KINDS), at_ms + 60_000
            journal.add(who, "email_sent", sent_ms, offer=offers[kind], kind=kind,
                        discount=discount[kind], ends_at=int(sent_ms + OFFER_VALID_MS))  # fmt: skip
            if draw.random() < _chance(-3.1 + 1.5 * liking[number][kind] + 0.04 * discount[kind]):
                click_ms = sent_ms + draw.lognormvariate(2.0, 1.2) * HOUR_MS
                journal.add(who, "email_click", click_ms, offer=offers[kind], clicked_kind=kind)
            if draw.random() < 0.4:
                journal.add(who, "shop_visit", at_ms + (2 + 8 * draw.random()) * HOUR_MS)
    return journal.until(START_MS + days * DAY_MS)


def accounts(seed: int, *, companies: int = 400, days: int = 240) -> list[Arrival]:
    """Companies whose people look around; calls and quotes come from a CRM, the night after.

    Interest comes and goes. Visits show a little of it, calls most.
    """
    draw, journal = Random(seed), _Journal()
    interest = [draw.gauss(-1.2, 1.06) for _ in range(companies)]
    people = [max(3, int(draw.lognormvariate(3.5, 1.0))) for _ in range(companies)]
    for day in range(days):
        night_ms = START_MS + (day + 1) * DAY_MS + 2 * HOUR_MS
        for number in range(companies):
            interest[number] += 0.04 * (-1.2 - interest[number]) + draw.gauss(0.0, 0.3)
            for kind, at_ms, more in _working_day(draw, day, interest[number], people[number]):
                late_ms = night_ms if kind in {"crm_call", "quote_asked"} else None
                journal.add(f"a{number}", kind, at_ms, reported_ms=late_ms, **more)
    return journal.until(START_MS + days * DAY_MS)


def _working_day(
    draw: Random, day: int, interest: float, people: int
) -> Iterator[tuple[str, float, dict[str, str | float]]]:
    """What happens with one company on one day."""
    if day % 7 > 4:
        return

    def hour() -> float:
        return START_MS + day * DAY_MS + (8 + 9 * draw.random()) * HOUR_MS

    for _ in range(_several(draw, 0.4 * exp(0.6 * interest) * log(people) / 3.5)):
        kind = "pricing_view" if draw.random() < _chance(-1.6 + 0.9 * interest) else "site_visit"
        more: dict[str, str | float] = {"contact": f"p{draw.randrange(people)}"}
        yield kind, hour(), {**more, "source": draw.choice(("search", "ad", "direct"))}
    if draw.random() < 0.08:
        outcome = "interested" if draw.random() < _chance(1.0 + 2.0 * interest) else "not_now"
        yield "crm_call", hour(), {"outcome": outcome}
    if draw.random() < _chance(-4.9 + 1.8 * interest):
        yield "demo_requested", hour(), {"employees": people}
    if draw.random() < _chance(-5.2 + 1.8 * interest):
        yield "quote_asked", hour(), {"seats": max(1, people // 3)}
