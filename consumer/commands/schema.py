"""Print the JSON Schemas of the records.

Owns: the form in which they are printed.
Never: describes a record itself: the contracts in `schemas` do.
Source: the contract, "Records" and "Commands".
"""

from __future__ import annotations

import json

import click

from schemas.catalogue import RECORDS, json_schema


@click.command("schema")
@click.argument("name", required=False, type=click.Choice(list(RECORDS)))
def command(name: str | None) -> None:
    """Print the JSON Schema of one record, or of all by name."""
    if name is not None:
        result: object = json_schema(name)
    else:
        result = {each: json_schema(each) for each in RECORDS}
    click.echo(json.dumps(result, indent=2, ensure_ascii=False))
