"""Campaign files and event logs for tests of the folds, drawn at random but small and full of ties.

Owns: what a test log may hold: late, repeated, unordered events; every rule of a goal.
Never: says what should come of it; tests/naive_folds.py does.
Source: docs/campaigns.md, the rules of a campaign file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hypothesis import strategies as st

from consumer.encoding import ScoreEncoder, encode_dead_letters
from consumer.transport import NO_TIMESTAMP, Partition, Records
from consumer.trigger_output import TriggerEncoder
from models.folded import Folded
from models.plan import Limits, Plan
from models.scorer import Scorer
from schemas.campaign import (
    DEFAULT_IDLE_MAX_MS,
    Campaign,
    CampaignFile,
    CountBy,
    Events,
    Features,
    LearnerName,
    Predict,
)
from schemas.clauses import Clause, Condition, Goal
from schemas.customer_clauses import CustomerClause
from schemas.example import TrainingExample, decode_example
from schemas.model_record import ModelRecord
from schemas.settings import Topics
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS, format_time
from schemas.trigger_policy import Measure, TriggerPolicy

START_MS = 1_764_000_000_000
TOPIC = "customer-events"
MIXED_OR_NOT: tuple[LearnerName, ...] = ("hedged_logistic", "bayesian_logistic")
OF_VALUES: tuple[LearnerName, ...] = ("hurdle", "bayesian_linear")
UNHURRIED = Limits(closes_per_event_max=1_000_000)
PERIODS_MS = (0, 0, 20 * MINUTE_MS, HOUR_MS, DAY_MS, DAY_MS, 3 * DAY_MS)
IDLE_MAX_MS = (HOUR_MS, 5 * DAY_MS, 60 * DAY_MS)
STEPS_MS = (
    *(MINUTE_MS, 0, 1, MINUTE_MS, 10 * MINUTE_MS, 10 * MINUTE_MS, 20 * MINUTE_MS, 20 * MINUTE_MS),
    *(30 * MINUTE_MS - 1, 30 * MINUTE_MS, HOUR_MS, HOUR_MS + 1, 3 * HOUR_MS, DAY_MS, 7 * DAY_MS),
    *(-1, -10 * MINUTE_MS, -10 * MINUTE_MS, -HOUR_MS, -HOUR_MS - 1, -5 * HOUR_MS, -2 * DAY_MS),
)


@dataclass(frozen=True)
class LoggedEvent:
    """An event and how it stands in the log."""

    customer: str
    type: str
    at_ms: int
    event_id: str
    value: float | None = None
    properties: Mapping[str, str | float | bool] = field(default_factory=dict)

    @property
    def record(self) -> bytes:
        """The bytes of its record."""
        return json.dumps(
            {
                "customer_id": self.customer,
                "type": self.type,
                "occurred_at": self.at_ms,
                "event_id": self.event_id,
                "value": self.value,
                "properties": dict(self.properties),
            }
        ).encode()


def records_of(events: Sequence[LoggedEvent], first: int = 0) -> Records:
    """The events as records of a partition, without stamps."""
    return Records(
        Partition(TOPIC, 0),
        list(range(first, first + len(events))),
        [NO_TIMESTAMP] * len(events),
        [event.customer.encode() for event in events],
        [event.record for event in events],
        [[] for _ in events],
    )


@dataclass
class Bytes:
    """Everything that left a fold, as it would be produced."""

    scores: list[bytes] = field(default_factory=list)
    rows: list[bytes] = field(default_factory=list)
    triggers: list[bytes] = field(default_factory=list)
    held_out: list[bytes] = field(default_factory=list)
    letters: list[object] = field(default_factory=list)
    outcomes: list[int] = field(default_factory=list)


def trigger_encoder(plan: Plan) -> TriggerEncoder:
    """Encodes triggers as they would be produced."""
    return TriggerEncoder(plan, Topics(), 0)


def fold_records(
    plan: Plan,
    records: Records,
    cuts: Iterable[int] = (),
    installs: Mapping[int, Sequence[ModelRecord]] | None = None,
    *,
    catching_up: bool = False,
) -> tuple[Scorer, Bytes]:
    """Fold a log, cut before these positions, with models installed before those of `installs`."""
    scorer, out = Scorer(plan), Bytes()
    encoder, triggers = ScoreEncoder(plan, TOPIC, 0), trigger_encoder(plan)
    installs = installs or {}
    edges = sorted({0, len(records), *installs, *(c for c in cuts if c <= len(records))})
    for first, stop in zip(edges, [*edges[1:], len(records)], strict=True):
        for model in installs.get(first, ()):
            assert scorer.install(model)
        piece = records.cut(first, stop)
        folded = scorer.fold(
            piece.offsets, piece.timestamps_ms, piece.keys, piece.values, catching_up=catching_up
        )
        keys, values = encoder.encode(folded)
        out.scores += [key + b" " + value for key, value in zip(keys, values, strict=True)]
        for outgoing in triggers.encode(folded):
            found = out.triggers if outgoing.topic == Topics().triggers else out.held_out
            found += [value for value in outgoing.values if value is not None]
        out.rows += folded.rows.values
        out.outcomes += folded.scores.outcome.tolist()
        letters = encode_dead_letters("dead-letters", piece, folded.batch.refused)
        out.letters += zip(letters.keys, letters.values, letters.headers or [], strict=True)
    return scorer, out


def rows_in(folded: Folded) -> list[TrainingExample]:
    """The rows that a batch closed."""
    return [decode_example(value) for value in folded.rows.values]


def rows_of(plan: Plan, events: Sequence[LoggedEvent], batch_max: int = 7) -> list[TrainingExample]:
    """The rows that a log closes; places of closed examples are used again in later batches."""
    records, scorer = records_of(events), Scorer(plan)
    rows: list[TrainingExample] = []
    for first in range(0, len(events), batch_max):
        piece = records.cut(first, first + batch_max)
        folded = scorer.fold(piece.offsets, piece.timestamps_ms, piece.keys, piece.values)
        rows += rows_in(folded)
    return rows


PROPERTIES: dict[str, tuple[str | float | bool, ...]] = {
    "dept": ("a", "b", "c", "", 3, 3.0, True),
    "order": ("o1", "o2"),
    "coupon": ("k1", "k1", "k2"),
    "price": (0, 2.5, 19.99, "7", "dear", -4),
    "channel": ("app", "web", False),
    "country": ("DE", "DE", "AT"),
}


@st.composite
def properties(draw: st.DrawFn, at_ms: int) -> dict[str, str | float | bool]:
    """Some properties; `ends_at` as a number, as text, or as nothing that is a time."""
    missing = draw(st.sets(st.sampled_from(("order", *PROPERTIES, "ends_at")), max_size=3))
    found: dict[str, str | float | bool] = {
        name: draw(st.sampled_from(values))
        for name, values in PROPERTIES.items()
        if name not in missing
    }
    if "ends_at" not in missing:
        end_ms = at_ms + draw(
            st.sampled_from((3 * DAY_MS, 2 * HOUR_MS, 20 * MINUTE_MS, 1, 0, -HOUR_MS))
        )
        ends: tuple[str | float | bool, ...] = (end_ms, format_time(end_ms), "soon")
        found["ends_at"] = draw(st.sampled_from(ends))
    return found


@st.composite
def logs(
    draw: st.DrawFn,
    lengths: Sequence[int] = (3, 12, 40),
    customers: Sequence[str] = ("ann", "ann", "bob"),
) -> list[LoggedEvent]:
    """A log in which times go back and ids repeat, ended by events that close what is open."""
    events: list[LoggedEvent] = []
    clock_ms = START_MS
    for index in range(draw(st.sampled_from(lengths))):
        at_ms = clock_ms + draw(st.sampled_from(STEPS_MS))
        clock_ms = max(clock_ms, at_ms)
        again = draw(st.integers(0, 9)) == 0 and events
        if again:
            events.append(draw(st.sampled_from(events)))
            continue
        events.append(
            LoggedEvent(
                draw(st.sampled_from(customers)),
                draw(
                    st.sampled_from(("view", "buy", "view", "buy", "cart", "mail", "refund", "x"))
                ),
                at_ms,
                f"e{index}",
                draw(st.sampled_from((None, 0, 1, 2.5, 12, -3))),
                draw(properties(at_ms)),
            )
        )
    return [*events, *closing(clock_ms, len(events))]


def closing(clock_ms: int, first: int, count: int = 2) -> list[LoggedEvent]:
    """Events of somebody else, so late that everything open closes."""
    return [
        LoggedEvent("zoe", "x", clock_ms + (40 + index) * DAY_MS, f"e{first + index}")
        for index in range(count)
    ]


BUY_A = Clause("buy", {"dept": Condition(values=("a", 3.0))})
BUY_DEAR = Clause("buy", {"$value": Condition(gte=2.5, lt=100.0)})
APP_CART = Clause("cart", {"channel": Condition(values=("app",))})
VIEW, CART, BUY, MAIL, REFUND = (Clause(name) for name in ("view", "cart", "buy", "mail", "refund"))
ELIGIBLE = (
    CustomerClause(last="country", values=("DE",)),
    CustomerClause(last="dept", values=("a", 3.0, True)),
    CustomerClause(event=VIEW, within_ms=HOUR_MS),
    CustomerClause(event=VIEW, within_ms=20 * MINUTE_MS),
    CustomerClause(event=BUY_A, within_ms=DAY_MS),
    CustomerClause(event=Clause("x"), within_ms=7 * DAY_MS),
    CustomerClause(event=MAIL, within_ms=3 * HOUR_MS),
    CustomerClause(event=REFUND),
    CustomerClause(event=APP_CART),
    CustomerClause(event=BUY_DEAR),
)


@st.composite
def goals(draw: st.DrawFn, *, lost: bool, absence: bool) -> Goal:
    """A goal with any of the rules that bind it to the scored event."""
    absence = absence and draw(st.sampled_from((False, False, True)))
    clauses = draw(st.sampled_from(((BUY,), (BUY_A,), (BUY_DEAR,), (BUY_A, CART), (BUY, MAIL))))
    return Goal(
        clauses=clauses,
        match=draw(st.sampled_from(((), (), ("coupon",), ("coupon", "country")))),
        after_ms=draw(st.sampled_from((0, 0, 1, 30 * MINUTE_MS))),
        not_same=draw(st.sampled_from(((), (), ("order",)))),
        lost=draw(st.sampled_from((None, REFUND, APP_CART))) if lost and not absence else None,
        until=draw(st.sampled_from((None, None, "ends_at"))),
        absence=absence,
    )


@st.composite
def feature_sets(draw: st.DrawFn) -> Features:
    """Features of every kind."""
    by = st.sampled_from((CountBy("buy", "dept"), CountBy("view", "channel")))
    names = st.sampled_from(("channel", "country", "dept"))
    return Features(
        half_lives_ms=draw(
            st.sampled_from(((HOUR_MS, DAY_MS, None), (7 * DAY_MS,), (None, 90 * DAY_MS)))
        ),
        count_by=tuple(draw(st.lists(by, unique=True, max_size=2))),
        categories=tuple(draw(st.lists(names, unique=True, max_size=2))),
        crosses=draw(st.sampled_from(((), (("channel", "country"),), (("dept", "channel"),)))),
        numbers=draw(st.sampled_from(((), ("price",), ("value", "price")))),
    )


@st.composite
def trigger_policies(draw: st.DrawFn, campaign: Campaign) -> TriggerPolicy:
    """A policy for a campaign's scores, with levels that random models reach and leave."""
    other: Measure = "expected_value" if campaign.predict == "value" else "probability"
    measure: Measure = draw(st.sampled_from(("percentile", other)))
    levels = {"percentile": (1.0, 8.0, 25.0), "probability": (0.02, 0.1, 0.4)}
    high = draw(st.sampled_from(levels.get(measure, (0.1, 2.0))))
    return TriggerPolicy(
        measure=measure,
        when=high,
        clear=draw(st.sampled_from((high, high / 2))),
        expires_after_ms=draw(st.sampled_from((HOUR_MS, DAY_MS))),
        wait_ms=draw(st.sampled_from((0, 0, MINUTE_MS, HOUR_MS))),
        cooldown_ms=draw(st.sampled_from((0, 10 * MINUTE_MS, DAY_MS))),
        hold_out=draw(st.sampled_from((0.0, 0.5))),
        unless=draw(eligibilities()),
    )


