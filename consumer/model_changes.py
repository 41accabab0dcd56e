"""What the topic of models says: a campaign's new model, or that it has none any more.

Owns: reading its records, and which of them concern a campaign file.
Never: serves a model or publishes one.
Source: the contract, "Records"; a tombstone is a record with a key and no value.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from consumer.errors import WorldError
from consumer.transport import Records
from models.plan import Plan
from schemas.model_record import ModelRecord, decode_model_record


def model_changes(records: Records, plan: Plan) -> Iterator[tuple[str, ModelRecord | None]]:
    """Give each campaign of the plan whose model changed; None: it was removed.

    Raises
    ------
    WorldError: a record cannot be read by this program.
    """
    for key, value in zip(records.keys, records.values, strict=True):
        if value is None:
            yield (key or b"").decode("utf-8", "replace"), None
            continue
        try:
            record = decode_model_record(value)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise WorldError(
                f"A record of {records.partition.topic} cannot be read: {error}",
                "Run the version of propensity that wrote it",
            ) from error
        if record.campaign in plan.campaigns:
            index = plan.campaigns.index(record.campaign)
            if record.lineage == plan.lineages[index]:
                yield record.campaign, record
