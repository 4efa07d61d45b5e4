"""Security descriptors as bytes, written by hand ([MS-DTYP] 2.4)."""

from __future__ import annotations

import struct
import uuid

TYPE = "bf967962-0de6-11d0-a285-00aa003049e2"
OTHER = "bf967950-0de6-11d0-a285-00aa003049e2"
ME, GROUP, ANOTHER = "S-1-5-21-1-1104", "S-1-5-11", "S-1-5-21-1-9"
ALLOW, DENY, ALLOW_OBJECT, DENY_OBJECT = 0x00, 0x01, 0x05, 0x06
ALLOW_IF, DENY_IF, ALLOW_OBJECT_IF, DENY_OBJECT_IF = 0x09, 0x0A, 0x0B, 0x0C
CONDITIONAL = {ALLOW_IF, DENY_IF, ALLOW_OBJECT_IF, DENY_OBJECT_IF}
READ, WRITE, READ_GENERIC, ALL_GENERIC = 0x10, 0x20, 0x80000000, 0x10000000
INHERIT_ONLY, INHERITED = 0x08, 0x10


def sid(text: str) -> bytes:
    _, revision, authority, *parts = text.split("-")
    head = bytes((int(revision), len(parts))) + int(authority).to_bytes(6, "big")
    return head + b"".join(struct.pack("<I", int(each)) for each in parts)


def ace(
    kind: int,
    trustee: str = ME,
    mask: int = READ,
    *,
    flags: int = 0,
    about: str | None = None,
    inherited: str | None = None,
) -> bytes:
    body = struct.pack("<I", mask)
    if kind in {ALLOW_OBJECT, DENY_OBJECT, ALLOW_OBJECT_IF, DENY_OBJECT_IF}:
        body += struct.pack("<I", bool(about) + 2 * bool(inherited))
        body += b"".join(
            uuid.UUID(each).bytes_le for each in (about, inherited) if each
        )
    body += sid(trustee)
    if kind in CONDITIONAL:
        body += b"artx"
    return struct.pack("<BBH", kind, flags, 4 + len(body)) + body


def descriptor(*aces: bytes) -> bytes:
    body = b"".join(aces)
    owner = sid(ANOTHER)
    head = struct.pack("<BBHIIII", 1, 0, 0x8004, 20, 0, 0, 20 + len(owner))
    return (
        head + owner + struct.pack("<BBHHH", 4, 0, 8 + len(body), len(aces), 0) + body
    )
