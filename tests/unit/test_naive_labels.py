"""The second opinion on labels is itself right on timelines that one can check by eye.

Owns: examples of `bench.naive_labels` and of the hand-made features.
Never: needs a data set.
Source: the rules of goals and horizons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import pandas as pd

from bench.hand_made import hand_made_features
from bench.naive_labels import answer_times, compare, event_table, naive_labels, rates
from schemas.campaign import Campaign
from schemas.campaign_file import parse_campaigns
from schemas.times import HOUR_MS, parse_time

Moment = tuple[float, str, Mapping[str, object]]
START_MS = parse_time("2026-01-01T00:00:00Z")


def campaign(goal: str, more: str = "") -> Campaign:
    """Return a campaign that scores `ask` events with a horizon of 10 hours."""
    text = f"""
version: 1
campaigns:
  c:
    goal: {goal}
    horizon: 10h
    score_on: [ask]
    example_interval: 0s
    {more}
"""
    return parse_campaigns(text).campaigns["c"]


def log(*events: Moment) -> pd.DataFrame:
    """Return a table of (hour, type, properties); `value` in properties is the event's."""
    records = []
    for index, (hour, kind, given) in enumerate(events):
        properties = dict(given)
        value = properties.pop("value", None)
        record = {
            "customer_id": str(properties.pop("customer", "a")),
            "type": kind,
            "event_id": f"{kind}{index}",
            "occurred_at": START_MS + int(hour * HOUR_MS),
            "value": value,
            "properties": properties,
        }
        records.append(msgspec.json.encode(record))
    return event_table(records)


END: Moment = (100, "end", {})


def labels(events: pd.DataFrame, of: Campaign) -> list[float]:
    """Return the labels in log order."""
    return [float(label) for label in naive_labels(events, of)["label"]]


def test_the_horizon_is_inclusive_and_the_goal_later_in_the_log() -> None:
    """A goal counts from the scored event itself to exactly ten hours after it.

    hour   0     1     10    11.001
           ask0  ask1        buy      ask1's window ends at 11
    """
    plain = campaign("{event: buy}")
    assert labels(log((0, "ask", {}), (10, "buy", {}), END), plain) == [1.0]
    assert labels(log((0, "ask", {}), (10.001, "buy", {}), END), plain) == [0.0]
    assert labels(log((0, "buy", {}), (0, "ask", {}), END), plain) == [0.0]
    assert labels(log((0, "ask", {}), (0, "buy", {}), END), plain) == [1.0]
    assert labels(log((0, "ask", {}), (1, "buy", {"customer": "b"}), END), plain) == [0.0]


def test_where_match_not_same_after_and_until_bind_the_goal() -> None:
    """Each key of the goal rules out what it should."""
    where = campaign("{event: buy, where: {d: [x], $value: {gte: 5}}}")
    asks = (0, "ask", {"k": "1"})
    goal = {"d": "x", "value": 5.0}
    assert labels(log((0, "ask", {}), (1, "buy", goal), END), where) == [1.0]
    assert labels(log((0, "ask", {}), (1, "buy", {**goal, "value": 4}), END), where) == [0.0]
    assert labels(log((0, "ask", {}), (1, "buy", {**goal, "d": "y"}), END), where) == [0.0]
    match = campaign("{event: buy, match: [k]}")
    assert labels(log((0, "ask", {"k": "1"}), (1, "buy", {"k": "1"}), END), match) == [1.0]
    assert labels(log((0, "ask", {"k": "1"}), (1, "buy", {"k": "2"}), END), match) == [0.0]
    assert labels(log((0, "ask", {}), (1, "buy", {"k": "2"}), END), match) == [0.0]
    other = campaign("{event: buy, not_same: [k]}")
    assert labels(log((0, "ask", {"k": "1"}), (1, "buy", {"k": "1"}), END), other) == [0.0]
    assert labels(log((0, "ask", {"k": "1"}), (1, "buy", {"k": "2"}), END), other) == [1.0]
    assert labels(log(asks, (1, "buy", {}), END), other) == [1.0]
    after = campaign("{event: buy, after: 1h}")
    assert labels(log((0, "ask", {}), (0.9, "buy", {}), END), after) == [0.0]
    assert labels(log((0, "ask", {}), (1, "buy", {}), END), after) == [1.0]
    until = campaign("{event: buy, until: e}")
    deadline = "2026-01-01T02:00:00Z"
    assert labels(log((0, "ask", {"e": deadline}), (2, "buy", {}), END), until) == [1.0]
    assert labels(log((0, "ask", {"e": deadline}), (2.1, "buy", {}), END), until) == [0.0]
    assert labels(log((0, "ask", {}), (9, "buy", {}), END), until) == [1.0]


