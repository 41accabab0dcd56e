"""What the HTTP port counts of its own requests.

Owns: that every answer is counted once, under few names, none of which names a customer.
Never: what is answered; tests/unit/test_http.py has that.
Source: consumer/web/meters.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from consumer.clock import FixedClock
from consumer.health import Health
from consumer.http import HttpServer
from consumer.telemetry import Telemetry
from consumer.web.meters import ANSWERS, CUSTOMERS, FILES, OTHER, ROUTES
from tests.asking import get

LINE = re.compile(r'propensity_http_requests_total\{code="(\d+)",route="([^"]+)"\} (\S+)')
SECONDS = re.compile(r'propensity_http_request_duration_seconds_count\{route="([^"]+)"\} (\S+)')
KNOWN = {*ROUTES, f"{FILES}…", *(f"{CUSTOMERS}…{answer}" for answer in ANSWERS), OTHER}
WHO = "Kunigunde-4711"


@pytest.fixture
def served() -> Iterator[HttpServer]:
    clock = FixedClock(1_800_000_000_000)
    server = HttpServer("127.0.0.1:0", Telemetry(clock), Health(clock))
    yield server
    server.close()


def exposition(served: HttpServer) -> str:
    return get(served.address, "/metrics").body.decode()


def counted(served: HttpServer) -> dict[tuple[str, str], int]:
    """How many answers of each route and code were counted; the one that tells it is not."""
    found = LINE.findall(exposition(served))
    return {(route, code): int(float(count)) for code, route, count in found}


def test_every_answer_is_counted_by_route_and_code(served: HttpServer) -> None:
    """What is refused before anything is looked up is counted, too, and each is timed."""
    for _ in range(3):
        get(served.address, "/healthz")
    get(served.address, "/healthz", "POST")
    get(served.address, "/page/page.js")
    get(served.address, f"/v1/customers/{WHO}/scores")
    get(served.address, "/nowhere")
    assert counted(served) == {
        ("/healthz", "200"): 3,
        ("/healthz", "405"): 1,
        ("/page/…", "200"): 1,
        ("/v1/customers/…/scores", "503"): 1,
        ("other", "404"): 1,
    }
    timed = dict(SECONDS.findall(exposition(served)))
    assert {route: int(float(count)) for route, count in timed.items()} == {
        "/healthz": 4, "/page/…": 1, "/v1/customers/…/scores": 1, "other": 1, "/metrics": 1,
    }  # fmt: skip


def test_whatever_is_asked_for_there_are_few_labels(served: HttpServer) -> None:
    """No path becomes a label, so nobody can fill the memory, and no customer is shown."""
    for number in range(50):
        for path in ("scores", "explain", "", WHO, "scores/"):
            get(served.address, f"/v1/customers/{WHO}-{number}/{path}")
        get(served.address, f"/{WHO}{number}")
        get(served.address, f"/page/{WHO}{number}")
        get(served.address, f"/{quote('/healthz/' * number)}")
    assert {route for route, _ in counted(served)} <= KNOWN
    assert WHO not in exposition(served)
