"""One comparison, as a controller is asked about it.

`None` says that it can't be: that is left to the agent.

Filters for objects of a kind, and for objects that are named.

Attributes that a controller can be asked about, by their syntax ([MS-ADA1-3]).

Only those of the schema that every Active Directory has: of an attribute that it does
not know, or that it constructs, a controller finds nothing, whatever is asked. Names
are in lower case.

What of a scope's filter a controller can decide.

What it finds holds at least the objects that the filter accepts; the agent then applies
the filter itself. So the two together are the filter alone, whatever the controller
takes to be equal: spaces, accents on Windows.

Nothing is asked under `not`: of an object that hides an attribute from the account, we
say that it has none, and a controller may say that nothing is known of it, or judge by
what it hides (measured on Samba).
"""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

from msgspec import structs

from cloudforest.base.errors import Rejected
from cloudforest.model.messages import Lookup
from cloudforest.model.ports.directory import Kind
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
from cloudforest.program.ad_schema import INTEGERS
from cloudforest.program.scoping.predicates import NEVER, SECOND, moment

_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9-]*")

_CONTAINERS = ("organizationalUnit", "container", "builtinDomain")


def of_kind(kind: Kind, where: str | None = None) -> str:
    """Return a filter on the class alone: a tombstone has lost its objectCategory.

    Or for those of the class for which `where`, an LDAP filter, holds too.
    """
    if kind == "container":
        return f"(|{''.join(f'(objectClass={each})' for each in _CONTAINERS)})"
    return f"(&(objectClass={kind}){where})" if where else f"(objectClass={kind})"


def escape(value: bytes) -> str:
    r"""Return a value for a filter (RFC 4515): what is not alphanumeric becomes \xx."""
    return "".join(
        chr(each) if each < 0x80 and chr(each).isalnum() else f"\\{each:02x}"  # noqa: PLR2004 - ASCII
        for each in value
    )


def _by_guid(value: str) -> str | None:
    try:
        raw = uuid.UUID(value).bytes_le
    except ValueError:
        return None
    return f"(objectGUID={escape(raw)})"


def _one(lookup: Lookup) -> str | None:
    match lookup.by:
        case "guid":
            return _by_guid(lookup.value)
        case "dn":
            return f"(distinguishedName={escape(lookup.value.encode())})"
        case "attribute":
            name = lookup.attribute or ""
            if not _ATTRIBUTE.fullmatch(name):
                raise Rejected(f"{name!r} is not the name of a directory attribute.")
            return f"({name}={escape(lookup.value.encode())})"


def any_of(lookups: Sequence[Lookup]) -> str | None:
    """Return one filter for all lookups; None when none of them can exist."""
    parts = [part for lookup in lookups if (part := _one(lookup)) is not None]
    return f"(|{''.join(parts)})" if parts else None


def primary_in(relative_ids: Iterable[str]) -> str:
    """Return a filter for those whose primary group has one of these relative ids."""
    parts = "".join(f"(primaryGroupID={each})" for each in relative_ids)
    return f"(&(objectClass=user)(|{parts}))"


def groups_in(names: Sequence[str]) -> str:
    """Return a filter for the groups that are direct members of one of these."""
    parts = "".join(f"(memberOf={escape(each.encode())})" for each in names)
    return f"(&(objectClass=group)(|{parts}))"


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


SYNTAX: dict[str, Syntax] = {
    **dict.fromkeys(_TEXTS.split(), "text"),
    **dict.fromkeys(INTEGERS, "integer"),
    **dict.fromkeys(_FILETIMES.split(), "filetime"),
    **dict.fromkeys(_TIMES.split(), "time"),
    **dict.fromkeys(_BOOLEANS.split(), "boolean"),
}


BIT_AND = "1.2.840.113556.1.4.803"
"""LDAP_MATCHING_RULE_BIT_AND ([MS-ADTS] 3.1.1.3.4.4.1)."""

# Space is not significant at the ends and where it is repeated (RFC 4518, 2.6.1), and
# not all servers know the same letters beyond these.
_LETTERS = r"[!-~\u00c0-\u00d6\u00d8-\u00de\u00e0-\u00f6\u00f8-\u00fe\u0410-\u044f]+"
_PLAIN = re.compile(f"{_LETTERS}(?: {_LETTERS})*")
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,18}")
_PARTS = {"eq": "{}", "co": "*{}*", "sw": "{}*", "ew": "*{}"}
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_LAST = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)


def _text(name: str, tree: Compare) -> str | None:
    value = tree.value
    if not isinstance(value, str) or not _PLAIN.fullmatch(value):
        return None
    if tree.operator == "eq" and moment(value) is not None:
        return None  # One moment has many texts.
    part = _PARTS.get(tree.operator)
    return part and f"({name}={part.format(escape(value.encode()))})"


