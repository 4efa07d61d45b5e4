from __future__ import annotations

from collections.abc import Generator

import pytest

from cloudforest.adapters.directory.ldap import dirsync, search
from cloudforest.adapters.directory.ldap.dirsync import Conversation
from cloudforest.adapters.directory.ldap.wire.messages import Ending, Raw
from cloudforest.base.errors import Misconfigured, Rejected


class BareServer:
    """Speaks LDAP, and is no domain controller."""

    controller = "ldaps://bare"
    account = "svc"

    def __init__(self, root: dict[str, list[bytes]]) -> None:
        self.root = root

    def search(self, *_: object, **__: object) -> Generator[Raw, None, Ending]:
        yield Raw("", self.root)
        return Ending(0, "")


@pytest.mark.parametrize(
    "root", [{}, {"objectclass": [b"top"]}, {"defaultnamingcontext": []}], ids=str
)
def test_a_server_without_naming_context_serves_no_domain(root: dict[str, list[bytes]]):
    with pytest.raises(Misconfigured, match="ldaps://bare serves no domain"):
        search.head(BareServer(root), "DC=x")


def test_a_server_that_does_not_know_dirsync_is_refused():
    talk = Conversation(base="DC=x", filter="(a=b)", attributes=[], cookie=b"")
    with pytest.raises(Rejected, match="ldaps://bare"):
        list(dirsync.changes(BareServer({}), talk))
