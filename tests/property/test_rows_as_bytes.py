"""Rows learned from their bytes in the compiled loop, and rows learned as objects one by one.

Owns: the equality of the two ways, whatever stands in the bytes.
Never: what is learned; tests/unit/test_learners.py asks that.
Source: ARCHITECTURE.md, "Two folds".
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.lineages import Waiting
from models.plan import Plan, compile_plan
from models.row_reader import RowReader
from models.trainer import Trainer, refuse_unlearnable
from schemas.campaign import EXPERTS, LearnerName
from schemas.example import (
    ClosedBy,
    ExampleSource,
    TrainingExample,
    decode_example,
    encode_example,
)
from schemas.formats import NewerFormatError
from schemas.learner_state import LearnerState, decode_learner_state, encode_learner_state
from tests.unit.test_trainer import LEARNERS, bytes_of, plan_of, random_rows

ODD_NUMBERS = (0.0, 1e-7, 0.1 + 0.2, 1e15, -2.5, 25.0, 1e300, 0.30001)
ODD_LABELS = (0.0, 1.0, 0.5, -3.0, 1e12, 2e12, -1e50, 1e300)
ODD_WEIGHTS = (1.0, 2.2000000476837158, 0.0, -1.0, 2e6, 1e12, 2e12, 1e50, 1e300)
ODD_TIMES = ("9999-12-31T23:59:59.999Z", "2100-12-31T23:59:59.999Z", "1970-01-01T00:00:00.000Z")
ODD_CUSTOMERS = ("f", "-5", "1_2", "F" * 16, "0" * 17)
ODD_CLOSINGS = (ClosedBy(0, 0), ClosedBy(2**53, 0), ClosedBy(10**17, 0), ClosedBy(10**30, 0),
                ClosedBy(500, 2**31), ClosedBy(500, -1))  # fmt: skip
ODD_SOURCES = (ExampleSource(-1, 0), ExampleSource(2**31, 0), ExampleSource(2, 10**17))
ODD_EXPERTS: tuple[dict[str, float], ...] = (
    {}, {"slow": 0.1}, {"slow": 0.2, "fast": 1 / 3}, {"fast": 0.2, "slow": 0.3, "quick": 0.1},
    {"slow": 0.2, "fast": 1 / 3, "quick": 0.1}, {"slow": 1e300, "fast": -2.0, "quick": 0.5},
    {"slow": 0.0, "fast": 1.0, "quick": 0.0}, {"slow": 0.1, "fast": 0.2, "quick": 0.3, "x": 0.3},
)  # fmt: skip
ODD_TEXTS = (None, "é", 'q"uote', "back\\slash", "plain", "\n")


def strange(row: TrainingExample, generator: random.Random, plan: Plan) -> bytes:
    """A row's bytes, with something in them that few rows have."""
    kind = generator.randrange(19)
    if kind == 0:
        row.event_id = generator.choice(ODD_TEXTS)
    elif kind == 1:
        names = list(row.features)
        row.features[generator.choice(names)] = generator.choice(ODD_NUMBERS)
    elif kind == 2:
        row.label = generator.choice(ODD_LABELS)
    elif kind == 3:
        row.weight = generator.choice(ODD_WEIGHTS)
    elif kind == 4:
        row.features[f"channel={generator.choice(ODD_TEXTS)}"] = 1.0
    elif kind == 5:
        row.lineage = generator.choice(("before", "unheard", row.lineage))
    elif kind == 6:
        row.campaign = generator.choice(("removed", "unheard", *plan.campaigns))
    elif kind == 7:
        row.closed_at = row.closed_at.replace("Z", "+00:00")
    elif kind == 8:
        row.probability, row.expected_value = row.expected_value, row.probability
    elif kind == 9:
        row.customer = generator.choice(ODD_CUSTOMERS)
    elif kind == 14:
        row.closed_at = generator.choice(ODD_TIMES)
    elif kind == 15:
        row.closed_by = generator.choice(ODD_CLOSINGS)
    elif kind == 16:
        row.source = generator.choice(ODD_SOURCES)
    elif kind == 18:
        row.experts = generator.choice(ODD_EXPERTS)
    value = encode_example(row)
    if kind == 10:
        value = msgspec.json.format(value)
    elif kind == 11:
        value = value.replace(b'"features":{', b'"features":{"tenure":0.5,')
    elif kind == 12:
        value = value[: generator.randrange(len(value))]
    elif kind == 17:
        value = value.replace(b"{", b'{"format":%d,' % generator.choice((1, 2, 10**30)), 1)
    elif kind == 13:
        place = generator.randrange(len(value))
        value = value[:place] + generator.choice((b"x", b" ", b'"', b"0", b"\xff")) + value[place:]
    return value


