"""Turn what LDAP and LDIF readers yield into entries of the directory port.

Decode attribute values to text, and run blocking readers in threads.
"""

from __future__ import annotations

import asyncio
import base64
import contextvars
import re
import uuid
from collections.abc import AsyncIterator, Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from cloudforest.model.ports.directory import Entry
from cloudforest.model.program import ObjectType

GUID_ATTRIBUTES = frozenset({"objectguid", "ms-ds-consistencyguid", "parentguid"})
SID_ATTRIBUTES = frozenset(
    {"objectsid", "sidhistory", "ms-ds-creatorsid", "securityidentifier"}
)
BINARY_ATTRIBUTES = frozenset(
    {
        "jpegphoto",
        "logonhours",
        "msds-generationid",
        "msexchblockedsendershash",
        "msexchmailboxguid",
        "msexchsafesendershash",
        "ntsecuritydescriptor",
        "photo",
        "thumbnaillogo",
        "thumbnailphoto",
        "usercertificate",
        "userpkcs12",
        "usersmimecertificate",
    }
)
"""Octet strings: kept in base64, even where their bytes are valid text."""

DN_ATTRIBUTES = frozenset({"distinguishedname", "objectcategory", "lastknownparent"})
"""DN attributes that are kept as a DN instead of as a reference."""

REFERENCE_ATTRIBUTES = frozenset(
    {
        "assistant",
        "directreports",
        "managedby",
        "managedobjects",
        "manager",
        "member",
        "memberof",
        "msds-managedby",
        "msexchassistantname",
        "msexchcomanagedbylink",
        "msexchdelegatelistlink",
        "owner",
        "roleoccupant",
        "secretary",
        "seealso",
    }
)
"""AD's attributes of DN syntax that point at people and groups ([MS-ADA1-3])."""

CONTAINER_CLASSES = ("organizationalUnit", "container", "builtinDomain")
_GUID_BYTES = 16
_SID_HEAD = 8
# [MS-ADTS] 3.1.1.3.4.1.5: <GUID=...>;<SID=...>;DN, the SID only if the object has one.
_EXTENDED = re.compile(
    r"<GUID=([0-9a-f-]{32,36})>;(?:<SID=[^>]*>;)?(.*)", re.IGNORECASE | re.DOTALL
)
_DELETED_MARK = "\\0ADEL:"
# [MS-ADTS] 3.1.1.2.2.2: DN with binary or string, B:LENGTH:HEX:DN or S:LENGTH:TEXT:DN.
_PREFIXED = re.compile(r"[BS]:([0-9]{1,9}):", re.IGNORECASE)

ALWAYS_READ = ("name", "objectclass", "objectguid", "parentguid", "isdeleted")
"""Attributes that every read requests.

`name` is needed because DirSync reports an added object only if one of the requested
replicated attributes is set. instanceType is left out: if it is requested, Samba
reports every object that has changed in any way (measured).
"""
_TYPES: tuple[ObjectType, ...] = ("group", "contact", "user")
T = TypeVar("T")
BATCH_SIZE = 100
"""Objects in memory at once: the reader waits until they are consumed."""


def format_guid(raw: bytes) -> str:
    """Return 16 bytes in AD's little-endian order as canonical text."""
    return str(uuid.UUID(bytes_le=raw))


