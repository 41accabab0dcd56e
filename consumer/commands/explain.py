"""Say what is known of a customer and why the scores are what they are.

Owns: the options of the command, asking a worker over HTTP, and the models beside a snapshot.
Never: joins the group, or changes anything.
Source: docs/contract.md, "Commands".
"""

from __future__ import annotations

import json
from contextlib import closing
from http import HTTPStatus
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

import click

from consumer.cli import EXIT_DONE, EXIT_FOUND, GlobalOptions
from consumer.clock import SystemClock
from consumer.configuration import read_campaigns, read_settings
from consumer.errors import WorldError
from consumer.explanation import explanation_of, in_lines
from consumer.kafka import KafkaTransport
from consumer.kept_customers import KeptCustomers
from consumer.letter_words import safe
from consumer.logs import configure_logs
from consumer.served_models import ServedModels
from consumer.snapshots.snapshots import open_snapshots
from consumer.telemetry import Telemetry
from consumer.warm_up import plan_of
from models.plan import Plan
from schemas.model_record import ModelRecord
from schemas.settings import Settings

ANSWER_MAX_S: Final = 10.0


@click.command("explain")
@click.option("--customer", metavar="ID", required=True, help="The customer's id.")
@click.option(
    "--worker", metavar="URL", help="Ask this worker; else the newest snapshots are read."
)
@click.option("--json", "in_json", is_flag=True, help="The explanation as one JSON object.")
@click.pass_obj
def command(options: GlobalOptions, customer: str, worker: str | None, *, in_json: bool) -> int:
    """Say in plain words what was seen of a customer, what the scores are, and why.

    A worker answers for the customers it has (`--worker http://localhost:8080`). Without one, the
    newest snapshots are read, with the models that Kafka has now. Exit 1: nobody knows them.
    """
    configure_logs("warning")
    settings = read_settings(options)
    if worker is None:
        explained = _from_snapshots(customer, settings)
    else:
        explained = _from_worker(customer, worker, settings)
    if explained is None:
        click.echo("Nobody of this id is known: no event of theirs was read, or it is long ago",
                   err=True)  # fmt: skip
        return EXIT_FOUND
    if in_json:
        click.echo(json.dumps(explained, indent=2, ensure_ascii=False))
    else:
        for line in in_lines(explained):
            click.echo(safe(line))
    return EXIT_DONE


def _from_worker(customer: str, worker: str, settings: Settings) -> dict[str, Any] | None:
    if not worker.startswith(("http://", "https://")):
        raise WorldError(f"{worker!r} is no address of a worker", "Say http://localhost:8080")
    request = Request(  # noqa: S310 - the scheme was looked at
        f"{worker.rstrip('/')}/v1/customers/{quote(customer, safe='')}/explain"
    )
    token = settings.http.token.get_secret_value()
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urlopen(request, timeout=ANSWER_MAX_S) as answer:  # noqa: S310 - its scheme was looked at
            explained: dict[str, Any] = json.load(answer)
            return explained
    except HTTPError as error:
        with closing(error):
            told = _told(error.read())
        if error.code == HTTPStatus.NOT_FOUND and "partition" in told:
            return None
        raise _refused(error.code, told) from error
    except (URLError, TimeoutError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise WorldError(
            f"{worker} does not answer: {reason}", "See `http: {listen: …}`"
        ) from error


def _refused(code: int, told: dict[str, Any]) -> WorldError:
    """Why there is no answer, and what to do."""
    remedy = {
        HTTPStatus.UNAUTHORIZED: "Give its token: PROPENSITY_HTTP__TOKEN, or `http: {token: …}`",
        HTTPStatus.MISDIRECTED_REQUEST: "Ask that worker",
        HTTPStatus.SERVICE_UNAVAILABLE: "Ask again in a moment",
    }
    problem = safe(str(told.get("message", f"The worker answered {code}")))
    return WorldError(problem, remedy.get(HTTPStatus(code), "See docs/contract.md, HTTP"))


def _told(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _from_snapshots(customer: str, settings: Settings) -> dict[str, Any] | None:
    plan, topic = plan_of(read_campaigns(settings), settings), settings.topics.events
    with closing(open_snapshots(settings, SystemClock())) as snapshots:
        kept = KeptCustomers(snapshots, plan, topic)
        if not kept.partitions:
            raise WorldError(
                f"There is no snapshot of {topic} in {settings.snapshots.url}",
                "Ask a running worker with --worker URL, or say where snapshots are "
                "(`snapshots: {url: …}`)",
            )
        found = kept.find(customer, _models(settings, plan))
    return None if found is None else explanation_of(found, plan, topic)


def _models(settings: Settings, plan: Plan) -> list[ModelRecord]:
    """The models that are served now."""
    transport = KafkaTransport(settings.kafka, group=settings.group, instance=settings.instance)
    with closing(transport):
        served = ServedModels(transport, settings.topics.models, plan, Telemetry(SystemClock()))
        served.start()
        return list(served.records.values())
