"""One customer as a fold knows them: counters, features, contributions, and what is open.

Owns: reading a profile, its examples and its scores as plain numbers, at the partition's clock.
Never: changes the fold, opens an example, or keeps a view of its memory.
Source: docs/contract.md, "HTTP".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec
import numpy as np

from models.batch import (
    STATUSES,
    TAKEN,
    ScoreColumns,
    Texts,
    event_columns,
    score_columns,
    scratch,
)
from models.intake import Batch, Intake, text_of
from models.kernel_question import score_customer
from models.kernel_slots import NO_SLOT
from models.layout import COUNT_BY_VALUES_MAX, half_life_name
from models.plan import COUNT_BY_HALF_LIFE_MS, Plan
from models.scorer_state import ScorerState
from models.serving import Serving, Terms
from models.state import CLOCK_MS, NEVER_MS, SCORES, Examples, Profiles, new_registers
from models.wire import array_of, hash_text
from schemas.score import ScoreStatus

EXAMPLES_SHOWN_MAX: Final = 100
NOTHING: Final = 0.01  # What is left of a counter, below which it is not worth a word.


class Counted(NamedTuple):
    """The events of one stream: counts and values by half-life, decayed to the clock."""

    source: str
    counts: dict[str, float]
    values: dict[str, float]
    last_at_ms: int


class CountedBy(NamedTuple):
    """Events of a type by the value of a property, with a half-life of 90 days."""

    event: str
    by: str
    counts: dict[str, float]


class Remembered(NamedTuple):
    """The last known value of a property, and of when it is."""

    value: str
    at_ms: int


class Answers(NamedTuple):
    """How many examples of the customer have matured, by how they ended."""

    converted: int
    not_converted: int


class OpenExample(NamedTuple):
    """An example that waits for its outcome: it closes when the clock has passed `closes_at_ms`."""

    campaign: str
    event_id: str
    as_of_ms: int
    deadline_ms: int
    closes_at_ms: int
    served: float
    status: ScoreStatus
    answer: float
    is_decided: bool


@dataclass(frozen=True)
class Portrait:
    """A customer at `clock_ms`, the partition's clock.

    Attributes
    ----------
    first_at_ms: of the first event; the clock, where there were only questions and control facts.
    suppressed_until_ms: the moment at which a suppression is over, or NEVER_MS.
    consent_refused: whether the last known consent says no.
    terms: what features add to the linear sum of each campaign; nothing for those without a model.
    open_count: how many examples are open; `open_examples` has the newest of each campaign.
    batch, scores, score_count: the scores, in the shape in which a fold gives them.
    """

    customer: str
    clock_ms: int
    first_at_ms: int
    suppressed_until_ms: int
    consent_refused: bool
    counters: tuple[Counted, ...]
    counted_by: tuple[CountedBy, ...]
    remembered: dict[str, Remembered]
    answers: dict[str, Answers]
    terms: dict[str, Terms]
    open_examples: tuple[OpenExample, ...]
    open_count: int
    batch: Batch
    scores: ScoreColumns
    score_count: int


def portrait_of(
    customer: str,
    plan: Plan,
    state: ScorerState,
    intake: Intake,
    serving: Serving,
    *,
    catching_up: bool = False,
    terms_max: int = 0,
) -> Portrait | None:
    """A customer and all their scores, as if an event without properties came now; None if unknown.

    Campaigns that the customer is not eligible for give none, nor do any of who is suppressed.

    So many of the features that add most are told one by one.

    The fold must stand still meanwhile, and is as it was afterwards.
    """
    clock_ms = int(state.registers[CLOCK_MS])
    batch, room = _nothing_happened(customer, clock_ms, plan, intake), scratch(plan)
    scores = score_columns(scores=len(plan.campaigns), events=1, experts=plan.experts_max)
    registers = new_registers()
    profiles = state.profiles.view
    slot = score_customer(
        profiles, state.queues.slot_table, plan.arrays, serving.models, batch.columns,
        catching_up, room, scores, registers,
    )  # fmt: skip
    if slot == NO_SLOT or clock_ms == NEVER_MS:
        return None
    scores.outcome[0] = TAKEN
    first_at_ms, speaks = int(profiles.first_at[slot]), profiles.suppressed_until[slot] <= clock_ms
    return Portrait(
        customer=customer,
        clock_ms=clock_ms,
        first_at_ms=clock_ms if first_at_ms == NEVER_MS else first_at_ms,
        suppressed_until_ms=int(profiles.suppressed_until[slot]),
        consent_refused=bool(profiles.consent_refused[slot]),
        counters=_counters(plan, profiles, slot, clock_ms),
        counted_by=_counted_by(plan, profiles, slot, clock_ms, intake),
        remembered={
            name: Remembered(
                intake.vocabulary.texts[profiles.remembered[slot, place]],
                int(profiles.remembered_at[slot, place]),
            )
            for place, name in enumerate(plan.remembered)
            if profiles.remembered[slot, place] != 0
        },
        answers={
            name: Answers(*map(int, profiles.answers[slot, index, :2].tolist()))
            for index, name in enumerate(plan.campaigns)
        },
        terms={name: serving.terms(name, room, terms_max) for name in plan.campaigns},
        open_examples=_open_examples(plan, state, slot),
        open_count=int(profiles.waiting[slot]),
        batch=batch,
        scores=scores,
        score_count=int(registers[SCORES]) if speaks else 0,
    )


def _nothing_happened(customer: str, at_ms: int, plan: Plan, intake: Intake) -> Batch:
    """An event of the customer that no campaign has asked for, as a batch."""
    name = msgspec.json.encode(customer)[1:-1]
    columns = event_columns(plan, 1)._replace(
        customer_hash=np.array([hash_text(customer)], np.uint64),
        at_ms=np.array([at_ms]),
        code_clauses=intake.code_clauses,
    )
    spans = np.array([[0, len(name)]])
    texts = Texts(array_of(name), spans, np.zeros((1, 2), np.int64))
    return Batch(columns, texts, np.zeros(1, np.int64), [], None)


def _counters(plan: Plan, profiles: Profiles, slot: int, clock_ms: int) -> tuple[Counted, ...]:
    """The streams in which something has happened."""
    found: list[Counted] = []
    decays, ages = plan.arrays.decay_per_ms.tolist(), plan.layout.half_lives_ms
    names = [half_life_name(age) for age in ages]
    for place, stream in enumerate(plan.layout.streams):
        last = int(profiles.last_at[slot, place])
        if last == NEVER_MS:
            continue
        fades = [math.exp2(-max(0, clock_ms - last) * each) for each in decays]
        counts = profiles.counts[slot, place].tolist()
        values = profiles.values[slot, place].tolist()
        found.append(
            Counted(
                stream.name,
                {name: each * fade for name, each, fade in zip(names, counts, fades, strict=True)},
                {name: each * fade for name, each, fade in zip(names, values, fades, strict=True)},
                last,
            )
        )
    return tuple(found)


def _counted_by(
    plan: Plan, profiles: Profiles, slot: int, clock_ms: int, intake: Intake
) -> tuple[CountedBy, ...]:
    found: list[CountedBy] = []
    for group, (event, by) in enumerate(plan.layout.count_by):
        last = int(profiles.by_at[slot, group])
        if last == NEVER_MS:
            continue
        fade = math.exp2(-max(0, clock_ms - last) / COUNT_BY_HALF_LIFE_MS)
        first = group * COUNT_BY_VALUES_MAX
        held = profiles.by[slot, first : first + COUNT_BY_VALUES_MAX].tolist()
        counts = {
            intake.vocabulary.texts[code]: held[place] * fade
            for code, place in intake.count_by[group].places.items()
            if held[place] * fade >= NOTHING
        }
        found.append(CountedBy(event, by, counts))
    return tuple(found)


def _open_examples(plan: Plan, state: ScorerState, slot: int) -> tuple[OpenExample, ...]:
    """The newest open examples of each campaign."""
    examples, profiles = state.examples.view, state.profiles.view
    found: list[OpenExample] = []
    for campaign, name in enumerate(plan.campaigns):
        place, shown = int(profiles.first_example[slot, campaign]), 0
        while place >= 0 and shown < EXAMPLES_SHOWN_MAX:
            found.append(_open_example(name, state, examples, place))
            place, shown = int(examples.next[place]), shown + 1
    return tuple(found)


def _open_example(campaign: str, state: ScorerState, examples: Examples, place: int) -> OpenExample:
    (event_id,) = state.event_ids.read(examples.event_id, np.array([place]))
    return OpenExample(
        campaign=campaign,
        event_id=text_of(event_id),
        as_of_ms=int(examples.at_ms[place]),
        deadline_ms=int(examples.deadline_ms[place]),
        closes_at_ms=int(examples.due_ms[place]),
        served=float(examples.served[place]),
        status=STATUSES[examples.status[place]],
        answer=float(examples.answer[place]),
        is_decided=bool(examples.decided[place]),
    )
