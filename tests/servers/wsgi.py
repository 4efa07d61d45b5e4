"""A WSGI application on a free loopback port, with or without TLS."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.simple_server import make_server

from scim2_server.testserver.cli import ThreadingWSGIServer
from tests.servers.scim_runner import Quiet


@contextmanager
def served(application: Any, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve until the block ends; yield the port."""
    server = make_server(
        "127.0.0.1",
        0,
        application,
        server_class=ThreadingWSGIServer,
        handler_class=Quiet,
    )
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}
    )
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
