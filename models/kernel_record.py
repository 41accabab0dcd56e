"""Score records as bytes in the compiled loop.

Owns: the order of a score record's fields on the wire.
Never: a decision; everything was decided when the event was scored.
Source: schemas.score, whose reader takes every record written here.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from models.batch import NO_PERCENTILE, REASONS_MAX, EventColumns, Moments, ScoreColumns
from models.compiled import compiled, inlined
from models.kernel_copy import copy_wide
from models.kernel_grid import (
    CONTRIBUTION_PLACES,
    PERCENTILE_PLACES,
    POWERS,
    PROBABILITY_PLACES,
    REMAINDER_PLACES,
    STEPS_MAX,
    VALUE_PLACES,
    places_of,
    steps_of,
)
from models.kernel_text import copy_span, write_decimal, write_hex, write_integer, write_time
from models.model_number import LEARNER_SHIFT, VERSION_MASK
from models.plan import I8, U1
from schemas.campaign import LEARNERS

BAND_MEDIUM_FROM = 50.0
BAND_HIGH_FROM = 80.0

# The pieces of a record that are the same for all; behind them stand those of campaigns and so on.
(
    SCORE_ID, CUSTOMER_ID, EVENT_ID, AS_OF, SOURCE, SCORES, PERCENTILE, NO_PROBABILITY,
    REASONS_END, NO_REASONS_END, BASELINE, RECORD_END, COMMA, BAND_LOW, BAND_MEDIUM, BAND_HIGH,
    BAND_NONE, EXPERTS_END, TIMER,
) = range(19)  # fmt: skip
LEARNER_COUNT = len(LEARNERS)
TAIL_START, TAIL_STOP, TAIL_SCORE = 0, 1, 2
NO_SCORE = -1


class Pieces(NamedTuple):
    """Everything in a record that is known beforehand, as text."""

    text: U1  # and room behind it for a wide copy
    starts: I8  # [pieces + 1]
    campaign: int  # the first of the pieces that open an entry, by campaign
    model: int  # the first of those up to the model's version, by campaign and learner
    features: int  # the first of those that close an entry, by campaign
    status: int  # the first of those of the statuses behind an expected value
    only_status: int  # the first of those of the statuses where there is none
    source: int  # the first of those that open the first reason, by source
    next_source: int  # the first of those that open a further reason, by source
    expert: int  # the first of those that name an expert, as the first of them
    next_expert: int  # the first of those that name a further one
    predicts_value: I8  # [campaigns]
    is_hurdle: I8  # [campaigns]


class Names(NamedTuple):
    """The customers of moments, as texts of JSON without their quotes."""

    text: U1
    starts: I8  # [moments + 1]


@inlined
def write_piece(buffer: U1, at: int, pieces: Pieces, piece: int) -> int:
    """Write a piece that is known beforehand."""
    return copy_wide(buffer, at, pieces.text, pieces.starts[piece], pieces.starts[piece + 1])


@inlined
def write_number(buffer: U1, at: int, number: float, places: int) -> int:
    """Write a number that lies on the grid of so many places."""
    if abs(number) * POWERS[places] > STEPS_MAX:
        places = places_of(number, places)
    return write_decimal(buffer, at, steps_of(number, places), places)


@inlined
def write_percentile(buffer: U1, at: int, pieces: Pieces, percentile: float) -> int:
    """Write percentile and band, or null for both."""
    at = write_piece(buffer, at, pieces, PERCENTILE)
    if percentile == NO_PERCENTILE:
        return write_piece(buffer, at, pieces, BAND_NONE)
    at = write_number(buffer, at, percentile, PERCENTILE_PLACES)
    band = BAND_MEDIUM if percentile >= BAND_MEDIUM_FROM else BAND_LOW
    band = BAND_HIGH if percentile >= BAND_HIGH_FROM else band
    return write_piece(buffer, at, pieces, band)


@inlined
def write_reasons(buffer: U1, at: int, pieces: Pieces, scores: ScoreColumns, m: int) -> int:
    """Write the reasons and the remainder."""
    end = NO_REASONS_END
    for rank in range(REASONS_MAX):
        source = scores.source[m, rank]
        if source < 0:
            break
        opening = pieces.source if rank == 0 else pieces.next_source
        at = write_piece(buffer, at, pieces, opening + source)
        at = write_number(buffer, at, scores.contribution[m, rank], CONTRIBUTION_PLACES)
        end = REASONS_END
    at = write_piece(buffer, at, pieces, end)
    return write_number(buffer, at, scores.other[m], REMAINDER_PLACES)


@inlined
def write_experts(buffer: U1, at: int, pieces: Pieces, scores: ScoreColumns, m: int) -> int:
    """Write what experts and challengers said, if the score opened an example."""
    end = at
    for expert in range(scores.experts.shape[1]):
        said = scores.experts[m, expert]
        if not math.isfinite(said):
            continue
        opening = pieces.next_expert if end > at else pieces.expert
        end = write_piece(buffer, end, pieces, opening + expert)
        end = write_number(buffer, end, said, PROBABILITY_PLACES)
    return write_piece(buffer, end, pieces, EXPERTS_END) if end > at else at


@inlined
def write_tail(buffer: U1, at: int, pieces: Pieces, scores: ScoreColumns, m: int, tails: I8) -> int:
    """Write the baseline and the model: what is nearly always as in the campaign's last score."""
    campaign = scores.campaign[m]
    tail = tails[campaign]
    last = tail[TAIL_SCORE]
    if (
        last != NO_SCORE
        and scores.version[last] == scores.version[m]
        and scores.baseline[last] == scores.baseline[m]
    ):
        return copy_wide(buffer, at, buffer, tail[TAIL_START], tail[TAIL_STOP])
    tail[TAIL_START] = at
    at = write_piece(buffer, at, pieces, BASELINE)
    at = write_number(buffer, at, scores.baseline[m], REMAINDER_PLACES)
    number = scores.version[m]
    learner = campaign * LEARNER_COUNT + (number >> LEARNER_SHIFT)
    at = write_piece(buffer, at, pieces, pieces.model + learner)
    at = write_integer(buffer, at, number & VERSION_MASK)
    at = write_piece(buffer, at, pieces, pieces.features + campaign)
    tail[TAIL_STOP], tail[TAIL_SCORE] = at, m
    return at


