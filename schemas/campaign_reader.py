"""Reading what a campaign file is made of: words, durations, rates, clauses.

Owns: turning located YAML into values, and one problem for every mistake.
Never: stops at the first mistake, knows campaigns as a whole.
Source: the contract, "Campaign file".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from math import isfinite
from typing import TypeVar

from schemas import campaign_grammar as grammar
from schemas import durations
from schemas.campaign import Challenger, CountBy
from schemas.clauses import VALUE, Clause, Condition
from schemas.errors import Problem, nearest
from schemas.event_values import PropertyValue
from schemas.yaml_source import Located

Item = TypeVar("Item")

_A_TYPE = f"an event type of 1 to {grammar.TYPE_CHARACTERS_MAX} characters (a number in quotes)"
_A_PROPERTY = f"a property's name of 1 to {grammar.PROPERTY_CHARACTERS_MAX} characters"
_A_PATH = re.compile(r".{1,256}")
_A_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_A_RATE = "a share such as 3% or 0.03, above 0 and below 1"


class Reader:
    """Reads values of one file and collects the problems."""

    def __init__(self, file: str, problems: list[Problem]) -> None:
        self.file = file
        self.problems = problems

    def wrong(
        self,
        node: Located,
        key: str,
        allowed: str,
        *,
        found: str | None = None,
        words: Sequence[str] = (),
    ) -> None:
        """One more problem."""
        found = node.described() if found is None else found
        hint = nearest(node.text, words) if words else None
        self.problems.append(Problem(self.file, node.line, key, found, allowed, hint))

    def section(self, node: Located, key: str, section: grammar.Section) -> dict[str, Located]:
        """The known keys of a section; unknown ones and those not there yet are problems."""
        keys = grammar.KEYS[section]
        if node.mapping is None:
            self.wrong(node, key, f"keys: {', '.join(keys)}")
            return {}
        known: dict[str, Located] = {}
        for word, child in node.mapping.items():
            if word in keys:
                known[word] = child
                continue
            path = join(key, word)
            if word in grammar.NOT_YET.get(section, ()):
                found = f"`{word}`, which is not there yet"
                self.wrong(child, path, f"in this release only {', '.join(keys)}", found=found)
                continue
            hint = nearest(word, [*keys, *grammar.NOT_YET.get(section, ())])
            found = f"the unknown key `{word}`"
            allowed = ", ".join(keys)
            self.problems.append(Problem(self.file, child.line, path, found, allowed, hint))
        return known

    def entries(self, node: Located, key: str, what: str) -> dict[str, Located]:
        """The entries of a mapping whose keys are free."""
        if node.mapping is None:
            self.wrong(node, key, what)
            return {}
        return node.mapping

    def word(self, node: Located, key: str, words: Sequence[str], default: str) -> str:
        """One of a few words."""
        if isinstance(node.scalar, str) and node.scalar in words:
            return node.scalar
        self.wrong(node, key, " or ".join(words), words=words)
        return default

    def duration_ms(
        self, node: Located, key: str, *, min_ms: int = 0, max_ms: int = grammar.HORIZON_MAX_MS
    ) -> int | None:
        """A duration within bounds."""
        try:
            duration_ms = durations.parse_duration(node.text)
        except ValueError:
            self.wrong(node, key, durations.ALLOWED)
            return None
        if not min_ms <= duration_ms <= max_ms:
            least, most = durations.format_duration(min_ms), durations.format_duration(max_ms)
            self.wrong(node, key, f"from {least} to {most}")
            return None
        return duration_ms

    def rate(self, node: Located, key: str) -> float | None:
        """A share: `3%` or 0.03."""
        rate: float | None = None
        if isinstance(node.scalar, str) and node.scalar.endswith("%"):
            try:
                rate = float(node.scalar[:-1]) / 100
            except ValueError:
                rate = None
        elif isinstance(node.scalar, int | float) and not isinstance(node.scalar, bool):
            rate = float(node.scalar)
        if rate is None or not grammar.RATE_MIN <= rate <= grammar.RATE_MAX:
            self.wrong(node, key, _A_RATE)
            return None
        return rate

    def event_type(self, node: Located, key: str) -> str | None:
        """An event type; those that begin with `$` are ours."""
        text = node.scalar
        if not isinstance(text, str) or not 1 <= len(text) <= grammar.TYPE_CHARACTERS_MAX:
            self.wrong(node, key, _A_TYPE)
            return None
        if text.startswith("$"):
            self.wrong(node, key, "types that do not begin with `$`: those are ours")
            return None
        return text

    def property_name(self, node: Located, key: str) -> str | None:
        """The name of a property."""
        text = node.scalar
        if not isinstance(text, str) or not 1 <= len(text) <= grammar.PROPERTY_CHARACTERS_MAX:
            self.wrong(node, key, _A_PROPERTY)
            return None
        if text.startswith("$"):
            self.wrong(node, key, f"{_A_PROPERTY}; only `where` takes `{VALUE}`")
            return None
        return text

    def sequence(
        self,
        node: Located,
        key: str,
        read: Callable[[Located, str], Item | None],
        *,
        what: str,
        count_max: int = grammar.LIST_MAX,
        count_min: int = 0,
    ) -> tuple[Item, ...]:
        """A list of distinct items."""
        if node.sequence is None:
            self.wrong(node, key, f"a list of {what}")
            return ()
        if not count_min <= len(node.sequence) <= count_max:
            found = f"a list of {len(node.sequence)}"
            least = "" if count_min == count_max else f"{count_min} to "
            self.wrong(node, key, f"a list of {least}{count_max} {what}", found=found)
            return ()
        items: list[Item] = []
        for index, child in enumerate(node.sequence):
            item = read(child, f"{key}[{index}]")
            if item is None:
                continue
            if item in items:
                self.wrong(child, f"{key}[{index}]", "each only once")
                continue
            items.append(item)
        return tuple(items)

    def event_types(self, node: Located, key: str) -> tuple[str, ...]:
        """A list of event types."""
        return self.sequence(
            node, key, self.event_type, what="event types", count_max=grammar.EVENT_TYPES_MAX
        )

    def property_names(self, node: Located, key: str) -> tuple[str, ...]:
        """A list of property names."""
        return self.sequence(node, key, self.property_name, what="property names")

    def clause(self, node: Located, key: str) -> Clause | None:
        """An event type, or `{event, where}`."""
        if node.mapping is None:
            event = self.event_type(node, key)
            return None if event is None else Clause(event)
        section = self.section(node, key, "clause")
        if "event" not in section:
            if not misspelt(node, "event"):
                self.wrong(node, key, "a clause with its `event`")
            return None
        event = self.event_type(section["event"], join(key, "event"))
        where = {}
        if "where" in section:
            where = self.where(section["where"], join(key, "where"))
        return None if event is None else Clause(event, where)

    def clauses(self, node: Located, key: str) -> tuple[Clause, ...]:
        """A list of at least one clause."""
        what = "event types or clauses {event, where}"
        return self.sequence(node, key, self.clause, what=what, count_min=1)

    def where(self, node: Located, key: str) -> dict[str, Condition]:
        """Conditions by property."""
        entries = self.entries(node, key, "conditions such as {department: [DELI]}")
        if len(entries) > grammar.LIST_MAX:
            self.wrong(node, key, f"at most {grammar.LIST_MAX} conditions")
        where: dict[str, Condition] = {}
        for name, child in entries.items():
            path = join(key, name)
            if not 1 <= len(name) <= grammar.PROPERTY_CHARACTERS_MAX:
                self.wrong(child, path, _A_PROPERTY, found=f"`{name}`")
            elif name.startswith("$") and name != VALUE:
                hint = f"{_A_PROPERTY}, or `{VALUE}` for the event's value"
                self.wrong(child, path, hint, found=f"`{name}`")
            condition = self.condition(child, path)
            if condition is not None:
                where[name] = condition
        return where

    def condition(self, node: Located, key: str) -> Condition | None:
        """One value, a list of values, or bounds for a number."""
        if node.mapping is not None:
            return self._bounds(node, key)
        if node.sequence is not None:
            values = self.sequence(
                node,
                key,
                self._property_value,
                what="values",
                count_max=grammar.VALUES_MAX,
                count_min=1,
            )
            return Condition(tuple(value for _, value in values)) if values else None
        single = self._property_value(node, key)
        return None if single is None else Condition((single[1],))

    def count_by(self, node: Located, key: str) -> CountBy | None:
        """`{event, by}`."""
        section = self.section(node, key, "count_by")
        missing = [word for word in grammar.KEYS["count_by"] if word not in section]
        if missing:
            if node.mapping is not None:
                self.wrong(node, key, "an entry such as {event: purchase, by: department}")
            return None
        event = self.event_type(section["event"], join(key, "event"))
        by = self.property_name(section["by"], join(key, "by"))
        return None if event is None or by is None else CountBy(event, by)

    def challenger(self, node: Located, key: str) -> Challenger | None:
        """One word, or a model trained elsewhere with its digest."""
        words = grammar.CHALLENGERS
        if node.mapping is None:
            if isinstance(node.scalar, str) and node.scalar in words:
                return Challenger(node.scalar)
            allowed = f"{', '.join(words)} or {{onnx: path, sha256: digest}}"
            self.wrong(node, key, allowed, words=words)
            return None
        section = self.section(node, key, "challenger")
        given: dict[str, str] = {}
        for word, fits, allowed in (
            ("onnx", _A_PATH.fullmatch, "a path of 1 to 256 characters"),
            ("sha256", _A_DIGEST.fullmatch, "the model file's SHA-256, 64 hexadecimal digits"),
        ):
            if word not in section:
                if not misspelt(node, word):
                    self.wrong(node, join(key, word), allowed, found="nothing")
            elif fits(section[word].text):
                given[word] = section[word].text
            else:
                self.wrong(section[word], join(key, word), allowed)
        if len(given) < len(grammar.KEYS["challenger"]):
            return None
        return Challenger("onnx", given["onnx"], given["sha256"].lower())

    def flag(self, node: Located, key: str) -> bool:
        """`true` or `false`."""
        if not isinstance(node.scalar, bool):
            self.wrong(node, key, "true or false", words=("true", "false"))
        return node.scalar is not False

    def cross(self, node: Located, key: str) -> tuple[str, ...] | None:
        """Two categories that count together."""
        names = self.sequence(
            node,
            key,
            self.property_name,
            what="property names",
            count_min=grammar.CROSSED,
            count_max=grammar.CROSSED,
        )
        return names or None

    def half_life(self, node: Located, key: str) -> tuple[int | None] | None:
        """A half-life in milliseconds; `all` never decays. In a tuple: None means a problem."""
        if node.scalar == "all":
            return (None,)
        half_life_ms = self.duration_ms(node, key, min_ms=1_000)
        return None if half_life_ms is None else (half_life_ms,)

    def _bounds(self, node: Located, key: str) -> Condition | None:
        section = self.section(node, key, "condition")
        bounds: dict[str, float] = {}
        for word, child in section.items():
            number = child.scalar
            if isinstance(number, bool) or not isinstance(number, int | float):
                self.wrong(child, join(key, word), "a number")
            elif not isfinite(number):
                self.wrong(child, join(key, word), "a finite number")
            else:
                bounds[word] = float(number)
        if not section:
            if node.mapping is not None and not node.mapping:
                self.wrong(node, key, "at least one of gte, gt, lte, lt")
            return None
        least = max(bounds.get("gte", -float("inf")), bounds.get("gt", -float("inf")))
        most = min(bounds.get("lte", float("inf")), bounds.get("lt", float("inf")))
        if least > most:
            self.wrong(node, key, "bounds that some number can meet")
        if not bounds:
            return None
        return Condition(
            gte=bounds.get("gte"), gt=bounds.get("gt"), lte=bounds.get("lte"), lt=bounds.get("lt")
        )

    def _property_value(self, node: Located, key: str) -> tuple[str, PropertyValue] | None:
        """A value with its kind, so that `true` and `1` are two."""
        value = node.scalar
        if value is None or (isinstance(value, float) and not isfinite(value)):
            self.wrong(node, key, "a text, a number, true or false")
            return None
        if isinstance(value, bool):
            return ("boolean", value)
        if isinstance(value, str):
            return ("text", value)
        return ("number", float(value))


def join(key: str, word: str) -> str:
    """A key path one step deeper."""
    return f"{key}.{word}" if key else word


def misspelt(node: Located, word: str) -> bool:
    """Whether a key of the section was probably meant to be the word: one problem is enough."""
    return any(nearest(key, [word]) is not None for key in node.mapping or {})
