"""Time zones: by how much local time is ahead of UTC, and from when on.

Owns: the table of a zone's changes over all times that an event may have.
Never: the zone of the machine.
Source: the IANA Time Zone Database in the package tzdata, which a lock file holds to one version:
    the same events give the same features on every machine.
"""

from __future__ import annotations

import re
from datetime import UTC as UTC_ZONE
from datetime import datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from schemas.times import DAY_MS, TIME_MAX_MS, TIME_MIN_MS

UTC = "UTC"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,31}(/[A-Za-z0-9_+-]{1,32}){0,2}", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC_ZONE)


def is_time_zone(name: str) -> bool:
    """Whether there is a time zone of this name.

    Examples
    --------
    >>> is_time_zone("Europe/Berlin"), is_time_zone("Europe"), is_time_zone("../etc")
    (True, False, False)
    """
    return bool(_NAME.fullmatch(name)) and _zone_of(name) is not None


@lru_cache
def changes_of(name: str) -> tuple[tuple[int, int], ...]:
    """From which millisecond on local time is ahead of UTC by how many; UTC has no entry.

    The first entry is of the earliest time that an event may have. Two changes within one day are
    taken for one.

    Examples
    --------
    >>> changes_of("Europe/Berlin")[:2]
    ((946684800000, 3600000), (954032400000, 7200000))
    """
    if name == UTC:
        return ()
    zone = _zone_of(name)
    assert zone is not None, f"{name} is no time zone"
    changes = [(TIME_MIN_MS, _ahead_ms(zone, TIME_MIN_MS))]
    for day_ms in range(TIME_MIN_MS, TIME_MAX_MS, DAY_MS):
        before, after = day_ms, min(day_ms + DAY_MS, TIME_MAX_MS)
        ahead_ms = _ahead_ms(zone, after)
        if ahead_ms == changes[-1][1]:
            continue
        while after - before > 1:
            middle = (before + after) // 2
            if _ahead_ms(zone, middle) == ahead_ms:
                after = middle
            else:
                before = middle
        changes.append((after, ahead_ms))
    return tuple(changes)


def _ahead_ms(zone: ZoneInfo, at_ms: int) -> int:
    local = (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone)
    return int((local.utcoffset() or timedelta()) / timedelta(milliseconds=1))


def _zone_of(name: str) -> ZoneInfo | None:
    try:
        with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
            return ZoneInfo.from_file(file, key=name)
    except (OSError, ValueError):
        return None
