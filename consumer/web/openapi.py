"""The OpenAPI document of the HTTP interface.

Owns: the paths and statuses as a machine reads them.
Never: a shape; `schemas/answers.py` has those.
Source: https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from consumer import __version__
from schemas.answers import CustomerExplained, CustomerScores, Misdirected, Refusal

Json = dict[str, Any]

_MODELS: Final = (CustomerScores, CustomerExplained, Misdirected, Refusal)
_REFUSALS: Final = {
    "401": "The worker has a token, and the request does not bring it.",
    "403": "Without a token customers are shown on the worker's own machine only.",
    "404": "Nobody of this id is known.",
    "503": "The worker does not have its partitions yet, or no moment for an answer.",
}


@cache
def document() -> Json:
    """The document."""
    _, schemas = models_json_schema(
        [(model, "serialization") for model in _MODELS],
        ref_template="#/components/schemas/{model}",
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "propensity",
            "version": __version__,
            "description": "Scores as a service: of the customers that this worker has, as of the "
            "event clock of their partition. Asking changes nothing.",
        },
        "security": [{}, {"token": []}],
        "paths": {
            "/v1/customers/{customer_id}/scores": _path("Scores", CustomerScores.__name__),
            "/v1/customers/{customer_id}/explain": _path("Explanation", CustomerExplained.__name__),
        },
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _path(summary: str, answer: str) -> Json:
    responses = {
        "200": _response("The customer is known.", answer),
        "421": _response("Another worker has the customer's partition.", Misdirected.__name__),
        **{status: _response(meaning, Refusal.__name__) for status, meaning in _REFUSALS.items()},
    }
    parameter = {
        "name": "customer_id",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1, "maxLength": 128},
    }
    return {
        "get": {
            "operationId": summary.lower(),
            "summary": f"{summary} of one customer",
            "parameters": [parameter],
            "responses": dict(sorted(responses.items())),
        }
    }


def _response(meaning: str, model: str) -> Json:
    schema = {"$ref": f"#/components/schemas/{model}"}
    return {"description": meaning, "content": {"application/json": {"schema": schema}}}
