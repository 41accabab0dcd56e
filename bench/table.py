"""The figures as Markdown, to be read and to be pasted.

Owns: medians, ranges and ratios.
Never: measures.
Source: none.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from statistics import median

import psutil

from bench.latency import Latency, Pace
from bench.runner import OBVIOUS, QUIX
from bench.throughput import Throughput


def machine(events: int, rounds: int) -> str:
    """Return where and on how much it was measured."""
    memory_gib = psutil.virtual_memory().total / 2**30
    return (
        f"{os.cpu_count()} cores shared with the broker, {memory_gib:.0f} GiB, "
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}; "
        f"{events:,} events, rounds: {rounds}\n"
    )


def throughput_table(measured: Mapping[str, Sequence[Throughput]]) -> str:
    """Return events a second and per CPU-second: medians, ranges, and ratios to the rivals."""
    lines = [
        "| | events/s | events per CPU-second | of the obvious loop | of Quix | peak MiB |",
        "|---|---|---|---|---|---|",
    ]
    per_cpu = {
        name: median(run.events_per_cpu_s for run in runs) for name, runs in measured.items()
    }
    for name, runs in measured.items():
        ratios = [
            f"{per_cpu[name] / per_cpu[rival]:.2f}" if rival in per_cpu else "-"
            for rival in (OBVIOUS, QUIX)
        ]
        cells = [
            spread([run.events_per_s for run in runs]),
            spread([run.events_per_cpu_s for run in runs]),
            *ratios,
            f"{max(run.peak_mib for run in runs):,.0f}",
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def latency_table(
    measured: Mapping[str, Sequence[Sequence[Latency]]], paces: Sequence[Pace]
) -> str:
    """Return p50, p99 and max at each rate: medians over the rounds, the max over all of them."""
    heads = [f"{pace.events_per_s:,}/s: p50 | p99 | max" for pace in paces]
    lines = [
        f"| append → readable, ms | {' | '.join(heads)} |",
        "|---" * (1 + 3 * len(paces)) + "|",
    ]
    for name, rounds in measured.items():
        cells = []
        for number in range(len(paces)):
            runs = [found[number] for found in rounds]
            cells += [
                f"{median(run.p50_ms for run in runs):.1f}",
                spread([run.p99_ms for run in runs], 1),
                f"{max(run.max_ms for run in runs):.0f}",
            ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def spread(values: Sequence[float], decimals: int = 0) -> str:
    """Return the median and, of several values, the range.

    >>> spread([1.0, 5.0, 2.0])
    '2 (1 to 5)'
    """
    middle = f"{median(values):,.{decimals}f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):,.{decimals}f} to {max(values):,.{decimals}f})"
