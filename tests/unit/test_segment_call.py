"""Triggers as Segment's track calls.

Owns: where each field stands, and that the same trigger can be read from either shape.
Never: what is decided.
Source: docs/contract.md, "Trigger".
"""

from __future__ import annotations

import json

import msgspec
import pytest

from schemas.score import ModelRef
from schemas.segment_call import decode_any, encode_segment
from schemas.trigger import TriggerKind, TriggerRecord, TriggerScore, encode_trigger

SCORE = TriggerScore(
    "8f2f6b", "2026-11-23T10:15:30.123Z", 0.0337, 97.5, "high", None,
    ModelRef("3f9a", "champion", 1234, "5f3a"),
)  # fmt: skip


def trigger(kind: TriggerKind, campaign: str = "buy-7d") -> TriggerRecord:
    """A trigger of this kind."""
    return TriggerRecord(
        "b51c9a", campaign, "c17", kind, "2026-11-23T10:15:30.123Z", "2026-11-23T11:15:30.123Z",
        SCORE, "77d0",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "event", "is_in"),
    [
        ("entered", "Audience Entered", True),
        ("exited", "Audience Exited", False),
        ("converted", "Audience Converted", True),
    ],
)
def test_a_trigger_is_a_call(kind: TriggerKind, event: str, is_in: bool) -> None:
    """The envelope is Segment's; what only we know is among the properties."""
    assert json.loads(encode_segment(trigger(kind))) == {
        "type": "track",
        "event": event,
        "userId": "c17",
        "messageId": "b51c9a",
        "timestamp": "2026-11-23T10:15:30.123Z",
        "properties": {
            "audience_key": "buy-7d",
            "buy-7d": is_in,
            "kind": kind,
            "expires_at": "2026-11-23T11:15:30.123Z",
            "score": msgspec.to_builtins(SCORE),
            "policy": "77d0",
        },
    }


@pytest.mark.parametrize("campaign", ["buy-7d", "score", "kind"])
def test_both_shapes_are_read(campaign: str) -> None:
    """Also of a campaign that is called like one of the properties."""
    given = trigger("entered", campaign)
    assert decode_any(encode_segment(given)) == given
    assert decode_any(encode_trigger(given)) == given
