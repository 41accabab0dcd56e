"""Validate a campaign file, and warn of what will disappoint.

Owns: how problems and warnings are printed; the exit code 1 when there are problems.
Never: connects to anything.
Source: the contract, "Campaign file" and "Commands".
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from consumer.cli import EXIT_DONE, EXIT_FOUND, GlobalOptions
from consumer.configuration import read_settings
from consumer.errors import WorldError
from consumer.event_files import read_event_files
from schemas.campaign import CampaignFile
from schemas.campaign_file import load_campaigns
from schemas.campaign_warnings import Disappointment, SeenEvents, warnings_of
from schemas.errors import CampaignFileError, InvalidRecord
from schemas.event import EventDecoder, bounded_properties


@click.command("check")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--events",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Recorded events (as for replay): warns of types and properties never seen there.",
)
@click.option("--json", "as_json", is_flag=True, help="The result as one JSON object.")
@click.pass_obj
def command(
    options: GlobalOptions, file: Path | None, events: tuple[Path, ...], *, as_json: bool
) -> int:
    """Validate a campaign FILE; without one, the file that the settings name.

    Every mistake is one line: file, line, key, what was found, what is allowed.
    """
    path = read_settings(options).campaigns if file is None else file
    if not path.is_file():
        raise WorldError(f"There is no file {path}", "Name a campaign file")
    try:
        campaigns = load_campaigns(path)
    except CampaignFileError as error:
        if as_json:
            problems = [asdict(problem) for problem in error.problems]
            _print_json({"file": str(path), "valid": False, "problems": problems, "warnings": []})
        else:
            click.echo(str(error))
        return EXIT_FOUND
    seen = _seen(events, campaigns) if events else None
    warnings = warnings_of(campaigns, seen)
    if as_json:
        _print_json(_result(path, campaigns, warnings))
    else:
        for warning in warnings:
            click.echo(f"{path}: warning: {warning}")
        click.echo(f"{path}: valid: {_count(len(campaigns.campaigns), 'campaign')}")
        for campaign in campaigns.campaigns.values():
            click.echo(f"  {campaign.name}: {campaign.learner}, lineage {campaign.lineage}")
    return EXIT_DONE


def _result(
    path: Path, campaigns: CampaignFile, warnings: list[Disappointment]
) -> dict[str, object]:
    return {
        "file": str(path),
        "valid": True,
        "problems": [],
        "warnings": [asdict(warning) for warning in warnings],
        "digest": campaigns.digest,
        "lineages": {name: campaign.lineage for name, campaign in campaigns.campaigns.items()},
    }


def _seen(paths: tuple[Path, ...], campaigns: CampaignFile) -> SeenEvents:
    """The types and properties of the events in the files; unreadable records are left out."""
    seen = SeenEvents()
    decode = EventDecoder(campaigns.input).decode
    for value in read_event_files(paths, campaigns.input).values:
        try:
            event = decode(value)
        except InvalidRecord:
            continue
        seen.add(event.type, bounded_properties(event.properties)[0])
    return seen


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _print_json(result: dict[str, object]) -> None:
    click.echo(json.dumps(result, indent=2, ensure_ascii=False))
