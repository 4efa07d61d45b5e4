"""A real HTTP server whose answers a test chooses; it may also not answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    """A received request; `number` counts all requests from 1."""

    number: int
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Reply:
    """`body` is sent as JSON; bytes are sent unchanged."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


FORM = "application/x-www-form-urlencoded"
NEVER = Reply(status=-1)
"""Do not answer until the client gives up."""
DIE = Reply(status=-2)
"""Close the connection without an answer."""

Hostile = Callable[[Asked], Reply]


class HostileServer:
    """Serves until closed; `asked` holds every request."""

    def __init__(self, answer: Hostile) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}
        )
        self._thread.start()

    def note(self, method: str, target: str, headers: dict[str, str], data: bytes):
        url = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        form = headers.get("Content-Type") == FORM
        body = data.decode() if form else json.loads(data) if data else None
        with self._lock:
            number = len(self.asked) + 1
            asked = Asked(number, method, url.path, query, headers, body)
            self.asked.append(asked)
        return asked

    def stop_listening(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def close(self) -> None:
        self.closing.set()
        self.stop_listening()


def _encoded(body: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    return b"" if body is None else json.dumps(body).encode()


def _handler(server: HostileServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            data = self.rfile.read(length)
            headers = dict(self.headers.items())
            asked = server.note(self.command, self.path, headers, data)
            reply = server.answer(asked)
            if reply is NEVER:
                server.closing.wait()
            if reply.status < 0:
                self.close_connection = True
                return
            self._send(reply)

        def _send(self, reply: Reply) -> None:
            data = _encoded(reply.body)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815

        def log_message(self, *_arguments: object) -> None:
            pass

    return Handler
