"""The words of a campaign file that say who is asked about, what is absent, ignored, and where.

Owns: `for`, `none_of`, `events.ignore` and `time_zone`: how they are read, and each mistake.
Never: runs a campaign.
Source: the contract, "Campaign file".
"""

from __future__ import annotations

import msgspec
import pytest

from models.plan import compile_plan
from schemas.campaign import CampaignFile
from schemas.campaign_file import parse_campaigns
from schemas.clauses import Clause, Condition, Goal
from schemas.customer_clauses import CustomerClause
from schemas.event import EventDecoder, bounded_properties, occurred_at_ms
from schemas.times import DAY_MS, parse_time
from tests.unit.test_campaign_file import FULL, SHORT, only, only_campaign, with_goal, with_keys

WHOLE = """\
version: 1
time_zone: Europe/Berlin
events: {remember: [plan], ignore: [offer_considered]}
campaigns:
  lapse:
    for: [{last: country, is: [DE, 3, true]}, {event: page_view, within: 60d},
          {event: account_closed, where: {final: true}, never: true}]
    goal: {none_of: [page_view, {event: purchase}], match: [shop], not_same: [order], after: 1h,
           until: ends_at}
    horizon: 7d
    rate: 20%
    score_on: [page_view, offer_considered]
  plus:
    for: [{last: country, is: [true, DE, 3]}, {event: page_view, within: 7d}]
    goal: {event: purchase}
    horizon: 7d
    score_on: [page_view]
"""


def test_every_word_is_read_into_its_place() -> None:
    """Clauses on customers, an absence, questions and a time zone."""
    file = parse_campaigns(WHOLE)
    assert (file.time_zone, file.events.ignore) == ("Europe/Berlin", ("offer_considered",))
    lapse = file.campaigns["lapse"]
    assert lapse.eligible == (
        CustomerClause(last="country", values=("DE", 3.0, True)),
        CustomerClause(event=Clause("page_view"), within_ms=60 * DAY_MS),
        CustomerClause(event=Clause("account_closed", {"final": Condition((True,))})),
    )
    assert [clause.name for clause in lapse.eligible] == [
        "country is 3|DE|true", "page_view within 60d", "account_closed final=True never",
    ]  # fmt: skip
    assert lapse.goal == Goal(
        clauses=(Clause("page_view"), Clause("purchase")),
        match=("shop",),
        after_ms=3_600_000,
        not_same=("order",),
        until="ends_at",
        absence=True,
    )


def test_clauses_that_mean_the_same_are_one() -> None:
    """Clauses of all campaigns are numbered together; those of one event share a register."""
    plan = compile_plan(parse_campaigns(WHOLE))
    assert [clause.name for clause in plan.clauses] == [
        "country is 3|DE|true", "page_view within 60d", "account_closed final=True never",
        "page_view within 7d",
    ]  # fmt: skip
    assert plan.arrays.for_mask.tolist() == [0b0111, 0b1001]
    assert [clause.event for clause in plan.registers] == ["page_view", "account_closed"]
    assert plan.arrays.clause_register.tolist() == [-1, 0, 1, 0]
    assert plan.remembered == ("plan", "country")


def test_who_is_asked_about_changes_no_feature() -> None:
    """Types that only `for` names have no counters of their own, and questions have none."""
    file = parse_campaigns(WHOLE)
    assert file.event_types == ("page_view", "purchase")
    without = WHOLE.replace("account_closed, where: {final: true}", "purchase")
    columns = [compile_plan(parse_campaigns(text)).features for text in (WHOLE, without)]
    assert columns[0] == columns[1]


def test_what_is_not_said_changes_no_digest() -> None:
    """Files that know nothing of these words keep their lineages: nobody begins anew by them."""
    digests = ["371ab345b42f3056", "98bae57cc317b1ad"]
    lineages = ["2a93ebda02fc4f90", "26e41483a0115506"]
    before = FULL[: FULL.index("    trigger:")]
    assert [parse_campaigns(text).digest for text in (before, SHORT)] == digests
    found = [each.lineage for t in (FULL, SHORT) for each in parse_campaigns(t).campaigns.values()]
    assert found == lineages


