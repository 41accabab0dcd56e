"""Shoppers, a broker inside the process and the worker; nothing to install.

Owns: the options of the demo, and how it begins and ends.
Never: the shoppers, the worker or the screen.
Source: README.md, "See it".
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import click
from rich.console import Console
from rich.live import Live

from consumer.cli import EXIT_DONE
from consumer.clock import SystemClock
from consumer.commands.run import StopFlag
from consumer.demo import Demo, Seen, demo_settings, surroundings
from consumer.demo_screen import NEXT, plain_lines, screen
from consumer.errors import WorldError
from consumer.http import HttpServer
from consumer.kafka import MockCluster
from consumer.logs import configure_logs
from consumer.shoppers import DEMO_CAMPAIGNS
from consumer.warm_up import compile_kernels, plan_of
from consumer.worker import Surroundings
from schemas.campaign_file import parse_campaigns

LISTEN = "127.0.0.1:8080"
ANY_PORT = "127.0.0.1:0"
SECONDS_IN_A_PIPE = 30.0
LINES_EVERY_S = 2.0
SCREEN_EVERY_S = 0.5


@click.command("demo")
@click.option("--seconds", type=click.FloatRange(min=0), help="How long; 0 is until Ctrl-C.")
@click.option("--seed", default=7, show_default=True, help="Another seed, other shoppers.")
@click.option(
    "--days-per-second",
    default=0.5,
    show_default=True,
    type=click.FloatRange(0.01, 5.0),
    help="Simulated days in a second.",
)
def command(seconds: float | None, seed: int, days_per_second: float) -> int:
    """Watch invented shoppers being scored while models learn from what they do."""
    live = sys.stdout.isatty()
    configure_logs("warning")
    stop = StopFlag()
    click.echo("Preparing: the first time, compiling for this machine takes about half a minute.")
    clock = SystemClock()
    with MockCluster() as cluster:
        settings = demo_settings(cluster.bootstrap, LISTEN)
        plan = plan_of(parse_campaigns(DEMO_CAMPAIGNS, "demo"), settings)
        compile_kernels(plan)
        around = surroundings(settings, plan, clock)
        server = _serve(around)
        page = "http://{}:{}".format(*server.address)
        demo = Demo(cluster, around, seed=seed, days_per_s=days_per_second)
        stop.patient = True
        try:
            demo.start()
            limit_s = seconds if seconds is not None else 0.0 if live else SECONDS_IN_A_PIPE
            ended = _ends(stop, limit_s)
            if live:
                _show_live(demo, page, ended)
            else:
                _show_lines(demo, ended)
        finally:
            demo.stop()
            server.close()
    click.echo(f"\n{NEXT}")
    return EXIT_DONE


def _serve(around: Surroundings) -> HttpServer:
    try:
        return HttpServer(LISTEN, around.telemetry, around.health)
    except WorldError:  # Somebody else is there: a demo takes any port.
        return HttpServer(ANY_PORT, around.telemetry, around.health)


def _ends(stop: StopFlag, limit_s: float) -> Callable[[Seen], bool]:
    return lambda seen: stop.asked or 0.0 < limit_s <= seen.elapsed_s


def _show_live(demo: Demo, page: str, ended: Callable[[Seen], bool]) -> None:
    clock = SystemClock()
    with Live(console=Console(), auto_refresh=False, screen=False) as view:
        due_s = clock.monotonic_s()
        while not ended(demo.seen):
            demo.turn()
            if clock.monotonic_s() >= due_s:
                due_s += SCREEN_EVERY_S
                view.update(screen(demo.look(), page), refresh=True)


def _show_lines(demo: Demo, ended: Callable[[Seen], bool]) -> None:
    clock = SystemClock()
    due_s = clock.monotonic_s() + LINES_EVERY_S
    while not ended(demo.seen):
        demo.turn()
        if clock.monotonic_s() >= due_s:
            due_s += LINES_EVERY_S
            click.echo("\n".join(plain_lines(demo.look())))
    click.echo("\n".join(plain_lines(demo.look())))
