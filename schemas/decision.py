"""Decisions on who serves a campaign, and what a trainer must know of its challengers to go on.

Owns: the fields of a decision as it stands in model records and learner states.
Never: decides.
Source: docs/learners.md, "Champion and challengers".
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

DECISIONS_MAX: Final = 20
"""So many decisions of a campaign are kept, the newest last."""

Decided = Literal["promoted", "demoted", "removed", "begun", "dropped"]

CHANGES: Final[frozenset[Decided]] = frozenset({"promoted", "demoted", "removed"})
"""Those after which somebody else serves."""


class Decision(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was decided at a training row; figures are those of the look at the contest."""

    decided: Decided
    learner: str
    former: str
    at: str
    offset: int
    rows: int = 0
    positives: int = 0
    gain: float = 0.0
    error: float = 0.0
    deviations: float = 0.0


class Contending(msgspec.Struct, frozen=True):
    """Who serves, which challengers there are, and what was decided, as of a learner's state."""

    serving: str
    challengers: list[str]
    decisions: list[Decision] = []


class _Contract(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class DecisionOnLearner(_Contract):
    """What was decided at a training row."""

    decided: Annotated[
        Decided,
        Field(
            description="`promoted`: better by the rule. `demoted`: the former was unreliable. "
            "`removed`: the former left the campaign file. `begun`, `dropped`: a challenger."
        ),
    ]
    learner: Annotated[str, Field(description="Who serves from then on; or begins, or goes.")]
    former: Annotated[str, Field(description="Who served until then.")]
    at: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    offset: Annotated[int, Field(ge=0, description="Of the training row.")]
    rows: Annotated[int, Field(ge=0, description="Compared, of `promoted` and `dropped`.")] = 0
    positives: Annotated[int, Field(ge=0)] = 0
    gain: Annotated[
        float, Field(description="Share of the former's log-loss that the learner saves.")
    ] = 0.0
    error: Annotated[float, Field(ge=0, description="Standard error of the gain.")] = 0.0
    deviations: Annotated[
        float, Field(description="Standard errors that a gain had to exceed.")
    ] = 0.0


class ContendingLearners(_Contract):
    """Who serves, which challengers there are, and what was decided."""

    serving: str
    challengers: list[str]
    decisions: Annotated[list[DecisionOnLearner], Field(max_length=DECISIONS_MAX)] = Field(
        default_factory=list
    )
