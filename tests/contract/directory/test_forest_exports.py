"""Two domains of a forest as exports: a file for each, or one for both."""

from __future__ import annotations

import base64
import uuid
from pathlib import Path
from typing import Any

import pytest

from cloudforest.adapters.ldif.directory import LdifDirectory
from cloudforest.agent.answer import Responder
from cloudforest.model.messages import (
    Closing,
    InScope,
    Lookup,
    OutOfScope,
    Record,
    ScopeMembers,
    SyncRequest,
)
from cloudforest.model.ports.directory import DirSyncCookie
from cloudforest.model.program import ScopeProgram

HOME, LAB = "DC=contoso,DC=com", "DC=lab,DC=contoso,DC=com"
GATE, WAY, ANN, BOB = (f"CN={each},{HOME}" for each in ("Gate", "Way", "Ann", "Bob"))
BRIDGE, EVE = f"CN=Bridge,{LAB}", f"CN=Eve,{LAB}"


def guid(dn: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_X500, f"objectGUID of {dn}"))


def entry(dn: str, kind: str, *lines: str) -> str:
    raw = base64.b64encode(uuid.UUID(guid(dn)).bytes_le).decode()
    head = (f"dn: {dn}", f"objectClass: {kind}", f"objectGUID:: {raw}")
    return "\n".join([*head, *lines]) + "\n\n"


def sid(number: int) -> str:
    """An objectSid as in [MS-DTYP] 2.4.2; the domains use the same numbers."""
    parts = b"".join(each.to_bytes(4, "little") for each in (21, 1, 2, 3, number))
    raw = bytes([1, 5]) + (5).to_bytes(6, "big") + parts
    return f"objectSid:: {base64.b64encode(raw).decode()}"


def group(dn: str, *members: str, number: int = 1104) -> str:
    return entry(dn, "group", sid(number), *(f"member: {each}" for each in members))


CONTOSO = (
    entry(HOME, "domain")
    + entry(ANN, "user")
    + entry(BOB, "user", "primaryGroupID: 1105")
    + group(WAY, BOB)
    + group(GATE, ANN, BRIDGE, EVE)
)
OTHER = (
    entry(LAB, "domain")
    + entry(EVE, "user")
    + group(BRIDGE, WAY.lower(), ANN, number=1105)
)


@pytest.fixture(params=["a file each", "one file"])
def domains(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, LdifDirectory]:
    """Both exports are complete; one file can contain both, each with its trailer."""
    texts = [
        f"version: 1\n\n{each}# numEntries: {each.count('dn: ')}\n"
        for each in (CONTOSO, OTHER)
    ]
    is_one = request.param == "one file"
    files = []
    for number, text in enumerate(["\n".join(texts)] if is_one else texts):
        files.append(tmp_path / f"{number}.ldif")
        files[-1].write_text(text)
    return {
        "contoso.com": LdifDirectory("contoso.com", files[0]),
        "Lab.contoso.com": LdifDirectory("Lab.contoso.com", files[-1]),
    }


async def asked(
    domains: dict[str, LdifDirectory], named: str, *, follow: bool, **fields: Any
) -> tuple[list[Record], Closing]:
    request: dict[str, Any] = {
        "id": "r1",
        "job": "people",
        "domain": "contoso.com",
        "kind": "import",
        "scope": ScopeProgram(
            types=("user",),
            organizational_units=None,
            groups=(named,),
            nested_groups=follow,
        ),
        "attributes": {},
    }
    answer = Responder("sync01", domains, page_bytes=100_000)
    pages = [page async for page in answer(SyncRequest(**{**request, **fields}))]
    assert pages[-1].closing is not None
    return [each for page in pages for each in page.records], pages[-1].closing


def members(records: list[Record]) -> set[str]:
    return {
        each for said in records if isinstance(said, ScopeMembers) for each in said.ids
    }


def people(records: list[Record]) -> set[str]:
    return {each.id for each in records if isinstance(each, InScope)}


@pytest.mark.parametrize(
    ("named", "nested", "expected", "let_in"),
    [
        (GATE, False, {ANN}, {ANN}),
        (GATE, True, {ANN, WAY, BOB}, {ANN, BOB}),
        (BRIDGE, False, {ANN, WAY}, {ANN}),
        (BRIDGE.lower(), True, {ANN, WAY, BOB}, {ANN, BOB}),
    ],
)
async def test_groups_include_members_of_both_domains(
    domains: dict[str, LdifDirectory],
    named: str,
    *,
    nested: bool,
    expected: set[str],
    let_in: set[str],
):
    records, closing = await asked(domains, named, follow=nested)

    assert closing.complete, closing.error
    assert members(records) == set(map(guid, expected))
    assert people(records) == set(map(guid, let_in))


async def test_unread_export_proves_nothing_about_its_groups(
    domains: dict[str, LdifDirectory],
):
    _, before = await asked(domains, GATE, follow=True)
    del domains["Lab.contoso.com"]

    lookups = (Lookup(by="guid", value=guid(BOB)),)
    [said], closing = await asked(
        domains, GATE, follow=True, kind="read", lookups=lookups, nested=before.nested
    )

    gate = f"member:{guid(GATE)}"
    assert said == OutOfScope(id=guid(BOB), clause="groups", rests_on=(gate,))
    assert set(closing.nested) <= set(before.nested)
    assert closing.nested


async def test_each_domain_of_a_shared_file_has_its_own_objects(
    domains: dict[str, LdifDirectory],
):
    read = {
        name: {
            each.dn
            async for each in domain.read_changes("user", (), None)
            if not isinstance(each, DirSyncCookie)
        }
        for name, domain in domains.items()
    }
    lookups = [Lookup(by="guid", value=guid(EVE))]
    eve = [each async for each in domains["contoso.com"].read_objects(lookups, ())]

    assert read == {"contoso.com": {ANN, BOB}, "Lab.contoso.com": {EVE}}
    assert [(each.object_guid, each.is_deleted) for each in eve] == [(guid(EVE), True)]
