"""List what could not be read, show one letter whole, and send letters again.

Owns: the options and exit codes of these commands, and asking before much is sent.
Never: sends anything without having said what; changes a letter.
Source: the contract, "Dead letter" and "Commands".
"""

from __future__ import annotations

import heapq
import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from consumer.cli import EXIT_DONE, EXIT_FOUND, GlobalOptions
from consumer.configuration import read_settings
from consumer.errors import WorldError
from consumer.kafka import KafkaTransport
from consumer.letter_words import (
    Kind,
    as_json,
    kind_of,
    listing,
    safe,
    showing,
    summary,
    whole_as_json,
)
from consumer.letters import LetterId, LetterTopic, StoredLetter, Wanted
from consumer.redrive import TIMES_MAX, Going, Plan, Redrive
from schemas.settings import Settings
from schemas.times import parse_time

LIMIT = 50
AnyCommand = TypeVar("AnyCommand", bound=Callable[..., Any])


def _since_ms(_ctx: click.Context, _option: click.Parameter, value: str | None) -> int | None:
    """A time with an offset, as milliseconds since the epoch."""
    try:
        return None if value is None else parse_time(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}, such as 2026-11-23T00:00:00Z") from error


def _id(value: str) -> LetterId:
    found = LetterId.of(value)
    if found is None:
        raise click.BadParameter(f"{value!r} is no id such as 0:17, which `list` shows")
    return found


def _one_id(_ctx: click.Context, _argument: click.Parameter, value: str) -> LetterId:
    return _id(value)


def _ids(
    _ctx: click.Context, _argument: click.Parameter, values: tuple[str, ...]
) -> tuple[LetterId, ...]:
    return tuple(_id(value) for value in values)


