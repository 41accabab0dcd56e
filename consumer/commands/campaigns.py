"""List what was learned for each campaign, and remove what nobody asks for any more.

Owns: the options and exit codes of these commands, and what is refused without `--force`.
Never: changes a campaign file.
Source: the contract, "Commands".
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from consumer.campaign_topics import Held, KnownLearner, known_learners, remove
from consumer.cli import EXIT_DONE, EXIT_FOUND, GlobalOptions
from consumer.configuration import read_campaigns, read_settings
from consumer.errors import WorldError
from consumer.kafka import KafkaTransport
from consumer.letter_words import safe, time_text
from consumer.warm_start import held_state, learn, publish
from consumer.warm_start import rows_of as warm_start_rows
from consumer.warm_up import plan_of
from schemas.campaign_file import CampaignFile
from schemas.settings import Settings

WINDOWS = ("7d", "28d", "1d")
SAME, OTHER, ABSENT, NO_FILE = "same lineage", "another lineage", "not in the file", "no file"
COLUMNS = (
    *("CAMPAIGN", "LEARNER", "LINEAGE", "VERSION", "STATUS", "LOG-LOSS", "AUC", "FILE"),
    "NEWEST",
)


@click.group("campaigns")
def command() -> None:
    """List what was learned for each campaign, remove what is asked no more."""


@command.command("list")
@click.option("--json", "in_json", is_flag=True, help="One JSON object a line.")
@click.pass_obj
def list_campaigns(options: GlobalOptions, /, *, in_json: bool) -> None:
    """List the campaigns and learners that the topics of models and states know.

    Each is compared with the campaign file; absence from it deletes nothing.
    """
    settings = read_settings(options)
    file = None
    if options.campaigns is not None or settings.campaigns.exists():
        file = read_campaigns(settings)
    with _transport(settings) as transport:
        known = known_learners(transport, settings.topics)
    if in_json:
        for each in known:
            click.echo(json.dumps(_as_json(each, file)))
        return
    rows = [COLUMNS, *(_row(each, file) for each in known)]
    sizes = [max(len(row[place]) for row in rows) for place in range(len(COLUMNS))]
    for row in rows:
        cells = [cell.ljust(size) for cell, size in zip(row, sizes, strict=True)]
        click.echo("  ".join(cells).rstrip())


@command.command("remove")
@click.argument("name", metavar="CAMPAIGN")
@click.option("--learner", metavar="NAME", help="Only what this learner of it has learned.")
@click.option("--force", is_flag=True, help="Even if the campaign is in the campaign file.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove_campaign(
    options: GlobalOptions, /, name: str, *, learner: str | None, force: bool, yes: bool
) -> int:
    """Remove what was learned for a CAMPAIGN; if it comes back, it begins from nothing.

    Stop the workers that still have it, or they publish it again.
    """
    settings = read_settings(options)
    if not force and name in _file_in_use(settings).campaigns:
        click.echo(
            f"{safe(name)} is in {settings.campaigns}: a worker that has it would publish it "
            "again. Take it out of the file and restart the workers, or say --force.",
            err=True,
        )
        return EXIT_FOUND
    with _transport(settings) as transport:
        known = known_learners(transport, settings.topics)
        found = [
            each for each in known if each.campaign == name and learner in {None, each.learner}
        ]
        if not found:
            click.echo(_nothing(name, learner, known, settings), err=True)
            return EXIT_FOUND
        records = [held for each in found for held in each.records]
        for held in records:
            click.echo(_described(held), err=True)
        if not (yes or _agreed(name)):
            click.echo("Nothing was removed.", err=True)
            return EXIT_DONE
        remove(transport, settings.topics, records, whole=learner is None)
    for held in records:
        click.echo(f"removed {safe(held.key.decode('utf-8', 'replace'))} from {held.partition}")
    return EXIT_DONE


@command.command("warm-start")
@click.argument("name", metavar="CAMPAIGN")
@click.option(
    "--examples",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    required=True,
    help="The examples.parquet of a replay.",
)
@click.option("--rows-of", metavar="CAMPAIGN", help="Learn the rows of another campaign in it.")
@click.pass_obj
def warm_start(options: GlobalOptions, /, name: str, *, examples: Path, rows_of: str | None) -> int:
    """Let a new CAMPAIGN begin with what a replay has learned, before workers have it.

    Publishes a learner state and a model, from which workers go on.
    """
    settings = read_settings(options)
    file = read_campaigns(settings)
    if name not in file.campaigns:
        names = ", ".join(file.campaigns)
        click.echo(f"{safe(name)} is not in {settings.campaigns}; it has {names}.", err=True)
        return EXIT_FOUND
    plan = plan_of(file, settings)
    with _transport(settings) as transport:
        before = held_state(transport, settings.topics, name)
        rows = warm_start_rows(examples, plan, name, rows_of or name)
        learned = learn(plan, name, rows, before)
        publish(transport, settings.topics, learned)
    click.echo(
        f"{name} begins with {learned.rows} rows, of which {learned.converted} converted; "
        f"it is {learned.record.status}. Workers that start from now on go on from there."
    )
    return EXIT_DONE


def _file_in_use(settings: Settings) -> CampaignFile:
    if not settings.campaigns.exists():
        raise WorldError(
            f"There is no campaign file {settings.campaigns} that says what workers still have",
            "Name it with `propensity --campaigns FILE campaigns remove`, or say `--force`",
        )
    return read_campaigns(settings)


def _agreed(name: str) -> bool:
    if not sys.stdin.isatty():
        raise WorldError(
            f"What was learned for {safe(name)} would be lost, and there is no terminal to ask in",
            "Look with `propensity campaigns list`, and say `--yes`",
        )
    return click.confirm(f"Remove what was learned for {safe(name)}?", err=True)


def _nothing(name: str, learner: str | None, known: list[KnownLearner], settings: Settings) -> str:
    what = f"campaign {name!r}" if learner is None else f"learner {learner!r} of campaign {name!r}"
    names = sorted({safe(each.campaign) for each in known})
    there = f"they know {', '.join(names)}" if names else "they know no campaign"
    topics = settings.topics
    return f"{topics.models} and {topics.states} hold nothing of {what}; {there}."


def _described(held: Held) -> str:
    rows = "unreadable" if held.version is None else f"{held.version} rows learned"
    key = safe(held.key.decode("utf-8", "replace"))
    return f"{held.partition} {key}: lineage {safe(held.lineage)}, {rows}"


def _in_file(each: KnownLearner, file: CampaignFile | None) -> str:
    if file is None:
        return NO_FILE
    campaign = file.campaigns.get(each.campaign)
    if campaign is None:
        return ABSENT
    return SAME if campaign.lineage == each.newest.lineage else OTHER


def _row(each: KnownLearner, file: CampaignFile | None) -> tuple[str, ...]:
    newest, model = each.newest, each.model
    quality = {} if model is None else model.quality
    return (
        safe(each.campaign),
        safe(each.learner),
        safe(newest.lineage),
        "-" if newest.version is None else str(newest.version),
        _status(each),
        _figure(quality, "log_loss"),
        _figure(quality, "auc"),
        _in_file(each, file),
        time_text(newest.at_ms) or "-",
    )


def _status(each: KnownLearner) -> str:
    if not all(held.readable for held in each.records):
        return "unreadable"
    if each.model is None:
        return "no model"
    return safe(each.model.status or "-")


def _figure(quality: Mapping[str, float | None], name: str) -> str:
    """The figure of a week, or of another window if there is none."""
    for window in WINDOWS:
        figure = quality.get(f"{name}_{window}")
        if figure is not None:
            return f"{figure:.4f} ({window})"
    return "-"


def _as_json(each: KnownLearner, file: CampaignFile | None) -> dict[str, object]:
    newest, model, state = each.newest, each.model, each.state
    return {
        "campaign": each.campaign,
        "learner": each.learner,
        "lineage": newest.lineage,
        "version": newest.version,
        "status": None if model is None else model.status,
        "readable": all(held.readable for held in each.records),
        "file": _in_file(each, file),
        "newest": time_text(newest.at_ms),
        "model": None if model is None else {**_record(model), "quality": dict(model.quality)},
        "state": None if state is None else _record(state),
    }


def _record(held: Held) -> dict[str, object]:
    return {
        "topic": held.partition.topic,
        "partition": held.partition.index,
        "lineage": held.lineage,
        "version": held.version,
        "timestamp": time_text(held.at_ms),
    }


@contextmanager
def _transport(settings: Settings) -> Iterator[KafkaTransport]:
    transport = KafkaTransport(
        settings.kafka, group=settings.group, instance=f"{settings.instance}-campaigns"
    )
    try:
        yield transport
    finally:
        transport.close()
