"""Triggers in the shape in which Segment tells of its audiences: track calls.

Owns: which field of a trigger stands where in a call, and its bytes.
Never: decides; models.kernel_triggers does.
Source: Segment's documentation of Engage, "Audience Entered" and "Audience Exited".
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from schemas.trigger import TriggerKind, TriggerRecord, TriggerScore, decode_trigger

_EVENTS: Final[dict[TriggerKind, str]] = {
    "entered": "Audience Entered",
    "exited": "Audience Exited",
    "converted": "Audience Converted",  # The only one that Segment has not.
}


class SegmentCall(msgspec.Struct, rename="camel", gc=False):
    """A track call; its properties have the audience as a key that says who is in it."""

    type: str
    event: str
    user_id: str
    message_id: str
    timestamp: str
    properties: dict[str, Any]


class _Told(msgspec.Struct):
    """What the properties say besides, in our words."""

    audience_key: str
    kind: TriggerKind
    expires_at: str
    score: TriggerScore
    policy: str


def encode_segment(trigger: TriggerRecord) -> bytes:
    """The call of a trigger."""
    told = _Told(trigger.campaign, trigger.kind, trigger.expires_at, trigger.score, trigger.policy)
    return msgspec.json.encode(
        SegmentCall(
            type="track",
            event=_EVENTS[trigger.kind],
            user_id=trigger.customer_id,
            message_id=trigger.trigger_id,
            timestamp=trigger.as_of,
            # A campaign that is called like a word of ours is told by its `audience_key` alone.
            properties={
                trigger.campaign: trigger.kind != "exited",
                **{name: getattr(told, name) for name in told.__struct_fields__},
            },
        )
    )


_decode_call = msgspec.json.Decoder(SegmentCall).decode


def decode_any(value: bytes) -> TriggerRecord:
    """The trigger of a record, in whichever shape it is.

    Raises
    ------
    msgspec.DecodeError: it has neither.
    """
    try:
        return decode_trigger(value)
    except msgspec.ValidationError:
        call = _decode_call(value)
    told = msgspec.convert(call.properties, _Told)
    return TriggerRecord(
        trigger_id=call.message_id,
        campaign=told.audience_key,
        customer_id=call.user_id,
        kind=told.kind,
        as_of=call.timestamp,
        expires_at=told.expires_at,
        score=told.score,
        policy=told.policy,
    )