def parse_guid(text: str) -> uuid.UUID | None:
    """Return the GUID; None if the text is not one."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def format_sid(raw: bytes) -> str:
    """Return a binary SID as S-R-A-S… ([MS-DTYP] 2.4.2.2); base64 if malformed."""
    if len(raw) < _SID_HEAD or len(raw) != _SID_HEAD + 4 * raw[1]:
        return base64.b64encode(raw).decode()
    authority = int.from_bytes(raw[2:_SID_HEAD], "big")
    parts = [
        str(int.from_bytes(raw[at : at + 4], "little"))
        for at in range(_SID_HEAD, len(raw), 4)
    ]
    return "-".join(["S", str(raw[0]), str(authority), *parts])


def relative_id(sid: str) -> str | None:
    """Return the relative id of a SID, as in primaryGroupID ([MS-ADA3]).

    None for a SID outside any domain.
    """
    return sid.rpartition("-")[2] if sid.startswith("S-1-5-21-") else None


def decode_value(attribute: str, raw: bytes) -> str:
    """Return a value as text: GUIDs and SIDs in their usual text, binary in base64.

    `attribute` is in lower case. Its name decides, not the length of the value; a GUID
    attribute of another length is kept in base64.
    """
    if attribute in GUID_ATTRIBUTES and len(raw) == _GUID_BYTES:
        return format_guid(raw)
    if attribute in SID_ATTRIBUTES:
        return format_sid(raw)
    if attribute in BINARY_ATTRIBUTES or attribute in GUID_ATTRIBUTES:
        return base64.b64encode(raw).decode()
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return base64.b64encode(raw).decode()


def split_extended_dn(value: str) -> tuple[str | None, str]:
    """Split an extended DN into the objectGUID, if it has one, and the DN."""
    match = _EXTENDED.fullmatch(value)
    return (str(uuid.UUID(match[1])), match[2]) if match else (None, value)


def split_dn_prefix(value: str) -> tuple[str, str]:
    """Split a DN with binary or string into its prefix and the DN."""
    head = _PREFIXED.match(value)
    if head is None:
        return "", value
    at = head.end() + int(head[1])
    if value[at : at + 1] != ":":
        # The length may count bytes instead of characters.
        counted = value[head.end() :].encode()[: int(head[1])]
        at = head.end() + len(counted.decode(errors="replace"))
    has_prefix = value[at : at + 1] == ":"
    return (value[: at + 1], value[at + 1 :]) if has_prefix else ("", value)


def to_reference(attribute: str, value: str) -> str | None:
    """Return a value with an extended DN replaced by its objectGUID.

    None for a link to a deleted object, which the recycle bin keeps.
    """
    prefix, name = split_dn_prefix(value)
    if not name.startswith("<GUID="):
        return value
    guid, dn = split_extended_dn(name)
    if guid is None or attribute in DN_ATTRIBUTES:
        return prefix + dn
    return None if _DELETED_MARK in dn else prefix + guid


@dataclass(frozen=True)
class DirectoryEntry:
    """An object as text: references are objectGUIDs, names are in lower case.

    `member_dns` are the DNs of `members` in the same order; only searches fill them.
    """

    dn: str
    attributes: Mapping[str, tuple[str, ...]]
    members: tuple[str, ...] = ()
    former_members: tuple[str, ...] = ()
    partial: bool = False
    member_dns: tuple[str, ...] = ()


def _add_cn(source: DirectoryEntry) -> Mapping[str, tuple[str, ...]]:
    """Add `cn`, which Samba leaves out of DirSync: it is the RDN, and so is `name`."""
    attributes = source.attributes
    if "cn" in attributes or "name" not in attributes:
        return attributes
    if not source.dn.lower().startswith("cn="):
        return attributes
    return {**attributes, "cn": attributes["name"]}


def to_entry(
    source: DirectoryEntry, names: Sequence[str], assumed_type: ObjectType | None = None
) -> Entry | None:
    """Return the Entry with the requested attributes; None without an objectGUID.

    `assumed_type` is the type of an object that came without its classes, as in a
    delta.
    """
    attributes = _add_cn(source)
    guid = next(iter(attributes.get("objectguid", ())), None)
    if guid is None:
        return None
    classes = frozenset(each.lower() for each in attributes.get("objectclass", ()))
    otherwise = None if classes else assumed_type
    return Entry(
        object_guid=guid,
        dn=source.dn,
        type=next((each for each in _TYPES if each in classes), otherwise),
        classes=classes,
        parent=next(iter(attributes.get("parentguid", ())), None),
        is_deleted=attributes.get("isdeleted", ())[:1] == ("TRUE",),
        attributes={
            name: attributes[name]
            for name in names
            if name in attributes and name != "member"
        },
        members=source.members,
        former_members=source.former_members,
        is_partial=source.partial,
    )


async def iterate_in_thread(
    reader: Generator[T, Any, Any],
    *,
    abort: Callable[[], None],
    waits_long: bool = False,
) -> AsyncIterator[T]:
    """Yield what a blocking reader yields; it runs in a thread, batch by batch.

    `abort` must make a waiting reader give up. It is called when the consumer stops
    early, or is cancelled while the thread reads. A reader that `waits_long`, perhaps
    for days, gets its own thread instead of one of the shared pool, and no batches.
    """
    own = ThreadPoolExecutor(1, thread_name_prefix="watch") if waits_long else None
    size = 1 if waits_long else BATCH_SIZE
    context, loop = contextvars.copy_context(), asyncio.get_running_loop()
    finished = False

    def take() -> list[T]:
        return context.run(list, islice(reader, size))

    try:
        while batch := await loop.run_in_executor(own, take):
            for each in batch:
                yield each
        finished = True
    finally:
        if not finished:
            abort()
            # ValueError: a thread is still inside; the aborted source ends it.
            with suppress(ValueError):
                reader.close()
        if own is not None:
            own.shutdown(wait=False, cancel_futures=True)
