"""Change notification: a search that stays open and yields each entry that changes."""

from __future__ import annotations

from collections.abc import Generator

from cloudforest.adapters.directory.ldap.session import failures
from cloudforest.adapters.directory.ldap.session.session import SUBTREE, Session
from cloudforest.adapters.directory.ldap.wire.controls import notification
from cloudforest.adapters.directory.ldap.wire.messages import Ending

_REFUSALS = frozenset({2, 12, 50, 53})
"""protocolError, unavailableCriticalExtension, insufficientAccessRights,
unwillingToPerform (RFC 4511 4.1.9): it would say the same the next time."""


def changes(session: Session, base: str) -> Generator[None, None, None]:
    """Yield at each change below the base; end where the server refuses to tell.

    Raises Unavailable when it ends the search for another reason, as when it stops.
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
    ending = yield from _counted(told)
    if ending.code not in _REFUSALS:
        reason = f"it ended the search for changes, LDAP result {ending.code}"
        raise failures.broken(session.controller, reason)


def _counted(told: Generator[object, None, Ending]) -> Generator[None, None, Ending]:
    while True:
        try:
            next(told)
        except StopIteration as stop:
            ending: Ending = stop.value
            return ending
        yield
