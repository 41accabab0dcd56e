"""Local time: the table of a zone's changes against Python's own, and its end in the features.

Owns: every zone and moment that an event may have.
Never: the machine's zone.
Source: the IANA Time Zone Database.
"""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime
from importlib.resources import files
from zoneinfo import ZoneInfo

import pytest

from models.kernel_profile import local_time
from models.plan import compile_plan
from schemas.campaign_file import parse_campaigns
from schemas.time_zones import changes_of, is_time_zone
from schemas.times import HOUR_MS, TIME_MAX_MS, TIME_MIN_MS, parse_time
from tests.event_logs import LoggedEvent, closing, rows_of

ZONES = ("UTC", "Etc/UTC", "Europe/Berlin", "America/St_Johns", "Africa/Casablanca",
         "Australia/Lord_Howe", "Pacific/Apia", "America/Argentina/Ushuaia")  # fmt: skip
FILE = """\
version: 1
time_zone: Europe/Berlin
campaigns:
  a: {goal: {event: buy}, horizon: 1h, score_on: [view], example_interval: 0s}
"""


def ahead_ms(zone: str, at_ms: int) -> int:
    """By how much Python says that a zone is ahead, of the package's data and not the machine's."""
    with files("tzdata").joinpath("zoneinfo", *zone.split("/")).open("rb") as file:
        local = datetime.fromtimestamp(at_ms // 1000, ZoneInfo.from_file(file))
    return round((local.utcoffset() or (local - local)).total_seconds() * 1000)


@pytest.mark.parametrize("zone", ZONES)
def test_the_compiled_loop_knows_local_time(zone: str) -> None:
    """At any moment and around each change, to the millisecond."""
    assert is_time_zone(zone)
    arrays = compile_plan(parse_campaigns(FILE.replace("Europe/Berlin", zone))).arrays
    draws = random.Random(zone)
    moments = [draws.randrange(TIME_MIN_MS, TIME_MAX_MS) for _ in range(500)]
    for from_ms, _ in changes_of(zone):
        moments += [max(TIME_MIN_MS, from_ms - 1), from_ms]
    for at_ms in [*moments, TIME_MIN_MS, TIME_MAX_MS]:
        assert local_time(arrays, at_ms) - at_ms == ahead_ms(zone, at_ms), (zone, at_ms)


def test_what_is_no_zone() -> None:
    """Names of nothing, of folders and of files beside the zones."""
    names = ("", "Europe", "Europe/Berlin ", "../UTC", "/etc/localtime", "zone.tab", "CET/CEST",
             "__init__", "Mars/Olympus", "é")  # fmt: skip
    assert not any(map(is_time_zone, names))


def test_the_hour_follows_the_summer() -> None:
    """Six in the evening is that in winter and in summer; midnight is of the local day."""
    times = ("2026-03-28T17:00:00Z", "2026-03-29T16:00:00Z", "2026-03-29T22:30:00Z")
    moments = [parse_time(text) for text in times]
    events = [LoggedEvent("ann", "view", at_ms, f"e{index}") for index, at_ms in enumerate(moments)]
    events += closing(moments[-1] + HOUR_MS, len(events))
    evening, summer, night = (
        row.features for row in rows_of(compile_plan(parse_campaigns(FILE)), events)
    )
    assert evening["hour sin"] == summer["hour sin"] == -1.0
    assert night["hour sin"] == pytest.approx(math.sin(math.tau * 0.5 / 24), abs=1e-5)
    assert datetime.fromtimestamp(moments[2] / 1000, UTC).weekday() == 6
    assert "weekday sin" not in night, "it is Monday there"
