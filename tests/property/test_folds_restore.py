"""Restore is exact: a fold taken up from a snapshot goes on bit for bit.

Owns: snapshot, silent replay under other models, and going on, for every log and campaign file.
Never: where a snapshot is kept, or when it is taken.
Source: ARCHITECTURE.md, "Recovery".
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from consumer.encoding import ScoreEncoder
from consumer.snapshots.state_copy import as_bytes
from consumer.transport import Records
from models.lifted import Lifted
from models.plan import Limits, Plan, compile_plan
from models.scorer import Scorer
from models.served_again import ServedAgain
from schemas.campaign import CampaignFile
from schemas.score import decode_score
from tests.event_logs import TOPIC, campaign_files, fold_records, trigger_encoder
from tests.property.test_folds import LIMITS, models, records
from tests.property.test_triggers import state_of
from tests.quiet_files import quiet
from tests.random_models import random_model


def copied(lifted: Lifted) -> Lifted:
    """What a store gives back: arrays of their own, from the bytes of those that were lifted."""
    arrays = {
        name: np.frombuffer(as_bytes(array).tobytes(), array.dtype).reshape(array.shape)
        for name, array in lifted.arrays.items()
    }
    return Lifted(arrays, dict(lifted.facts))


def placed(scorer: Scorer, lifted: Lifted) -> Lifted:
    """What is loaded into the rooms that a fold has for its own state."""
    arrays = dict(lifted.arrays)
    for name, array in lifted.arrays.items():
        room = scorer.room(name, array.shape, array.dtype)
        if room is not None:
            room[:] = array
            arrays[name] = room
    loaded = {name for name in arrays if arrays[name] is not lifted.arrays[name]}
    assert loaded == {"profiles", "examples", "triggers", "told"} & set(arrays)
    return Lifted(arrays, lifted.facts)


def fold_piece(scorer: Scorer, encoder: ScoreEncoder, piece: Records) -> tuple[list[Any], ...]:
    """Scores, rows and triggers of some records."""
    folded = scorer.fold(piece.offsets, piece.timestamps_ms, piece.keys, piece.values)
    triggers = trigger_encoder(scorer.plan).encode(folded)
    fired = [value for outgoing in triggers for value in outgoing.values]
    return encoder.encode(folded)[1], folded.rows.values, fired


def silently(scorer: Scorer, piece: Records, served: ServedAgain) -> int:
    """Fold what was folded before; give how many examples nobody knows the score of."""
    folded = scorer.fold(
        piece.offsets, piece.timestamps_ms, piece.keys, piece.values, catching_up=True,
        served=served,
    )  # fmt: skip
    return scorer.serve_again(folded, served)


FILES = quiet(st.one_of(campaign_files(timers=True), campaign_files()))


@given(st.data(), FILES, records(), st.sampled_from(LIMITS))
def test_a_restored_fold_goes_on_as_if_nothing_had_happened(
    data: st.DataObject, file: CampaignFile, log: Records, limits: Limits
) -> None:
    """With models changing before, within and after the tail, all that leaves is the same.

    0 ──────── snapshot ──────── committed ──────── end
    restored: a copy │ silent, other models │ live: the same bytes
    """
    plan = compile_plan(file, limits)
    installs = data.draw(models(plan, len(log)))
    taken, committed = sorted(data.draw(st.tuples(*[st.integers(0, len(log))] * 2)))
    edges = sorted({0, taken, committed, *installs, len(log)})
    whole, encoder = Scorer(plan), ScoreEncoder(plan, TOPIC, 0)
    snapshot = copied(whole.lift())
    served = ServedAgain(plan)
    expected: list[tuple[list[Any], ...]] = []
    for first, stop in zip(edges, [*edges[1:], len(log)], strict=True):
        if first == taken:
            snapshot = copied(whole.lift())
        for model in installs.get(first, ()):
            whole.install(model)
        out = fold_piece(whole, encoder, log.cut(first, stop))
        if taken <= first < committed:
            served.add(decode_score(score) for score in out[0])
        if first >= committed:
            expected.append(out)

    restored = Scorer(plan)
    restored.restore(placed(restored, snapshot) if data.draw(st.booleans()) else snapshot)
    install_others(restored, plan, data.draw(st.integers(0, 99)))
    for cut in range(taken, committed, 5):
        assert silently(restored, log.cut(cut, min(cut + 5, committed)), served) == 0
    for place in sorted(installs):
        if place < committed:
            for model in installs[place]:
                restored.install(model)
    found = []
    for first, stop in zip(edges, [*edges[1:], len(log)], strict=True):
        if first >= committed:
            for model in installs.get(first, ()):
                restored.install(model)
            found.append(fold_piece(restored, encoder, log.cut(first, stop)))
    assert found == expected
    assert restored.counts == whole.counts
    assert state_of(restored) == state_of(whole)


def install_others(scorer: Scorer, plan: Plan, seed: int) -> None:
    """Models that nobody was served by."""
    for name in plan.campaigns:
        scorer.install(random_model(plan, name, seed))


@given(FILES, records(), st.integers(0, 40))
def test_a_state_lifted_again_is_the_same(file: CampaignFile, log: Records, stop: int) -> None:
    """Lifting what was restored gives the arrays that were lifted, to the byte."""
    plan = compile_plan(file)
    scorer, _ = fold_records(plan, log.cut(0, min(stop, len(log))))
    lifted = copied(scorer.lift())
    restored = Scorer(plan)
    restored.restore(lifted)
    again = restored.lift()
    assert again.facts == lifted.facts
    assert {n: as_bytes(a).tobytes() for n, a in again.arrays.items()} == {
        n: as_bytes(a).tobytes() for n, a in lifted.arrays.items()
    }
