"""Times in records and times in memory.

Owns: RFC 3339 text <-> integer milliseconds since the epoch, and the years we believe.
Never: asks what time it is.
Source: RFC 3339; the calendar comes from `datetime`, the parser from msgspec.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated

import msgspec

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
MINUTE_MS = 60_000
SECOND_MS = 1_000

TIME_MIN_MS = 946_684_800_000  # 2000-01-01T00:00:00.000Z
TIME_MAX_MS = 4_133_980_799_999  # 2100-12-31T23:59:59.999Z

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_SECONDS = tuple(f"{second:02d}." for second in range(60))
_MILLISECONDS = tuple(f"{millisecond:03d}Z" for millisecond in range(1000))

TimeWithOffset = Annotated[datetime, msgspec.Meta(tz=True)]


@lru_cache(maxsize=4096)
def _minute_text(minute: int) -> str:
    """`2026-11-23T10:15:` of the minute since the epoch: events come close together."""
    moment = datetime.fromtimestamp(minute * 60, UTC)
    return f"{moment.year:04d}-{moment:%m-%dT%H:%M:}"


def format_time(time_ms: int) -> str:
    """RFC 3339 in UTC with milliseconds.

    Examples
    --------
    >>> format_time(1795428930123)
    '2026-11-23T10:15:30.123Z'
    """
    minute, rest_ms = divmod(time_ms, MINUTE_MS)
    second, millisecond = divmod(rest_ms, SECOND_MS)
    return _minute_text(minute) + _SECONDS[second] + _MILLISECONDS[millisecond]


def datetime_ms(moment: datetime) -> int:
    """Milliseconds since the epoch of an aware datetime; what is finer is cut off."""
    since = moment - EPOCH
    return since.days * DAY_MS + since.seconds * SECOND_MS + since.microseconds // 1000


def parse_time(text: str) -> int:
    """Milliseconds since the epoch of an RFC 3339 time with an offset.

    Raises
    ------
    ValueError: not such a time.

    Examples
    --------
    >>> parse_time("2026-11-23T11:15:30.123+01:00")
    1795428930123
    """
    try:
        return datetime_ms(msgspec.convert(text, type=TimeWithOffset))
    except msgspec.ValidationError as error:
        message = f"{text!r} is not an RFC 3339 time with an offset"
        raise ValueError(message) from error
