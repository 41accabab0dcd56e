"""`python -m bench.synthetic`: the product on streams whose truth is known, with bars to hold.

Owns: the sizes, the replays of all seeds, the bars and the table.
Never: learns or predicts anything itself: what is judged was served by a replay.
Source: bench/README.md, "Synthetic streams".
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import numpy as np

from bench import clickstream
from bench.datasets.event_log import encode_lines, ordered, write_lines
from bench.delayed_stream import CAMPAIGNS, LATE_DAYS, Stream, facts, make_stream
from bench.replays import replay
from bench.stream_measures import Late, late_verdict, read_answers
from schemas.campaign_file import parse_campaigns


@dataclass(frozen=True)
class Size:
    """How many seeds, and how much of each stream."""

    seeds: int
    days: int
    visits_per_day: int
    shoppers: int
    shopping_days: int


SIZE: Final = Size(seeds=5, days=90, visits_per_day=2_600, shoppers=600, shopping_days=28)
QUICK: Final = Size(seeds=1, days=64, visits_per_day=60, shoppers=40, shopping_days=10)
WORSE_MAX: Final = {"late-3d": 0.005, "late-14d": 0.015}
CATCH_UP_DAYS_MAX: Final = 3
CALIBRATION: Final = (0.95, 1.05)
SAMPLE_WORSE_MAX: Final = 0.01


@dataclass(frozen=True)
class Line:
    """A line of the table: what was asked, its bar, what each seed gave, and whether it holds."""

    asks: str
    bar: str
    measured: str
    holds: bool | None  # None where nothing was asked of it, or nothing could be measured.


def delayed(folder: Path, size: Size, seed: int, *, reuse: bool) -> dict[str, Late]:
    """Replay the drifting stream of a seed and judge what was served, by campaign."""
    stream = make_stream(seed, size.days, size.visits_per_day)
    out = folder / "replay"
    if not (reuse and (out / "examples.parquet").exists()):
        shutil.rmtree(folder, ignore_errors=True)
        write_lines(folder / "events.ndjson", encode_lines(ordered(facts(stream)), keyed=False))
        _replay(folder, CAMPAIGNS)
        (out / "scores.ndjson").unlink()  # Some 500 MB; each of them is an example as well.
    return _judged(out, stream)


def _judged(out: Path, stream: Stream) -> dict[str, Late]:
    answers = read_answers(out, stream)
    return {name: late_verdict(stream, answers, name) for name in LATE_DAYS}


def shopping(folder: Path, size: Size, seed: int, *, reuse: bool) -> clickstream.Sampled:
    """Replay the shoppers of a seed and judge all scores that were served."""
    out = folder / "replay"
    if not (reuse and (out / "scores.ndjson").exists()):
        shutil.rmtree(folder, ignore_errors=True)
        lines = clickstream.lines(seed, size.shoppers, size.shopping_days)
        write_lines(folder / "events.ndjson", lines)
        _replay(folder, clickstream.CAMPAIGNS)
    return clickstream.judged(out, size.shopping_days)


def _replay(folder: Path, campaigns: str) -> None:
    (folder / "campaigns.yaml").write_text(campaigns, encoding="utf-8")
    events, file = folder / "events.ndjson", folder / "campaigns.yaml"
    replay(events, file, folder / "replay", model_refresh="1h")


def late_lines(name: str, found: Sequence[Late]) -> Iterator[Line]:
    """Yield what is asked of one campaign with late answers, over all seeds."""
    days = LATE_DAYS[name]
    worse = [verdict.worse for verdict in found]
    bar = WORSE_MAX[name]
    yield Line(
        f"answers {days} days late: log-loss above that of instant answers",
        f"≤ {bar:.1%}",
        _spread(worse, "{:+.2%}"),
        float(np.mean(worse)) <= bar,
    )
    yield Line(
        "the same without a drift: rows before it",
        "–",
        _spread([verdict.worse_before_drift for verdict in found], "{:+.2%}"),
        None,
    )
    yield Line(
        "the same without the days on which no late label could tell of the drift",
        "–",
        _spread([verdict.worse_when_known for verdict in found], "{:+.2%}"),
        None,
    )
    yield Line(
        "on those days: log-loss above that of the truth itself",
        "–",
        _spread([verdict.drift_cost for verdict in found], "{:+.1%}"),
        None,
    )
    yield Line(
        "in all: log-loss of one who knows the truth but on those days, above who always does",
        "–",
        _spread([verdict.unavoidable for verdict in found], "{:+.2%}"),
        None,
    )
    behind = [float(verdict.days_behind) for verdict in found]
    yield Line(
        f"answers {days} days late: days after the drift's labels until within 1 % "
        "of a model refitted daily",
        f"≤ {CATCH_UP_DAYS_MAX}",
        _spread(behind, "{:.0f}"),
        max(behind) <= CATCH_UP_DAYS_MAX,
    )
    yield Line(
        "the same: log-loss in these days above the refitted model's, the worst day",
        "–",
        _spread([verdict.worst_day for verdict in found], "{:+.1%}"),
        None,
    )
    yield from calibration_lines(days, found)


def calibration_lines(days: int, found: Sequence[Late]) -> Iterator[Line]:
    """Yield what is asked of the sums that one campaign with late answers predicts."""
    ratios = np.concatenate([verdict.predicted_per_expected for verdict in found])
    counted = np.concatenate([verdict.predicted_per_actual for verdict in found])
    lucky = np.concatenate([verdict.truth_per_actual for verdict in found])
    yield Line(
        f"answers {days} days late: predicted/expected in any 7 days with ≥ 500 positives",
        f"{CALIBRATION[0]}–{CALIBRATION[1]}",
        _range(ratios),
        _within(ratios),
    )
    calm = np.concatenate([verdict.before_drift_per_expected for verdict in found])
    yield Line("the same without a drift: weeks before it", "–", _range(calm), None)
    alone = np.concatenate([verdict.rate_alone for verdict in found])
    yield Line(
        "the same of one who knows all effects, and the rate from all matured labels",
        "–",
        _range(alone),
        None,
    )
    yield Line(
        f"the same, predicted/actual (the truth itself: {_range(lucky)})",
        "–",
        _range(counted),
        None,
    )


def clickstream_lines(found: Sequence[clickstream.Sampled]) -> Iterator[Line]:
    """Yield what is asked of a campaign that learns one row per interval, over all seeds."""
    worse = [verdict.worse for verdict in found]
    yield Line(
        "clickstream, one example a day: log-loss on all served rows above learning every row",
        f"≤ {SAMPLE_WORSE_MAX:.0%}",
        _spread(worse, "{:+.2%}"),
        float(np.mean(worse)) <= SAMPLE_WORSE_MAX,
    )
    yield Line(
        "the same, predicted/actual on all served rows",
        "–",
        _spread([verdict.predicted_per_actual for verdict in found], "{:.3f}"),
        None,
    )


def report(folder: Path, size: Size, *, reuse: bool = False) -> str:
    """Replay all seeds and return the table as Markdown."""
    late, sampled = [], []
    for seed in range(1, size.seeds + 1):
        late.append(delayed(folder / f"delayed-{seed}", size, seed, reuse=reuse))
        sampled.append(shopping(folder / f"clickstream-{seed}", size, seed, reuse=reuse))
        click.echo(f"seed {seed} of {size.seeds} judged", err=True)
    lines = [
        line for name in LATE_DAYS for line in late_lines(name, [found[name] for found in late])
    ]
    return table([*lines, *clickstream_lines(sampled)], _learner(), size)


def _learner() -> str:
    return next(iter(parse_campaigns(CAMPAIGNS).campaigns.values())).learner


def table(lines: Sequence[Line], learner: str, size: Size) -> str:
    """Return the lines as Markdown; a bar that is missed says so."""
    words = {True: "yes", False: "**missed**", None: ""}
    rows = [
        f"| {line.asks} | {line.bar} | {line.measured} | {words[line.holds]} |" for line in lines
    ]
    head = [
        f"Learner: {learner}, the default. {size.seeds} seeds: mean and range, or range alone.",
        "",
        "| asked | bar | measured | holds |",
        "|---|---|---|---|",
    ]
    return "\n".join([*head, *rows])


def _spread(values: Sequence[float], form: str) -> str:
    middle, low, high = (form.format(float(f(values))) for f in (np.mean, min, max))
    return middle if len(values) == 1 else f"{middle} ({low} to {high})"


def _range(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> str:
    return f"{values.min():.3f} to {values.max():.3f}" if len(values) else "no such week"


def _within(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> bool | None:
    low, high = CALIBRATION
    return bool(((values >= low) & (values <= high)).all()) if len(values) else None


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default="out/synthetic")
@click.option("--reuse", is_flag=True, help="Judge the replays that are already in --out.")
@click.option("--quick", is_flag=True, help="One small seed: shows that it works, measures little.")
def main(out: Path, *, reuse: bool, quick: bool) -> None:
    """Replay synthetic streams and judge what was served beside the truth."""
    click.echo(report(out, QUICK if quick else SIZE, reuse=reuse))


if __name__ == "__main__":
    main()
