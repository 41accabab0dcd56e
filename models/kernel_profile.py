"""Profiles in the compiled loop: what an event changes, and the features read from it.

Owns: decayed counters and the formulas of the dense features.
Never: an example, a model or a score.
Source: exponentially decayed counts, Cormode et al. (2009), Forward Decay.
"""

from __future__ import annotations

import math

import numpy as np

from models.compiled import compiled
from models.layout import COUNT_BY_VALUES_MAX, UNITS_PER_ONE
from models.plan import COUNT_BY_HALF_LIFE_MS, F8, PlanArrays
from models.state import I4, NEVER_MS, Profiles

DAY_MS = 86_400_000.0
ANSWER_DECAY_PER_MS = 1.0 / (30.0 * DAY_MS)
COUNT_BY_DECAY_PER_MS = 1.0 / COUNT_BY_HALF_LIFE_MS
DAYS_MAX = 400.0
FEATURE_MAX = 20.0
NO_GAP = -1.0  # Fewer than two events.


@compiled
def decay(elapsed_ms: float, per_ms: float) -> float:
    """`2 ** -(elapsed / half-life)`, 1 for a counter that keeps for ever."""
    if per_ms == 0.0:
        return 1.0
    return float(np.exp2(-elapsed_ms * per_ms))


@compiled
def signed_log(value: float) -> float:
    """`sign(x) log(1 + |x|)`, within ±20."""
    size = min(math.log1p(abs(value)), FEATURE_MAX)
    return size if value >= 0.0 else -size


@compiled
def reset_profile(profiles: Profiles, slot: int) -> None:
    """Forget everything of a slot, so that another customer can have it."""
    profiles.counts[slot] = 0.0
    profiles.values[slot] = 0.0
    profiles.last_at[slot] = NEVER_MS
    profiles.gap_days[slot] = NO_GAP
    profiles.first_at[slot] = NEVER_MS
    profiles.by[slot] = 0.0
    profiles.by_at[slot] = NEVER_MS
    profiles.answers[slot] = 0.0
    profiles.answers_at[slot] = NEVER_MS
    profiles.remembered[slot] = 0
    profiles.remembered_at[slot] = NEVER_MS
    profiles.first_example[slot] = -1
    profiles.newer[slot] = -2
    profiles.older[slot] = -2


@compiled
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
            fade = decay(-elapsed, per_ms)
            count += fade
            total += value * fade
        else:
            fade = decay(elapsed, per_ms) if seen else 0.0
            count = count * fade + 1.0
            total = total * fade + value
        profiles.counts[slot, stream, age] = count
        profiles.values[slot, stream, age] = total
    if not seen or elapsed > 0.0:
        profiles.last_at[slot, stream] = at_ms


@compiled
def count_by_value(profiles: Profiles, slot: int, group: int, place: int, at_ms: int) -> None:
    """Add an event to the counter of one value of a `count_by` group."""
    last = profiles.by_at[slot, group]
    start = group * COUNT_BY_VALUES_MAX
    if last != NEVER_MS and at_ms < last:
        fade = decay(float(last - at_ms), COUNT_BY_DECAY_PER_MS)
        profiles.by[slot, start + place] += np.float32(fade)
        return
    if last != NEVER_MS:
        fade = decay(float(at_ms - last), COUNT_BY_DECAY_PER_MS)
        for value in range(start, start + COUNT_BY_VALUES_MAX):
            profiles.by[slot, value] = np.float32(float(profiles.by[slot, value]) * fade)
    profiles.by[slot, start + place] += np.float32(1.0)
    profiles.by_at[slot, group] = at_ms


@compiled
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
    for stream in range(plan.stream_mask.shape[0]):
        wanted = plan.stream_mask[stream]
        if (wanted & mask) != 0 or (wanted == 0 and mask == 0):
            count_in_stream(profiles, plan, slot, stream, at_ms, amount)
    if profiles.first_at[slot] == NEVER_MS or at_ms < profiles.first_at[slot]:
        profiles.first_at[slot] = at_ms
    for group in range(by_place.shape[0]):
        if by_place[group] >= 0:
            count_by_value(profiles, slot, group, by_place[group], at_ms)
    for place in range(remembered.shape[0]):
        if remembered[place] != 0 and at_ms >= profiles.remembered_at[slot, place]:
            profiles.remembered[slot, place] = remembered[place]
            profiles.remembered_at[slot, place] = at_ms


