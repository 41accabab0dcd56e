"""Durations as people write them: `30s`, `5m`, `1h`, `7d`, and `50ms` in settings.

Owns: text <-> milliseconds.
Never: accepts a bare number: nobody knows its unit.
Source: the contract, "Campaign file" and "Settings file".
"""

from __future__ import annotations

import re

ALLOWED = "a duration such as 30s, 5m, 1h or 7d"

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)", re.ASCII)


def parse_duration(text: str) -> int:
    """Milliseconds of a duration.

    Raises
    ------
    ValueError: not a duration.

    Examples
    --------
    >>> parse_duration("7d"), parse_duration("50ms")
    (604800000, 50)
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        message = f"{text!r} is not {ALLOWED}"
        raise ValueError(message)
    return int(match[1]) * _UNITS_MS[match[2]]


def format_duration(duration_ms: int) -> str:
    """The shortest way to write a duration.

    Examples
    --------
    >>> format_duration(604800000), format_duration(90000), format_duration(0)
    ('7d', '90s', '0s')
    """
    if duration_ms == 0:
        return "0s"
    for unit in ("d", "h", "m", "s"):
        if duration_ms % _UNITS_MS[unit] == 0:
            return f"{duration_ms // _UNITS_MS[unit]}{unit}"
    return f"{duration_ms}ms"
