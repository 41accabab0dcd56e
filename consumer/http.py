"""The HTTP server beside the loop, in a thread of its own with an event loop of its own.

Owns: the address that is listened at, and the server's life.
Never: touches a fold; the loop never waits for it.
Source: https://www.uvicorn.org/settings/
"""

from __future__ import annotations

import socket
from threading import Thread
from typing import Final

import uvicorn

from consumer.errors import WorldError
from consumer.health import Health
from consumer.telemetry import Telemetry
from consumer.web.application import Application
from consumer.web.bounds import CONNECTIONS_MAX, HEADERS_BYTES_MAX, BoundedProtocol
from consumer.worker_view import WorkerView

STOP_MAX_S: Final = 3


class HttpServer:
    """Serves until closed; the loop never waits for it.

    Parameters
    ----------
    listen: `host:port`; port 0 takes a free one.
    telemetry: what `/metrics` shows.
    health: what `/healthz` and `/readyz` answer.
    token: whoever wants more than health has to bring it; empty asks for none.
    page: whether there is a page at `/`.

    Attributes
    ----------
    address: host and port that are listened at.

    Raises
    ------
    WorldError: the address cannot be listened at.
    """

    def __init__(
        self,
        listen: str,
        telemetry: Telemetry,
        health: Health,
        *,
        token: str = "",
        page: bool = True,
    ) -> None:
        listening = _bound(listen)
        host, port = listening.getsockname()[:2]
        self.address: tuple[str, int] = str(host), int(port)
        self._application = Application(telemetry, health, token=token, page=page, host=str(host))
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._application,
                http=BoundedProtocol,
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_config=None,
                log_level="error",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                limit_concurrency=CONNECTIONS_MAX,
                timeout_graceful_shutdown=STOP_MAX_S,
                h11_max_incomplete_event_size=HEADERS_BYTES_MAX,
            )
        )
        self._thread = Thread(
            target=self._server.run, args=([listening],), name="http", daemon=True
        )
        self._thread.start()

    def show(self, view: WorkerView) -> None:
        """Answer questions about this worker from now on."""
        self._application.show(view)

    def close(self) -> None:
        """Stop listening; requests under way may end."""
        self._application.close()
        self._server.should_exit = True
        self._thread.join()


def _bound(listen: str) -> socket.socket:
    """A socket that listens at an address: who comes before the thread has begun waits there."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise WorldError(
            f"http.listen is {listen!r}, which is no host:port", "Say 127.0.0.1:8080, for example"
        )
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, int(port)), family=family)
    except OSError as error:
        raise WorldError(
            f"Cannot listen at {listen}: {error.strerror}",
            "Choose another http.listen or stop the program that holds it",
        ) from error
    # An answer leaves in two pieces; whoever acknowledges the first one late would wait 40 ms for
    # the second. Connections inherit this.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
