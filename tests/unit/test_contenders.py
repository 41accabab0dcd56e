"""Champion and challengers: who learns what, who is promoted, and that a state goes on.

Owns: the fold of one campaign with challengers, on rows in which it is written what each said.
Never: the rule of one contest (tests/unit/test_contest.py), or a scorer.
Source: docs/learners.md, "Champion and challengers".
"""

from __future__ import annotations

import numpy as np
import pytest

from models.batch import ScoreColumns
from models.challenger_report import with_challengers
from models.contenders import FRESH_POSITIVES_MAX, Contenders
from models.contest import FIRST_LOOK_POSITIVES
from models.model_number import model_number
from models.scorer import Scorer
from models.trainer import Trainer
from schemas.campaign import EXPERTS, FRESH, VOICES
from schemas.example import decode_example
from schemas.learner_state import decode_learner_state, encode_learner_state
from schemas.model_record import ModelRecord
from schemas.times import DAY_MS, HOUR_MS
from tests.contending_rows import FLAT, bytes_of, plan_with, restored, rows_of
from tests.world import BEGIN_MS, event

HEDGED = "hedged_logistic"
GOOD = {**FLAT, HEDGED: 0.0, "slow": 0.0, "fast": 0.0, "quick": 0.0}
ROWS = 2_000


def contenders_of(trainer: Trainer) -> Contenders:
    """The learners of the only campaign."""
    return trainer.contenders["buy"]


def test_a_better_challenger_is_promoted_at_the_first_look() -> None:
    """It serves under its own name; the former champion goes on, in a contest that is new.

    rows      0 ────────── 500 conversions ──────────────► 2,000
    serves    champion     │ hedged_logistic
    contends  hedged       │ champion, from 0
    """
    plan = plan_with(HEDGED)
    trainer = Trainer(plan)
    trainer.fold(range(ROWS), rows_of(plan, ROWS, GOOD))
    contenders = contenders_of(trainer)
    (decision,) = contenders.decisions
    assert (decision.decided, decision.learner, decision.former) == (
        "promoted", HEDGED, "champion",
    )  # fmt: skip
    assert decision.positives == FIRST_LOOK_POSITIVES
    assert decision.gain > decision.deviations * decision.error > 0.0
    (record,) = trainer.records()
    assert (record.learner, record.version) == (HEDGED, ROWS)
    assert record.decisions == [decision]
    assert list(contenders.contests) == ["champion"]
    assert contenders.contests["champion"].rows == ROWS - decision.offset - 1
    assert contenders.news == [decision]


def test_who_is_no_better_is_not_promoted() -> None:
    """Both say the same with errors of one size: the champion stays, and the look is there."""
    plan = plan_with(HEDGED)
    trainer = Trainer(plan)
    trainer.fold(range(ROWS), rows_of(plan, ROWS, {"champion": 0.2, HEDGED: 0.2}))
    contenders = contenders_of(trainer)
    assert contenders.serving == "champion"
    assert contenders.decisions == []
    assert contenders.looks[HEDGED].outcome == "undecided"


def test_what_was_said_when_a_row_was_scored_counts() -> None:
    """A challenger that said little then does not win by what it has learned since."""
    plan = plan_with(HEDGED)
    trainer = Trainer(plan)
    trainer.fold(range(ROWS), rows_of(plan, ROWS, {"champion": 0.0, HEDGED: 9.0}))
    contenders = contenders_of(trainer)
    assert contenders.decisions == []
    assert contenders.looks[HEDGED].gain < -0.05


def test_the_former_champion_can_win_back() -> None:
    """What was said when a row was scored counts, whoever serves by then."""
    plan = plan_with(HEDGED)
    trainer = Trainer(plan)
    trainer.fold(range(ROWS), rows_of(plan, ROWS, GOOD))
    errors = {HEDGED: 9.0, "champion": 0.0}
    later = rows_of(plan, 3 * ROWS, errors, first=ROWS, seed=2, serving=HEDGED)
    trainer.fold(range(ROWS, 4 * ROWS), later)
    decisions = contenders_of(trainer).decisions
    assert [each.learner for each in decisions] == [HEDGED, "champion"]
    assert trainer.records()[0].learner == "champion"


def test_promotion_can_be_switched_off() -> None:
    """The contest is counted and reported, with a sentence, and nobody is promoted."""
    plan = plan_with(HEDGED, promote=False)
    trainer = Trainer(plan)
    trainer.fold(range(ROWS), rows_of(plan, ROWS, GOOD))
    contenders = contenders_of(trainer)
    assert (contenders.serving, contenders.decisions) == ("champion", [])
    report = with_challengers({"suggestions": []}, contenders)
    assert report["challengers"][HEDGED]["last_look"]["outcome"] == "better"
    assert "promote: false" in report["suggestions"][0]


