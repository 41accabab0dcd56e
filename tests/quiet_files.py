"""Campaign files that publish changes only, or limit the triggers of a customer; and naively which.

Owns: drawing both, and the rule of what is published as a question to what was published before.
Never: a state that is updated.
Source: docs/campaigns.md, "Publishing changes only" and "A limit for all campaigns".
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import strategies as st
from msgspec.structs import replace as with_fields

from schemas.campaign import Campaign, CampaignFile
from schemas.contact_limit import ContactLimit
from schemas.score import ScoreEntry, ScoreRecord
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS
from tests.event_logs import MAIL, START_MS, VIEW, LoggedEvent, closing
from tests.naive_folds import NaiveFold
from tests.naive_triggers import NaiveTriggers

CHANGES = (None, 1e-6, 0.1, 0.9)
LIMITS = (None, ContactLimit(1, HOUR_MS), ContactLimit(1, DAY_MS), ContactLimit(2, DAY_MS))


@st.composite
def quiet(draw: st.DrawFn, files: st.SearchStrategy[CampaignFile]) -> CampaignFile:
    """A file some of whose campaigns publish changes only, with or without a limit."""
    file = draw(files)
    campaigns = {
        name: replace(campaign, publish_change=draw(st.sampled_from(CHANGES)))
        for name, campaign in file.campaigns.items()
    }
    has_trigger = any(campaign.trigger is not None for campaign in campaigns.values())
    limit = draw(st.sampled_from(LIMITS)) if has_trigger else None
    return replace(file, campaigns=campaigns, contact_limit=limit)


@st.composite
def busy(draw: st.DrawFn, files: st.SearchStrategy[CampaignFile]) -> CampaignFile:
    """Files that score every view, open few examples, and let customers in again and again."""
    file, found = draw(files), dict[str, Campaign]()
    for name, campaign in file.campaigns.items():
        found[name] = replace(
            campaign, eligible=(), score_on=(VIEW,), learn_on=draw(st.sampled_from(((MAIL,), None)))
        )
        if campaign.trigger is not None:
            trigger = replace(campaign.trigger, unless=(), cooldown_ms=0)
            found[name] = replace(found[name], trigger=trigger)
    return replace(file, campaigns=found)


@st.composite
def busy_logs(draw: st.DrawFn) -> list[LoggedEvent]:
    """Many views of two customers in little time, some of them late, and what may answer them."""
    draws = random.Random(draw(st.integers(0, 2**32)))
    at_ms, events = START_MS, list[LoggedEvent]()
    for index in range(draws.choice((30, 60))):
        at_ms += draws.choice((0, 1, MINUTE_MS, 10 * MINUTE_MS, -5 * MINUTE_MS, HOUR_MS))
        kind = draws.choice(("view",) * 8 + ("mail", "buy", "cart"))
        properties = {"channel": draws.choice(("app", "web")), "country": "DE"}
        events.append(LoggedEvent(draws.choice("ab"), kind, at_ms, f"e{index}", None, properties))
    return [*events, *closing(at_ms, len(events))]


def loud(file: CampaignFile) -> CampaignFile:
    """The file with every score published."""
    every = {name: replace(each, publish_change=None) for name, each in file.campaigns.items()}
    return replace(file, campaigns=every)


def published_of(
    file: CampaignFile, fold: NaiveFold, scores: Sequence[ScoreRecord]
) -> list[ScoreRecord]:
    """What is published of all scores of a log, each of an event at its position.

    An entry is if it opens an example, lets a customer in or out or begins or ends a wait, or
    says something else than the last one of its customer that was published.
    """
    triggers = NaiveTriggers(fold, {score.source.offset: score for score in scores})
    needed = {(each.campaign, each.scored) for each in triggers.happened}
    for campaign in file.campaigns.values():
        for group in fold.groups(campaign):
            needed |= {(campaign.name, event) for event in group.chosen}
    kept: list[tuple[str, int, ScoreEntry]] = []
    found: list[ScoreRecord] = []
    for score in scores:
        k, entries = score.source.offset, list[ScoreEntry]()
        for entry in score.scores:
            share = file.campaigns[entry.campaign].publish_change
            last = [
                each
                for who, i, each in kept
                if (who, each.campaign) == (score.customer_id, entry.campaign)
                and i > fold.controls.forgotten_before(k)
            ]
            is_needed = (entry.campaign, k) in needed or not last
            if share is None or is_needed or differs(last[-1], entry, share):
                entries.append(entry)
                kept.append((score.customer_id, k, entry))
        if entries:
            found.append(with_fields(score, scores=entries))
    return found


def differs(last: ScoreEntry, entry: ScoreEntry, share: float) -> bool:
    """Whether a score says something else: band, status, or what is predicted by more than this."""
    before, now = predicted(last), predicted(entry)
    return (
        (last.band, last.status) != (entry.band, entry.status)
        or abs(now - before) > share * abs(before)
    )  # fmt: skip


def predicted(entry: ScoreEntry) -> float:
    """What a score predicts: a probability, or a value."""
    found = entry.probability if entry.expected_value is None else entry.expected_value
    assert found is not None
    return found
