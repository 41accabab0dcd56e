"""A state goes on under another campaign file: what has the same name, and nothing else.

Owns: any state, any other file: the fold goes on, and what both files know is as it was.
Never: a model.
Source: docs/contract.md, "Changing the campaign file".
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from consumer.encoding import ScoreEncoder
from consumer.transport import Records
from models.lifted import Lifted
from models.plan import compile_plan
from models.scorer import Scorer
from schemas.campaign import CampaignFile, Events
from schemas.example import TrainingExample, decode_example
from tests.event_logs import (
    ELIGIBLE,
    TOPIC,
    LoggedEvent,
    campaign_files,
    fold_records,
    logs,
    records_of,
)
from tests.property.test_folds import records
from tests.property.test_folds_restore import copied, fold_piece
from tests.quiet_files import quiet

KNOWN = [i for i, each in enumerate(ELIGIBLE) if each.event is None or not each.event.where]


FILES = quiet(st.one_of(campaign_files(timers=True), campaign_files()))


@given(FILES, FILES, records(), st.integers(0, 40))
def test_any_file_takes_over_any_state(
    before: CampaignFile, after: CampaignFile, log: Records, cut: int
) -> None:
    """Every open example goes on or is counted, and the fold folds on."""
    cut = min(cut, len(log))
    old, _ = fold_records(compile_plan(before), log.cut(0, cut))
    plan = compile_plan(after)
    new = Scorer(plan)
    dropped = new.restore(copied(old.lift()))
    assert new.counts.open_examples == old.counts.open_examples - sum(dropped.values())
    assert new.counts.profiles == old.counts.profiles
    assert new.counts.clock_ms == old.counts.clock_ms
    fold_piece(new, ScoreEncoder(plan, TOPIC, 0), log.cut(cut, len(log)))


@given(quiet(campaign_files(timers=True)), records(), st.integers(0, 40))
def test_a_campaign_that_comes_and_goes_leaves_the_others_alone(
    file: CampaignFile, log: Records, cut: int
) -> None:
    """With another campaign added, and taken out again, rows of the first are as they were."""
    cut = min(cut, len(log))
    some = next(iter(file.campaigns.values()))
    goal = replace(some.goal, not_same=())
    added = replace(some, name="added", goal=goal, eligible=ELIGIBLE[::-1])
    wider = replace(file, campaigns={"added": added, **file.campaigns})
    plan = compile_plan(file)
    one, _ = fold_records(plan, log.cut(0, cut))
    wide = Scorer(compile_plan(wider))
    assert wide.restore(copied(one.lift())) == {}
    again = Scorer(plan)
    assert again.restore(copied(wide.lift())) == {}
    rest = log.cut(cut, len(log))
    encoder = ScoreEncoder(plan, TOPIC, 0)
    expected = fold_piece(one, encoder, rest)
    assert fold_piece(again, encoder, rest) == expected
    rows = fold_piece(wide, ScoreEncoder(wide.plan, TOPIC, 0), rest)[1]
    kept = [row for row in map(decode_example, rows) if row.campaign != "added"]
    expected_rows = map(decode_example, expected[1])
    assert sorted(map(labels_of, kept)) == sorted(map(labels_of, expected_rows))


@given(
    campaign_files(), logs(lengths=(40,), customers=("ann",)), st.integers(3, 30),
    st.sets(st.sampled_from(KNOWN), min_size=1, max_size=2),
)  # fmt: skip
def test_a_new_clause_knows_what_was_counted_and_remembered(
    file: CampaignFile, events: list[LoggedEvent], cut: int, clauses: set[int]
) -> None:
    """Who is eligible is as if the clauses had always been there, where their facts were kept.

    kept before   counters of all types, last values ─┤
    asked         nobody is left out ─────────────────┤ within, never, last
    """
    kept = Events(
        count=("view", "buy", "cart", "mail", "refund", "x"), remember=("country", "dept")
    )
    before = replace(file, events=kept)
    eligible = tuple(ELIGIBLE[place] for place in sorted(clauses))
    asked = {name: replace(each, eligible=eligible) for name, each in file.campaigns.items()}
    plan = compile_plan(replace(before, campaigns=asked))
    log, cut = records_of(events), min(cut, len(events))
    free = {name: replace(each, eligible=()) for name, each in file.campaigns.items()}
    old, _ = fold_records(compile_plan(replace(before, campaigns=free)), log.cut(0, cut))
    new = Scorer(plan)
    new.restore(copied(old.lift()))
    rest = log.cut(cut, len(log))
    found = new.fold(rest.offsets, rest.timestamps_ms, rest.keys, rest.values)
    always, _ = fold_records(plan, log.cut(0, cut))
    wanted = always.fold(rest.offsets, rest.timestamps_ms, rest.keys, rest.values)
    assert found.scores.outcome.tolist() == wanted.scores.outcome.tolist()
    assert found.scores.ineligible.tolist() == wanted.scores.ineligible.tolist()


@given(campaign_files(), records(), st.integers(0, 40))
def test_a_state_of_fewer_experts_goes_on(file: CampaignFile, log: Records, cut: int) -> None:
    """An older version kept less of what experts said; all else of its examples is as it was."""
    cut = min(cut, len(log))
    plan = compile_plan(file)
    one, _ = fold_records(plan, log.cut(0, cut))
    lifted = copied(one.lift())
    examples = lifted.arrays["examples"]
    width = max(1, plan.experts_max - 1)
    fields = [(name, examples.dtype[name]) for name in examples.dtype.names or ()]
    kinds = [(n, np.dtype((np.float64, (width,))) if n == "experts" else k) for n, k in fields]
    older = np.zeros(len(examples), np.dtype(kinds))
    for name in older.dtype.names or ():
        older[name] = examples[name][:, :width] if name == "experts" else examples[name]
    again = Scorer(plan)
    assert again.restore(Lifted({**lifted.arrays, "examples": older}, lifted.facts)) == {}
    experts = copied(again.lift()).arrays["examples"]["experts"]
    assert np.isnan(experts[:, width:]).all()
    rest = log.cut(cut, len(log))
    expected = map(decode_example, fold_piece(one, ScoreEncoder(plan, TOPIC, 0), rest)[1])
    rows = map(decode_example, fold_piece(again, ScoreEncoder(plan, TOPIC, 0), rest)[1])
    assert list(map(labels_of, rows)) == list(map(labels_of, expected))


def labels_of(row: TrainingExample) -> tuple[str, int, float, float, int]:
    """What a row says of its outcome; its turn among those closed at once is the file's."""
    return (row.campaign, row.source.offset, row.label, row.weight, row.closed_by.offset)
