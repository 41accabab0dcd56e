"""Profiles in the compiled loop: what an event changes, and the features read from it.

Owns: decayed counters and the formulas of the dense features.
Never: an example, a model or a score.
Source: exponentially decayed counts, Cormode et al. (2009), Forward Decay.
"""

from __future__ import annotations

import math

import numpy as np

from models.batch import Scratch
from models.compiled import compiled, inlined
from models.kernel_math import half_power, log_above, sine_and_cosine
from models.kernel_records import row_of
from models.layout import COUNT_BY_VALUES_MAX, HINGE_KNOTS, UNITS_PER_ONE
from models.plan import COUNT_BY_HALF_LIFE_MS, F8, U4, PlanArrays
from models.state import I4, NEVER_MS, NO_TIMER_MS, Profiles

DAY_MS = 86_400_000.0
ANSWER_DECAY_PER_MS = 1.0 / (30.0 * DAY_MS)
COUNT_BY_DECAY_PER_MS = 1.0 / COUNT_BY_HALF_LIFE_MS
DAYS_MAX = 400.0
FEATURE_MAX = 20.0
UNITS_OF_ONE = int(UNITS_PER_ONE)
KNOTS = len(HINGE_KNOTS)
NO_GAP = -1.0  # Fewer than two events.


@inlined
def reset_profile(profiles: Profiles, slot: int) -> None:
    """Forget everything of a slot, so that another customer can have it."""
    profiles.counts[slot] = 0.0
    profiles.values[slot] = 0.0
    profiles.last_at[slot] = NEVER_MS
    profiles.gap_days[slot] = NO_GAP
    profiles.first_at[slot] = NEVER_MS
    profiles.seen_at[slot] = NEVER_MS
    profiles.suppressed_until[slot] = NEVER_MS
    profiles.consent_refused[slot] = 0
    profiles.timers[slot] = NO_TIMER_MS
    profiles.by[slot] = 0.0
    profiles.by_at[slot] = NEVER_MS
    profiles.answers[slot] = 0.0
    profiles.answers_at[slot] = NEVER_MS
    profiles.remembered[slot] = 0
    profiles.remembered_at[slot] = NEVER_MS
    profiles.happened_at[slot] = NEVER_MS
    profiles.first_example[slot] = -1
    profiles.waiting[slot] = 0
    profiles.newer[slot] = -2
    profiles.older[slot] = -2


@inlined
def count_in_stream(
    profiles: Profiles, plan: PlanArrays, slot: int, stream: int, at_ms: int, value: float
) -> None:
    """Add an event to a stream; one that comes late is decayed to its own age."""
    last = profiles.last_at[slot, stream]
    elapsed = float(at_ms - last)
    seen = last != NEVER_MS
    if seen:
        gap = np.float32(abs(elapsed) / DAY_MS)
        known = profiles.gap_days[slot, stream]
        if elapsed >= 0.0 or known == NO_GAP or gap < known:
            profiles.gap_days[slot, stream] = gap
    for age in range(plan.decay_per_ms.shape[0]):
        per_ms = plan.decay_per_ms[age]
        count = float(profiles.counts[slot, stream, age])
        total = float(profiles.values[slot, stream, age])
        if seen and elapsed < 0.0:
            fade = half_power(-elapsed * per_ms)
            count += fade
            total += value * fade
        else:
            fade = half_power(elapsed * per_ms) if seen else 0.0
            count = count * fade + 1.0
            total = total * fade + value
        profiles.counts[slot, stream, age] = count
        profiles.values[slot, stream, age] = total
    if not seen or elapsed > 0.0:
        profiles.last_at[slot, stream] = at_ms


@inlined
def count_by_value(profiles: Profiles, slot: int, group: int, place: int, at_ms: int) -> None:
    """Add an event to the counter of one value of a `count_by` group."""
    last = profiles.by_at[slot, group]
    start = group * COUNT_BY_VALUES_MAX
    if last != NEVER_MS and at_ms < last:
        fade = half_power(float(last - at_ms) * COUNT_BY_DECAY_PER_MS)
        profiles.by[slot, start + place] += np.float32(fade)
        return
    if last != NEVER_MS:
        fade = half_power(float(at_ms - last) * COUNT_BY_DECAY_PER_MS)
        for value in range(start, start + COUNT_BY_VALUES_MAX):
            profiles.by[slot, value] = np.float32(float(profiles.by[slot, value]) * fade)
    profiles.by[slot, start + place] += np.float32(1.0)
    profiles.by_at[slot, group] = at_ms


