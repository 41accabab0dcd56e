"""What is allowed in a campaign file and will disappoint all the same.

Owns: the warnings of `propensity check`.
Never: refuses anything.
Source: the contract, "Campaign file".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.campaign import DEFAULT_RATE, Campaign, CampaignFile
from schemas.clauses import VALUE, Clause
from schemas.durations import format_duration
from schemas.errors import nearest
from schemas.event_values import text_of_value
from schemas.times import DAY_MS

_LONG_HORIZON_MS = 90 * DAY_MS
_VALUES_MAX = 1_000  # Of a property: one with more of them is a number or an identity.


@dataclass(frozen=True, slots=True)
class Disappointment:
    """One disappointment to come: the key it stands at, and why."""

    key: str
    message: str

    def __str__(self) -> str:
        """`key: message`."""
        return f"{self.key}: {self.message}"


@dataclass(slots=True)
class SeenEvents:
    """Which event types, and which properties of each, a sample of events holds.

    Attributes
    ----------
    properties: by event type.
    values: as texts, by property; more than a thousand are not kept.
    """

    properties: dict[str, set[str]] = field(default_factory=dict)
    values: dict[str, set[str]] = field(default_factory=dict)

    def add(self, event_type: str, properties: Mapping[str, object]) -> None:
        """One more event."""
        held = {name: value for name, value in properties.items() if value is not None}
        self.properties.setdefault(event_type, set()).update(held)
        for name, value in held.items():
            values = self.values.setdefault(name, set())
            if isinstance(value, str | float | int) and len(values) <= _VALUES_MAX:
                values.add(text_of_value(value))

    def of(self, types: Iterable[str]) -> set[str]:
        """The properties of some types together."""
        return set[str]().union(*(self.properties.get(each, ()) for each in types))

    def facts(self, file: CampaignFile) -> set[str]:
        """The properties of all events that are no questions: only these are remembered."""
        return self.of(self.properties.keys() - set(file.events.ignore))


def warnings_of(file: CampaignFile, seen: SeenEvents | None = None) -> list[Disappointment]:
    """All warnings; those about what was never seen only with a sample of events."""
    found: list[Disappointment] = [*_of_events(file)]
    if seen is not None and not seen.properties:
        return [*found, Disappointment("input", "no event of the sample could be read")]
    if seen is not None:
        found.extend(_ignored_never_seen(file, seen))
    for campaign in file.campaigns.values():
        found.extend(_of_campaign(campaign))
        found.extend(_of_absence(campaign))
        found.extend(_of_timer(campaign))
        found.extend(_without_event(campaign, set(file.events.remember)))
        found.extend(_nobody(campaign))
        found.extend(_of_trigger(campaign))
        if seen is not None:
            found.extend(_never_seen(campaign, seen, file))
    return found


def _of_events(file: CampaignFile) -> Iterator[Disappointment]:
    named = {c.event for campaign in file.campaigns.values() for c in campaign.clauses}
    for event_type in file.events.count:
        if event_type in named:
            yield Disappointment(
                "events.count", f"`{event_type}` is counted anyway: a campaign names it"
            )
    used: set[str] = set()
    for campaign in file.campaigns.values():
        features = campaign.features
        used.update(features.categories, features.numbers, *features.crosses)
        asked = (clause.last for clause in campaign.customer_clauses)
        used.update(name for name in asked if name is not None)
    for name in file.events.remember:
        if name not in used:
            yield Disappointment(
                "events.remember", f"no campaign uses `{name}` as a feature, or in `for`"
            )


def _of_campaign(campaign: Campaign) -> Iterator[Disappointment]:
    key = f"campaigns.{campaign.name}"
    goal = campaign.goal
    answers = {clause.event for clause in goal.clauses}
    if goal.lost is not None:
        answers.add(goal.lost.event)
    apart = bool(goal.not_same) or goal.after_ms > 0
    for index, clause in enumerate(campaign.score_on):
        if clause.event in answers and not apart:
            yield Disappointment(
                f"{key}.score_on[{index}]",
                f"`{clause.event}` is also an answer of the goal: records that belong together "
                "(lines of one order) would predict each other; `not_same` or `after` part them",
            )
        if clause.where and Clause(clause.event) in campaign.score_on:
            yield Disappointment(
                f"{key}.score_on[{index}]",
                f"every `{clause.event}` is scored already: this clause adds nothing",
            )
    if campaign.horizon_ms > _LONG_HORIZON_MS:
        horizon = format_duration(campaign.horizon_ms)
        yield Disappointment(
            f"{key}.horizon",
            f"nothing is learned before {horizon} are over, and examples stay open as long",
        )
    if 2 * goal.after_ms > campaign.horizon_ms:
        yield Disappointment(f"{key}.goal.after", "more than half of the horizon does not count")


def _of_absence(campaign: Campaign) -> Iterator[Disappointment]:
    if campaign.goal.absence and campaign.rate == DEFAULT_RATE:
        yield Disappointment(
            f"campaigns.{campaign.name}.rate",
            f"{DEFAULT_RATE:.0%}, the default, is seldom right for an absence: say how many lapse",
        )


def _of_timer(campaign: Campaign) -> Iterator[Disappointment]:
    """Moments that nobody learns from, and time that no score asks about."""
    if not campaign.is_timed:
        return
    key, every = f"campaigns.{campaign.name}", format_duration(campaign.score_every_ms)
    if campaign.horizon_ms < campaign.score_every_ms and not campaign.score_on:
        horizon = format_duration(campaign.horizon_ms)
        yield Disappointment(
            f"{key}.score_every",
            f"a score looks {horizon} ahead and the next one comes after {every}: no score asks "
            "about what happens in between",
        )
    if campaign.idle_max_ms < campaign.score_every_ms:
        idle = format_duration(campaign.idle_max_ms)
        yield Disappointment(
            f"{key}.idle_max",
            f"the timer stops {idle} after the last event, and its moments are {every} apart: "
            "many customers are never scored by it",
        )
    if campaign.learn_on is not None:
        yield Disappointment(
            f"{key}.learn_on",
            "no example is taken of the timer's scores: they are neither learned from nor judged",
        )


def _without_event(campaign: Campaign, remembered: set[str]) -> Iterator[Disappointment]:
    """What a campaign that scores on a timer alone will never see."""
    if not campaign.is_timed or campaign.score_on:
        return
    key, features = f"campaigns.{campaign.name}.features", campaign.features
    for name in sorted({*features.categories}.union(*features.crosses) - remembered):
        message = f"a timer has no event: `{name}` is absent unless `events.remember` has it"
        yield Disappointment(f"{key}.categories", message)
    for name in sorted(features.numbers):
        yield Disappointment(f"{key}.numbers", f"a timer has no event: `{name}` is always absent")


def _nobody(campaign: Campaign) -> Iterator[Disappointment]:
    """Who is scored on an event has had it: `never` of the same event leaves nobody."""
    for index, clause in enumerate(campaign.eligible):
        event = clause.event
        if event is None or clause.within_ms is not None or event.where or campaign.is_timed:
            continue
        if all(scored.event == event.event for scored in campaign.score_on):
            yield Disappointment(
                f"campaigns.{campaign.name}.for[{index}]",
                f"nobody is scored: the `{event.event}` that would be has happened already when "
                "`never` is asked",
            )


def _ignored_never_seen(file: CampaignFile, seen: SeenEvents) -> Iterator[Disappointment]:
    named = {c.event for campaign in file.campaigns.values() for c in campaign.clauses}
    for event_type in file.events.ignore:
        if event_type not in seen.properties and event_type not in named:
            hint = _hint(event_type, seen.properties)
            yield Disappointment("events.ignore", f"no event of type `{event_type}` was seen{hint}")


def _of_trigger(campaign: Campaign) -> Iterator[Disappointment]:
    """What a trigger will not do that whoever wrote it may expect."""
    policy, key = campaign.trigger, f"campaigns.{campaign.name}.trigger"
    if policy is None:
        return
    horizon = format_duration(campaign.horizon_ms)
    if not campaign.is_measured:
        yield Disappointment(
            f"{key}.hold_out", "nobody is held out, so nobody will know what acting is worth"
        )
    if policy.wait_ms >= campaign.horizon_ms:
        yield Disappointment(
            f"{key}.wait",
            f"the score is of {horizon}, which are over when the wait is: a goal after that drops "
            "nobody",
        )
    if policy.expires_after_ms > campaign.horizon_ms:
        yield Disappointment(
            f"{key}.expires_after",
            f"who acts later than {horizon} after the score acts on a prediction that is over",
        )
    if policy.clear == policy.when and not policy.cooldown_ms:
        yield Disappointment(
            f"{key}.clear",
            "it is `when`, and there is no `cooldown`: a customer whose scores tremble about it "
            "enters again and again",
        )
    if policy.measure == "probability" and policy.when <= campaign.rate:
        yield Disappointment(
            f"{key}.when",
            f"{100.0 * policy.when:g} % is no more than `rate`, {100.0 * campaign.rate:g} %: about "
            "everybody enters",
        )


def _never_seen(
    campaign: Campaign, seen: SeenEvents, file: CampaignFile
) -> Iterator[Disappointment]:
    key, goal = f"campaigns.{campaign.name}", campaign.goal
    clauses = (*campaign.clauses, *campaign.clauses_known)
    for event_type in dict.fromkeys(clause.event for clause in clauses):
        if event_type not in seen.properties:
            hint = _hint(event_type, seen.properties)
            yield Disappointment(key, f"no event of type `{event_type}` was seen{hint}")
    if goal.absence and not any(clause.event in seen.properties for clause in goal.clauses):
        message = "nothing of this was seen: everybody would lapse"
        yield Disappointment(f"{key}.goal.none_of", message)
    for clause in dict.fromkeys(_Wanted(c.event, name) for c in clauses for name in c.where):
        names = seen.properties.get(clause.event)
        if names is not None and clause.name != VALUE and clause.name not in names:
            hint = _hint(clause.name, names)
            message = f"no `{clause.event}` with the property `{clause.name}` was seen{hint}"
            yield Disappointment(key, message)
    yield from dict.fromkeys(_never_known(campaign, seen, seen.facts(file)))
    bound = {*goal.match, *goal.not_same} | ({goal.until} if goal.until else set())
    wanted = {*campaign.features.categories, *campaign.features.numbers}
    wanted = wanted.union(*campaign.features.crosses) - {"value"}
    wanted -= set(file.events.remember) & seen.facts(file)
    if campaign.learn_on is None:
        yield from _without(key, "scored", campaign.score_on, wanted | bound, seen)
    else:
        yield from _without(key, "scored", campaign.score_on, wanted, seen)
        yield from _without(key, "learned", campaign.learn_on, wanted | bound, seen)


def _never_known(campaign: Campaign, seen: SeenEvents, facts: set[str]) -> Iterator[Disappointment]:
    """Last known values that nobody has."""
    key = f"campaigns.{campaign.name}"
    for clause in campaign.customer_clauses:
        name = clause.last
        if name is None:
            continue
        values = seen.values.get(name, set())
        if name not in facts and values:
            message = f"`{name}` was seen in ignored events only, and those are not remembered"
            yield Disappointment(key, message)
        elif name not in facts:
            hint = _hint(name, facts)
            yield Disappointment(key, f"no event with the property `{name}` was seen{hint}")
        elif len(values) <= _VALUES_MAX and values.isdisjoint(clause.texts):
            asked, few = " or ".join(sorted(clause.texts)), ", ".join(sorted(values)[:5])
            yield Disappointment(key, f"`{name}` was never {asked}; seen were {few}")


def _without(
    key: str, what: str, clauses: Iterable[Clause], names: set[str], seen: SeenEvents
) -> Iterator[Disappointment]:
    """Properties that none of these events has, where there are such events at all."""
    types = [clause.event for clause in clauses if clause.event in seen.properties]
    there = seen.of(types)
    for name in sorted(names - there) if types else ():
        hint = _hint(name, there)
        yield Disappointment(key, f"no {what} event with the property `{name}` was seen{hint}")


class _Wanted(NamedTuple):
    event: str
    name: str


def _hint(word: str, words: Iterable[str]) -> str:
    near = nearest(word, words)
    return "" if near is None else f"; did you mean `{near}`?"
