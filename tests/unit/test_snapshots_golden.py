"""Snapshots that are kept under version control: what was written once is read for ever.

Owns: the reading of format 1, of the container and of a scorer's state in it.
Never: asks that today's program writes the same bytes; compressors change.
Source: tests/golden/snapshot_1.py, tests/golden/scorer_1.py.
"""

from __future__ import annotations

import pytest

from models.lifted import Lifted
from models.scorer import Scorer
from schemas.example import decode_example
from tests.golden import scorer_1
from tests.golden.snapshot_1 import MOMENT, golden_snapshots, golden_state
from tests.lifted_states import same


def test_format_1_is_read_for_ever() -> None:
    """The manifest says the same as on the day it was written, and so does every array."""
    snapshots = golden_snapshots()
    (manifest,) = snapshots.newest(MOMENT.topic, MOMENT.partition, not_after=MOMENT.next_offset)
    assert (manifest.format, manifest.program, manifest.moment) == (1, "0.1.0", MOMENT)
    assert len(manifest.parts) > 1
    loading = snapshots.load(manifest)
    assert [*loading][-1].done_bytes == manifest.raw_bytes
    assert same(loading.lifted, golden_state())


def golden_scorer() -> Scorer:
    """A fold that goes on from the golden state of format 1."""
    snapshots = scorer_1.golden_snapshots()
    (manifest,) = snapshots.newest("customer-events", 0, not_after=scorer_1.TAKEN)
    scorer = Scorer(scorer_1.golden_plan())
    loading = snapshots.load(manifest)
    assert [*loading][-1].done_bytes == manifest.raw_bytes
    assert scorer.restore(loading.lifted) == {}
    return scorer


def test_a_scorer_goes_on_from_its_state_of_format_1_for_ever() -> None:
    """It knows all customers, and closes the same examples with the same labels as a new fold.

    What a version computes of a feature or a prediction may differ from what another did.
    """
    scorer, anew = golden_scorer(), Scorer(scorer_1.golden_plan())
    scorer_1.folded(anew, 0, scorer_1.TAKEN)
    assert scorer.counts.profiles == anew.counts.profiles > 5
    assert scorer.counts.open_examples == anew.counts.open_examples > 20
    rows, expected = (
        [decode_example(row) for row in scorer_1.folded(each, scorer_1.TAKEN, 200)]
        for each in (scorer, anew)
    )
    settled = [
        (r.campaign, r.customer, r.event_id, r.closed_by, r.label, sorted(r.features))
        for r in expected
    ]
    assert len(settled) > 40
    assert settled == [
        (r.campaign, r.customer, r.event_id, r.closed_by, r.label, sorted(r.features)) for r in rows
    ]


def test_a_state_of_a_format_to_come_is_refused() -> None:
    """It is said which one it is, and which is read; nothing of it is taken."""
    lifted = golden_scorer().lift()
    later = Lifted(lifted.arrays, {**lifted.facts, "format": 4})
    scorer = Scorer(scorer_1.golden_plan())
    with pytest.raises(ValueError, match="format 4, and this version reads up to 3"):
        scorer.restore(later)
    assert scorer.counts.profiles == 0
