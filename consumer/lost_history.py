"""What is refused where the log, the commits and the snapshots do not go together any more.

Owns: when history is lost that nobody has folded or learned, and what is said then.
Never: asks for any of them, or goes on without what is lost; that is for who was told to.
Source: ARCHITECTURE.md, "Recovery".
"""

from __future__ import annotations

from consumer.errors import WorldError
from consumer.other_topics import ANOTHER_TOPIC
from consumer.positions import Start
from consumer.transport import Bounds, Partition


def refuse_beyond_end(
    partition: Partition, committed: int, bounds: Bounds, *, what: str = "records"
) -> None:
    """Refuse a log that ends before what was committed; `what` says what it holds.

    Raises
    ------
    WorldError: it is another topic now, or has lost records.
    """
    if committed > bounds.high:
        raise WorldError(
            f"{partition} was committed at {committed} and ends at {bounds.high}: it is "
            f"another topic now, or has lost {what}",
            ANOTHER_TOPIC,
        )


def refuse_gap(partition: Partition, committed: int, bounds: Bounds) -> None:
    """Refuse a log of events that begins behind what was committed.

    Raises
    ------
    WorldError: records are gone unread.
    """
    if committed < bounds.low:
        raise WorldError(
            f"{partition} was committed at {committed}, and the log begins at {bounds.low}: "
            f"{bounds.low - committed} records are gone unread",
            "Keep events longer than the worker may stand still; `propensity run --rebuild` "
            "goes on without them",
        )


def refuse_rows_gone(
    partition: Partition, committed: int, bounds: Bounds, *, exactly_once: bool
) -> None:
    """Refuse a log of training rows that begins behind what was learned.

    Raises
    ------
    WorldError: rows are gone unread, which are labels missing for good.
    """
    low, high = bounds
    if committed + 1 == low == high and exactly_once:
        return  # What is last in a partition that transactions write to is the end of one.
    if committed < low:
        raise WorldError(
            f"{partition} was learned up to {committed}, and is kept from {low}: "
            f"{low - committed} rows are gone unread",
            "Keep training examples longer than the worker may stand still, or a partition "
            "wait; `propensity run --rebuild` goes on without them",
        )


def refuse_lost_start(partition: Partition, start: Start, bounds: Bounds) -> None:
    """Refuse a history that is not whole; for a partition without a snapshot.

    Raises
    ------
    WorldError: the log does not hold it from its beginning.
    """
    if start.history_origin < bounds.low:
        raise WorldError(
            f"{partition} has no snapshot that can be used, and its history from offset "
            f"{start.history_origin} is only kept from {bounds.low}: profiles would be incomplete",
            "Look for the snapshots (`snapshots: {url: …}`, shared by all hosts); "
            "`propensity run --rebuild` goes on with what is left",
        )


def refuse_lost_tail(partition: Partition, offset: int, low: int) -> None:
    """Refuse a log that begins behind the offset of the newest snapshot.

    Raises
    ------
    WorldError: something is missing between that and the committed offset.
    """
    if offset < low:
        raise WorldError(
            f"{partition} has no snapshot that can be used after offset {offset}, and its "
            f"history is only kept from {low}: profiles would be incomplete",
            "Look for newer snapshots (`snapshots: {url: …}`, shared by all hosts); "
            "`propensity run --rebuild` goes on with what is left",
        )


def uncommitted(partition: Partition, snapshot: int) -> WorldError:
    """Say that a partition has a snapshot of an offset, and the group no offset of it."""
    return WorldError(
        f"{partition} has a snapshot of offset {snapshot}, and the "
        "group has no committed offset for it: what was published since is not known",
        "Is `group` right, and were its offsets kept (`offsets.retention.minutes`)? "
        "`propensity run --rebuild` begins anew from `start_from`",
    )
