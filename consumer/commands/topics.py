"""Create the topics that the worker needs.

Owns: what is printed of each topic; a difference is a warning, for it may be meant.
Never: changes or deletes a topic that exists.
Source: the contract, "Commands".
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import click

from consumer.cli import GlobalOptions
from consumer.configuration import read_settings
from consumer.kafka import KafkaTransport
from consumer.topics import EVENTS_PARTITIONS, REPLICATION, TopicOutcome, topic_specs
from consumer.transport import MissingTopicError


@click.group("topics")
def command() -> None:
    """Create the topics that the worker needs."""


@command.command("create")
@click.option("--dry-run", is_flag=True, help="Say what would be created, and create nothing.")
@click.option(
    "--partitions",
    type=click.IntRange(1, 10_000),
    help="Partitions of the events topic if it is missing, and of the scores; "
    f"default: {EVENTS_PARTITIONS}, or as many as the events topic has.",
)
@click.option(
    "--replication",
    type=click.IntRange(1, 10),
    default=REPLICATION,
    show_default=True,
    help="Copies of each topic; fewer where there are fewer brokers.",
)
@click.option("--json", "as_json", is_flag=True, help="The result as one JSON object.")
@click.pass_obj
def create(
    options: GlobalOptions,
    *,
    dry_run: bool,
    partitions: int | None,
    replication: int,
    as_json: bool,
) -> None:
    """Create what is missing; say what exists, and how it differs.

    Scores go to the partition number of their event, so both topics have equally many.
    """
    settings = read_settings(options)
    transport = KafkaTransport(
        settings.kafka, group=settings.group, instance=f"{settings.instance}-topics"
    )
    try:
        there = _events_partitions(transport, settings.topics.events)
        wanted = partitions or there or EVENTS_PARTITIONS
        specs = topic_specs(settings, events_partitions=there or wanted, replication=replication)
        # Where the events topic exists, the scores follow it and not the option.
        specs[0] = replace(specs[0], partitions=wanted)
        outcomes = transport.create_topics(specs, dry_run=dry_run)
    finally:
        transport.close()
    if as_json:
        click.echo(json.dumps({"topics": [asdict(outcome) for outcome in outcomes]}))
        return
    for outcome in outcomes:
        _print(outcome)


def _events_partitions(transport: KafkaTransport, topic: str) -> int | None:
    try:
        return transport.partition_count(topic)
    except MissingTopicError:
        return None


def _print(outcome: TopicOutcome) -> None:
    partitions = "1 partition" if outcome.partitions == 1 else f"{outcome.partitions} partitions"
    copies = "1 copy" if outcome.replication == 1 else f"{outcome.replication} copies"
    config = "".join(f", {key}={value}" for key, value in outcome.config.items())
    click.echo(f"{outcome.action:<12}  {outcome.name}: {partitions}, {copies}{config}")
    for difference in outcome.differences:
        click.echo(f"warning: {outcome.name} {difference}", err=True)
