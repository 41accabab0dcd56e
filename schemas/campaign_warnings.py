"""What is allowed in a campaign file and will disappoint all the same.

Owns: the warnings of `propensity check`.
Never: refuses anything.
Source: the contract, "Campaign file".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.campaign import Campaign, CampaignFile
from schemas.clauses import VALUE, Clause
from schemas.durations import format_duration
from schemas.errors import nearest
from schemas.times import DAY_MS

_LONG_HORIZON_MS = 90 * DAY_MS


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
    """Which event types, and which properties of each, a sample of events holds."""

    properties: dict[str, set[str]] = field(default_factory=dict)

    def add(self, event_type: str, properties: Mapping[str, object]) -> None:
        """One more event."""
        self.properties.setdefault(event_type, set()).update(
            name for name, value in properties.items() if value is not None
        )

    @property
    def all_properties(self) -> set[str]:
        """The properties of all types together."""
        return set().union(*self.properties.values())


def warnings_of(file: CampaignFile, seen: SeenEvents | None = None) -> list[Disappointment]:
    """All warnings; those about what was never seen only with a sample of events."""
    found: list[Disappointment] = [*_of_events(file)]
    if seen is not None and not seen.properties:
        return [*found, Disappointment("input", "no event of the sample could be read")]
    for campaign in file.campaigns.values():
        found.extend(_of_campaign(campaign))
        found.extend(_of_timer(campaign, set(file.events.remember)))
        found.extend(_of_trigger(campaign))
        if seen is not None:
            found.extend(_never_seen(campaign, seen, set(file.events.remember)))
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


def _of_timer(campaign: Campaign, remembered: set[str]) -> Iterator[Disappointment]:
    """What a campaign that scores on a timer alone will never see."""
    if not campaign.is_timed or campaign.score_on:
        return
    key, features = f"campaigns.{campaign.name}.features", campaign.features
    for name in sorted({*features.categories}.union(*features.crosses) - remembered):
        message = f"a timer has no event: `{name}` is absent unless `events.remember` has it"
        yield Disappointment(f"{key}.categories", message)
    for name in sorted(features.numbers):
        yield Disappointment(f"{key}.numbers", f"a timer has no event: `{name}` is always absent")


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
    campaign: Campaign, seen: SeenEvents, remembered: set[str]
) -> Iterator[Disappointment]:
    key = f"campaigns.{campaign.name}"
    clauses = (*campaign.clauses, *campaign.clauses_known)
    for event_type in dict.fromkeys(clause.event for clause in clauses):
        if event_type not in seen.properties:
            hint = _hint(event_type, seen.properties)
            yield Disappointment(key, f"no event of type `{event_type}` was seen{hint}")
    for clause in dict.fromkeys(_Wanted(c.event, name) for c in clauses for name in c.where):
        names = seen.properties.get(clause.event)
        if names is not None and clause.name != VALUE and clause.name not in names:
            hint = _hint(clause.name, names)
            message = f"no `{clause.event}` with the property `{clause.name}` was seen{hint}"
            yield Disappointment(key, message)
    for name in dict.fromkeys(each.last for each in campaign.customer_clauses):
        if name is not None and name not in seen.all_properties:
            hint = _hint(name, seen.all_properties)
            yield Disappointment(key, f"no event with the property `{name}` was seen{hint}")
    scored = {
        name for clause in campaign.score_on for name in seen.properties.get(clause.event, ())
    }
    if not any(clause.event in seen.properties for clause in campaign.score_on):
        return
    goal, features = campaign.goal, campaign.features
    bound = {*goal.match, *goal.not_same} | ({goal.until} if goal.until else set())
    wanted = {*features.categories, *features.numbers}.union(*features.crosses) - {"value"}
    for name in sorted((bound - scored) | (wanted - scored - (remembered & seen.all_properties))):
        hint = _hint(name, scored)
        yield Disappointment(key, f"no scored event with the property `{name}` was seen{hint}")


class _Wanted(NamedTuple):
    event: str
    name: str


def _hint(word: str, words: Iterable[str]) -> str:
    near = nearest(word, words)
    return "" if near is None else f"; did you mean `{near}`?"
