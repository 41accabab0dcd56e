"""A disk that is really full.

Owns: the one failure that no store in memory can show: the kernel's.
Never: fills a disk that anybody else uses.
Source: mount(8), and RLIMIT_FSIZE of setrlimit(2).
"""

from __future__ import annotations

import resource
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from consumer.snapshots.local_folder import LocalFolder
from consumer.snapshots.snapshots import Sizes
from consumer.snapshots.writing import NotWritten
from models.lifted import Lifted
from tests.lifted_states import Kept, same, state

ROOM_BYTES = 256 * 1024


def mounted(folder: Path) -> bool:
    """Whether a small disk could be put there."""
    program = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", f"size={ROOM_BYTES}", "tmpfs", str(folder)]
    return (
        program is not None
        and not subprocess.run([program, *options], check=False, capture_output=True).returncode
    )


@contextmanager
def little_room(folder: Path) -> Iterator[str]:
    """A folder with little room: a disk of its own, or a limit on files; gives what is said."""
    folder.mkdir()
    if mounted(folder):
        try:
            yield "No space left on device"
        finally:
            subprocess.run(["umount", str(folder)], check=True)
        return
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM_BYTES, before[1]))
    try:
        yield "File too large"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """The snapshot fails in words, leaves nothing, and the next one that fits is written."""
    noise = np.random.default_rng(1).integers(0, 256, 4 * ROOM_BYTES, dtype=np.uint8)
    with little_room(tmp_path / "state") as said:
        folder = tmp_path / "state"
        part_bytes = 2 * ROOM_BYTES
        kept = Kept(LocalFolder(folder), sizes=Sizes(part_bytes // 8, part_bytes))
        kept.written(1)
        before = sorted(folder.rglob("*"))
        outcome = kept.write(2, Lifted({"noise": noise}, {}))
        assert isinstance(outcome, NotWritten)
        assert said in outcome.problem
        assert sorted(folder.rglob("*")) == before
        kept.written(3)
        assert kept.offsets() == [3, 1]
        assert same(kept.load(3), state(3))
