"""Watch invented shoppers being scored while models learn, with a broker inside the process.

Owns: the demo's settings, the order of starting and stopping, and what is said around it.
Never: needs a Kafka, a file or a network beyond this machine.
Source: README.md, "See it".
"""

from __future__ import annotations

import gc
from contextlib import ExitStack
from typing import Final

import click
from rich.console import Console

from consumer.cli import EXIT_DONE, GlobalOptions
from consumer.clock import Clock, SystemClock
from consumer.commands.run import StopFlag
from consumer.configuration import read_campaigns, read_settings
from consumer.demo import Demo, View
from consumer.demo_screen import Display, display
from consumer.errors import WorldError
from consumer.health import Health
from consumer.http import HttpServer
from consumer.kafka import KafkaTransport, MockCluster
from consumer.kafka.version import librdkafka_version
from consumer.logs import configure_logs
from consumer.shoppers import DEMO_CAMPAIGNS
from consumer.surroundings import Surroundings
from consumer.telemetry import Telemetry
from consumer.topics import topic_specs
from consumer.transport import TopicIdentity
from consumer.warm_up import compile_kernels, plan_of
from consumer.worker import Worker
from consumer.worker_view import view_of
from models.compiled import is_cached
from schemas.campaign_file import CampaignFile, parse_campaigns
from schemas.settings import Http, Settings, Times

DAYS_PER_S: Final = 0.75
SECONDS_UNSEEN: Final = 30.0  # Where nobody sees it, it ends by itself.
LEARNER_INTERVAL_MS: Final = 1_000
# A laptop that was closed for a while goes on where it was.
PATIENCE_MS: Final = 1_800_000
# The broker inside lets a fetch that finds nothing wait so long, whatever comes meanwhile.
FETCH_WAIT_MS: Final = 5


@click.command("demo")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.0),
    help="End after so long; 0: with Ctrl-C. Default: 0 in a terminal, else 30.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Other shoppers.")
@click.option(
    "--speed",
    type=click.FloatRange(min=0.001, max=100.0),
    default=DAYS_PER_S,
    show_default=True,
    help="Days of the shoppers' time per second; a day has about 7,000 events.",
)
@click.pass_obj
def command(options: GlobalOptions, seconds: float | None, seed: int, speed: float) -> int:
    """Watch shoppers being scored while models learn; needs no Kafka and no file.

    A broker inside this process, a stream of invented shoppers, and the same worker as in
    `propensity run`. `--campaigns` asks these shoppers something else.
    """
    configure_logs("warning")
    stop = StopFlag()
    clock = SystemClock()
    console = Console(highlight=False)
    if seconds is None:
        seconds = 0.0 if console.is_terminal else SECONDS_UNSEEN
    given = read_settings(options)
    file = _campaigns(options)
    begun_s = clock.monotonic_s()
    with ExitStack() as stack:
        cluster = stack.enter_context(MockCluster())
        settings = _settings(given, cluster)
        for spec in topic_specs(settings, events_partitions=cluster.PARTITIONS):
            cluster.create_topic(spec.name)
        plan = plan_of(file, settings)
        telemetry, health = Telemetry(clock, librdkafka_version()), Health(clock)
        server = _listen(settings.http, telemetry, health)
        stack.callback(server.close)
        where = "http://{}:{}".format(*server.address)
        _say_start(where)
        compile_kernels(plan)
        outside = KafkaTransport(settings.kafka, group="demo-shop", instance="shop")
        stack.callback(outside.close)
        transport = OnMockCluster(settings.kafka, group=settings.group, instance="demo")
        around = Surroundings(settings, plan, clock, telemetry, health)
        worker = Worker(transport, around)
        server.show(view_of(worker, around))
        end = worker.abandon
        try:
            worker.start()
            demo = Demo(
                worker, outside, settings, plan, telemetry, clock, seed=seed, days_per_s=speed
            )
            gc.collect()
            gc.freeze()
            stop.patient = True
            with display(console, f"the page: {where}") as shown:
                _watch(demo, shown, stop, clock, seconds)
            last = demo.view()
            end = worker.stop
        finally:
            end()
        first_s = None if demo.first_score_s is None else demo.first_score_s - begun_s
        _say_end(last, first_s, where)
    return EXIT_DONE


class OnMockCluster(KafkaTransport):
    """The mock cluster does not answer who a topic is; it lasts no longer than we do."""

    def topic_identity(self, topic: str) -> TopicIdentity:
        """Nobody knows its id."""
        return TopicIdentity(topic, partitions=self.partition_count(topic))


def _watch(demo: Demo, shown: Display, stop: StopFlag, clock: Clock, seconds: float) -> None:
    """Turn until asked to stop, or until the time is over."""
    begun_s = clock.monotonic_s()
    show_at_s = begun_s
    while not stop.asked:
        demo.turn()
        now_s = clock.monotonic_s()
        if now_s >= show_at_s:
            show_at_s = now_s + shown.every_s
            shown.show(demo.view())
        if seconds and now_s >= begun_s + seconds:
            break
    shown.show(demo.view())


def _campaigns(options: GlobalOptions) -> CampaignFile:
    """The demo's own questions, unless somebody brings others."""
    if options.campaigns is None:
        return parse_campaigns(DEMO_CAMPAIGNS)
    return read_campaigns(read_settings(options))


def _settings(given: Settings, cluster: MockCluster) -> Settings:
    """The defaults, whatever a file or the environment say of a real Kafka; only `http` counts."""
    return Settings.model_construct(
        kafka={
            "bootstrap.servers": cluster.bootstrap,
            "session.timeout.ms": PATIENCE_MS,
            "max.poll.interval.ms": PATIENCE_MS,
            "fetch.wait.max.ms": FETCH_WAIT_MS,
            # It looks for an offset from the first batch it keeps: fewer and larger ones, please.
            "compression.type": "none",
        },
        group="demo",
        instance="demo",
        http=given.http,
        times=Times.model_construct(learner_interval=LEARNER_INTERVAL_MS),
    )


def _listen(http: Http, telemetry: Telemetry, health: Health) -> HttpServer:
    """The address of the settings, or a free port where somebody else has that one."""
    token = http.token.get_secret_value()
    try:
        return HttpServer(http.listen, telemetry, health, token=token, page=http.page)
    except WorldError:
        return HttpServer("127.0.0.1:0", telemetry, health, token=token, page=http.page)


def _say_start(where: str) -> None:
    if not is_cached():
        click.echo("Compiling the worker's loops for this machine, once: about a minute …")
    click.echo(f"Starting a broker inside this process, the worker and the shoppers: see {where}")


def _say_end(view: View, first_s: float | None, where: str) -> None:
    first = "no score yet" if first_s is None else f"the first score after {first_s:.1f} s"
    click.echo(
        f"\n{view.events:,} events, {view.scores:,} scores in {view.elapsed_s:.0f} s; {first}.\n"
    )
    click.echo(NEXT.format(where=where))


NEXT: Final = """\
What to try next
  other questions to these shoppers, from a campaign file of yours:
    propensity --campaigns CAMPAIGNS.yaml demo
  what is wrong with a campaign file, or will disappoint:
    propensity check CAMPAIGNS.yaml
  your own events, without a broker:
    propensity --campaigns CAMPAIGNS.yaml replay EVENTS.ndjson --out answers
  your own Kafka:
    propensity topics create && propensity --campaigns CAMPAIGNS.yaml run
  what the worker shows and measures, while it runs:
    {where} in a browser, and curl {where}/metrics
docs/campaigns.md has the grammar of campaign files."""
