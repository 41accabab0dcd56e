"""Snapshots that are kept under version control: what was written once is read for ever.

Owns: the reading of format 1.
Never: asks that today's program writes the same bytes; compressors change.
Source: tests/golden/snapshot_1.py.
"""

from __future__ import annotations

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
