"""A campaign file that changes while several workers run: no row of the newer file is lost.

Owns: which rows a trainer leaves out, and at which it waits.
Never: how a learner learns.
Source: ARCHITECTURE.md, "One campaign, two files".
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from models.lineages import Succession
from models.plan import Plan, compile_plan
from models.trainer import Trainer
from schemas.campaign import CampaignFile
from schemas.example import TrainingExample, encode_example
from schemas.learner_state import SUPERSEDED_MAX, LearnerState, decode_learner_state
from schemas.times import DAY_MS
from tests.unit.test_trainer import bytes_of, plan_of, random_rows, states_through_bytes

OLD, NEW = plan_of(), plan_of(horizon_ms=2 * DAY_MS)
COUNT = 120
THIRD = COUNT // 3


def rows_of_both() -> list[TrainingExample]:
    """Rows of the old file, then of both, then of the new one."""
    old, new = random_rows(OLD, COUNT), random_rows(NEW, COUNT, seed=2)
    pairs = zip(old[THIRD : 2 * THIRD], new[THIRD : 2 * THIRD], strict=True)
    return [*old[:THIRD], *(row for pair in pairs for row in pair), *new[2 * THIRD :]]


def fold(trainer: Trainer, rows: Sequence[TrainingExample], first: int, batch: int = COUNT) -> int:
    """Fold rows from an offset on; gives the offset at which the trainer stands then."""
    while first < len(rows):
        stop = min(first + batch, len(rows))
        values = [encode_example(row) for row in rows[first:stop]]
        assert trainer.fold_bytes(range(first, stop), values) == []
        if trainer.waits_for is not None:
            return trainer.waits_for.offset
        first = stop
    return first


def restored(plan: Plan, before: Trainer) -> tuple[Trainer, list[Succession]]:
    """A trainer of a plan that takes up another's states, and what it says of them."""
    trainer = Trainer(plan)
    return trainer, trainer.restore(states_through_bytes(before))


def begun(plan: Plan) -> Trainer:
    """A trainer that has a learner of each campaign and knows nothing yet."""
    trainer = Trainer(plan)
    for state in (LearnerState(campaign=name, lineage="zero", learner="champion", covered=0,
                               version=0) for name in plan.campaigns):  # fmt: skip
        trainer.restore([state])
    return trainer


def known(trainer: Trainer) -> list[bytes]:
    """What a trainer publishes, whichever definitions it has heard of."""
    states = states_through_bytes(trainer)
    for state in states:
        state.superseded = []
    return [msgspec.json.encode(state) for state in states] + bytes_of(trainer)[len(states) :]


def undisturbed() -> Trainer:
    """A trainer of the new file that has met nothing but all rows from the first on."""
    trainer, _ = restored(NEW, begun(OLD))
    assert fold(trainer, rows_of_both(), 0) == len(rows_of_both())
    return trainer


@pytest.mark.parametrize("batch", [1, 7, 64, COUNT])
def test_the_old_file_first(batch: int) -> None:
    """An old trainer learns its rows up to the first new one, and a new trainer goes on there.

    rows    o o o o o n o n o n n n
    old     └─learns─┘ waits
    new               └ learns n, leaves o out ┘
    """
    rows, old = rows_of_both(), Trainer(OLD)
    stands_at = fold(old, rows, 0, batch)
    assert stands_at == THIRD + 1
    assert sum(old.counts.values()) == stands_at
    waits = old.waits_for
    assert waits is not None
    assert (waits.campaign, waits.lineage) == (rows[stands_at].campaign, rows[stands_at].lineage)
    new, said = restored(NEW, old)
    assert said == [
        Succession(name, ours, found, outdated=False)
        for name, ours, found in zip(NEW.campaigns, NEW.lineages, OLD.lineages, strict=True)
    ]
    assert fold(new, rows, stands_at, batch) == len(rows)
    assert known(new) == known(undisturbed())
    assert {outcome for outcome, _ in new.counts} == {"learned", "superseded"}


@pytest.mark.parametrize("cut", [0, 1, THIRD, THIRD + 7, 2 * THIRD])
def test_the_new_file_first(cut: int) -> None:
    """A new trainer goes first; an old one that comes between waits, and changes nothing.

    rows    o o o o o n o n o n n n
    new     └─ leaves o out, learns n ─┐
    old                                waits
    new                                └ learns n ┘
    """
    rows = rows_of_both()
    new, _ = restored(NEW, begun(OLD))
    assert fold(new, rows[:cut], 0) == cut
    old, said = restored(OLD, new)
    assert [each.outdated for each in said] == [True, True]
    assert fold(old, rows, cut) == cut
    assert old.waits_for is not None
    assert "newer definition" in old.waits_for.why
    assert (old.states(), old.records(), old.learners) == ([], [], {})
    again, said = restored(NEW, new)
    assert said == []
    assert fold(again, rows, cut) == len(rows)
    assert bytes_of(again) == bytes_of(undisturbed())


