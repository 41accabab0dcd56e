"""Labels recomputed the slow and obvious way: every scored event against the whole log.

Owns: a second opinion on what the state machine of the folds decides.
Never: imports the folds, or keeps state between events.
Source: the rule: a goal counts if it stands later in the log and as_of <= occurred_at <= deadline.

Only for campaigns in which every score is an example (`example_interval: 0s`); numbers of
`where` are not looked at as texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from schemas.campaign import Campaign
from schemas.clauses import VALUE, Clause, Condition
from schemas.event import EventDecoder
from schemas.times import HOUR_MS, parse_time

PROPERTY = "property "
_BOUNDS = {"gte": "__ge__", "gt": "__gt__", "lte": "__le__", "lt": "__lt__"}


def event_table(records: Iterable[bytes]) -> pd.DataFrame:
    """Return one row per record in log order; a property `x` is the column `property x`."""
    explain = EventDecoder().explain
    rows = []
    for record in records:
        event = explain(record)
        rows.append(
            {
                "customer_id": event.customer_id,
                "type": event.type,
                "at_ms": event.occurred_at_ms,
                "event_id": event.event_id,
                "value": event.value,
                **{PROPERTY + name: found for name, found in event.properties.items()},
            }
        )
    return pd.DataFrame.from_records(rows).rename_axis("position").reset_index()


def naive_labels(
    events: pd.DataFrame, campaign: Campaign, lateness_ms: int = HOUR_MS
) -> pd.DataFrame:
    """Return `event_id`, `label` and `closed` of every scored event, in log order.

    `closed` is false where the log ends before the example can close: it is censored then.
    """
    scored, hits = _scored_and_hits(events, campaign)
    label = _first_answers(scored, events, hits, campaign)
    end_ms = events["at_ms"].max()
    return pd.DataFrame(
        {
            "event_id": scored["event_id"].to_numpy(),
            "label": label.to_numpy(),
            "closed": (scored["deadline_ms"] + lateness_ms < end_ms).to_numpy(),
        }
    )


def answer_times(
    events: pd.DataFrame, campaign: Campaign, customers_at_once: int = 200
) -> pd.Series[float]:
    """Return when each scored event's goal was first reached, NaN where it was not, by event id.

    A few customers at a time, so that a year of a whole data set fits into memory.
    """
    assert campaign.goal.lost is None, "a goal that can be lost has two answers"
    parts = [
        _first_hits(*_scored_and_hits(part, campaign))
        for _, part in events.groupby(pd.factorize(events["customer_id"])[0] // customers_at_once)
    ]
    return pd.concat(parts)


def _first_hits(scored: pd.DataFrame, hits: pd.DataFrame) -> pd.Series[float]:
    first = hits.sort_values("position_answer").groupby("position")["at_ms_answer"].first()
    return scored.set_index("event_id")["position"].map(first).astype(float)


def _scored_and_hits(events: pd.DataFrame, campaign: Campaign) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return scored events with their deadlines, and all pairs of one and a goal reached."""
    assert campaign.example_interval_ms == 0, "every score has to be an example"
    goal = campaign.goal
    scored = events[any_of(events, campaign.learn_on or campaign.score_on)].copy()
    scored["deadline_ms"] = scored["at_ms"] + campaign.horizon_ms
    if goal.until is not None:
        until = _column(scored, goal.until).map(_deadline_ms).fillna(np.inf)
        sooner = np.maximum(np.minimum(scored["deadline_ms"], until), scored["at_ms"])
        scored["deadline_ms"] = sooner.astype("int64")
    hits = _answers(scored, events[any_of(events, goal.clauses)], campaign)
    hits = hits[hits["at_ms_answer"] - hits["at_ms"] >= goal.after_ms]
    for name in goal.not_same:
        theirs, ours = _column(hits, name, "_answer"), _column(hits, name)
        hits = hits[~(theirs.notna() & (theirs == ours))]
    return scored, hits


def _first_answers(
    scored: pd.DataFrame, events: pd.DataFrame, hits: pd.DataFrame, campaign: Campaign
) -> pd.Series[float]:
    """Return each scored event's label: reached or not, or the sum of values, at least 0."""
    position = scored["position"]
    if campaign.predict == "value":
        worth = hits["value_answer"].fillna(0.0).groupby(hits["position"]).sum()
        return position.map(worth).fillna(0.0).clip(lower=0.0)
    reached = position.map(hits.groupby("position")["position_answer"].min())
    if campaign.goal.lost is None:
        return reached.notna().astype(float)
    lost = _answers(scored, events[any_of(events, [campaign.goal.lost])], campaign)
    refused = position.map(lost.groupby("position")["position_answer"].min())
    return (reached.fillna(np.inf) < refused.fillna(np.inf)).astype(float)


