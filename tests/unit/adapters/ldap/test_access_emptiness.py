"""When an attribute without values is proven clear."""

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
SHOWN = {
    "objectguid": [uuid.UUID(GUID).bytes_le],
    "ntsecuritydescriptor": [descriptor(ace(ALLOW_OBJECT, about=TYPE))],
}


class Answers:
    """A session that returns one entry for each search base."""

    controller, account = "ldaps://dc1", "svc"

    def __init__(self, **bases: dict[str, list[bytes]]) -> None:
        entries = {"root": ROOT, "schema": KNOWN, "object": SHOWN, **bases}
        self.entries = {
            "": entries["root"],
            SCHEMA: entries["schema"],
            "DC=x": entries["object"],
        }

    def search(
        self, base: str, _: str, **__: Any
    ) -> Generator[SearchResultEntry, None, SearchResultDone]:
        yield SearchResultEntry("", self.entries[base])
        return SearchResultDone(0, "")


def proven(**bases: dict[str, list[bytes]]) -> dict[str, frozenset[str]]:
    session: Any = Answers(**bases)
    return access.find_proven_clear(
        session, "DC=x", guids=[GUID], names=["employeetype"]
    )


def test_readable_attribute_without_values_is_proven_clear():
    assert proven() == {GUID: {"employeetype"}}


@pytest.mark.parametrize(
    "changed",
    [
        {"object": SHOWN | {"employeetype": [b"STAFF"]}},
        {"object": SHOWN | {"employeetype;range=0-1": [b"STAFF"]}},
        {"object": {"objectguid": SHOWN["objectguid"]}},
        {"object": SHOWN | {"ntsecuritydescriptor": [b"?"]}},
        {"root": {"schemanamingcontext": ROOT["schemanamingcontext"]}},
        {"root": {"tokengroups": ROOT["tokengroups"]}},
        {"schema": KNOWN | {"searchflags": [b"144"]}},
        {"schema": {}},
    ],
    ids=[
        "a value",
        "some of the values",
        "no descriptor",
        "invalid descriptor",
        "no token",
        "no schema",
        "confidential",
        "not in the schema",
    ],
)
def test_missing_evidence_proves_nothing(changed: dict[str, dict[str, list[bytes]]]):
    assert proven(**changed) == {GUID: frozenset()}
