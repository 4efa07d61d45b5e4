"""An LDAP server that is not a domain controller."""

from __future__ import annotations

from collections.abc import Generator

from cloudforest.adapters.ldap.ber import SearchResultDone, SearchResultEntry


class BareServer:
    """Speaks LDAP, but is not a domain controller."""

    controller = "ldaps://bare"
    account = "svc"

    def __init__(self, root: dict[str, list[bytes]]) -> None:
        self.root = root

    def search(
        self, *_: object, **__: object
    ) -> Generator[SearchResultEntry, None, SearchResultDone]:
        yield SearchResultEntry("", self.root)
        return SearchResultDone(0, "")
