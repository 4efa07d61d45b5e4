"""Translation of .NET's regular expressions into the syntax of `regex`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cloudforest.program.faults import ValueFault

_REFUSAL_REASONS = {
    "calls": ".NET does not have recursion, verbs or this kind of group.",
    "own": ".NET does not have this escape.",
    "possessive": ".NET does not have possessive quantifiers. Write (?>…).",
    "balanced": "Balancing groups are not supported.",
    "condition": "A condition must be the name or number of a group, or a look-around.",
}
_NUMBERED_GROUP = "The name of a group must not start with a digit."
_FLAGS = frozenset("imsx-")
_FLAG_N = "The flag n is not supported. Write (?:…) for a group that captures nothing."
_UNKNOWN = "Unknown flag. The flags of a regular expression are i, m, s and x."
_FLAGS_FIRST = (
    "Put flags at the beginning of the regular expression, or write (?i:…) to apply"
    " them to a part."
)
_FLAG_X = "In a regular expression with comments, put the flag x at the beginning."
_MOST_COPIES = 200_000
_REPEATED = re.compile(r"(\)(?:\s|\#[^\n]*\n)*)?\{([0-9]+)")
_BEFORE_FLAGS = re.compile(r"\^?(?:\(\?[imsx]+\))*")
_CATEGORY_NAMES = (
    "L Lu Ll Lt Lm Lo M Mn Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po S Sm Sc Sk So Z Zs"
    " Zl Zp C Cc Cf Cs Co Cn"
)
_CATEGORIES = frozenset(_CATEGORY_NAMES.split())
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
"""With the flag x, the text of a comment is skipped: a bracket in it opens nothing."""
_COMMENTS_FLAG = re.compile(r"\^?(?:\(\?[ims]+\))*\(\?[ims]*x[imsx]*\)")
_INSIDE = re.compile(
    rf"""{_ESCAPES}
  | \\(?P<own>(?![abdDfnrsStuvwWx])[A-Za-z_])
  | \\. | (?P<minus>-\[) | (?P<bracket>\[) | (?P<close>\])""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_ENDS = {"z": r"\Z", "Z": r"(?=\n?\Z)"}


class PatternFault(ValueFault):
    """A pattern cannot be used; `offset` counts from 0.

    `message` may contain parts of the pattern, so show it only to the author of a
    constant one.
    """

    def __init__(self, reason: str, offset: int = 0, message: str = "") -> None:
        super().__init__(reason)
        self.message = message or reason
        self.offset = offset


def refuse_foreign(found: re.Match[str]) -> None:
    """Refuse syntax that only `regex` or only .NET has."""
    parts = found.groupdict()
    for name, reason in _REFUSAL_REASONS.items():
        if parts.get(name):
            raise PatternFault(reason, found.start())
    name = parts.get("n1") or parts.get("n2") or ""
    if name[:1].isdecimal():
        raise PatternFault(_NUMBERED_GROUP, found.start())


def require_flags(found: re.Match[str]) -> None:
    """Refuse flags that .NET lacks, or that `regex` would apply to everything."""
    if not found["flags"]:
        return
    flags = set(found["flags"])
    if not flags <= _FLAGS:
        raise PatternFault(_FLAG_N if "n" in flags else _UNKNOWN, found.start())
    before = found.string[: found.start()]
    first = _BEFORE_FLAGS.fullmatch(before) and not (before and "m" in flags)
    if found["scope"] == ":" and "x" in flags and "#" in found.string:
        raise PatternFault(_FLAG_X, found.start())
    if found["scope"] == ")" and not (first and "-" not in flags):
        raise PatternFault(_FLAGS_FIRST, found.start())


def require_few_copies(pattern: str) -> None:
    """Refuse patterns that take seconds and gigabytes to compile: no timeout applies.

    `regex` expands `a{9}`, and multiplies repetitions of nested groups.
    """
    once, times = len(pattern), 1
    for found in _REPEATED.finditer(pattern):
        count = int(found[2])
        once += count
        times *= max(count, 1) if found[1] else 1
        if once * times > _MOST_COPIES:
            raise PatternFault(
                "The regular expression has too many repetitions. Use smaller numbers,"
                " + or *.",
                found.start(2) - 1,
            )


def translate_property(name: str, offset: int) -> str:
    """Return the name that `regex` uses for a property of .NET; raises PatternFault.

    `regex` takes `IsGreek` for a script, but .NET means the block.
    """
    if name in _CATEGORIES:
        return name
    if name.startswith("Is"):
        return f"In{name.removeprefix('Is')}"
    raise PatternFault(
        r"\p{…} needs a category, such as Lu, or a block, such as IsCyrillic.", offset
    )


@dataclass(frozen=True)
class TranslatedPattern:
    """A pattern for `regex`.

    `offsets` are the starts of its parts, here and in .NET's pattern, whose length is
    `length`.
    """

    text: str
    length: int
    offsets: tuple[tuple[int, int], ...]

    def original_offset(self, at: int) -> int:
        """Return the offset in .NET's pattern for an offset in this one."""
        begin, began = max(each for each in self.offsets if each[0] <= at)
        return min(began + at - begin, self.length)


def _translate_escape(found: re.Match[str]) -> str | None:
    """Translate an escape, which is the same inside and outside brackets."""
    if found["escape"]:
        return r"\x1b"
    if found["control"]:
        return f"\\x{ord(found['control'].upper()) ^ 64:02x}"
    if found["sign"]:
        name = translate_property(found["property"], found.start())
        return f"\\{found['sign']}{{{name}}}"
    return None


def _translate_group(found: re.Match[str], numbers: Sequence[int]) -> str | None:
    """Translate a group, or a reference to one.

    `numbers` are the numbers of groups in `regex`, in .NET's order.
    """
    if name := found["n1"] or found["n2"]:
        return f"(?P<{name}>"
    again = found["k1"] or found["k2"] or found["k3"] or found["number"]
    if not (name := again or found["test"]):
        return None
    if not name.isdecimal():
        return f"(?P={name})" if again else f"(?({name})"
    if not numbers:
        return "(?:)" if again else "(?(?=)"
    is_known = int(name) < len(numbers)
    if again and len(name) > 1 and not is_known:
        return found[0]
    number = numbers[int(name)] if is_known else name
    return f"\\g<{number}>" if again else f"(?({number})"


def _translate_outer(found: re.Match[str], numbers: Sequence[int]) -> str:
    refuse_foreign(found)
    require_flags(found)
    if made := _translate_escape(found) or _translate_group(found, numbers):
        return made
    if found["end"]:
        return _ENDS[found["end"]]
    return r"\{" if found["brace"] else found[0]


def _translate_inner(found: re.Match[str]) -> str:
    if found["minus"]:
        raise PatternFault(
            "Subtraction of character classes is not supported.", found.start()
        )
    refuse_foreign(found)
    return _translate_escape(found) or (r"\[" if found["bracket"] else found[0])


def translate_pattern(pattern: str, numbers: Sequence[int] = ()) -> TranslatedPattern:
    """Translate a pattern for `regex`; raises PatternFault.

    Without `numbers`, references by number are left out, so that groups can be counted.
    A brace that does not belong to a quantifier is a literal in .NET, and must not
    start a fuzzy match.
    """
    require_few_copies(pattern)
    parts: list[str] = []
    places = [(0, 0)]
    at, within, length = 0, False, 0
    outside = _COMMENTED if _COMMENTS_FLAG.match(pattern) else _OUTSIDE
    while found := (_INSIDE if within else outside).search(pattern, at):
        made = _translate_inner(found) if within else _translate_outer(found, numbers)
        parts += [pattern[at : found.start()], made]
        within = not found["close"] if within else bool(found["open"])
        length += found.start() - at
        places.append((length, found.start()))
        at, length = found.end(), length + len(made)
        places.append((length, at))
    text = "".join([*parts, pattern[at:]])
    return TranslatedPattern(text, len(pattern), tuple(places))
