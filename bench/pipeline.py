"""The comparison, in one run: pass-through, the obvious loop, Quix Streams, and ours.

Owns: the rounds, their order, and the table.
Never: a figure that was not measured in this run.
Source: bench/README.md says what is measured and how.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cluster import Cluster, started
from bench.latency import Latency, Pace, measure_latency
from bench.quix_environment import quix_python
from bench.runner import CONTESTANTS, OURS, Place, fresh_place
from bench.table import latency_table, machine, throughput_table
from bench.throughput import Throughput, measure_throughput
from bench.workload import make_workload

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.workload import Workload


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    events: int
    warmup: int
    rounds: int
    history: int
    paces: tuple[Pace, ...]


FULL = Size(650_000, 120_000, 3, 100_000, (Pace(500, 12.0), Pace(5_000, 10.0)))
QUICK = Size(80_000, 20_000, 1, 20_000, (Pace(500, 4.0), Pace(5_000, 2.0)))


@dataclass
class Bench:
    """One broker, one log, and all that has been measured on them."""

    cluster: Cluster
    log: Workload
    size: Size
    quix: Path
    folder: Path
    throughputs: dict[str, list[Throughput]] = field(default_factory=dict)
    latencies: dict[str, list[list[Latency]]] = field(default_factory=dict)
    _serial: itertools.count[int] = field(default_factory=itertools.count)

    def place(self) -> Place:
        """Return a fresh place."""
        return fresh_place(self.cluster.bootstrap, self.folder, f"bench-{next(self._serial)}")

    def prime(self) -> None:
        """Compile our kernels, which are cached, before anything is measured."""
        _say("priming our kernels")
        history, paces = self.size.history, (Pace(500, 1.5),)
        measure_latency(
            self.cluster, self.place(), OURS, self.quix, self.log, history=history, paces=paces
        )

    def round(self, contestants: Sequence[str], number: int) -> None:
        """Measure every contestant once; the order turns with the round."""
        turn = number % len(contestants)
        for contestant in (*contestants[turn:], *contestants[:turn]):
            _say(f"round {number + 1}: {contestant}")
            throughput = measure_throughput(
                self.cluster,
                self.place(),
                contestant,
                self.quix,
                self.log,
                warmup=self.size.warmup,
            )
            self.throughputs.setdefault(contestant, []).append(throughput)
            latency = measure_latency(
                self.cluster,
                self.place(),
                contestant,
                self.quix,
                self.log,
                history=self.size.history,
                paces=self.size.paces,
            )
            self.latencies.setdefault(contestant, []).append(latency)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the bench and print its table."""
    parser = argparse.ArgumentParser(prog="python -m bench.pipeline", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a minute, for a first look")
    parser.add_argument("--rounds", type=int, help="how often each contestant is measured")
    parser.add_argument("--only", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS))
    options = parser.parse_args(arguments)
    size = QUICK if options.quick else FULL
    log = make_workload(size.events)
    rounds = options.rounds or size.rounds
    with started() as (cluster, folder):
        bench = Bench(cluster, log, size, quix_python(), folder)
        if OURS in options.only:
            bench.prime()
        for number in range(rounds):
            bench.round(options.only, number)
    print(machine(size.events - size.warmup, rounds))
    print(throughput_table(bench.throughputs))
    print(latency_table(bench.latencies, size.paces))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