@st.composite
def campaigns(
    draw: st.DrawFn, name: str, time_zone: str, *, interval: bool, lost: bool, timers: bool
) -> Campaign:
    """A campaign; with `lost` its goal may have another answer, with `timers` it may have one."""
    words: tuple[Predict, ...] = ("conversion", "conversion", "value")
    predict = draw(st.sampled_from(words))
    horizon_ms = draw(st.sampled_from((HOUR_MS, 6 * HOUR_MS, DAY_MS, 7 * DAY_MS)))
    score_on = ((VIEW,), (VIEW, MAIL), (BUY,), (APP_CART, VIEW))
    goal = draw(goals(lost=lost and predict == "conversion", absence=predict == "conversion"))
    every_ms = draw(st.sampled_from(PERIODS_MS)) if timers and not goal.match else 0
    campaign = Campaign(
        name=name,
        goal=goal,
        horizon_ms=horizon_ms,
        score_on=() if every_ms and draw(st.booleans()) else draw(st.sampled_from(score_on)),
        example_interval_ms=draw(st.sampled_from((0, HOUR_MS, horizon_ms))) if interval else 0,
        predict=predict,
        learn_on=draw(st.sampled_from((None, None, (VIEW,)))),
        features=draw(feature_sets()),
        learner=draw(st.sampled_from(OF_VALUES if predict == "value" else MIXED_OR_NOT)),
        eligible=() if timers else draw(eligibilities()),
        time_zone=time_zone,
        score_every_ms=every_ms,
        idle_max_ms=draw(st.sampled_from(IDLE_MAX_MS)) if every_ms else DEFAULT_IDLE_MAX_MS,
    )
    if timers:
        return campaign
    return replace(campaign, trigger=draw(st.one_of(st.none(), trigger_policies(campaign))))


