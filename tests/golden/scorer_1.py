"""The golden state of a scorer, format 1, and how it was made: `python -m tests.golden.scorer_1`.

Owns: the events and the campaign file behind the snapshot in tests/golden/scorer-1.
Never: changes; a new format gets a golden state of its own beside this one.
Source: ARCHITECTURE.md, "Snapshots".
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from consumer.clock import FixedClock
from consumer.snapshots.beside import Inline
from consumer.snapshots.local_folder import LocalFolder
from consumer.snapshots.manifest import Moment
from consumer.snapshots.snapshots import Snapshots
from consumer.snapshots.writing import Written
from models.plan import Limits, Plan, compile_plan
from models.scorer import Scorer
from schemas.campaign_file import parse_campaigns
from schemas.times import DAY_MS, HOUR_MS
from tests.event_logs import START_MS, LoggedEvent, records_of

FOLDER: Final = Path(__file__).parent / "scorer-1"
GROUP: Final = "shop"
TAKEN: Final = 60
"""So many events are in the state; those behind them close what it holds open."""
CAMPAIGNS: Final = """\
version: 1
events: {count: [search], remember: [plan]}
campaigns:
  buy-1d:
    goal: {event: purchase, where: {department: [garden, DELI]}}
    horizon: 1d
    rate: 10%
    score_on: [page_view, {event: cart_add, where: {channel: [app]}}]
    example_interval: 6h
    features: {categories: [channel, plan], numbers: [price], crosses: [[channel, plan]],
               count_by: [{event: purchase, by: department}]}
  answer:
    goal: {event: coupon_used, match: [coupon], lost: {event: coupon_refused}}
    horizon: 3d
    score_on: [coupon_sent]
  spend-2d:
    goal: {event: purchase, after: 10m, not_same: [basket]}
    horizon: 2d
    predict: value
    score_on: [page_view]
    learner: bayesian_linear
    example_interval: 0s
"""
_TYPES: Final = ("page_view", "cart_add", "purchase", "coupon_sent", "search", "coupon_used")


def golden_plan() -> Plan:
    """The plan of the file."""
    return compile_plan(parse_campaigns(CAMPAIGNS), Limits(seen_ids_max=500, profiles_max=100))


def golden_events() -> list[LoggedEvent]:
    """Two hundred events of nine customers over eight days, with repeated and late ones."""
    events = []
    for number in range(200):
        late_ms = 2 * HOUR_MS if number % 17 == 0 else 0
        event = LoggedEvent(
            customer="ünï" if number % 9 == 0 else f"c{number % 9}",
            type=_TYPES[number * 7 % 11 % 6],
            at_ms=START_MS + number * DAY_MS // 25 - late_ms,
            event_id=f"e{number - number % 13 // 12}",
            value=None if number % 3 else 2.5 * (number % 7),
            properties={
                "channel": ("app", "web", "shop")[number % 3],
                "plan": "gold" if number % 5 else "basic",
                "department": ("garden", "DELI", "toys")[number % 4 % 3],
                "coupon": f"k{number % 2}",
                "basket": f"b{number // 4}",
                "price": 9.99 * (number % 6),
            },
        )
        events.append(event)
    return events


def folded(scorer: Scorer, first: int, stop: int) -> list[bytes]:
    """Fold events of the log, and give the rows that leave."""
    records = records_of(golden_events()).cut(first, stop)
    out = scorer.fold(records.offsets, records.timestamps_ms, records.keys, records.values)
    return list(out.rows.values)


def golden_snapshots() -> Snapshots:
    """The snapshots of the golden folder."""
    return Snapshots(LocalFolder(FOLDER), GROUP, Inline(), FixedClock())


def main() -> None:
    """Write the folder."""
    scorer = Scorer(golden_plan())
    folded(scorer, 0, TAKEN)
    snapshots = golden_snapshots()
    moment = Moment(topic="customer-events", partition=0, next_offset=TAKEN)
    snapshots.begin(moment, scorer.lift())
    assert isinstance(snapshots.finish(), Written)


if __name__ == "__main__":
    main()
