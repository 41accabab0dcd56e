"""Model records: what a learner publishes so that scorers can serve it.

Owns: the fields of a record of the model topic, and their bytes.
Never: holds what only learning needs (covariances, windows).
Source: the contract and the design, "Models".
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from schemas.decision import Decision, DecisionOnLearner
from schemas.formats import reader_of

MODEL_FORMAT: Final = 1
QUANTILES = 101

ModelStatus = Literal["warming", "ready", "unreliable", "paused"]
Predict = Literal["conversion", "value"]


class ExpertWeights(msgspec.Struct, omit_defaults=True):
    """One expert's own weights, aligned with the record's columns, and its share of the mixture.

    A challenger's share is 0: scorers ask it, and serve nothing of it.
    """

    bias: float
    weights: list[float]
    share: float = 1.0


class ValueWeights(msgspec.Struct):
    """How much comes where something comes: exp(bias + weights · features) · factor - 1."""

    bias: float
    weights: list[float]
    factor: float


class ModelRecord(msgspec.Struct, kw_only=True):
    """The weights of one campaign, and how good they have been.

    With `value`, of a hurdle, the others are the weights of the probability that anything comes.
    """

    format: Literal[1] = MODEL_FORMAT
    campaign: str
    lineage: str
    learner: str
    version: int
    features: str
    status: ModelStatus
    rate: float
    predict: Predict
    bias: float
    columns: list[str]
    weights: list[float]
    means: list[float]
    quantiles: list[float] = []
    experts: dict[str, ExpertWeights] = {}
    value: ValueWeights | msgspec.UnsetType = msgspec.UNSET
    covered: int
    quality: dict[str, float | None] = {}
    decisions: list[Decision] = []

    def __post_init__(self) -> None:
        """Lists that belong together have one length."""
        columns = len(self.columns)
        if len(self.weights) != columns or len(self.means) != columns:
            message = "columns, weights and means differ in length"
            raise ValueError(message)
        if any(len(expert.weights) != columns for expert in self.experts.values()):
            message = "an expert's weights and the columns differ in length"
            raise ValueError(message)
        if isinstance(self.value, ValueWeights) and len(self.value.weights) != columns:
            message = "the weights of the value and the columns differ in length"
            raise ValueError(message)
        if len(self.quantiles) not in {0, QUANTILES}:
            message = f"quantiles are {QUANTILES} numbers, or none while warming"
            raise ValueError(message)


encode_model_record = msgspec.json.Encoder().encode
"""The bytes of a `ModelRecord`; numbers come back bit for bit."""

decode_model_record = reader_of(ModelRecord, MODEL_FORMAT)
"""A `ModelRecord` from its bytes; raises `msgspec.DecodeError`."""


class _Contract(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class WeightsOfExpert(_Contract):
    """An expert's own weights, or those of a challenger, whose share is 0."""

    bias: float
    weights: list[float]
    share: Annotated[
        float,
        Field(ge=0, le=1, description="The record's weights are the experts', mixed by shares."),
    ] = 1.0


class WeightsOfValue(_Contract):
    """How much comes where something comes: exp(bias + weights · features) · factor - 1."""

    bias: float
    weights: list[float]
    factor: float


class Model(_Contract):
    """The weights of one campaign, and how good they have been."""

    format: Literal[1] = MODEL_FORMAT
    campaign: str
    lineage: Annotated[str, Field(description="Digest of the goal, the features and the learner.")]
    learner: Annotated[
        str, Field(description="`champion`, or the challenger that has been promoted.")
    ]
    version: Annotated[int, Field(ge=0, description="Rows learned.")]
    features: Annotated[str, Field(description="Digest of the columns.")]
    status: ModelStatus
    rate: Annotated[float, Field(description="The campaign's prior, served while warming.")]
    predict: Predict
    bias: float
    columns: list[str]
    weights: list[float]
    means: list[float]
    quantiles: Annotated[
        list[float],
        Field(description=f"{QUANTILES} of its own predictions; none while warming."),
    ] = Field(default_factory=list)
    experts: dict[str, WeightsOfExpert] = Field(default_factory=dict)
    value: Annotated[
        WeightsOfValue | None,
        Field(
            exclude_if=lambda value: value is None,
            description="Of a hurdle; the other weights are then those of P(any value).",
        ),
    ] = None
    covered: Annotated[int, Field(ge=0, description="The next example offset to be learned.")]
    quality: dict[str, float | None] = Field(default_factory=dict)
    decisions: Annotated[
        list[DecisionOnLearner],
        Field(description="On who serves, where there are challengers; newest last."),
    ] = Field(default_factory=list)