def of_absences(plan: Plan) -> Plan:
    """The same campaigns, asking whether nothing comes: those of values cannot."""
    campaigns = {
        name: replace(
            each, goal=replace(each.goal, absence=each.predict == "conversion", lost=None)
        )
        for name, each in plan.file.campaigns.items()
    }
    return compile_plan(replace(plan.file, campaigns=campaigns))


def trainer_of(plan: Plan) -> Trainer:
    """A trainer that knows of a lineage before its own, and of a campaign that was removed."""
    trainer = Trainer(plan)
    trainer.restore(
        LearnerState(campaign=name, lineage="before", learner="champion", covered=9, version=9)
        for name in plan.campaigns
    )
    trainer.removed.add("removed")
    return trainer


def fold_as_objects(
    trainer: Trainer, offsets: Sequence[int], values: Sequence[bytes]
) -> tuple[list[int], list[Waiting]]:
    """Fold rows one by one, past those to be waited for; gives what is no row, and those."""
    unreadable: list[int] = []
    waits: list[Waiting] = []
    for offset, value in zip(offsets, values, strict=True):
        try:
            row = decode_example(value)
            refuse_unlearnable(row)
        except NewerFormatError:
            waits.append(Waiting(offset, "", "", "a newer version wrote it"))
        except (msgspec.DecodeError, ValueError):
            unreadable.append(offset)
        else:
            trainer.fold([offset], [row])
            waits += [trainer.waits_for] if trainer.waits_for is not None else []
    return unreadable, waits


def fold_as_bytes(
    trainer: Trainer, values: Sequence[bytes], batch: int
) -> tuple[list[int], list[Waiting]]:
    """Fold batches of rows, each as far as it goes and then on after the row it waits for."""
    unreadable: list[int] = []
    waits: list[Waiting] = []
    first = 0
    while first < len(values):
        stop = min(first + batch, len(values))
        found = trainer.fold_bytes(range(first, stop), values[first:stop])
        unreadable += [row.offset for row in found]
        first = stop
        if trainer.waits_for is not None:
            waits.append(trainer.waits_for)
            first = trainer.waits_for.offset + 1
    return unreadable, waits


@pytest.mark.parametrize("learner", LEARNERS)
@given(st.integers(0, 2**32), st.sampled_from((1, 7, 64, 150)), st.sampled_from((3, 500)))
def test_bytes_are_learned_as_objects_are(
    learner: LearnerName, seed: int, batch: int, texts: int
) -> None:
    """Whatever the bytes, a trainer knows the same afterwards, and waited and counted the same."""
    plan = plan_of(learner)
    generator = random.Random(seed)
    values: list[bytes] = []
    for row in random_rows(plan, 150, seed, texts):
        odd = generator.random() < 0.3
        values.append(strange(row, generator, plan) if odd else encode_example(row))
        if generator.random() < 0.05:
            values.append(generator.choice(values))
    one, other = trainer_of(plan), trainer_of(plan)
    wanted = fold_as_objects(one, range(len(values)), values)
    assert fold_as_bytes(other, values, batch) == wanted
    assert other.counts == one.counts
    assert other.changed == one.changed
    assert bytes_of(other) == bytes_of(one)


