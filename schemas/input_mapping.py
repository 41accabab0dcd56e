"""Where the fields of an event are, when the sender's records are not in our form.

Owns: the paths of a mapping, and picking the fields by them.
Never: judges what it finds there.
Source: the contract, `input` of the campaign file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class InputMapping:
    """The path of each field in the sender's records: `properties.revenue`; for a CSV, a column."""

    customer_id: str = "customer_id"
    type: str = "type"
    occurred_at: str = "occurred_at"
    event_id: str | None = "event_id"
    value: str | None = "value"
    properties: str | None = "properties"

    def path(self, field: str) -> str:
        """What the sender calls one of our fields."""
        path = getattr(self, field, None)
        return path if isinstance(path, str) else field

    def pick(self, record: Mapping[str, object]) -> dict[str, object]:
        """The record under our field names; a field that is not there is left out."""
        picked: dict[str, object] = {}
        for field in fields(self):
            path = getattr(self, field.name)
            if path is None:
                continue
            found = _at(record, path)
            if found is not _ABSENT:
                picked[field.name] = found
        return picked


FORMATS: Final[Mapping[str, InputMapping]] = {
    "segment": InputMapping(
        customer_id="userId",
        type="event",
        occurred_at="timestamp",
        event_id="messageId",
        value="properties.revenue",
    ),
    "cloudevents": InputMapping(
        customer_id="subject",
        type="type",
        occurred_at="time",
        event_id="id",
        value="data.value",
        properties="data",
    ),
}
"""Where the fields are in what others have agreed on: Segment's `track` calls, and CloudEvents 1.0
in structured JSON, whose subject is the customer."""


def _at(record: Mapping[str, object], path: str) -> object:
    """What stands at the path; a key that itself holds dots goes before the path."""
    if path in record:
        return record[path]
    found: object = record
    for part in path.split("."):
        if not isinstance(found, dict) or part not in found:
            return _ABSENT
        found = found[part]
    return found
