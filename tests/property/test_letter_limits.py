"""Limits of dead letters, whatever the records and wherever batches are cut.

Owns: that cuts and snapshots change nothing, and that a naive count agrees.
Never: which limits are wise; tests/unit has the defaults.
Source: models/letter_limits.py.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

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


def naive(limits: Limits, refused: list[bool]) -> tuple[int, str] | None:
    """The first record at which a limit is hit, counted one record at a time."""
    run = 0
    for row, bad in enumerate(refused):
        run = run + 1 if bad else 0
        newest = refused[max(0, row + 1 - limits.window) : row + 1]
        if run >= limits.consecutive_max:
            return row, "consecutive"
        if len(newest) >= min(100, limits.window) and sum(newest) > limits.share_max * len(newest):
            return row, "share"
    return None


def offsets_of(first: int, stop: int) -> list[int]:
    """Offsets with gaps."""
    return [1_000 + 3 * row for row in range(first, stop)]


def in_batches(
    limits: Limits, refused: list[bool], cuts: list[int], *, through_state: bool = False
) -> tuple[LetterLimits, tuple[int, str] | None]:
    """Take records in batches; give where a limit was hit, by its row from the beginning."""
    judge = LetterLimits(*limits)
    edges = sorted({0, len(refused), *(cut for cut in cuts if cut < len(refused))})
    for first, stop in pairwise(edges):
        rows = [row for row in range(stop - first) if refused[first + row]]
        hit = judge.take(offsets_of(first, stop), rows)
        if through_state:
            numbers, arrays = judge.to_state()
            judge = LetterLimits(*limits)
            judge.from_state(numbers, arrays)
        if hit is not None:
            assert hit.offset == offsets_of(first, stop)[hit.row]
            return judge, (first + hit.row, hit.rule)
    return judge, None


def state_of(judge: LetterLimits) -> tuple[dict[str, float], list[int]]:
    """A state that can be compared."""
    numbers, arrays = judge.to_state()
    return numbers, arrays["refused"].tolist()


@given(LIMITS, RECORDS, CUTS)
def test_batches_do_not_matter(limits: Limits, refused: list[bool], cuts: list[int]) -> None:
    """Wherever batches are cut, the same record hits, which a naive count finds too."""
    whole, found = in_batches(limits, refused, [])
    parts, again = in_batches(limits, refused, cuts)
    assert found == again == naive(limits, refused)
    assert state_of(whole) == state_of(parts)


@given(LIMITS, RECORDS, CUTS)
def test_a_snapshot_changes_nothing(limits: Limits, refused: list[bool], cuts: list[int]) -> None:
    """Limits taken up from a state between any two batches go on exactly."""
    _, plain = in_batches(limits, refused, cuts)
    restored, found = in_batches(limits, refused, cuts, through_state=True)
    assert found == plain
    assert state_of(restored) == state_of(in_batches(limits, refused, cuts)[0])
