"""The events of a seed, its settings, and the campaign files that a seed may have.

Owns: what senders send and in which order, with all that goes wrong on their side.
Never: knows of workers or of faults; the same seed sends the same bytes.
Source: docs/campaigns.md, and what docs/contract.md says of duplicates, late and broken records.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import msgspec

from consumer.partitioner import partition_of
from consumer.warm_up import plan_of
from models.plan import Plan
from schemas.campaign_file import load_campaigns
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS
from tests.simulation.control_checks import with_controls
from tests.simulation.quiet_sections import is_quiet, with_quiet
from tests.simulation.trigger_sections import HELD, section_of, with_triggers
from tests.world import BEGIN_MS, settings_with

FILES = (
    """\
version: 1
campaigns:
  buy-4h:
    for: [{last: channel, is: [app, web]}, {event: page_view, within: 2h}]
    goal: {event: purchase}
    horizon: 4h
    rate: 10%
    score_on: [page_view, cart_add]
    example_interval: 2h
    features: {categories: [channel], half_lives: [1h, 1d, all]}
  click-1h:
    goal: {none_of: [email_click]}
    horizon: 1h
    rate: 90%
    score_on: [page_view]
    example_interval: 0s
""",
    """\
version: 1
events: {ignore: [offer]}
campaigns:
  redeem:
    for:
      - {event: purchase, within: 1d}
      - {event: refusal, where: {coupon: B, $value: {gte: 100}}, never: true}
    goal: {event: purchase, match: [coupon], lost: refusal, after: 2m}
    horizon: 6h
    score_on: [page_view, offer]
    example_interval: 0s
    features: {half_lives: [1h, all], count_by: [{event: page_view, by: channel}]}
""",
    """\
version: 1
time_zone: Europe/Berlin
events: {count: [refusal], remember: [channel], ignore: [offer]}
campaigns:
  spend:
    for: [{last: coupon, is: A}]
    goal: {event: purchase}
    horizon: 3h
    predict: value
    score_on: [cart_add, {event: page_view, where: {channel: app}}]
    features: {half_lives: [1h, all], categories: [channel]}
  buy-2h:
    goal: {any_of: [{event: purchase}, {event: email_click}], lost: refusal}
    horizon: 2h
    rate: 20%
    score_on: [page_view]
    learn_on: [page_view, offer]
    example_interval: 1h
    features: {categories: [channel], half_lives: [1h, all]}
""",
)
TIMERS: tuple[dict[str, str], ...] = (
    {"buy-4h": "score_every: 40m\n    idle_max: 6h", "click-1h": "score_every: 3h"},
    {},  # Its goal has a `match`.
    {"spend": "score_every: 40m\n    idle_max: 1d", "buy-2h": "score_every: 1h"},
)
TIMED_SHARE = 0.5
ROOMY: dict[str, Any] = {}
TIGHT: dict[str, Any] = {
    "profiles_max": 6, "open_examples_max": 30, "seen_ids_max": 40, "closes_per_event_max": 3,
    "timers_per_event_max": 2,
}  # fmt: skip
KINDS = (
    *("page_view", "page_view", "page_view", "cart_add", "purchase", "email_click", "refusal"),
    "offer",
)
LATENESS_MS = 10 * MINUTE_MS
FLUSH_EVENTS = 25  # Behind the last event, so that everything that is open closes.


class Sent(NamedTuple):
    """One record of the topic of events, and behind how many ticks it is sent."""

    partition: int
    key: bytes | None
    value: bytes | None
    stamp_ms: int
    tick: int


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a seed sends, under which campaign file and limits."""

    records: list[Sent]
    partitions: int
    file: int
    tight: bool
    section: str = ""  # The trigger section of all campaigns.
    timed: bool = False
    quiet: bool = False

    @property
    def plan(self) -> Plan:
        """The compiled campaign file."""
        text = with_triggers(self.with_timers(FILES[self.file]), self.section)
        return compiled(with_quiet(text, quiet=self.quiet), tight=self.tight)

    def with_timers(self, text: str) -> str:
        """A campaign file with the timers of the seed, if it has any."""
        for name, keys in TIMERS[self.file].items() if self.timed else ():
            text = text.replace(f"  {name}:\n", f"  {name}:\n    {keys}\n")
        return text

    @property
    def limits(self) -> dict[str, Any]:
        """The bounds of the folds."""
        return limits_of(self.section, tight=self.tight)


def limits_of(text: str, *, tight: bool) -> dict[str, Any]:
    """The bounds of the folds under a campaign file, or a trigger section.

    With arms there is room for all customers: who has an open row of an arm makes none, and whether
    somebody has is up to what was served.
    """
    if not tight:
        return ROOMY
    return {
        name: most for name, most in TIGHT.items() if name != "profiles_max" or HELD not in text
    }


