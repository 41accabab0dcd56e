"""Rows in one block of memory: what stands in them stays, wherever the block goes.

Owns: growth, and that one compiled loop fits the rows of every campaign file.
Never: what a field means.
Source: models/records.py.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from models.plan import compile_plan
from models.records import LARGE_BYTES, ROW_BYTES, Records
from models.state import new_examples, new_profiles
from schemas.campaign_file import parse_campaigns
from tests.world import plan

typeof: Any = numba.typeof
BARE = "version: 1\ncampaigns:\n  a: {goal: {event: buy}, horizon: 1d, score_on: [view]}\n"


class Pair(NamedTuple):
    """Two fields of a row."""

    sizes: NDArray[np.int64]
    flag: NDArray[np.int8]


def pairs() -> Records[Pair]:
    """Return an empty store of pairs."""
    return Records(Pair, {"sizes": (np.int64, (3,)), "flag": (np.int8, ())})


def test_rows_keep_what_stands_in_them_when_the_store_grows() -> None:
    """Old rows are as they were and new ones are zero, small store or large."""
    store = pairs()
    filled = 0
    for rows in (10, 1_000, 2 * LARGE_BYTES // ROW_BYTES):
        store.reserve(rows)
        assert store.view.sizes[:filled].tolist() == [[i, 2 * i, 3 * i] for i in range(filled)]
        assert not store.view.sizes[filled:].any()
        assert not store.view.flag[filled:].any()
        store.view.sizes[:rows] = np.arange(rows)[:, None] * [1, 2, 3]
        store.view.flag[:rows] = 1
        filled = min(rows, 1_000)
        store.view.sizes[filled:] = 0
        store.view.flag[filled:] = 0


def test_memory_that_somebody_looks_at_does_not_move() -> None:
    """A view that was kept across growth is an error, never a look at freed memory."""
    store = pairs()
    kept = store.view.sizes
    with pytest.raises(BufferError):
        store.reserve(LARGE_BYTES)
    assert not kept.any()


@pytest.mark.parametrize("make", [new_profiles, new_examples])
def test_one_compiled_loop_fits_every_campaign_file(make: object) -> None:
    """Rows of a bare and of a rich campaign file are of one type to the compiler."""
    assert callable(make)
    bare, rich = (make(each).view for each in (compile_plan(parse_campaigns(BARE)), plan()))
    assert typeof(bare) == typeof(rich)
    assert {kind.layout for kind in typeof(bare).types} == {"A"}
    for array in (*bare, *rich):
        assert array.strides[0] % ROW_BYTES == 0
        assert array.flags.aligned
