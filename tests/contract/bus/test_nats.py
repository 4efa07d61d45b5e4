"""What only a real nats-server has: permissions, expiry, renewal, and a process."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import ssl
import stat
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import msgspec
import nats
import pytest
from tests.support.bus import (
    DOMAIN,
    PACE,
    PATIENCE,
    page,
    pages,
    request_for,
    running_server,
    server_pid,
)

from cloudforest.adapters.bus.agent import NatsListener
from cloudforest.adapters.bus.connection import NatsConnection
from cloudforest.adapters.bus.protocol import (
    acknowledgement_subject,
    answer_subject,
    change_hint_subject,
    request_subject,
)
from cloudforest.adapters.bus.service import NatsAgentBus, open_agent_bus
from cloudforest.base.errors import Unavailable
from cloudforest.base.nkey import new_user_key
from cloudforest.model.identity import BusAccess
from cloudforest.model.messages import Page, SyncRequest


@pytest.fixture
async def service(real_bus) -> AsyncIterator[NatsAgentBus]:
    bus = await open_agent_bus(real_bus.authority, real_bus.server.endpoint, PATIENCE)
    yield bus
    await bus.close()


@pytest.fixture
async def agent(real_bus):
    key = new_user_key()
    listener = NatsListener("a1", key, PACE)
    await listener.connect(real_bus.access("a1", (DOMAIN,), key=key))
    yield listener
    await listener.close()


async def test_agent_gets_no_requests_of_another_domain(service, agent):
    await agent.listen("fabrikam.test", pages("a1", 1))
    with pytest.raises(Unavailable, match="No agent"):
        await anext(service.request_pages(request_for("fabrikam.test")))


@pytest.mark.parametrize(
    "subject",
    [
        # Outside the queue group it would get the requests of other agents.
        request_subject(DOMAIN),
        answer_subject("a1", "r1"),
        acknowledgement_subject("a2", "r1"),
        "_INBOX.>",
        change_hint_subject(DOMAIN),
        "cf.>",
    ],
)
async def test_agent_may_not_subscribe_to_foreign_subjects(real_bus, subject):
    refused = await violations(real_bus, lambda client: client.subscribe(subject))
    assert "permissions violation for subscription" in refused


@pytest.mark.parametrize(
    "subject",
    [
        request_subject(DOMAIN),
        answer_subject("a2", "r1"),
        acknowledgement_subject("a1", "r1"),
        change_hint_subject("fabrikam.test"),
        "cf.hint.x",
    ],
)
async def test_agent_may_not_publish_to_foreign_subjects(real_bus, subject):
    refused = await violations(real_bus, lambda client: client.publish(subject, b"x"))
    assert "permissions violation for publish" in refused


async def violations(real_bus, attempt) -> str:
    said: asyncio.Queue[str] = asyncio.Queue()
    key = new_user_key()
    connection = NatsConnection("a1", key, real_bus.access("a1", (DOMAIN,), key=key))

    async def noted(error: Exception) -> None:
        said.put_nowait(str(error).lower())

    connection._record_error = noted
    await connection.open()
    await attempt(connection._client)
    try:
        async with asyncio.timeout(30):
            return await said.get()
    finally:
        await connection.close()


async def test_credential_with_another_key_is_refused(real_bus):
    access = real_bus.access("a1", (DOMAIN,), key=new_user_key())
    thief = NatsListener("a1", new_user_key())
    with pytest.raises(Unavailable, match="cannot be used"):
        await thief.connect(access)


async def test_bus_certificate_of_another_ca_is_not_trusted(real_bus, tmp_path):
    async with running_server(tmp_path / "other") as other:
        key = new_user_key()
        access = real_bus.access("a1", (DOMAIN,), key=key)
        elsewhere = BusAccess(
            urls=other.server.endpoint.urls,
            ca=access.ca,
            jwt=access.jwt,
            expires=access.expires,
        )
        with pytest.raises(Unavailable, match=r"(?i)certificate"):
            await NatsListener("a1", key).connect(elsewhere)


async def test_server_without_tls_gets_no_credential(real_bus):
    said = bytearray()

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        writer.write(b'INFO {"server_id":"x","version":"2.12.0","proto":1,')
        writer.write(b'"headers":true,"max_payload":1048576,"nonce":"abc"}\r\n')
        said.extend(await reader.read(65_536))
        writer.close()

    key = new_user_key()
    access = real_bus.access("a1", (DOMAIN,), key=key)
    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        stripped = msgspec.structs.replace(access, urls=(f"tls://127.0.0.1:{port}",))
        with pytest.raises(Unavailable, match="cannot be used"):
            await NatsListener("a1", key).connect(stripped)
    # The start of a TLS handshake.
    assert bytes(said[:2]) == b"\x16\x03"
    assert access.jwt.encode() not in said


async def test_domains_can_change_while_the_listener_connects(real_bus, service):
    key = new_user_key()
    names = (DOMAIN, *(f"d{number}.test" for number in range(8)))
    listener = NatsListener("a1", key, PACE)
    for name in names:
        await listener.listen(name, pages("a1", 1))

    access = real_bus.access("a1", names, key=key)
    connecting = asyncio.create_task(listener.connect(access))
    while listener._domains[DOMAIN].subscription is None:
        await asyncio.sleep(0)
    await asyncio.gather(connecting, *map(listener.unlisten, names[1:]))

    assert len([each async for each in service.request_pages(request_for())]) == 1
    with pytest.raises(Unavailable, match="No agent"):
        await anext(service.request_pages(request_for(names[-1])))
    await listener.close()


async def test_listener_is_not_connected_if_a_subscription_fails(
    real_bus, service, monkeypatch
):
    key = new_user_key()
    access = real_bus.access("a1", (DOMAIN,), key=key)
    listener = NatsListener("a1", key, PACE)
    await listener.listen(DOMAIN, pages("a1", 1))
    subscribe = NatsConnection.subscribe

    async def failing(connection, subject, receive, *, queue=""):
        if subject == request_subject(DOMAIN):
            raise Unavailable("The bus went away.")
        return await subscribe(connection, subject, receive, queue=queue)

    with monkeypatch.context() as broken:
        broken.setattr(NatsConnection, "subscribe", failing)
        with pytest.raises(Unavailable, match="went away"):
            await listener.connect(access)
    assert not listener.is_connected

    await listener.connect(access)
    assert len([each async for each in service.request_pages(request_for())]) == 1
    await listener.close()


async def test_keep_alives_without_pages_time_out(service, agent):
    async def stuck(request: SyncRequest) -> AsyncIterator[Page]:
        yield page("a1", request, 0, last=False)
        await asyncio.Event().wait()

    await agent.listen(DOMAIN, stuck)
    service.timeouts = replace(PATIENCE, idle=60, page=0.6)
    answer = service.request_pages(request_for())
    await anext(answer)
    async with asyncio.timeout(30):
        with pytest.raises(
            Unavailable, match=r"no page for 0\.6 seconds.*after 1 page\."
        ):
            await anext(answer)


async def test_access_ends_when_the_credential_expires(real_bus):
    key = new_user_key()
    listener = NatsListener("a1", key, PACE)
    access = real_bus.access("a1", (DOMAIN,), key=key, lifetime=3)
    await listener.connect(access)
    assert listener.is_connected
    async with asyncio.timeout(30):
        while listener.is_connected:
            await asyncio.sleep(0.05)
    with pytest.raises(Unavailable):
        await listener.connect(access)
    await listener.close()


async def test_renewing_access_during_answers_loses_no_page(real_bus, service):
    key = new_user_key()
    listener = NatsListener("a1", key, PACE)
    await listener.connect(real_bus.access("a1", (DOMAIN,), key=key, lifetime=5))

    async def steady(request: SyncRequest) -> AsyncIterator[Page]:
        for number in range(200):
            await asyncio.sleep(0.03)
            yield page("a1", request, number, last=number == 199, records=50)

    await listener.listen(DOMAIN, steady)
    got = []
    async for each in service.request_pages(request_for()):
        got.append(each.sequence)
        if each.sequence % 50 == 49:
            access = real_bus.access("a1", (DOMAIN,), key=key, lifetime=5)
            await listener.renew_access(access)
    assert got == list(range(200))
    await listener.close()


async def test_answer_continues_after_the_server_was_killed(real_bus, service, agent):
    port, pid = real_bus.server.port, server_pid(real_bus.server)
    # nats-py waits two seconds between attempts, longer than the test's timeouts.
    agent.settings = replace(PACE, give_up_after=30)
    service.timeouts = replace(PATIENCE, idle=30, gap=30)

    async def steady(request: SyncRequest) -> AsyncIterator[Page]:
        for number in range(40):
            await asyncio.sleep(0.01)
            yield page("a1", request, number, last=number == 39)

    await agent.listen(DOMAIN, steady)
    got = []
    async for each in service.request_pages(request_for()):
        got.append(each.sequence)
        if each.sequence == 10:
            os.kill(pid, signal.SIGKILL)
    assert got == list(range(40))
    assert real_bus.server.port == port
    assert server_pid(real_bus.server) != pid


async def test_server_start_is_retried_after_an_error(real_bus, monkeypatch):
    server = real_bus.server
    pid, spawn = server_pid(server), server._spawn
    failures = [OSError(errno.ENOSPC, "No space left on device")]

    async def full(port):
        if failures:
            raise failures.pop()
        return await spawn(port)

    monkeypatch.setattr(server, "_spawn", full)
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(30):
        while server_pid(server) in {None, pid}:
            await asyncio.sleep(0.02)
    assert failures == []


async def test_stopped_server_restarts_on_the_same_port(tmp_path):
    async with running_server(tmp_path) as first:
        port = first.server.port
    async with running_server(tmp_path) as second:
        assert second.server.port == port


async def test_server_moves_if_its_port_is_taken_at_start(tmp_path):
    async with running_server(tmp_path) as first:
        port = first.server.port
    with socket.create_server(("127.0.0.1", port)):
        async with running_server(tmp_path) as second:
            assert second.server.port != port
            assert second.server.endpoint.urls == (
                f"tls://127.0.0.1:{second.server.port}",
            )


async def test_server_moves_if_its_port_is_taken_while_it_runs(
    real_bus, service, agent, monkeypatch
):
    server = real_bus.server
    port, launch, taken = server.port, server._launch, asyncio.Event()

    async def later():
        await taken.wait()
        return await launch()

    monkeypatch.setattr(server, "_launch", later)
    server.on_endpoint_change = service.set_endpoint
    await agent.listen(DOMAIN, pages("a1", 3))
    os.kill(server_pid(server), signal.SIGKILL)
    async with asyncio.timeout(60):
        while agent.is_connected:
            await asyncio.sleep(0.02)
        with await occupied(port):
            taken.set()
            while server.port == port:
                await asyncio.sleep(0.02)
            # As bootstrap would do.
            await agent.connect(real_bus.access("a1", (DOMAIN,), key=agent.key))
            while not service._connection.connected:
                await asyncio.sleep(0.02)
            assert (
                len([each async for each in service.request_pages(request_for())]) == 3
            )


async def occupied(port: int) -> socket.socket:
    """Take a port as soon as another program has freed it."""
    while True:
        try:
            return socket.create_server(("127.0.0.1", port))
        except OSError:
            await asyncio.sleep(0.02)


async def test_oversized_page_is_reported_in_the_closing(service, agent):
    await agent.listen(DOMAIN, pages("a1", 2, records=80_000))
    got = [each async for each in service.request_pages(request_for())]
    assert not got[-1].closing.complete
    assert "max_payload" in got[-1].closing.error


async def test_server_files_and_arguments_expose_no_secrets(real_bus):
    folder = real_bus.server.folder.parent
    for path in folder.rglob("*"):
        expected = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == expected, path
    process = Path(f"/proc/{server_pid(real_bus.server)}")
    # Python sets LC_CTYPE for the leash (PEP 538).
    assert (process / "environ").read_bytes() in (b"", b"LC_CTYPE=C.UTF-8\0")
    config = real_bus.server.folder / "nats.conf"
    seeds = [each.read_text() for each in folder.rglob("*.seed")]
    shown = (process / "cmdline").read_text() + config.read_text()
    assert len(seeds) == 2
    assert not [each for each in seeds if each in shown]


async def test_connection_without_credential_is_refused(real_bus):
    with pytest.raises(nats.errors.Error):
        await nats.connect(
            real_bus.server.endpoint.urls[0],
            allow_reconnect=False,
            tls_handshake_first=True,
            tls=ssl.create_default_context(cadata=real_bus.server.endpoint.ca),
        )


async def test_leashed_child_ends_with_its_parent():
    code = (
        "import subprocess, sys, time\n"
        "from cloudforest.base.processes import leash_command\n"
        "child = subprocess.Popen(leash_command(['sleep', '60']))\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE
    )
    pid = int(await parent.stdout.readline())
    async with asyncio.timeout(30):
        while Path(f"/proc/{pid}/comm").read_text() != "sleep\n":
            await asyncio.sleep(0.02)
        parent.kill()
        await parent.wait()
        while alive(pid):
            await asyncio.sleep(0.02)


def alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()
