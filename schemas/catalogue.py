"""The catalogue of records: every kind of record and its contract.

Owns: the names under which the JSON Schemas are given out.
Never: defines a record.
Source: the contract, "Records".
"""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel

from schemas.dead_letter import DeadLetter
from schemas.decision import DecisionOnLearner
from schemas.event import Event
from schemas.example import Example
from schemas.learner_state import State
from schemas.model_record import Model
from schemas.score import Score
from schemas.trigger import Trigger

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

RECORDS: dict[str, type[BaseModel]] = {
    "event": Event,
    "score": Score,
    "trigger": Trigger,
    "training-example": Example,
    "model-record": Model,
    "learner-state": State,
    "decision": DecisionOnLearner,
    "dead-letter": DeadLetter,
}


def json_schema(name: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one kind of record, as it stands in a topic."""
    schema = RECORDS[name].model_json_schema(by_alias=True, mode="validation")
    return {"$schema": DIALECT, **schema}
