"""The page in a real browser, as a marketer and an operator see it.

Owns: that it shows what the worker tells, live, to its own host only, and as text.
Never: how it looks; a person has to look at that.
Source: docs/page.md.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Iterator
from time import monotonic, sleep

import pytest

from consumer.http import HttpServer
from consumer.surroundings import Surroundings
from consumer.worker_view import view_of
from schemas.times import DAY_MS
from tests.browser import Browser, browser
from tests.integration.shop import CAMPAIGNS, Shop, open_shop
from tests.world import plan

DAYS = 40  # Of which the shop is open for so many, before somebody looks:
OPEN_DAYS = 15
MARKUP = "<img src=x onerror=window.broken=1><b>bold</b>"
ODD = json.dumps({"customer_id": "x", "type": "page_view", "occurred_at": MARKUP}).encode()
TURN_S = 0.01
START_MAX_S = 300.0


class LiveShop:
    """A shop whose worker turns in a thread of its own, as `propensity run` does in its process."""

    def __init__(self, token: str = "") -> None:
        self._token = token
        self._port = 0
        self._asks: list[bytes] = []
        self._stop = threading.Event()
        self._ready = threading.Event()
        self.shop: Shop | None = None
        self.begin()

    def begin(self) -> None:
        """Start the worker and its server, at the same address as before."""
        self._stop.clear()
        self._ready.clear()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(START_MAX_S)

    def end(self) -> None:
        """Stop both."""
        self._stop.set()
        self._thread.join(START_MAX_S)
        assert not self._thread.is_alive()

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self._port}/"

    def _run(self) -> None:
        if self.shop is None:
            self.shop = open_shop(DAYS)
        else:
            again = self.shop.world.start(given=plan(CAMPAIGNS))
            self.shop = self.shop._replace(worker=again)
        shop, world = self.shop, self.shop.world
        worker = shop.worker
        telemetry, health = world.telemetry[id(worker)], world.health[id(worker)]
        server = HttpServer(f"127.0.0.1:{self._port}", telemetry, health, token=self._token)
        self._port = server.address[1]
        around = Surroundings(world.settings, plan(CAMPAIGNS), world.clock, telemetry, health)
        server.show(view_of(worker, around))
        with contextlib.closing(server):
            if not world.scores():
                shop.send(until_ms=world.clock.now_ms() - (DAYS - OPEN_DAYS) * DAY_MS)
                shop.offer([b"{", b'{"customer_id": 7}', ODD])
                world.settle(worker)
            self._ready.set()
            while not self._stop.is_set():
                shop.send(count=1)
                world.tick(worker)
                sleep(TURN_S)
            worker.stop()
            world.workers.remove(worker)


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture(scope="module")
def live(window: Browser) -> Iterator[LiveShop]:
    del window  # Without a browser no shop is opened.
    opened = LiveShop()
    yield opened
    opened.end()


@pytest.fixture
def page(window: Browser, live: LiveShop) -> Browser:
    """The page, as it is when the first scores are shown."""
    window.open("about:blank")
    window.errors(), window.hosts()
    window.open(live.address)
    window.wait_for("return document.querySelectorAll('#recent li').length > 2")
    return window


@pytest.mark.slow
def test_it_shows_what_there_is(page: Browser) -> None:
    """State, figures, charts, campaigns with their curves, and letters with their reasons."""
    assert page.text("#state-text") == "scoring"
    page.wait_for("return document.querySelectorAll('.uplot canvas').length === 2")
    page.wait_for("return /^[0-9.,]+( k)?$/.test(document.querySelector('#f-scored').innerText)")
    page.wait_for("return document.querySelectorAll('.campaign').length === 2")
    page.wait_for("return document.querySelectorAll('.campaign:first-child svg').length === 3")
    assert "buy-1d" in page.text(".campaign:first-child h3")
    assert "times as often as the average" in page.text(".campaign:first-child")
    assert "3 records since the start" in page.text("#letters-hint")
    assert "association, not a cause" in page.text("#caveat")
    page.wait_for("return document.querySelectorAll('#triggers li').length > 0")
    assert "buy-1d" in page.text("#triggers li")
    assert any(words in page.text("#triggers") for words in ("high enough", "low again", "reached"))


@pytest.mark.slow
def test_it_asks_nobody_else_and_says_no_error(page: Browser, live: LiveShop) -> None:
    """All that it needs comes from the worker, and the console stays empty."""
    page.wait_for("return document.querySelectorAll('.uplot canvas').length === 2")
    page.click("#recent li:first-child button")
    page.wait_for("return document.querySelector('#explained h3')")
    assert page.hosts() == {live.address.split("/")[2]}
    assert page.errors() == []


@pytest.mark.slow
def test_it_goes_on_by_itself(page: Browser) -> None:
    """Newer scores come without anybody's doing."""
    first = page.text("#f-scored-note")
    page.wait_for(
        "return document.querySelector('#f-scored-note').innerText !== arguments[0]", first
    )


