"""Change notification: a search that stays open and yields each entry that changes."""

from __future__ import annotations

from collections.abc import Generator

from cloudforest.adapters.directory.ldap.session.session import SUBTREE, Session
from cloudforest.adapters.directory.ldap.wire.controls import notification


def changes(session: Session, base: str) -> Generator[None, None, None]:
    """Yield at each change below the base; end where the server refuses to tell.

    [MS-ADTS] 3.1.1.3.4.1.9 allows no other filter, and a subtree only at the head.
    """
    session.wait_for_ever()
    told = session.search(
        base,
        SUBTREE,
        filter="(objectClass=*)",
        attributes=["objectGUID"],
        controls=[notification()],
    )
    for _ in told:
        yield
