"""TOML files by people: read, and every table held to a schema, so that nothing misspelt passes in silence."""

from __future__ import annotations

import json
import tomllib
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from riskscore.errors import InvalidFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from riskscore.contract.contract import Contract

    Table = dict[str, Any]
    Schema = Mapping[str, tuple[Any, Any]]  # key -> type, default

REAL = (int, float)
DAY = (str, date)  # TOML has dates of its own
REQUIRED = object()  # in the place of a default
TYPE_WORDS = {
    str: "text",
    int: "a whole number",
    REAL: "a number",
    DAY: "a date, as 2025-09-01",
    list: "a list",
    dict: "a table",
    bool: "true or false",
}


def text_of(path: Path, file: str) -> str:
    """The text of a file, called `file` in sentences."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidFile(f"{file} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidFile(f"{file} is not UTF-8 text") from None


def table_of(text: str, file: str) -> Table:
    """The table that a TOML text is."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidFile(f"{file} is not TOML: {error}") from None


def checked(file: str, path: str, table: object, schema: Schema) -> Table:
    """The table with its defaults, once every key is known and of its type; `path` is its place, for the sentence."""
    if not isinstance(table, dict):
        raise InvalidFile(f"{file}: {path.rstrip('.')} must be a table")
    for key, value in table.items():
        if key not in schema:
            raise InvalidFile(f"{file}: unknown key {path}{key}; known here: {', '.join(schema)}", key)
        kind = schema[key][0]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise InvalidFile(f"{file}: {path}{key} must be {TYPE_WORDS[kind]}", key)
    for key, (_, default) in schema.items():
        if default is REQUIRED and key not in table:
            raise InvalidFile(f"{file}: {path}{key} is missing", key)
    return {key: table.get(key, default) for key, (_, default) in schema.items()}


def require(truth: object, file: str, sentence: str) -> None:
    """Refuse the file with this sentence, unless the truth holds."""
    if not truth:
        raise InvalidFile(f"{file}: {sentence}")


def are_texts(values: Iterable[object]) -> bool:
    """Whether all are strings, and none is empty."""
    return all(isinstance(value, str) and value for value in values)


def require_features(file: str, where: str, names: Iterable[str], contract: Contract) -> None:
    """Refuse names that the contract doesn't have."""
    for name in names:
        if name not in contract:
            raise InvalidFile(f"{file}: {where}: {contract.unknown(name).message}", name)


def quoted(text: str) -> str:
    """A TOML basic string: JSON's escapes are TOML's, but for the one control that JSON leaves as it is."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def day_of(file: str, path: str, value: str | date) -> date:
    """The day that a TOML date, or a text as 2025-09-01, is."""
    if isinstance(value, datetime):
        return value.date()
    try:
        return value if isinstance(value, date) else date.fromisoformat(value)
    except ValueError:
        raise InvalidFile(f"{file}: {path} must be a date, as 2025-09-01") from None
