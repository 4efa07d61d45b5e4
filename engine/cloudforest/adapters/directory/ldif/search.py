"""Finding entries in an LDIF file: each search is a pass over it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Generator, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from cloudforest.adapters.directory import values
from cloudforest.adapters.directory.entries import ALWAYS, Found
from cloudforest.adapters.directory.ldif.index import Index
from cloudforest.adapters.directory.ldif.reader import Pattern, Record, attributes, read
from cloudforest.model.messages import Lookup
from cloudforest.model.ports import Kind
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.dn import parse_dn

_CONTAINERS = frozenset({"organizationalunit", "container", "builtindomain"})
_WORDS = frozenset({"objectclass", "isdeleted"})
_KEPT = values.REFERENCES - {"member"}
"""References that are one value of an object; memberships are never lost by silence."""


def records(path: Path, maybe: Pattern | None = None) -> Iterator[Record]:
    return (each for each in read(path, maybe) if isinstance(each, Record))


def _is_in_a_domain(dn: str) -> bool:
    if "dc=" not in dn.replace(" ", "").lower():
        return False
    try:
        return parse_dn(dn)[-1].startswith("dc=")
    except SyntaxFault:
        return False


def _reference(name: str, value: str, index: Index) -> str | None:
    """Return a value with a DN replaced by its objectGUID, as over LDAP.

    An export does not say which attributes hold DNs, so every value that is one counts.
    None where the DN lies outside the export; but if that may lack entries, a name that
    nobody has: to drop a reference would clear it in the target, and nothing proves it.
    """
    if "=" not in value:
        return None if name in values.REFERENCES else value
    prefix, dn = values.split_prefixed(value)
    if (guid := index.guid(dn)) is not None:
        return prefix + values.guid_text(guid)
    if name in _KEPT and not index.complete:
        return str(uuid.uuid5(uuid.NAMESPACE_X500, dn.casefold()))
    return None if name in values.REFERENCES or _is_in_a_domain(dn) else value


def _texts(name: str, raw: Sequence[bytes], index: Index) -> tuple[str, ...]:
    texts = (values.text(name, each) for each in raw)
    if name in _WORDS:
        return tuple(each.strip() for each in texts)
    if name in values.NAMES or name in values.BINARY:
        return tuple(texts)
    found = (_reference(name, each, index) for each in texts)
    return tuple(each for each in found if each is not None)


def _is_escaped(dn: str, at: int) -> bool:
    before = dn[:at]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


def _parent(dn: str) -> str:
    """Return what follows the first comma that is not escaped."""
    at = dn.find(",")
    while at > 0 and _is_escaped(dn, at):
        at = dn.find(",", at + 1)
    return dn[at + 1 :] if at >= 0 else ""


def _found(record: Record, index: Index, wanted: Pattern) -> Found:
    dn = record.dn
    held = {
        name: _texts(name, raw, index) for name, raw in record.values(wanted).items()
    }
    parent = index.guid(_parent(dn))
    if parent is not None:
        held["parentguid"] = (values.guid_text(parent),)
    members = held.pop("member", ())
    return Found(dn=dn, attributes=held, members=members)


def of_kind(
    path: Path, index: Index, *, kind: Kind, asked: Sequence[str]
) -> Generator[Found, None, None]:
    """Yield the entries that have the kind among their object classes."""
    wanted = attributes({*ALWAYS, *asked})
    classes = _CONTAINERS if kind == "container" else frozenset({kind})
    # Most entries are of another kind: look before decoding. A class may be in base64.
    choice = "|".join(classes).encode()
    line = rb"^objectclass(?:;[^:\n]*)?:(?: *(?:" + choice + rb") *$|:)"
    maybe = re.compile(line, re.IGNORECASE | re.MULTILINE)
    for record in records(path, maybe):
        found = _found(record, index, wanted)
        if not classes.isdisjoint(map(str.lower, found.attributes["objectclass"])):
            yield found


def _guid_bytes(text: str) -> bytes | None:
    try:
        return uuid.UUID(text).bytes_le
    except ValueError:
        return None


def _guids(index: Index, lookups: Sequence[Lookup]) -> frozenset[bytes]:
    found: set[bytes | None] = set()
    for lookup in lookups:
        match lookup.by:
            case "guid":
                found.add(_guid_bytes(lookup.value))
            case "dn":
                found.add(index.guid(lookup.value))
            case "attribute":
                continue
    return frozenset(each for each in found if each is not None)


def _holds_any(
    held: Mapping[str, Sequence[bytes]], pairs: AbstractSet[tuple[str, str]]
) -> bool:
    return bool(pairs) and any(
        (name, values.text(name, raw).casefold()) in pairs
        for name, several in held.items()
        for raw in several
    )


def named(
    path: Path, index: Index, *, lookups: Sequence[Lookup], asked: Sequence[str]
) -> Generator[Found, None, None]:
    """Yield the entries that a lookup names, in one pass for all lookups."""
    wanted = attributes({*ALWAYS, *asked})
    guids = _guids(index, lookups)
    pairs = {
        ((each.attribute or "").lower(), each.value.casefold())
        for each in lookups
        if each.by == "attribute"
    }
    keys = attributes({"objectguid", *(name for name, _ in pairs)})
    for record in records(path):
        held = record.values(keys)
        if held["objectguid"][0] in guids or _holds_any(held, pairs):
            yield _found(record, index, wanted)
