"""A customer in plain words: what we have seen, what the scores are, and why.

Owns: the explanation that the page, the API and `propensity explain` show, as JSON and as lines.
Never: computes a score, or names a cause.
Source: docs/contract.md, "HTTP"; `models/portrait.py` has the facts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from consumer.enquiries import Found
from consumer.score_words import (
    Circumstances,
    ago,
    answer_in_words,
    counted,
    goal_in_words,
    percent,
    reasons_in_words,
    spaced,
)
from models.layout import OTHER
from models.plan import Plan
from models.portrait import Counted, OpenExample, Portrait
from models.serving import Term, Terms
from schemas.campaign import Campaign
from schemas.control import FOR_EVER_MS
from schemas.durations import format_duration
from schemas.score import ScoreEntry
from schemas.times import format_time

Json = dict[str, Any]

NOT_A_CAUSE: Final = "A reason is an association, not a cause."
FEATURES_MAX: Final = 20
PLACES: Final = 6


def scores_of(found: Found, topic: str) -> Json:
    """The scores that would be published now."""
    return {
        "customer_id": found.portrait.customer,
        "as_of": format_time(found.portrait.clock_ms),
        "source": {
            "topic": topic,
            "partition": found.partition,
            "next_offset": found.next_offset,
        },
        "scores": msgspec.to_builtins(found.scores),
    }


def explanation_of(found: Found, plan: Plan, topic: str) -> Json:
    """All that is known of a customer, and why the scores are what they are."""
    portrait, known = found.portrait, circumstances(found.portrait, plan)
    campaigns = plan.file.campaigns
    return {
        **scores_of(found, topic),
        "known_since": format_time(portrait.first_at_ms),
        "seen": seen_in_words(portrait),
        "counters": [_counter(each, portrait.clock_ms) for each in portrait.counters],
        "counted_by": [
            {"event": each.event, "by": each.by, "counts": _rounded(each.counts)}
            for each in portrait.counted_by
        ],
        "remembered": {
            name: {"value": each.value, "at": format_time(each.at_ms)}
            for name, each in portrait.remembered.items()
        },
        "scores": [
            _score(entry, campaigns[entry.campaign], known, portrait) for entry in found.scores
        ],
        "open_examples": [
            _example(each, campaigns[each.campaign], portrait.clock_ms)
            for each in portrait.open_examples
        ],
        "open_examples_count": portrait.open_count,
        "caveat": NOT_A_CAUSE,
    }


def circumstances(portrait: Portrait, plan: Plan) -> Circumstances:
    """What is said of the sources of reasons: how many there were ever, and how long ago."""
    counts: dict[str, int] = dict.fromkeys(
        (stream.name for stream in plan.layout.streams if stream.clauses), 0
    )
    ages: dict[str, str] = {}
    for each in portrait.counters:
        if each.source in counts:
            counts[each.source] = max(1, round(_most(each)))
            ages[each.source] = ago(portrait.clock_ms - each.last_at_ms)
    properties = {name: each.value for name, each in portrait.remembered.items()}
    return Circumstances("event", counts, properties, ages)


def seen_in_words(portrait: Portrait) -> list[str]:
    """What was told of the customer; then `3 cart adds, the last 12 min ago`, the newest first."""
    newest = sorted(portrait.counters, key=lambda each: -each.last_at_ms)
    return [*_told(portrait), *(_seen(each, portrait.clock_ms) for each in newest)]


def _told(portrait: Portrait) -> Iterator[str]:
    """What control facts say."""
    until_ms = portrait.suppressed_until_ms
    if until_ms > portrait.clock_ms:
        end = "taken back" if until_ms == FOR_EVER_MS else format_time(until_ms)
        yield f"suppressed until {end}: no score, no trigger"
    if portrait.consent_refused:
        yield "consent refused: no trigger"


def _seen(each: Counted, clock_ms: int) -> str:
    count = max(1, round(_most(each)))
    name = "other event" if each.source == OTHER else each.source
    about = "" if "all" in each.counts or count == 1 else "about "
    last = "the last " if count > 1 else ""
    return f"{about}{counted(name, count)}, {last}{ago(clock_ms - each.last_at_ms)}"


def _most(each: Counted) -> float:
    """How many there were: exactly, where a counter keeps all, or what the slowest has left."""
    return max(each.counts.values())


def _counter(each: Counted, clock_ms: int) -> Json:
    return {
        "source": each.source,
        "words": _seen(each, clock_ms),
        "last_at": format_time(each.last_at_ms),
        "counts": _rounded(each.counts),
        "values": _rounded(each.values),
    }


def _score(entry: ScoreEntry, campaign: Campaign, known: Circumstances, portrait: Portrait) -> Json:
    terms = portrait.terms[entry.campaign] if entry.status != "warming" else Terms([], 0.0)
    hits, misses = portrait.answers[entry.campaign]
    return {
        **msgspec.to_builtins(entry),
        "words": answer_in_words(entry, campaign),
        "because": reasons_in_words(entry, known),
        "before": _before(hits, misses),
        "features": [_feature(term) for term in terms.strongest],
        "other_features": round(terms.others, PLACES),
    }


def _before(hits: int, misses: int) -> str:
    if not hits + misses:
        return "no outcome of this customer is known yet"
    return f"{hits} of {hits + misses} earlier outcomes were conversions"


def _feature(term: Term) -> Json:
    return {
        "feature": term.feature,
        "source": term.source,
        "value": round(term.value, PLACES),
        "weight": term.weight,
        "contribution": round(term.contribution, PLACES),
    }


def _example(each: OpenExample, campaign: Campaign, clock_ms: int) -> Json:
    return {
        "campaign": each.campaign,
        "event_id": each.event_id,
        "as_of": format_time(each.as_of_ms),
        "counts_until": format_time(each.deadline_ms),
        "closes_at": format_time(each.closes_at_ms),
        "served": each.served,
        "status": each.status,
        "words": _example_words(each, campaign, clock_ms),
    }


def _example_words(each: OpenExample, campaign: Campaign, clock_ms: int) -> str:
    said = percent(each.served) if campaign.predict == "conversion" else f"{each.served:,.2f}"
    begun = f"scored {said} {ago(clock_ms - each.as_of_ms)}"
    left_ms = max(0, each.closes_at_ms - clock_ms)
    if each.answer > 0.0:
        return f"{begun}; the goal has come, and it closes in {_span(left_ms)}"
    if each.is_decided:
        return f"{begun}; decided, and it closes in its turn"
    return f"{begun}; waits for {goal_in_words(campaign)}, and closes in {_span(left_ms)}"


def _span(duration_ms: int) -> str:
    """A duration in its two largest units, at most."""
    for size_ms in (86_400_000, 3_600_000, 60_000, 1_000):
        if duration_ms >= 2 * size_ms:
            return format_duration(duration_ms // size_ms * size_ms)
    return format_duration(duration_ms // 1_000 * 1_000)


def _rounded(numbers: Mapping[str, float]) -> dict[str, float]:
    return {name: round(number, PLACES) for name, number in numbers.items()}


def in_lines(explained: Json) -> Iterator[str]:
    """An explanation as lines for a terminal."""
    source = explained["source"]
    yield f"{explained['customer_id']}, known since {explained['known_since'][:10]}"
    yield f"as of {explained['as_of']}, {source['topic']}[{source['partition']}]"
    yield ""
    yield "Seen"
    yield from (f"  {words}" for words in explained["seen"])
    for name, each in explained["remembered"].items():
        yield f"  {spaced(name)}: {each['value']}"
    for score in explained["scores"]:
        yield ""
        yield f"{score['campaign']}: {score['words']}  [{score['status']}]"
        yield from (f"  {reason}" for reason in score["because"])
        yield f"  {score['before']}"
        if score["features"]:
            yield f"  {'contribution':>12}  {'value':>10}  feature"
        for each in score["features"]:
            yield f"  {each['contribution']:>+12.3f}  {each['value']:>10.3f}  {each['feature']}"
        if score["features"] and score["other_features"]:
            yield f"  {score['other_features']:>+12.3f}  {'':>10}  all other features"
    yield ""
    yield f"Open examples: {explained['open_examples_count']}"
    for each in explained["open_examples"]:
        yield f"  {each['campaign']}: {each['words']}"
    yield ""
    yield explained["caveat"]
