"""Look for what keeps a worker from starting or harms it, and say how to mend it.

Owns: the options of the command, and printing its report.
Never: changes a topic, joins the group, or writes anything but its mark in the snapshot store.
Source: docs/doctor.md.
"""

from __future__ import annotations

import json

import click

from consumer.cli import GlobalOptions
from consumer.clock import SystemClock
from consumer.configuration import read_settings
from consumer.doctor.command_lines import CommandLines
from consumer.doctor.examination import Examination
from consumer.doctor.finding import as_json, exit_code, in_lines
from consumer.logs import configure_logs


@click.command("doctor")
@click.option("--json", "in_json", is_flag=True, help="The report as one JSON object.")
@click.pass_obj
def command(options: GlobalOptions, *, in_json: bool) -> int:
    """Look at brokers, topics, rights, events, campaigns, snapshots and this machine.

    Each failure comes with its remedy. Exit 1: something failed; 2: could not look at all of it.
    """
    configure_logs("error")
    settings = read_settings(options)
    lines = CommandLines(settings.kafka, config=options.config, campaigns=options.campaigns)
    findings = Examination(settings, lines, SystemClock()).run()
    if in_json:
        click.echo(json.dumps(as_json(findings), indent=2, ensure_ascii=False))
    else:
        for line in in_lines(findings):
            click.echo(line)
    return exit_code(findings)