@pytest.mark.parametrize("status", ["warming", "catching_up"])
def test_rows_that_nobody_was_served_a_prediction_for_do_not_count(status: str) -> None:
    """They are learned, and are in no contest."""
    plan = plan_with(HEDGED, "kernel_svm")
    trainer = Trainer(plan)
    rows = rows_of(plan, 500, GOOD, status=status)  # type: ignore[arg-type]
    trainer.fold(range(500), rows)
    contenders = contenders_of(trainer)
    assert {each.version for each in contenders.learners.values()} == {500}
    assert {each.rows for each in contenders.contests.values()} == {0}


def test_nobody_learns_while_the_answers_of_who_serves_are_silent() -> None:
    """A challenger that expects hardly anybody finds no silence, and does not learn it either."""
    plan = plan_with(HEDGED, "kernel_svm")
    trainer = Trainer(plan)
    rows = rows_of(plan, 300, {"champion": 0.0, HEDGED: 0.0})
    for row in rows[200:]:
        row.label, row.experts[HEDGED] = 0.0, 1e-6
    trainer.fold(range(300), rows)
    contenders = contenders_of(trainer)
    assert contenders.served.judgement.rows_silent > 50
    assert not contenders.learners[HEDGED].judgement.is_silent
    versions = {each.version for each in contenders.learners.values()}
    assert versions == {300 - contenders.served.judgement.rows_silent}
    assert trainer.counts["silent", "buy"] == contenders.served.judgement.rows_silent


def after_an_outage(less: float = 1.0, shift: float = 0.0, *, cut: bool = False) -> Trainer:
    """A trainer whose goal events were away for 500 rows; one says less, or another more."""
    plan = plan_with(HEDGED)
    trainer = Trainer(plan)
    rows = rows_of(plan, 2_700, {"champion": 0.2, HEDGED: 0.2}, shift=shift)
    for row in rows:
        row.experts[HEDGED] *= less
    for row in rows[1_000:1_500]:
        row.label = 0.0
    trainer.fold(range(2_650), rows[:2_650])
    if cut:
        trainer = restored(trainer, plan)
    trainer.fold(range(2_650, 2_700), rows[2_650:])
    return trainer


def test_no_row_of_a_silence_counts_in_a_contest() -> None:
    """Who expects least is right all the time that goal events are away, and is not promoted."""
    contenders = contenders_of(after_an_outage(0.75))
    silent = contenders.served.judgement.rows_silent
    assert silent > 300
    before = DAY_MS // (HOUR_MS // 4) + 1  # Scored before it began.
    assert contenders.contests[HEDGED].rows == 2_700 - silent - before
    assert contenders.decisions == []


def test_nobody_is_demoted_while_a_silence_is_in_the_figures() -> None:
    """28 days after its last row they hold it no more; the time is in the champion's state."""
    whole, again = after_an_outage(shift=0.2), after_an_outage(shift=0.2, cut=True)
    assert bytes_of(again) == bytes_of(whole)
    contenders = contenders_of(again)
    assert contenders.is_unreliable(contenders.served)
    assert contenders._is_sound(HEDGED)
    assert contenders.decisions == []


def test_a_learner_that_is_not_linear_is_compared_before_it_learns() -> None:
    """It is compared with what the champion said just before learning, and never serves."""
    plan = plan_with("kernel_svm", learner="hedged_logistic")
    trainer = Trainer(plan)
    trainer.fold(range(ROWS), rows_of(plan, ROWS, {"champion": 0.0}))
    contenders = contenders_of(trainer)
    contest = contenders.contests["kernel_svm"]
    assert 0 < contest.rows < ROWS  # Not while it was warming.
    assert contenders.serving == "champion"
    report = with_challengers({"suggestions": []}, contenders)
    assert report["challengers"]["kernel_svm"]["can_serve"] is False
    assert report["challengers"]["kernel_svm"]["compared"] == "before learning"


