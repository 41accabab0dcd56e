"""Short answers: texts, JSON, and what is said to those who get nothing.

Owns: the form of a refusal: a word for programs, a sentence for people.
Never: names a customer or a secret in one.
Source: docs/contract.md, "HTTP".
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.responses import Response

TEXT = "text/plain; charset=utf-8"
_encode = msgspec.json.Encoder().encode


def text(body: str | bytes, status: HTTPStatus = HTTPStatus.OK, media_type: str = TEXT) -> Response:
    """A text."""
    return Response(body, status, media_type=media_type)


def json(
    body: Any, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Response:
    """A JSON object."""
    return Response(_encode(body), status, headers, "application/json")


def refusal(
    status: HTTPStatus, message: str, headers: Mapping[str, str] | None = None, **more: Any
) -> Response:
    """Why there is no answer."""
    error = status.phrase.lower().replace(" ", "_")
    return json({"error": error, "message": message, **more}, status, headers)
