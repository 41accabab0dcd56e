"""A value becomes a column with the second row that has it.

Owns: the rule, its bound, and that it survives a restart.
Never: how well anything is predicted.
Source: models.sightings; docs/learners.md, "More names than columns".
"""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from models.plan import Plan, compile_plan
from models.sightings import MARKED_MAX, MARKS, Sightings
from models.trainer import Trainer
from schemas.campaign import EXPERTS, CountBy, Features
from schemas.example import TrainingExample, encode_example
from tests.contending_rows import plan_with
from tests.contending_rows import rows_of as contending_rows
from tests.unit.test_trainer import bytes_of, plan_of, random_rows, states_through_bytes


def rows_with(plan: Plan, channels: list[str]) -> list[TrainingExample]:
    """Rows of the first campaign, one with each of these values."""
    rows = [row for row in random_rows(plan, 4 * len(channels) + 40) if row.campaign == "buy"]
    for row, channel in zip(rows, channels, strict=False):
        row.features = {"tenure": 1.5, f"channel={channel}": 1.0}
    return rows[: len(channels)]


def columns_of(trainer: Trainer) -> list[str]:
    """The columns of the first campaign's learner, hinges left out."""
    return [name for name in trainer.learners["buy"].learner.columns if " >" not in name]


@pytest.mark.parametrize("as_bytes", [False, True])
def test_a_value_gets_its_column_with_its_second_row(*, as_bytes: bool) -> None:
    """A counter has its column at once; a value that comes once never has one.

    rows      a   b   a   c   a   c
    columns   tenure  +a      +c
    """
    plan = plan_of()
    rows = rows_with(plan, ["a", "b", "a", "c", "a", "c"])
    trainer = Trainer(plan)
    seen: list[list[str]] = []
    for offset, row in enumerate(rows):
        if as_bytes:
            assert trainer.fold_bytes([offset], [encode_example(row)]) == []
        else:
            trainer.fold([offset], [row])
        seen.append(columns_of(trainer)[1:])
    assert seen == [[], [], ["channel=a"], *[["channel=a"]] * 2, ["channel=a", "channel=c"]]
    assert columns_of(trainer)[0] == "tenure"


def test_a_counter_of_a_value_waits_as_well() -> None:
    """`count_by` has a column for a value from the second row on, and a goal's own stream at once.

    The name of a stream may hold a condition and with it the sign of a value.
    """
    file = plan_of().file
    features = Features(count_by=(CountBy("line", "department"),))
    changed = {name: replace(each, features=features) for name, each in file.campaigns.items()}
    plan = compile_plan(replace(file, campaigns=changed))
    rows = rows_with(plan, ["a", "b"])
    for row in rows:
        row.features = {"line department=DELI 7d": 1.0, "line by department=DELI 90d": 2.0}
    trainer = Trainer(plan)
    trainer.fold([0], rows[:1])
    assert columns_of(trainer) == ["line department=DELI 7d"]
    trainer.fold([1], rows[1:2])
    assert columns_of(trainer) == ["line department=DELI 7d", "line by department=DELI 90d"]


def test_what_was_seen_once_survives_a_restart() -> None:
    """A restored trainer has the same columns as one that never stopped, to the bit."""
    plan = plan_of()
    channels = [str(number % 60) for number in range(100)]
    rows = rows_with(plan, channels)
    whole, first, second = Trainer(plan), Trainer(plan), Trainer(plan)
    whole.fold(range(100), rows)
    first.fold(range(50), rows[:50])  # Each value once by now.
    second.restore(states_through_bytes(first))
    second.fold(range(50, 100), rows[50:])
    assert "channel=7" in columns_of(whole)
    assert bytes_of(second) == bytes_of(whole)


def test_a_state_from_before_there_were_marks_is_read() -> None:
    """It goes on with the columns that it has; a new value has to come twice from then on."""
    plan = plan_of()
    rows = rows_with(plan, ["a", "a", "b", "a", "b"])
    before, trainer = Trainer(plan), Trainer(plan)
    before.fold(range(3), rows[:3])
    (state,) = states_through_bytes(before)
    older = {name: array for name, array in state.arrays.items() if name != "sighted.marks"}
    trainer.restore([msgspec.structs.replace(state, arrays=older)])
    trainer.fold([3], rows[3:4])
    assert "channel=a" in columns_of(trainer)
    trainer.fold([4], rows[4:])
    assert "channel=b" not in columns_of(trainer)


def test_marks_are_bounded_and_begin_anew() -> None:
    """Ever new names fill a bounded memory, after which all have to be seen once more."""
    sightings = Sightings()
    number = 0
    while len(sightings.to_state()[1]["marks"]) < MARKED_MAX:
        sightings.again(f"sku={number}")
        number += 1
    assert number < 1.1 * MARKED_MAX  # Few were taken for another one.
    assert sightings.again("sku=0")
    while sightings.again(f"sku={number}"):
        number += 1
    assert len(sightings.to_state()[1]["marks"]) == 1
    assert not sightings.again("sku=0")


def test_marks_that_cannot_be_are_refused() -> None:
    """A state with more marks than there can be, or one that is nowhere, is not taken up."""
    for places in (range(MARKED_MAX + 1), [MARKS], [-1]):
        with pytest.raises(ValueError, match="marks of names"):
            Sightings().from_state({}, {"marks": np.array(places, np.int32)})


def test_names_without_room_leave_no_marks() -> None:
    """Where all columns are taken, rows as bytes, one by one and after a restart give one state.

    A name that is refused is remembered by the reader of bytes alone, and by no state.
    """
    plan = plan_with(learner="hedged_logistic")
    rows = contending_rows(plan, 2 * 280 + 500, dict.fromkeys(("champion", *EXPERTS), 0.3))
    for number, row in enumerate(rows):
        row.features = {f"channel=v{min(number // 2, 279)}": 1.0}
        row.status = "catching_up"
    for number, row in enumerate(rows[560:-2]):  # More new ones than there are marks.
        row.features = {f"channel=w{20 * number + each}": 1.0 for each in range(20)}
    values = [encode_example(row) for row in rows]
    whole, singly, first = Trainer(plan), Trainer(plan), Trainer(plan)
    assert whole.fold_bytes(range(len(rows)), values) == []
    singly.fold(range(len(rows)), rows)
    cut = len(rows) - 2
    first.fold_bytes(range(cut), values[:cut])
    again = Trainer(plan)
    again.restore(states_through_bytes(first))
    again.fold_bytes(range(cut, len(rows)), values[cut:])
    assert bytes_of(whole) == bytes_of(singly) == bytes_of(again)
    assert whole.learners["buy"].learner.columns_refused > 600