@pytest.mark.parametrize(
    ("text", "begins_anew"),
    [
        (with_keys("for: [{event: page_view, within: 60d}]"), False),
        (SHORT + "events: {ignore: [offer]}\n", False),
        (SHORT + "time_zone: Europe/Berlin\n", True),
        (SHORT + "time_zone: UTC\n", False),
        (with_goal("{none_of: [purchase]}"), True),
    ],
)
def test_lineages(text: str, begins_anew: bool) -> None:
    """Who is asked about may change; what is asked, and what the clock shows, is the definition."""
    assert (only_campaign(text).lineage != only_campaign(SHORT).lineage) == begins_anew
    is_other = text not in {SHORT, SHORT + "time_zone: UTC\n"}
    assert (parse_campaigns(text).digest != parse_campaigns(SHORT).digest) == is_other


def test_a_file_is_kept_whole() -> None:
    """What the store of snapshots keeps of a file is all of it."""
    file = parse_campaigns(WHOLE)
    again = msgspec.json.decode(msgspec.json.encode(file), type=CampaignFile)
    assert (again, again.digest) == (file, file.digest)


@pytest.mark.parametrize(
    ("text", "key", "found", "allowed"),
    [
        (with_keys("for: {event: x}"), "for", "keys (event)", "a list of clauses"),
        (with_keys("for: []"), "for", "list of 0", "1 to"),
        (with_keys("for: [x]"), "for[0]", "`x`", "keys: last, is, event"),
        (with_keys("for: [{within: 1d}]"), "for[0]", "keys (within)", "a last known value"),
        (with_keys("for: [{lst: a, is: b}]"), "for[0].lst", "unknown key `lst`", "last, is"),
        (with_keys("for: [{event: x}]"), "for[0]", "keys (event)", "`within` or `never: true`"),
        (with_keys("for: [{event: x, within: 1d, never: true}]"), "for[0]",
         "keys (event, within, never)", "`within` or `never: true`"),
        (with_keys("for: [{event: x, never: false}]"), "for[0].never", "false", "true"),
        (with_keys("for: [{event: x, within: 0s}]"), "for[0].within", "`0s`", "from 1s"),
        (with_keys("for: [{event: x, wthin: 1d}]"), "for[0].wthin", "unknown key", "within"),
        (with_keys("for: [{event: x, is: a, never: true}]"), "for[0].is", "`a`", "no `is` beside"),
        (with_keys("for: [{event: x, never: true}, {event: x, never: true}]"), "for[1]",
         "keys (event, never)", "only once"),
        (with_keys("for: [{last: a}]"), "for[0]", "keys (last)", "{last: country, is: [DE, AT]}"),
        (with_keys("for: [{last: a, is: {gte: 3}}]"), "for[0].is", "keys (gte)", "list of values"),
        (with_keys("for: [{last: a, is: ['']}]"), "for[0].is", "a list", "1 to 256 characters"),
        (with_keys("for: [{last: a, is: b, within: 1d}]"), "for[0].within", "`1d`",
         "no `within` beside `last`"),
        (with_keys("for: [{last: $value, is: 3}]"), "for[0].last", "`$value`", "property's name"),
        (with_goal("{none_of: [p], event: p}"), "goal.event", "`p`", "`none_of` or `event`"),
        (with_goal("{any_of: [p], none_of: [q]}"), "goal.none_of", "a list",
         "`any_of` or `none_of`"),
        (with_goal("{none_of: [p], lost: q}"), "goal.lost", "`q`", "no `lost` beside `none_of`"),
        (with_goal("{none_of: [p]}") + "    predict: value\n", "goal.none_of", "a list",
         "no `none_of` with predict: value"),
        (SHORT + "events: {ignore: [purchase]}\n", "goal", "`purchase`", "under `events.ignore`"),
        (with_goal("{event: p, lost: q}") + "events: {ignore: [q]}\n", "goal.lost", "`q`",
         "under `events.ignore`"),
        (with_keys("for: [{event: x, never: true}]") + "events: {ignore: [x]}\n", "for", "`x`",
         "under `events.ignore`"),
        (with_keys("features: {count_by: [{event: x, by: y}]}") + "events: {ignore: [x]}\n",
         "features.count_by", "`x`", "under `events.ignore`"),
    ],
)  # fmt: skip
def test_mistakes(text: str, key: str, found: str, allowed: str) -> None:
    """A mistake is one problem with its key, what was found and what is allowed."""
    problem = only(text)
    assert problem.key == f"campaigns.a.{key}"
    assert found in problem.found
    assert allowed in problem.allowed