def test_a_challenger_changes_nothing_of_the_champion() -> None:
    """With challengers or without, the champion learns the same to the bit, and goes on."""
    alone, plan = plan_with(), plan_with(HEDGED, "river_ftrl")
    assert alone.lineages == plan.lineages
    rows = rows_of(alone, 600, {"champion": 0.3})
    one, other = Trainer(alone), Trainer(alone)
    one.fold(range(600), rows)
    other.fold(range(300), rows[:300])
    changed = restored(other, plan)
    changed.fold(range(300, 600), rows[300:])
    (state,) = one.states()
    theirs = {each.learner: each for each in changed.states()}
    champion = theirs["champion"]
    assert champion.contending is not None
    champion.contending = None
    assert encode_learner_state(champion) == encode_learner_state(state)
    for name in (HEDGED, "river_ftrl"):  # Begins at the present row, with rows of its own.
        assert (theirs[name].version, theirs[name].covered) == (300, 600)
        assert contenders_of(changed).contests[name].rows == 0


@pytest.mark.parametrize("cut", [1, 250, 900, 1_300, 1_999])
def test_a_restored_trainer_goes_on_bit_for_bit(cut: int) -> None:
    """Wherever it is cut, before a promotion or behind it: all states, and the model."""
    plan = plan_with("kernel_svm", HEDGED, "river_ftrl")
    rows = rows_of(plan, ROWS, {**GOOD, "river_ftrl": 0.5})
    whole, first = Trainer(plan), Trainer(plan)
    whole.fold(range(ROWS), rows)
    first.fold(range(cut), rows[:cut])
    second = restored(first, plan)
    second.fold(range(cut, ROWS), rows[cut:])
    assert bytes_of(second) == bytes_of(whole)
    assert contenders_of(whole).serving == HEDGED


def test_rows_are_learned_once_by_each() -> None:
    """A row that some have learned is learned by the others only: states may be torn apart.

    At least once, a crash may keep the newer state of one learner and an older one of another.
    """
    plan = plan_with(HEDGED)
    rows = rows_of(plan, 600, GOOD)
    whole, older, newer = Trainer(plan), Trainer(plan), Trainer(plan)
    whole.fold(range(600), rows)
    older.fold(range(200), rows[:200])
    newer.fold(range(400), rows[:400])
    torn = [newer.states()[0], older.states()[1]]
    again = Trainer(plan)
    again.restore([decode_learner_state(encode_learner_state(state)) for state in torn])
    again.fold(range(100, 600), rows[100:])
    assert bytes_of(again) == bytes_of(whole)


def test_an_unreliable_champion_is_demoted_for_one_who_is_not() -> None:
    """Where it predicts a third too much, whoever is best takes over before a contest is won."""
    plan = plan_with(HEDGED, "river_ftrl")
    trainer = Trainer(plan)
    errors = {"champion": 0.1, HEDGED: 0.3, "river_ftrl": 0.6}
    trainer.fold(range(900), rows_of(plan, 900, errors, shift=1.2))
    decision = contenders_of(trainer).decisions[0]
    assert (decision.decided, decision.learner) == ("demoted", HEDGED)
    assert decision.rows == 0


def test_nobody_is_demoted_where_nobody_is_better_off() -> None:
    """All are off: the champion stays."""
    plan = plan_with(HEDGED)
    trainer = Trainer(plan)
    rows = rows_of(plan, 900, {"champion": 0.0, HEDGED: 0.0}, shift=1.2)
    for row in rows:
        row.experts[HEDGED] = row.probability or 0.0
    trainer.fold(range(900), rows)
    assert contenders_of(trainer).served.status == "unreliable"
    assert contenders_of(trainer).decisions == []


def drifting() -> tuple[Trainer, int]:
    """A trainer whose champion's residuals have alarmed, and how many rows it has learned."""
    plan = plan_with(FRESH, learner="bayesian_logistic")
    trainer = Trainer(plan)
    trainer.fold(range(1_500), rows_of(plan, 1_500, {"champion": 0.0}))
    assert contenders_of(trainer).decisions == []
    stop = 4_500
    rows = rows_of(plan, stop - 1_500, {"champion": 0.0}, first=1_500, shift=-1.5, seed=4)
    trainer.fold(range(1_500, stop), rows)
    return trainer, stop


def test_an_alarm_begins_a_fresh_challenger() -> None:
    """It is of the champion's kind, begins at that row, and the champion is not touched."""
    trainer, stop = drifting()
    contenders = contenders_of(trainer)
    decision = contenders.decisions[0]
    assert (decision.decided, decision.learner) == ("begun", FRESH)
    assert contenders.learners["champion"].version == stop
    fresh = contenders.learners[FRESH]
    assert (fresh.version, fresh.learner.kind) == (stop - decision.offset - 1, "bayesian_logistic")
    assert [each.decided for each in contenders.decisions] == ["begun"]  # One at most.


