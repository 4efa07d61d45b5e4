"""Records of an LDIF export."""

from __future__ import annotations

import base64
import uuid

ADA = uuid.UUID("11111111-2222-3333-4444-555555555555")
EVE = uuid.UUID("99999999-2222-3333-4444-555555555555")


def entry(dn: str, guid: uuid.UUID, *lines: str) -> str:
    encoded = base64.b64encode(guid.bytes_le).decode()
    return "\n".join([f"dn: {dn}", f"objectGUID:: {encoded}", *lines]) + "\n\n"
