"""Drills: something breaks, and a real Prometheus says so by the alert that its runbook names.

Owns: what is broken, and which alert is to be seen.
Never: waits as long as an alert does before it fires: pending is seen enough.
Source: docs/drills.md.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from consumer.shoppers import DAY_MS, DEMO_CAMPAIGNS
from consumer.transactions import Fault, TransactionFault
from consumer.transport import TransportError
from tests.broker import NoBrokerError, kafka_jars, own_broker, skip_or_fail
from tests.integration.live import Site, await_that
from tests.integration.shop import RULES, Shop, open_shop, scraped
from tests.prometheus import SCRAPE_S, WAIT_MAX_S, Prometheus, prometheus

DAYS = 20
Break = Callable[[Shop], None]


def flood(shop: Shop) -> None:
    """Poison flood: a sender writes nonsense, and nothing else."""
    shop.offer([b"{nonsense"] * 200)


def silence(shop: Shop) -> None:
    """Answers stopped: customers go on, and no purchase is reported any more."""
    for _ in range(DAYS // 4):
        shop.send(count=1_500, without="purchase")
        shop.world.settle(shop.worker)


def abort(shop: Shop) -> None:
    """Transactions failing: the broker refuses every other commit."""
    commits = 0

    def strike(step: str, name: str) -> None:
        nonlocal commits
        del name
        if step == "commit":
            commits += 1
            if commits % 2:
                problem = TransportError("Too few copies are in sync", "Bring brokers back")
                raise TransactionFault(Fault.ABORT, problem)

    shop.world.log.coordinator.strike = strike


def fill_the_disk(shop: Shop) -> None:
    """Snapshots refused: the store has no room left."""
    shop.store.unwritable = OSError(errno.ENOSPC, "No space left on device")


def be_late(shop: Shop) -> None:
    """Scores late: events come a quarter of a minute after the broker stamped them."""
    shop.send(count=500, late_ms=15_000)


DRILLS: dict[str, tuple[Break, str]] = {
    "poison-flood": (flood, "PropensityTooManyDeadLetters"),
    "poison-share": (flood, "PropensityDeadLettersRising"),
    "answers-stopped": (silence, "PropensityAnswersSilent"),
    "transactions-failing": (abort, "PropensityTransactionsFailing"),
    "snapshots-refused": (fill_the_disk, "PropensitySnapshotsFailing"),
    "scores-late": (be_late, "PropensityScoresLate"),
}


def go_on(shop: Shop, seconds: float) -> None:
    """Let time pass, faster than outside between two turns, so that snapshots come."""
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        shop.send(count=4, without="purchase")
        shop.turn()


def await_alert(shop: Shop, by: Prometheus, alert: str) -> None:
    """Go on until Prometheus says it."""
    give_up_s = time.monotonic() + WAIT_MAX_S
    while alert not in by.said():
        assert time.monotonic() < give_up_s, f"{alert} is not seen among {by.said()}"
        go_on(shop, SCRAPE_S)
        shop.world.clock.advance_ms(shop.world.settings.snapshots.interval_ms)


@pytest.mark.slow
@pytest.mark.parametrize("drill", DRILLS)
def test_a_drill_is_seen(drill: str, tmp_path: Path) -> None:
    """Before it is broken nothing is said of it, and afterwards the alert is there."""
    harm, alert = DRILLS[drill]
    shop = open_shop(DAYS)
    shop.send(until_ms=shop.world.clock.now_ms() - DAYS // 2 * DAY_MS)
    shop.world.settle(shop.worker)
    with scraped(shop, tmp_path) as (by, _):
        go_on(shop, 4 * SCRAPE_S)
        assert alert not in by.said()
        harm(shop)
        await_alert(shop, by, alert)


@pytest.mark.slow
def test_a_worker_that_has_gone_is_seen(tmp_path: Path) -> None:
    """Worker killed: it answers no more."""
    shop = open_shop(DAYS)
    with scraped(shop, tmp_path) as (by, server):
        go_on(shop, 2 * SCRAPE_S)
        assert "PropensityWorkerDown" not in by.said()
        server.close()
        await_alert(shop, by, "PropensityWorkerDown")
        await_alert(shop, by, "PropensityNoWorker")


@pytest.mark.kafka
@pytest.mark.slow
def test_a_broker_that_has_gone_is_seen(tmp_path: Path) -> None:
    """Broker down: a worker of a real Kafka loses its partitions, and nobody is scored."""
    try:
        kafka_jars()
    except NoBrokerError as error:
        skip_or_fail(str(error))
    campaigns = tmp_path / "campaigns.yaml"
    campaigns.write_text(DEMO_CAMPAIGNS, encoding="utf-8")
    with own_broker() as broker, ExitStack() as stack:
        site = Site(broker.bootstrap, tmp_path, campaigns, "drill")
        stack.callback(site.close)
        created = site.propensity("topics", "create", "--partitions", "2")
        assert created.returncode == 0, created.stderr
        worker = site.worker()
        worker.await_ready()
        by = stack.enter_context(prometheus(tmp_path, worker.address, RULES))
        by.await_series("propensity_partitions > 0")
        assert "PropensityScoringStopped" not in by.said()
        broker.kill()
        said = await_that(by.said, lambda alerts: "PropensityScoringStopped" in alerts)
        assert "PropensityScoringStopped" in said
