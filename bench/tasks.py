"""The questions by which the product is judged, and when their test rows were scored.

Owns: which campaign of which data set, and the split.
Never: anything of how a campaign is asked; that stands in the data set's campaign file.
Source: the years of both data sets: what lies before the split is history to learn from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from schemas.times import parse_time


@dataclass(frozen=True)
class Task:
    """A campaign of a data set, what it asks, and when its test rows were scored."""

    dataset: str
    campaign: str
    asks: str
    start_ms: int
    end_ms: int


_GROCER: Final = (
    parse_time("2017-10-01T00:00:00-04:00"),
    parse_time("2018-01-01T00:00:00-05:00"),
)
# The data set's own 1997-10-01, moved with it.
_MUSIC_SHOP: Final = (parse_time("2014-10-01T00:00:00Z"), parse_time("2015-07-01T00:00:00Z"))

TASKS: Final = (
    Task("completejourney", "deli-7d", "DELI within 7 d", *_GROCER),
    Task("completejourney", "drug-gm-7d", "DRUG GM within 7 d", *_GROCER),
    Task("completejourney", "cosmetics-7d", "COSMETICS within 7 d", *_GROCER),
    Task("completejourney", "any-basket-7d", "any basket within 7 d", *_GROCER),
    Task("completejourney", "redeem-7d", "a coupon redeemed within 7 d", *_GROCER),
    Task("completejourney", "redeem-mailing", "redeemed after a mailing", *_GROCER),
    Task("cdnow", "again-30d", "CDNOW again within 30 d", *_MUSIC_SHOP),
    Task("cdnow", "spend-30d", "CDNOW spent within 30 d", *_MUSIC_SHOP),
)


def in_split(rows: pd.DataFrame, task: Task) -> NDArray[np.bool_]:
    """Return which rows were scored within the test split."""
    as_of = rows["as_of_ms"].to_numpy()
    chosen: NDArray[np.bool_] = (as_of >= task.start_ms) & (as_of < task.end_ms)
    return chosen