def test_the_first_of_two_answers_decides_and_values_add_up() -> None:
    """`lost` before the goal is a no; `predict: value` sums what came within the horizon."""
    lost = campaign("{event: buy, lost: {event: no}}")
    assert labels(log((0, "ask", {}), (1, "no", {}), (2, "buy", {}), END), lost) == [0.0]
    assert labels(log((0, "ask", {}), (1, "buy", {}), (2, "no", {}), END), lost) == [1.0]
    worth = campaign("{event: buy}", "predict: value")
    two = log((0, "ask", {}), (1, "buy", {"value": 2.5}), (2, "buy", {"value": 4}), END)
    assert labels(two, worth) == [6.5]


def test_what_is_open_at_the_end_is_censored() -> None:
    """An example closes only when the clock has passed its deadline and the lateness."""
    plain = campaign("{event: buy}")
    at_eleven = naive_labels(log((0, "ask", {}), (11, "end", {})), plain)
    assert at_eleven["closed"].tolist() == [False]
    later = log((0, "ask", {}), (11.001, "end", {}), (11.002, "ask", {}))
    assert naive_labels(later, plain)["closed"].tolist() == [True, False]
    assert rates(later, {"c": plain})["closed"].tolist() == [1]


def test_differences_are_named() -> None:
    """A wrong label, a missing row and an unexpected one are each a sentence."""
    expected = pd.DataFrame(
        {"event_id": ["a", "b", "c"], "label": [1.0, 0.0, 1.0], "closed": [True, True, False]}
    )
    assert compare(expected, expected[:2]) == []
    found = pd.DataFrame({"event_id": ["a", "c"], "label": [0.0, 1.0]})
    said = compare(expected, found)
    assert said == ["b: missing", "c: not expected", "a: label 0.0, expected 1.0"]


def test_hand_made_features_know_only_the_past() -> None:
    """Cutting the log after the scored event changes nothing; an earlier event does."""
    plain = campaign("{event: buy}")
    events: list[Moment] = [
        (0.0, "buy", {"value": 2.0}),
        (5.0, "ask", {}),
        (6.0, "buy", {}),
        (7.0, "x", {}),
    ]
    asked = pd.Series(["ask1"])

    def seen(kept: Sequence[Moment]) -> list[float]:
        table_of = log(*kept)
        return [float(x) for x in hand_made_features(table_of, plain, asked)[0][:14]]

    whole = seen(events)
    assert seen([events[0], events[1], (7.0, "buy", {"value": 9.0}), events[3]]) == whole
    changed: list[Moment] = [(0.0, "buy", {"value": 3.0}), *events[1:]]
    assert seen(changed) != whole


def test_the_first_answer_within_the_horizon_is_found_for_every_customer() -> None:
    """It is the time of the first goal that counts, whatever other customers do meanwhile.

    hour   0     1      2     3     4     12
    a      ask0         buy2        buy4
    b            ask1         buy3
    c                                     ask6, without an answer
    """
    plain = campaign("{event: buy}")
    found = answer_times(
        log(
            (0, "ask", {}),
            (1, "ask", {"customer": "b"}),
            (2, "buy", {}),
            (3, "buy", {"customer": "b"}),
            (4, "buy", {}),
            (12, "ask", {"customer": "c"}),
            END,
        ),
        plain,
    )
    hours = (found - START_MS) / HOUR_MS
    assert hours[["ask0", "ask1"]].tolist() == [2.0, 3.0]
    assert np.isnan(hours["ask5"])
    assert list(found.index) == ["ask0", "ask1", "ask5"]


def test_answers_are_the_same_a_few_customers_at_a_time() -> None:
    """Cutting a log by customers changes no answer: labels and answers agree."""
    of = campaign("{event: buy, match: [k], not_same: [basket]}")
    draw = np.random.default_rng(3)
    events = [
        (
            float(hour),
            str(draw.choice(["ask", "buy"])),
            {
                "customer": f"c{draw.integers(9)}",
                "k": str(draw.integers(2)),
                "basket": str(hour % 3),
            },
        )
        for hour in range(300)
    ]
    table = log(*events)
    whole = answer_times(table, of)
    assert answer_times(table, of, customers_at_once=2).sort_index().equals(whole.sort_index())
    expected = naive_labels(table, of).set_index("event_id")["label"]
    assert (whole.notna() == (expected > 0.0)[whole.index]).all()
    assert 0 < whole.notna().sum() < len(whole)
