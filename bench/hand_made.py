"""What an analyst would compute for a scored event: counts, sums and recency in windows.

Owns: the hand-made features of the batch model that ours is compared with.
Never: looks at an event after the scored one.
Source: recency, frequency, monetary value, as usual in customer analytics.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.naive_labels import PROPERTY, any_of
from schemas.campaign import Campaign
from schemas.times import DAY_MS, HOUR_MS

WINDOWS_DAYS = (1, 7, 30, 90, 400)
RECENCY_DAYS_MAX = 400.0
SHARE_MIN = 0.01  # Rarer values of `count_by` get no column: they only fit noise.
COUNT_BY_DAYS = 90


def hand_made_features(
    events: pd.DataFrame, campaign: Campaign, event_ids: pd.Series[str]
) -> NDArray[np.float64]:
    """Return a matrix with a row for each of `event_ids`: what was known at that event."""
    order = pd.Series(events.index, index=events["event_id"])
    scored = events.loc[order.loc[event_ids].to_numpy()]
    streams = {str(kind): events["type"] == kind for kind in sorted(events["type"].unique())}
    streams["goal"] = any_of(events, campaign.goal.clauses)
    columns: list[NDArray[np.float64]] = []
    for meant in streams.values():
        columns += _stream(events[meant], scored, WINDOWS_DAYS)
    for count_by in campaign.features.count_by:
        counted = events[events["type"] == count_by.event]
        by = counted[PROPERTY + count_by.by]
        shares = by.value_counts(normalize=True)
        for value in sorted(shares[shares >= SHARE_MIN].index):
            columns.append(_stream(counted[by == value], scored, (COUNT_BY_DAYS,))[0])
    first = events.groupby("customer_id")["at_ms"].min()
    tenure_ms = scored["at_ms"].to_numpy() - first.loc[scored["customer_id"]].to_numpy()
    columns.append(_log(tenure_ms / DAY_MS))
    hour = (scored["at_ms"].to_numpy() / HOUR_MS) * (2 * np.pi / 24)
    week = (scored["at_ms"].to_numpy() / DAY_MS) * (2 * np.pi / 7)
    columns += [np.sin(hour), np.cos(hour), np.sin(week), np.cos(week)]
    columns.append(_log(scored["value"].fillna(0.0).to_numpy()))
    for name in (*campaign.features.numbers, *campaign.features.categories):
        found = scored.get(PROPERTY + name)
        if found is None:
            continue
        if name in campaign.features.numbers:
            columns.append(_log(pd.to_numeric(found, errors="coerce").fillna(0.0).to_numpy()))
        else:
            columns += [(found == value).to_numpy(float) for value in found.dropna().unique()]
    return np.column_stack(columns)


def _stream(
    stream: pd.DataFrame, scored: pd.DataFrame, windows_days: tuple[int, ...]
) -> list[NDArray[np.float64]]:
    """Return counts and sums of a stream's events within each window, recency and last gap."""
    customers = pd.Index(pd.concat([stream["customer_id"], scored["customer_id"]]).unique())
    span = 1 << 42  # More milliseconds than a log is long: one sorted axis for all customers.
    position = customers.get_indexer(pd.Index(stream["customer_id"])) * span
    ordered = stream.assign(axis=position + stream["at_ms"]).sort_values("axis", kind="stable")
    axis = ordered["axis"].to_numpy()
    sums = np.concatenate([[0.0], np.cumsum(ordered["value"].fillna(0.0).to_numpy())])
    own = customers.get_indexer(pd.Index(scored["customer_id"])) * span
    now = own + scored["at_ms"].to_numpy()
    end = np.searchsorted(axis, now, side="right")
    columns = []
    for days in windows_days:
        start = np.searchsorted(axis, np.maximum(now - days * DAY_MS, own), side="left")
        columns += [_log((end - start).astype(float)), _log(sums[end] - sums[start])]
    last = np.where(end > 0, axis[np.maximum(end - 1, 0)] if len(axis) else 0, 0)
    ago = np.where((end > 0) & (last >= own), (now - last) / DAY_MS, RECENCY_DAYS_MAX)
    before = np.where(end > 1, axis[np.maximum(end - 2, 0)] if len(axis) else 0, 0)
    gap = np.where((end > 1) & (before >= own), (last - before) / DAY_MS, RECENCY_DAYS_MAX)
    columns += [_log(np.minimum(ago, RECENCY_DAYS_MAX)), _log(np.minimum(gap, RECENCY_DAYS_MAX))]
    return columns


def _log(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    logged: NDArray[np.float64] = np.sign(numbers) * np.log1p(np.abs(numbers))
    return logged
