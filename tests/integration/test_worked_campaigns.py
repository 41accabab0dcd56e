"""The worked campaigns of docs/campaigns say what happens when their files are run.

Owns: that each page's figures are those of a replay, and that its lesson holds.
Never: how a log is made; tests/worked_logs.py has that.
Source: docs/campaigns.md.
"""

from __future__ import annotations

import json
from functools import cache

import pytest

from schemas.times import format_time
from tests.worked_campaigns import (
    FIGURES,
    FOLDER,
    PAGES,
    Replayed,
    clicked_by_rank,
    page,
    shown,
    warned,
)

SECTIONS = ("## The file", "## What one sees", "## What to do with it", "## What disappoints")

pytestmark = pytest.mark.slow


@cache
def run(name: str) -> tuple[Replayed, str]:
    """A page's replay, once, and its figures."""
    replay, lines = PAGES[name]()
    return replay, shown(lines)


def kinds(replay: Replayed) -> set[str]:
    """What kinds of triggers left."""
    return {each.kind for each in replay.triggers}


def test_every_page_is_run() -> None:
    """No page of the folder is left out, and each has the same sections."""
    assert {path.stem for path in FOLDER.glob("*.md")} == set(PAGES)
    for name in PAGES:
        places = [page(name).find(section) for section in SECTIONS]
        assert -1 not in places
        assert places == sorted(places)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_what_its_file_gives(name: str) -> None:
    """The figures are those of the replay; `python -m tests.worked_campaigns` writes them anew."""
    assert FIGURES.findall(page(name)) == [run(name)[1]]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_teaches_a_model_that_helps(name: str) -> None:
    """Each is better than its rate, in level and in order, with nothing that `check` warns of."""
    replay, _ = run(name)
    assert replay.figures["status"] == "ready"
    assert replay.figures["log_loss_28d"] < replay.figures["base_log_loss_28d"]
    assert replay.figures["auc_28d"] > 0.65
    assert warned(replay) == []


def test_a_cart_is_reminded_of_after_its_wait() -> None:
    """All that is told of the trigger happens: waits that are answered, cooldowns, a hold-out."""
    replay, _ = run("cart")
    assert kinds(replay) == {"entered", "exited", "converted"}
    assert all(replay.counted[reason] for reason in ("answered", "cooldown", "unless"))
    acted = {each.customer_id for each in replay.triggers}
    spared = {each.customer_id for each in replay.held_out}
    assert acted
    assert spared
    assert not acted & spared


def test_a_lapse_is_scored_by_the_timer_alone() -> None:
    """Every score is of the timer, and nobody who has closed the account has one afterwards."""
    replay, _ = run("lapse")
    assert {each.cause for each in replay.scores} == {"timer"}
    events = [json.loads(each.value) for each in replay.events]
    closed = {e["customer_id"]: e["occurred_at"] for e in events if e["type"] == "account_closed"}
    ends = {customer: format_time(at_ms) for customer, at_ms in closed.items()}
    scored = [each for each in replay.scores if each.customer_id in ends]
    assert scored
    assert all(each.as_of <= ends[each.customer_id] for each in scored)
    assert kinds(replay) == {"entered", "exited"}


def test_an_offer_is_asked_about_and_learned_where_it_was_sent() -> None:
    """Rows are of sends only, and the offer with the highest score is clicked more often."""
    replay, _ = run("offer")
    sent = sum(b'"email_sent"' in each.value for each in replay.events)
    considered = sum(b'"offer_considered"' in each.value for each in replay.events)
    assert len(replay.scores) == sent + considered
    assert 0 < len(replay.examples) <= sent
    best, others = clicked_by_rank(replay)
    assert best > 1.4 * others


def test_a_lead_has_goals_of_two_kinds_and_facts_of_the_night() -> None:
    """The late facts are late under the default, and none with the lateness of the page."""
    replay, text = run("lead")
    assert replay.counted["late"] == 0
    assert "36 h" in text
    assert {clause.event for clause in replay.campaign.goal.clauses} == {
        "demo_requested", "quote_asked",
    }  # fmt: skip
