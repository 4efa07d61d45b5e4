"""From the syntax of .NET's regular expressions to that of `regex`.

What a regular expression can't hold, with the reason.

The properties of characters that .NET knows: categories and blocks of Unicode.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cloudforest.program.faults import ValueFault

_REFUSAL_REASONS = {
    "calls": "Recursion, verbs and groups of other kinds are not .NET's.",
    "own": "The regular expression has an escape that .NET does not have.",
    "possessive": "A quantifier that keeps all it took is not .NET's; write (?>…).",
    "balanced": "Balancing groups are not supported; count in another way.",
    "condition": "A condition is the name or number of a group, or a look-around.",
}
_NUMBERED_GROUP = "A group is named by a word, not by a number."
_FLAGS = frozenset("imsx-")
_EXPLICIT = "The flag n is not supported; write (?:…) for a group that keeps nothing."
_UNKNOWN = "The flags of a regular expression are i, m, s and x."
_FLAGS_FIRST = (
    "Flags for all of a regular expression stand at its beginning; those of a part of"
    " it are written (?i:…)."
)
_COMMENTS_REFUSED = (
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
    for name, reason in _REFUSAL_REASONS.items():
        if parts.get(name):
            raise PatternFault(reason, found.start())
    name = parts.get("n1") or parts.get("n2") or ""
    if name[:1].isdecimal():
        raise PatternFault(_NUMBERED_GROUP, found.start())


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
        raise PatternFault(_COMMENTS_REFUSED, found.start())
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


_CATEGORIES = frozenset(
    (
        *("L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl"),
        *("No", "P", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "S", "Sm", "Sc", "Sk"),
        *("So", "Z", "Zs", "Zl", "Zp", "C", "Cc", "Cf", "Cs", "Co", "Cn"),
    )
)


def translate_property(name: str, offset: int) -> str:
    """Return the name that `regex` gives to a property of .NET's.

    Without this, `IsGreek` would be a script and not the block. Raises PatternFault.
    """
    if name in _CATEGORIES:
        return name
    if name.startswith("Is"):
        return f"In{name.removeprefix('Is')}"
    raise PatternFault(
        r"\p{…} names a category, such as Lu, or a block, such as IsCyrillic.", offset
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
_COMMENTS_FLAG = re.compile(r"\^?(?:\(\?[ims]+\))*\(\?[ims]*x[imsx]*\)")
_INSIDE = re.compile(
    rf"""{_ESCAPES}
  | \\(?P<own>(?![abdDfnrsStuvwWx])[A-Za-z_])
  | \\. | (?P<minus>-\[) | (?P<bracket>\[) | (?P<close>\])""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_ENDS = {"z": r"\Z", "Z": r"(?=\n?\Z)"}


@dataclass(frozen=True)
class TranslatedPattern:
    """A pattern for `regex`; `places`: where its parts begin, and began in .NET's.

    `length` is that of .NET's pattern.
    """

    text: str
    length: int
    offsets: tuple[tuple[int, int], ...]

    def original_offset(self, at: int) -> int:
        """Return the place in .NET's pattern of a place in this one."""
        begin, began = max(each for each in self.offsets if each[0] <= at)
        return min(began + at - begin, self.length)


def _translate_escape(found: re.Match[str]) -> str | None:
    """Translate what is written alike within brackets and without."""
    if found["escape"]:
        return r"\x1b"
    if found["control"]:
        return f"\\x{ord(found['control'].upper()) ^ 64:02x}"
    if found["sign"]:
        name = translate_property(found["property"], found.start())
        return f"\\{found['sign']}{{{name}}}"
    return None


def _translate_reference(source: str, name: str, numbers: Sequence[int]) -> str:
    """Refer to a group; `numbers` are those of `regex` in .NET's order, if known."""
    if not name.isdecimal():
        return f"(?P={name})"
    if not numbers:
        return "(?:)"
    known = int(name) < len(numbers)
    if len(name) > 1 and not known:
        return source
    return f"\\g<{numbers[int(name)] if known else name}>"


def _translate_condition(name: str, numbers: Sequence[int]) -> str:
    if not name.isdecimal():
        return f"(?({name})"
    if not numbers:
        return "(?(?=)"
    known = int(name) < len(numbers)
    return f"(?({numbers[int(name)] if known else name})"


def _translate_group(found: re.Match[str], numbers: Sequence[int]) -> str | None:
    if name := found["n1"] or found["n2"]:
        return f"(?P<{name}>"
    if again := found["k1"] or found["k2"] or found["k3"] or found["number"]:
        return _translate_reference(found[0], again, numbers)
    if found["test"]:
        return _translate_condition(found["test"], numbers)
    return None


def _translate_outside(found: re.Match[str], numbers: Sequence[int]) -> str:
    refuse_foreign(found)
    require_flags(found)
    if made := _translate_escape(found) or _translate_group(found, numbers):
        return made
    if found["end"]:
        return _ENDS[found["end"]]
    return r"\{" if found["brace"] else found[0]


def _translate_inside(found: re.Match[str]) -> str:
    if found["minus"]:
        raise PatternFault(
            "Subtraction of character classes is not supported.", found.start()
        )
    refuse_foreign(found)
    return _translate_escape(found) or (r"\[" if found["bracket"] else found[0])


def translate_pattern(pattern: str, numbers: Sequence[int] = ()) -> TranslatedPattern:
    """Return the pattern as `regex` writes it; raises PatternFault.

    Without `numbers`, there are no references by number, so that groups can be counted.
    In .NET a brace that is no quantifier is a brace, and so never a fuzzy match.
    """
    require_few_copies(pattern)
    parts: list[str] = []
    places = [(0, 0)]
    at, within, length = 0, False, 0
    outside = _COMMENTED if _COMMENTS_FLAG.match(pattern) else _OUTSIDE
    while found := (_INSIDE if within else outside).search(pattern, at):
        made = (
            _translate_inside(found) if within else _translate_outside(found, numbers)
        )
        parts += [pattern[at : found.start()], made]
        within = not found["close"] if within else bool(found["open"])
        length += found.start() - at
        places.append((length, found.start()))
        at, length = found.end(), length + len(made)
        places.append((length, at))
    text = "".join([*parts, pattern[at:]])
    return TranslatedPattern(text, len(pattern), tuple(places))