@pytest.mark.parametrize(
    ("line", "key", "found", "allowed"),
    [
        ("time_zone: Europe/Berln", "time_zone", "`Europe/Berln`", "such as Europe/Berlin"),
        ("time_zone: 2", "time_zone", "number 2", "such as Europe/Berlin"),
        ("events: {count: [x], ignore: [x]}", "events.count", "`x`", "under `events.ignore`"),
    ],
)
def test_mistakes_of_the_file(line: str, key: str, found: str, allowed: str) -> None:
    """The same for what stands beside the campaigns."""
    problem = only(f"{SHORT}{line}\n")
    assert (problem.key, problem.found) == (key, problem.found)
    assert found in problem.found
    assert allowed in problem.allowed


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"type": "track", "event": "Order Completed", "userId": "c1", "messageId": "m1",
          "timestamp": "2026-11-23T10:15:30.123Z", "properties": {"revenue": 9.5, "plan": "a"}},
         "format: segment"),
        ({"specversion": "1.0", "type": "Order Completed", "source": "/shop", "subject": "c1",
          "id": "m1", "time": "2026-11-23T10:15:30.123Z", "data": {"value": 9.5, "plan": "a"}},
         "format: cloudevents"),
        ({"specversion": "1.0", "type": "Order Completed", "who": "c1", "id": "m1",
          "time": "2026-11-23T10:15:30.123Z", "data": {"value": 9.5, "plan": "a"}},
         "format: cloudevents, customer_id: who"),
    ],
)  # fmt: skip
def test_what_others_have_agreed_on(record: dict[str, object], words: str) -> None:
    """A format says where the fields are, but for those that the file names."""
    decoder = EventDecoder(parse_campaigns(f"{SHORT}input: {{{words}}}\n").input)
    event = decoder.decode(msgspec.json.encode(record))
    assert (event.customer_id, event.type, event.event_id) == ("c1", "Order Completed", "m1")
    assert occurred_at_ms(event) == parse_time("2026-11-23T10:15:30.123Z")
    assert event.value == 9.5
    assert bounded_properties(event.properties)[0]["plan"] == "a"


def test_there_may_be_no_such_field() -> None:
    """A path of null says that an optional field is nowhere; others are somewhere."""
    mapping = parse_campaigns(SHORT + "input: {format: segment, event_id: null, value: }\n").input
    assert mapping is not None
    assert (mapping.event_id, mapping.value, mapping.properties) == (None, None, "properties")
    assert only(SHORT + "input: {type: null}\n").key == "input.type"
    assert only(SHORT + "input: {format: segmnt}\n").nearest == "segment"


def test_clauses_are_bounded() -> None:
    """All campaigns together have at most 64 distinct ones; 24 h and a day are one."""
    clauses = ", ".join(f"{{event: x, within: {number}h}}" for number in range(1, 33))
    more = "".join(
        f"  {name}:\n    goal: {{event: purchase}}\n    horizon: 7d\n    score_on: [page_view]\n"
        f"    for: [{clauses.replace('h}', f'{unit}}}')}]\n"
        for name, unit in (("b", "m"), ("c", "d"))
    )
    problem = only(with_keys(f"for: [{clauses}]") + more)
    assert problem.found == "95 distinct clauses on customers in all campaigns together"