@cache
def compiled(text: str, *, tight: bool) -> Plan:
    """A campaign file, compiled once."""
    settings = settings_with(limits=limits_of(text, tight=tight), times={"lateness": "10m"})
    with TemporaryDirectory() as folder:
        path = Path(folder) / "campaigns.yaml"
        path.write_text(text, encoding="utf-8")
        return plan_of(load_campaigns(path), settings)


def settings_of(seed: int) -> dict[str, Any]:
    """The settings of a seed: small, so that much happens in few events."""
    draws = random.Random(f"{seed}/settings")
    return {
        "delivery": "exactly_once" if draws.random() < 0.8 else "at_least_once",
        "publish_from": "start" if draws.random() < 0.8 else "now",
        "commit_interval": draws.choice(("1ms", "50ms", "200ms", "1s")),
        "limits": {"batch_max": draws.choice((3, 6, 10, 30, 100))},
        "times": {
            "lateness": "10m", "learner_interval": draws.choice(("50ms", "300ms", "2s")),
            "skew_max": draws.choice(("10m", "1h")),
        },
        "snapshots": {"interval": draws.choice(("0s", "300ms", "1s", "4s"))},
    }  # fmt: skip


def traffic_of(seed: int) -> Traffic:
    """The events of a seed."""
    draws = random.Random(f"{seed}/traffic")
    partitions = draws.choice((1, 2, 2, 3))
    records = with_controls(seed, list(_records(draws, partitions)), partitions)
    file, tight = draws.randrange(len(FILES)), draws.random() < 0.3
    timed = random.Random(f"{seed}/timers").random() < TIMED_SHARE
    return Traffic(records, partitions, file, tight, section_of(seed), timed, is_quiet(seed))


def _records(draws: random.Random, partitions: int) -> Iterator[Sent]:
    customers = draws.randrange(2, 16)
    odds = {
        kind: draws.choice((0.0, high / 4, high))
        for kind, high in (
            ("again", 0.15), ("late", 0.15), ("poison", 0.08), ("nameless", 0.3),
            ("silence", 0.02), ("burst", 0.03),
        )
    }  # fmt: skip
    step_ms = draws.choice((MINUTE_MS, 4 * MINUTE_MS))
    at_ms, tick, burst = BEGIN_MS, 0, 0
    earlier: list[Sent] = []
    for number in range(draws.randrange(120, 360)):
        at_ms += draws.randrange(step_ms)
        if draws.random() < odds["silence"]:
            at_ms += draws.randrange(2 * DAY_MS)
        if draws.random() < odds["burst"]:
            burst = draws.randrange(80)
        burst = max(0, burst - 1)
        tick += 0 if burst else draws.random() < 0.3
        if earlier and draws.random() < odds["again"]:
            sent = draws.choice(earlier[-40:])._replace(tick=tick)
        else:
            late_ms = draws.randrange(4 * LATENESS_MS) if draws.random() < odds["late"] else 0
            name = None if draws.random() < odds["nameless"] else f"e{number}"
            customer = f"c{draws.randrange(customers)}"
            sent = _event(draws, partitions, customer, at_ms - late_ms, name, tick)
        if draws.random() < odds["poison"]:
            sent = _poisoned(draws, sent)
        earlier.append(sent)
        yield sent
    for number in range(FLUSH_EVENTS):
        at_ms += 2 * DAY_MS if number == 0 else MINUTE_MS
        for partition in range(partitions):
            customer = _customer_of(partition, partitions)
            sent = _event(draws, partitions, customer, at_ms, f"f{number}/{partition}", tick)
            yield sent


def _event(
    draws: random.Random, partitions: int, customer: str, at_ms: int, name: str | None, tick: int
) -> Sent:
    fields: dict[str, Any] = {
        "customer_id": customer,
        "type": draws.choice(KINDS),
        "occurred_at": at_ms,
        "value": draws.choice((1, 9.5, 120)),
        "properties": {
            "channel": draws.choice(("app", "web")),
            "coupon": draws.choice(("A", "B")),
        },
    }
    if name is not None:
        fields["event_id"] = name
    key = customer.encode()
    stamp_ms = at_ms + draws.randrange(HOUR_MS)
    return Sent(partition_of(key, partitions), key, msgspec.json.encode(fields), stamp_ms, tick)


def _poisoned(draws: random.Random, sent: Sent) -> Sent:
    """A record that cannot be read, or that claims to be of another customer, or of tomorrow."""
    kind = draws.randrange(4)
    if kind == 0:
        return sent._replace(value=(sent.value or b"")[: draws.randrange(40)])
    if kind == 1:
        return sent._replace(key=b"stranger")
    if kind == 2:
        return sent._replace(value=None)
    return sent._replace(stamp_ms=sent.stamp_ms - DAY_MS)


@cache
def _customer_of(partition: int, partitions: int) -> str:
    """A customer whose records go to this partition."""
    names = (f"flush{number}" for number in range(1_000))
    return next(name for name in names if partition_of(name.encode(), partitions) == partition)
