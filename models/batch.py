"""A batch as columns: what enters the compiled loop, and what leaves it.

Owns: the shapes of the events of a batch, of the served models and of the scores.
Never: anything that outlives a batch.
Source: the columns are filled by models.intake and models.serving and read by models.kernel_fold.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.plan import LANES, Plan
from schemas.score import Band, ScoreStatus

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
I4 = NDArray[np.int32]
I1 = NDArray[np.int8]
U1 = NDArray[np.uint8]
U4 = NDArray[np.uint32]
U8 = NDArray[np.uint64]

REASONS_MAX = 3
QUANTILES = 101
RANKS = 128  # A power of two above the quantiles.
WARMING, READY, CATCHING_UP = 0, 1, 4  # Positions among the next; the loops ask for no other.
STATUSES: tuple[ScoreStatus, ...] = (
    "warming",
    "ready",
    "unreliable",
    "paused",
    "catching_up",
)
BANDS: tuple[Band, ...] = ("low", "medium", "high")
TAKEN, DUPLICATE, LATE, NOT_SCORED, NOT_ELIGIBLE, SUPPRESSED, OBEYED = 0, 1, 2, 3, 4, 5, 6
UNCHANGED = 7  # It was scored, and what was said of all its campaigns is still true.
OUTCOMES = 8
FACT, QUESTION, CONTROL = 0, 1, 2
NO_PERCENTILE = -1.0
DEADLINE_ABSENT_MS = 1 << 62


class EventColumns(NamedTuple):
    """n events of one partition, in log order."""

    slot: I4
    customer_hash: U8  # [n, 2] 128 bits of the customer
    score_hash: U8  # [n, 2] 128 bits of customer and event: what names a score
    event_hash: U8  # its first half, never 0
    mask: U8  # clauses that the event satisfies
    at_ms: I8
    value: F8  # nan is absent
    offset: I8
    numbers: F8  # [n, declared numbers] nan is absent
    codes: I4  # [n, properties of categories] 0 is absent
    remembered: I4  # [n, remembered properties] 0 is absent
    keys: U8  # [n, keys] 0 is absent
    deadlines: I8  # [n, deadlines]
    by_place: I4  # [n, count_by groups] -1 is none
    nature: I1  # FACT; QUESTION: it is scored if asked for, and changes no profile; or CONTROL
    code_clauses: U8  # [codes] the clauses on last known values that a value meets


def event_columns(plan: Plan, events: int) -> EventColumns:
    """Events of which nothing is known."""
    n = events
    return EventColumns(
        slot=np.zeros(n, np.int32),
        customer_hash=np.zeros((n, 2), np.uint64),
        score_hash=np.zeros((n, 2), np.uint64),
        event_hash=np.ones(n, np.uint64),
        mask=np.zeros(n, np.uint64),
        at_ms=np.zeros(n, np.int64),
        value=np.full(n, np.nan),
        offset=np.zeros(n, np.int64),
        numbers=np.full((n, len(plan.numbers)), np.nan),
        codes=np.zeros((n, max(1, len(plan.properties))), np.int32),
        remembered=np.zeros((n, len(plan.remembered)), np.int32),
        keys=np.zeros((n, len(plan.keys)), np.uint64),
        deadlines=np.full((n, len(plan.deadlines)), DEADLINE_ABSENT_MS, np.int64),
        by_place=np.full((n, len(plan.layout.count_by)), -1, np.int32),
        nature=np.zeros(n, np.int8),
        code_clauses=np.zeros(0, np.uint64),
    )


class Texts(NamedTuple):
    """Where the texts of n events stand, as JSON without its quotes."""

    text: U1
    customer: I8  # [n, 2] spans
    event: I8  # [n, 2] the sender's id, or the one that it was given

    def customer_text(self, row: int) -> bytes:
        """Who acted."""
        start, stop = self.customer[row]
        return self.text[start:stop].tobytes()


class Moments(NamedTuple):
    """k moments at which timers had customers scored, in the order of scoring."""

    slot: I4
    at_ms: I8  # as of when: a point of the customer's grid
    offset: I8  # of the event that let it fire
    score_hash: U8  # [k, 2] of the customer and the moment: what names a score


class DueMoments(NamedTuple):
    """Moments that are to be scored before an event, as a heap: the earliest first."""

    at_ms: I8
    rank: U8  # of equal moments the lower hash of the customer comes first
    entry: I4  # position in what follows
    slot: I4
    mask: U8  # the bits of the timers


class Timing(NamedTuple):
    """What a batch needs for timers, besides the state."""

    moment: EventColumns  # One: what is scored, as an event of which nothing is known.
    texts: Texts  # Its texts, which are empty.
    moments: Moments  # What was scored so far.
    due: DueMoments  # Room for those of one event.


class ServedModels(NamedTuple):
    """The models of one moment, by campaign, in the columns of the plan.

    What the campaigns of a group are summed with stands side by side, in lanes.
    """

    status: I8
    version: I8
    rate: F8  # what is served while warming
    prior: F8  # P(any value) while warming, where the learner is a hurdle
    bias: F8  # [group, lane]
    weights: F8  # [group, column, lane]
    bend_slope: F8  # [group, bend, knots passed, lane] Σ weight of the hinges that are passed
    bend_offset: F8  # [group, bend, knots passed, lane] -Σ weight · knot
    baseline: F8  # logit of a customer whose features are the means
    source_offset: F8  # [campaign, source] -Σ weight · mean of its columns
    quantiles: F8  # [campaign, RANKS] and infinities behind them
    category_keys: U8  # [campaign, values] sorted, padded with the greatest
    category_weights: F8
    expert_bias: F8  # [campaign, expert] nan where the model has no such expert
    expert_weights: F8  # [campaign, expert, column]; behind the experts, those of the value
    expert_bend_slope: F8  # [campaign, expert, bend, knots passed]
    expert_bend_offset: F8
    expert_category_weights: F8  # [campaign, expert, values]
    value_factor: F8  # [campaign] by which a value exceeds exp of its mean logarithm


class ScoreColumns(NamedTuple):
    """m scores in the order of scoring: of timers, then of their event; each by campaign."""

    event: I4  # or, from the number of events on, the moment of a timer
    campaign: I4
    served: F8  # probability, or value
    probability: F8  # of any value, where that is not what is served; nothing where it is unknown
    baseline: F8
    source: I4  # [m, REASONS_MAX] strongest first, -1 padded
    contribution: F8  # [m, REASONS_MAX]
    other: F8
    percentile: F8
    status: I1
    version: I8
    place: I4  # of the example that the score opened, or -1
    experts: F8  # [m, experts] what each said, where an example was opened; else nan
    published: I1  # 0 where the campaign publishes changes only, and nothing has changed
    outcome: I1  # [n] what became of each event
    admitted: I1  # [n] 1 where it brought a customer who had no profile
    ineligible: I8  # [campaign, clause] scores not given, by the first clause that did not hold


OF_EVENTS = ("outcome", "admitted", "ineligible")
"""What is no column of scores."""


def more_scores(out: ScoreColumns, used: int, scores: int) -> ScoreColumns:
    """Room for so many scores, of which the first are those that were there."""
    more = score_columns(scores=scores, events=0, experts=out.experts.shape[1])
    for name in set(ScoreColumns._fields) - set(OF_EVENTS):
        getattr(more, name)[:used] = getattr(out, name)[:used]
    return more._replace(**{name: getattr(out, name) for name in OF_EVENTS})


def published_of(out: ScoreColumns, count: int) -> tuple[ScoreColumns, int, list[int]]:
    """Of the first scores those that are published, how many, and how many are not, by campaign."""
    kept = np.flatnonzero(out.published[:count])
    left_out = out.campaign[:count][out.published[:count] == 0]
    unpublished = np.bincount(left_out, minlength=len(out.ineligible)).tolist()
    return (only(out, kept) if len(kept) < count else out), len(kept), unpublished


def only(out: ScoreColumns, kept: NDArray[np.intp]) -> ScoreColumns:
    """Some of the scores."""
    scores = set(ScoreColumns._fields) - set(OF_EVENTS)
    return out._replace(**{name: getattr(out, name)[kept] for name in scores})


class Scratch(NamedTuple):
    """Room for one event's computation."""

    x: F8  # the layout's columns, on the grid of features
    units: I4  # the same as whole numbers of grid steps
    passed: U4  # how many knots of hinges each has reached
    fades: F8  # [stream × half-life + campaign] what is left of each counter, and of answers
    source: F8  # [source, lane] sums of the campaigns of one group
    linear: F8  # [lane] their sums over all sources
    probability: F8  # [lane] what these are as probabilities, on the grid
    a: I4  # categories of the event
    b: I4


