"""What a snapshot costs: bytes, seconds, and how long the loop stands still for it.

Owns: a state of the size that a million customers have, and the timing of every step.
Never: a real fold, or a broker.
Source: none.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from consumer.clock import SystemClock
from consumer.snapshots import part_files
from consumer.snapshots.beside import SideThread
from consumer.snapshots.local_folder import LocalFolder
from consumer.snapshots.manifest import Moment
from consumer.snapshots.snapshots import Sizes, Snapshots
from consumer.snapshots.state_copy import MIB
from consumer.snapshots.writing import Written
from models.lifted import Lifted

FULL_ROWS: Final = 1_112_000  # 1.4 GiB
QUICK_ROWS: Final = 50_000
POLL_S: Final = 0.001  # What the loop does between two steps.
HEADS: Final = (
    *("zstd level", "chunk MiB", "state MiB", "stored MiB", "withheld s", "written s"),
    *("pause ms: p99", "max", "load s", "load pause ms: max"),
)


@dataclass(frozen=True)
class Cost:
    """One snapshot written and loaded."""

    level: int
    chunk_mib: int
    state_mib: float
    stored_mib: float
    withheld_s: float  # from `begin` until the partition may go on
    written_s: float
    pause_p99_ms: float
    pause_max_ms: float
    load_s: float
    load_pause_max_ms: float


def synthetic_state(rows: int, seed: int = 1) -> Lifted:
    """About 1.4 KiB per row: counts that are mostly zero, times, hashes, small integers."""
    draw = np.random.default_rng(seed)
    counts = np.round(draw.exponential(3.0, (rows, 120)), 3).astype(np.float32)
    counts *= draw.random((rows, 120), np.float32) < 0.3
    last_at = 1_760_000_000_000 + draw.integers(0, 30 * 86_400_000, (rows, 24))
    last_at[draw.random((rows, 24), np.float32) < 0.5] = -(1 << 62)
    arrays: dict[str, NDArray[Any]] = {
        "counts": counts,
        "last_at": last_at,
        "customer_hash": draw.integers(0, 1 << 63, (rows, 2), np.uint64),
        "by": np.round(draw.exponential(1.0, (rows, 60)), 2).astype(np.float32),
        "remembered": draw.integers(0, 40, (rows, 24), np.int32),
        "units": draw.integers(-200, 200, (rows, 64), np.int32),
        "served": draw.random(rows),
        "seen_hash": draw.integers(0, 1 << 63, (rows, 8), np.uint64),
        "status": draw.integers(0, 5, rows, np.int8),
    }
    return Lifted(arrays, {"customers": rows})


def measure(lifted: Lifted, sizes: Sizes, level: int, folder: Path) -> Cost:
    """Write and load one snapshot as a loop would, a millisecond of other work between steps."""
    part_files.LEVEL = level  # type: ignore[misc] # The bench compares what the program has fixed.
    snapshots = Snapshots(LocalFolder(folder), "bench", SideThread(), SystemClock(), sizes=sizes)
    lifted_bytes = sum(array.nbytes for array in lifted.arrays.values())
    begun_s = time.perf_counter()
    pauses_s = []
    snapshots.begin(Moment(topic="events", partition=0, next_offset=1), lifted)
    done = False
    while not done:
        start_s = time.perf_counter()
        done = snapshots.step()
        pauses_s.append(time.perf_counter() - start_s)
        time.sleep(POLL_S)
    # Steps that only waited for the disk are no pauses.
    copying_s = sorted(pauses_s)[-ceil(lifted_bytes / sizes.chunk_bytes) :]
    withheld_s = time.perf_counter() - begun_s
    outcome = snapshots.finish()
    assert isinstance(outcome, Written), outcome
    snapshots.close()
    start_s = time.perf_counter()
    loading = snapshots.load(outcome.manifest)
    load_pauses_s = []
    last_s = start_s
    for _ in loading:
        now_s = time.perf_counter()
        load_pauses_s.append(now_s - last_s)
        last_s = now_s
    load_s = time.perf_counter() - start_s
    check(lifted.arrays, loading.lifted.arrays)
    return Cost(
        level=level,
        chunk_mib=sizes.chunk_bytes // MIB,
        state_mib=outcome.manifest.raw_bytes / MIB,
        stored_mib=outcome.size_bytes / MIB,
        withheld_s=withheld_s,
        written_s=outcome.seconds,
        pause_p99_ms=float(np.percentile(copying_s, 99)) * 1e3,
        pause_max_ms=max(pauses_s) * 1e3,
        load_s=load_s,
        load_pause_max_ms=max(load_pauses_s) * 1e3,
    )


def check(written: Mapping[str, NDArray[Any]], read: Mapping[str, NDArray[Any]]) -> None:
    """Hold what was measured to what it should have done."""
    assert written.keys() == read.keys()
    for name, array in written.items():
        assert np.array_equal(array, read[name]), name


def table(costs: Sequence[Cost]) -> str:
    """Return the figures as Markdown."""
    lines = [
        f"| {' | '.join(HEADS)} |",
        "|---" * len(HEADS) + "|",
    ]
    lines += [
        f"| {c.level} | {c.chunk_mib} | {c.state_mib:,.0f} | {c.stored_mib:,.0f}"
        f" | {c.withheld_s:.1f} | {c.written_s:.1f} | {c.pause_p99_ms:.1f} | {c.pause_max_ms:.1f}"
        f" | {c.load_s:.1f} | {c.load_pause_max_ms:.0f} |"
        for c in costs
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.snapshot", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small state, for a first look")
    parser.add_argument("--folder", type=Path, help="where to write; a temporary folder if none")
    parser.add_argument("--chunks", type=int, nargs="+", default=[8], help="MiB copied at once")
    parser.add_argument("--levels", type=int, nargs="+", default=[part_files.LEVEL])
    options = parser.parse_args(arguments)
    lifted = synthetic_state(QUICK_ROWS if options.quick else FULL_ROWS)
    costs = []
    for level in options.levels:
        for chunk_mib in options.chunks:
            print(f"level {level}, chunks of {chunk_mib} MiB", file=sys.stderr, flush=True)
            sizes = Sizes(chunk_mib * MIB, max(32, chunk_mib) * MIB)
            with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                costs.append(measure(lifted, sizes, level, Path(folder)))
    print(table(costs))


if __name__ == "__main__":
    main()
