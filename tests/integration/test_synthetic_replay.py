"""The synthetic streams go through the product itself: one small seed, all of the table.

Owns: that the command works and judges what was served.
Never: holds a bar; so small a stream measures little.
Source: bench/README.md, "Synthetic streams".
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import clickstream
from bench.replays import read_examples
from bench.synthetic import QUICK, report

pytestmark = pytest.mark.slow


def test_a_small_seed_gives_every_line_of_the_table(tmp_path: Path) -> None:
    """Both streams are replayed and judged, and judging them again says the same."""
    said = report(tmp_path, QUICK)
    lines = said.splitlines()
    assert len([line for line in lines if "≤" in line or "0.95–1.05" in line]) == 7
    assert all(line.count("|") == 5 for line in lines[2:])
    assert report(tmp_path, QUICK, reuse=True) == said
    every = read_examples(tmp_path / "clickstream-1" / "replay", clickstream.EVERY)
    sample = read_examples(tmp_path / "clickstream-1" / "replay", clickstream.SAMPLE)
    assert 0 < len(sample) < len(every)
    served = clickstream.served(
        tmp_path / "clickstream-1" / "replay" / "scores.ndjson", clickstream.EVERY
    )
    found = every.set_index("event_id")["probability"]
    assert {name: served[name] for name in found.index} == found.to_dict()
