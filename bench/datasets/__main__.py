"""`python -m bench.datasets NAME`: a public data set as an event log and a campaign file.

Owns: the command's flags, the folder it writes, and what it prints.
Never: knows a data set's columns.
Source: the modules `completejourney` and `cdnow` beside this one.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import click

from bench.datasets import cdnow, completejourney
from bench.datasets.event_log import Fact, describe, encode_lines, write_lines
from bench.datasets.package_files import DatasetMissingError


class Dataset(NamedTuple):
    """Where a data set's events come from, and the campaigns asked of them."""

    events: Callable[[int | None], list[Fact]]
    campaign_file: Path


DATASETS = {
    "completejourney": Dataset(completejourney.events, completejourney.CAMPAIGN_FILE),
    "cdnow": Dataset(cdnow.events, cdnow.CAMPAIGN_FILE),
}


def write_dataset(
    name: str,
    out: Path,
    *,
    households: int | None = None,
    compressed: bool = False,
    keyed: bool = False,
) -> tuple[Path, Path]:
    """Write a data set's events and campaign file into `out`; return both paths."""
    dataset = DATASETS[name]
    facts = dataset.events(households)
    events = out / ("events.ndjson.zst" if compressed else "events.ndjson")
    write_lines(events, encode_lines(facts, keyed=False))
    if keyed:
        write_lines(out / "events.keyed", encode_lines(facts, keyed=True))
    campaigns = out / "campaigns.yaml"
    shutil.copyfile(dataset.campaign_file, campaigns)
    for event_type, count in describe(facts).items():
        click.echo(f"{count:>9,} {event_type}")
    click.echo(f"{len(facts):>9,} events in {events}, campaigns in {campaigns}")
    return events, campaigns


@click.command()
@click.argument("name", type=click.Choice(sorted(DATASETS)))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="[out/NAME]")
@click.option("--households", type=click.IntRange(min=1), help="Only so many customers.")
@click.option("--zst", "compressed", is_flag=True, help="Write events.ndjson.zst.")
@click.option("--keyed", is_flag=True, help="Also write events.keyed: key, tab, event (kcat -K).")
def main(
    name: str, out: Path | None, households: int | None, *, compressed: bool, keyed: bool
) -> None:
    """Turn the public data set NAME into events.ndjson and campaigns.yaml."""
    try:
        write_dataset(
            name,
            out or Path("out") / name,
            households=households,
            compressed=compressed,
            keyed=keyed,
        )
    except DatasetMissingError as error:
        click.echo(f"{error}.", err=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