@inlined
def write_entry(
    buffer: U1, at: int, pieces: Pieces, scores: ScoreColumns, m: int, tails: I8
) -> int:
    """Write one campaign's score."""
    campaign, status = scores.campaign[m], scores.status[m]
    is_value = pieces.predicts_value[campaign] == 1
    at = write_piece(buffer, at, pieces, pieces.campaign + campaign)
    if is_value and pieces.is_hurdle[campaign] == 0:
        at = write_piece(buffer, at, pieces, NO_PROBABILITY)
    else:
        at = write_number(buffer, at, scores.probability[m], PROBABILITY_PLACES)
    at = write_percentile(buffer, at, pieces, scores.percentile[m])
    if is_value:
        at = write_number(buffer, at, scores.served[m], VALUE_PLACES)
        at = write_piece(buffer, at, pieces, pieces.status + status)
    else:
        at = write_piece(buffer, at, pieces, pieces.only_status + status)
    at = write_reasons(buffer, at, pieces, scores, m)
    at = write_experts(buffer, at, pieces, scores, m)
    return write_tail(buffer, at, pieces, scores, m, tails)


@inlined
def write_opening(
    buffer: U1,
    at: int,
    pieces: Pieces,
    events: EventColumns,
    text: U1,
    customer: I8,
    event: I8,
    row: int,
) -> int:
    """Write what a record says of its event."""
    at = write_piece(buffer, at, pieces, SCORE_ID)
    at = write_hex(buffer, at, events.score_hash[row], 0)
    at = write_hex(buffer, at, events.score_hash[row], 1)
    at = write_piece(buffer, at, pieces, CUSTOMER_ID)
    at = copy_span(buffer, at, text, customer[row, 0], customer[row, 1])
    at = write_piece(buffer, at, pieces, EVENT_ID)
    at = copy_span(buffer, at, text, event[row, 0], event[row, 1])
    at = write_piece(buffer, at, pieces, AS_OF)
    at = write_time(buffer, at, events.at_ms[row])
    at = write_piece(buffer, at, pieces, SOURCE)
    at = write_integer(buffer, at, events.offset[row])
    return write_piece(buffer, at, pieces, SCORES)


@inlined
def write_timer_opening(
    buffer: U1, at: int, pieces: Pieces, moments: Moments, names: Names, number: int
) -> int:
    """Write what a record says of the moment at which a timer fired."""
    at = write_piece(buffer, at, pieces, SCORE_ID)
    at = write_hex(buffer, at, moments.score_hash[number], 0)
    at = write_hex(buffer, at, moments.score_hash[number], 1)
    at = write_piece(buffer, at, pieces, CUSTOMER_ID)
    at = copy_span(buffer, at, names.text, names.starts[number], names.starts[number + 1])
    at = write_piece(buffer, at, pieces, TIMER)
    at = write_time(buffer, at, moments.at_ms[number])
    at = write_piece(buffer, at, pieces, SOURCE)
    at = write_integer(buffer, at, moments.offset[number])
    return write_piece(buffer, at, pieces, SCORES)


@compiled
def write_records(
    buffer: U1,
    pieces: Pieces,
    events: EventColumns,
    text: U1,
    customer: I8,
    event: I8,
    moments: Moments,
    names: Names,
    scores: ScoreColumns,
    count: int,
    tails: I8,
    ends: I8,
) -> int:
    """Write the records of the first `count` scores, note where each ends, give their number.

    Writes up to COPY_BYTES beyond the end; `tails` is room for each campaign, filled with NO_SCORE.
    """
    at, records = 0, 0
    for m in range(count):
        row = scores.event[m]
        if m == 0 or row != scores.event[m - 1]:
            number = row - events.at_ms.shape[0]
            if number < 0:
                at = write_opening(buffer, at, pieces, events, text, customer, event, row)
            else:
                at = write_timer_opening(buffer, at, pieces, moments, names, number)
        else:
            at = write_piece(buffer, at, pieces, COMMA)
        at = write_entry(buffer, at, pieces, scores, m, tails)
        if m + 1 == count or scores.event[m + 1] != row:
            at = write_piece(buffer, at, pieces, RECORD_END)
            ends[records] = at
            records += 1
    return records
