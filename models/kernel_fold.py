"""The loop over the events of a batch: the specification of the scorer, compiled.

Owns: the order in which an event closes, answers, changes, scores and opens.
Never: a decision that depends on where a batch was cut.
Source: ARCHITECTURE.md, the rules of time.
"""

from __future__ import annotations

import numpy as np

from models.batch import (
    CONTROL,
    DUPLICATE,
    FACT,
    LATE,
    NOT_ELIGIBLE,
    NOT_SCORED,
    SUPPRESSED,
    TAKEN,
    UNCHANGED,
    EventColumns,
    ScoreColumns,
    Scratch,
    ServedModels,
    Texts,
    Timing,
)
from models.compiled import compiled, inlined, inlined_apart
from models.kernel_arms import has_places, tell_arm
from models.kernel_clauses import clauses_held, lowest_bit, note_clauses
from models.kernel_examples import (
    answer_examples,
    choose_place,
    close_decided,
    close_due,
    mix,
    open_example,
)
from models.kernel_experts import expect_value, hear_experts
from models.kernel_heap import drop
from models.kernel_moments import begin_timers, choose_moments, note_moment
from models.kernel_names import keep_name
from models.kernel_outcomes import close_outcomes
from models.kernel_prefetch import ask_ahead
from models.kernel_profile import apply_event, read_features
from models.kernel_queues import UNLISTED, list_newest, list_oldest, see
from models.kernel_scores import keep_features, read_categories, score_campaign, sum_group
from models.kernel_slots import NO_SLOT, admit, slot_of
from models.kernel_timers import NOBODY_DUE, any_due, first_due, take_due
from models.kernel_told import publish
from models.kernel_triggers import decide, end_waits, leave_no_state, note_goals
from models.plan import LANES, PlanArrays
from models.state import (
    CLOCK_MS,
    CLOSED_COUNT,
    I8,
    MOMENTS,
    SCORES,
    SLOT_COUNT,
    TIMER_COUNT,
    Examples,
    Profiles,
    Queues,
)
from models.trigger_states import Triggers


@inlined
def take_example(
    profiles: Profiles,
    examples: Examples,
    queues: Queues,
    registers: I8,
    plan: PlanArrays,
    models: ServedModels,
    campaign: int,
    events: EventColumns,
    texts: Texts,
    row: int,
    room: Scratch,
    triggers: Triggers,
    out: ScoreColumns,
    m: int,
) -> bool:
    """Let a score open an example, if it is chosen; whether it is."""
    slot, at_ms = events.slot[row], events.at_ms[row]
    event_hash, keys = events.event_hash[row], events.keys[row]
    place = choose_place(
        profiles, examples, queues, registers, plan, slot, campaign, at_ms, event_hash, keys
    )
    if place < 0:
        return False
    out.place[m] = place
    examples.served[place] = out.served[m]
    examples.version[place] = out.version[m]
    examples.status[place] = out.status[m]
    hear_experts(plan, models, campaign, room, out, m)
    for expert in range(plan.experts[campaign]):
        examples.experts[place, expert] = out.experts[m, expert]
    keep_features(examples, plan, place, campaign, room)
    open_example(
        examples, queues, registers, plan, place, campaign, at_ms,
        events.offset[row], keys, events.deadlines[row],
    )  # fmt: skip
    tell_arm(triggers, profiles, examples, plan, campaign, slot, place)
    keep_name(examples.event_id, place, texts.text, texts.event[row])
    return True


@inlined
def score_event(
    profiles: Profiles,
    examples: Examples,
    queues: Queues,
    registers: I8,
    plan: PlanArrays,
    models: ServedModels,
    events: EventColumns,
    texts: Texts,
    row: int,
    catching_up: bool,
    room: Scratch,
    triggers: Triggers,
    out: ScoreColumns,
) -> int:
    """Score an event for the campaigns that ask for it and open their examples.

    Those for which its customer is not eligible neither score nor learn. Gives what became of it.
    """
    mask, slot, at_ms = events.mask[row], events.slot[row], events.at_ms[row]
    read, told, summed, outcome, held = False, False, -1, NOT_SCORED, np.uint64(0)
    for campaign in range(plan.score_mask.shape[0]):
        learns = (plan.learn_mask[campaign] & mask) != 0
        if not learns and (plan.score_mask[campaign] & mask) == 0:
            continue
        if outcome == NOT_SCORED:
            if at_ms < profiles.suppressed_until[slot]:
                return SUPPRESSED
            outcome = NOT_ELIGIBLE
            held = clauses_held(profiles, plan, events.code_clauses, slot, at_ms)
        missing = plan.for_mask[campaign] & ~held
        if missing != 0:
            out.ineligible[campaign, lowest_bit(missing)] += 1
            continue
        if not read:
            read_features(profiles, plan, slot, at_ms, events.numbers[row], room)
            read_categories(profiles, plan, events, row, slot, room)
            read = True
        if campaign // LANES != summed:
            summed = campaign // LANES
            sum_group(plan, models, summed, room)
        expected = expect_value(plan, models, campaign, room)
        m = score_campaign(plan, models, campaign, row, catching_up, expected, room, out, registers)
        needed = decide(
            triggers, profiles, examples, queues, plan, campaign, slot, events, row, held,
            registers, out, m,
        )  # fmt: skip
        if learns:
            needed |= take_example(
                profiles, examples, queues, registers, plan, models, campaign, events, texts, row,
                room, triggers, out, m,
            )  # fmt: skip
        told |= publish(triggers, campaign, slot, events, row, out, m, needed, catching_up)
    if read:
        return TAKEN if told else UNCHANGED
    return outcome