def _number(tree: Compare) -> int | float | None:
    value: Scalar = tree.value
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        value = int(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and not isinstance(value, str) else None


def _bounds(operator: str, value: float) -> tuple[float, float] | None:
    """Return the least and the greatest whole number for which it holds."""
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


def _between(
    name: str, bounds: tuple[float, float], write: Callable[[int], str]
) -> str:
    least, greatest = bounds
    if least == greatest:
        return f"({name}={write(int(least))})"
    parts = []
    if least > -math.inf:
        parts.append(f"({name}>={write(int(least))})")
    if greatest < math.inf:
        parts.append(f"({name}<={write(int(greatest))})")
    return parts[0] if len(parts) == 1 else f"(&{''.join(parts)})"


def _integer(name: str, tree: Compare, largest: int) -> str | None:
    value = _number(tree)
    if value is None or abs(value) > largest:
        return None
    if tree.operator == "has":
        return f"({name}:{BIT_AND}:={value})"
    bounds = _bounds(tree.operator, value)
    if bounds is None or any(largest < abs(each) < math.inf for each in bounds):
        return None
    return _between(name, bounds, str)


def _filetime(name: str, tree: Compare) -> str | None:
    ticks = moment(tree.value) if isinstance(tree.value, str) else None
    if ticks is None:
        return _integer(name, tree, NEVER)
    bounds = _bounds(tree.operator, ticks)
    if bounds is None or not 0 < ticks < NEVER - 1:
        return None
    return _between(name, (max(bounds[0], 1), min(bounds[1], NEVER - 1)), str)


def _generalized(seconds: int) -> str:
    return f"{_EPOCH + timedelta(seconds=seconds):%Y%m%d%H%M%S.0Z}"


def _time(name: str, tree: Compare) -> str | None:
    """Return a test of a generalized time, which Active Directory keeps in seconds."""
    ticks = moment(tree.value) if isinstance(tree.value, str) else None
    if ticks is None or not 0 < ticks // SECOND < _LAST:
        return None
    whole, rest = divmod(ticks, SECOND)
    # Any fraction: what lies between two seconds compares alike.
    bounds = _bounds(tree.operator, whole + 0.5 if rest else whole)
    return bounds and _between(name, bounds, _generalized)


def _boolean(name: str, tree: Compare) -> str | None:
    word = str(tree.value).upper()
    is_one = tree.operator == "eq" and word in {"TRUE", "FALSE"}
    return f"({name}={word})" if is_one else None


def assertion(tree: Compare, syntax: Syntax) -> str | None:
    """Return an LDAP filter that says the same of an attribute of that syntax.

    Of a text it says at least as much: a controller takes more texts to be equal.
    """
    name = tree.attribute
    match syntax:
        case "text":
            return _text(name, tree)
        case "integer":
            return _integer(name, tree, 2**31 - 1)
        case "filetime":
            return _filetime(name, tree)
        case "time":
            return _time(name, tree)
        case "boolean":
            return _boolean(name, tree)


def pushed(tree: Filter) -> str | None:
    """Return an LDAP filter that holds wherever this one does; None: there is none."""
    match tree:
        case And(operands=operands):
            return _joined("&", [part for part in map(pushed, operands) if part])
        case Or(operands=operands):
            return _joined("|", [pushed(each) for each in operands])
        case Present(attribute=name):
            return _presence(name)
        case Compare():
            return _compared(tree)
        case ValuePath(attribute=name, operand=operand):
            return pushed(_of_a_value(operand, name))
        case Not():
            return None


def _joined(sign: str, parts: Sequence[str | None]) -> str | None:
    asked = [each for each in parts if each is not None]
    if not asked or len(asked) < len(parts):
        return None
    return asked[0] if len(asked) == 1 else f"({sign}{''.join(asked)})"


def _presence(name: str) -> str | None:
    return f"({name}=*)" if name in SYNTAX else None


def _compared(tree: Compare) -> str | None:
    name, is_negated = tree.attribute, tree.operator == "ne"
    if is_negated is not (tree.value is None):
        return None
    syntax = SYNTAX.get(name)
    said = assertion(tree, syntax) if syntax and not is_negated else None
    # Whatever a comparison says, it is false where there is no value.
    return said or _presence(name)


def _of_a_value(tree: Filter, name: str) -> Filter:
    """Return what holds of an attribute, if the tree holds for one of its values."""
    match tree:
        case Compare(operator=operator) if operator != "ne":
            return structs.replace(tree, attribute=name)
        case And(operands=operands) | Or(operands=operands):
            several = tuple(_of_a_value(each, name) for each in operands)
            return structs.replace(tree, operands=several)
        case _:
            return Present(attribute=name)
