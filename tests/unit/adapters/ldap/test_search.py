from __future__ import annotations

from collections.abc import Generator

import pytest
from tests.support.bare_server import BareServer

from cloudforest.adapters.ldap import search
from cloudforest.adapters.ldap.ber import SearchResultDone, SearchResultEntry
from cloudforest.base.errors import Misconfigured, Unavailable
from cloudforest.model.messages import Lookup


@pytest.mark.parametrize(
    "root", [{}, {"objectclass": [b"top"]}, {"defaultnamingcontext": []}], ids=str
)
def test_server_without_naming_context_is_misconfigured(root: dict[str, list[bytes]]):
    with pytest.raises(Misconfigured, match="ldaps://bare serves no domain"):
        search.read_domain_head(BareServer(root), "DC=x")


class VanishingGroup(BareServer):
    """Sends the first members of a group that is deleted before the rest is read."""

    def search(
        self, *_: object, attributes: list[str], **__: object
    ) -> Generator[SearchResultEntry, None, SearchResultDone]:
        if "member" in attributes:
            yield SearchResultEntry("CN=G,DC=x", self.root)
        return SearchResultDone(0, "")


def test_group_deleted_between_member_ranges_is_an_error():
    guid = b"<GUID=00000001-0000-4000-8000-000000000000>;CN=P,DC=x"
    group = {"objectguid": [b"1" * 16], "member;range=0-0": [guid]}
    entries = search.read_objects(
        VanishingGroup(group),
        "DC=x",
        lookups=[Lookup(by="dn", value="CN=G,DC=x")],
        attributes=["objectGUID", "member"],
    )
    with pytest.raises(Unavailable, match="CN=G,DC=x disappeared"):
        list(entries)
