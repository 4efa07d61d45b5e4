"""What an account must be granted to see deletions; nothing fails where it is not.

Measured on Samba: the entry CN=Deleted Objects is there for everybody, but bare; and
with Replicating Directory Changes alone no tombstone is ever reported.
"""

from __future__ import annotations

from cloudforest.adapters.directory.ldap import search
from cloudforest.adapters.directory.ldap.session.session import BASE, LEVEL, Session
from cloudforest.adapters.directory.ldap.wire.controls import paged, show_deleted

REPLICATE = "Replicating Directory Changes"
SEE_DELETED = "read and list CN=Deleted Objects"


def _found(session: Session, dn: str, scope: str, attribute: str) -> list[bool]:
    """Return one item for each entry: whether it shows the attribute."""
    asked = session.search(
        dn,
        scope,
        filter="(objectClass=*)",
        attributes=[attribute],
        controls=[show_deleted(), paged(1, b"")],
    )
    return [
        attribute.lower() in each.attributes for each in search.checked(asked, session)
    ]


def sees_deleted(session: Session, base: str) -> bool:
    """Tell whether tombstones are shown.

    Where there are none yet, the right to read the container must do as proof: nothing
    shows whether it could be listed.
    """
    container = f"CN=Deleted Objects,{base}"
    if _found(session, container, LEVEL, "name"):
        return True
    return any(_found(session, container, BASE, "objectClass"))
