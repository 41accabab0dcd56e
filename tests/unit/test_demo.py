"""The demo on a log in memory, and what it shows.

Owns: pace, holding back, latency, quality that rises, and both displays.
Never: a terminal or a broker; the clock moves when a test turns.
Source: consumer/demo.py and its neighbours.
"""

from __future__ import annotations

import io
from itertools import islice

import pytest
from rich.console import Console

from consumer.demo import Demo, View
from consumer.demo_screen import display
from consumer.demo_stream import EVENTS_PER_DAY, Pace, ShopperStream
from consumer.memory_transport import MemoryTransport
from consumer.shoppers import DAY_MS, DEMO_CAMPAIGNS, START_MS, shopper_events
from consumer.transport import Partition
from consumer.worker import Worker
from tests.world import World, plan

TURN_MS = 20
PARTITIONS = 4


def world() -> World:
    return World(partitions=PARTITIONS, times={"learner_interval": "1s"})


def outside(world: World) -> MemoryTransport:
    return MemoryTransport(world.log, group="shop", instance="shop")


def demo_on(world: World, worker: Worker, *, days_per_s: float) -> Demo:
    telemetry = world.telemetry[id(worker)]
    questions = plan(DEMO_CAMPAIGNS)
    return Demo(worker, outside(world), world.settings, questions, telemetry, world.clock,
                seed=1, days_per_s=days_per_s)  # fmt: skip


def turned(world: World, demo: Demo, turns: int) -> View:
    for _ in range(turns):
        demo.turn()
        world.clock.advance_ms(TURN_MS)
    return demo.view()


@pytest.fixture(scope="module")
def last() -> View:
    """The view after some twelve days of the shoppers' time."""
    world_ = world()
    worker = world_.start(given=plan(DEMO_CAMPAIGNS))
    demo = demo_on(world_, worker, days_per_s=1.0)
    demo.view()
    return turned(world_, demo, 600)


def test_the_pace_is_kept_without_bursts() -> None:
    """So many a second; nothing while held; after a long turn no more than its share."""
    pace = Pace(1_000.0, 0.0)
    assert [pace.due(at_s, held=False) for at_s in (0.005, 0.02, 0.04)] == [0, 20, 20]
    assert pace.due(0.06, held=True) == 0
    assert pace.due(10.0, held=False) == 50


def test_nobody_shops_before_somebody_scores() -> None:
    """As long as the worker has no partition, the shoppers wait."""
    world_ = world()
    demo = demo_on(world_, world_.start(given=plan(DEMO_CAMPAIGNS)), days_per_s=1.0)
    world_.clock.advance_ms(TURN_MS)
    demo.turn()  # The worker is given its partitions in it.
    assert sum(world_.high("customer-events").values()) == 0
    world_.clock.advance_ms(TURN_MS)
    demo.turn()
    assert sum(world_.high("customer-events").values()) > 0


def test_events_stand_where_their_keys_belong_with_the_senders_memory() -> None:
    """Offsets and times are those of the log; what a shopper did lately is told up to the event."""
    world_ = world()
    stream = ShopperStream(outside(world_), "customer-events", PARTITIONS, seed=1,
                           clock=world_.clock)  # fmt: skip
    stream.send(300)
    world_.clock.advance_ms(1_000)
    stream.send(300)
    assert stream.sent == sum(world_.high("customer-events").values()) == 600
    high = world_.log.bounds(Partition("customer-events", 2)).high
    assert stream.sent_at_s(2, 0) == 0.0
    assert stream.sent_at_s(2, high - 1) == 1.0
    events = list(islice(shopper_events(1), 600))
    at_ms, customer, event = events[-1]
    known = stream.circumstances(customer, str(event["event_id"]), at_ms)
    alike = [e for _, who, e in events if who == customer and e["type"] == event["type"]]
    assert known.event_type == event["type"]
    assert known.counts[known.event_type] == len(alike)
    assert known.properties == event["properties"]
    assert set(known.counts) == {e["type"] for _, _, e in events}


def test_a_slow_worker_is_waited_for() -> None:
    """However fast the shoppers' time runs, only so many events are under way."""
    world_ = world()
    worker = world_.start(given=plan(DEMO_CAMPAIGNS))
    demo = demo_on(world_, worker, days_per_s=100.0)
    view = turned(world_, demo, 12)
    sent = sum(world_.high("customer-events").values())
    assert view.events <= sent <= view.events + 2_000 + 100 * EVENTS_PER_DAY // 20


def test_models_learn_while_one_watches(last: View) -> None:
    """Within twelve days both campaigns have learned, and are better than the base rate."""
    assert last.at_ms > START_MS + 10 * DAY_MS
    for campaign in last.campaigns:
        assert campaign.version > 1_000
        assert campaign.status == "ready"
        assert campaign.gain is not None
        assert campaign.gain > 0.0
        assert campaign.history[-1] > campaign.history[0]
        area = campaign.figure("auc")
        assert area is not None
        assert area > 0.55
    assert last.triggers > 0
    assert last.events_per_s == pytest.approx(EVENTS_PER_DAY, rel=0.1)
    assert 0 < last.scores_per_s < last.events_per_s
    assert last.latency_ms is not None
    assert last.latency_ms[0] <= TURN_MS


def shown(view: View, *, terminal: bool, width: int, height: int = 24) -> str:
    out = io.StringIO()
    console = Console(
        file=out, force_terminal=terminal, width=width, height=height, color_system=None
    )
    with display(console, "metrics: http://here") as display_:
        display_.show(view)
    return out.getvalue()


def test_plain_lines_say_everything(last: View) -> None:
    """Where nobody could see a screen, the same figures and some scores come as lines."""
    text = shown(last, terminal=False, width=40)
    assert "events/s" in text
    assert "buy-1d: ready" in text
    assert "predicted/actual" in text
    assert "raise" in text
    assert "associations, not causes" in text
    assert "\x1b" not in text


@pytest.mark.parametrize("width", [80, 140])
def test_the_screen_fits_the_terminal(last: View, width: int) -> None:
    """No column of the table is cut off, and the picture is no higher than the terminal."""
    text = shown(last, terminal=True, width=width)
    lines = text.split("propensity demo")[-1].split("\n")  # The last picture.
    header = next(line for line in lines if "log-loss" in line)
    assert all(name in header for name in ("campaign", "learned", "base rate", "AUC", "pred/act"))
    assert "metrics: http://here" in text
    assert len(lines) <= 24
