"""Reading clauses on a customer, as `for` has them.

Owns: what such a clause may say, and one problem for every mistake.
Never: stops at the first mistake, knows campaigns as a whole.
Source: the contract, "Campaign file".
"""

from __future__ import annotations

from schemas.campaign_reader import Reader, join, misspelt
from schemas.clauses import Clause
from schemas.customer_clauses import CustomerClause
from schemas.event_values import PROPERTY_CHARACTERS_MAX, text_of_value
from schemas.yaml_source import Located

_LAST = "a last known value such as {last: country, is: [DE, AT]}"
_EVENT = "an event with `within` or `never: true`, such as {event: page_view, within: 60d}"
_A_VALUE = f"values of 1 to {PROPERTY_CHARACTERS_MAX} characters, or numbers, true or false"


class CustomerClauseReader(Reader):
    """Reads clauses on a customer."""

    def customer_clauses(self, node: Located, key: str) -> tuple[CustomerClause, ...]:
        """A list of at least one clause."""
        what = "clauses such as {event: page_view, within: 60d}"
        return self.sequence(node, key, self.customer_clause, what=what, count_min=1)

    def customer_clause(self, node: Located, key: str) -> CustomerClause | None:
        """`{last, is}`, `{event, where, within}` or `{event, where, never: true}`."""
        section = self.section(node, key, "customer")
        if "last" in section:
            return self._last(node, section, key)
        if "event" in section:
            return self._happened(node, section, key)
        if node.mapping is not None and not (misspelt(node, "last") or misspelt(node, "event")):
            self.wrong(node, key, f"{_LAST}, or {_EVENT}")
        return None

    def _last(self, node: Located, section: dict[str, Located], key: str) -> CustomerClause | None:
        for word in ("event", "where", "within", "never"):
            if word in section:
                self.wrong(section[word], join(key, word), f"no `{word}` beside `last`: {_LAST}")
        name = self.property_name(section["last"], join(key, "last"))
        if "is" not in section:
            if not misspelt(node, "is"):
                self.wrong(node, key, _LAST)
            return None
        given = section["is"]
        if given.mapping is not None:
            self.wrong(given, join(key, "is"), "a value, or a list of values")
            return None
        condition = self.condition(given, join(key, "is"))
        if name is None or condition is None or condition.values is None:
            return None
        texts = [text_of_value(value) for value in condition.values]
        if any(not 1 <= len(text) <= PROPERTY_CHARACTERS_MAX for text in texts):
            self.wrong(given, join(key, "is"), _A_VALUE)
        return CustomerClause(last=name, values=condition.values)

    def _happened(
        self, node: Located, section: dict[str, Located], key: str
    ) -> CustomerClause | None:
        if "is" in section:
            self.wrong(section["is"], join(key, "is"), f"no `is` beside `event`: {_EVENT}")
        event = self.event_type(section["event"], join(key, "event"))
        where = self.where(section["where"], join(key, "where")) if "where" in section else {}
        within_ms: int | None = None
        if ("within" in section) == ("never" in section):
            if len(section) == len(node.mapping or {}):  # Or an unknown key is one problem already.
                self.wrong(node, key, _EVENT)
        elif "within" in section:
            within_ms = self.duration_ms(section["within"], join(key, "within"), min_ms=1_000)
            if within_ms is None:
                return None
        elif section["never"].scalar is not True:
            self.wrong(section["never"], join(key, "never"), "true")
        clause = None if event is None else Clause(event, where)
        return None if clause is None else CustomerClause(event=clause, within_ms=within_ms)
