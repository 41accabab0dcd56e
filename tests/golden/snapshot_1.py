"""The golden snapshot of format 1, and how it was made: `python -m tests.golden.snapshot_1`.

Owns: the state that is in tests/golden/snapshot-1.
Never: changes; a new format gets a golden snapshot of its own beside this one.
Source: ARCHITECTURE.md, "Snapshots".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from consumer.clock import FixedClock
from consumer.snapshots.beside import Inline
from consumer.snapshots.local_folder import LocalFolder
from consumer.snapshots.manifest import Moment
from consumer.snapshots.snapshots import Sizes, Snapshots
from consumer.snapshots.writing import Written
from models.lifted import Lifted

FOLDER: Final = Path(__file__).parent / "snapshot-1"
GROUP: Final = "shop/eu"
SIZES: Final = Sizes(chunk_bytes=512, part_bytes=1_024)
MOMENT: Final = Moment(
    topic="customer-events",
    partition=3,
    next_offset=1_234_567,
    note='{"origin":0,"publish":1000}',
    configuration="0123456789abcdef",
    clock_ms=1_795_392_000_123,
    output_ends={"propensity-scores": 1_200_001, "dead-letters": 7},
)


def golden_state() -> Lifted:
    """Every kind of array: floats with odd bits, rows, texts, times, big-endian, empty, scalar."""
    rows = np.zeros(
        50, np.dtype([("at", "<i8"), ("units", "<i4", (3,)), ("in", [("low", ">u2")])], align=True)
    )
    rows["at"] = np.arange(50) * 1_000_003
    rows["units"] = np.arange(150).reshape(50, 3) - 75
    rows["in"]["low"] = np.arange(50) * 7
    odd = np.array([0x7FF8000000000123, 0xFFF0000000000000, 0x8000000000000000], np.uint64)
    arrays: dict[str, NDArray[Any]] = {
        "counts": (np.arange(240, dtype=np.float32) / 8).reshape(40, 3, 2),
        "odd": odd.view(np.float64),
        "rows": rows,
        "nobody": np.zeros((0, 7), np.int64),
        "clock": np.array(1_795_392_000_123),
        "names": np.array(["ä", "longer", ""]),
        "days": np.array(["2026-11-23", "NaT"], "datetime64[D]"),
        "big": np.arange(5, dtype=">i4"),
        "flags": np.arange(9) % 2 == 0,
    }
    facts = {"texts": ["", "ü", "red"], "sequence": 2**63 - 1, "ratio": 0.1, "inner": {"a": None}}
    return Lifted(arrays, facts)


def golden_snapshots() -> Snapshots:
    """The snapshots of the golden folder."""
    return Snapshots(LocalFolder(FOLDER), GROUP, Inline(), FixedClock(), sizes=SIZES)


def main() -> None:
    """Write the folder."""
    snapshots = golden_snapshots()
    snapshots.begin(MOMENT, golden_state())
    assert isinstance(snapshots.finish(), Written)


if __name__ == "__main__":
    main()
