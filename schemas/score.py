"""Scores: what we say of a customer, once per scored event.

Owns: the fields of a score record, their order, and their bytes.
Never: computes one.
Source: the contract, "Score".
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

REASONS_MAX = 3

Cause = Literal["event", "timer"]
Band = Literal["low", "medium", "high"]
ScoreStatus = Literal["warming", "ready", "unreliable", "paused", "catching_up"]


class ModelRef(msgspec.Struct, frozen=True, gc=False):
    """Which model scored: `version` is the number of rows it had learned."""

    lineage: str
    learner: str
    version: int
    features: str


class Reason(msgspec.Struct, gc=False):
    """What one source (an event type or a property) added to the logit, or to the value."""

    source: str
    contribution: float


class ScoreEntry(msgspec.Struct, gc=False, omit_defaults=True):
    """One campaign's score; `baseline + Σ contribution + other_reasons` is its logit.

    For `predict: value`, `probability` is that of any value; where the learner is no hurdle, it is
    null and the sum is `expected_value`. `experts` is what each expert of a mixture said, where the
    score opened an example.
    """

    campaign: str
    horizon_ms: int
    probability: float | None
    percentile: float | None
    band: Band | None
    expected_value: float | None
    status: ScoreStatus
    reasons: list[Reason]
    other_reasons: float
    baseline: float
    model: ModelRef
    experts: dict[str, float] = {}


class Source(msgspec.Struct, gc=False):
    """Where in the log the scored event stands."""

    topic: str
    partition: int
    offset: int


class ScoreRecord(msgspec.Struct, gc=False):
    """One record of the score topic. `as_of` is `schemas.times.format_time` of the event."""

    score_id: str
    customer_id: str
    event_id: str | None
    cause: Cause
    as_of: str
    source: Source
    scores: list[ScoreEntry]


encode_score = msgspec.json.Encoder().encode
"""The bytes of a `ScoreRecord`."""

decode_score = msgspec.json.Decoder(ScoreRecord).decode
"""A `ScoreRecord` from its bytes; raises `msgspec.DecodeError`."""


class _Contract(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class ModelOfScore(_Contract):
    """Which model scored."""

    lineage: str
    learner: str
    version: Annotated[int, Field(ge=0, description="Rows that the model had learned.")]
    features: Annotated[str, Field(description="Digest of the feature columns.")]


class ReasonOfScore(_Contract):
    """What one source added."""

    source: Annotated[str, Field(description="An event type or a property.")]
    contribution: float


class CampaignScore(_Contract):
    """One campaign's score."""

    campaign: str
    horizon_ms: Annotated[int, Field(gt=0)]
    probability: Annotated[float, Field(ge=0, le=1)] | None
    percentile: Annotated[
        Annotated[float, Field(ge=0, le=100)] | None,
        Field(description="Rank among the campaign's recent rows; null until `ready`."),
    ]
    band: Band | None
    expected_value: float | None
    status: ScoreStatus
    reasons: Annotated[list[ReasonOfScore], Field(max_length=REASONS_MAX)]
    other_reasons: float
    baseline: Annotated[
        float,
        Field(description="With all contributions and other_reasons: the logit of probability."),
    ]
    model: ModelOfScore
    experts: Annotated[
        dict[str, Annotated[float, Field(ge=0, le=1)]],
        Field(
            description="What each expert of a mixture said; left out unless it opens an example."
        ),
    ] = Field(default_factory=dict)


class SourceOfScore(_Contract):
    """Where in the log the scored event stands."""

    topic: str
    partition: Annotated[int, Field(ge=0)]
    offset: Annotated[int, Field(ge=0)]


class Score(_Contract):
    """The scores of one event (or timer), of all its campaigns."""

    score_id: Annotated[
        str,
        Field(
            description="A function of customer and event, or of customer and `as_of` for a timer: "
            "equal in a repeated delivery."
        ),
    ]
    customer_id: Annotated[str, Field(min_length=1, max_length=128)]
    event_id: str | None
    cause: Cause
    as_of: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    source: SourceOfScore
    scores: list[CampaignScore]
