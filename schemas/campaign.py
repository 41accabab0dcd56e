"""Campaigns: a goal, a horizon, the events that cause scoring, features and a learner.

Owns: what a campaign file says, once it is read and valid.
Never: reads text.
Source: the contract, "Campaign file".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any, Final, Literal

from schemas.clauses import Clause, Goal
from schemas.contact_limit import ContactLimit
from schemas.customer_clauses import CustomerClause
from schemas.input_mapping import InputMapping
from schemas.time_zones import UTC
from schemas.times import DAY_MS, HOUR_MS
from schemas.trigger_policy import TriggerPolicy

DEFAULT_RATE = 0.02
DEFAULT_IDLE_MAX_MS = 90 * DAY_MS
DEFAULT_HALF_LIVES_MS: tuple[int | None, ...] = (
    HOUR_MS,
    DAY_MS,
    7 * DAY_MS,
    30 * DAY_MS,
    90 * DAY_MS,
    None,
)

LearnerName = Literal[
    "hedged_logistic",
    "bayesian_logistic",
    "hurdle",
    "bayesian_linear",
    "river_logistic",
    "river_ftrl",
]
Predict = Literal["conversion", "value"]
EXPERTS: Final = ("slow", "fast", "quick")
"""Of a hedged learner, in the order in which records name them."""
CHAMPION: Final = "champion"
"""What the learner is called that a campaign's `learner` names, whoever is served."""
FRESH: Final = "fresh"
"""A challenger of the same kind as the champion, which begins at an alarm."""
LINEAR_CHALLENGERS: Final = (
    "hedged_logistic", "bayesian_logistic", "river_logistic", "river_ftrl"
)  # fmt: skip
LEARNERS: Final = (CHAMPION, *LINEAR_CHALLENGERS, FRESH)
"""The names of learners that can be served; their places here are kept for ever."""
FRESH_EXPERTS: Final = tuple(f"{FRESH}_{name}" for name in EXPERTS)
VOICES: Final = (*EXPERTS, *LEARNERS, *FRESH_EXPERTS)
"""All that can say something of an event beside what is served, in the order of records."""


@dataclass(frozen=True, slots=True)
class CountBy:
    """Counters of one event type, apart by the value of a property."""

    event: str
    by: str


