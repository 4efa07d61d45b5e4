"""A SCIM server that stores nothing, so that only the client is measured.

`python benchmarks/null_scim.py` prints its port and serves until it is killed. `GET
/__counts__` returns the number of requests by method. `GET /__writes__` returns all
writes as `[method, path, body]`, one per line. `GET /__last__` returns the number of
writes and the time of the last one, by this machine's monotonic clock.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections import Counter

MEDIA_TYPE = b"Content-Type: application/scim+json\r\n"
EMPTY_LIST = json.dumps(
    {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": 0,
        "startIndex": 1,
        "itemsPerPage": 0,
        "Resources": [],
    }
).encode()


def answer_of(status: bytes, body: bytes) -> bytes:
    length = b"Content-Length: %d\r\n\r\n" % len(body)
    return b"HTTP/1.1 " + status + b"\r\n" + MEDIA_TYPE + length + body


class NullScim(asyncio.Protocol):
    """One connection: read requests by their Content-Length and answer at once."""

    def __init__(
        self,
        counts: Counter[str],
        ids: itertools.count[int],
        writes: list[tuple[bytes, bytes]],
    ) -> None:
        self.counts = counts
        self.ids = ids
        self.writes = writes
        self.buffer = b""

    last = 0.0
    """Time of the last write on any connection."""

    def connection_made(self, transport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while True:
            head, found, rest = self.buffer.partition(b"\r\n\r\n")
            length = content_length(head)
            if not found or len(rest) < length:
                return
            self.buffer = rest[length:]
            self.transport.write(self.answer(head, rest[:length]))

    def answer(self, head: bytes, sent: bytes) -> bytes:
        method, path, _ = head.split(b" ", 2)
        if path == b"/__counts__":
            return answer_of(b"200 OK", json.dumps(self.counts).encode())
        if path == b"/__writes__":
            return answer_of(b"200 OK", written(self.writes))
        if path == b"/__last__":
            last = json.dumps([len(self.writes), NullScim.last])
            return answer_of(b"200 OK", last.encode())
        self.counts[method.decode()] += 1
        if sent:
            NullScim.last = time.monotonic()
            self.writes.append((method + b" " + path, sent))
        match method:
            case b"POST":
                body = b'{"id":"%d"}' % next(self.ids)
                return answer_of(b"201 Created", body)
            case b"GET":
                return answer_of(b"200 OK", EMPTY_LIST)
            case _:
                return b"HTTP/1.1 204 No Content\r\n\r\n"


def written(writes: list[tuple[bytes, bytes]]) -> bytes:
    lines = []
    for request, body in writes:
        method, path = request.decode().split(" ")
        lines.append(json.dumps([method, path, body.decode()]))
    return "\n".join(lines).encode()


def content_length(head: bytes) -> int:
    name = b"\r\ncontent-length:"
    start = head.lower().find(name)
    if start < 0:
        return 0
    return int(head[start + len(name) :].split(b"\r\n", 1)[0])


async def serve() -> None:
    counts: Counter[str] = Counter()
    ids = itertools.count(1)
    writes: list[tuple[bytes, bytes]] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: NullScim(counts, ids, writes), "127.0.0.1", 0
    )
    port = server.sockets[0].getsockname()[1]
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
