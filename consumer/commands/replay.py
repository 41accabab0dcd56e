"""Run the worker's loop over recorded events, without a broker.

Owns: the arguments of a replay and its progress bar.
Never: what happens to an event.
Source: README.md, "Ask your own events".
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)

from consumer.cli import EXIT_DONE, GlobalOptions
from consumer.clock import SystemClock
from consumer.configuration import read_campaigns, read_settings
from consumer.errors import WorldError
from consumer.event_files import EventFile, read_event_files
from consumer.logs import configure_logs
from consumer.replay import Progress as Tell
from consumer.replay import Replay
from consumer.replay_files import ReplayFiles
from consumer.warm_up import compile_kernels, plan_of
from schemas.times import format_time


@click.command("replay")
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--campaigns", type=click.Path(path_type=Path), help="The campaign file.")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder for scores, dead letters, examples and quality; files in it are replaced.",
)
@click.option("--batch-max", type=click.IntRange(1, 100_000), help="Events per batch at most.")
@click.pass_obj
def command(
    options: GlobalOptions,
    sources: tuple[Path, ...],
    campaigns: Path | None,
    out: Path,
    batch_max: int | None,
) -> int:
    """Score and learn the events of files (NDJSON, CSV, Parquet) as if they came now.

    The same input and campaign file give the same bytes, whatever the batch size.
    """
    configure_logs("warning")
    flags: dict[str, object] = {}
    if batch_max is not None:
        flags["limits"] = {"batch_max": batch_max}
    settings = read_settings(
        options if campaigns is None else GlobalOptions(options.config, campaigns), flags
    )
    file = read_campaigns(settings)
    plan = plan_of(file, settings)
    events = read_event_files(sources, file.input)
    if len(events) == 0:
        raise WorldError("The files hold no events", "Name files with one event a line or row")
    compile_kernels(plan)
    with ReplayFiles(out) as files, _progress(events) as tell:
        Replay(events, files, plan, settings, SystemClock()).run(tell)
    click.echo(f"{len(events)} events replayed into {out}", err=True)
    return EXIT_DONE


@contextmanager
def _progress(events: EventFile) -> Iterator[Tell | None]:
    """A bar with rate, event time and time left; nothing where stderr is not a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (
        SpinnerColumn(),
        MofNCompleteColumn(),
        BarColumn(),
        TextColumn("{task.fields[rate]} events/s · {task.fields[at]} ·"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("replay", total=len(events), rate="", at="")

        def tell(done: int, at_ms: int) -> None:
            speed = bar.tasks[0].speed
            rate = f"{speed:,.0f}" if speed else "…"
            bar.update(task, completed=done, rate=rate, at=format_time(at_ms)[:10])

        yield tell
