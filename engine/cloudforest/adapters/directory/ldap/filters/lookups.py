"""Filters for objects of a kind, and for objects that are named."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Sequence

from cloudforest.base.errors import Rejected
from cloudforest.model.messages import Lookup
from cloudforest.model.ports import Kind

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
