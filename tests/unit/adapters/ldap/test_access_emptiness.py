"""When an attribute without values is proved to have none."""

from __future__ import annotations

import uuid
from collections.abc import Generator
from typing import Any

import pytest
from tests.support.descriptors import ALLOW_OBJECT, ME, TYPE, ace, descriptor, sid

from cloudforest.adapters.ldap import access
from cloudforest.adapters.ldap.ber import SearchResultDone, SearchResultEntry

GUID = "00000000-0000-0000-0000-000000000001"
SCHEMA = "CN=Schema,DC=x"
ROOT = {"schemanamingcontext": [SCHEMA.encode()], "tokengroups": [sid(ME)]}
KNOWN = {
    "ldapdisplayname": [b"employeeType"],
    "searchflags": [b"16"],
    "schemaidguid": [uuid.UUID(TYPE).bytes_le],
}
HELD = {
    "objectguid": [uuid.UUID(GUID).bytes_le],
    "ntsecuritydescriptor": [descriptor(ace(ALLOW_OBJECT, about=TYPE))],
}


class Answers:
    """A session that answers by the base of the search: one entry each."""

    controller, account = "ldaps://dc1", "svc"

    def __init__(self, **bases: dict[str, list[bytes]]) -> None:
        held = {"root": ROOT, "schema": KNOWN, "thing": HELD, **bases}
        self.shown = {"": held["root"], SCHEMA: held["schema"], "DC=x": held["thing"]}

    def search(
        self, base: str, _: str, **__: Any
    ) -> Generator[SearchResultEntry, None, SearchResultDone]:
        yield SearchResultEntry("", self.shown[base])
        return SearchResultDone(0, "")


def proved(**bases: dict[str, list[bytes]]) -> dict[str, frozenset[str]]:
    session: Any = Answers(**bases)
    return access.find_proven_clear(
        session, "DC=x", guids=[GUID], names=["employeetype"]
    )


def test_what_is_granted_and_shows_no_value_is_empty():
    assert proved() == {GUID: {"employeetype"}}


@pytest.mark.parametrize(
    "changed",
    [
        {"thing": HELD | {"employeetype": [b"STAFF"]}},
        {"thing": HELD | {"employeetype;range=0-1": [b"STAFF"]}},
        {"thing": {"objectguid": HELD["objectguid"]}},
        {"thing": HELD | {"ntsecuritydescriptor": [b"?"]}},
        {"root": {"schemanamingcontext": ROOT["schemanamingcontext"]}},
        {"root": {"tokengroups": ROOT["tokengroups"]}},
        {"schema": KNOWN | {"searchflags": [b"144"]}},
        {"schema": {}},
    ],
    ids=[
        "a value",
        "some of the values",
        "no descriptor",
        "no such descriptor",
        "no token",
        "no schema",
        "confidential",
        "not in the schema",
    ],
)
def test_whatever_is_missing_proves_nothing(changed: dict[str, dict[str, list[bytes]]]):
    assert proved(**changed) == {GUID: frozenset()}
