"""What is read from an event's `value` and `properties`, and what is ignored there.

Owns: the rules that turn whatever a sender put there into numbers, texts and booleans.
Never: refuses a record: only the envelope can do that.
Source: the contract, "Event".
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from math import inf, isfinite, isnan, nan
from typing import Literal

PROPERTIES_MAX = 64
PROPERTY_CHARACTERS_MAX = 256
VALUE_MAX = 1e9

PropertyValue = str | float | bool

Ignored = Literal[
    "value_not_a_number",
    "value_not_finite",
    "value_clipped",
    "properties_not_an_object",
    "property_nested",
    "property_not_finite",
    "property_too_long",
    "property_not_text",
    "property_beyond_the_last",
]
"""What was ignored or clipped, in few enough words to be a label of a counter."""


def clean_value(raw: object, value_max: float = VALUE_MAX) -> tuple[float, Ignored | None]:
    """The event's value; NaN when it has none, or none that can be read.

    Examples
    --------
    >>> clean_value("12.5"), clean_value(1e300), clean_value(None)
    ((12.5, None), (1000000000.0, 'value_clipped'), (nan, None))
    """
    if raw is None:
        return nan, None
    number = _number(raw)
    if number is None:
        return nan, "value_not_a_number"
    if -value_max <= number <= value_max:
        return number, None
    if isnan(number):
        return nan, "value_not_finite"
    return (value_max if number > 0 else -value_max), "value_clipped"


def clean_property(raw: object) -> tuple[PropertyValue | None, Ignored | None]:
    """One property; None when it is absent (null) or cannot be used, and why not."""
    if isinstance(raw, str):
        if len(raw) > PROPERTY_CHARACTERS_MAX:
            return None, "property_too_long"
        if not raw.isascii() and not is_text(raw):
            return None, "property_not_text"
        return raw, None
    if raw is None or isinstance(raw, bool):
        return raw, None
    number = _number(raw)
    if number is None:
        return None, "property_nested"
    if not isfinite(number):
        return None, "property_not_finite"
    return number, None


def clean_number(raw: object) -> float:
    """A property where a number is declared: a numeric text is read, anything else is NaN."""
    number = _number(raw)
    return number if number is not None and isfinite(number) else nan


def bounded_properties(raw: object) -> tuple[Mapping[str, object], Ignored | None]:
    """The first 64 properties as they came; none if `properties` is not an object.

    The common case copies nothing. Pick the properties that are needed from it, and pass
    each through `clean_property` or `clean_number`.
    """
    if isinstance(raw, dict):
        if len(raw) <= PROPERTIES_MAX:
            return raw, None
        return dict(islice(raw.items(), PROPERTIES_MAX)), "property_beyond_the_last"
    return {}, None if raw is None else "properties_not_an_object"


def clean_properties(
    raw: object,
) -> tuple[dict[str, PropertyValue], list[tuple[str, Ignored]]]:
    """All usable properties, and (name, reason) of each that was ignored."""
    properties, reason = bounded_properties(raw)
    ignored: list[tuple[str, Ignored]] = []
    if reason == "properties_not_an_object":
        ignored.append(("properties", reason))
    elif reason is not None and isinstance(raw, dict):
        ignored.extend((name, reason) for name in islice(raw, PROPERTIES_MAX, None))
    clean: dict[str, PropertyValue] = {}
    for name, found in properties.items():
        value, why = clean_property(found) if is_text(name) else (None, "property_not_text")
        if why is not None:
            ignored.append((name, why))
        elif value is not None:
            clean[name] = value
    return clean, ignored


def text_of_value(value: PropertyValue) -> str:
    """A property's value as the text that names it: 3.0 and 3 are one value.

    Examples
    --------
    >>> text_of_value("app"), text_of_value(3.0), text_of_value(True)
    ('app', '3', 'true')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.15g}"


def is_text(text: str) -> bool:
    """Whether UTF-8 can carry it: half a surrogate pair is not a character."""
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _number(raw: object) -> float | None:
    """The number, infinite where no float holds it; None if it is none."""
    if isinstance(raw, float):
        return raw
    if isinstance(raw, bool):
        return None
    if isinstance(raw, int):
        try:
            return float(raw)
        except OverflowError:
            return inf if raw > 0 else -inf
    if isinstance(raw, str) and "_" not in raw and len(raw) <= PROPERTY_CHARACTERS_MAX:
        try:
            return float(raw)
        except ValueError:
            return None
    return None
