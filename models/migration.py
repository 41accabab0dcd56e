"""A scorer's state under another campaign file: what has the same name goes on.

Owns: which counter, answer and open example of the old file is which of the new one.
Never: guesses a number: what the old file did not count begins empty.
Source: docs/contract.md, "Changing the campaign file".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.kernel_queues import UNLISTED, list_oldest
from models.layout import COUNT_BY_VALUES_MAX
from models.lifted import Lifted
from models.plan import Plan
from models.state import (
    CLOCK_MS,
    FREE_COUNT,
    NEVER_MS,
    NO_TIMER_MS,
    OPEN_COUNT,
    OUTCOMES_OPEN,
    Profiles,
    new_examples,
    new_profiles,
)
from models.timers import armed, timers_shape
from models.told_states import is_kept, new_told, telling_of
from models.trigger_states import new_states, new_waiting, policies_of
from schemas.campaign import VOICES
from schemas.clauses import Clause

Rows = NDArray[Any]
Shape = Mapping[str, Any]


class Migrated(NamedTuple):
    """A state under the new file, and how many open examples of which campaigns were dropped."""

    lifted: Lifted
    dropped: dict[str, int]


def shape_of(plan: Plan) -> dict[str, Any]:
    """What the positions in a state mean, by name: kept with the state, as JSON."""
    layout = plan.layout
    shape = {
        "streams": [[stream.name, *map(repr, stream.clauses)] for stream in layout.streams],
        "half_lives": list(layout.half_lives_ms),
        "count_by": [list(group) for group in layout.count_by],
        "campaigns": [_shape_of_campaign(plan, index) for index in range(len(plan.campaigns))],
        "remembered": list(plan.remembered),
        "keys": list(plan.keys),
        # Without clauses on customers a state says as much as it did before there were any.
        **({"registers": _registers(plan)} if plan.registers else {}),
    }
    if plan.file.contact_limit is not None:
        shape["contacts"] = plan.file.contact_limit.triggers
    return shape | ({"timers": timers_shape(plan)} if plan.timers else {})


def _registers(plan: Plan) -> list[str]:
    """The events of clauses, told as streams are; the order of conditions means nothing."""
    return [repr(Clause(each.event, dict(sorted(each.where.items())))) for each in plan.registers]


def _shape_of_campaign(plan: Plan, index: int) -> dict[str, Any]:
    own, campaign = plan.layout.campaigns[index], list(plan.file.campaigns.values())[index]
    shape: dict[str, Any] = {
        "name": campaign.name,
        "lineage": plan.lineages[index],
        "columns": _told_apart(own.names),
        "categories": [list(plan.layout.categories[place]) for place in own.categories],
    }
    if campaign.trigger is not None:
        shape["trigger"] = True
    if campaign.publish_change is not None:
        shape["told"] = True
    # Without challengers a lineage says who is heard.
    return shape | ({"voices": list(campaign.voices)} if campaign.challengers else {})


def _told_apart(names: Sequence[str]) -> list[str]:
    """The columns of a `count_by` group share a name: the first, the second and so on."""
    seen: Counter[str] = Counter()
    told: list[str] = []
    for name in names:
        seen[name] += 1
        told.append(f"{name}#{seen[name]}")
    return told


def migrate(lifted: Lifted, plan: Plan) -> Migrated:
    """Turn a state of another campaign file into one of this.

    Counters go by event type and half-life, answers by campaign and lineage, features of open
    examples by name. Open examples of campaigns that are gone or have another lineage go.

    Raises
    ------
    KeyError: the state does not say what its positions mean.
    """
    old, new = lifted.facts["shape"], shape_of(plan)
    arrays = dict(lifted.arrays)
    profiles = np.zeros(len(arrays["profiles"]), new_profiles(plan).kind)
    examples = np.zeros(len(arrays["examples"]), new_examples(plan).kind)
    _carry_profiles(arrays["profiles"], profiles, old, new)
    registers = arrays["registers"].copy()
    _carry_timers(arrays["profiles"], profiles, old, new, int(registers[CLOCK_MS]))
    experts = {name: campaign.experts for name, campaign in plan.file.campaigns.items()}
    dropped = _carry_examples(arrays["examples"], examples, old, new, experts)
    np.subtract.at(profiles["waiting"], arrays["examples"]["slot"][dropped], 1)
    gone = np.flatnonzero(dropped).astype(np.int32)
    outcomes = np.count_nonzero(examples["triggered"][gone])
    registers[OPEN_COUNT] -= len(gone) - outcomes
    if outcomes:  # Or it may be a state of a format that knows of none.
        registers[OUTCOMES_OPEN] -= outcomes
    registers[FREE_COUNT] += len(gone)
    _list_again(profiles, registers)
    for name in ("order_first", "order_last"):
        found = np.full(len(new["campaigns"]), -1, np.int32)
        for to, source in _pairs(_campaigns(old), _campaigns(new)):
            found[to] = arrays[name][source]
        arrays[name] = found
    free = np.concatenate([arrays["free"], gone])
    arrays |= {"profiles": profiles, "examples": examples, "registers": registers, "free": free}
    arrays |= _carry_counts_by(lifted.arrays, old, new)
    arrays |= _carry_triggers(lifted.arrays, old, new, plan)
    arrays |= _carry_told(lifted.arrays, old, new, plan)
    names = [campaign["name"] for campaign in old["campaigns"]]
    counts = Counter(lifted.arrays["examples"]["campaign"][gone].tolist())
    return Migrated(
        Lifted(arrays, {**lifted.facts, "shape": new}),
        {names[campaign]: count for campaign, count in sorted(counts.items())},
    )


def _pairs(old: Iterable[Hashable], new: Iterable[Hashable]) -> list[tuple[int, int]]:
    """Positions in the new order and in the old one of what both have."""
    places = {name: place for place, name in enumerate(old)}
    return [(place, places[name]) for place, name in enumerate(new) if name in places]


def _campaigns(shape: Shape) -> list[tuple[str, str]]:
    return [(each["name"], each["lineage"]) for each in shape["campaigns"]]


def _tuples(lists: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
    return [tuple(each) for each in lists]


def _carry_profiles(source: Rows, to: Rows, old: Shape, new: Shape) -> None:
    for name in ("customer_hash", "first_at", "waiting", "newer", "older", "name"):
        to[name] = source[name]
    is_known = "seen_at" in (source.dtype.names or ())  # Not in the first states.
    to["seen_at"] = source["seen_at"] if is_known else source["last_at"].max(axis=1)
    to["last_at"] = NEVER_MS
    to["first_example"] = -1
    ages = _pairs(old["half_lives"], new["half_lives"])
    for stream, was in _pairs(_tuples(old["streams"]), _tuples(new["streams"])):
        to["last_at"][:, stream] = source["last_at"][:, was]
        to["gap_days"][:, stream] = source["gap_days"][:, was]
        for name in ("counts", "values"):
            for age, aged in ages:
                to[name][:, stream, age] = source[name][:, was, aged]
    for campaign, was in _pairs(_campaigns(old), _campaigns(new)):
        to["answers"][:, campaign] = source["answers"][:, was]
        to["answers_at"][:, campaign] = source["answers_at"][:, was]
        to["first_example"][:, campaign] = source["first_example"][:, was]
    _carry_control(source, to)
    _carry_registers(source, to, old, new)
    for place, was in _pairs(old["remembered"], new["remembered"]):
        to["remembered"][:, place] = source["remembered"][:, was]
        to["remembered_at"][:, place] = source["remembered_at"][:, was]
    width = COUNT_BY_VALUES_MAX
    for group, was in _pairs(_tuples(old["count_by"]), _tuples(new["count_by"])):
        to["by_at"][:, group] = source["by_at"][:, was]
        kept = slice(group * width, (group + 1) * width)
        to["by"][:, kept] = source["by"][:, was * width : (was + 1) * width]


def _carry_control(source: Rows, to: Rows) -> None:
    """Whom control facts are about; the first states knew of none."""
    to["suppressed_until"] = NEVER_MS
    for name in ("suppressed_until", "consent_refused"):
        if name in (source.dtype.names or ()):
            to[name] = source[name]


def _are_nobody(profiles: Rows) -> NDArray[np.bool_]:
    """Which rows are of nobody: those of customers who were forgotten."""
    known: NDArray[np.bool_] = np.any(profiles["customer_hash"] != 0, axis=1)
    return ~known


def _carry_registers(source: Rows, to: Rows, old: Shape, new: Shape) -> None:
    """When the events of clauses last happened, as far as the old file kept it.

    Of events that had counters of their own it did, whatever asked for these.
    """
    to["happened_at"] = NEVER_MS
    names = new.get("registers", [])
    counted = [each[1] if len(each) == 2 else None for each in old["streams"]]
    for register, was in _pairs(counted, names):
        to["happened_at"][:, register] = source["last_at"][:, was]
    for register, was in _pairs(old.get("registers", []), names):
        to["happened_at"][:, register] = source["happened_at"][:, was]


def _carry_timers(source: Rows, to: Rows, old: Shape, new: Shape, clock_ms: int) -> None:
    """Timers that are as they were go on; others begin, for all who may not have been away long."""
    to["timers"] = NO_TIMER_MS
    timers = _tuples(new.get("timers", ()))
    for kind, (_, every_ms, _) in enumerate(timers):
        to["timers"][:, kind] = armed(to["customer_hash"][:, 0], every_ms, clock_ms)
    for kind, was in _pairs(_tuples(old.get("timers", ())), timers):
        to["timers"][:, kind] = source["timers"][:, was]
    to["timers"][_are_nobody(to)] = NO_TIMER_MS


def _carry_examples(
    source: Rows, to: Rows, old: Shape, new: Shape, experts: Mapping[str, Sequence[str]]
) -> NDArray[np.bool_]:
    """Fill the examples that go on, and say which of the open ones do not.

    `experts` are those of a campaign's own learner: who was heard where nobody challenged it.
    """
    same = {"units", "category_a", "category_b", "keys", "campaign", "experts"}
    known = set(source.dtype.names or ())  # The first states knew of no arms.
    for name in to.dtype.names or ():
        if name not in same and name in known:
            to[name] = source[name]
    to["experts"] = np.nan
    to["campaign"] = -1
    is_open = source["sequence"] > 0
    dropped = is_open.copy()
    for place, was in _pairs(old["keys"], new["keys"]):
        to["keys"][:, place] = source["keys"][:, was]
    for campaign, was in _pairs(_campaigns(old), _campaigns(new)):
        rows = np.flatnonzero(is_open & (source["campaign"] == was))
        dropped[rows] = False
        to["campaign"][rows] = campaign
        one, other = old["campaigns"][was], new["campaigns"][campaign]
        voices = min(each["experts"].shape[1] for each in (source, to))
        heard = one.get("voices", experts[other["name"]])
        for place in [place for place, name in enumerate(VOICES[:voices]) if name in heard]:
            to["experts"][rows, place] = source["experts"][rows, place]
        for column, stood in _pairs(one["columns"], other["columns"]):
            to["units"][rows, column] = source["units"][rows, stood]
        categories = _pairs(_tuples(one["categories"]), _tuples(other["categories"]))
        for category, stood in categories:
            for name in ("category_a", "category_b"):
                to[name][rows, category] = source[name][rows, stood]
    to["sequence"][dropped] = -1  # What stands in the heap of them is stale.
    return dropped


def _list_again(profiles: Rows, registers: NDArray[np.int64]) -> None:
    """Customers whose last open example went can make room again, before all others."""
    free = (profiles["waiting"] == 0) & (profiles["newer"] == UNLISTED) & ~_are_nobody(profiles)
    view = Profiles(**{name: profiles[name] for name in Profiles._fields})
    for slot in np.flatnonzero(free).tolist():
        list_oldest(view, registers, slot)


def _carry_counts_by(arrays: Mapping[str, Rows], old: Shape, new: Shape) -> dict[str, Rows]:
    """Which values of each group have a counter; groups are told apart by what they count."""
    found: dict[str, Rows] = {}
    empty = np.zeros(0, np.int64)
    was_at = {tuple(group): place for place, group in enumerate(old["count_by"])}
    for place, group in enumerate(_tuples(new["count_by"])):
        for name in ("sighted", "places"):
            was = was_at.get(group)
            found[f"{name}_{place}"] = empty if was is None else arrays[f"{name}_{was}"]
    return found


def _carry_triggers(
    arrays: Mapping[str, Rows], old: Shape, new: Shape, plan: Plan
) -> dict[str, Rows]:
    """Who is in stays in, and who waits waits; of another lineage everybody is out.

    Cooldowns go on even then.
    """
    policies = policies_of(plan)
    to = np.zeros(len(arrays["profiles"]), new_states(plan, policies).kind)
    waiting = new_waiting(policies)
    was, now = ([each for each in shape["campaigns"] if "trigger" in each] for shape in (old, new))
    keys = _pairs(old["keys"], new["keys"])
    by_name = ([each["name"] for each in each_shape] for each_shape in (was, now))
    for policy, stood in _pairs(*by_name):
        source = arrays["triggers"]
        to["entered_at"][:, policy] = source["entered_at"][:, stood]
        if was[stood]["lineage"] != now[policy]["lineage"]:
            continue
        waiting[policy] = arrays["triggers_waiting"][stood]
        for name in set(to.dtype.names or ()) - {"entered_at", "keys"}:
            to[name][:, policy] = source[name][:, stood]
        for key, place in keys:
            to["keys"][:, policy, key] = source["keys"][:, stood, place]
    return {"triggers": to, "triggers_waiting": waiting} if now else {}


def _carry_told(arrays: Mapping[str, Rows], old: Shape, new: Shape, plan: Plan) -> dict[str, Rows]:
    """What was published last goes on with its lineage, and the latest contacts in any case."""
    telling = telling_of(plan)
    if not is_kept(telling):
        return {}
    to = np.zeros(len(arrays["profiles"]), new_told(telling).kind)
    was, now = ([each for each in shape["campaigns"] if "told" in each] for shape in (old, new))
    lineages = ([(each["name"], each["lineage"]) for each in shape] for shape in (was, now))
    for place, stood in _pairs(*lineages):
        for name in ("served", "words"):
            to[name][:, place] = arrays["told"][name][:, stood]
    kept = min(old.get("contacts", 0), new.get("contacts", 0))
    if kept:
        to["contacts"][:, :kept] = np.sort(arrays["told"]["contacts"], axis=1)[:, -kept:]
    return {"told": to}
