"""A campaign file compiled for the folds: clauses as bits, campaigns as arrays.

Owns: what the compiled loop must know of the campaign file, as plain numbers.
Never: state of a customer, an event or a learner.
Source: docs/campaigns.md says what each rule means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.clause_numbers import ClauseNumbers, CustomerClauseNumbers
from models.layout import Layout, make_layout
from schemas.campaign import VOICES, Campaign, CampaignFile, digest
from schemas.clauses import Clause
from schemas.customer_clauses import CustomerClause
from schemas.model_file import ModelFile
from schemas.time_zones import changes_of

CLAUSES_MAX = 64
KEYS_MAX = 4
LANES = 4  # Campaigns that are summed side by side: neighbours in the file.
COUNT_BY_HALF_LIFE_MS = 90 * 86_400_000

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
I4 = NDArray[np.int32]
U4 = NDArray[np.uint32]
U8 = NDArray[np.uint64]
U1 = NDArray[np.uint8]
I1 = NDArray[np.int8]


class PlanArrays(NamedTuple):
    """The plan as the compiled loop reads it. C campaigns, S streams, H half-lives, N columns.

    G groups of LANES campaigns share U columns, of which B have hinges, in runs of one source.
    K clauses on customers ask R registers when their events last happened.
    """

    stream_mask: U8  # [S] bits of the clauses of a stream; the rest stream has none.
    counted_mask: np.uint64  # All of these bits: what has none of them counts as the rest.
    decay_per_ms: F8  # [H] 1 / half-life; 0 keeps for ever.
    score_mask: U8  # [C]
    learn_mask: U8  # [C]
    goal_mask: U8  # [C]
    lost_mask: U8  # [C] 0 without `lost`.
    for_mask: U8  # [C] bits of the clauses that must hold for a customer to be eligible.
    unless_mask: U8  # [C] of those of which none may hold when a trigger is sent.
    register_mask: U8  # [R] the bit of the event that a register is about.
    clause_register: I4  # [K] -1 where it asks for a last known value.
    clause_within_ms: I8  # [K] -1 where it asks that the event never happened.
    clause_property: I4  # [K] slot among the remembered properties, or -1.
    horizon_ms: I8  # [C]
    interval_ms: I8  # [C]
    after_ms: I8  # [C]
    until: I4  # [C] position among the deadlines of an event, or -1.
    match: I4  # [C, KEYS_MAX] positions among the keys of an event, -1 padded.
    not_same: I4  # [C, KEYS_MAX]
    predicts_value: I8  # [C] 1 where the label is a sum of values.
    first_answer: F8  # [C] what an example has until a goal event comes: 1 where none should.
    is_hurdle: I8  # [C] 1 where P(any value) is served beside the value.
    every_ms: I8  # [T] period of each timer; T campaigns have one.
    idle_ms: I8  # [T] so long after the last event of its customer a timer stops.
    timer_mask: U8  # [T] the bit that stands for the timer where an event has those of its clauses.
    experts: I8  # [C] behind the last of the VOICES that a campaign has; 0 without any.
    hash_seed: U8  # [C] what makes the reservoirs of two campaigns independent.
    columns: I4  # [C, N] layout columns of a campaign, -1 padded.
    shared_columns: I4  # [G, U] layout columns of a group, by source and name, -1 padded.
    column_runs: I4  # [G, R, 3] first and last + 1 of neighbours of one source, and the source.
    shared_bends: I4  # [G, B] those of the columns that have hinges.
    bend_runs: I4  # [G, R, 3] of the bends, like `column_runs`.
    categories: I4  # [C, K] positions among the plan's categories, -1 padded.
    category_source: I4  # [C, K]
    category_parts: I4  # [A, 2] properties of a category; the second is -1 unless crossed.
    category_remembered: I4  # [P] slot among the remembered properties, or -1.
    zone_from_ms: I8  # [Z] from when on local time is ahead by the next; empty in UTC.
    zone_ahead_ms: I8  # [Z]
    numbers_start: int
    context_start: int
    count_by_start: int
    answers_start: int
    sources: int
    lateness_ms: int
    seen_ms: int
    seen_ids_max: int
    open_examples_max: int
    closes_per_event_max: int
    timers_per_event_max: int
    profiles_max: int


@dataclass(frozen=True)
class Limits:
    """The bounds of a scorer fold and its rules of time, all in the settings file."""

    profiles_max: int = 5_000_000
    open_examples_max: int = 5_000_000
    seen_ids_max: int = 1_000_000
    closes_per_event_max: int = 64
    timers_per_event_max: int = 64
    category_values_max: int = 65_536
    value_max: float = 1e9
    lateness_ms: int = 3_600_000
    future_max_ms: int = 300_000
    seen_ms: int = 86_400_000
    record_bytes_max: int = 65_536
    keys_strict: bool = True


@dataclass(frozen=True)
class EventRule:
    """What is looked at in an event of one type."""

    mask: int  # Bits of the clauses that ask for the type alone.
    clauses: tuple[tuple[int, Clause], ...]  # Bits of the clauses with a `where`.
    count_by: tuple[tuple[int, str], ...]  # Groups and their property.
    is_question: bool = False  # Scored if asked for, and never counted in profiles.


@dataclass(frozen=True)
class Plan:
    """A compiled campaign file."""

    file: CampaignFile
    layout: Layout
    limits: Limits
    arrays: PlanArrays
    rules: dict[str, EventRule]
    campaigns: tuple[str, ...]
    numbers: tuple[str, ...]
    properties: tuple[str, ...]  # Those whose values are categories, in order.
    remembered: tuple[str, ...]  # Under `events.remember`, then those that clauses ask for.
    clauses: tuple[CustomerClause, ...]  # Each once, as bits of masks number them.
    registers: tuple[Clause, ...]  # Events of which is kept when they last happened.
    keys: tuple[str, ...]  # Those that `match` and `not_same` compare.
    deadlines: tuple[str, ...]  # Those that `until` names.
    model_files: Mapping[str, ModelFile] = field(default_factory=dict)  # By path, for trainers.

    @cached_property
    def lineages(self) -> tuple[str, ...]:
        """The lineage of each campaign."""
        return tuple(campaign.lineage for campaign in self.file.campaigns.values())

    @cached_property
    def experts_max(self) -> int:
        """For how many of the VOICES there is room in an example; 0 where no campaign has any."""
        return int(self.arrays.experts.max(initial=0))

    @cached_property
    def timers(self) -> tuple[Campaign, ...]:
        """The campaigns with a timer, in the order of their kinds."""
        return tuple(c for c in self.file.campaigns.values() if c.is_timed)

    @cached_property
    def digest(self) -> str:
        """What a fold makes of records depends on: a digest of the campaign file and the limits."""
        limits = asdict(self.limits)
        if not self.timers:  # As of releases that had none.
            del limits["timers_per_event_max"]
        return digest([self.file.digest, list(self.lineages), limits])

    @cached_property
    def features(self) -> tuple[str, ...]:
        """A digest of each campaign's columns: what `features` means in a record."""
        return tuple(
            digest([columns.names, [hinge.name for hinge in columns.hinges], columns.categories])
            for columns in self.layout.campaigns
        )


