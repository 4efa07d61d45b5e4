"""A SCIM service, or a proxy before it, whose answers would take all memory."""

from __future__ import annotations

import socketserver
import threading
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
from tests.support.memory import peak_mebibytes

from cloudforest.adapters.target.scim import ScimTarget
from cloudforest.model.ports.target import Refusal
from cloudforest.model.registration import Profile, Target

LIMIT = 250
"""In MiB, for the whole process."""
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/scim+json\r\n"

READ = """
import asyncio
from cloudforest.adapters.target.answers import Request
from cloudforest.adapters.target.connection import TargetConnection

from cloudforest.model.registration import Profile, Target


async def read():
    target = Target(name="cloud", scim={url!r}, profile=Profile(name="generic"))
    connection = TargetConnection(target, {url!r}, None, asyncio.sleep)
    answer = await connection.send(Request("GET", "/Users"))
    await connection.close()
    assert answer.document is None, str(answer)[:200]
    assert str(answer.excess).startswith("more than"), answer


asyncio.run(read())
"""


@contextmanager
def answering(head: bytes, part: bytes, *, endless: bool = False) -> Iterator[str]:
    """Serve one answer to every request; an endless one repeats its part."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            try:
                self.request.sendall(HEAD + head + b"\r\n" + part)
                while endless:
                    self.request.sendall(part)
            except OSError:
                return  # the client had enough

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def length(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n" % len(body)


def listed(unit: bytes, count: int, name: bytes = b"Resources") -> bytes:
    """Return a document with a list of so many equal items."""
    return b'{"%b": [%b]}' % (name, b",".join([unit] * count))


def bomb() -> bytes:
    """Return 1 GiB, compressed to 1 MB."""
    packer = zlib.compressobj(wbits=31)
    parts = [packer.compress(bytes(2**20)) for _ in range(2**10)]
    return b"".join(parts) + packer.flush()


def many_members() -> bytes:
    return listed(b'{"value":"x"}', 2_200_000, b"members")


@pytest.mark.parametrize(
    ("head", "make", "endless"),
    [
        (b"Content-Encoding: gzip\r\n", bomb, False),
        (b"Connection: close\r\n", lambda: b" " * 2**20, True),
        (b"", lambda: listed(b"{}", 8_000_000), False),
        (b"", lambda: listed(b"1", 12_000_000), False),
        (b"", many_members, False),
        (b"", lambda: b'{"a":' * 1_000_000 + b"1" + b"}" * 1_000_000, False),
    ],
    ids=["gzip bomb", "endless", "objects", "values", "members", "depth"],
)
def test_answer_takes_little_memory(head: bytes, make, endless) -> None:
    body = make()
    with answering(
        head + (b"" if endless else length(body)), body, endless=endless
    ) as url:
        assert peak_mebibytes(READ.format(url=url)) < LIMIT


def test_fullest_answer_that_is_read_takes_little_memory() -> None:
    code = READ.replace("assert answer.document is None", "assert answer.document")
    code = code.replace('assert str(answer.excess).startswith("more than"), answer', "")
    body = listed(b'{"a":1}', 490_000)
    with answering(length(body), body) as url:
        assert peak_mebibytes(code.format(url=url)) < LIMIT


@pytest.fixture
async def cloud() -> AsyncIterator[ScimTarget]:
    """Answer every request with a group of too many members."""
    body = many_members()
    with answering(length(body), body) as url:
        target = Target(name="cloud", scim=url, profile=Profile(name="generic"))
        service = ScimTarget(target, url, None)
        yield service
        await service.close()


async def test_write_is_done_whatever_its_answer_holds(cloud: ScimTarget) -> None:
    """Some services answer a PATCH of a group with all of its members."""
    await cloud.change_members("Group", "1", add=("2",), remove=())
    await cloud.delete("Group", "1")


async def test_members_that_are_too_many_are_the_outcome_of_their_group(
    cloud: ScimTarget,
) -> None:
    with pytest.raises(Refusal, match="more than 1,000,000 values"):
        await cloud.list_member_ids("Group", "1")
