"""Timers, eligibility and triggers together: who has been away is acted upon.

Owns: that a timer's score decides as an event's does, of those for whom the campaign is.
Never: one of the three alone; each has tests of its own.
Source: docs/campaigns.md, "On a timer", "Who is eligible" and "Triggers".
"""

from __future__ import annotations

from dataclasses import replace

from consumer.encoding import ScoreEncoder
from models.plan import Plan, compile_plan
from models.scorer import Scorer
from schemas.campaign import Campaign, CampaignFile, Features
from schemas.clauses import Clause, Goal
from schemas.customer_clauses import CustomerClause
from schemas.score import decode_score
from schemas.times import DAY_MS, parse_time
from schemas.trigger import TriggerRecord, decode_trigger
from schemas.trigger_policy import TriggerPolicy
from tests.event_logs import START_MS, TOPIC, LoggedEvent, records_of, trigger_encoder
from tests.unit.test_triggers import model

CUSTOMERS = 30
LAPSE = Campaign(
    name="lapse",
    goal=Goal((Clause("buy"),), absence=True),
    horizon_ms=30 * DAY_MS,
    score_on=(),
    example_interval_ms=0,
    features=Features(half_lives_ms=(None,)),
    learner="bayesian_logistic",
    eligible=(
        CustomerClause(event=Clause("buy"), within_ms=20 * DAY_MS),
        CustomerClause(event=Clause("goodbye"), within_ms=None),
    ),
    score_every_ms=DAY_MS,
    trigger=TriggerPolicy(
        measure="probability", when=0.5, clear=0.3, expires_after_ms=DAY_MS, cooldown_ms=0
    ),
)


class Days:
    """One partition of a campaign on a timer."""

    def __init__(self) -> None:
        self.plan: Plan = compile_plan(CampaignFile(1, {"lapse": LAPSE}))
        self.scorer = Scorer(self.plan)
        self.offset = 0

    def happens(
        self, day: float, events: list[tuple[str, str]], probability: float, batch_max: int = 1000
    ) -> tuple[list[str], list[TriggerRecord]]:
        """Events of that day; who was scored at which moment, and what was fired."""
        self.scorer.install(model(self.plan, probability))
        at_ms = START_MS + int(day * DAY_MS)
        logged = [
            LoggedEvent(customer, kind, at_ms, f"e{self.offset + n}", None, {})
            for n, (customer, kind) in enumerate(events)
        ]
        scored: list[str] = []
        fired: list[TriggerRecord] = []
        for first in range(0, len(logged), batch_max):
            log = records_of(logged[first : first + batch_max], self.offset)
            self.offset += len(log.values)
            folded = self.scorer.fold(log.offsets, log.timestamps_ms, log.keys, log.values)
            _, values = ScoreEncoder(self.plan, TOPIC, 0).encode(folded)
            for value in values:
                score = decode_score(value)
                assert (score.cause, score.event_id) == ("timer", None)
                assert parse_time(score.as_of) < at_ms
                scored.append(score.customer_id)
            for outgoing in trigger_encoder(self.plan).encode(folded):
                fired += [decode_trigger(value or b"") for value in outgoing.values]
        return scored, fired


def test_who_has_been_away_enters_once() -> None:
    """A day after they bought, all are scored, and those enter who are likely to lapse."""
    days, names = Days(), [f"c{number}" for number in range(CUSTOMERS)]
    scored, fired = days.happens(0, [(name, "buy") for name in names], 0.9)
    assert (scored, fired) == ([], [])
    scored, fired = days.happens(1.5, [("nobody", "view")], 0.9)
    assert sorted(scored) == sorted(names)
    assert sorted(each.customer_id for each in fired) == sorted(names)
    assert {each.kind for each in fired} == {"entered"}
    assert all(parse_time(each.as_of) <= START_MS + 1.5 * DAY_MS for each in fired)
    scored, fired = days.happens(2.5, [("nobody", "view")], 0.9)
    assert sorted(scored) == sorted(names)
    assert fired == []
    _, fired = days.happens(3.5, [("nobody", "view")], 0.1)
    assert {each.kind for each in fired} == {"exited"}


def test_who_is_not_eligible_is_left_alone() -> None:
    """Neither who said goodbye nor who bought too long ago is scored, or acted upon."""
    days = Days()
    days.happens(0, [("ann", "buy"), ("bob", "buy"), ("bob", "goodbye")], 0.9)
    scored, fired = days.happens(1.6, [("nobody", "view")], 0.9)
    assert scored == ["ann"]
    assert [each.customer_id for each in fired] == ["ann"]
    scored, fired = days.happens(25, [("nobody", "view")], 0.1)
    assert (scored, fired) == ([], [])


def test_batches_do_not_matter_to_them() -> None:
    """However the log is cut, the same is scored and fired; there is room for all of it."""
    names = [f"c{number}" for number in range(CUSTOMERS)]
    told = []
    for batch_max in (1, 7, 1000):
        days = Days()
        days.happens(0, [(name, "buy") for name in names], 0.9, batch_max)
        crowd = [(f"n{number}", "view") for number in range(20)]
        told.append(
            [
                days.happens(day, crowd, probability, batch_max)
                for day, probability in ((1.5, 0.9), (2.5, 0.2), (3.5, 0.9))
            ]
        )
    assert told[0] == told[1] == told[2]
    assert any(fired for _, fired in told[0])


def test_the_policy_is_that_of_the_campaign() -> None:
    """With a level that nobody reaches, nobody enters."""
    days = Days()
    assert LAPSE.trigger is not None
    trigger = replace(LAPSE.trigger, when=0.95)
    days.plan = compile_plan(CampaignFile(1, {"lapse": replace(LAPSE, trigger=trigger)}))
    days.scorer = Scorer(days.plan)
    days.happens(0, [("ann", "buy")], 0.9)
    assert days.happens(1.5, [("nobody", "view")], 0.9) == (["ann"], [])
