"""A tap on the bus sees only the objectGUID of an out-of-scope object."""

from __future__ import annotations

import base64
import re
import uuid
from pathlib import Path

import msgspec
import zstandard
from nats.aio.msg import Msg
from tests.support.bus import RealBus, running_server
from tests.support.installed import TOPOLOGY

from cloudforest.adapters.bus import credentials, protocol
from cloudforest.adapters.bus.agent import NatsListener
from cloudforest.adapters.bus.connection import NatsConnection
from cloudforest.adapters.bus.service import open_agent_bus
from cloudforest.adapters.ldif.directory import LdifDirectory
from cloudforest.agent.answer import Responder
from cloudforest.base import nkey
from cloudforest.base.clock import system_clock
from cloudforest.base.nkey import new_user_key
from cloudforest.compiler.compile import compile_tree
from cloudforest.model.identity import BusAccess
from cloudforest.model.messages import InScope, OutOfScope, Record, SyncRequest
from cloudforest.program.digest import select_attributes_to_read

DOMAIN = "contoso.com"
TELLING = {
    *("dn", "cn", "displayName", "sAMAccountName", "userPrincipalName", "mail"),
    *("givenName", "sn", "description"),
}
LDIF = TOPOLOGY / "data" / "contoso.ldif"


def unrestricted_user(bus: RealBus) -> tuple[nkey.NKey, BusAccess]:
    """Return a user of the bus that may subscribe to everything, unlike any agent."""
    key = new_user_key()
    access = bus.authority.mint_service_access(
        key.public_key, endpoint=bus.server.endpoint, now=system_clock()
    )
    claims = credentials._user_claims(publish=["none"], subscribe=[">"])
    token = credentials._sign_jwt(
        bus.authority.account, key.public_key, claims, now=system_clock()
    )
    return key, BusAccess(
        urls=access.urls, ca=access.ca, jwt=token, expires=access.expires
    )


def request() -> SyncRequest:
    registration = compile_tree(TOPOLOGY).registration
    assert registration
    program = registration.programs["contoso-people"]
    return SyncRequest(
        id=uuid.uuid4().hex,
        job="contoso-people",
        domain=DOMAIN,
        kind="import",
        scope=program.scope,
        attributes=select_attributes_to_read(program),
    )


async def heard_on(bus: RealBus) -> tuple[list[Record], bytes]:
    """Import the sample forest over a real bus; return the records and all messages."""
    heard: list[bytes] = []

    async def hear(message: Msg) -> None:
        heard.append(message.subject.encode() + b" " + opened(message.data))

    tap = NatsConnection("tap", *unrestricted_user(bus))
    await tap.open()
    await tap.subscribe(">", hear)
    key = new_user_key()
    agent = NatsListener("agent1", key)
    await agent.connect(bus.access("agent1", (DOMAIN,), key=key))
    directory = LdifDirectory(DOMAIN, LDIF)
    await agent.listen(
        DOMAIN, Responder("agent1", {DOMAIN: directory}, page_bytes=64 * 1024)
    )
    service = await open_agent_bus(bus.authority, bus.server.endpoint)
    records: list[Record] = []
    async for page in service.request_pages(request()):
        records.extend(page.records)
    for each in (service, agent, tap, directory):
        await each.close()
    return records, b"\n".join(heard)


def opened(data: bytes) -> bytes:
    if data[:1] != protocol.PAGE:
        return data
    return zstandard.ZstdDecompressor().decompressobj().decompress(data[1:])


def identifying_values(block: str) -> set[str]:
    """Return the values that identify an entry: DN, names, accounts and mail."""
    values = set()
    for name, sign, value in re.findall(r"^([\w-]+)(::?) (.*)$", block, re.MULTILINE):
        if name in TELLING:
            raw = base64.b64decode(value) if sign == "::" else value.encode()
            values.add(raw.decode())
    return values


def values_out_of_scope(records: list[Record]) -> set[str]:
    """Return the values that identify objects out of scope, and no object in scope."""
    inside = {each.id for each in records if isinstance(each, InScope)}
    known: set[str] = set()
    unknown: set[str] = set()
    export = LDIF.read_text(encoding="utf-8").replace("\n ", "")
    for block in export.split("\n\n"):
        guid = re.search(r"^objectGUID:: (.*)$", block, re.MULTILINE)
        if guid is not None:
            text = str(uuid.UUID(bytes_le=base64.b64decode(guid[1])))
            (known if text in inside else unknown).update(identifying_values(block))
    in_scope = "\n".join(known)
    return {each for each in unknown if len(each) > 5 and each not in in_scope}


async def test_bus_carries_only_the_guid_of_an_out_of_scope_object(
    tmp_path: Path,
) -> None:
    async with running_server(tmp_path) as bus:
        records, heard = await heard_on(bus)

    outside = [each for each in records if isinstance(each, OutOfScope)]
    assert len(outside) > 50
    assert all(each.clause is None for each in outside)
    assert outside[0].id.encode() in heard
    assert b"@contoso.com" in heard
    secret = values_out_of_scope(records)
    assert len(secret) > 100
    assert {"record", "id"} <= set(msgspec.to_builtins(outside[0]))
    assert not {"dn", "attributes"} & set(msgspec.to_builtins(outside[0]))
    assert not [each for each in secret if each.encode() in heard]
