"""The HTTP server beside the loop.

Owns: paths, verdicts, and that the loop is never waited for.
Never: what the metrics mean.
Source: consumer/http.py.
"""

from collections.abc import Iterator
from http.client import HTTPConnection
from typing import NamedTuple

import pytest

from consumer.clock import FixedClock
from consumer.errors import WorldError
from consumer.http import Health, HttpServer
from consumer.telemetry import Telemetry


class Served(NamedTuple):
    """A server with what stands behind it."""

    server: HttpServer
    health: Health
    clock: FixedClock

    def ask(self, path: str, method: str = "GET") -> tuple[int, str]:
        connection = HTTPConnection(*self.server.address, timeout=5)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


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


@pytest.mark.parametrize("path", ["/", "/metrics/", "/../etc/passwd", "/healthz/x"])
def test_other_paths_are_not_there(served: Served, path: str) -> None:
    """What is not offered is 404."""
    assert served.ask(path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD"])
def test_it_can_only_be_read(served: Served, method: str) -> None:
    """Only GET is answered."""
    assert served.ask("/healthz", method)[0] == 501


def test_a_query_is_not_part_of_the_path(served: Served) -> None:
    """Probes that add a query are answered."""
    assert served.ask("/healthz?from=probe")[0] == 200


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
