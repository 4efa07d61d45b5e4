"""The line that a complaint is about, unless it may hold a secret."""

from __future__ import annotations

import re

from cloudforest.base.diagnostics import DocumentPath

_NEAR_SECRETS = re.compile(
    r"""auth(?!or(?!i[sz]ation)) | \bbasic\b | bearer | \bbind\b | credential | \benv\b
    | \bfile\b | keys?\b | mtls | pas+w | pass(?!port) | pw\b | pwd(?!LastSet)
    | secret(?!ary) | sensitive | token | ://\S*[@?\#] | [?\#]\S*=""",
    re.IGNORECASE | re.VERBOSE,
)
"""Words of keys, and of some that are close; not `passportNumber` or `secretary`."""


def excerpt(text: str, index: int, path: DocumentPath = ()) -> str | None:
    """Return the line around a character of a text.

    None if a credential belongs here, or on the line before: who wrote it in plain text
    must not find it in a build log as well.
    """
    start = text.rfind("\n", 0, index) + 1
    before = text.rfind("\n", 0, max(start - 1, 0)) + 1
    end = text.find("\n", index)
    lines = text[before : len(text) if end < 0 else end]
    named = " ".join(part for part in path if isinstance(part, str))
    if _NEAR_SECRETS.search(lines) or _NEAR_SECRETS.search(named):
        return None
    return lines[start - before :].rstrip("\r") or None
