"""The HTTP server beside the loop.

Owns: paths, verdicts, and that the loop is never waited for.
Never: what the metrics mean.
Source: consumer/http.py.
"""

import contextlib
import select
import socket
from collections.abc import Iterator
from http.client import HTTPException
from typing import NamedTuple

import pytest

from consumer.clock import FixedClock
from consumer.errors import WorldError
from consumer.health import Health
from consumer.http import HttpServer
from consumer.telemetry import Telemetry
from consumer.web import bounds
from tests.asking import get


class Served(NamedTuple):
    """A server with what stands behind it."""

    server: HttpServer
    health: Health
    clock: FixedClock

    def ask(self, path: str, method: str = "GET") -> tuple[int, str]:
        answer = get(self.server.address, path, method)
        return answer.status, answer.body.decode()


@pytest.fixture
def served() -> Iterator[Served]:
    clock = FixedClock(1_800_000_000_000)
    health = Health(clock, stall_max_s=10)
    server = HttpServer("127.0.0.1:0", Telemetry(clock), health)
    yield Served(server, health, clock)
    server.close()


def test_metrics_are_served(served: Served) -> None:
    """Prometheus gets its text."""
    status, body = served.ask("/metrics")
    assert status == 200
    assert "propensity_build_info{" in body


def test_a_loop_that_turns_is_healthy(served: Served) -> None:
    """Health is about the loop, and about nothing else in the world."""
    served.clock.advance_ms(60_000)
    assert served.ask("/healthz") == (200, "ok\n"), "a first start compiles"
    served.health.turned()
    served.clock.advance_ms(10_001)
    assert served.ask("/healthz") == (503, "the loop has not turned for 10 s\n")
    served.health.turned()
    assert served.ask("/healthz") == (200, "ok\n")


def test_readiness_says_what_is_waited_for(served: Served) -> None:
    """A worker that rebuilds its folds is healthy, not ready, and says so."""
    assert served.ask("/readyz") == (503, "waits for the first assignment\n")
    served.health.waits("customer-events[3]: rebuilt to 40 %")
    assert served.ask("/readyz") == (503, "waits for customer-events[3]: rebuilt to 40 %\n")
    assert served.ask("/healthz")[0] == 200
    served.health.ready()
    assert served.ask("/readyz") == (200, "ok\n")
    served.clock.advance_ms(400_000)
    assert served.ask("/readyz")[0] == 503


@pytest.mark.parametrize(
    "path", ["/x", "/metrics/", "/../etc/passwd", "/healthz/x", "/page/", "/page/../page.html",
             "/page/%2e%2e/__init__.py", "//", "/v1", "/v1/customers", "/docs"],
)  # fmt: skip
def test_other_paths_are_not_there(served: Served, path: str) -> None:
    """What is not offered is 404."""
    assert served.ask(path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "FETCH"])
