"""The edges of eligibility: the last moment within, what a new clause knows, and who is counted.

Owns: single timelines; tests/property/test_eligibility.py has whole logs.
Never: what a score says.
Source: docs/campaigns.md, "Who is eligible".
"""

from __future__ import annotations

from models.batch import NOT_ELIGIBLE, NOT_SCORED, TAKEN
from models.plan import Limits, Plan, compile_plan
from models.scorer import Scorer
from schemas.campaign_file import parse_campaigns
from schemas.times import HOUR_MS
from tests.event_logs import START_MS, LoggedEvent, records_of

FILE = """\
version: 1
campaigns:
  a:
    goal: {event: buy}
    horizon: 1h
    score_on: [ask]
"""
WITHIN = FILE + "    for: [{event: view, within: 2h}]\n"
NEVER = FILE + "    for: [{event: closed, never: true}]\n"
LAST = FILE + "    for: [{last: country, is: [DE, 3]}]\n"


def outcomes(scorer: Scorer, events: list[LoggedEvent], first: int = 0) -> list[int]:
    """What becomes of events from the first on."""
    records = records_of(events, first)
    folded = scorer.fold(records.offsets, records.timestamps_ms, records.keys, records.values)
    return [int(outcome) for outcome in folded.scores.outcome]


def plan_of(text: str, limits: Limits | None = None) -> Plan:
    """The plan of a file's text."""
    return compile_plan(parse_campaigns(text), limits)


def ask(after_ms: int, **properties: str | float | bool) -> LoggedEvent:
    """Ann is to be scored so long after the start."""
    return LoggedEvent("ann", "ask", START_MS + after_ms, f"ask{after_ms}", None, properties)


def happens(name: str, after_ms: int, **properties: str | float | bool) -> LoggedEvent:
    """Something else happens to Ann."""
    return LoggedEvent("ann", name, START_MS + after_ms, f"{name}{after_ms}", None, properties)


def test_the_last_moment_counts() -> None:
    """An event is within two hours for two hours, and not for a millisecond more.

    view ──────────── 2 h ─┤ eligible │ + 1 ms: not
    """
    events = [ask(0), happens("view", 1), ask(1 + 2 * HOUR_MS), ask(2 + 2 * HOUR_MS)]
    found = outcomes(Scorer(plan_of(WITHIN)), events)
    assert found == [NOT_ELIGIBLE, NOT_SCORED, TAKEN, NOT_ELIGIBLE]


def test_what_comes_late_happened_when_it_did() -> None:
    """A view that is read late is as old as it says, and never hides a newer one."""
    events = [happens("view", 3 * HOUR_MS), happens("view", 0), ask(5 * HOUR_MS)]
    assert outcomes(Scorer(plan_of(WITHIN)), events)[-1] == TAKEN
    events = [happens("x", 3 * HOUR_MS), happens("view", 0), ask(3 * HOUR_MS)]
    assert outcomes(Scorer(plan_of(WITHIN)), events)[-1] == NOT_ELIGIBLE


def test_the_event_itself_has_happened() -> None:
    """What happens now is within any time, and is not never."""
    text = WITHIN.replace("event: view", "event: ask")
    assert outcomes(Scorer(plan_of(text)), [ask(0)]) == [TAKEN]
    text = NEVER.replace("event: closed", "event: ask")
    assert outcomes(Scorer(plan_of(text)), [ask(0)]) == [NOT_ELIGIBLE]


def test_a_last_value_is_the_last_one() -> None:
    """The newest value counts, an absent one changes nothing, and 3 and "3" are one."""
    events = [ask(0), ask(1, country="DE"), ask(2), ask(3, country="AT"), ask(4, country="3")]
    late = happens("x", 1, country="FR")
    found = outcomes(Scorer(plan_of(LAST)), [*events, late, ask(5)])
    assert found == [NOT_ELIGIBLE, TAKEN, TAKEN, NOT_ELIGIBLE, TAKEN, NOT_SCORED, TAKEN]


def test_a_named_value_has_room() -> None:
    """Values that the file names are told apart however many others have come."""
    plan = plan_of(LAST, Limits(category_values_max=1))
    others = [happens("x", number, country=f"c{number}") for number in range(9)]
    assert outcomes(Scorer(plan), [*others, ask(9), ask(10, country="DE")])[-2:] == [
        NOT_ELIGIBLE,
        TAKEN,
    ]


def carried(before: str, after: str, past: list[LoggedEvent]) -> Scorer:
    """A fold of the past under a file that goes on under another."""
    old = Scorer(plan_of(before))
    outcomes(old, past)
    new = Scorer(plan_of(after))
    new.restore(old.lift())
    return new


def test_a_new_clause_knows_what_had_counters() -> None:
    """Of a type with counters the past is known; of another, nothing: never holds until it comes.

    closed ── file changes: never closed ── ask
    """
    past = [happens("closed", 0), happens("view", 0)]
    counted = FILE + "events: {count: [closed, view]}\n"
    for text, known, unknown in ((NEVER, NOT_ELIGIBLE, TAKEN), (WITHIN, TAKEN, NOT_ELIGIBLE)):
        assert outcomes(carried(counted, text, past), [ask(1)], 2) == [known]
        assert outcomes(carried(FILE, text, past), [ask(1)], 2) == [unknown]


def test_what_a_clause_knows_goes_on_by_its_meaning() -> None:
    """Another time within, other clauses before it, conditions in another order: it is known."""
    clause = "{event: closed, where: {a: 1, b: 2}, never: true}"
    before = f"{FILE}    for: [{clause}]\n"
    other = clause.replace("a: 1, b: 2", "b: 2, a: 1")
    after = f"{FILE}    for: [{{event: view, within: 1h}}, {other}]\n"
    past = [happens("closed", 0, a=1, b=2)]
    new = carried(before, after, past)
    assert outcomes(new, [happens("view", 1), ask(2)], 1) == [NOT_SCORED, NOT_ELIGIBLE]
    new = carried(before, after, [happens("closed", 0, a=1, b=3)])
    assert outcomes(new, [happens("view", 1), ask(2)], 1) == [NOT_SCORED, TAKEN]


def test_a_remembered_value_is_known_to_a_new_clause() -> None:
    """Also where another file remembered it for another reason."""
    past = [happens("x", 0, country="DE")]
    assert outcomes(carried(FILE + "events: {remember: [country]}\n", LAST, past), [ask(1)], 1) == [
        TAKEN
    ]
