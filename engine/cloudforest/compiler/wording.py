"""Word values, paths and suggestions in messages."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from typing import Any

from cloudforest.base.diagnostics import DocumentPath

MAX_SHOWN_LENGTH = 60

SCHEMA_TYPE_WORDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a block of keys",
    "null": "null",
}
VALUE_TYPE_WORDS: dict[type, str] = {
    type(None): "empty",
    bool: SCHEMA_TYPE_WORDS["boolean"],
    str: SCHEMA_TYPE_WORDS["string"],
    int: SCHEMA_TYPE_WORDS["integer"],
    float: "a number with a fraction",
    dict: SCHEMA_TYPE_WORDS["object"],
    list: SCHEMA_TYPE_WORDS["array"],
}
_SECRET_IN_URL = re.compile(
    r"""://.*@
    | [?&\#;][^\s=]*(auth|code|cred|key|pass|pw|secret|sig|token)[^\s=]*=""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_URL_QUERY = re.compile(r"(://[^?#]*)[?#].*|[?#]\S*=.*", re.DOTALL)


def describe_type(value: Any) -> str:
    """Return the type of a value in words; the value itself may be a secret."""
    return VALUE_TYPE_WORDS[type(value)]


def has_secret_in_url(value: Any) -> bool:
    """Tell whether a value looks like `https://user:password@host` or `…?token=…`."""
    return isinstance(value, str) and _SECRET_IN_URL.search(value) is not None


def format_value(value: Any) -> str:
    """Return a value as JSON, or its type if it may hold a secret.

    The query of a URL is never shown, as any parameter may be a key.
    """
    if isinstance(value, dict | list) or has_secret_in_url(value):
        return describe_type(value)
    if isinstance(value, str):
        value = _URL_QUERY.sub(r"\1?…", value)
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_SHOWN_LENGTH else f'{text[:MAX_SHOWN_LENGTH]}…"'


def format_yaml_value(value: Any) -> str:
    """Return an example as it would be written in YAML."""
    match value:
        case dict():
            inner = ", ".join(
                f"{key}: {format_yaml_value(each)}" for key, each in value.items()
            )
            return f"{{{inner}}}"
        case list():
            return f"[{', '.join(format_yaml_value(each) for each in value)}]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def describe_path(path: DocumentPath) -> str:
    match path:
        case (*_, str(key), int()):
            return f"an entry of `{key}`"
        case (*_, str(key)):
            return f"`{key}`"
        case _:
            return "the document"


def capitalize_first(words: str) -> str:
    """Return words with a capital first letter; `str.capitalize` lowers the rest."""
    return words[:1].upper() + words[1:]


def find_closest(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that is most similar to `word`, if one is similar."""
    by_lower = {each.lower(): each for each in sorted(candidates)}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return by_lower[found[0]] if found else None


def suggest_names(word: str, candidates: Iterable[str]) -> str:
    """Return a sentence that suggests the closest candidate, or lists them all."""
    known = sorted(set(candidates))
    if not known:
        return "Declare it first."
    found = find_closest(word, known)
    return ask_if_meant(found) if found is not None else list_choices(known)


def ask_if_meant(name: str) -> str:
    return f'Did you mean "{name}"?'


def list_choices(names: Iterable[str], *, limit: int = 8) -> str:
    known = list(names)
    opening = "Choose one of: " if len(known) > 1 else "The only choice is "
    return f"{opening}{quote_names(known, limit=limit)}."


def quote_names(words: Iterable[str], *, limit: int = 8) -> str:
    """Return words in quotes, with commas; `…` stands for those beyond `limit`."""
    known = list(words)
    shown = ", ".join(f'"{each}"' for each in known[:limit])
    return f"{shown}, …" if len(known) > limit else shown
