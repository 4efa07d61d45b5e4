"""Groups across two domains, without a server."""

from __future__ import annotations

from dataclasses import replace

from tests.support.directory import Domain, entry

from cloudforest.agent.scope_groups import (
    GroupMembership,
    ScopeGroup,
    build_forest,
    read_members,
)
from cloudforest.base.errors import Unavailable
from cloudforest.model.ports.directory import ForeignMember, GroupMembers

HEAD = ScopeGroup("contoso.com", "head", "CN=Head,DC=contoso,DC=com")
BRIDGE = ForeignMember("CN=Bridge,DC=lab,DC=com", "bridge")


class Other(Domain):
    """A domain whose groups are listed by DN."""

    def __init__(self, **held: GroupMembers) -> None:
        super().__init__([replace(entry("bridge", "group"), dn="CN=Odd,no name")])
        self.held = held

    async def read_members(self, group: str, *, nested: bool) -> GroupMembers:
        del nested
        name = group.partition(",")[0].removeprefix("CN=")
        if name not in self.held:
            raise Unavailable("dc1 does not answer.")
        return self.held[name]


def home() -> Other:
    held = GroupMembers(frozenset({"ann"}), foreign=frozenset({BRIDGE}))
    return Other(Head=held)


async def walked(lab: Domain) -> GroupMembership:
    forest = build_forest(
        "sync01", "CONTOSO.com", {"Contoso.com": home(), "Lab.com": lab}
    )
    return await read_members(forest, HEAD, nested=True)


async def test_group_with_unreadable_dn_is_followed():
    bob = ForeignMember("CN=Bob,DC=contoso,DC=com", "bob")
    found = await walked(Other(Odd=GroupMembers(frozenset(), foreign=frozenset({bob}))))

    assert found.ids == {"ann", "bob"}
    assert "bridge" in found.nested_groups
    assert found.is_whole(frozenset({"bridge"}))


async def test_group_whose_members_cannot_be_read_counts_as_hidden():
    found = await walked(Other())

    assert found.ids == {"ann"}
    assert found.is_whole(frozenset())
    assert not found.is_whole(frozenset({"bridge"}))
    assert found.followed_groups(frozenset({"bridge", "left"})) == {"bridge"}