def compile_plan(file: CampaignFile, limits: Limits | None = None) -> Plan:
    """Compile a campaign file.

    Raises
    ------
        ValueError: the file has more clauses and timers than one event's bits can hold.
    """
    limits = limits or Limits()
    layout = make_layout(file)
    campaigns = list(file.campaigns.values())
    clauses, customers = ClauseNumbers(), CustomerClauseNumbers()
    masks = {
        "stream": [clauses.mask(stream.clauses) for stream in layout.streams],
        "score": [clauses.mask(c.score_on) for c in campaigns],
        "learn": [clauses.mask(c.learn_on or c.score_on) for c in campaigns],
        "goal": [clauses.mask(c.goal.clauses) for c in campaigns],
        "lost": [clauses.mask([c.goal.lost] if c.goal.lost else []) for c in campaigns],
        "for": [customers.mask(c.eligible) for c in campaigns],
        "unless": [customers.mask(c.unless) for c in campaigns],
        "register": [clauses.mask([event]) for event in customers.registers],
    }
    timers = [clauses.timer(c) for c in campaigns]
    for index, (campaign, bit) in enumerate(zip(campaigns, timers, strict=True)):
        masks["score"][index] |= bit
        masks["learn"][index] |= bit if campaign.learn_on is None else 0
    masks["timer"] = [bit for bit in timers if bit]
    if len(clauses.bits) > CLAUSES_MAX:
        message = f"{len(clauses.bits)} clauses and timers; at most {CLAUSES_MAX} are allowed"
        raise ValueError(message)
    properties = tuple(dict.fromkeys(part for parts in layout.categories for part in parts))
    asked = [clause.last for clause in customers.clauses if clause.last]
    remembered = tuple(dict.fromkeys([*file.events.remember, *asked]))
    keys = _keys(campaigns)
    deadlines = tuple(dict.fromkeys(c.goal.until for c in campaigns if c.goal.until))
    return Plan(
        file=file,
        layout=layout,
        limits=limits,
        arrays=_arrays(
            layout,
            campaigns,
            masks,
            limits,
            (keys, deadlines),
            {
                **customers.arrays(remembered),
                **_category_arrays(layout, properties, file.events.remember),
                **_zone_arrays(file.time_zone),
            },
        ),
        rules=_rules(layout, clauses, file.events.ignore),
        campaigns=tuple(file.campaigns),
        numbers=layout.numbers,
        properties=properties,
        remembered=remembered,
        clauses=tuple(customers.clauses),
        registers=tuple(customers.registers),
        keys=keys,
        deadlines=deadlines,
    )


