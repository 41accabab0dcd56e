"""Scores in plain words, for people who never heard of a logit.

Owns: how a probability and its reasons are said to a person.
Never: a cause: what goes together need not bring about.
Source: a contribution c to the logit multiplies the odds by exp(c).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from models.layout import OTHER
from schemas.campaign import Campaign
from schemas.durations import format_duration
from schemas.score import Reason, ScoreEntry, ScoreRecord

LATELY_DAYS: Final = 7
CAVEAT: Final = f"counts are of {LATELY_DAYS} days; reasons are associations, not causes"

# What moves the odds by less than 5 % is not worth a word; by a fifth is little, twofold a lot.
WORTH_MIN: Final = 0.05
LITTLE_MAX: Final = 0.2
MUCH_MIN: Final = 0.7

_ENDINGS_WITH_ES: Final = ("s", "x", "z", "ch", "sh")
_VOWELS: Final = "aeiou"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What was known when a score was made.

    `counts` has every event type that there is, with how many the customer had in the last
    `LATELY_DAYS`, or ever; `ages` says how long ago the last one was, where that is known;
    `properties` are those of the event that was scored.
    """

    event_type: str
    counts: Mapping[str, int] = field(default_factory=dict)
    properties: Mapping[str, str | float] = field(default_factory=dict)
    ages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScoreWords:
    """What is said of one score."""

    headline: str
    reasons: str


def score_in_words(
    record: ScoreRecord, entry: ScoreEntry, campaign: Campaign, known: Circumstances
) -> ScoreWords:
    """One campaign's score of one customer, as two lines."""
    who = f"{record.customer_id} · {spaced(known.event_type)}"
    headline = f"{who} · {answer_in_words(entry, campaign)}"
    return ScoreWords(headline, "; ".join(reasons_in_words(entry, known)))


def answer_in_words(entry: ScoreEntry, campaign: Campaign) -> str:
    """What is to be expected, and where that stands: `3.1 % for purchase within 7d`."""
    rank = ""
    if entry.percentile is not None:
        rank = f", above {min(99, int(entry.percentile))} % of recent ones"
    return f"{_answer(entry, campaign)}{rank}"


def reasons_in_words(entry: ScoreEntry, known: Circumstances) -> list[str]:
    """Why a score is what it is, the strongest reason first; or that there is none to tell."""
    if entry.status == "warming":
        return ["nothing learned yet: this is the rate the campaign began with"]
    value = entry.probability is None
    told = [
        reason_in_words(reason, known, measured=not value)
        for reason in entry.reasons
        if value or abs(reason.contribution) >= WORTH_MIN
    ]
    return told or ["nothing stands out"]


def reason_in_words(reason: Reason, known: Circumstances, *, measured: bool = True) -> str:
    """What one source did to the score, and how much if that is a logit (`measured`).

    Examples
    --------
    >>> known = Circumstances("page_view", {"cart_add": 3, "purchase": 0})
    >>> reason_in_words(Reason("cart_add", 0.9), known)
    '3 cart adds raise it a lot'
    >>> reason_in_words(Reason("purchase", -0.3), known)
    'no purchase lowers it'
    >>> aged = Circumstances("page_view", {"cart_add": 3}, ages={"cart_add": "12 min ago"})
    >>> reason_in_words(Reason("cart_add", 0.9), aged)
    '3 cart adds, the last 12 min ago, raise it a lot'
    """
    subject, several = _subject(reason.source, known)
    verb = "raise" if reason.contribution > 0.0 else "lower"
    strength = _strength(abs(reason.contribution)) if measured else ""
    return f"{subject} {verb}{'' if several else 's'} it{strength}"


def counted(name: str, count: int) -> str:
    """So many events of a type.

    Examples
    --------
    >>> counted("search", 2), counted("email_sent", 3), counted("purchase", 0)
    ('2 searches', '3 emails sent', 'no purchase')
    >>> counted("line department=DELI", 2)
    '2 × line department=DELI'
    """
    if "=" in name or " or " in name:  # Of a clause: there is no plural of that.
        return f"{count or 'no'}{' ×' if count else ''} {name}"
    if count == 0:
        return f"no {spaced(name)}"
    if count == 1:
        return f"1 {spaced(name)}"
    words = spaced(name).split()
    # "email sent": the noun comes first.
    place = 0 if words[-1].endswith(("ed", "sent")) else -1
    words[place] = _plural(words[place])
    return f"{count} {' '.join(words)}"


def percent(share: float) -> str:
    """A share as people write it.

    Examples
    --------
    >>> percent(0.0312), percent(0.0004), percent(0.5)
    ('3.1 %', '0.04 %', '50 %')
    """
    hundred = 100.0 * share
    if hundred >= 10.0:
        return f"{hundred:.0f} %"
    return f"{hundred:.1f} %" if hundred >= 1.0 else f"{hundred:.2g} %"


def ago(duration_ms: int) -> str:
    """How long ago something was.

    Examples
    --------
    >>> ago(12_000), ago(725_000), ago(7_300_000), ago(3 * 86_400_000)
    ('just now', '12 min ago', '2 h ago', '3 days ago')
    """
    minutes = duration_ms // 60_000
    if minutes < 1:
        return "just now"
    if minutes < 120:
        return f"{minutes} min ago"
    return f"{minutes // 60} h ago" if minutes < 2_880 else f"{minutes // 1_440} days ago"


def goal_in_words(campaign: Campaign) -> str:
    """What the campaign asks for: `purchase within 1d`, or `no login or play within 30d`."""
    events = dict.fromkeys(spaced(clause.event) for clause in campaign.goal.clauses)
    absent = "no " if campaign.goal.absence else ""
    return f"{absent}{' or '.join(events)} within {format_duration(campaign.horizon_ms)}"


def _answer(entry: ScoreEntry, campaign: Campaign) -> str:
    goal = goal_in_words(campaign)
    if entry.expected_value is not None:
        likely = "" if entry.probability is None else f", {percent(entry.probability)} for any"
        return f"{entry.expected_value:,.2f} to be expected of {goal}{likely}"
    return f"{percent(entry.probability or 0.0)} for {goal}"


def _subject(source: str, known: Circumstances) -> tuple[str, bool]:
    """What is named, and whether it is several."""
    if source in known.counts:
        count = known.counts[source]
        age = known.ages.get(source)
        last = f", {'the last ' if count > 1 else ''}{age}," if count and age else ""
        return counted(source, count) + last, count > 1
    if source in _SUBJECTS:
        return _SUBJECTS[source]
    parts = source.split("×")
    values = [known.properties.get(part) for part in parts]
    said = [
        f"no {spaced(part)}" if value is None else f"{spaced(part)} {_written(value)}"
        for part, value in zip(parts, values, strict=True)
    ]
    return " with ".join(said), False


_SUBJECTS: Final[Mapping[str, tuple[str, bool]]] = {
    OTHER: ("other events", True),
    "tenure": ("how long we know them", False),
    "time of day": ("the time of day", False),
    "answers": ("how it ended before", False),
}


def _strength(size: float) -> str:
    if size >= MUCH_MIN:
        return " a lot"
    return "" if size > LITTLE_MAX else " a little"


def _written(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def spaced(name: str) -> str:
    """A name as people write it."""
    return name.replace("_", " ").replace("-", " ")


def _plural(word: str) -> str:
    if word.endswith(_ENDINGS_WITH_ES):
        return f"{word}es"
    if word.endswith("y") and word[-2:-1] not in _VOWELS:
        return f"{word[:-1]}ies"
    return f"{word}s"
