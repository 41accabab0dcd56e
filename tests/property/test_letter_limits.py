"""Limits of dead letters, whatever the records and wherever batches are cut.

Owns: that cuts and snapshots change nothing, and that a naive count agrees.
Never: which limits are wise; tests/unit has the defaults.
Source: models/letter_limits.py.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from models.letter_limits import LetterLimits

# Long runs of either kind, as they occur, and the odd record between.
RECORDS = st.lists(
    st.tuples(st.booleans(), st.integers(1, 130)), max_size=12
).map(lambda runs: [refused for refused, length in runs for _ in range(length)])  # fmt: skip
CUTS = st.lists(st.integers(0, 1_500), max_size=8)


class Limits(NamedTuple):
    """Limits small enough to be hit."""

    consecutive_max: int
    window: int
    share_max: float


LIMITS = st.builds(
    Limits, st.integers(1, 200), st.integers(1, 300), st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0])
)


def naive(limits: Limits, refused: list[bool]) -> list[tuple[int, str]]:
    """The records at which a limit is hit, counted one record at a time."""
    hits: list[tuple[int, str]] = []
    run = begun = 0
    for row, bad in enumerate(refused):
        run = run + 1 if bad else 0
        newest = refused[max(begun, row + 1 - limits.window) : row + 1]
        enough = len(newest) >= min(100, limits.window)
        if run >= limits.consecutive_max:
            hits.append((row, "consecutive"))
        elif enough and sum(newest) > limits.share_max * len(newest):
            hits.append((row, "share"))
        else:
            continue
        run, begun = 0, row + 1
    return hits


def in_batches(
    limits: Limits, refused: list[bool], cuts: list[int], restored: frozenset[int] = frozenset()
) -> tuple[LetterLimits, list[tuple[int, str]]]:
    """Take records in batches; give where limits were hit, by the row from the beginning.

    Before the batches with these numbers, limits that were just made take the place.
    """
    judge = LetterLimits(*limits)
    found: list[tuple[int, str]] = []
    edges = sorted({0, len(refused), *(cut for cut in cuts if cut < len(refused))})
    for number, (first, stop) in enumerate(pairwise(edges)):
        if number in restored:
            lifted, judge = judge.lift(), LetterLimits(*limits)
            judge.restore(lifted)
        rows = [row for row in range(stop - first) if refused[first + row]]
        offsets = [1_000 + 3 * row for row in range(first, stop)]  # With gaps.
        hits = judge.take(offsets, rows)
        found += [((hit.offset - 1_000) // 3, hit.rule) for hit in hits]
    return judge, found


def state_of(judge: LetterLimits) -> tuple[dict[str, Any], list[bool]]:
    """A state that can be compared."""
    lifted = judge.lift()
    return dict(lifted.facts), lifted.arrays["letters"].tolist()


@given(LIMITS, RECORDS, CUTS, st.frozensets(st.integers(0, 9)))
def test_neither_batches_nor_restarts_matter(
    limits: Limits, refused: list[bool], cuts: list[int], restored: frozenset[int]
) -> None:
    """Wherever batches are cut and states are restored, the same records hit: the naive ones."""
    whole, found = in_batches(limits, refused, [])
    parts, again = in_batches(limits, refused, cuts, restored)
    assert found == again == naive(limits, refused)
    assert state_of(whole) == state_of(parts)
