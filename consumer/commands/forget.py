"""Erase a customer, by a control fact in the log.

Owns: the options of the command, and which control facts are sent.
Never: erases anything; the workers do, at the offset of the fact.
Source: docs/contract.md, "Control facts".
"""

from __future__ import annotations

import json
from contextlib import closing

import click

from consumer.cli import GlobalOptions
from consumer.clock import SystemClock
from consumer.configuration import read_campaigns, read_settings
from consumer.control_sender import send_control
from consumer.kafka import KafkaTransport
from consumer.letter_words import safe
from schemas.control import FORGET, SUPPRESS
from schemas.event import CUSTOMER_ID_CHARACTERS_MAX


def _customer(_ctx: click.Context, _option: click.Parameter, value: str) -> str:
    if not 1 <= len(value) <= CUSTOMER_ID_CHARACTERS_MAX:
        message = f"{len(value)} characters; an id has 1 to {CUSTOMER_ID_CHARACTERS_MAX}"
        raise click.BadParameter(message)
    return value


@click.command("forget")
@click.option(
    "--customer", metavar="ID", required=True, callback=_customer, help="The customer's id."
)
@click.option(
    "--suppress", is_flag=True, help="And suppress them: who comes back is not scored either."
)
@click.option("--json", "in_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def command(options: GlobalOptions, customer: str, *, suppress: bool, in_json: bool) -> None:
    """Erase a customer: profile, open examples, triggers, and the name.

    The facts go to every partition of the events, since nobody can tell how senders partition. They
    hold from their offsets on; what was learned is not undone. Snapshots of before are gone two
    snapshots later.
    """
    settings = read_settings(options)
    mapping, types = read_campaigns(settings).input, [FORGET, *[SUPPRESS] * suppress]
    instance = f"{settings.instance}-forget"
    transport = KafkaTransport(settings.kafka, group=settings.group, instance=instance)
    with closing(transport):
        sent = send_control(
            transport, settings.topics.events, customer, types, mapping, SystemClock().now_ms()
        )
    if in_json:
        click.echo(json.dumps(sent._asdict()))
        return
    many = "" if sent.partitions == 1 else "s"
    click.echo(
        f"{safe(customer)}: {' and '.join(types)} sent to {sent.partitions} partition{many} of "
        f"{sent.topic}"
    )
