"""An LDAP server that is no domain controller."""

from __future__ import annotations

from collections.abc import Generator

from cloudforest.adapters.ldap.ber import Ending, Raw


class BareServer:
    """Speaks LDAP, and is no domain controller."""

    controller = "ldaps://bare"
    account = "svc"

    def __init__(self, root: dict[str, list[bytes]]) -> None:
        self.root = root

    def search(self, *_: object, **__: object) -> Generator[Raw, None, Ending]:
        yield Raw("", self.root)
        return Ending(0, "")
