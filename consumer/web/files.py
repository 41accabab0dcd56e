"""The files of the page.

Owns: which files there are, and their types; they are read once.
Never: a path made of what somebody asks for.
Source: docs/page.md.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from consumer.web.guard import FILES

FOLDER: Final = files("consumer.web") / "static"
TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
}


def page_routes() -> list[Route]:
    """The page itself at `/`, all other files below `/page/`."""
    found = {each.name: each.read_bytes() for each in FOLDER.iterdir()}
    routes = [Route("/", _File(found.pop("page.html"), "html").answer)]
    for name, body in sorted(found.items()):
        routes.append(Route(FILES + name, _File(body, name.rpartition(".")[2]).answer))
    return routes


class _File:
    """One file, which a browser asks for again each time: it changes with the worker's version."""

    def __init__(self, body: bytes, kind: str) -> None:
        self._body = body
        self._headers = {"Content-Type": TYPES[kind], "Cache-Control": "no-cache"}

    async def answer(self, _request: Request) -> Response:
        """Give its bytes."""
        return Response(self._body, headers=self._headers)
