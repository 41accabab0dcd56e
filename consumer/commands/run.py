"""Score the events of a Kafka topic, learn, and publish, until told to stop.

Owns: signals, and the order of starting and stopping.
Never: a decision about a record.
Source: README.md, "With your Kafka".
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from multiprocessing import active_children
from types import FrameType
from typing import Final

import click

from consumer.cli import EXIT_DONE, GlobalOptions
from consumer.clock import Clock, SystemClock
from consumer.configuration import read_campaigns, read_settings
from consumer.errors import WorldError
from consumer.health import Health
from consumer.http import HttpServer
from consumer.kafka import KafkaTransport
from consumer.kafka.owners import Owners
from consumer.kafka.version import librdkafka_version
from consumer.logs import configure_logs, say, say_held_back
from consumer.snapshots.snapshots import open_snapshots
from consumer.surroundings import Surroundings
from consumer.telemetry import Telemetry
from consumer.warm_up import compile_kernels, plan_of
from consumer.worker import Worker
from consumer.worker_view import view_of
from models.rows import customer_hash
from models.scorer import HASH_KEY
from schemas.settings import Settings

SWITCH_S: Final = 0.001


class StopFlag:
    """Becomes true when the process is asked to stop.

    Before `patient` is set there is nothing to finish, and the process ends where it is: out of a
    compilation, an exception would come as one of the compiler's own. After the first time there
    is nothing to wait for.
    `told` is called the first time.
    """

    def __init__(self) -> None:
        self.asked = False
        self.signal = ""  # Said by whoever stops: a line cannot be said from within another one.
        self.patient = False
        self.told: Callable[[], None] = lambda: None
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, self._ask)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        if not self.patient:
            say("stopped_early", signal=signal.Signals(number).name)
            for compiling in active_children():
                compiling.kill()
            os._exit(EXIT_DONE)
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        self.signal = signal.Signals(number).name
        self.told()


@click.command("run")
@click.option(
    "--rebuild",
    is_flag=True,
    help="Go on where the fold's history or its snapshots are lost, with what is left of them.",
)
@click.pass_obj
def command(options: GlobalOptions, *, rebuild: bool) -> int:
    """Score events, learn from outcomes, publish both; Ctrl-C or SIGTERM ends it cleanly."""
    configure_logs()
    stop = StopFlag()
    settings = read_settings(options)
    configure_logs(settings.logs.level, customer=_customer_in_logs(settings))
    try:
        _work(settings, stop, rebuild=rebuild)
    except WorldError as error:
        if stop.patient:  # Before anything began, the one sentence on stderr says it all.
            say("gave_up", problem=error.problem, remedy=error.remedy)
        raise
    finally:
        say_held_back()
    say("stopped")
    return EXIT_DONE


def _work(settings: Settings, stop: StopFlag, *, rebuild: bool) -> None:
    """Be a worker from the start until told to stop."""
    plan = plan_of(read_campaigns(settings), settings)
    clock = SystemClock()
    telemetry, health = Telemetry(clock, librdkafka_version()), Health(clock)
    server = HttpServer(
        settings.http.listen,
        telemetry,
        health,
        token=settings.http.token.get_secret_value(),
        page=settings.http.page,
    )
    try:
        health.waits("compiled code")
        compile_kernels(plan)
        health.waits("the first assignment")
        snapshots = open_snapshots(settings, clock)
        transport = KafkaTransport(
            settings.kafka,
            group=settings.group,
            instance=settings.instance,
            delivery=settings.delivery,
            aborted=telemetry.transaction_aborted,
        )
        around = Surroundings(settings, plan, clock, telemetry, health, snapshots, rebuild)
        worker = Worker(transport, around)
        server.show(view_of(worker, around, _owners(settings, clock)))
        end = worker.abandon
        try:
            worker.start()
            say("started", group=settings.group, instance=settings.instance,
                campaigns={each.name: each.lineage for each in plan.file.campaigns.values()},
                http="http://{}:{}".format(*server.address))  # fmt: skip
            # Whoever has a question gets the interpreter within a millisecond, and not after five.
            sys.setswitchinterval(SWITCH_S)
            gc.collect()
            gc.freeze()  # What start-up made stays; the collector need not look at it again.
            stop.told = worker.hurry
            stop.patient = True
            while not stop.asked:
                worker.tick()
            say("stopping", signal=stop.signal)
            end = worker.stop
        finally:
            end()
    finally:
        server.close()


def _customer_in_logs(settings: Settings) -> Callable[[str], str]:
    """How a customer is named in logs: by the hash that training rows carry, unless asked."""
    return str if settings.logs.customer_ids else partial(customer_hash, HASH_KEY)


def _owners(settings: Settings, clock: Clock) -> Owners:
    """Who can say which worker has a partition that is not ours."""
    return Owners(
        settings.kafka,
        group=settings.group,
        instance=settings.instance,
        topic=settings.topics.events,
        clock=clock,
    )