def test_a_trainer_begun_anew_says_so_before_any_row() -> None:
    """Its first state names what it supersedes, and it publishes no model that knows nothing."""
    old = Trainer(OLD)
    fold(old, rows_of_both(), 0)
    new, _ = restored(NEW, old)
    assert new.changed == set(NEW.campaigns)
    assert [state.superseded for state in new.states()] == [[name] for name in OLD.lineages]
    assert new.records() == []
    third = plan_of(horizon_ms=3 * DAY_MS)
    newest, _ = restored(third, new)
    assert [state.superseded for state in newest.states()] == [
        list(pair) for pair in zip(OLD.lineages, NEW.lineages, strict=True)
    ]
    oldest, said = restored(OLD, newest)
    assert all(each.outdated for each in said)
    assert fold(oldest, rows_of_both(), 0) == 0


def test_superseded_lineages_are_bounded() -> None:
    """Of many definitions the newest are remembered; a state from before there were any is read."""
    trainer = Trainer(NEW)
    before = LearnerState(
        campaign="buy", lineage="last", learner="champion", covered=0, version=0,
        superseded=[f"l{number}" for number in range(SUPERSEDED_MAX)],
    )  # fmt: skip
    trainer.restore([before])
    (state,) = trainer.states()
    assert state.superseded == [*before.superseded[1:], "last"]
    older = msgspec.json.decode(msgspec.json.encode(state))
    del older["superseded"]
    assert decode_learner_state(msgspec.json.encode(older)).superseded == []


@pytest.mark.parametrize("batch", [1, 3, COUNT])
def test_a_campaign_that_is_not_in_the_file_is_waited_for(batch: int) -> None:
    """A row of a campaign that a newer file may have is not passed over until it is removed."""
    rows = random_rows(OLD, COUNT)
    one = compile_plan(CampaignFile(1, {"buy": OLD.file.campaigns["buy"]}))
    first = next(place for place, row in enumerate(rows) if row.campaign == "cart")
    trainer = Trainer(one)
    assert fold(trainer, rows, 0, batch) == first
    assert trainer.counts == ({("learned", "buy"): first} if first else {})
    trainer.removed.add("cart")
    assert fold(trainer, rows, first, batch) == COUNT
    whole = Trainer(OLD)
    whole.fold(range(COUNT), rows)
    assert trainer.counts["unknown campaign", "cart"] == whole.counts["learned", "cart"]
    assert bytes_of(trainer)[0] == bytes_of(whole)[0]


def test_a_campaign_of_our_file_is_never_removed() -> None:
    """What others removed is learned as long as our file has it."""
    trainer = Trainer(OLD)
    trainer.removed.add("cart")
    assert fold(trainer, random_rows(OLD, 20), 0) == 20
    assert {outcome for outcome, _ in trainer.counts} == {"learned"}


def test_rows_that_a_newer_state_covers_are_passed_over() -> None:
    """Where states are ahead of the committed offset, a trainer that waits waits after them."""
    rows = rows_of_both()
    new, _ = restored(NEW, begun(OLD))
    fold(new, rows, 0)
    old, _ = restored(OLD, new)
    assert fold(old, rows, 0) >= min(learner.covered for learner in new.learners.values())
    one = compile_plan(CampaignFile(1, {"buy": NEW.file.campaigns["buy"]}))
    trainer, _ = restored(one, new)
    assert fold(trainer, rows, 0) == len(rows)


@pytest.mark.parametrize("after", [0, 5])
def test_a_row_of_a_newer_format_is_waited_for(after: int) -> None:
    """A row that begins with a greater format is left for the version that wrote it."""
    values = [encode_example(row) for row in random_rows(OLD, 10)]
    values[after] = b'{"format":2,"all":"else"}'
    trainer, other = Trainer(OLD), Trainer(OLD)
    assert trainer.fold_bytes(range(10), values) == []
    assert trainer.waits_for is not None
    assert trainer.waits_for.offset == after
    assert trainer.waits_for.why == "a newer version wrote it"
    other.fold_bytes(range(after), values[:after])
    assert bytes_of(trainer) == bytes_of(other)


def test_a_row_that_says_its_format_late_is_given_back() -> None:
    """A row that begins as one of ours is of our format or broken: nobody waits for it."""
    values = [encode_example(row) for row in random_rows(OLD, 10)]
    values[4] = values[4].removesuffix(b"}") + b',"format":2}'
    trainer = Trainer(OLD)
    assert [row.offset for row in trainer.fold_bytes(range(10), values)] == [4]
    assert trainer.waits_for is None


def test_a_row_that_names_two_lineages_is_given_back() -> None:
    """Which of its lineages counts would be a guess; nobody waits for it, nobody learns it."""
    value = encode_example(random_rows(OLD, 1)[0])
    trainer = Trainer(OLD)
    (found,) = trainer.fold_bytes([0], [value.removesuffix(b"}") + b',"lineage":"other"}'])
    assert "named twice" in str(found.error)
    assert (trainer.waits_for, trainer.changed) == (None, set())
