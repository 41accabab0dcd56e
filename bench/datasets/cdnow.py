"""A music shop's customers of early 1997 and everything they bought within 18 months.

Owns: how the CDNOW file becomes events.
Never: imports the package, or writes files.
Source: CDNOW_master.txt (Fader and Hardie), as packaged in lifetimes 0.11.3.

The file has days, not times. A day's orders of one customer are one purchase, stamped at
midnight UTC, so that "buys again" means another day. Times before the year 2000 are refused as
impossible, so the log begins in 2014 instead of 1997: 17 years later every date until June of
the next year falls on the same weekday.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pandas as pd

from bench.datasets.event_log import Fact, ordered
from bench.datasets.package_files import package_file

PACKAGE = "lifetimes"
YEARS_LATER = 17
CAMPAIGN_FILE = Path(__file__).with_name("cdnow.yaml")


def events(customers_max: int | None = None) -> list[Fact]:
    """Return every purchase in order; `customers_max` keeps the customers numbered first."""
    orders = pd.read_csv(
        package_file(PACKAGE, "lifetimes/datasets/CDNOW_master.txt"),
        sep=r"\s+",
        skiprows=1,
        header=None,
        names=["customer", "day", "discs", "value"],
        dtype={"customer": str, "day": str},
    )
    if customers_max is not None:
        first = sorted(orders["customer"].unique())[:customers_max]
        orders = orders[orders["customer"].isin(first)]
    purchases = orders.groupby(["day", "customer"], sort=True, as_index=False).agg(
        value=("value", "sum"), discs=("discs", "sum"), orders=("value", "size")
    )
    days = pd.to_datetime(purchases["day"], format="%Y%m%d") + pd.DateOffset(years=YEARS_LATER)
    dated = purchases.assign(at_ms=days.dt.as_unit("ms").astype("int64"))
    return ordered(
        Fact(
            cast("int", row.at_ms),
            0,
            str(row.customer),
            "purchase",
            f"purchase-{row.day}-{row.customer}",
            round(cast("float", row.value), 2),
            {"discs": cast("int", row.discs), "orders": cast("int", row.orders)},
        )
        for row in dated.itertuples(index=False)
    )