@pytest.mark.slow
def test_it_explains_a_customer(page: Browser) -> None:
    """By a click on a score, and by the keyboard alone."""
    page.click("#recent li:first-child button")
    page.wait_for("return document.querySelectorAll('#explained section').length > 3")
    told = page.text("#explained")
    assert re.search(r"\d+ page views, the last ", told)
    assert "waits for purchase within 1d" in told
    assert "association, not a cause" in told
    page.run("document.querySelector('#explained').replaceChildren()")
    customer = page.run("return document.querySelector('#customer').value")
    page.run("const field = document.querySelector('#customer'); field.value = ''; field.focus()")
    page.press(*customer, "\ue007")
    page.wait_for("return document.querySelectorAll('#explained section').length > 3")
    page.type("#customer", "nobody at all")
    page.click("#explain-form button")
    page.wait_for("return /Nobody of this id/.test(document.querySelector('#explained').innerText)")


@pytest.mark.slow
def test_markup_is_text(page: Browser, live: LiveShop) -> None:
    """What senders write is shown as they wrote it, and does nothing."""
    assert MARKUP in page.text("#letters")
    assert live.shop is not None
    fields = {"customer_id": MARKUP, "type": "page_view", "event_id": "markup",
              "occurred_at": live.shop.world.clock.now_ms(),
              "properties": {"channel": MARKUP}}  # fmt: skip
    live.shop.offer_as(MARKUP.encode(), json.dumps(fields).encode())
    page.run("document.querySelector('#customer').value = arguments[0]", MARKUP)

    def explained() -> bool:
        page.click("#explain-form button")
        sleep(0.3)
        return MARKUP in page.text("#explained")

    give_up_s = monotonic() + START_MAX_S
    while not explained():
        assert monotonic() < give_up_s
    assert page.count("#explained img, #letters img, #recent img, #explained b, #letters b") == 0
    assert page.run("return window.broken ?? null") is None


@pytest.mark.slow
def test_it_survives_a_restart(page: Browser, live: LiveShop) -> None:
    """While the worker is away it says so; when it is back it goes on, without a reload."""
    page.run("window.kept = true")
    live.end()
    page.wait_for("return /no connection/.test(document.querySelector('#state-text').innerText)")
    live.begin()
    page.wait_for("return document.querySelector('#state-text').innerText === 'scoring'")
    page.wait_for("return !document.body.classList.contains('stale')")
    assert page.run("return window.kept") is True


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_can_be_read_by_everybody(page: Browser, dark: bool) -> None:
    """Contrast is that of WCAG AA, nothing is cut on a phone, and everything has a name."""
    page.look(width=390, height=844, dark=dark)
    page.wait_for("return innerWidth === 390")
    assert page.run("return document.documentElement.scrollWidth") <= 390
    assert page.run(CONTRASTS) == []
    assert page.run(NAMELESS) == []
    page.look(width=1280, height=900, dark=dark)


CONTRASTS = """
const value = (colour) => colour.match(/[0-9.]+/g).slice(0, 3).map(Number).map((each) => {
  const part = each / 255;
  return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
}).reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
const ground = (place) => {
  for (; place; place = place.parentElement) {
    const colour = getComputedStyle(place).backgroundColor;
    if (!/, 0\\)$|transparent/.test(colour)) return colour;
  }
  return 'rgb(255, 255, 255)';
};
const says = (node) => node.nodeType === 3 && node.data.trim();
return [...document.querySelectorAll('body *')].filter((each) =>
  each.checkVisibility() && [...each.childNodes].some(says)
).filter((each) => {
  const style = getComputedStyle(each);
  const ink = each instanceof SVGElement ? style.fill : style.color;
  const [high, low] = [value(ink), value(ground(each))].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05) < 4.5;
}).map((each) => `${each.tagName} ${each.className} ${each.textContent.slice(0, 40)}`);
"""

NAMELESS = """
return [...document.querySelectorAll('button, input, svg[role=img], [role=region], section, img')]
  .filter((each) => !(each.getAttribute('aria-label') || each.hasAttribute('alt')
    || each.getAttribute('aria-labelledby') || each.labels?.length || each.textContent.trim()))
  .map((each) => each.outerHTML.slice(0, 80));
"""
