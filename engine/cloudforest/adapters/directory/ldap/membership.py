"""Who the members of a group are, nested ones too if asked.

The controller's own rule for membership through any number of groups
(LDAP_MATCHING_RULE_IN_CHAIN, [MS-ADTS] 3.1.1.3.4.4.3) judges object by object: a minute
for 5,000 contacts on Samba. So groups are followed here, one level at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from cloudforest.adapters.directory.ldap import filters, search
from cloudforest.adapters.directory.ldap.session.session import Session
from cloudforest.model.messages import Lookup


def _members(session: Session, base: str, groups: Collection[str]) -> Iterator[str]:
    """Yield the objectGUIDs of the members of the groups with these DNs."""
    lookups = [Lookup(by="dn", value=dn) for dn in groups]
    asked = ["objectGUID", "member"]
    for each in search.objects(session, base, lookups=lookups, attributes=asked):
        yield from each.members


def _groups_in(session: Session, base: str, groups: Collection[str]) -> Iterator[str]:
    """Yield the DNs of the groups that are members of one of these."""
    names = tuple(groups)
    for start in range(0, len(names), search.LOOKUPS):
        some = filters.groups_in(names[start : start + search.LOOKUPS])
        for each in search.found_below(session, base, filter=some):
            yield each.dn


def direct(session: Session, base: str, group: str) -> frozenset[str]:
    return frozenset(_members(session, base, [group]))


def nested(session: Session, base: str, group: str) -> frozenset[str]:
    """Return the members through any number of groups, which may form a circle."""
    members: set[str] = set()
    seen: set[str] = set()
    level = {group}
    while level:
        members.update(_members(session, base, level))
        seen |= level
        level = set(_groups_in(session, base, level)) - seen
    return frozenset(members)
