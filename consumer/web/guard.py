"""Who is answered at all: one method, no bodies, a token, and headers that browsers obey.

Owns: refusing before anything is looked up, and the headers of every answer.
Never: looks into what is asked.
Source: OWASP, "HTTP Security Response Headers Cheat Sheet"; RFC 6750, bearer tokens.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consumer.clock import Clock
from consumer.web.bounds import HEADERS_BYTES_MAX
from consumer.web.meters import HttpMeters
from consumer.web.replies import refusal

OPEN: Final = ("/healthz", "/readyz")
FILES: Final = "/page/"
STREAM: Final = "/stream"
CUSTOMERS: Final = "/v1/customers/"
CLOSE: Final = {"Connection": "close"}

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}

NOT_LOCAL: Final = (
    "Customers are shown beyond this machine only to who has a token: set `http: {token: …}`, or "
    "listen at 127.0.0.1"
)
OTHER_HOST: Final = (
    "Customers are shown without a token only to who asks for localhost: set `http: {token: …}`"
)


class Guard:
    """Stands before the application.

    Parameters
    ----------
    token: what a request for more than health brings as its bearer token; empty asks for none,
        and then customers are shown on this machine only.
    host: the address that is listened at.
    meters: hear of every answer.
    clock: measures how long they took.
    """

    def __init__(
        self, application: ASGIApp, *, token: str, host: str, meters: HttpMeters, clock: Clock
    ) -> None:
        self._application = application
        self._token = token.encode()
        self._is_local = ip_address(host).is_loopback
        self._meters = meters
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun_s = self._clock.monotonic_s()

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                seconds = self._clock.monotonic_s() - begun_s
                self._meters.answered(scope["path"], message["status"], seconds)
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refused = self._refused(scope["method"], scope["path"], Headers(scope=scope))
        await (refused or self._application)(scope, receive, send_with_headers)

    def _refused(self, method: str, path: str, headers: Headers) -> Response | None:
        if method != "GET":
            allow = {"Allow": "GET", **CLOSE}
            return refusal(HTTPStatus.METHOD_NOT_ALLOWED, "Everything here is only read", allow)
        if "transfer-encoding" in headers or headers.get("content-length", "0") != "0":
            too_large = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            return refusal(too_large, "A question has no body", CLOSE)
        if sum(len(name) + len(value) for name, value in headers.raw) > HEADERS_BYTES_MAX:
            too_large = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            return refusal(too_large, "The headers are too large", CLOSE)
        if path in OPEN or path == "/" or path.startswith(FILES):
            return None
        if self._token:
            return None if self._brings_token(headers) else _unauthorized()
        if path == STREAM or path.startswith(CUSTOMERS):
            return self._refused_customers(headers)
        return None

    def _brings_token(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        is_bearer = scheme.lower() == "bearer"
        return hmac.compare_digest(given.strip().encode(), self._token) and is_bearer

    def _refused_customers(self, headers: Headers) -> Response | None:
        """Refuse strangers, and pages of others whose name leads to this machine."""
        if not self._is_local:
            return refusal(HTTPStatus.FORBIDDEN, NOT_LOCAL)
        return (
            None if is_local(headers.get("host", "")) else refusal(HTTPStatus.FORBIDDEN, OTHER_HOST)
        )


def is_local(authority: str) -> bool:
    """Whether a host, perhaps with a port, is this machine by a name that only it can have.

    >>> is_local("localhost:8080"), is_local("[::1]:8080"), is_local("127.0.0.1")
    (True, True, True)
    >>> is_local("localhost.example.com"), is_local("10.0.0.1:8080"), is_local("")
    (False, False, False)
    """
    name = authority.rpartition("]")[0].lstrip("[") or authority.partition(":")[0]
    try:
        return name.lower() == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


def _unauthorized() -> Response:
    challenge = {"WWW-Authenticate": 'Bearer realm="propensity"'}
    return refusal(HTTPStatus.UNAUTHORIZED, "Bring the token of this worker as a bearer", challenge)
