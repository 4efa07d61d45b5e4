"""From the syntax of .NET's regular expressions to that of `regex`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cloudforest.program.expressions.functions.regular.properties import (
    property_of,
)
from cloudforest.program.expressions.functions.regular.refusals import (
    PatternFault,
    refuse_foreign,
    require_few_copies,
    require_flags,
)

_ESCAPES = r"""
    \\(?P<escape>e)
  | \\c(?P<control>[A-Za-z@\[\\\]^_])
  | \\(?P<sign>[pP])\{(?P<property>[^{}]*)\}
"""
_OUTSIDE = re.compile(
    rf"""
    \(\?\#[^)]*\)
  | \\k(?:<(?P<k1>\w+)>|'(?P<k2>\w+)'|\{{(?P<k3>\w+)\}})
  | \\(?P<end>[zZ])
  | \\(?P<number>[1-9][0-9]*)
  |{_ESCAPES}
  | \\(?P<own>(?![aAbBdDfGnrsStuvwWx])[A-Za-z_])
  | \\.
  | \(\?(?:'(?P<n1>\w+)'|<(?P<n2>\w+)>)
  | (?P<balanced>\(\?[<']\w*-\w+[>'])
  | (?P<calls>\(\?(?:R\)|[0-9+-]*[0-9]\)|&|P|\||\(DEFINE)|\(\*)
  | \(\?\((?P<test>\w+)\)
  | (?P<condition>\(\?\((?!\?))
  | \(\?(?P<flags>[A-Za-z0-9]*-?[A-Za-z0-9]*)(?P<scope>[:)])
  | (?P<possessive>(?:[*+?]|\{{[0-9]+(?:,[0-9]*)?\}})\+)
  | \{{[0-9]+(?:,[0-9]*)?\}}
  | (?P<brace>\{{)
  | (?P<open>\[\^?\]?)
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_COMMENTED = re.compile(rf"\#[^\n]* | {_OUTSIDE.pattern}", _OUTSIDE.flags)
"""What a comment holds, after the flag x, is no syntax: a bracket opens nothing."""
_COMMENTS = re.compile(r"\^?(?:\(\?[ims]+\))*\(\?[ims]*x[imsx]*\)")
_INSIDE = re.compile(
    rf"""{_ESCAPES}
  | \\(?P<own>(?![abdDfnrsStuvwWx])[A-Za-z_])
  | \\. | (?P<minus>-\[) | (?P<bracket>\[) | (?P<close>\])""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_ENDS = {"z": r"\Z", "Z": r"(?=\n?\Z)"}


@dataclass(frozen=True)
class Translation:
    """A pattern for `regex`; `places`: where its parts begin, and began in .NET's.

    `length` is that of .NET's pattern.
    """

    text: str
    length: int
    places: tuple[tuple[int, int], ...]

    def written(self, at: int) -> int:
        """Return the place in .NET's pattern of a place in this one."""
        begin, began = max(each for each in self.places if each[0] <= at)
        return min(began + at - begin, self.length)


def _escaped(found: re.Match[str]) -> str | None:
    """Translate what is written alike within brackets and without."""
    if found["escape"]:
        return r"\x1b"
    if found["control"]:
        return f"\\x{ord(found['control'].upper()) ^ 64:02x}"
    if found["sign"]:
        name = property_of(found["property"], found.start())
        return f"\\{found['sign']}{{{name}}}"
    return None


def _referred(written: str, name: str, numbers: Sequence[int]) -> str:
    """Refer to a group; `numbers` are those of `regex` in .NET's order, if known."""
    if not name.isdecimal():
        return f"(?P={name})"
    if not numbers:
        return "(?:)"
    known = int(name) < len(numbers)
    if len(name) > 1 and not known:
        return written
    return f"\\g<{numbers[int(name)] if known else name}>"


def _conditional(name: str, numbers: Sequence[int]) -> str:
    if not name.isdecimal():
        return f"(?({name})"
    if not numbers:
        return "(?(?=)"
    known = int(name) < len(numbers)
    return f"(?({numbers[int(name)] if known else name})"


def _group(found: re.Match[str], numbers: Sequence[int]) -> str | None:
    if name := found["n1"] or found["n2"]:
        return f"(?P<{name}>"
    if again := found["k1"] or found["k2"] or found["k3"] or found["number"]:
        return _referred(found[0], again, numbers)
    if found["test"]:
        return _conditional(found["test"], numbers)
    return None


def _outside(found: re.Match[str], numbers: Sequence[int]) -> str:
    refuse_foreign(found)
    require_flags(found)
    if made := _escaped(found) or _group(found, numbers):
        return made
    if found["end"]:
        return _ENDS[found["end"]]
    return r"\{" if found["brace"] else found[0]


def _inside(found: re.Match[str]) -> str:
    if found["minus"]:
        raise PatternFault(
            "Subtraction of character classes is not supported.", found.start()
        )
    refuse_foreign(found)
    return _escaped(found) or (r"\[" if found["bracket"] else found[0])


def translated(pattern: str, numbers: Sequence[int] = ()) -> Translation:
    """Return the pattern as `regex` writes it; raises PatternFault.

    Without `numbers`, there are no references by number, so that groups can be counted.
    In .NET a brace that is no quantifier is a brace, and so never a fuzzy match.
    """
    require_few_copies(pattern)
    parts: list[str] = []
    places = [(0, 0)]
    at, within, length = 0, False, 0
    outside = _COMMENTED if _COMMENTS.match(pattern) else _OUTSIDE
    while found := (_INSIDE if within else outside).search(pattern, at):
        made = _inside(found) if within else _outside(found, numbers)
        parts += [pattern[at : found.start()], made]
        within = not found["close"] if within else bool(found["open"])
        length += found.start() - at
        places.append((length, found.start()))
        at, length = found.end(), length + len(made)
        places.append((length, at))
    text = "".join([*parts, pattern[at:]])
    return Translation(text, len(pattern), tuple(places))