def test_a_fresh_challenger_goes_undecided_and_its_namesake_is_not_heard() -> None:
    """What was said before it began, by another of its name, is not its own."""
    trainer, stop = drifting()
    contenders = contenders_of(trainer)
    plan = trainer._plan
    began = contenders.decisions[0].offset
    before = rows_of(plan, 50, {"champion": 0.0, FRESH: 0.0}, first=stop, version=began)
    trainer.fold(range(stop, stop + 50), before)
    assert contenders.contests[FRESH].rows == 0
    first, month = stop + 50, 3_000  # In which the champion becomes reliable again.
    trainer.fold(
        range(first, first + month), rows_of(plan, month, {"champion": 0.0}, first=first, seed=5)
    )
    first += month
    count = 22_000
    both = {"champion": 0.3, FRESH: 0.3}
    trainer.fold(range(first, first + count), rows_of(plan, count, both, first=first, seed=6))
    dropped = contenders.decisions[1]
    assert (dropped.decided, dropped.learner) == ("dropped", FRESH)
    assert dropped.positives == FRESH_POSITIVES_MAX
    assert FRESH not in contenders.learners
    second = restored(trainer, plan)
    assert FRESH not in contenders_of(second).learners
    assert bytes_of(second) == bytes_of(trainer)


def test_scorers_are_told_how_to_ask_all_who_can_serve() -> None:
    """Weights of every linear learner and its experts stand in one record, without a share."""
    plan = plan_with(HEDGED, "kernel_svm", "river_ftrl", learner="bayesian_logistic")
    trainer = Trainer(plan)
    rows = rows_of(plan, 600, {"champion": 0.0})
    trainer.fold(range(100), rows[:100])
    assert trainer.records()[0].experts == {}  # While they are warming.
    trainer.fold(range(100, 600), rows[100:])
    (record,) = trainer.records()
    assert set(record.experts) == {*EXPERTS, HEDGED, "river_ftrl"} <= set(VOICES)
    assert {each.share for each in record.experts.values()} == {0.0}
    learner = contenders_of(trainer).learners["river_ftrl"].learner
    asked = dict(zip(record.columns, record.experts["river_ftrl"].weights, strict=True))
    assert [asked[name] for name in learner.columns] == learner.weights.tolist()


def test_scorers_say_of_a_challenger_what_it_would_have_served() -> None:
    """Asked beside the champion it says what it serves once it is promoted, to 1e-9."""
    plan = plan_with(HEDGED, "river_ftrl", learner="bayesian_logistic")
    rows = rows_of(plan, 700, {"champion": 0.0})
    before = Trainer(plan_with(HEDGED, learner="bayesian_logistic"))
    before.fold(range(100), rows[:100])
    trainer = restored(before, plan)  # So that the other one meets its columns in another order.
    trainer.fold(range(100, 700), rows[100:])
    (record,) = trainer.records()
    offered = [event(f"c{number}", "view", BEGIN_MS + number * 60_000, event_id=f"v{number}",
                     channel=f"{number % 3}") for number in range(50)]  # fmt: skip
    keys, values = [list(column) for column in zip(*offered, strict=True)]

    def folded(served: ModelRecord) -> ScoreColumns:
        scorer = Scorer(plan)
        assert scorer.install(served)
        return scorer.fold(range(50), [-1] * 50, keys, values).scores

    asked = folded(record)
    assert len(set(asked.served[:50].tolist())) > 1
    for name, version in ((HEDGED, 700), ("river_ftrl", 600)):
        alone = folded(contenders_of(trainer).learners[name].record())
        assert alone.version[0] == model_number(name, version)
        said = asked.experts[:50, VOICES.index(name)]
        np.testing.assert_allclose(said, alone.served[:50], rtol=0, atol=1e-9)


def test_open_examples_outlive_a_new_challenger() -> None:
    """What was scored before it came says nothing of it: a fold takes its open examples along."""
    alone, plan = plan_with(), plan_with(HEDGED)
    before, after = Scorer(alone), Scorer(plan)
    offered = [event(f"c{number}", "view", BEGIN_MS + number, event_id=f"v{number}")
               for number in range(20)]  # fmt: skip
    offered.append(event("c0", "nothing", BEGIN_MS + 3 * DAY_MS, event_id="end"))
    keys, values = [list(column) for column in zip(*offered, strict=True)]
    before.fold(range(20), [-1] * 20, keys[:20], values[:20])
    assert after.restore(before.lift()) == {}
    rows = after.fold([20], [-1], keys[20:], values[20:]).rows
    read = [decode_example(value) for value in rows.values]
    assert [row.event_id for row in read] == [f"v{number}" for number in range(20)]
    assert {(row.model.learner, *row.experts) for row in read} == {("champion",)}
