"""Regular expressions and replacement texts of .NET, run by `regex` in limited time."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, TypeVar

import regex

from cloudforest.program.expressions.regex_syntax import (
    PatternFault,
    TranslatedPattern,
    translate_pattern,
)
from cloudforest.program.expressions.values import MAX_TEXT_LENGTH, require_length
from cloudforest.program.faults import ValueFault

ReplacementPart = str | Callable[[regex.Match[str]], str]
"""A text, or a part of the match to insert."""

_REFERENCE = re.compile(r"\$(?:\{(\w+)\}|([0-9]{1,9})|([$&+_`']))")
_SIGNS: dict[str, ReplacementPart] = {
    "$": "$",
    "&": lambda match: match[0],
    "`": lambda match: match.string[: match.start()],
    "'": lambda match: match.string[match.end() :],
    "_": lambda match: match.string,
}
FIRST_TIMEOUT = 1.0
"""Processor seconds that a pattern may spend on one value, at first.

`regex` counts the processor time of all threads, not the time of the clock.
"""
LEAST_TIMEOUT = 0.01
MAX_PATTERN_LENGTH = 2_000
"""The most characters of a pattern."""
_NOT_VALID = "Invalid regular expression."
TOO_SLOW = "The regular expression takes too long on this object's value. Simplify it."
_ATOM = r"""(?: \\[dDwWsSbB] | \\[pP]\{\w+\} | \\[^\w] | [\w\ .,;:@/_\-'"^$)]
  | \[(?:[^\]\\[]|\\.)*\] | \((?!\?) | \(\?(?::|P?<\w+>) )*"""
_HARMLESS = re.compile(
    rf"{_ATOM}(?:[*+?]|\{{[0-9]+(?:,[0-9]*)?\}})?{_ATOM}", re.VERBOSE
)
_HARMLESS_LENGTH = 1000
Substitute = Callable[[str], str]
Matched = TypeVar("Matched")


def number_groups(pattern: regex.Pattern[str]) -> tuple[int, ...]:
    """Return the groups in .NET's order: unnamed ones come first."""
    named = sorted(set(pattern.groupindex.values()))
    others = [each for each in range(1, pattern.groups + 1) if each not in named]
    return (0, *others, *named)


def _make_part(found: re.Match[str], pattern: regex.Pattern[str]) -> ReplacementPart:
    name, digits, sign = found.groups()
    if sign in _SIGNS:
        return _SIGNS[sign]
    named = name or digits or ""
    if sign or named.isdecimal():
        numbers = number_groups(pattern)
        index = len(numbers) - 1 if sign else int(named)
        group = numbers[index] if index < len(numbers) else None
    else:
        group = pattern.groupindex.get(named)
    return found[0] if group is None else lambda match: match[group] or ""


def parse_replacement(
    template: str, pattern: regex.Pattern[str]
) -> tuple[ReplacementPart, ...]:
    """Split a .NET replacement into texts and references.

    A reference to an unknown group is a text.
    """
    parts: list[ReplacementPart] = []
    end = 0
    for found in _REFERENCE.finditer(template):
        parts += [template[end : found.start()], _make_part(found, pattern)]
        end = found.end()
    return tuple(each for each in (*parts, template[end:]) if each != "")


class MatchTimeLimit:
    """The processor time for the patterns of an expression, per value.

    Each timeout halves it: one object may take a second, but 100,000 objects must not
    take a second each.
    """

    def __init__(self) -> None:
        self.seconds = FIRST_TIMEOUT

    def apply(self, match: Callable[..., Matched], *arguments: Any) -> Matched:
        """Call a method of a pattern; raise ValueFault if it takes too long."""
        try:
            return match(*arguments, timeout=self.seconds)
        except TimeoutError as error:
            self.seconds = max(self.seconds / 2, LEAST_TIMEOUT)
            raise ValueFault(TOO_SLOW) from error


@functools.lru_cache(maxsize=256)
def is_harmless(pattern: str) -> bool:
    """Tell whether a pattern needs no time limit on a short value.

    With one quantifier and no alternative, the time grows with the square of the
    length. Checking the clock takes longer than most matches.
    """
    return _HARMLESS.fullmatch(pattern) is not None


def _compile_translation(translation: TranslatedPattern) -> regex.Pattern[str]:
    try:
        return regex.compile(translation.text)
    except regex.error as error:
        at = translation.original_offset(getattr(error, "pos", None) or 0)
        message = f"{_NOT_VALID[:-1]}: {getattr(error, 'msg', error)}."
        raise PatternFault(_NOT_VALID, at, message) from error
    except (ValueError, OverflowError, RecursionError) as error:
        raise PatternFault(_NOT_VALID) from error


@functools.lru_cache(maxsize=256)
def compile_pattern(pattern: str) -> regex.Pattern[str]:
    """Compile a .NET pattern; raises PatternFault.

    A first compilation without references finds out how the groups are numbered.
    """
    if len(pattern) > MAX_PATTERN_LENGTH:
        raise PatternFault(
            f"The regular expression is longer than {MAX_PATTERN_LENGTH} characters.",
            MAX_PATTERN_LENGTH,
        )
    counting = translate_pattern(pattern)
    first = _compile_translation(counting)
    whole = translate_pattern(pattern, number_groups(first))
    return first if whole.text == counting.text else _compile_translation(whole)


def _limit_made_text(expand: Callable[..., str]) -> Callable[..., str]:
    """Raise ValueFault once the replacements of one value are too long."""
    made = 0

    def counted(found: regex.Match[str]) -> str:
        nonlocal made
        text = expand(found)
        made += len(text)
        require_length(made)
        return text

    return counted


def _make_timed_substitute(
    pattern: regex.Pattern[str],
    expand: Callable[..., str],
    time_limit: MatchTimeLimit,
    size: int,
) -> Substitute:
    """Make a substitution in limited time.

    `size` bounds the characters, or copies of the value, per match. If the result
    cannot be too long, nothing is counted.
    """
    harmless = is_harmless(pattern.pattern)

    def substitute(source: str) -> str:
        room = len(source) + 1
        is_short = size * room * room <= MAX_TEXT_LENGTH
        made = expand if is_short else _limit_made_text(expand)
        if harmless and room <= _HARMLESS_LENGTH:
            return pattern.sub(made, source)
        return time_limit.apply(pattern.sub, made, source)

    return substitute


def make_substitution(
    pattern: regex.Pattern[str], replacement: str, time_limit: MatchTimeLimit
) -> Substitute:
    """Replace each match; `${name}`, `$1` and `$&` insert parts of it."""
    parts = parse_replacement(replacement, pattern)

    def expand(found: regex.Match[str]) -> str:
        texts = [each if isinstance(each, str) else each(found) for each in parts]
        require_length(sum(map(len, texts)))
        return "".join(texts)

    return _make_timed_substitute(pattern, expand, time_limit, len(replacement))


def _require_group(pattern: regex.Pattern[str], group: str) -> None:
    if group not in pattern.groupindex:
        raise ValueFault("The regular expression has no group of that name.")


def make_group_substitution(
    pattern: regex.Pattern[str], group: str, new: str, time_limit: MatchTimeLimit
) -> Substitute:
    """Replace the text of one group in each match."""
    _require_group(pattern, group)

    def expand(found: regex.Match[str]) -> str:
        start, end = found.span(group)
        if not found.start() <= start <= end <= found.end():
            return found[0]  # the group is unset in this match, or in a look-around
        whole, first = found.string, found.start()
        return whole[first:start] + new + whole[end : found.end()]

    return _make_timed_substitute(pattern, expand, time_limit, len(new))


def extract_group(
    pattern: regex.Pattern[str], group: str, source: str, time_limit: MatchTimeLimit
) -> str | None:
    """Return the text of a group in the first match, or None."""
    _require_group(pattern, group)
    found = time_limit.apply(pattern.search, source)
    return None if found is None else found[group]
