"""Word values and paths in messages."""

from __future__ import annotations

import json
import re
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


def restore_spelling(words: str, text: str) -> str:
    """Spell words, which are in lower case, as in a text that has them."""
    at = text.lower().find(words.lower())
    return text[at : at + len(words)] if at >= 0 else words


def capitalize_first(words: str) -> str:
    """Return words with a capital first letter; `str.capitalize` lowers the rest."""
    return words[:1].upper() + words[1:]
