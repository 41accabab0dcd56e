"""A server beside a worker on the log in memory, asked by another thread while the worker turns.

Owns: turning the worker until there is an answer.
Never: waits for time to pass.
Source: tests/world.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any, NamedTuple

from consumer.http import HttpServer
from consumer.surroundings import Surroundings
from consumer.worker import Worker
from consumer.worker_view import OwnerOf, nobody_knows, view_of
from models.plan import Plan
from tests.world import World, plan

TIMEOUT_S = 60


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as an object."""
        return json.loads(self.body)


def get(
    address: tuple[str, int],
    path: str,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    """Ask once."""
    connection = HTTPConnection(*address, timeout=TIMEOUT_S)
    try:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


class Desk(NamedTuple):
    """A server and the worker behind it."""

    server: HttpServer
    worker: Worker
    world: World

    def ask(self, path: str, **more: Any) -> Answer:
        """Ask in another thread, and turn the worker until it has answered."""
        return self.meanwhile(lambda: get(self.server.address, path, **more))

    def meanwhile(self, ask: Callable[[], Answer]) -> Answer:
        """The same, for whatever asks."""
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(ask)
            while not future.done():
                self.world.tick(self.worker)
            return future.result()


@contextmanager
def desk(
    world: World,
    worker: Worker,
    *,
    owner_of: OwnerOf = nobody_knows,
    token: str = "",
    page: bool = True,
    listen: str = "127.0.0.1:0",
    given: Plan | None = None,
) -> Iterator[Desk]:
    """Serve a worker of a world, which has compiled what it needs, as `run` has by then."""
    for scoring in worker.scoring:
        scoring.portrait("", 0)
    telemetry, health = world.telemetry[id(worker)], world.health[id(worker)]
    server = HttpServer(listen, telemetry, health, token=token, page=page)
    around = Surroundings(world.settings, given or plan(), world.clock, telemetry, health)
    server.show(view_of(worker, around, owner_of))
    try:
        yield Desk(server, worker, world)
    finally:
        server.close()