@compiled
def count_answer(profiles: Profiles, slot: int, campaign: int, hit: bool, at_ms: int) -> None:
    """Add a matured answer to what is known of a customer in a campaign."""
    last = profiles.answers_at[slot, campaign]
    fade = decay(float(max(0, at_ms - last)), ANSWER_DECAY_PER_MS) if last != NEVER_MS else 0.0
    answers = profiles.answers[slot, campaign]
    answers[2] = np.float32(float(answers[2]) * fade)
    answers[3] = np.float32(float(answers[3]) * fade)
    which = 0 if hit else 1
    answers[which] += np.float32(1.0)
    answers[2 + which] += np.float32(1.0)
    profiles.answers_at[slot, campaign] = max(at_ms, last)


@compiled
def read_streams(profiles: Profiles, plan: PlanArrays, slot: int, at_ms: int, x: F8) -> None:
    """Fill the columns of all streams; those of a stream never seen are 0."""
    ages = plan.decay_per_ms.shape[0]
    width = 2 * ages + 3
    for stream in range(plan.stream_mask.shape[0]):
        start = stream * width
        last = profiles.last_at[slot, stream]
        if last == NEVER_MS:
            x[start : start + width] = 0.0
            continue
        elapsed = float(max(0, at_ms - last))
        for age in range(ages):
            fade = decay(elapsed, plan.decay_per_ms[age])
            x[start + age] = signed_log(float(profiles.counts[slot, stream, age]) * fade)
            total = float(profiles.values[slot, stream, age])
            x[start + ages + age] = 0.0 if total == 0.0 else signed_log(total * fade)
        x[start + 2 * ages] = math.log1p(min(elapsed / DAY_MS, DAYS_MAX))
        x[start + 2 * ages + 1] = 1.0
        gap = float(profiles.gap_days[slot, stream])
        x[start + 2 * ages + 2] = math.log1p(min(max(gap, 0.0), DAYS_MAX))


@compiled
def settle(x: F8, units: I4) -> None:
    """Move features onto their grid, so that a few decimals say exactly what was scored."""
    for column in range(x.shape[0]):
        steps = np.rint(x[column] * UNITS_PER_ONE)
        units[column] = np.int32(steps)
        x[column] = steps / UNITS_PER_ONE


@compiled
def read_features(
    profiles: Profiles, plan: PlanArrays, slot: int, at_ms: int, numbers: F8, x: F8, units: I4
) -> None:
    """Fill the dense vector of a customer at a moment, all campaigns' columns together."""
    read_streams(profiles, plan, slot, at_ms, x)
    start = plan.context_start
    tenure = float(max(0, at_ms - profiles.first_at[slot])) / DAY_MS
    day = float(at_ms % 86_400_000) / DAY_MS
    week = float((at_ms // 86_400_000 + 3) % 7) / 7.0  # The epoch began on a Thursday.
    x[start] = math.log1p(tenure)
    x[start + 1] = math.sin(2.0 * math.pi * day)
    x[start + 2] = math.cos(2.0 * math.pi * day)
    x[start + 3] = math.sin(2.0 * math.pi * week)
    x[start + 4] = math.cos(2.0 * math.pi * week)
    for place in range(numbers.shape[0]):
        column = plan.numbers_start + 2 * place
        absent = math.isnan(numbers[place])
        x[column] = 0.0 if absent else signed_log(numbers[place])
        x[column + 1] = 1.0 if absent else 0.0
    for group in range(profiles.by_at.shape[1]):
        last = profiles.by_at[slot, group]
        fade = decay(float(max(0, at_ms - last)), COUNT_BY_DECAY_PER_MS)
        first = group * COUNT_BY_VALUES_MAX
        for place in range(first, first + COUNT_BY_VALUES_MAX):
            count = float(profiles.by[slot, place])
            x[plan.count_by_start + place] = 0.0 if count == 0.0 else math.log1p(count * fade)
    for campaign in range(profiles.answers.shape[1]):
        last = profiles.answers_at[slot, campaign]
        fade = decay(float(max(0, at_ms - last)), ANSWER_DECAY_PER_MS)
        for which in range(4):
            count = float(profiles.answers[slot, campaign, which])
            faded = count * fade if which >= 2 else count
            x[plan.answers_start + 4 * campaign + which] = math.log1p(faded)
    settle(x, units)
