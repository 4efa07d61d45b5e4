"""Write LDAP filters: for kinds of objects, for lookups, and for a scope's filter.

The LDAP filter of a scope matches at least the objects that the scope's filter accepts;
the agent then applies the exact filter. So the result does not depend on what the
controller treats as equal (spaces, accents on Windows). Parts that LDAP cannot express
are left out, and functions return None for them.

`not` is never sent. For us, a hidden attribute has no value; a controller may treat it
as unknown, or use the hidden value (measured on Samba).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Literal

from msgspec import structs

from cloudforest.adapters.directory_entries import CONTAINER_CLASSES, parse_guid
from cloudforest.base.errors import Rejected
from cloudforest.model.messages import Lookup
from cloudforest.model.ports.directory import EntryKind
from cloudforest.model.program import (
    And,
    Compare,
    Filter,
    Not,
    Or,
    Present,
    Scalar,
    ValuePath,
)
from cloudforest.program.ad_schema import INTEGER_ATTRIBUTES
from cloudforest.program.scoping.predicates import (
    NEVER_TICKS,
    TICKS_PER_SECOND,
    parse_ticks,
)

_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9-]*")

Syntax = Literal["text", "integer", "filetime", "time", "boolean"]
_TEXTS = """
admindescription c carlicense cn co comment company department departmentnumber
description displayname division employeeid employeenumber employeetype
facsimiletelephonenumber generationqualifier givenname homedirectory homephone info
initials ipphone l mail middlename mobile name o othermailbox othertelephone ou pager
personaltitle physicaldeliveryofficename postalcode postofficebox preferredlanguage
profilepath proxyaddresses roomnumber samaccountname scriptpath sn st street
streetaddress telephonenumber title uid url userprincipalname wwwhomepage
"""
_FILETIMES = "accountexpires lastlogontimestamp lockouttime pwdlastset"
_TIMES = "whenchanged whencreated"
_BOOLEANS = "iscriticalsystemobject msnpallowdialin showinadvancedviewonly"
SYNTAX_BY_ATTRIBUTE: dict[str, Syntax] = {
    **dict.fromkeys(_TEXTS.split(), "text"),
    **dict.fromkeys(INTEGER_ATTRIBUTES, "integer"),
    **dict.fromkeys(_FILETIMES.split(), "filetime"),
    **dict.fromkeys(_TIMES.split(), "time"),
    **dict.fromkeys(_BOOLEANS.split(), "boolean"),
}
"""Attributes that a filter may test, in lower case, and their syntax ([MS-ADA1-3]).

