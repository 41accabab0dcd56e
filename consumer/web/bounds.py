"""The bounds of a connection: how many there are, how long a request and a reader may take.

Owns: closing connections that are too many or too slow.
Never: looks into a request.
Source: OWASP, "Denial of Service Cheat Sheet": slow requests and slow readers hold connections.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

CONNECTIONS_MAX: Final = 64
"""From here on requests are answered with 503; from twice as many on, connections are closed."""

HEADERS_BYTES_MAX: Final = 16_384
REQUEST_MAX_S: Final = 5.0
"""From the connection, or the last answer, to a whole request."""

READER_MAX_S: Final = 10.0
"""So long may somebody not read what we have sent."""


class BoundedProtocol(H11Protocol):
    """One connection: without a request in time, or with a reader who stops, it is closed."""

    _request_timer: asyncio.TimerHandle | None = None
    _reader_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > 2 * CONNECTIONS_MAX:
            transport.abort()
        else:
            self._await_request()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._await_request()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._await_request()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._reader_timer = self.loop.call_later(READER_MAX_S, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._cancel_reader_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._cancel_request_timer()
        self._cancel_reader_timer()

    def _await_request(self) -> None:
        """Let time run while there is no whole request; more of one does not stop it."""
        if self._has_request:
            self._cancel_request_timer()
        elif self._request_timer is None:
            self._request_timer = self.loop.call_later(REQUEST_MAX_S, self.transport.abort)

    @property
    def _has_request(self) -> bool:
        cycle: Any = self.cycle  # There is none before the first request.
        return cycle is not None and not cycle.response_complete

    def _cancel_request_timer(self) -> None:
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None

    def _cancel_reader_timer(self) -> None:
        if self._reader_timer is not None:
            self._reader_timer.cancel()
            self._reader_timer = None