@st.composite
def eligibilities(draw: st.DrawFn) -> tuple[CustomerClause, ...]:
    """Who is eligible: often anybody."""
    count = draw(st.sampled_from((0, 0, 1, 1, 2)))
    chosen = st.lists(st.sampled_from(range(len(ELIGIBLE))), unique=True, max_size=count)
    return tuple(ELIGIBLE[place] for place in draw(chosen))


def facts_of(file: CampaignFile) -> set[str]:
    """Event types that a campaign file takes for facts: they cannot be ignored."""
    facts = set(file.events.count)
    for campaign in file.campaigns.values():
        lost = [campaign.goal.lost] if campaign.goal.lost else []
        facts |= {c.event for c in (*campaign.goal.clauses, *lost, *campaign.clauses_known)}
        facts |= {group.event for group in campaign.features.count_by}
    return facts


@st.composite
def campaign_files(
    draw: st.DrawFn,
    *,
    interval: bool = True,
    lost: bool = True,
    timers: bool = False,
    campaigns_max: int = 3,
) -> CampaignFile:
    """A campaign file; without `interval` every score is an example."""
    names = [f"c{index}" for index in range(draw(st.integers(1, campaigns_max)))]
    zone = draw(st.sampled_from(("UTC", "UTC", "Europe/Berlin", "America/St_Johns")))
    drawn = {
        name: draw(campaigns(name, zone, interval=interval, lost=lost, timers=timers))
        for name in names
    }
    file = CampaignFile(
        version=1,
        campaigns=drawn,
        events=Events(
            count=draw(st.sampled_from(((), ("x",)))),
            remember=draw(st.sampled_from(((), ("country", "dept"), ("channel", "country")))),
        ),
    )
    ignored = draw(st.sets(st.sampled_from(("view", "mail", "cart", "x")), max_size=2))
    ignore = () if timers else tuple(sorted(ignored - facts_of(file)))
    return replace(file, events=replace(file.events, ignore=ignore))