Only attributes in the schema of every Active Directory: a controller matches nothing by
an attribute that it does not know or that it constructs.
"""
BIT_AND = "1.2.840.113556.1.4.803"
"""LDAP_MATCHING_RULE_BIT_AND ([MS-ADTS] 3.1.1.3.4.4.1)."""
# Leading, trailing and repeated spaces are insignificant (RFC 4518, 2.6.1), and servers
# differ in how they compare other letters than these.
_LETTERS = r"[!-~\u00c0-\u00d6\u00d8-\u00de\u00e0-\u00f6\u00f8-\u00fe\u0410-\u044f]+"
_PLAIN_TEXT = re.compile(f"{_LETTERS}(?: {_LETTERS})*")
_INTEGER_TEXT = re.compile(r"0|-?[1-9][0-9]{0,18}")
_PATTERNS = {"eq": "{}", "co": "*{}*", "sw": "{}*", "ew": "*{}"}
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_LAST_SECOND = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)


def kind_filter(kind: EntryKind, where: str | None = None) -> str:
    """Return a filter for a kind, and for `where`, an LDAP filter, if given.

    It tests objectClass only, because tombstones lose their objectCategory.
    """
    if kind == "container":
        return f"(|{''.join(f'(objectClass={each})' for each in CONTAINER_CLASSES)})"
    return f"(&(objectClass={kind}){where})" if where else f"(objectClass={kind})"


def escape_value(value: bytes) -> str:
    r"""Escape a value for a filter (RFC 4515): all but letters and digits as \xx."""
    return "".join(
        chr(each) if each < 0x80 and chr(each).isalnum() else f"\\{each:02x}"  # noqa: PLR2004 - ASCII
        for each in value
    )


def _lookup_filter(lookup: Lookup) -> str | None:
    name, value = lookup.attribute or "", lookup.value.encode()
    match lookup.by:
        case "guid":
            if (guid := parse_guid(lookup.value)) is None:
                return None
            name, value = "objectGUID", guid.bytes_le
        case "dn":
            name = "distinguishedName"
        case "attribute":
            if not _ATTRIBUTE.fullmatch(name):
                raise Rejected(f'"{name}" is not a valid attribute name.')
    return f"({name}={escape_value(value)})"


def lookups_filter(lookups: Sequence[Lookup]) -> str | None:
    """Return one filter for all lookups; None if no object can match any of them."""
    parts = [part for lookup in lookups if (part := _lookup_filter(lookup)) is not None]
    return f"(|{''.join(parts)})" if parts else None


def primary_group_filter(relative_ids: Iterable[str]) -> str:
    """Return a filter for users whose primary group has one of these relative ids."""
    parts = "".join(f"(primaryGroupID={each})" for each in relative_ids)
    return f"(&(objectClass=user)(|{parts}))"


def nested_groups_filter(dns: Sequence[str]) -> str:
    """Return a filter for groups that are direct members of one of these groups."""
    parts = "".join(f"(memberOf={escape_value(each.encode())})" for each in dns)
    return f"(&(objectClass=group)(|{parts}))"


def _text_filter(name: str, tree: Compare) -> str | None:
    value = tree.value
    if not isinstance(value, str) or not _PLAIN_TEXT.fullmatch(value):
        return None
    if tree.operator == "eq" and parse_ticks(value) is not None:
        return None  # The same moment can be written in many ways.
    part = _PATTERNS.get(tree.operator)
    return part and f"({name}={part.format(escape_value(value.encode()))})"


def _number_value(tree: Compare) -> float | None:
    value: Scalar = tree.value
    if isinstance(value, str):
        return int(value) if _INTEGER_TEXT.fullmatch(value) else None
    return None if isinstance(value, bool) else value


def _integer_bounds(operator: str, value: float) -> tuple[float, float] | None:
    """Return the smallest and the largest integer that satisfy the comparison."""
    match operator:
        case "eq" if value == math.floor(value):
            return value, value
        case "gt":
            return math.floor(value) + 1, math.inf
        case "ge":
            return math.ceil(value), math.inf
        case "lt":
            return -math.inf, math.ceil(value) - 1
        case "le":
            return -math.inf, math.floor(value)
        case _:
            return None


def _join_filters(sign: str, parts: Sequence[str | None]) -> str | None:
    written = [each for each in parts if each is not None]
    if not written or len(written) < len(parts):
        return None
    return written[0] if len(written) == 1 else f"({sign}{''.join(written)})"


def _range_filter(
    name: str, bounds: tuple[float, float], write: Callable[[int], str] = str
) -> str | None:
    least, greatest = bounds
    if least == greatest:
        return f"({name}={write(int(least))})"
    ends = ((least, ">="), (greatest, "<="))
    parts = [f"({name}{s}{write(int(end))})" for end, s in ends if math.isfinite(end)]
    return _join_filters("&", parts)


def _integer_filter(name: str, tree: Compare, largest: int) -> str | None:
    value = _number_value(tree)
    if value is None or abs(value) > largest:
        return None
    if tree.operator == "has":
        return f"({name}:{BIT_AND}:={value})"
    bounds = _integer_bounds(tree.operator, value)
    if bounds is None or any(largest < abs(each) < math.inf for each in bounds):
        return None
    return _range_filter(name, bounds)


def _filetime_filter(name: str, tree: Compare) -> str | None:
    ticks = parse_ticks(tree.value) if isinstance(tree.value, str) else None
    if ticks is None:
        return _integer_filter(name, tree, NEVER_TICKS)
    bounds = _integer_bounds(tree.operator, ticks)
    if bounds is None or not 0 < ticks < NEVER_TICKS - 1:
        return None
    least, greatest = bounds
    return _range_filter(name, (max(least, 1), min(greatest, NEVER_TICKS - 1)))


def _time_filter(name: str, tree: Compare) -> str | None:
    """Return a test of a generalized time, which Active Directory stores in seconds."""
    ticks = parse_ticks(tree.value) if isinstance(tree.value, str) else None
    if ticks is None or not 0 < ticks // TICKS_PER_SECOND < _LAST_SECOND:
        return None
    whole, rest = divmod(ticks, TICKS_PER_SECOND)
    # Any fraction will do: all moments between two seconds compare alike.
    bounds = _integer_bounds(tree.operator, whole + 0.5 if rest else whole)
    return bounds and _range_filter(
        name, bounds, lambda s: f"{_EPOCH + timedelta(seconds=s):%Y%m%d%H%M%S.0Z}"
    )


def _boolean_filter(name: str, tree: Compare) -> str | None:
    value = str(tree.value).upper()
    is_boolean = tree.operator == "eq" and value in {"TRUE", "FALSE"}
    return f"({name}={value})" if is_boolean else None


_WRITERS: dict[Syntax, Callable[[str, Compare], str | None]] = {
    "text": _text_filter,
    "integer": partial(_integer_filter, largest=2**31 - 1),
    "filetime": _filetime_filter,
    "time": _time_filter,
    "boolean": _boolean_filter,
}
"""Each returns an equivalent LDAP filter for an attribute of the syntax.

For texts it may match more: a controller treats more texts as equal.
"""


def _presence_filter(name: str) -> str | None:
    return f"({name}=*)" if name in SYNTAX_BY_ATTRIBUTE else None


def _comparison_filter(tree: Compare) -> str | None:
    """Return an LDAP filter for the comparison, or at least for a value."""
    name, is_negated = tree.attribute, tree.operator == "ne"
    if is_negated is not (tree.value is None):
        return None
    syntax = SYNTAX_BY_ATTRIBUTE.get(name)
    exact = _WRITERS[syntax](name, tree) if syntax and not is_negated else None
    # Every comparison is false for an attribute without a value.
    return exact or _presence_filter(name)


def _filter_on_attribute(tree: Filter, name: str) -> Filter:
    """Return a filter on the attribute that holds if `tree` holds for one value."""
    match tree:
        case Compare(operator=operator) if operator != "ne":
            return structs.replace(tree, attribute=name)
        case And(operands=operands) | Or(operands=operands):
            replaced = tuple(_filter_on_attribute(each, name) for each in operands)
            return structs.replace(tree, operands=replaced)
        case _:
            return Present(attribute=name)


def to_ldap_filter(tree: Filter | None) -> str | None:
    """Return an LDAP filter that matches whatever `tree` does; None if impossible."""
    match tree:
        case And(operands=operands):
            return _join_filters("&", [*filter(None, map(to_ldap_filter, operands))])
        case Or(operands=operands):
            return _join_filters("|", [*map(to_ldap_filter, operands)])
        case Present(attribute=name):
            return _presence_filter(name)
        case Compare():
            return _comparison_filter(tree)
        case ValuePath(attribute=name, operand=operand):
            return to_ldap_filter(_filter_on_attribute(operand, name))
        case Not() | None:
            return None
