"""What a regular expression can't hold, with the reason."""

from __future__ import annotations

import re

from cloudforest.program.faults import ValueFault

_REASONS = {
    "calls": "Recursion, verbs and groups of other kinds are not .NET's.",
    "own": "The regular expression has an escape that .NET does not have.",
    "possessive": "A quantifier that keeps all it took is not .NET's; write (?>…).",
    "balanced": "Balancing groups are not supported; count in another way.",
    "condition": "A condition is the name or number of a group, or a look-around.",
}
_NUMBERED = "A group is named by a word, not by a number."
_FLAGS = frozenset("imsx-")
_EXPLICIT = "The flag n is not supported; write (?:…) for a group that keeps nothing."
_UNKNOWN = "The flags of a regular expression are i, m, s and x."
_FLAGS_FIRST = (
    "Flags for all of a regular expression stand at its beginning; those of a part of"
    " it are written (?i:…)."
)
_COMMENTS = (
    "With comments, the flag x stands at the beginning of a regular expression, and not"
    " within it."
)
_MOST_COPIES = 200_000
_REPEATED = re.compile(r"(\)(?:\s|\#[^\n]*\n)*)?\{([0-9]+)")
_BEFORE_FLAGS = re.compile(r"\^?(?:\(\?[imsx]+\))*")


class PatternFault(ValueFault):
    """A pattern can't be used; `message` may hold parts of it, `offset` counts from 0.

    It is for the author of a constant pattern only.
    """

    def __init__(self, reason: str, offset: int = 0, message: str = "") -> None:
        super().__init__(reason)
        self.message = message or reason
        self.offset = offset


def refuse_foreign(found: re.Match[str]) -> None:
    """Refuse what `regex` has and .NET has not, or the other way round."""
    parts = found.groupdict()
    for name, reason in _REASONS.items():
        if parts.get(name):
            raise PatternFault(reason, found.start())
    name = parts.get("n1") or parts.get("n2") or ""
    if name[:1].isdecimal():
        raise PatternFault(_NUMBERED, found.start())


def require_flags(found: re.Match[str]) -> None:
    """Refuse flags that .NET has not, and those that `regex` would apply to all."""
    if not found["flags"]:
        return
    flags = set(found["flags"])
    if not flags <= _FLAGS:
        raise PatternFault(_EXPLICIT if "n" in flags else _UNKNOWN, found.start())
    before = found.string[: found.start()]
    first = _BEFORE_FLAGS.fullmatch(before) and not (before and "m" in flags)
    if found["scope"] == ":" and "x" in flags and "#" in found.string:
        raise PatternFault(_COMMENTS, found.start())
    if found["scope"] == ")" and not (first and "-" not in flags):
        raise PatternFault(_FLAGS_FIRST, found.start())


def require_few_copies(pattern: str) -> None:
    """Refuse what takes seconds and gigabytes to compile, which no timeout ends.

    `regex` writes `a{9}` out, and what groups repeat within groups many times over.
    """
    once, times = len(pattern), 1
    for found in _REPEATED.finditer(pattern):
        count = int(found[2])
        once += count
        times *= max(count, 1) if found[1] else 1
        if once * times > _MOST_COPIES:
            raise PatternFault(
                "The regular expression repeats too much; write smaller numbers, or"
                " + or *.",
                found.start(2) - 1,
            )