@pytest.mark.parametrize("learner", LEARNERS)
@given(
    st.integers(0, 2**32), st.sampled_from((1, 7, 64)), st.integers(1, 299), st.booleans()
)  # fmt: skip
def test_bytes_are_judged_as_objects_are(
    learner: LearnerName, seed: int, batch: int, cut: int, absence: bool
) -> None:
    """Also while answers are silent, when they are heard again, and after a restart in between."""
    plan = of_absences(plan_of(learner)) if absence else plan_of(learner)
    rows = random_rows(plan, 300, seed, share=0.98 if absence else 0.02)
    generator = random.Random(seed)
    for row in rows:
        row.status = generator.choice(("ready", "ready", "paused", "unreliable", "warming"))
    values = [encode_example(row) for row in rows]
    one, other, third = Trainer(plan), Trainer(plan), Trainer(plan)
    one.fold(range(300), rows)
    fold_as_bytes(other, values[:cut], batch)
    other.changed = set(other.learners)
    third.restore([decode_learner_state(encode_learner_state(each)) for each in other.states()])
    for first in range(cut, 300, batch):
        third.fold_bytes(range(first, min(first + batch, 300)), values[first : first + batch])
    assert bytes_of(third) == bytes_of(one)
    assert other.counts + third.counts == one.counts
    predicts_value = plan.file.campaigns["buy"].predict == "value"
    assert (one.learners["buy"].judgement.rows_silent > 0) != predicts_value


@pytest.mark.parametrize("learner", LEARNERS)
def test_bytes_are_learned_as_objects_are_without_room(learner: LearnerName) -> None:
    """Also when more values came than a learner has columns for, and after a restart."""
    plan = plan_of(learner)
    rows = random_rows(plan, 1200, texts=400)
    values = [encode_example(row) for row in rows]
    for place in range(1100, 1200, 3):  # A name that comes twice is refused once.
        values[place] = values[place].replace(
            b'"channel=', b'"channel=-":1.0,"channel=-":1,"channel='
        )
        rows[place] = decode_example(values[place])
    one, other, third = Trainer(plan), Trainer(plan), Trainer(plan)
    one.fold(range(1200), rows)
    other.fold_bytes(range(1000), values[:1000])
    other.changed = set(other.learners)
    third.restore(other.states())
    for trainer in (other, third):
        trainer.fold_bytes(range(1000, 1200), values[1000:])
        assert bytes_of(trainer) == bytes_of(one)
    assert one.learners["buy"].learner.columns_refused > 0


@pytest.mark.parametrize("learner", ["bayesian_logistic", "hedged_logistic"])
def test_rows_as_they_are_written_are_read_at_once(learner: LearnerName) -> None:
    """The compiled loop reads every row whose names are known: no general decoder is needed."""
    plan = plan_of(learner)
    rows = [row for row in random_rows(plan, 60) if row.campaign == "buy"]
    rows[3].experts = rows[7].experts = {}
    reader = RowReader(plan, 0)
    for place, name in enumerate(dict.fromkeys(name for row in rows for name in row.features)):
        reader.know(name, place)
    reader.take([encode_example(row) for row in rows])
    assert reader.read(0) == len(rows)
    assert reader.rows.numbers[: len(rows), 0].tolist() == [row.label for row in rows]
    assert reader.rows.numbers[: len(rows), 2].tolist() == [row.probability for row in rows]
    said = [[row.experts.get(name, math.nan) for name in EXPERTS] for row in rows]
    read = reader.rows.numbers[: len(rows), 3:]
    assert read.tobytes() == np.array(said)[:, : read.shape[1]].tobytes()
    assert read.shape[1] == len(plan.file.campaigns["buy"].experts)
    assert reader.rows.closed_ms[: len(rows)].tolist() == [row.closed_at_ms for row in rows]
