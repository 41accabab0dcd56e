"""Control facts, rule by rule: who is suppressed, who has refused consent, and who is forgotten.

Owns: cases that a reader can check by head.
Never: random logs; the property tests have those.
Source: docs/contract.md, "Control facts".
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from consumer.explanation import seen_in_words
from models.batch import DUPLICATE, LATE, NOT_SCORED, OBEYED, SUPPRESSED, TAKEN
from models.kernel_queues import UNLISTED
from models.plan import Limits, Plan, compile_plan
from models.scorer import Scorer
from models.state import NO_TIMER_MS
from schemas.campaign import CampaignFile
from schemas.clauses import Clause
from schemas.control import control_of
from schemas.errors import InvalidRecord
from schemas.event import EventDecoder
from schemas.example import decode_example
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS, format_time
from tests.event_logs import START_MS, LoggedEvent, records_of
from tests.unit.test_triggers import BUY, POLICY, Shop, kinds, plan_of

KNOWN = "no $ at the beginning, or one of $suppress, $unsuppress, $consent, $forget"
LONG = "l" * 60  # A name that does not fit into its row.


def outcome(shop: Shop) -> int:
    """What became of the last event."""
    assert shop.last is not None
    return int(shop.last.scores.outcome[0])


def test_who_is_suppressed_is_neither_scored_nor_triggered_nor_learned() -> None:
    """From that offset on, until it is taken back; profiles go on, and others notice nothing."""
    shop = Shop()
    assert kinds(shop.happens("view", 0, 0.9)) == ["entered"]
    assert shop.happens("$suppress", 1) == []
    assert shop.last is not None
    assert dict(shop.last.withdrawn) == {(0, "suppressed"): 1}
    assert shop.scorer.counts.open_examples == 0
    assert shop.happens("view", 2, 0.1) == []
    assert outcome(shop) == SUPPRESSED
    assert shop.happens("buy", 3) == []
    assert outcome(shop) == NOT_SCORED
    shop.happens("view", 4, 0.1, customer="bob")
    assert outcome(shop) == TAKEN
    shop.happens("$unsuppress", 5)
    assert kinds(shop.happens("view", 6, 0.9)) == ["entered"]
    shop.happens("x", 3 * DAY_MS, customer="bob")
    assert shop.last is not None
    rows = [decode_example(row) for row in shop.last.rows.values]
    assert [row.source.offset for row in rows] == [4, 6]
    assert shop.scorer.counts.withdrawn == 1


def test_a_suppression_may_end_by_itself() -> None:
    """`until` is a time of events: what is scored as of then, or later, is scored again."""
    shop = Shop()
    shop.happens("$suppress", 0, until=format_time(START_MS + HOUR_MS))
    found = []
    for after_ms in (1, HOUR_MS - 1, HOUR_MS):
        shop.happens("view", after_ms)
        found.append(outcome(shop))
    assert found == [SUPPRESSED, SUPPRESSED, TAKEN]


def test_who_waits_gets_nothing_once_suppressed() -> None:
    """The wait is dropped and counted, also where the same moment would have ended it."""
    shop = Shop(plan_of(policy={"wait_ms": 10 * MINUTE_MS}))
    shop.happens("view", 0, 0.9)
    assert shop.happens("$suppress", DAY_MS) == []
    assert shop.happens("x", DAY_MS, customer="bob") == []
    assert shop.counted("_withheld", "suppressed") == 1


def test_consent_is_about_triggers() -> None:
    """Who refuses is scored and learned, and not triggered; who says nothing is not asked."""
    shop = Shop(plan_of(policy={"wait_ms": 10 * MINUTE_MS}))
    shop.happens("view", 0, 0.9)
    shop.happens("$consent", 1, granted=False)
    assert shop.happens("view", HOUR_MS, 0.9) == []
    assert outcome(shop) == TAKEN
    assert shop.counted("_withheld", "consent") == 2
    assert shop.scorer.counts.open_examples == 2
    shop.happens("$consent", HOUR_MS, granted=True)
    shop.happens("view", HOUR_MS, 0.9)
    assert kinds(shop.happens("x", 2 * HOUR_MS)) == ["entered"]


def test_who_is_forgotten_begins_from_nothing() -> None:
    """No profile, no name, no example, no wait and no suppression is left; the slot is used again.

    The fold then holds the bytes of one that never knew the customer, but for what is free.
    """
    shop = Shop(plan_of(policy={"wait_ms": 10 * MINUTE_MS, "cooldown_ms": DAY_MS}))
    for customer in ("ann", LONG):
        shop.happens("view", 0, 0.9, customer=customer, name=f"{customer}/e")
        assert shop.scorer.counts.profiles == 1
        shop.happens("$suppress", 1, customer=customer)
        shop.happens("$forget", 2, customer=customer)
        assert shop.scorer.counts.profiles == 0
        assert shop.scorer.portrait(customer) is None
        for name, array in shop.scorer.lift().arrays.items():
            if name in {"profiles", "examples", "triggers", "customers", "event_ids"}:
                assert LONG.encode() not in array.tobytes(), name
                assert b"ann" not in array.tobytes(), name
        assert not shop.scorer._profiles.view.customer_hash.any()
        assert not shop.scorer.lift().arrays["triggers"].tobytes().strip(b"\0")
    assert shop.scorer._registers[15] == 1
    assert shop.happens("view", HOUR_MS, 0.9) == []
    assert outcome(shop) == TAKEN
    assert kinds(shop.happens("x", 2 * HOUR_MS)) == ["entered"]


def test_forgetting_who_is_not_known_makes_no_profile() -> None:
    """Nobody makes room for somebody of whom nothing is to be remembered."""
    shop = Shop()
    for kind in ("$forget", "$unsuppress"):
        shop.happens(kind, 0)
        assert (outcome(shop), shop.scorer.counts.profiles) == (OBEYED, 0)
    shop.happens("$suppress", 0)
    shop.happens("view", 0)
    assert (outcome(shop), shop.scorer.counts.profiles) == (SUPPRESSED, 1)


def test_a_control_fact_is_obeyed_once() -> None:
    """One that comes again is a duplicate, as any event is."""
    shop = Shop()
    shop.happens("view", 0)
    shop.happens("$suppress", 1, name="s")
    shop.happens("$unsuppress", 2)
    shop.happens("$suppress", 1, name="s")
    assert outcome(shop) == DUPLICATE
    shop.happens("view", 3)
    assert outcome(shop) == TAKEN


def test_a_control_fact_is_no_event_of_the_clock() -> None:
    """A fact of today does not make late what is read of last year."""
    shop = Shop()
    shop.happens("view", 0)
    shop.happens("$forget", 400 * DAY_MS, customer="bob")
    shop.happens("view", 1)
    assert outcome(shop) == TAKEN
    shop.happens("view", 2 * HOUR_MS)
    shop.happens("view", 2)
    assert outcome(shop) == LATE


def small(profiles_max: int) -> Plan:
    """A plan that has room for few customers, none of whom has open examples."""
    buy = replace(BUY, learn_on=(Clause("never"),), trigger=POLICY)
    return compile_plan(CampaignFile(1, {"buy": buy}), replace(Limits(), profiles_max=profiles_max))


def test_who_is_suppressed_makes_no_room() -> None:
    """However many come, a suppression stays; taken back, its customer can make room again."""
    shop = Shop(small(2))
    shop.happens("$suppress", 0)
    shop.happens("$consent", 0, customer="bob", granted=False)
    for number in range(5):
        shop.happens("view", number, customer=f"c{number}")
    shop.happens("view", 9)
    assert outcome(shop) == SUPPRESSED
    assert shop.happens("view", 9, 0.9, customer="bob") == []
    assert shop.scorer.counts.profiles == 3
    shop.happens("$unsuppress", 10)
    for number in range(5):
        shop.happens("view", 11 + number, customer=f"d{number}")
    assert shop.scorer.portrait("ann") is None
    assert shop.scorer.portrait("bob") is not None


def test_a_suppressed_customer_has_no_scores_to_ask_for() -> None:
    """Whoever asks is told why, and no score; also of somebody who has done nothing yet."""
    shop = Shop()
    shop.happens("$suppress", 0, customer="bob")
    assert shop.scorer.portrait("bob") is None, "there is no time yet as of which to tell"
    shop.happens("view", 0)
    assert (found := shop.scorer.portrait("ann")) is not None
    assert (found.score_count, seen_in_words(found)[1:]) == (1, [])
    shop.happens("$suppress", 0)
    shop.happens("$consent", 0, customer="bob", granted=False)
    for customer in ("ann", "bob"):
        assert (found := shop.scorer.portrait(customer)) is not None
        assert found.score_count == 0
        assert seen_in_words(found)[0] == "suppressed until taken back: no score, no trigger"
    assert seen_in_words(found)[1:] == ["consent refused: no trigger"]
    assert found.first_at_ms == START_MS


def test_restored_and_under_another_file_everybody_is_left_alone() -> None:
    """Snapshots and another campaign file keep who is suppressed, and who is nobody."""
    shop = Shop()
    for customer in ("ann", "bob", "cy"):
        shop.happens("view", 0, 0.9, customer=customer)
    shop.happens("$suppress", 1)
    shop.happens("$forget", 1, customer="bob")
    lifted = shop.scorer.lift()
    assert lifted.facts["format"] == 2
    other = replace(BUY, trigger=POLICY, score_every_ms=HOUR_MS)
    for plan in (shop.plan, compile_plan(CampaignFile(1, {"buy": other}))):
        scorer = Scorer(plan)
        scorer.restore(lifted)
        assert scorer.counts.profiles == 2
        nobody = scorer._profiles.view
        assert (nobody.newer[1], nobody.timers[1, 0]) == (UNLISTED, NO_TIMER_MS)
        del nobody
        log = records_of(
            [
                LoggedEvent(name, "view", START_MS + 2 * DAY_MS, name)
                for name in ("ann", "dan", "eve")
            ],
            100,
        )
        folded = scorer.fold(log.offsets, log.timestamps_ms, log.keys, log.values)
        assert folded.scores.outcome.tolist() == [SUPPRESSED, TAKEN, TAKEN]
        assert scorer.counts.profiles == 4
        assert set(folded.timed) <= {b"cy"}
        names = scorer._profiles.view.name[:4, 1:4].tobytes()
        assert names == b"anndancy\0eve"


def test_a_state_without_control_facts_is_of_the_first_format() -> None:
    """What nobody uses asks nothing of others: older versions read it."""
    shop = Shop()
    shop.happens("view", 0)
    assert shop.scorer.lift().facts["format"] == 1


@pytest.mark.parametrize(
    ("kind", "properties", "said"),
    [
        ("$forgt", None, f'type: found the text "$forgt", expected {KNOWN}.'),
        ("$suppress", {"until": "soon"}, 'properties.until: found the text "soon"'),
        ("$suppress", {"until": 17}, "properties.until: found the number 17"),
        ("$consent", None, "properties.granted: found null, expected true or false."),
        ("$consent", {"granted": 1}, "properties.granted: found the number 1"),
        ("$forget", [1], "properties: found a list, expected an object, or no such field."),
    ],
)  # fmt: skip
def test_what_is_no_control_fact_is_refused(kind: str, properties: object, said: str) -> None:
    """A dead letter says what was found and which are known; nothing is guessed."""
    fields = {"customer_id": "ann", "type": kind, "occurred_at": START_MS, "properties": properties}
    record = json.dumps(fields).encode()
    with pytest.raises(InvalidRecord) as caught:
        control_of(EventDecoder().decode(record))
    assert str(caught.value).startswith(said)
    folded = Scorer(plan_of()).fold([0], [-1], [b"ann"], [record])
    assert [str(each.error) for each in folded.batch.refused] == [str(caught.value)]


def test_several_in_a_batch_are_obeyed_in_their_order() -> None:
    """Scores of a customer in one batch stop and begin again where the facts stand."""
    kinds_sent = ("view", "$suppress", "view", "$unsuppress", "view", "$forget", "view")
    log = records_of(
        [LoggedEvent("ann", kind, START_MS + n, f"e{n}") for n, kind in enumerate(kinds_sent)]
    )
    scorer = Scorer(plan_of())
    folded = scorer.fold(log.offsets, log.timestamps_ms, log.keys, log.values)
    expected = [TAKEN, OBEYED, SUPPRESSED, OBEYED, TAKEN, OBEYED, TAKEN]
    assert folded.scores.outcome.tolist() == expected
    assert np.unique(folded.scores.event[: folded.score_count]).tolist() == [0, 4, 6]
    assert folded.withdrawn == {(0, "suppressed"): 1, (0, "forgotten"): 1}