def _filters(command: AnyCommand) -> AnyCommand:
    """The options that say which letters are meant."""
    options = (
        click.option("--reason", metavar="TEXT", help="Those whose reason holds this text."),
        click.option("--topic", metavar="NAME", help="Those that came from this topic."),
        click.option("--partition", type=click.IntRange(min=0), help="And from this partition."),
        click.option(
            "--since",
            "since_ms",
            metavar="TIME",
            callback=_since_ms,
            help="Those written since then.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group("dead-letters")
def command() -> None:
    """List what could not be read, show one letter, send letters again."""


@command.command("list")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=LIMIT, show_default=True,
    help="So many of the newest.",
)  # fmt: skip
@_filters
@click.option("--summary", "as_summary", is_flag=True, help="Count all by stage, field and reason.")
@click.option("--json", "in_json", is_flag=True, help="One JSON object a line.")
@click.pass_obj
def list_letters(
    options: GlobalOptions, /, *, limit: int, as_summary: bool, in_json: bool, **filters: Any
) -> None:
    """List letters, the newest last, with the reason why each was refused."""
    settings = read_settings(options)
    with _transport(settings) as transport:
        letters = LetterTopic(transport, settings.topics.dead_letters)
        found = letters.each(Wanted(**filters))
        if as_summary:
            _print_summary(Counter(kind_of(stored) for stored in found), in_json=in_json)
            return
        newest = heapq.nlargest(limit, found, key=_age)[::-1]
    if in_json:
        for stored in newest:
            click.echo(json.dumps(as_json(stored, letters.redriven)))
        return
    for line in listing(newest, letters.redriven, _width()):
        click.echo(line)


@command.command("show")
@click.argument("letter_id", metavar="ID", callback=_one_id)
@click.option("--json", "in_json", is_flag=True, help="One JSON object, bytes as base64.")
@click.option("--raw", is_flag=True, help="The bytes of the value, and nothing else.")
@click.pass_obj
def show(options: GlobalOptions, letter_id: LetterId, *, in_json: bool, raw: bool) -> None:
    """Show one letter whole: its headers, its key and its value.

    What is no text is shown in hexadecimal; what a terminal could obey is escaped.
    """
    if in_json and raw:
        raise click.UsageError("--json and --raw exclude each other: say one of them")
    settings = read_settings(options)
    with _transport(settings) as transport:
        stored = LetterTopic(transport, settings.topics.dead_letters).one(letter_id)
    if raw:
        sys.stdout.buffer.write(stored.value or b"")
        sys.stdout.buffer.flush()
    elif in_json:
        click.echo(json.dumps(whole_as_json(stored)))
    else:
        for line in showing(stored):
            click.echo(line)


@command.command("redrive")
@click.argument("letter_ids", metavar="[ID]...", nargs=-1, callback=_ids)
@click.option("--all", "everything", is_flag=True, help="All that were not sent again before.")
@_filters
@click.option(
    "--times-max", type=click.IntRange(1, 1_000), default=TIMES_MAX, show_default=True,
    help="A record that was sent again so often is refused.",
)  # fmt: skip
@click.option("--again", is_flag=True, help="Also letters that were sent again before.")
@click.option("--dry-run", is_flag=True, help="Say what would be sent, and send nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def redrive(
    options: GlobalOptions,
    /,
    letter_ids: tuple[LetterId, ...],
    *,
    everything: bool,
    times_max: int,
    again: bool,
    dry_run: bool,
    yes: bool,
    **filters: Any,
) -> int:
    """Send letters again to the topic and partition that they came from.

    Key, value and the sender's headers are as they were. Exit 1 if a letter was refused.
    """
    wanted = _wanted(letter_ids, filters, everything=everything)
    settings = read_settings(options)
    with _transport(settings) as transport:
        work = Redrive(transport, settings.topics, times_max=times_max, again=again)
        plan = work.plan(wanted)
        _say_refused(plan)
        if dry_run:
            for going in plan.going:
                _say("would redrive", going)
            vanished = 0
        else:
            vanished = _send(work, plan, yes=yes)
    return EXIT_FOUND if plan.refused or vanished else EXIT_DONE


def _send(work: Redrive, plan: Plan, *, yes: bool) -> int:
    """Send what was agreed to; give how many letters had vanished by then."""
    if not plan.going:
        return 0
    if not (yes or _agreed(plan)):
        click.echo("Nothing was sent.", err=True)
        return 0
    vanished = len(plan.going) - work.send(plan, lambda going: _say("redriven", going))
    if vanished:
        click.echo(f"{_count(vanished, 'letter')} no longer kept: not sent", err=True)
    return vanished


def _wanted(
    letter_ids: tuple[LetterId, ...], filters: dict[str, Any], *, everything: bool
) -> Wanted:
    filtered = any(value is not None for value in filters.values())
    if letter_ids and (everything or filtered):
        raise click.UsageError("Name letters by their ids, or by --all and filters, not both")
    if not (letter_ids or everything or filtered):
        raise click.UsageError("Say which: ids, --all, or a filter such as --reason")
    return Wanted(ids=frozenset(letter_ids) if letter_ids else None, **filters)


def _agreed(plan: Plan) -> bool:
    """Ask before more than one letter is sent; where nobody can be asked, `--yes` is needed."""
    count = len(plan.going)
    if count == 1:
        return True
    if not sys.stdin.isatty():
        raise WorldError(
            f"{count} letters would be sent, and there is no terminal to ask in",
            "Look with `--dry-run`, and say `--yes`",
        )
    places = Counter(str(going.to) for going in plan.going)
    for name, number in sorted(places.items()):
        click.echo(f"{number} to {name}", err=True)
    return click.confirm(f"Send {count} letters again?", err=True)


def _say(verb: str, going: Going) -> None:
    click.echo(f"{verb} {going.id} to {going.to}, for the {_ordinal(going.times)} time")


def _say_refused(plan: Plan) -> None:
    for refused in plan.refused:
        click.echo(f"refused {refused.id}: {safe(refused.why)}.", err=True)
    if plan.before:
        click.echo(f"{_count(plan.before, 'letter')} redriven before: left out", err=True)
    if plan.foreign:
        click.echo(f"{_count(plan.foreign, 'record')} that are no letters: left out", err=True)
    if not plan.going and not plan.refused:
        click.echo("There is nothing to redrive.", err=True)


def _print_summary(counts: Counter[Kind], *, in_json: bool) -> None:
    if not in_json:
        for line in summary(counts):
            click.echo(line)
        return
    for kind, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        click.echo(json.dumps({"count": count, **kind._asdict()}))


def _age(stored: StoredLetter) -> tuple[int, LetterId]:
    return stored.at_ms, stored.id


def _width() -> int | None:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number % 100 in {11, 12, 13} else ending}"


@contextmanager
def _transport(settings: Settings) -> Iterator[KafkaTransport]:
    transport = KafkaTransport(
        settings.kafka, group=settings.group, instance=f"{settings.instance}-letters"
    )
    try:
        yield transport
    finally:
        transport.close()
