"""A SCIM service, or a proxy before it, whose answers would take all memory."""

from __future__ import annotations

import gzip
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.support.memory import peak_mebibytes

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
    assert answer.fault.startswith("more than"), answer.fault


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


BOMB = gzip.compress(b'{"Resources": [' + b" " * 2**30 + b"]}")
OBJECTS = b'{"Resources": [' + b",".join([b"{}"] * 8_000_000) + b"]}"
VALUES = b'{"Resources": [' + b",".join([b"1"] * 12_000_000) + b"]}"
DEEP = b'{"a":' * 1_000_000 + b"1" + b"}" * 1_000_000


@pytest.mark.parametrize(
    ("head", "part", "endless"),
    [
        (b"Content-Encoding: gzip\r\n" + length(BOMB), BOMB, False),
        (b"Connection: close\r\n", b" " * 2**20, True),
        (length(OBJECTS), OBJECTS, False),
        (length(VALUES), VALUES, False),
        (length(DEEP), DEEP, False),
    ],
    ids=["gzip bomb", "endless", "objects", "values", "depth"],
)
def test_answer_takes_little_memory(head: bytes, part: bytes, endless) -> None:
    with answering(head, part, endless=endless) as url:
        assert peak_mebibytes(READ.format(url=url)) < LIMIT