@inlined
def apply_event(
    profiles: Profiles,
    plan: PlanArrays,
    slot: int,
    mask: np.uint64,
    at_ms: int,
    value: float,
    by_place: I4,
    remembered: I4,
) -> None:
    """Let an event change its customer's profile."""
    amount = 0.0 if math.isnan(value) else value
    counted = mask & plan.counted_mask
    for stream in range(plan.stream_mask.shape[0]):
        wanted = plan.stream_mask[stream]
        if (wanted & counted) != 0 or (wanted == 0 and counted == 0):
            count_in_stream(profiles, plan, slot, stream, at_ms, amount)
    if profiles.first_at[slot] == NEVER_MS or at_ms < profiles.first_at[slot]:
        profiles.first_at[slot] = at_ms
    profiles.seen_at[slot] = max(profiles.seen_at[slot], at_ms)
    for group in range(by_place.shape[0]):
        if by_place[group] >= 0:
            count_by_value(profiles, slot, group, by_place[group], at_ms)
    for place in range(remembered.shape[0]):
        if remembered[place] != 0 and at_ms >= profiles.remembered_at[slot, place]:
            profiles.remembered[slot, place] = remembered[place]
            profiles.remembered_at[slot, place] = at_ms


@inlined
def count_answer(profiles: Profiles, slot: int, campaign: int, hit: bool, at_ms: int) -> None:
    """Add a matured answer to what is known of a customer in a campaign."""
    last = profiles.answers_at[slot, campaign]
    fade = 0.0
    if last != NEVER_MS:
        fade = half_power(float(max(0, at_ms - last)) * ANSWER_DECAY_PER_MS)
    answers = profiles.answers[slot, campaign]
    answers[2] = np.float32(float(answers[2]) * fade)
    answers[3] = np.float32(float(answers[3]) * fade)
    which = 0 if hit else 1
    answers[which] += np.float32(1.0)
    answers[2 + which] += np.float32(1.0)
    profiles.answers_at[slot, campaign] = max(at_ms, last)


@inlined
def read_streams(
    profiles: Profiles, plan: PlanArrays, slot: int, at_ms: int, room: Scratch
) -> None:
    """Fill the columns of all streams with what `settle` takes the logarithm of.

    A stream never seen has empty counters, and the greatest age. What is left of the campaigns'
    answers is found in the same sweep.
    """
    ages = plan.decay_per_ms.shape[0]
    streams = plan.stream_mask.shape[0]
    x, fades = room.x, room.fades
    counters = streams * ages
    for campaign in range(profiles.answers_at.shape[1]):
        elapsed = float(max(0, at_ms - profiles.answers_at[slot, campaign]))
        fades[counters + campaign] = elapsed * ANSWER_DECAY_PER_MS
    rest = 2 * counters
    for stream in range(streams):
        last = profiles.last_at[slot, stream]
        elapsed = float(max(0, at_ms - last))
        for age in range(ages):
            fades[stream * ages + age] = elapsed * plan.decay_per_ms[age]
        x[rest + stream] = min(elapsed / DAY_MS, DAYS_MAX) if last != NEVER_MS else 0.0
        gap = float(profiles.gap_days[slot, stream])
        x[rest + 2 * streams + stream] = min(max(gap, 0.0), DAYS_MAX)
    counts, values = row_of(profiles.counts, slot), row_of(profiles.values, slot)
    for place in range(fades.shape[0]):
        fades[place] = half_power(fades[place])
    for place in range(counters):
        x[place] = float(counts[place]) * fades[place]
    for place in range(counters):
        x[counters + place] = float(values[place]) * fades[place]


@compiled
def settle(x: F8, units: I4, passed: U4) -> None:
    """Turn sizes into features: `sign(size) log(1 + |size|)` within ±20, on the features' grid.

    The grid lets a few decimals say exactly what was scored. The loop knows no exceptions, so that
    it takes several columns at a time; columns that are no logarithms are put there after it.
    """
    for column in range(x.shape[0]):
        size = min(log_above(abs(x[column])), FEATURE_MAX)
        steps = np.rint((size if x[column] >= 0.0 else -size) * UNITS_PER_ONE)
        units[column] = np.int32(steps)
        x[column] = steps / UNITS_PER_ONE
        passed[column] = np.uint32(min(max(int(x[column]), 0), KNOTS))


