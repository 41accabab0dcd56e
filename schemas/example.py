"""Training examples: features as scored, with what was served, joined with the outcome.

Owns: the fields of a row of the example log, and their bytes.
Never: holds a customer id, only its keyed hash.
Source: the contract, "Training example".
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from schemas.formats import reader_of
from schemas.score import ModelOfScore, ModelRef, ScoreStatus
from schemas.times import parse_time

Acted = Literal["none", "acted", "held_out"]

EXAMPLE_FORMAT: Final = 1
CUSTOMER_PATTERN = "^[0-9a-f]{16}$"
LABEL_MAX = 1e12  # No learner takes a greater one.
WEIGHT_MAX = 1e12  # More than any row stands for; a sum of labels so weighted stays finite.
OFFSET_MAX = 2**53  # Up to here every reader of JSON has whole numbers; no log is as long.
PARTITION_MAX = 2**31 - 1  # Kafka's
INDEX_MAX = 2**31 - 1


class ExampleSource(msgspec.Struct, frozen=True, gc=False):
    """Where the scored event stands in the event log."""

    partition: int
    offset: int


class ClosedBy(msgspec.Struct, frozen=True, gc=False):
    """The event that closed the row, and which of the rows it closed this is.

    Those that are `triggered` are numbered apart, in each campaign.
    """

    offset: int
    index: int


class TrainingExample(msgspec.Struct, gc=False, omit_defaults=True):
    """One matured row. `label` is 0 or 1, or the value for `predict: value`.

    A row that begins with its campaign is of format 1, and does not say so. One that is
    `triggered` is of a customer's first trigger, has no features, and is counted by its arm.
    """

    campaign: str
    lineage: str
    customer: str
    event_id: str | None
    as_of: str
    closed_at: str
    source: ExampleSource
    closed_by: ClosedBy
    label: float
    weight: float
    acted: Acted
    features: dict[str, float]
    probability: float | None
    expected_value: float | None
    experts: dict[str, float]
    model: ModelRef
    status: ScoreStatus
    format: Literal[1] = EXAMPLE_FORMAT
    triggered: bool = False

    @property
    def as_of_ms(self) -> int:
        """When it was scored, in milliseconds since the epoch."""
        return parse_time(self.as_of)

    @property
    def closed_at_ms(self) -> int:
        """When its label was fixed, in milliseconds since the epoch."""
        return parse_time(self.closed_at)

    @property
    def delay_ms(self) -> int:
        """How long after it was scored its label was fixed; -1 where that is not said."""
        try:
            return self.closed_at_ms - self.as_of_ms
        except ValueError:
            return -1


encode_example = msgspec.json.Encoder().encode
"""The bytes of a `TrainingExample`."""

decode_example = reader_of(TrainingExample, EXAMPLE_FORMAT)
"""A `TrainingExample` from its bytes; raises `msgspec.DecodeError`."""


class _Contract(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class SourceOfExample(_Contract):
    """Where the scored event stands in the event log."""

    partition: Annotated[int, Field(ge=0, le=PARTITION_MAX)]
    offset: Annotated[int, Field(ge=0, le=OFFSET_MAX)]


class ClosingOfExample(_Contract):
    """What closed the row; it only grows per source partition, of triggered rows and of others."""

    offset: Annotated[
        int, Field(ge=0, le=OFFSET_MAX, description="Not before the offset of the source.")
    ]
    index: Annotated[int, Field(ge=0, le=INDEX_MAX)]


class Example(_Contract):
    """Features as scored, with the served prediction, joined with the outcome."""

    campaign: str
    lineage: str
    customer: Annotated[
        str, Field(pattern=CUSTOMER_PATTERN, description="A keyed hash of the customer id.")
    ]
    event_id: str | None
    as_of: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    closed_at: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    source: SourceOfExample
    closed_by: ClosingOfExample
    label: Annotated[
        float,
        Field(ge=-LABEL_MAX, le=LABEL_MAX, description="0 or 1; the value for `predict: value`."),
    ]
    weight: Annotated[float, Field(gt=0, le=WEIGHT_MAX)]
    acted: Acted
    features: Annotated[dict[str, float], Field(description="By name; zeros are left out.")]
    probability: Annotated[float, Field(ge=0, le=1)] | None
    expected_value: float | None
    experts: Annotated[dict[str, float], Field(description="What each expert said, as served.")]
    model: ModelOfScore
    status: Annotated[
        ScoreStatus,
        Field(description="As served; quality leaves `warming` and `catching_up` out."),
    ]
    triggered: Annotated[
        bool, Field(description="Of a first trigger: counted by its arm, and not learned.")
    ] = False
    format: Annotated[
        Literal[1], Field(exclude=True, description="Left out; a later format begins with it.")
    ] = EXAMPLE_FORMAT
