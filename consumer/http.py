"""The small HTTP server beside the loop: metrics, health and readiness.

Owns: three read-only paths, in threads of their own.
Never: touches a fold, or asks another program how it is.
Source: https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
"""

import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET6
from typing import Any, Final

from consumer.clock import Clock
from consumer.deadline import TURN_MAX_S
from consumer.errors import WorldError
from consumer.telemetry import Telemetry

STALL_MAX_S: Final = TURN_MAX_S + 30.0  # A turn that waits for Kafka ends by itself.
START_MAX_S: Final = 300.0
REQUESTS_MAX: Final = 16
REQUEST_MAX_S: Final = 5.0
_TEXT: Final = "text/plain; charset=utf-8"


class Health:
    """What the loop says of itself; written by the loop, read by the server.

    Parameters
    ----------
    clock
        Measures how long ago the loop turned.
    stall_max_s
        The loop counts as stuck when it has not turned for so long.
    start_max_s
        Before its first turn it may take so long: a first start compiles.
    """

    def __init__(
        self, clock: Clock, stall_max_s: float = STALL_MAX_S, start_max_s: float = START_MAX_S
    ) -> None:
        self._clock = clock
        self._stall_max_s = stall_max_s
        self._allowed_s = start_max_s
        self._turned_s = clock.monotonic_s()
        self._waits_for: str | None = "the first assignment"

    def turned(self) -> None:
        """Say that the loop has turned."""
        self._turned_s = self._clock.monotonic_s()
        self._allowed_s = self._stall_max_s

    def ready(self) -> None:
        """Say that everything assigned is being scored."""
        self._waits_for = None

    def waits(self, reason: str) -> None:
        """Say what keeps us from scoring, in words."""
        self._waits_for = reason

    def health(self) -> tuple[bool, str]:
        """Whether the loop turns, and a line about it."""
        age_s = self._clock.monotonic_s() - self._turned_s
        if age_s <= self._allowed_s:
            return True, "ok\n"
        return False, f"the loop has not turned for {age_s:.0f} s\n"

    def readiness(self) -> tuple[bool, str]:
        """Whether scores come, and if not, why."""
        healthy, line = self.health()
        if not healthy or self._waits_for is None:
            return healthy, line
        return False, f"waits for {self._waits_for}\n"


class HttpServer:
    """Serves until closed; the loop never waits for it.

    Parameters
    ----------
    listen
        ``host:port``; port 0 takes a free one.
    telemetry
        What ``/metrics`` shows.
    health
        What ``/healthz`` and ``/readyz`` answer.

    Raises
    ------
    WorldError
        The address cannot be listened at.
    """

    def __init__(self, listen: str, telemetry: Telemetry, health: Health) -> None:
        self._server = _listen(listen)
        self._server.answers = _Answers(telemetry, health)
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.1},
            name="http",
            daemon=True,
        )
        self._thread.start()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that are listened at."""
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    def close(self) -> None:
        """Stop listening; requests under way may end."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Answers:
    """What each path answers."""

    def __init__(self, telemetry: Telemetry, health: Health) -> None:
        self._telemetry = telemetry
        self._health = health

    def at(self, path: str, accept: str) -> tuple[HTTPStatus, str, bytes]:
        """Give status, content type and body."""
        if path == "/metrics":
            body, content_type = self._telemetry.exposition(accept)
            return HTTPStatus.OK, content_type, body
        if path == "/healthz":
            return _verdict(*self._health.health())
        if path == "/readyz":
            return _verdict(*self._health.readiness())
        return HTTPStatus.NOT_FOUND, _TEXT, b"/metrics, /healthz and /readyz are here\n"


class _Server(ThreadingHTTPServer):
    """Answers at most ``REQUESTS_MAX`` requests at once; more of them wait in the backlog."""

    daemon_threads = True
    block_on_close = False
    answers: _Answers

    def __init__(self, address: tuple[str, int]) -> None:
        self._slots = threading.BoundedSemaphore(REQUESTS_MAX)
        if ":" in address[0]:
            self.address_family = AF_INET6
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._slots.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Somebody hung up on us: nobody is to be told."""


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    server: _Server
    server_version = "propensity"
    sys_version = ""
    timeout = REQUEST_MAX_S

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        status, content_type, body = self.server.answers.at(path, self.headers.get("Accept", ""))
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """A probe every second is no news."""


def _verdict(good: bool, line: str) -> tuple[HTTPStatus, str, bytes]:  # noqa: FBT001 - a pair taken apart
    status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
    return status, _TEXT, line.encode()


def _listen(listen: str) -> _Server:
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise WorldError(
            f"http.listen is {listen!r}, which is no host:port", "Say 127.0.0.1:8080, for example"
        )
    try:
        return _Server((host.strip("[]"), int(port)))
    except OSError as error:
        raise WorldError(
            f"Cannot listen at {listen}: {error.strerror}",
            "Choose another http.listen or stop the program that holds it",
        ) from error
