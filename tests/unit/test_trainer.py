"""The trainer: rows are learned once, in log order, and a state goes on bit for bit.

Owns: the trainer's own promises.
Never: how well a learner learns; tests/unit/test_learners.py asks that.
Source: ARCHITECTURE.md, "Two folds".
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any, get_args

import msgspec
import pytest

from models.plan import Plan, compile_plan
from models.trainer import Trainer
from schemas import campaign_grammar as grammar
from schemas.campaign import Campaign, CampaignFile, Features, LearnerName
from schemas.clauses import Clause, Goal
from schemas.example import ClosedBy, ExampleSource, TrainingExample, encode_example
from schemas.learner_state import LearnerState, decode_learner_state, encode_learner_state
from schemas.model_record import encode_model_record
from schemas.score import ModelRef
from schemas.times import DAY_MS, HOUR_MS, format_time
from tests.event_logs import START_MS

LEARNERS: tuple[LearnerName, ...] = get_args(LearnerName)


def plan_of(learner: LearnerName = "bayesian_logistic", horizon_ms: int = DAY_MS) -> Plan:
    """Two campaigns with one learner each."""
    campaign = Campaign(
        name="buy",
        goal=Goal((Clause("buy"),)),
        horizon_ms=horizon_ms,
        score_on=(Clause("view"),),
        example_interval_ms=0,
        predict="value" if learner in grammar.LEARNERS_OF_VALUES else "conversion",
        features=Features(half_lives_ms=(HOUR_MS, DAY_MS, None), categories=("channel",)),
        learner=learner,
    )
    other = replace(campaign, name="cart", goal=Goal((Clause("cart"),)))
    return compile_plan(CampaignFile(1, {"buy": campaign, "cart": other}))


def random_rows(
    plan: Plan,
    count: int,
    seed: int = 1,
    texts: int = 5,
    start_ms: int = START_MS,
    share: float = 0.3,
) -> list[TrainingExample]:
    """Rows of two source partitions whose features come up late, in any order, up to 6."""
    generator = random.Random(seed)
    rows: list[TrainingExample] = []
    for index in range(count):
        place = generator.randrange(len(plan.campaigns))
        own = plan.layout.campaigns[place]
        known = own.names[: 3 + index // 2]
        names = generator.sample(known, generator.randrange(len(known)))
        features = {name: generator.choice((0.5, 1.0, 1.5, 3.25, 6.0, -2.0)) for name in names}
        features[f"channel={generator.randrange(texts)}"] = 1.0
        value = plan.file.campaigns[plan.campaigns[place]].predict == "value"
        moment_ms = start_ms + index * HOUR_MS
        ref = ModelRef(plan.lineages[place], "champion", index, plan.features[place])
        rows.append(
            TrainingExample(
                campaign=plan.campaigns[place],
                lineage=plan.lineages[place],
                customer=f"{generator.randrange(200):016x}",
                event_id=f"e{index}",
                as_of=format_time(moment_ms - DAY_MS),
                closed_at=format_time(moment_ms),
                source=ExampleSource(index % 2, 100 + index // 8),
                closed_by=ClosedBy(100 + index // 4, index % 4),
                label=generator.choice((0.0, 12.5)) if value else float(generator.random() < share),
                weight=float(generator.randrange(1, 4)),
                acted="none",
                features=features,
                probability=None if value else 0.05 + 0.9 * generator.random(),
                expected_value=generator.random() if value else None,
                experts={
                    name: generator.random()
                    for name in plan.file.campaigns[plan.campaigns[place]].experts
                },
                model=ref,
                status=generator.choice(("ready", "ready", "warming", "catching_up")),
            )
        )
    return rows


def bytes_of(trainer: Trainer) -> list[bytes]:
    """Everything that a trainer publishes."""
    trainer.changed = set(trainer.learners)
    states = [encode_learner_state(state) for state in trainer.states()]
    return states + [encode_model_record(record) for record in trainer.records()]


def states_through_bytes(trainer: Trainer) -> list[LearnerState]:
    """The states of all learners, encoded and decoded."""
    trainer.changed = set(trainer.learners)
    return [decode_learner_state(encode_learner_state(state)) for state in trainer.states()]


@pytest.mark.parametrize("learner", LEARNERS)
@pytest.mark.parametrize("cut", [1, 17, 100, 299])
def test_a_restored_trainer_goes_on_bit_for_bit(learner: LearnerName, cut: int) -> None:
    """A trainer restored from the bytes of its states publishes what the other one does."""
    plan = plan_of(learner)
    rows = random_rows(plan, 300)
    whole, first, second = Trainer(plan), Trainer(plan), Trainer(plan)
    whole.fold(range(300), rows)
    first.fold(range(cut), rows[:cut])
    second.restore(states_through_bytes(first))
    second.fold(range(cut, 300), rows[cut:])
    assert bytes_of(second) == bytes_of(whole)


@pytest.mark.parametrize("learner", LEARNERS)
def test_a_restored_trainer_without_room_goes_on_bit_for_bit(learner: LearnerName) -> None:
    """Also when more values came than a learner has columns for."""
    plan = plan_of(learner)
    rows = random_rows(plan, 1500, texts=250)
    whole, first, second = Trainer(plan), Trainer(plan), Trainer(plan)
    whole.fold(range(1500), rows)
    assert whole.learners["buy"].learner.columns_refused > 0
    first.fold(range(1400), rows[:1400])
    second.restore(states_through_bytes(first))
    second.fold(range(1400, 1500), rows[1400:])
    assert bytes_of(second) == bytes_of(whole)


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_batches_of_rows_do_not_matter(batch: int) -> None:
    """The same rows in other batches give the same bytes, whoever asked for records between."""
    plan = plan_of()
    rows = random_rows(plan, 200)
    whole, pieces = Trainer(plan), Trainer(plan)
    whole.fold(range(200), rows)
    for first in range(0, 200, batch):
        stop = min(first + batch, 200)
        pieces.fold(range(first, stop), rows[first:stop])
        pieces.records()
        pieces.states()
    assert bytes_of(pieces) == bytes_of(whole)


def test_rows_below_the_covered_offset_are_skipped() -> None:
    """Rows that a state covers are not learned again, wherever reading begins."""
    plan = plan_of()
    rows = random_rows(plan, 100)
    once, again = Trainer(plan), Trainer(plan)
    once.fold(range(100), rows)
    again.fold(range(60), rows[:60])
    again.fold(range(20, 100), rows[20:])
    assert bytes_of(again) == bytes_of(once)
    assert sum(again.counts.values()) == 100


def test_repeated_rows_are_dropped_and_counted() -> None:
    """A row delivered twice, at two offsets, is learned once: what closed it is its name."""
    plan = plan_of()
    rows = random_rows(plan, 100)
    doubled = [row for index in range(0, 100, 10) for row in rows[index : index + 10] * 2]
    once, twice = Trainer(plan), Trainer(plan)
    once.fold(range(100), rows)
    twice.fold(range(200), doubled)
    for name, learner in once.learners.items():
        other = twice.learners[name]
        assert other.version == learner.version
        assert other.learner.weights.tobytes() == learner.learner.weights.tobytes()
        assert other.covered > learner.covered
    repeated = [count for (outcome, _), count in twice.counts.items() if outcome == "repeated"]
    assert sum(repeated) == 100


@pytest.mark.parametrize("spaced", [False, True])
@pytest.mark.parametrize(
    "wrong",
    [
        {"closed_at": "yesterday"}, {"closed_at": "9999-12-31T23:59:59.999Z"},
        {"closed_at": "1999-12-31T23:59:59.999Z"}, {"closed_at": "2101-01-01T00:00:00.000Z"},
        {"customer": "ann"}, {"customer": "-5"}, {"customer": "1_2"}, {"customer": "F" * 16},
        {"customer": "0" * 16 + "\n"}, {"customer": "0" * 17},
        {"label": 1e300}, {"label": -1e50}, {"label": 2e12},
        {"weight": 1e300}, {"weight": 1e50}, {"weight": 2e12}, {"weight": 0.0}, {"weight": -1.0},
        {"closed_by": ClosedBy(10**30, 0)}, {"closed_by": ClosedBy(10**17, 0)},
        {"closed_by": ClosedBy(99, 0)}, {"closed_by": ClosedBy(1_000, -1)},
        {"closed_by": ClosedBy(1_000, 2**31)}, {"source": ExampleSource(2**31, 100)},
        {"source": ExampleSource(-1, 100)}, {"source": ExampleSource(0, -1)},
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_learned_is_given_back(wrong: dict[str, Any], *, spaced: bool) -> None:
    """A row that says what no row of ours says stops nobody and changes nothing, in any form."""
    plan = plan_of("bayesian_linear")
    rows = [row for row in random_rows(plan, 90) if row.campaign == "buy"]
    values = [encode_example(row) for row in rows]
    place = len(rows) // 2  # By now the names of its features are known.
    changed = encode_example(msgspec.structs.replace(rows[place], **wrong))
    values[place] = msgspec.json.format(changed) if spaced else changed
    trainer, other = Trainer(plan), Trainer(plan)
    found = trainer.fold_bytes(range(len(values)), values)
    assert [row.offset for row in found] == [place]
    del values[place]
    other.fold_bytes([offset for offset in range(len(rows)) if offset != place], values)
    assert trainer.counts == other.counts
    assert bytes_of(trainer) == bytes_of(other)
    Trainer(plan).restore(states_through_bytes(trainer))


def test_a_row_of_two_campaigns_is_given_back() -> None:
    """A row that names another campaign further on is learned by neither, nor out of its order."""
    plan = plan_of()
    rows = [row for row in random_rows(plan, 60) if row.campaign == "cart"]
    values = [encode_example(row) for row in rows]
    doubled = b'{"campaign":"buy",' + values[0].removeprefix(b"{")
    trainer, other = Trainer(plan), Trainer(plan)
    found = trainer.fold_bytes(range(len(values) + 1), [doubled, *values])
    assert [row.offset for row in found] == [0]
    other.fold_bytes(range(1, len(values) + 1), values)
    assert trainer.counts == other.counts
    assert trainer.changed == other.changed


def test_one_source_does_not_hide_another() -> None:
    """What closed a row grows within a partition of events only; each has a place of its own."""
    plan = plan_of()
    rows = [row for row in random_rows(plan, 80) if row.campaign == "buy"]
    ordered = sorted(rows, key=lambda row: row.source.partition)
    trainer = Trainer(plan)
    trainer.fold(range(len(ordered)), ordered)
    assert trainer.counts == {("learned", "buy"): len(rows)}


def test_rows_of_other_definitions_are_dropped_and_counted() -> None:
    """A row of a lineage before ours, or of a removed campaign, is counted and not learned."""
    plan, other = plan_of(), plan_of(horizon_ms=2 * DAY_MS)
    rows = random_rows(other, 20)
    before, trainer = Trainer(other), Trainer(plan)
    before.fold(range(20), rows)
    trainer.restore(states_through_bytes(before))
    trainer.fold(range(20), rows)
    assert {outcome for outcome, _ in trainer.counts} == {"superseded"}
    assert sum(trainer.counts.values()) == 20
    assert all(learner.version == 0 for learner in trainer.learners.values())
    rows[0].campaign = "nobody"
    trainer.removed.add("nobody")
    trainer.fold([20], rows[:1])
    assert trainer.counts["unknown campaign", "nobody"] == 1


def test_a_state_of_another_lineage_is_left_alone() -> None:
    """A trainer does not go on from what was learned under another definition."""
    plan, other = plan_of(), plan_of(horizon_ms=2 * DAY_MS)
    before = Trainer(other)
    before.fold(range(20), random_rows(other, 20))
    trainer = Trainer(plan)
    trainer.restore(states_through_bytes(before))
    assert all(learner.covered == 0 for learner in trainer.learners.values())


def test_quality_judges_only_what_was_served() -> None:
    """Rows scored while warming or catching up do not count for quality, but are learned."""
    plan = plan_of()
    rows = random_rows(plan, 60)
    for row in rows:
        row.status = "warming"
    trainer = Trainer(plan)
    trainer.fold(range(60), rows)
    assert trainer.learners["buy"].quality.window(28).rows == 0
    assert trainer.learners["buy"].learner.rows_learned == trainer.learners["buy"].version > 0


def test_a_dead_stream_of_answers_teaches_nobody_no() -> None:
    """While no conversion comes, rows are judged and counted; a conversion starts learning again.

    rows      0 … 400    | 400 … 700, all negative     | a conversion, and on
    status    unreliable | … paused                    | unreliable
    """
    plan = plan_of()
    rows = [row for row in random_rows(plan, 1600, texts=1) if row.campaign == "buy"]
    for number, row in enumerate(rows):
        row.status = "ready"
        row.customer = f"{number:016x}"
        row.label = row.label if not 400 <= number < 700 else 0.0
    rows[700].label = 1.0
    trainer = Trainer(plan)
    trainer.fold(range(400), rows[:400])
    learner = trainer.learners["buy"]
    assert trainer.records()[0].status == "unreliable"
    trainer.fold(range(400, 700), rows[400:700])
    record = trainer.records()[0]
    weights, version = learner.learner.weights.copy(), learner.version
    silent = trainer.counts["silent", "buy"]
    assert record.status == "paused"
    assert learner.judgement.rows_silent == silent > 250
    assert version == 700 - silent
    assert learner.quality.window(7).rows > 75  # Of a row in two hours.
    trainer.fold([700], [rows[700]])
    assert trainer.records()[0].status == "unreliable"
    assert learner.version == version + 1
    assert learner.learner.weights.tobytes() != weights.tobytes()
    assert trainer.counts["silent", "buy"] == silent


def test_a_trainer_remembers_no_more_names_than_columns() -> None:
    """However many values rows name, what a trainer keeps of them is bounded."""
    plan = plan_of()
    trainer = Trainer(plan)
    trainer.fold(range(1500), random_rows(plan, 1500, texts=250))
    for learner in trainer.learners.values():
        assert learner.learner.columns_refused > 0
        assert len(learner.names) <= len(learner.learner.columns) == 256
