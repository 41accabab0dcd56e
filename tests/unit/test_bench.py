"""The bench measures what it says: one seeded log, and rivals that do the whole task.

Owns: what makes the comparison fair.
Never: a broker, or a duration.
Source: bench/README.md.
"""

from __future__ import annotations

import json
from collections import Counter

import pytest

from bench.cluster import WrongOutputError, event_number
from bench.obvious import ObviousScorer
from bench.table import spread
from bench.workload import GOAL, HORIZON_MS, LATENESS_MS, RATE, TYPES, make_workload


def test_the_log_is_seeded_and_as_described() -> None:
    """Six types, about 212 bytes an event, ordered, and the same bytes every time."""
    log = make_workload(5_000)
    assert log == make_workload(5_000)
    events = [json.loads(value) for value in log.values]
    assert [event["event_id"] for event in events] == [f"e{n:07d}" for n in range(5_000)]
    times = [event["occurred_at"] for event in events]
    assert times == sorted(times)
    assert set(Counter(event["type"] for event in events)) == set(TYPES)
    assert 205 <= sum(map(len, log.values)) / len(log) <= 220
    assert [event["customer_id"].encode() for event in events] == log.keys


def event(number: int, customer: str, kind: str, hour: float) -> bytes:
    """Return an event so many hours after the start of 2025."""
    at_ms = 1_735_689_600_000 + int(hour * 3_600_000)
    return json.dumps(
        {"event_id": f"e{number}", "customer_id": customer, "type": kind, "occurred_at": at_ms}
    ).encode()


def test_the_obvious_function_learns_each_example_once_when_it_is_due() -> None:
    """One example per customer and horizon, with its label, after horizon and lateness.

    c1:  view --- buy(2h) -------------------- view(200h) ...   one example of label 1, learned
    c2:  view ------------- buy(100h, late) -- ...              label 0, then one from 100 h on
    """
    scorer = ObviousScorer(GOAL, HORIZON_MS, LATENESS_MS, RATE)
    log = [
        event(0, "c1", "page_view", 0.0),
        event(1, "c2", "page_view", 1.0),
        event(2, "c1", GOAL, 2.0),
        event(3, "c2", GOAL, 100.0),
        event(4, "c1", "page_view", 200.0),
    ]
    scores = [json.loads(scorer.score(value)) for value in log]
    assert (scorer.learned, scorer.positives) == (3, 1)
    assert [score["model"]["version"] for score in scores] == [0, 0, 0, 2, 3]
    assert [score["event_id"] for score in scores] == [f"e{n}" for n in range(5)]
    assert all(0.0 < score["scores"][0]["probability"] < 1.0 for score in scores)


def test_the_obvious_function_has_27_features() -> None:
    """As many as the comparison says."""
    scorer = ObviousScorer(GOAL, HORIZON_MS, LATENESS_MS, RATE)
    scorer.score(event(0, "c1", "page_view", 0.0))
    assert len(scorer.waiting[0][2]) == 27


def test_outputs_are_told_apart_by_their_event() -> None:
    """The event's number is found with and without spaces, and its absence is an error."""
    assert event_number(b'{"event_id":"e0000042"}') == 42
    assert event_number(b'{"event_id": "e7", "x": 1}') == 7
    with pytest.raises(WrongOutputError, match="no event_id"):
        event_number(b"{}")


def test_a_spread_shows_the_range_of_several_rounds() -> None:
    """One round has no range."""
    assert spread([3.0]) == "3"
    assert spread([1_000.0, 3_000.0, 2_000.0]) == "2,000 (1,000 to 3,000)"
