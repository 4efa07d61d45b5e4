"""Distinguished names (RFC 4514), made comparable."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import takewhile

from cloudforest.program.faults import SyntaxFault

_TYPE = re.compile(r"\s*([A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)*)\s*=\s*")
_HEX_VALUE = re.compile(r"#(?:[0-9A-Fa-f]{2})+\s*(?=[,+]|$)")
_PART = re.compile(
    r"""(?P<bytes>(?:\\[0-9A-Fa-f]{2})+)
    | \\(?P<escaped>[ "\#+,;<=>\\])
    | (?P<plain>[^\\",+;<>\x00]+)""",
    re.VERBOSE,
)
_RDN_SEPARATOR = "\x00"
"""Separates the parts of a multi-valued RDN; no unescaped value contains it."""


def _decode_part(part: re.Match[str]) -> str:
    if part["bytes"] is None:
        return part["escaped"] or part["plain"]
    try:
        return bytes.fromhex(part["bytes"].replace("\\", "")).decode()
    except UnicodeDecodeError as error:
        raise SyntaxFault(
            "The escaped bytes in the distinguished name are not UTF-8.", part.start()
        ) from error


def _parse_value(text: str, start: int) -> tuple[str, int]:
    """Return the unescaped value at an offset, and its end."""
    if found := _HEX_VALUE.match(text, start):
        return found[0].rstrip(), found.end()
    value, kept, at = "", 0, start
    while part := _PART.match(text, at):
        value, at = value + _decode_part(part), part.end()
        kept = max(kept, len(value.rstrip(" ") if part["plain"] else value))
    return value[:kept], at


def _parse_rdn(text: str, start: int) -> tuple[str, int]:
    """Return the relative name at an offset, and its end."""
    assertions, at = [], start - 1
    while at < start or text[at : at + 1] == "+":
        found = _TYPE.match(text, at + 1)
        if found is None:
            raise SyntaxFault(
                "Expected a part of a distinguished name, such as OU=Sales.", at + 1
            )
        value, at = _parse_value(text, found.end())
        assertions.append(f"{found[1]}={value}".casefold())
    if text[at : at + 1] not in {"", ","}:
        raise SyntaxFault(
            "Unescaped special character in a distinguished name. Put a backslash"
            " before it.",
            at,
        )
    return _RDN_SEPARATOR.join(sorted(assertions)), at


@lru_cache(maxsize=1024)
def _parse_container(text: str) -> tuple[str, ...]:
    """Parse the part of a DN that many objects share, so the result is cached."""
    names = []
    at = -1
    while at < len(text):
        name, at = _parse_rdn(text, at + 1)
        names.append(name)
    return tuple(names)


def parse_dn(text: str) -> tuple[str, ...]:
    """Return the relative names, unescaped and case-folded, the object's own first.

    The empty name is the root. Raises SyntaxFault.
    """
    if not text.strip():
        return ()
    name, at = _parse_rdn(text, 0)
    if at == len(text):
        return (name,)
    try:
        return (name, *_parse_container(text[at + 1 :]))
    except SyntaxFault as fault:
        raise SyntaxFault(fault.message, fault.offset + at + 1) from fault


def parse_dn_or_none(text: str) -> tuple[str, ...] | None:
    try:
        return parse_dn(text)
    except SyntaxFault:
        return None


def find_domain_name(text: str) -> str | None:
    """Return the DNS name of a DN's domain, in lower case; None if it has no domain."""
    names = parse_dn_or_none(text) or ()
    labels = takewhile(lambda each: each.startswith("dc="), reversed(names))
    return ".".join(each.removeprefix("dc=") for each in [*labels][::-1]) or None


def is_in_subtree(dn: tuple[str, ...], base: tuple[str, ...]) -> bool:
    """Tell whether a name is the base or lies below it."""
    return len(dn) >= len(base) and dn[len(dn) - len(base) :] == base
