"""Rules of the campaign file that hold between its sections.

Owns: how many of anything all campaigns have together, and what an ignored event cannot be, and
    what a timer goes with.
Never: reads a value.
Source: the contract, "Campaign file".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from schemas import campaign_grammar as grammar
from schemas.campaign import DEFAULT_IDLE_MAX_MS, Campaign, CampaignFile
from schemas.campaign_reader import Reader, join
from schemas.clauses import Goal
from schemas.yaml_source import Located

_A_FACT = "an event that is not under `events.ignore`: those are questions, and no facts"


def check_counts(reader: Reader, node: Located, file: CampaignFile) -> None:
    """All campaigns together have no more clauses and types than an event is compared with."""
    campaigns = file.campaigns.values()
    events = {c.identity for each in campaigns for c in (*each.clauses, *each.clauses_known)}
    customers = {clause.identity for each in campaigns for clause in each.customer_clauses}
    timers = sum(each.is_timed for each in campaigns)
    bits = "distinct clauses and timers" if timers else "distinct clauses"
    for what, count, count_max in (
        (bits, len(events) + timers, grammar.CLAUSES_MAX),
        ("distinct clauses on customers", len(customers), grammar.CUSTOMER_CLAUSES_MAX),
        ("event types", len(file.event_types), grammar.EVENT_TYPES_MAX),
    ):
        if count > count_max:
            found = f"{count} {what} in all campaigns together"
            reader.wrong(node, "campaigns", f"at most {count_max}", found=found)


def check_ignored(reader: Reader, section: Mapping[str, Located], file: CampaignFile) -> None:
    """An ignored event is scored if asked for; it is no goal, is not counted and never happened."""
    ignored = set(file.events.ignore)
    if not ignored:
        return
    for name in file.events.count:
        if name in ignored:
            reader.wrong(section["events"], "events.count", _A_FACT, found=f"`{name}`")
    campaigns = section["campaigns"].mapping or {}
    for campaign in file.campaigns.values():
        keys = campaigns[campaign.name].mapping or {}
        for word, path, event in _facts(campaign):
            if event in ignored:
                key = f"campaigns.{campaign.name}.{path}"
                reader.wrong(keys[word], key, _A_FACT, found=f"`{event}`")


def _facts(campaign: Campaign) -> Iterator[tuple[str, str, str]]:
    """Events that a campaign takes for facts: the key of the campaign, the path, the type."""
    for clause in campaign.goal.clauses:
        yield "goal", "goal", clause.event
    if campaign.goal.lost is not None:
        yield "goal", "goal.lost", campaign.goal.lost.event
    for word, path, clauses in (
        ("for", "for", campaign.eligible),
        ("trigger", "trigger.unless", campaign.unless),
    ):
        for each in clauses:
            if each.event is not None:
                yield word, path, each.event.event
    for group in campaign.features.count_by:
        yield "features", "features.count_by", group.event


def timer_of(
    reader: Reader, section: Mapping[str, Located], key: str, goal: Goal | None
) -> tuple[int, int]:
    """How often customers are scored on a timer (0: not), and until when after an event."""
    read = {"score_every": 0, "idle_max": DEFAULT_IDLE_MAX_MS}
    for word in [word for word in read if word in section]:
        least_ms = grammar.SCORE_EVERY_MIN_MS
        found = reader.duration_ms(section[word], join(key, word), min_ms=least_ms)
        read[word] = found or read[word]
    if "score_every" not in section:
        if "idle_max" in section:
            allowed = "`idle_max` only beside `score_every`"
            reader.wrong(section["idle_max"], join(key, "idle_max"), allowed)
    elif goal is not None and goal.match:
        allowed = "no `score_every` where the goal has a `match`: a timer has no properties"
        reader.wrong(section["score_every"], join(key, "score_every"), allowed)
    return read["score_every"], read["idle_max"]
