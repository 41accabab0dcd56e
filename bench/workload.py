"""The seeded log that every contestant reads: six event types, skewed customers, sessions.

Owns: the bytes of the measured events, and the campaign that is asked about them.
Never: a contestant's own shape of these events.
Source: none; 212 bytes an event, as measured on a shop's clickstream.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

SEED: Final = 20_251
CUSTOMERS_COUNT: Final = 24_000
DAYS: Final = 30
START_MS: Final = 1_740_787_200_000  # 2025-03-01T00:00Z
DAY_MS: Final = 86_400_000
SESSION_EVENTS_MAX: Final = 24
SESSION_EVENTS_MEAN: Final = 5.0

TYPES: Final = ("page_view", "search", "cart_add", "purchase", "email_open", "email_click")
GOAL: Final = "purchase"
HORIZON_MS: Final = 3 * DAY_MS
LATENESS_MS: Final = 3_600_000
RATE: Final = 0.15

CAMPAIGN: Final = f"""\
version: 1
campaigns:
  buy-3d:
    goal: {{event: {GOAL}}}
    horizon: 3d
    rate: 15%
    score_on: [{", ".join(TYPES)}]
"""

_CHANNELS: Final = ("app", "web")
_DEVICES: Final = ("mobile", "desktop", "tablet")
_COUNTRIES: Final = ("DE", "AT", "CH", "FR", "IT", "NL")


@dataclass(frozen=True)
class Workload:
    """One log as parallel lists, ordered by event time."""

    keys: list[bytes]
    values: list[bytes]

    def __len__(self) -> int:
        return len(self.values)

    def part(self, start: int, stop: int) -> Workload:
        """Return the events `start`..`stop` - 1."""
        return Workload(self.keys[start:stop], self.values[start:stop])

    def slices(self, rows: int) -> Iterator[tuple[list[bytes], list[bytes]]]:
        """Yield keys and values, `rows` at a time."""
        for start in range(0, len(self), rows):
            yield self.keys[start : start + rows], self.values[start : start + rows]


def make_workload(events_count: int, seed: int = SEED) -> Workload:
    """Return a log of exactly `events_count` events over `DAYS` days of event time."""
    draw = np.random.default_rng(seed)
    at_ms, customer, kind = _sessions(draw, events_count)
    value = np.round(draw.lognormal(3.2, 0.7, events_count), 2)
    price = np.round(draw.lognormal(3.4, 0.6, events_count), 2)
    channel = draw.integers(len(_CHANNELS), size=CUSTOMERS_COUNT)
    device = draw.integers(len(_DEVICES), size=CUSTOMERS_COUNT)
    country = draw.integers(len(_COUNTRIES), size=CUSTOMERS_COUNT)
    keys, values = [], []
    stamps = np.datetime_as_string(at_ms.astype("datetime64[ms]")).tolist()
    rows = zip(
        customer.tolist(), kind.tolist(), stamps, value.tolist(), price.tolist(), strict=True
    )
    for number, (who, what, stamp, worth, cost) in enumerate(rows):
        name = TYPES[what]
        worth_text = f'"value":{worth},' if name in {"cart_add", GOAL} else ""
        keys.append(b"c%06d" % who)
        values.append(
            f'{{"event_id":"e{number:07d}","customer_id":"c{who:06d}","type":"{name}",'
            f'"occurred_at":"{stamp}Z",{worth_text}"properties":{{'
            f'"channel":"{_CHANNELS[channel[who]]}","device":"{_DEVICES[device[who]]}",'
            f'"country":"{_COUNTRIES[country[who]]}","price":{cost},'
            f'"department":"garden"}}}}'.encode()
        )
    return Workload(keys, values)


def _sessions(
    draw: np.random.Generator, events_count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return time, customer and type of `events_count` events, ordered by time."""
    sessions_count = int(events_count / SESSION_EVENTS_MEAN * 1.2) + 100
    activity = draw.lognormal(0.0, 1.0, CUSTOMERS_COUNT)
    eagerness = draw.normal(-3.2, 1.0, CUSTOMERS_COUNT)
    customer = draw.choice(CUSTOMERS_COUNT, sessions_count, p=activity / activity.sum())
    length = np.minimum(draw.geometric(1 / SESSION_EVENTS_MEAN, sessions_count), SESSION_EVENTS_MAX)
    day = draw.integers(DAYS, size=sessions_count)
    hour = draw.triangular(0.0, 19.0, 24.0, sessions_count)
    at_ms = START_MS + day * DAY_MS + (hour * 3_600_000).astype(np.int64)
    carts = np.zeros(sessions_count)
    times, people, kinds = [], [], []
    for position in range(SESSION_EVENTS_MAX):
        open_ = length > position
        uniform = draw.random(sessions_count)
        buys = draw.random(sessions_count) < 1 / (1 + np.exp(-eagerness[customer] - carts))
        kind = np.searchsorted((0.68, 0.82, 0.97, 0.971, 0.99, 1.0), uniform)
        kind = np.where(buys & (position > 0), TYPES.index(GOAL), kind).astype(np.int64)
        carts += kind == TYPES.index("cart_add")
        times.append(at_ms[open_])
        people.append(customer[open_])
        kinds.append(kind[open_])
        at_ms = at_ms + draw.exponential(40_000.0, sessions_count).astype(np.int64) + 1_000
    order = np.argsort(np.concatenate(times), kind="stable")
    assert len(order) >= events_count, "sessions are drawn with a fifth to spare"
    chosen = np.sort(draw.permutation(len(order))[:events_count])
    order = order[chosen]
    return (
        np.concatenate(times)[order],
        np.concatenate(people)[order],
        np.concatenate(kinds)[order],
    )
