"""What differs within a text: an expression or a filter, word by word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

from cloudforest.plan.change import FieldChange
from cloudforest.plan.rendering.wording import in_words

_WORDS = re.compile(r"\w+|\s+|[^\w\s]")
_ALIKE = 0.5
"""Below this share of equal words, two whole texts are easier to read."""


class Run(NamedTuple):
    kind: Literal["same", "gone", "new"]
    text: str


def word_diff(field: FieldChange) -> tuple[Run, ...] | None:
    """Return the two texts of a field as one; None where they have little in common."""
    before, after = field.before, field.after
    if not isinstance(before, str) or not isinstance(after, str):
        return None
    old, new = (_WORDS.findall(in_words(each)) for each in (before, after))
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    if matcher.ratio() < _ALIKE:
        return None
    return tuple(_runs(matcher, old, new))


def _runs(
    matcher: SequenceMatcher[str], old: list[str], new: list[str]
) -> Iterator[Run]:
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            yield Run("same", "".join(old[a:b]))
            continue
        if b > a:
            yield Run("gone", "".join(old[a:b]))
        if d > c:
            yield Run("new", "".join(new[c:d]))
