"""What the HTTP interface answers about a customer: the shapes behind its OpenAPI document.

Owns: names and meaning of the fields of these answers.
Never: computes or words one.
Source: docs/contract.md, "HTTP".
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from schemas.score import CampaignScore, ScoreStatus

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Numbers = dict[str, float]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class PlaceOfCustomer(_Answer):
    """Where in the log the answer stands: everything before `next_offset` is in it."""

    topic: str
    partition: Annotated[int, Field(ge=0)]
    next_offset: Annotated[int, Field(ge=0)]


class CustomerScores(_Answer):
    """What would be published for an event without properties at the partition's clock."""

    customer_id: Annotated[str, Field(min_length=1, max_length=128)]
    as_of: Annotated[Time, Field(description="The partition's clock: the latest event's time.")]
    source: PlaceOfCustomer
    scores: list[CampaignScore]


class FeatureOfScore(_Answer):
    """What one feature adds: weight · (value - mean)."""

    feature: str
    source: str
    value: float
    weight: float
    contribution: float


class ExplainedScore(CampaignScore):
    """A score, in words and feature by feature."""

    words: Annotated[str, Field(description="The score as a sentence.")]
    because: Annotated[list[str], Field(description="Reasons in words; associations, not causes.")]
    before: Annotated[str, Field(description="How earlier examples of the customer ended.")]
    features: Annotated[list[FeatureOfScore], Field(description="The strongest, strongest first.")]
    other_features: Annotated[float, Field(description="What all others add.")]


class CountedEvents(_Answer):
    """Events of one type: counts and values by half-life, decayed to `as_of`."""

    source: str
    words: str
    last_at: Time
    counts: Numbers
    values: Numbers


class CountedByValue(_Answer):
    """Events of one type by the value of a property."""

    event: str
    by: str
    counts: Numbers


class RememberedValue(_Answer):
    """The last known value of a property."""

    value: str
    at: Time


class WaitingExample(_Answer):
    """A scored event that waits for its outcome."""

    campaign: str
    event_id: str
    as_of: Time
    counts_until: Annotated[Time, Field(description="A goal counts up to then.")]
    closes_at: Annotated[Time, Field(description="It closes when the clock has passed this.")]
    served: Annotated[float, Field(description="The probability, or value, as served.")]
    status: ScoreStatus
    words: str


class CustomerExplained(_Answer):
    """All that is known of a customer, and why the scores are what they are."""

    customer_id: Annotated[str, Field(min_length=1, max_length=128)]
    as_of: Annotated[Time, Field(description="The partition's clock: the latest event's time.")]
    source: PlaceOfCustomer
    known_since: Time
    seen: Annotated[list[str], Field(description="Counters in words, the newest first.")]
    counters: list[CountedEvents]
    counted_by: list[CountedByValue]
    remembered: dict[str, RememberedValue]
    scores: list[ExplainedScore]
    open_examples: list[WaitingExample]
    open_examples_count: Annotated[int, Field(ge=0)]
    caveat: str


class Refusal(_Answer):
    """Why there is no answer."""

    error: Annotated[str, Field(description="A word for programs.")]
    message: Annotated[str, Field(description="A sentence for people; it names no customer.")]


class Misdirected(Refusal):
    """Another worker has this customer."""

    partition: Annotated[int, Field(ge=0)]
    owner: Annotated[
        str | None, Field(description="The `instance` of that worker; null where nobody can tell.")
    ]