@inlined
def put(room: Scratch, column: int, value: float) -> None:
    """Set a column that is no logarithm, on the grid of the others."""
    steps = np.rint(value * UNITS_PER_ONE)
    room.units[column] = np.int32(steps)
    room.x[column] = steps / UNITS_PER_ONE
    room.passed[column] = np.uint32(min(max(int(room.x[column]), 0), KNOTS))


@inlined
def put_flag(room: Scratch, column: int, up: bool) -> None:
    """Set a column that is 1 or 0."""
    room.units[column] = UNITS_OF_ONE if up else 0
    room.x[column] = 1.0 if up else 0.0
    room.passed[column] = 1 if up else 0


@compiled
def local_time(plan: PlanArrays, at_ms: int) -> int:
    """A moment as the clocks of the plan's time zone show it, in milliseconds of their epoch."""
    low, high = 0, plan.zone_from_ms.shape[0]
    while low < high:
        middle = (low + high) // 2
        if plan.zone_from_ms[middle] <= at_ms:
            low = middle + 1
        else:
            high = middle
    return int(at_ms + plan.zone_ahead_ms[low - 1] if low > 0 else at_ms)


@inlined
def put_calendar(room: Scratch, start: int, at_ms: int) -> None:
    """Set the hour of the day and the day of the week as points on a circle."""
    sine, cosine = sine_and_cosine(float(at_ms % 86_400_000) / DAY_MS)
    put(room, start, sine)
    put(room, start + 1, cosine)
    # The epoch began on a Thursday.
    sine, cosine = sine_and_cosine(float((at_ms // 86_400_000 + 3) % 7) / 7.0)
    put(room, start + 2, sine)
    put(room, start + 3, cosine)


@inlined
def read_counters(
    profiles: Profiles, plan: PlanArrays, slot: int, at_ms: int, room: Scratch
) -> None:
    """Fill the columns of values counted by property, and of answers, as `read_streams` does."""
    x, counters = room.x, plan.stream_mask.shape[0] * plan.decay_per_ms.shape[0]
    for group in range((plan.answers_start - plan.count_by_start) // COUNT_BY_VALUES_MAX):
        last = profiles.by_at[slot, group]
        fade = half_power(float(max(0, at_ms - last)) * COUNT_BY_DECAY_PER_MS)
        first = group * COUNT_BY_VALUES_MAX
        for place in range(first, first + COUNT_BY_VALUES_MAX):
            x[plan.count_by_start + place] = float(profiles.by[slot, place]) * fade
    for campaign in range(profiles.answers.shape[1]):
        fade = room.fades[counters + campaign]
        start = plan.answers_start + 4 * campaign
        x[start] = float(profiles.answers[slot, campaign, 0])
        x[start + 1] = float(profiles.answers[slot, campaign, 1])
        x[start + 2] = float(profiles.answers[slot, campaign, 2]) * fade
        x[start + 3] = float(profiles.answers[slot, campaign, 3]) * fade


@inlined
def read_features(
    profiles: Profiles, plan: PlanArrays, slot: int, at_ms: int, numbers: F8, room: Scratch
) -> None:
    """Fill the dense vector of a customer at a moment, all campaigns' columns together."""
    x = room.x
    read_streams(profiles, plan, slot, at_ms, room)
    read_counters(profiles, plan, slot, at_ms, room)
    first_ms = profiles.first_at[slot]  # Of somebody about whom there were only questions: none.
    known_ms = at_ms - first_ms if first_ms != NEVER_MS else 0
    x[plan.context_start] = float(max(0, known_ms)) / DAY_MS
    for place in range(numbers.shape[0]):
        absent = math.isnan(numbers[place])
        x[plan.numbers_start + 2 * place] = 0.0 if absent else numbers[place]
    settle(x, room.units, room.passed)
    streams = plan.stream_mask.shape[0]
    seen = (2 * plan.decay_per_ms.shape[0] + 1) * streams
    for stream in range(streams):
        put_flag(room, seen + stream, profiles.last_at[slot, stream] != NEVER_MS)
    put_calendar(room, plan.context_start + 1, local_time(plan, at_ms))
    for place in range(numbers.shape[0]):
        put_flag(room, plan.numbers_start + 2 * place + 1, math.isnan(numbers[place]))
