"""Request bodies that are larger than they may be, or than they say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable

import pytest

from cloudforest.base.files import MAX_BYTES
from cloudforest.control_plane.host import HostedControlPlane
from cloudforest.control_plane.tenant.http import MAX_BODY_BYTES

PART = b" " * 65536


async def post(
    hosted: HostedControlPlane, path: str, header: str, parts: Iterable[bytes]
) -> tuple[int, dict[str, object]]:
    """Send a head and raw parts; return the status and the JSON of the answer."""
    address = hosted.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(address[0], int(address[1]))
    writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n".encode())

    async def send() -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()

    sending = asyncio.create_task(send())
    try:
        async with asyncio.timeout(30):
            status = int((await reader.readline()).split()[1])
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.split("content-length: ")[1].split("\r\n")[0])
            return status, json.loads(await reader.readexactly(length))
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        writer.close()


def chunked(total: int) -> Iterable[bytes]:
    for _ in range(0, total, len(PART)):
        yield b"%x\r\n%s\r\n" % (len(PART), PART)
    yield b"0\r\n\r\n"


@pytest.mark.parametrize("path", ["/agent/enrol", "/agent/bootstrap"])
async def test_chunked_body_over_its_limit_is_refused_before_it_ends(hosted, path):
    endless = (b"%x\r\n%s\r\n" % (len(PART), PART) for _ in range(10**6))
    status, answer = await post(hosted, path, "Transfer-Encoding: chunked", endless)
    assert status == 413
    assert str(MAX_BYTES) in answer["error"]["message"]


async def test_chunked_body_up_to_its_limit_is_read(hosted):
    parts = chunked(MAX_BYTES)
    status, answer = await post(
        hosted, "/agent/enrol", "Transfer-Encoding: chunked", parts
    )
    assert (status, answer["error"]["kind"]) == (422, "Misconfigured")


async def test_body_that_announces_too_much_is_refused_at_once(hosted):
    status, answer = await post(
        hosted, "/agent/enrol", f"Content-Length: {MAX_BYTES + 1}", [b"{"]
    )
    assert (status, answer["error"]["kind"]) == (413, "Rejected")


async def test_registration_may_be_larger_than_other_bodies(hosted):
    head = f"Authorization: Bearer {hosted.token.reveal()}\r\n"
    body = b" " * MAX_BYTES + b"{}"
    status, _ = await post(
        hosted, "/impact", f"{head}Content-Length: {len(body)}", [body]
    )
    assert status == 422


async def test_built_in_directory_refuses_with_an_error_of_scim(hosted):
    token = hosted.plane.runner.targets.directory_token.reveal()
    head = f"Authorization: Bearer {token}\r\n"
    for length, parts in (
        (f"Content-Length: {MAX_BODY_BYTES + 1}", [b"{"]),
        ("Transfer-Encoding: chunked", chunked(MAX_BODY_BYTES + 1)),
    ):
        status, answer = await post(hosted, "/scim/v2/Users", head + length, parts)
        assert status == 413
        assert str(MAX_BODY_BYTES) in answer["detail"]
