"""Whether an attribute without values has none, or is hidden from the account.

Neither the answer nor a filter tells: a hidden value is treated as one that does not
exist ([MS-ADTS] 3.1.1.4.3), and a delta names a hidden attribute that changed without
values, like a cleared one (measured on Samba). The object's DACL does tell.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from cloudforest.adapters.directory import values
from cloudforest.adapters.directory.ldap import filters, search
from cloudforest.adapters.directory.ldap.session.session import SUBTREE, Session
from cloudforest.adapters.directory.ldap.wire import descriptor
from cloudforest.adapters.directory.ldap.wire.controls import access_list
from cloudforest.adapters.directory.ldap.wire.messages import Ending, Raw
from cloudforest.model.messages import Lookup

_DESCRIPTOR = "ntsecuritydescriptor"
_CONFIDENTIAL = 0x80
"""Of searchFlags ([MS-ADTS] 2.2.9): to read the attribute takes one more right."""


@dataclass(frozen=True)
class _Account:
    """Whom entries concern, and by which GUIDs they name each attribute."""

    token: AbstractSet[str]
    abouts: Mapping[str, AbstractSet[str]]

    def reads(self, raw: Sequence[bytes]) -> frozenset[str]:
        try:
            held = [each for one in raw for each in descriptor.entries(one)]
        except ValueError:
            return frozenset()
        return frozenset(
            name
            for name, about in self.abouts.items()
            if descriptor.may_read(held, self.token, about)
        )


def _found(
    session: Session, base: str, wanted: str, names: Sequence[str]
) -> Generator[Raw, None, Ending]:
    asked = session.search(
        base, SUBTREE, filter=wanted, attributes=names, controls=[access_list()]
    )
    return search.checked(asked, session)


def _abouts(
    session: Session, schema: str, names: Sequence[str]
) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield each attribute of the schema that is not confidential, and its GUIDs."""
    lookups = [
        Lookup(by="attribute", attribute="lDAPDisplayName", value=each)
        for each in names
    ]
    sets = ("schemaidguid", "attributesecurityguid")
    asked = ["lDAPDisplayName", "searchFlags", *sets]
    for raw in _found(session, schema, filters.any_of(lookups) or "", asked):
        held = raw.attributes
        flags = int((held.get("searchflags") or [b"0"])[0])
        guids = [each for name in sets for each in held.get(name, [])]
        if not flags & _CONFIDENTIAL and held.get("ldapdisplayname"):
            name = held["ldapdisplayname"][0].decode().lower()
            yield name, frozenset(map(values.guid_text, guids))


def _account(session: Session, names: Sequence[str]) -> _Account:
    """Return what the controller says of the account ([MS-ADTS] 3.1.1.3.2)."""
    root = search.one(session, "", ["schemaNamingContext", "tokenGroups"]) or {}
    sids = [values.sid_text(each) for each in root.get("tokengroups", [])]
    schema = (root.get("schemanamingcontext") or [b""])[0].decode()
    if not sids or not schema:
        return _Account(frozenset(), {})
    return _Account(frozenset(sids), dict(_abouts(session, schema, names)))


def _proved(
    session: Session, base: str, account: _Account, *, guids: Sequence[str]
) -> Iterator[tuple[str, frozenset[str]]]:
    wanted = filters.any_of([Lookup(by="guid", value=guid) for guid in guids])
    asked = ["objectGUID", _DESCRIPTOR, *account.abouts]
    for raw in _found(session, base, wanted, asked) if wanted else ():
        held = raw.attributes
        bare = account.reads(held.get(_DESCRIPTOR, [])) - _shown(held)
        for guid in held.get("objectguid", []):
            yield values.guid_text(guid), bare


def empty(
    session: Session, base: str, *, guids: Sequence[str], names: Sequence[str]
) -> dict[str, frozenset[str]]:
    """Return, by objectGUID, the attributes that can be read and have no values.

    A query for as many objects as one may name; `names` are in lower case.
    """
    if not guids or not names:
        return {}
    account = _account(session, names)
    return {
        guid: bare
        for start in range(0, len(guids), search.LOOKUPS)
        for guid, bare in _proved(
            session, base, account, guids=guids[start : start + search.LOOKUPS]
        )
    }


def _shown(held: Mapping[str, Sequence[bytes]]) -> frozenset[str]:
    # A long list of values comes with a range in its name.
    return frozenset(name.partition(";")[0] for name in held)
