"""Triggers: decisions to act on a customer, and what became of them.

Owns: the fields of a trigger record, their order, and their bytes.
Never: decides; models.kernel_triggers does.
Source: the contract, "Trigger".
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from schemas.score import Band, ModelOfScore, ModelRef

TriggerKind = Literal["entered", "exited", "converted"]


class TriggerScore(msgspec.Struct, gc=False):
    """The score that caused a trigger; the record of its `score_id` has the reasons."""

    score_id: str
    as_of: str
    probability: float | None
    percentile: float | None
    band: Band | None
    expected_value: float | None
    model: ModelRef


class TriggerRecord(msgspec.Struct, gc=False):
    """One record of the topics of triggers. Times are `schemas.times.format_time` of the event.

    `trigger_id` is a function of the score, the campaign and the kind; `policy` is the digest of
    the campaign's trigger section. The score of `converted` is that of `entered`.
    """

    trigger_id: str
    campaign: str
    customer_id: str
    kind: TriggerKind
    as_of: str
    expires_at: str
    score: TriggerScore
    policy: str


encode_trigger = msgspec.json.Encoder().encode
"""The bytes of a `TriggerRecord`."""

decode_trigger = msgspec.json.Decoder(TriggerRecord).decode
"""A `TriggerRecord` from its bytes; raises `msgspec.DecodeError`."""

_Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class _Contract(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class ScoreOfTrigger(_Contract):
    """The score that caused a trigger."""

    score_id: Annotated[str, Field(description="Of the score record, which has the reasons.")]
    as_of: _Time
    probability: Annotated[float, Field(ge=0, le=1)] | None
    percentile: Annotated[float, Field(ge=0, le=100)] | None
    band: Band | None
    expected_value: float | None
    model: ModelOfScore


class Trigger(_Contract):
    """A decision to act on a customer (`entered`), or what became of it."""

    trigger_id: Annotated[
        str,
        Field(
            description="A function of customer, event, campaign and kind: equal in a repeated "
            "delivery."
        ),
    ]
    campaign: str
    customer_id: Annotated[str, Field(min_length=1, max_length=128)]
    kind: TriggerKind
    as_of: _Time
    expires_at: Annotated[
        str,
        Field(
            description="Whoever reads it later than that does not act.",
            json_schema_extra={"format": "date-time"},
        ),
    ]
    score: ScoreOfTrigger
    policy: Annotated[str, Field(description="Digest of the campaign's trigger section.")]