def _keys(campaigns: Sequence[Campaign]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key for c in campaigns for key in [*c.goal.match, *c.goal.not_same]))


def _rules(layout: Layout, clauses: ClauseNumbers, ignore: Sequence[str]) -> dict[str, EventRule]:
    types = {clause.event for clause in clauses.clauses} | set(ignore)
    types |= {event for event, _ in layout.count_by}
    numbered = list(enumerate(clauses.clauses))
    return {
        name: EventRule(
            mask=sum(1 << bit for bit, c in numbered if c.event == name and not c.where),
            clauses=tuple((bit, c) for bit, c in numbered if c.event == name and c.where),
            count_by=tuple(
                (group, by) for group, (event, by) in enumerate(layout.count_by) if event == name
            ),
            is_question=name in ignore,
        )
        for name in types
    }


def _padded(rows: Sequence[Sequence[int]], width: int = 1) -> I4:
    width = max([width, *(len(row) for row in rows)])
    table = np.full((len(rows), width), -1, dtype=np.int32)
    for index, row in enumerate(rows):
        table[index, : len(row)] = row
    return table


def _positions(names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    return [names.index(name) for name in wanted]


def _shared(layout: Layout, wanted: Sequence[Sequence[int]]) -> list[list[int]]:
    """The columns of each LANES campaigns together, in an order that no other campaign changes."""

    def order(column: int) -> tuple[str, str, int]:
        return layout.columns[column].source, layout.columns[column].name, column

    groups = [wanted[first : first + LANES] for first in range(0, len(wanted), LANES)]
    return [sorted({column for own in group for column in own}, key=order) for group in groups]


def _runs(sources: Sequence[Sequence[int]]) -> I4:
    """Where each run of equal numbers begins and ends, and the number; padded with empty runs."""
    found: list[list[tuple[int, int, int]]] = []
    for row in sources:
        first, runs = 0, []
        for source, members in groupby(row):
            last = first + len(list(members))
            runs.append((first, last, source))
            first = last
        found.append(runs)
    table = np.zeros((len(found), max(map(len, found), default=0), 3), np.int32)
    for index, runs in enumerate(found):
        table[index, : len(runs)] = np.array(runs, np.int32).reshape(-1, 3)
    return table


def _arrays(
    layout: Layout,
    campaigns: Sequence[Campaign],
    masks: dict[str, list[int]],
    limits: Limits,
    names: tuple[tuple[str, ...], tuple[str, ...]],
    others: dict[str, Any],
) -> PlanArrays:
    keys, deadlines = names
    chosen = layout.campaigns
    sources = list(layout.sources)
    source_of = [sources.index(column.source) for column in layout.columns]
    shared = _shared(layout, [columns.columns for columns in chosen])
    bends = _shared(layout, [[own.columns[place] for place in own.bends] for own in chosen])
    ages = layout.half_lives_ms
    counted = np.array(masks["stream"], dtype=np.uint64)
    return PlanArrays(
        stream_mask=counted,
        counted_mask=np.bitwise_or.reduce(counted),
        decay_per_ms=np.array([0.0 if age is None else 1.0 / age for age in ages]),
        score_mask=np.array(masks["score"], dtype=np.uint64),
        learn_mask=np.array(masks["learn"], dtype=np.uint64),
        goal_mask=np.array(masks["goal"], dtype=np.uint64),
        lost_mask=np.array(masks["lost"], dtype=np.uint64),
        for_mask=np.array(masks["for"], dtype=np.uint64),
        unless_mask=np.array(masks["unless"], dtype=np.uint64),
        register_mask=np.array(masks["register"], dtype=np.uint64),
        horizon_ms=np.array([c.horizon_ms for c in campaigns], dtype=np.int64),
        interval_ms=np.array([c.example_interval_ms for c in campaigns], dtype=np.int64),
        after_ms=np.array([c.goal.after_ms for c in campaigns], dtype=np.int64),
        until=np.array(
            [deadlines.index(c.goal.until) if c.goal.until else -1 for c in campaigns],
            dtype=np.int32,
        ),
        match=_padded([_positions(keys, c.goal.match) for c in campaigns], KEYS_MAX),
        not_same=_padded([_positions(keys, c.goal.not_same) for c in campaigns], KEYS_MAX),
        predicts_value=np.array([c.predict == "value" for c in campaigns], dtype=np.int64),
        first_answer=np.array([float(c.goal.absence) for c in campaigns]),
        is_hurdle=np.array([c.is_hurdle for c in campaigns], dtype=np.int64),
        every_ms=np.array([c.score_every_ms for c in campaigns if c.is_timed], dtype=np.int64),
        idle_ms=np.array([c.idle_max_ms for c in campaigns if c.is_timed], dtype=np.int64),
        timer_mask=np.array(masks["timer"], dtype=np.uint64),
        experts=np.array(
            [max((VOICES.index(name) + 1 for name in c.voices), default=0) for c in campaigns],
            dtype=np.int64,
        ),
        hash_seed=np.array([int(c.lineage, 16) for c in campaigns], dtype=np.uint64),
        columns=_padded([columns.columns for columns in chosen]),
        shared_columns=_padded(shared),
        column_runs=_runs([[source_of[j] for j in columns] for columns in shared]),
        shared_bends=_padded(bends),
        bend_runs=_runs([[source_of[j] for j in columns] for columns in bends]),
        numbers_start=layout.numbers_start,
        context_start=layout.context_start,
        count_by_start=layout.count_by_start,
        answers_start=layout.answers_start,
        sources=len(sources),
        lateness_ms=limits.lateness_ms,
        seen_ms=limits.seen_ms,
        seen_ids_max=limits.seen_ids_max,
        open_examples_max=limits.open_examples_max,
        closes_per_event_max=limits.closes_per_event_max,
        timers_per_event_max=limits.timers_per_event_max,
        profiles_max=limits.profiles_max,
        **others,
    )


def _category_arrays(
    layout: Layout, properties: Sequence[str], remembered: Sequence[str]
) -> dict[str, Any]:
    sources = [layout.sources.index("×".join(parts)) for parts in layout.categories]
    own = [columns.categories for columns in layout.campaigns]
    parts = [_positions(properties, parts) for parts in layout.categories]
    known = [remembered.index(name) if name in remembered else -1 for name in properties]
    return {
        "categories": _padded(own),
        "category_source": _padded([[sources[j] for j in categories] for categories in own]),
        "category_parts": _padded(parts or [[-1]], 2),
        "category_remembered": np.array(known or [-1], dtype=np.int32),
    }


def _zone_arrays(time_zone: str) -> dict[str, Any]:
    changes = np.array(changes_of(time_zone), dtype=np.int64).reshape(-1, 2)
    return {"zone_from_ms": changes[:, 0].copy(), "zone_ahead_ms": changes[:, 1].copy()}
