"""The paths that are served, and what each of them answers.

Owns: the list of paths; metrics, health and readiness.
Never: does anything for a path that is not in the list.
Source: docs/contract.md, "HTTP".
"""

from __future__ import annotations

from http import HTTPStatus

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from consumer.clock import SystemClock
from consumer.health import Health
from consumer.telemetry import Telemetry
from consumer.web.customers import Customers
from consumer.web.files import page_routes
from consumer.web.guard import CUSTOMERS, STREAM, Guard
from consumer.web.meters import HttpMeters
from consumer.web.openapi import document
from consumer.web.replies import json, refusal, text
from consumer.web.stream import Stream
from consumer.worker_view import WorkerView


class Application:
    """Everything that one worker serves; until `show`, nothing is said of customers."""

    def __init__(
        self, telemetry: Telemetry, health: Health, *, token: str, page: bool, host: str
    ) -> None:
        self._telemetry = telemetry
        self._health = health
        self._customers = Customers()
        self._stream = Stream(telemetry, health)
        routes = [
            Route("/metrics", self._metrics),
            Route("/healthz", self._healthz),
            Route("/readyz", self._readyz),
            Route("/v1/openapi.json", _openapi),
            Route(CUSTOMERS + "{customer:path}/scores", self._customers.scores),
            Route(CUSTOMERS + "{customer:path}/explain", self._customers.explain),
        ]
        if page:
            routes += [*page_routes(), Route(STREAM, self._stream.follow)]
        paths = [route.path.replace(":path", "") for route in routes]
        starlette = Starlette(
            routes=[*routes, Route("/{other:path}", _Elsewhere(paths).answer)],
        )
        starlette.router.redirect_slashes = False
        self._guarded = Guard(
            starlette, token=token, host=host, meters=HttpMeters(telemetry), clock=SystemClock()
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._guarded(scope, receive, send)

    def show(self, view: WorkerView) -> None:
        """Answer questions about this worker from now on."""
        self._customers.view = self._stream.view = view

    def close(self) -> None:
        """Let streams end."""
        self._stream.is_closed = True

    async def _metrics(self, request: Request) -> Response:
        body, content_type = self._telemetry.exposition(request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": content_type})

    async def _healthz(self, _request: Request) -> Response:
        return _verdict(*self._health.health())

    async def _readyz(self, _request: Request) -> Response:
        return _verdict(*self._health.readiness())


class _Elsewhere:
    """Answers for all other paths."""

    def __init__(self, paths: list[str]) -> None:
        self._message = f"Here are {', '.join(paths)}"

    async def answer(self, _request: Request) -> Response:
        """Say what there is."""
        return refusal(HTTPStatus.NOT_FOUND, self._message)


async def _openapi(_request: Request) -> Response:
    return json(document())


def _verdict(good: bool, line: str) -> Response:  # noqa: FBT001 - a pair taken apart
    return text(line, HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE)
