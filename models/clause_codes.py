"""Which clauses on last known values each value of a fold's vocabulary meets.

Owns: that table, which follows the vocabulary.
Never: part of a state: it is made from the campaign file and the vocabulary.
Source: models.kernel_clauses reads it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.plan import U8
from schemas.customer_clauses import CustomerClause


class ClauseCodes:
    """Bits of clauses by the code of a text.

    Parameters
    ----------
    clauses: as the plan numbers them.
    """

    def __init__(self, clauses: Sequence[CustomerClause]) -> None:
        self.named: dict[str, int] = {}
        for bit, clause in enumerate(clauses):
            for text in clause.texts:
                self.named[text] = self.named.get(text, 0) | 1 << bit
        self._bits: U8 = np.zeros(1, np.uint64)
        self._known = 0

    def follow(self, texts: Sequence[str]) -> U8:
        """The table for a vocabulary that may have grown; [0] where no clause asks for a value."""
        if self.named and len(texts) > self._known:
            if len(texts) > len(self._bits):
                grown = np.zeros(2 * len(texts), np.uint64)
                grown[: self._known] = self._bits[: self._known]
                self._bits = grown
            for code in range(self._known, len(texts)):
                self._bits[code] = self.named.get(texts[code], 0)
            self._known = len(texts)
        return self._bits
