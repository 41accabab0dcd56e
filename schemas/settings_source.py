"""Where settings come from: flags, environment, file; and whose mistake one is.

Owns: the order of the sources, and the place that a problem names.
Never: knows a setting by name, but those that are paths.
Source: the contract, "Settings file".
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
)
from pydantic_settings import (
    SettingsError as UnreadableVariable,
)

from schemas.errors import Problem, SettingsError, described, nearest
from schemas.yaml_source import Located, read_yaml

AnySettings = TypeVar("AnySettings", bound=BaseSettings)

_ALLOWED = {
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "a text",
    "path_type": "a path",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
    "string_pattern_mismatch": "1 to 249 of letters, digits, `.`, `_` and `-`",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "greater_than": "more than {gt}",
    "less_than": "less than {lt}",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "literal_error": "{expected}",
}


_SECRET_WORDS = ("password", "secret", "token", "sasl.jaas", "key.pem")


def read_settings(
    kind: type[AnySettings], path: Path | None, overrides: Mapping[str, Any]
) -> AnySettings:
    """Settings from all sources; see `schemas.settings.load_settings`."""
    root, problems = (Located(1, mapping={}), []) if path is None else read_yaml(path)
    if problems:
        raise SettingsError(problems)
    if root.mapping is None:
        allowed = ", ".join(kind.model_fields)
        raise SettingsError([Problem(str(path), root.line, "", root.described(), allowed)])
    values = root.plain()
    if path is not None:
        _anchor(values, path.parent)

    class FromFile(kind):  # type: ignore[misc, valid-type]
        """The same settings with the file as one of their sources."""

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            **_others: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            file = InitSettingsSource(settings_cls, init_kwargs=values)
            return init_settings, env_settings, file

    places = _Places(kind, path, root, overrides)
    try:
        settings = FromFile(**overrides)
    except ValidationError as error:
        raise SettingsError([places.problem(found) for found in error.errors()]) from error
    except UnreadableVariable as error:
        raise SettingsError([Problem("environment", None, "", str(error), "JSON")]) from error
    plain = kind.model_construct(**{name: getattr(settings, name) for name in kind.model_fields})
    assert isinstance(plain, kind)
    return plain


def _anchor(values: dict[str, Any], folder: Path) -> None:
    """Read what the file says of paths as from its own folder."""
    if isinstance(values.get("campaigns"), str):
        values["campaigns"] = str(folder / values["campaigns"])
    snapshots = values.get("snapshots")
    if isinstance(snapshots, dict):
        url = snapshots.get("url")
        if isinstance(url, str) and url and "://" not in url:
            values["snapshots"] = {**snapshots, "url": str(folder / url)}


class _Places:
    """Finds the place of a mistake."""

    def __init__(
        self,
        kind: type[BaseSettings],
        path: Path | None,
        root: Located,
        overrides: Mapping[str, Any],
    ) -> None:
        self._kind = kind
        self._path = path
        self._root = root
        self._overrides = overrides
        self._variables = {name.upper(): name for name in os.environ}

    def problem(self, error: ErrorDetails) -> Problem:
        """Our words for one of pydantic's errors."""
        words = [str(part) for part in error["loc"]]
        words = words[: len(list(self._known(words))) + 1]
        key = ".".join(words)
        file, line = self._place(words)
        if error["type"] == "extra_forbidden":
            names = self._names(words[:-1])
            found = f"the unknown key `{words[-1]}`"
            return Problem(file, line, key, found, ", ".join(names), nearest(words[-1], names))
        template = _ALLOWED.get(error["type"])
        allowed = error["msg"] if template is None else template.format(**error.get("ctx", {}))
        hint = None
        if error["type"] == "literal_error":
            hint = nearest(
                error["input"], allowed.replace("'", "").replace(" or ", ", ").split(", ")
            )
        found = described(error["input"])
        if any(word in key.lower() for word in _SECRET_WORDS):
            found = "something else, which is not shown"
        return Problem(file, line, key, found, allowed.replace("'", "`"), hint)

    def _place(self, words: list[str]) -> tuple[str, int | None]:
        """The flag, the variable or the line that the value came from."""
        if _holds(self._overrides, words):
            return "--" + words[-1].replace("_", "-"), None
        for depth in range(len(words), 0, -1):
            variable = "PROPENSITY_" + "__".join(words[:depth]).upper().replace(".", "_")
            if variable in self._variables:
                return self._variables[variable], None
        line = None
        node: Located | None = self._root
        for word in words:
            node = (node.mapping or {}).get(word) if node is not None else None
            if node is None:
                break
            line = node.line
        return "settings" if self._path is None else str(self._path), line

    def _known(self, words: list[str]) -> Iterator[str]:
        """The leading words that name sections (pydantic adds words of its own for unions)."""
        kind: type[BaseModel] | None = self._kind
        for word in words[:-1]:
            info = None if kind is None else kind.model_fields.get(word)
            annotation = None if info is None else info.annotation
            if isinstance(annotation, type) and issubclass(annotation, BaseModel):
                kind = annotation
            elif info is not None and kind is self._kind and word == "kafka":
                kind = None
            else:
                return
            yield word

    def _names(self, words: list[str]) -> list[str]:
        kind: type[BaseModel] = self._kind
        for word in words:
            annotation = kind.model_fields[word].annotation
            assert isinstance(annotation, type)
            assert issubclass(annotation, BaseModel)
            kind = annotation
        return list(kind.model_fields)


def _holds(values: Mapping[str, Any], words: list[str]) -> bool:
    found: Any = values
    for word in words:
        if not isinstance(found, Mapping) or word not in found:
            return False
        found = found[word]
    return True
