"""Send invented shoppers' events to a Kafka, for whoever has none of their own yet.

Owns: the pace at which the shoppers' days go by.
Never: scores anything; that is for workers.
Source: README.md, "With your Kafka"; consumer.shoppers decides what happens.
"""

from __future__ import annotations

from contextlib import closing
from itertools import islice
from typing import Final

import click

from consumer.cli import EXIT_DONE, GlobalOptions
from consumer.clock import SystemClock
from consumer.commands.run import StopFlag
from consumer.configuration import read_settings
from consumer.kafka import KafkaTransport
from consumer.logs import configure_logs, say
from consumer.shoppers import DAY_MS, START_MS, encoded_shopper_events
from consumer.transport import Outgoing

AT_ONCE: Final = 50
PAUSE_S: Final = 0.05


@click.command("shoppers")
@click.option("--events", "most", type=click.IntRange(min=0), default=0, help="End after so many.")
@click.option("--seed", type=int, default=1, show_default=True, help="Other shoppers.")
@click.option(
    "--speed",
    type=click.FloatRange(min=0.001, max=100.0),
    default=0.1,
    show_default=True,
    help="Days of the shoppers' time per second; a day has about 7,000 events.",
)
@click.pass_obj
def command(options: GlobalOptions, most: int, seed: int, speed: float) -> int:
    """Send invented shoppers' events to the topic of events, until Ctrl-C.

    Their days begin at the same date every time: to a group that has read them, they are repeats.
    """
    configure_logs()
    stop, clock, settings = StopFlag(), SystemClock(), read_settings(options)
    events = encoded_shopper_events(seed)
    topic, sent, at_ms = settings.topics.events, 0, START_MS
    transport = KafkaTransport(
        settings.kafka,
        group=f"{settings.group}-shoppers",
        instance=f"{settings.instance}-shoppers",
        delivery="at_least_once",
    )
    with closing(transport):
        say("shoppers_begun", topic=topic, partitions=transport.partition_count(topic))
        begun_s, stop.patient = clock.monotonic_s(), True
        while not stop.asked and (not most or sent < most):
            if at_ms > START_MS + (clock.monotonic_s() - begun_s) * speed * DAY_MS:
                clock.wait_s(PAUSE_S)
                continue
            some = list(islice(events, min(AT_ONCE, most - sent) if most else AT_ONCE))
            if not some:
                break
            at_ms, sent = some[-1][0], sent + len(some)
            keys, values = [key for _, key, _ in some], [value for _, _, value in some]
            transport.produce(Outgoing(topic, None, keys, values))
        transport.commit({})
    say("shoppers_done", events=sent)
    return EXIT_DONE