@dataclass(frozen=True, slots=True)
class Features:
    """What a campaign's model sees besides the counters; a half-life of None never decays."""

    half_lives_ms: tuple[int | None, ...] = DEFAULT_HALF_LIVES_MS
    count_by: tuple[CountBy, ...] = ()
    categories: tuple[str, ...] = ()
    crosses: tuple[tuple[str, ...], ...] = ()
    numbers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Challenger:
    """Another learner of the same rows; a model trained elsewhere has a path and a SHA-256."""

    kind: str
    path: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Campaign:
    """One campaign of the file, defaults filled in.

    All of `eligible` must hold for a customer who is scored; `time_zone` is that of the file. With
    `publish_change` a score is published only where it differs by more than this share.
    """

    name: str
    goal: Goal
    horizon_ms: int
    score_on: tuple[Clause, ...]
    example_interval_ms: int
    rate: float = DEFAULT_RATE
    predict: Predict = "conversion"
    learn_on: tuple[Clause, ...] | None = None
    features: Features = field(default_factory=Features)
    learner: LearnerName = "hedged_logistic"
    challengers: tuple[Challenger, ...] = ()
    promote: bool = True
    eligible: tuple[CustomerClause, ...] = ()
    time_zone: str = UTC
    trigger: TriggerPolicy | None = None
    score_every_ms: int = 0  # 0: on no timer
    idle_max_ms: int = DEFAULT_IDLE_MAX_MS
    publish_change: float | None = None  # None: every score is published

    @property
    def is_measured(self) -> bool:
        """Whether customers are held out from triggers, so that what acting is worth is known."""
        return self.trigger is not None and self.trigger.hold_out > 0.0

    @property
    def is_timed(self) -> bool:
        """Whether its customers are scored on a timer."""
        return self.score_every_ms > 0

    @property
    def experts(self) -> tuple[str, ...]:
        """The experts whose mixture the learner serves; none where it is no mixture."""
        return self.experts_of(CHAMPION)

    @property
    def is_hurdle(self) -> bool:
        """Whether the probability of any value is served beside the value."""
        return self.learner == "hurdle"

    @property
    def learners(self) -> tuple[str, ...]:
        """The names of its learners: the champion's, then those of the challengers."""
        return (CHAMPION, *(challenger.kind for challenger in self.challengers))

    def kind_of(self, learner: str) -> str:
        """The kind of one of its learners."""
        return self.learner if learner in {CHAMPION, FRESH} else learner

    def experts_of(self, learner: str) -> tuple[str, ...]:
        """What the experts of one of its learners are called in records."""
        if self.kind_of(learner) not in {"hedged_logistic", "hurdle"}:
            return ()
        return FRESH_EXPERTS if learner == FRESH else EXPERTS

    @property
    def voices(self) -> tuple[str, ...]:
        """Who says something of an event that opens an example, beside what is served.

        The experts of mixtures and, where there are challengers, all learners that can be served.
        """
        heard = {name for learner in self.learners for name in self.experts_of(learner)}
        if self.challengers:
            heard |= set(self.learners)
        return tuple(name for name in VOICES if name in heard)

    @property
    def lineage(self) -> str:
        """16 hex digits: another goal, other features or another learner begin another lineage.

        What is scored, who is eligible, how often examples are taken and the prior rate may change
        without throwing away what was learned: a row means the same.
        """
        definition = {
            "campaign": self.name,
            "goal": _said(asdict(self.goal), absence=False),
            "horizon_ms": self.horizon_ms,
            "predict": self.predict,
            "features": asdict(self.features),
            "learner": self.learner,
            "time_zone": self.time_zone,
        }
        return digest(_said(definition, time_zone=UTC))

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """Every clause that the campaign names, in the order of the file."""
        lost = () if self.goal.lost is None else (self.goal.lost,)
        return (*self.goal.clauses, *lost, *self.score_on, *(self.learn_on or ()))

    @property
    def unless(self) -> tuple[CustomerClause, ...]:
        """Clauses on a customer of which none may hold when a trigger is sent."""
        return () if self.trigger is None else self.trigger.unless

    @property
    def customer_clauses(self) -> tuple[CustomerClause, ...]:
        """All that is asked of customers: by `for`, and by `unless` of the trigger."""
        return (*self.eligible, *self.unless)

    @property
    def clauses_known(self) -> tuple[Clause, ...]:
        """Events of which these ask whether, and when, they happened."""
        return tuple(each.event for each in self.customer_clauses if each.event is not None)


@dataclass(frozen=True, slots=True)
class Events:
    """What is kept of events for all campaigns; those to `ignore` are questions, and no facts."""

    count: tuple[str, ...] = ()
    remember: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CampaignFile:
    """A whole campaign file; campaigns are in the order of the file."""

    version: int
    campaigns: Mapping[str, Campaign]
    input: InputMapping | None = None
    events: Events = field(default_factory=Events)
    contact_limit: ContactLimit | None = None

    @property
    def digest(self) -> str:
        """16 hex digits of everything in the file that has an effect.

        What is not said has none: so a file's digest is that of releases that did not know it.
        """
        file = _said(asdict(self), contact_limit=None)
        file["events"] = _said(file["events"], ignore=())
        for name, campaign in file["campaigns"].items():
            if not campaign["challengers"]:
                del campaign["challengers"], campaign["promote"]
            campaign["goal"] = _said(campaign["goal"], absence=False)
            if not campaign["score_every_ms"]:
                del campaign["score_every_ms"], campaign["idle_max_ms"]
            unsaid = {"eligible": (), "time_zone": UTC, "trigger": None, "publish_change": None}
            file["campaigns"][name] = _said(campaign, **unsaid)
        return digest(file)

    @property
    def time_zone(self) -> str:
        """In which the hour and the weekday are told."""
        return next((campaign.time_zone for campaign in self.campaigns.values()), UTC)

    @property
    def event_types(self) -> tuple[str, ...]:
        """The types with counters of their own: named by campaigns or counted; sorted."""
        named = {c.event for campaign in self.campaigns.values() for c in campaign.clauses}
        by = {c.event for campaign in self.campaigns.values() for c in campaign.features.count_by}
        return tuple(sorted((named | by | set(self.events.count)) - set(self.events.ignore)))


def _said(definition: dict[str, Any], **unsaid: object) -> dict[str, Any]:
    """A definition without the words that say what was so before there were these words."""
    return {
        key: value for key, value in definition.items() if key not in unsaid or value != unsaid[key]
    }


def digest(definition: object) -> str:
    """16 hex digits of a definition, the same on every machine and in every release."""
    text = json.dumps(definition, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return sha256(text.encode("ascii")).hexdigest()[:16]
