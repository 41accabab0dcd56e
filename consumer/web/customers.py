"""Scores and explanations of one customer over HTTP.

Owns: which answer of the folds becomes which status.
Never: names the customer in an error, or waits longer than `ANSWER_MAX_S`.
Source: docs/contract.md, "HTTP"; RFC 9110, 421 Misdirected Request.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Final, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from consumer.enquiries import Absent, Found
from consumer.explanation import FEATURES_MAX, explanation_of, scores_of
from consumer.questions import TooManyQuestionsError
from consumer.web.replies import json, refusal
from consumer.worker_view import WorkerView
from schemas.event import CUSTOMER_ID_CHARACTERS_MAX

ANSWER_MAX_S: Final = 1.0
AGAIN: Final = {"Retry-After": "1"}


class Customers:
    """Answers once `view` is there."""

    view: WorkerView | None = None

    async def scores(self, request: Request) -> Response:
        """What would be published now."""
        found = await self._find(request, 0)
        if isinstance(found, Response):
            return found
        return json(scores_of(found.found, found.view.settings.topics.events))

    async def explain(self, request: Request) -> Response:
        """All that is known, and why the scores are what they are."""
        found = await self._find(request, FEATURES_MAX)
        if isinstance(found, Response):
            return found
        view = found.view
        return json(explanation_of(found.found, view.plan, view.settings.topics.events))

    async def _find(self, request: Request, terms_max: int) -> _Found | Response:
        customer, view = request.path_params["customer"], self.view
        if not 1 <= len(customer) <= CUSTOMER_ID_CHARACTERS_MAX:
            message = f"A customer id has 1 to {CUSTOMER_ID_CHARACTERS_MAX} characters"
            return refusal(HTTPStatus.NOT_FOUND, message)
        if view is None:
            return _not_yet()
        try:
            asked = asyncio.wrap_future(view.enquiries.customer(customer, terms_max))
            found = await asyncio.wait_for(asked, ANSWER_MAX_S)
        except TooManyQuestionsError as error:
            return refusal(HTTPStatus.SERVICE_UNAVAILABLE, error.problem, AGAIN)
        except TimeoutError:
            message = "The worker had no moment for an answer"
            return refusal(HTTPStatus.SERVICE_UNAVAILABLE, message, AGAIN)
        return _Found(view, found) if isinstance(found, Found) else await _absent(found, view)


class _Found(NamedTuple):
    """Who was looked for, and where."""

    view: WorkerView
    found: Found


async def _absent(absent: Absent, view: WorkerView) -> Response:
    partition = absent.partition
    if partition is None or absent.reason == "not_yet":
        return _not_yet()
    if absent.reason == "unknown":
        message = "Nobody of this id is known here: no event of theirs was read, or it is long ago"
        return refusal(HTTPStatus.NOT_FOUND, message, partition=partition)
    owner = await run_in_threadpool(view.owner_of, partition)
    who = "nobody can tell which worker" if owner is None else f"the worker {owner}"
    return refusal(
        HTTPStatus.MISDIRECTED_REQUEST,
        f"Partition {partition} has this customer, by Java's default partitioner, and {who} "
        "has that partition",
        partition=partition,
        owner=owner,
    )


def _not_yet() -> Response:
    message = "The worker does not have its partitions yet; /readyz says what it waits for"
    return refusal(HTTPStatus.SERVICE_UNAVAILABLE, message, AGAIN)
