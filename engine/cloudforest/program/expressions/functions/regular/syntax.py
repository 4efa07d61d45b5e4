"""From the syntax of .NET's regular expressions to that of `regex`."""

from __future__ import annotations

import re

from cloudforest.program.faults import ValueFault

_OUTSIDE = re.compile(
    r"""
    \\k(?:<(?P<k1>\w+)>|'(?P<k2>\w+)'|\{(?P<k3>\w+)\})
  | \\(?P<end>[zZ])
  | \\(?P<escape>e)
  | \\(?P<own>[LKRXNm])
  | \\.
  | \(\?'(?P<name>\w+)'
  | \(\?<(?![=!])(?P<balanced>\w*-\w+)>
  | \(\?(?P<calls>R\)|[0-9+-]*[0-9]\)|&|P[>&=<]|\||[a-zA-Z]*[bLV]|\(DEFINE)
  | \{[0-9]+(?:,[0-9]*)?\}
  | (?P<brace>\{)
  | (?P<open>\[\^?\]?)
    """,
    re.VERBOSE | re.DOTALL,
)
_INSIDE = re.compile(
    r"\\(?P<escape>e)|\\.|(?P<minus>-\[)|(?P<bracket>\[)|(?P<close>\])", re.DOTALL
)
_ENDS = {"z": r"\Z", "Z": r"(?=\n?\Z)"}


def _refuse_foreign(found: re.Match[str]) -> None:
    """Refuse what `regex` has and .NET has not, or the other way round."""
    if found["calls"] or found["own"]:
        raise ValueFault(
            "The regular expression holds what .NET does not have: recursion, flags or"
            " escapes of another kind."
        )
    if found["balanced"]:
        raise ValueFault("Balancing groups are not supported; count in another way.")


def _outside(found: re.Match[str]) -> str:
    _refuse_foreign(found)
    if again := found["k1"] or found["k2"] or found["k3"]:
        return f"(?P={again})"
    if found["end"]:
        return _ENDS[found["end"]]
    if found["name"]:
        return f"(?P<{found['name']}>"
    if found["brace"]:
        return r"\{"
    return r"\x1b" if found["escape"] else found[0]


def _inside(found: re.Match[str]) -> str:
    if found["minus"]:
        raise ValueFault("Subtraction of character classes is not supported.")
    if found["escape"]:
        return r"\x1b"
    return r"\[" if found["bracket"] else found[0]


def translated(pattern: str) -> str:
    """Return the pattern as `regex` writes it; raises ValueFault.

    In .NET a brace that is no quantifier is a brace, and so never a fuzzy match.
    """
    parts: list[str] = []
    at, within = 0, False
    while found := (_INSIDE if within else _OUTSIDE).search(pattern, at):
        parts.append(pattern[at : found.start()])
        parts.append(_inside(found) if within else _outside(found))
        within = not found["close"] if within else bool(found["open"])
        at = found.end()
    return "".join([*parts, pattern[at:]])