@inlined
def keep_listed(profiles: Profiles, registers: I8, slot: int) -> None:
    """See that a profile made for what is no fact can make room, before all others."""
    if profiles.newer[slot] == UNLISTED and profiles.waiting[slot] == 0:
        list_oldest(profiles, registers, slot)


@inlined
def welcome(
    profiles: Profiles,
    queues: Queues,
    registers: I8,
    plan: PlanArrays,
    triggers: Triggers,
    events: EventColumns,
    texts: Texts,
    row: int,
) -> int:
    """Give the customer of an event a slot, in which nothing is known of anybody before."""
    one, two = events.customer_hash[row, 0], events.customer_hash[row, 1]
    slot = admit(profiles, queues, registers, plan, one, two)
    leave_no_state(triggers, slot)
    keep_name(profiles.name, slot, texts.text, texts.customer[row])
    return int(slot)


@inlined
def take_answer(
    profiles: Profiles,
    examples: Examples,
    plan: PlanArrays,
    triggers: Triggers,
    events: EventColumns,
    row: int,
    slot: int,
    late: bool,
) -> None:
    """Let an event answer open examples of its customer, and whom a trigger is about."""
    mask, at_ms = events.mask[row], events.at_ms[row]
    answer_examples(
        profiles, examples, plan, slot, mask, at_ms, events.value[row], events.keys[row]
    )
    note_goals(triggers, profiles, plan, slot, events, row, late)


@inlined
def take_fact(
    profiles: Profiles,
    queues: Queues,
    registers: I8,
    plan: PlanArrays,
    events: EventColumns,
    row: int,
    slot: int,
) -> None:
    """Let an event change what is known of its customer."""
    mask, at_ms = events.mask[row], events.at_ms[row]
    list_newest(profiles, registers, slot)
    apply_event(
        profiles, plan, slot, mask, at_ms, events.value[row],
        events.by_place[row], events.remembered[row],
    )  # fmt: skip
    note_clauses(profiles, plan, slot, mask, at_ms)
    begin_timers(profiles, queues, registers, plan, slot)


@inlined
def has_room(
    queues: Queues,
    registers: I8,
    plan: PlanArrays,
    timing: Timing | None,
    triggers: Triggers,
    out: ScoreColumns,
    events: int,
) -> bool:
    """Whether there is room for all that the next of so many events and its timers may make."""
    kinds, campaigns = plan.every_ms.shape[0], plan.score_mask.shape[0]
    if not has_places(triggers.policies, queues, registers, out):
        return False
    if timing is None:
        return True
    most = (plan.timers_per_event_max + 1) * kinds
    return bool(
        registers[SCORES] + events * campaigns + most <= out.event.shape[0]
        and registers[MOMENTS] + most <= timing.moments.slot.shape[0]
        and registers[TIMER_COUNT] + most + kinds <= queues.timer_due.shape[0]
    )