def _answers(scored: pd.DataFrame, found: pd.DataFrame, campaign: Campaign) -> pd.DataFrame:
    """Return every pair of a scored event and an event of `found` that may answer it."""
    by = ["customer_id", *(PROPERTY + name for name in campaign.goal.match)]
    by = [name for name in by if name in scored.columns]
    assert len(by) == 1 + len(campaign.goal.match), "a property of `match` is nowhere in the log"
    kept = {
        "position",
        "at_ms",
        "value",
        *by,
        *(PROPERTY + name for name in campaign.goal.not_same),
    }
    ours = scored[[name for name in scored if name in kept | {"deadline_ms"}]].dropna(subset=by)
    theirs = found[[name for name in found if name in kept]].dropna(subset=by)
    pairs = ours.merge(theirs, on=by, suffixes=("", "_answer"))
    inside = (
        (pairs["position_answer"] > pairs["position"])
        & (pairs["at_ms_answer"] >= pairs["at_ms"])
        & (pairs["at_ms_answer"] <= pairs["deadline_ms"])
    )
    return pairs[inside]


def any_of(events: pd.DataFrame, clauses: Iterable[Clause]) -> pd.Series[bool]:
    """Return which events one of `clauses` means."""
    meant = pd.Series(data=False, index=events.index)
    for clause in clauses:
        mask = events["type"] == clause.event
        for name, condition in clause.where.items():
            column = events["value"] if name == VALUE else _column(events, name)
            mask &= _holds(column, condition)
        meant |= mask
    return meant


def _holds(column: pd.Series[Any], condition: Condition) -> pd.Series[bool]:
    if condition.values is not None:  # noqa: PD011 - the same.
        wanted = condition.values  # noqa: PD011 - what a condition allows, not a table.
        # True equals 1 in Python; in a campaign file it does not.
        return column.map(
            lambda found: any(found == value and type(found) is type(value) for value in wanted)
        ).astype(bool)
    held = column.notna()
    numbers = pd.to_numeric(column, errors="coerce")
    for bound, comparison in _BOUNDS.items():
        limit = getattr(condition, bound)
        if limit is not None:
            held &= getattr(numbers, comparison)(limit)
    return held


def _column(table: pd.DataFrame, name: str, suffix: str = "") -> pd.Series[Any]:
    """Return the column of a property; all absent where no event has it."""
    found = table.get(PROPERTY + name + suffix)
    return pd.Series(data=None, index=table.index, dtype=object) if found is None else found


def _deadline_ms(found: object) -> float:
    """Return a deadline's milliseconds; infinite where the event has none that can be read."""
    if isinstance(found, str):
        return float(parse_time(found))
    if isinstance(found, int | float) and not np.isnan(found):
        return float(found)
    return np.inf


def rates(events: pd.DataFrame, campaigns: Mapping[str, Campaign]) -> pd.DataFrame:
    """Return rows, closed rows and positives per campaign."""
    rows = []
    for campaign in campaigns.values():
        labels = naive_labels(events, campaign)
        closed = labels[labels["closed"]]
        rows.append(
            {
                "campaign": campaign.name,
                "scored": len(labels),
                "closed": len(closed),
                "positives": int((closed["label"] > 0).sum()),
                "rate": float((closed["label"] > 0).mean()),
            }
        )
    return pd.DataFrame(rows)


def compare(labels: pd.DataFrame, examples: pd.DataFrame) -> list[str]:
    """Return every difference between naive labels and the rows of a replay, as sentences."""
    closed = labels[labels["closed"]].set_index("event_id")["label"]
    theirs = examples.set_index("event_id")["label"]
    problems = [f"{len(closed)} rows expected, {len(theirs)} found"] * (len(closed) != len(theirs))
    problems += [f"{name}: missing" for name in closed.index.difference(theirs.index)]
    problems += [f"{name}: not expected" for name in theirs.index.difference(closed.index)]
    both = closed.index.intersection(theirs.index)
    ours, found = closed.loc[both], theirs.loc[both]
    wrong = (ours - found).abs() > 1e-9 * np.maximum(1.0, ours.abs())
    problems += [
        f"{name}: label {found[name]}, expected {ours[name]}" for name in both[wrong.to_numpy()]
    ]
    return problems
