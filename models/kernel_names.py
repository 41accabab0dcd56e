"""Names kept in rows by the compiled loop: of customers, and of the events that were scored.

Owns: how a name stands in its row: its length, then its letters, as JSON without its quotes.
Never: compares names; identities are hashes.
Source: a UUID has 36 letters. Names that do not fit are left to `models.names`.
"""

from __future__ import annotations

from models.compiled import inlined
from models.kernel_records import row_of
from models.kernel_text import copy_span
from models.plan import I8, U1
from models.state import NAME_BYTES

ELSEWHERE = 255


@inlined
def keep_name(names: U1, row: int, text: U1, span: I8) -> None:
    """Keep `text[span[0]:span[1]]` as the name of a row, or that it does not fit."""
    name, length = row_of(names, row), span[1] - span[0]
    if length < NAME_BYTES:
        name[0] = length
        copy_span(name, 1, text, span[0], span[1])
    else:
        name[0] = ELSEWHERE