@inlined_apart
def fire_due(
    profiles: Profiles,
    examples: Examples,
    queues: Queues,
    registers: I8,
    plan: PlanArrays,
    models: ServedModels,
    events: EventColumns,
    timing: Timing,
    row: int,
    now_ms: int,
    catching_up: bool,
    room: Scratch,
    triggers: Triggers,
    out: ScoreColumns,
) -> int:
    """Fire what is due before an event is applied that lets the clock come to now.

    First the event's own customer, of whom a score must not know it; then at most so many others,
    those due first. They are scored in the order of their moments, so that the order in a campaign
    is the same whichever other campaigns have timers; each as by an event of which nothing is
    known. Gives now, or when the first of those was due that have to wait.
    """
    moment, due = timing.moment, timing.due
    only = int(np.int64(0))  # No literal: for the type of one, all would be compiled again.
    for turn in range(2):
        count = 0
        for _ in range(1 if turn == 0 else plan.timers_per_event_max):
            slot = int(events.slot[row])
            if turn > 0:
                slot = take_due(profiles, queues, registers, now_ms)
                if slot == NOBODY_DUE:
                    break
            count = choose_moments(profiles, queues, registers, plan, due, count, slot, now_ms)
        for left in range(count, 0, -1):
            entry, at_ms = due.entry[0], due.at_ms[0]
            drop(due.at_ms, due.rank, due.entry, left)
            slot, mask = due.slot[entry], due.mask[entry]
            one, two = profiles.customer_hash[slot, 0], profiles.customer_hash[slot, 1]
            name = mix(one ^ mix(np.uint64(at_ms)))
            moment.score_hash[0, 0], moment.score_hash[0, 1] = name, mix(two ^ name)
            moment.event_hash[0], moment.offset[0] = max(name, np.uint64(1)), events.offset[row]
            moment.slot[0], moment.mask[0], moment.at_ms[0] = slot, mask, at_ms
            first = registers[SCORES]
            score_event(
                profiles, examples, queues, registers, plan, models, moment, timing.texts, only,
                catching_up, room, triggers, out,
            )  # fmt: skip
            if registers[SCORES] > first:
                note_moment(registers, timing, out, first, events.at_ms.shape[0])
    return min(now_ms, first_due(profiles, queues, registers))


@compiled
def fold_events(
    profiles: Profiles,
    examples: Examples,
    queues: Queues,
    registers: I8,
    plan: PlanArrays,
    models: ServedModels,
    events: EventColumns,
    texts: Texts,
    timing: Timing | None,
    first: int,
    catching_up: bool,
    room: Scratch,
    triggers: Triggers,
    out: ScoreColumns,
) -> int:
    """Fold the events from `first` on into the state, one after the other.

    Gives how many were folded: fewer than all before a control fact, and where somebody has to
    make room who is to be read first, or scores need room. Without timers there is no `timing`.
    """
    count, fired, begun = events.at_ms.shape[0], triggers.fired.total[0], registers[MOMENTS]
    for row in range(first, count):
        if events.nature[row] == CONTROL:
            return row
        if not has_room(queues, registers, plan, timing, triggers, out, count - row):
            return row
        ask_ahead(profiles, examples, queues, registers, events, row)
        one, two = events.customer_hash[row, 0], events.customer_hash[row, 1]
        slot = slot_of(profiles, queues.slot_table, one, two)
        if slot == NO_SLOT:
            unread = registers[CLOSED_COUNT] > 0 or registers[MOMENTS] > begun
            unread |= triggers.fired.total[0] > fired
            if unread and registers[SLOT_COUNT] >= plan.profiles_max:
                return row
            slot = welcome(profiles, queues, registers, plan, triggers, events, texts, row)
            out.admitted[row] = 1
        events.slot[row], at_ms, offset = slot, events.at_ms[row], events.offset[row]
        late = at_ms < registers[CLOCK_MS] - plan.lateness_ms
        now_ms = upto_ms = max(registers[CLOCK_MS], at_ms)
        if timing is not None and any_due(profiles, queues, registers, slot, now_ms):
            upto_ms = fire_due(
                profiles, examples, queues, registers, plan, models, events, timing, row, now_ms,
                catching_up, room, triggers, out,
            )  # fmt: skip
        registers[CLOCK_MS] = now_ms
        end_waits(triggers, profiles, examples, queues, plan, registers, events, row)
        closed = close_due(profiles, examples, queues, registers, plan, offset, upto_ms)
        close_outcomes(profiles, examples, queues, registers, plan, triggers, offset, upto_ms)
        if see(queues, registers, events.event_hash[row], plan.seen_ms, plan.seen_ids_max):
            close_decided(profiles, examples, queues, registers, plan, offset, closed)
            keep_listed(profiles, registers, slot)
            out.outcome[row] = DUPLICATE
            continue
        is_fact = events.nature[row] == FACT
        if is_fact:
            take_answer(profiles, examples, plan, triggers, events, row, slot, late)
        close_decided(profiles, examples, queues, registers, plan, offset, closed)
        if is_fact:
            take_fact(profiles, queues, registers, plan, events, row, slot)
        else:
            keep_listed(profiles, registers, slot)
        if late:
            out.outcome[row] = LATE
            continue
        out.outcome[row] = score_event(
            profiles, examples, queues, registers, plan, models, events, texts, row, catching_up,
            room, triggers, out,
        )  # fmt: skip
    return int(count)
