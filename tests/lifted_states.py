"""States of folds that no fold made, for the tests of snapshots.

Owns: small states and moments, and what it means that two states are the same.
Never: a real fold.
Source: models.lifted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consumer.clock import FixedClock
from consumer.snapshots.beside import Inline
from consumer.snapshots.manifest import Moment, UnusableSnapshotError
from consumer.snapshots.names import generation_prefix
from consumer.snapshots.snapshots import Sizes, Snapshots
from consumer.snapshots.store import SnapshotStore
from consumer.snapshots.writing import Outcome, Written
from models.lifted import Lifted

GROUP = "propensity"
TOPIC = "customer-events"
SMALL = Sizes(chunk_bytes=64, part_bytes=256, ahead_bytes_max=512)


def moment(offset: int, **other: Any) -> Moment:
    """The moment at an offset of the first partition."""
    return Moment(topic=TOPIC, partition=0, next_offset=offset, **other)


def generation(offset: int) -> str:
    """What the store calls the generation of an offset of the first partition."""
    return generation_prefix(GROUP, TOPIC, 0, offset)


def state(seed: int = 0, rows: int = 40) -> Lifted:
    """A few arrays of several types, some of which cross the ends of small parts."""
    draw = np.random.default_rng(seed)
    row = np.dtype([("when", "<i8"), ("units", "<i4", (3,)), ("in", [("low", ">u2")])], align=True)
    rich = np.zeros(rows, row)
    rich["when"] = draw.integers(0, 1 << 40, rows)
    rich["units"] = draw.integers(-9, 9, (rows, 3))
    arrays: dict[str, NDArray[Any]] = {
        "counts": draw.normal(size=(rows, 3)).astype(np.float32),
        "nobody": np.zeros((0, 7), np.int64),
        "rows": rich,
        "clock": np.array(1_700_000_000_000 + seed),
        "flags": draw.integers(0, 2, rows).astype(np.bool_),
        "odd": np.array([np.nan, -0.0, np.inf]),
    }
    return Lifted(arrays, {"texts": ["ä", "b"], "sequence": seed, "ratio": 0.1, "none": None})


def same(left: Lifted, right: Lifted) -> bool:
    """Whether two states are equal to the last bit, in names, order, types, shapes and facts."""
    return left.facts == right.facts and described(left.arrays) == described(right.arrays)


def described(arrays: Mapping[str, Any]) -> list[tuple[str, np.dtype[Any], tuple[int, ...], bytes]]:
    """Arrays as what can be compared."""
    return [(name, a.dtype, a.shape, a.tobytes()) for name, a in arrays.items()]


class Kept:
    """Snapshots that are written at once, and what was reported of them."""

    def __init__(self, store: SnapshotStore, keep: int = 2, sizes: Sizes = SMALL) -> None:
        self.reported: list[UnusableSnapshotError] = []
        self.clock = FixedClock()
        self.snapshots = Snapshots(
            store, GROUP, Inline(), self.clock, keep=keep, sizes=sizes, report=self.reported.append
        )

    def write(self, offset: int, lifted: Lifted | None = None, **other: Any) -> Outcome:
        """Write a state to the end; by default one that the offset decides."""
        self.snapshots.begin(moment(offset, **other), state(offset) if lifted is None else lifted)
        outcome = self.snapshots.finish()
        assert outcome is not None
        return outcome

    def written(self, *offsets: int) -> None:
        """Write states of these offsets, all of which must succeed."""
        for offset in offsets:
            assert isinstance(self.write(offset), Written)

    def offsets(self, not_after: int = 1 << 62) -> list[int]:
        """The offsets that can be used, newest first."""
        found = self.snapshots.newest(TOPIC, 0, not_after=not_after)
        return [manifest.moment.next_offset for manifest in found]

    def load(self, offset: int) -> Lifted:
        """The state of an offset."""
        manifest = next(self.snapshots.newest(TOPIC, 0, not_after=offset))
        assert manifest.moment.next_offset == offset
        loading = self.snapshots.load(manifest)
        for _ in loading:
            pass
        return loading.lifted
