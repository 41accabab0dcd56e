"""What a scorer holds and costs as customers and campaigns grow, in one process each.

Owns: the sizes, and a process of its own for each, so that nothing of one is left in the next.
Never: a broker; an event's cost is from its bytes to the bytes of its scores.
Source: none.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

import numpy as np

from bench.workload import START_MS, TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from models.plan import Plan
    from schemas.model_record import ModelRecord

ROOT: Final = Path(__file__).resolve().parent.parent
BATCH: Final = 2_000
MEASURED: Final = 40_000
REPEATS: Final = 5
STEP_MS: Final = 7  # Between two events: a million customers fit well into one horizon.
FULL_CUSTOMERS: Final = (1_000, 10_000, 100_000, 1_000_000)
QUICK_CUSTOMERS: Final = (1_000, 20_000)
CAMPAIGNS: Final = (1, 2, 4, 8)
GOALS: Final = ("purchase", "email_click", "cart_add", "search")

Numbers = list[int]


@dataclass(frozen=True)
class Scale:
    """One process: so many customers of all six event types, each with an open example."""

    customers: int
    campaigns: int
    cost_us: float  # CPU of one event from its bytes to the bytes of its score record
    resident_mib: float
    peak_mib: float
    open_examples: int


def campaign_file(campaigns: int) -> str:
    """Return a file of so many campaigns with the default features, scored on every event."""
    lines = ["version: 1", "campaigns:"]
    for number in range(campaigns):
        goal = GOALS[number % len(GOALS)]
        lines += [
            f"  campaign-{number}:",
            f"    goal: {{event: {goal}}}",
            f"    horizon: {30 + number}d",
            f"    score_on: [{', '.join(TYPES)}]",
        ]
    return "\n".join(lines) + "\n"


def model_records(plan: Plan, seed: int = 1) -> Iterator[ModelRecord]:
    """Yield a ready model for every campaign: a weight on every column."""
    from schemas.model_record import QUANTILES, ModelRecord  # noqa: PLC0415 - see `main`

    draw = np.random.default_rng(seed)
    for index, name in enumerate(plan.campaigns):
        columns = plan.layout.campaigns[index]
        names = [*columns.names, *(hinge.name for hinge in columns.hinges)]
        yield ModelRecord(
            campaign=name,
            lineage=plan.lineages[index],
            learner="champion",
            version=1_000,
            features=plan.features[index],
            status="ready",
            rate=0.02,
            predict="conversion",
            bias=-3.0,
            columns=names,
            weights=draw.normal(0.0, 0.05, len(names)).tolist(),
            means=[0.1] * len(names),
            quantiles=np.linspace(0.001, 0.5, QUANTILES).tolist(),
            covered=0,
        )


class Feed:
    """Records of one partition, in order."""

    def __init__(self) -> None:
        self.offset = 0

    def batch(
        self, customers: Numbers, types: Numbers
    ) -> tuple[Numbers, Numbers, list[bytes], list[bytes]]:
        """Return offsets, stamps, keys and values of the next records."""
        offsets = list(range(self.offset, self.offset + len(customers)))
        self.offset += len(customers)
        stamps = [START_MS + STEP_MS * offset for offset in offsets]
        values = [
            b'{"event_id":"e%09d","customer_id":"c%07d","type":"%s","occurred_at":%d,"value":12.5,'
            b'"properties":{"channel":"app","device":"mobile","country":"DE","price":49.9,'
            b'"department":"garden","campaign":"spring"}}'
            % (offset, who, TYPES[what].encode(), stamp)
            for offset, who, what, stamp in zip(offsets, customers, types, stamps, strict=True)
        ]
        return offsets, stamps, [b"c%07d" % who for who in customers], values


def measure(customers: int, campaigns: int) -> Scale:
    """Fill a scorer, then time events of customers drawn at random."""
    from consumer.encoding import ScoreEncoder  # noqa: PLC0415 - see `main`
    from models.plan import compile_plan  # noqa: PLC0415
    from models.scorer import Scorer  # noqa: PLC0415
    from schemas.campaign_file import parse_campaigns  # noqa: PLC0415

    plan = compile_plan(parse_campaigns(campaign_file(campaigns)))
    scorer = Scorer(plan)
    encoder = ScoreEncoder(plan, "customer-events", 0)
    for record in model_records(plan):
        assert scorer.install(record)
    feed = Feed()
    for kind in range(len(TYPES)):
        for start in range(0, customers, BATCH):
            people = list(range(start, min(start + BATCH, customers)))
            scorer.fold(*feed.batch(people, [kind] * len(people)))
    draw = np.random.default_rng(7)
    costs_us = []
    for _ in range(REPEATS):
        spent_s = 0.0
        for _ in range(MEASURED // BATCH):
            people = draw.integers(customers, size=BATCH).tolist()
            batch = feed.batch(people, draw.integers(len(TYPES), size=BATCH).tolist())
            start_s = time.process_time()
            folded = scorer.fold(*batch)
            _, values = encoder.encode(folded)
            spent_s += time.process_time() - start_s
            assert folded.score_count == BATCH * campaigns
            assert len(values) == BATCH
        costs_us.append(spent_s / MEASURED * 1e6)
    assert scorer.counts.profiles == customers
    return Scale(
        customers,
        campaigns,
        median(costs_us),
        _status_mib("VmRSS"),
        _status_mib("VmHWM"),
        scorer.counts.open_examples,
    )


def _status_mib(name: str) -> float:
    text = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in text.splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def measured_apart(customers: int, campaigns: int) -> Scale:
    """Return `measure` of a process of its own."""
    print(f"{customers:,} customers, {campaigns} campaign(s)", file=sys.stderr, flush=True)
    found = subprocess.run(
        [sys.executable, "-m", "bench.scale", "--apart", str(customers), str(campaigns)],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
    )
    return Scale(**json.loads(found.stdout))


def table(by_customers: Sequence[Scale], by_campaigns: Sequence[Scale]) -> str:
    """Return the figures as Markdown."""
    lines = ["| customers | µs of CPU per event | resident MiB | peak MiB |", "|---" * 4 + "|"]
    lines += [
        f"| {s.customers:,} | {s.cost_us:.2f} | {s.resident_mib:,.0f} | {s.peak_mib:,.0f} |"
        for s in by_customers
    ]
    growth = by_customers[-1].cost_us / by_customers[0].cost_us
    lines += [f"\nMost to fewest customers: {growth:.2f} times the cost of an event.\n"]
    lines += ["| campaigns | µs of CPU per event | each further one |", "|---" * 3 + "|"]
    first = by_campaigns[0]
    for s in by_campaigns:
        share = (s.cost_us - first.cost_us) / max(s.campaigns - 1, 1) / first.cost_us
        lines.append(f"| {s.campaigns} | {s.cost_us:.2f} | {share:.0%} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run every size and print the tables.

    Our packages are imported by the processes that measure and not by the one that waits.
    """
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, for a first look")
    parser.add_argument(
        "--rounds", type=int, default=5, help="of the numbers of campaigns, in turn"
    )
    parser.add_argument("--apart", nargs=2, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.apart:
        print(json.dumps(asdict(measure(*options.apart))))
        return
    sizes = QUICK_CUSTOMERS if options.quick else FULL_CUSTOMERS
    by_customers = [measured_apart(customers, 1) for customers in sizes]
    rounds = [
        [measured_apart(10_000, campaigns) for campaigns in CAMPAIGNS]
        for _ in range(options.rounds)
    ]
    by_campaigns = [
        replace(same[0], cost_us=median(each.cost_us for each in same))
        for same in zip(*rounds, strict=True)
    ]
    print(table(by_customers, by_campaigns))


if __name__ == "__main__":
    main()
