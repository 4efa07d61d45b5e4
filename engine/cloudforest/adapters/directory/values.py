"""How the bytes of a directory attribute become text."""

from __future__ import annotations

import base64
import re
import uuid

GUIDS = frozenset({"objectguid", "ms-ds-consistencyguid", "parentguid"})
SIDS = frozenset({"objectsid", "sidhistory", "ms-ds-creatorsid", "securityidentifier"})
BINARY = frozenset(
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
"""Octet strings: they are base64 even where their bytes happen to be text."""

NAMES = frozenset({"distinguishedname", "objectcategory", "lastknownparent"})
"""DN attributes that are kept as a DN instead of as a reference."""

REFERENCES = frozenset(
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

_GUID_BYTES = 16
_SID_HEAD = 8
# [MS-ADTS] 3.1.1.3.4.1.5: <GUID=...>;<SID=...>;DN, the SID only where there is one.
_EXTENDED = re.compile(
    r"<GUID=([0-9a-f-]{32,36})>;(?:<SID=[^>]*>;)?(.*)", re.IGNORECASE | re.DOTALL
)
_DELETED = "\\0ADEL:"
# [MS-ADTS] 3.1.1.2.2.2: DN with binary or string, B:LENGTH:HEX:DN or S:LENGTH:TEXT:DN.
_PREFIXED = re.compile(r"[BS]:([0-9]{1,9}):", re.IGNORECASE)


def guid_text(raw: bytes) -> str:
    """Return 16 bytes in AD's little-endian order as canonical text."""
    return str(uuid.UUID(bytes_le=raw))


def sid_text(raw: bytes) -> str:
    """Return a binary SID as S-R-A-S…  ([MS-DTYP] 2.4.2.2)."""
    if len(raw) < _SID_HEAD or len(raw) != _SID_HEAD + 4 * raw[1]:
        return base64.b64encode(raw).decode()
    authority = int.from_bytes(raw[2:_SID_HEAD], "big")
    parts = [
        str(int.from_bytes(raw[at : at + 4], "little"))
        for at in range(_SID_HEAD, len(raw), 4)
    ]
    return "-".join(["S", str(raw[0]), str(authority), *parts])


def relative_id(sid: str) -> str | None:
    """Return what is left of the SID of a domain's object without its domain's.

    It is what primaryGroupID holds ([MS-ADA3]).
    """
    return sid.rpartition("-")[2] if sid.startswith("S-1-5-21-") else None


def text(attribute: str, raw: bytes) -> str:
    """Return a value as text: GUIDs and SIDs in their form, other binary in base64.

    `attribute` is in lower case. A value of 16 bytes is no GUID by its length alone,
    and a GUID attribute of another length is kept in base64.
    """
    if attribute in GUIDS and len(raw) == _GUID_BYTES:
        return guid_text(raw)
    if attribute in SIDS:
        return sid_text(raw)
    if attribute in BINARY or attribute in GUIDS:
        return base64.b64encode(raw).decode()
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return base64.b64encode(raw).decode()


def split_extended(value: str) -> tuple[str | None, str]:
    """Split an extended DN into the objectGUID, if it has one, and the DN."""
    found = _EXTENDED.fullmatch(value)
    return (str(uuid.UUID(found[1])), found[2]) if found else (None, value)


def split_prefixed(value: str) -> tuple[str, str]:
    """Split a DN with binary or string into what stands before the DN, and the DN."""
    head = _PREFIXED.match(value)
    if head is None:
        return "", value
    at = head.end() + int(head[1])
    if value[at : at + 1] != ":":
        # The length may be one of bytes.
        counted = value[head.end() :].encode()[: int(head[1])]
        at = head.end() + len(counted.decode(errors="replace"))
    is_one = value[at : at + 1] == ":"
    return (value[: at + 1], value[at + 1 :]) if is_one else ("", value)


def reference(attribute: str, value: str) -> str | None:
    """Return a value with an extended DN replaced by the objectGUID that it names.

    None for a link to a deleted object, which a recycle bin leaves in place.
    """
    prefix, name = split_prefixed(value)
    if not name.startswith("<GUID="):
        return value
    guid, dn = split_extended(name)
    if guid is None or attribute in NAMES:
        return prefix + dn
    return None if _DELETED in dn else prefix + guid
