"""HTTP in this process: a socket of our own, so that a taken port is told plainly."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.types import ASGIApp

from cloudforest.base.errors import Misconfigured

_POLL_SECONDS = 0.01
_LAST_PORT = 65535


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the command that hosts us."""
        yield


def loopback(address: str) -> tuple[str, int]:
    """Return host and port of HOST:PORT; raises Misconfigured for another address."""
    host, _, port = address.rpartition(":")
    if not _is_loopback(host) or not port.isdecimal() or int(port) > _LAST_PORT:
        raise Misconfigured(
            f"--listen takes a loopback address and a port, not {address}; let a proxy "
            "that ends TLS stand in front of it for other machines."
        )
    return host.strip("[]"), int(port)


def listen(address: str) -> socket.socket:
    """Bind HOST:PORT. Only loopback: what ends TLS in front of it listens elsewhere."""
    host, port = loopback(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Only a socket that says that it is TCP is told by asyncio to send at once; else
    # the body of an answer waits 40 ms for the client to acknowledge its head.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise Misconfigured(
            f"The control plane can't listen on {address} ({error.strerror}); "
            "stop what has that port, or give another one with --listen."
        ) from error
    bound.listen(128)
    return bound


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def url_of(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, bound: socket.socket) -> AsyncIterator[None]:
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        # Bugs have their report; what is cut off at the end is none.
        log_level="critical",
        timeout_graceful_shutdown=5,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[bound]), name="http")
    try:
        while not (server.started or task.done()):  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(_POLL_SECONDS)
        yield
    finally:
        server.should_exit = True
        await task