def new_moments(moments: int) -> Moments:
    """Room for so many."""
    return Moments(
        slot=np.zeros(moments, np.int32),
        at_ms=np.zeros(moments, np.int64),
        offset=np.zeros(moments, np.int64),
        score_hash=np.zeros((moments, 2), np.uint64),
    )


def timing(plan: Plan, code_clauses: U8) -> Timing:
    """What a batch needs for timers that have yet to fire; the clauses are those of its events."""
    # Text that can only be read, as that of records is: of two kinds, all would be compiled twice.
    nowhere = np.zeros((1, 2), np.int64)
    nothing = Texts(np.frombuffer(b"\0", np.uint8), nowhere, nowhere)
    moment = event_columns(plan, 1)._replace(code_clauses=code_clauses)
    most = plan.arrays.timers_per_event_max * len(plan.timers)
    due = DueMoments(
        at_ms=np.empty(most, np.int64),
        rank=np.empty(most, np.uint64),
        entry=np.empty(most, np.int32),
        slot=np.empty(most, np.int32),
        mask=np.empty(most, np.uint64),
    )
    return Timing(moment, nothing, new_moments(0), due)


def score_columns(
    *, scores: int, events: int, experts: int, campaigns: int = 0, clauses: int = 0
) -> ScoreColumns:
    """Room for the scores of a batch."""
    m = scores
    return ScoreColumns(
        event=np.empty(m, np.int32),
        campaign=np.empty(m, np.int32),
        served=np.empty(m),
        probability=np.empty(m),
        baseline=np.empty(m),
        source=np.full((m, REASONS_MAX), -1, np.int32),
        contribution=np.zeros((m, REASONS_MAX)),
        other=np.empty(m),
        percentile=np.empty(m),
        status=np.empty(m, np.int8),
        version=np.empty(m, np.int64),
        place=np.full(m, -1, np.int32),
        experts=np.full((m, experts), np.nan),
        published=np.ones(m, np.int8),
        outcome=np.empty(events, np.int8),
        admitted=np.zeros(events, np.int8),
        ineligible=np.zeros((campaigns, clauses), np.int64),
    )


def scratch(plan: Plan) -> Scratch:
    """Room for one event under a plan."""
    categories = max(1, len(plan.layout.categories))
    return Scratch(
        x=np.zeros(len(plan.layout.columns)),
        units=np.zeros(len(plan.layout.columns), np.int32),
        passed=np.zeros(len(plan.layout.columns), np.uint32),
        fades=np.zeros(
            len(plan.layout.streams) * len(plan.layout.half_lives_ms) + len(plan.campaigns)
        ),
        source=np.zeros((len(plan.layout.sources), LANES)),
        linear=np.zeros(LANES),
        probability=np.zeros(LANES),
        a=np.zeros(categories, np.int32),
        b=np.zeros(categories, np.int32),
    )