def test_it_can_only_be_read(served: Served, method: str) -> None:
    """Only GET is answered."""
    answer = get(served.server.address, "/healthz", method)
    assert (answer.status, answer.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize("headers", [{"Content-Length": "1"}, {"Transfer-Encoding": "chunked"}])
def test_a_question_has_no_body(served: Served, headers: dict[str, str]) -> None:
    """What somebody wants to hand over is not read: the connection ends with the refusal."""
    answer = get(served.server.address, "/healthz", headers=headers)
    assert (answer.status, answer.headers["connection"]) == (413, "close")


def test_a_query_is_not_part_of_the_path(served: Served) -> None:
    """Probes that add a query are answered."""
    assert served.ask("/healthz?from=probe")[0] == 200


def test_headers_are_bounded(served: Served) -> None:
    """More than 16 KiB of them are refused, whether they come at once or in pieces."""
    assert get(served.server.address, "/healthz", headers={"X": "x" * 20_000}).status == 431
    with socket.create_connection(served.server.address, timeout=30) as endless:
        with contextlib.suppress(ConnectionError):
            endless.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
            endless.sendall(b"x" * 100_000)
        assert endless.recv(100).startswith(b"HTTP/1.1 400")
    assert served.ask("/healthz")[0] == 200


def test_whoever_asks_slowly_is_left(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that does not come to its end is not waited for, however often a byte comes."""
    monkeypatch.setattr(bounds, "REQUEST_MAX_S", 0.2)
    with socket.create_connection(served.server.address, timeout=30) as slow:
        with contextlib.suppress(ConnectionError):
            for _ in range(200):
                slow.sendall(b"GET /healthz HTTP/1.1\r\n" if not _ else b"X")
                select.select([slow], [], [], 0.05)
            pytest.fail("it was waited for")
        assert served.ask("/healthz")[0] == 200


def test_too_many_connections_are_refused(served: Served) -> None:
    """From the bound on requests are 503, from twice as many on connections are closed."""
    with contextlib.ExitStack() as stack:
        for _ in range(bounds.CONNECTIONS_MAX):
            stack.enter_context(socket.create_connection(served.server.address, timeout=30))
        assert served.ask("/healthz")[0] == 503
        for _ in range(bounds.CONNECTIONS_MAX + 1):
            stack.enter_context(socket.create_connection(served.server.address, timeout=30))
        with pytest.raises((ConnectionError, HTTPException)):
            served.ask("/healthz")
    assert any(_answers(served) for _ in range(1_000)), "it answers again when they have gone"


def _answers(served: Served) -> bool:
    try:
        return served.ask("/healthz")[0] == 200
    except (ConnectionError, HTTPException):
        return False


def test_browsers_are_told_what_may_be(served: Served) -> None:
    """Every answer, refusals as well, forbids scripts of others, frames and keeping."""
    for path in ("/", "/metrics", "/x", "/page/page.js"):
        headers = get(served.server.address, path).headers
        policy = headers["content-security-policy"].split("; ")
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert not any("unsafe" in each or "*" in each or "http" in each for each in policy)
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] in {"no-store", "no-cache"}
        assert "server" not in headers


def test_the_page_can_be_switched_off() -> None:
    """Without it there are metrics and health, and no file."""
    clock = FixedClock()
    server = HttpServer("127.0.0.1:0", Telemetry(clock), Health(clock), page=False)
    with contextlib.closing(server):
        for path in ("/", "/page/page.js", "/stream"):
            assert get(server.address, path).status == 404
        assert get(server.address, "/healthz").status == 200


BADGE = "badge-of-this-test"


@pytest.fixture
def guarded() -> Iterator[HttpServer]:
    clock = FixedClock()
    server = HttpServer("127.0.0.1:0", Telemetry(clock), Health(clock), token=BADGE)
    yield server
    server.close()


@pytest.mark.parametrize("path", ["/metrics", "/v1/customers/c1/scores", "/stream", "/x"])
def test_a_token_is_asked_for(guarded: HttpServer, path: str) -> None:
    """Everything but health and the page's own files needs the token, and nothing says it."""
    for wrong in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {BADGE}"},
                  {"Authorization": BADGE}, {"Authorization": f"Bearer {BADGE}x"}):  # fmt: skip
        answer = get(guarded.address, path, headers=wrong)
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert BADGE not in str(answer)


@pytest.mark.parametrize("path", ["/healthz", "/", "/page/page.js"])
def test_probes_and_files_need_no_token(guarded: HttpServer, path: str) -> None:
    """Health stays open for probes; the page's files hold nothing of anybody."""
    assert get(guarded.address, path).status == 200


def test_who_brings_the_token_is_answered(guarded: HttpServer) -> None:
    """The scheme's name has no case."""
    for scheme in ("Bearer", "bearer"):
        brought = {"Authorization": f"{scheme} {BADGE}"}
        assert get(guarded.address, "/metrics", headers=brought).status == 200
        assert get(guarded.address, "/v1/customers/c1/scores", headers=brought).status == 503


def test_customers_are_not_shown_to_the_network() -> None:
    """Beyond this machine, or under a name that anybody can give it, nobody sees a customer."""
    clock = FixedClock()
    server = HttpServer("0.0.0.0:0", Telemetry(clock), Health(clock))
    with contextlib.closing(server):
        address = ("127.0.0.1", server.address[1])
        for path in ("/v1/customers/c1/scores", "/v1/customers/c1/explain", "/stream"):
            answer = get(address, path)
            assert (answer.status, "token" in answer.json["message"]) == (403, True)
        assert get(address, "/metrics").status == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:8080", "10.0.0.1"])
def test_pages_of_others_do_not_reach_customers(served: Served, host: str) -> None:
    """A name that leads to this machine, as a rebound one does, is not the machine's own."""
    for path in ("/v1/customers/c1/scores", "/stream"):
        assert get(served.server.address, path, headers={"Host": host}).status == 403
    assert get(served.server.address, "/healthz", headers={"Host": host}).status == 200


def test_a_taken_port_is_the_worlds_fault(served: Served) -> None:
    """The operator reads which address, and what to do."""
    host, port = served.server.address
    clock = FixedClock()
    with pytest.raises(WorldError, match=f"Cannot listen at {host}:{port}") as caught:
        HttpServer(f"{host}:{port}", Telemetry(clock), Health(clock))
    assert caught.value.remedy


@pytest.mark.parametrize("listen", ["8080", ":8080", "localhost:http", "localhost:99999"])
def test_an_address_without_a_port_is_refused(listen: str) -> None:
    """A mistyped address is named."""
    clock = FixedClock()
    with pytest.raises(WorldError, match=r"http\.listen"):
        HttpServer(listen, Telemetry(clock), Health(clock))
