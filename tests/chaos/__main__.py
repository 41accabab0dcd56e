"""The long chaos run: `python -m tests.chaos --kills 100 --seed 1`.

Owns: its options, its folder, and printing the report.
Never: a rule.
Source: tests/chaos/storm.py.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.broker import own_broker
from tests.chaos.faults import faults
from tests.chaos.storm import Storm


def main() -> int:
    """Run, report, and give 1 where anything differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("out/chaos"))
    options = parser.parse_args()
    folder = options.folder.absolute() / f"seed-{options.seed}"
    folder.mkdir(parents=True, exist_ok=False)
    with own_broker() as broker:
        report = Storm(broker, folder, options.seed).run(
            faults(options.seed, options.kills, broker=True)
        )
    sys.stdout.write("\n".join([*report.lines(), f"logs in {folder}", ""]))
    return 1 if report.differences else 0


if __name__ == "__main__":
    sys.exit(main())
